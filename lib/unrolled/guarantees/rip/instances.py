"""What the theorems of this chapter are run on: signals, networks, and what breaks a promise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth, check_positive
from unrolled.guarantees import draw
from unrolled.guarantees.rip.schedule import Scheme, with_thresholds
from unrolled.guarantees.rip.symbols import E0, K, end, inside, leaked, s
from unrolled.sensing import DenseOperator, equiangular_frame


@dataclass(frozen=True)
class Measured:
    """A signal, measured: y = Ax* + w."""

    operator: DenseOperator
    signal: Tensor  # (1, n), x*
    noise: Tensor  # (1, m), w

    @property
    def y(self) -> Tensor:
        """What is measured, (1, m)."""
        return self.operator.forward(self.signal) + self.noise


@dataclass(frozen=True)
class Recovery(Measured):
    """The network that is to find x*_S, and what its theorem was told.

    Attributes:
        told: a value for every symbol of the bound. Where the theorem's assumptions hold, it is the
            truth or a bound on it; to drop one, the truth is changed and `told` is not.
    """

    W: Tensor  # (m, n)
    support: Tensor  # (n,) bool, S
    thresholds: Tensor = field(default_factory=lambda: torch.empty(0))  # (K,)
    told: Mapping[sp.Symbol, float] = field(default_factory=dict)

    def planned(self, scheme: Scheme, told: Mapping[sp.Symbol, float]) -> Recovery:
        """With the thresholds that `scheme` makes of what it is told."""
        return replace(self, thresholds=scheme.schedule(told).thresholds, told=told)

    def follows(self, scheme: Scheme) -> bool:
        """Whether its thresholds are those that `scheme` makes of what it is told."""
        planned = scheme.schedule(self.told).thresholds
        return torch.allclose(self.thresholds, planned, rtol=1e-9, atol=0)

    @cached_property
    def iterates(self) -> Tensor:
        """What the network runs through, x^0, …, x^K, (K + 1, n)."""
        return self._run(self.thresholds)

    @property
    def last_input(self) -> Tensor:
        """What the last layer thresholds, (n,)."""
        return self._run(torch.cat((self.thresholds[:-1], torch.zeros(1))))[-1]

    def _run(self, thresholds: Tensor) -> Tensor:
        return with_thresholds(self.operator, self.W, thresholds).trajectory(self.y)[:, 0]

    @property
    def inside(self) -> Tensor:
        """What of the signal lies in S, x*_S, (n,)."""
        return torch.where(self.support, self.signal[0], 0.0)

    @property
    def outside(self) -> Tensor:
        """What of the signal lies outside S, t, (n,)."""
        return torch.where(self.support, 0.0, self.signal[0])

    @property
    def answers(self) -> Tensor:
        """What each column of W answers to each of A, WᴴA (n, n)."""
        return self.W.mH @ self.operator.dense()

    def coherence(self) -> float:
        """The largest |w_iᴴa_j| over i ≠ j."""
        return float(self.answers.fill_diagonal_(0).abs().max())

    @property
    def leaked(self) -> Tensor:
        """The entries outside S, of all layers."""
        entries = self.iterates[:, ~self.support].flatten()
        # Where a threshold is met exactly, rounding may leave an entry just above it.
        return torch.where(entries.abs() > 1e-12 * self.signal.abs().max(), entries, 0.0)

    def measure(self) -> dict[sp.Symbol, Tensor]:
        """Where the network ends, what it should have found, and what leaks."""
        return {end: self.iterates[-1], inside: self.inside, leaked: self.leaked}


def norm(vector: Tensor, order: float) -> float:
    """The ℓ₁, ℓ₂ or ℓ_∞ norm of all entries."""
    return float(torch.linalg.vector_norm(vector, order))


def random_signal(
    generator: torch.Generator,
    n: int,
    sparsity: int,
    *,
    tail: float = 0.0,
    dtype: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor]:
    """x* (1, n) and S (n,): at most s entries with random signs, and smaller ones elsewhere.

    Of a complex dtype they have random phases instead.

    The amplitudes are equal, or spread over some octaves; `tail` is the size of the largest entry
    outside S, beside 1 for the largest inside.
    """
    order = torch.randperm(n, generator=generator)
    support = torch.zeros(n, dtype=torch.bool)
    support[order[:sparsity]] = True
    spread = draw.uniform(generator, 0, 5) * draw.integer(generator, 0, 1)
    sizes = 2 ** (-spread * torch.rand(n, generator=generator, dtype=torch.float64))
    decay = tail * torch.rand(n, generator=generator, dtype=torch.float64) ** 4
    if dtype.is_complex:
        angles = 2 * torch.pi * torch.rand(n, generator=generator, dtype=torch.float64)
        signs = torch.polar(torch.ones_like(angles), angles)
    else:
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
    found = Recovery(operator, signal, noise, operator.dense(), signal[0] != 0)
    return found.planned(scheme, {**told, E0: 1.0, K: depth})


def moved(instance: Measured, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The instance's signal and noise with each entry changed a little; what is 0 stays so."""
    size = 10 ** draw.uniform(generator, -4, -0.5)
    signal, noise = (
        entries * (1 + size * torch.randn(entries.shape, generator=generator, dtype=entries.dtype))
        for entries in (instance.signal, instance.noise)
    )
    return signal, noise


def is_sparse(instance: Recovery) -> bool:
    """Whether S has at most as many elements as the theorem was told."""
    return int(instance.support.sum()) <= instance.told[s]


# What to do to `one_on_frame`, so that what its theorem was told is no longer true.


def smaller_thresholds(instance: Recovery) -> Recovery:
    """A quarter of the thresholds."""
    return replace(instance, thresholds=instance.thresholds / 4)


def larger(instance: Recovery) -> Recovery:
    """A hundred times the signal."""
    return replace(instance, signal=100 * instance.signal)


def noisier(instance: Recovery) -> Recovery:
    """Noise that looks like a tenth more of the signal."""
    return replace(instance, noise=0.1 * instance.operator.forward(instance.signal))


def with_tail(instance: Recovery) -> Recovery:
    """Three entries more, of 0.05, outside S."""
    signal = instance.signal.clone()
    signal[0, 1:4] = 0.05
    return replace(instance, signal=signal)


def denser(instance: Recovery, order: int) -> Recovery:
    """Six equal entries in place of the signal's one, of the same norm (ℓ₁ or ℓ₂)."""
    support = torch.arange(instance.signal.shape[1]) < 6
    size = norm(instance.signal, order) / 6 ** (1 / order)
    return replace(instance, signal=size * support.double()[None, :], support=support)
