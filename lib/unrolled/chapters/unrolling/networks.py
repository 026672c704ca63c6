"""Two unrolled algorithms, small enough to read: ISTA and orthogonal AMP as torch modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unrolled.guarantees.unrolling import normalisation
from unrolled.iterations import check_depth
from unrolled.sensing import DenseOperator, check_batch


def soft_threshold(u: Tensor, threshold: Tensor | float) -> Tensor:
    """Shrink every entry: the minimiser over x of ½(x − u)² + threshold·|x|, threshold ≥ 0."""
    return torch.sign(u) * torch.relu(u.abs() - threshold)


class UnrolledISTA(nn.Module):
    """K iterations of ISTA on ½‖y − Ax‖² + penalty·‖x‖₁ from x_0 = 0, its numbers learned.

    Layer k computes x ← S_θ(x + W(y − Ax)) with θ = thresholds[k]. It starts as the algorithm:
    W = ηAᵀ, θ = η·penalty, η = 1/λ_max(AᵀA).

    matrix: whether W (n, m) is learned, one for all layers. tied: one threshold for all layers.
    `net(y)`: (B, m) to (B, n). `net.run(y, depth)`: all iterates, (depth + 1, B, n); beyond the
    K layers that it has, the last one is repeated.
    """

    def __init__(
        self,
        operator: DenseOperator,
        depth: int,
        *,
        penalty: float,
        matrix: bool = False,
        tied: bool = False,
    ) -> None:
        super().__init__()
        check_depth(depth)
        step = 1 / float(operator.eigenvalues[-1])
        self.depth = depth
        self.register_buffer("A", operator.dense())
        self.W = nn.Parameter(step * self.A.T, requires_grad=matrix)
        self.thresholds = nn.Parameter(self.A.new_full((1 if tied else depth,), step * penalty))

    def forward(self, y: Tensor) -> Tensor:
        return self.run(y, self.depth)[-1]

    def run(self, y: Tensor, depth: int) -> Tensor:
        """All iterates of `depth` layers, (depth + 1, B, n), x_0 = 0 first."""
        check_batch("y", y, self.A.shape[0])
        iterates = [y.new_zeros(len(y), self.A.shape[1])]
        for k in range(depth):
            x = iterates[-1]
            residual = y - x @ self.A.T  # (B, m)
            threshold = self.thresholds[min(k, len(self.thresholds) - 1)]
            iterates.append(soft_threshold(x + residual @ self.W.T, threshold))
        return torch.stack(iterates)


class UnrolledOAMP(nn.Module):
    """K iterations of orthogonal AMP with a soft threshold, its scalars learned.

    Layer k takes a linear step r = x + ϑ_k γ W_λ(y − Ax), estimates the variance τ² of the error
    in r from the residual, and denoises: x ← (S_θ(r) − d·r)/(1 − d) with θ = α_k τ and d the mean
    of S_θ' over the entries of r. With ϑ_k = 1, where it starts, that is OAMP with λ kept fixed.

    noise: variance of one entry of w. lam: λ > 0. factors: where the α_k start.
    `net(y)`: (B, m) to (B, n). `net.run(y)`: all iterates, (K + 1, B, n).
    """

    def __init__(
        self,
        operator: DenseOperator,
        depth: int,
        *,
        noise: float,
        lam: float,
        factors: float = 1.4,
    ) -> None:
        super().__init__()
        check_depth(depth)
        self.operator, self.noise, self.lam = operator, noise, lam
        self.spectrum = operator.eigenvalues
        self.gamma = normalisation(operator, lam)
        self.steps = nn.Parameter(torch.ones(depth))
        self.factors = nn.Parameter(torch.full((depth,), factors))

    def forward(self, y: Tensor) -> Tensor:
        return self.run(y)[-1]

    def run(self, y: Tensor) -> Tensor:
        """All iterates, (K + 1, B, n), x_0 = 0 first."""
        iterates = [y.new_zeros(len(y), self.operator.shape[1])]
        for step, factor in zip(self.steps, self.factors, strict=True):
            x = iterates[-1]
            residual = y - self.operator.forward(x)
            r = x + step * self.gamma * self.operator.lmmse(residual, self.lam)
            threshold = factor * self._deviation(residual, step)  # (B, 1)
            # At most 0.9: a learned threshold near 0 would otherwise divide by 1 − d = 0.
            slope = (r.abs() > threshold).to(r.dtype).mean(1, keepdim=True).clamp(max=0.9)
            iterates.append((soft_threshold(r, threshold) - slope * r) / (1 - slope))
        return torch.stack(iterates)

    def _deviation(self, residual: Tensor, step: Tensor) -> Tensor:
        # τ² = v²·tr(BBᵀ)/n + σ²·tr(WWᵀ)/n for W = ϑγW_λ, B = I − WA and an error in x that is
        # white with variance v², which the residual shows: E‖y − Ax‖² = v²·tr(AAᵀ) + mσ².
        m, n = self.operator.shape
        excess = residual.square().sum(1, keepdim=True) - m * self.noise
        variance = torch.relu(excess) / self.spectrum.sum()
        gains = step * self.gamma * self.spectrum / (self.spectrum + self.lam)
        filtered = (step * self.gamma) ** 2 * self.spectrum / (self.spectrum + self.lam) ** 2
        return torch.sqrt(
            variance * (1 - gains).square().mean() + self.noise * filtered.sum() / n + 1e-12
        )
