"""What the convergence chapter shows beside its theorems."""

from unrolled.chapters.convergence.explorables import closed_form, polynomials
from unrolled.chapters.convergence.figures import finite_matrices, landscape, rates
from unrolled.chapters.convergence.labs import TRAP_LAB
from unrolled.chapters.convergence.quickchecks import (
    OPTIMAL_STEPS,
    ORDER,
    PRODUCT,
    QUICK_CHECKS,
    SAME_START,
    STATE_EVOLUTION,
    TWO_LAYERS,
)

__all__ = [
    "OPTIMAL_STEPS",
    "ORDER",
    "PRODUCT",
    "QUICK_CHECKS",
    "SAME_START",
    "STATE_EVOLUTION",
    "TRAP_LAB",
    "TWO_LAYERS",
    "closed_form",
    "finite_matrices",
    "landscape",
    "polynomials",
    "rates",
]
