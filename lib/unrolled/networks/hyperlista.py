"""HyperLISTA: thresholds, momentum and selection computed from the signal, by three numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.checks import check_nonnegative, check_positive
from unrolled.networks.in_place import add
from unrolled.networks.unrolled import UnrolledNet, own_matrix
from unrolled.precision import in_double
from unrolled.prox import soft_threshold, threshold_all_but_largest
from unrolled.sensing import DenseOperator, analytic_weights

__all__ = ["HyperLISTA"]

State = tuple[Tensor, Tensor]


class HyperLISTA(UnrolledNet):
    """ALISTA whose numbers in each layer follow from the residual, by three learned numbers.

    With r = y − Ax, A⁺ = Aᴴ(AAᴴ + lam·I)⁻¹, which for lam = 0 is the pseudo-inverse, and
    W = `analytic_weights(A, lam)`, a layer computes
    x ← S_θ(x + Wᴴr + β(x − x⁻)), where x⁻ is the iterate before x and, for each signal,
    θ = c₁‖A⁺r‖₁ and β = c₂‖x‖₀. Of the entries a share c₃ log(‖A⁺y‖₁/‖A⁺r‖₁), kept within [0, 1],
    passes unshrunk: the largest, if above the threshold.

    `net(y)`: (B, m) to (B, n). The numbers are the parameter `c`. Gradients reach c₁ and c₂; the
    loss is piecewise constant in c₃, so that a fit needs a search (`training.search`). As with
    `ALISTA`, W is made for one A, and c can go to the network of another.

    Source: Chen et al., NeurIPS 2021, who also have a W for which WᴴA is symmetric.

    Args:
        A: a `DenseOperator` or matrix (m, n), real or complex.
        depth: K ≥ 1.
        start: (c₁, c₂, c₃), nonnegative; with the default c₂ = c₃ = 0 it starts as ISTA with
            weights W, step 1 and thresholds in proportion to the residual.
        lam: ≥ 0, and > 0 unless A has full row rank.
        cap: > 0, θ is at most cap·‖Wᴴr‖_∞ while ‖A⁺r‖₁ > ‖A⁺y‖₁/10; None sets no bound, as
            published. A threshold that nothing new in Wᴴr exceeds stops a signal for ever, with
            most of it still missing; one such signal in ten thousand outweighs the error of all the
            others.
        nonnegative: x ≥ 0, for real signals.
        checkpoint, real_signals: see `UnrolledNet`.
    """

    A: Tensor
    weights: Tensor
    scale: Tensor

    def __init__(
        self,
        A: DenseOperator | Tensor,
        depth: int,
        *,
        start: Sequence[float] = (0.002, 0.0, 0.0),
        lam: float = 0.0,
        cap: float | None = None,
        nonnegative: bool = False,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        operator = own_matrix(A, real_signals)
        super().__init__(A.shape, depth, checkpoint=checkpoint, real_signals=real_signals)
        check_nonnegative(nonnegative, operator.dtype)
        if not isinstance(start, Sequence) or len(start) != 3:
            raise ValueError(f"start is {start!r}; three numbers are needed")
        for number in start:
            check_positive("start", number, zero=True)
        if cap is not None:
            cap = check_positive("cap", cap)
        lam = check_positive("lam", lam, zero=True)
        self.cap, self.nonnegative = cap, nonnegative
        self.register_buffer("A", operator.dense().clone())
        self.register_buffer("weights", analytic_weights(operator, lam))
        # Wᴴr = D⁻¹A⁺r with a diagonal D: the pseudo-inverse costs no product of its own. Column i
        # of (AAᴴ + lam·I)WD is a_i.
        exact, W = in_double(self.A), in_double(self.weights)
        image = exact @ (exact.mH @ W) + lam * W
        scale = exact.abs().square().sum(0) / (exact.conj() * image).real.sum(0)
        self.register_buffer("scale", scale.to(self.A.real))
        self.c = nn.Parameter(self.scale.new_tensor([float(number) for number in start]))

    def _inputs(self, y: Tensor) -> tuple[Tensor, ...]:
        back = y @ self.weights.conj()  # (B, n)
        return y, back, self._size(back)

    def _first(self, y: Tensor, back: Tensor, size: Tensor) -> State:
        threshold = self._threshold(back, size, size)
        x = soft_threshold(back, threshold, nonnegative=self.nonnegative)
        return x, torch.zeros_like(back)

    def _layer(self, k: int, state: State, y: Tensor, back: Tensor, size: Tensor) -> State:
        x, before = state
        residual = torch.addmm(y, x, self.A.T, alpha=-1)  # (B, m)
        direction = residual @ self.weights.conj()  # (B, n)
        left = self._size(direction)  # (B, 1)
        threshold = self._threshold(direction, left, size)
        # ‖x‖₀ by passes over numbers, which take half the time of one that compares.
        momentum = self.c[1] * x.detach().abs().sign().sum(1, keepdim=True)
        u = add(add(direction, x), x - before, momentum)
        with torch.no_grad():
            n, tiny = x.shape[1], torch.finfo(x.dtype).tiny  # y = 0 and r = 0 have no logarithm
            share = self.c[2] * torch.log(size.clamp(min=tiny) / left.clamp(min=tiny))
            # NaN, of an iterate that has run off, is no number of entries.
            count = (n * share.nan_to_num(0).clamp(0, 1)).long()[:, 0]
        return threshold_all_but_largest(u, threshold, count, nonnegative=self.nonnegative), x

    def _threshold(self, direction: Tensor, left: Tensor, size: Tensor) -> Tensor:
        threshold = self.c[0] * left
        if self.cap is None:
            return threshold
        bound = self.cap * direction.abs().amax(1, keepdim=True)
        return torch.where(left > size / 10, threshold.minimum(bound), threshold)

    def _size(self, direction: Tensor) -> Tensor:
        # ‖A⁺r‖₁ of each signal, (B, 1).
        return (direction.abs() @ self.scale)[:, None]

    def _dtype(self) -> torch.dtype:
        return self.A.dtype
