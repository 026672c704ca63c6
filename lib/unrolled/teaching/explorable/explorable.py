"""An explorable: sympy expressions and recorded rows as a chart that lives without a kernel.

The browser evaluates the very expressions that `evaluate` evaluates here; nothing is typed twice
and nothing is precomputed but what the expressions themselves look up in rows.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from unrolled.checks import check_size
from unrolled.teaching.explorable import chart
from unrolled.teaching.explorable.chart import Panel
from unrolled.teaching.explorable.control import Control, signal
from unrolled.teaching.explorable.look import Style, Vega
from unrolled.teaching.explorable.page import controls_html, packed, panel_html
from unrolled.teaching.explorable.plane import Handle
from unrolled.teaching.explorable.rows import Table, columns_of, places, rounded, setting
from unrolled.teaching.explorable.scope import Evaluated, Expression, Scope, number
from unrolled.teaching.fields import check_fields, require_text
from unrolled.teaching.notebook import alive
from unrolled.teaching.text import to_html

Settings = Mapping[sympy.Symbol, float | str]


@dataclass(frozen=True, kw_only=True)
class Explorable:
    """A chart whose sliders move in a notebook and on a page alike, with no kernel behind it.

    Show it as the last line of a cell.  Every expression in its panels may use the sliders'
    symbols, and symbols named like the columns of `rows`: at any setting of the sliders such a
    symbol has the value of its column in the row of that setting.

    Attributes:
        name: unique on a page, such as "convergence.polynomials".
        title: one line above the panels.
        alt: what the chart shows, for readers who do not see it.
        caption: what to see in it; Markdown with $mathematics$.
        sliders: what the reader moves: sliders and selectors.
        panels: what is drawn.
        columns: how many panels stand side by side on a wide page; the last one takes what is left.
        readings: name to expression in sliders and columns: numbers in a line above the sliders,
            which a screen reader hears when they change.
        rows: a table (DataFrame or mapping of columns), one row for each combination of the values
            of those sliders that have a column in it, and any further columns of finite numbers.
        digits: significant digits that are kept of each number in `rows`.

    Raises:
        ValueError: a symbol that is no slider, column or axis; a function that Vega cannot
            compute; rows that lack or repeat a setting; an empty alt text, title or caption; two
            sliders with one symbol; a handle that sets what no slider does; columns that are not
            positive.

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
    sliders: tuple[Control, ...]
    panels: tuple[Panel, ...]
    columns: int = 1
    readings: Mapping[str, Expression] = field(default_factory=dict)
    rows: Table | None = field(default=None, repr=False)
    digits: int = 6

    def __post_init__(self) -> None:
        check_fields(self)
        if not re.fullmatch(r"[A-Za-z][\w.-]*", self.name):
            raise ValueError(f"name must be letters, digits, '.', '-' or '_', got {self.name!r}")
        require_text(title=self.title, alt=self.alt, caption=self.caption)
        names = [slider.name for slider in self.sliders]
        if not names or not self.panels:
            raise ValueError("sliders and panels must not be empty")
        if len(set(names)) < len(names):
            raise ValueError(f"sliders must have different symbols, got {', '.join(names)}")
        check_size("columns", self.columns)
        check_size("digits", self.digits, most=17)
        to_html(self.caption)  # these raise what is wrong with a formula and with an expression
        self.specifications()

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        """The columns that expressions may use, in the order of the settings."""
        if self.rows is None:
            return {}
        table = columns_of(self.rows)
        if not table:
            raise ValueError("rows must have columns, got none")
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
    def _choosing(self) -> tuple[Control, ...]:
        """The sliders that choose a row."""
        return tuple(s for s in self.sliders if self.rows is not None and s.name in self.rows)

    @property
    def _strides(self) -> list[int]:
        sizes = [len(slider.values) for slider in self._choosing]
        return [math.prod(sizes[j + 1 :]) for j in range(len(sizes))]

    def evaluate(self, settings: Settings | None = None) -> list[Evaluated]:
        """Evaluate every expression here, as the browser does.

        Args:
            settings: values of sliders, names or places of selectors, by their symbol; others stay
                at their start.

        Returns:
            For each panel, label to (x, y), float64 arrays of one length.

        Raises:
            ValueError: a symbol that has no slider or a value that its slider does not offer.
        """
        values = self._values(settings)
        return [
            {label: xy for layer in panel.layers for label, xy in layer.evaluate(values).items()}
            for panel in self.panels
        ]

    def read(self, settings: Settings | None = None) -> dict[str, float]:
        """The readings at a setting, by their names; the settings are those of `evaluate`."""
        values = self._values(settings)
        return {name: number(reading, values) for name, reading in self.readings.items()}

    def dragged(
        self, handle: Handle, x: float, y: float, settings: Settings | None = None
    ) -> dict[sympy.Symbol, float]:
        """What a drag of a handle to the point (x, y) sets, as the browser does.

        Returns:
            The value of every symbol that the handle sets, one of its slider's.
        """
        targets = handle.targets(self._values(settings), x, y)
        known = {slider.symbol: slider for slider in self.sliders}
        return {
            symbol: known[symbol].values[known[symbol].nearest(target)]
            for symbol, target in targets.items()
        }

    def _values(self, settings: Settings | None) -> dict[str, float]:
        """The value of every name at a setting."""
        place = {slider.symbol: slider.start_index for slider in self.sliders}
        known = {slider.symbol: slider for slider in self.sliders}
        for symbol, value in (settings or {}).items():
            if symbol not in known:
                names = ", ".join(map(str, known))
                raise ValueError(f"settings has {symbol!r}, no slider's symbol; these are {names}")
            place[symbol] = known[symbol].index(value)
        pairs = zip(self._choosing, self._strides, strict=True)
        row = sum(place[slider.symbol] * stride for slider, stride in pairs)
        values = {slider.name: slider.values[place[slider.symbol]] for slider in self.sliders}
        return values | {name: float(column[row]) for name, column in self._columns.items()}

    def specifications(self) -> list[Vega]:
        """The Vega specification of each panel; data sets are called `panel{i}_layer{j}`."""
        return [chart.whole(self._common, panel) for panel in self._panels]

    @cached_property
    def _panels(self) -> list[Vega]:
        return [chart.specification(i, p, self._scope) for i, p in enumerate(self.panels)]

    @cached_property
    def _styles(self) -> dict[str, Style]:
        return chart.styles(self.panels)

    @cached_property
    def _scope(self) -> Scope:
        names = {slider.name: slider.signal for slider in self.sliders}
        names |= {name: signal(name) for name in self._columns}
        return Scope(sliders=self.sliders, names=names)

    @cached_property
    def _common(self) -> Vega:
        """What the specifications of all panels share."""
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
        for j, reading in enumerate(self.readings.values()):
            signals.append({"name": f"reading{j}", "update": self._scope.code(reading)})
        return chart.common(self._styles, signals)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {
            "text/html": alive(self.name, self.page()),
            "text/plain": f"{self.title}: {self.alt}",
        }

    def page(self) -> str:
        """The HTML for the site: a picture of the start, which a script brings to life."""
        panels = []
        for i, (panel, whole) in enumerate(zip(self.panels, self.specifications(), strict=True)):
            alt = panel.summary if i else self.alt
            panels.append(panel_html(panel, self._styles, whole, alt, f"{self.name}-{i}"))
        payload = {
            "controls": [slider.front() for slider in self.sliders],
            "readings": list(self.readings),
            "common": self._common,
            "panels": [
                {**chart.front(i, panel, self._scope), "spec": spec}
                for i, (panel, spec) in enumerate(zip(self.panels, self._panels, strict=True))
            ],
        }
        return (
            f'<div class="unrolled-explorable" id="{html.escape(self.name)}">\n'
            f'<p class="unrolled-explorable-title">{html.escape(self.title)}</p>\n'
            f'<div class="unrolled-explorable-panels" data-columns="{self.columns}">\n'
            f"{''.join(panels)}</div>\n"
            f"{controls_html(self.sliders, self.read())}"
            f'<div class="unrolled-explorable-caption">{to_html(self.caption)}</div>\n'
            f'<script type="application/gzip">{packed(payload)}</script>\n'
            "</div>"
        )


def _numbers(column: np.ndarray) -> list[float | int]:
    return [int(value) if value.is_integer() else value for value in column.tolist()]
