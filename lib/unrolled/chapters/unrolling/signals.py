"""Sparse signals and their measurements, the small problem on which the chapter trains."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.sensing import gaussian


class SparseProblem:
    """y = Ax + w with a Gaussian A (m, n) and signals of which one entry in ten is not zero.

    The nonzero entries are N(0, 1); noise is the variance of one entry of w.
    """

    def __init__(self, m: int, n: int, *, seed: int, noise: float = 0.0) -> None:
        self.noise = noise
        self.operator = gaussian(m, n, generator=torch.Generator().manual_seed(seed))

    def draw(self, generator: torch.Generator, count: int = 64) -> tuple[Tensor, Tensor]:
        """A batch (y, x) of shapes (count, m), (count, n)."""
        m, n = self.operator.shape
        kept = torch.rand(count, n, generator=generator) < 0.1
        x = torch.randn(count, n, generator=generator) * kept
        w = self.noise**0.5 * torch.randn(count, m, generator=generator)
        return self.operator.forward(x) + w, x

    @staticmethod
    def decibels(iterates: Tensor, x: Tensor) -> Tensor:
        """Error ‖x_k − x‖²/‖x‖² over the batch in dB, for each of the iterates (K + 1, B, n)."""
        error = (iterates - x).double().square().sum((1, 2)) / x.double().square().sum()
        return 10 * torch.log10(error)
