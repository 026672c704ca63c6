"""The thoughts of the convergence chapter, for the map in the introduction."""

from unrolled.chapters.chapter import Idea
from unrolled.guarantees.convergence import (
    AMP,
    BENIGN,
    CHEBYSHEV,
    CURVATURE,
    EARLY_LATE,
    GAUSS,
    GAUSS_OPTIMAL,
    GAUSSIAN,
    GAUSSIAN_OPTIMAL,
    HARDEST,
    HEAVY_BALL,
    LANCZOS,
    PRODUCT,
    PRODUCT_IS_TRUTH,
    SPLITTING,
    TRAINING_FINDS_THEM,
    TRAP,
)

IDEAS = (
    Idea(
        words=(
            "Multiply the worst cases of the layers, and no choice of steps is better than the "
            "best constant one."
        ),
        theorems=(PRODUCT,),
        breaks="Worst cases that are taken over less than the whole interval of eigenvalues.",
        claims=((PRODUCT_IS_TRUTH, "largest relative error"),),
    ),
    Idea(
        words=(
            "Together the layers are a polynomial. Chebyshev's is the best in the worst case, and "
            "no method that combines as many gradients does better on the hardest instance."
        ),
        theorems=(CHEBYSHEV, HARDEST, HEAVY_BALL),
        breaks="Eigenvalues outside the interval, noise, or one more gradient.",
        claims=((EARLY_LATE, "difference that the order makes"),),
    ),
    Idea(
        words=(
            "On average the best steps are reciprocal Gauss nodes, and to train for them is to "
            "run Lanczos once."
        ),
        theorems=(GAUSS, GAUSS_OPTIMAL, LANCZOS),
        breaks="Signals other than those that the steps were fitted to, noise, or more layers.",
    ),
    Idea(
        words=(
            "Steps that start equal stay equal, and training stops at a saddle. Steps that start "
            "different find the best."
        ),
        theorems=(SPLITTING, CURVATURE, BENIGN, TRAP),
        breaks=(
            "A start with a small difference escapes; one in which any two steps are equal misses "
            "the best."
        ),
        claims=((TRAINING_FINDS_THEM, "mean squared error"),),
    ),
    Idea(
        words=(
            "For Gaussian matrices the least error has a closed form, and the best network ends "
            "where approximate message passing does."
        ),
        theorems=(GAUSSIAN, GAUSSIAN_OPTIMAL, AMP),
        breaks="Another noise than the layers expect, or more layers.",
    ),
)
