"""What every sensing operator can do, and the checks that all of them share."""

from __future__ import annotations

import math

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

        lam: λ > 0, a number, or a real tensor with one value or one for each row, (B, 1). A tensor
            may carry a gradient, and its values are not checked: a look would make a GPU wait.
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
    if batch.ndim != 2 or batch.shape[1] != width or len(batch) == 0:
        raise ValueError(f"{name} has shape {tuple(batch.shape)}; a batch (B, {width}) is needed")
    # A sum is finite only if all its terms are, and is far cheaper than a look at each of them.
    if (
        batch.device.type == "cpu"
        and not batch.detach().sum().isfinite()
        and not torch.isfinite(batch).all()
    ):
        raise ValueError(f"{name} holds NaN or infinite entries; all must be finite")


def check_dtype(name: str, batch: Tensor, dtype: torch.dtype) -> None:
    """Require that a batch is of the operator's dtype; ValueError naming `name` otherwise."""
    if batch.dtype != dtype:
        raise ValueError(f"{name} has dtype {batch.dtype}; the operator's {dtype} is needed")


def check_regularisation(lam: float | Tensor, r: Tensor) -> None:
    """Require one λ > 0, or a tensor with one value or one for each row of r, real like r."""
    if not isinstance(lam, Tensor):
        if not 0 < lam < math.inf:
            raise ValueError(f"lam is {lam}; the regularisation λ must be > 0 and finite")
        return
    dtype = r.dtype.to_real()
    if lam.dtype != dtype or lam.shape not in ((), (1,), (1, 1), (len(r), 1)):
        raise ValueError(
            f"lam has shape {tuple(lam.shape)} and dtype {lam.dtype}; one λ, (), or one for each "
            f"row, ({len(r)}, 1), of dtype {dtype} is needed"
        )


def check_size(name: str, value: int) -> None:
    """Require a size of at least 1."""
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")
