"""What the networks that see a signal as an image share: shapes, convolutions and their slopes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.checks import (
    check_dense,
    check_entries,
    check_held,
    check_image,
    check_kind,
    check_positive,
    check_size,
)

__all__ = [
    "Convolution",
    "as_images",
    "as_signals",
    "check_layers",
    "check_signals",
    "check_tau",
    "check_window",
    "convolve",
    "draw_weights",
    "pushforward",
    "random_signs",
]


def pushforward(network: nn.Sequential, value: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
    """A network's value and the product Jt of its Jacobian there with a tangent t, in one pass.

    Args:
        network: convolutions with a bias, and SiLU or ReLU between them.
        value, tangent: images, (B, c, height, width).
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
            bias: Any = layer.bias
            tangent = tangent - bias[:, None, None]
    return value, tangent


class Convolution(nn.Conv2d):
    """`nn.Conv2d`, computed by `convolve`."""

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.weight, self.bias, self.padding)


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, padding: str | int | tuple[int, ...] = 0
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
    check_kind("generator", generator, torch.Generator)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def random_signs(image: tuple[int, int] | None, kernel: int) -> Tensor:
    """Signs ε for ⟨ε, Jε⟩: the same ones each time, (n,), or (1,) for a diagonal J."""
    if image is None or kernel == 1:
        return torch.ones(1)
    size = (image[0] * image[1],)
    drawn = torch.randint(0, 2, size, generator=torch.Generator().manual_seed(0))
    return 2.0 * drawn - 1


def as_images(r: Tensor, image: tuple[int, int] | None) -> Tensor:
    """(B, n) to one channel, (B, 1, height, width); without an image, to one line.

    Complex entries to two channels, their real and imaginary parts.
    """
    height, width = image or (1, r.shape[1])
    if r.shape[1] != height * width:
        raise ValueError(f"r has shape {tuple(r.shape)}; images of {height}×{width} are needed")
    if r.is_complex():
        return torch.stack((r.real, r.imag), 1).unflatten(2, (height, width))
    return r.unflatten(1, (1, height, width))


def as_signals(images: Tensor) -> Tensor:
    """One or two channels, (B, c, height, width), back to (B, n), real or complex."""
    flat = images.flatten(2)
    if flat.shape[1] == 1:
        return flat[:, 0]
    return torch.complex(flat[:, 0], flat[:, 1])


def check_window(image: tuple[int, int] | None, kernel: int | None) -> int:
    """Settle the side of a convolution: given, or 3 with an image and 1 without."""
    if image is not None:
        check_image(image)
    if kernel is None:
        kernel = 1 if image is None else 3
    check_size("kernel", kernel)
    check_entries("kernel", kernel, kernel**2)
    if kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}; an odd number ≥ 1 is needed")
    if kernel > 1 and image is None:
        raise ValueError(f"image is missing; a kernel of {kernel} needs (height, width)")
    return kernel


def check_layers(width: int, layers: int) -> None:
    """Require at least one channel and two layers."""
    check_size("width", width)
    check_size("layers", layers)
    check_entries("width, layers", f"{width}, {layers}", width**2 * layers)
    if layers < 2:
        raise ValueError(f"layers is {layers}; at least 2 are needed")


def check_signals(r: Tensor) -> None:
    """Require floating-point signals (B, n), B and n ≥ 1. Their values are not looked at."""
    check_dense("r", r)
    if r.ndim != 2 or 0 in r.shape or not (r.is_floating_point() or r.is_complex()):
        raise ValueError(
            f"r has shape {tuple(r.shape)} and dtype {r.dtype}; floating-point signals (B, n) are "
            "needed"
        )


def check_tau(tau: Tensor | float, r: Tensor) -> Tensor:
    """τ for signals r, (B, n), as a tensor: a number ≥ 0, or a real one for each signal, (B, 1).

    Tensors may also hold one number for all signals. Their values are not looked at.
    """
    if not isinstance(tau, Tensor):
        number = check_positive("tau", tau, zero=True)
        check_held("tau", number, r.dtype)
        return r.real.new_full((1, 1), number)
    if tau.ndim > 2 or (tau.numel() != 1 and tau.shape != (len(r), 1)):
        raise ValueError(
            f"tau has shape {tuple(tau.shape)}; one for each signal, ({len(r)}, 1), is needed"
        )
    if tau.dtype != r.real.dtype:
        raise ValueError(f"tau has dtype {tau.dtype}; that of r, {r.real.dtype}, is needed")
    return tau
