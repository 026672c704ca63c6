"""What Sphinx is told of a docstring."""

from __future__ import annotations

import pytest

from unrolled.teaching.docstrings import plain, to_rst


def rst(text: str) -> str:
    return "\n".join(to_rst(text.split("\n"))).strip()


@pytest.mark.parametrize("head", ["Args:", "Attributes:", "Raises:"])
def test_a_section_becomes_fields(head):
    kind = {"Args:": "param", "Attributes:": "ivar", "Raises:": "raises"}[head]
    text = f"Do it.\n\n{head}\n    x: shape (B, n)\n        and more.\n    low, high: the ends."
    assert rst(text) == (
        f"Do it.\n\n:{kind} x: shape (B, n)\n    and more.\n:{kind} low,high: the ends."
    )


def test_a_block_of_names_needs_no_head():
    assert rst("Do it.\n\nx: one.\ny: two\n    lines.") == (
        "Do it.\n\n:param x: one.\n:param y: two\n    lines."
    )


def test_what_is_returned_has_no_name():
    assert rst("Do it.\n\nReturns:\n    A pair: both.\n    Always.") == (
        "Do it.\n\n:returns: A pair: both.\n    Always."
    )


def test_an_indented_block_is_code_and_a_sentence_with_a_colon_is_a_sentence():
    assert rst("So:\n\n    f(|x|)") == "So:\n\n::\n\n    f(|x|)"
    assert rst("The rate: it falls.\nAnd stays.") == "The rate: it falls.\nAnd stays."


def test_bars_are_absolute_values_and_dollars_mathematics_outside_of_code():
    assert plain("|p| and `|q|` and $|r|$") == r"\|p\| and `|q|` and :math:`|r|`"
    assert plain("costs nothing") == "costs nothing"
