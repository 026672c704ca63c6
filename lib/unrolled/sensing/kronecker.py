"""Kronecker products: two small matrices that act on the two sides of an image."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_matrix
from unrolled.sensing.dense import BatchOperator, DenseOperator
from unrolled.sensing.operator import SensingOperator

__all__ = ["KroneckerOperator", "kronecker"]


class KroneckerOperator(SensingOperator):
    """A = A1 ⊗ A2, held and applied by its factors: A1 (m1, n1), A2 (m2, n2), A (m1·m2, n1·n2).

    A signal is an image X (n1, n2), row after row, and is measured as A1 X A2ᵀ. With
    A_i = U_i diag(s_i) V_iᴴ, A has the singular values s1 ⊗ s2 and the singular vectors U1 ⊗ U2,
    V1 ⊗ V2 (Horn and Johnson, Topics in Matrix Analysis, 1991, section 4.2), so that the LMMSE
    step, too, is made of small products. A is never formed but by `dense`.

    Args:
        A1, A2: matrices or operators of one dtype; an operator that is not a `DenseOperator` is
            held by its matrix, which is small.

    Raises:
        ValueError: A1, A2 are none of that.
    """

    def __init__(self, A1: SensingOperator | Tensor, A2: SensingOperator | Tensor) -> None:
        super().__init__()
        first, second = _factor("A1", A1), _factor("A2", A2)
        if first.dtype != second.dtype:
            raise ValueError(
                f"A1, A2 have dtypes {first.dtype}, {second.dtype}; both must be the same"
            )
        self.first, self.second = first, second
        self.shape = (first.shape[0] * second.shape[0], first.shape[1] * second.shape[1])

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of both factors."""
        return self.first.dtype

    @property
    def eigenvalues(self) -> Tensor:
        """The n eigenvalues of AᴴA, the products of the factors' eigenvalues, in order."""
        products = torch.outer(self.first.eigenvalues, self.second.eigenvalues)
        return products.flatten().sort().values

    def unchecked_forward(self, x: Tensor) -> Tensor:
        image = x.reshape(len(x), self.first.shape[1], self.second.shape[1])
        return _both_sides(self.first.A, image, self.second.A).flatten(1)

    def unchecked_adjoint(self, y: Tensor) -> Tensor:
        image = y.reshape(len(y), self.first.shape[0], self.second.shape[0])
        return _both_sides(self.first.A.mH, image, self.second.A.mH).flatten(1)

    def unchecked_lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        if isinstance(lam, Tensor):
            lam = lam.reshape(-1, 1, 1)  # one for each image
        (U1, s1, V1h), (U2, s2, V2h) = self.first.svd(), self.second.svd()
        singular = torch.outer(s1, s2)
        image = r.reshape(len(r), self.first.shape[0], self.second.shape[0])
        image = _both_sides(U1.mH, image, U2.mH) * (singular / (singular * singular + lam))
        return _both_sides(V1h.mH, image, V2h.mH).flatten(1)

    def dense(self) -> Tensor:
        return torch.kron(self.first.A.contiguous(), self.second.A.contiguous())


def kronecker(A1: SensingOperator | Tensor, A2: SensingOperator | Tensor) -> KroneckerOperator:
    """A1 ⊗ A2 for matrices or operators."""
    return KroneckerOperator(A1, A2)


def _factor(name: str, A: SensingOperator | Tensor) -> DenseOperator:
    if isinstance(A, DenseOperator):
        return A
    if isinstance(A, BatchOperator):
        raise ValueError(f"{name} holds a matrix for each sample; one for all is needed")
    if isinstance(A, SensingOperator):
        return DenseOperator(A.dense())
    check_matrix(name, A)
    return DenseOperator(A)


def _both_sides(left: Tensor, images: Tensor, right: Tensor) -> Tensor:
    # left X rightᵀ for each X: (p, q), (B, q, t), (s, t) to (B, p, s). The smaller of the two
    # things in between, q·s or p·t, is at most √(qt·ps), so it never outgrows what goes in and out.
    (p, q), (s, t) = left.shape, right.shape
    if q * s <= p * t:
        return left @ (images @ right.T)
    return (left @ images) @ right.T
