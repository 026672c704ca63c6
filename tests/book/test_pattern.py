"""Every chapter teaches in the same way: recaps, exercises with levels and hints, sources."""

from __future__ import annotations

import json
import re

import pytest
from pages import ROOT

from unrolled.chapters import BOOK

LEVELS = ("drill", "standard", "harder", "open project")
EXERCISE = re.compile(r"^:::\{admonition\} Exercise (\d+)(?: · (.*))?$", re.MULTILINE)


def text(cells: list[dict]) -> str:
    """All that a chapter says in its own words."""
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def faults(prose: str) -> list[str]:
    """What a chapter lacks of the pattern that `book/contribute/chapter.md` describes."""
    found = []
    levels = []
    for number, said in EXERCISE.findall(prose):
        level = said.split(" · ")[0]
        levels.append(level)
        if level not in LEVELS:
            found.append(f"Exercise {number} has the level {level!r}")
        folded = [] if level == LEVELS[-1] else [f"Hint {number}", f"Solution {number}"]
        places = [prose.find(f":::{{dropdown}} {name}\n") for name in folded]
        if -1 in places or places != sorted(places):
            found.append(f"Exercise {number} lacks one of {', '.join(folded)}, in this order")
    if levels.count("drill") < 2:
        found.append("fewer than two drills")
    if levels.count("open project") != 1:
        found.append("not one open project")
    if ":class: recap" not in prose:
        found.append("no recap")
    if "references.bib)" not in prose:
        found.append("no source")
    if "{cite" in prose:
        found.append("a citation that JupyterLab cannot read")
    if re.search(r"^#+ .*second reading", prose, re.MULTILINE | re.IGNORECASE):
        found.append("a heading that says second reading, which a box does")
    for box in re.findall(r"^:::\{admonition\} Second reading\n(.*?)^:::", prose, re.M | re.S):
        (*_, goes_on) = re.findall(r"\]\(#([a-z-]+)\)", box) or [""]
        if f"({goes_on})=\n" not in prose:
            found.append("a second reading that does not say where a first one goes on")
    if "**Run ▸ Run All Cells**" not in prose:
        found.append("nothing says how to run it")
    return found


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
def test_a_chapter_follows_the_pattern(chapter):
    cells = json.loads((ROOT / chapter.notebook).read_text(encoding="utf-8"))["cells"]
    assert faults(text(cells)) == []


GOOD = """
> **Run ▸ Run All Cells** brings this page to life.

:class: recap

:::{admonition} Exercise 1 · drill · pencil
:::{dropdown} Hint 1
:::{dropdown} Solution 1
:::{admonition} Exercise 2 · drill · pencil
:::{dropdown} Hint 2
:::{dropdown} Solution 2
:::{admonition} Exercise 3 · open project

:::{admonition} Second reading
:class: second-reading
On a first reading go on to [the next](#next).
:::

(next)=
[Polyak (1964)](references.bib)
"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("1 · drill", "1 · easy", "has the level 'easy'"),
        ("2 · drill", "2 · standard", "fewer than two drills"),
        ("3 · open project", "3 · standard", "not one open project"),
        (":::{dropdown} Hint 2\n", "", "Exercise 2 lacks one of Hint 2"),
        (":class: recap", "", "no recap"),
        ("[Polyak (1964)](references.bib)", "{cite}`Polyak1964`", "JupyterLab cannot read"),
        ("**Run", "Run", "nothing says how to run it"),
        (":class: recap", "### Second reading: memory\n:class: recap", "a box does"),
        ("(next)=\n", "", "where a first one goes on"),
    ],
)
def test_what_a_chapter_lacks_is_found(old, new, fault):
    assert faults(GOOD) == []
    assert any(fault in found for found in faults(GOOD.replace(old, new)))
