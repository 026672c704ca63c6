"""A generic image network, to compare with: it knows A by one back-projection alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unrolled.checks import check_entries, check_flag, check_image, check_kind, check_size
from unrolled.networks.images import as_images, as_signals, draw_weights
from unrolled.networks.unrolled import check_fits, own_operator
from unrolled.precision import KindKeepingModule
from unrolled.sensing import SensingOperator
from unrolled.sensing.real_signals import check_complex

__all__ = ["UNet", "unet_layers", "widest"]


class UNet(KindKeepingModule):
    """A U-Net from the back-projection Aᴴy, as an image, to the image.

    Down: on each level two 3×3 convolutions with ReLU, then a maximum over 2×2 pixels, and twice
    the channels on the next. Up: each pixel doubled, a 3×3 convolution, the level's image from
    the way down beside it, and two convolutions again. There are 4 levels, or 3 for images with a
    side below 16; sides need not be even.

    Of complex images it sees real and imaginary part as two channels.

    `net(y)`: (B, m) to (B, n). It belongs to no matrix: `net(y, operator=…)` takes it to another
    one, or to one for each signal.

    Source: Ronneberger, Fischer and Brox, MICCAI 2015; after a back-projection: Jin et al., IEEE
    TIP 2017.

    Args:
        A: a `SensingOperator` or matrix (m, n), real or complex.
        image: (height, width), height·width = n, both at least 4.
        parameters: a budget; the network is the widest whose parameters do not outnumber it, and
            `width` says how many channels its first level has.
        real_signals: the image is real although A is complex: two channels in, one out.
        generator: draws the weights; without one they are the same each time.

    Raises:
        ValueError: a real A for `real_signals`, an image that is not of n pixels, or a budget that
            is too small for one channel.
    """

    def __init__(
        self,
        A: SensingOperator | Tensor,
        *,
        image: tuple[int, int],
        parameters: int,
        real_signals: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.operator = own_operator(A)
        complex_signals = self.operator.dtype.is_complex
        check_flag("real_signals", real_signals)
        if real_signals:
            check_complex(self.operator)
        self.real_signals = real_signals
        n = self.operator.shape[1]
        check_image(image)
        check_size("parameters", parameters)
        check_entries("parameters", parameters, parameters)
        if image[0] * image[1] != n or min(image) < 4:
            raise ValueError(
                f"image is {tuple(image)}; sides of at least 4 with height·width = {n} are needed"
            )
        self.image = (image[0], image[1])
        levels = 4 if min(image) >= 16 else 3
        channels = (2 if complex_signals else 1, 2 if complex_signals and not real_signals else 1)
        self.width = widest(levels, parameters, channels)
        self.network = unet_layers(self.width, levels, channels)
        draw_weights(self.network, generator)
        self.network.to(self.operator.device, self.operator.dtype.to_real())

    def forward(self, y: Tensor, *, operator: SensingOperator | None = None) -> Tensor:
        if operator is None:
            operator = self.operator
        else:
            check_kind("y", y, Tensor)
            check_fits(operator, self.operator.shape, self.operator.dtype, len(y))
        return as_signals(self.network(as_images(operator.adjoint(y), self.image)))


class _Level(nn.Module):
    # One level of the U and, within it, all those below: (B, c_in, h, w) to (B, width, h, w).

    def __init__(self, c_in: int, width: int, levels: int) -> None:
        super().__init__()
        self.down = _two_convolutions(c_in, width)
        self.below = _Level(width, 2 * width, levels - 1) if levels > 1 else None
        if self.below is not None:
            self.up = nn.Conv2d(2 * width, width, 3, padding=1)
            self.join = _two_convolutions(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        if self.below is None:
            return x
        coarse = self.below(nn.functional.max_pool2d(x, 2))
        fine = nn.functional.interpolate(coarse, size=x.shape[-2:], mode="nearest")
        return self.join(torch.cat((x, self.up(fine)), 1))


def _two_convolutions(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(c_out, c_out, 3, padding=1),
        nn.ReLU(),
    )


def unet_layers(width: int, levels: int, channels: tuple[int, int]) -> nn.Sequential:
    """The U of so many levels, (B, c_in, h, w) to (B, c_out, h, w); channels are (c_in, c_out)."""
    c_in, c_out = channels
    return nn.Sequential(_Level(c_in, width, levels), nn.Conv2d(width, c_out, 1))


def _count(width: int, levels: int, channels: tuple[int, int]) -> int:
    # The number of parameters, counted on a network that holds no numbers.
    with torch.device("meta"):
        network = unet_layers(width, levels, channels)
    return sum(parameter.numel() for parameter in network.parameters())


def widest(levels: int, budget: int, channels: tuple[int, int]) -> int:
    """The greatest width at which the U has no more than `budget` parameters.

    ValueError where there is none.
    """
    least = _count(1, levels, channels)
    if least > budget:
        raise ValueError(f"parameters is {budget}; a U-Net of {levels} levels has at least {least}")
    width, too_wide = 1, 2
    while _count(too_wide, levels, channels) <= budget:
        width, too_wide = too_wide, 2 * too_wide
    while too_wide - width > 1:
        middle = (width + too_wide) // 2
        fits = _count(middle, levels, channels) <= budget
        width, too_wide = (middle, too_wide) if fits else (width, middle)
    return width
