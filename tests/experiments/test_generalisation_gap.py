"""The gap's experiment: what it promises of its grid, its training and its rows."""

import math
from dataclasses import fields, is_dataclass, replace

import pytest
import torch

from unrolled.experiments import to_convergence
from unrolled.experiments.covering import covering_bound, covering_constant
from unrolled.experiments.generalisation_gap import (
    COUNTS,
    DEPTHS,
    GENERALISATION_GAP,
    QUICK,
    RUN,
    RUNS,
    SEEDS,
    Denoised,
    GapRun,
    comparison,
    gap_runs,
)
from unrolled.experiments.jobs import Place
from unrolled.experiments.problem import Problem, Signals
from unrolled.experiments.to_convergence import ToConvergence

SMALL = gap_runs(QUICK, (2,), (5,), (0,))[0]


def seeds_of(run):
    drawn = (run.pool, run.validation, run.problem.test)
    return [run.problem.seed, run.network.seed, *(signals.seed for signals in drawn)]


def variants(thing, path=""):
    """Everything that differs from a dataclass or leaf in a single leaf."""
    if is_dataclass(thing):
        for field in fields(thing):
            for where, part in variants(getattr(thing, field.name), f"{path}.{field.name}"):
                yield where, replace(thing, **{field.name: part})
    elif isinstance(thing, tuple):
        yield path, (*thing, 0.1)
    else:
        yield path, f"{thing}'" if isinstance(thing, str) else 2 * thing + 1


def test_the_grid_is_whole():
    assert sorted(DEPTHS) == [1, 2, 4, 6, 8, 10, 12, 15]
    assert sorted(COUNTS) == [20, 50, 100, 200, 500, 1000, 2000]
    assert len(GENERALISATION_GAP.configurations) == 8 * 7 * 2 * 3
    assert RUN.pool.count == max(COUNTS)
    assert RUN.problem.test.count >= 10_000


def test_the_corners_come_first_and_seed_by_seed():
    first = [(run.problem.depth, run.signals) for run in RUNS[:8:2]]
    assert set(first) == {(1, 20), (1, 2000), (15, 20), (15, 2000)}
    assert [run.network.tied for run in RUNS[:4]] == [False, True, False, True]
    seeds = [run.pool.seed for run in RUNS]
    assert seeds == sorted(seeds)


def test_nothing_is_drawn_from_a_seed_twice():
    """What is tested on has nothing in common with what is trained on, or with A."""
    for run in RUNS:
        assert len(set(seeds_of(run))) == 5
    weights = {run.network.seed for run in RUNS}
    batches = {run.training.seed + k for run in RUNS for k in range(1, RUN.training.rounds + 1)}
    assert len(weights) == len(SEEDS)
    assert len(batches) == len(SEEDS) * RUN.training.rounds
    fixed = {RUN.problem.seed, RUN.validation.seed, RUN.problem.test.seed, *SEEDS}
    assert not (weights | batches) & fixed
    assert not weights & batches


def test_each_constant_makes_rows_stale(tmp_path):
    changed = dict(variants(SMALL))
    assert {".problem.m", ".network.lam", ".training.fall", ".training.rates"} <= changed.keys()
    recipe = comparison("gap", [SMALL]).recipe(SMALL.configuration)
    for path, variant in changed.items():
        assert comparison("gap", [variant]).recipe(variant.configuration) != recipe, path


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    quick = GENERALISATION_GAP.quick
    quick.run(results=results, report=lambda _: None)
    return quick, results


