"""Operators that hold their matrix: given, drawn, or built for its angles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from unrolled.checks import (
    check_entries,
    check_floating,
    check_kind,
    check_matrix,
    check_size,
    check_spectrum,
    is_traced,
)
from unrolled.sensing.operator import SensingOperator, check_full_precision, gram_eigenvalues
from unrolled.sensing.transforms import check_power_of_two, hadamard

__all__ = [
    "BatchOperator",
    "DenseOperator",
    "equiangular_frame",
    "gaussian",
    "identity_hadamard",
    "with_spectrum",
]


class _Factors(NamedTuple):
    # The thin singular value decomposition, and of what: a tensor, in the state that PyTorch counts
    # (None where it does not count), since a change in place leaves the tensor the same.
    svd: tuple[Tensor, Tensor, Tensor]
    A: Tensor
    state: int | None


class _MatrixOperator(SensingOperator):
    # What holds its matrix, or one for each sample, (…, m, n), and factors it once.

    A: Tensor

    def __init__(self, A: Tensor) -> None:
        super().__init__()
        with torch.inference_mode(False):  # where changes in place are not counted
            self.register_buffer("A", A.clone())
        self.shape = (A.shape[-2], A.shape[-1])
        self._factors: _Factors | None = None

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of A."""
        return self.A.dtype

    def svd(self) -> tuple[Tensor, Tensor, Tensor]:
        """The thin singular value decomposition A = U diag(s) Vᴴ, computed once: U, s, Vᴴ.

        It is computed anew for another A, also for one that was changed in place. What is compiled
        takes what there is, and does not look at A.
        """
        if torch.compiler.is_compiling() and self._factors is not None:
            return self._factors.svd
        if is_traced(self.A):  # of what is followed, not run, nothing can be kept
            return torch.linalg.svd(self.A, full_matrices=False)
        check_full_precision(self.dtype)
        factors = self._factors
        if factors is None or not self._are_current(factors):
            # The factors outlive the call. Those first asked for in inference mode may be used
            # in training later, and those of a torch.func transform after it: A is constant, so
            # nothing but the transform's wrapper is taken off.
            with torch.inference_mode(False):
                U, singular, Vh = map(
                    torch.func.debug_unwrap, torch.linalg.svd(self.A, full_matrices=False)
                )
            factors = self._factors = _Factors((U, singular, Vh), self.A, _state(self.A))
        return factors.svd

    @property
    def eigenvalues(self) -> Tensor:
        """The n eigenvalues of H = AᴴA, real, in increasing order, zeros included when m < n."""
        return gram_eigenvalues(self.svd()[1], self.shape[1])

    def dense(self) -> Tensor:
        return self.A

    def _are_current(self, factors: _Factors) -> bool:
        return factors.A is self.A and factors.state == _state(self.A)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # Another device takes the factors along; another precision calls for factors of its own.
        factors, dtype = self._factors, self.A.dtype
        kept = factors is not None and self._are_current(factors)
        super()._apply(fn, recurse)
        self._factors = None
        if factors is not None and kept and self.A.dtype == dtype:
            U, singular, Vh = factors.svd
            self._factors = _Factors((fn(U), fn(singular), fn(Vh)), self.A, _state(self.A))
        return self

    def __getstate__(self) -> dict[str, Any]:
        kept = self._factors is not None and self._are_current(self._factors)
        return {**self.__dict__, "_factors": self._factors if kept else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self._factors is not None:  # a copy of A starts to count anew
            self._factors = _Factors(self._factors.svd, self.A, _state(self.A))


def _state(A: Tensor) -> int | None:
    return None if A.is_inference() else A._version


class DenseOperator(_MatrixOperator):
    """A sensing operator that holds its matrix, and its singular values once they are asked for.

    Args:
        A: (m, n), real or complex floating point, finite; fixed, so it carries no gradient. What is
            held is a copy.

    Raises:
        ValueError: A is none of that.
    """

    def __init__(self, A: Tensor) -> None:
        check_matrix("A", A)
        super().__init__(A)

    def unchecked_forward(self, x: Tensor) -> Tensor:
        return x @ self.A.T

    def unchecked_adjoint(self, y: Tensor) -> Tensor:
        return y @ self.A.conj()

    def unchecked_lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        U, singular, Vh = self.svd()
        return (r @ U.conj()) * (singular / (singular**2 + lam)) @ Vh.conj()

    def unchecked_residual(self, y: Tensor, x: Tensor) -> Tensor:
        return torch.addmm(y, x, self.A.T, alpha=-1)


class BatchOperator(_MatrixOperator):
    """A matrix for each signal, row i of a batch measured by A_i: channels, masks, trajectories.

    Batches have as many rows as there are matrices. `eigenvalues` are (B, n), `dense` is
    (B, m, n).

    Args:
        A: (B, m, n), real or complex floating point, finite, without gradient. What is held is a
            copy.

    Raises:
        ValueError: A is none of that, or a batch has another number of rows.
    """

    def __init__(self, A: Tensor) -> None:
        check_matrix("A", A, batch=True)
        super().__init__(A)

    def unchecked_forward(self, x: Tensor) -> Tensor:
        return _each(x, self.A.mT)

    def unchecked_adjoint(self, y: Tensor) -> Tensor:
        return _each(y, self.A.conj())

    def unchecked_lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        U, singular, Vh = self.svd()
        return _each(_each(r, U.conj()) * (singular / (singular**2 + lam)), Vh.conj())

    def check(self, name: str, batch: Tensor, width: int) -> None:
        """Require a finite batch of its dtype with a row for each matrix; ValueError otherwise."""
        super().check(name, batch, width)
        if len(batch) != len(self.A):
            raise ValueError(
                f"{name} has {len(batch)} rows; one for each of {len(self.A)} A needed"
            )


def _each(rows: Tensor, matrices: Tensor) -> Tensor:
    # Each row times its own matrix: (B, p), (B, p, q) to (B, q).
    return (rows[:, None] @ matrices)[:, 0]


def gaussian(
    m: int,
    n: int,
    *,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    unit_columns: bool = False,
) -> DenseOperator:
    """Draw A with independent entries of mean 0 and variance 1/m, real or complex.

    Columns have unit norm on average; with unit_columns each is then scaled to unit norm, so that
    it is uniform on the sphere. Real entries are normal; those of a complex dtype are circular:
    real and imaginary parts are independent, of variance 1/2m each. The eigenvalues of AᴴA follow
    the Marchenko–Pastur law with ratio c = n/m as both grow.
    """
    check_size("m", m)
    check_size("n", n)
    check_entries("m, n", f"{m}, {n}", m * n)
    check_kind("unit_columns", unit_columns, bool)
    A = _normal(m, n, generator, dtype) / m**0.5
    if unit_columns:
        A = A / torch.linalg.vector_norm(A, dim=0)
    return DenseOperator(A.to(dtype))


def with_spectrum(
    eigenvalues: Tensor,
    *,
    m: int | None = None,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> DenseOperator:
    """Draw A = U diag(√λ) Vᴴ with random orthogonal U, V, so that AᴴA has the given eigenvalues.

    U and V are uniform (Haar): orthogonal, or unitary for a complex dtype.

    Args:
        eigenvalues: (n,), real, nonnegative and finite.
        m: measurements, n by default; when m < n at least n − m eigenvalues must be 0, since AᴴA
            has rank at most m.

    Raises:
        ValueError: eigenvalues that are negative, not finite, or more than rank m allows.
    """
    check_spectrum("eigenvalues", eigenvalues)
    n = len(eigenvalues)
    m = n if m is None else m
    check_size("m", m)
    check_entries("m", m, m * m)
    check_entries("eigenvalues", f"a vector ({n},)", n * n)
    nonzero = int((eigenvalues > 0).sum())
    if nonzero > m:
        raise ValueError(f"eigenvalues has {nonzero} positive entries; rank is at most m = {m}")
    rank = min(m, n)
    largest = torch.sort(eigenvalues.double(), descending=True).values[:rank]
    U = _orthogonal(m, generator, dtype)[:, :rank]
    V = _orthogonal(n, generator, dtype)[:, :rank]
    return DenseOperator(((U * largest.sqrt().to(U.device)) @ V.mH).to(dtype))


def equiangular_frame(*, dtype: torch.dtype = torch.float32) -> DenseOperator:
    """The equiangular tight frame of 16 unit vectors in ℝ⁶: |⟨a_i, a_j⟩| = 1/3 for all i ≠ j.

    No 16 lines in ℝ⁶ have a smaller largest |cosine| (the Welch bound), and AAᵀ = (16/6)I.

    Rows 3, 7, 11, 12, 13, 14 of the Hadamard matrix of order 16, scaled by 1/√6. Those are the
    numbers b₃b₂b₁b₀ in binary with b₃b₂ + b₁b₀ odd. They are a (16, 6, 2) difference set
    of ℤ₂⁴ (each of its nonzero elements is a difference twice), and the characters of a group,
    restricted to a difference set, are an equiangular tight frame (Xia, Zhou and Giannakis,
    Achieving the Welch bound with difference sets, IEEE Trans. Inf. Theory 51, 2005).
    """
    check_floating(dtype)
    characters = hadamard(torch.eye(16, dtype=torch.float64)) * 4
    return DenseOperator((characters[[3, 7, 11, 12, 13, 14]] / 6**0.5).to(dtype))


def identity_hadamard(order: int = 64, *, dtype: torch.dtype = torch.float32) -> DenseOperator:
    """Spikes and Walsh functions: A = [I, H/√order], (order, 2·order), two orthonormal bases.

    Columns have unit norm, and columns of different bases have |⟨a_i, a_j⟩| = 1/√order, so that
    this is the coherence.

    Args:
        order: a power of two.

    Raises:
        ValueError: order is none.
    """
    check_power_of_two("order", order)
    check_entries("order", order, 2 * order**2)
    check_floating(dtype)
    identity = torch.eye(order, dtype=torch.float64)
    return DenseOperator(torch.cat((identity, hadamard(identity)), 1).to(dtype))


def _normal(m: int, n: int, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    # In double precision whatever is asked for, and where the generator is.
    check_floating(dtype)
    check_kind("generator", generator, torch.Generator)
    double = torch.complex128 if dtype.is_complex else torch.float64
    return torch.randn(m, n, generator=generator, dtype=double, device=generator.device)


def _orthogonal(size: int, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    # Haar-distributed: QR of a Gaussian matrix with the signs of R's diagonal moved into Q
    # (Mezzadri 2007).
    Q, R = torch.linalg.qr(_normal(size, size, generator, dtype))
    return Q * torch.sgn(torch.diagonal(R))
