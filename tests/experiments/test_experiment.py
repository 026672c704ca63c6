"""Recordings: each configuration once, whole or not at all; and what the book has recorded."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from unrolled.__main__ import main
from unrolled.experiments import EXPERIMENTS, Experiment, experiment, label, records, value_of


class Killed(Exception):
    pass


def counting(kill_at="never", by=1):
    calls = []

    def measure(configuration, place):
        calls.append(configuration["size"])
        if configuration["size"] == kill_at:
            raise Killed
        return [{"layer": k, "error": 0.1 * k, "exit": k == 1} for k in range(2)]

    sizes = tuple({"size": size, "kind": "a, b"} for size in (1, 2.0, None))
    return Experiment("counting", "counts", sizes, lambda _: {"by": by}, measure), calls


def test_runs_what_is_missing_and_nothing_twice(tmp_path):
    killed, calls = counting(kill_at=2.0)
    with pytest.raises(Killed):
        killed.run(results=tmp_path)
    assert calls == [1, 2.0]
    # What the interrupted run took counts too.
    clock = next(tmp_path.glob(".counting/2.0-*/seconds"))
    clock.write_text("1000")
    whole, calls = counting()
    assert [c["size"] for c in whole.missing(tmp_path)] == [2.0, None]
    whole.run(results=tmp_path)
    assert calls == [2.0, None]
    whole.run(results=tmp_path)
    assert calls == [2.0, None]
    assert whole.rows(tmp_path)[:3] == [
        {"size": 1, "kind": "a, b", "layer": 0, "error": 0.0, "exit": False},
        {"size": 1, "kind": "a, b", "layer": 1, "error": 0.1, "exit": True},
        {"size": 2.0, "kind": "a, b", "layer": 0, "error": 0.0, "exit": False},
    ]
    # Configurations come back as what they were, None as an empty cell.
    assert whole.rows(tmp_path, only={"size": None}) == whole.rows(tmp_path)[4:]
    assert [entry["configuration"] for entry in whole.provenance(tmp_path)] == [
        *whole.configurations
    ]
    assert [entry["seconds"] > 999 for entry in whole.provenance(tmp_path)] == [False, True, False]
    assert not [file for file in tmp_path.glob(".counting/*") if file.suffix != ".lock"]
    for entry in whole.provenance(tmp_path):
        assert {"started", "seconds", "device", "torch", "commit"} <= entry.keys()
    assert not list(tmp_path.glob("*.partial"))


def test_rows_without_provenance_are_replaced(tmp_path, monkeypatch):
    """A kill between the two files."""
    recorded, _ = counting()
    write = records.write_atomically

    def only_rows(path, text):
        if path.suffix == ".json":
            raise Killed
        write(path, text)

    monkeypatch.setattr(records, "write_atomically", only_rows)
    with pytest.raises(Killed):
        recorded.run(results=tmp_path)
    monkeypatch.undo()
    recorded.run(results=tmp_path)
    assert len(recorded.rows(tmp_path)) == 6


def test_only_narrows(tmp_path):
    recorded, calls = counting()
    recorded.run(results=tmp_path, only={"size": None})
    assert calls == [None]
    for only in ({"sise": None}, {"size": "1"}, {"size": 3}):
        with pytest.raises(ValueError, match="no configuration of counting"):
            recorded.run(results=tmp_path, only=only)


def test_another_recipe_is_another_recording(tmp_path):
    counting()[0].run(results=tmp_path)
    assert counting()[0].missing(tmp_path) == []
    changed, calls = counting(by=2)
    changed.run(results=tmp_path, only={"size": 2.0})
    assert calls == [2.0]
    assert len(changed.rows(tmp_path)) == 6
    assert [entry["recipe"] for entry in changed.provenance(tmp_path)] == [
        {"by": 1}, {"by": 1}, {"by": 2},
    ]  # fmt: skip
    assert [c["size"] for c in changed.missing(tmp_path)] == [1, None]


def test_another_recipe_may_measure_other_things(tmp_path):
    counting()[0].run(results=tmp_path, only={"size": 1})
    other = replace(counting(by=2)[0], measure=lambda *_: [{"gap": 3}])
    other.run(results=tmp_path, only={"size": 2.0})
    assert other.rows(tmp_path) == [
        {"size": 1, "kind": "a, b", "layer": 0, "error": 0.0, "exit": False, "gap": None},
        {"size": 1, "kind": "a, b", "layer": 1, "error": 0.1, "exit": True, "gap": None},
        {"size": 2.0, "kind": "a, b", "layer": None, "error": None, "exit": None, "gap": 3},
    ]


def test_processes_that_record_side_by_side_lose_no_rows(tmp_path):
    """Each reads the files while the other writes them, unless a lock keeps it from that."""
    command = """
import sys, time
from pathlib import Path
from unrolled.experiments import Experiment, records

write = records.write_atomically
def slowly(path, text):
    time.sleep(0.03)
    write(path, text)
records.write_atomically = slowly

