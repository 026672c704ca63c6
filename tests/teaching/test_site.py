"""The book's Sphinx extension, as far as it can be tested without a site."""

from __future__ import annotations

import re

import pytest
from docutils import nodes
from docutils.utils import new_document

from unrolled.teaching import site
from unrolled.teaching.colophon import Colophon
from unrolled.teaching.figures import SERIES


def colours(theme: int) -> tuple[str, ...]:
    """The series that unrolled.css defines, light first."""
    css = (site.STATIC / "unrolled.css").read_text(encoding="utf-8")
    found = re.findall(r"--unrolled-series-\d: (#\w{6});", css)
    return tuple(found[6 * theme : 6 * theme + 6])


def test_the_style_sheet_repeats_the_colours_of_the_figures():
    assert (colours(0), colours(1)) == SERIES


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_every_colour_of_text_stands_out_from_the_surface(theme):
    css = (site.STATIC / "unrolled.css").read_text(encoding="utf-8")
    values = {
        name: re.findall(rf"--unrolled-{name}: (#\w{{6}});", css)[theme]
        for name in ("text", "muted", "accent", "right", "wrong", "surface", "border")
    }
    surface, border = values.pop("surface"), values.pop("border")
    for colour in (*values.values(), *colours(theme)):
        assert contrast(colour, surface) >= 4.5
    assert contrast(border, surface) >= 3
    assert contrast("#777777", "#ffffff") < 4.5  # the measure can fail


def test_every_file_that_pages_load_exists():
    for name in (*site.STYLES, *site.LOADERS, "paper.css", "search.js"):
        assert (site.STATIC / name).is_file()


def test_a_chapter_without_a_colophon_is_told():
    shown = Colophon({"Python": "3"}, "a <fast> chip", "cpu", 1, 1.5, 2)
    document = new_document("chapter")
    document += nodes.raw("", "<table></table>", format="html")
    with pytest.raises(ValueError, match="book/chapter: a chapter ends with a cell"):
        site.execution(document, "book/chapter")
    document += nodes.raw("", shown._repr_mimebundle_()["text/html"], format="html")
    assert site.execution(document, "book/chapter") == shown
