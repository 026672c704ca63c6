"""What every sensing operator can do."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_batch, check_dtype, check_regularisation
from unrolled.precision import KindKeepingModule
from unrolled.sensing.conjugate_gradients import conjugate_gradients
from unrolled.sensing.largest import largest_eigenvalue

__all__ = ["SensingOperator", "check_full_precision", "gram_eigenvalues"]


def gram_eigenvalues(singular: Tensor, n: int) -> Tensor:
    """The n eigenvalues of AᴴA, in increasing order, from the singular values of A, largest first.

    Args:
        singular: (min(m, n),), or for many matrices (B, min(m, n)).
    """
    squares = singular**2
    return torch.nn.functional.pad(squares, (0, n - squares.shape[-1])).flip(-1)


def check_full_precision(dtype: torch.dtype) -> None:
    """Require single or double precision, which singular values need; ValueError otherwise."""
    if torch.finfo(dtype).bits < 32:
        raise ValueError(
            f"A has dtype {dtype}, in which there are no singular values; float32 or float64 is "
            "needed"
        )


class SensingOperator(KindKeepingModule):
    """A linear map from signals (B, n) to measurements (B, m), with its adjoint and LMMSE step.

    It is a module, so that a network that holds an operator takes it along to a GPU.
    Every batch is of the operator's own dtype, real or complex, and finite.

    **An operator of your own** sets `shape`, gives `dtype`, and says in `unchecked_forward` and
    `unchecked_adjoint` what A and Aᴴ do to each row of a batch. What else there is follows from
    these: `lmmse` by conjugate gradients, `dense` and `eigenvalues` from the products with all n
    unit vectors. Give formulas in their place where there are some; the eigenvalues most of all,
    which no structure can otherwise be spared. `check_operator` tries out whether all fits
    together.

    Whoever calls `forward`, `adjoint` or `lmmse` has the arguments checked. A network, which checks
    y where it comes in, calls `unchecked_forward`, `unchecked_adjoint` and `unchecked_lmmse` in its
    layers, so that a layer that goes astray is not met by an error about an argument that nobody
    gave. These use PyTorch's own operations, so that gradients pass.

    Attributes:
        shape: (m, n).
        solver_iterations: the most that conjugate gradients do in `lmmse`.
    """

    shape: tuple[int, int]
    solver_iterations: int = 100

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of signals and measurements."""
        raise NotImplementedError(f"{type(self).__name__} has no dtype")

    @property
    def device(self) -> torch.device:
        """Where it holds what it holds; the CPU, if that is nothing."""
        return next((buffer.device for buffer in self.buffers()), torch.device("cpu"))

    @property
    def eigenvalues(self) -> Tensor:
        """The n eigenvalues of H = AᴴA, real, in increasing order, zeros included."""
        check_full_precision(self.dtype)
        return gram_eigenvalues(torch.linalg.svdvals(self.dense()), self.shape[1])

    @property
    def knows_eigenvalues(self) -> bool:
        """Whether they are given, by a formula for instance, and not found from the matrix."""
        return type(self).eigenvalues is not SensingOperator.eigenvalues

    def largest_eigenvalue(self) -> float:
        """λ_max(AᴴA), or where no formula gives the eigenvalues a bound that is hardly larger.

        The bound is that of `unrolled.sensing.largest_eigenvalue`, from a hundred products.
        """
        return float(self.eigenvalues.max()) if self.knows_eigenvalues else largest_eigenvalue(self)

    def forward(self, x: Tensor) -> Tensor:
        """Measure: (B, n) to (B, m), Ax for each row x."""
        self.check("x", x, self.shape[1])
        return self.unchecked_forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Back-project: (B, m) to (B, n), Aᴴy for each row y."""
        self.check("y", y, self.shape[0])
        return self.unchecked_adjoint(y)

    def lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        """Linear estimate Aᴴ(AAᴴ + λI)⁻¹r of a white signal from r: (B, m) to (B, n).

        Args:
            lam: λ > 0, a number, in the operator's precision neither 0 nor ∞, or a real tensor with
                one value or one for each row, (B, 1). A tensor may carry a gradient, and its values
                are not checked: a look would make a GPU wait.
        """
        self.check("r", r, self.shape[0])
        lam = check_regularisation(lam, r)
        return self.unchecked_lmmse(r, lam)

    def dense(self) -> Tensor:
        """The matrix itself, (m, n)."""
        unit = torch.eye(self.shape[1], dtype=self.dtype, device=self.device)
        return self.unchecked_forward(unit).T.contiguous()

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"shape={self.shape}, dtype={self.dtype}"

    def unchecked_forward(self, x: Tensor) -> Tensor:
        """What `forward` computes, without a look at the argument."""
        raise NotImplementedError(f"{type(self).__name__} has no unchecked_forward")

    def unchecked_adjoint(self, y: Tensor) -> Tensor:
        """What `adjoint` computes, without a look at the argument."""
        raise NotImplementedError(f"{type(self).__name__} has no unchecked_adjoint")

    def unchecked_lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        """What `lmmse` computes, without a look at the arguments."""

        def regularised(z: Tensor) -> Tensor:
            return self.unchecked_forward(self.unchecked_adjoint(z)) + lam * z

        z = conjugate_gradients(regularised, r, iterations=self.solver_iterations)
        return self.unchecked_adjoint(z)

    def unchecked_residual(self, y: Tensor, x: Tensor) -> Tensor:
        """y − Ax, (B, m), without a look at the arguments."""
        return y - self.unchecked_forward(x)

    def check(self, name: str, batch: Tensor, width: int) -> None:
        """Require a finite batch (B, width) of its dtype; ValueError naming `name` otherwise."""
        check_batch(name, batch, width)
        check_dtype(name, batch, self.dtype)
