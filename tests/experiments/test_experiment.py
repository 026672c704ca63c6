"""Recordings: each configuration once, whole or not at all; and what the book has recorded."""

import json
import math
from dataclasses import replace

import pytest
import torch

from unrolled.__main__ import main
from unrolled.experiments import EXPERIMENTS, Experiment, experiment


class Killed(Exception):
    pass


def counting(kill_at=None, recipe="count"):
    calls = []

    def measure(configuration, device, folder):
        calls.append(configuration["size"])
        if configuration["size"] == kill_at:
            raise Killed
        return [{"layer": k, "error": float(configuration["size"]) * k} for k in range(2)]

    sizes = tuple({"size": size, "kind": "a, b"} for size in ("1", "2.0", "inf"))
    return Experiment("counting", "counts", sizes, lambda _: recipe, measure), calls


def test_runs_what_is_missing_and_nothing_twice(tmp_path):
    killed, calls = counting(kill_at="2.0")
    with pytest.raises(Killed):
        killed.run(results=tmp_path)
    assert calls == ["1", "2.0"]
    # What the interrupted run took counts too.
    clock = next(tmp_path.glob(".counting/2.0-*/seconds"))
    clock.write_text("1000")
    whole, calls = counting()
    assert [c["size"] for c in whole.missing(tmp_path)] == ["2.0", "inf"]
    whole.run(results=tmp_path)
    assert calls == ["2.0", "inf"]
    whole.run(results=tmp_path)
    assert calls == ["2.0", "inf"]
    assert whole.rows(tmp_path)[:3] == [
        {"size": 1, "kind": "a, b", "layer": 0, "error": 0.0},
        {"size": 1, "kind": "a, b", "layer": 1, "error": 1.0},
        {"size": 2.0, "kind": "a, b", "layer": 0, "error": 0.0},
    ]
    assert whole.rows(tmp_path)[-1]["error"] == math.inf
    assert [entry["seconds"] > 999 for entry in whole.provenance(tmp_path)] == [False, True, False]
    assert not list(tmp_path.glob(".counting/*"))
    for entry in whole.provenance(tmp_path):
        assert {"started", "seconds", "device", "torch", "commit"} <= entry.keys()
    assert not list(tmp_path.glob("*.partial"))


def test_rows_without_provenance_are_replaced(tmp_path, monkeypatch):
    """A kill between the two files."""
    recorded, _ = counting()
    write = experiment._write_atomically

    def only_rows(path, text):
        if path.suffix == ".json":
            raise Killed
        write(path, text)

    monkeypatch.setattr(experiment, "_write_atomically", only_rows)
    with pytest.raises(Killed):
        recorded.run(results=tmp_path)
    monkeypatch.undo()
    recorded.run(results=tmp_path)
    assert len(recorded.rows(tmp_path)) == 6


def test_only_narrows(tmp_path):
    recorded, calls = counting()
    recorded.run(results=tmp_path, only={"size": "inf"})
    assert calls == ["inf"]
    with pytest.raises(ValueError, match="no configuration of counting"):
        recorded.run(results=tmp_path, only={"sise": "inf"})


def test_another_recipe_is_another_recording(tmp_path):
    counting()[0].run(results=tmp_path)
    changed, calls = counting(recipe="count better")
    changed.run(results=tmp_path, only={"size": "2.0"})
    assert calls == ["2.0"]
    assert len(changed.rows(tmp_path)) == 6
    assert [entry["recipe"] for entry in changed.provenance(tmp_path)] == [
        "count", "count", "count better",
    ]  # fmt: skip
    assert [c["size"] for c in changed.missing(tmp_path)] == ["1", "inf"]


@pytest.mark.parametrize("recorded", EXPERIMENTS.values(), ids=list(EXPERIMENTS))
def test_what_the_book_has_recorded_is_whole(recorded):
    entries = recorded.provenance()
    configurations = [entry["configuration"] for entry in entries]
    rows = recorded.rows()
    assert all(configuration in recorded.configurations for configuration in configurations)
    assert len({json.dumps(c) for c in configurations}) == len(configurations)
    for configuration in configurations:
        assert any(
            configuration.items() <= {key: str(value) for key, value in row.items()}.items()
            for row in rows
        )


def test_the_command_line(tmp_path, capsys):
    assert main(["experiments", "list"]) == 0
    assert "lista-depth" in capsys.readouterr().out
    assert main(["experiments", "status", "--results", str(tmp_path)]) == 0
    assert "0 of 24 configurations" in capsys.readouterr().out
    for arguments, sentence in (
        (["no-such"], "name is 'no-such'; experiments are lista-depth"),
        (["lista-depth", "--only", "network"], "KEY=VALUE"),
    ):
        with pytest.raises(SystemExit):
            main(["experiments", "run", *arguments])
        assert sentence in capsys.readouterr().err


def test_a_small_run_of_lista_depth(monkeypatch):
    """The whole path of one configuration, at a size that takes a second."""
    from unrolled.experiments import lista_depth

    for name, value in {"M": 20, "N": 40, "TEST": 100}.items():
        monkeypatch.setattr(lista_depth, name, value)
    recipe = lista_depth.Recipe(
        lambda A: lista_depth.ALISTA(A, lista_depth.DEPTH), 2, 1, 5, 1e-2, 1e-3
    )
    monkeypatch.setitem(lista_depth.NETWORKS, "ALISTA", recipe)
    coupled = replace(recipe, build=lambda A: lista_depth.LISTACP(A, lista_depth.DEPTH))
    monkeypatch.setitem(lista_depth.NETWORKS, "LISTA-CP", coupled)
    few = lista_depth.Search(few=10, batch=20)
    monkeypatch.setitem(lista_depth.NETWORKS, "HyperLISTA", few)
    for name in ("ALISTA", "LISTA-CP", "HyperLISTA", "ISTA"):
        rows = lista_depth._measure({"network": name, "snr": "40"}, torch.device("cpu"), None)
        assert [row["layer"] for row in rows] == list(range(17))
        assert rows[0]["nmse"] == 0
        assert rows[-1]["nmse"] < -1
        assert (rows[-1]["step"] != "") == (name == "ALISTA")
