"""The average error as a function of the steps has no bad local minimum."""

from __future__ import annotations

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_measure, check_size, check_vector
from unrolled.guarantees import AT_MOST, Assumption, Derivation, Step, Theorem
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.symbols import J_best

_lam = sp.Symbol("lambda", real=True)
_reached = sp.Symbol(r"J(\eta^{\text{end}})")


def descend(
    eigenvalues: Tensor, weights: Tensor, start: Tensor, *, iterations: int = 500
) -> Tensor:
    """Minimise J(η) from `start` by damped Gauss–Newton: the steps (K,) at the end.

    A descent method that sees only J's residuals √ν_i p(λ_i) and knows nothing of Gauss nodes.

    Args:
        eigenvalues, weights: (n,), float64, nonnegative and finite.
        start: (K,), float64, finite.

    Raises:
        ValueError: arguments other than these.
    """
    check_measure(eigenvalues, weights)
    check_vector("start", start, eigenvalues.dtype)
    check_size("iterations", iterations)
    steps, damping = start.clone(), 1e-2
    # Exact arithmetic keeps equal steps equal; rounding would not.
    tied = bool((start == start[0]).all())
    root = weights.sqrt()

    def residual(eta: Tensor) -> Tensor:
        return root * instances.polynomial(eigenvalues, eta)

    current = residual(steps)
    identity = torch.eye(len(steps), dtype=steps.dtype)
    for _ in range(iterations):
        factors = 1 - steps[:, None] * eigenvalues
        others = torch.stack([_leave_one_out(factors, k) for k in range(len(steps))])
        jacobian = -(root * eigenvalues * others).T  # (n, K)
        normal = jacobian.T @ jacobian
        scale = normal.diagonal().max()
        proposal = steps - torch.linalg.solve(
            normal + damping * scale * identity, jacobian.T @ current
        )
        if tied:
            proposal = proposal.mean().expand(len(steps)).clone()
        new = residual(proposal)
        if new.square().sum() < current.square().sum():
            steps, current, damping = proposal, new, max(damping / 4, 1e-14)
        else:
            damping = damping * 4
            if damping > 1e8:
                break
    return steps


def _leave_one_out(factors: Tensor, k: int) -> Tensor:
    return torch.cat((factors[:k], factors[k + 1 :])).prod(0)


def _descent(instance: instances.Unrolled) -> float:
    """Loss after descending from the instance's steps."""
    end = descend(instance.eigenvalues, instance.weights, instance.steps)
    return instance.with_steps(end).squared_error()


def _leave_one_out_determinant(depth: int) -> Step:
    etas = sp.symbols(f"eta_1:{depth + 1}", real=True)
    polynomials = [sp.prod(1 - e * _lam for e in etas if e != eta) for eta in reversed(etas)]
    matrix = sp.Matrix(
        [[sp.Poly(p, _lam).coeff_monomial(_lam**j) for j in range(depth)] for p in polynomials]
    )
    differences = sp.prod(etas[i] - etas[j] for i in range(depth) for j in range(i + 1, depth))
    ring = matrix.to_DM()  # computes in the polynomial ring, far faster than on expressions
    return Step.equal("case", ring.domain.to_sympy(ring.det()), differences)


BENIGN = Theorem(
    name="convergence.benign",
    title="No bad local minima",
    statement=r"""
        Every critical point of $J$ is a global minimum or a strict saddle with two equal steps, and
        $J$ grows without bound as the steps do. Gradient flow from any start whose steps all differ
        converges to a global minimum:

        $$
        <<quantity>> <<relation>> <<bound>>.
        $$
        """,
    assumptions=(
        Assumption(
            "no two steps are equal at the start",
            instances.equal_start,
            lambda instance: len(instance.steps.unique()) == instance.depth,
        ),
        Assumption(r"$\nu$ has at least $K$ positive points of support"),
    ),
    quantity=_reached,
    relation=AT_MOST,
    bound=J_best,
    draw=instances.random_start,
    attained=instances.random_start,
    measure=lambda instance: {_reached: _descent(instance)},
    values=lambda instance: {J_best: instances.best_error(instance)},
    slack=1e-4,
    source="Proved in the chapter.",
    derivation=Derivation(
        (
            Step.cases(
                r"The polynomials $g_k=\prod_{j\ne k}(1-\eta_j\lambda)$ have this determinant in "
                r"the basis $1,\lambda,\dots,\lambda^{K-1}$: when the steps are distinct they span "
                "all polynomials of degree below $K$, and a zero gradient says that $p$ is "
                r"orthogonal to $\lambda$ times each of those.",
                _leave_one_out_determinant,
                range(3, 6),
            ),
        )
    ),
)
