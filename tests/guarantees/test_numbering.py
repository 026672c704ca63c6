"""Theorems tell the numbers that the site counts. The site's build compares each of them."""

from pathlib import Path

import pytest
import yaml

from unrolled.guarantees import convergence
from unrolled.guarantees.numbering import PAGES, number

CONTENTS = Path(__file__).resolve().parents[2] / "_toc.yml"


def numbered(contents: str) -> tuple[str, ...]:
    """The numbered pages of a table of contents, in its order."""
    parts = yaml.safe_load(contents)["parts"]
    return tuple(
        Path(page["file"]).name
        for part in parts
        if part.get("numbered")
        for page in part["chapters"]
    )


def test_chapters_count_as_in_the_table_of_contents():
    contents = CONTENTS.read_text(encoding="utf-8")
    assert numbered(contents) == PAGES
    assert numbered(contents.replace("      - file: book/rip\n", "")) != PAGES


def test_a_theorem_counts_the_boxes_before_it():
    boxes = [one for one in convergence.GUARANTEES if getattr(one, "completes", None) == ""]
    assert [number(one.name) for one in boxes] == [f"3.{i}" for i in range(1, len(boxes) + 1)]
    assert f":enumerator: {number(boxes[1].name)}\n" in boxes[1]._repr_markdown_()


@pytest.mark.parametrize(
    "name",
    [
        convergence.GAUSS_OPTIMAL.name,  # in another's box
        convergence.PRODUCT_IS_TRUTH.name,  # a claim that fails
        "convergence.unlisted",
        "example.of-no-chapter",
    ],
)
def test_what_has_no_box_in_the_book_has_no_number(name):
    assert number(name) == ""
