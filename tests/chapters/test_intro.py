"""The pictures of the introduction show what is true, and its map leads to every theorem."""

import re

import pytest

from unrolled.chapters import BOOK, appendix, intro


def test_the_network_finds_what_ista_misses():
    found = intro.before_and_after()
    early, late = (intro.missing(estimate, found.signals) for estimate in found.by_ista)
    trained = intro.missing(found.by_network, found.signals)
    assert trained < late < early
    assert trained < early / 50
    assert found.numbers == 2 * intro.LAYERS
    caption = intro.reconstruction().caption
    for share in (early, late, trained):
        assert f"{100 * share:.2g} per cent" in caption


def test_the_stems_end_in_the_rings_below_and_not_above():
    pictures = intro.reconstruction().matplotlib.axes
    for axes, by_network in zip(pictures, (False, True), strict=True):
        (rings,) = (line for line in axes.lines if line.get_label() == "true spikes")
        spikes = dict(zip(rings.get_xdata(), rings.get_ydata(), strict=True))
        stems = {x: y for (x, _), (_, y) in axes.collections[0].get_segments()}
        assert len(spikes) == intro.SPIKES
        left = [abs(spikes[place] - stems.get(place, 0)) for place in spikes]
        elsewhere = [abs(y) for place, y in stems.items() if place not in spikes]
        if by_network:
            assert max(left) < 0.1
            assert max(elsewhere) < 0.1
        else:
            assert min(left) > 0.1
            assert sum(y > 0.1 for y in elsewhere) > 5


def test_the_dots_lie_on_the_curves():
    axes = intro.curve_and_dots().matplotlib.axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    for variance in intro.NOISES:
        proved, measured = (
            lines[f"theorem, σ² = {variance:g}"],
            lines[f"network, σ² = {variance:g}"],
        )
        for curve, dot in zip(proved, measured, strict=True):
            assert dot == pytest.approx(curve, rel=0.15)


def test_the_map_has_a_row_for_every_idea_and_a_link_to_every_theorem():
    shown = intro.map_of_ideas().data
    for chapter in BOOK:
        for text in (chapter.asks, chapter.needs, chapter.time, f"[](/{chapter.notebook})"):
            assert text in shown
        for theorem in chapter.theorems:
            assert shown.count(appendix.link(theorem)) == 1
        for idea in chapter.ideas:
            assert shown.index(idea.words) < shown.index(appendix.link(idea.theorems[0]))
            assert f"✗ {idea.breaks}" in shown
    assert shown.count("{grid} ") == sum(len(chapter.ideas) for chapter in BOOK)
    assert BOOK[0].asks not in intro.map_of_ideas(BOOK[1:]).data


def test_a_claim_says_what_it_measures():
    shown = intro.map_of_ideas().data
    claims = [claim for chapter in BOOK for idea in chapter.ideas for claim in idea.claims]
    assert claims
    for claim, words in claims:
        predicted, measured = appendix.predicted_and_measured(claim, words)
        assert predicted.startswith(f"{words} {claim.relation.words} ")
        assert re.search(
            rf"{re.escape(claim.title)}.*{re.escape(predicted)}; .*{re.escape(measured)}", shown
        )
