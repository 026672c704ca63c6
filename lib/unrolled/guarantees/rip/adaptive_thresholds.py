"""Thresholds read off the data, and the bound with its three terms, at every scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth, check_positive, check_size
from unrolled.guarantees import AT_MOST, Assumption, Derivation, Step, Theorem, draw, evaluate
from unrolled.guarantees.rip import instances
from unrolled.guarantees.rip.definitions import (
    MEASURED,
    is_bound,
    layer,
    may_be_isometry_constant,
)
from unrolled.guarantees.rip.instances import Measured, norm
from unrolled.guarantees.rip.isometry_thresholds import BLOCKS
from unrolled.guarantees.rip.matrices import nearly_orthonormal, simplex, spikes_and_walsh
from unrolled.guarantees.rip.schedule import check_schedule, with_thresholds
from unrolled.guarantees.rip.symbols import K, end, error, k, rho, s, signal
from unrolled.isometry.constants import isometry_constant
from unrolled.prox import soft_threshold
from unrolled.sensing import DenseOperator, dense_operator, gaussian, identity_hadamard

r = sp.Symbol("r", integer=True, positive=True)
delta = sp.Symbol("delta", nonnegative=True)
b = sp.Symbol("b", positive=True)
signal_norm = sp.Symbol(r"{\|x^\star\|_2}", nonnegative=True)
noise_norm = sp.Symbol(r"{\|w\|_2}", nonnegative=True)
tail_norm = sp.Symbol(r"{\|t\|_2}", nonnegative=True)
tail_sum = sp.Symbol(r"{\|t\|_1}", nonnegative=True)

kept = s + r  # the rank of the entry that is the threshold
order = 3 * s + 2 * r - 1  # of the isometry constant δ
rate = sp.sqrt(1 + s / r) * delta
gain = sp.sqrt(1 + s / r) * sp.sqrt(1 + delta)

contracts = sp.Lt(rho, 1)

# With r = s: the order, and the constant at which the rate is one.
order_at_s = 5 * s - 1
largest_at_s = 1 / sp.sqrt(2)

# The three terms of the bound.
decay = rho**K * signal_norm
noise_term = b / (1 - rho) * noise_norm
tail_term = b / (1 - rho) * sp.sqrt(1 + delta) * (tail_norm + tail_sum / sp.sqrt(s)) + tail_norm
three_terms = decay + noise_term + tail_term


def adaptive_iterates(
    A: DenseOperator | Tensor, y: Tensor, *, sparsity: int, extra: int, depth: int
) -> Tensor:
    """Run x ← S_θ(u), u = x + Aᴴ(y − Ax), from 0, where θ is the (s + r)-th largest |u_i|.

    So an iterate has fewer than s + r nonzero entries, and if y is multiplied by a number, all
    iterates are.

    Args:
        A: (m, n), real or complex.
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
        u = layer_input(operator, x, y)
        x = soft_threshold(u, u.abs().topk(count, dim=1).values[:, -1:])
        iterates.append(x)
    return torch.stack(iterates)


def layer_input(operator: DenseOperator, x: Tensor, y: Tensor) -> Tensor:
    """x + Aᴴ(y − Ax), which a layer thresholds: (B, n) and (B, m) to (B, n)."""
    return x + operator.adjoint(y - operator.forward(x))


@dataclass(frozen=True)
class Adaptive(Measured):
    """The iteration with s and r that is to find x*, and what its theorem was told."""

    depth: int
    told: Mapping[sp.Symbol, float]
    thresholds: Tensor | None = None  # (K,), in place of those computed from the data

    @cached_property
    def iterates(self) -> Tensor:
        """What the iteration runs through, x^0, …, x^K, (K + 1, n)."""
        if self.thresholds is not None:
            net = with_thresholds(self.operator, self.operator.dense(), self.thresholds)
            return net.trajectory(self.y)[:, 0]
        sparsity, extra = int(self.told[s]), int(self.told[r])
        return adaptive_iterates(
            self.operator, self.y, sparsity=sparsity, extra=extra, depth=self.depth
        )[:, 0]

    @property
    def last_input(self) -> Tensor:
        """What the last layer thresholds, (n,)."""
        return layer_input(self.operator, self.iterates[-2:-1], self.y)[0]

    @property
    def tail(self) -> Tensor:
        """The sizes of all entries of the signal but the s largest, (n − s,)."""
        return self.signal.abs().sort().values[0, : -int(self.told[s])]


KnownMatrix = tuple[DenseOperator, int, int, float]  # A, s, r, δ


