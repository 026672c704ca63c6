"""How a chart looks: colours, dashes, shapes, and how its numbers are written.

Colours are CSS custom properties, so the theme of the page colours the chart and a change of theme
needs no redrawing.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Vega = dict[str, Any]

# The values where a page does not define the properties, as in a notebook that is only read.
INK = {
    "text": "#1f2328",
    "muted": "#57606a",
    "surface": "#ffffff",
    "border": "#8b949e",
    "accent": "#0b5a8a",
    "series-1": "#0044a8",
    "series-2": "#b34e00",
    "series-3": "#1a7d5e",
    "series-4": "#8f2277",
    "series-5": "#5c4a00",
    "series-6": "#3b1f66",
}
DASHES = ([1, 0], [7, 3], [2, 3], [10, 3, 2, 3], [14, 4], [4, 2])
SHAPES = ("circle", "diamond", "square", "triangle-up", "cross", "triangle-down")
OUTLINES = {  # the same in a legend, within 14 by 14
    "circle": "M2.5 7a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "diamond": "M7 1.5L12.5 7L7 12.5L1.5 7z",
    "square": "M3 3H11V11H3z",
    "triangle-up": "M7 2L12.5 11.5H1.5z",
    "cross": "M5.2 2h3.6v3.2H12v3.6H8.8V12H5.2V8.8H2V5.2h3.2z",
    "triangle-down": "M7 12L1.5 2.5H12.5z",
}
QUIET = ("stem", "guide")  # the ground on which the others are read
FONT = 12


def colour(name: str) -> str:
    """A colour of the page, with a fixed one where the page does not define it."""
    return f"var(--unrolled-{name}, {INK[name]})"


@dataclass(frozen=True, kw_only=True)
class Style:
    """How the marks of one series look; its sign in a legend shows it."""

    look: str
    colour: str
    fill: str
    dash: list[int]
    shape: str

    def sign(self) -> str:
        """The sign beside the label, as SVG without words."""
        width, inside = 14, ""
        if self.look in ("line", "guide", "arrow"):
            width = 26
            thick = 1.5 if self.look == "guide" else 2.5
            dash = " ".join(map(str, self.dash))
            end = width - 6 if self.look == "arrow" else width
            line = f'stroke="{self.colour}" stroke-width="{thick}" stroke-dasharray="{dash}"'
            inside = f'<path d="M0 7H{end}" {line}/>'
            if self.look == "arrow":
                inside += f'<path d="M{end - 2} 2l8 5-8 5z" fill="{self.colour}"/>'
        elif self.look in ("stem", "spike"):
            inside = f'<path d="M7 14V4" stroke="{self.colour}" stroke-width="2.5"/>'
            if self.look == "spike":
                inside += f'<circle cx="7" cy="4" r="3.5" fill="{self.colour}"/>'
        else:
            fill = "none" if self.fill == "transparent" else self.fill
            line = f'fill="{fill}" stroke="{self.colour}" stroke-width="2"'
            inside = f'<path d="{OUTLINES[self.shape]}" {line}/>'
        return f'<svg aria-hidden="true" width="{width}" height="14">{inside}</svg>'


def styles(looks: Mapping[str, str]) -> dict[str, Style]:
    """How each label's marks look; series differ in more than colour.

    Args:
        looks: maps each label to a mark: line, area, dot, bar and so on.

    Raises:
        ValueError: more than six series that are to be told apart.
    """
    loud = [label for label, look in looks.items() if look not in QUIET]
    if len(loud) > 6:
        raise ValueError(f"panels: at most 6 series can be told apart, got {', '.join(loud)}")
    lines = [label for label, look in looks.items() if look == "line"]
    guides = [label for label, look in looks.items() if look == "guide"]
    dots = [label for label, look in looks.items() if look == "dot"]
    found = {}
    for label, look in looks.items():
        ink = colour(f"series-{loud.index(label) + 1}" if label in loud else "muted")
        dash = [1, 0]
        if look == "line":
            dash = DASHES[lines.index(label)]
        elif look == "guide":
            dash = DASHES[(guides.index(label) + 1) % len(DASHES)]
        found[label] = Style(
            look=look,
            colour=ink,
            # Rings and filled dots alternate, so that dots which coincide are both seen.
            fill="transparent" if label in dots[::2] else ink,
            dash=dash,
            shape=SHAPES[dots.index(label)] if look == "dot" else "square",
        )
    return found


def scales(styles: Mapping[str, Style]) -> list[Vega]:
    """The Vega scales from label to colour, fill, dash and shape."""
    return [
        {
            "name": name,
            "type": "ordinal",
            "domain": list(styles),
            "range": [getattr(style, name) for style in styles.values()],
        }
        for name in ("colour", "fill", "dash", "shape")
    ]


def legend(labels: Mapping[str, Style]) -> str:
    """The labels with their signs, as HTML; the front end makes buttons of them."""
    keys = (
        f'<span class="unrolled-explorable-key">{style.sign()}{html.escape(label)}</span>'
        for label, style in labels.items()
    )
    return f'<div class="unrolled-explorable-legend">{"".join(keys)}</div>'


def tick_label(value: str) -> str:
    """Vega code: the label of a tick on a logarithmic axis, as 1, 10 or 10⁻³."""
    power = f"round(log({value}) / LN10)"
    near_one = f"({value} >= 0.05 && {value} < 15)"
    whole = f"abs(log({value}) / LN10 - {power}) < 1e-6"
    return f"{near_one} || !({whole}) ? format({value}, '~g') : '10' + {_superscript(power)}"


def leading(value: str) -> str:
    """Vega code: whether a number on a logarithmic axis begins with 1, 2 or 5."""
    digit = f"round({value} / pow(10, floor(log({value}) / LN10 + 1e-9)))"
    return f"indexof([1, 2, 5], {digit}) >= 0"


def number_label(value: str) -> str:
    """Vega code: a number to three digits, as 0.264 or 1.57·10⁴."""
    power = f"floor(log(abs({value})) / LN10 + 1e-9)"
    plain = f"{value} === 0 || (abs({value}) >= 0.001 && abs({value}) < 10000)"
    mantissa = f"format({value} / pow(10, {power}), '.2f')"
    written = f"{plain} ? format({value}, '.3~r') : {mantissa} + '·10' + {_superscript(power)}"
    return f"isFinite({value}) ? ({written}) : '–'"


def number_text(value: float) -> str:
    """The same here: a number to three digits, as 0.264 or 1.57·10⁴."""
    if not math.isfinite(value):
        return "–"
    if value == 0 or 0.001 <= abs(value) < 10000:
        return f"{float(f'{value:.3g}'):.10g}".replace("-", "−")
    mantissa, power = f"{value:.2e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa}·10{raised}".replace("-", "−")


def _superscript(power: str) -> str:
    def digit(place: int) -> str:
        return f"'⁰¹²³⁴⁵⁶⁷⁸⁹'[floor(abs({power}) / {place}) % 10]"

    tens = f"(abs({power}) >= 10 ? {digit(10)} : '')"
    hundreds = f"(abs({power}) >= 100 ? {digit(100)} : '')"
    return f"(({power} < 0 ? '⁻' : '') + {hundreds} + {tens} + {digit(1)})"


def config() -> Vega:
    """Calm axes: what every chart shares."""
    text = {"labelColor": colour("muted"), "labelFontSize": FONT, "titleFontSize": FONT}
    return {
        "axis": {
            **text,
            "titleColor": colour("muted"),
            "titleFontWeight": "normal",
            "titlePadding": 6,
            "domain": False,
            "gridColor": colour("border"),
            "gridOpacity": 0.4,
            "tickColor": colour("border"),
            "tickSize": 4,
            "labelOverlap": True,
            "labelPadding": 4,
        },
        "axisBottom": {
            "labelFlush": True,
            "domain": True,
            "domainColor": colour("muted"),
        },
    }
