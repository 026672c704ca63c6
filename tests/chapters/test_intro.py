"""The map of the introduction lists every theorem, and its picture shows that networks agree."""

import pytest

from unrolled.chapters import BOOK, intro


def test_the_map_lists_every_theorem_with_what_it_assumes():
    shown = intro.theorem_map().data
    theorems = [theorem for chapter in BOOK for theorem in chapter.theorems]
    lines = [line for line in shown.splitlines() if "{prf:ref}" in line]
    for theorem, line in zip(theorems, lines, strict=True):
        assert theorem.title in line
        assert line.count("; ") >= len(theorem.assumptions) - 1
        droppable = [a for a in theorem.assumptions if a.violate is not None]
        assert line.count("**") == 2 * len(droppable)
        assert line.endswith(f"| {len(theorem.derivation.steps) or 'none'} |")
    places = [shown.index(chapter.title) for chapter in BOOK]
    assert places == sorted(places)
    assert BOOK[0].title not in intro.theorem_map(BOOK[1:]).data


def test_the_table_of_claims_lists_every_refutation():
    table = intro.refuted_claims().data
    titles = [refutation.title for chapter in BOOK for refutation in chapter.refutations]
    assert titles
    assert all(title in table for title in titles)
    assert len(table.splitlines()) == len(titles) + 2


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
