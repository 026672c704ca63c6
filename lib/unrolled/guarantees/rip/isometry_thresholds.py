"""Isometry constants in place of coherence, still without a false positive."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import (
    AT_MOST,
    EQUAL,
    Assumption,
    Derivation,
    Step,
    Theorem,
    draw,
    evaluate,
)
from unrolled.guarantees.rip import instances
from unrolled.guarantees.rip.instances import Recovery
from unrolled.guarantees.rip.matrices import nearly_orthonormal, simplex, spikes_and_walsh
from unrolled.guarantees.rip.schedule import Schedule, Scheme, check_schedule
from unrolled.guarantees.rip.symbols import E0, E, K, k, s
from unrolled.isometry.constants import isometry_constant
from unrolled.sensing import DenseOperator, equiangular_frame, gaussian, identity_hadamard

delta_s = sp.Symbol(r"\delta_{s}", nonnegative=True)
delta_next = sp.Symbol(r"\delta_{s+1}", nonnegative=True)
epsilon = sp.Symbol("epsilon", nonnegative=True)
tail_norm, tail_sum = sp.symbols("T_2 T_1", nonnegative=True)  # ‖t‖₂ and ‖t‖₁, outside S
omega = sp.Symbol("omega", nonnegative=True)  # ‖w + At‖₂
rho = sp.Symbol("rho", nonnegative=True)
b = sp.Symbol("b", positive=True)

rate = delta_s + sp.sqrt(s) * delta_next
gain = (1 + sp.sqrt(s)) * sp.sqrt(1 + delta_s)
threshold = delta_next * E + sp.sqrt(1 + delta_s) * omega
certificate_step = rate * E + gain * omega
disturbance = epsilon + sp.sqrt(1 + delta_s) * (tail_norm + tail_sum / sp.sqrt(s))
_SCHEME = Scheme(threshold.subs(omega, disturbance), certificate_step.subs(omega, disturbance))

# The three terms of the closed form.
_geometric = (1 - rho**K) / (1 - rho)
decay = rho**K * E0
noise_term = b * epsilon * _geometric
tail_term = b * sp.sqrt(1 + delta_s) * (tail_norm + tail_sum / sp.sqrt(s)) * _geometric
certificate = decay + noise_term + tail_term

# Below this δ_{s+1} the certificate tends to a floor.
largest_constant = 1 / (1 + sp.sqrt(s))


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
    """Matrices with a rate below one, with their exact constants, computed once."""
    generator = torch.Generator().manual_seed(2)
    known = [_known(equiangular_frame(dtype=torch.float64), 1)]
    known += [
        _known(gaussian(40, 12, generator=generator, dtype=torch.float64, unit_columns=True), 1)
        for _ in range(4)
    ]
    for sparsity, n in ((1, 8), (1, 20), (2, 14), (3, 16), (4, 20)):
        for _ in range(5):
            scale = draw.uniform(generator, 1, 1.08)
            operator = nearly_orthonormal(n - 1, n, generator=generator, scale=scale)
            known.append(_known(operator, sparsity))
    spikes = identity_hadamard(64, dtype=torch.float64)
    known += [
        (spikes, size, spikes_and_walsh(size), spikes_and_walsh(size + 1)) for size in (1, 2, 3, 4)
    ]
    return tuple(matrix for matrix in known if evaluate(rate, _told(*matrix[2:], matrix[1])) < 1)


def _known(operator: DenseOperator, sparsity: int) -> KnownIsometry:
    constant, next_constant = (
        float(isometry_constant(operator, order)) for order in (sparsity, sparsity + 1)
    )
    return operator, sparsity, constant, next_constant


def _draw(generator: torch.Generator) -> Recovery:
    if draw.integer(generator, 0, 7) == 0:
        return _extremal(generator)
    known = _pool()[draw.integer(generator, 0, len(_pool()) - 1)]
    m, n = known[0].shape
    tail, noise_size = (
        10 ** draw.uniform(generator, -4, -1) * draw.integer(generator, 0, 1) for _ in range(2)
    )
    signal, support = instances.random_signal(generator, n, known[1], tail=tail)
    signal = signal * 10 ** draw.uniform(generator, -3, 3)
    noise = torch.randn(1, m, generator=generator, dtype=torch.float64)
    noise = noise * noise_size * signal.norm() / noise.norm()
    more = draw.uniform(generator, 1, 1.5) ** draw.integer(generator, 0, 1)
    return _recovery(generator, known, signal, support, noise, more)


def _recovery(
    generator: torch.Generator,
    known: KnownIsometry,
    signal: Tensor,
    support: Tensor,
    noise: Tensor,
    more: float = 1.0,
) -> Recovery:
    # The theorem may be told more than the truth: `more` times as much.
    operator, sparsity, constant, next_constant = known
    inside, t = signal[0, support], signal[0, ~support]
    sizes = (more * float(size) for size in (noise.norm(), t.norm(), t.abs().sum()))
    told = _told(constant, next_constant, sparsity, *sizes)
    depth = instances.depth_for(generator, evaluate(rate, told))
    told |= {E0: more * float(inside.norm()), K: depth}
    return Recovery.planned(_SCHEME, operator, operator.dense(), signal, support, noise, told)


def _extremal(generator: torch.Generator) -> Recovery:
    """Columns at equal obtuse angles and equal entries, all known: the error is its bound."""
    sparsity = draw.integer(generator, 1, 6)
    cosine = draw.uniform(generator, 0.3, 0.9) / (sparsity * (1 + sparsity**0.5))
    operator = simplex(sparsity + 1, cosine)
    # The Gram matrix of j columns has the eigenvalues 1 − (j − 1)·cosine and, if j > 1, 1 + cosine.
    constants = ((sparsity - 1) * cosine, sparsity * cosine)
    support = torch.arange(sparsity + 1) < sparsity
    signal = torch.where(support, 1.0, 0.0).double()[None, :]
    noise = torch.zeros(1, sparsity + 1, dtype=torch.float64)
    return _recovery(generator, (operator, sparsity, *constants), signal, support, noise)


def _on_frame() -> Recovery:
    return instances.one_on_frame(_SCHEME, _told(0.0, 1 / 3, 1))


def _understated(_: torch.Generator) -> Recovery:
    instance = _on_frame()
    told = {**instance.told, delta_next: instance.told[delta_next] / 2}
    return replace(instance, thresholds=_SCHEME.schedule(told).thresholds, told=told)


_slack = sp.Symbol("d", nonnegative=True)
_below = sp.Symbol("q", positive=True)

_closed = decay + b * omega * _geometric
_t_i, _sum = sp.symbols("t_i beta", nonnegative=True)

BLOCKS = Step.at_most(
    r"For $\|At\|_2$ cut $t$ into blocks of $s$ entries of falling size. Those of a block, $t_i$, "
    r"are at most the mean of the block before it, whose sum is $\beta=s(t_i+d)$, so that its "
    r"length is at most $\beta/\sqrt s$; squared,",
    s * _t_i**2,
    _sum**2 / s,
    gap=s * _slack * (2 * _t_i + _slack),
    where={_sum: s * (_t_i + _slack)},
)

_SHARED = (
    Assumption(r"$\delta_s$ and $\delta_{s+1}$ are isometry constants of $A$", _understated),
    Assumption(
        r"the thresholds are $\theta_k$, no smaller ones",
        lambda _: instances.smaller_thresholds(_on_frame()),
    ),
    Assumption(
        "$S$ has at most $s$ elements",
        lambda generator: instances.denser(_on_frame(), generator, 2),
    ),
    Assumption(r"$\|x^\star_S\|_2\le E_0$", lambda _: instances.larger(_on_frame())),
    Assumption(
        r"$\|w\|_2\le\epsilon$", lambda generator: instances.noisier(_on_frame(), generator)
    ),
    Assumption(
        r"the tail is no larger than told: $\|t\|_2\le T_2$, $\|t\|_1\le T_1$",
        lambda _: instances.with_tail(_on_frame()),
    ),
)

ISOMETRY_THRESHOLDS = Theorem(
    name="rip.isometry-thresholds",
    title="Thresholds from isometry constants",
    statement=r"""
    Let $y=Ax^\star+w$, let $S$ be a set of at most $s$ indices, and $t=x^\star-x^\star_S$ what lies
    outside it. Only bounds need to be known: $E_0\ge\|x^\star_S\|_2$ on the signal,
    $\epsilon\ge\|w\|_2$ on the noise, $T_2\ge\|t\|_2$ and $T_1\ge\|t\|_1$ on the tail, and the
    isometry constants of $A$ (for orders beyond $n$, $\delta$ means $\delta_n$). Noise and tail
    together are then $w+At$, of norm at most

    $$
    \omega=<<disturbance>>.
    $$

    Run $x^{k+1}=S_{\theta_k}\bigl(x^k+A^\top(y-Ax^k)\bigr)$ from $x^0=0$ with the thresholds
    $\theta_k=<<threshold>>$, where

    $$
    E_{k+1}=\rho E_k+b\,\omega,\qquad \rho=<<rho>>,\qquad b=<<b>>.
    $$

    Then after every number $K$ of layers

    $$
    <<quantity>> <<relation>> \underbrace{<<decay_term>>}_{\text{decay}}+
    \underbrace{<<noise_term>>}_{\text{noise}}+\underbrace{<<tail_term>>}_{\text{tail}}.
    $$

    The right-hand side is $E_K$. Without noise and tail it is attained, for every $s$ and $K$. It
    tends to a floor if $\delta_{s+1}< <<largest>>$.
    """,
    assumptions=(
        *_SHARED,
        Assumption(r"$\rho<1$; without it the recursion still bounds the error, but need not fall"),
    ),
    quantity=r"\|x^K-x^\star_S\|_2",
    relation=AT_MOST,
    bound=certificate,
    where={rho: rate, b: gain},
    formulas={
        "disturbance": disturbance,
        "threshold": threshold,
        "decay_term": decay,
        "noise_term": noise_term,
        "tail_term": tail_term,
        "largest": largest_constant,
    },
    draw=_draw,
    attained=_extremal,
    measure=lambda instance: instance.error(2),
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
                certificate_step,
            ),
            Step.at_most(
                r"which grows with $\|e\|_2$, so that $\|e\|_2=E_k-d\le E_k$ does no harm.",
                certificate_step.subs(E, E - _slack),
                certificate_step,
                gap=rate * _slack,
            ),
            Step.equal(
                "The closed form, which is $E_0$ for $K=0$, obeys the recursion.",
                _closed.subs(K, k + 1),
                rho * _closed.subs(K, k) + b * omega,
            ),
            Step.equal(
                r"Its second part is what noise and tail add, as $\omega$ is the sum of theirs.",
                b * _geometric * disturbance,
                noise_term + tail_term,
            ),
            Step.at_most(
                r"Since $\delta_{s+1}=\delta_s+d\ge\delta_s$, the rate is at most "
                r"$(1+\sqrt s)\delta_{s+1}$,",
                rate,
                (1 + sp.sqrt(s)) * delta_next,
                gap=_slack,
                where={delta_next: delta_s + _slack},
            ),
            Step.less(
                r"which is below one for $\delta_{s+1}$ below $1/(1+\sqrt s)$.",
                (1 + sp.sqrt(s)) * delta_next,
                1,
                gap=_below / (1 + _below),
                where={delta_next: largest_constant / (1 + _below)},
            ),
        )
    ),
)

ISOMETRY_THRESHOLDS_SUPPORT = replace(
    ISOMETRY_THRESHOLDS,
    name="rip.isometry-thresholds-support",
    title="Isometry leaves nothing outside the support",
    statement=r"""
    Under the assumptions of
    {prf:ref}`Thresholds from isometry constants <thm-rip-isometry-thresholds>` but the last, no
    layer has an entry outside $S$ that is not zero: for every $K$

    $$
    <<quantity>> <<relation>> <<bound>>.
    $$
    """,
    assumptions=_SHARED,
    quantity=r"\#\{(i,k):i\notin S,\ k\le K,\ x^k_i\ne0\}",
    relation=EQUAL,
    bound=sp.Integer(0),
    measure=Recovery.false_positives,
    where={},
    formulas={},
    attained=None,
    values=lambda _: {},
    derivation=Derivation(ISOMETRY_THRESHOLDS.derivation.steps[:4]),
)
