"""What a page shows of a chapter's code: what teaches, in short cells.

Code that teaches and is long is folded, and code that only shows or formats is not on the page at
all: its bar would unfold to one name. A notebook has it all.
"""

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
WIDTH = 60
FOLDED = {"hide-input"}
REMOVED = {"remove-input", "remove-cell"}
# The metadata of code that JupyterLab keeps closed too.
CLOSED = {"source_hidden": True}
# These write a sentence, draw a picture or print code; how is not what a chapter teaches.
FORMATS = {"Markdown", "figure", "source"}
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
    return cell["cell_type"] == "code" and not tags(cell) & (FOLDED | REMOVED | {"hide-cell"})


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
    given something else, as in `rip.certified_sparsity(A)`, computes. So does a cell that imports
    what others use, whatever it shows.
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

    match tree.body:
        case [ast.Expr(value=value)]:
            return on_shelf(value)
    return False


def formats(tree: ast.Module) -> set[str]:
    """What a cell calls that writes a sentence or draws a picture."""
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {func.id for func in called if isinstance(func, ast.Name)} & FORMATS


def writes_markup(tree: ast.Module) -> bool:
    """Whether a cell asks an object for its markup by hand."""
    return any(
        isinstance(node, ast.Attribute) and node.attr.startswith("_repr_")
        for node in ast.walk(tree)
    )


def answers(tree: ast.Module) -> bool:
    """Whether a cell ends with what the solution of an exercise computes, closed."""
    match tree.body:
        case [*_, ast.Expr(value=ast.Call(func=ast.Name(id="answer")))]:
            return True
    return False


def grades(tree: ast.Module) -> bool:
    """Whether a cell ends with the grading of a function that the reader writes in it."""
    match tree.body:
        case [*_, ast.Expr(value=ast.Call(func=ast.Attribute(attr="grade")))]:
            return True
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
        for place, (cell, tree) in enumerate(trees(cells)):
            if shown(cell):
                said = shown_in_vain(source(cell).splitlines(), tree)
                if only_shows(tree, names) and (verb(tree) is None or verb(tree) in met):
                    said.append("only shows something")
                if grades(tree):
                    said.append("is for a notebook: remove-cell")
                if answers(tree):
                    said.append("tells an answer: hide-input")
            else:
                said = hidden_in_vain(tags(cell), tree, names)
            # What a chapter begins with are its imports, in the way of its first picture.
            closed = place == 0 or answers(tree) or bool(formats(tree))
            closed &= not shown(cell)
            if closed != (cell["metadata"].get("jupyter") == CLOSED):
                said.append(f"is to be {'closed' if closed else 'open'} in JupyterLab")
            found += [f"{cell['id']}: {fault}" for fault in said]
            met |= verbs(tree)
    return found


def shown_in_vain(lines: list[str], tree: ast.Module) -> list[str]:
    """What in a cell that is shown does not teach, or cannot be read."""
    found = []
    if len(lines) > LINES:
        found.append(f"{len(lines)} lines")
    if any(len(line) > WIDTH for line in lines):
        found.append(f"a line of {max(map(len, lines))} characters")
    if calls := formats(tree):
        found.append(f"calls {', '.join(sorted(calls))}")
    if writes_markup(tree):
        found.append("writes markup")
    if any("# fmt:" in line for line in lines):
        found.append("speaks to the formatter")
    return found


def hidden_in_vain(tags: set[str], tree: ast.Module, names: set[str]) -> list[str]:
    """What is wrong with the tags of a cell that is not shown."""
    teaches = not formats(tree) and not only_shows(tree, names)
    if "hide-cell" in tags:
        return ["hides what a notebook shows"]
    if "hide-input" in tags and not teaches:
        return ["has nothing to unfold: remove-input"]
    if "remove-input" in tags and teaches:
        return ["teaches: hide-input, or shown"]
    if "remove-cell" in tags and not grades(tree):
        return ["is lost to a reader of the page"]
    return []


def shown_verbs(chapters: Sequence[Sequence[Cell]]) -> list[str]:
    """The verbs of the cells that are nothing else and are shown, in order."""
    cells = [pair for chapter in chapters for pair in trees(chapter) if shown(pair[0])]
    return [name for _, tree in cells if (name := verb(tree))]


