"""What the RIP chapter shows beside its theorems."""

from unrolled.chapters.chapter import Chapter
from unrolled.chapters.rip.explorables import certificates, columns, constants, three_terms
from unrolled.chapters.rip.figures import (
    hand_table,
    plain_adaptive,
    plain_fixed,
    plain_isometry,
    price,
    rates,
)
from unrolled.chapters.rip.ideas import IDEAS
from unrolled.chapters.rip.labs import CERTIFICATE_LAB, certificate_lab
from unrolled.chapters.rip.problems import BASES, draw_signals, pair, problems
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
    asks="Which isometry does a sparse signal's recovery need, and does your own matrix have it?",
    needs=(
        "You need eigenvalues of symmetric matrices and vector norms; of "
        r"[From iterations to layers](unrolling.ipynb), the soft threshold $S_\theta$ and "
        r"the layer $x\leftarrow S_\theta\bigl(x+W^\top(y-Ax)\bigr)$."
    ),
    hours=(4, 10),
    ideas=IDEAS,
    guarantees=GUARANTEES,
    quick_checks=QUICK_CHECKS,
    explorables=(columns, constants, certificates, three_terms),
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
    "columns",
    "constants",
    "draw_signals",
    "hand_table",
    "pair",
    "plain_adaptive",
    "plain_fixed",
    "plain_isometry",
    "price",
    "problems",
    "rates",
    "three_terms",
]
