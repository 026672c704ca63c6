"""A mean slope for any denoiser, so that the divergence-free OAMPNet can take it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unrolled.checks import check_entries, check_kind, check_positive, check_size
from unrolled.networks.images import check_signals, check_tau
from unrolled.precision import KindKeepingModule

__all__ = ["MonteCarloDivergence", "check_estimate", "check_slope"]


def check_estimate(estimate: Tensor, r: Tensor) -> Tensor:
    """Require what a denoiser is to give for r, (B, n): like it, in autocast less precise.

    Values are not looked at.

    Raises:
        ValueError: what it gave instead.
    """
    check_kind("what denoiser gives", estimate, Tensor)
    same = estimate.dtype == r.dtype or (
        torch.is_autocast_enabled(r.device.type) and estimate.is_complex() == r.is_complex()
    )
    if estimate.shape != r.shape or not same:
        raise ValueError(
            f"denoiser gives an estimate of shape {tuple(estimate.shape)} and dtype "
            f"{estimate.dtype}; {tuple(r.shape)} and {r.dtype} are needed"
        )
    return estimate


def check_slope(slope: Tensor, r: Tensor) -> Tensor:
    """Require what `with_divergence` is to give beside it: one real mean slope a signal, (B, 1).

    Raises:
        ValueError: what it gave instead.
    """
    check_kind("the slope that denoiser gives", slope, Tensor)
    if slope.shape != (len(r), 1) or not slope.is_floating_point():
        raise ValueError(
            f"denoiser gives a slope of shape {tuple(slope.shape)} and dtype {slope.dtype}; a real "
            f"one for each signal, ({len(r)}, 1), is needed"
        )
    return slope


class MonteCarloDivergence(KindKeepingModule):
    """Any denoiser, with the mean slope that orthogonal AMP asks for, measured by random signs.

    `with_divergence(r, tau)` gives D(r, τ) and Re⟨ε, D(r + hε, τ) − D(r − hε, τ)⟩/(2hn), averaged
    over a few vectors ε of signs, or for complex signals of (±1 ± i)/√2. On average over ε, and as
    h tends to zero, that is the mean slope of D, for complex r that of Wirtinger; one ε suffices
    for large n. Each ε costs two calls of D. Gradients pass where they pass through D.

    Source: Ramani, Blu and Unser, IEEE TIP 2008.

    Args:
        denoiser: called as denoiser(r, tau), (B, n) and (B, 1) to (B, n): a module, whose
            parameters are learned, or a function.
        n: length of signals.
        probes: how many ε, ≥ 1. They are the same in every call.
        step: h as a share of τ, > 0. It is raised where rounding would count, to the cube root of
            the precision times the size of r.
        complex_signals: whether r is complex.
        generator: draws ε; without one they are the same each time.

    Raises:
        ValueError: settings outside these ranges, or signals of another length.
    """

    probes: Tensor

    def __init__(
        self,
        denoiser: nn.Module | Callable[[Tensor, Tensor], Tensor],
        n: int,
        *,
        probes: int = 1,
        step: float = 0.01,
        complex_signals: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not callable(denoiser):
            raise ValueError(f"denoiser is {denoiser!r}; a function of r and tau is needed")
        check_size("n", n)
        check_size("probes", probes)
        check_entries("n, probes", f"{n}, {probes}", 2 * n * probes)
        check_positive("step", step)
        check_kind("complex_signals", complex_signals, bool)
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        check_kind("generator", generator, torch.Generator)
        self.denoiser, self.step = denoiser, step
        drawn = torch.randint(
            0, 2, (2, probes, n), generator=generator, device=generator.device
        ).cpu()
        signs = 2.0 * drawn - 1
        chosen = torch.complex(signs[0], signs[1]) / 2**0.5 if complex_signals else signs[0]
        self.register_buffer("probes", chosen, persistent=False)

    def forward(self, r: Tensor, tau: Tensor) -> Tensor:
        check_signals(r)
        return check_estimate(self.denoiser(r, check_tau(tau, r)), r)

    def with_divergence(self, r: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """The estimate, (B, n), and its mean slope, (B, 1)."""
        check_signals(r)
        tau = check_tau(tau, r)
        if r.shape[1:] != self.probes.shape[1:] or r.is_complex() != self.probes.is_complex():
            kind = "complex" if self.probes.is_complex() else "real"
            raise ValueError(
                f"r has shape {tuple(r.shape)} and dtype {r.dtype}; {kind} signals "
                f"(B, {self.probes.shape[1]}) are needed"
            )
        size = torch.linalg.vector_norm(r.detach(), dim=1, keepdim=True) / r.shape[1] ** 0.5
        number = torch.finfo(r.dtype)
        h = torch.maximum(self.step * tau.detach(), number.eps ** (1 / 3) * size)
        h = h.clamp(min=number.tiny**0.5)  # r = 0 and τ = 0
        slopes = []
        for probe in self.probes.to(r.dtype):
            change = self(r + h * probe, tau) - self(r - h * probe, tau)
            slopes.append((probe.conj() * change).real.mean(1, keepdim=True) / (2 * h))
        return self(r, tau), torch.stack(slopes).mean(0)
