"""Expressions along an axis: curves in a continuous x, sequences in an integer index.

Every layer has two faces made from the same expressions: `evaluate` computes its values here, and
`data` and `drawn` tell Vega how the browser computes and draws them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from unrolled.teaching.explorable import marks
from unrolled.teaching.explorable.look import Vega
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


class _Sampled(marks.Marked):
    """Curves and sequences: expressions at points that are counted by an index i."""

    series: Mapping[str, Any]
    mark: str
    width: float

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.series:
            raise ValueError("series must not be empty")
        marks.require(self.mark, self.width)

    def _transforms(self, codes: list[str]) -> list[Vega]:
        """From rows with x to rows with x, y and series; the code computes y of each series."""
        fields = [f"y{j}" for j in range(len(self.series))]
        labels = json.dumps(dict(zip(fields, self.series, strict=True)), ensure_ascii=False)
        transforms = [
            *map(marks.formula, fields, codes),
            {"type": "fold", "fields": fields, "as": ["field", "y"]},
            marks.formula("series", f"{labels}[datum.field]"),
        ]
        return transforms + marks.fields(self.mark, self.width)


@dataclass(frozen=True, kw_only=True)
class Curves(_Sampled):
    """Expressions in a continuous x, at evenly spaced points of an interval.

    Attributes:
        x: the symbol on the horizontal axis.
        domain: its lowest and highest value, expressions in sliders and columns.
        series: label to expression in x, sliders and columns.
        points: how many evenly spaced points are computed for each curve.
        mark: how it is drawn, see `Sequence`.
        width: of a bar, in units of the horizontal axis.

    Raises:
        ValueError: no series, fewer than two points, an unknown mark, or a width that is not
            positive.
    """

    x: sympy.Symbol
    domain: tuple[Expression, Expression]
    series: Mapping[str, Expression]
    points: int = 201
    mark: str = "line"
    width: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_points(self.points)

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """x and y, each (points,) float64, of every series at these slider and column values."""
        x = evenly(self.domain, self.points, values)
        return _evaluated(self.series, x, {**values, self.x.name: x})

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y and series."""
        low, high = map(scope.code, self.domain)
        transforms: list[Vega] = [
            {"type": "sequence", "start": 0, "stop": self.points, "as": "i"},
            marks.formula("x", f"{low} + datum.i * ({high} - {low}) / {self.points - 1}"),
        ]
        here = scope.along(self.x, "datum.x")
        codes = [here.code(expression) for expression in self.series.values()]
        return {"name": name, "transform": [*transforms, *self._transforms(codes)]}


@dataclass(frozen=True, kw_only=True)
class Sequence(_Sampled):
    """Expressions in an integer index, such as the layer of a network.

    Attributes:
        index: the symbol that runs through the integers.
        range: its first and last value, both included, expressions in sliders and columns.
        series: label to expression in the index, sliders and columns, or to a list of expressions
            in sliders and columns, one for each index from the first on.
        x: where an index lies on the horizontal axis, an expression in it; by default the index.
        mark: "line"; "guide", a thin muted line; "area", stacked, the first lowest; "bar"; "dot";
            "spike", a line from 0 with a dot at its end; "stem", a muted line from 0.
        width: of a bar, in units of the horizontal axis.

    Raises:
        ValueError: no series, an unknown mark, or a width that is not positive.
    """

    index: sympy.Symbol
    range: tuple[Expression, Expression]
    series: Mapping[str, Expression | Several[Expression]]
    x: Expression | None = None
    mark: str = "line"
    width: float = 0.8

    @property
    def _x(self) -> Expression:
        return self.index if self.x is None else self.x

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """x and y, each (count,) float64, of every series at these slider and column values."""
        first, last = (number(bound, values) for bound in self.range)
        index = np.arange(first, last + 1)
        values = {**values, self.index.name: index}
        x = along(self._x, values, index)
        named = {label: one for label, one in self.series.items() if not isinstance(one, Several)}
        found = _evaluated(named, x, values)
        for label, one in self.series.items():
            if isinstance(one, Several):
                listed = [number(each, values) for each in one]
                found[label] = (x, np.array((listed + [np.nan] * len(x))[: len(x)]))
        return {label: found[label] for label in self.series}

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y and series."""
        first, last = map(scope.code, self.range)
        start = {"signal": first}
        stop = {"signal": f"{last} + 1"}
        here = scope.along(self.index, "datum.i")
        codes = [
            f"{scope.listed([*one])}[datum.i - {first}]"
            if isinstance(one, Several)
            else here.code(one)
            for one in self.series.values()
        ]
        return {
            "name": name,
            "transform": [
                {"type": "sequence", "start": start, "stop": stop, "as": "i"},
                marks.formula("x", here.code(self._x)),
                *self._transforms(codes),
            ],
        }


def _evaluated(
    series: Mapping[str, Expression], x: np.ndarray, values: Mapping[str, Any]
) -> Evaluated:
    return {label: (x, along(expression, values, x)) for label, expression in series.items()}
