"""The one problem behind isometry constants: the largest eigenvalue over all small submatrices.

For a Hermitian H (n, n) and an order s it asks for max λ_max(σH_S) over the supports S of s columns
and over the signs σ asked for. With H = AᴴA − I and both signs this is the isometry constant δ_s;
with H = AᴴA and one sign it is a restricted eigenvalue. Everything else here bounds or solves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import torch
from torch import Tensor

from unrolled.sensing import DenseOperator, SensingOperator
from unrolled.sensing.dense import check_matrix

__all__ = ["Found", "SparseEigenvalue", "check_order", "gram", "matrix"]


@dataclass(frozen=True)
class Found:
    """The largest value found, a support (sorted) that attains it, and how many were looked at."""

    value: float
    support: tuple[int, ...]
    looked_at: int


@dataclass(frozen=True)
class SparseEigenvalue:
    """max λ_max(σH_S) over |S| = s and σ in signs, where H_S are the rows and columns S of H.

    By Cauchy's interlacing it is also the maximum over |S| ≤ s.

    H: (n, n), Hermitian, float64 or complex128. s: 1 … n. signs: of 1 and −1. name: for messages.
    scale: size of the numbers that H was computed from, by which rounding is judged.
    """

    H: Tensor
    s: int
    signs: Sequence[int] = (1, -1)
    name: str = "the value"
    scale: float = 1.0

    @cached_property
    def margin(self) -> float:
        """What rounding may add to or take from an eigenvalue of an (s, s) submatrix."""
        return 16 * self.s**2 * torch.finfo(torch.float64).eps * self.scale

    def submatrices(self, supports: Tensor) -> Tensor:
        """H_S for each row of supports: (B, k) to (B, k, k)."""
        return self.H[supports[:, :, None], supports[:, None, :]]

    def of(self, supports: Tensor) -> Tensor:
        """The largest λ_max(σH_S) over σ for each row of supports: (B, s) to (B,)."""
        eigenvalues = torch.linalg.eigvalsh(self.submatrices(supports))  # (B, s), increasing
        ends = [eigenvalues[:, -1] if sign > 0 else -eigenvalues[:, 0] for sign in self.signs]
        return torch.stack(ends).amax(0)

    def best(self, supports: Tensor) -> Found:
        """The best of these supports, (B, s)."""
        value, index = self.of(supports).max(0)
        support = tuple(sorted(supports[index].tolist()))
        return Found(float(value), support, len(supports))

    def one_sided(self, sign: int, s: int | None = None) -> SparseEigenvalue:
        """The same question about one sign, as one about λ_max of ±H alone, at order s."""
        return SparseEigenvalue(sign * self.H, s or self.s, (1,), self.name, self.scale)


def matrix(A: DenseOperator | Tensor) -> Tensor:
    """A as a float64 or complex128 matrix (m, n); ValueError for what is none, or not finite."""
    if isinstance(A, SensingOperator):
        if not isinstance(A, DenseOperator):
            raise ValueError(f"A is a {type(A).__name__}; its matrix is needed: A.dense()")
        A = A.dense()
    check_matrix("A", A)
    return A.to(torch.complex128 if A.is_complex() else torch.float64)


def gram(A: DenseOperator | Tensor) -> Tensor:
    """AᴴA in double precision, (n, n), exactly Hermitian; ValueError where it overflows."""
    A = matrix(A)
    G = A.mH @ A
    if not torch.isfinite(G).all():
        raise ValueError(f"A has entries up to {float(A.abs().max()):.3g}; AᴴA overflows float64")
    return (G + G.mH) / 2


def check_order(s: int, n: int) -> None:
    """Require an integer order 1 ≤ s ≤ n; ValueError otherwise."""
    if not isinstance(s, Integral) or isinstance(s, bool) or not 1 <= s <= n:
        raise ValueError(f"s is {s!r}; an integer 1 ≤ s ≤ n = {n} is needed")
