"""Linear equations solved by products alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unrolled.checks import is_traced

__all__ = ["conjugate_gradients"]


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], right: Tensor, *, iterations: int
) -> Tensor:
    """Solve Hz = b for each row b, H Hermitian and positive definite, from products with H.

    After k iterations the error in the norm of H is at most 2((√κ − 1)/(√κ + 1))ᵏ of what it was, κ
    the condition number (Hestenes and Stiefel 1952). On a CPU it ends as soon as all rows are
    solved to rounding; a look at the residuals would make a GPU wait, and there, and where PyTorch
    follows the program, all iterations are done.

    Args:
        product: (B, m) to (B, m), z to Hz for each row; row by row, H may differ.
        right: (B, m), real or complex.
    """
    solution = torch.zeros_like(right)
    residual = direction = right
    square = _square(residual)  # (B, 1)
    number = torch.finfo(right.dtype)
    solved = square.detach() * (10 * number.eps) ** 2
    for _ in range(iterations):
        if square.device.type == "cpu" and not is_traced(square) and bool((square <= solved).all()):
            break
        image = product(direction)
        curvature = (direction.conj() * image).real.sum(1, keepdim=True)
        step = square / curvature.clamp(min=number.tiny)  # 0/tiny where a row is solved
        solution = solution + step * direction
        residual = residual - step * image
        before, square = square, _square(residual)
        direction = residual + square / before.clamp(min=number.tiny) * direction
    return solution


def _square(rows: Tensor) -> Tensor:
    return rows.abs().square().sum(1, keepdim=True)
