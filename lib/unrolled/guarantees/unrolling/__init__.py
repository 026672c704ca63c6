"""Unrolling: what a network made from a convergent algorithm does not inherit from it."""

from unrolled.guarantees.unrolling.divergence_free import DIVERGENCE_FREE
from unrolled.guarantees.unrolling.instances import (
    TwoEigenvalues,
    divergence_free_step,
    normalisation,
    row_orthogonal,
)
from unrolled.guarantees.unrolling.run_on import (
    INHERITS,
    RUN_ON,
    growth,
    run_on_error,
    trained_step,
)
from unrolled.guarantees.unrolling.symbols import K, M, share

GUARANTEES = (
    RUN_ON,
    INHERITS,
    DIVERGENCE_FREE,
)

__all__ = [
    "DIVERGENCE_FREE",
    "GUARANTEES",
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
