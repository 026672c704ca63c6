"""Sparse signals and their measurements, the small problem on which the chapter trains."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.sensing import gaussian
from unrolled.signals import BernoulliGaussian


class SparseProblem:
    """y = Ax + w with a Gaussian A (m, n) and signals of which one entry in ten is not zero.

    The nonzero entries are N(0, 1); noise is the variance of one entry of w.
    """

    def __init__(self, m: int, n: int, *, seed: int, noise: float = 0.0) -> None:
        self.noise = noise
        self.signals = BernoulliGaussian(n, rate=0.1)
        self.operator = gaussian(m, n, generator=torch.Generator().manual_seed(seed))

    def draw(self, generator: torch.Generator, count: int = 64) -> tuple[Tensor, Tensor]:
        """A batch (y, x) of shapes (count, m), (count, n)."""
        x = self.signals.draw(count, generator)
        w = self.noise**0.5 * torch.randn(count, self.operator.shape[0], generator=generator)
        return self.operator.forward(x) + w, x
