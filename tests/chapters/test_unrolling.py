"""What the unrolling chapter says of its networks, questions, chart and lab."""

import numpy as np
import pytest
import torch

from unrolled.chapters import unrolling as chapter
from unrolled.chapters.unrolling.lab import NETWORKS, RUN
from unrolled.guarantees.unrolling import TwoEigenvalues


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


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


def test_the_recorded_comparison_shows_its_rows():
    chart = chapter.depth_chart()
    for share, snr in ((0, "inf"), (0.01, "40"), (0.1, "20")):
        for selection in (0, 1):
            curves = chart.evaluate(noise=share, selection=selection)[0]
            family = "ALISTA, selection" if selection else "ALISTA"
            for name, recorded in (("ALISTA", family), ("FISTA", "FISTA")):
                layers, errors = curves[name]
                assert layers.tolist() == list(range(17))
                last = chapter.best(recorded, snr)
                assert errors[-1] == pytest.approx(last["nmse"], rel=1e-3)


def test_what_was_recorded_supports_what_the_chapter_says():
    names = chapter.recorded()

    def error(network, snr="inf"):
        return chapter.best(network, snr)["nmse"]

    trained = [name for name in names if name not in ("ISTA", "FISTA")]
    # Every trained network is far ahead of the algorithms, at every noise level.
    for snr in ("inf", "40", "20"):
        assert max(error(name, snr) for name in trained) < error("FISTA", snr) - 3
    for network in ("LISTA-CP", "ALISTA"):  # selection helps where there is no noise
        if {network, network + ", selection"} <= set(names):
            assert error(network + ", selection") < error(network) - 3
    # A few numbers do what millions do, or better.
    for network in {"LISTA", "LISTA-CP"} & set(names):
        assert error("ALISTA") < error(network) + 1
    # Noise ends the contest, and what is won then is won by learning more.
    spread = {
        snr: max(error(name, snr) for name in trained) - min(error(name, snr) for name in trained)
        for snr in ("inf", "40", "20")
    }
    assert spread["inf"] > 2 * max(spread["40"], spread["20"])
    assert "selection" in min(trained, key=lambda name: error(name, "20"))


def test_the_first_picture_says_what_it_shows():
    assert "step sizes η₁, η₂ and η₃" in chapter.loop_and_layers().alt
