"""Gradient methods for least squares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.checks import check_held, check_positive
from unrolled.iterations.start import start
from unrolled.iterations.steps import heavy_ball_parameters
from unrolled.sensing import SensingOperator

__all__ = ["gradient_descent", "heavy_ball"]


def gradient_descent(
    operator: SensingOperator,
    y: Tensor,
    *,
    steps: Tensor | Sequence[float],
    ridge: float = 0.0,
    x0: Tensor | None = None,
) -> Tensor:
    """Gradient descent on ½‖y − Ax‖² + (ridge/2)‖x‖²: all iterates, (K + 1, B, n), x_0 first.

    x_k = x_{k−1} + η_k(Aᴴ(y − Ax_{k−1}) − ridge·x_{k−1}) with η = steps, (K,), of which every step
    size rule makes a vector: `chebyshev_steps(low, high, depth)` gives the Chebyshev iteration.

    Args:
        y: (B, m), real or complex.
        steps: (K,), finite.
        ridge: ≥ 0.
        x0: where to start, (B, n); zero by default.

    Raises:
        ValueError: shapes and dtypes that do not fit, or numbers out of range.
    """
    steps = _vector(steps)
    ridge = check_positive("ridge", ridge, zero=True)
    iterates = [start(operator, y, len(steps), x0)]
    check_held("ridge", ridge, y.dtype)
    for step in steps:
        x = iterates[-1]
        gradient = operator.unchecked_adjoint(operator.unchecked_residual(y, x)) - ridge * x
        iterates.append(x + step * gradient)
    return torch.stack(iterates)


def heavy_ball(
    operator: SensingOperator,
    y: Tensor,
    *,
    low: float,
    high: float,
    depth: int,
    x0: Tensor | None = None,
) -> Tensor:
    """Polyak's heavy ball on ½‖y − Ax‖²: all iterates, (depth + 1, B, n), x_0 first.

    x⁺ = x + ηAᴴ(y − Ax) + β(x − x⁻) with the two numbers of `heavy_ball_parameters`. x0 is where to
    start, (B, n); zero by default.
    """
    iterates = [start(operator, y, depth, x0)]
    step, momentum = heavy_ball_parameters(low, high)
    previous = iterates[0]
    for _ in range(depth):
        x = iterates[-1]
        gradient = operator.unchecked_adjoint(operator.unchecked_residual(y, x))
        iterates.append(x + step * gradient + momentum * (x - previous))
        previous = x
    return torch.stack(iterates)


def _vector(steps: Tensor | Sequence[float]) -> list[float]:
    try:
        values = steps.tolist() if isinstance(steps, Tensor) else steps
        vector = torch.as_tensor(values, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):  # no real numbers
        vector = torch.empty(())
    if vector.ndim != 1 or len(vector) == 0 or not torch.isfinite(vector).all():
        raise ValueError(f"steps is {steps!r}; a finite real vector (K,) is needed")
    return vector.tolist()
