"""The search leads to the chapters before the code, and quotes them in words."""

from __future__ import annotations

import re
from html import unescape

import pytest
from pages import documents, visit

API = "book/api/"
LATEX_OR_CODE = re.compile(r"\\[a-zA-Z(\[]|import |Show code")


@pytest.mark.parametrize("word", ["coherence", "LISTA", "threshold", "convergence"])
def test_chapters_come_before_the_code_and_are_quoted_in_words(browser, address, word):
    with visit(browser, address, "search") as visited:
        page = visited.page
        page.goto(f"{address}search.html?q={word}", wait_until="networkidle")
        page.get_by_text("Search finished").wait_for()
        links = page.locator("#search-results li > a")
        found = links.evaluate_all("links => links.map((link) => link.getAttribute('href'))")
        of_code = [link.startswith(API) for link in found]
        assert of_code == sorted(of_code)
        assert {True, False} == set(of_code)
        quotations = page.locator("#search-results p.context").all_text_contents()
        assert any(word.lower() in quotation.lower() for quotation in quotations)
        assert [
            text for text in quotations if re.search(r"\\[a-zA-Z(\[]|import |Show code", text)
        ] == []
        assert visited.trouble == []


READ = {
    r"\(\delta_s\le(s-1)\mu\)": "δₛ≤(s-1)μ",
    r"\[ \frac{\sqrt{\kappa} - 1}{\sqrt\kappa + 1}, \]": "(√κ - 1)/(√κ + 1),",
    r"\(\tfrac12\|y-Ax\|^2 + \beta\,\|x\|_1\)": "1/2‖y-Ax‖² + β‖x‖₁",
    r"\(\lVert A_S^\top A_S-I\rVert_2\)": "‖A_SᵀA_S-I‖₂",
    r"\(T_K(\cos\phi)=\cos K\phi\)": "T_K(cos φ)= cos Kφ",
    r"\(10^{-17}\)": "10⁻¹⁷",
}


def test_every_formula_of_the_book_is_read(browser, address, built):
    formulas = [
        unescape(re.sub("<[^>]*>", "", found)).strip()
        for name in documents()
        for found in re.findall(
            r'<(?:span|div) class="math[^>]*>(.*?)</(?:span|div)>',
            (built / f"{name}.html").read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
    ]
    assert len(formulas) > 1000
    with visit(browser, address, "search") as visited:
        read = visited.page.evaluate("formulas => formulas.map(readable)", formulas)
        unread = re.compile(r"[\\{}@]|frac|sqrt|^$")
        assert [pair for pair in zip(formulas, read, strict=True) if unread.search(pair[1])] == []
        assert visited.page.evaluate("formulas => formulas.map(readable)", list(READ)) == list(
            READ.values()
        )
