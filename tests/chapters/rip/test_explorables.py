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
from unrolled.isometry.constants import isometry_constant
from unrolled.prox import soft_threshold
from unrolled.teaching import Handle


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


@pytest.fixture(scope="module")
def columns():
    return explorables.columns()


def at(*degrees):
    return dict(zip(explorables.angles, degrees, strict=True))


def arrows(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack((angles.cos(), angles.sin()))


PLACES = ((30, 85, 150), (0, 60, 120), (10, 20, 200), (300, 40, 95))


@pytest.mark.parametrize("degrees", PLACES)
def test_the_radii_of_the_ellipse_are_singular_values_of_two_columns(columns, degrees):
    A, reached = arrows(*degrees), []
    delta = float(isometry_constant(A, 2))
    for place, (i, j) in enumerate(explorables.PAIRS, start=1):
        setting = {**at(*degrees), explorables.chosen: place}
        longest, shortest = torch.linalg.svdvals(A[:, [i, j]]).tolist()
        read = columns.read(setting)
        assert (read["√(1+δ)"], read["√(1−δ)"]) == pytest.approx((longest, shortest), abs=1e-7)
        assert read["δ₂"] == pytest.approx(delta)
        assert 1 - delta - 1e-9 <= shortest**2 <= longest**2 <= 1 + delta + 1e-9
        reached.append(longest**2 >= 1 + delta - 1e-9)
        # What is drawn is the image of the circle, and the two radii reach from its middle to it.
        drawn = np.stack(columns.evaluate(setting)[0]["images Ax"])
        turns = np.linspace(0, 2 * np.pi, 721)
        image = A[:, [i, j]].numpy() @ np.stack((np.cos(turns), np.sin(turns)))
        around = drawn[:, : explorables.ROUND + 1]
        assert np.linalg.norm(around[:, :, None] - image[:, None], axis=0).min(1).max() < 0.01
        ends = np.linalg.norm(drawn[:, [explorables.ROUND, -1]], axis=0)
        assert sorted(ends) == pytest.approx([shortest, longest], abs=1e-7)
        assert np.abs(np.diff(drawn, axis=1)).max() < 0.11  # nowhere a jump
    closest = columns.read({**at(*degrees), explorables.chosen: 0})
    assert closest["√(1+δ)"] ** 2 == pytest.approx(1 + delta)
    assert closest["√(1−δ)"] ** 2 == pytest.approx(1 - delta, abs=1e-9)
    assert any(reached)


def test_a_pair_that_is_not_the_closest_does_not_reach_the_constant(columns):
    read = columns.read({**at(10, 20, 100), explorables.chosen: 2})
    assert read["√(1+δ)"] ** 2 < 1 + read["δ₂"] - 0.5


def test_columns_that_are_dragged_together_have_the_constant_one(columns):
    first, second, _ = (layer for layer in columns.panels[0].layers if isinstance(layer, Handle))
    assert columns.dragged(first, -1, 1) == {explorables.angles[0]: 135}
    assert columns.dragged(second, 0, -2) == {explorables.angles[1]: 270}
    onto = columns.dragged(second, np.cos(np.pi / 6), np.sin(np.pi / 6))
    assert onto == {explorables.angles[1]: 30}  # where the first is
    assert columns.read(onto)["δ₂"] == pytest.approx(1)
    assert columns.read(onto)["√(1−δ)"] == pytest.approx(0, abs=1e-7)
    (line,) = (layer for layer in columns.panels[1].layers if isinstance(layer, Handle))
    assert columns.dragged(line, 1, 0.333) == {explorables.theta: 0.33}


@pytest.mark.parametrize("degrees", PLACES)
def test_what_leaks_is_let_in_where_it_exceeds_the_threshold(columns, degrees):
    A = arrows(*degrees)
    answers = (A.T @ A[:, 0]).abs().numpy()
    for theta in (0.2, 0.54, 0.9):
        setting = {**at(*degrees), explorables.theta: theta}
        shown = {label: y for label, (_, y) in columns.evaluate(setting)[1].items()}
        np.testing.assert_allclose(shown["the entry"], (1, 0, 0))
        others = shown["kept out"] + shown["let in by mistake"]
        np.testing.assert_allclose(others[1:], answers[1:], atol=1e-9)
        assert ((shown["let in by mistake"][1:] > 0) == (answers[1:] > theta)).all()
        assert columns.read(setting)["let in"] == (answers[1:] > theta).sum()


def test_at_the_start_one_bar_crosses_the_line(columns):
    assert columns.read({})["let in"] == 1


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
