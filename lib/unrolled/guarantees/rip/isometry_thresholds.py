"""Isometry constants in place of coherence, still without a false positive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import sympy as sp
import torch

from unrolled.guarantees import (
    AT_MOST,
    EQUAL,
    Assumption,
    Definition,
    Derivation,
    Step,
    Theorem,
    draw,
    evaluate,
)
from unrolled.guarantees.rip import instances
from unrolled.guarantees.rip.definitions import (
    MEASURED,
    OUTSIDE,
    Told,
    as_planned,
    layer,
    may_be_isometry_constant,
)
from unrolled.guarantees.rip.instances import Recovery, norm
from unrolled.guarantees.rip.matrices import nearly_orthonormal, simplex, spikes_and_walsh
from unrolled.guarantees.rip.schedule import Schedule, Scheme, check_schedule
from unrolled.guarantees.rip.symbols import E0, E, K, error_inside, geometric, k, leaks, rho, s
from unrolled.isometry.constants import isometry_constant
from unrolled.sensing import DenseOperator, equiangular_frame, gaussian, identity_hadamard

delta_s = sp.Symbol(r"\delta_{s}", nonnegative=True)
delta_next = sp.Symbol(r"\delta_{s+1}", nonnegative=True)
epsilon = sp.Symbol("epsilon", nonnegative=True)
tail_norm, tail_sum = sp.symbols("T_2 T_1", nonnegative=True)  # ‖t‖₂ and ‖t‖₁, outside S
omega = sp.Symbol("omega", nonnegative=True)  # ‖w + At‖₂
b = sp.Symbol("b", positive=True)

rate = delta_s + sp.sqrt(s) * delta_next
gain = (1 + sp.sqrt(s)) * sp.sqrt(1 + delta_s)
threshold = delta_next * E + sp.sqrt(1 + delta_s) * omega
step = rho * E + b * omega  # E_{k+1}
disturbance = epsilon + sp.sqrt(1 + delta_s) * (tail_norm + tail_sum / sp.sqrt(s))
_written_out = {rho: rate, b: gain, omega: disturbance}
_SCHEME = Scheme(threshold.subs(_written_out), step.subs(_written_out))

# The three terms of the closed form.
decay = rho**K * E0
noise_term = b * epsilon * geometric
tail_term = b * sp.sqrt(1 + delta_s) * (tail_norm + tail_sum / sp.sqrt(s)) * geometric
certificate = decay + noise_term + tail_term

# Below this δ_{s+1} the certificate tends to a floor.
largest_constant = 1 / (1 + sp.sqrt(s))
falls = sp.Lt(delta_next, largest_constant)


def isometry_schedule(
    delta_s: float,
    delta_next: float,
    sparsity: int,
    start: float,
    *,
    noise: float = 0.0,
    tail_norm: float = 0.0,
    tail_sum: float = 0.0,
    depth: int,
) -> Schedule:
    """The thresholds δ_{s+1}E_k + √(1 + δ_s)·ω and the certificate E_k made of isometry.

    With them x ← S_{θ_k}(x + Aᵀ(y − Ax)) has no false positive, and ‖x^k − x*_S‖₂ ≤ E_k. Here
    ω = ε + √(1 + δ_s)(T₂ + T₁/√s) bounds noise and tail together, ‖w + At‖₂. Where
    δ_{s+1} < 1/(1 + √s) the certificate tends to a floor; otherwise it still holds, but need not
    fall. All arguments but s and K are ≥ 0.

    Args:
        delta_s, delta_next: δ_s and δ_{s+1} ≥ δ_s of A, or upper bounds; beyond order n, that of n.
        sparsity: s ≥ |S|.
        start: E_0 ≥ ‖x*_S‖₂.
        noise: ε ≥ ‖w‖₂.
        tail_norm, tail_sum: T₂ ≥ ‖t‖₂ and T₁ ≥ ‖t‖₁, of the entries outside S, t.
        depth: K ≥ 1.

    Raises:
        ValueError: arguments other than these.
    """
    sizes = {"noise": noise, "tail_norm": tail_norm, "tail_sum": tail_sum}
    check_schedule(sparsity, depth, delta_s=delta_s, delta_next=delta_next, start=start, **sizes)
    if delta_next < delta_s:
        raise ValueError(f"delta_next is {delta_next}; δ_(s+1) ≥ δ_s = {delta_s} is needed")
    told = _told(delta_s, delta_next, sparsity, noise, tail_norm, tail_sum)
    return _SCHEME.schedule(told | {E0: start, K: depth})


def _told(
    constant: float,
    next_constant: float,
    sparsity: int,
    noise: float = 0.0,
    l2: float = 0.0,
    l1: float = 0.0,
) -> dict[sp.Symbol, float]:
    told = {delta_s: constant, delta_next: next_constant, s: sparsity}
    return {**told, epsilon: noise, tail_norm: l2, tail_sum: l1}


KnownIsometry = tuple[DenseOperator, int, float, float]  # A, s, δ_s, δ_{s+1}


@cache
def _pool() -> tuple[KnownIsometry, ...]:
    """Matrices with their exact constants, computed once; for some the rate is above one."""
    generator = torch.Generator().manual_seed(2)
    known = [_known(equiangular_frame(dtype=torch.float64), sparsity) for sparsity in (1, 2)]
    known += [
        _known(gaussian(40, 12, generator=generator, dtype=torch.float64, unit_columns=True), 1)
        for _ in range(4)
    ]
    for sparsity, n in ((1, 8), (1, 20), (2, 14), (3, 16), (4, 20)):
        for _ in range(5):
            scale = draw.uniform(generator, 1, 1.08)
            for dtype in (torch.float64, torch.complex128):
                operator = nearly_orthonormal(
                    n - 1, n, generator=generator, scale=scale, dtype=dtype
                )
                known.append(_known(operator, sparsity))
    spikes = identity_hadamard(64, dtype=torch.float64)
    known += [
        (spikes, size, spikes_and_walsh(size), spikes_and_walsh(size + 1)) for size in range(1, 7)
    ]
    return tuple(known)


def _known(operator: DenseOperator, sparsity: int) -> KnownIsometry:
    constant, next_constant = (
        float(isometry_constant(operator, order)) for order in (sparsity, sparsity + 1)
    )
    return operator, sparsity, constant, next_constant


def _draw(generator: torch.Generator) -> Recovery:
    kind = draw.integer(generator, 0, 7)
    if kind == 0:
        return _extremal(generator)
    if kind == 1:
        return _orthonormal(generator, noise=draw.uniform(generator, 0, 1))
    known = _pool()[draw.integer(generator, 0, len(_pool()) - 1)]
    operator, sparsity, _, _ = known
    m, n = operator.shape
    tail, noise_size = (
        10 ** draw.uniform(generator, -4, -1) * draw.integer(generator, 0, 1) for _ in range(2)
    )
    size = draw.integer(generator, 1, sparsity)
    signal, support = instances.random_signal(generator, n, size, tail=tail, dtype=operator.dtype)
    signal = signal * 10 ** draw.uniform(generator, -3, 3)
    noise = torch.randn(1, m, generator=generator, dtype=operator.dtype)
    noise = noise * noise_size * signal.norm() / noise.norm()
    # The theorem may be told more than the truth.
    more = draw.uniform(generator, 1, 1.5) ** draw.integer(generator, 0, 1)
    found = Recovery(operator, signal, noise, operator.dense(), support)
    return _drawn(generator, found, known, more)


def _drawn(
    generator: torch.Generator, found: Recovery, known: KnownIsometry, more: float = 1.0
) -> Recovery:
    _, sparsity, constant, next_constant = known
    told = _told(more * constant, more * next_constant, sparsity)
    depth = instances.depth_for(generator, evaluate(rate, told))
    return _planned(found, told | {K: depth}, more)


def _planned(found: Recovery, told: Mapping[sp.Symbol, float], more: float = 1.0) -> Recovery:
    """With the thresholds for what is true of signal and noise, or for `more` times as much."""
    sizes = {bound.bound: more * bound.true(found) for bound in (_SIGNAL, _NOISE, _TAIL, _TAIL_SUM)}
    return found.planned(_SCHEME, {**told, **sizes})


def _nearby(instance: Recovery, generator: torch.Generator) -> Recovery:
    signal, noise = instances.moved(instance, generator)
    return _planned(replace(instance, signal=signal, noise=noise), instance.told)


def _extremal(generator: torch.Generator) -> Recovery:
    """Columns at equal obtuse angles and equal entries, all known: the error is its bound."""
    sparsity = draw.integer(generator, 1, 6)
    cosine = draw.uniform(generator, 0.3, 0.9) / (sparsity * (1 + sparsity**0.5))
    operator = simplex(sparsity + 1, cosine)
    # The Gram matrix of j columns has the eigenvalues 1 − (j − 1)·cosine and, if j > 1, 1 + cosine.
    constants = ((sparsity - 1) * cosine, sparsity * cosine)
    support = torch.arange(sparsity + 1) < sparsity
    found = Recovery(
        operator,
        signal=support.double()[None, :],
        noise=torch.zeros(1, sparsity + 1, dtype=torch.float64),
        W=operator.dense(),
        support=support,
    )
    return _drawn(generator, found, (operator, sparsity, *constants))


def orthonormal(
    sparsity: int, *, noise: float = 0.0, tail: float = 0.0, depth: int = 1
) -> Recovery:
    """Orthonormal columns, s equal entries of one, a noise against them and a tail of one entry.

    If both are so small that no entry is lost, the error of noise alone is its bound, and that of
    a tail alone √s/(1 + √s) of its bound.

    Args:
        sparsity: s ≥ 1.
        noise: ‖w‖₂ ≥ 0.
        tail: the entry outside S, ≥ 0.
        depth: K ≥ 1.

    Raises:
        ValueError: arguments other than these.
    """
    check_schedule(sparsity, depth, noise=noise, tail=tail)
    support = torch.arange(sparsity + 1) < sparsity
    operator = simplex(sparsity + 1, 0.0)
    found = Recovery(
        operator,
        signal=torch.where(support, 1.0, tail).double()[None, :],
        noise=-noise / sparsity**0.5 * support.double()[None, :],
        W=operator.dense(),
        support=support,
    )
    return _planned(found, _told(0.0, 0.0, sparsity) | {K: depth})


def _orthonormal(generator: torch.Generator, *, noise: float) -> Recovery:
    # That share of what is added is noise. Twice as much is less than an entry.
    added = draw.uniform(generator, 0.01, 0.4)
    return orthonormal(
        draw.integer(generator, 1, 16),
        noise=noise * added,
        tail=(1 - noise) * added,
        depth=draw.integer(generator, 1, 12),
    )


def _attained(generator: torch.Generator) -> Recovery:
    if draw.integer(generator, 0, 1):
        return _orthonormal(generator, noise=1.0)
    return _extremal(generator)


def _on_frame() -> Recovery:
    return instances.one_on_frame(_SCHEME, _told(0.0, 1 / 3, 1))


def _understated() -> Recovery:
    instance = _on_frame()
    return instance.planned(_SCHEME, {**instance.told, delta_next: instance.told[delta_next] / 2})


_SIGNAL = Told("told_signal", E0, r"\|x^\star_S\|_2", lambda instance: norm(instance.inside, 2))
_NOISE = Told("told_noise", epsilon, r"\|w\|_2", lambda instance: norm(instance.noise, 2))
_TAIL = Told("told_tail", tail_norm, r"\|t\|_2", lambda instance: norm(instance.outside, 2))
_TAIL_SUM = Told("told_sum", tail_sum, r"\|t\|_1", lambda instance: norm(instance.outside, 1))

_ORDERED = Definition(
    sp.Ge(delta_next, delta_s),
    values=lambda instance: {symbol: instance.told[symbol] for symbol in (delta_s, delta_next)},
)


def _constants_hold(instance: Recovery) -> bool:
    sparsity = int(instance.told[s])
    return all(
        may_be_isometry_constant(instance.told[constant], instance.operator, order)
        for constant, order in ((delta_s, sparsity), (delta_next, sparsity + 1))
    )


_assumed = {told.key: told.definition for told in (_SIGNAL, _NOISE, _TAIL, _TAIL_SUM)}

_slack = sp.Symbol("d", nonnegative=True)

_closed = decay + b * omega * geometric
_t_i, _sum = sp.symbols("t_i beta", nonnegative=True)

BLOCKS = Step.at_most(
    r"For $\|At\|_2$ cut $t$ into blocks of $s$ entries of falling size. Those of a block, $t_i$, "
    r"are at most the mean of the block before it, whose sum is $\beta\ge st_i$, so that its "
    r"length is at most $\beta/\sqrt s$; squared,",
    s * _t_i**2,
    _sum**2 / s,
    gap=(_sum - s * _t_i) * (_sum + s * _t_i) / s,
    domain=(_sum >= s * _t_i,),
)

ISOMETRY_THRESHOLDS = Theorem(
    name="rip.isometry-thresholds",
    title="Thresholds from isometry constants",
    statement=r"""
    Let $y=<<measured>>$, let $S$ be a set of at most $s$ indices, and $t=<<outside>>$ what lies
    outside it. Only bounds need to be known: $<<told_signal>>$ on the signal, $<<told_noise>>$ on
    the noise, $<<told_tail>>$ and $<<told_sum>>$ on the tail, and for $\delta_s$ and
    $\delta_{s+1}$ the isometry constants of $A$ or larger numbers with $<<ordered>>$ (for orders
    beyond $n$, $\delta$ means $\delta_n$). Noise and tail together then count as noise of norm at
    most

    $$
    \omega=<<disturbance>>.
    $$

    Run $x^{k+1}=S_{\theta_k}\bigl(<<layer>>\bigr)$ from the origin with the thresholds
    $\theta_k=<<threshold>>$, where

    $$
    E_{k+1}=<<step>>,\qquad \rho=<<rho>>,\qquad b=<<b>>.
    $$

    Then after every number $K$ of layers

    $$
    <<quantity>> <<relation>> \underbrace{<<decay_term>>}_{\text{decay}}+
    \underbrace{<<noise_term>>}_{\text{noise}}+\underbrace{<<tail_term>>}_{\text{tail}}.
    $$

    The right-hand side is $E_K$. Without noise and tail it is attained, for every $s$ and $K$, and
    so it is with noise alone, if the columns are orthonormal. It tends to a floor if
    $<<falls>>$.
    """,
    assumptions=(
        Assumption(
            r"$\delta_s$ and $\delta_{s+1}$ are isometry constants of $A$, or larger",
            lambda _: _understated(),
            holds=_constants_hold,
        ),
        *as_planned(_SCHEME, _on_frame, 2),
        _SIGNAL.assumption(lambda: instances.larger(_on_frame())),
        _NOISE.assumption(lambda: instances.noisier(_on_frame())),
        Assumption(
            "the tail is no larger than told: $<<told_tail>>$ and $<<told_sum>>$",
            lambda _: instances.with_tail(_on_frame()),
            holds=lambda instance: _TAIL.holds(instance) and _TAIL_SUM.holds(instance),
        ),
    ),
    quantity=error_inside,
    relation=AT_MOST,
    bound=certificate,
    where={rho: rate, b: gain},
    formulas={
        "disturbance": disturbance,
        "threshold": threshold,
        "step": step,
        "decay_term": decay,
        "noise_term": noise_term,
        "tail_term": tail_term,
        "falls": falls,
    },
    definitions={
        "ordered": _ORDERED,
        "measured": MEASURED,
        "outside": OUTSIDE,
        **_assumed,
        "layer": layer(weighted=False),
    },
    draw=_draw,
    attained=_attained,
    nearby=_nearby,
    measure=Recovery.measure,
    values=lambda instance: instance.told,
    slack=1e-6,
    source=(
        r"Proved in the chapter; Xiao and Zhang (2013) need no factor $\sqrt s$, but allow false "
        "positives."
    ),
    derivation=Derivation(
        (
            BLOCKS,
            Step.equal(
                r"Hence $\|At\|_2\le\sqrt{1+\delta_s}\,(\|t\|_2+\|t\|_1/\sqrt s)$, and "
                r"$\|w+At\|_2\le\omega$. For $i\notin S$ the layer's input is at most "
                r"$\delta_{s+1}\|e\|_2+\sqrt{1+\delta_s}\,\omega$, and for "
                r"$\|e\|_2=E_k-d\le E_k$ what is missing to the threshold is",
                threshold - (delta_next * (E - _slack) + sp.sqrt(1 + delta_s) * omega),
                delta_next * _slack,
            ),
            Step.equal(
                r"On $S$ it misses $x^\star$ by at most $\delta_s\|e\|_2+\sqrt{1+\delta_s}\,"
                r"\omega$, and thresholding $s$ entries adds $\sqrt s\,\theta_k$. With "
                r"$\|e\|_2=E_k$ this is the recursion,",
                delta_s * E + sp.sqrt(1 + delta_s) * omega + sp.sqrt(s) * threshold,
                step.subs({rho: rate, b: gain}),
            ),
            Step.at_most(
                r"which grows with $\|e\|_2$, so that $\|e\|_2=E_k-d\le E_k$ does no harm.",
                step.subs(E, E - _slack),
                step,
                gap=rho * _slack,
            ),
            Step.equal(
                "The closed form, which is $E_0$ for $K=0$, obeys the recursion.",
                _closed.subs(K, k + 1),
                step.subs(E, _closed.subs(K, k)),
            ),
            Step.equal(
                r"Its second part is what noise and tail add, as $\omega$ is the sum of theirs.",
                b * geometric * disturbance,
                noise_term + tail_term,
            ),
            Step.at_most(
                r"Since $\delta_{s+1}\ge\delta_s$, the rate is at most "
                r"$(1+\sqrt s)\delta_{s+1}$,",
                rate,
                (1 + sp.sqrt(s)) * delta_next,
                gap=delta_next - delta_s,
                domain=(_ORDERED.meaning,),
            ),
            Step.less(
                r"which is below one for $\delta_{s+1}$ below $1/(1+\sqrt s)$.",
                (1 + sp.sqrt(s)) * delta_next,
                1,
                gap=1 - (1 + sp.sqrt(s)) * delta_next,
                domain=(falls,),
            ),
        )
    ),
)


def tail_reached(sparsity: int) -> float:
    """The share of the bound that the error is, of a tail alone on orthonormal columns."""
    instance = orthonormal(sparsity, tail=0.1)
    return ISOMETRY_THRESHOLDS.measured(instance) / ISOMETRY_THRESHOLDS.limit(instance)


ISOMETRY_THRESHOLDS_SUPPORT = replace(
    ISOMETRY_THRESHOLDS,
    name="rip.isometry-thresholds-support",
    title="Isometry leaves nothing outside the support",
    statement=r"""
    Under the assumptions of
    {prf:ref}`Thresholds from isometry constants <thm-rip-isometry-thresholds>`, no layer has an
    entry outside $S$ that is not zero. Counted over all of them, for every $K$,

    $$
    <<quantity>> <<relation>> <<bound>>.
    $$
    """,
    quantity=leaks,
    relation=EQUAL,
    bound=sp.Integer(0),
    where={},
    formulas={},
    definitions=_assumed,
    same="rip.isometry-thresholds",
    attained=None,
    nearby=None,
    values=lambda _: {},
    derivation=Derivation(ISOMETRY_THRESHOLDS.derivation.steps[:4]),
)
