"""Theorem 2b: isometry constants in place of coherence, still without a false positive."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import draw
from unrolled.guarantees.derivation import Derivation, Step
from unrolled.guarantees.rip import instances
from unrolled.guarantees.rip.instances import E0, E, K, Recovery, Schedule, Scheme, k, s
from unrolled.guarantees.rip.isometry import isometry_constant
from unrolled.guarantees.theorem import Assumption, Theorem, evaluate
from unrolled.sensing import DenseOperator, equiangular_frame, gaussian

delta_s = sp.Symbol(r"\delta_{s}", nonnegative=True)
delta_next = sp.Symbol(r"\delta_{s+1}", nonnegative=True)
epsilon = sp.Symbol("epsilon", nonnegative=True)
rho, beta = sp.symbols("rho beta", nonnegative=True)

rate = delta_s + sp.sqrt(s) * delta_next
gain = (1 + sp.sqrt(s)) * sp.sqrt(1 + delta_s)
threshold = delta_next * E + sp.sqrt(1 + delta_s) * epsilon
certificate_step = rate * E + gain * epsilon
_SCHEME = Scheme(threshold, certificate_step)

# The two terms of the closed form.
decay = rho**K * E0
noise_term = beta * epsilon * (1 - rho**K) / (1 - rho)
certificate = decay + noise_term

# Below this δ_{s+1} the certificate decreases.
largest_constant = 1 / (1 + sp.sqrt(s))


def isometry_schedule(
    delta_s: float,
    delta_next: float,
    sparsity: int,
    start: float,
    *,
    noise: float = 0.0,
    depth: int,
) -> Schedule:
    """The thresholds δ_{s+1}E_k + √(1 + δ_s)·ε and the certificate E_k made of isometry.

    With them x ← S_{θ_k}(x + Aᵀ(y − Ax)) has no false positive, and ‖x^k − x*‖₂ ≤ E_k.

    delta_s, delta_next: δ_s and δ_{s+1} ≥ δ_s of A, or upper bounds. sparsity: s, of x*.
    start: E_0 ≥ ‖x*‖₂. noise: ε ≥ ‖w‖₂. depth: K ≥ 1. All but s and K are ≥ 0.
    Where δ_{s+1} < 1/(1 + √s) the certificate falls to a floor; otherwise it may grow.
    Raises ValueError for anything else.
    """
    instances.check_schedule(
        sparsity, depth, delta_s=delta_s, delta_next=delta_next, start=start, noise=noise
    )
    if delta_next < delta_s:
        raise ValueError(f"delta_next is {delta_next}; δ_(s+1) ≥ δ_s = {delta_s} is needed")
    return _SCHEME.schedule(_told(delta_s, delta_next, sparsity, noise) | {E0: start, K: depth})


def _told(
    constant: float, next_constant: float, sparsity: int, noise: float
) -> dict[sp.Symbol, float]:
    return {delta_s: constant, delta_next: next_constant, s: sparsity, epsilon: noise}


Known = tuple[DenseOperator, int, float, float]  # A, s, δ_s, δ_{s+1}


@cache
def _pool() -> tuple[Known, ...]:
    """Matrices on which the certificate decreases, with their exact constants, computed once."""
    generator = torch.Generator().manual_seed(2)
    known = [_known(equiangular_frame(dtype=torch.float64), 1)]
    known += [
        _known(gaussian(40, 12, generator=generator, dtype=torch.float64, unit_columns=True), 1)
        for _ in range(4)
    ]
    for sparsity, n in ((1, 8), (1, 20), (2, 14), (3, 16), (4, 20)):
        for _ in range(5):
            scale = draw.uniform(generator, 1, 1.08)
            operator = instances.nearly_orthonormal(n - 1, n, generator=generator, scale=scale)
            known.append(_known(operator, sparsity))
    return tuple(matrix for matrix in known if matrix[2] + matrix[1] ** 0.5 * matrix[3] < 1)


def _known(operator: DenseOperator, sparsity: int) -> Known:
    constants = (float(isometry_constant(operator, order)) for order in (sparsity, sparsity + 1))
    return (operator, sparsity, *constants)


def _draw(generator: torch.Generator) -> Recovery:
    if draw.integer(generator, 0, 7) == 0:
        return _extremal(generator)
    known = _pool()[draw.integer(generator, 0, len(_pool()) - 1)]
    m, n = known[0].shape
    signal, support = instances.random_signal(generator, n, known[1])
    signal = signal * 10 ** draw.uniform(generator, -3, 3)
    noise = torch.randn(1, m, generator=generator, dtype=torch.float64)
    size = 10 ** draw.uniform(generator, -4, -1) * draw.integer(generator, 0, 1)
    noise = noise * size * signal.norm() / noise.norm()
    more = draw.uniform(generator, 1, 1.5) ** draw.integer(generator, 0, 1)
    return _recovery(generator, known, signal, support, noise, more)


def _recovery(
    generator: torch.Generator,
    known: Known,
    signal: Tensor,
    support: Tensor,
    noise: Tensor,
    more: float = 1.0,
) -> Recovery:
    # The theorem may be told more than the truth: `more` times as much.
    operator, sparsity, *constants = known
    told = _told(*constants, sparsity, more * float(noise.norm()))
    depth = instances.depth_for(generator, evaluate(rate, told))
    told |= {E0: more * float(signal.norm()), K: depth}
    return Recovery.planned(_SCHEME, operator, operator.dense(), signal, support, noise, told)


def _extremal(generator: torch.Generator) -> Recovery:
    """Columns at equal obtuse angles and equal entries, all known exactly: every step is tight."""
    sparsity = draw.integer(generator, 1, 6)
    cosine = draw.uniform(generator, 0.3, 0.9) / (sparsity * (1 + sparsity**0.5))
    operator = instances.simplex(sparsity + 1, cosine)
    # The Gram matrix of j columns has the eigenvalues 1 − (j − 1)·cosine and, if j > 1, 1 + cosine.
    constants = ((sparsity - 1) * cosine, sparsity * cosine)
    support = torch.arange(sparsity + 1) < sparsity
    signal = torch.where(support, 1.0, 0.0).double()[None, :]
    noise = torch.zeros(1, sparsity + 1, dtype=torch.float64)
    return _recovery(generator, (operator, sparsity, *constants), signal, support, noise)


def _on_frame() -> Recovery:
    return instances.one_on_frame(_SCHEME, _told(0.0, 1 / 3, 1, 0.0))


def _understated(_: torch.Generator) -> Recovery:
    instance = _on_frame()
    told = {**instance.told, delta_next: instance.told[delta_next] / 2}
    return replace(instance, thresholds=_SCHEME.schedule(told).thresholds, told=told)


_slack = sp.Symbol("d", nonnegative=True)
_below = sp.Symbol("q", positive=True)

_STATEMENT = r"""
    Let $x^\star$ have at most $s$ nonzero entries, on $S$, and run
    $x^{k+1}=S_{\theta_k}\bigl(x^k+A^\top(y-Ax^k)\bigr)$ from $x^0=0$ on $y=Ax^\star+w$. Fix in
    advance the thresholds $\theta_k={threshold}$, where

    $$
    E_{k+1}=\rho E_k+\beta\epsilon,\qquad \rho={rho},\qquad \beta={beta}.
    $$
    """

_SHARED = (
    Assumption(r"$\delta_s$ and $\delta_{s+1}$ are isometry constants of $A$", _understated),
    Assumption(
        r"the thresholds are $\theta_k$, no smaller ones",
        lambda _: instances.smaller_thresholds(_on_frame()),
    ),
    Assumption(
        r"$x^\star$ has at most $s$ nonzero entries",
        lambda generator: instances.denser(_on_frame(), generator, 2),
    ),
    Assumption(r"$\|x^\star\|_2\le E_0$", lambda _: instances.larger(_on_frame())),
    Assumption(
        r"$\|w\|_2\le\epsilon$", lambda generator: instances.noisier(_on_frame(), generator)
    ),
)

ISOMETRY_THRESHOLDS = Theorem(
    name="rip.isometry-thresholds",
    title="Thresholds from isometry constants",
    statement=_STATEMENT
    + r"""
    Then after every number $K$ of layers

    $$
    {quantity} {relation} {bound}.
    $$

    The right-hand side is $E_K$. Without noise it is attained, for every $s$ and $K$. It
    decreases to a floor if $\delta_{s+1}<{largest}$.
    """,
    assumptions=(
        *_SHARED,
        Assumption(r"$\rho<1$, without which $E_K$ holds too, but grows with $K$"),
    ),
    quantity=r"\|x^K-x^\star\|_2",
    relation="<=",
    bound=certificate,
    where={rho: rate, beta: gain},
    formulas={"threshold": threshold, "largest": largest_constant},
    draw=_draw,
    measure=lambda instance: instance.error(2),
    values=lambda instance: instance.told,
    slack=1e-6,
    source=(
        r"Proved in the chapter; Xiao and Zhang (2013) need no factor $\sqrt s$, but allow false "
        "positives."
    ),
    derivation=Derivation(
        (
            Step.equal(
                r"For $i\notin S$ the layer's input is at most $\delta_{s+1}\|e\|_2+"
                r"\sqrt{1+\delta_s}\,\epsilon$, and for $\|e\|_2=E_k-d\le E_k$ what is "
                "missing to the threshold is",
                threshold - (delta_next * (E - _slack) + sp.sqrt(1 + delta_s) * epsilon),
                delta_next * _slack,
            ),
            Step.equal(
                r"On $S$ it misses $x^\star$ by at most $\delta_s\|e\|_2+\sqrt{1+\delta_s}\,"
                r"\epsilon$, and thresholding $s$ entries adds $\sqrt s\,\theta_k$. With "
                r"$\|e\|_2=E_k$ this is the recursion,",
                delta_s * E + sp.sqrt(1 + delta_s) * epsilon + sp.sqrt(s) * threshold,
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
                certificate.subs(K, k + 1),
                rho * certificate.subs(K, k) + beta * epsilon,
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
    statement=_STATEMENT
    + r"""
    Then no layer has a false positive: for every $K$

    $$
    {quantity} {relation} {bound}.
    $$
    """,
    assumptions=_SHARED,
    quantity=r"\#\{(i,k):i\notin S,\ k\le K,\ x^k_i\ne0\}",
    relation="=",
    bound=sp.Integer(0),
    measure=Recovery.false_positives,
    values=lambda _: {},
    derivation=Derivation(ISOMETRY_THRESHOLDS.derivation.steps[:3]),
)
