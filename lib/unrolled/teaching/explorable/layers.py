"""What a panel of an explorable can show: curves, sequences, recorded points and bars.

Every layer has two faces made from the same expressions: `evaluate` computes its values here, and
`data` and `drawn` tell Vega how the browser computes and draws them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import sympy

from unrolled.teaching.explorable.look import Vega
from unrolled.teaching.explorable.rows import Table, columns_of, places, rounded
from unrolled.teaching.explorable.slider import Slider
from unrolled.teaching.explorable.vega import numeric, printed

Expression = sympy.Expr | float | int
Evaluated = dict[str, tuple[np.ndarray, np.ndarray]]

MARKS = ("line", "area", "stem", "dot")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an expression may speak of: the sliders, and the Vega code of every known name."""

    sliders: tuple[Slider, ...]
    names: Mapping[str, str]

    def code(self, expression: Expression) -> str:
        """The expression in Vega's language.

        Raises:
            ValueError: an expression that has no such form.
        """
        return printed(expression, self.names)

    def along(self, symbol: sympy.Symbol, code: str) -> Scope:
        """The scope in which the symbol of an axis is known too.

        Raises:
            ValueError: a symbol that already means something else.
        """
        if symbol.name in self.names:
            raise ValueError(f"{symbol} is an axis, but also a slider or a column")
        return Scope(sliders=self.sliders, names={**self.names, symbol.name: code})


class _Sampled:
    """Curves and sequences: expressions at points that are counted by an index i."""

    series: Mapping[str, Expression]
    mark: str

    def __post_init__(self) -> None:
        if not self.series:
            raise ValueError("series must not be empty")
        if self.mark not in MARKS:
            raise ValueError(f"mark must be one of {', '.join(MARKS)}, got {self.mark}")

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.series)

    @property
    def look(self) -> str:
        return self.mark

    def _evaluated(self, x: np.ndarray, values: Mapping[str, Any]) -> Evaluated:
        return {
            label: (x, np.broadcast_to(numeric(expression)(values), x.shape))
            for label, expression in self.series.items()
        }

    def _transforms(self, scope: Scope) -> list[Vega]:
        """From rows with x to rows with x, y and series."""
        fields = [f"y{j}" for j in range(len(self.series))]
        labels = json.dumps(dict(zip(fields, self.series, strict=True)), ensure_ascii=False)
        transforms = [
            *(
                {"type": "formula", "as": name, "expr": scope.code(expression)}
                for name, expression in zip(fields, self.series.values(), strict=True)
            ),
            {"type": "fold", "fields": fields, "as": ["field", "y"]},
            {"type": "formula", "as": "series", "expr": f"{labels}[datum.field]"},
        ]
        if self.mark == "area":
            stack = {"type": "stack", "groupby": ["x"], "field": "y", "as": ["below", "above"]}
            transforms.append(stack)
        return transforms

    def drawn(self, data: str, x: str, y: str, *, log: bool) -> Vega:
        """The Vega mark that draws the data set with the scales x and y."""
        return _drawn(self.mark, data, x, y, log=log)


