"""LISTA that may be run on: repeated for ever, its tied layer converges for every measurement.

Whatever finite values the parameters take, the guarantee holds, up to rounding: it is part of the
forward pass, not of the training. Two ways lead there. A layer that contracts forgets its start,
and cannot fit its data exactly. A layer whose weights are coupled to A contracts in no norm where
m < n; it converges as a proximal gradient step does, in a metric that is learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.checks import check_nonnegative, check_positive
from unrolled.iterations import ista_step
from unrolled.networks.contractive import bounded, spectral_norm
from unrolled.networks.in_place import add_product
from unrolled.networks.lista import LISTA
from unrolled.networks.thresholds import starting_thresholds
from unrolled.networks.unrolled import UnrolledNet, own_matrix
from unrolled.prox import soft_threshold
from unrolled.sensing import DenseOperator

__all__ = ["ContractiveLISTA", "ConvergentLISTA"]


class ContractiveLISTA(LISTA):
    """Tied LISTA whose layer is a contraction: x ← S_θ(W₁ᴴy + W̄₂ᴴx) with ‖W̄₂‖₂ ≤ bound < 1.

    W̄₂ = W₂·min(1, bound/‖W₂‖), and θ is |θ| as used, so that S_θ is nonexpansive. For every y the
    layers converge to one fixed point, from every start, by the factor `bound` each. It starts as
    tied `LISTA`, whose W₂ has norm 1 where m < n, scaled down.

    `net(y)`: (B, m) to (B, n).

    Args:
        A: a `DenseOperator` or matrix (m, n), real or complex.
        depth: K ≥ 1.
        bound: 0 < bound < 1.
        penalty, nonnegative: see `LISTA`.
        checkpoint, real_signals: see `UnrolledNet`.

    Raises:
        ValueError: a bound outside this range, or what `LISTA` does not take.
    """

    def __init__(
        self,
        A: DenseOperator | Tensor,
        depth: int,
        *,
        bound: float = 0.9,
        penalty: float | Tensor = 0.1,
        nonnegative: bool = False,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        super().__init__(
            A,
            depth,
            tied=True,
            penalty=penalty,
            nonnegative=nonnegative,
            checkpoint=checkpoint,
            real_signals=real_signals,
        )
        self.bound = _check_bound(bound, 1)

    def bounded_weight(self) -> Tensor:
        """W̄₂, (n, n)."""
        return bounded(self.W2[0], spectral_norm(self.W2[0]), self.bound)

    def _inputs(self, y: Tensor) -> tuple[Tensor, ...]:
        return *super()._inputs(y), self.bounded_weight().conj()

    def _first(self, seen: Tensor, W2: Tensor) -> Tensor:  # type: ignore[override]
        return self._shrink(0, seen, spare=False)

    def _layer(self, k: int, x: Tensor, seen: Tensor, W2: Tensor) -> Tensor:  # type: ignore[override]
        return self._shrink(k, torch.addmm(seen, x, W2), spare=True)

    def _shrink(self, k: int, u: Tensor, *, spare: bool) -> Tensor:
        threshold = self._own(self.thresholds, k).abs()
        return soft_threshold(u, threshold, nonnegative=self.nonnegative, spare=spare)


class ConvergentLISTA(UnrolledNet):
    """Coupled, tied LISTA that converges for every y: x ← S_θ(x + ΔAᴴG(y − Ax)), G ⪰ 0, Δ ≻ 0.

    Learned are the diagonal Δ = exp(`log_scales`), G = LLᴴ with L = `root`, and θ, of which |θ| is
    used. G is scaled down so that λ_max(Δ^½AᴴGAΔ^½) ≤ bound < 2. Then a layer is a proximal
    gradient step in the metric of Δ⁻¹, and from every start the layers converge to a minimiser of::

        ½(y − Ax)ᴴG(y − Ax) + Σ(θ_i/Δ_i)|x_i|

    Little else would do: where A has full row rank, x + Wᴴ(y − Ax) is nonexpansive in the norm of
    some P ≻ 0 only if Wᴴ = P⁻¹AᴴG for some G. With bound = 1 the gradient step is firmly
    nonexpansive in its metric. It starts as ISTA on ½‖y − Ax‖² + penalty·‖x‖₁ with step
    η = min(1, bound)/λ_max(AᴴA): Δ = I, G = ηI, θ = η·penalty.

    `net(y)`: (B, m) to (B, n).

    Source: forward–backward splitting in a variable metric (Combettes and Vũ, Optimization 63,
    2014), the metric learned.

    Args:
        A: a `DenseOperator` or matrix (m, n), real or complex.
        depth: K ≥ 1.
        bound: 0 < bound < 2. Near 2 rounding must still leave it below.
        penalty: > 0, a number, or one for each entry of x, (n,), and then θ is one for each entry
            too.
        nonnegative: x ≥ 0, for real signals.
        checkpoint, real_signals: see `UnrolledNet`.

    Raises:
        ValueError: a non-finite or zero A, penalty ≤ 0, a bound outside this range, a real A for
            `real_signals`, or complex signals that are to be nonnegative.
    """

    A: Tensor

    def __init__(
        self,
        A: DenseOperator | Tensor,
        depth: int,
        *,
        bound: float = 1.99,
        penalty: float | Tensor = 0.1,
        nonnegative: bool = False,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        operator = own_matrix(A, real_signals)
        super().__init__(A.shape, depth, checkpoint=checkpoint, real_signals=real_signals)
        check_nonnegative(nonnegative, operator.dtype)
        self.bound, self.nonnegative = _check_bound(bound, 2), nonnegative
        self.register_buffer("A", operator.dense().clone())
        step = min(1.0, self.bound) * ista_step(operator)
        m, n = self.A.shape
        self.root = nn.Parameter(step**0.5 * torch.eye(m, dtype=self.A.dtype).to(self.A.device))
        self.log_scales = nn.Parameter(self.A.real.new_zeros(n))
        self.thresholds = starting_thresholds(self.A, 1, step, penalty)

    def metric(self) -> tuple[Tensor, Tensor]:
        """G as used, (m, m), and the diagonal of Δ, (n,)."""
        scales = self.log_scales.exp()
        norm = spectral_norm(self.root.mH @ (self.A * scales.sqrt()))
        root = bounded(self.root, norm, self.bound**0.5)
        return root @ root.mH, scales

    def weights(self) -> Tensor:
        """W = GAΔ, (m, n): a layer's linear part is I − WᴴA."""
        G, scales = self.metric()
        return G @ self.A * scales

    def _inputs(self, y: Tensor) -> tuple[Tensor, ...]:
        return y, self.weights().conj()

    def _first(self, y: Tensor, W: Tensor) -> Tensor:
        return self._shrink(y @ W)

    def _layer(self, k: int, x: Tensor, y: Tensor, W: Tensor) -> Tensor:
        residual = torch.addmm(y, x, self.A.T, alpha=-1)  # (B, m)
        return self._shrink(add_product(x, residual, W))

    def _shrink(self, u: Tensor) -> Tensor:
        threshold = self.thresholds[0].abs()
        return soft_threshold(u, threshold, nonnegative=self.nonnegative, spare=True)

    def _dtype(self) -> torch.dtype:
        return self.A.dtype


def _check_bound(bound: float, most: int) -> float:
    number = check_positive("bound", bound)
    if number >= most:
        raise ValueError(f"bound is {bound!r}; 0 < bound < {most} is needed")
    return number
