"""The divergence-free linear step of OAMP: what it does when the denoiser does nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp
import torch

from unrolled.guarantees import EQUAL, Assumption, Derivation, Step, Theorem, draw
from unrolled.guarantees.unrolling.instances import IdentityDenoiser, row_orthogonal
from unrolled.guarantees.unrolling.symbols import K, lam, measurements, unknowns
from unrolled.sensing import with_spectrum


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


def _not_orthogonal(generator: torch.Generator) -> IdentityDenoiser:
    # Rows of different lengths: the long ones grow by more than n/m − 1, the short ones by less.
    spectrum = torch.cat((torch.tensor([4.0, 1.0, 1.0, 0.25]), torch.zeros(12))).double()
    operator = with_spectrum(spectrum, m=4, generator=generator, dtype=torch.float64)
    error = operator.adjoint(torch.randn(1, 4, generator=generator, dtype=torch.float64))
    return _quarter(generator, operator=operator, error=error, lam=1.0)


def _outside(generator: torch.Generator) -> IdentityDenoiser:
    instance = _quarter(generator)
    error = torch.randn(1, 16, generator=generator, dtype=torch.float64)
    return replace(
        instance, error=error - instance.operator.adjoint(instance.operator.forward(error))
    )


def _noisy(generator: torch.Generator) -> IdentityDenoiser:
    return _quarter(generator, noise=1.0)


_mu = sp.Symbol("mu", positive=True)
_i = sp.Symbol("i", integer=True)
_gamma = unknowns * (1 + lam) / measurements

DIVERGENCE_FREE = Theorem(
    name="unrolling.divergence-free",
    title="A divergence-free step with nothing to hold it",
    statement=r"""
        Let $A\in\mathbb R^{m\times n}$ have orthonormal rows, $m<n$, and let each layer be the
        divergence-free step $x\leftarrow x+\gamma W_\lambda(y-Ax)$, with $y=Ax^\star$, followed by
        the identity as its denoiser. If the first error lies in the row space of $A$, then after
        $K$ layers

        $$
        <<quantity>> <<relation>> <<bound>>.
        $$

        So for $m<n/2$ the error grows in every layer, whatever $\lambda>0$ is.
        """,
    assumptions=(
        Assumption(
            "the denoiser is the identity", lambda generator: _quarter(generator, threshold=10.0)
        ),
        Assumption(r"the rows of $A$ are orthonormal", _not_orthogonal),
        Assumption("the first error lies in the row space of $A$", _outside),
        Assumption("there is no noise", _noisy),
    ),
    quantity=r"\frac{\|x_K-x^\star\|}{\|x_0-x^\star\|}",
    relation=EQUAL,
    bound=sp.Abs(unknowns / measurements - 1) ** K,
    draw=_draw_layers,
    measure=IdentityDenoiser.growth,
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
        )
    ),
)
