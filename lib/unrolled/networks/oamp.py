"""Orthogonal AMP, unrolled: an exact linear step and a learned denoiser in each layer."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.checks import check_flag, check_kind, check_positive
from unrolled.networks.divergence import check_estimate, check_slope
from unrolled.networks.proxnet import SoftThreshold
from unrolled.networks.unrolled import UnrolledNet, own_operator
from unrolled.sensing import SensingOperator
from unrolled.sensing.check import sound_eigenvalues

__all__ = ["OAMPNet"]

# The estimate D(r, τ), with its correction beside it if the network is divergence-free.
State = Tensor | tuple[Tensor, Tensor]
# y, the operator and those of its eigenvalues that can differ from zero.
Inputs = tuple[Tensor, SensingOperator, Tensor]


class OAMPNet(UnrolledNet):
    """Orthogonal AMP for y = Ax + w, its damping and its denoisers learned.

    A layer estimates, from the residual, the mean squared error v² of the entries of x, and from
    it the mean squared error τ² of those of r, in Frobenius norms::

        v² = max(0, ‖y − Ax‖² − mσ²) / tr(AᴴA)
        r  = x + ϑγW_λ(y − Ax),  W_λ = Aᴴ(AAᴴ + λI)⁻¹
        τ² = (v²‖I − ϑγW_λA‖² + σ²‖ϑγW_λ‖²) / n

    The denoiser's estimate D(r, τ) is what the layer gives out. What it hands on as the next
    layer's x is that estimate, or its correction (D(r, τ) − d·r)/(1 − d) by the mean slope d of D
    at r. The correction keeps the errors of x and r uncorrelated, but is the worse estimate: where
    D is the posterior mean, its error is larger by about the factor 1/(1 − d).

    Every ϑ starts at 1, where the network is the algorithm, and stays within (0, 2), where the
    linear step without γ is nonexpansive: `relaxation` holds ρ, and ϑ = 2/(1 + exp(−ρ)).

    `net(y)`: (B, m) to (B, n), the last layer's estimate; `net.trajectory(y)`: (K + 1, B, n), all
    of them, as from `unrolled.iterations.oamp` with posterior=True. What is learned belongs to no
    matrix: `net(y, operator=…)` takes it to another one, or to one for each signal.

    Source: Ma and Ping, IEEE Access 2017; unrolled by He et al., IEEE TSP 2020. With complex
    numbers, d is the mean of the Wirtinger derivatives ∂D_i/∂r_i: what a circular error shares with
    its estimate.

    Args:
        A: a `SensingOperator` or matrix (m, n), real or complex. It is used by its products and its
            eigenvalues alone, so that a structured operator is never formed.
        depth: K ≥ 1.
        noise: σ² ≥ 0, the variance E|w_i|² of one entry of w.
        denoiser: a module called as denoiser(r, tau), (B, n) and (B, 1) to (B, n);
            `SoftThreshold()` by default. Copies of it are used, in the precision of A: one when
            tied, one for each layer otherwise. `MonteCarloDivergence` makes one of any denoiser.
        tied: one denoiser and one ϑ for all layers.
        divergence_free: what orthogonal AMP needs for its state evolution, in both halves of a
            layer. With it γ = n/tr(W_λA), so that the linear step has tr(I − γW_λA) = 0, and the
            denoiser is corrected by its mean slope d (1 − d is held at √ε or more, ε the
            precision), for which it needs `with_divergence(r, tau)`; but the linear step can then
            expand errors, by n/m − 1 when A has orthonormal rows. Without it γ = 1, there is no
            correction, and the linear step is, at ϑ = 1, the proximal map of ‖y − Ax‖²/2λ: firmly
            nonexpansive.
        lam: λ > 0; by default λ = σ²/v² for each signal in each layer, the linear estimator's best.
        checkpoint, real_signals: see `UnrolledNet`.

    Raises:
        ValueError: A = 0, an A that is none (`check_operator`), a real A for `real_signals`,
            noise < 0, lam ≤ 0, a denoiser that lacks what is needed, or, when called, a denoiser
            that gives something else than estimates and slopes, or a precision below single.
    """

    eigenvalues: Tensor

    def __init__(
        self,
        A: SensingOperator | Tensor,
        depth: int,
        *,
        noise: float,
        denoiser: nn.Module | None = None,
        tied: bool = False,
        divergence_free: bool = True,
        lam: float | None = None,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        operator = own_operator(A, real_signals, estimates=True)
        super().__init__(A.shape, depth, checkpoint=checkpoint, real_signals=real_signals)
        noise = check_positive("noise", noise, zero=True)
        if lam is not None:
            lam = check_positive("lam", lam, dtype=operator.dtype.to_real())
        check_flag("tied", tied)
        check_flag("divergence_free", divergence_free)
        denoiser = SoftThreshold() if denoiser is None else denoiser
        check_kind("denoiser", denoiser, nn.Module)
        if divergence_free and not hasattr(denoiser, "with_divergence"):
            raise ValueError(
                f"denoiser is a {type(denoiser).__name__}, which has no method "
                "with_divergence(r, tau); divergence_free needs one (MonteCarloDivergence has it)"
            )
        # Of one number that the layers see, of which a complex one is two where signals are real.
        self.noise, self.lam = noise / 2 if real_signals else noise, lam
        self.tied, self.divergence_free = tied, divergence_free
        self.operator = operator
        self.register_buffer("eigenvalues", _nonzero(operator).clone())
        if not self.eigenvalues[-1] > 0:
            raise ValueError("A is zero; it measures nothing")
        self.relaxation = nn.Parameter(self.eigenvalues.new_zeros(1 if tied else depth))
        self.denoisers = nn.ModuleList(
            copy.deepcopy(denoiser) for _ in range(1 if tied else depth)
        ).to(self.eigenvalues)
        self.layerwise = () if tied else ("relaxation", "denoisers")

    @property
    def damping(self) -> Tensor:
        """ϑ, (K,), or (1,) when tied."""
        return 2 * torch.sigmoid(self.relaxation)

    def _inputs(self, y: Tensor) -> Inputs:
        return y, self.operator, self.eigenvalues

    def _adapted(self, y: Tensor, operator: SensingOperator) -> Inputs:
        return y, operator, _nonzero(operator)

    def _first(self, *inputs: Any) -> State:
        return self._run_layer(0, None, *inputs)

    def _layer(self, k: int, state: State, *inputs: Any) -> State:
        x = state[1] if isinstance(state, tuple) else state
        return self._run_layer(k, x.to(inputs[0]), *inputs)

    def _run_layer(
        self, k: int, x: Tensor | None, y: Tensor, operator: SensingOperator, eigenvalues: Tensor
    ) -> State:
        # Layer k + 1 from x, zero if None. Its linear step solves a system of equations, for which
        # half a precision is too little.
        with torch.autocast(y.device.type, enabled=False):
            residual = y if x is None else operator.unchecked_residual(y, x)
            r, tau = self._linear_step(k, x, residual, operator, eigenvalues)
        return self._denoise(k, r, tau)

    def _linear_step(
        self,
        k: int,
        x: Tensor | None,
        residual: Tensor,
        operator: SensingOperator,
        eigenvalues: Tensor,
    ) -> tuple[Tensor, Tensor]:
        # The linear step from x, zero if None: r, (B, n), and τ, (B, 1).
        variance, lam = self._error(residual, eigenvalues)
        # W_λA has the eigenvalues s/(s + λ). Averages over all n of them, (B, 1) or (1, 1), are
        # products with 1/(s + λ), which is all that is kept for the backward pass.
        n, zeros = self.shape[1], self.shape[1] - eigenvalues.shape[-1]
        inverse = (eigenvalues + lam).reciprocal()  # (B, min(m, n)) or (1, min(m, n))
        kept = _weighted(inverse, eigenvalues) / n  # tr(W_λA)/n
        missed = (zeros + lam * inverse.sum(1, keepdim=True)) / n  # 1 − kept, not cancelling
        gain = self._own(self.damping, k)
        gain = gain / kept if self.divergence_free else gain
        step = operator.unchecked_lmmse(residual, lam)
        if x is None:
            r = gain * step
        else:  # in one pass, which complex numbers with a real gain do not have
            r = x + gain * step if step.is_complex() else torch.addcmul(x, gain, step)
        # ‖I − gW_λA‖²/n = (1 − g·kept)² + g²·spread, spread the variance of the eigenvalues.
        if self.lam is None:
            # For the matched λ = σ²/v², v²·spread + σ²‖W_λ‖²/n is this.
            rest = variance * kept * missed
        else:
            spread = (eigenvalues * inverse - kept).square().sum(1, keepdim=True)
            spread = (spread + zeros * kept**2) / n
            filtered = _weighted(inverse.square(), eigenvalues) / n  # ‖W_λ‖²/n
            rest = variance * spread + self.noise * filtered
        square = variance * (1 - gain * kept).square() + gain.square() * rest
        return r, square.clamp(min=torch.finfo(r.dtype).tiny).sqrt()

    def _error(self, residual: Tensor, eigenvalues: Tensor) -> tuple[Tensor, Tensor]:
        # v² and λ of each signal, (B, 1), from E‖y − Ax‖² = v²·tr(AᴴA) + mσ². A constant λ is
        # (1, 1).
        squares = residual.abs().square() if residual.is_complex() else residual.square()
        excess = squares.sum(1, keepdim=True) - residual.shape[1] * self.noise
        variance = torch.relu(excess) / eigenvalues.sum(-1, keepdim=True)
        # Beyond these bounds of λ, W_λA or its divergence-free multiple is the same in this
        # precision; they hold when there is no noise or no error.
        if self.lam is not None:
            return variance, variance.new_full((1, 1), self.lam)
        largest, epsilon = eigenvalues[..., -1:], torch.finfo(residual.dtype).eps
        if self.noise == 0:
            return variance, (epsilon * largest).reshape(-1, 1)
        ratio = (variance / self.noise).clamp(min=epsilon / largest)  # v²/σ²
        return self.noise * ratio, ratio.reciprocal().clamp(min=epsilon * largest)

    def _denoise(self, k: int, r: Tensor, tau: Tensor) -> State:
        denoiser: Any = self._own(self.denoisers, k)
        if not self.divergence_free:
            return check_estimate(denoiser(r, tau), r)
        given = denoiser.with_divergence(r, tau)
        if not isinstance(given, tuple) or len(given) != 2:
            raise ValueError(
                f"denoiser gives a {type(given).__name__} by with_divergence; an estimate and its "
                "mean slope are needed"
            )
        estimate, slope = check_estimate(given[0], r), check_slope(given[1], r)
        slope = slope.clamp(max=1 - torch.finfo(r.dtype).eps ** 0.5)
        # (D − d·r)/(1 − d) in one pass. Under autocast a denoiser has a precision of its own.
        weight = (1 / (1 - slope)).to(tau)
        if r.is_complex():
            return estimate, r + weight * (estimate - r)
        return estimate, torch.lerp(r, estimate.to(r), weight)

    def _check(self, y: Tensor) -> None:
        super()._check(y)
        if torch.finfo(y.dtype).bits < 32:
            raise ValueError(
                f"the network has dtype {y.dtype}, in which its linear step has neither singular "
                "values nor Fourier transforms; float32 or float64 is needed, with or without "
                "autocast"
            )

    def _dtype(self) -> torch.dtype:
        return self.operator.dtype


def _nonzero(operator: SensingOperator) -> Tensor:
    # Those of AᴴA that can differ from zero; the others are n − min(m, n) zeros.
    return sound_eigenvalues(operator)[..., -min(operator.shape) :]


def _weighted(values: Tensor, weights: Tensor) -> Tensor:
    # Σ over the eigenvalues, (B, 1) or (1, 1); weights for all signals, or for each.
    if weights.ndim == 1:
        return (values @ weights)[:, None]
    return (values * weights).sum(1, keepdim=True)
