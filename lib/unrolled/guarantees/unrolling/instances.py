"""What the theorems of the unrolling chapter are run on: two small networks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.checks import check_kind, check_positive, check_size
from unrolled.networks import GradientNet
from unrolled.sensing import DenseOperator, SensingOperator, with_spectrum


def normalisation(operator: DenseOperator, lam: float) -> float:
    """γ = n / tr(W_λA), which makes γW_λ divergence-free: tr(I − γW_λA) = 0. Needs λ > 0, A ≠ 0."""
    check_kind("operator", operator, SensingOperator)
    lam = check_positive("lam", lam, dtype=operator.dtype.to_real())
    spectrum = operator.eigenvalues
    return operator.shape[1] / float((spectrum / (spectrum + lam)).sum())


def divergence_free_step(operator: DenseOperator, x: Tensor, y: Tensor, lam: float) -> Tensor:
    """The linear step of OAMP, x + γW_λ(y − Ax) with W_λ = Aᵀ(AAᵀ + λI)⁻¹: (B, n) to (B, n)."""
    check_kind("operator", operator, SensingOperator)
    operator.check("x", x, operator.shape[1])
    operator.check("y", y, operator.shape[0])
    if len(x) != len(y):
        raise ValueError(f"x, y are {len(x)} and {len(y)} rows; as many are needed")
    return x + normalisation(operator, lam) * operator.lmmse(y - operator.forward(x), lam)


@dataclass(frozen=True)
class IdentityDenoiser:
    """OAMP's linear steps on a row-orthogonal A (m, n), with soft thresholds between them.

    A threshold of 0 is the identity.
    """

    operator: DenseOperator
    depth: int
    lam: float
    error: Tensor  # (1, n), x_0 − x*
    signal: Tensor  # (1, n)
    threshold: float = 0.0
    noise: float = 0.0  # the size of each entry of w

    @property
    def y(self) -> Tensor:
        """What is measured, (1, m)."""
        return self.operator.forward(self.signal) + self.noise

    @property
    def start(self) -> Tensor:
        """x_0, (1, n)."""
        return self.signal + self.error

    def end(self) -> Tensor:
        """Run the layers: x_K, (1, n)."""
        x = self.start
        for _ in range(self.depth):
            x = divergence_free_step(self.operator, x, self.y, self.lam)
            x = torch.sign(x) * torch.relu(x.abs() - self.threshold)
        return x


def row_orthogonal(m: int, n: int, *, generator: torch.Generator) -> DenseOperator:
    """Draw A (m, n) with AAᵀ = I, float64. 1 ≤ m ≤ n, or ValueError."""
    check_size("n", n)
    check_size("m", m, most=n)
    ones = (torch.arange(n) < m).double()
    return with_spectrum(ones, m=m, generator=generator, dtype=torch.float64)


@dataclass(frozen=True)
class TwoEigenvalues:
    """H = diag(1, high); `share` of the squared error at `high`; trained for `depth`, run for more.

    Attributes:
        steps: (depth,), one a layer; trained with one step for all layers when None.
        test_share: the share in the signals that the network is then run on.
    """

    high: float
    share: float
    depth: int
    layers: int
    steps: Tensor | None = None
    test_share: float | None = None

    @property
    def operator(self) -> DenseOperator:
        """An A with AᵀA = H."""
        return DenseOperator(torch.diag(torch.tensor([1.0, self.high**0.5], dtype=torch.float64)))

    def train(self) -> float:
        """The one step size that minimises the squared error after `depth` layers, by bisection."""
        below, above = 1 / self.high, 1.0  # the derivative of the loss changes its sign between
        for _ in range(200):
            middle = (below + above) / 2
            odd = 2 * self.depth - 1
            slope = -(1 - self.share) * (1 - middle) ** odd
            slope -= self.share * self.high * (1 - self.high * middle) ** odd
            below, above = (middle, above) if slope < 0 else (below, middle)
        return middle

    def errors(self) -> Tensor:
        """Run the network: the squared error after 0, …, `layers` layers, float64."""
        return self._run(self._shares.sqrt()[None, :]).square().sum((1, 2))

    def last_errors(self) -> Tensor:
        """Errors e_k of signals that lie at one eigenvalue each, (2, 2), equally many at both."""
        return self._run((2 * self._shares).sqrt().diag())[-1]

    @property
    def _shares(self) -> Tensor:
        """How much of the squared error of the signals it is run on lies at 1 and at `high`."""
        share = self.share if self.test_share is None else self.test_share
        return torch.tensor([1 - share, share], dtype=torch.float64)

    def _run(self, signals: Tensor) -> Tensor:
        """Errors after 0, …, `layers` layers, which after `depth` repeat the trained ones."""
        steps = self.steps
        if steps is None:
            steps = torch.tensor([self.train()], dtype=torch.float64)
        repeated = steps.repeat(self.layers // len(steps) + 1)[: max(self.layers, 1)]
        net = GradientNet(self.operator, steps=repeated, learned=False)
        return net.trajectory(self.operator.forward(signals))[: self.layers + 1] - signals
