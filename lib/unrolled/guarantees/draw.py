"""Random numbers for drawing instances, each from an explicit generator."""

from __future__ import annotations

import torch

__all__ = ["integer", "uniform"]


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """A number between low and high."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def integer(generator: torch.Generator, low: int, high: int) -> int:
    """An integer from low, …, high."""
    return int(torch.randint(low, high + 1, (), generator=generator))