@dataclass(frozen=True, kw_only=True)
class Curves(_Sampled):
    """Expressions in a continuous x, at evenly spaced points of an interval.

    Attributes:
        x: the symbol on the horizontal axis.
        domain: its lowest and highest value, expressions in sliders and columns.
        series: label to expression in x, sliders and columns.
        points: how many points are computed for each curve.
        mark: "line", "area", "stem" or "dot"; areas are stacked, the first lowest.

    Raises:
        ValueError: no series, fewer than two points, or an unknown mark.
    """

    x: sympy.Symbol
    domain: tuple[Expression, Expression]
    series: Mapping[str, Expression]
    points: int = 201
    mark: str = "line"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.points < 2:
            raise ValueError(f"points must be at least 2, got {self.points}")

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """x and y, each (points,) float64, of every series at these slider and column values."""
        low, high = (numeric(bound)(values) for bound in self.domain)
        x = low + (high - low) * np.arange(self.points) / (self.points - 1)
        return self._evaluated(x, {**values, self.x.name: x})

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y and series."""
        low, high = map(scope.code, self.domain)
        x = f"{low} + ({high} - {low}) * datum.i / {self.points - 1}"
        start = {"type": "sequence", "start": 0, "stop": self.points, "as": "i"}
        position = {"type": "formula", "as": "x", "expr": x}
        scope = scope.along(self.x, "datum.x")
        return {"name": name, "transform": [start, position, *self._transforms(scope)]}


@dataclass(frozen=True, kw_only=True)
class Sequence(_Sampled):
    """Expressions in an integer index, such as the layer of a network.

    Attributes:
        index: the symbol that runs through the integers.
        range: its first and last value, both included, expressions in sliders and columns.
        series: label to expression in the index, sliders and columns.
        x: where an index lies on the horizontal axis, an expression in it; by default the index.
        mark: "line", "area", "stem" or "dot"; areas are stacked, the first lowest.

    Raises:
        ValueError: no series or an unknown mark.
    """

    index: sympy.Symbol
    range: tuple[Expression, Expression]
    series: Mapping[str, Expression]
    x: Expression | None = None
    mark: str = "line"

    @property
    def _x(self) -> Expression:
        return self.index if self.x is None else self.x

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """x and y, each (count,) float64, of every series at these slider and column values."""
        first, last = (float(numeric(bound)(values)) for bound in self.range)
        index = np.arange(first, last + 1)
        values = {**values, self.index.name: index}
        return self._evaluated(np.broadcast_to(numeric(self._x)(values), index.shape), values)

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y and series."""
        first, last = map(scope.code, self.range)
        start = {"signal": first}
        stop = {"signal": f"{last} + 1"}
        scope = scope.along(self.index, "datum.i")
        return {
            "name": name,
            "transform": [
                {"type": "sequence", "start": start, "stop": stop, "as": "i"},
                {"type": "formula", "as": "x", "expr": scope.code(self._x)},
                *self._transforms(scope),
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Points:
    """Recorded or computed rows as dots: those that belong to the settings of the sliders.

    Attributes:
        rows: a table (DataFrame or mapping of columns).  Columns named like sliders choose the
            rows; every combination of their values must occur.
        x, y: the columns that are drawn, finite numbers.
        series: the column that holds each row's label.
        where: a condition in the sliders and in symbols named like x and y; rows where it is false
            are not drawn.
        digits: significant digits that are kept of x and y.

    Raises:
        ValueError: a column that is not there, no rows, or a number that is not finite.
    """

    rows: Table = field(repr=False)
    x: str
    y: str
    series: str
    where: sympy.Basic = sympy.true
    digits: int = 6

    look: ClassVar[str] = "dot"

    def __post_init__(self) -> None:
        columns = columns_of(self.rows)
        for name in (self.x, self.y, self.series):
            if name not in columns:
                raise ValueError(f"rows must have a column {name}, got {', '.join(columns)}")
        if not len(columns[self.series]):
            raise ValueError("rows must not be empty")
        for name in (self.x, self.y):
            columns[name] = rounded(name, columns[name], self.digits)
        columns[self.series] = columns[self.series].astype(str)
        object.__setattr__(self, "rows", columns)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.rows[self.series].tolist()))

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """x and y, each (rows,) float64, of every series at these slider values."""
        x, y, labels = (self.rows[name] for name in (self.x, self.y, self.series))
        condition = numeric(self.where)({**values, self.x: x, self.y: y})
        chosen = np.broadcast_to(condition == 1, x.shape)
        for name in self.rows.keys() & values.keys() - {self.x, self.y, self.series}:
            chosen = chosen & np.isclose(self.rows[name].astype(float), values[name], rtol=1e-9)
        return {
            label: (x[chosen & (labels == label)], y[chosen & (labels == label)])
            for label in self.labels
        }

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x, y and series, its rows as compact CSV."""
        drawn = {self.x, self.y, self.series}
        choosing = [s for s in scope.sliders if s.name in self.rows.keys() - drawn]
        index = places(self.rows, choosing)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        fields = [f"index{j}" for j in range(len(choosing))]
        writer.writerow(["x", "y", "label", *fields])
        columns = (self.rows[column].tolist() for column in (self.x, self.y, self.series))
        for x, y, label, place in zip(*columns, index, strict=True):
            writer.writerow([x, y, self.labels.index(label), *place])
        names = {**scope.names, self.x: "datum.x", self.y: "datum.y"}
        conditions = [f"datum.index{j} === {s.index_signal}" for j, s in enumerate(choosing)]
        conditions.append(printed(self.where, names))
        parse = dict.fromkeys(["x", "y", "label", *fields], "number")
        # A row names its series by number, since the labels are most of the table otherwise.
        series = {
            "type": "formula",
            "as": "series",
            "expr": f"{json.dumps(self.labels)}[datum.label]",
        }
        return {
            "name": name,
            "values": text.getvalue().rstrip("\n"),
            "format": {"type": "csv", "parse": parse},
            "transform": [series, {"type": "filter", "expr": " && ".join(conditions)}],
        }

    def drawn(self, data: str, x: str, y: str, *, log: bool) -> Vega:
        """The Vega mark that draws the data set with the scales x and y."""
        return _drawn("dot", data, x, y, log=log)


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Numbers to be compared within groups, as horizontal bars; it fills a panel alone.

    Attributes:
        series: label to group to expression in sliders and columns, such as
            `{"product of rates": {"tied": …, "Chebyshev": …}, "truth": {"tied": …, …}}`.
        baseline: where the bars start; on a logarithmic scale 1 by default, else 0.

    Raises:
        ValueError: no series, or series that do not have the same groups.
    """

    series: Mapping[str, Mapping[str, Expression]]
    baseline: float | None = None

    look: ClassVar[str] = "bar"
    bar: ClassVar[int] = 16
    heading: ClassVar[int] = 20
    gap: ClassVar[int] = 8

    def __post_init__(self) -> None:
        if not self.series or not self.groups:
            raise ValueError("series must not be empty")
        for label, groups in self.series.items():
            if tuple(groups) != self.groups:
                raise ValueError(f"series {label} must have the groups {', '.join(self.groups)}")

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.series)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(next(iter(self.series.values())))

    @property
    def stride(self) -> int:
        """The height of one group in pixels."""
        return self.heading + self.bar * len(self.series) + self.gap

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """The groups' names and values, each (groups,), of every series."""
        return {
            label: (
                np.array(self.groups),
                np.array([float(numeric(expression)(values)) for expression in groups.values()]),
            )
            for label, groups in self.series.items()
        }

    def data(self, name: str, scope: Scope) -> Vega:
        """The Vega data set with the fields x (the group), y, series and top (in pixels)."""
        rows, codes = [], []
        for j, (label, groups) in enumerate(self.series.items()):
            for g, (group, expression) in enumerate(groups.items()):
                top = g * self.stride + self.heading + j * self.bar
                rows.append({"x": group, "series": label, "top": top, "i": len(rows)})
                codes.append(scope.code(expression))
        value = {"type": "formula", "as": "y", "expr": f"[{', '.join(codes)}][datum.i]"}
        return {"name": name, "values": rows, "transform": [value]}

    def drawn(self, data: str, x: str, y: str, *, log: bool) -> Vega:
        """The Vega mark that draws the data set; values lie along the scale x."""
        baseline = (1 if log else 0) if self.baseline is None else self.baseline
        encode = {
            "x": {"scale": x, "value": baseline},
            "x2": place(x, "datum.y", log=log),
            "y": {"field": "top"},
            "height": {"value": self.bar - 3},
            "fill": {"scale": "colour", "field": "series"},
        }
        return {"type": "rect", "from": {"data": data}, "encode": {"update": encode}}


