"""Recorded rows: those that belong to the settings of the controls, as dots, bars and so on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy

from unrolled.checks import check_size
from unrolled.teaching.explorable import marks
from unrolled.teaching.explorable.look import Vega
from unrolled.teaching.explorable.rows import Table, columns_of, places, rounded
from unrolled.teaching.explorable.scope import Evaluated, Scope
from unrolled.teaching.explorable.vega import numeric, printed
from unrolled.teaching.fields import check_fields


@dataclass(frozen=True, kw_only=True)
class Points(marks.Marked):
    """Recorded or computed rows: those that belong to the settings of the sliders.

    Attributes:
        rows: a table (DataFrame or mapping of columns).  Columns named like sliders choose the
            rows; every combination of their values must occur.
        x, y: the columns that are drawn, finite numbers.
        series: the column that holds each row's label.
        where: a condition in the sliders and in symbols named like x and y; rows where it is false
            are not drawn.
        digits: significant digits that are kept of x and y.
        mark: how it is drawn, see `Sequence`.
        width: of a bar, in units of the horizontal axis.

    Raises:
        ValueError: a column that is not there, no rows, a number that is not finite, an unknown
            mark, or a width that is not positive.
    """

    rows: Table = field(repr=False)
    x: str
    y: str
    series: str
    where: sympy.Basic = sympy.true
    digits: int = 6
    mark: str = "dot"
    width: float = 0.8

    def __post_init__(self) -> None:
        check_fields(self)
        check_size("digits", self.digits, most=17)
        marks.require(self.mark, self.width)
        columns = columns_of(self.rows)
        for argument in ("x", "y", "series"):
            if (name := getattr(self, argument)) not in columns:
                raise ValueError(
                    f"{argument}: rows must have a column {name}, got {', '.join(columns)}"
                )
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
        labels = self.labels
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        fields = [f"index{j}" for j in range(len(choosing))]
        writer.writerow(["x", "y", "label", *fields])
        columns = (self.rows[column].tolist() for column in (self.x, self.y, self.series))
        for x, y, label, setting in zip(*columns, index, strict=True):
            writer.writerow([x, y, labels.index(label), *setting])
        names = {**scope.names, self.x: "datum.x", self.y: "datum.y"}
        conditions = [f"datum.index{j} === {s.index_signal}" for j, s in enumerate(choosing)]
        conditions.append(printed(self.where, names))
        parse = dict.fromkeys(["x", "y", "label", *fields], "number")
        # A row names its series by number, since the labels are most of the table otherwise.
        series = marks.formula("series", f"{json.dumps(labels)}[datum.label]")
        return {
            "name": name,
            "values": text.getvalue().rstrip("\n"),
            "format": {"type": "csv", "parse": parse},
            "transform": [
                series,
                {"type": "filter", "expr": " && ".join(conditions)},
                *marks.fields(self.mark, self.width),
            ],
        }
