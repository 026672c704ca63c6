"""Thresholds read off the data, and the bound with its three terms, at every scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth, check_positive, check_size
from unrolled.guarantees import AT_MOST, Assumption, Derivation, Step, Theorem, draw, evaluate
from unrolled.guarantees.rip import instances
from unrolled.guarantees.rip.isometry_thresholds import BLOCKS
from unrolled.guarantees.rip.matrices import nearly_orthonormal, spikes_and_walsh
from unrolled.guarantees.rip.schedule import with_thresholds
from unrolled.guarantees.rip.symbols import K, k, s
from unrolled.isometry.constants import isometry_constant
from unrolled.prox import soft_threshold
from unrolled.sensing import DenseOperator, dense_operator, gaussian, identity_hadamard

r = sp.Symbol("r", integer=True, positive=True)
delta = sp.Symbol("delta", nonnegative=True)
rho = sp.Symbol("rho", nonnegative=True)
b = sp.Symbol("b", positive=True)
signal_norm = sp.Symbol(r"{\|x^\star\|_2}", nonnegative=True)
noise_norm = sp.Symbol(r"{\|w\|_2}", nonnegative=True)
tail_norm = sp.Symbol(r"{\|t\|_2}", nonnegative=True)
tail_sum = sp.Symbol(r"{\|t\|_1}", nonnegative=True)

order = 3 * s + 2 * r - 1  # of the isometry constant δ
rate = sp.sqrt(1 + s / r) * delta
gain = sp.sqrt(1 + s / r) * sp.sqrt(1 + delta)

# The three terms of the bound.
decay = rho**K * signal_norm
noise_term = b / (1 - rho) * noise_norm
tail_term = b / (1 - rho) * sp.sqrt(1 + delta) * (tail_norm + tail_sum / sp.sqrt(s)) + tail_norm
three_terms = decay + noise_term + tail_term


def adaptive_iterates(
    A: DenseOperator | Tensor, y: Tensor, *, sparsity: int, extra: int, depth: int
) -> Tensor:
    """Run x ← S_θ(u), u = x + Aᵀ(y − Ax), from 0, where θ is the (s + r)-th largest |u_i|.

    So an iterate has fewer than s + r nonzero entries, and if y is multiplied by a number, all
    iterates are.

    Args:
        A: (m, n), real.
        y: (B, m) of its dtype.
        sparsity: s ≥ 1.
        extra: r ≥ 1, with s + r ≤ n.
        depth: K ≥ 1.

    Returns:
        (K + 1, B, n), the zero start first.

    Raises:
        ValueError: arguments other than these.
    """
    operator = dense_operator(A)
    check_size("sparsity", sparsity)
    check_size("extra", extra)
    check_depth(depth)
    count, n = sparsity + extra, operator.shape[1]
    if count > n:
        raise ValueError(
            f"extra is {extra}; sparsity + extra is {count}, more than the {n} entries"
        )
    x = torch.zeros_like(operator.adjoint(y))
    iterates = [x]
    for _ in range(depth):
        u = x + operator.adjoint(y - operator.forward(x))
        x = soft_threshold(u, u.abs().topk(count, dim=1).values[:, -1:])
        iterates.append(x)
    return torch.stack(iterates)


@dataclass(frozen=True)
class Adaptive:
    """y = Ax* + w for the iteration with s and r, and what its theorem was told about them."""

    operator: DenseOperator
    signal: Tensor  # (1, n), x*
    noise: Tensor  # (1, m), w
    sparsity: int
    extra: int
    depth: int
    told: Mapping[sp.Symbol, float]
    thresholds: Tensor | None = None  # (K,), in place of those computed from the data

    def iterates(self) -> Tensor:
        """Run the iteration: x^0, …, x^K, (K + 1, 1, n)."""
        y = self.operator.forward(self.signal) + self.noise
        if self.thresholds is not None:
            W = self.operator.dense()
            return with_thresholds(self.operator, W, self.thresholds).trajectory(y)
        return adaptive_iterates(
            self.operator, y, sparsity=self.sparsity, extra=self.extra, depth=self.depth
        )

    def error(self) -> float:
        """‖x^K − x*‖₂."""
        return float((self.iterates()[-1] - self.signal).norm())


KnownMatrix = tuple[DenseOperator, int, int, float]  # A, s, r, δ


@cache
def _pool() -> tuple[KnownMatrix, ...]:
    """Matrices with ρ < 1 and their exact constants, computed once."""
    generator = torch.Generator().manual_seed(3)
    known = []
    for sparsity, extra, m, n in ((1, 1, 11, 12), (1, 2, 13, 14), (2, 1, 15, 16), (2, 2, 15, 16)):
        for _ in range(6):
            scale = draw.uniform(generator, 1, 1.15)
            operator = nearly_orthonormal(m, n, generator=generator, scale=scale)
            known.append(_known(operator, sparsity, extra))
    for sparsity, extra in ((1, 1), (2, 2), (2, 1), (3, 1)):
        operator = gaussian(200, 12, generator=generator, dtype=torch.float64, unit_columns=True)
        known.append(_known(operator, sparsity, extra))
    spikes = identity_hadamard(64, dtype=torch.float64)
    for sparsity, extra in ((1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (2, 3)):
        constant = spikes_and_walsh(_order(sparsity, extra))
        known.append((spikes, sparsity, extra, constant))
    return tuple(matrix for matrix in known if _rate(matrix) < 1)


def _known(operator: DenseOperator, sparsity: int, extra: int) -> KnownMatrix:
    constant = float(isometry_constant(operator, _order(sparsity, extra)))
    return operator, sparsity, extra, constant


def _order(sparsity: int, extra: int) -> int:
    return int(order.subs({s: sparsity, r: extra}))


def _rate(known: KnownMatrix) -> float:
    return evaluate(rate, dict(zip((s, r, delta), known[1:], strict=True)))


def extremal(
    sparsity: int, extra: int, delta: float, *, depth: int, amplitude: float = 1.0
) -> Adaptive:
    """The signal and the matrix on which every step loses as much as the theorem allows.

    I − AᵀA is δ times a reflection that sends s equal entries to s equal ones and r outside.

    Args:
        sparsity, extra: s, r ≥ 1.
        delta: 0 < δ < 1/√(1 + s/r), the isometry constant of A of every order from s + r on.
        depth: K ≥ 1.
        amplitude: > 0.

    Raises:
        ValueError: arguments other than these.
    """
    check_size("sparsity", sparsity)
    check_size("extra", extra)
    check_depth(depth)
    check_positive("amplitude", amplitude)
    largest = (1 + sparsity / extra) ** -0.5
    if not 0 < delta < largest:
        raise ValueError(f"delta is {delta!r}; 0 < delta < {largest:.4g} is needed")
    n = 3 * sparsity + 2 * extra
    inside, outside = torch.zeros(2, n, dtype=torch.float64)
    inside[:sparsity] = sparsity**-0.5
    outside[sparsity : sparsity + extra] = extra**-0.5
    cosine = (extra / (sparsity + extra)) ** 0.5
    sine = (1 - cosine**2) ** 0.5
    image = cosine * inside - sine * outside
    other = -sine * inside - cosine * outside
    reflection = torch.outer(image, inside) + torch.outer(other, outside)
    A = torch.linalg.cholesky(torch.eye(n, dtype=torch.float64) - delta * reflection).T
    signal = amplitude * (inside != 0).double()[None, :]
    noise = torch.zeros(1, n, dtype=torch.float64)
    return _told_of((DenseOperator(A), sparsity, extra, delta), signal, noise, depth)


def _draw_extremal(generator: torch.Generator) -> Adaptive:
    sparsity, extra = draw.integer(generator, 1, 4), draw.integer(generator, 1, 4)
    highest = 1 / (1 + sparsity / extra) ** 0.5  # here the rate is one
    amplitude = 10 ** draw.uniform(generator, -6, 3)
    delta = draw.uniform(generator, 0.4, 0.9) * highest
    return extremal(
        sparsity, extra, delta, depth=draw.integer(generator, 1, 12), amplitude=amplitude
    )


def _draw(generator: torch.Generator) -> Adaptive:
    if draw.integer(generator, 0, 7) == 0:
        return _draw_extremal(generator)
    known = _pool()[draw.integer(generator, 0, len(_pool()) - 1)]
    operator, sparsity, _, _ = known
    m, n = operator.shape
    tail, noise_size = (
        10 ** draw.uniform(generator, -4, -0.5) * draw.integer(generator, 0, 1) for _ in range(2)
    )
    signal, _ = instances.random_signal(generator, n, sparsity, tail=tail)
    signal = signal * 10 ** draw.uniform(generator, -6, 3)
    noise = torch.randn(1, m, generator=generator, dtype=torch.float64)
    noise = noise * noise_size * signal.norm() / noise.norm()
    return _told_of(known, signal, noise, draw.integer(generator, 1, 15))


def _told_of(known: KnownMatrix, signal: Tensor, noise: Tensor, depth: int) -> Adaptive:
    operator, sparsity, extra, constant = known
    smaller = signal.abs().sort().values[0, :-sparsity]  # t: all but the s largest entries
    told = {
        s: sparsity,
        r: extra,
        delta: constant,
        K: depth,
        signal_norm: float(signal.norm()),
        noise_norm: float(noise.norm()),
        tail_norm: float(smaller.norm()),
        tail_sum: float(smaller.sum()),
    }
    return Adaptive(operator, signal, noise, sparsity, extra, depth, told)


def _sparse(generator: torch.Generator) -> Adaptive:
    # One entry and r = 1, noiseless, for long enough that the bound is small.
    known = _pool()[0]
    m, n = known[0].shape
    signal, _ = instances.random_signal(generator, n, 1)
    return _told_of(known, signal, torch.zeros(1, m, dtype=torch.float64), 40)


def _understated(_: torch.Generator) -> Adaptive:
    # The theorem is told δ_1, which is smaller.
    instance = extremal(1, 1, 0.6, depth=10)
    columns = instance.operator.dense().square().sum(0)
    return replace(instance, told={**instance.told, delta: float((columns - 1).abs().max())})


def _fixed_thresholds(generator: torch.Generator) -> Adaptive:
    # They suit signals of amplitude 1; this one is a million times smaller.
    instance = extremal(1, 1, 0.4, depth=15, amplitude=1e-6)
    thresholds = 0.5 ** torch.arange(15, dtype=torch.float64)
    return replace(instance, thresholds=thresholds)


def _noisy(generator: torch.Generator) -> Adaptive:
    instance = _sparse(generator)
    return replace(instance, noise=0.1 * torch.ones_like(instance.noise))


def _denser(generator: torch.Generator) -> Adaptive:
    instance = _sparse(generator)
    return replace(instance, signal=instance.signal + 0.1)


_inside, _outside, _theta = sp.symbols("p q theta", nonnegative=True)  # ‖v_S‖, ‖v_{L∖S}‖
_v_i, _v_j, _error, _more = sp.symbols("v_i v_j e d", nonnegative=True)
_perturbation = sp.Symbol(r"{\|w'\|_2}", nonnegative=True)
_floor = b / (1 - rho) * _perturbation
_excess = 1 + s / r
_most = noise_norm + sp.sqrt(1 + delta) * (tail_norm + tail_sum / sp.sqrt(s))

ADAPTIVE_THRESHOLDS = Theorem(
    name="rip.adaptive-thresholds",
    title="Thresholds computed from the data",
    statement=r"""
        Let $s,r\ge1$ with $s+r\le n$. Run $x^{k+1}=S_{\theta_k}(u^k)$,
        $u^k=x^k+A^\top(y-Ax^k)$, from $x^0=0$ on $y=Ax^\star+w$, where $\theta_k$ is the
        $(s+r)$-th largest of the $|u^k_i|$. Let $\delta$ be the isometry constant of $A$ of order
        $<<order>>$ (for orders beyond $n$, $\delta$ means $\delta_n$), let $t$ be
        $x^\star$ without its $s$ largest entries, and

        $$
        \rho=<<rho>>,\qquad b=<<b>>.
        $$

        If $\rho<1$, then for every signal, of whatever size, and every number $K$ of layers

        $$
        <<quantity>> <<relation>> \underbrace{<<decay_term>>}_{\text{decay}}+
        \underbrace{<<noise_term>>}_{\text{noise}}+\underbrace{<<tail_term>>}_{\text{tail}}.
        $$

        Without noise and tail it is attained, for every $s$, $r$ and $K$. With $r=s$ it
        needs $\delta_{5s-1}<1/\sqrt2$.
        """,
    assumptions=(
        Assumption(r"$s,r\ge1$ and $s+r\le n$"),
        Assumption(r"$\delta$ is the isometry constant of order $3s+2r-1$", _understated),
        Assumption(r"$\theta_k$ is the $(s+r)$-th largest $|u^k_i|$", _fixed_thresholds),
        Assumption(r"$w$ is all that is added to $Ax^\star$", _noisy),
        Assumption(r"$t$ is all of $x^\star$ but its $s$ largest entries", _denser),
        Assumption(r"$\rho<1$"),
    ),
    quantity=r"\|x^K-x^\star\|_2",
    relation=AT_MOST,
    bound=three_terms,
    where={rho: rate, b: gain},
    formulas={
        "order": order,
        "decay_term": decay,
        "noise_term": noise_term,
        "tail_term": tail_term,
    },
    draw=_draw,
    attained=_draw_extremal,
    measure=Adaptive.error,
    values=lambda instance: instance.told,
    slack=1e-6,
    source=(
        "Proved in the chapter; compare Wang, Zeng, Peng, Chang and Xu (2014), whose thresholds "
        "adapt to the data too."
    ),
    derivation=Derivation(
        (
            Step.equal(
                r"$S$, the $s+r$ largest $|u_i|$ and the fewer than $s+r$ nonzero entries of "
                "$x^k$ together are at most this many indices.",
                sp.Add(s, s + r, s + r - 1, evaluate=False),
                order,
            ),
            Step.at_most(
                r"Of these $s+r$ largest, $L$, at least $r$ lie outside $S$, where $u_i=v_i$ and "
                r"$|v_i|=\theta+d$. Thresholding takes at least $\theta^2$ from each $v_i^2$,",
                (_v_i - _theta) ** 2,
                _v_i**2 - _theta**2,
                gap=2 * _theta * _more,
                where={_v_i: _theta + _more},
            ),
            Step.at_most(
                r"while on $S$ it adds at most $\theta$ to each $|v_i|$, and "
                r"$\sum_S|v_i|\le\sqrt s\,\|v_S\|_2$; squared,",
                (_v_i + _v_j) ** 2,
                2 * (_v_i**2 + _v_j**2),
                gap=(_v_i - _v_j) ** 2,
                scope="two entries",
            ),
            Step.at_most(
                r"so that with $p=\|v_S\|_2$ the error on $S$ is at most $p+\sqrt s\,\theta$.",
                (_inside + sp.sqrt(s) * _theta) ** 2,
                _excess * (_inside**2 + r * _theta**2),
                gap=(sp.sqrt(s / r) * _inside - sp.sqrt(r) * _theta) ** 2,
            ),
            Step.at_most(
                r"Outside $S$ it is at most $\sqrt{q^2-r\theta^2}$, $q=\|v_{L\setminus S}\|_2$. "
                r"Since $q^2=r\theta^2+d\ge r\theta^2$, together",
                _excess * (_inside**2 + r * _theta**2) + _outside**2 - r * _theta**2,
                _excess * (_inside**2 + _outside**2),
                gap=s / r * _more,
                where={_outside: sp.sqrt(r * _theta**2 + _more)},
            ),
            Step.equal(
                r"With $\|v_{S\cup L}\|_2\le\delta\|e\|_2+\sqrt{1+\delta}\,\|w'\|_2$, $w'=w+At$, "
                "one layer gives",
                sp.sqrt(_excess) * (delta * _error + sp.sqrt(1 + delta) * _perturbation),
                rate * _error + gain * _perturbation,
            ),
            Step.equal(
                r"This recursion carries $\rho^k\|x^\star\|_2$ above $b\|w'\|_2/(1-\rho)$ to "
                r"$\rho^{k+1}\|x^\star\|_2$ above it.",
                rho * (rho**k * signal_norm + _floor) + b * _perturbation,
                rho ** (k + 1) * signal_norm + _floor,
            ),
            BLOCKS,
            Step.equal(
                r"Hence $\|w'\|_2\le\|w\|_2+\sqrt{1+\delta}\,(\|t\|_2+\|t\|_1/\sqrt s)$, and with "
                r"the $\|t\|_2$ between $x^\star_S$ and $x^\star$ the three terms are",
                decay + _floor.subs(_perturbation, _most) + tail_norm,
                three_terms,
            ),
            Step.equal(
                r"It is attained where $I-A^\top A$ turns $s$ equal entries of size $1$ into $s$ "
                r"of size $\delta\sqrt{r/(s+r)}$ and $r$ of size $\theta$ outside, $s/r$ times "
                "that: the error of each is then",
                delta * sp.sqrt(r / (s + r)) + s / r * delta * sp.sqrt(r / (s + r)),
                rate,
            ),
        )
    ),
)
