"""The classical iterations that networks unroll, and their step sizes."""

from unrolled.iterations.lasso import duality_gap, fista, ista, ista_step
from unrolled.iterations.least_squares import gradient_descent, heavy_ball
from unrolled.iterations.message_passing import (
    amp,
    amp_state_evolution,
    oamp,
    oamp_state_evolution,
)
from unrolled.iterations.steps import (
    chebyshev_steps,
    gauss_steps,
    heavy_ball_parameters,
    lanczos_steps,
    leja_order,
    semicircle_steps,
    silver_steps,
    tied_step,
)

__all__ = [
    "amp",
    "amp_state_evolution",
    "chebyshev_steps",
    "duality_gap",
    "fista",
    "gauss_steps",
    "gradient_descent",
    "heavy_ball",
    "heavy_ball_parameters",
    "ista",
    "ista_step",
    "lanczos_steps",
    "leja_order",
    "oamp",
    "oamp_state_evolution",
    "semicircle_steps",
    "silver_steps",
    "tied_step",
]