def place(scale: str, value: str, *, log: bool) -> Vega:
    """Where the scale puts a value; on a logarithmic one 0 lies far outside and is clipped."""
    return {"signal": f"scale('{scale}', {f'max({value}, 1e-300)' if log else value})"}


def _drawn(mark: str, data: str, x: str, y: str, *, log: bool) -> Vega:
    across = {"scale": x, "field": "x"}
    up = place(y, "datum.y", log=log)
    colour = {"scale": "colour", "field": "series"}
    ground = {"signal": f"range('{y}')[0]"}
    if mark == "dot":
        shape = {"scale": "shape", "field": "series"}
        fill = {"scale": "fill", "field": "series"}
        ring = "scale('fill', datum.series) === 'transparent'"
        encode = {
            "x": across,
            "y": up,
            "fill": fill,
            "stroke": colour,
            "strokeWidth": {"signal": f"{ring} ? 2 : 0"},
            "shape": shape,
            "size": {"signal": f"{ring} ? 130 : 40"},
        }
        return {"type": "symbol", "from": {"data": data}, "encode": {"update": encode}}
    if mark == "stem":
        encode = {"x": across, "y": up, "y2": ground, "stroke": colour, "strokeWidth": {"value": 3}}
        return {"type": "rule", "from": {"data": data}, "encode": {"update": encode}}
    defined = {"signal": "isFinite(datum.y)"}
    encode = {"x": across, "y": up, "defined": defined}
    if mark == "area":
        encode |= {
            "y": place(y, "datum.above", log=log),
            "y2": place(y, "datum.below", log=log),
            "fill": colour,
            "fillOpacity": {"value": 0.55},
            "stroke": colour,
            "strokeWidth": {"value": 1.5},
        }
    else:
        dash = {"scale": "dash", "field": "series"}
        encode |= {"stroke": colour, "strokeDash": dash, "strokeWidth": {"value": 2.5}}
    one = f"{data}_one"
    return {
        "type": "group",
        "from": {"facet": {"name": one, "data": data, "groupby": "series"}},
        "marks": [{"type": mark, "from": {"data": one}, "encode": {"update": encode}}],
    }
