"""A chapter on paper: light, unfolded, whole, and without what only a screen can do."""

from __future__ import annotations

import re

import pytest
from pages import notebooks, visit
from test_formulas import LOST
from test_pages import OVERFLOW

CHAPTERS = [f"book/{path.stem}" for path in notebooks()]
# A4 in CSS pixels, within margins of 15 mm.
WIDTH, HEIGHT = 680, 1009

STATE = """() => ({
    theme: document.documentElement.dataset.theme,
    folded: document.querySelectorAll("details:not([open])").length,
})"""
CODE = """() => [...document.querySelectorAll("pre")]
    .filter((code) => code.scrollWidth > code.clientWidth + 1).map((code) => code.textContent)"""
SCREEN_ONLY = """() => [...document.querySelectorAll("nav, button, [role=search], .bd-sidebar")]
    .filter((element) => element.checkVisibility() && !element.closest(".onlyprint"))
    .filter((element) => !element.closest(".unrolled-explorable-legend")) // tells the lines apart
    .map((element) => element.outerHTML.slice(0, 120))"""
# Charts that a page break could part from their sliders.
SPLIT = """(height) => [...document.querySelectorAll(".unrolled-explorable")]
    .filter((chart) => getComputedStyle(chart).breakInside !== "avoid"
        || chart.getBoundingClientRect().height > height)
    .map((chart) => [chart.textContent.slice(0, 80), chart.getBoundingClientRect().height])"""


def pages(pdf: bytes) -> int:
    """How many pages a PDF has."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("name", CHAPTERS)
def test_what_is_printed_is_unfolded_and_light_and_the_screen_is_as_before(browser, address, name):
    with visit(browser, address, name, theme="dark") as visited:
        page = visited.page
        before = page.evaluate(STATE)
        assert before["theme"] == "dark"
        assert before["folded"] > 10
        page.evaluate(
            f"() => addEventListener('beforeprint', () => (window.printed = ({STATE})()))"
        )
        whole = pages(page.pdf(format="A4"))
        assert page.evaluate("window.printed") == {"theme": "light", "folded": 0}
        assert page.evaluate(STATE) == before

        # Without the script less is printed: it acts before the pages are laid out.
        page.evaluate(
            "() => addEventListener('beforeprint', () => dispatchEvent(new Event('afterprint')))"
        )
        assert pages(page.pdf(format="A4")) < whole


@pytest.mark.parametrize("name", CHAPTERS)
def test_nothing_is_cut_or_split_on_paper(browser, address, name):
    with visit(browser, address, name) as visited:
        page = visited.page
        assert page.evaluate(SCREEN_ONLY) != []
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(CODE) == []
        assert page.evaluate(LOST) == []
        assert page.evaluate(OVERFLOW) == []
        assert page.evaluate(SCREEN_ONLY) == []
        assert page.evaluate(SPLIT, HEIGHT) == []
