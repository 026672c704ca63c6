"""What a chapter teaches with: pictures, explorables, labs, quick checks and a colophon."""

from unrolled.extras import extra

with extra("teaching", "unrolled.teaching"):
    from unrolled.teaching.answer import answer
    from unrolled.teaching.colophon import colophon
    from unrolled.teaching.controls import Choice, Number, Toggle
    from unrolled.teaching.explorable import (
        POINTER,
        Bars,
        Curves,
        Explorable,
        Handle,
        Panel,
        Paths,
        Points,
        Segments,
        Selector,
        Sequence,
        Slider,
        Texts,
    )
    from unrolled.teaching.figures import figure
    from unrolled.teaching.lab import Lab, Progress
    from unrolled.teaching.quickcheck import Misconception, Option, QuickCheck

__all__ = [
    "POINTER",
    "Bars",
    "Choice",
    "Curves",
    "Explorable",
    "Handle",
    "Lab",
    "Misconception",
    "Number",
    "Option",
    "Panel",
    "Paths",
    "Points",
    "Progress",
    "QuickCheck",
    "Segments",
    "Selector",
    "Sequence",
    "Slider",
    "Texts",
    "Toggle",
    "answer",
    "colophon",
    "figure",
]
