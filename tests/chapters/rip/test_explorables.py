"""What the charts of the RIP chapter show is what its theorems say and its networks do."""

import itertools

import numpy as np
import pytest
import torch

from unrolled.chapters.rip import explorables
from unrolled.chapters.rip.figures import price
from unrolled.chapters.rip.problems import (
    ANALYTIC_GAUSSIAN,
    BASES,
    DEEPEST,
    draw_signals,
    greedy_thresholds,
    problems,
    trained_thresholds,
)
from unrolled.guarantees.rip import coherence_schedule, with_thresholds
from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.guarantees.rip.symbols import s as sparsity
from unrolled.prox import soft_threshold


def settings(chart):
    grids = [[(s.symbol, value) for value in s.values] for s in chart.sliders]
    return [dict(setting) for setting in itertools.product(*grids)]


def series(chart, setting):
    (panel,) = chart.evaluate(setting)
    return panel


def test_the_three_terms_add_up_to_the_certificate():
    chart = explorables.three_terms()
    for setting in settings(chart)[::7]:
        parts = series(chart, setting)
        total = sum(y for _, y in parts.values())
        plan = coherence_schedule(
            setting[fixed.mu],
            int(setting[sparsity]),
            1.0,
            noise=setting[fixed.nu],
            leak=setting[fixed.tail],
            tail=setting[fixed.tail],
            depth=DEEPEST,
        )
        np.testing.assert_allclose(total, plan.certificate, rtol=1e-9)
    # Without noise and tail only one term is left.
    alone = series(chart, {fixed.mu: 0.08, sparsity: 4, fixed.nu: 0, fixed.tail: 0})
    assert not alone["noise"][1].any()
    assert not alone["tail"][1].any()
    assert alone["decay"][1].all()


@pytest.fixture(scope="module")
def certificates():
    return explorables.certificates()


def test_certified_thresholds_keep_what_the_line_promises(certificates):
    for setting in settings(certificates):
        if setting[explorables.schedule] != 0:
            continue
        shown = series(certificates, setting)
        layers, line = shown["certificate Eₖ"]
        _, error = shown[explorables.CLEAN]
        assert len(error) == len(layers)  # no false positive in any layer
        assert (error <= line * (1 + 1e-2)).all()  # rows are rounded to three digits


def test_a_tenth_of_them_keeps_nothing_on_the_frame(certificates):
    shown = series(
        certificates,
        {explorables.matrix: 0, sparsity: 1, explorables.noise: 0, explorables.schedule: 1},
    )
    _, line = shown["certificate Eₖ"]
    _, error = shown[explorables.FALSE]
    assert len(error) > 0
    assert error[-1] > 100 * line[-1]


def test_bounds_enclose_the_exact_constants():
    chart = explorables.constants()
    for setting in settings(chart):
        shown = series(chart, setting)
        orders, exact = shown["exact"]
        assert len(orders) >= 5
        assert (np.diff(exact) >= 0).all()
        for label, sign in (
            ("coherence, above", 1),
            ("semidefinite, above", 1),
            ("greedy, below", -1),
        ):
            assert (sign * (shown[label][1] - exact) >= -1e-3 * exact).all(), label
    np.testing.assert_allclose(
        series(chart, {explorables.matrix: 0})["exact"][1][1:4], (1 / 3, 2 / 3, 1), 1e-3
    )


def test_each_greedy_threshold_is_the_best_for_its_layer():
    problem = problems()[BASES]
    signals = draw_signals(problem, 4, 0.0, 50, torch.Generator().manual_seed(3))
    thresholds = greedy_thresholds(problem, signals, 3)
    u = signals.y @ problem.W

    def error(theta):
        return float((soft_threshold(u, theta) - signals.x).square().sum())

    best = error(thresholds[0])
    assert all(best <= error(thresholds[0] * factor) for factor in (0.7, 0.9, 1.1, 1.4))
    assert error(thresholds[0] * 3) > 2 * best


def test_training_never_loses_to_the_certificate_on_its_own_signals():
    for problem in problems().values():
        for size in (1, 3):
            signals = draw_signals(problem, size, 0.0, 30, torch.Generator().manual_seed(5))
            plan = coherence_schedule(problem.coherence, size, 1.0, depth=8)

            def error(thresholds, problem=problem, signals=signals):
                net = with_thresholds(problem.operator, problem.W, thresholds)
                return float((net(signals.y) - signals.x).square().sum())

            trained = trained_thresholds(problem, signals, plan.thresholds)
            assert error(trained) <= error(plan.thresholds)


def test_signals_are_what_they_are_said_to_be():
    problem = problems()[ANALYTIC_GAUSSIAN]
    signals = draw_signals(problem, 3, 0.01, 40, torch.Generator().manual_seed(4))
    assert ((signals.x != 0).sum(1) == 3).all()
    assert float(signals.x.abs().sum(1).max()) == pytest.approx(1)
    noise = signals.y - problem.operator.forward(signals.x)
    assert float((noise @ problem.W).abs().max()) == pytest.approx(signals.nu)
    torch.testing.assert_close(
        (problem.W * problem.operator.dense()).sum(0), torch.ones(120, dtype=torch.float64)
    )


def test_a_certificate_costs_most_where_its_rate_is_near_one():
    rows = price().rows
    assert {name for name, *_ in rows} == set(problems())
    for name, size, rate, certified, trained in rows:
        assert rate < 1
        # The certificate bounds ‖x − x*‖₁; signals are up to 6 dB smaller than E₀.
        assert certified <= 20 * np.log10(rate) * DEEPEST + 10 * np.log10(size) + 7
        if rate > 0.8:
            assert trained < certified - 5, name
    assert any(trained > certified + 5 for *_, certified, trained in rows)
