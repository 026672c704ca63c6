"""Matrices whose isometry constants or coherence are known without a search."""

from __future__ import annotations

from numbers import Real

import torch

from unrolled.checks import check_size
from unrolled.sensing import DenseOperator


def nearly_orthonormal(
    m: int,
    n: int,
    *,
    generator: torch.Generator,
    scale: float = 1.0,
    dtype: torch.dtype = torch.float64,
) -> DenseOperator:
    """A (m, n), float64 or complex128, all but n − m dimensions of an orthonormal basis, m < n.

    What is missing is spread evenly over the columns, so that δ_s is about s(n − m)/n. Rows are
    orthogonal and of length `scale`.

    Raises:
        ValueError: other sizes.
    """
    check_size("m", m)
    if not m < n:
        raise ValueError(f"n is {n}; more columns than the {m} rows are needed")
    signs = torch.randint(0, 2, (n, n - m), generator=generator) * 2 - 1
    sizes = 1 + 0.3 * torch.rand(n, n - m, generator=generator, dtype=torch.float64)
    missing = signs * sizes
    if dtype.is_complex:
        angles = 2 * torch.pi * torch.rand(n, n - m, generator=generator, dtype=torch.float64)
        missing = torch.polar(sizes, angles)
    basis = torch.linalg.qr(missing, mode="complete").Q
    return DenseOperator(scale * basis[:, n - m :].mH)


def spikes_and_walsh(order: int) -> float:
    """δ of that order, 1 … 16, of `identity_hadamard(64)`: exact, with no support looked at.

    AᵀA − I on p spikes and q Walsh functions is a (p, q) block of entries ±1/8 and its transpose.
    Its norm is at most √(pq)/8, and that where the block has rank one: for all p, q ≤ 8 there are
    spikes and functions with equal signs throughout. √(pq) is largest for p and q nearly equal.
    """
    half = order // 2
    return (half * (order - half) / 64) ** 0.5


def simplex(size: int, cosine: float) -> DenseOperator:
    """`size` unit vectors with ⟨a_i, a_j⟩ = −cosine for all i ≠ j, float64: here bounds are met.

    Raises:
        ValueError: cosine outside 0 ≤ cosine < 1/(size − 1), which the Gram matrix needs to be
            positive.
    """
    check_size("size", size)
    if not isinstance(cosine, Real) or not 0 <= cosine * (size - 1) < 1:
        raise ValueError(f"cosine is {cosine!r}; 0 ≤ cosine < 1/{size - 1} is needed")
    identity = torch.eye(size, dtype=torch.float64)
    return DenseOperator(torch.linalg.cholesky((1 + cosine) * identity - cosine).T)
