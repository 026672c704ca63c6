"""The divergence-free linear step of OAMP: what it does when the denoiser does nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import draw
from unrolled.guarantees.derivation import Derivation, Step
from unrolled.guarantees.theorem import Assumption, Theorem
from unrolled.sensing import DenseOperator, with_spectrum


def normalisation(operator: DenseOperator, lam: float) -> float:
    """γ = n / tr(W_λA), which makes γW_λ divergence-free: tr(I − γW_λA) = 0. Needs λ > 0."""
    spectrum = operator.eigenvalues
    return operator.shape[1] / float((spectrum / (spectrum + lam)).sum())


def divergence_free_step(operator: DenseOperator, x: Tensor, y: Tensor, lam: float) -> Tensor:
    """The linear step of OAMP, x + γW_λ(y − Ax) with W_λ = Aᵀ(AAᵀ + λI)⁻¹: (B, n) to (B, n)."""
    return x + normalisation(operator, lam) * operator.lmmse(y - operator.forward(x), lam)


@dataclass(frozen=True)
class IdentityDenoiser:
    """OAMP's linear steps on a row-orthogonal A (m, n), with soft thresholds between them.

    A threshold of 0 is the identity. inside: whether the first error lies in the row space of A.
    """

    operator: DenseOperator
    depth: int
    lam: float
    error: Tensor  # (1, n), x_0 − x*
    signal: Tensor  # (1, n)
    threshold: float = 0.0
    noise: float = 0.0  # the size of each entry of w

    def growth(self) -> float:
        """Run the layers: ‖x_K − x*‖ / ‖x_0 − x*‖."""
        y = self.operator.forward(self.signal) + self.noise
        x = self.signal + self.error
        for _ in range(self.depth):
            x = divergence_free_step(self.operator, x, y, self.lam)
            x = torch.sign(x) * torch.relu(x.abs() - self.threshold)
        return float((x - self.signal).norm() / self.error.norm())


unknowns, measurements, K = sp.symbols("n m K", integer=True, positive=True)


def row_orthogonal(m: int, n: int, *, generator: torch.Generator) -> DenseOperator:
    """Draw A (m, n) with AAᵀ = I, float64."""
    ones = (torch.arange(n) < m).double()
    return with_spectrum(ones, m=m, generator=generator, dtype=torch.float64)


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


def _quarter(generator: torch.Generator, **changes: object) -> IdentityDenoiser:
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


_lam = sp.Symbol("lambda", positive=True)
_gamma = unknowns * (1 + _lam) / measurements

DIVERGENCE_FREE = Theorem(
    name="unrolling.divergence-free",
    title="A divergence-free step with nothing to hold it",
    statement=r"""
        Let $A\in\mathbb R^{m\times n}$ have orthonormal rows, $m<n$, and let each layer be the
        divergence-free step $x\leftarrow x+\gamma W_\lambda(y-Ax)$, with $y=Ax^\star$, followed by
        the identity as its denoiser. If the first error lies in the row space of $A$, then after
        $K$ layers

        $$
        {quantity} {relation} {bound}.
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
    relation="=",
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
                r"For $AA^\top=I$ the matrix $W_\lambda A=A^\top A/(1+\lambda)$ has trace "
                r"$m/(1+\lambda)$, so that $\gamma$ is",
                unknowns / (measurements / (1 + _lam)),
                _gamma,
            ),
            Step.equal(
                r"On the row space $A^\top A$ is the identity, and a layer multiplies the error by",
                1 - _gamma / (1 + _lam),
                -(unknowns / measurements - 1),
            ),
            Step.equal(
                "after $K$ layers by a factor of size",
                sp.Abs(1 - unknowns / measurements) ** K,
                sp.Abs(unknowns / measurements - 1) ** K,
            ),
        )
    ),
)
