"""RIP: isometry constants, computed, and what they promise of networks with soft thresholds."""

from unrolled.guarantees.rip.adaptive_thresholds import ADAPTIVE_THRESHOLDS, adaptive_iterates
from unrolled.guarantees.rip.capon import CAPON
from unrolled.guarantees.rip.certified import CertifiedSparsity, certified_sparsity
from unrolled.guarantees.rip.coherence import (
    coherence,
    generalised_coherence,
    restricted_eigenvalues,
)
from unrolled.guarantees.rip.fixed_thresholds import (
    FIXED_THRESHOLDS,
    FIXED_THRESHOLDS_SUPPORT,
    coherence_schedule,
)
from unrolled.guarantees.rip.instances import Schedule, with_thresholds
from unrolled.guarantees.rip.isometry import (
    METHODS,
    Isometry,
    estimate_cost,
    isometry_constant,
)
from unrolled.guarantees.rip.isometry_thresholds import (
    ISOMETRY_THRESHOLDS,
    ISOMETRY_THRESHOLDS_SUPPORT,
    isometry_schedule,
)
from unrolled.guarantees.rip.refuted import BIAS, LEAKAGE, LMMSE, NORM, SCALE, leakage
from unrolled.guarantees.theorem import register

register(
    NORM,
    FIXED_THRESHOLDS,
    FIXED_THRESHOLDS_SUPPORT,
    ISOMETRY_THRESHOLDS,
    ISOMETRY_THRESHOLDS_SUPPORT,
    SCALE,
    ADAPTIVE_THRESHOLDS,
    BIAS,
    CAPON,
    LMMSE,
    LEAKAGE,
)

__all__ = [
    "ADAPTIVE_THRESHOLDS",
    "BIAS",
    "CAPON",
    "FIXED_THRESHOLDS",
    "FIXED_THRESHOLDS_SUPPORT",
    "ISOMETRY_THRESHOLDS",
    "ISOMETRY_THRESHOLDS_SUPPORT",
    "LEAKAGE",
    "LMMSE",
    "METHODS",
    "NORM",
    "SCALE",
    "CertifiedSparsity",
    "Isometry",
    "Schedule",
    "adaptive_iterates",
    "certified_sparsity",
    "coherence",
    "coherence_schedule",
    "estimate_cost",
    "generalised_coherence",
    "isometry_constant",
    "isometry_schedule",
    "leakage",
    "restricted_eigenvalues",
    "with_thresholds",
]
