"""The pixels of a square scene around the origin, row after row."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_entries, is_integer

__all__ = ["centres", "check_pixels", "pixel_places"]


def check_pixels(pixels: tuple[int, int]) -> None:
    """Require two numbers of pixels ≥ 1; ValueError otherwise."""
    pair = isinstance(pixels, tuple) and len(pixels) == 2
    if not pair or not all(is_integer(count) and count >= 1 for count in pixels):
        raise ValueError(f"pixels is {pixels!r}; (rows, columns), both ≥ 1, is needed")
    check_entries("pixels", pixels, int(pixels[0]) * int(pixels[1]))


def centres(count: int, side: float) -> Tensor:
    """Where the pixels of one side lie, (count,), symmetric about 0, float64."""
    half = torch.arange(count, dtype=torch.float64) - (count - 1) / 2
    return half * (side / count)


def pixel_places(pixels: tuple[int, int], side: float) -> Tensor:
    """(n, 2), the place (x, y) of each pixel; rows run along x, columns along y."""
    rows, columns = (centres(count, side) for count in pixels)
    return torch.cartesian_prod(rows, columns)
