"""Draws every chart of the book at its start, for where none can run. `make picture` calls it.

A notebook shows such a picture where a chart will be, until its cells are run, and the README shows
one. They are drawings of lines and letters, so they stay sharp and small, and what changes in them
can be read. Each notebook gets the cells that show them.
"""

from __future__ import annotations

import html
import inspect
import json
import re
from pathlib import Path
from typing import Any

from unrolled.chapters import BOOK
from unrolled.teaching import Explorable
from unrolled.teaching.explorable import chart, look
from unrolled.teaching.explorable.page import drawing

Cell = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "book" / "images" / "charts"
WIDTH, LINE, LETTER = 700, 20, 6.6  # of a picture, of its lines, and of a letter on average


def picture(explorable: Explorable) -> str:
    """A chart at its start as SVG, in the colours of a light page, since no page defines them."""
    parts, y = [_text(explorable.title, 10, 0, "font-weight='bold'")], LINE
    styles = chart.styles(explorable.panels)
    for i, (panel, specification) in enumerate(
        zip(explorable.panels, explorable.specifications(), strict=True)
    ):
        for words in filter(None, (panel.title, panel.y_label)):
            parts.append(_text(words, 10, y))
            y += LINE
        x = 10.0
        for label in panel.labels if len(panel.labels) > 1 else ():
            width = 40 + LETTER * len(label)
            if x + width > WIDTH:
                x, y = 10.0, y + LINE
            sign = styles[label].sign().replace("<svg ", f'<svg x="{x:.0f}" y="{y + 4}" ', 1)
            parts += [sign, _text(label, x + 30, y)]
            x += width
        y += LINE if x > 10 else 0
        svg = drawing(specification, f"panel{i}")
        height = float(re.search(r'<svg [^>]*height="([\d.]+)"', svg)[1])
        parts.append(svg.replace("<svg ", f'<svg y="{y}" ', 1))
        y += round(height) + LINE // 2
    head = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif"'
    body = re.sub(r"var\(--[\w-]+, (#\w+)\)", r"\1", "".join(parts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{head} font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>{body}</svg>\n'
    )


def _text(words: str, x: float, y: float, more: str = "") -> str:
    place = f'x="{x:.0f}" y="{y + 15}" fill="{look.INK["text"]}"'
    return f"<text {place} {more}>{html.escape(words)}</text>"


def charts() -> dict[str, tuple[Path, str, Explorable]]:
    """For each chart its notebook, the code that shows it there, and itself, by its name."""
    found = {}
    for chapter in BOOK:
        for make in chapter.explorables:
            explorable = make()
            shown = f"chapter.{inspect.unwrap(make).__name__}()"
            found[explorable.name] = (ROOT / chapter.notebook, shown, explorable)
    return found


def cell(explorable: Explorable) -> Cell:
    """The cell of a notebook that shows a chart's picture; a page of the site has the chart."""
    return {
        "cell_type": "markdown",
        "id": f"picture-{explorable.name}".replace(".", "-"),
        "metadata": {"tags": ["remove-cell"]},
        "source": [f"![{explorable.title}](images/charts/{explorable.name}.svg)"],
    }


def with_pictures(
    cells: list[dict[str, Any]], shown: dict[str, Explorable]
) -> list[dict[str, Any]]:
    """The cells of a notebook, each that shows a chart behind the chart's picture.

    Args:
        cells: as they are kept.
        shown: the chart that each code of `charts` shows.
    """
    result = []
    for one in cells:
        if one["id"].startswith("picture-"):
            continue
        if one["cell_type"] == "code":
            last = ("".join(one["source"]).splitlines() or [""])[-1]
            if last in shown:
                result.append(cell(shown[last]))
        result.append(one)
    return result


def write() -> None:
    """Draw all pictures anew, and put each before its chart."""
    found = charts()
    drawn = {name: picture(explorable) for name, (_, _, explorable) in found.items()}
    PICTURES.mkdir(exist_ok=True)
    for path in PICTURES.iterdir():
        path.unlink()
    for name, svg in drawn.items():
        (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")
    for path in {notebook for notebook, _, _ in found.values()}:
        shown = {code: chart for notebook, code, chart in found.values() if notebook == path}
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = with_pictures(notebook["cells"], shown)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
