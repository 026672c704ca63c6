"""What the methods of a comparison are given to solve: measurements of sparse signals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.sensing import DenseOperator, gaussian
from unrolled.signals import BernoulliGaussian, add_noise

__all__ = ["Problem", "Signals", "Validation"]

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Signals:
    """How many signals are drawn at a time, and the seed of their generator."""

    count: int
    seed: int

    def generator(self) -> torch.Generator:
        """A generator at the seed."""
        return torch.Generator().manual_seed(self.seed)


@dataclass(frozen=True)
class Validation(Signals):
    """Signals on which a network is measured every so many steps; the best parameters are kept."""

    every: int


@dataclass(frozen=True)
class Problem:
    """y = Ax + w with a Gaussian A and Bernoulli–Gaussian x, and how a solution is measured.

    Attributes:
        m, n: rows and columns of A.
        unit_columns: whether the columns of A are scaled to unit norm.
        seed: of A.
        dtype: name of the torch dtype of A, x and y.
        rate, variance: each entry of x is N(0, variance) with probability rate, and otherwise 0.
        snr: of the measurements, in dB; None for no noise.
        depth: layers or iterations, after each of which the error is recorded.
        test: signals that nothing was chosen or trained on.
        chunk: how many of them run at a time.
        digits: decimals to which errors, in dB, are recorded.
    """

    m: int
    n: int
    unit_columns: bool
    seed: int
    dtype: str
    rate: float
    variance: float
    snr: float | None
    depth: int
    test: Signals
    chunk: int
    digits: int

    def operator(self) -> DenseOperator:
        """A."""
        generator = torch.Generator().manual_seed(self.seed)
        dtype = getattr(torch, self.dtype)
        return gaussian(
            self.m, self.n, generator=generator, dtype=dtype, unit_columns=self.unit_columns
        )

    @property
    def noise(self) -> float:
        """σ², the variance of an entry of w, on average over the signals."""
        if self.snr is None:
            return 0.0
        power = self.rate * self.variance * float(self.operator().dense().square().sum())
        return power / self.m * 10 ** (-self.snr / 10)

    def draws(self, count: int) -> Callable[[torch.Generator], Pair]:
        """What draws a batch (y, x) of `count` rows from a generator."""
        operator = self.operator()
        signals = BernoulliGaussian(self.n, rate=self.rate, variance=self.variance)
        snr = math.inf if self.snr is None else self.snr

        def draw(generator: torch.Generator) -> Pair:
            x = signals.draw(count, generator, operator.dtype)
            return add_noise(operator.forward(x), snr, generator), x

        return draw

    def drawn(self, signals: Signals) -> Pair:
        """The batch (y, x) of these signals."""
        return self.draws(signals.count)(signals.generator())
