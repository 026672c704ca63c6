"""LISTA: the iterative soft threshold with learned matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.checks import check_positive
from unrolled.iterations import ista_step
from unrolled.networks.unrolled import UnrolledNet
from unrolled.prox import soft_threshold
from unrolled.sensing import DenseOperator, dense_operator

__all__ = ["LISTA"]


class LISTA(UnrolledNet):
    """ISTA on ½‖y − Ax‖² + penalty·‖x‖₁, its matrices and thresholds learned.

    Layer k computes x ← S_θ(W₁ᵀy + W₂ᵀx). It starts as ISTA with step η = 1/λ_max(AᵀA):
    W₁ = ηA (m, n), W₂ = I − ηAᵀA (n, n), θ = η·penalty.

    `net(y)`: (B, m) to (B, n).

    Source: Gregor and LeCun, ICML 2010; untied: Chen et al., NeurIPS 2018.

    Args:
        A: a real `DenseOperator` or matrix (m, n).
        depth: K ≥ 1.
        tied: one W₁, W₂ and θ for all layers, as Gregor and LeCun have it, instead of one for each.
        penalty: > 0.
        checkpoint: see `UnrolledNet`.

    Raises:
        ValueError: a complex, non-finite or zero A, or penalty ≤ 0.
    """

    layerwise = ("W1", "W2", "thresholds")

    def __init__(
        self,
        A: DenseOperator | Tensor,
        depth: int,
        *,
        tied: bool = False,
        penalty: float = 0.1,
        checkpoint: int | Sequence[int] | None = None,
    ) -> None:
        operator = dense_operator(A)
        super().__init__(operator.shape, depth, checkpoint=checkpoint)
        check_positive("penalty", penalty)
        A, step = operator.dense(), ista_step(operator)
        copies = 1 if tied else depth
        W1, W2 = step * A, torch.eye(A.shape[1], dtype=A.dtype) - step * A.T @ A
        self.W1 = nn.ParameterList(W1.clone() for _ in range(copies))
        self.W2 = nn.ParameterList(W2.clone() for _ in range(copies))
        self.thresholds = nn.Parameter(A.new_full((copies,), step * penalty))
        self.tied = tied
        if len(self.W2) == depth:  # layer 1 multiplies its own by x_0 = 0: nothing to learn
            self.W2[0].requires_grad_(False)

    def _inputs(self, y: Tensor) -> tuple[Tensor, ...]:
        return (y @ self.W1[0],) if self.tied else (y,)

    def _first(self, y: Tensor) -> Tensor:
        return soft_threshold(self._seen(0, y), self._own(self.thresholds, 0))

    def _layer(self, k: int, x: Tensor, y: Tensor) -> Tensor:
        u = torch.addmm(self._seen(k, y), x, self._own(self.W2, k))  # (B, n)
        return soft_threshold(u, self._own(self.thresholds, k))

    def _seen(self, k: int, y: Tensor) -> Tensor:
        # Tied layers share the product W₁ᵀy, which is then what they are given.
        return y if self.tied else y @ self._own(self.W1, k)
