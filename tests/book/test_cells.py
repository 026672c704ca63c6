"""What a chapter shows of its code: what teaches, in short cells. All else is folded away."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pages import ROOT

from unrolled.chapters import BOOK

Cell = dict[str, Any]

LINES = 15
WIDTH = 88
FOLDED = {"hide-input", "hide-cell"}
# What is hidden for good could not be unfolded on the page.
LOST = {"remove-input", "remove-cell"}
# These write a sentence or draw a picture; how they do it is not what a chapter teaches.
FORMATS = {"Markdown", "figure"}
# Where a name comes from that only shows what the library holds.
SHOWS = ("unrolled.chapters", "unrolled.guarantees", "unrolled.teaching")
# What a reader does with a theorem. The book shows each once, where it comes first.
VERBS = {"check", "derivation"}


def source(cell: Cell) -> str:
    return "".join(cell["source"])


def tags(cell: Cell) -> set[str]:
    return set(cell["metadata"].get("tags", ()))


def shown(cell: Cell) -> bool:
    """Whether a reader of the page sees the cell's code without unfolding anything."""
    return cell["cell_type"] == "code" and not tags(cell) & (FOLDED | LOST)


def trees(cells: Sequence[Cell]) -> Iterator[tuple[Cell, ast.Module]]:
    """The code cells, each with its syntax tree."""
    for cell in cells:
        if cell["cell_type"] == "code":
            yield cell, ast.parse(source(cell))


def shelf(cells: Sequence[Cell]) -> set[str]:
    """The names under which a notebook reaches what it only shows."""
    names = {"display"}
    for _, tree in trees(cells):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(SHOWS):
                names |= {alias.asname or alias.name for alias in node.names}
    return names


def only_shows(tree: ast.Module, names: set[str]) -> bool:
    """Whether a cell is one expression, of nothing but what lies on the shelf.

    `chapter.rates()` and `display(theorem.derivation, theorem.check(300))` are; a call that is
    given something else, as in `rip.certified_sparsity(A)`, computes.
    """

    def on_shelf(node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name):
                return name in names
            case ast.Attribute(value=value):
                return on_shelf(value)
            case ast.Call(func=func, args=args, keywords=keywords):
                given = [*args, *(keyword.value for keyword in keywords)]
                return on_shelf(func) and all(
                    isinstance(argument, ast.Constant) or on_shelf(argument) for argument in given
                )
        return False

    match [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]:
        case [ast.Expr(value=value)]:
            return on_shelf(value)
    return False


def verb(tree: ast.Module) -> str | None:
    """The verb of a cell that does one thing with one theorem, such as `theorem.check()`."""
    match tree.body:
        case [
            ast.Expr(
                value=ast.Attribute(attr=name) | ast.Call(func=ast.Attribute(attr=name), args=[])
            )
        ] if name in VERBS:
            return name
    return None


def verbs(tree: ast.Module) -> set[str]:
    """All verbs in a cell."""
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return attributes & VERBS


def faults(chapters: Sequence[Sequence[Cell]]) -> list[str]:
    """What a book, given as the cells of its chapters, shows or hides that it should not."""
    found: list[str] = []
    met: set[str] = set()  # the verbs that the book has used so far
    for cells in chapters:
        names = shelf(cells)
        for cell, tree in trees(cells):
            name = cell["id"]
            found += [f"{name}: {tag} leaves nothing to unfold" for tag in tags(cell) & LOST]
            if shown(cell):
                lines = source(cell).splitlines()
                called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
                formats = {func.id for func in called if isinstance(func, ast.Name)} & FORMATS
                if len(lines) > LINES:
                    found.append(f"{name}: {len(lines)} lines")
                if any(len(line) > WIDTH for line in lines):
                    found.append(f"{name}: a line of {max(map(len, lines))} characters")
                if formats:
                    found.append(f"{name}: calls {', '.join(sorted(formats))}")
                if only_shows(tree, names) and (verb(tree) is None or verb(tree) in met):
                    found.append(f"{name}: only shows {lines[-1]}")
            met |= verbs(tree)
    return found


