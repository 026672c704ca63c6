"""What people bring as A, a matrix or an operator, as the operator that a function works on."""

from __future__ import annotations

from typing import overload

from torch import Tensor

from unrolled.sensing.dense import DenseOperator
from unrolled.sensing.operator import SensingOperator

__all__ = ["dense_operator", "real_operator"]


@overload
def real_operator(A: DenseOperator | Tensor) -> DenseOperator: ...


@overload
def real_operator(A: SensingOperator | Tensor) -> SensingOperator: ...


def real_operator(A: SensingOperator | Tensor) -> SensingOperator:
    """A as a real operator; a matrix becomes a `DenseOperator`.

    Raises:
        ValueError: A is complex.
    """
    operator = A if isinstance(A, SensingOperator) else DenseOperator(A)
    if operator.dtype.is_complex:
        raise ValueError(f"A has dtype {operator.dtype}; a real operator is needed")
    return operator


def dense_operator(A: DenseOperator | Tensor) -> DenseOperator:
    """A as a real `DenseOperator`; ValueError for what cannot be one."""
    if isinstance(A, SensingOperator) and not isinstance(A, DenseOperator):
        raise ValueError(f"A is a {type(A).__name__}; its matrix is needed: A.dense()")
    return real_operator(A)
