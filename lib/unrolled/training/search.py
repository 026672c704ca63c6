"""Fitting a handful of numbers without gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn

from unrolled.training.fit import Batch, mean_squared_error

__all__ = ["search"]


def search(
    net: nn.Module,
    data: Batch,
    parameter: nn.Parameter,
    grid: Sequence[Sequence[float]],
    *,
    starts: int = 1,
    evaluations: int = 200,
) -> float:
    """Minimise the mean squared error over a few numbers: a grid, then Nelder–Mead from its best.

    For losses that are piecewise constant in a parameter, HyperLISTA's c₃ for instance, or too
    rough for a gradient to help. Numbers stay ≥ 0.

    data: (y, x) of shapes (B, m), (B, n). parameter: (p,), one of the network's; holds the best
    numbers at the end. grid: for each number the values to try; all combinations are.
    starts: grid points, the best first, from each of which Nelder–Mead evaluates the loss at most
    `evaluations` times.

    Returns the least loss. Needs SciPy. Raises ValueError when grid and parameter do not fit.
    """
    from scipy.optimize import minimize

    if len(grid) != parameter.numel() or not all(len(values) for values in grid):
        raise ValueError(
            f"grid has {len(grid)} rows of values; {parameter.numel()} rows, none empty, are needed"
        )

    def loss(numbers: Sequence[float]) -> float:
        if min(numbers) < 0:
            return math.inf
        with torch.no_grad():
            parameter.copy_(torch.as_tensor(numbers).reshape(parameter.shape))
            value = float(mean_squared_error(net, *data))
        # Orders of magnitude, because the loss falls through many of them.
        return math.log10(value + 1e-300) if math.isfinite(value) else math.inf

    options = {"maxfev": evaluations, "xatol": 1e-5, "fatol": 1e-4}
    found = [
        minimize(loss, start, method="Nelder-Mead", options=options).x
        for start in sorted(itertools.product(*grid), key=loss)[:starts]
    ]
    return 10 ** loss(min(found, key=loss))
