"""The one problem behind isometry constants: the largest eigenvalue over all small submatrices.

For a Hermitian H (n, n) and an order s it asks for max λ_max(σH_S) over the supports S of s columns
and over the signs σ asked for. With H = AᴴA − I and both signs this is the isometry constant δ_s;
with H = AᴴA and one sign it is a restricted eigenvalue. Everything else here bounds or solves it.

Squares of squares of entries are needed on the way, so a problem is stated in a unit, a power of
two, in which H has entries near 1; what is found is multiplied by the unit at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from unrolled.precision import in_double
from unrolled.sensing import DenseOperator, dense_operator

__all__ = [
    "EffortSpent",
    "Found",
    "SparseEigenvalue",
    "column_norms",
    "gram",
    "matrix",
    "terms",
    "times_power",
]

EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Found:
    """The largest value found, a support (sorted) that attains it, and how many were looked at."""

    value: float
    support: tuple[int, ...]
    looked_at: int


class EffortSpent(ValueError):
    """An exact method has used up its effort. What it knows by then: lower ≤ the value ≤ upper."""

    def __init__(self, message: str, lower: Found, upper: float) -> None:
        super().__init__(message)
        self.lower, self.upper = lower, upper


@dataclass(frozen=True)
class SparseEigenvalue:
    """max λ_max(σH_S) over |S| = s and σ in signs, where H_S are the rows and columns S of H.

    By Cauchy's interlacing it is also the maximum over |S| ≤ s.

    Attributes:
        H: (n, n), Hermitian, float64 or complex128.
        s: 1 … n.
        signs: of 1 and −1.
        name: for messages.
        scale: size of the numbers that H was computed from, by which rounding is judged.
        terms: how many real products were summed in an entry of H.
        unit: what values are to be multiplied by at the end, a power of two.
    """

    H: Tensor
    s: int
    signs: Sequence[int] = (1, -1)
    name: str = "the value"
    scale: float = 1.0
    terms: int = 1
    unit: float = 1.0

    @cached_property
    def margin(self) -> float:
        """What rounding may add to or take from an eigenvalue of an (s, s) submatrix of H as it is.

        How far H itself is from what it stands for is another matter: see `inherited`.
        """
        return 16 * self.s**2 * EPS * self.scale

    @cached_property
    def inherited(self) -> float:
        """What the rounding of H's entries may do to an eigenvalue of an (s, s) submatrix.

        An inner product of m terms is off by at most γ_m‖a_i‖‖a_j‖ with γ_m ≈ m·eps/2 (Higham,
        Accuracy and Stability of Numerical Algorithms, 2002, section 3.1), an eigenvalue by s
        times that.
        """
        return self.s * self.terms * EPS * self.scale

    def restored(self, value: float) -> float:
        """A value in full instead of in units; ValueError where float64 does not hold it."""
        full = self.unit * value
        if not math.isfinite(full):
            raise ValueError(f"A has entries so large that {self.name} overflows float64")
        return full

    def stopped(self, how: str, lower: Found, upper: float) -> EffortSpent:
        """What to raise when the effort is spent and these bounds, in units, are known."""
        lower, upper = replace(lower, value=self.unit * lower.value), self.unit * upper
        message = f"{how}, where {lower.value:.4g} ≤ {self.name} ≤ {upper:.4g}"
        return EffortSpent(message, lower, upper)

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
        return replace(self, H=sign * self.H, s=s or self.s, signs=(1,))


def matrix(A: DenseOperator | Tensor) -> Tensor:
    """A as a float64 or complex128 matrix (m, n); ValueError for what is none, or not finite."""
    return in_double(dense_operator(A).dense())


def gram(A: DenseOperator | Tensor) -> tuple[Tensor, int]:
    """G and e with AᴴA = 2ᵉG, where G (n, n) is exactly Hermitian and 1 ≤ max|G_ij| < 2.

    In double precision. For A = 0 it is 0 and 0.

    Raises:
        ValueError: AᴴA overflows.
    """
    A = matrix(A)
    size = float((torch.view_as_real(A) if A.is_complex() else A).abs().max())
    shift = _exponent(size)
    A = times_power(A, -shift)
    G = A.mH @ A
    extra = _exponent(float(G.abs().max()))
    exponent = 2 * shift + extra
    if exponent > 1023:
        raise ValueError(f"A has entries up to {size:.3g}; AᴴA overflows float64")
    return times_power((G + G.mH) / 2, -extra), exponent


def times_power(A: Tensor, exponent: int) -> Tensor:
    """2ᵉA, in two steps, since 2ᵉ may overflow where the product does not."""
    half = exponent // 2
    return A * 2.0**half * 2.0 ** (exponent - half)


def terms(A: Tensor) -> int:
    """How many real products are summed in the parts of an entry of AᴴA, or rounded as badly."""
    return len(A) * (2 if A.is_complex() else 1)


def column_norms(A: Tensor) -> Tensor:
    """‖a_j‖ for each column, (n,), at any scale; ValueError for a zero column."""
    largest = A.abs().amax(0)
    if (largest == 0).any():
        raise ValueError(f"A has a zero column, number {int((largest == 0).nonzero()[0])}")
    return largest * torch.linalg.vector_norm(A / largest, dim=0)


def _exponent(number: float) -> int:
    # k with 2ᵏ ≤ number < 2ᵏ⁺¹; 0 for 0.
    return math.frexp(number)[1] - 1 if number else 0
