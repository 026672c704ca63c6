"""Learned denoisers: from r = x + an error of standard deviation τ back to x.

A denoiser is a module that is called as `denoiser(r, tau)`, with r (B, n) and tau (B, 1), and
returns its estimate (B, n). Orthogonal AMP also asks it for `with_divergence(r, tau)`: the same
estimate, and for each signal the mean slope (1/n) Σ_i ∂x_i/∂r_i, (B, 1).
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from unrolled.checks import check_positive
from unrolled.networks.images import (
    Convolution,
    as_images,
    check_layers,
    check_window,
    draw_weights,
    pushforward,
    random_signs,
)
from unrolled.prox import soft_threshold

__all__ = ["ProxNet", "SoftThreshold"]


class SoftThreshold(nn.Module):
    """The soft threshold at a learned multiple of the error: x = S_{ατ}(r).

    Args:
        factor: where α starts, > 0 and finite.

    Raises:
        ValueError: factor is none of that.
    """

    def __init__(self, factor: float = 1.4) -> None:
        super().__init__()
        check_positive("factor", factor)
        self.factor = nn.Parameter(torch.tensor(float(factor)))

    def forward(self, r: Tensor, tau: Tensor) -> Tensor:
        return soft_threshold(r, self.factor * tau)

    def with_divergence(self, r: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """The estimate, and the share of entries that the threshold leaves."""
        x = self(r, tau)
        return x, torch.count_nonzero(x, dim=1).to(x.dtype)[:, None] / x.shape[1]


class ProxNet(nn.Module):
    """A soft threshold and a small network that learns what to add: x = S_{ατ}(r) + τN(r/τ).

    It works on r/τ, so that it is equivariant to scale: D(cr, cτ) = cD(r, τ) for c > 0. The last
    layer of N starts at zero, and ProxNet as the soft threshold.

    Source: the residual form is that of Zhang et al., IEEE TIP 2017 (DnCNN). The trace by random
    signs is Hutchinson's (1990); Ramani, Blu and Unser (IEEE TIP 2008) brought it to denoisers.

    Args:
        image: (height, width), when the n entries of a signal are an image, row after row.
        kernel: side of the convolutions, odd. 1 looks at each entry by itself, the default without
            an image; 3 is the default with one. Beyond the border an image is zero.
        width: channels between the layers.
        layers: of N, ≥ 2; smooth (SiLU) between them, so that the divergence has a gradient too.
        factor: where α starts.
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
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        kernel = check_window(image, kernel)
        check_layers(width, layers)
        self.image = image
        self.threshold = SoftThreshold(factor)
        channels = [1, *[width] * (layers - 1), 1]
        stack: list[nn.Module] = []
        for c_in, c_out in pairwise(channels):
            stack += [Convolution(c_in, c_out, kernel, padding=kernel // 2), nn.SiLU()]
        self.network = nn.Sequential(*stack[:-1])
        draw_weights(self.network, generator)
        nn.init.zeros_(cast(Convolution, self.network[-1]).weight)
        self.register_buffer("signs", random_signs(image, kernel), persistent=False)

    def forward(self, r: Tensor, tau: Tensor) -> Tensor:
        learned = self.network(as_images(r / tau, self.image))
        return self.threshold(r, tau) + tau * learned.flatten(1)

    def with_divergence(self, r: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
        """The estimate and its mean slope, which for N is ⟨ε, Jε⟩/n with fixed signs ε.

        That is exact when kernel is 1, where the Jacobian J is diagonal, and else what tr(J)/n is
        on average over such signs.
        """
        x, slope = self.threshold.with_divergence(r, tau)
        images = as_images(r / tau, self.image)
        signs = self.signs.expand_as(r)
        learned, change = pushforward(self.network, images, signs.reshape(images.shape))
        change = (signs * change.flatten(1)).mean(1, keepdim=True)
        return x + tau * learned.flatten(1), slope + change
