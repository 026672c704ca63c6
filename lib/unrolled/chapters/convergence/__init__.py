"""What the convergence chapter shows beside its theorems."""

from unrolled.chapters.chapter import Chapter
from unrolled.chapters.convergence.explorables import closed_form, polynomials, roots
from unrolled.chapters.convergence.figures import (
    finite_matrices,
    landscape,
    rates,
    ripples,
    semicircle,
)
from unrolled.chapters.convergence.ideas import IDEAS
from unrolled.chapters.convergence.labs import TRAP_LAB
from unrolled.chapters.convergence.quickchecks import (
    LEAST_PRODUCT,
    OPTIMAL_STEPS,
    ORDER,
    QUICK_CHECKS,
    SAME_START,
    STATE_EVOLUTION,
    TWO_LAYERS,
)
from unrolled.guarantees.convergence import GUARANTEES

CONVERGENCE = Chapter(
    name="convergence",
    title="Convergence: do layer-wise parameters converge faster?",
    asks="What can a step size of its own for each layer do for convergence, and what can it not?",
    needs=(
        "You need eigenvalues of symmetric matrices, and polynomials of a matrix; of "
        "[From iterations to layers](unrolling.ipynb), gradient descent as a network."
    ),
    hours=(5, 12),
    ideas=IDEAS,
    guarantees=GUARANTEES,
    quick_checks=QUICK_CHECKS,
    explorables=(roots, polynomials, closed_form),
    labs=(TRAP_LAB,),
)

__all__ = [
    "CONVERGENCE",
    "LEAST_PRODUCT",
    "OPTIMAL_STEPS",
    "ORDER",
    "SAME_START",
    "STATE_EVOLUTION",
    "TRAP_LAB",
    "TWO_LAYERS",
    "closed_form",
    "finite_matrices",
    "landscape",
    "polynomials",
    "rates",
    "ripples",
    "roots",
    "semicircle",
]
