"""What the unrolling chapter says of its networks, questions, chart and lab."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.chapters import unrolling as chapter
from unrolled.chapters.unrolling.lab import RUN
from unrolled.guarantees.unrolling import TwoEigenvalues
from unrolled.sensing import gaussian
from unrolled.training import fit


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


@given(u=st.floats(-5, 5), v=st.floats(-5, 5), theta=st.floats(0, 3))
def test_soft_threshold_solves_its_problem_and_is_firmly_nonexpansive(u, v, theta):
    pair = torch.tensor([u, v], dtype=torch.float64)
    x, z = chapter.soft_threshold(pair, theta)
    candidates = torch.linspace(-6, 6, 4001, dtype=torch.float64)

    def objective(x):
        return 0.5 * (x - u) ** 2 + theta * abs(x)

    assert objective(x) <= objective(candidates).min() + 1e-12
    assert (x - z) ** 2 <= (u - v) * (x - z) + 1e-12


def test_unrolled_ista_is_ista_and_tends_to_the_lasso():
    operator = gaussian(12, 8, generator=_generator(), dtype=torch.float64)
    A, penalty = operator.dense(), 0.3
    y = torch.randn(4, 12, generator=_generator(1), dtype=torch.float64)
    with torch.no_grad():
        net = chapter.UnrolledISTA(operator, 5, penalty=penalty)
        x, step = torch.zeros(4, 8).double(), 1 / float(operator.eigenvalues[-1])
        for _ in range(5):
            x = chapter.soft_threshold(x + step * (y - x @ A.T) @ A, step * penalty)
        torch.testing.assert_close(net(y), x)
        assert net.run(y, 7).shape == (8, 4, 8)
        # The optimality conditions hold far out, and not yet at the exit.
        for x, optimal in ((net.run(y, 3000)[-1], True), (net(y), False)):
            correlation = (y - x @ A.T) @ A
            assert bool((correlation.abs() <= penalty + 1e-8).all()) is optimal


def test_what_unrolled_ista_learns():
    operator = gaussian(5, 9, generator=_generator())

    def learned(**options):
        net = chapter.UnrolledISTA(operator, 6, penalty=0.1, **options)
        return sum(p.numel() for p in net.parameters() if p.requires_grad)

    assert learned() == 6
    assert learned(tied=True) == 1
    assert learned(matrix=True) == 5 * 9 + 6


def test_unrolled_oamp_solves_a_sparse_problem_and_training_helps():
    problem = chapter.SparseProblem(m=50, n=100, seed=0, noise=1e-4)
    y, x = problem.draw(_generator(1), 100)
    net = chapter.UnrolledOAMP(problem.operator, 8, noise=problem.noise, lam=0.01)
    ista = chapter.UnrolledISTA(problem.operator, 8, penalty=0.1)
    with torch.no_grad():
        before = problem.decibels(net.run(y), x)
        assert (before.diff() < 0).all()
        assert before[-1] < problem.decibels(ista.run(y, 8), x)[-1] - 10
    options = {"steps": 60, "lr": 0.01, "clip": 1.0, "progress": False}
    fit(net, problem.draw, generator=_generator(2), **options)
    with torch.no_grad():
        assert problem.decibels(net.run(y), x)[-1] < before[-1] - 1


def test_unrolled_oamp_estimates_the_deviation_before_its_denoiser():
    problem = chapter.SparseProblem(m=300, n=600, seed=0, noise=1e-3)
    y, x = problem.draw(_generator(1), 20)
    net = chapter.UnrolledOAMP(problem.operator, 1, noise=problem.noise, lam=0.1)
    with torch.no_grad():  # at x_0 = 0 the error is −x*, which is white
        r = net.gamma * problem.operator.lmmse(y, net.lam)
        measured = (r - x).square().mean(1).sqrt()
        estimated = net._deviation(y, net.steps[0])[:, 0]
    torch.testing.assert_close(estimated, measured, rtol=0.2, atol=0)


def test_a_batch_does_not_change_what_a_network_makes_of_one_signal():
    problem = chapter.SparseProblem(m=20, n=40, seed=0, noise=1e-4)
    y, _ = problem.draw(_generator(1), 7)
    for net in (
        chapter.UnrolledISTA(problem.operator, 5, penalty=0.1),
        chapter.UnrolledOAMP(problem.operator, 5, noise=1e-4, lam=0.1),
    ):
        with torch.no_grad():
            torch.testing.assert_close(net(y)[2:3], net(y[2:3]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("question", chapter.QUICK_CHECKS, ids=lambda question: question.name)
def test_every_key_is_decided(question):
    for label, passed, detail in question.verify():
        assert passed, (label, detail)


def test_the_chart_shows_what_networks_do():
    chart = chapter.RUN_ON_CHART
    for setting in ({}, {"K": 1, "w": 0.3, "M": 10}, {"K": 8, "w": 0.01, "M": 2}):
        curves = chart.evaluate(**setting)[0]
        start = {slider.name: slider.start for slider in chart.sliders} | setting
        instance = TwoEigenvalues(start["M"], start["w"], int(start["K"]), layers=24)
        np.testing.assert_allclose(curves["trained network"][1], instance.errors(), rtol=1e-6)
        exit_ = curves["its exit in training"]
        assert exit_[0].tolist() == [start["K"]]
        # No constant step is better at the exit, gradient descent's included.
        assert exit_[1][0] <= curves["gradient descent"][1][int(start["K"])]


def test_the_lab_shows_a_network_that_wins_at_its_exit_and_runs_away():
    result = chapter.RUN_ON_LAB.run()
    assert len(result.trained) == RUN + 1
    assert result.trained[result.depth] < result.plain[result.depth] - 5
    assert result.trained[-1] > 20
    assert (result.plain.diff() < 0).all()
    alone = chapter.RUN_ON_LAB.run(matrix=False, steps=60, depth=3)
    assert alone.trained[-1] < 20


def test_the_lab_refuses_what_is_impossible():
    with pytest.raises(ValueError, match="layers K"):
        chapter.RUN_ON_LAB.run(depth=0)


def test_the_first_picture_says_what_it_shows():
    assert "step sizes η₁, η₂ and η₃" in chapter.loop_and_layers().alt
