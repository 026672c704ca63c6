"""The panels of an explorable, each a Vega specification of its own.

What stands around the axes (titles, names, legends) is HTML; see `page`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from unrolled.teaching.explorable import look
from unrolled.teaching.explorable.bars import LEFT, Bars
from unrolled.teaching.explorable.curves import Curves, Sequence
from unrolled.teaching.explorable.look import Style, Vega
from unrolled.teaching.explorable.marks import extent
from unrolled.teaching.explorable.plane import POINTER, Handle, Paths, Segments, Texts
from unrolled.teaching.explorable.points import Points
from unrolled.teaching.explorable.scope import Expression, Scope, number
from unrolled.teaching.fields import check_fields

Layer = Curves | Sequence | Points | Bars | Paths | Segments | Texts | Handle

ON_A_PHONE = 0.75  # of the height elsewhere


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
        x_ticks: words below the horizontal axis, by their places; by default numbers.
        equal: whether a unit is as long on both axes; one of the domains, both of which must be
            given, is then widened to fit.
        height: of the plot, in pixels, on a phone less; bars set their own.

    Raises:
        ValueError: no layers, an unknown scale, no domain on a logarithmic axis, on one of two
            axes with equal units, or for words below an axis, bars beside other layers, or a label
            used by two layers.
    """

    layers: tuple[Layer, ...]
    title: str = ""
    x_label: str = ""
    y_label: str = ""
    y_scale: str = "linear"
    x_domain: tuple[Expression, Expression] | None = None
    y_domain: tuple[Expression, Expression] | None = None
    x_ticks: Mapping[float, str] | None = None
    equal: bool = False
    height: int = 220

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.layers:
            raise ValueError("layers must not be empty")
        if self.y_scale not in ("linear", "log"):
            raise ValueError(f"y_scale must be linear or log, got {self.y_scale}")
        if self.y_scale == "log" and self.y_domain is None:
            raise ValueError("y_domain must be given when y_scale is log")
        if self.equal and (self.log or self.x_domain is None or self.y_domain is None):
            raise ValueError("x_domain and y_domain must be given, and linear, when equal is True")
        if any(isinstance(layer, Bars) for layer in self.layers) and len(self.layers) > 1:
            raise ValueError("layers: bars fill a panel alone")
        if self.bars:
            object.__setattr__(self, "height", self.bars.height)
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

    @property
    def summary(self) -> str:
        """What is drawn against what, in a few words."""
        value = self.title or self.y_label
        return " against ".join(filter(None, (value, self.x_label))) or "values"

    @property
    def bars(self) -> Bars | None:
        """The layer of bars that fills the panel, if it is one."""
        first = self.layers[0]
        return first if isinstance(first, Bars) else None


def styles(panels: tuple[Panel, ...]) -> dict[str, Style]:
    """How every label looks, the same in all panels.

    Raises:
        ValueError: a label that is drawn in two ways, or more than can be told apart.
    """
    found: dict[str, str] = {}
    for layer in (layer for panel in panels for layer in panel.layers):
        for label in layer.labels:
            if found.setdefault(label, layer.look) != layer.look:
                raise ValueError(f"layers: {label} is both {found[label]} and {layer.look}")
    return look.styles(found)


def common(styles: Mapping[str, Style], signals: list[Vega]) -> Vega:
    """What all panels of an explorable share: `signals` define every name that they speak of."""
    return {
        "width": 640,
        "padding": 2,
        "autosize": "pad",
        "background": None,
        "signals": [
            *signals,
            {"name": "phone", "value": False},
            {"name": "isolated", "value": None},  # the label of the series that is looked at alone
            *({"name": symbol.name, "value": 0} for symbol in POINTER),
        ],
        "scales": look.scales(styles),
        "config": look.config(),
    }


def specification(i: int, panel: Panel, scope: Scope) -> Vega:
    """What panel i adds to the specification that all share.

    The data set of its layer j is called `panel{i}_layer{j}` and has fields x, y, series.

    Raises:
        ValueError: an expression that cannot be evaluated by Vega.
    """
    names = [f"panel{i}_layer{j}" for j in range(len(panel.layers))]
    layers = list(zip(names, panel.layers, strict=True))
    height = f"phone ? {round(ON_A_PHONE * panel.height)} : {panel.height}"
    signals = [{"name": "height", "update": str(panel.height) if panel.bars else height}]
    if panel.equal:
        signals += _equal(panel, scope)
    marks = {name: layer.drawn(name, "x", "y", log=panel.log) for name, layer in layers}
    handles = [name for name, layer in layers if isinstance(layer, Handle)]
    for name, layer in layers:
        if isinstance(layer, Handle):
            signals += layer.signals(name, scope).values()
    # Dots on the frame stay whole; what lies outside the axes is cut off.
    left = -9 - (LEFT if panel.bars else 0)
    below = 0 if panel.log else 9
    edge = f"'M{left},-9H' + (width + 9) + 'V' + (height + {below}) + 'H{left}Z'"
    inside = [mark for name, mark in marks.items() if name not in handles]
    return {
        "signals": signals,
        "data": [layer.data(name, scope) for name, layer in layers],
        "scales": _scales(panel, names, scope),
        "axes": _axes(panel),
        "marks": [
            {"type": "group", "clip": {"path": {"signal": edge}}, "marks": inside},
            *(marks[name] for name in handles),
            *(panel.bars.texts(names[0], log=panel.log) if panel.bars else ()),
        ],
    }


