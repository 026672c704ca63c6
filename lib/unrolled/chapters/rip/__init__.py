"""What the RIP chapter shows beside its theorems."""

from unrolled.chapters.chapter import Chapter
from unrolled.chapters.rip.explorables import certificates, constants, three_terms
from unrolled.chapters.rip.figures import price
from unrolled.chapters.rip.labs import CERTIFICATE_LAB, certificate_lab
from unrolled.chapters.rip.problems import BASES, draw_signals, problems
from unrolled.chapters.rip.quickchecks import (
    CONSTANT,
    CONTRACTION,
    EXACT_RIC,
    QUICK_CHECKS,
    SMALL_SIGNAL,
    SPARSITY,
    TIED,
)
from unrolled.guarantees.rip import GUARANTEES

RIP = Chapter(
    name="rip",
    title="RIP: what isometry promises, on your own matrix",
    guarantees=GUARANTEES,
    quick_checks=QUICK_CHECKS,
    explorables=(certificates, constants, three_terms),
    labs=(CERTIFICATE_LAB,),
)

__all__ = [
    "BASES",
    "CERTIFICATE_LAB",
    "CONSTANT",
    "CONTRACTION",
    "EXACT_RIC",
    "RIP",
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
