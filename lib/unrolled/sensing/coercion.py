"""What people bring as A, a matrix or an operator, as the operator that a function works on."""

from __future__ import annotations

from typing import overload

from torch import Tensor

from unrolled.sensing.dense import DenseOperator
from unrolled.sensing.operator import SensingOperator

__all__ = ["any_operator", "dense_operator"]


@overload
def any_operator(A: DenseOperator | Tensor) -> DenseOperator: ...


@overload
def any_operator(A: SensingOperator | Tensor) -> SensingOperator: ...


def any_operator(A: SensingOperator | Tensor) -> SensingOperator:
    """A as an operator; a matrix becomes a `DenseOperator`."""
    return A if isinstance(A, SensingOperator) else DenseOperator(A)


def dense_operator(A: DenseOperator | Tensor) -> DenseOperator:
    """A as a `DenseOperator`; ValueError for what cannot be one."""
    operator = any_operator(A)
    if not isinstance(operator, DenseOperator):
        raise ValueError(f"A is a {type(A).__name__}; its matrix is needed: A.dense()")
    return operator
