"""Convergence: what layer-wise parameters can, and cannot, do for unrolled gradient descent."""

from unrolled.guarantees.convergence.average_case import (
    BENIGN,
    CURVATURE,
    GAUSS,
    GAUSS_OPTIMAL,
    LANCZOS,
    SPLITTING,
    TRAINING_FINDS_THEM,
    TRAP,
    best_tied,
    christoffel_sum,
    descend,
)
from unrolled.guarantees.convergence.gaussian_sensing import (
    AMP,
    GAUSSIAN,
    GAUSSIAN_OPTIMAL,
    closed_form_net,
    limiting_error,
    marchenko_pastur,
)
from unrolled.guarantees.convergence.product import (
    EARLY_LATE,
    PRODUCT,
    PRODUCT_IS_TRUTH,
    rate,
    rounding_by_order,
)
from unrolled.guarantees.convergence.remarks import (
    HEAVY_BALL,
    best_constant_huber_gap,
    heavy_ball_radius,
    huber_gap,
)
from unrolled.guarantees.convergence.worst_case import (
    CHEBYSHEV,
    HARDEST,
    conjugate_gradient_error,
    hardest_measure,
)
from unrolled.guarantees.theorem import register

register(
    PRODUCT,
    PRODUCT_IS_TRUTH,
    EARLY_LATE,
    CHEBYSHEV,
    HARDEST,
    HEAVY_BALL,
    GAUSS,
    GAUSS_OPTIMAL,
    SPLITTING,
    CURVATURE,
    BENIGN,
    TRAP,
    TRAINING_FINDS_THEM,
    LANCZOS,
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
    "limiting_error",
    "marchenko_pastur",
    "rate",
    "rounding_by_order",
]
