"""Where every iteration starts, and what it requires of its arguments."""

from __future__ import annotations

from torch import Tensor

from unrolled.checks import check_batch, check_depth, check_dtype, check_kind
from unrolled.sensing import SensingOperator


def start(operator: SensingOperator, y: Tensor, depth: int) -> Tensor:
    """x_0 = 0, (B, n), for measurements y, (B, m), of the operator's dtype and depth ≥ 1."""
    check_depth(depth)
    check_measurements(operator, y)
    return y.new_zeros(len(y), operator.shape[1])


def check_measurements(operator: SensingOperator, y: Tensor) -> None:
    """Require finite measurements (B, m) of the operator's dtype; ValueError otherwise."""
    check_kind("operator", operator, SensingOperator)
    check_batch("y", y, operator.shape[0])
    check_dtype("y", y, operator.dtype)