def shown_verbs(chapters: Sequence[Sequence[Cell]]) -> list[str]:
    """The verbs of the cells that are nothing else and are shown, in order."""
    cells = [pair for chapter in chapters for pair in trees(chapter) if shown(pair[0])]
    return [name for _, tree in cells if (name := verb(tree))]


def kept() -> list[list[Cell]]:
    """The cells of the book's chapters, as they are kept."""
    paths = [ROOT / chapter.notebook for chapter in BOOK]
    return [json.loads(path.read_text(encoding="utf-8"))["cells"] for path in paths]


def test_chapters_show_what_teaches_and_fold_the_rest():
    assert faults(kept()) == []


def test_every_chapter_shows_some_code():
    assert all(any(map(shown, cells)) for cells in kept())


def test_the_first_chapter_shows_what_one_does_with_a_theorem():
    first, *others = kept()
    assert sorted(shown_verbs([first])) == sorted(VERBS)
    assert shown_verbs(others) == []


IMPORTS = """\
import torch
from unrolled.chapters import rip as chapter
from unrolled.guarantees import dropped, rip
from unrolled.sensing import gaussian
from unrolled.teaching import colophon, figure
"""


def planted(*texts: str, tag: str | None = None) -> list[Cell]:
    """A chapter of a folded cell of imports and the given cells."""
    first = [(IMPORTS, ["hide-input"])]
    cells = first + [(text, [tag] if tag else []) for text in texts]
    return [
        {
            "cell_type": "code",
            "id": f"cell{number}",
            "metadata": {"tags": tags},
            "source": text.splitlines(keepends=True),
        }
        for number, (text, tags) in enumerate(cells)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n" * LINES,
        f"x = {'1' * (WIDTH - 4)}",
        "A = gaussian(8, 16)\nrip.certified_sparsity(A)",
        "rip.certified_sparsity(A)",
        "rip.certified_sparsity(gaussian(8, 16))",
        "rip.FIXED.derivation",
        "rip.FIXED.check()",
        "def layer(x):\n    return ...\n\n\nchapter.LAYER.grade(layer)",
    ],
)
def test_code_that_teaches_may_be_shown(text: str):
    assert faults([planted(text)]) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\n" * (LINES + 1), "16 lines"),
        (f"x = {'1' * (WIDTH - 3)}", "a line of 89 characters"),
        ('x = 1\nMarkdown(f"It is {x}.")', "calls Markdown"),
        ("refusal = Markdown(str(1))", "calls Markdown"),
        ("with figure(alt='a', caption='c') as picture:\n    pass", "calls figure"),
        ("rip.FIXED", "only shows rip.FIXED"),
        ("chapter.constants()", "only shows chapter.constants()"),
        ("rip.FIXED.check(300)", "only shows rip.FIXED.check(300)"),
        (
            "display(rip.FIXED.derivation, rip.FIXED.check())",
            "only shows display(rip.FIXED.derivation, rip.FIXED.check())",
        ),
        ("dropped(rip.GUARANTEES)", "only shows dropped(rip.GUARANTEES)"),
        ("from unrolled.teaching import colophon\n\ncolophon()", "only shows colophon()"),
    ],
)
def test_a_cell_that_is_to_be_folded_is_found(text: str, fault: str):
    assert faults([planted(text)]) == [f"cell1: {fault}"]
    assert faults([planted(text, tag="hide-input")]) == []


@pytest.mark.parametrize("tag", sorted(LOST))
def test_a_cell_that_cannot_be_unfolded_is_found(tag: str):
    assert faults([planted("x = 1", tag=tag)]) == [f"cell1: {tag} leaves nothing to unfold"]


def test_a_verb_that_was_shown_before_is_found():
    chapter = planted("rip.FIXED.check()", "rip.OTHER.derivation")
    assert faults([chapter, planted("rip.THIRD.check()")]) == [
        "cell1: only shows rip.THIRD.check()"
    ]
