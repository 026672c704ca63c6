"""What can be proved about unrolled networks, as objects that run: one package for each chapter.

The package of a chapter lists its theorems and refutations in `GUARANTEES`, in the chapter's order.
"""

from unrolled.extras import extra
from unrolled.verdict import Verdict

with extra("guarantees", "unrolled.guarantees"):
    from unrolled.guarantees.derivation import Derivation, NoDerivation, Step
    from unrolled.guarantees.relation import AT_LEAST, AT_MOST, EQUAL, Relation
    from unrolled.guarantees.theorem import (
        Assumption,
        Definition,
        Guarantee,
        Refutation,
        Sweep,
        Theorem,
        dropped,
        evaluate,
    )

__all__ = [
    "AT_LEAST",
    "AT_MOST",
    "EQUAL",
    "Assumption",
    "Definition",
    "Derivation",
    "Guarantee",
    "NoDerivation",
    "Refutation",
    "Relation",
    "Step",
    "Sweep",
    "Theorem",
    "Verdict",
    "dropped",
    "evaluate",
]
