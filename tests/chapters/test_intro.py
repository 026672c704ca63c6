"""The map of the introduction lists every theorem, and its picture shows that networks agree."""

import pytest

from unrolled.chapters import intro
from unrolled.guarantees import Refutation, Theorem, registered
from unrolled.verify import CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_map_lists_every_theorem_of_a_chapter_with_what_it_assumes(chapter):
    table = intro.theorem_map(chapter).data
    theorems = [
        guarantee
        for name, guarantee in registered().items()
        if name.startswith(f"{chapter}.") and isinstance(guarantee, Theorem)
    ]
    assert len(table.splitlines()) == len(theorems) + 2
    for theorem, line in zip(theorems, table.splitlines()[2:], strict=True):
        assert theorem.title in line
        assert line.count("; ") >= len(theorem.assumptions) - 1
        droppable = [a for a in theorem.assumptions if a.violate is not None]
        assert line.count("**") == 2 * len(droppable)


def test_the_table_of_claims_lists_every_refutation():
    table = intro.refuted_claims(*CHAPTERS).data
    titles = [g.title for g in registered().values() if isinstance(g, Refutation)]
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
