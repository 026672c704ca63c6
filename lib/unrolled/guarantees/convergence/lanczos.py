"""The steps that minimise a training loss come out of one Lanczos run."""

from __future__ import annotations

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import EQUAL, Assumption, NoDerivation, Theorem
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.symbols import J_best
from unrolled.guarantees.convergence.worst_case import conjugate_gradient_error
from unrolled.guarantees.draw import integer
from unrolled.iterations import lanczos_steps
from unrolled.networks import GradientNet
from unrolled.training import mean_squared_error


def _draw_training_set(generator: torch.Generator) -> tuple[Tensor, Tensor, int]:
    n, signals = integer(generator, 4, 20), integer(generator, 1, 30)
    low, high = instances.interval(generator, 100.0)
    eigenvalues, _ = instances.measure(generator, n, low, high)
    basis, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    H = (basis * eigenvalues) @ basis.T
    X = torch.randn(n, signals, generator=generator, dtype=torch.float64)
    return H, X, integer(generator, 1, min(n - 1, 6))


def _training_loss(training_set: tuple[Tensor, Tensor, int]) -> float:
    H, X, depth = training_set
    steps = lanczos_steps(H, X, depth)
    A = torch.linalg.cholesky(H).T
    net = GradientNet(A, steps=steps, learned=False)
    return float(mean_squared_error(net, X.T @ A.T, X.T))


def _least_training_loss(training_set: tuple[Tensor, Tensor, int]) -> dict[sp.Symbol, float]:
    # Independently of Lanczos: least squares over all polynomials on the empirical measure.
    H, X, depth = training_set
    eigenvalues, basis = torch.linalg.eigh(H)
    weights = (basis.T @ X).square().mean(1)
    return {J_best: conjugate_gradient_error(eigenvalues, weights, depth)}


LANCZOS = Theorem(
    name="convergence.lanczos",
    title="Training is one Lanczos run",
    statement=r"""
        On noiseless training pairs $(Ax_i,x_i)$ the steps that minimise the training loss of a
        $K$-layer gradient network are the reciprocal eigenvalues of the $K\times K$ Jacobi matrix
        of one Lanczos run with $H$ in the inner product
        $\langle U,V\rangle=\operatorname{tr}(U^\top HV)$, started at the matrix of all training
        signals:

        $$
        <<quantity>> <<relation>> <<bound>>,
        $$

        the least over all $K$-layer gradient networks.
        """,
    assumptions=(Assumption("the signals excite at least $K$ distinct positive eigenvalues"),),
    quantity=r"\frac1N\sum_i\|x_K(Ax_i)-x_i\|^2",
    relation=EQUAL,
    bound=J_best,
    draw=_draw_training_set,
    measure=_training_loss,
    values=_least_training_loss,
    slack=1e-5,
    source="The theorem on Gauss nodes, for the empirical measure; Golub and Welsch (1969).",
    derivation=NoDerivation("it is convergence.gauss for the empirical measure."),
)
