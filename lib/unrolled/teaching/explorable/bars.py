"""Numbers to be compared within groups, as horizontal bars; they fill a panel alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.teaching.explorable import look, marks
from unrolled.teaching.explorable.look import Vega
from unrolled.teaching.explorable.scope import Evaluated, Expression, Scope, number
from unrolled.teaching.fields import check_fields

LEFT = 42  # of a plot, for the labels of its axis


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
        check_fields(self)
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

    @property
    def height(self) -> int:
        """The height of all groups in pixels."""
        return self.stride * len(self.groups)

    def _start(self, log: bool) -> float:
        return (1 if log else 0) if self.baseline is None else self.baseline

    def evaluate(self, values: Mapping[str, float]) -> Evaluated:
        """The groups' names and values, each (groups,), of every series."""
        return {
            label: (
                np.array(self.groups),
                np.array([number(expression, values) for expression in groups.values()]),
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
        value = marks.formula("y", f"[{', '.join(codes)}][datum.i]")
        return {"name": name, "values": rows, "transform": [value]}

    def drawn(self, data: str, x: str, y: str, *, log: bool) -> Vega:
        """The Vega mark that draws the data set; values lie along the scale x."""
        end = marks.place(x, "datum.y", log=log)["signal"]
        encode = {
            "x": {"scale": x, "value": self._start(log)},
            "x2": {"signal": f"min({end}, range('{x}')[1])"},  # not over the numbers
            "y": {"field": "top"},
            "height": {"value": self.bar - 3},
            "fill": {"scale": "colour", "field": "series"},
            "opacity": {"signal": marks.ALONE},
        }
        return {"type": "rect", "from": {"data": data}, "encode": {"update": encode}}

    def texts(self, data: str, *, log: bool) -> list[Vega]:
        """The Vega marks of where the bars start, of their numbers, and of the groups' names."""
        line = {
            "x": {"scale": "x", "value": self._start(log)},
            "y": {"value": 0},
            "y2": {"value": self.height},
            "stroke": {"value": look.colour("muted")},
        }
        figure = {
            "x": {"signal": "width"},
            "y": {"field": "top", "offset": (self.bar - 3) / 2},
            "text": {"signal": look.number_label("datum.y")},
            "align": {"value": "right"},
            "baseline": {"value": "middle"},
            "fontSize": {"value": look.FONT},
            "fill": {"value": look.colour("text")},
        }
        headings = [
            {
                "x": {"value": -LEFT},
                "y": {"value": g * self.stride + self.heading - 5},
                "text": {"value": group},
                "fontSize": {"value": look.FONT},
                "fill": {"value": look.colour("text")},
            }
            for g, group in enumerate(self.groups)
        ]
        return [
            {"type": "rule", "encode": {"update": line}},
            {"type": "text", "from": {"data": data}, "encode": {"update": figure}},
            *({"type": "text", "encode": {"update": heading}} for heading in headings),
        ]
