"""What the RIP chapter shows beside its theorems."""

from unrolled.chapters.rip.explorables import certificates, constants, price, three_terms
from unrolled.chapters.rip.lab import CERTIFICATE_LAB, certificate_lab
from unrolled.chapters.rip.problems import draw_signals, problems
from unrolled.chapters.rip.quickchecks import (
    CONSTANT,
    CONTRACTION,
    EXACT_RIC,
    QUICK_CHECKS,
    SMALL_SIGNAL,
    SPARSITY,
    TIED,
)

__all__ = [
    "CERTIFICATE_LAB",
    "CONSTANT",
    "CONTRACTION",
    "EXACT_RIC",
    "QUICK_CHECKS",
    "SMALL_SIGNAL",
    "SPARSITY",
    "TIED",
    "certificate_lab",
    "certificates",
    "constants",
    "draw_signals",
    "price",
    "problems",
    "three_terms",
]
