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
    is_bound,
    layer,
)
from unrolled.guarantees.rip.instances import Recovery, norm
from unrolled.guarantees.rip.matrices import simplex
from unrolled.guarantees.rip.schedule import Schedule, Scheme, check_schedule
from unrolled.guarantees.rip.symbols import (
    E0,
    E,
    K,
    geometric,
    k,
    leaks,
    rho,
    s,
    sum_of_errors_inside,
)
from unrolled.isometry.coherence import generalised_coherence
from unrolled.sensing import (
    DenseOperator,
    analytic_weights,
    equiangular_frame,
    gaussian,
    identity_hadamard,
)

mu, nu, tau = sp.symbols("mu nu tau", nonnegative=True)
tail = sp.Symbol("T", nonnegative=True)  # ‖t‖₁, what lies outside S

rate = (2 * s - 1) * mu
threshold = mu * E + nu + tau
step = rho * E + s * (2 * nu + tau + mu * tail)  # E_{k+1}
falls = sp.Lt(rho, 1)
_SCHEME = Scheme(threshold, step.subs(rho, rate))

# The three terms of the closed form.
decay = rho**K * E0
noise_term = 2 * s * nu * geometric
tail_term = s * (tau + mu * tail) * geometric
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
    return float((size + mu * (norm(size, 1) - size)).max())


@cache
def _structured() -> tuple[tuple[DenseOperator, Tensor], ...]:
    matrices = [equiangular_frame(dtype=torch.float64)]
    matrices += [identity_hadamard(order, dtype=torch.float64) for order in (16, 32, 64)]
    return tuple((operator, operator.dense()) for operator in matrices)


