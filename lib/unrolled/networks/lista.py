"""LISTA: the iterative soft threshold with learned matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.checks import check_flag, check_nonnegative
from unrolled.iterations import ista_step
from unrolled.networks.in_place import add_product
from unrolled.networks.thresholds import starting_thresholds
from unrolled.networks.unrolled import UnrolledNet, own_matrix
from unrolled.prox import soft_threshold
from unrolled.sensing import DenseOperator

__all__ = ["LISTA"]


class LISTA(UnrolledNet):
    """ISTA on ½‖y − Ax‖² + penalty·‖x‖₁, its matrices and thresholds learned.

    Layer k computes x ← S_θ(W₁ᴴy + W₂ᴴx). It starts as ISTA with step η = 1/λ_max(AᴴA):
    W₁ = ηA (m, n), W₂ = I − ηAᴴA (n, n), θ = η·penalty.

    `net(y)`: (B, m) to (B, n).

    Source: Gregor and LeCun, ICML 2010; untied: Chen et al., NeurIPS 2018.

    Args:
        A: a `DenseOperator` or matrix (m, n), real or complex.
        depth: K ≥ 1.
        tied: one W₁, W₂ and θ for all layers, as Gregor and LeCun have it, instead of one for each.
        penalty: > 0, a number, or one for each entry of x, (n,), and then θ is one for each entry
            too, as Gregor and LeCun have it.
        nonnegative: x ≥ 0, for real signals.
        checkpoint, real_signals: see `UnrolledNet`.

    Raises:
        ValueError: a non-finite or zero A, penalty ≤ 0, a real A for `real_signals`, or complex
            signals that are to be nonnegative.
    """

    layerwise = ("W1", "W2", "thresholds")

    def __init__(
        self,
        A: DenseOperator | Tensor,
        depth: int,
        *,
        tied: bool = False,
        penalty: float | Tensor = 0.1,
        nonnegative: bool = False,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        operator = own_matrix(A, real_signals)
        super().__init__(A.shape, depth, checkpoint=checkpoint, real_signals=real_signals)
        check_nonnegative(nonnegative, operator.dtype)
        check_flag("tied", tied)
        A, step = operator.dense(), ista_step(operator)
        copies = 1 if tied else depth
        W1, W2 = step * A, torch.eye(A.shape[1], dtype=A.dtype, device=A.device) - step * A.mH @ A
        self.W1 = nn.ParameterList(W1.clone() for _ in range(copies))
        self.W2 = nn.ParameterList(W2.clone() for _ in range(copies))
        self.thresholds = starting_thresholds(A, copies, step, penalty)
        self.tied, self.nonnegative = tied, nonnegative
        if len(self.W2) == depth:  # layer 1 multiplies its own by x_0 = 0: nothing to learn
            self.W2[0].requires_grad_(False)

    def _inputs(self, y: Tensor) -> tuple[Tensor, ...]:
        return (y @ self.W1[0].conj(),) if self.tied else (y,)

    def _first(self, y: Tensor) -> Tensor:
        return self._shrink(0, self._seen(0, y), spare=not self.tied)

    def _layer(self, k: int, x: Tensor, y: Tensor) -> Tensor:
        W2, seen = self._own(self.W2, k).conj(), self._seen(k, y)
        # What tied layers share is not spare.
        u = torch.addmm(seen, x, W2) if self.tied else add_product(seen, x, W2)  # (B, n)
        return self._shrink(k, u, spare=True)

    def _seen(self, k: int, y: Tensor) -> Tensor:
        # Tied layers share the product W₁ᴴy, which is then what they are given.
        return y if self.tied else y @ self._own(self.W1, k).conj()

    def _shrink(self, k: int, u: Tensor, *, spare: bool) -> Tensor:
        threshold = self._own(self.thresholds, k)
        return soft_threshold(u, threshold, nonnegative=self.nonnegative, spare=spare)

    def _dtype(self) -> torch.dtype:
        return self.W1[0].dtype
