"""Where every iteration starts, and what it requires of its arguments."""

from __future__ import annotations

from torch import Tensor

from unrolled.checks import check_depth
from unrolled.sensing import SensingOperator
from unrolled.sensing.check import check_once


def start(operator: SensingOperator, y: Tensor, depth: int, x0: Tensor | None = None) -> Tensor:
    """x_0, (B, n), zero by default, for measurements y, (B, m), of the operator's dtype.

    Raises:
        ValueError: arguments that do not fit each other, or are not finite.
    """
    check_depth(depth)
    check_measurements(operator, y)
    if x0 is None:
        return y.new_zeros(len(y), operator.shape[1])
    operator.check("x0", x0, operator.shape[1])
    check_place("x0", x0, operator)
    if len(x0) != len(y):
        raise ValueError(f"x0 has {len(x0)} rows and y has {len(y)}; one for each y is needed")
    return x0


def check_measurements(operator: SensingOperator, y: Tensor) -> None:
    """Require finite measurements (B, m) of the operator's dtype, and an operator that is one.

    ValueError otherwise.
    """
    # As many as are given, since an operator may be made for so many.
    check_once(operator, rows=len(y) if isinstance(y, Tensor) and y.ndim else 1)
    operator.check("y", y, operator.shape[0])
    check_place("y", y, operator)


def check_place(name: str, value: Tensor, operator: SensingOperator) -> None:
    """Require the operator's device, if it holds anything; ValueError naming `name` otherwise."""
    holds = next(operator.buffers(), value)
    if value.device != holds.device:
        raise ValueError(f"{name} is on {value.device}; {holds.device} is needed, as of A")
