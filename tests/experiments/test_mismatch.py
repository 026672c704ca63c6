"""Networks met by another matrix: rows measure what they are called, attacks attack."""

import inspect
import math
from dataclasses import fields, replace

import pytest
import torch

from unrolled.experiments.jobs import Place
from unrolled.experiments.mismatch import (
    MISMATCH,
    NETS,
    PROBLEM,
    SCENARIOS,
    SEEDS,
    SIZES,
    TUNING,
    Mismatched,
    _World,
    comparison,
    norm,
    quick_runs,
    runs,
    told,
)
from unrolled.experiments.nets import DENOISERS, NETWORKS, Net
from unrolled.experiments.problem import Problem, Signals
from unrolled.experiments.tuning import Tuning
from unrolled.networks import ALISTA, OAMPNet
from unrolled.sensing import BatchOperator, DenseOperator

QUICK = quick_runs()
BY_NAME = {run.net.name: run for run in QUICK}


def world(name, scenario, count=6):
    """An untrained network in a scenario, in double precision."""
    run = BY_NAME[name]
    y, x = (part.double() for part in run.problem.drawn(replace(run.signals, count=count)))
    net = run.net.build(run.problem).double()
    return _World(net, run.problem.operator().dense().double(), x, y, scenario)


def changes(count, size, shape=(8, 16)):
    drawn = torch.randn(
        (count, *shape), generator=torch.Generator().manual_seed(5), dtype=torch.float64
    )
    return size * drawn / norm(drawn)[:, None, None]


def test_what_is_recorded_of_each_network(tmp_path):
    MISMATCH.quick.run(results=tmp_path, report=lambda _: None)
    for name, run in BY_NAME.items():
        rows = MISMATCH.quick.rows(tmp_path, {"network": name})
        scenarios = ("data",) if name == "LISTA" else SCENARIOS
        assert [(r["scenario"], r["size"], r["change"]) for r in rows] == [
            (scenario, size, change)
            for scenario in scenarios
            for size in run.sizes
            for change in ("random", "adversarial")
        ]
        for random, adversarial in zip(rows[::2], rows[1::2], strict=True):
            # The adversary starts from what is random, and keeps the best.
            assert adversarial["moved"] >= random["moved"] * (1 - 1e-9)
            assert adversarial["moved"] <= adversarial["most"]
            assert all(math.isfinite(r["nmse"]) for r in (random, adversarial))
        assert 0 <= rows[0]["tuning"] <= rows[0]["seconds"]
        for row in rows:
            bounded = name == "OAMPNet-firm" and row["scenario"] != "data"
            assert (row["bound"] is not None) == bounded
            if bounded:
                assert 0 < row["share_of_bound"] <= 1
                assert row["moved"] <= row["bound"]


def test_each_scenario_is_the_difference_that_it_is_called():
    change = changes(6, 0.1)
    outputs = {}
    for scenario in SCENARIOS:
        one = world("OAMPNet", scenario)
        with torch.no_grad():
            outputs[scenario] = one.outputs(change)
    net, x, y, A = one.net, one.x, one.y, one.B + change
    moved = y + torch.einsum("bmn,bn->bm", change, x)
    with torch.no_grad():
        at_B, at_A = net(y), net(y, operator=BatchOperator(A))
        data_B, data_A = net(moved), net(moved, operator=BatchOperator(A))
    expected = {"matrix": (at_A, at_B), "data": (data_B, at_B), "deployment": (data_B, data_A)}
    for scenario in SCENARIOS:
        for found, wanted in zip(outputs[scenario], expected[scenario], strict=True):
            torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "LISTA"])
def test_a_network_that_is_told_a_matrix_is_the_one_with_that_matrix(name):
    one = world(name, "matrix", count=3)
    A = one.B + changes(3, 0.3)
    with torch.no_grad():
        found = told(one.net, A, one.y)
        for matrix, y, row in zip(A, one.y, found, strict=True):
            if isinstance(one.net, ALISTA):
                other = ALISTA(matrix, one.net.depth)
                other.load_state_dict(dict(one.net.named_parameters()), strict=False)
                wanted = other(y[None])[0]
            else:
                wanted = one.net(y[None], operator=DenseOperator(matrix))[0]
            torch.testing.assert_close(row, wanted)


