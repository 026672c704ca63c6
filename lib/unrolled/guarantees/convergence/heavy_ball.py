"""Polyak's heavy ball: two fixed numbers reach the rate of the best layer-wise steps."""

from __future__ import annotations

import sympy as sp
import torch

from unrolled.guarantees import EQUAL, Assumption, Derivation, Step, Theorem
from unrolled.guarantees.convergence.symbols import accelerated_rate, kappa, r
from unrolled.guarantees.draw import uniform
from unrolled.iterations import heavy_ball_parameters

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
        <<quantity>> <<relation>> <<bound>>,\qquad r=<<r>>.
        $$

        So memory does what layer-wise steps do: asymptotically both gain a factor $r$ per layer.
        """,
    assumptions=(Assumption(r"the eigenvalue lies in $[m,M]$, $M=\kappa m$", _too_large),),
    quantity=r"\varrho",
    relation=EQUAL,
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
