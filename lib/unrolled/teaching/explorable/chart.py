"""The Vega specification of an explorable: its panels one below the other, one legend each.

Positions are Vega expressions of `width`, so a narrow page folds headings and legends.
"""

from __future__ import annotations

import json
import math
import textwrap
from dataclasses import dataclass
from typing import Any

from unrolled.teaching.explorable import look
from unrolled.teaching.explorable.layers import (
    Bars,
    Curves,
    Expression,
    Points,
    Scope,
    Sequence,
)
from unrolled.teaching.explorable.look import Vega

Layer = Curves | Sequence | Points | Bars

LINE = 18
TICKS = 24  # below a plot, without and with a label
AXIS = 44
GAP = 22
LEFT = 42  # of a plot, for the labels of its axis
NARROW = 520


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes with its layers.

    Attributes:
        layers: what is drawn, the last on top.  Bars fill a panel alone.
        title: one line above the panel; "" for none.
        x_label, y_label: what the axes mean, with units.
        y_scale: "linear" or "log", of the values; for bars these run from left to right.
        x_domain, y_domain: the ends of the axes, expressions in sliders and columns; by default
            what the data need.  A logarithmic axis must have a domain.
        height: of the plot, in pixels; bars set their own.

    Raises:
        ValueError: no layers, an unknown scale, no domain on a logarithmic axis, bars beside other
            layers, or a label used by two layers.
    """

    layers: tuple[Layer, ...]
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    y_scale: str = "linear"
    x_domain: tuple[Expression, Expression] | None = None
    y_domain: tuple[Expression, Expression] | None = None
    height: int = 220

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers must not be empty")
        if self.y_scale not in ("linear", "log"):
            raise ValueError(f"y_scale must be linear or log, got {self.y_scale}")
        if self.y_scale == "log" and self.y_domain is None:
            raise ValueError("y_domain must be given when y_scale is log")
        if any(isinstance(layer, Bars) for layer in self.layers):
            if len(self.layers) > 1:
                raise ValueError("layers: bars fill a panel alone")
            object.__setattr__(self, "height", self.layers[0].stride * len(self.layers[0].groups))
        for label in self.labels:
            if self.labels.count(label) > 1:
                raise ValueError(f"layers: the label {label} is used twice in one panel")

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of all series."""
        return tuple(label for layer in self.layers for label in layer.labels)

    @property
    def log(self) -> bool:
        return self.y_scale == "log"


def specification(panels: tuple[Panel, ...], scope: Scope, signals: list[Vega]) -> Vega:
    """The Vega specification of the panels, in which `signals` define every name of the scope.

    The data set of layer j of panel i is called `panel{i}_layer{j}` and has fields x, y, series.

    Raises:
        ValueError: an expression that cannot be evaluated by Vega.
    """
    data, scales, groups = [], look.styles(_looks(panels)), []
    signals = [*signals]
    tops = ["0"]
    for i, panel in enumerate(panels):
        names = [f"panel{i}_layer{j}" for j in range(len(panel.layers))]
        for layer, name in zip(panel.layers, names, strict=True):
            data.append(layer.data(name, scope))
        scales += _axes_scales(i, panel, names, scope)
        header, parts = _header(panel)
        top, bottom = f"panel{i}_top", panel.height + (AXIS if panel.x_label else TICKS) + GAP
        signals.append({"name": top, "update": f"{tops[-1]} + {header}"})
        tops.append(f"{top} + {bottom}")
        groups.append(_group(i, panel, names, parts))
    signals.append({"name": "height", "update": f"{tops[-1]} - {GAP}"})
    return {
        "width": 640,
        "padding": 2,
        "autosize": "pad",
        "background": None,
        "signals": signals,
        "data": data,
        "scales": scales,
        "marks": groups,
        "config": look.config(),
    }