def whole(shared: Vega, panel: Vega) -> Vega:
    """The complete specification of a panel; the front end puts it together in the same way."""
    lists = {name: [*shared[name], *panel[name]] for name in ("signals", "scales")}
    return {**shared, **panel, **lists}


def front(i: int, panel: Panel, scope: Scope) -> Vega:
    """What the front end needs to know of a panel besides its specification."""
    names = [f"panel{i}_layer{j}" for j in range(len(panel.layers))]
    layers = list(zip(names, panel.layers, strict=True))
    along = Curves | Sequence | Points
    return {
        "labels": panel.labels,
        "bars": [name for name, layer in layers if isinstance(layer, Bars)],
        "along": [name for name, layer in layers if isinstance(layer, along)],
        "summary": panel.summary,
        "x": panel.x_label or "x",
        "ticks": {f"{place:g}": text for place, text in (panel.x_ticks or {}).items()},
        "handles": {
            name: {index: one["name"] for index, one in layer.signals(name, scope).items()}
            for name, layer in layers
            if isinstance(layer, Handle)
        },
    }


def _equal(panel: Panel, scope: Scope) -> list[Vega]:
    """The signals x_ends and y_ends: the domains, one of them widened about its middle."""
    signals = []
    ends = {"x": panel.x_domain, "y": panel.y_domain}
    for axis, domain in ends.items():
        low, high = map(scope.code, domain or ())
        signals.append({"name": f"{axis}_middle", "update": f"({low} + {high}) / 2"})
        signals.append({"name": f"{axis}_span", "update": f"{high} - {low}"})
    unit = "min(width / x_span, height / y_span)"
    for axis, length in (("x", "width"), ("y", "height")):
        middle, half = f"{axis}_middle", f"{length} / (2 * {unit})"
        ends_of = f"[{middle} - {half}, {middle} + {half}]"
        signals.append({"name": f"{axis}_ends", "update": ends_of})
    return signals


def _scales(panel: Panel, names: list[str], scope: Scope) -> list[Vega]:
    def domain(axis: str) -> Vega:
        given = panel.x_domain if axis == "x" else panel.y_domain
        if panel.equal:
            return {"domain": {"signal": f"{axis}_ends"}, "zero": False}
        if given is not None:
            return {"domain": {"signal": scope.listed([*given])}, "zero": False}
        data = [
            {"data": name, "field": field}
            for name, layer in zip(names, panel.layers, strict=True)
            for field in extent(layer.look, axis)
            if layer.labels
        ]
        return {"domain": {"fields": data}, "zero": axis == "y"}

    value = {"type": panel.y_scale, **domain("y"), "nice": panel.y_domain is None}
    if panel.log:
        del value["zero"]
    if panel.bars:
        room = {"signal": f"[{-LEFT}, width - 76]"}  # the values stand to the right of the bars
        return [{"name": "x", **value, "range": room}]
    across = {"name": "x", "type": "linear", **domain("x"), "range": {"signal": "[0, width]"}}
    return [across, {"name": "y", **value, "range": {"signal": "[height, 0]"}}]


def _axes(panel: Panel) -> list[Vega]:
    values = {"scale": "y", "orient": "left", "grid": True, **_ticks(panel)}
    if panel.bars:
        return [values | {"scale": "x", "orient": "bottom", "title": panel.x_label or None}]
    # Room for labels is fixed, so that the left edges of all plots lie in line.
    values |= {"minExtent": LEFT - 4, "maxExtent": LEFT - 4}
    across: Vega = {"scale": "x", "orient": "bottom", "title": panel.x_label or None}
    across["tickCount"] = {"signal": "ceil(width / 80)"}
    if panel.x_ticks:
        words = {f"{place:g}": text for place, text in panel.x_ticks.items()}
        text = f"{json.dumps(words, ensure_ascii=False)}[datum.value]"
        across["values"] = [float(place) for place in panel.x_ticks]
        across["encode"] = {"labels": {"update": {"text": {"signal": text}}}}
        across["labelFlush"] = False
    elif any(isinstance(layer, Sequence) and layer.x is None for layer in panel.layers):
        across["tickMinStep"] = 1  # between integers there is nothing
    return [across, values]


def _ticks(panel: Panel) -> Vega:
    if not panel.log:
        return {"tickCount": max(2, panel.height // 45)}
    label = look.tick_label("datum.value")
    ticks: Vega = {}
    bounds = panel.y_domain or ()
    if not any(getattr(bound, "free_symbols", None) for bound in bounds):
        low, high = (number(bound, {}) for bound in bounds)
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        if last - first >= 2:
            step = math.ceil((last - first) / 5)
            ticks["values"] = [float(f"1e{k}") for k in range(last, first - 1, -step)]
    if not ticks:  # between powers of ten there may be too many
        label = f"{look.leading('datum.value')} ? ({label}) : ''"
    return ticks | {"encode": {"labels": {"update": {"text": {"signal": label}}}}}
