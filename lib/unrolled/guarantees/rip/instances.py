"""What the theorems of this chapter are run on: signals, networks and their schedules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import NamedTuple

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import draw
from unrolled.guarantees.theorem import evaluate
from unrolled.iterations import check_depth
from unrolled.networks import TiLISTA
from unrolled.sensing import DenseOperator, equiangular_frame
from unrolled.sensing.operator import check_positive, check_size

# What the theorems on thresholds fixed in advance share.
s, K = sp.symbols("s K", integer=True, positive=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
E0 = sp.Symbol("E_0", nonnegative=True)
E = sp.Symbol("E_k", nonnegative=True)


class Schedule(NamedTuple):
    """Thresholds fixed in advance, (K,), and the certificate E_0, …, E_K that they earn, (K + 1,).

    Both are float64; E_k bounds the error after k layers.
    """

    thresholds: Tensor
    certificate: Tensor


class Scheme(NamedTuple):
    """A theorem's θ_k and E_{k+1}, as expressions in E_k and in what the theorem is told."""

    threshold: sp.Expr
    step: sp.Expr

    def schedule(self, told: Mapping[sp.Symbol, float]) -> Schedule:
        """Follow K layers from E_0; `told` has a value for E_0, K and all other symbols."""
        thresholds, certificate = [], [float(told[E0])]
        for _ in range(int(told[K])):
            known = {**told, E: certificate[-1]}
            thresholds.append(evaluate(self.threshold, known))
            certificate.append(evaluate(self.step, known))
        return Schedule(
            torch.tensor(thresholds, dtype=torch.float64),
            torch.tensor(certificate, dtype=torch.float64),
        )


def check_schedule(sparsity: int, depth: int, **sizes: float) -> None:
    """Require s, K ≥ 1 and numbers that are finite and ≥ 0; ValueError naming the argument."""
    check_size("sparsity", sparsity)
    check_depth(depth)
    for name, value in sizes.items():
        check_positive(name, value, zero=True)


def with_thresholds(A: DenseOperator | Tensor, W: Tensor, thresholds: Tensor) -> TiLISTA:
    """The network x ← S_{θ_k}(x + Wᵀ(y − Ax)), k = 0, …, K − 1, with nothing left to learn.

    A, W: (m, n) of one dtype. thresholds: (K,), finite and ≥ 0, K ≥ 1. Its parameters are frozen.
    Raises ValueError for anything else.
    """
    if not isinstance(thresholds, Tensor) or thresholds.ndim != 1 or len(thresholds) == 0:
        raise ValueError(f"thresholds is {thresholds!r}; a vector (K,), K ≥ 1, is needed")
    if not (thresholds.isfinite() & (thresholds >= 0)).all():
        raise ValueError("thresholds holds negative or non-finite entries; all must be ≥ 0")
    net = TiLISTA(A, len(thresholds))
    if not isinstance(W, Tensor) or (W.shape, W.dtype) != (net.A.shape, net.A.dtype):
        raise ValueError(f"W is no {tuple(net.A.shape)} tensor of dtype {net.A.dtype}, as A is")
    net.requires_grad_(False)
    net.W[0].copy_(W)
    net.steps.fill_(1.0)
    net.thresholds.copy_(thresholds)
    return net


@dataclass(frozen=True)
class Recovery:
    """y = Ax* + w, the network that is to find x*, and what its theorem was told about them.

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
        """Run the network: x^0, …, x^K, (K + 1, n)."""
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


def nearly_orthonormal(
    m: int, n: int, *, generator: torch.Generator, scale: float = 1.0
) -> DenseOperator:
    """A (m, n), float64, all but n − m dimensions of an orthonormal basis, m < n.

    What is missing is spread evenly over the columns, so that δ_s is about s(n − m)/n. Rows are
    orthogonal and of length `scale`. Raises ValueError for other sizes.
    """
    check_size("m", m)
    if not m < n:
        raise ValueError(f"n is {n}; more columns than the {m} rows are needed")
    signs = torch.randint(0, 2, (n, n - m), generator=generator) * 2 - 1
    sizes = 1 + 0.3 * torch.rand(n, n - m, generator=generator, dtype=torch.float64)
    basis = torch.linalg.qr(signs * sizes, mode="complete").Q
    return DenseOperator(scale * basis[:, n - m :].T)


def spikes_and_walsh(order: int) -> float:
    """δ of that order, 1 … 16, of `identity_hadamard(64)`: exact, with no support looked at.

    AᵀA − I on p spikes and q Walsh functions is a (p, q) block of entries ±1/8 and its transpose.
    Its norm is at most √(pq)/8, and that where the block has rank one: for all p, q ≤ 8 there are
    spikes and functions with equal signs throughout. √(pq) is largest for p and q nearly equal.
    """
    half = order // 2
    return (half * (order - half) / 64) ** 0.5


def depth_for(generator: torch.Generator, rate: float) -> int:
    """A number of layers, 1 … 12, after which a certificate with this rate is not yet rounding."""
    most = int(math.log(1e-6) / math.log(rate)) if 0 < rate < 1 else 12
    return draw.integer(generator, 1, max(1, min(most, 12)))


def simplex(size: int, cosine: float) -> DenseOperator:
    """`size` unit vectors with ⟨a_i, a_j⟩ = −cosine for all i ≠ j, float64: here bounds are met.

    Raises ValueError unless 0 ≤ cosine < 1/(size − 1), which the Gram matrix needs to be positive.
    """
    check_size("size", size)
    if not isinstance(cosine, Real) or not 0 <= cosine * (size - 1) < 1:
        raise ValueError(f"cosine is {cosine!r}; 0 ≤ cosine < 1/{size - 1} is needed")
    identity = torch.eye(size, dtype=torch.float64)
    return DenseOperator(torch.linalg.cholesky((1 + cosine) * identity - cosine).T)


def one_on_frame(
    scheme: Scheme, told: Mapping[sp.Symbol, float], *, depth: int = 12, amplitude: float = 1.0
) -> Recovery:
    """One entry on the 6×16 frame, without noise, and thresholds made for amplitude 1.

    Raises ValueError for an amplitude ≤ 0 and a depth < 1.
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
