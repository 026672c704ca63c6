"""What a chapter teaches with: pictures, explorables, labs, quick checks and a colophon."""

from unrolled.teaching.colophon import colophon
from unrolled.teaching.controls import Choice, Number, Toggle
from unrolled.teaching.explorable import (
    Bars,
    Curves,
    Explorable,
    Panel,
    Points,
    Sequence,
    Slider,
)
from unrolled.teaching.figures import figure
from unrolled.teaching.lab import Lab, Progress
from unrolled.teaching.quickcheck import Misconception, Option, QuickCheck

__all__ = [
    "Bars",
    "Choice",
    "Curves",
    "Explorable",
    "Lab",
    "Misconception",
    "Number",
    "Option",
    "Panel",
    "Points",
    "Progress",
    "QuickCheck",
    "Sequence",
    "Slider",
    "Toggle",
    "colophon",
    "figure",
]
