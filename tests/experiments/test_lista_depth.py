"""The comparison of the LISTA papers: each of its constants decides which rows are current."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

import pytest
import torch

from unrolled.experiments.jobs import Place
from unrolled.experiments.lista_depth import (
    LISTA_DEPTH,
    PROBLEM,
    SNRS,
    comparison,
    methods,
    quick_runs,
    runs,
)
from unrolled.experiments.methods import NETWORKS, Classical, Run, Searched, Trained
from unrolled.experiments.problem import Problem, Signals, Validation
from unrolled.networks import selection_schedule

RUNS = runs(PROBLEM)
QUICK = quick_runs()
PARTS = (Problem, Signals, Validation, Run, Classical, Searched, Trained)


def name_of(run):
    return "-".join(map(str, run.configuration.values()))


def other(leaf):
    """Another value than this leaf of a recipe."""
    match leaf:
        case bool():
            return not leaf
        case int() | float():
            return 2 * leaf + 1
        case str():
            return leaf + "'"
        case None:
            return 1
    raise TypeError(f"a recipe has the leaf {leaf!r}")


def variants(thing, path=""):
    """Everything that differs from a dataclass, mapping, sequence or leaf in a single leaf."""
    if is_dataclass(thing):
        for field in fields(thing):  # so that a new field cannot be forgotten
            for where, part in variants(getattr(thing, field.name), f"{path}.{field.name}"):
                yield where, replace(thing, **{field.name: part})
    elif isinstance(thing, Mapping):
        for key, value in thing.items():
            for where, part in variants(value, f"{path}[{key!r}]"):
                yield where, {**thing, key: part}
    elif isinstance(thing, tuple):
        for k, value in enumerate(thing):
            for where, part in variants(value, f"{path}[{k}]"):
                yield where, (*thing[:k], part, *thing[k + 1 :])
    else:
        yield path, other(thing)


@pytest.mark.parametrize("run", RUNS, ids=name_of)
def test_what_is_recorded_is_current(run):
    assert comparison([run]).missing() == []


@pytest.mark.parametrize("run", RUNS, ids=name_of)
def test_each_constant_and_argument_makes_rows_stale(run):
    changed = dict(variants(run))
    assert len(changed) > 20
    for path, variant in changed.items():
        assert comparison([variant]).missing() == [variant.configuration], path


def test_the_walk_reaches_what_a_run_is_made_of():
    reached = {path for run in RUNS for path, _ in variants(run)}
    assert {
        ".problem.m",
        ".problem.depth",
        ".problem.test.seed",
        ".method.penalties[0]",
        ".method.arguments['selection'][15]",
        ".method.arguments['cap']",
        ".method.grid[2][1]",
        ".method.start.final",
        ".method.validation.every",
    } <= reached


def test_another_problem_makes_everything_missing():
    for change in ({"m": 25, "n": 50, "depth": 3}, {"m": 25}, {"n": 50}, {"depth": 3}):
        changed = comparison(runs(replace(PROBLEM, **change)))
        assert changed.missing() == list(LISTA_DEPTH.configurations)
        assert len(changed.missing()) == 24


def test_another_schedule_makes_those_that_select_by_it_missing(monkeypatch):
    monkeypatch.setattr(
        "unrolled.experiments.lista_depth.selection_schedule",
        lambda depth: selection_schedule(depth, most=0.12),
    )
    missing = comparison(runs(PROBLEM)).missing()
    assert {(c["network"], c["selection"]) for c in missing} == {
        ("ALISTA", True),
        ("LISTA-CP", True),
    }
    assert len(missing) == 2 * len(SNRS)


def test_what_starts_from_a_network_starts_from_the_one_that_is_compared():
    compared = {(r.method.name, r.method.selects, r.problem.snr): r.method for r in RUNS}
    starts = [r for r in RUNS if getattr(r.method, "start", None) is not None]
    assert {r.method.name for r in starts} == {"LISTA-CP", "LISTA"}
    for run in starts:
        assert run.method.start == compared["ALISTA", False, run.problem.snr]


@pytest.mark.parametrize("method", methods(PROBLEM)[2:], ids=lambda m: f"{m.name}-{m.selects}")
def test_no_argument_of_a_network_is_left_to_its_default(method):
    named = inspect.signature(NETWORKS[method.name]).parameters.keys()
    # Checkpoints within a network store less and compute the same.
    assert method.arguments.keys() == named - {"A", "depth", "checkpoint"}


def test_a_small_run(tmp_path):
    """The whole path of each method, at a size that takes a second."""
    compared = LISTA_DEPTH.quick
    compared.run(results=tmp_path, report=lambda _: None)
    assert compared.missing(tmp_path) == []
    for run in QUICK:
        rows = compared.rows(tmp_path, run.configuration)
        assert [row["layer"] for row in rows] == list(range(5))
        assert rows[0]["nmse"] == 0
        assert rows[-1]["nmse"] < -0.5
        assert (rows[-1]["step"] is not None) == (run.method.name == "ALISTA")
        assert (rows[0]["parameters"] > 0) == (not isinstance(run.method, Classical))


def test_what_starts_from_a_network_waits_for_it(tmp_path):
    lista = QUICK[-1]
    with pytest.raises(ValueError, match="network=ALISTA selection=false snr=40 is not recorded"):
        comparison([lista]).run(results=tmp_path, report=lambda _: None)
    # Nor does it start from rows of another recipe.
    another = replace(lista, method=replace(lista.method.start, final=6))
    comparison([another]).run(results=tmp_path, report=lambda _: None)
    with pytest.raises(ValueError, match="is not recorded"):
        comparison([lista]).run(results=tmp_path, report=lambda _: None)


def test_what_runs_reads_every_constant(monkeypatch, tmp_path):
    """A recipe says nothing that what runs does not look at."""
    read = {part: set() for part in PARTS}

    def spy(self, name):
        read[type(self)].add(name)
        return object.__getattribute__(self, name)

    for part in PARTS:
        monkeypatch.setattr(part, "__getattribute__", spy, raising=False)
    cpu = torch.device("cpu")
    for run in QUICK:
        start = getattr(run.method, "start", None)
        starts = [] if start is None else [replace(run, method=start)]
        recorded = [first.rows(Place(cpu, tmp_path / "start")) for first in starts]
        run.rows(Place(cpu, tmp_path / name_of(run), recorded))
    for part in PARTS:
        assert {field.name for field in fields(part)} <= read[part], part