def test_the_quick_one_is_recorded_beside_and_whole(quick):
    quick, results = quick
    assert quick.name == f"{GENERALISATION_GAP.name}-quick"
    assert quick.missing(results) == []
    for configuration in quick.configurations:
        whole, *layers = quick.rows(results, configuration)
        assert whole["layer"] is None
        assert [row["layer"] for row in layers] == list(range(1, configuration["depth"] + 1))
        count = 1 if configuration["tied"] else configuration["depth"]
        assert whole["parameters"] == count * (3 * QUICK.network.width + 3)
        assert 0 < whole["training"] <= whole["training_squared"] < whole["training_start"]
        assert 0 < whole["test"] < whole["test_start"] <= 1
        assert 0 < whole["test_error"] < 0.05
        assert whole["rate"] in QUICK.training.rates
        assert whole["steps"] == QUICK.training.rounds * QUICK.training.steps
        assert whole["converged"] == (whole["fall"] < QUICK.training.fall)
        assert whole["reach"] > 0
        assert whole["seconds"] > 0
        for row in layers:
            assert 0 < row["in_state"] <= row["in_state_everywhere"]
            assert row["in_parameters"] > 0


def test_few_signals_are_fitted_better_than_fresh_ones(quick):
    """In the mean over the grid; a training set by itself may be easier or harder than others."""
    quick, results = quick
    wholes = [row for row in quick.rows(results) if row["layer"] is None]

    def gained(part, row):
        return math.log(row[f"{part}_start"] / row[part])

    gaps = [gained("training", row) - gained("test", row) for row in wholes if row["signals"] == 5]
    assert len(gaps) == 4
    assert sum(gaps) / 4 > 0.05


def test_the_bound_is_evaluated_from_rows(quick):
    """Λ of the rows is no less than how steep the loss is at the signals that they are of."""
    quick, results = quick
    energy = QUICK.problem.n * QUICK.problem.rate * QUICK.problem.variance
    for configuration in quick.configurations:
        whole, *layers = quick.rows(results, configuration)
        in_state = [row["in_state"] for row in layers]
        in_parameters = [row["in_parameters"] for row in layers]
        constant = covering_constant(in_state, in_parameters, energy)
        assert 0 < whole["slope"] <= constant
        signals, parameters = configuration["signals"], whole["parameters"]
        bound = covering_bound(whole["training"], signals, parameters, constant, side=8.0)
        assert whole["test"] < bound <= 1


def test_an_interrupted_run_ends_the_same(tmp_path, monkeypatch):
    at = Place(torch.device("cpu"), tmp_path / "whole")
    rows = SMALL.rows(at)
    fit, calls = to_convergence.fit, []

    def killed(*arguments, **options):
        calls.append(options["checkpoint"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fit(*arguments, **options)

    again = Place(torch.device("cpu"), tmp_path / "killed")
    monkeypatch.setattr(to_convergence, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        SMALL.rows(again)
    monkeypatch.setattr(to_convergence, "fit", fit)
    resumed = SMALL.rows(again)
    for before, after in zip(rows, resumed, strict=True):
        assert before | {"seconds": 0} == after | {"seconds": 0}


@pytest.mark.parametrize(("fall", "converged"), [(0.0, False), (0.999, True)])
def test_training_ends_by_its_criterion(tmp_path, fall, converged):
    training = replace(SMALL.training, fall=fall, rounds=4)
    whole = replace(SMALL, training=training).rows(Place(torch.device("cpu"), tmp_path))[0]
    assert whole["converged"] == converged
    assert whole["steps"] == (2 if converged else 4) * training.steps


def test_no_network_is_chosen_by_the_test_signals(tmp_path):
    whole = SMALL.rows(Place(torch.device("cpu"), tmp_path / "a"))[0]
    test = replace(SMALL.problem, test=Signals(200, seed=5))
    other = replace(SMALL, problem=test).rows(Place(torch.device("cpu"), tmp_path / "b"))[0]
    assert other["test"] != whole["test"]
    for key in ("training", "validation", "rate", "steps", "reach", "slope"):
        assert other[key] == whole[key]


def test_what_runs_reads_every_constant(monkeypatch, tmp_path):
    parts = (GapRun, Denoised, ToConvergence, Problem, Signals)
    read = {part: set() for part in parts}

    def spy(self, name):
        read[type(self)].add(name)
        return object.__getattribute__(self, name)

    for part in parts:
        monkeypatch.setattr(part, "__getattribute__", spy, raising=False)
    SMALL.rows(Place(torch.device("cpu"), tmp_path))
    for part in parts:
        assert {field.name for field in fields(part)} <= read[part], part
