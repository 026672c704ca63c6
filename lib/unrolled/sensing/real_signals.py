"""Real signals behind a complex operator: half the unknowns."""

from __future__ import annotations

from typing import overload

import torch
from torch import Tensor

from unrolled.checks import check_dense, check_kind
from unrolled.sensing.coercion import any_operator
from unrolled.sensing.dense import BatchOperator, DenseOperator
from unrolled.sensing.operator import SensingOperator

__all__ = ["RealSignals", "check_complex", "stacked", "with_real_signals"]


def stacked(y: Tensor) -> Tensor:
    """Complex measurements (B, m) as real ones: real parts, then imaginary ones, (B, 2m).

    ValueError for what is no complex batch.
    """
    check_dense("y", y)
    if y.ndim != 2 or not y.is_complex():
        raise ValueError(
            f"y has shape {tuple(y.shape)} and dtype {y.dtype}; a complex batch (B, m) is needed"
        )
    return torch.cat((y.real, y.imag), 1)


class RealSignals(SensingOperator):
    """A complex operator for signals that are real: x ↦ (Re Ax, Im Ax), real, (2m, n).

    In ‖y − Ax‖², y complex and x real, real and imaginary part count as two measurements each. So
    the problem is real, with half as many unknowns as one with a complex x, and the noise in each
    of its measurements has half the variance. Products are those of A, real for real signals.

    Args:
        A: a complex operator (m, n).

    Raises:
        ValueError: A is real.
    """

    def __init__(self, A: SensingOperator) -> None:
        super().__init__()
        check_kind("A", A, SensingOperator)
        check_complex(A)
        self.complex = A
        self.shape = (2 * A.shape[0], A.shape[1])

    @property
    def dtype(self) -> torch.dtype:
        """The real dtype of signals and stacked measurements."""
        return self.complex.dtype.to_real()

    def unchecked_forward(self, x: Tensor) -> Tensor:
        return stacked(self.complex.unchecked_forward(x.to(self.complex.dtype)))

    def unchecked_adjoint(self, y: Tensor) -> Tensor:
        real, imaginary = y.chunk(2, dim=1)
        return self.complex.unchecked_adjoint(torch.complex(real, imaginary)).real


@overload
def with_real_signals(A: DenseOperator | Tensor) -> DenseOperator: ...


@overload
def with_real_signals(A: SensingOperator | Tensor) -> SensingOperator: ...


def with_real_signals(A: SensingOperator | Tensor) -> SensingOperator:
    """The real operator of a complex A for real signals, which measures `stacked(y)`, (B, 2m).

    What holds its matrix, or one for each sample, becomes (Re A, Im A), one above the other, with
    closed forms for all; another operator keeps its products (`RealSignals`).

    Raises:
        ValueError: A is real.
    """
    operator = any_operator(A)
    check_complex(operator)
    if isinstance(operator, DenseOperator | BatchOperator):
        return type(operator)(torch.cat((operator.A.real, operator.A.imag), -2))
    return RealSignals(operator)


def check_complex(operator: SensingOperator) -> None:
    """Require a complex operator, behind which real signals are a case; ValueError otherwise."""
    if not operator.dtype.is_complex:
        raise ValueError(
            f"A has dtype {operator.dtype}; real signals are a case of a complex A alone"
        )
