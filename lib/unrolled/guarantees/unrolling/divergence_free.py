"""The divergence-free linear step of OAMP: what it does when the denoiser does nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import (
    EQUAL,
    Assumption,
    Definition,
    Derivation,
    Step,
    Theorem,
    draw,
)
from unrolled.guarantees.notation import Norm
from unrolled.guarantees.unrolling.instances import (
    IdentityDenoiser,
    divergence_free_step,
    normalisation,
    row_orthogonal,
)
from unrolled.guarantees.unrolling.symbols import A, K, lam, measurements, unknowns
from unrolled.sensing import DenseOperator


def _draw_layers(generator: torch.Generator) -> IdentityDenoiser:
    n = draw.integer(generator, 4, 24)
    m = draw.integer(generator, 1, n - 1)
    operator = row_orthogonal(m, n, generator=generator)
    noise = torch.randn(2, m, generator=generator, dtype=torch.float64)
    signal = torch.randn(1, n, generator=generator, dtype=torch.float64)
    lam = 10 ** draw.uniform(generator, -3, 1)
    return IdentityDenoiser(
        operator, draw.integer(generator, 1, 5), lam, operator.adjoint(noise[:1]), signal
    )


def _quarter(generator: torch.Generator, **changes: Any) -> IdentityDenoiser:
    instance = _draw_layers(generator)
    operator = row_orthogonal(4, 16, generator=generator)
    error = operator.adjoint(torch.randn(1, 4, generator=generator, dtype=torch.float64))
    signal = torch.zeros(1, 16, dtype=torch.float64)
    plain = replace(instance, operator=operator, error=error, signal=signal, depth=4)
    return replace(plain, **changes)


def _rescaled(generator: torch.Generator) -> IdentityDenoiser:
    # Rows of different lengths: an error along the longest grows by more than n/m − 1.
    lengths = torch.tensor([[2.0], [1.0], [1.0], [0.5]], dtype=torch.float64)
    rows = lengths * row_orthogonal(4, 16, generator=generator).dense()
    return _quarter(generator, operator=DenseOperator(rows), error=rows[:1])


def _outside(generator: torch.Generator) -> IdentityDenoiser:
    # No layer moves an error in the null space.
    instance = _quarter(generator)
    error = torch.randn(1, 16, generator=generator, dtype=torch.float64)
    return replace(instance, error=error - _in_row_space(instance.operator, error))


def _noisy(generator: torch.Generator) -> IdentityDenoiser:
    # x_0 fits the noise already, and no layer moves it.
    instance = _quarter(generator, noise=1.0)
    return replace(instance, error=instance.operator.adjoint(instance.y))


def _in_row_space(operator: DenseOperator, x: Tensor) -> Tensor:
    """The part of x (B, n) in the row space of A."""
    return x @ torch.linalg.pinv(operator.dense()) @ operator.dense()


def _estimator(instance: IdentityDenoiser) -> Tensor:
    """What W_λ is in the library, (n, m)."""
    unit = torch.eye(instance.operator.shape[0], dtype=torch.float64)
    return instance.operator.lmmse(unit, instance.lam).T


def _of_errors(instance: IdentityDenoiser) -> Tensor:
    """What a layer multiplies errors by in the library, (n, n)."""
    m, n = instance.operator.shape
    unit, nothing = torch.eye(n, dtype=torch.float64), torch.zeros(n, m, dtype=torch.float64)
    return divergence_free_step(instance.operator, unit, nothing, instance.lam).T


def _rows_are_orthonormal(instance: IdentityDenoiser) -> bool:
    rows = instance.operator.dense()
    return torch.allclose(rows @ rows.T, torch.eye(len(rows), dtype=rows.dtype), rtol=0, atol=1e-9)


def _starts_in_row_space(instance: IdentityDenoiser) -> bool:
    outside = instance.error - _in_row_space(instance.operator, instance.error)
    return bool(outside.norm() <= 1e-9 * instance.error.norm())


_mu = sp.Symbol("mu", positive=True)
_i = sp.Symbol("i", integer=True)
_gamma = unknowns * (1 + lam) / measurements
_few = sp.Lt(measurements, unknowns / 2)

# The layer, as matrices.
_scale = sp.Symbol("gamma", positive=True)
_W = sp.MatrixSymbol("W_lambda", unknowns, measurements)
_x, _signal = (sp.MatrixSymbol(name, unknowns, 1) for name in ("x", r"x^\star"))
_y = sp.MatrixSymbol("y", measurements, 1)
_identity = sp.MatrixSymbol("I", unknowns, unknowns)
_identity_m = sp.MatrixSymbol("I", measurements, measurements)
_first, _last, _truth = sp.symbols(r"x_0 x_K x^\star")

DIVERGENCE_FREE = Theorem(
    name="unrolling.divergence-free",
    title="A divergence-free step with nothing to hold it",
    statement=r"""
        Let $A\in\mathbb R^{m\times n}$ have orthonormal rows, fewer of them than columns, and let
        each layer be the divergence-free step $x\leftarrow <<layer>>$, with $y=<<measured>>$ and
        $W_\lambda=<<estimator>>$, followed by the identity as its denoiser; $\gamma$ is such that
        $<<errors>>$, by which the layer multiplies the error, has trace zero. If the first error
        lies in the row space of $A$, then after $K$ layers

        $$
        <<quantity>> <<relation>> <<bound>>.
        $$

        So for $<<few>>$ the error grows in every layer, whatever the positive $\lambda$ is.
        """,
    assumptions=(
        Assumption(
            "the denoiser is the identity",
            lambda generator: _quarter(generator, threshold=10.0),
            holds=lambda instance: instance.threshold == 0,
        ),
        Assumption(r"the rows of $A$ are orthonormal", _rescaled, holds=_rows_are_orthonormal),
        Assumption(
            "the first error is not zero and lies in the row space of $A$",
            _outside,
            holds=_starts_in_row_space,
        ),
        Assumption("there is no noise", _noisy, holds=lambda instance: instance.noise == 0),
    ),
    quantity=Norm(_last - _truth) / Norm(_first - _truth),
    relation=EQUAL,
    bound=sp.Abs(unknowns / measurements - 1) ** K,
    formulas={"few": _few},
    definitions={
        "layer": Definition(
            _x + _scale * _W * (_y - A * _x),
            values=lambda instance: {
                _x: instance.start.T,
                _y: instance.y.T,
                A: instance.operator.dense(),
                _W: _estimator(instance),
                _scale: normalisation(instance.operator, instance.lam),
            },
            code=lambda instance: (
                divergence_free_step(instance.operator, instance.start, instance.y, instance.lam).T
            ),
        ),
        "measured": Definition(
            A * _signal,
            values=lambda instance: {A: instance.operator.dense(), _signal: instance.signal.T},
            code=lambda instance: instance.y.T,
        ),
        "estimator": Definition(
            A.T * (A * A.T + lam * _identity_m).inv(),
            values=lambda instance: {
                A: instance.operator.dense(),
                _identity_m: torch.eye(instance.operator.shape[0], dtype=torch.float64),
                lam: instance.lam,
            },
            code=_estimator,
        ),
        "errors": Definition(
            _identity - _scale * _W * A,
            values=lambda instance: {
                _identity: torch.eye(instance.operator.shape[1], dtype=torch.float64),
                A: instance.operator.dense(),
                _W: _estimator(instance),
                _scale: normalisation(instance.operator, instance.lam),
            },
            code=_of_errors,
        ),
    },
    draw=_draw_layers,
    measure=lambda instance: {
        _last: instance.end(),
        _first: instance.start,
        _truth: instance.signal,
    },
    values=lambda instance: {
        measurements: instance.operator.shape[0],
        unknowns: instance.operator.shape[1],
        K: instance.depth,
    },
    # Where n/m is near 1 the bound is small beside the rounding of the first layers.
    slack=1e-6,
    source="Proved in the chapter. The linear step is that of Ma and Ping (2017).",
    derivation=Derivation(
        (
            Step.equal(
                r"For $AA^\top=I$ the matrix $W_\lambda A=A^\top A/(1+\lambda)$ has the "
                r"eigenvalue $1/(1+\lambda)$ $m$ times and otherwise $0$, so that $\gamma$, $n$ "
                r"over the trace, is",
                unknowns / sp.Sum(1 / (1 + lam), (_i, 1, measurements)),
                _gamma,
            ),
            Step.equal(
                r"A layer multiplies the error at an eigenvalue $\mu$ of $A^\top A$ by "
                r"$1-\gamma\mu/(\mu+\lambda)$, and on the row space $\mu=1$:",
                sp.Subs(1 - _mu * _gamma / (_mu + lam), _mu, 1),
                -(unknowns / measurements - 1),
            ),
            Step.equal(
                "after $K$ layers by a factor of size",
                sp.Product(sp.Abs(1 - unknowns / measurements), (_i, 1, K)),
                sp.Abs(unknowns / measurements - 1) ** K,
            ),
            Step.less(
                "which is larger than one if the rows are few.",
                1,
                unknowns / measurements - 1,
                gap=(unknowns - 2 * measurements) / measurements,
                domain=(_few, unknowns >= 3),
            ),
        )
    ),
)
