"""Matplotlib's SVG made fit to stand inside a page: themed, short, with ids of its own."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from itertools import pairwise
from xml.etree import ElementTree


def inline(raw: bytes, alt: str, width: int, colours: Mapping[str, str]) -> str:
    """An SVG file as an element of a page, described by alt.

    Args:
        raw: what matplotlib writes with `svg.fonttype: none`.
        alt: what it shows, for a screen reader.
        width: the most that it takes, in CSS pixels.
        colours: what stands for each colour, "#rrggbb" to a CSS value.
    """
    root = ElementTree.fromstring(raw)
    for element in list(root.iter()):
        element.tag = element.tag.split("}")[-1]
        element.attrib = {name.split("}")[-1]: text for name, text in element.attrib.items()}
        element.tail = None
        if element.tag != "text":
            element.text = None
        for child in list(element):
            if child.tag.endswith(("metadata", "style")):  # its style would apply to the whole page
                element.remove(child)

    body = ElementTree.tostring(root, encoding="unicode")
    prefix = hashlib.sha256(f"{alt}{body}".encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(|href=")#([\w-]+)', body))
    for element in root.iter():
        attributes = element.attrib
        if attributes.get("id") not in used:
            attributes.pop("id", None)
        if attributes.get("transform", "").startswith("rotate(-0 "):
            del attributes["transform"]
        for name, text in attributes.items():
            attributes[name] = _attribute(name, text, prefix, colours)
        if element.tag == "text":
            _raise_and_lower(element)
    _unwrap(root)
    del root.attrib["version"], root.attrib["height"]
    root.attrib |= {"width": f"{width}", "role": "img", "aria-label": alt}
    return ElementTree.tostring(root, encoding="unicode")


def shortened(path: str) -> str:
    """A path of straight lines by its steps, in tenths of a unit; another path as it is.

    Steps are shorter than places and resemble each other, which halves a curve once compressed.
    """
    points = re.findall(r"([ML])(-?[\d.]+)[ ,](-?[\d.]+)", path)
    if not points or re.sub(r"\s", ",", path) != "".join(f"{kind}{x},{y}" for kind, x, y in points):
        return path
    places = [(kind, round(10 * float(x)), round(10 * float(y))) for kind, x, y in points]
    parts = [f"M{places[0][1] / 10:g},{places[0][2] / 10:g}"]
    for (_, x, y), (kind, right, below) in pairwise(places):
        if kind == "M":
            parts.append(f"M{right / 10:g},{below / 10:g}")
        else:
            step = f"l{(right - x) / 10:g},{(below - y) / 10:g}"
            parts.append(re.sub(r"(?<!\d)0\.", ".", step))
    return "".join(parts)


def _unwrap(element: ElementTree.Element) -> None:
    """Take the groups away that say nothing of what they hold."""
    for child in list(element):
        _unwrap(child)
        if child.tag == "g" and not child.attrib:
            place = list(element).index(child)
            element[place : place + 1] = list(child)


def _attribute(name: str, text: str, prefix: str, colours: Mapping[str, str]) -> str:
    if name == "id":
        return f"{prefix}-{text}"
    if name == "href":
        return f"#{prefix}-{text[1:]}" if text.startswith("#") else text
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    digits = 1 if name == "d" else 2  # a tenth of a point is a seventh of a pixel
    text = re.sub(r"-?\d+\.\d{2,}", lambda number: f"{round(float(number[0]), digits):g}", text)
    if name == "d":
        text = shortened(re.sub(r"\s*([A-Za-z])\s*", r"\1", text))
    if name == "style":
        text = re.sub(r"#[0-9a-f]{6}", lambda colour: colours.get(colour[0], colour[0]), text)
        text = re.sub(r"font-family:[^;]*;?", "", text)  # the page's own
        text = re.sub(r"\s*([:;])\s*", r"\1", text).strip(";")
    return text


def _raise_and_lower(element: ElementTree.Element) -> None:
    """Set superscripts and subscripts as ordinary characters, which every font has."""
    label, shift = element.text or "", 0.0
    size = float(re.search(r"font-size:([\d.]+)", element.attrib["style"])[1])
    runs: list[tuple[float, str]] = []
    for character in label:
        kind, _, code = unicodedata.decomposition(character).partition(" ")
        level = {"<super>": -0.38, "<sub>": 0.22}.get(kind, 0.0)
        plain = chr(int(code, 16)) if level else character
        if runs and runs[-1][0] == level:
            runs[-1] = (level, runs[-1][1] + plain)
        else:
            runs.append((level, plain))
    if all(level == 0 for level, _ in runs):
        return
    element.text = None
    for level, run in runs:
        part = ElementTree.SubElement(element, "tspan")
        part.text = run
        if level != shift:
            part.attrib["dy"] = f"{(level - shift) * size:.2f}"
        if level:
            part.attrib["style"] = f"font-size:{0.8 * size:.2f}px"
        shift = level
