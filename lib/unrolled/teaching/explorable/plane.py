"""What a panel of an explorable can show in the plane: paths, segments, words, handles to drag.

Like the layers along an axis, each is made of the same expressions here and in the browser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import sympy

from unrolled.teaching.explorable import marks
from unrolled.teaching.explorable.look import Vega, number_label
from unrolled.teaching.explorable.marks import formula
from unrolled.teaching.explorable.scope import (
    Evaluated,
    Expression,
    Scope,
    along,
    check_points,
    evenly,
    number,
)
from unrolled.teaching.fields import check_fields

Pair = tuple[Expression, Expression]

# Where the pointer is, in units of the axes: the symbols that a handle's `sets` may use.
POINTER = sympy.symbols("pointer_x pointer_y", real=True)


@dataclass(frozen=True, kw_only=True)
class Paths(marks.Marked):
    """Curves (x, y) that a parameter runs along, such as an ellipse.

    Attributes:
        parameter: the symbol that runs.
        domain: its lowest and highest value, expressions in sliders and columns.
        series: label to the expressions x and y in the parameter, sliders and columns.
        points: how many evenly spaced values of the parameter are computed.
        mark: "line", or "guide" for a thin muted one.

    Raises:
        ValueError: no series, fewer than two points, or an unknown mark.
    """

    parameter: sympy.Symbol
    domain: Pair
    series: Mapping[str, Pair]
    points: int = 121
    mark: str = "line"

    def __post_init__(self) -> None:
        check_fields(self)
        _require(self.series, self.mark, ("line", "guide"))
        check_points(self.points)

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """x and y, each (points,) float64, of every series at these slider and column values."""
        run = evenly(self.domain, self.points, values)
        values = {**values, self.parameter.name: run}
        return {
            label: (along(x, values, run), along(y, values, run))
            for label, (x, y) in self.series.items()
        }

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y and series."""
        low, high = map(scope.code, self.domain)
        count = self.points
        run = f"{low} + ({high} - {low}) * (datum.i % {count}) / {count - 1}"
        here = scope.along(self.parameter, "datum.run")
        x, y = (here.listed([*part]) for part in zip(*self.series.values(), strict=True))
        return {
            "name": name,
            "transform": [
                {"type": "sequence", "start": 0, "stop": count * len(self.series), "as": "i"},
                formula("run", run),
                formula("series", f"{_labels(self.series)}[floor(datum.i / {count})]"),
                formula("x", f"{x}[floor(datum.i / {count})]"),
                formula("y", f"{y}[floor(datum.i / {count})]"),
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Segments(marks.Marked):
    """Straight lines from one point to another, such as vectors from the origin.

    Attributes:
        series: label to pairs (start, end) of points, which are pairs of expressions in sliders and
            columns.
        mark: "line", "guide" for thin muted ones, or "arrow".

    Raises:
        ValueError: no series, or an unknown mark.
    """

    series: Mapping[str, Sequence[tuple[Pair, Pair]]]
    mark: str = "line"

    def __post_init__(self) -> None:
        check_fields(self)
        _require(self.series, self.mark, ("line", "guide", "arrow"))

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """Where the segments of every series end, x and y, each (segments,) float64."""
        return {
            label: tuple(np.array([number(end[i], values) for _, end in ends]) for i in (0, 1))
            for label, ends in self.series.items()
        }

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y (the end), x0, y0 (the start) and series."""
        flat = [(label, *pair) for label, ends in self.series.items() for pair in ends]
        codes = {
            "x0": [start[0] for _, start, _ in flat],
            "y0": [start[1] for _, start, _ in flat],
            "x": [end[0] for _, _, end in flat],
            "y": [end[1] for _, _, end in flat],
        }
        return {
            "name": name,
            "values": [{"series": label, "i": i} for i, (label, _, _) in enumerate(flat)],
            "transform": [
                formula(field, f"{scope.listed(expressions)}[datum.i]")
                for field, expressions in codes.items()
            ],
        }

    def drawn(self, data: str, x: str, y: str, *, log: bool) -> Vega:
        """The Vega mark that draws the data set with the scales x and y."""
        width = 1.5 if self.mark == "guide" else 2.5
        return marks.segments(data, x, y, log=log, arrow=self.mark == "arrow", width=width)


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Words at places in the plane, which may hold a number.

    Attributes:
        texts: tuples (text, x, y) or (text, x, y, number); the number, to three digits, stands
            where the text has "{}".  Places and numbers are expressions in sliders and columns.

    Raises:
        ValueError: no texts, or one that has "{}" without a number or a number without "{}".
    """

    texts: Sequence[tuple[Any, ...]]

    labels: ClassVar[tuple[str, ...]] = ()
    look: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.texts:
            raise ValueError("texts must not be empty")
        for entry in self.texts:
            if len(entry) < 3 or not isinstance(entry[0], str):
                raise ValueError(f"texts: {entry!r} must be (text, x, y) or (text, x, y, number)")
            text, _, _, *numbers = entry
            if len(numbers) > 1 or text.count("{}") != len(numbers):
                raise ValueError(f"texts: {text!r} must have as many {{}} as numbers, at most one")

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """Nothing: words belong to no series."""
        return {}

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y and text."""
        shown = []
        for text, _, _, *numbers in self.texts:
            before, _, after = text.partition("{}")
            parts = [json.dumps(part, ensure_ascii=False) for part in (before, after)]
            shown.append(parts[0])
            if numbers:
                shown[-1] += f" + ({number_label(scope.code(numbers[0]))}) + {parts[1]}"
        return {
            "name": name,
            "values": [{"i": i} for i in range(len(self.texts))],
            "transform": [
                formula("x", f"{scope.listed([entry[1] for entry in self.texts])}[datum.i]"),
                formula("y", f"{scope.listed([entry[2] for entry in self.texts])}[datum.i]"),
                formula("text", f"[{', '.join(shown)}][datum.i]"),
            ],
        }

    def drawn(self, data: str, x: str, y: str, *, log: bool) -> Vega:
        """The Vega mark that draws the data set with the scales x and y."""
        return marks.texts(data, x, y, log=log)


@dataclass(frozen=True, kw_only=True)
class Handle:
    """A point of the chart that the reader drags, by mouse or by touch, to set symbols.

    Each symbol has a slider as well, which moves with it: keyboard and screen reader use that one.

    Attributes:
        x, y: where the handle is, expressions in sliders and columns.
        sets: symbol to what it becomes, an expression in `POINTER` (the place of the pointer in
            units of the axes), sliders and columns; it goes to the nearest value of its slider.

    Raises:
        ValueError: nothing that it sets.

    Example:
        >>> import sympy
        >>> angle = sympy.Symbol("angle")
        >>> handle = Handle(
        ...     x=sympy.cos(angle),
        ...     y=sympy.sin(angle),
        ...     sets={angle: sympy.atan2(POINTER[1], POINTER[0])},
        ... )
        >>> round(handle.targets({"angle": 0}, 0, 2)[angle], 3)
        1.571
    """

    x: Expression
    y: Expression
    sets: Mapping[sympy.Symbol, Expression]

    labels: ClassVar[tuple[str, ...]] = ()
    look: ClassVar[str] = "handle"

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.sets:
            raise ValueError("sets must name a symbol")

    def targets(self, values: Mapping[str, float], x: float, y: float) -> dict[sympy.Symbol, float]:
        """What the symbols become when the pointer is at (x, y), before a slider rounds it."""
        at = {**values, POINTER[0].name: x, POINTER[1].name: y}
        return {symbol: number(target, at) for symbol, target in self.sets.items()}

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """Nothing: a handle belongs to no series."""
        return {}

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y and handle, its own name."""
        place = [formula("x", scope.code(self.x)), formula("y", scope.code(self.y))]
        return {"name": name, "values": [{"handle": name}], "transform": place}

    def signals(self, name: str, scope: Scope) -> dict[str, Vega]:
        """For each symbol the Vega signal that says what it becomes.

        Raises:
            ValueError: a symbol without a slider, or an expression that has no such form.
        """
        names = {**scope.names, **{symbol.name: symbol.name for symbol in POINTER}}
        at = Scope(sliders=scope.sliders, names=names)
        known = {slider.symbol: slider for slider in scope.sliders}
        found = {}
        for symbol, target in self.sets.items():
            if symbol not in known:
                raise ValueError(f"sets: {symbol} must be the symbol of a slider")
            signal = f"{name}_{known[symbol].signal}"
            found[known[symbol].index_signal] = {"name": signal, "update": at.code(target)}
        return found

    def drawn(self, data: str, x: str, y: str, *, log: bool) -> Vega:
        """The Vega mark that draws the data set with the scales x and y."""
        return marks.handles(data, x, y, log=log)


def _require(series: Mapping[str, Any], mark: str, allowed: tuple[str, ...]) -> None:
    if not series:
        raise ValueError("series must not be empty")
    if mark not in allowed:
        raise ValueError(f"mark must be one of {', '.join(allowed)}, got {mark}")


def _labels(series: Mapping[str, Any]) -> str:
    return json.dumps([*series], ensure_ascii=False)