@cache
def _pool() -> tuple[KnownMatrix, ...]:
    """Matrices with ρ < 1 and their exact constants, computed once."""
    generator = torch.Generator().manual_seed(3)
    known = []
    for sparsity, extra, m, n in ((1, 1, 11, 12), (1, 2, 13, 14), (2, 1, 15, 16), (2, 2, 15, 16)):
        for dtype in 6 * (torch.float64, torch.complex128):
            scale = draw.uniform(generator, 1, 1.15)
            operator = nearly_orthonormal(m, n, generator=generator, scale=scale, dtype=dtype)
            known.append(_known(operator, sparsity, extra))
    for sparsity, extra in ((1, 1), (2, 2), (2, 1), (3, 1)):
        operator = gaussian(200, 12, generator=generator, dtype=torch.float64, unit_columns=True)
        known.append(_known(operator, sparsity, extra))
    spikes = identity_hadamard(64, dtype=torch.float64)
    for sparsity, extra in ((1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (2, 3)):
        constant = spikes_and_walsh(_order(sparsity, extra))
        known.append((spikes, sparsity, extra, constant))
    return tuple(matrix for matrix in known if _rate(*matrix[1:]) < 1)


def _known(operator: DenseOperator, sparsity: int, extra: int) -> KnownMatrix:
    constant = float(isometry_constant(operator, _order(sparsity, extra)))
    return operator, sparsity, extra, constant


def _order(sparsity: int, extra: int) -> int:
    return int(order.subs({s: sparsity, r: extra}))


def _rate(sparsity: int, extra: int, constant: float) -> float:
    return evaluate(rate, {s: sparsity, r: extra, delta: constant})


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


def orthonormal(
    sparsity: int, extra: int, *, noise: float = 0.0, tail: float = 0.0, depth: int = 1
) -> Adaptive:
    """Orthonormal columns, s equal entries of one, and r places outside for noise and tail.

    The noise takes r/s of what it adds at each place from each entry. If that is so small that no
    entry is lost, the error of noise alone is its bound. That of a tail alone comes near to its
    bound where s is much larger than r.

    Args:
        sparsity, extra: s, r ≥ 1.
        noise: what the noise adds at each place, ≥ 0; up to s/(s + r) no entry is lost.
        tail: the entries at these places, ≥ 0.
        depth: K ≥ 1.

    Raises:
        ValueError: arguments other than these.
    """
    check_size("sparsity", sparsity)
    check_size("extra", extra)
    check_schedule(sparsity, depth, noise=noise, tail=tail)
    inside = (torch.arange(sparsity + extra) < sparsity)[None, :]
    signal = torch.where(inside, 1.0, tail).double()
    added = torch.where(inside, -extra / sparsity * noise, noise).double()
    return _told_of((simplex(sparsity + extra, 0.0), sparsity, extra, 0.0), signal, added, depth)


def _draw_orthonormal(generator: torch.Generator, *, noisy: bool) -> Adaptive:
    sparsity, extra = draw.integer(generator, 1, 16), draw.integer(generator, 1, 4)
    depth = draw.integer(generator, 1, 12)
    share = draw.uniform(generator, 0.01, 0.9)
    if noisy:
        most = sparsity / (sparsity + extra)
        return orthonormal(sparsity, extra, noise=share * most, depth=depth)
    return orthonormal(sparsity, extra, tail=share, depth=depth)


def _attained(generator: torch.Generator) -> Adaptive:
    if draw.integer(generator, 0, 1):
        return _draw_orthonormal(generator, noisy=True)
    return _draw_extremal(generator)


def _draw(generator: torch.Generator) -> Adaptive:
    kind = draw.integer(generator, 0, 7)
    if kind == 0:
        return _draw_extremal(generator)
    if kind in (1, 2):
        return _draw_orthonormal(generator, noisy=kind == 1)
    known = _pool()[draw.integer(generator, 0, len(_pool()) - 1)]
    operator, sparsity, _, _ = known
    m, n = operator.shape
    tail, noise_size = (
        10 ** draw.uniform(generator, -4, -0.5) * draw.integer(generator, 0, 1) for _ in range(2)
    )
    signal, _ = instances.random_signal(
        generator, n, draw.integer(generator, 1, sparsity), tail=tail, dtype=operator.dtype
    )
    signal = signal * 10 ** draw.uniform(generator, -6, 3)
    noise = torch.randn(1, m, generator=generator, dtype=operator.dtype)
    noise = noise * noise_size * signal.norm() / noise.norm()
    return _told_of(known, signal, noise, draw.integer(generator, 1, 15))


def _told_of(known: KnownMatrix, signal: Tensor, noise: Tensor, depth: int) -> Adaptive:
    operator, sparsity, extra, constant = known
    told = {s: sparsity, r: extra, delta: constant, K: depth}
    return _measured(Adaptive(operator, signal, noise, depth, told))


def _measured(instance: Adaptive) -> Adaptive:
    """Told what is true of signal and noise."""
    sizes = {
        signal_norm: norm(instance.signal, 2),
        noise_norm: norm(instance.noise, 2),
        tail_norm: norm(instance.tail, 2),
        tail_sum: norm(instance.tail, 1),
    }
    return replace(instance, told={**instance.told, **sizes})


def _nearby(instance: Adaptive, generator: torch.Generator) -> Adaptive:
    signal, noise = instances.moved(instance, generator)
    return _measured(replace(instance, signal=signal, noise=noise))


def _understated() -> Adaptive:
    # The theorem is told δ_1, which is smaller.
    instance = extremal(1, 1, 0.6, depth=10)
    columns = instance.operator.dense().square().sum(0)
    return replace(instance, told={**instance.told, delta: float((columns - 1).abs().max())})


def _fixed_thresholds() -> Adaptive:
    # They suit signals of amplitude 1; this one is a million times smaller.
    instance = extremal(1, 1, 0.4, depth=15, amplitude=1e-6)
    thresholds = 0.5 ** torch.arange(15, dtype=torch.float64)
    return replace(instance, thresholds=thresholds)


def _noisy() -> Adaptive:
    instance = extremal(1, 1, 0.4, depth=40)
    return replace(instance, noise=0.1 * torch.ones_like(instance.noise))


def _denser() -> Adaptive:
    instance = extremal(1, 1, 0.4, depth=40)
    signal = instance.signal + 0.1
    told = {**instance.told, signal_norm: norm(signal, 2)}
    return replace(instance, signal=signal, told=told)


def _contracts(instance: Adaptive) -> bool:
    told = instance.told
    return _rate(int(told[s]), int(told[r]), told[delta]) < 1


def _constant_holds(instance: Adaptive) -> bool:
    size = _order(int(instance.told[s]), int(instance.told[r]))
    return may_be_isometry_constant(instance.told[delta], instance.operator, size)


def _tail_as_told(instance: Adaptive) -> bool:
    return all(
        is_bound(instance.told[symbol], norm(instance.tail, power))
        for symbol, power in ((tail_norm, 2), (tail_sum, 1))
    )


_inside, _outside, _theta = sp.symbols("p q theta", nonnegative=True)  # ‖v_S‖, ‖v_{L∖S}‖
_v_i, _v_j, _error = sp.symbols("v_i v_j e", nonnegative=True)
_perturbation = sp.Symbol(r"{\|w'\|_2}", nonnegative=True)
_floor = b / (1 - rho) * _perturbation
_excess = 1 + s / r
_most = noise_norm + sp.sqrt(1 + delta) * (tail_norm + tail_sum / sp.sqrt(s))

ADAPTIVE_THRESHOLDS = Theorem(
    name="rip.adaptive-thresholds",
    title="Thresholds computed from the data",
    statement=r"""
        Let $s$ and $r$ be positive and together at most $n$, the number of columns. Start from the
        origin; layer $k$ forms $u^k=<<layer>>$ from what is measured, $y=<<measured>>$, and returns
        $S_{\theta_k}(u^k)$ as $x^{k+1}$, where $\theta_k$ is the $(<<kept>>)$-th largest of the
        $|u^k_i|$. Let $\delta$ be the isometry constant of $A$ of order $<<order>>$ or a larger
        number (for orders beyond $n$, $\delta_n$ or larger), let $t$ be $x^\star$ without its $s$
        largest entries, and

        $$
        \rho=<<rho>>,\qquad b=<<b>>.
        $$

        If $<<contracts>>$, then for every signal, of whatever size, and every number $K$ of layers

        $$
        <<quantity>> <<relation>> \underbrace{<<decay_term>>}_{\text{decay}}+
        \underbrace{<<noise_term>>}_{\text{noise}}+\underbrace{<<tail_term>>}_{\text{tail}}.
        $$

        Without noise and tail it is attained, for every $s$, $r$ and $K$, and so it is with noise
        alone, if the columns are orthonormal. With $r$ equal to $s$ the order is $<<order_at_s>>$,
        and $\delta$ has to be less than $<<largest_at_s>>$.
        """,
    assumptions=(
        Assumption("$s$ and $r$ are positive and together at most $n$"),
        Assumption(
            r"$\delta$ is the isometry constant of order $<<order>>$, or larger",
            lambda _: _understated(),
            holds=_constant_holds,
        ),
        Assumption(
            r"$\theta_k$ is the $(<<kept>>)$-th largest $|u^k_i|$",
            lambda _: _fixed_thresholds(),
            holds=lambda instance: instance.thresholds is None,
        ),
        Assumption(
            r"$w$ is all that is added to $Ax^\star$",
            lambda _: _noisy(),
            holds=lambda instance: is_bound(instance.told[noise_norm], norm(instance.noise, 2)),
        ),
        Assumption(
            r"$t$ is all of $x^\star$ but its $s$ largest entries",
            lambda _: _denser(),
            holds=_tail_as_told,
        ),
        Assumption("$<<contracts>>$", holds=_contracts),
    ),
    quantity=error,
    relation=AT_MOST,
    bound=three_terms,
    where={rho: rate, b: gain},
    formulas={
        "kept": kept,
        "order": order,
        "contracts": contracts,
        "order_at_s": order_at_s,
        "largest_at_s": largest_at_s,
        "decay_term": decay,
        "noise_term": noise_term,
        "tail_term": tail_term,
    },
    definitions={"layer": layer(weighted=False), "measured": MEASURED},
    draw=_draw,
    attained=_attained,
    nearby=_nearby,
    measure=lambda instance: {end: instance.iterates[-1], signal: instance.signal[0]},
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
                sp.Add(s, kept, kept - 1, evaluate=False),
                order,
            ),
            Step.at_most(
                r"Of these $s+r$ largest, $L$, at least $r$ lie outside $S$, where $u_i=v_i$ and "
                r"$|v_i|\ge\theta$. Thresholding takes at least $\theta^2$ from each $v_i^2$,",
                (_v_i - _theta) ** 2,
                _v_i**2 - _theta**2,
                gap=2 * _theta * (_v_i - _theta),
                domain=(_v_i >= _theta,),
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
                r"Since $q\ge\sqrt r\,\theta$, together",
                _excess * (_inside**2 + r * _theta**2) + _outside**2 - r * _theta**2,
                _excess * (_inside**2 + _outside**2),
                gap=s / r * (_outside**2 - r * _theta**2),
                domain=(_outside >= sp.sqrt(r) * _theta,),
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
                domain=(contracts,),
            ),
            BLOCKS,
            Step.equal(
                r"Hence $\|w'\|_2\le\|w\|_2+\sqrt{1+\delta}\,(\|t\|_2+\|t\|_1/\sqrt s)$, and with "
                r"the $\|t\|_2$ between $x^\star_S$ and $x^\star$ the three terms are",
                decay + _floor.subs(_perturbation, _most) + tail_norm,
                three_terms,
                domain=(contracts,),
            ),
            Step.equal(
                r"It is attained where $I-A^\top A$ turns $s$ equal entries of size $1$ into $s$ "
                r"of size $\delta\sqrt{r/(s+r)}$ and $r$ of size $\theta$ outside, $s/r$ times "
                "that: the error of each is then",
                delta * sp.sqrt(r / (s + r)) + s / r * delta * sp.sqrt(r / (s + r)),
                rate,
            ),
            Step.equal(
                r"For $A^\top A=I$ the noise is at its worst where it takes $r\theta/s$ from each "
                r"of $s$ equal entries and adds $\theta$ at $r$ places: the squared error, "
                r"$b^2\|w\|_2^2$, is",
                s * (r * _theta / s + _theta) ** 2,
                gain.subs(delta, 0) ** 2 * (s * (r * _theta / s) ** 2 + r * _theta**2),
            ),
            Step.equal("For $r=s$ the order is", sp.Subs(order, r, s), order_at_s),
            Step.equal(
                "and the rate, which grows with the constant, is one at",
                sp.Subs(rate, (r, delta), (s, largest_at_s)),
                1,
            ),
        )
    ),
)


def tail_reached(sparsity: int) -> float:
    """The share of the bound that the error is, of a tail alone on orthonormal columns, r = 1."""
    instance = orthonormal(sparsity, 1, tail=0.1)
    return ADAPTIVE_THRESHOLDS.measured(instance) / ADAPTIVE_THRESHOLDS.limit(instance)