def _looks(panels: tuple[Panel, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for layer in (layer for panel in panels for layer in panel.layers):
        for label in layer.labels:
            if found.setdefault(label, layer.look) != layer.look:
                raise ValueError(f"layers: {label} is both {found[label]} and {layer.look}")
    return found


def _axes_scales(i: int, panel: Panel, names: list[str], scope: Scope) -> list[Vega]:
    def domain(given: tuple[Expression, Expression] | None, field: str) -> Any:
        if given is not None:
            return {"signal": f"[{', '.join(scope.code(bound) for bound in given)}]"}
        fields = [
            "above" if field == "y" and layer.look == "area" else field for layer in panel.layers
        ]
        pairs = zip(names, fields, strict=True)
        return {"fields": [{"data": name, "field": field} for name, field in pairs]}

    value = {"type": panel.y_scale, "domain": domain(panel.y_domain, "y")}
    if panel.y_domain is None:
        value["nice"] = True
    if isinstance(panel.layers[0], Bars):
        room = {"signal": f"[{-LEFT}, width - 76]"}  # the values stand to the right of the bars
        return [{"name": f"x{i}", **value, "range": room}]
    across = {"type": "linear", "domain": domain(panel.x_domain, "x"), "zero": False}
    return [
        {"name": f"x{i}", **across, "range": {"signal": "[0, width]"}},
        {"name": f"y{i}", **value, "range": [panel.height, 0]},
    ]


def _header(panel: Panel) -> tuple[str, list[Vega]]:
    """The height of what stands above a plot, as Vega code, and the marks and legend there."""
    parts = []  # from top to bottom
    if panel.title:
        parts.append(_text(panel.title, "bold", "text"))
    if panel.y_label:
        parts.append(_text(panel.y_label, "normal", "muted"))
    if len(panel.labels) > 1:
        parts.append(_legend(panel.labels))
    above = "8"
    for height, part in reversed(parts):
        above = f"{above} + {height}"
        if "legendX" in part:
            part["legendY"] = {"signal": f"-({above})"}
        else:
            part["encode"]["update"]["y"] = {"signal": f"-({above})"}
    return above, [part for _, part in parts]


def _legend(labels: tuple[str, ...]) -> tuple[str, Vega]:
    column = 6.6 * max(map(len, labels)) + 42
    columns = f"clamp(floor((width + {LEFT}) / {column:.0f}), 1, {len(labels)})"
    size = "scale('shape', datum.value) === 'stroke' ? 280 : 70"
    legend = {
        "orient": "none",
        "legendX": -LEFT,
        "direction": "horizontal",
        "columns": {"signal": columns},
        "stroke": "colour",
        "fill": "fill",
        "strokeDash": "dash",
        "shape": "shape",
        "values": list(labels),
        "encode": {"symbols": {"update": {"size": {"signal": size}}}},
    }
    return f"({LINE + 2} * ceil({len(labels)} / {columns}) + 4)", legend


def _text(text: str, weight: str, ink: str) -> tuple[str, Vega]:
    wide, narrow = textwrap.wrap(text, 84), textwrap.wrap(text, 40)
    lines = [json.dumps(wrapped, ensure_ascii=False) for wrapped in (narrow, wide)]
    encode = {
        "x": {"value": -LEFT},
        "text": {"signal": f"width < {NARROW} ? {lines[0]} : {lines[1]}"},
        "baseline": {"value": "top"},
        "fontWeight": {"value": weight},
        "fontSize": {"value": look.FONT + 1 if weight == "bold" else look.FONT},
        "lineHeight": {"value": LINE},
        "fill": {"value": look.colour(ink)},
    }
    height = f"{LINE} * (width < {NARROW} ? {len(narrow)} : {len(wide)})"
    return f"({height})", {"type": "text", "encode": {"update": encode}}


def _group(i: int, panel: Panel, names: list[str], header: list[Vega]) -> Vega:
    x, y = f"x{i}", f"y{i}"
    size = {"width": {"signal": "width"}, "height": {"value": panel.height}}
    drawn = [
        layer.drawn(name, x, y, log=panel.log)
        for layer, name in zip(panel.layers, names, strict=True)
    ]
    # Dots on the frame stay whole; what lies outside the axes is cut off.
    edge = f"'M-9,-9H' + (width + 9) + 'V{panel.height + (0 if panel.log else 9)}H-9Z'"
    marks = [{"type": "group", "clip": {"path": {"signal": edge}}, "marks": drawn}]
    bars = isinstance(panel.layers[0], Bars)
    values = {"scale": x if bars else y, "orient": "bottom" if bars else "left", "grid": True}
    values |= _ticks(panel)
    if bars:
        axes = [values | {"title": panel.x_label or None}]
        marks += _bar_texts(panel.layers[0], names[0], x, panel)
    else:
        # Room for labels is fixed, so that the left edges of all plots lie in line.
        values |= {"minExtent": LEFT - 4, "maxExtent": LEFT - 4}
        ticks = {"signal": "ceil(width / 80)"}
        across = {"scale": x, "orient": "bottom", "tickCount": ticks}
        across["title"] = panel.x_label or None
        if any(isinstance(layer, Sequence) and layer.x is None for layer in panel.layers):
            across["tickMinStep"] = 1  # between integers there is nothing
        axes = [across, values]
    return {
        "type": "group",
        "encode": {"update": {**size, "y": {"signal": f"panel{i}_top"}}},
        "signals": [{"name": "height", "update": f"{panel.height}"}],  # the grid's, not the chart's
        "axes": axes,
        "legends": [part for part in header if "legendX" in part],
        "marks": [*marks, *(part for part in header if "legendX" not in part)],
    }


def _bar_texts(bars: Bars, name: str, x: str, panel: Panel) -> list[Vega]:
    baseline = (1 if panel.log else 0) if bars.baseline is None else bars.baseline
    line = {
        "x": {"scale": x, "value": baseline},
        "y": {"value": 0},
        "y2": {"value": panel.height},
        "stroke": {"value": look.colour("muted")},
    }
    number = {
        "x": {"signal": "width"},
        "y": {"field": "top", "offset": (bars.bar - 3) / 2},
        "text": {"signal": look.number_label("datum.y")},
        "align": {"value": "right"},
        "baseline": {"value": "middle"},
        "fontSize": {"value": look.FONT},
        "fill": {"value": look.colour("text")},
    }
    headings = [
        {
            "type": "text",
            "encode": {
                "update": {
                    "x": {"value": -LEFT},
                    "y": {"value": g * bars.stride + bars.heading - 5},
                    "text": {"value": group},
                    "fontSize": {"value": look.FONT},
                    "fill": {"value": look.colour("text")},
                }
            },
        }
        for g, group in enumerate(bars.groups)
    ]
    return [
        {"type": "rule", "encode": {"update": line}},
        {"type": "text", "from": {"data": name}, "encode": {"update": number}},
        *headings,
    ]


def _ticks(panel: Panel) -> Vega:
    if not panel.log:
        return {"tickCount": max(2, panel.height // 45)}
    label = {"update": {"text": {"signal": look.tick_label("datum.value")}}}
    ticks: Vega = {"encode": {"labels": label}}
    if not any(getattr(bound, "free_symbols", None) for bound in panel.y_domain):
        low, high = (float(bound) for bound in panel.y_domain)
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        if last - first >= 2:
            step = math.ceil((last - first) / 5)
            ticks["values"] = [float(f"1e{k}") for k in range(last, first - 1, -step)]
    return ticks
