"""Silver steps, measured: hedging over many layers works beyond quadratics."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_depth, check_size, check_vector


def huber_gap(steps: Tensor, *, thresholds: int = 2000) -> float:
    """Largest f(x_K) − min f over the Huber functions, from x_0 = 1 with these steps.

    f_δ(x) = x²/2 for |x| ≤ δ and δ|x| − δ²/2 beyond, convex and 1-smooth, for δ in (0, 1].

    Args:
        steps: (K,), finite.
        thresholds: how many δ, evenly spaced.

    Raises:
        ValueError: arguments other than these.
    """
    check_vector("steps", steps)
    check_size("thresholds", thresholds)
    delta = torch.linspace(1 / thresholds, 1, thresholds, dtype=torch.float64)
    x = torch.ones_like(delta)
    for step in steps.tolist():
        x = x - step * x.clamp(min=-delta, max=delta)
    inside = x.abs() <= delta
    gap = torch.where(inside, x**2 / 2, delta * x.abs() - delta**2 / 2)
    return float(gap.max())


def best_constant_huber_gap(depth: int) -> float:
    """The least `huber_gap` of a constant step, over a fine grid of steps in [0.5, 2]."""
    check_depth(depth)
    grid = torch.linspace(0.5, 2.0, 601, dtype=torch.float64)
    return min(huber_gap(step.expand(depth)) for step in grid)
