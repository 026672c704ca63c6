"""Unrolling: what a network made from a convergent algorithm does not inherit from it."""

from unrolled.guarantees.theorem import register
from unrolled.guarantees.unrolling.divergence_free import (
    DIVERGENCE_FREE,
    divergence_free_step,
    normalisation,
    row_orthogonal,
)
from unrolled.guarantees.unrolling.run_on import (
    INHERITS,
    RUN_ON,
    K,
    M,
    TwoEigenvalues,
    growth,
    run_on_error,
    share,
    trained_step,
)

register(RUN_ON, INHERITS, DIVERGENCE_FREE)

__all__ = [
    "DIVERGENCE_FREE",
    "INHERITS",
    "RUN_ON",
    "K",
    "M",
    "TwoEigenvalues",
    "divergence_free_step",
    "growth",
    "normalisation",
    "row_orthogonal",
    "run_on_error",
    "share",
    "trained_step",
]
