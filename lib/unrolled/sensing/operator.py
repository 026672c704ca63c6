"""What every sensing operator can do, and the checks that all of them share."""

from __future__ import annotations

import cmath
import math
from numbers import Integral, Real

import torch
from torch import Tensor, nn

__all__ = ["SensingOperator", "check_batch"]


class SensingOperator(nn.Module):
    """A linear map from signals (B, n) to measurements (B, m), with its adjoint and LMMSE step.

    It is a module, so that a network that holds an operator takes it along to a GPU.
    Every batch is of the operator's own dtype, real or complex, and finite.

    Subclasses set `shape` and give `dtype`, `eigenvalues`, `dense` and what `forward`, `adjoint`
    and `lmmse` call once they have checked their arguments: `_forward`, `_adjoint` and `_lmmse`.
    A network, which checks y where it comes in, calls these in its layers, so that a layer that
    goes astray is not met by an error about an argument that nobody gave.
    """

    shape: tuple[int, int]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of signals and measurements."""
        raise NotImplementedError

    @property
    def eigenvalues(self) -> Tensor:
        """The n eigenvalues of H = AᴴA, real, in increasing order, zeros included."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Measure: (B, n) to (B, m), Ax for each row x."""
        self._check("x", x, self.shape[1])
        return self._forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Back-project: (B, m) to (B, n), Aᴴy for each row y."""
        self._check("y", y, self.shape[0])
        return self._adjoint(y)

    def lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        """Linear estimate Aᴴ(AAᴴ + λI)⁻¹r of a white signal from r: (B, m) to (B, n).

        lam: λ > 0, a number, in the operator's precision neither 0 nor ∞, or a real tensor with
            one value or one for each row, (B, 1). A tensor may carry a gradient, and its values
            are not checked: a look would make a GPU wait.
        """
        self._check("r", r, self.shape[0])
        check_regularisation(lam, r)
        return self._lmmse(r, lam)

    def dense(self) -> Tensor:
        """The matrix itself, (m, n)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"shape={self.shape}, dtype={self.dtype}"

    def _forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _adjoint(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def _lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        raise NotImplementedError

    def _check(self, name: str, batch: Tensor, width: int) -> None:
        check_batch(name, batch, width)
        check_dtype(name, batch, self.dtype)


def check_batch(name: str, batch: Tensor, width: int) -> None:
    """Require a finite batch (B, width), B ≥ 1; ValueError naming `name` otherwise.

    On a GPU the entries are not looked at, because a look would make the program wait for it.
    """
    check_kind(name, batch, Tensor)
    if batch.ndim != 2 or batch.shape[1] != width or len(batch) == 0:
        raise ValueError(f"{name} has shape {tuple(batch.shape)}; a batch (B, {width}) is needed")
    # A sum is finite only if all its terms are, and is far cheaper than a look at each of them.
    if (
        batch.device.type == "cpu"
        and not cmath.isfinite(batch.detach().sum().item())
        and not torch.isfinite(batch).all()
    ):
        raise ValueError(f"{name} holds NaN or infinite entries; all must be finite")


def check_dtype(name: str, batch: Tensor, dtype: torch.dtype) -> None:
    """Require that a batch is of the operator's dtype; ValueError naming `name` otherwise."""
    if batch.dtype != dtype:
        raise ValueError(f"{name} has dtype {batch.dtype}; the operator's {dtype} is needed")


def check_regularisation(lam: float | Tensor, r: Tensor) -> None:
    """Require one λ > 0, or a tensor with one value or one for each row of r, real like r."""
    dtype = r.dtype.to_real()
    if not isinstance(lam, Tensor):
        # One that underflows to 0 would meet a singular value 0 in 0/0.
        check_positive("lam", lam, dtype=dtype)
        return
    if lam.dtype != dtype or lam.shape not in ((), (1,), (1, 1), (len(r), 1)):
        raise ValueError(
            f"lam has shape {tuple(lam.shape)} and dtype {lam.dtype}; one λ, (), or one for each "
            f"row, ({len(r)}, 1), of dtype {dtype} is needed"
        )


def check_kind(name: str, value: object, kind: type) -> None:
    """Require a value of this class; ValueError naming `name` otherwise."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} is a {type(value).__name__}; a {kind.__name__} is needed")


def check_size(name: str, value: int) -> None:
    """Require an integer of at least 1; ValueError naming `name` otherwise."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} is {value!r}; an integer ≥ 1 is needed")


def check_positive(
    name: str, value: float, *, zero: bool = False, dtype: torch.dtype | None = None
) -> None:
    """Require a number, 0 < value < ∞, or with `zero` 0 ≤ value < ∞; ValueError otherwise.

    With a real dtype, it must neither underflow nor overflow there.
    """
    if not isinstance(value, Real) or not (0 < value < math.inf or (zero and value == 0)):
        raise ValueError(f"{name} is {value!r}; 0 {'≤' if zero else '<'} {name} < ∞ is needed")
    if dtype is not None and not torch.finfo(dtype).tiny <= value <= torch.finfo(dtype).max:
        raise ValueError(f"{name} is {value!r}, which {dtype} cannot hold")


def check_floating(dtype: torch.dtype) -> None:
    """Require a real or complex floating-point dtype; ValueError otherwise."""
    check_kind("dtype", dtype, torch.dtype)
    if not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(f"dtype is {dtype}; a floating-point dtype, real or complex, is needed")


def check_spectrum(name: str, values: Tensor) -> None:
    """Require real, finite entries ≥ 0 in a vector (n,), n ≥ 1; ValueError naming `name` else."""
    check_kind(name, values, Tensor)
    if values.ndim != 1 or len(values) == 0 or values.is_complex():
        raise ValueError(
            f"{name} has shape {tuple(values.shape)} and dtype {values.dtype}; a real vector (n,) "
            "is needed"
        )
    if not torch.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{name} holds negative or non-finite entries; all must be finite and ≥ 0")
