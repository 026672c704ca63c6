"""What the reader moves: a slider over a grid of values, a selector of named alternatives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from unrolled.teaching.fields import check_fields, require_text


def signal(name: str) -> str:
    """The Vega signal that holds a symbol or a column; any name gives a valid identifier."""
    return "v_" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in name)


class _Control:
    """A symbol with finitely many values; the reader moves the place of the value among them."""

    symbol: sympy.Symbol
    label: str
    values: Sequence[float]

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
        raise NotImplementedError

    @property
    def shown(self) -> tuple[str, ...]:
        """The values as the reader sees them."""
        raise NotImplementedError

    def index(self, value: float | str) -> int:
        """The place of a value.

        Raises:
            ValueError: a value that is not offered.
        """
        if isinstance(value, str) or float(value) not in self.values:
            raise ValueError(f"{self.symbol} must be one of {tuple(self.values)}, got {value}")
        return self.values.index(float(value))

    def nearest(self, value: float) -> int:
        """The place of the value that is nearest to a number, the first of two."""
        return int(np.abs(np.array(self.values) - value).argmin())

    def signals(self) -> list[dict[str, Any]]:
        """The Vega signals: the reader moves the index, the value follows."""
        values = json.dumps(self.values)
        return [
            {"name": self.index_signal, "value": self.start_index},
            {"name": self.signal, "update": f"{values}[{self.index_signal}]"},
        ]

    def front(self) -> dict[str, Any]:
        """What the front end needs to know."""
        return {
            "signal": self.index_signal,
            "label": self.label,
            "values": [int(value) if value.is_integer() else value for value in self.values],
            "shown": self.shown,
            "start": self.start_index,
        }


@dataclass(frozen=True, kw_only=True)
class Slider(_Control):
    """A symbol that the reader sets to one of finitely many values.

    Attributes:
        symbol: the sympy symbol.
        label: what it means, in words, such as "condition number κ".
        values: the grid, strictly increasing and finite; it may be uneven.
        start: the value at first, one of `values`; by default the first.
        show: how a value is written beside the slider: a format such as "{:.2f} dB", or a name for
            each value.
        play: whether buttons step through the values, and one runs through them.

    Raises:
        ValueError: no label, fewer than two values, values that do not increase, a start that is
            none of them, or not a name for each.
    """

    symbol: sympy.Symbol
    label: str
    values: Sequence[float]
    start: float | None = None
    show: str | Sequence[str] = "{:g}"
    play: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        require_text(label=self.label)
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
    def start_index(self) -> int:
        return self.values.index(self.start)

    @property
    def shown(self) -> tuple[str, ...]:
        if not isinstance(self.show, str):
            return tuple(self.show)
        return tuple(self.show.format(value) for value in self.values)

    def front(self) -> dict[str, Any]:
        return super().front() | {"kind": "slider", "play": self.play}


@dataclass(frozen=True, kw_only=True)
class Selector(_Control):
    """A symbol that the reader sets to one of several named alternatives.

    In expressions and rows the symbol is the place of the alternative: 0, 1, and so on.

    Attributes:
        symbol: the sympy symbol.
        label: what is chosen, such as "matrix".
        options: the names of the alternatives; up to three are shown side by side, more as a list.
        start: the name at first, one of `options`; by default the first.

    Raises:
        ValueError: no label, fewer than two options, one that stands twice, or a start that is
            none of them.

    Example:
        >>> import sympy
        >>> selects = Selector(
        ...     symbol=sympy.Symbol("selects"), label="support selection", options=("no", "yes")
        ... )
        >>> selects.index("yes")
        1
    """

    symbol: sympy.Symbol
    label: str
    options: Sequence[str]
    start: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        require_text(label=self.label)
        options = tuple(self.options)
        if len(options) < 2 or len(set(options)) < len(options):
            raise ValueError(f"options must be two or more that differ, got {options}")
        start = options[0] if self.start is None else self.start
        if start not in options:
            raise ValueError(f"start must be one of {', '.join(options)}, got {start}")
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "start", start)

    @property
    def values(self) -> tuple[float, ...]:  # type: ignore[override]
        return tuple(map(float, range(len(self.options))))

    @property
    def start_index(self) -> int:
        return self.options.index(self.start)

    @property
    def show(self) -> tuple[str, ...]:
        """How the values are written, as those of a slider are."""
        return self.shown

    @property
    def shown(self) -> tuple[str, ...]:
        return tuple(self.options)

    def index(self, value: float | str) -> int:
        """The place of an alternative, given by its name or its place."""
        if value in self.options:
            return self.options.index(value)
        if isinstance(value, str):
            raise ValueError(f"{self.symbol} must be one of {', '.join(self.options)}, got {value}")
        return super().index(value)

    def front(self) -> dict[str, Any]:
        return super().front() | {"kind": "radio" if len(self.options) <= 3 else "select"}


Control = Slider | Selector
