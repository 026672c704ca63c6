"""The pixels of a square scene around the origin, row after row."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["centres", "pixel_places"]


def centres(count: int, side: float) -> Tensor:
    """Where the pixels of one side lie, (count,), symmetric about 0, float64."""
    half = torch.arange(count, dtype=torch.float64) - (count - 1) / 2
    return half * (side / count)


def pixel_places(pixels: tuple[int, int], side: float) -> Tensor:
    """(n, 2), the place (x, y) of each pixel; rows run along x, columns along y."""
    rows, columns = (centres(count, side) for count in pixels)
    return torch.cartesian_prod(rows, columns)
