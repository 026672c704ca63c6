"""Polyak's heavy ball: two fixed numbers reach the rate of the best layer-wise steps."""

from __future__ import annotations

import sympy as sp
import torch

from unrolled.checks import check_kind, check_number
from unrolled.guarantees import EQUAL, Assumption, Definition, Derivation, Step, Theorem, evaluate
from unrolled.guarantees.convergence.symbols import A, accelerated_rate, kappa, lam, r, x, y
from unrolled.guarantees.draw import uniform
from unrolled.iterations import heavy_ball, heavy_ball_parameters
from unrolled.sensing import DenseOperator

_m, _M = sp.symbols("m M", positive=True)
_step = (1 + r) ** 2 / _M
_momentum = r**2
# Of the iteration matrix at an eigenvalue, with m scaled to 1.
_scaled = {r: accelerated_rate, _M: kappa}
_trace = (1 + _momentum - _step * lam).subs(_scaled)

_radius = sp.Symbol("varrho", nonnegative=True)
_before = sp.MatrixSymbol("z", *x.shape)  # the iterate before x
_eta, _beta = sp.symbols("eta beta", nonnegative=True)


def _draw_eigenvalue(generator: torch.Generator) -> tuple[float, float]:
    condition = 1000 ** uniform(generator, 0.01, 1)
    return condition, uniform(generator, 1, condition)


def _too_large(generator: torch.Generator) -> tuple[float, float]:
    condition, _ = _draw_eigenvalue(generator)
    return condition, 2 * condition


def heavy_ball_radius(instance: tuple[float, float]) -> float:
    """Spectral radius of heavy ball's iteration matrix for (κ, λ), eigenvalues scaled to [1, κ].

    ValueError unless `instance` is a pair of finite numbers with κ ≥ 1.
    """
    check_kind("instance", instance, tuple)
    if len(instance) != 2:
        raise ValueError(f"instance has {len(instance)} entries; the pair (κ, λ) is needed")
    condition, eigenvalue = (check_number("instance", number) for number in instance)
    if condition < 1:
        raise ValueError(f"instance has κ = {condition}; κ ≥ 1 is needed")
    step, momentum = heavy_ball_parameters(1.0, condition)
    matrix = torch.tensor(
        [[1 + momentum - step * eigenvalue, -momentum], [1, 0]], dtype=torch.float64
    )
    return float(torch.linalg.eigvals(matrix).abs().max())


def _known(instance: tuple[float, float]) -> dict[sp.Symbol, float]:
    condition, _ = instance
    return {r: evaluate(accelerated_rate, {kappa: condition}), _M: condition}


def _iterates(instance: tuple[float, float]) -> torch.Tensor:
    """Heavy ball on two eigenvalues, from 0 to a signal of ones, (4, 2, 1)."""
    condition, _ = instance
    return heavy_ball(_operator(instance), _measured(instance), low=1.0, high=condition, depth=3).mT


def _operator(instance: tuple[float, float]) -> DenseOperator:
    return DenseOperator(torch.diag(torch.tensor(instance, dtype=torch.float64).sqrt()))


def _measured(instance: tuple[float, float]) -> torch.Tensor:
    return _operator(instance).forward(torch.ones(1, 2, dtype=torch.float64))


HEAVY_BALL = Theorem(
    name="convergence.heavy-ball",
    title="Two fixed numbers reach the same rate",
    statement=r"""
        Polyak's heavy ball $x\leftarrow <<layer>>$, where $z$ is the iterate before $x$, with the
        fixed $\beta=<<momentum>>$ and $\eta=<<step>>$ multiplies the pair $(e_k,e_{k-1})$, at every
        eigenvalue in $[m,M]$, by a matrix whose spectral radius is

        $$
        <<quantity>> <<relation>> <<bound>>,\qquad r=<<r>>.
        $$

        So memory does what layer-wise steps do: asymptotically both gain a factor $r$ per layer.
        """,
    assumptions=(
        Assumption(
            "the eigenvalue lies in $[m,M]$, where $<<condition>>$",
            _too_large,
            lambda instance: 1 <= instance[1] <= instance[0],
        ),
        Assumption("there is no noise"),
    ),
    quantity=_radius,
    relation=EQUAL,
    bound=r,
    where={r: accelerated_rate},
    definitions={
        "layer": Definition(
            x + _eta * A.T * (y - A * x) + _beta * (x - _before),
            lambda instance: {
                A: _operator(instance).dense(),
                y: _measured(instance).T,
                x: _iterates(instance)[2],
                _before: _iterates(instance)[1],
                _eta: heavy_ball_parameters(1.0, instance[0])[0],
                _beta: heavy_ball_parameters(1.0, instance[0])[1],
            },
            lambda instance: _iterates(instance)[3],
        ),
        "momentum": Definition(
            _momentum, _known, lambda instance: heavy_ball_parameters(1.0, instance[0])[1]
        ),
        "step": Definition(
            _step, _known, lambda instance: heavy_ball_parameters(1.0, instance[0])[0]
        ),
        "condition": Definition(
            sp.Eq(_M, kappa * _m),
            lambda instance: {_m: 1.0, _M: instance[0], kappa: instance[0]},
        ),
    },
    draw=_draw_eigenvalue,
    measure=lambda instance: {_radius: heavy_ball_radius(instance)},
    values=lambda instance: {kappa: instance[0]},
    slack=1e-5,  # a double eigenvalue is computed to the square root of the precision
    source="Polyak (1964).",
    derivation=Derivation(
        (
            Step.at_most(
                r"The matrix has determinant $\beta=r^2$ and trace $1+\beta-\eta\lambda$. With $m$ "
                r"scaled to $1$ the trace is at most $2r$,",
                _trace,
                2 * accelerated_rate,
                gap=_step.subs(_scaled) * (lam - 1),
                domain=(lam >= 1,),
            ),
            Step.at_most(
                r"and at least $-2r$,",
                -2 * accelerated_rate,
                _trace,
                gap=_step.subs(_scaled) * (kappa - lam),
                domain=(lam <= kappa,),
            ),
            Step.equal(
                "so that the discriminant is nowhere positive: the eigenvalues are conjugate, or "
                r"one that is double, with product $r^2$, hence of modulus $r$. It vanishes at the "
                r"ends: here at $\lambda=\kappa$.",
                sp.Subs(_trace**2 - 4 * _momentum.subs(_scaled), lam, kappa),
                0,
            ),
        )
    ),
)
