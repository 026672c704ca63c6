"""What the theorems of this chapter are run on: signals, networks, and what breaks a promise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth, check_positive
from unrolled.guarantees import draw
from unrolled.guarantees.rip.schedule import Scheme, with_thresholds
from unrolled.guarantees.rip.symbols import E0, K
from unrolled.sensing import DenseOperator, equiangular_frame


@dataclass(frozen=True)
class Recovery:
    """y = Ax* + w, the network that is to find x*, and what its theorem was told about them.

    Attributes:
        told: a value for every symbol of the bound. Where the theorem's assumptions hold, it is the
            truth or a bound on it; to drop one, the truth is changed and `told` is not.
    """

    operator: DenseOperator
    W: Tensor  # (m, n)
    signal: Tensor  # (1, n), x*
    support: Tensor  # (n,) bool, S
    noise: Tensor  # (1, m), w
    thresholds: Tensor  # (K,)
    told: Mapping[sp.Symbol, float]

    @classmethod
    def planned(
        cls,
        scheme: Scheme,
        operator: DenseOperator,
        W: Tensor,
        signal: Tensor,
        support: Tensor,
        noise: Tensor,
        told: Mapping[sp.Symbol, float],
    ) -> Recovery:
        """With the thresholds that `scheme` makes of what it is told."""
        thresholds = scheme.schedule(told).thresholds
        return cls(operator, W, signal, support, noise, thresholds, told)

    @cached_property
    def iterates(self) -> Tensor:
        """What the network runs through, x^0, …, x^K, (K + 1, n)."""
        net = with_thresholds(self.operator, self.W, self.thresholds)
        return net.trajectory(self.operator.forward(self.signal) + self.noise)[:, 0]

    @property
    def tail(self) -> Tensor:
        """What of the signal lies outside S, (n,)."""
        return torch.where(self.support, 0.0, self.signal[0])

    def error(self, order: int) -> float:
        """‖x^K − x*_S‖ in ℓ₁ or ℓ₂."""
        wanted = self.signal[0] - self.tail
        return float(torch.linalg.vector_norm(self.iterates[-1] - wanted, order))

    def false_positives(self) -> float:
        """How many entries outside S are not zero, counted over all layers."""
        # Where a threshold is met exactly, rounding may leave an entry just above it.
        rounding = 1e-12 * float(self.signal.abs().max())
        return float((self.iterates[:, ~self.support].abs() > rounding).sum())


def random_signal(
    generator: torch.Generator, n: int, sparsity: int, *, tail: float = 0.0
) -> tuple[Tensor, Tensor]:
    """x* (1, n) and S (n,): at most s entries with random signs, and smaller ones elsewhere.

    The amplitudes are equal, or spread over some octaves; `tail` is the size of the largest entry
    outside S, beside 1 for the largest inside.
    """
    order = torch.randperm(n, generator=generator)
    support = torch.zeros(n, dtype=torch.bool)
    support[order[:sparsity]] = True
    spread = draw.uniform(generator, 0, 5) * draw.integer(generator, 0, 1)
    sizes = 2 ** (-spread * torch.rand(n, generator=generator, dtype=torch.float64))
    decay = tail * torch.rand(n, generator=generator, dtype=torch.float64) ** 4
    signs = 2.0 * torch.randint(0, 2, (n,), generator=generator) - 1
    return (signs * torch.where(support, sizes, decay))[None, :], support


def depth_for(generator: torch.Generator, rate: float) -> int:
    """A number of layers, 1 … 12, after which a certificate with this rate is not yet rounding."""
    most = int(math.log(1e-6) / math.log(rate)) if 0 < rate < 1 else 12
    return draw.integer(generator, 1, max(1, min(most, 12)))


def one_on_frame(
    scheme: Scheme, told: Mapping[sp.Symbol, float], *, depth: int = 12, amplitude: float = 1.0
) -> Recovery:
    """One entry on the 6×16 frame, without noise, and thresholds made for amplitude 1.

    Raises:
        ValueError: an amplitude ≤ 0 or a depth < 1.
    """
    check_positive("amplitude", amplitude)
    check_depth(depth)
    operator = equiangular_frame(dtype=torch.float64)
    signal = torch.zeros(1, 16, dtype=torch.float64)
    signal[0, 0] = amplitude
    noise = torch.zeros(1, 6, dtype=torch.float64)
    told = {**told, E0: 1.0, K: depth}
    return Recovery.planned(scheme, operator, operator.dense(), signal, signal[0] != 0, noise, told)


# What to do to a recovery, so that what its theorem was told is no longer true.


def smaller_thresholds(instance: Recovery) -> Recovery:
    """A quarter of the thresholds."""
    return replace(instance, thresholds=instance.thresholds / 4)


def larger(instance: Recovery) -> Recovery:
    """A hundred times the signal."""
    return replace(instance, signal=100 * instance.signal)


def noisier(instance: Recovery, generator: torch.Generator) -> Recovery:
    """Noise of a tenth of the signal."""
    noise = torch.randn(instance.noise.shape, generator=generator, dtype=torch.float64)
    size = 0.1 * instance.signal.norm() / noise.norm()
    return replace(instance, noise=size * noise)


def with_tail(instance: Recovery) -> Recovery:
    """Three entries more, of 0.05, outside the S of `one_on_frame`."""
    signal = instance.signal.clone()
    signal[0, 1:4] = 0.05
    return replace(instance, signal=signal)


def denser(instance: Recovery, generator: torch.Generator, order: int) -> Recovery:
    """Six entries of random signs in place of the signal's, of the same norm (ℓ₁ or ℓ₂)."""
    signs = torch.zeros_like(instance.signal)
    signs[0, :6] = random_signal(generator, 6, 6)[0][0].sign()
    size = torch.linalg.vector_norm(instance.signal, order) / 6 ** (1 / order)
    return replace(instance, signal=size * signs, support=signs[0] != 0)
