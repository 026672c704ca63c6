"""The matrices, signals and schedules that the charts of this chapter show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from unrolled.guarantees.rip.coherence import generalised_coherence
from unrolled.guarantees.rip.instances import with_thresholds
from unrolled.networks import analytic_weights
from unrolled.prox import soft_threshold
from unrolled.sensing import (
    DenseOperator,
    equiangular_frame,
    gaussian,
    identity_hadamard,
    partial_dct,
)

__all__ = [
    "BASES",
    "COSINES",
    "FRAME",
    "GAUSSIAN",
    "ROUNDING",
    "TALL",
    "Problem",
    "Signals",
    "draw_signals",
    "greedy_thresholds",
    "matrices",
    "problems",
    "trained_thresholds",
    "unit_columns",
]

FRAME, BASES, COSINES = "frame 6×16", "[I, H] 64×128", "cosines 96×128"
GAUSSIAN, TALL = "Gaussian 100×120", "Gaussian 200×40"

ROUNDING = 1e-12  # a smaller entry outside the support is none
GRID = 40  # thresholds that are tried for each layer


@dataclass(frozen=True, eq=False)
class Problem:
    """A matrix with columns of unit norm, and weights W with wᵢᵀaᵢ = 1; both (m, n), float64."""

    name: str
    operator: DenseOperator
    W: Tensor

    @cached_property
    def coherence(self) -> float:
        """max over i ≠ j of |wᵢᵀaⱼ|."""
        return generalised_coherence(self.W, self.operator)


def unit_columns(A: Tensor) -> DenseOperator:
    """The operator of A (m, n) with each column scaled to unit norm."""
    return DenseOperator(A / torch.linalg.vector_norm(A, dim=0))


@cache
def matrices() -> dict[str, DenseOperator]:
    """The matrices that the reader chooses from, by name, with unit columns, float64."""

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    double = torch.float64
    shapes = {GAUSSIAN: (100, 120), "Gaussian 32×48": (32, 48), TALL: (200, 40)}
    return {
        FRAME: equiangular_frame(dtype=double),
        BASES: identity_hadamard(64, dtype=double),
        **{
            name: gaussian(*shape, generator=generator(), dtype=double, unit_columns=True)
            for name, shape in shapes.items()
        },
        COSINES: unit_columns(partial_dct(96, 128, generator=generator(), dtype=double).dense()),
    }


@cache
def problems() -> tuple[Problem, ...]:
    """Matrices with weights: W = A, or analytic ones where these are others."""
    frame, bases, random, cosines = (matrices()[n] for n in (FRAME, BASES, GAUSSIAN, COSINES))
    return (
        Problem(FRAME, frame, frame.dense()),
        Problem(BASES, bases, bases.dense()),
        Problem(f"{GAUSSIAN}, W = A", random, random.dense()),
        Problem(f"{GAUSSIAN}, analytic W", random, analytic_weights(random)),
        Problem(f"{COSINES}, analytic W", cosines, analytic_weights(cosines)),
    )


@dataclass(frozen=True)
class Signals:
    """Sparse signals x (B, n) of ‖x‖₁ ≤ 1, their measurements y (B, m), and ν ≥ ‖Wᵀw‖_∞."""

    x: Tensor
    y: Tensor
    nu: float


def draw_signals(
    problem: Problem, sparsity: int, sigma: float, count: int, generator: torch.Generator
) -> Signals:
    """Draw signals with s entries of random sign and size, and noise of norm about `sigma`.

    Before they are scaled to ‖x‖₁ ≤ 1, their nonzero entries lie between ½ and 1.
    """
    m, n = problem.operator.shape
    sizes = 0.5 + 0.5 * torch.rand(count, n, generator=generator, dtype=torch.float64)
    signs = 2.0 * torch.randint(0, 2, (count, n), generator=generator) - 1
    rank = torch.rand(count, n, generator=generator).argsort(1).argsort(1)
    x = torch.where(rank < sparsity, signs * sizes, 0.0)
    x = x / x.abs().sum(1).max()
    w = sigma * torch.randn(count, m, generator=generator, dtype=torch.float64) / m**0.5
    return Signals(x, problem.operator.forward(x) + w, float((w @ problem.W).abs().max()))


def trained_thresholds(problem: Problem, signals: Signals, certified: Tensor) -> Tensor:
    """The thresholds (K,) with the least squared error on these signals, of a few candidates.

    Candidates are multiples of the certified ones (K,), from a twentieth to once, and those that
    `greedy_thresholds` finds. So on these signals they are no worse than certified ones.
    """
    multiples = [share * certified for share in torch.linspace(0.05, 1, 20).tolist()]
    candidates = [*multiples, greedy_thresholds(problem, signals, len(certified))]

    def error(thresholds: Tensor) -> float:
        estimate = with_thresholds(problem.operator, problem.W, thresholds)(signals.y)
        squares = float((estimate - signals.x).square().sum())
        return squares if math.isfinite(squares) else math.inf

    return min(candidates, key=error)


def greedy_thresholds(problem: Problem, signals: Signals, depth: int) -> Tensor:
    """Thresholds (depth,) each of which minimises the squared error right after its layer.

    Each is the best of a grid between 0 and the largest entry of the layer's input.
    """
    x, y = signals.x, signals.y
    estimate, thresholds = torch.zeros_like(x), []
    for _ in range(depth):
        u = estimate + (y - problem.operator.forward(estimate)) @ problem.W
        grid = torch.linspace(0, 1, GRID, dtype=x.dtype) ** 2 * u.abs().max()
        errors = [float((soft_threshold(u, theta) - x).square().sum()) for theta in grid]
        thresholds.append(grid[torch.tensor(errors).argmin()])
        estimate = soft_threshold(u, thresholds[-1])
    return torch.stack(thresholds)
