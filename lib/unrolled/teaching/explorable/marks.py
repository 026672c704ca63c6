"""How Vega draws the rows (x, y, series) of a data set: as a line, bars, dots and so on.

Every mark fades when another series is looked at alone; what is not a number is not drawn.
"""

from __future__ import annotations

from typing import Any

from unrolled.teaching.explorable.look import Vega, colour

MARKS = ("line", "guide", "area", "stem", "spike", "bar", "dot")
ALONE = "!isolated || datum.series === isolated ? 1 : 0.12"

_COLOUR = {"scale": "colour", "field": "series"}


class Marked:
    """A layer whose series are all drawn by one mark."""

    series: Any
    mark: str

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.series)

    @property
    def look(self) -> str:
        return self.mark

    def drawn(self, data: str, x: str, y: str, *, log: bool) -> Vega:
        """The Vega mark that draws the data set with the scales x and y."""
        return drawn(self.mark, data, x, y, log=log)


def require(mark: str, width: float) -> None:
    """Refuse a mark that is not one of `MARKS`, or a width of bars that is not positive.

    Raises:
        ValueError: it is so.
    """
    if mark not in MARKS:
        raise ValueError(f"mark must be one of {', '.join(MARKS)}, got {mark}")
    if not width > 0:
        raise ValueError(f"width must be positive, got {width}")


def formula(field: str, code: str) -> Vega:
    """The Vega transform that gives every row a field."""
    return {"type": "formula", "as": field, "expr": code}


def across(x: str, value: str = "datum.x") -> Vega:
    """Where the scale of the horizontal axis puts a value."""
    return {"signal": f"scale('{x}', {value})"}


def place(scale: str, value: str, *, log: bool) -> Vega:
    """Where the scale puts a value; on a logarithmic one 0 lies far outside and is clipped."""
    value = f"({value} || 0)"  # what is not a number is not seen, but it needs a place
    return {"signal": f"scale('{scale}', {f'max({value}, 1e-300)' if log else value})"}


def fields(mark: str, width: float) -> list[Vega]:
    """What a data set needs besides x and y: where bars and stacked areas begin and end."""
    if mark == "area":
        return [{"type": "stack", "groupby": ["x"], "field": "y", "as": ["below", "above"]}]
    if mark == "bar":
        ends = {"left": f"datum.x - {width / 2}", "right": f"datum.x + {width / 2}"}
        return [formula(name, code) for name, code in ends.items()]
    return []


def extent(mark: str, axis: str) -> list[str]:
    """The fields that an axis, x or y, must have room for."""
    if axis == "x":
        return ["left", "right"] if mark == "bar" else ["x"]
    return ["above" if mark == "area" else "y"]


def drawn(mark: str, data: str, x: str, y: str, *, log: bool) -> Vega:
    """The Vega mark that draws the data set, which has the `fields`, with the scales x and y."""
    if mark in ("line", "guide", "area"):
        return _joined(mark, data, x, y, log=log)
    encode = {
        "x": across(x),
        "y": place(y, "datum.y", log=log),
        "opacity": {"signal": f"isFinite(datum.y) ? ({ALONE}) : 0"},
    }
    # Where 0 is, or the edge of the plot that is nearest to it.
    zero = "height" if log else f"clamp(scale('{y}', 0), 0, height)"
    if mark == "bar":
        encode |= {
            "x": across(x, "datum.left"),
            "x2": {"signal": f"max(scale('{x}', datum.left) + 1, scale('{x}', datum.right) - 1)"},
            "y2": {"signal": zero},
            "fill": _COLOUR,
        }
        return _mark("rect", data, encode)
    dot = _mark("symbol", data, encode | _dot())
    stem = {"y2": {"signal": zero}, "stroke": _COLOUR, "strokeWidth": {"value": 3}}
    if mark == "stem":
        return _mark("rule", data, encode | stem)
    if mark == "spike":
        head = {"fill": _COLOUR, "size": {"value": 50}, "strokeWidth": {"value": 0}}
        head["shape"] = {"value": "circle"}
        spike = encode | stem | {"strokeWidth": {"value": 2}}
        return {"type": "group", "marks": [_mark("rule", data, spike), dot | _encoded(dot, head)]}
    return dot


