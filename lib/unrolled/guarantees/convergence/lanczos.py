"""The steps that minimise a training loss come out of one Lanczos run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import EQUAL, Assumption, NoDerivation, Theorem
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.symbols import J_best
from unrolled.guarantees.convergence.worst_case import conjugate_gradient_error
from unrolled.guarantees.draw import integer
from unrolled.guarantees.notation import Norm, over
from unrolled.iterations import lanczos_steps
from unrolled.networks import GradientNet


@dataclass(frozen=True)
class TrainingSet:
    """What a network of `depth` layers is trained on.

    Attributes:
        H: AᵀA, (n, n), positive definite.
        X: (n, N), holds the signals as columns.
        noise: (N, n), an error added to the measurements.
    """

    H: Tensor
    X: Tensor
    depth: int
    noise: Tensor | float = 0.0

    @property
    def A(self) -> Tensor:
        return torch.linalg.cholesky(self.H).T

    @property
    def clean(self) -> Tensor:
        """The measurements without noise, (N, n)."""
        return self.X.T @ self.A.T

    def outputs(self) -> Tensor:
        """What the network with the steps that Lanczos finds makes of the measurements, (N, n)."""
        net = GradientNet(self.A, steps=lanczos_steps(self.H, self.X, self.depth), learned=False)
        return net(self.clean + self.noise)

    def least_loss(self) -> float:
        """The least loss, independently of Lanczos: least squares over all polynomials."""
        eigenvalues, basis = torch.linalg.eigh(self.H)
        weights = (basis.T @ self.X).square().mean(1)
        return conjugate_gradient_error(eigenvalues, weights, self.depth)


def _draw_training_set(generator: torch.Generator) -> TrainingSet:
    n, signals = integer(generator, 4, 20), integer(generator, 1, 30)
    low, high = instances.interval(generator, 100.0)
    eigenvalues, _ = instances.measure(generator, n, low, high)
    basis, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    H = (basis * eigenvalues) @ basis.T
    X = torch.randn(n, signals, generator=generator, dtype=torch.float64)
    return TrainingSet(H, X, integer(generator, 1, min(n - 1, 6)))


def _silenced(generator: torch.Generator) -> TrainingSet:
    # Noise that cancels the measurements, so that no layer moves.
    training_set = _draw_training_set(generator)
    return replace(training_set, noise=-training_set.clean)


_output, _x = sp.Symbol("{x_K(Ax_i)}"), sp.Symbol("x_i")

LANCZOS = Theorem(
    name="convergence.lanczos",
    title="Training is one Lanczos run",
    statement=r"""
        On training pairs $(Ax_i,x_i)$ the steps that minimise the training loss of a $K$-layer
        gradient network are the reciprocal eigenvalues of the Jacobi matrix of one Lanczos run:
        $K$ steps with $H$, started at the matrix of all training signals, in the inner product that
        gives two matrices $U$ and $V$ the trace of $U^\top HV$. Then

        $$
        <<quantity>> <<relation>> <<bound>>,
        $$

        the least over all $K$-layer gradient networks.
        """,
    assumptions=(
        Assumption(
            "the pairs are without noise",
            _silenced,
            lambda training_set: not torch.as_tensor(training_set.noise).any(),
        ),
        Assumption("the signals excite at least $K$ distinct positive eigenvalues"),
    ),
    quantity=over(r"\frac1N\sum_i", "mean", Norm(_output - _x) ** 2),
    relation=EQUAL,
    bound=J_best,
    draw=_draw_training_set,
    measure=lambda training_set: {_output: training_set.outputs(), _x: training_set.X.T},
    values=lambda training_set: {J_best: training_set.least_loss()},
    slack=1e-5,
    source="The theorem on Gauss nodes, for the empirical measure; Golub and Welsch (1969).",
    derivation=NoDerivation(
        "convergence.gauss", "it is the theorem on Gauss nodes for the measure of the training set."
    ),
)
