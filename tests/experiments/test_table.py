"""Cells of a table give back the values that were written into them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.experiments.table import as_csv, as_text, read_texts, value_of

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))


@given(VALUES)
def test_a_value_survives(value):
    back = value_of(as_text(value))
    assert type(back) is type(value)
    assert back == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("true", True), ("False", "False"), ("40", 40), ("1e-3", 0.001), ("a,b", "a,b")],
)
def test_a_text_stands_for_a_value(text, value):
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


def test_a_table_has_every_column_and_empty_cells(tmp_path):
    rows = [{"a": 0.1, "b": True}, {"a": None, "c": 'say "a, b"'}, {"a": math.inf}]
    file = tmp_path / "table.csv"
    file.write_text(as_csv(rows), encoding="utf-8")
    texts = read_texts(file)
    assert texts[0] == {"a": "0.1", "b": "true", "c": ""}
    assert [{k: value_of(t) for k, t in row.items()} for row in texts] == [
        {"a": 0.1, "b": True, "c": None},
        {"a": None, "b": None, "c": 'say "a, b"'},
        {"a": math.inf, "b": None, "c": None},
    ]
