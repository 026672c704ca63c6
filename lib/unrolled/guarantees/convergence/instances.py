"""Random instances for the convergence theorems: a spectral measure and the steps of a network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees.convergence.symbols import first, last, signal
from unrolled.guarantees.draw import integer, uniform
from unrolled.iterations import gauss_steps
from unrolled.networks import GradientNet


@dataclass(frozen=True)
class Unrolled:
    """Gradient descent unrolled over a spectrum.

    Attributes:
        eigenvalues: (n,) of H, nonnegative.
        weights: (n,), squared size of the initial error in each eigenvector, sum 1.
        steps: (K,).
        low, high: the interval that the eigenvalues are said to lie in.
        noise: an error added to the measurements, (n,) or of one size for all.
        extra: layers beyond the K that are allowed.
    """

    eigenvalues: Tensor
    weights: Tensor
    steps: Tensor
    low: float
    high: float
    noise: float | Tensor = 0.0
    extra: int = 0

    @property
    def depth(self) -> int:
        """K, the layers that are allowed."""
        return len(self.steps) - self.extra

    @property
    def kappa(self) -> float:
        return self.high / self.low

    @property
    def inside(self) -> bool:
        """Whether the eigenvalues lie where they are said to, but for rounding."""
        least, largest = float(self.eigenvalues.min()), float(self.eigenvalues.max())
        return least >= self.low * (1 - 1e-9) and largest <= self.high * (1 + 1e-9)

    def with_steps(self, steps: Tensor) -> Unrolled:
        return replace(self, steps=steps)

    def problem(
        self, dtype: torch.dtype = torch.float64
    ) -> tuple[GradientNet, tuple[Tensor, Tensor]]:
        """The network, and data (y, x) whose one signal √weights stands for the measure."""
        # Orthogonal changes of basis commute with the iteration, so a diagonal A is general.
        A = torch.diag(self.eigenvalues.sqrt()).to(dtype)
        signal = self.weights.sqrt()[None, :].to(dtype)
        return GradientNet(A, steps=self.steps), (signal @ A + self.noise, signal)

    def squared_error(self) -> float:
        """Run the network: ‖x_K − x*‖² for the signal whose coefficients are √weights."""
        last, signal = self.run()
        return float((last - signal).square().sum())

    def run(self) -> tuple[Tensor, Tensor]:
        """What the network makes of the one signal that stands for the measure, and the signal."""
        net, (y, signal) = self.problem()
        with torch.no_grad():
            return net(y), signal


def polynomial(eigenvalues: Tensor, steps: Tensor) -> Tensor:
    """p, what layers with these steps (K,) multiply the error by at each eigenvalue, (n,)."""
    return (1 - steps[:, None] * eigenvalues).prod(0)


def interval(generator: torch.Generator, largest_kappa: float = 1000.0) -> tuple[float, float]:
    """A scale and a condition number, both spread evenly over orders of magnitude."""
    low = 10 ** uniform(generator, -2, 2)
    return low, low * largest_kappa ** uniform(generator, 0.01, 1)


def measure(
    generator: torch.Generator, atoms: int, low: float, high: float
) -> tuple[Tensor, Tensor]:
    """Eigenvalues spread over [low, high], one near each of `atoms` equal parts, and weights."""
    # Distinct, well-separated atoms: K-point Gauss rules exist and are well conditioned.
    jitter = 0.1 + 0.8 * torch.rand(atoms, generator=generator, dtype=torch.float64)
    position = (torch.arange(atoms, dtype=torch.float64) + jitter) / atoms
    weights = 0.05 + torch.rand(atoms, generator=generator, dtype=torch.float64)
    return low + (high - low) * position, weights / weights.sum()


def silenced(instance: Unrolled) -> Unrolled:
    """With noise that cancels the measurements, so that no layer moves."""
    return replace(instance, noise=-(instance.eigenvalues * instance.weights).sqrt())


def solved_by_noise(instance: Unrolled) -> Unrolled:
    """With noise for which one gradient lands on x*, and layers that stay there.

    The eigenvalues have to be positive.
    """
    size = instance.high
    steps = torch.zeros_like(instance.steps)
    steps[0] = 1 / size
    root = instance.eigenvalues.sqrt()
    noise = (size - instance.eigenvalues) / root * instance.weights.sqrt()
    return replace(instance, steps=steps, noise=noise)


def best_average(generator: torch.Generator) -> Unrolled:
    """A random measure with more atoms than layers, and the Gauss nodes' steps for it."""
    while True:
        low, high = interval(generator, 100.0)
        depth = integer(generator, 1, 6)
        eigenvalues, weights = measure(generator, depth + integer(generator, 1, 10), low, high)
        if integer(generator, 0, 3) == 0:
            eigenvalues[0] = 0  # error that no step can touch
        steps = gauss_steps(eigenvalues, weights, depth)
        instance = Unrolled(eigenvalues, weights, steps, low, high)
        # An error below 1e-8 would measure rounding rather than the theorem.
        if instance.squared_error() > 1e-8:
            return instance


def random_steps(generator: torch.Generator, instance: Unrolled) -> Tensor:
    """Steps from small perturbations of the instance's own to ones that diverge."""
    size = 10 ** uniform(generator, -3, 0.5)
    factor = torch.randn(instance.depth, generator=generator, dtype=torch.float64)
    return instance.steps * (1 + size * factor)


def nearby_steps(instance: Any, generator: torch.Generator) -> Any:
    """Each step moved by about a hundredth: of an `Unrolled`, or of what else has `steps`."""
    factor = torch.randn(len(instance.steps), generator=generator, dtype=torch.float64)
    return replace(instance, steps=instance.steps * (1 + 0.01 * factor))


def nearby_eigenvalues(instance: Unrolled, generator: torch.Generator) -> Unrolled:
    """Each eigenvalue moved by about a twentieth of the interval, within it."""
    shift = torch.randn(len(instance.eigenvalues), generator=generator, dtype=torch.float64)
    moved = instance.eigenvalues + 0.05 * (instance.high - instance.low) * shift
    return replace(instance, eigenvalues=moved.clamp(instance.low, instance.high))


def extremal_points(low: float, high: float, depth: int) -> Tensor:
    """The K + 1 points where the Chebyshev polynomial of [low, high] attains ± its maximum."""
    j = torch.arange(depth + 1, dtype=torch.float64)
    return (high + low) / 2 + (high - low) / 2 * torch.cos(j * math.pi / depth)


def random_start(generator: torch.Generator) -> Unrolled:
    """A random measure and random steps, all different, some of which diverge."""
    low, high = interval(generator, 20.0)
    depth = integer(generator, 1, 4)
    eigenvalues, weights = measure(generator, depth + integer(generator, 1, 6), low, high)
    start = 2 * torch.rand(depth, generator=generator, dtype=torch.float64) / low
    return Unrolled(eigenvalues, weights, start, low, high)


def equal_start(generator: torch.Generator) -> Unrolled:
    """Two layers or more, all of which start at the mean of random steps."""
    instance = random_start(generator)
    while instance.depth < 2:
        instance = random_start(generator)
    return instance.with_steps(instance.steps.mean().expand(instance.depth).clone())


def measure_run(instance: Unrolled) -> dict[sp.Symbol, Tensor]:
    """Where the network starts and ends, and the signal that it should have found."""
    end, target = instance.run()
    return {first: torch.zeros_like(target), last: end, signal: target}


def best_error(instance: Unrolled) -> float:
    """The least squared error that any steps reach on the instance's measure."""
    best = gauss_steps(instance.eigenvalues, instance.weights, instance.depth)
    return instance.with_steps(best).squared_error()
