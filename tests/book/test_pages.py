"""Every page as a reader meets it: with no network, wide and narrow, light and dark."""

from __future__ import annotations

import gzip
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import UNFOLD, documents, notebooks, visit

PAGES = [*documents(), "search"]
CHAPTERS = [f"book/{path.stem}" for path in notebooks()]
# Each width and each scheme: colours do not depend on the width, nor does what fits on the scheme.
VIEWS = [(1280, "light"), (390, "dark")]

# What a page would show where MathJax had left a formula alone.
RAW = re.compile(r"\\\(|\\\[|\\begin\{|\$\$|(?<![\w\\])\$[^$\s][^$\n]*\$")

# The article's text without code, and without the formulas that MathJax and MathML hold.
PROSE = """() => {
    const article = (document.querySelector("article") ?? document.body).cloneNode(true);
    for (const node of article.querySelectorAll("pre, code, script, style, mjx-container, math"))
        node.remove();
    return article.textContent;
}"""
UNTYPESET = """() => [...document.querySelectorAll("span.math, div.math")]
    .filter((node) => !node.querySelector("mjx-container")).map((node) => node.textContent)"""
MATH_ERRORS = """() => [...document.querySelectorAll("mjx-merror, [data-mjx-error], merror")]
    .map((node) => node.textContent)"""
# Pictures that neither say what they show nor are marked as decoration.
SILENT = """() => {
    const hidden = (node) => node.closest("[aria-hidden=true]");
    const named = (node) => node.getAttribute("aria-label")?.trim()
        || node.closest("[aria-labelledby], [role=img][aria-label], button, summary");
    const images = [...document.querySelectorAll("article img")].filter((i) => !i.alt.trim());
    const drawings = [...document.querySelectorAll("article svg, article canvas")]
        .filter((drawing) => !named(drawing));
    return [...images, ...drawings].filter((node) => !hidden(node))
        .map((node) => node.outerHTML.slice(0, 200));
}"""
OVERFLOW = """() => document.documentElement.scrollWidth <= window.innerWidth ? []
    : [...document.querySelectorAll("article *")]
        .filter((node) => node.getBoundingClientRect().right > window.innerWidth + 1)
        .map((node) => node.outerHTML.slice(0, 120)).slice(0, 5)
        .concat(["page is " + document.documentElement.scrollWidth + " px wide"])"""


def test_no_page_is_left_out(built):
    pages = {str(path.relative_to(built).with_suffix("")) for path in built.rglob("*.html")}
    leading = {"index"}  # to the first page
    templates = {name for name in pages if name.startswith("_static/")}
    assert pages - leading - templates == set(PAGES)


@pytest.mark.parametrize(("width", "theme"), VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_typesets_fits_and_can_be_read_by_everyone(
    browser, address, name, width, theme
):
    with visit(browser, address, name, width, theme) as visited:
        page = visited.page
        assert visited.trouble == []
        assert page.locator("html").get_attribute("data-theme") == theme
        assert page.evaluate(UNTYPESET) == []
        assert page.evaluate(MATH_ERRORS) == []
        assert RAW.findall(page.evaluate(PROSE)) == []
        assert page.evaluate(SILENT) == []
        assert page.evaluate(OVERFLOW) == []
        if name in CHAPTERS and (width, theme) == VIEWS[0]:
            # Here, since a chapter takes long to load: what a first visit fetches.
            weights = visited.weights()
            assert sum(weights.values()) <= 1.5e6, sorted(weights.items(), key=lambda w: -w[1])
        page.evaluate(UNFOLD)
        assert page.evaluate(OVERFLOW) == []
        violations = Axe().run(page).response["violations"]
        assert [
            (rule["id"], node["html"][:160]) for rule in violations for node in rule["nodes"]
        ] == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_weighs_little(built, name):
    # Hosts of static sites send text compressed.
    assert len(gzip.compress((built / f"{name}.html").read_bytes())) <= 100e3


def test_the_first_page_leads_to_the_introduction(browser, address):
    with visit(browser, address, PAGES[0]) as visited:
        visited.page.goto(address)
        visited.page.wait_for_url(f"{address}{PAGES[0]}.html")


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_can_be_opened_in_binder(built, name):
    page = (built / f"{name}.html").read_text(encoding="utf-8")
    (link,) = set(re.findall(r'href="([^"]*mybinder\.org[^"]*)"', page))
    assert f"{name}.ipynb" in link


# The tests must be able to fail: a page with one fault of each kind.
FAULTY = """<!doctype html><html lang="en"><title>Faulty</title><article>
<p>Raw $x^2$ and \\(y\\).</p><span class="math">z</span><img src="absent.png">
<div style="width: 3000px">wide</div><script src="http://elsewhere.invalid/x.js"></script>
<script>throw new Error("oops")</script></article></html>"""


def test_a_faulty_page_is_noticed(browser, tmp_path):
    import threading

    from tools import site

    (tmp_path / "faulty.html").write_text(FAULTY)
    with site.listen(tmp_path, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with visit(browser, f"http://127.0.0.1:{server.server_port}/", "faulty", 390) as visited:
            trouble = "\n".join(visited.trouble)
            assert "404" in trouble
            assert "asks another host: http://elsewhere.invalid/x.js" in trouble
            assert "uncaught: oops" in trouble
            assert visited.page.evaluate(UNTYPESET) == ["z"]
            assert RAW.findall(visited.page.evaluate(PROSE)) == ["$x^2$", "\\("]
            assert len(visited.page.evaluate(SILENT)) == 1
            assert "3000px" in visited.page.evaluate(OVERFLOW)[0]
            assert Axe().run(visited.page).response["violations"]
        server.shutdown()
