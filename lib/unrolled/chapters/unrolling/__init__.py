"""What the unrolling chapter shows beside its theorems."""

from unrolled.chapters.chapter import Chapter
from unrolled.chapters.unrolling.explorables import depth_chart, run_on, spike_train, whiteness
from unrolled.chapters.unrolling.figures import loop_and_layers, shrinking
from unrolled.chapters.unrolling.ideas import IDEAS
from unrolled.chapters.unrolling.labs import RUN_ON_LAB
from unrolled.chapters.unrolling.problems import SparseProblem, best, recorded
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
from unrolled.guarantees.unrolling import GUARANTEES

UNROLLING = Chapter(
    name="unrolling",
    title="From iterations to layers",
    asks=(
        "How do gradient descent, ISTA and OAMP become networks, what is learned, and what can go "
        "wrong?"
    ),
    needs="You need eigenvalues and singular values, gradients, and a little PyTorch.",
    hours=(3, 7),
    ideas=IDEAS,
    guarantees=GUARANTEES,
    quick_checks=QUICK_CHECKS,
    explorables=(spike_train, whiteness, depth_chart, run_on),
    labs=(RUN_ON_LAB,),
)

__all__ = [
    "BIAS",
    "GROWTH",
    "PARAMETERS",
    "RUN_FOR_EVER",
    "RUN_ON_LAB",
    "SAME_MAP",
    "SCALED",
    "UNROLLING",
    "WRITE_LAYER",
    "SparseProblem",
    "best",
    "depth_chart",
    "loop_and_layers",
    "recorded",
    "run_on",
    "shrinking",
    "spike_train",
    "whiteness",
]
