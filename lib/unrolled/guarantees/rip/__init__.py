"""RIP: isometry constants, computed, and what they promise of networks with soft thresholds."""

from unrolled.guarantees.rip.adaptive_thresholds import ADAPTIVE_THRESHOLDS, adaptive_iterates
from unrolled.guarantees.rip.adaptive_thresholds import tail_reached as adaptive_tail_reached
from unrolled.guarantees.rip.capon import CAPON
from unrolled.guarantees.rip.certified import CertifiedSparsity, certified_sparsity
from unrolled.guarantees.rip.fixed_thresholds import (
    FIXED_THRESHOLDS,
    FIXED_THRESHOLDS_SUPPORT,
    coherence_schedule,
)
from unrolled.guarantees.rip.isometry_thresholds import (
    ISOMETRY_THRESHOLDS,
    ISOMETRY_THRESHOLDS_SUPPORT,
    isometry_schedule,
)
from unrolled.guarantees.rip.isometry_thresholds import tail_reached as isometry_tail_reached
from unrolled.guarantees.rip.refuted import BIAS, LEAKAGE, LMMSE, NORM, SCALE, leakage
from unrolled.guarantees.rip.schedule import Schedule, with_thresholds

GUARANTEES = (
    NORM,
    FIXED_THRESHOLDS,
    FIXED_THRESHOLDS_SUPPORT,
    ISOMETRY_THRESHOLDS,
    ISOMETRY_THRESHOLDS_SUPPORT,
    SCALE,
    BIAS,
    ADAPTIVE_THRESHOLDS,
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
    "GUARANTEES",
    "ISOMETRY_THRESHOLDS",
    "ISOMETRY_THRESHOLDS_SUPPORT",
    "LEAKAGE",
    "LMMSE",
    "NORM",
    "SCALE",
    "CertifiedSparsity",
    "Schedule",
    "adaptive_iterates",
    "adaptive_tail_reached",
    "certified_sparsity",
    "coherence_schedule",
    "isometry_schedule",
    "isometry_tail_reached",
    "leakage",
    "with_thresholds",
]
