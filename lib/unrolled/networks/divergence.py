"""A mean slope for any denoiser, so that the divergence-free OAMPNet can take it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unrolled.checks import check_kind, check_positive, check_size
from unrolled.precision import KindKeepingModule

__all__ = ["MonteCarloDivergence"]


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
        check_positive("step", step)
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
        return self.denoiser(r, tau)

    def with_divergence(self, r: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """The estimate, (B, n), and its mean slope, (B, 1)."""
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
            change = self.denoiser(r + h * probe, tau) - self.denoiser(r - h * probe, tau)
            slopes.append((probe.conj() * change).real.mean(1, keepdim=True) / (2 * h))
        return self.denoiser(r, tau), torch.stack(slopes).mean(0)
