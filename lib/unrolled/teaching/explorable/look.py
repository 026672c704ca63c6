"""How a chart looks: colours, dashes, shapes, and how its numbers are written.

Colours are CSS custom properties, so the theme of the page colours the chart and a change of theme
needs no redrawing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Vega = dict[str, Any]

# The values where a page does not define the properties, as in a notebook that is only read.
INK = {
    "text": "#1f2328",
    "muted": "#57606a",
    "border": "#8b949e",
    "series-1": "#0044a8",
    "series-2": "#b34e00",
    "series-3": "#1a7d5e",
    "series-4": "#8f2277",
    "series-5": "#5c4a00",
    "series-6": "#3b1f66",
}
DASHES = ([1, 0], [7, 3], [2, 3], [10, 3, 2, 3], [14, 4], [4, 2])
SHAPES = ("circle", "diamond", "square", "triangle-up", "cross", "triangle-down")
FONT = 12


def colour(name: str) -> str:
    """A colour of the page, with a fixed one where the page does not define it."""
    return f"var(--unrolled-{name}, {INK[name]})"


def styles(looks: Mapping[str, str]) -> list[Vega]:
    """The scales from label to colour, fill, dash and shape; series differ in more than colour.

    Args:
        looks: maps each label to line, area, stem, dot or bar.

    Raises:
        ValueError: more than six series that are to be told apart.
    """
    # Stems are the ground on which the others are read.
    loud = [label for label, look in looks.items() if look != "stem"]
    if len(loud) > 6:
        raise ValueError(f"panels: at most 6 series can be told apart, got {', '.join(loud)}")
    lines = [label for label, look in looks.items() if look == "line"]
    dots = [label for label, look in looks.items() if look == "dot"]
    ranges = {"colour": [], "fill": [], "dash": [], "shape": []}
    for label, look in looks.items():
        ink = colour(f"series-{loud.index(label) + 1}" if label in loud else "muted")
        # Rings and filled dots alternate, so that dots which coincide are both seen.
        hollow = look == "line" or label in dots[::2]
        ranges["colour"].append(ink)
        ranges["fill"].append("transparent" if hollow else ink)
        ranges["dash"].append(DASHES[lines.index(label)] if look == "line" else [1, 0])
        dot = SHAPES[dots.index(label)] if look == "dot" else "square"
        ranges["shape"].append("stroke" if look == "line" else dot)
    return [
        {"name": name, "type": "ordinal", "domain": list(looks), "range": values}
        for name, values in ranges.items()
    ]


def tick_label(value: str) -> str:
    """Vega code: the label of a tick on a logarithmic axis, as 1, 10 or 10⁻³."""
    power = f"round(log({value}) / LN10)"
    near_one = f"({value} >= 0.5 && {value} < 15)"
    whole = f"abs(log({value}) / LN10 - {power}) < 1e-6"
    return f"{near_one} || !({whole}) ? format({value}, '~g') : '10' + {_superscript(power)}"


def number_label(value: str) -> str:
    """Vega code: a number to three digits, as 0.264 or 1.57·10⁴."""
    power = f"floor(log(abs({value})) / LN10 + 1e-9)"
    plain = f"{value} === 0 || (abs({value}) >= 0.001 && abs({value}) < 10000)"
    mantissa = f"format({value} / pow(10, {power}), '.2f')"
    written = f"{plain} ? format({value}, '.3~r') : {mantissa} + '·10' + {_superscript(power)}"
    return f"isFinite({value}) ? ({written}) : '–'"


def _superscript(power: str) -> str:
    def digit(place: int) -> str:
        return f"'⁰¹²³⁴⁵⁶⁷⁸⁹'[floor(abs({power}) / {place}) % 10]"

    tens = f"(abs({power}) >= 10 ? {digit(10)} : '')"
    hundreds = f"(abs({power}) >= 100 ? {digit(100)} : '')"
    return f"(({power} < 0 ? '⁻' : '') + {hundreds} + {tens} + {digit(1)})"


def config() -> Vega:
    """Calm axes and legends: what every chart shares."""
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
        "legend": {
            "labelColor": colour("text"),
            "labelFontSize": FONT,
            "symbolSize": 260,
            "symbolStrokeWidth": 2.5,
            "rowPadding": 6,
            "columnPadding": 24,
            "labelOffset": 6,
            "padding": 0,
            "offset": 0,
        },
    }
