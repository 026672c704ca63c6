"""What the unrolling chapter shows beside its theorems."""

from unrolled.chapters.unrolling.depth import best, depth_chart, recorded
from unrolled.chapters.unrolling.explorable import RUN_ON_CHART
from unrolled.chapters.unrolling.lab import RUN_ON_LAB
from unrolled.chapters.unrolling.picture import loop_and_layers
from unrolled.chapters.unrolling.quickchecks import (
    BIAS,
    GROWTH,
    PARAMETERS,
    QUICK_CHECKS,
    RUN_FOR_EVER,
    SAME_MAP,
    SCALED,
    WRITE_LAYER,
)
from unrolled.chapters.unrolling.signals import SparseProblem

__all__ = [
    "BIAS",
    "GROWTH",
    "PARAMETERS",
    "QUICK_CHECKS",
    "RUN_FOR_EVER",
    "RUN_ON_CHART",
    "RUN_ON_LAB",
    "SAME_MAP",
    "SCALED",
    "WRITE_LAYER",
    "SparseProblem",
    "best",
    "depth_chart",
    "loop_and_layers",
    "recorded",
]
