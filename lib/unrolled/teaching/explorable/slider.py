"""A slider: a symbol of an expression that the reader moves over a finite grid of values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy


def signal(name: str) -> str:
    """The Vega signal that holds a symbol or a column; any name gives a valid identifier."""
    return "v_" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in name)


@dataclass(frozen=True, kw_only=True)
class Slider:
    """A symbol that the reader sets to one of finitely many values.

    Attributes:
        symbol: the sympy symbol.
        label: what it means, in words, such as "condition number κ".
        values: the grid, strictly increasing and finite; it may be uneven.
        start: the value at first, one of `values`; by default the first.
        show: how a value is written beside the slider: a format such as "{:.2f} dB", or a name for
            each value.

    Raises:
        ValueError: no label, fewer than two values, values that do not increase, a start that is
            none of them, or not a name for each.
    """

    symbol: sympy.Symbol
    label: str
    values: Sequence[float]
    start: float | None = None
    show: str | Sequence[str] = "{:g}"

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise ValueError("label must say what the slider means, got an empty one")
        values = tuple(float(value) for value in self.values)
        if len(values) < 2:
            raise ValueError(f"values must be at least two, got {len(values)}")
        if not np.isfinite(values).all() or not (np.diff(values) > 0).all():
            raise ValueError(f"values must be finite and strictly increasing, got {values}")
        start = values[0] if self.start is None else float(self.start)
        if start not in values:
            raise ValueError(f"start must be one of the values {values}, got {start:g}")
        if not isinstance(self.show, str) and len(self.show) != len(values):
            raise ValueError(f"show has {len(self.show)} names for {len(values)} values")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "start", start)

    @property
    def name(self) -> str:
        return self.symbol.name

    @property
    def signal(self) -> str:
        """The Vega signal with the value."""
        return signal(self.name)

    @property
    def index_signal(self) -> str:
        """The Vega signal with the place of the value in the grid."""
        return f"{self.signal}_index"

    @property
    def start_index(self) -> int:
        return self.values.index(self.start)

    @property
    def shown(self) -> tuple[str, ...]:
        """The values as the reader sees them."""
        if not isinstance(self.show, str):
            return tuple(self.show)
        return tuple(self.show.format(value) for value in self.values)

    def signals(self) -> list[dict[str, Any]]:
        """The Vega signals: the reader moves the index, the value follows."""
        values = json.dumps(self.values)
        return [
            {"name": self.index_signal, "value": self.start_index},
            {"name": self.signal, "update": f"{values}[{self.index_signal}]"},
        ]
