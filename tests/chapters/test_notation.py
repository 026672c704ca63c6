"""The page of symbols is true: what it lists is used, and what is used and ambiguous it lists."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from unrolled.chapters import BOOK

ROOT = Path(__file__).resolve().parents[2]
EACH = pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
PAGE = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")

# Part of a sign, or bound in the formula itself.
SIGNS = {r"\sum", r"\prod", r"\pi", r"\phi", "O"}
GREEK = re.compile(
    r"\\(?:alpha|beta|[gG]amma|[dD]elta|(?:var)?epsilon|zeta|eta|(?:var)?theta|Theta|kappa|[lL]ambda"
    r"|mu|nu|[xX]i|[pP]i|(?:var)?rho|[sS]igma|tau|(?:var)?phi|Phi|chi|[pP]si|[oO]mega)"
)
WORDS = r"\\(?:text|operatorname\*?|mathrm|begin|end|mathbb|mathcal) ?(?:\{[^}]*\}|[A-Z])"


def formulas(markdown):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.DOTALL)
    return [
        one or other for one, other in re.findall(r"\$\$(.*?)\$\$|\$([^$]+)\$", text, re.DOTALL)
    ]


def letters(formula):
    """The Latin and Greek letters of a formula, without words and without names of functions."""
    found = re.findall(r"\\[A-Za-z]+|[A-Za-z]", re.sub(WORDS, " ", formula))
    return {one for one in found if len(one) == 1 or GREEK.fullmatch(one)} - SIGNS


def tables(page):
    """The rows (symbols, meaning) of each table, by the chapter that it belongs to, or "every"."""
    parts = re.split(r"^## In (?:\[\]\((\w+)\.ipynb\)|every chapter)$", page, flags=re.MULTILINE)
    return {
        chapter or "every": re.findall(r"^\| (.*\$.*?|SNR) \| (.*) \|$", table, flags=re.MULTILINE)
        for chapter, table in zip(parts[1::2], parts[2::2], strict=True)
    }


def heads(cell):
    """The letters that the symbols of a cell begin with."""
    return {re.match(r"\\[A-Za-z]+|[A-Za-z]", formula)[0] for formula in formulas(cell)}


def several(page):
    """The letters to which the tables give more than one meaning."""
    given = Counter()
    for rows in tables(page).values():
        for cell, meaning in rows:
            used = {one for formula in formulas(meaning) for one in letters(formula)}
            alone = set(formulas(cell))
            # A compound that is explained by its letter, as the columns of A are, gives it none.
            given.update(head for head in heads(cell) if head in alone or head not in used)
    return {head for head, count in given.items() if count > 1}


def told(page):
    """The letters of which the page says that they have several meanings."""
    return set(formulas(re.search(r"These letters have several.*?: (.*?)\.", page, re.DOTALL)[1]))


def written(chapter):
    """What a reader meets in a chapter unfolded: prose, statements, claims."""
    notebook = nbformat.read(ROOT / chapter.notebook, as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    # Proofs, solutions and exercises say themselves what they need.
    folded = r"^(:{3,})\{(?:dropdown|admonition)\}.*?^\1$"
    prose = re.sub(folded, "", prose, flags=re.DOTALL | re.MULTILINE)
    return prose, "\n".join(guarantee._repr_markdown_() for guarantee in chapter.guarantees)


def used(chapter):
    return {one for text in written(chapter) for f in formulas(text) for one in letters(f)}


def listed(page, chapter):
    return {
        head
        for name in ("every", chapter.name)
        for cell, _ in tables(page).get(name, [])
        for formula in formulas(cell)
        for head in letters(formula)
    }


def test_the_tables_have_the_order_of_the_book():
    names = ["every", *(chapter.name for chapter in BOOK)]
    assert list(tables(PAGE)) == [name for name in names if name in tables(PAGE)]
    assert all(len(rows) > 5 for rows in tables(PAGE).values())


@EACH
def test_every_letter_of_a_chapter_is_explained(chapter):
    important = {one for one in used(chapter) if len(one) > 1 or one.isupper()}
    assert important - listed(PAGE, chapter) == set()
    assert r"\theta" in important


@EACH
def test_every_symbol_of_a_chapter_occurs_in_it(chapter):
    notebook = nbformat.read(ROOT / chapter.notebook, as_version=4)
    everything = "\n".join(cell.source for cell in notebook.cells) + "\n".join(written(chapter))
    found = {one for formula in formulas(everything) for one in letters(formula)}
    assert {head for cell, _ in tables(PAGE).get(chapter.name, []) for head in heads(cell)} <= found


def test_the_page_names_the_letters_with_several_meanings():
    assert told(PAGE) == several(PAGE)
    assert {"H", "M", r"\beta", "S"} <= told(PAGE)


def test_no_symbol_stands_twice_in_a_table():
    for rows in tables(PAGE).values():
        cells = [formula for cell, _ in rows for formula in formulas(cell)]
        assert sorted(cells) == sorted(set(cells))
        assert all(one != other for one, other in pairwise(sorted(cells)))


def test_an_untrue_page_is_noticed():
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| $H$ | in $[I,H]$"))
    assert told(PAGE) != several(PAGE.replace(row + "\n", ""))
    rip = next(chapter for chapter in BOOK if chapter.name == "rip")
    (row,) = (line for line in PAGE.splitlines() if line.startswith(r"| $\omega$"))
    assert r"\omega" in used(rip) - listed(PAGE.replace(row, ""), rip)