def _matrices(generator: torch.Generator) -> tuple[DenseOperator, Tensor]:
    kind = draw.integer(generator, 0, 4)
    if kind == 0:
        return _structured()[draw.integer(generator, 0, len(_structured()) - 1)]
    m = draw.integer(generator, 4, 40)
    n = m + draw.integer(generator, 1, 1 + m // 4)
    dtype = torch.complex128 if kind > 2 else torch.float64
    operator = gaussian(m, n, generator=generator, dtype=dtype, unit_columns=True)
    return operator, analytic_weights(operator) if kind % 2 else operator.dense()


def _draw(generator: torch.Generator) -> Recovery:
    if draw.integer(generator, 0, 7) == 0:
        return _extremal(generator)
    operator, W = _matrices(generator)
    m, n = operator.shape
    tail_size, noise_size = (
        10 ** draw.uniform(generator, -4, -1) * draw.integer(generator, 0, 1) for _ in range(2)
    )
    # Up to two entries more than have a rate below one; a theorem may be told more than there are.
    certified = int((1 / generalised_coherence(W, operator) + 1) / 2)
    sparsity = draw.integer(generator, 1, min(certified + 2, n))
    size = draw.integer(generator, 1, sparsity)
    signal, support = instances.random_signal(
        generator, n, size, tail=tail_size, dtype=operator.dtype
    )
    signal = signal * 10 ** draw.uniform(generator, -3, 3)
    noise = torch.randn(1, m, generator=generator, dtype=operator.dtype)
    noise = noise * noise_size * signal.abs().max() / m**0.5
    more = draw.uniform(generator, 1, 1.5) ** draw.integer(generator, 0, 1)
    found = Recovery(operator, signal, noise, W, support)
    return _drawn(generator, found, sparsity, more)


def _drawn(
    generator: torch.Generator, found: Recovery, sparsity: int, more: float = 1.0
) -> Recovery:
    told = {mu: more * found.coherence(), s: sparsity}
    return _planned(found, sparsity, instances.depth_for(generator, evaluate(rate, told)), more)


def _planned(found: Recovery, sparsity: int, depth: int, more: float = 1.0) -> Recovery:
    """With the thresholds for what is true of it, or for `more` times as much."""
    coherence = more * found.coherence()
    told = _told(
        coherence,
        sparsity,
        more * _noise_seen(found),
        more * largest_leak(found.outside, coherence),
        more * norm(found.outside, 1),
    )
    return found.planned(_SCHEME, told | {E0: more * norm(found.inside, 1), K: depth})


def _noise_seen(instance: Recovery) -> float:
    return norm(instance.noise @ instance.W.conj(), torch.inf)


def _nearby(instance: Recovery, generator: torch.Generator) -> Recovery:
    signal, noise = instances.moved(instance, generator)
    found = replace(instance, signal=signal, noise=noise)
    return _planned(found, int(instance.told[s]), int(instance.told[K]))


def _extremal(generator: torch.Generator) -> Recovery:
    """Columns at equal obtuse or right angles, equal entries, and noise and tail against them.

    All of it is known, and none so large that an entry is lost: the error is its bound.
    """
    kind = draw.integer(generator, 0, 2)  # no noise and no tail, right angles, neither
    sparsity = draw.integer(generator, 1, 6)
    cosine = draw.uniform(generator, 0.3, 0.9) / (2 * sparsity) * (kind != 1)
    operator = simplex(sparsity + 1, cosine)
    # What a layer may add to the error if that, s at the start, is not to grow; shared by the two.
    room = (1 - (2 * sparsity - 1) * cosine) * sparsity
    added = draw.uniform(generator, 0.01, 0.9) * room * (kind != 0)
    share = draw.uniform(generator, 0, 1)
    support = torch.arange(sparsity + 1) < sparsity
    leak = (1 - share) * added / (sparsity * (1 + cosine))
    signal = torch.where(support, 1.0, leak).double()[None, :]
    seen = torch.full((1, sparsity + 1), -share * added / (2 * sparsity), dtype=torch.float64)
    noise = torch.linalg.solve(operator.dense(), seen, left=False)  # wᵀA is what is seen of it
    found = Recovery(operator, signal, noise, operator.dense(), support)
    return _drawn(generator, found, sparsity)


def on_frame(depth: int = 12, amplitude: float = 1.0) -> Recovery:
    """One entry on the 6×16 frame, measured without noise, for thresholds made for amplitude 1."""
    told = _told(1 / 3, 1, 0.0, 0.0, 0.0)
    return instances.one_on_frame(_SCHEME, told, depth=depth, amplitude=amplitude)


def _told_half_the_coherence() -> Recovery:
    instance = on_frame()
    return instance.planned(_SCHEME, {**instance.told, mu: instance.told[mu] / 2})


def _not_rescaled() -> Recovery:
    # Half of A for the weights halves the coherence, but half of the error stays where it is.
    instance = _told_half_the_coherence()
    return replace(instance, W=instance.W / 2)


_SIGNAL = Told("told_signal", E0, r"\|x^\star_S\|_1", lambda instance: norm(instance.inside, 1))
_COHERENCE = Told("told_coherence", mu, r"|w_i^\top a_j|", Recovery.coherence)
_NOISE = Told("told_noise", nu, r"\|W^\top w\|_\infty", _noise_seen)
_TAIL = Told("told_tail", tail, r"\|t\|_1", lambda instance: norm(instance.outside, 1))

# The most that the tail puts on an entry outside S, t_i itself among it.
_t_i, _t_sum = sp.symbols(r"{|t_i|} {\|t\|_1}", nonnegative=True)
_leak = Definition(
    sp.Ge(tau, _t_i + mu * (_t_sum - _t_i)),
    values=lambda instance: {
        tau: instance.told[tau],
        mu: instance.told[mu],
        _t_i: instance.outside.abs(),
        _t_sum: norm(instance.outside, 1),
    },
)


def _tail_as_told(instance: Recovery) -> bool:
    leak = largest_leak(instance.outside, instance.told[mu])
    return _TAIL.holds(instance) and is_bound(instance.told[tau], leak)


_own = sp.Symbol(r"{w_i^\top a_i}", real=True)
_answer = Definition(sp.Eq(_own, 1), lambda instance: {_own: instance.answers.diagonal()})

_assumed = {
    **{told.key: told.definition for told in (_SIGNAL, _COHERENCE, _NOISE, _TAIL)},
    "told_leak": _leak,
    "answer": _answer,
}

_slack = sp.Symbol("d", nonnegative=True)

FIXED_THRESHOLDS = Theorem(
    name="rip.fixed-thresholds",
    title="Thresholds fixed in advance",
    statement=r"""
    Let $y=<<measured>>$, let $S$ be a set of at most $s$ indices, those of the signal's largest
    entries say, and $t=<<outside>>$ what lies outside it. Take any weights $W$ whose columns answer
    those of $A$ with one. Only bounds need to be known: $<<told_signal>>$ on the signal,
    $<<told_coherence>>$ for all $i\ne j$ on the generalised coherence, $<<told_noise>>$ on the
    noise, $<<told_tail>>$ on the tail, and $<<told_leak>>$ for $i\notin S$, the most that the tail
    can put on one entry outside $S$. Run $x^{k+1}=S_{\theta_k}\bigl(<<layer>>\bigr)$ from the
    origin with the thresholds $\theta_k=<<threshold>>$, where

    $$
    E_{k+1}=<<step>>,\qquad\rho=<<rho>>.
    $$

    Then after every number $K$ of layers

    $$
    <<quantity>> <<relation>> \underbrace{<<decay_term>>}_{\text{decay}}+
    \underbrace{<<noise_term>>}_{\text{noise}}+\underbrace{<<tail_term>>}_{\text{tail}}.
    $$

    The right-hand side is $E_K$. It is attained, for every $s$ and $K$, with noise and tail and
    without. If $<<falls>>$ it tends to a floor.
    """,
    assumptions=(
        Assumption(
            "$<<answer>>$ for all $i$",
            lambda _: _not_rescaled(),
            holds=_answer.agrees,
        ),
        _COHERENCE.assumption(_told_half_the_coherence, of=r" for all $i\ne j$"),
        *as_planned(_SCHEME, on_frame, 1),
        _SIGNAL.assumption(lambda: instances.larger(on_frame())),
        _NOISE.assumption(lambda: instances.noisier(on_frame())),
        Assumption(
            "the tail is no larger than told: $<<told_tail>>$, and "
            r"$<<told_leak>>$ for $i\notin S$",
            lambda _: instances.with_tail(on_frame()),
            holds=_tail_as_told,
        ),
    ),
    quantity=sum_of_errors_inside,
    relation=AT_MOST,
    bound=certificate,
    where={rho: rate},
    formulas={
        "threshold": threshold,
        "step": step,
        "falls": falls,
        "decay_term": decay,
        "noise_term": noise_term,
        "tail_term": tail_term,
    },
    definitions={
        "measured": MEASURED,
        "outside": OUTSIDE,
        **_assumed,
        "layer": layer(weighted=True),
    },
    draw=_draw,
    attained=_extremal,
    nearby=_nearby,
    measure=Recovery.measure,
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
                step.subs(rho, rate),
            ),
            Step.at_most(
                r"which grows with $\|e\|_1$, so that $\|e\|_1=E_k-d\le E_k$ does no harm.",
                step.subs(E, E - _slack),
                step,
                gap=rho * _slack,
            ),
            Step.equal(
                r"The closed form, which is $E_0$ for $K=0$, obeys it.",
                certificate.subs(K, k + 1),
                step.subs(E, certificate.subs(K, k)),
            ),
            Step.at_most(
                r"For $\rho<1$ its sum is bounded however many layers there are.",
                geometric,
                1 / (1 - rho),
                gap=rho**K / (1 - rho),
                domain=(falls,),
            ),
        )
    ),
)

FIXED_THRESHOLDS_SUPPORT = replace(
    FIXED_THRESHOLDS,
    name="rip.fixed-thresholds-support",
    title="Nothing outside the support",
    statement=r"""
    Under the assumptions of {prf:ref}`Thresholds fixed in advance <thm-rip-fixed-thresholds>`,
    no layer has an entry outside $S$ that is not zero. Counted over all of them, for every $K$,

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
    same="rip.fixed-thresholds",
    attained=None,
    nearby=None,
    values=lambda _: {},
    derivation=Derivation(FIXED_THRESHOLDS.derivation.steps[:3]),
)
