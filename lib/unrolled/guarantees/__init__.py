"""What can be proved about unrolled networks, as objects that run: one module per chapter."""

from unrolled.guarantees.derivation import Derivation, Step, Verdict
from unrolled.guarantees.theorem import (
    Assumption,
    Refutation,
    Sweep,
    Theorem,
    dropped,
    register,
    registered,
)

__all__ = [
    "Assumption",
    "Derivation",
    "Refutation",
    "Step",
    "Sweep",
    "Theorem",
    "Verdict",
    "dropped",
    "register",
    "registered",
]
