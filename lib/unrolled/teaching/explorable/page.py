"""The HTML of an explorable: a picture of its start, which a script brings to life.

A page of the site and a notebook show the same; without the script it can be read and printed.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Mapping
from typing import Any

import vl_convert

from unrolled.teaching.explorable import look
from unrolled.teaching.explorable.chart import Panel
from unrolled.teaching.explorable.control import Control
from unrolled.teaching.explorable.look import Style, Vega
from unrolled.teaching.svg import shortened

# Marks of one look, one after the other: a group can say once how they look.
_ALIKE = r'(<path transform="[^"]*" d="[^"]*")( [^>]*)/>(?:<path transform="[^"]*" d="[^"]*"\2/>)+'


def panel_html(panel: Panel, styles: Mapping[str, Style], chart: Vega, alt: str, name: str) -> str:
    """A panel: its title, the name of its values, its legend and its picture.

    Args:
        chart: the complete specification.
        alt: what a screen reader says in the place of the picture.
        name: unlike that of any other panel on a page.
    """
    parts = [
        f'<p class="unrolled-explorable-{kind}">{html.escape(text)}</p>\n'
        for kind, text in (("heading", panel.title), ("axis", panel.y_label))
        if text
    ]
    if len(panel.labels) > 1:
        parts.append(look.legend({label: styles[label] for label in panel.labels}) + "\n")
    picture = f'<div class="unrolled-explorable-chart">{_picture(chart, alt, name)}</div>\n'
    return f'<div class="unrolled-explorable-panel">\n{"".join(parts)}{picture}</div>\n'


def controls_html(controls: tuple[Control, ...], readings: Mapping[str, float]) -> str:
    """Where the controls stand and what is read off, in words for a page that is not alive."""
    start = ", ".join(f"{one.label}: {one.shown[one.start_index]}" for one in controls)
    read = " · ".join(f"{label} = {look.number_text(value)}" for label, value in readings.items())
    line = f'<p class="unrolled-explorable-readings">{html.escape(read)}</p>' if readings else ""
    start = f'<div class="unrolled-explorable-sliders"><p>{html.escape(start)}</p></div>'
    return f'<div class="unrolled-explorable-controls">{line}{start}</div>\n'


def packed(value: Any) -> str:
    """JSON, compressed and in base64: a third of its length, and fit to stand inside a script."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def drawing(chart: Vega, name: str) -> str:
    """The chart at the start as SVG, the same whatever was drawn before.

    Args:
        name: unlike that of any other drawing beside it; its ids begin so.
    """
    svg = vl_convert.vega_to_svg(chart)
    svg = re.sub(r' (aria-[a-z]+|role|pointer-events|font-family)="[^"]*"', "", svg)
    svg = re.sub(r' (opacity|stroke-width)="1"', "", svg)
    svg = re.sub(r' (d|transform)="[^"]*"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), svg)
    svg = re.sub(r'(?<= d=")[^"]*', lambda path: shortened(path[0]), svg)
    svg = re.sub(_ALIKE, lambda run: f"<g{run[2]}>{run[0].replace(run[2], '')}</g>", svg)
    ids = {clip: f"{name}-clip{i}" for i, clip in enumerate(re.findall(r'id="(clip\d+)"', svg))}
    return re.sub(r'(?<=["#])clip\d+(?=[")])', lambda clip: ids[clip[0]], svg)


def _picture(chart: Vega, alt: str, name: str) -> str:
    """The drawing as one image to a screen reader, in the colours of the page."""
    svg = re.sub(r"var\((--[\w-]+), #\w+\)", r"var(\1)", drawing(chart, name))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)
