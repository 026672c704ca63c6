"""Two remarks beyond layer-wise steps on quadratics: heavy ball, and silver steps."""

from __future__ import annotations

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees.convergence.expressions import accelerated_rate, kappa, r
from unrolled.guarantees.derivation import Derivation, Step
from unrolled.guarantees.draw import uniform
from unrolled.guarantees.theorem import Assumption, Theorem
from unrolled.iterations import check_depth, heavy_ball_parameters

_eta = (1 + accelerated_rate) ** 2 / kappa
_lam = sp.Symbol("lambda", positive=True)
_trace = 1 + accelerated_rate**2 - _eta * _lam


def _draw_eigenvalue(generator: torch.Generator) -> tuple[float, float]:
    condition = 1000 ** uniform(generator, 0.01, 1)
    return condition, uniform(generator, 1, condition)


def _too_large(generator: torch.Generator) -> tuple[float, float]:
    condition, _ = _draw_eigenvalue(generator)
    return condition, 2 * condition


def heavy_ball_radius(instance: tuple[float, float]) -> float:
    """Spectral radius of heavy ball's iteration matrix for (κ, λ), eigenvalues scaled to [1, κ]."""
    condition, eigenvalue = instance
    step, momentum = heavy_ball_parameters(1.0, condition)
    matrix = torch.tensor(
        [[1 + momentum - step * eigenvalue, -momentum], [1, 0]], dtype=torch.float64
    )
    return float(torch.linalg.eigvals(matrix).abs().max())


HEAVY_BALL = Theorem(
    name="convergence.heavy-ball",
    title="Two fixed numbers reach the same rate",
    statement=r"""
        Polyak's heavy ball $x\leftarrow x+\eta A^\top(y-Ax)+\beta(x-x^-)$ with the fixed
        $\beta=r^2$ and $\eta=(1+r)^2/M$ multiplies the pair $(e_k,e_{k-1})$, at every eigenvalue
        in $[m,M]$, by a matrix whose spectral radius is

        $$
        {quantity} {relation} {bound},\qquad r={r}.
        $$

        So memory does what layer-wise steps do: asymptotically both gain a factor $r$ per layer.
        """,
    assumptions=(Assumption(r"the eigenvalue lies in $[m,M]$, $M=\kappa m$", _too_large),),
    quantity=r"\varrho",
    relation="=",
    bound=r,
    where={r: accelerated_rate},
    draw=_draw_eigenvalue,
    measure=heavy_ball_radius,
    values=lambda instance: {kappa: instance[0]},
    slack=1e-5,  # a double eigenvalue is computed to the square root of the precision
    source="Polyak (1964).",
    derivation=Derivation(
        (
            Step.equal(
                r"The matrix has determinant $r^2$ and trace $1+r^2-\eta\lambda$. At $\lambda=1$ "
                r"(scaled to $m=1$) the trace is $2r$: its eigenvalue $r$ is double,",
                _trace.subs(_lam, 1),
                2 * accelerated_rate,
            ),
            Step.equal(
                r"at $\lambda=\kappa$ its eigenvalue $-r$ is,",
                _trace.subs(_lam, kappa),
                -2 * accelerated_rate,
            ),
            Step.equal(
                r"and the trace is linear in $\lambda$, so in between it lies in $[-2r,2r]$: both "
                r"eigenvalues are complex, of modulus $\sqrt{\det}=r$.",
                sp.Derivative(_trace, _lam, _lam),
                0,
            ),
        )
    ),
)


def huber_gap(steps: Tensor, *, thresholds: int = 2000) -> float:
    """Largest f(x_K) − min f over the Huber functions, from x_0 = 1 with these steps.

    f_δ(x) = x²/2 for |x| ≤ δ and δ|x| − δ²/2 beyond, convex and 1-smooth, for δ in (0, 1].
    """
    delta = torch.linspace(1 / thresholds, 1, thresholds, dtype=torch.float64)
    x = torch.ones_like(delta)
    for step in steps.tolist():
        x = x - step * x.clamp(min=-delta, max=delta)
    inside = x.abs() <= delta
    gap = torch.where(inside, x**2 / 2, delta * x.abs() - delta**2 / 2)
    return float(gap.max())


def best_constant_huber_gap(depth: int) -> float:
    """The least `huber_gap` of a constant step, over a fine grid of steps in [0.5, 2]."""
    check_depth(depth)
    grid = torch.linspace(0.5, 2.0, 601, dtype=torch.float64)
    return min(huber_gap(step.expand(depth)) for step in grid)
