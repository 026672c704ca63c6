"""Rows of numbers that belong to settings of sliders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from unrolled.teaching.explorable.control import Control

# A DataFrame or a mapping of columns.
Table = Mapping[str, Sequence[Any]]
Place = tuple[int, ...]


def columns_of(table: Table) -> dict[str, np.ndarray]:
    """The columns by name, each (rows,)."""
    return {str(name): np.asarray(column) for name, column in dict(table).items()}


def rounded(name: str, column: Iterable[float], digits: int) -> np.ndarray:
    """The column to so many significant digits, as it is sent to the browser.

    Raises:
        ValueError: a number that is not finite.
    """
    column = np.asarray(column, dtype=float)
    if not np.isfinite(column).all():
        raise ValueError(f"column {name} must hold finite numbers only")
    return np.array([float(f"{value:.{digits}g}") for value in column.tolist()])


def places(columns: Mapping[str, np.ndarray], sliders: Sequence[Control]) -> list[Place]:
    """For every row, where the values of its slider columns lie on the sliders' grids.

    Raises:
        ValueError: a value that no slider offers, or a setting that has no row.
    """
    found = []
    for slider in sliders:
        column = np.asarray(columns[slider.name], dtype=float)
        values = np.array(slider.values)
        nearest = np.abs(column[:, None] - values).argmin(axis=1)  # (rows,)
        if len(off := column[~np.isclose(values[nearest], column, rtol=1e-9)]):
            raise ValueError(f"rows have {slider.name} = {off[0]:g}, which no slider offers")
        found.append(nearest.tolist())
    rows = len(next(iter(columns.values())))
    result = list(zip(*found, strict=True)) if found else [()] * rows
    settings = set(np.ndindex(*(len(slider.values) for slider in sliders)))
    if missing := settings - set(result):
        raise ValueError(f"rows lack the setting {setting(sliders, min(missing))}")
    return result


def setting(sliders: Sequence[Control], place: Place) -> str:
    """A setting of the sliders in words, for messages."""
    return ", ".join(f"{s.name} = {s.values[i]:g}" for s, i in zip(sliders, place, strict=True))