results, first = Path(sys.argv[1]), int(sys.argv[2])
sizes = tuple({"size": size} for size in range(12))
measure = lambda configuration, *_: [{"twice": 2 * configuration["size"]}]
recorded = Experiment("shared", "", sizes, lambda _: {}, measure)
(results / f"{first}.ready").touch()
while len(list(results.glob("*.ready"))) < 2:
    time.sleep(0.01)
for size in range(first, 12, 2):
    recorded.run(results=results, only={"size": size})
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", command, str(tmp_path), str(first)])
        for first in (0, 1)
    ]
    try:
        assert [process.wait(timeout=60) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    shared = replace(counting()[0], name="shared")
    rows = sorted(shared.rows(tmp_path), key=lambda row: row["size"])
    assert rows == [{"size": size, "twice": 2 * size} for size in range(12)]
    assert len(shared.provenance(tmp_path)) == 12


def test_a_configuration_that_is_being_recorded_is_left_to_its_process(tmp_path):
    inner, inner_calls = counting()
    reports = []

    def measure(configuration, place):
        # As another process would: while the first configuration is measured, run all the others.
        if configuration["size"] == 1:
            inner.run(results=tmp_path, report=reports.append)
        return [{"layer": 0, "error": 0.0}]

    outer = replace(inner, measure=measure)
    outer.run(results=tmp_path, report=lambda _: None)
    assert inner_calls == [2.0, None]
    assert "counting: size=1 'kind=a, b': left to the process that is recording it" in reports
    # What the inner run has recorded in the meantime is neither run again nor lost.
    assert len(outer.rows(tmp_path)) == 1 + 2 + 2
    assert len(outer.provenance(tmp_path)) == 3


def test_what_no_commit_holds_is_said(tmp_path, monkeypatch):
    for commit, said in (("1234567", False), ("1234567+", True), (None, True)):
        monkeypatch.setattr(experiment, "commit_of", lambda _, commit=commit: commit)
        recorded, reports = counting()[0], []
        results = tmp_path / str(commit)
        recorded.run(results=results, report=reports.append)
        assert [r for r in reports if "cannot be reproduced exactly" in r] == reports[: int(said)]
        assert recorded.provenance(results)[0]["commit"] == commit
        recorded.run(results=results, report=reports.append)  # nothing to run, nothing to say
        assert sum("reproduced" in r for r in reports) == said


@pytest.mark.parametrize(
    "rows", [[], [{"a": 1}, {"b": 1}], [{"size": 1}], [{}], [{"a": 1}, {"a": 1, "b": 2}]]
)
def test_rows_that_cannot_be_kept_are_refused(tmp_path, rows):
    wrong = replace(counting()[0], measure=lambda *_: rows)
    with pytest.raises(ValueError, match=f"measure returned {len(rows)} rows"):
        wrong.run(results=tmp_path)
    assert wrong.provenance(tmp_path) == []


@pytest.mark.parametrize(
    ("configurations", "sentence"),
    [
        (({"a": "x"}, {"b": "x"}), "other keys"),
        (({"a": "x"}, {"a": None}, {"a": "x"}), r"configurations\[2\] .* there twice"),
        (({"a": 40}, {"a": 40.0}), r"configurations\[1\] .* there twice"),
        (({"a": 1}, {"a": (1,)}), r"configurations\[1\]\.a is \(1,\)"),
        (({"a": float("inf")},), r"configurations\[0\]\.a is inf"),
        # A table has no quotes: these would come back as 40, True and None.
        (({"a": "40"},), r"configurations\[0\]\.a is '40', which a table gives back as 40"),
        (({"a": "true"},), "is 'true', which a table gives back as True"),
        (({"a": ""},), "is '', which a table gives back as None"),
    ],
)
def test_configurations_that_cannot_be_told_apart_are_refused(configurations, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(counting()[0], configurations=configurations)


def test_a_recipe_that_cannot_be_kept_is_refused(tmp_path):
    for value in (float("nan"), counting):
        wrong = replace(counting()[0], recipe=lambda _, value=value: {"a": [{"b": value}]})
        for use in (wrong.missing, lambda folder, wrong=wrong: wrong.run(results=folder)):
            with pytest.raises(ValueError, match=r"recipe\.a\[0\]\.b is "):
                use(tmp_path)


def test_no_value_leads_out_of_the_folder_of_results(tmp_path):
    folders = []

    def measure(configuration, place):
        folders.append(place.folder)
        return [{"layer": 0}]

    names = ({"size": "/a/../../b", "kind": "c"}, {"size": "a-b", "kind": "c"})
    alike = {"size": "a", "kind": "b-c"}
    replace(counting()[0], configurations=(*names, alike), measure=measure).run(results=tmp_path)
    assert all(folder.resolve().parent == tmp_path / ".counting" for folder in folders)
    assert len(set(folders)) == 3


@pytest.mark.parametrize("recorded", EXPERIMENTS.values(), ids=list(EXPERIMENTS))
def test_what_the_book_has_recorded_is_whole(recorded):
    entries = recorded.provenance()
    configurations = [entry["configuration"] for entry in entries]
    rows = recorded.rows() if entries else []
    assert all(configuration in recorded.configurations for configuration in configurations)
    assert len({json.dumps(c) for c in configurations}) == len(configurations)
    for configuration in configurations:
        assert any(configuration.items() <= row.items() for row in rows)
    # Every row is of a configuration, and nothing is recorded by a recipe of the past.
    keys = recorded.configurations[0]
    assert all({key: row[key] for key in keys} in configurations for row in rows)
    assert {state for _, state in recorded.status()} <= {"recorded", "running", "missing"}


def test_what_a_chapter_draws_is_recorded_as_a_whole():
    assert EXPERIMENTS["lista-depth"].missing() == []


def test_the_command_line(tmp_path, capsys):
    assert main(["experiments", "list"]) == 0
    assert "lista-depth" in capsys.readouterr().out
    assert main(["experiments", "status", "--results", str(tmp_path)]) == 0
    status = capsys.readouterr().out
    assert "0 of 24 configurations" in status
    assert "missing: network=ALISTA selection=true snr=40\n" in status
    assert main(["experiments", "status"]) == 0
    assert "24 of 24 configurations" in capsys.readouterr().out
    for arguments, sentence in (
        (["no-such"], "name is 'no-such'; experiments are lista-depth"),
        (["lista-depth", "--only", "network"], "KEY=VALUE"),
    ):
        with pytest.raises(SystemExit):
            main(["experiments", "run", *arguments])
        assert sentence in capsys.readouterr().err


def test_the_command_line_narrows_by_values(tmp_path, monkeypatch):
    recorded, calls = counting()
    monkeypatch.setitem(EXPERIMENTS, "counting", recorded)
    for pairs in (["size=2.0"], ["kind=a, b", "size="]):
        command = ["experiments", "run", "counting", "--results", str(tmp_path), "--only", *pairs]
        assert main(command) == 0
    assert calls == [2.0, None]


def test_the_command_line_says_what_has_to_be_recorded_first(tmp_path, capsys):
    for content in ("", "provenance alone"):
        if content:  # what is said of rows that are lost
            entries = EXPERIMENTS["lista-depth"].provenance()
            (tmp_path / "lista-depth.json").write_text(json.dumps(entries), encoding="utf-8")
        command = ["experiments", "run", "lista-depth", "--results", str(tmp_path)]
        with pytest.raises(SystemExit):
            main([*command, "--only", "network=LISTA"])
        said = capsys.readouterr().err
        assert "network=ALISTA selection=false snr= is not recorded" in said
        assert "experiments run lista-depth --only network=ALISTA selection=false snr=" in said


def test_rows_that_are_lost_count_as_missing(tmp_path):
    recorded, calls = counting()
    with pytest.raises(FileNotFoundError, match=r"experiments run counting records its rows"):
        recorded.rows(tmp_path)
    recorded.run(results=str(tmp_path))
    assert recorded.missing(tmp_path) == []
    (tmp_path / "counting.csv").unlink()
    assert len(recorded.missing(tmp_path)) == 3
    recorded.run(results=tmp_path)
    assert calls == [1, 2.0, None] * 2
    for text in ("", "{", "[3]", "[{}]"):
        (tmp_path / "counting.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"^results holds .*counting\.json, which is not"):
            recorded.missing(tmp_path)


def test_a_clock_that_is_no_number_is_named(tmp_path):
    killed, _ = counting(kill_at=1)
    with pytest.raises(Killed):
        killed.run(results=tmp_path)
    next(tmp_path.glob(".counting/1-*/seconds")).write_text("")
    with pytest.raises(ValueError, match=r"^file is .*seconds, which holds no number"):
        counting()[0].run(results=tmp_path)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda e: e.run("nowhere"), "device is 'nowhere', which is not there"),
        (lambda e: e.run(results=None), "results is a NoneType"),
        (lambda e: e.run(only="size"), "only is a str"),
        (lambda e: e.run(report="x"), "report is 'x'; a function"),
        (lambda e: e.rows(3), "results is a int"),
        (lambda e: e.rows(only=[1]), "only is a list"),
        (lambda e: e.missing(None), "results is a NoneType"),
        (lambda e: e.provenance(None), "results is a NoneType"),
        (lambda e: replace(e, name=None), "name is a NoneType"),
        (lambda e: replace(e, configurations=3), "configurations is a int"),
        (lambda e: replace(e, configurations=[3]), r"configurations\[0\] is a int"),
        (lambda e: replace(e, recipe=None), "recipe is None; a function"),
        (lambda e: replace(e, measure=3), "measure is 3; a function"),
        (lambda e: label("size"), "configuration is a str"),
        (lambda e: value_of(3), "text is a int"),
    ],
)
def test_arguments_of_other_kinds_are_refused(call, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        call(counting()[0])
