"""Values in the cells of a CSV table, written so that the same values come back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from unrolled.checks import check_kind

__all__ = ["Row", "as_csv", "as_text", "read_texts", "value_of"]

Row = dict[str, Any]

# What is neither number nor text; an empty cell says that there is no value.
NAMED: dict[str, bool | None] = {"": None, "true": True, "false": False}


def as_text(value: object) -> str:
    """The text of a value in a cell or on the command line: None is empty, True is "true"."""
    return next((text for text, named in NAMED.items() if named is value), str(value))


def value_of(text: str) -> bool | int | float | str | None:
    """The value that a text stands for: None, a boolean, a number, or else the text itself."""
    check_kind("text", text, str)
    if text in NAMED:
        return NAMED[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def as_csv(rows: Iterable[Mapping[str, object]]) -> str:
    """The rows as a table with every column that one of them has."""
    texts = [{key: as_text(value) for key, value in row.items()} for row in rows]
    columns = list(dict.fromkeys(key for row in texts for key in row))
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(texts)
    return table.getvalue()


def read_texts(path: Path) -> list[dict[str, str]]:
    """The cells of a table, row by row, as they are written."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
