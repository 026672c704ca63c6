"""Learned denoisers: from r = x + an error of standard deviation τ back to x.

A denoiser is a module that is called as `denoiser(r, tau)`, with r (B, n) and tau (B, 1), and
returns its estimate (B, n). Orthogonal AMP also asks it for `with_divergence(r, tau)`: the same
estimate, and for each signal the mean slope (1/n) Σ_i ∂x_i/∂r_i, (B, 1).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from unrolled.prox import soft_threshold
from unrolled.sensing.operator import check_positive

__all__ = ["ProxNet", "SoftThreshold"]


class SoftThreshold(nn.Module):
    """The soft threshold at a learned multiple of the error: x = S_{ατ}(r).

    factor: where α starts, > 0 and finite; ValueError otherwise.
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

    image: (height, width), when the n entries of a signal are an image, row after row.
    kernel: side of the convolutions, odd. 1 looks at each entry by itself, the default without an
        image; 3 is the default with one. Beyond the border an image is zero.
    width: channels between the layers. layers: of N, ≥ 2; smooth (SiLU) between them, so that the
        divergence has a gradient too. factor: where α starts.
    generator: draws the weights; without one they are the same each time.

    Raises ValueError for settings outside these ranges, and for signals that are no such images.
    Source: the residual form is that of Zhang et al., IEEE TIP 2017 (DnCNN). The trace by random
    signs is Hutchinson's (1990); Ramani, Blu and Unser (IEEE TIP 2008) brought it to denoisers.
    """

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
            stack += [_Convolution(c_in, c_out, kernel, padding=kernel // 2), nn.SiLU()]
        self.network = nn.Sequential(*stack[:-1])
        draw_weights(self.network, generator)
        nn.init.zeros_(self.network[-1].weight)
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


def pushforward(network: nn.Sequential, value: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
    """A network's value and the product Jt of its Jacobian there with a tangent t, in one pass.

    network: convolutions with a bias, and SiLU or ReLU between them. value, tangent: images,
    (B, 1, height, width).
    """
    for layer in network:
        if isinstance(layer, nn.ReLU):
            tangent = tangent * (value > 0)
            value = layer(value)
        elif isinstance(layer, nn.SiLU):
            # The slope of u·s(u), s the sigmoid, is s(u)(1 + u·s(−u)), of which nothing cancels.
            tangent = tangent * (torch.sigmoid(value) * (1 + value * torch.sigmoid(-value)))
            value = layer(value)
        else:
            # Together, because a layer may have to compute the weights that it uses.
            value, tangent = layer(torch.cat((value, tangent))).chunk(2)
            tangent = tangent - layer.bias[:, None, None]
    return value, tangent


class _Convolution(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.weight, self.bias, self.padding)


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, padding: int | tuple[int, ...] = 0
) -> Tensor:
    """`conv2d`, fast also where each pixel is by itself: there it is a product of matrices."""
    if weight.shape[2:] != (1, 1):
        return nn.functional.conv2d(x, weight, bias, padding=padding)
    product = (weight[:, :, 0, 0] @ x.flatten(2)).unflatten(2, x.shape[2:])
    return product if bias is None else product + bias[:, None, None]


def draw_weights(network: nn.Module, generator: torch.Generator | None) -> None:
    """Draw the weights of all convolutions as for ReLU (He et al., ICCV 2015); biases are zero.

    Without a generator, one that is always seeded alike.
    """
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)


def random_signs(image: tuple[int, int] | None, kernel: int) -> Tensor:
    """Signs ε for ⟨ε, Jε⟩: the same ones each time, (n,), or (1,) for a diagonal J."""
    if image is None or kernel == 1:
        return torch.ones(1)
    size = (image[0] * image[1],)
    drawn = torch.randint(0, 2, size, generator=torch.Generator().manual_seed(0))
    return 2.0 * drawn - 1


def as_images(r: Tensor, image: tuple[int, int] | None) -> Tensor:
    """(B, n) to one channel, (B, 1, height, width); without an image, to one line."""
    height, width = image or (1, r.shape[1])
    if r.shape[1] != height * width:
        raise ValueError(f"r has shape {tuple(r.shape)}; images of {height}×{width} are needed")
    return r.reshape(len(r), 1, height, width)


def check_window(image: tuple[int, int] | None, kernel: int | None) -> int:
    """Settle the side of a convolution: given, or 3 with an image and 1 without."""
    if image is not None:
        check_image(image)
    if kernel is None:
        kernel = 1 if image is None else 3
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}; an odd number ≥ 1 is needed")
    if kernel > 1 and image is None:
        raise ValueError(f"image is missing; a kernel of {kernel} needs (height, width)")
    return kernel


def check_image(image: tuple[int, int]) -> None:
    """Require (height, width), both ≥ 1."""
    if len(image) != 2 or min(image) < 1:
        raise ValueError(f"image is {image!r}; (height, width), both at least 1, is needed")


def check_layers(width: int, layers: int) -> None:
    """Require at least one channel and two layers."""
    if width < 1:
        raise ValueError(f"width is {width}; at least one channel is needed")
    if layers < 2:
        raise ValueError(f"layers is {layers}; at least 2 are needed")
