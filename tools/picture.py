"""Writes the README's picture: the first explorable at its start. `make picture` calls it."""

from __future__ import annotations

import re
from pathlib import Path

import vl_convert

from unrolled.chapters import convergence

PICTURE = Path(__file__).resolve().parent.parent / "book" / "images" / "chebyshev.svg"


def picture() -> str:
    """The picture as SVG with the colours of a light page, since no page defines them there."""
    specification = convergence.polynomials().specification() | {"background": "#ffffff"}
    svg = vl_convert.vega_to_svg(specification)
    return re.sub(r"var\(--[\w-]+, (#\w+)\)", r"\1", svg) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