def kept() -> list[list[Cell]]:
    """The cells of the book's chapters, as they are kept."""
    paths = [ROOT / chapter.notebook for chapter in BOOK]
    return [json.loads(path.read_text(encoding="utf-8"))["cells"] for path in paths]


def test_chapters_show_what_teaches_and_nothing_else():
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


def planted(*texts: str, tag: str | None = None, jupyter: bool = False) -> list[Cell]:
    """A chapter of a folded cell of imports and the given cells."""
    first = [(IMPORTS, ["hide-input"], {"jupyter": CLOSED})]
    closed = {"jupyter": CLOSED} if jupyter else {}
    cells = first + [(text, [tag] if tag else [], closed) for text in texts]
    return [
        {
            "cell_type": "code",
            "id": f"cell{number}",
            "metadata": {"tags": tags} | more,
            "source": text.splitlines(keepends=True),
        }
        for number, (text, tags, more) in enumerate(cells)
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
        "import torch\n\nrip.FIXED",
    ],
)
def test_code_that_teaches_may_be_shown(text: str):
    assert faults([planted(text)]) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\n" * (LINES + 1), "16 lines"),
        (f"x = {'1' * (WIDTH - 3)}", "a line of 61 characters"),
        ("x = (1,\n     2)  # fmt: skip", "speaks to the formatter"),
        ("x = constant._repr_markdown_()", "writes markup"),
    ],
)
def test_code_that_teaches_and_is_hard_to_read_is_to_be_folded(text: str, fault: str):
    assert faults([planted(text)]) == [f"cell1: {fault}"]
    assert faults([planted(text, tag="hide-input")]) == []
    assert faults([planted(text, tag="remove-input")]) == ["cell1: teaches: hide-input, or shown"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('x = 1\nMarkdown(f"It is {x}.")', "calls Markdown"),
        ("refusal = Markdown(str(1))", "calls Markdown"),
        ("with figure(alt='a', caption='c') as picture:\n    pass", "calls figure"),
    ],
)
def test_code_that_formats_is_to_be_removed(text: str, fault: str):
    assert faults([planted(text)]) == [f"cell1: {fault}"]
    assert faults([planted(text, tag="remove-input", jupyter=True)]) == []
    assert faults([planted(text, tag="remove-input")]) == ["cell1: is to be closed in JupyterLab"]
    assert faults([planted(text, tag="hide-input", jupyter=True)]) == [
        "cell1: has nothing to unfold: remove-input"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "rip.FIXED",
        "chapter.constants()",
        "rip.FIXED.check(300)",
        "display(rip.FIXED.derivation, rip.FIXED.check())",
        "dropped(rip.GUARANTEES)",
        "colophon()",
    ],
)
def test_code_that_only_shows_is_to_be_removed(text: str):
    assert faults([planted(text)]) == ["cell1: only shows something"]
    assert faults([planted(text, tag="remove-input")]) == []
    assert faults([planted(text, tag="hide-input")]) == [
        "cell1: has nothing to unfold: remove-input"
    ]


def test_what_a_reader_writes_and_what_answers_an_exercise_have_their_own_places():
    asked = "def layer(x):\n    return ...\n\n\nchapter.LAYER.grade(layer)"
    assert faults([planted(asked)]) == ["cell1: is for a notebook: remove-cell"]
    assert faults([planted(asked, tag="remove-cell")]) == []
    assert faults([planted("x = 1", tag="remove-cell")]) == [
        "cell1: is lost to a reader of the page"
    ]
    solved = "x = 1\nanswer(f'It is {x}.')"
    assert faults([planted(solved, tag="hide-input", jupyter=True)]) == []
    assert faults([planted(solved, tag="hide-input")]) == ["cell1: is to be closed in JupyterLab"]
    assert faults([planted(solved)]) == ["cell1: tells an answer: hide-input"]
    assert faults([planted("x = 1", tag="hide-cell")]) == ["cell1: hides what a notebook shows"]


def test_a_verb_that_was_shown_before_is_found():
    chapter = planted("rip.FIXED.check()", "rip.OTHER.derivation")
    assert faults([chapter, planted("rip.THIRD.check()")]) == ["cell1: only shows something"]
