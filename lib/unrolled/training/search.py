"""Fitting a handful of numbers without gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn

from unrolled.checks import check_kind, check_positive, check_size
from unrolled.extras import extra
from unrolled.training.fit import Batch, check_pair, evaluating, mean_squared_error

__all__ = ["search"]

MOST = 10**6


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
    rough for a gradient to help. Numbers stay ≥ 0, and points where the loss is NaN or infinite are
    passed over. The network is measured in `eval()`. Needs SciPy.

    Args:
        data: (y, x) of shapes (B, m), (B, n).
        parameter: (p,), one of the network's; holds the best numbers at the end.
        grid: for each number the values to try, at most a million combinations, which all are.
        starts: ≥ 1, grid points, the best first, from each of which Nelder–Mead evaluates the loss
            at most `evaluations` ≥ 1 times.

    Returns:
        The least loss.

    Raises:
        ValueError: grid and parameter that do not fit, numbers below 0, a parameter that is not one
            of the network's, or data that `fit` does not accept.
        ModuleNotFoundError: SciPy is not installed.
        FloatingPointError: the loss is finite nowhere on the grid; the parameter is as it was.
    """
    with extra("experiments", "search"):
        from scipy.optimize import minimize

    check_kind("net", net, nn.Module)
    for name, count in {"starts": starts, "evaluations": evaluations}.items():
        check_size(name, count)
    if not any(parameter is own for own in net.parameters()):
        raise ValueError("parameter is not one of net's; net.NAME itself is needed, not a copy")
    rows = _rows(grid)
    if len(rows) != parameter.numel() or not all(rows):
        raise ValueError(
            f"grid has {len(rows)} rows of values; {parameter.numel()} rows, none empty, are needed"
        )
    if (combinations := math.prod(map(len, rows))) > MOST:
        raise ValueError(f"grid has {combinations:,} combinations; at most {MOST:,} are allowed")
    data = check_pair("data", data, parameter.device)

    def loss(numbers: Sequence[float]) -> float:
        if min(numbers) < 0:
            return math.inf
        with torch.no_grad(), evaluating(net):
            parameter.copy_(torch.as_tensor(numbers).reshape(parameter.shape))
            value = float(mean_squared_error(net(data[0]), data[1]))
        # Orders of magnitude, because the loss falls through many of them.
        return math.log10(value + 1e-300) if math.isfinite(value) else math.inf

    options = {"maxfev": evaluations, "xatol": 1e-5, "fatol": 1e-4}
    start = parameter.detach().clone()
    points = [(loss(point), point) for point in itertools.product(*rows)]
    finite = sorted((p for p in points if math.isfinite(p[0])), key=lambda point: point[0])
    if not finite:
        with torch.no_grad():
            parameter.copy_(start)
        raise FloatingPointError("the loss is NaN or infinite at every point of the grid")
    found = [
        minimize(loss, point, method="Nelder-Mead", options=options).x
        for _, point in finite[:starts]
    ]
    return 10 ** loss(min(found, key=loss))


def _rows(grid: Sequence[Sequence[float]]) -> list[list[float]]:
    try:
        return [[check_positive("grid", one, zero=True) for one in values] for values in grid]
    except (TypeError, RuntimeError):  # no rows, or tensors without entries to look at
        raise ValueError(f"grid is {grid!r}; for each number a row of values is needed") from None
