"""Learned denoisers: from r = x + an error of standard deviation τ back to x.

A denoiser is a module that is called as `denoiser(r, tau)`, with r (B, n) and tau (B, 1), and
returns its estimate (B, n); those here also take one number ≥ 0 as tau. Orthogonal AMP also asks it
for `with_divergence(r, tau)`: the same estimate, and for each signal the mean slope
(1/n) Σ_i ∂x_i/∂r_i, (B, 1). For complex r that is the real part of the Wirtinger derivative,
½(∂ Re x/∂ Re r + ∂ Im x/∂ Im r).
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from unrolled.checks import check_kind, check_positive
from unrolled.networks.images import (
    Convolution,
    as_images,
    as_signals,
    check_layers,
    check_signals,
    check_tau,
    check_window,
    draw_weights,
    pushforward,
    random_signs,
)
from unrolled.prox import soft_threshold

__all__ = ["ProxNet", "SoftThreshold"]


class SoftThreshold(nn.Module):
    """The soft threshold at a learned multiple of the error: x = S_{ατ}(r), real or complex.

    Args:
        factor: where α starts, > 0 and finite.
        nonnegative: x ≥ 0, for real r.

    Raises:
        ValueError: factor is none of that.
    """

    def __init__(self, factor: float = 1.4, *, nonnegative: bool = False) -> None:
        super().__init__()
        check_positive("factor", factor)
        self.nonnegative = nonnegative
        self.factor = nn.Parameter(torch.tensor(float(factor)))

    def forward(self, r: Tensor, tau: Tensor) -> Tensor:
        check_signals(r)
        tau = check_tau(tau, r)
        return soft_threshold(r, self.factor * tau, nonnegative=self.nonnegative)

    def with_divergence(self, r: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """The estimate, and its mean slope: for real r the share of entries that are left.

        A complex entry that is left keeps its phase, so that it moves less across its direction
        than along it: its slope is 1 − ατ/2|r_i| (Maleki et al., IEEE Trans. Inf. Theory 2013).
        """
        x = self(r, tau)
        if r.is_complex():
            tau = check_tau(tau, r)
            size = r.abs().clamp(min=torch.finfo(r.dtype).tiny)
            slopes = torch.where(x != 0, 1 - self.factor * tau / (2 * size), 0)
            return x, slopes.mean(1, keepdim=True)
        return x, torch.count_nonzero(x, dim=1).to(x.dtype)[:, None] / x.shape[1]


class ProxNet(nn.Module):
    """A soft threshold and a small network that learns what to add: x = S_{ατ}(r) + τN(r/τ).

    It works on r/τ, so that it is equivariant to scale: D(cr, cτ) = cD(r, τ) for c > 0. The last
    layer of N starts at zero, and ProxNet as the soft threshold. N sees no τ below ε‖r‖_∞, ε the
    precision, so that τ = 0 is the limit of small τ, of which N makes a map that scales with r.

    Of complex signals N sees real and imaginary part as two channels. Their sizes alone would make
    D(e^{iφ}r) = e^{iφ}D(r), as the threshold has it, but hide how the phases of neighbours go
    together, which in images of phase or of a narrow band is most of what there is to learn.

    Source: the residual form is that of Zhang et al., IEEE TIP 2017 (DnCNN). The trace by random
    signs is Hutchinson's (1990); Ramani, Blu and Unser (IEEE TIP 2008) brought it to denoisers.

    Args:
        image: (height, width), when the n entries of a signal are an image, row after row.
        kernel: side of the convolutions, odd. 1 looks at each entry by itself, the default without
            an image; 3 is the default with one. Beyond the border an image is zero.
        width: channels between the layers.
        layers: of N, ≥ 2; smooth (SiLU) between them, so that the divergence has a gradient too.
        factor: where α starts.
        complex_signals: whether r is complex.
        generator: draws the weights; without one they are the same each time.

    Raises:
        ValueError: settings outside these ranges, or signals that are no such images.
    """

    signs: Tensor

    def __init__(
        self,
        *,
        image: tuple[int, int] | None = None,
        kernel: int | None = None,
        width: int = 8,
        layers: int = 2,
        factor: float = 1.4,
        complex_signals: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        kernel = check_window(image, kernel)
        check_layers(width, layers)
        check_kind("complex_signals", complex_signals, bool)
        self.image, self.complex_signals = image, complex_signals
        self.threshold = SoftThreshold(factor)
        parts = 2 if complex_signals else 1
        channels = [parts, *[width] * (layers - 1), parts]
        stack: list[nn.Module] = []
        for c_in, c_out in pairwise(channels):
            stack += [Convolution(c_in, c_out, kernel, padding=kernel // 2), nn.SiLU()]
        self.network = nn.Sequential(*stack[:-1])
        draw_weights(self.network, generator)
        nn.init.zeros_(cast(Convolution, self.network[-1]).weight)
        self.register_buffer("signs", random_signs(image, kernel), persistent=False)

    def forward(self, r: Tensor, tau: Tensor) -> Tensor:
        tau, unit = self._units(r, tau)
        learned = self.network(as_images(r / unit, self.image))
        return self.threshold(r, tau) + unit * as_signals(learned)

    def with_divergence(self, r: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """The estimate and its mean slope, which for N is ⟨ε, Jε⟩/n with fixed signs ε.

        That is exact when kernel is 1, where the Jacobian J is diagonal, and else what tr(J)/n is
        on average over such signs.
        """
        tau, unit = self._units(r, tau)
        x, slope = self.threshold.with_divergence(r, tau)
        images = as_images(r / unit, self.image)
        signs = as_images(self.signs.expand(r.shape), self.image)  # (B, 1, height, width)
        # The real part, and the imaginary one, each moved by itself.
        parts = torch.eye(images.shape[1], dtype=signs.dtype, device=signs.device)
        for part in parts:
            learned, moved = pushforward(self.network, images, part[:, None, None] * signs)
            change = (part[:, None, None] * signs * moved).sum(1).flatten(1)
            slope = slope + change.mean(1, keepdim=True) / len(parts)
        return x + unit * as_signals(learned), slope

    def _units(self, r: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        # τ, and what N measures r in.
        check_signals(r)
        if r.is_complex() != self.complex_signals:
            kind = "complex" if r.is_complex() else "real"
            raise ValueError(
                f"r is {kind}; this ProxNet has complex_signals={self.complex_signals}"
            )
        tau = check_tau(tau, r)
        number = torch.finfo(r.dtype)
        least = number.eps * r.detach().abs().amax(1, keepdim=True)
        return tau, tau.maximum(least.clamp(min=number.tiny))
