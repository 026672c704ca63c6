"""Sensing operators: the A in y = Ax + w.

Batches come first: signals x are (B, n), measurements y are (B, m), A is (m, n).
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

__all__ = ["DenseOperator", "SensingOperator", "gaussian", "with_spectrum"]


class SensingOperator:
    """A linear map from signals (B, n) to measurements (B, m), with its adjoint and LMMSE step.

    Subclasses give `shape`, `forward`, `adjoint`, `lmmse` and `dense`.
    """

    shape: tuple[int, int]

    def forward(self, x: Tensor) -> Tensor:
        """Measure: (B, n) to (B, m), Ax for each row x."""
        raise NotImplementedError

    def adjoint(self, y: Tensor) -> Tensor:
        """Back-project: (B, m) to (B, n), Aᴴy for each row y."""
        raise NotImplementedError

    def lmmse(self, r: Tensor, lam: float) -> Tensor:
        """Linear estimate Aᴴ(AAᴴ + λI)⁻¹r of a white signal from r: (B, m) to (B, n), λ > 0."""
        raise NotImplementedError

    def dense(self) -> Tensor:
        """The matrix itself, (m, n)."""
        raise NotImplementedError


class DenseOperator(SensingOperator):
    """A sensing operator that holds its matrix, and its singular values once they are asked for.

    A: (m, n), floating point, finite. Raises ValueError otherwise.
    """

    def __init__(self, A: Tensor) -> None:
        if A.ndim != 2 or 0 in A.shape:
            raise ValueError(f"A has shape {tuple(A.shape)}; a matrix (m, n) is needed")
        if not A.is_floating_point():
            raise ValueError(f"A has dtype {A.dtype}; a real floating-point matrix is needed")
        if not torch.isfinite(A).all():
            raise ValueError("A holds NaN or infinite entries; all must be finite")
        self.A = A
        self.shape = (A.shape[0], A.shape[1])

    @cached_property
    def _svd(self) -> tuple[Tensor, Tensor, Tensor]:
        return torch.linalg.svd(self.A, full_matrices=False)

    @cached_property
    def eigenvalues(self) -> Tensor:
        """The n eigenvalues of H = AᵀA in increasing order, zeros included when m < n."""
        squares = self._svd[1] ** 2
        zeros = squares.new_zeros(self.shape[1] - len(squares))
        return torch.cat((squares, zeros)).flip(0)

    def forward(self, x: Tensor) -> Tensor:
        check_batch("x", x, self.shape[1])
        return x @ self.A.T

    def adjoint(self, y: Tensor) -> Tensor:
        check_batch("y", y, self.shape[0])
        return y @ self.A

    def lmmse(self, r: Tensor, lam: float) -> Tensor:
        check_batch("r", r, self.shape[0])
        if not lam > 0:
            raise ValueError(f"lam is {lam}; the regularisation λ must be > 0")
        U, singular, Vh = self._svd
        return (r @ U) * (singular / (singular**2 + lam)) @ Vh

    def dense(self) -> Tensor:
        return self.A


def check_batch(name: str, batch: Tensor, width: int) -> None:
    """Require a batch (B, width); ValueError naming `name` otherwise."""
    if batch.ndim != 2 or batch.shape[1] != width:
        raise ValueError(f"{name} has shape {tuple(batch.shape)}; a batch (B, {width}) is needed")


def _check_size(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")


def gaussian(
    m: int, n: int, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> DenseOperator:
    """Draw A with independent N(0, 1/m) entries, so that columns have unit norm on average.

    The eigenvalues of AᵀA follow the Marchenko–Pastur law with ratio c = n/m as both grow.
    """
    _check_size("m", m)
    _check_size("n", n)
    A = torch.randn(m, n, generator=generator, dtype=torch.float64) / m**0.5
    return DenseOperator(A.to(dtype))


def with_spectrum(
    eigenvalues: Tensor,
    *,
    m: int | None = None,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> DenseOperator:
    """Draw A = U diag(√λ) Vᵀ with random orthogonal U, V, so that AᵀA has the given eigenvalues.

    eigenvalues: (n,), nonnegative and finite. m: measurements, n by default; when m < n at least
    n − m eigenvalues must be 0, since AᵀA has rank at most m.
    """
    if eigenvalues.ndim != 1 or len(eigenvalues) == 0:
        raise ValueError(f"eigenvalues has shape {tuple(eigenvalues.shape)}; (n,) is needed")
    if not torch.isfinite(eigenvalues).all() or (eigenvalues < 0).any():
        raise ValueError("eigenvalues holds negative or non-finite entries; all must be ≥ 0")
    n = len(eigenvalues)
    m = n if m is None else m
    _check_size("m", m)
    nonzero = int((eigenvalues > 0).sum())
    if nonzero > m:
        raise ValueError(f"eigenvalues has {nonzero} positive entries; rank is at most m = {m}")
    rank = min(m, n)
    largest = torch.sort(eigenvalues.double(), descending=True).values[:rank]
    U = _orthogonal(m, generator)[:, :rank]
    V = _orthogonal(n, generator)[:, :rank]
    return DenseOperator(((U * largest.sqrt()) @ V.T).to(dtype))


def _orthogonal(size: int, generator: torch.Generator) -> Tensor:
    # Haar-distributed: QR of a Gaussian matrix with the signs of R's diagonal moved into Q.
    Q, R = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return Q * torch.sign(torch.diagonal(R))
