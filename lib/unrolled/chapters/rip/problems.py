"""The matrices, signals and schedules that the charts of this chapter show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.guarantees.rip.schedule import with_thresholds
from unrolled.guarantees.rip.symbols import E, rho, s
from unrolled.isometry.coherence import generalised_coherence
from unrolled.prox import soft_threshold
from unrolled.sensing import (
    DenseOperator,
    analytic_weights,
    equiangular_frame,
    gaussian,
    identity_hadamard,
    partial_dct,
)

FRAME, BASES, COSINES = "frame 6×16", "[I, H] 64×128", "cosines 96×128"
GAUSSIAN, TALL = "Gaussian 100×120", "Gaussian 200×40"
PLAIN_GAUSSIAN, ANALYTIC_GAUSSIAN = f"{GAUSSIAN}, W = A", f"{GAUSSIAN}, analytic W"
ANALYTIC_COSINES = f"{COSINES}, analytic W"

ROUNDING = 1e-12  # a smaller entry outside the support is none
GRID = 40  # thresholds that are tried for each layer
DEEPEST = 12  # layers of the charts
SPARSITIES = (1, 2, 3, 4)
CERTIFIED, TENTH, TRAINED = SCHEDULES = ("certified", "a tenth of them", "trained")
SIGNALS = 100  # that the charts measure on, and as many to train on

PLAIN = {fixed.nu: 0, fixed.tau: 0, fixed.tail: 0}  # neither noise nor tail


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


class ByHand(NamedTuple):
    """One layer in exact numbers: vectors are (n, 1), `certificate` bounds the error after it."""

    input: sp.Matrix
    threshold: sp.Expr
    output: sp.Matrix
    error: sp.Expr
    certificate: sp.Expr


def by_hand(
    cosine: sp.Rational, signal: Sequence[int], *, share: sp.Rational = sp.S.One, depth: int = 3
) -> tuple[ByHand, ...]:
    """Layers on unit columns with equal inner products, W = A, with thresholds fixed in advance.

    Args:
        cosine: the inner product of any two columns.
        signal: the entries of x*, one for each column; it is measured without noise.
        share: how much of each certified threshold is used.
        depth: K, how many layers.
    """
    truth = sp.Matrix(signal)
    gram = sp.Matrix(len(signal), len(signal), lambda i, j: 1 if i == j else cosine)
    told = {**PLAIN, fixed.mu: abs(cosine), s: sum(entry != 0 for entry in signal)}
    step = fixed.step.subs(rho, fixed.rate)
    x, certificate, layers = 0 * truth, truth.norm(1), []
    for _ in range(depth):
        u = x + gram * (truth - x)  # x + Aᵀ(y − Ax)
        theta = share * fixed.threshold.subs(told).subs(E, certificate)
        x = u.applyfunc(lambda entry, theta=theta: sp.sign(entry) * sp.Max(abs(entry) - theta, 0))
        certificate = step.subs(told).subs(E, certificate)
        layers.append(ByHand(u, theta, x, (x - truth).norm(1), certificate))
    return tuple(layers)


def pair(cosine: float) -> DenseOperator:
    """Two unit columns in the plane with this inner product, float64."""
    sine = (1 - cosine**2) ** 0.5
    return DenseOperator(torch.tensor([[1, cosine], [0, sine]], dtype=torch.float64))


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
def problems() -> dict[str, Problem]:
    """Matrices with weights, by name: W = A, or analytic ones where these are others."""
    frame, bases, random, cosines = (matrices()[n] for n in (FRAME, BASES, GAUSSIAN, COSINES))
    chosen = (
        Problem(FRAME, frame, frame.dense()),
        Problem(BASES, bases, bases.dense()),
        Problem(PLAIN_GAUSSIAN, random, random.dense()),
        Problem(ANALYTIC_GAUSSIAN, random, analytic_weights(random)),
        Problem(ANALYTIC_COSINES, cosines, analytic_weights(cosines)),
    )
    return {problem.name: problem for problem in chosen}


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

    @torch.no_grad()
    def error(thresholds: Tensor) -> float:
        estimate = with_thresholds(problem.operator, problem.W, thresholds)(signals.y)
        squares = float((estimate - signals.x).square().sum())
        return squares if math.isfinite(squares) else math.inf

    return min(candidates, key=error)


@torch.no_grad()
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


@dataclass(frozen=True)
class Run:
    """One setting: the signals, and the iterates (K + 1, B, n) of each schedule."""

    signals: Signals
    iterates: Mapping[str, Tensor]


@cache
def run(problem: Problem, sparsity: int, sigma: float) -> Run:
    """Run the network on a hundred signals with certified, smaller and trained thresholds.

    The trained ones have seen a hundred other signals.
    """
    generator = torch.Generator().manual_seed(7)
    signals = draw_signals(problem, sparsity, sigma, SIGNALS, generator)
    plan = fixed.coherence_schedule(
        problem.coherence, sparsity, 1.0, noise=signals.nu, depth=DEEPEST
    )
    training = draw_signals(problem, sparsity, sigma, SIGNALS, generator)
    thresholds = {
        CERTIFIED: plan.thresholds,
        TENTH: plan.thresholds / 10,
        TRAINED: trained_thresholds(problem, training, plan.thresholds),
    }
    iterates = {
        name: with_thresholds(problem.operator, problem.W, theta).trajectory(signals.y)
        for name, theta in thresholds.items()
    }
    return Run(signals, iterates)
