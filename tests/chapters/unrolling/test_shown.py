"""What the unrolling chapter says of its networks, questions, chart and lab."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from unrolled.chapters import unrolling as chapter
from unrolled.chapters.unrolling import problems, quickchecks
from unrolled.chapters.unrolling.explorables import corrected, half, layer, noise
from unrolled.chapters.unrolling.explorables import network as numbers
from unrolled.chapters.unrolling.explorables import selection as selects
from unrolled.chapters.unrolling.labs import NETWORKS, RUN
from unrolled.chapters.unrolling.problems import (
    CORRECTED,
    DEPTH,
    SHARES,
    Entrant,
    before_denoisers,
    half_steps,
    ista_and_trained,
    spikes,
)
from unrolled.guarantees.unrolling import K, M, TwoEigenvalues, share
from unrolled.iterations import ista, oamp_state_evolution


def test_the_chart_shows_what_networks_do():
    chart = chapter.run_on()
    for setting in ({}, {K: 1, share: 0.3, M: 10}, {K: 8, share: 0.01, M: 2}):
        curves = chart.evaluate(setting)[0]
        start = {slider.symbol: slider.start for slider in chart.sliders} | setting
        instance = TwoEigenvalues(start[M], start[share], int(start[K]), layers=24)
        np.testing.assert_allclose(curves["trained network"][1], instance.errors(), rtol=1e-6)
        exit_ = curves["its exit in training"]
        assert exit_[0].tolist() == [start[K]]
        # No constant step is better at the exit, gradient descent's included.
        assert exit_[1][0] <= curves["gradient descent"][1][int(start[K])]


def test_half_steps_are_those_of_the_network_and_of_ista():
    problem = spikes()
    y, _ = problem.draw(torch.Generator().manual_seed(5), 3)
    for net in ista_and_trained():
        halves = half_steps(net, y)
        assert len(halves) == 2 * DEPTH + 1
        with torch.no_grad():
            torch.testing.assert_close(halves[::2], net.trajectory(y))
        for threshold, u, x in zip(net.thresholds, halves[1::2], halves[2::2], strict=True):
            assert (x[u.abs() <= threshold] == 0).all()
    plain = half_steps(ista_and_trained()[0], y)[::2]
    torch.testing.assert_close(plain, ista(problem.operator, y, penalty=0.1, depth=DEPTH))


def test_the_spike_train_shows_what_its_caption_says():
    chart = chapter.spike_train()

    def left(net, step):
        return chart.read({numbers: net, half: step})["error left, of the signal"]

    last = 2 * DEPTH
    assert left(1, last) < 0.15 < 0.5 < left(0, last)
    gradient_steps = [left(1, step) - left(1, step - 1) for step in range(1, last, 2)]
    thresholds = [left(1, step) - left(1, step - 1) for step in range(2, last + 1, 2)]
    assert sum(change > 0 for change in gradient_steps) > DEPTH / 2
    assert sum(thresholds) < -sum(change for change in gradient_steps if change > 0)
    # The algorithm's gradient steps do not.
    assert all(left(0, step) < left(0, step - 1) for step in range(1, last, 2))
    above, below = chart.evaluate({numbers: 1, half: 1})
    assert set(above["signal that is sought"][0]) < set(above["estimate"][0])
    assert below["here"][0].tolist() == [0.5]


def test_both_corrections_and_only_both_make_the_errors_white():
    neither, linear, both = (before_denoisers(kind) for kind in CORRECTED)
    assert (neither.kurtosis > 10).all()
    assert (neither.correlation < -0.8).all()
    assert abs(float(linear.kurtosis[0]) - 3) < 0.2 < 0.8 < float(linear.kurtosis[1:].min()) - 3
    assert (linear.correlation[1:] < -0.1).all()
    assert (linear.deviation[1:] > 1.1 * linear.expected[1:]).all()
    assert ((both.kurtosis - 3).abs() < 0.2).all()
    assert (both.correlation.abs() < 0.05).all()
    np.testing.assert_allclose(both.deviation, both.expected, rtol=0.05)


def test_one_number_tells_the_course_of_oamp_and_not_that_of_one_half_of_it():
    problem, _ = problems._large()
    squares, _ = oamp_state_evolution(
        problem.operator.eigenvalues, noise=problem.noise, depth=DEPTH, prior=problem.signals
    )
    _, linear, both = (before_denoisers(kind).deviation for kind in CORRECTED)
    np.testing.assert_allclose(both, squares.sqrt(), rtol=0.1)
    assert (linear[1:] / squares.sqrt()[1:] - 1).abs().max() > 0.2


def test_the_histogram_is_a_density():
    chart = chapter.whiteness()
    for kind in range(len(CORRECTED)):
        z, density = chart.evaluate({corrected: kind, layer: 3})[0]["errors r − x*"]
        assert density.sum() * (z[1] - z[0]) == pytest.approx(1, rel=1e-3)
        bell = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        assert (np.abs(density - bell).max() < 0.04) == (kind != 0)


@pytest.mark.parametrize(
    ("question", "typed"),
    [
        ("BIAS", ("0.99", "0.8", "1", "0")),
        ("PARAMETERS", ("1250", "1260", "20", "12520", "2520")),
        ("GROWTH", ("-4", "16", "5", "0.8", "1", "2")),
    ],
)
def test_likely_wrong_answers_get_a_reason_of_their_own(question, typed):
    grades = [getattr(chapter, question).grade(answer) for answer in typed]
    assert [grade.passed for grade in grades] == [False] * len(typed)
    reasons = {grade.message for grade in grades}
    assert len(reasons) == len(typed)
    assert not reasons & {"", getattr(chapter, question).grade("777").message}


def test_the_lab_shows_a_network_that_wins_at_its_exit_and_runs_away():
    result = chapter.RUN_ON_LAB.run()
    assert len(result.trained) == RUN + 1
    assert result.trained[result.depth] < result.plain[result.depth] - 5
    assert result.trained[-1] > 20
    assert (result.plain.diff() < 0).all()
    # Tied, the layer that is repeated is the one that all of them are.
    tied = chapter.RUN_ON_LAB.run(network="LISTA-CP, tied")
    assert tied.trained[-1] < tied.trained[tied.depth] < tied.plain[tied.depth]


@pytest.mark.parametrize("network", NETWORKS)
def test_the_lab_trains_each_network(network):
    result = chapter.RUN_ON_LAB.run(network=network, depth=2, steps=20)
    assert result.trained[2] < result.plain[2]


def test_the_lab_refuses_what_is_impossible():
    with pytest.raises(ValueError, match="layers K"):
        chapter.RUN_ON_LAB.run(depth=0)


def test_the_bias_is_what_the_question_says_for_every_matrix_and_step():
    assert quickchecks.BIAS.key() == Fraction(9, 10)
    cases, biases = quickchecks._bias_cases()
    assert len(cases) >= 20
    assert len(set(cases[:, 0].tolist())) >= 3  # A
    assert len(set(cases[:, 1].tolist())) >= 6  # η
    a, step, theta = cases.T
    torch.testing.assert_close(biases, theta / (step * a**2))
    case = torch.tensor([2.0, 0.25, 0.1], dtype=torch.float64)
    assert float(1 - quickchecks._limits(*case)) == pytest.approx(0.1)  # not θ/η = 0.4


def test_a_wrong_formula_of_the_bias_leaves_the_question_without_a_key(monkeypatch):
    theta, eta, a = quickchecks._theta, quickchecks._eta, quickchecks._a
    for wrong in (theta / eta, theta, theta / (eta * a)):
        assert not quickchecks._is_the_bias(wrong)
        monkeypatch.setattr(quickchecks, "_bias", wrong)
        with pytest.raises(ValueError, match="the bias of ISTA is not"):
            quickchecks.BIAS.key()


def test_an_unknown_that_is_smaller_than_the_bias_is_lost():
    case = torch.tensor([0.5, 0.8, 0.3], dtype=torch.float64)  # θ/(ηA²) = 1.5, and x* = 1
    assert float(quickchecks._limits(*case)) == 0


def test_the_recorded_comparison_shows_its_rows():
    chart = chapter.depth_chart()
    for level, snr in ((0, None), (0.01, 40), (0.1, 20)):
        for selection in (False, True):
            curves = chart.evaluate({noise: level, selects: int(selection)})[0]
            for entrant in (Entrant("ALISTA", selection), Entrant("FISTA", False)):
                layers, errors = curves[entrant.network]
                assert layers.tolist() == list(range(17))
                last = chapter.best(entrant, snr)
                assert errors[-1] == pytest.approx(last["nmse"], rel=1e-3)


def test_selection_is_said_where_there_are_both_kinds():
    assert [entrant.label for entrant in chapter.recorded()] == [
        "ISTA", "FISTA", "HyperLISTA", "ALISTA, selection", "ALISTA", "LISTA-CP, selection",
        "LISTA-CP", "LISTA",
    ]  # fmt: skip
    assert all(e.selection for e in chapter.recorded() if e.network == "HyperLISTA")


def test_what_was_recorded_supports_what_the_chapter_says():
    def error(entrant, snr=None):
        return chapter.best(entrant, snr)["nmse"]

    learned = [entrant for entrant in chapter.recorded() if chapter.best(entrant)["parameters"]]
    assert {e.network for e in set(chapter.recorded()) - set(learned)} == {"ISTA", "FISTA"}
    # Every trained network is far ahead of the algorithms, at every noise level.
    for snr in SHARES:
        assert max(error(e, snr) for e in learned) < error(Entrant("FISTA", False), snr) - 3
    for network in ("LISTA-CP", "ALISTA"):  # selection helps where there is no noise
        assert error(Entrant(network, True)) < error(Entrant(network, False)) - 3
    # A few numbers do what millions do, or better.
    for network in ("LISTA", "LISTA-CP"):
        assert error(Entrant("ALISTA", False)) < error(Entrant(network, False)) + 1
    # Noise ends the contest, and what is won then is won by learning more.
    spread = {
        snr: max(error(e, snr) for e in learned) - min(error(e, snr) for e in learned)
        for snr in SHARES
    }
    assert spread[None] > 2 * max(spread[40], spread[20])
    assert min(learned, key=lambda e: error(e, 20)).selection


def test_the_pictures_say_what_they_show():
    assert "step sizes η₁, η₂ and η₃" in chapter.loop_and_layers().alt
    shown = chapter.shrinking()
    shrunk, passed = (line.get_xydata() for line in shown.matplotlib.axes[0].lines)
    u, inside = shrunk[:, 0], np.abs(shrunk[:, 0]) <= 1
    assert (shrunk[inside, 1] == 0).all()  # "zero for inputs from −1 to 1"
    np.testing.assert_allclose(shrunk[~inside, 1], u[~inside] - np.sign(u[~inside]))
    assert (passed[~inside, 1] == u[~inside]).all()  # "on the diagonal itself"
