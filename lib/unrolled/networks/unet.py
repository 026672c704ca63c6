"""A generic image network, to compare with: it knows A by one back-projection alone."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from unrolled.networks.images import as_images, check_image, draw_weights
from unrolled.sensing import SensingOperator, real_operator

__all__ = ["UNet"]


class UNet(nn.Module):
    """A U-Net from the back-projection Aᵀy, as an image, to the image.

    Down: on each level two 3×3 convolutions with ReLU, then a maximum over 2×2 pixels, and twice
    the channels on the next. Up: each pixel doubled, a 3×3 convolution, the level's image from
    the way down beside it, and two convolutions again. There are 4 levels, or 3 for images with a
    side below 16; sides need not be even.

    `net(y)`: (B, m) to (B, n).

    Source: Ronneberger, Fischer and Brox, MICCAI 2015; after a back-projection: Jin et al., IEEE
    TIP 2017.

    Args:
        A: a real `SensingOperator` or matrix (m, n).
        image: (height, width), height·width = n, both at least 4.
        parameters: a budget; the network is the widest whose parameters do not outnumber it, and
            `width` says how many channels its first level has.
        generator: draws the weights; without one they are the same each time.

    Raises:
        ValueError: a complex A, an image that is not of n pixels, or a budget that is too small for
            one channel.
    """

    def __init__(
        self,
        A: SensingOperator | Tensor,
        *,
        image: tuple[int, int],
        parameters: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.operator = copy.deepcopy(real_operator(A))
        n = self.operator.shape[1]
        check_image(image)
        if image[0] * image[1] != n or min(image) < 4:
            raise ValueError(
                f"image is {tuple(image)}; sides of at least 4 with height·width = {n} are needed"
            )
        self.image = (image[0], image[1])
        levels = 4 if min(image) >= 16 else 3
        self.width = _widest(levels, parameters)
        self.network = nn.Sequential(_Level(1, self.width, levels), nn.Conv2d(self.width, 1, 1))
        draw_weights(self.network, generator)
        self.network.to(self.operator.dtype)

    def forward(self, y: Tensor) -> Tensor:
        image = as_images(self.operator.adjoint(y), self.image)
        return self.network(image).flatten(1)


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


def _count(width: int, levels: int) -> int:
    # The number of parameters, counted on a network that holds no numbers.
    with torch.device("meta"):
        network = nn.ModuleList((_Level(1, width, levels), nn.Conv2d(width, 1, 1)))
    return sum(parameter.numel() for parameter in network.parameters())


def _widest(levels: int, budget: int) -> int:
    if _count(1, levels) > budget:
        raise ValueError(
            f"parameters is {budget}; a U-Net of {levels} levels has at least {_count(1, levels)}"
        )
    width = 1
    while _count(width + 1, levels) <= budget:
        width += 1
    return width
