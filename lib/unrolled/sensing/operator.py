"""What every sensing operator can do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unrolled.checks import check_batch, check_dtype, check_regularisation

__all__ = ["SensingOperator"]


class SensingOperator(nn.Module):
    """A linear map from signals (B, n) to measurements (B, m), with its adjoint and LMMSE step.

    It is a module, so that a network that holds an operator takes it along to a GPU.
    Every batch is of the operator's own dtype, real or complex, and finite.

    Subclasses set `shape` and give `dtype`, `eigenvalues`, `dense` and what `forward`, `adjoint`
    and `lmmse` call once they have checked their arguments: `unchecked_forward`,
    `unchecked_adjoint` and `unchecked_lmmse`. A network, which checks y where it comes in, calls
    these in its layers, so that a layer that goes astray is not met by an error about an argument
    that nobody gave.
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
        return self.unchecked_forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Back-project: (B, m) to (B, n), Aᴴy for each row y."""
        self._check("y", y, self.shape[0])
        return self.unchecked_adjoint(y)

    def lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        """Linear estimate Aᴴ(AAᴴ + λI)⁻¹r of a white signal from r: (B, m) to (B, n).

        Args:
            lam: λ > 0, a number, in the operator's precision neither 0 nor ∞, or a real tensor with
                one value or one for each row, (B, 1). A tensor may carry a gradient, and its values
                are not checked: a look would make a GPU wait.
        """
        self._check("r", r, self.shape[0])
        check_regularisation(lam, r)
        return self.unchecked_lmmse(r, lam)

    def dense(self) -> Tensor:
        """The matrix itself, (m, n)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"shape={self.shape}, dtype={self.dtype}"

    def unchecked_forward(self, x: Tensor) -> Tensor:
        """What `forward` computes, without a look at the argument."""
        raise NotImplementedError

    def unchecked_adjoint(self, y: Tensor) -> Tensor:
        """What `adjoint` computes, without a look at the argument."""
        raise NotImplementedError

    def unchecked_lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        """What `lmmse` computes, without a look at the arguments."""
        raise NotImplementedError

    def _check(self, name: str, batch: Tensor, width: int) -> None:
        check_batch(name, batch, width)
        check_dtype(name, batch, self.dtype)