def _joined(mark: str, data: str, x: str, y: str, *, log: bool) -> Vega:
    encode = {
        "x": across(x),
        "y": place(y, "datum.y", log=log),
        "defined": {"signal": "isFinite(datum.x) && isFinite(datum.y)"},
        "opacity": {"signal": ALONE},
        "stroke": _COLOUR,
    }
    if mark == "area":
        encode |= {
            "y": place(y, "datum.above", log=log),
            "y2": place(y, "datum.below", log=log),
            "fill": _COLOUR,
            "fillOpacity": {"value": 0.55},
            "strokeWidth": {"value": 1.5},
        }
    else:
        encode |= {
            "strokeDash": {"scale": "dash", "field": "series"},
            "strokeWidth": {"value": 1.5 if mark == "guide" else 2.5},
        }
    one = f"{data}_one"
    return {
        "type": "group",
        "from": {"facet": {"name": one, "data": data, "groupby": "series"}},
        "marks": [_mark("area" if mark == "area" else "line", one, encode)],
    }


def _dot() -> Vega:
    ring = "scale('fill', datum.series) === 'transparent'"
    return {
        "fill": {"scale": "fill", "field": "series"},
        "stroke": _COLOUR,
        "strokeWidth": {"signal": f"{ring} ? 2 : 0"},
        "shape": {"scale": "shape", "field": "series"},
        "size": {"signal": f"{ring} ? 130 : 40"},
    }


def segments(data: str, x: str, y: str, *, log: bool, arrow: bool, width: float) -> Vega:
    """Straight lines from (x0, y0) to (x, y), with a head at the end if they are arrows."""
    ends = {
        "x": across(x),
        "y": place(y, "datum.y", log=log),
        "opacity": {"signal": ALONE},
        "stroke": _COLOUR,
    }
    rule = {
        **ends,
        "x2": across(x, "datum.x0"),
        "y2": place(y, "datum.y0", log=log),
        "strokeDash": {"scale": "dash", "field": "series"},
        "strokeWidth": {"value": width},
    }
    if not arrow:
        return _mark("rule", data, rule)
    rise = f"(scale('{y}', datum.y) - scale('{y}', datum.y0))"
    run = f"(scale('{x}', datum.x) - scale('{x}', datum.x0))"
    turn = f"atan2({rise}, {run})"
    head = {
        **ends,
        # The tip of the head, not its middle, is the end.
        "x": {"signal": f"scale('{x}', datum.x) - 6 * cos({turn})"},
        "y": {"signal": f"scale('{y}', datum.y) - 6 * sin({turn})"},
        "angle": {"signal": f"{turn} * 180 / PI + 90"},
        "fill": _COLOUR,
        "shape": {"value": "triangle-up"},
        "size": {"value": 110},
        "strokeWidth": {"value": 0},
    }
    return {"type": "group", "marks": [_mark("rule", data, rule), _mark("symbol", data, head)]}


def texts(data: str, x: str, y: str, *, log: bool) -> Vega:
    """The words of the rows (x, y, text), above their places."""
    encode = {
        "x": across(x),
        "y": place(y, "datum.y", log=log),
        "dy": {"value": -8},
        "text": {"field": "text"},
        "align": {"value": "center"},
        "fontSize": {"value": 13},
        "fontWeight": {"value": 600},
        "fill": {"value": colour("text")},
        "opacity": {"signal": "isFinite(datum.x) && isFinite(datum.y) ? 1 : 0"},
    }
    return _mark("text", data, encode)


def handles(data: str, x: str, y: str, *, log: bool) -> Vega:
    """A ring to drag, and around it a place wide enough for a thumb; never outside the plot."""
    where = {
        "x": {"signal": f"clamp(scale('{x}', datum.x), 0, width)"},
        "y": {"signal": f"clamp({place(y, 'datum.y', log=log)['signal']}, 0, height)"},
    }
    ring = {
        "fill": {"value": colour("surface")},
        "stroke": {"value": colour("accent")},
        "strokeWidth": {"value": 3},
        "size": {"value": 150},
    }
    reach = {"fill": {"value": "transparent"}, "size": {"value": 1600}}
    marks = [_mark("symbol", data, where | ring), _mark("symbol", data, where | reach)]
    marks[1]["name"] = "handle"  # its class, for the style sheet and the script
    return {"type": "group", "marks": marks}


def _mark(kind: str, data: str, encode: Vega) -> Vega:
    return {"type": kind, "from": {"data": data}, "encode": {"update": encode}}


def _encoded(mark: Vega, changes: Vega) -> Vega:
    return {"encode": {"update": mark["encode"]["update"] | changes}}
