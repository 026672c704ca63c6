"""Fast orthonormal transforms, and operators that keep some of their rows.

Rows of an orthonormal transform are orthonormal, AAᴴ = I. That makes the LMMSE step a scaled
adjoint, Aᴴr/(1 + λ), and no product ever needs the matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from unrolled.checks import (
    FULL_PRECISION,
    check_batch,
    check_dense,
    check_floating,
    check_kind,
    check_size,
)
from unrolled.sensing.operator import SensingOperator

__all__ = [
    "PartialTransform",
    "dct",
    "hadamard",
    "inverse_dct",
    "partial_dct",
    "partial_fourier",
    "partial_hadamard",
]

Transform = Callable[[Tensor], Tensor]


def dct(x: Tensor) -> Tensor:
    """The orthonormal cosine transform (DCT-II) of each row, (B, n), real or complex.

    X_k = √(2/n) Σ_j x_j cos(π(2j + 1)k/2n), with √(1/n) for k = 0, by one Fourier transform of
    length n (Makhoul 1980, doi 10.1109/TASSP.1980.1163351).

    Raises:
        ValueError: x is not (B, n).
    """
    _check_rows("x", x)
    return unchecked_dct(x)


def unchecked_dct(x: Tensor) -> Tensor:
    """What `dct` computes, without a look at the argument."""
    if x.is_complex():
        return torch.complex(unchecked_dct(x.real), unchecked_dct(x.imag))
    n = x.shape[1]
    # Evens forwards, then odds backwards: a cosine transform of x is a Fourier transform of that.
    folded = torch.cat((x[:, ::2], x[:, 1::2].flip(1)), 1)
    half = torch.fft.rfft(folded, norm="ortho") * _twiddle(x)
    return torch.cat((half.real, -half.imag[:, 1 : (n + 1) // 2].flip(1)), 1)


def inverse_dct(X: Tensor) -> Tensor:
    """The inverse, and transpose, of `dct`, (B, n).

    Raises:
        ValueError: X is not (B, n).
    """
    _check_rows("X", X)
    return unchecked_inverse_dct(X)


def unchecked_inverse_dct(X: Tensor) -> Tensor:
    """What `inverse_dct` computes, without a look at the argument."""
    if X.is_complex():
        return torch.complex(unchecked_inverse_dct(X.real), unchecked_inverse_dct(X.imag))
    n = X.shape[1]
    mirrored = torch.nn.functional.pad(X.flip(1)[:, : n // 2], (1, 0))  # 0, X_{n−1}, X_{n−2}, …
    half = torch.complex(X[:, : n // 2 + 1], -mirrored) / _twiddle(X)
    folded = torch.fft.irfft(half, n, norm="ortho")
    x = torch.empty_like(folded)
    x[:, ::2] = folded[:, : (n + 1) // 2]
    x[:, 1::2] = folded[:, (n + 1) // 2 :].flip(1)
    return x


def _twiddle(x: Tensor) -> Tensor:
    # √2 exp(−iπk/2n), k = 0 … n/2, and 1 for k = 0.
    n = x.shape[1]
    angle = torch.arange(n // 2 + 1, dtype=x.dtype, device=x.device) * (-math.pi / (2 * n))
    radius = torch.full_like(angle, math.sqrt(2))
    radius[0] = 1
    return torch.polar(radius, angle)


def hadamard(x: Tensor) -> Tensor:
    """The orthonormal Walsh–Hadamard transform of each row, (B, n), n a power of two.

    X_k = n^{−1/2} Σ_j (−1)^{k·j} x_j, k·j the number of ones that the binary digits of k and j
    share (Sylvester's order); its own inverse. Takes n log₂ n additions.

    Raises:
        ValueError: another n.
    """
    _check_rows("x", x)
    check_power_of_two("the length of x", x.shape[1])
    return unchecked_hadamard(x)


def unchecked_hadamard(x: Tensor) -> Tensor:
    """What `hadamard` computes, without a look at the argument."""
    n = x.shape[1]
    # Each pass transforms the lowest binary digit of the place and makes it the highest, so that
    # after log₂ n passes every digit has had its turn and is where it was.
    for _ in range(n.bit_length() - 1):
        even, odd = x[:, ::2], x[:, 1::2]
        x = torch.cat((even + odd, even - odd), 1)
    return x / math.sqrt(n)


def _check_rows(name: str, rows: Tensor) -> None:
    check_dense(name, rows)
    if rows.ndim != 2 or 0 in rows.shape or rows.dtype not in FULL_PRECISION:
        raise ValueError(
            f"{name} has shape {tuple(rows.shape)} and dtype {rows.dtype}; floating-point rows "
            "(B, n) in single or double precision are needed"
        )
    check_batch(name, rows, rows.shape[1])


def check_map(name: str, function: Transform, row: Tensor) -> None:
    """Require a function of (B, n) to (B, n), tried on one row; ValueError naming `name` else."""
    try:
        image = function(row)
    except Exception as error:
        raise ValueError(f"{name} fails on rows {tuple(row.shape)}: {error}") from error
    if not isinstance(image, Tensor) or (image.shape, image.dtype) != (row.shape, row.dtype):
        raise ValueError(
            f"{name} takes rows {tuple(row.shape)} of {row.dtype} to "
            f"{image if not isinstance(image, Tensor) else (tuple(image.shape), image.dtype)}; "
            "the same shape and dtype are needed"
        )


def check_power_of_two(name: str, value: int) -> None:
    """Require 1, 2, 4, 8, …; ValueError naming `name` otherwise."""
    check_size(name, value)
    if value & (value - 1):
        raise ValueError(f"{name} is {value}; a power of two is needed")


class PartialTransform(SensingOperator):
    """Some rows of an orthonormal transform: the products are fast, and no matrix is held.

    Args:
        transform, inverse: (B, n) to (B, n), orthonormal and each other's inverse; functions of a
            module, so that the operator can be saved and copied.
        rows: (m,) integer, distinct, within 0 … n − 1: which entries of the transform are measured.
        n: length of signals.
        dtype: of signals and measurements.

    Raises:
        ValueError: rows that are repeated, out of range, not int64 or none.
    """

    rows: Tensor
    _like: Tensor

    def __init__(
        self, transform: Transform, inverse: Transform, rows: Tensor, n: int, *, dtype: torch.dtype
    ) -> None:
        super().__init__()
        for name, function in (("transform", transform), ("inverse", inverse)):
            if not callable(function):
                raise ValueError(f"{name} is {function!r}; a function of (B, n) is needed")
        check_size("n", n)
        check_floating(dtype)
        check_kind("rows", rows, Tensor)
        if rows.ndim != 1 or len(rows) == 0 or rows.dtype != torch.int64:
            raise ValueError(
                f"rows has shape {tuple(rows.shape)} and dtype {rows.dtype}; (m,) int64 is needed"
            )
        if rows.min() < 0 or rows.max() >= n or len(rows.unique()) < len(rows):
            raise ValueError(f"rows repeats itself or leaves 0 … {n - 1}; distinct places needed")
        one = torch.ones(1, n, dtype=dtype, device=rows.device)
        for name, function in (("transform", transform), ("inverse", inverse)):
            check_map(name, function, one)
        self.transform, self.inverse = transform, inverse
        self.shape = (len(rows), n)
        self.register_buffer("rows", rows.clone())
        # Holds no entries, but follows a change of dtype or device.
        like = torch.empty(0, dtype=dtype, device=rows.device)
        self.register_buffer("_like", like, persistent=False)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of signals and measurements."""
        return self._like.dtype

    @property
    def eigenvalues(self) -> Tensor:
        """The n eigenvalues of AᴴA, a projection, which are n − m zeros and m ones."""
        m, n = self.shape
        like = self._like.real
        return torch.cat((like.new_zeros(n - m), like.new_ones(m)))

    def unchecked_forward(self, x: Tensor) -> Tensor:
        return self.transform(x).index_select(1, self.rows)

    def unchecked_adjoint(self, y: Tensor) -> Tensor:
        return self.inverse(y.new_zeros(len(y), self.shape[1]).index_copy(1, self.rows, y))

    def unchecked_lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        return self.unchecked_adjoint(r) / (1 + lam)


def partial_dct(
    m: int, n: int, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> PartialTransform:
    """Draw m of the n rows of the orthonormal DCT-II, all choices alike. 1 ≤ m ≤ n."""
    rows = _draw_rows(m, n, generator)
    return PartialTransform(unchecked_dct, unchecked_inverse_dct, rows, n, dtype=dtype)


def partial_fourier(
    m: int, n: int, *, generator: torch.Generator, dtype: torch.dtype = torch.complex64
) -> PartialTransform:
    """Draw m of the n rows of the orthonormal Fourier transform exp(−2πijk/n)/√n. 1 ≤ m ≤ n.

    Signals and measurements are complex.

    Raises:
        ValueError: a real dtype.
    """
    check_floating(dtype)
    if not dtype.is_complex:
        raise ValueError(f"dtype is {dtype}; a complex dtype is needed")
    return PartialTransform(fft, inverse_fft, _draw_rows(m, n, generator), n, dtype=dtype)


def partial_hadamard(
    m: int, n: int, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> PartialTransform:
    """Draw m of the n rows of the orthonormal Hadamard matrix, n a power of two. 1 ≤ m ≤ n."""
    check_power_of_two("n", n)
    rows = _draw_rows(m, n, generator)
    return PartialTransform(unchecked_hadamard, unchecked_hadamard, rows, n, dtype=dtype)


def fft(x: Tensor) -> Tensor:
    """The orthonormal Fourier transform of each row, (B, n)."""
    return torch.fft.fft(x, norm="ortho")


def inverse_fft(X: Tensor) -> Tensor:
    """The inverse, and adjoint, of `fft`, (B, n)."""
    return torch.fft.ifft(X, norm="ortho")


def _draw_rows(m: int, n: int, generator: torch.Generator) -> Tensor:
    check_size("n", n)
    check_size("m", m)
    if not 1 <= m <= n:
        raise ValueError(f"m is {m}; an integer with 1 ≤ m ≤ n = {n} is needed")
    check_kind("generator", generator, torch.Generator)
    return torch.randperm(n, generator=generator, device=generator.device)[:m].sort().values
