"""Networks with coupled weights: LISTA-CP, TiLISTA and ALISTA, with support selection or without.

Their layers are x ← S_θ(x + γWᴴ(y − Ax)): the matrix that acts on x is I − γWᴴA, coupled to the
one that acts on y. They differ in what is learned of W and γ.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor, nn

from unrolled.checks import check_depth, check_flag, check_nonnegative, check_positive
from unrolled.iterations import ista_step
from unrolled.networks.in_place import add_product
from unrolled.networks.thresholds import starting_thresholds
from unrolled.networks.unrolled import UnrolledNet, own_matrix
from unrolled.precision import in_double
from unrolled.prox import soft_threshold, threshold_all_but_largest
from unrolled.sensing import DenseOperator, analytic_weights

__all__ = ["ALISTA", "LISTACP", "TiLISTA", "selection_schedule"]


def selection_schedule(depth: int, *, rise: float = 0.012, most: float = 0.13) -> tuple[float, ...]:
    """The shares of entries that layers 1 … K may leave unshrunk: rise, 2·rise, … up to `most`.

    The defaults are those of Chen et al. (2021) for signals with a tenth of their entries nonzero.

    Raises:
        ValueError: depth < 1, rise < 0, or most outside [0, 1].
    """
    check_depth(depth)
    check_positive("rise", rise, zero=True)
    check_positive("most", most, zero=True)
    if most > 1:
        raise ValueError(f"most is {most}; 0 ≤ most ≤ 1 is needed")
    return tuple(min(rise * k, most) for k in range(1, depth + 1))


class _CoupledNet(UnrolledNet):
    # What the three share. A subclass gives W: a list of one or K, and steps (K,) or None for 1.

    A: Tensor
    W: nn.ParameterList | list[Tensor]
    steps: nn.Parameter | None

    def __init__(
        self,
        operator: DenseOperator,
        depth: int,
        step: float,
        penalty: float | Tensor,
        selection: Sequence[float] | None,
        nonnegative: bool,
        checkpoint: int | Sequence[int] | None,
        real_signals: bool,
        tied: bool = False,
    ) -> None:
        m, n = operator.shape
        shape = (m // 2 if real_signals else m, n)
        super().__init__(shape, depth, checkpoint=checkpoint, real_signals=real_signals)
        check_nonnegative(nonnegative, operator.dtype)
        check_flag("tied", tied)
        self.nonnegative = nonnegative
        self.register_buffer("A", operator.dense().clone())
        self.thresholds = starting_thresholds(self.A, 1 if tied else depth, step, penalty)
        self.counts = _counts(selection, depth, n)

    def _first(self, y: Tensor) -> Tensor:
        # On m numbers a signal; scaling the product would take n.
        scaled = y if self.steps is None else self._own(self.steps, 0) * y
        return self._shrink(0, scaled @ self._own(self.W, 0).conj())

    def _layer(self, k: int, x: Tensor, y: Tensor) -> Tensor:
        residual = torch.addmm(y, x, self.A.T, alpha=-1)  # (B, m)
        step = None if self.steps is None else self._own(self.steps, k)
        return self._shrink(k, add_product(x, residual, self._own(self.W, k).conj(), step))

    def _shrink(self, k: int, u: Tensor) -> Tensor:
        threshold = self._own(self.thresholds, k)
        if self.counts:
            count = self._own(self.counts, k)
            return threshold_all_but_largest(u, threshold, count, nonnegative=self.nonnegative)
        return soft_threshold(u, threshold, nonnegative=self.nonnegative, spare=True)

    def _dtype(self) -> torch.dtype:
        return self.A.dtype


class LISTACP(_CoupledNet):
    """LISTA with coupled weights: x ← S_θ(x + Wᴴ(y − Ax)), W and θ of each layer learned.

    It starts as ISTA on ½‖y − Ax‖² + penalty·‖x‖₁ with step η = 1/λ_max(AᴴA): W = ηA (m, n),
    θ = η·penalty.

    `net(y)`: (B, m) to (B, n).

    Source: Chen et al., NeurIPS 2018.

    Args:
        A: a `DenseOperator` or matrix (m, n), real or complex.
        depth: K ≥ 1.
        tied: one W and θ for all layers.
        penalty: > 0, a number, or one for each entry of x, (n,), and then θ is one for each entry
            too.
        selection: for each layer the share of entries that, the largest and above the threshold,
            pass unshrunk (`selection_schedule(depth)`, LISTA-CPSS); None shrinks all.
        nonnegative: x ≥ 0, for real signals.
        checkpoint, real_signals: see `UnrolledNet`.

    Raises:
        ValueError: a non-finite or zero A, penalty ≤ 0, shares outside [0, 1] or not one for each
            layer, a real A for `real_signals`, or complex signals that are to be nonnegative.
    """

    layerwise = ("W", "thresholds")
    steps = None

    def __init__(
        self,
        A: DenseOperator | Tensor,
        depth: int,
        *,
        tied: bool = False,
        penalty: float | Tensor = 0.1,
        selection: Sequence[float] | None = None,
        nonnegative: bool = False,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        operator = own_matrix(A, real_signals)
        step = ista_step(operator)
        super().__init__(
            operator, depth, step, penalty, selection, nonnegative, checkpoint, real_signals, tied
        )
        copies = len(self.thresholds)
        self.W = nn.ParameterList(step * self.A for _ in range(copies))


class TiLISTA(_CoupledNet):
    """One learned W for all layers: x ← S_θ(x + γWᴴ(y − Ax)), with γ and θ of each layer learned.

    It starts as ISTA: W = A (m, n), γ = η = 1/λ_max(AᴴA), θ = η·penalty. Arguments, result and
    errors are those of `LISTACP`.

    Source: Liu et al., ICLR 2019.
    """

    layerwise = ("steps", "thresholds")
    steps: nn.Parameter

    def __init__(
        self,
        A: DenseOperator | Tensor,
        depth: int,
        *,
        penalty: float | Tensor = 0.1,
        selection: Sequence[float] | None = None,
        nonnegative: bool = False,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        operator = own_matrix(A, real_signals)
        step = ista_step(operator)
        super().__init__(
            operator, depth, step, penalty, selection, nonnegative, checkpoint, real_signals
        )
        self.W = nn.ParameterList([self.A.clone()])
        self.steps = nn.Parameter(self.A.real.new_full((depth,), step))


class ALISTA(_CoupledNet):
    """A W computed from A and never learned: x ← S_θ(x + γWᴴ(y − Ax)), only γ and θ learned.

    W = `analytic_weights(A, lam)`. It starts as ISTA with these weights: γ = 1/λ_max(WᴴA),
    θ = γ·penalty. Two numbers a layer; the other arguments, result and errors are those of
    `LISTACP`.

    Of A it holds W, for which a system with AAᴴ + λI is solved when it is made; so it takes no
    matrix for each signal with y. What is learned can go to the network of another A:
    `other.load_state_dict(dict(net.named_parameters()), strict=False)`.

    Source: Liu et al., ICLR 2019.

    Args:
        lam: ≥ 0, and > 0 unless A has full row rank.
    """

    layerwise = ("steps", "thresholds")
    steps: nn.Parameter
    weights: Tensor

    def __init__(
        self,
        A: DenseOperator | Tensor,
        depth: int,
        *,
        penalty: float | Tensor = 0.1,
        lam: float = 0.0,
        selection: Sequence[float] | None = None,
        nonnegative: bool = False,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        operator = own_matrix(A, real_signals)
        weights = analytic_weights(operator, lam)
        step = 1 / _weighted_norm(operator.dense(), weights)
        super().__init__(
            operator, depth, step, penalty, selection, nonnegative, checkpoint, real_signals
        )
        self.register_buffer("weights", weights)
        self.steps = nn.Parameter(self.A.real.new_full((depth,), step))

    @property
    def W(self) -> list[Tensor]:  # type: ignore[override]  # torch has no list of buffers
        return [self.weights]


def _weighted_norm(A: Tensor, W: Tensor) -> float:
    """λ_max(WᴴA) for analytic weights W, whose WᴴA has real eigenvalues ≥ 0."""
    return float(torch.linalg.eigvals(in_double(A) @ in_double(W).mH).real.max())


def _counts(selection: Sequence[float] | None, depth: int, n: int) -> tuple[int, ...]:
    if selection is None:
        return ()
    shares = tuple(selection) if isinstance(selection, Sequence) else ()
    if len(shares) != depth or not all(
        isinstance(share, Real) and not isinstance(share, bool) and 0 <= share <= 1
        for share in shares
    ):
        raise ValueError(f"selection is {selection!r}; {depth} shares in [0, 1] are needed")
    # Rounded down, but for the rounding of the product itself: 0.29·100 is 29.
    return tuple(int(share * n + 1e-9) for share in shares)
