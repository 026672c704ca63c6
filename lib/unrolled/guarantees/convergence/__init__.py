"""Convergence: what layer-wise parameters can, and cannot, do for unrolled gradient descent."""

from unrolled.guarantees.convergence.gauss import GAUSS, GAUSS_OPTIMAL, christoffel_sum
from unrolled.guarantees.convergence.gaussian_sensing import (
    AMP,
    GAUSSIAN,
    GAUSSIAN_OPTIMAL,
    closed_form_net,
    marchenko_pastur,
)
from unrolled.guarantees.convergence.heavy_ball import HEAVY_BALL, heavy_ball_radius
from unrolled.guarantees.convergence.lanczos import LANCZOS
from unrolled.guarantees.convergence.landscape import BENIGN, descend
from unrolled.guarantees.convergence.product import (
    EARLY_LATE,
    PRODUCT,
    PRODUCT_IS_TRUTH,
    rate,
    rounding_by_order,
)
from unrolled.guarantees.convergence.silver import best_constant_huber_gap, huber_gap
from unrolled.guarantees.convergence.splitting import CURVATURE, SPLITTING
from unrolled.guarantees.convergence.trap import TRAINING_FINDS_THEM, TRAP, best_tied
from unrolled.guarantees.convergence.worst_case import (
    CHEBYSHEV,
    HARDEST,
    conjugate_gradient_error,
    hardest_measure,
)

GUARANTEES = (
    PRODUCT,
    PRODUCT_IS_TRUTH,
    CHEBYSHEV,
    HARDEST,
    HEAVY_BALL,
    EARLY_LATE,
    GAUSS,
    GAUSS_OPTIMAL,
    SPLITTING,
    CURVATURE,
    BENIGN,
    LANCZOS,
    TRAP,
    TRAINING_FINDS_THEM,
    GAUSSIAN,
    GAUSSIAN_OPTIMAL,
    AMP,
)

__all__ = [
    "AMP",
    "BENIGN",
    "CHEBYSHEV",
    "CURVATURE",
    "EARLY_LATE",
    "GAUSS",
    "GAUSSIAN",
    "GAUSSIAN_OPTIMAL",
    "GAUSS_OPTIMAL",
    "GUARANTEES",
    "HARDEST",
    "HEAVY_BALL",
    "LANCZOS",
    "PRODUCT",
    "PRODUCT_IS_TRUTH",
    "SPLITTING",
    "TRAINING_FINDS_THEM",
    "TRAP",
    "best_constant_huber_gap",
    "best_tied",
    "christoffel_sum",
    "closed_form_net",
    "conjugate_gradient_error",
    "descend",
    "hardest_measure",
    "heavy_ball_radius",
    "huber_gap",
    "marchenko_pastur",
    "rate",
    "rounding_by_order",
]
