"""What Sphinx is told of a docstring."""

from __future__ import annotations

from pathlib import Path

import yaml
from sphinx.ext.napoleon import Config, GoogleDocstring

from unrolled.teaching.docstrings import plain, to_rst

SETTINGS = yaml.safe_load((Path(__file__).parents[2] / "_config.yml").read_text())["sphinx"][
    "config"
]


def rst(text: str) -> str:
    return "\n".join(to_rst(text.split("\n")))


def with_napoleon(text: str) -> str:
    """What both handlers make of a docstring, with the book's settings."""
    chosen = {key: value for key, value in SETTINGS.items() if key.startswith("napoleon_")}
    return str(GoogleDocstring(rst(text), Config(**chosen), what="function")).strip()


def test_bars_are_absolute_values_and_dollars_mathematics_outside_of_code():
    assert plain("|p| and `|q|` and $|r|$") == r"\|p\| and `|q|` and :math:`|r|`"
    assert plain("costs nothing") == "costs nothing"


def test_a_literal_block_stays_as_it_is_and_ends_where_its_indent_does():
    text = "|a|, so::\n\n    |b| + $c$\n\n      |d|\n\n|e|"
    assert rst(text) == "\\|a\\|, so::\n\n    |b| + $c$\n\n      |d|\n\n\\|e\\|"
    assert rst("So:\n\n    |b|") == "So:\n\n    \\|b\\|"


def test_one_literal_block_may_follow_another():
    assert rst("A::\n\n    |a|\nB::\n\n    |b|") == "A::\n\n    |a|\nB::\n\n    |b|"


def test_an_entry_may_be_about_several_names_and_go_on():
    text = "Do it.\n\n{}\n    x: |x|\n        and more.\n    low, high: the ends."
    expected = (
        "* **x** -- \\|x\\|\n             and more.\n             * **low, high** -- the ends."
    )
    told = with_napoleon(text.format("Args:"))
    assert " ".join(expected.split()) in " ".join(told.split())
    assert told.startswith("Do it.\n\n:Parameters: * **x**")
    told = with_napoleon(text.format("Attributes:"))
    assert " ".join(expected.split()) in " ".join(told.split())
    assert told.startswith("Do it.\n\n:Attributes: * **x**")


def test_a_colon_in_a_formula_ends_no_name():
    assert with_napoleon("Do it.\n\nArgs:\n    f: $f: A \\to B$ of $\\{x : x > 0\\}$.") == (
        "Do it.\n\n:Parameters: **f** -- :math:`f: A \\to B` of :math:`\\{x : x > 0\\}`."
    )
    assert with_napoleon("Do it.\n\nReturns:\n    $f: A \\to B$, |f| ≤ 1.") == (
        "Do it.\n\n:returns: :math:`f: A \\to B`, \\|f\\| ≤ 1."
    )


def test_each_error_is_a_field():
    assert with_napoleon("Do it.\n\nRaises:\n    ValueError: x < 0.\n    TypeError: no x.") == (
        "Do it.\n\n:raises ValueError: x < 0.\n:raises TypeError: no x."
    )
