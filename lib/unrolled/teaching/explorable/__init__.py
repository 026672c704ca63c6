"""Explorables: charts made of sympy expressions that stay interactive without a kernel."""

from unrolled.teaching.explorable.bars import Bars
from unrolled.teaching.explorable.chart import Panel
from unrolled.teaching.explorable.control import Selector, Slider
from unrolled.teaching.explorable.curves import Curves, Sequence
from unrolled.teaching.explorable.explorable import Explorable
from unrolled.teaching.explorable.plane import POINTER, Handle, Paths, Segments, Texts
from unrolled.teaching.explorable.points import Points

__all__ = [
    "POINTER",
    "Bars",
    "Curves",
    "Explorable",
    "Handle",
    "Panel",
    "Paths",
    "Points",
    "Segments",
    "Selector",
    "Sequence",
    "Slider",
    "Texts",
]
