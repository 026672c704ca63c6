"""Networks that are trained and run on: what is recorded of those that escape and of others."""

import inspect
import math
from dataclasses import fields, replace

import pytest
import torch

from unrolled.experiments.contraction_cost import (
    CONTRACTION_COST,
    NETS,
    RECORDED,
    SEEDS,
    RunOn,
    comparison,
    linear_part,
    penalised,
    quick_runs,
    runs,
)
from unrolled.experiments.jobs import Place
from unrolled.experiments.nets import DENOISERS, NETWORKS, Net
from unrolled.experiments.problem import Problem, Signals
from unrolled.experiments.tuning import Tuning
from unrolled.networks import ALISTA, LISTA
from unrolled.sensing import gaussian

QUICK = quick_runs()
NAMES = [run.net.name for run in QUICK]


def matrix():
    return gaussian(6, 12, generator=torch.Generator().manual_seed(0), unit_columns=True)


def test_what_is_recorded_of_each_network(tmp_path):
    CONTRACTION_COST.quick.run(results=tmp_path, report=lambda _: None)
    recorded = CONTRACTION_COST.quick.rows(tmp_path)
    for name in NAMES:
        rows = [row for row in recorded if row["network"] == name]
        layers = QUICK[0].layers
        assert [(row["signals"], row["layer"]) for row in rows] == [
            (kind, k) for kind in ("test", "dense") for k in layers
        ]
        assert all(math.isfinite(row["nmse"]) and row["nmse"] <= 300 for row in rows)
        assert all(0 <= row["escaped"] <= 1 for row in rows)
        trained = next(row for row in rows if row["layer"] == QUICK[0].problem.depth)
        assert trained["nmse"] < -0.5
        assert abs(trained["nmse"] - trained["validation"]) < 3
        assert 0 <= trained["tuning"] <= trained["seconds"]
        assert trained["rate"] in QUICK[0].tuning.rates
        assert trained["parameters"] > 0
    # Those that cannot escape do not.
    for name in ("ContractiveLISTA", "ConvergentLISTA", "ConvergentLISTA-firm", "OAMPNet-firm"):
        rows = [row for row in recorded if row["network"] == name]
        assert {row["escaped"] for row in rows} == {0}
        assert all(row["radius"] <= 1 + 1e-9 for row in rows)
    assert all((row["radius"] is None) == (row["network"] == "OAMPNet") for row in recorded)


def run_on(net):
    """The errors of a network at the layers that are recorded."""
    layers = (1, 8, 1000)
    run = replace(QUICK[0], layers=layers)
    place = Place(torch.device("cpu"), None)
    return dict(zip(layers, run._errors(net, run.problem, place), strict=True))


def test_a_network_that_escapes_is_recorded_by_finite_numbers():
    net = LISTA(QUICK[0].problem.operator(), 2, tied=True)
    rows = run_on(net)
    assert {row["escaped"] for row in rows.values()} == {0}
    with torch.no_grad():
        net.W2[0].mul_(1.5)
    rows = run_on(net)
    assert rows[8]["escaped"] == 0
    assert rows[1000]["escaped"] > 0.8
    assert rows[1000]["nmse"] == rows[1000]["median"] == 300


@pytest.mark.parametrize("run", QUICK, ids=NAMES)
def test_the_linear_part_is_that_of_the_layer(run):
    net = run.net.build(run.problem)
    B = linear_part(net)
    if run.net.name == "OAMPNet":
        assert B is None
        return
    # Without a threshold a layer is affine, and B is its derivative.
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "threshold" in name:
                parameter.zero_()
    m, n = net.shape
    given = net._inputs(torch.zeros(n, m))
    with torch.no_grad():
        found = net._layer(1, torch.eye(n), *given).T
    torch.testing.assert_close(found.double(), B, atol=1e-5, rtol=1e-5)


def test_a_network_without_a_known_linear_part_is_refused():
    with pytest.raises(ValueError, match="net is a ALISTA"):
        linear_part(ALISTA(matrix(), 2))


def test_the_penalty_by_hand():
    iterates = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 2.0]]])
    x = torch.tensor([[1.0, 1.0]])
    assert penalised(iterates, x, 0.0) == 1
    assert penalised(iterates, x, 0.5) == 1 + 0.5 * (1 + 4)


def test_each_constant_makes_rows_stale(tmp_path):
    run = QUICK[0]
    few = replace(run, tuning=replace(run.tuning, steps=2, rates=(1e-3,), share=1.0))
    comparison((few,)).run(results=tmp_path, report=lambda _: None)
    assert comparison((few,)).missing(tmp_path) == []
    changes = (
        replace(few, escape=40),
        replace(few, most=100),
        replace(few, dense_rate=0.5),
        replace(few, layers=(1, 2)),
        replace(few, tuning=replace(few.tuning, share=0.5)),
        replace(few, tuning=replace(few.tuning, rates=(1e-2,))),
        replace(few, penalty=1.0),
        replace(few, net=replace(few.net, arguments=few.net.arguments | {"penalty": 0.2})),
        replace(few, problem=replace(few.problem, snr=20)),
    )
    for changed in changes:
        assert comparison((changed,)).missing(tmp_path) == [changed.configuration]


def test_no_argument_of_a_network_is_left_to_its_default():
    for net, _ in NETS:
        named = inspect.signature(NETWORKS[net.network]).parameters.keys()
        assert net.arguments.keys() == named - {"A", "depth", "noise", "denoiser"}
        if net.denoiser is not None:
            named = inspect.signature(DENOISERS[net.denoiser["class"]]).parameters.keys()
            assert net.denoiser.keys() - {"class"} == named - {"generator"}


def test_what_runs_reads_every_constant(monkeypatch, tmp_path):
    """A recipe says nothing that what runs does not look at."""
    parts = (Problem, Signals, Net, Tuning, RunOn)
    read = {part: set() for part in parts}

    def spy(self, name):
        read[type(self)].add(name)
        return object.__getattribute__(self, name)

    for part in parts:
        monkeypatch.setattr(part, "__getattribute__", spy, raising=False)
    QUICK[-1].rows(Place(torch.device("cpu"), tmp_path))
    for part in parts:
        named = {"name"} if part is Net else set()  # which the configuration is made of
        assert {field.name for field in fields(part)} <= read[part] | named, part


def test_signals_of_training_validation_and_test_are_others():
    whole = runs(QUICK[0].problem, QUICK[0].tuning, RECORDED)
    for run in whole:
        tuning = run.tuning
        seeds = {tuning.training.seed, tuning.validation.seed, run.problem.test.seed}
        assert len(seeds | {run.problem.seed}) == 4
    drawn = [r.problem.test.seed for r in whole if r.net is NETS[0][0]]
    assert len(set(drawn)) == len(SEEDS)
    assert len(CONTRACTION_COST.configurations) == len(SEEDS) * len(NETS)
