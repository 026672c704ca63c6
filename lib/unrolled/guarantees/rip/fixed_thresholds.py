"""Thresholds fixed in advance from the coherence of W and A, and what they certify."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_positive
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
from unrolled.guarantees.rip.matrices import simplex
from unrolled.guarantees.rip.schedule import Schedule, Scheme, check_schedule
from unrolled.guarantees.rip.symbols import E0, E, K, k, s
from unrolled.isometry.coherence import generalised_coherence
from unrolled.sensing import (
    DenseOperator,
    analytic_weights,
    equiangular_frame,
    gaussian,
    identity_hadamard,
)

mu = sp.Symbol("mu", positive=True)
nu, tau = sp.symbols("nu tau", nonnegative=True)
tail = sp.Symbol("T", nonnegative=True)  # ‖t‖₁, what lies outside S
rho = sp.Symbol("rho", nonnegative=True)

rate = (2 * s - 1) * mu
threshold = mu * E + nu + tau
certificate_step = rate * E + s * (2 * nu + tau + mu * tail)
_SCHEME = Scheme(threshold, certificate_step)

# The three terms of the closed form.
_geometric = (1 - rho**K) / (1 - rho)
decay = rho**K * E0
noise_term = 2 * s * nu * _geometric
tail_term = s * (tau + mu * tail) * _geometric
certificate = decay + noise_term + tail_term


def coherence_schedule(
    mu: float,
    sparsity: int,
    start: float,
    *,
    noise: float = 0.0,
    leak: float = 0.0,
    tail: float = 0.0,
    depth: int,
) -> Schedule:
    """The thresholds θ_k = μE_k + ν + τ and the certificate E_k of the theorem on coherence.

    With them x ← S_{θ_k}(x + Wᵀ(y − Ax)) has no false positive and ‖x^k − x*_S‖₁ ≤ E_k. Where
    (2s − 1)μ < 1 the certificate tends to a floor; otherwise it still holds, but need not fall. All
    arguments but s and K are ≥ 0.

    Args:
        mu: max_{i≠j} |w_iᵀa_j|, for W with diag(WᵀA) = 1.
        sparsity: s ≥ |S|.
        start: E_0 ≥ ‖x*_S‖₁.
        noise: ν ≥ ‖Wᵀw‖_∞.
        leak: τ, at least what the entries outside S, t, put on any of them,
            |t_i| + μ(‖t‖₁ − |t_i|).
        tail: ‖t‖₁ or more.
        depth: K ≥ 1.

    Raises:
        ValueError: arguments other than these.
    """
    check_schedule(sparsity, depth, mu=mu, start=start, noise=noise, leak=leak, tail=tail)
    return _SCHEME.schedule(_told(mu, sparsity, noise, leak, tail) | {E0: start, K: depth})


def _told(
    coherence: float, sparsity: int, noise: float, leak: float, l1: float
) -> dict[sp.Symbol, float]:
    return {mu: coherence, s: sparsity, nu: noise, tau: leak, tail: l1}


def largest_leak(t: Tensor, mu: float) -> float:
    """τ = max_i |t_i| + μ(‖t‖₁ − |t_i|), the most that a tail puts on an entry outside S.

    Args:
        t: (n,), the signal outside S and 0 on it.
        mu: ≥ 0, as in `coherence_schedule`.

    Raises:
        ValueError: arguments other than these.
    """
    if not isinstance(t, Tensor) or t.ndim != 1 or len(t) == 0 or not t.isfinite().all():
        raise ValueError(f"t is {t!r}; a finite vector (n,) is needed")
    check_positive("mu", mu, zero=True)
    size = t.abs().double()
    return float((size + mu * (size.sum() - size)).max())


@cache
def _structured() -> tuple[tuple[DenseOperator, Tensor], ...]:
    matrices = [equiangular_frame(dtype=torch.float64)]
    matrices += [identity_hadamard(order, dtype=torch.float64) for order in (16, 32, 64)]
    return tuple((operator, operator.dense()) for operator in matrices)


def _matrices(generator: torch.Generator) -> tuple[DenseOperator, Tensor]:
    kind = draw.integer(generator, 0, 2)
    if kind == 0:
        return _structured()[draw.integer(generator, 0, len(_structured()) - 1)]
    m = draw.integer(generator, 4, 40)
    n = m + draw.integer(generator, 1, 1 + m // 4)
    operator = gaussian(m, n, generator=generator, dtype=torch.float64, unit_columns=True)
    return operator, analytic_weights(operator) if kind == 1 else operator.dense()


def _draw(generator: torch.Generator) -> Recovery:
    if draw.integer(generator, 0, 7) == 0:
        return _extremal(generator)
    while True:
        operator, W = _matrices(generator)
        coherence = generalised_coherence(W, operator)
        if coherence < 0.95:  # so that one entry at least is certified
            break
    sparsity = draw.integer(generator, 1, int((1 / coherence + 1) / 2 - 0.01) or 1)
    tail_size, noise_size = (
        10 ** draw.uniform(generator, -4, -1) * draw.integer(generator, 0, 1) for _ in range(2)
    )
    m, n = operator.shape
    signal, support = instances.random_signal(generator, n, sparsity, tail=tail_size)
    signal = signal * 10 ** draw.uniform(generator, -3, 3)
    noise = torch.randn(1, m, generator=generator, dtype=torch.float64)
    noise = noise * noise_size * signal.abs().max() / m**0.5
    # A theorem may be told more than the truth, here up to half as much again.
    more = draw.uniform(generator, 1, 1.5) ** draw.integer(generator, 0, 1)
    return _told_of(generator, operator, W, signal, support, noise, more)


def _told_of(
    generator: torch.Generator,
    operator: DenseOperator,
    W: Tensor,
    signal: Tensor,
    support: Tensor,
    noise: Tensor,
    more: float = 1.0,
) -> Recovery:
    coherence = generalised_coherence(W, operator)
    t = torch.where(support, 0.0, signal[0])
    start = more * float(signal[0, support].abs().sum())
    told = _told(
        coherence,
        int(support.sum()),
        more * float((noise @ W).abs().max()),
        more * largest_leak(t, coherence),
        more * float(t.abs().sum()),
    )
    told |= {E0: start, K: instances.depth_for(generator, evaluate(rate, told))}
    return Recovery.planned(_SCHEME, operator, W, signal, support, noise, told)


def _extremal(generator: torch.Generator) -> Recovery:
    """Columns at equal obtuse angles and equal entries, all known: the error is its bound."""
    sparsity = draw.integer(generator, 1, 6)
    operator = simplex(sparsity + 1, draw.uniform(generator, 0.3, 0.9) / (2 * sparsity))
    support = torch.arange(sparsity + 1) < sparsity
    return _told_of(
        generator,
        operator,
        operator.dense(),
        torch.where(support, 1.0, 0.0).double()[None, :],
        support,
        torch.zeros(1, sparsity + 1, dtype=torch.float64),
    )


def on_frame(depth: int = 12, amplitude: float = 1.0) -> Recovery:
    """One entry on the 6×16 frame, measured without noise, for thresholds made for amplitude 1."""
    told = _told(1 / 3, 1, 0.0, 0.0, 0.0)
    return instances.one_on_frame(_SCHEME, told, depth=depth, amplitude=amplitude)


def _told_half_the_coherence(instance: Recovery) -> Recovery:
    told = {**instance.told, mu: instance.told[mu] / 2}
    return replace(instance, thresholds=_SCHEME.schedule(told).thresholds, told=told)


def _not_rescaled(_: torch.Generator) -> Recovery:
    # Half of A for the weights halves the coherence, but half of the error stays where it is.
    instance = _told_half_the_coherence(on_frame())
    return replace(instance, W=instance.W / 2)


_slack = sp.Symbol("d", nonnegative=True)
_more = sp.Symbol("p", integer=True, nonnegative=True)  # s − 1

_SHARED = (
    Assumption(r"$w_i^\top a_i=1$ for all $i$", _not_rescaled),
    Assumption(
        r"$|w_i^\top a_j|\le\mu$ for all $i\ne j$", lambda _: _told_half_the_coherence(on_frame())
    ),
    Assumption(
        r"the thresholds are $\theta_k$, no smaller ones",
        lambda _: instances.smaller_thresholds(on_frame()),
    ),
    Assumption(
        "$S$ has at most $s$ elements", lambda generator: instances.denser(on_frame(), generator, 1)
    ),
    Assumption(r"$\|x^\star_S\|_1\le E_0$", lambda _: instances.larger(on_frame())),
    Assumption(
        r"$\|W^\top w\|_\infty\le\nu$", lambda generator: instances.noisier(on_frame(), generator)
    ),
    Assumption(
        r"the tail is no larger than told: $\|t\|_1\le T$, on one entry at most $\tau$",
        lambda _: instances.with_tail(on_frame()),
    ),
)

FIXED_THRESHOLDS = Theorem(
    name="rip.fixed-thresholds",
    title="Thresholds fixed in advance",
    statement=r"""
    Let $y=Ax^\star+w$, let $S$ be a set of at most $s$ indices, those of the signal's largest
    entries say, and $t=x^\star-x^\star_S$ what lies outside it. Take any weights $W$ with
    $w_i^\top a_i=1$. Only bounds need to be known: $E_0\ge\|x^\star_S\|_1$ on the signal,
    $\mu\ge|w_i^\top a_j|$ for all $i\ne j$ on the generalised coherence,
    $\nu\ge\|W^\top w\|_\infty$ on the noise, $T\ge\|t\|_1$ on the tail, and
    $\tau\ge|t_i|+\mu(\|t\|_1-|t_i|)$ for $i\notin S$, the most that the tail can put on one entry
    outside $S$. Run $x^{k+1}=S_{\theta_k}\bigl(x^k+W^\top(y-Ax^k)\bigr)$ from $x^0=0$ with the
    thresholds $\theta_k=<<threshold>>$, where

    $$
    E_{k+1}=<<step>>.
    $$

    Then after every number $K$ of layers, with $\rho=<<rho>>$,

    $$
    <<quantity>> <<relation>> \underbrace{<<decay_term>>}_{\text{decay}}+
    \underbrace{<<noise_term>>}_{\text{noise}}+\underbrace{<<tail_term>>}_{\text{tail}}.
    $$

    The right-hand side is $E_K$. Without noise and tail it is attained, for every $s$ and $K$.
    If $\rho<1$ it tends to a floor.
    """,
    assumptions=(
        *_SHARED,
        Assumption(
            r"$(2s-1)\mu<1$; without it the recursion still bounds the error, but need not fall"
        ),
    ),
    quantity=r"\|x^K-x^\star_S\|_1",
    relation=AT_MOST,
    bound=certificate,
    where={rho: rate},
    formulas={
        "threshold": threshold,
        "step": certificate_step,
        "decay_term": decay,
        "noise_term": noise_term,
        "tail_term": tail_term,
    },
    draw=_draw,
    attained=_extremal,
    measure=lambda instance: instance.error(1),
    values=lambda instance: instance.told,
    slack=1e-6,
    source=(
        "Proved in the chapter; in the spirit of Chen, Liu, Wang and Yin (2018) and of Liu et al. "
        "(2019)."
    ),
    derivation=Derivation(
        (
            Step.equal(
                r"For $i\notin S$ the layer's input is at most $\mu\|e\|_1+\tau+\nu$, and for "
                r"$\|e\|_1=E_k-d\le E_k$ what is missing to the threshold is",
                threshold - (mu * (E - _slack) + tau + nu),
                mu * _slack,
            ),
            Step.equal(
                r"For $i\in S$ it misses $x^\star_i$ by at most $\mu(\|e\|_1-|e_i|)+\mu T+\nu$, "
                r"and the threshold adds $\theta_k$. Summed over $s$ indices, with "
                r"$\|e\|_1=E_k$, this is the recursion,",
                (s - 1) * mu * E + s * (mu * tail + nu) + s * threshold,
                certificate_step,
            ),
            Step.at_most(
                r"which grows with $\|e\|_1$, so that $\|e\|_1=E_k-d\le E_k$ does no harm.",
                certificate_step.subs(E, E - _slack),
                certificate_step,
                gap=(1 + 2 * _more) * mu * _slack,
                where={s: 1 + _more},
            ),
            Step.equal(
                r"The closed form, which is $E_0$ for $K=0$, obeys it, with $\rho=(2s-1)\mu$.",
                certificate.subs(K, k + 1),
                rho * certificate.subs(K, k) + s * (2 * nu + tau + mu * tail),
            ),
        )
    ),
)

FIXED_THRESHOLDS_SUPPORT = replace(
    FIXED_THRESHOLDS,
    name="rip.fixed-thresholds-support",
    title="Nothing outside the support",
    statement=r"""
    Under the assumptions of {prf:ref}`Thresholds fixed in advance <thm-rip-fixed-thresholds>` but
    the last, no layer has an entry outside $S$ that is not zero: for every $K$

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
    derivation=Derivation(FIXED_THRESHOLDS.derivation.steps[:3]),
)