def test_the_attack_is_of_its_norm_and_finds_the_worst_of_a_linear_network():
    """For one linear layer, f(B; y) = Wy, the data move the output by ‖W‖·‖change·x‖ at most."""
    one = world("OAMPNet-firm", "data")
    operator = DenseOperator(one.B)
    denoiser = torch.nn.Identity()
    denoiser.forward = lambda r, tau: r
    one.net = OAMPNet(
        operator, 1, noise=0.0, lam=0.1, divergence_free=False, denoiser=denoiser
    ).double()
    start = changes(len(one.x), 0.2)
    with torch.no_grad():
        found, reference = one.outputs(start)
    attack = one.attacked(start, rounds=60, starts=1)
    torch.testing.assert_close(norm(attack), torch.full_like(norm(attack), 0.2))
    with torch.no_grad():
        worst, _ = one.outputs(attack)
    W = operator.lmmse(torch.eye(8, dtype=torch.float64), 0.1).T
    most = 0.2 * float(torch.linalg.matrix_norm(W, 2)) * one.x.norm(dim=1)
    reached, random = ((f - reference).norm(dim=1) for f in (worst, found))
    moving = one.x.norm(dim=1) > 0
    assert (reached <= most * (1 + 1e-9)).all()
    assert (reached > 0.99 * most)[moving].all()
    assert (random < 0.8 * most)[moving].all()


def test_of_several_starts_the_worst_is_kept_for_each_signal():
    one = world("OAMPNet", "matrix", count=6)
    one.x, one.y = one.x.repeat(2, 1), one.y.repeat(2, 1)
    start = changes(12, 0.1)
    chosen = one.attacked(start, rounds=0, starts=2)
    with torch.no_grad():
        found, reference = one.outputs(start)
        far = (found - reference).norm(dim=1).reshape(2, 6)
        kept, reference = one.outputs(chosen)
    torch.testing.assert_close((kept - reference).norm(dim=1), far.amax(0))
    assert (far.argmax(0) == 1).any()


def test_each_constant_makes_rows_stale(tmp_path):
    run = BY_NAME["ALISTA"]
    few = replace(run, tuning=replace(run.tuning, steps=2, rates=(1e-3,), share=1.0))
    comparison((few,)).run(results=tmp_path, report=lambda _: None)
    assert comparison((few,)).missing(tmp_path) == []
    changed = (
        replace(few, sizes=(0.1,)),
        replace(few, starts=1),
        replace(few, rounds=1),
        replace(few, chance=7),
        replace(few, signals=Signals(5, seed=40)),
        replace(few, tuning=replace(few.tuning, steps=3)),
        replace(few, net=replace(few.net, arguments=few.net.arguments | {"penalty": 0.2})),
        replace(few, problem=replace(few.problem, snr=20)),
    )
    for other in changed:
        assert comparison((other,)).missing(tmp_path) == [other.configuration]


def test_no_argument_of_a_network_is_left_to_its_default():
    given = {"A", "depth", "noise", "denoiser", "generator"}
    for net in NETS:
        named = inspect.signature(NETWORKS[net.network]).parameters.keys()
        assert net.arguments.keys() == named - given
        if net.denoiser is not None:
            named = inspect.signature(DENOISERS[net.denoiser["class"]]).parameters.keys()
            assert net.denoiser.keys() - {"class"} == named - given


def test_what_runs_reads_every_constant(monkeypatch, tmp_path):
    """A recipe says nothing that what runs does not look at."""
    parts = (Problem, Signals, Net, Tuning, Mismatched)
    read = {part: set() for part in parts}

    def spy(self, name):
        read[type(self)].add(name)
        return object.__getattribute__(self, name)

    for part in parts:
        monkeypatch.setattr(part, "__getattribute__", spy, raising=False)
    BY_NAME["OAMPNet-firm"].rows(Place(torch.device("cpu"), tmp_path))
    for part in parts:
        named = {"name"} if part is Net else set()  # which the configuration is made of
        assert {field.name for field in fields(part)} <= read[part] | named, part


def test_signals_of_training_validation_and_test_are_others():
    for run in runs(PROBLEM, TUNING, SIZES):
        tuning = run.tuning
        seeds = {tuning.training.seed, tuning.validation.seed, run.problem.test.seed}
        assert len(seeds | {run.signals.seed, run.chance, run.problem.seed}) == 6
    assert len(MISMATCH.configurations) == len(SEEDS) * len(NETS)
