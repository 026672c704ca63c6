"""An explorable: sympy expressions and recorded rows as a chart that lives without a kernel.

The browser evaluates the very expressions that `evaluate` evaluates here; nothing is typed twice
and nothing is precomputed but what the expressions themselves look up in rows.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import sympy
import traitlets
import vl_convert

from unrolled.teaching.explorable.chart import Panel, specification
from unrolled.teaching.explorable.layers import Bars, Evaluated, Scope
from unrolled.teaching.explorable.look import Vega
from unrolled.teaching.explorable.rows import Table, columns_of, places, rounded, setting
from unrolled.teaching.explorable.slider import Slider, signal
from unrolled.teaching.text import to_html

STATIC = Path(__file__).parent.parent / "static"
# Marks of one look, one after the other: a group can say once how they look.
_ALIKE = r'(<path transform="[^"]*" d="[^"]*")( [^>]*)/>(?:<path transform="[^"]*" d="[^"]*"\2/>)+'


@dataclass(frozen=True, kw_only=True)
class Explorable:
    """A chart whose sliders move in a notebook and on a page alike, with no kernel behind it.

    Show it as the last line of a cell.  Every expression in its panels may use the sliders'
    symbols, and symbols named like the columns of `rows`: at any setting of the sliders such a
    symbol has the value of its column in the row of that setting.

    Attributes:
        name: unique on a page, such as "convergence.polynomials".
        title: one line above the sliders.
        alt: what the chart shows, for readers who do not see it.
        caption: what to see in it; Markdown with $mathematics$.
        sliders: what the reader moves.
        panels: what is drawn, one below the other.
        rows: a table (DataFrame or mapping of columns), one row for each combination of the values
            of those sliders that have a column in it, and any further columns of finite numbers.
        digits: significant digits that are kept of each number in `rows`.

    Raises:
        ValueError: a symbol that is no slider, column or axis; a function that Vega cannot
            compute; rows that lack or repeat a setting; an empty alt text, title or caption; two
            sliders with one symbol.

    Example:
        >>> import sympy
        >>> from unrolled.teaching import Curves, Explorable, Panel, Slider
        >>> kappa, K = sympy.symbols("kappa K", positive=True)
        >>> lam = sympy.Symbol("lambda")
        >>> tied = sympy.Abs(1 - 2 * lam / (kappa + 1)) ** K
        >>> explorable = Explorable(
        ...     name="example",
        ...     title="One step size",
        ...     alt="The factor falls to zero in the middle of the spectrum.",
        ...     caption="The tied rule is slow at both ends of the spectrum.",
        ...     sliders=(
        ...         Slider(symbol=kappa, label="condition number κ", values=(2, 10, 100), start=10),
        ...         Slider(symbol=K, label="layers K", values=range(1, 9), start=4),
        ...     ),
        ...     panels=(
        ...         Panel(layers=(Curves(x=lam, domain=(1, kappa), series={"tied": tied}),)),
        ...     ),
        ... )
        >>> lam_values, factor = explorable.evaluate({kappa: 2, K: 1})[0]["tied"]
        >>> round(float(factor[0]), 3)
        0.333
    """

    name: str
    title: str
    alt: str
    caption: str
    sliders: tuple[Slider, ...]
    panels: tuple[Panel, ...]
    rows: Table | None = field(default=None, repr=False)
    digits: int = 6

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][\w.-]*", self.name):
            raise ValueError(f"name must be letters, digits, '.', '-' or '_', got {self.name!r}")
        for argument in ("title", "alt", "caption"):
            if not getattr(self, argument).strip():
                raise ValueError(f"{argument} must not be empty")
        names = [slider.name for slider in self.sliders]
        if not names or not self.panels:
            raise ValueError("sliders and panels must not be empty")
        if len(set(names)) < len(names):
            raise ValueError(f"sliders must have different symbols, got {', '.join(names)}")
        to_html(self.caption)  # these raise what is wrong with a formula and with an expression
        self.specification()

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        """The columns that expressions may use, in the order of the settings."""
        if self.rows is None:
            return {}
        table = columns_of(self.rows)
        found = places(table, self._choosing)
        if len(set(found)) < len(found):
            twice = next(place for place in found if found.count(place) > 1)
            raise ValueError(f"rows repeat the setting {setting(self._choosing, twice)}")
        order = sorted(range(len(found)), key=found.__getitem__)
        sliders = {slider.name for slider in self.sliders}
        return {
            name: rounded(name, column, self.digits)[order]
            for name, column in table.items()
            if name not in sliders
        }

    @cached_property
    def _choosing(self) -> tuple[Slider, ...]:
        """The sliders that choose a row."""
        return tuple(s for s in self.sliders if self.rows is not None and s.name in self.rows)

    @property
    def _strides(self) -> list[int]:
        sizes = [len(slider.values) for slider in self._choosing]
        return [math.prod(sizes[j + 1 :]) for j in range(len(sizes))]

    def evaluate(self, settings: Mapping[sympy.Symbol, float] | None = None) -> list[Evaluated]:
        """Evaluate every expression here, as the browser does.

        Args:
            settings: values of sliders by their symbol; others stay at their start.

        Returns:
            For each panel, label to (x, y), float64 arrays of one length.

        Raises:
            ValueError: a symbol that has no slider or a value that its slider does not offer.
        """
        values = {slider.name: float(slider.start) for slider in self.sliders}
        known = {slider.symbol: slider for slider in self.sliders}
        for symbol, value in (settings or {}).items():
            if symbol not in known:
                names = ", ".join(map(str, known))
                raise ValueError(f"settings has {symbol!r}, no slider's symbol; these are {names}")
            if float(value) not in known[symbol].values:
                raise ValueError(f"{symbol} must be one of {known[symbol].values}, got {value}")
            values[symbol.name] = float(value)
        place = [s.values.index(values[s.name]) for s in self._choosing]
        row = sum(i * stride for i, stride in zip(place, self._strides, strict=True))
        values |= {name: float(column[row]) for name, column in self._columns.items()}
        return [
            {label: xy for layer in panel.layers for label, xy in layer.evaluate(values).items()}
            for panel in self.panels
        ]

    def specification(self) -> Vega:
        """The Vega specification of the chart; data sets are called `panel{i}_layer{j}`."""
        names = {slider.name: slider.signal for slider in self.sliders}
        names |= {name: signal(name) for name in self._columns}
        signals = [one for slider in self.sliders for one in slider.signals()]
        if self._columns:
            terms = [
                f"{slider.index_signal} * {stride}"
                for slider, stride in zip(self._choosing, self._strides, strict=True)
            ]
            signals.append({"name": "row", "update": " + ".join(terms) or "0"})
        for name, column in self._columns.items():
            signals.append({"name": f"{signal(name)}_column", "value": _numbers(column)})
            signals.append({"name": signal(name), "update": f"{signal(name)}_column[row]"})
        return specification(self.panels, Scope(sliders=self.sliders, names=names), signals)

    @cached_property
    def widget(self) -> ExplorableView:
        """The chart where a notebook runs; it needs no answer from the kernel."""
        return ExplorableView(page=self.page(), vega=vega_bundle())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle, _metadata = self.widget._repr_mimebundle_()
        return {**bundle, "text/html": self.page(), "text/plain": f"{self.title}: {self.alt}"}

    def page(self) -> str:
        """The HTML for the site: a picture of the start, which a script brings to life."""
        chart = self.specification()
        sliders = [
            {"signal": s.index_signal, "label": s.label, "shown": s.shown, "start": s.start_index}
            for s in self.sliders
        ]
        bars = [
            f"panel{i}_layer0"
            for i, panel in enumerate(self.panels)
            if isinstance(panel.layers[0], Bars)
        ]
        payload = {"alt": self.alt, "sliders": sliders, "bars": bars, "spec": chart}
        start = ", ".join(f"{s.label}: {s.shown[s.start_index]}" for s in self.sliders)
        return (
            f'<div class="unrolled-explorable" id="{html.escape(self.name)}">\n'
            f'<p class="unrolled-explorable-title">{html.escape(self.title)}</p>\n'
            f'<div class="unrolled-explorable-sliders"><p>{html.escape(start)}</p></div>\n'
            f'<div class="unrolled-explorable-chart">{_picture(chart, self.alt, self.name)}</div>\n'
            f'<div class="unrolled-explorable-caption">{to_html(self.caption)}</div>\n'
            f'<script type="application/gzip">{_packed(payload)}</script>\n'
            "</div>"
        )


class ExplorableView(anywidget.AnyWidget):
    """An explorable in a notebook: the same page, brought to life by the same script."""

    _esm = STATIC / "explorable.js"
    _css = (STATIC / "unrolled.css").read_text() + (STATIC / "explorable.css").read_text()
    page = traitlets.Unicode().tag(sync=True)
    vega = traitlets.Unicode().tag(sync=True)


@cache
def vega_bundle() -> str:
    """Vega as one ES module that sets `window.vegaEmbed`, so that a page asks no other host."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _numbers(column: np.ndarray) -> list[float | int]:
    return [int(value) if value.is_integer() else value for value in column.tolist()]


def _packed(value: Any) -> str:
    """JSON, compressed and in base64: a third of its length, and fit to stand inside a script."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _picture(chart: Vega, alt: str, name: str) -> str:
    """The chart at the start as SVG, one image to a screen reader, its ids unlike any other's."""
    svg = vl_convert.vega_to_svg(chart)
    svg = re.sub(r' (aria-[a-z]+|role|pointer-events|font-family)="[^"]*"', "", svg)
    svg = re.sub(r' (opacity|stroke-width)="1"', "", svg)
    svg = re.sub(r"var\((--[\w-]+), #\w+\)", r"var(\1)", svg)  # the page defines them
    svg = re.sub(r' (d|transform)="[^"]*"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), svg)
    svg = re.sub(_ALIKE, lambda run: f"<g{run[2]}>{run[0].replace(run[2], '')}</g>", svg)
    ids = {clip: f"{name}-clip{i}" for i, clip in enumerate(re.findall(r'id="(clip\d+)"', svg))}
    svg = re.sub(r'(?<=["#])clip\d+(?=[")])', lambda clip: ids[clip[0]], svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)
