"""What few columns of A do: isometry constants, coherence and restricted eigenvalues.

Exact where that is possible, and between certified bounds where it is not.
"""

from unrolled.isometry.coherence import (
    coherence,
    generalised_coherence,
    restricted_eigenvalues,
)
from unrolled.isometry.constants import (
    METHODS,
    Isometry,
    estimate_cost,
    isometry_constant,
)

__all__ = [
    "METHODS",
    "Isometry",
    "coherence",
    "estimate_cost",
    "generalised_coherence",
    "isometry_constant",
    "restricted_eigenvalues",
]
