"""No formula is cut where nobody can swipe to its rest, and none is in the keyboard's way."""

from __future__ import annotations

import shutil
import threading

import pytest
from pages import UNFOLD, documents, notebooks, visit

from tools import site
from unrolled.teaching.site import STATIC

CHAPTERS = [f"book/{path.stem}" for path in notebooks()]

# Formulas that reach out of what clips them, if that does not scroll, or out of the window.
LOST = """() => {
    const drawn = "mjx-math, .bd-article math, .unrolled-formula math";
    const formulas = [...document.querySelectorAll(drawn)]
        .filter((formula) => formula.checkVisibility() && !formula.closest("mjx-assistive-mml"));
    const lost = (formula) => {
        const { left, right } = formula.getBoundingClientRect();
        for (let box = formula; box; box = box.parentElement) {
            const { overflowX } = getComputedStyle(box);
            if (["auto", "scroll"].includes(overflowX)) return false;
            const clip = box.getBoundingClientRect();
            if (overflowX !== "visible" && (left < clip.left - 1 || right > clip.right + 1))
                return true;
        }
        return right > window.innerWidth + 1;
    };
    return formulas.filter(lost).map((formula) => formula.parentElement.textContent.slice(0, 80));
}"""
# Boxes that scroll without fading at their edge, or fade without anything to scroll to.
UNMARKED = """() => [
        ...document.querySelectorAll("mjx-container[display], span.math, .unrolled-formula, pre")
    ]
    .filter((box) => box.checkVisibility() && getComputedStyle(box).display !== "inline")
    .filter((box) => (box.scrollWidth > box.clientWidth + 1)
        !== (getComputedStyle(box).maskImage !== "none"))
    .map((box) => `${box.scrollWidth} px in ${box.clientWidth}: ${box.textContent.slice(0, 80)}`)"""
STOPS = """() => [
        ...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")
    ].filter((element) => element.tabIndex >= 0 && element.checkVisibility())"""
# How many stops there are, and how many of them are formulas that are whole.
COUNT = f"""() => {{
    const stops = ({STOPS})();
    const formulas = stops.filter((stop) => stop.matches("mjx-container, mjx-container *, .math"));
    return [stops.length, formulas.filter((formula) => !formula.dataset.cut).length];
}}"""


@pytest.mark.parametrize("name", documents())
def test_no_formula_is_cut_on_a_phone_without_a_way_to_the_rest(browser, address, name):
    with visit(browser, address, name, width=390) as visited:
        visited.page.evaluate(UNFOLD)
        assert visited.page.evaluate(LOST) == []
        assert visited.page.evaluate(UNMARKED) == []
        assert visited.page.evaluate(COUNT)[1] == 0


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_keyboard_stops_at_no_formula_that_is_whole(browser, address, name):
    with visit(browser, address, name) as visited:
        visited.page.evaluate(UNFOLD)
        stops, formulas = visited.page.evaluate(COUNT)
        assert formulas == 0
        assert 50 < stops < visited.page.locator("mjx-container").count()


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_formula_breaks_only_between_its_parts(browser, address, name):
    with visit(browser, address, name, width=390) as visited:
        parts = visited.page.locator(".unrolled-part:not(:has(.unrolled-part))")
        assert parts.count() > 0
        heights = parts.evaluate_all(
            "parts => parts.map((part) => [part.getClientRects().length, part.textContent])"
        )
        assert {lines for lines, _ in heights} <= {0, 1}  # none in a dropdown that is closed


PAGE = """<!doctype html><html lang="en"><link rel="stylesheet" href="unrolled.css">
<div class="bd-article" style="width: 200px">
<div class="unrolled-formula"><math><mspace width="300px"/></math></div>
<div class="unrolled-formula"><math><mspace width="100px"/></math></div>
<div style="overflow: hidden"><math><mspace width="300px"/></math></div>
<math><mspace width="500px"/></math>
</div><script type="module" src="wide.js"></script></html>"""


def test_a_wide_formula_fades_where_it_is_cut_and_takes_the_arrows(browser, tmp_path):
    (tmp_path / "page.html").write_text(PAGE)
    for name in ("unrolled.css", "wide.js"):
        shutil.copy(STATIC / name, tmp_path)
    with site.listen(tmp_path, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with visit(browser, f"http://127.0.0.1:{server.server_port}/", "page", 390) as visited:
            wide, whole = visited.page.locator(".unrolled-formula").all()
            for scrolled, cut in ((0, "right"), (50, "left right"), (100, "left")):
                wide.evaluate("(box, x) => box.scrollTo(x, 0)", scrolled)
                visited.page.evaluate(UNFOLD)
                assert wide.get_attribute("data-cut") == cut
                assert wide.get_attribute("tabindex") == "0"
            assert whole.get_attribute("tabindex") is None
            assert visited.page.evaluate(UNMARKED) == []
            assert visited.page.evaluate(COUNT)[0] == 1

            wide.evaluate("box => { box.style.width = '400px'; }")
            visited.page.evaluate(UNFOLD)
            assert wide.get_attribute("data-cut") is None
            assert wide.get_attribute("tabindex") is None

            assert len(visited.page.evaluate(LOST)) == 2  # one is clipped, one leaves the window
        server.shutdown()
