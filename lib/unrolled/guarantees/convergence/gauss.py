"""What training converges to: reciprocal Gauss nodes, and no steps do better on average."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth, check_measure
from unrolled.guarantees import (
    AT_LEAST,
    EQUAL,
    Assumption,
    Definition,
    Derivation,
    NoDerivation,
    Step,
    Theorem,
)
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.definitions import NOISELESS
from unrolled.guarantees.convergence.symbols import mean_square
from unrolled.guarantees.notation import over
from unrolled.iterations import gauss_steps

_lam, _g, _eta = sp.symbols("lambda g eta", real=True)

# Σ q_j(0)² over polynomials orthonormal for ν.
S = sp.Symbol("S", positive=True)
_c1, _c2, _c3, _q1, _q2, _q3 = sp.symbols("c_0 c_1 c_2 q_0 q_1 q_2", real=True)
_theta = sp.Symbol("theta_k", positive=True)
_p, _nu = sp.Symbol("p"), sp.Symbol(r"{\,d\nu}")


def christoffel_sum(eigenvalues: Tensor, weights: Tensor, depth: int) -> float:
    """S = Σ_{j=0}^{K} q_j(0)² over the orthonormal polynomials q_j of the measure, by Stieltjes.

    1/S is the smallest ∫p² dν over polynomials with p(0) = 1 and degree ≤ K.

    Args:
        eigenvalues, weights: (n,), nonnegative and finite; more than `depth` distinct eigenvalues
            of positive weight.

    Raises:
        ValueError: arguments other than these.
    """
    check_depth(depth)
    check_measure(eigenvalues, weights)
    if len(eigenvalues[weights > 0].unique()) <= depth:
        raise ValueError(
            f"depth is {depth}; more distinct eigenvalues of positive weight are needed"
        )
    previous, previous_at_zero = torch.zeros_like(eigenvalues), 0.0
    current = torch.ones_like(eigenvalues) / weights.sum().sqrt()
    current_at_zero = float(1 / weights.sum().sqrt())
    total, beta = current_at_zero**2, 0.0
    for _ in range(depth):
        alpha = float((weights * eigenvalues * current**2).sum())
        following = (eigenvalues - alpha) * current - beta * previous
        at_zero = -alpha * current_at_zero - beta * previous_at_zero
        beta = float((weights * following**2).sum().sqrt())
        previous, previous_at_zero = current, current_at_zero
        current, current_at_zero = following / beta, at_zero / beta
        total += current_at_zero**2
    return total


def _christoffel(instance: instances.Unrolled) -> dict[sp.Symbol, float]:
    return {S: christoffel_sum(instance.eigenvalues, instance.weights, instance.depth)}


def _perturbed(generator: torch.Generator) -> instances.Unrolled:
    instance = instances.best_average(generator)
    return instance.with_steps(instances.random_steps(generator, instance))


def _positive(generator: torch.Generator) -> instances.Unrolled:
    while True:
        instance = instances.best_average(generator)
        if instance.eigenvalues[0] > 0:
            return instance


def _wrong_weights(generator: torch.Generator) -> instances.Unrolled:
    # Fitted to an error at small eigenvalues, used on one at large ones.
    instance = _positive(generator)
    tilted = 10 ** torch.linspace(0, 2, len(instance.weights), dtype=torch.float64)
    used = replace(instance, weights=tilted / tilted.sum())
    return used.with_steps(gauss_steps(used.eigenvalues, used.weights.flip(0), used.depth))


def _too_deep(generator: torch.Generator) -> instances.Unrolled:
    # One root for each eigenvalue, which are more than K: p vanishes on the support.
    instance = _positive(generator)
    unneeded = len(instance.eigenvalues) - instance.depth
    return replace(instance, steps=1 / instance.eigenvalues, extra=unneeded)


def _gauss_nodes(instance: instances.Unrolled) -> Tensor:
    """The nodes of the K-point Gauss rule of λ dν, smallest first: λ compressed to polynomials."""
    powers = (instance.eigenvalues[:, None] / instance.high) ** torch.arange(instance.depth)
    weighed = (instance.weights * instance.eigenvalues).sqrt()[:, None] * powers
    basis = torch.linalg.qr(weighed).Q
    return torch.linalg.eigvalsh(basis.T @ (instance.eigenvalues[:, None] * basis))


def _fitted(instance: instances.Unrolled) -> bool:
    best = gauss_steps(instance.eigenvalues, instance.weights, instance.depth)
    return torch.allclose(instance.steps, best, rtol=1e-9)


_LAGRANGE = (
    (_c1 * _q2 - _c2 * _q1) ** 2 + (_c1 * _q3 - _c3 * _q1) ** 2 + (_c2 * _q3 - _c3 * _q2) ** 2
)
GAUSS = Theorem(
    name="convergence.gauss",
    title="The best steps on average are reciprocal Gauss nodes",
    statement=r"""
        Let the measure $\nu$ weigh each eigenvalue of $H$ by the mean square of the error
        that its eigenvectors carry at the start, and let $q_0,q_1,\dots$ be the orthonormal
        polynomials of $\nu$. Take $\eta_k=<<step>>$ with $\theta_1,\dots,\theta_K$ the nodes
        of the $K$-point Gauss rule of the measure $\lambda\,d\nu(\lambda)$. Then

        $$
        <<quantity>>=<<integral>> <<relation>> <<bound>>,
        $$

        with $S$ the sum of the squares of $q_0,\dots,q_K$ at zero. No steps do better, and the
        minimisers are the permutations of these.
        """,
    assumptions=(
        Assumption(
            r"the steps are fitted to the measure $\nu$ they are used on", _wrong_weights, _fitted
        ),
        Assumption(
            "there is no noise: $<<noiseless>>$",
            lambda generator: instances.silenced(instances.best_average(generator)),
            NOISELESS.agrees,
        ),
        Assumption(r"$\nu$ has more than $K$ points of support, at least $K$ of them positive"),
    ),
    quantity=mean_square,
    relation=EQUAL,
    bound=1 / S,
    definitions={
        "step": Definition(
            1 / _theta,
            lambda instance: {_theta: _gauss_nodes(instance)},
            lambda instance: instance.steps,
        ),
        "integral": Definition(
            over(r"\int", "sum", _p**2 * _nu),
            lambda instance: {
                _p: instances.polynomial(instance.eigenvalues, instance.steps),
                _nu: instance.weights,
            },
            instances.Unrolled.squared_error,
        ),
        "noiseless": NOISELESS,
    },
    draw=instances.best_average,
    measure=instances.measure_run,
    values=_christoffel,
    slack=1e-6,
    source="Gauss rules: Golub and Welsch (1969). Average-case view: Pedregosa and Scieur (2020).",
    derivation=Derivation(
        (
            Step.equal(
                r"Moving one step, with $p=(1-\eta\lambda)g$, changes $p$ by $-\lambda g$: the "
                r"gradient of $J$ is $-2\int p\,\lambda g_k\,d\nu$.",
                sp.Derivative((1 - _eta * _lam) * _g, _eta),
                -_lam * _g,
            ),
            Step.equal(
                r"Among $p=\sum c_jq_j$, Lagrange's identity compares $\sum c_j^2$ with "
                r"$p(0)^2=(\sum c_jq_j(0))^2$.",
                (_c1**2 + _c2**2 + _c3**2) * (_q1**2 + _q2**2 + _q3**2)
                - (_c1 * _q1 + _c2 * _q2 + _c3 * _q3) ** 2,
                _LAGRANGE,
                scope="three terms",
            ),
            Step.at_most(
                r"Hence $\int p^2d\nu=\sum c_j^2\ge1/S$ when $p(0)=1$,",
                (_c1 * _q1 + _c2 * _q2 + _c3 * _q3) ** 2,
                (_c1**2 + _c2**2 + _c3**2) * (_q1**2 + _q2**2 + _q3**2),
                gap=_LAGRANGE,
                scope="three terms",
            ),
            Step.equal(
                "with equality for $c_j=q_j(0)/S$.",
                sum((q / (_q1**2 + _q2**2 + 1)) ** 2 for q in (_q1, _q2, sp.Integer(1))),
                1 / (_q1**2 + _q2**2 + 1),
                scope="three terms, the last of them one",
            ),
        )
    ),
)
GAUSS_OPTIMAL = Theorem(
    name="convergence.gauss-optimal",
    title="No other steps do better on average",
    statement=r"""
        With $S$ as before, every choice of $K$ steps has

        $$
        <<quantity>> <<relation>> <<bound>>.
        $$
        """,
    assumptions=(
        Assumption(
            "the network has no more than $K$ layers",
            _too_deep,
            lambda instance: instance.extra == 0,
        ),
        Assumption(
            "there is no noise: $<<noiseless>>$",
            lambda generator: instances.solved_by_noise(_positive(generator)),
            NOISELESS.agrees,
        ),
        Assumption(r"$\nu$ has more than $K$ points of support"),
    ),
    quantity=mean_square,
    relation=AT_LEAST,
    bound=1 / S,
    definitions={"noiseless": NOISELESS},
    draw=_perturbed,
    nearby=instances.nearby_steps,
    measure=instances.measure_run,
    values=_christoffel,
    slack=1e-6,
    source="Christoffel's minimum property, classical.",
    derivation=NoDerivation(
        GAUSS.name,
        "this sweep is about the last sentence of the theorem, that no steps do better. The "
        "derivation above shows it for every $p$ with $p(0)=1$.",
    ),
    attained=instances.best_average,
    completes=GAUSS.name,
)
