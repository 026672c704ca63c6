"""The thoughts of the RIP chapter, for the map in the introduction."""

from unrolled.chapters.chapter import Idea
from unrolled.guarantees.rip import (
    ADAPTIVE_THRESHOLDS,
    BIAS,
    CAPON,
    FIXED_THRESHOLDS,
    FIXED_THRESHOLDS_SUPPORT,
    ISOMETRY_THRESHOLDS,
    ISOMETRY_THRESHOLDS_SUPPORT,
    LEAKAGE,
    LMMSE,
    NORM,
    SCALE,
)

IDEAS = (
    Idea(
        words=(
            "Thresholds that outweigh what leaks from one entry to the others keep every wrong "
            "entry at zero. With few entries the error falls from layer to layer, down to what "
            "noise and tail leave."
        ),
        theorems=(FIXED_THRESHOLDS, FIXED_THRESHOLDS_SUPPORT),
        breaks="Other thresholds, or entries, noise or leakage that are more than was told.",
        claims=((BIAS, "relative error"),),
    ),
    Idea(
        words=(
            "Isometry says how much leaks as well. It takes both of its sides, and the thresholds "
            "all the same."
        ),
        theorems=(ISOMETRY_THRESHOLDS, ISOMETRY_THRESHOLDS_SUPPORT),
        breaks="Other thresholds, smaller constants, or entries or noise beyond what was told.",
        claims=((NORM, "relative error"), (LEAKAGE, "relative error")),
    ),
    Idea(
        words="Thresholds that are computed from the data serve signals of every size.",
        theorems=(ADAPTIVE_THRESHOLDS,),
        breaks="A matrix further from an isometry, or thresholds that look at fewer entries.",
        claims=((SCALE, "relative error"),),
    ),
    Idea(
        words=(
            "Of all weights that answer one to their own column, the linear estimator's, rescaled, "
            "let through least."
        ),
        theorems=(CAPON,),
        breaks="Weights that answer less than one.",
        claims=((LMMSE, "mean factor on an error"),),
    ),
)
