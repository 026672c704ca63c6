"""Step sizes of gradient descent for least squares.

Throughout, the Hessian H = AᵀA has its nonzero eigenvalues in [low, high], 0 < low ≤ high, and
gradient descent with steps η_1 … η_K multiplies the error component at eigenvalue λ by
p(λ) = ∏(1 − η_k λ). A step size rule is a choice of the K roots 1/η_k of p.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from unrolled.checks import (
    check_dense,
    check_depth,
    check_matrix,
    check_positive,
    check_spectrum,
)

__all__ = [
    "chebyshev_steps",
    "gauss_steps",
    "heavy_ball_parameters",
    "lanczos_steps",
    "leja_order",
    "semicircle_steps",
    "silver_steps",
    "tied_step",
]


def check_range(low: float, high: float) -> tuple[float, float]:
    """The two ends of the interval that holds the eigenvalues, 0 < low ≤ high < ∞.

    Raises:
        ValueError: they are not, or double precision cannot hold them or their reciprocals.
    """
    low = check_positive("low", low, dtype=torch.float64)
    high = check_positive("high", high, dtype=torch.float64)
    if low > high:
        raise ValueError(f"low, high are {low:g}, {high:g}; low ≤ high is needed")
    return low, high


def tied_step(low: float, high: float) -> float:
    """The constant step with the best worst case: η = 2/(low + high), rate (κ−1)/(κ+1) a layer."""
    low, high = check_range(low, high)
    return 1 / (low / 2 + high / 2)  # the sum might overflow


def chebyshev_steps(low: float, high: float, depth: int) -> Tensor:
    """The `depth` steps with the best worst case over [low, high], float64, largest step first.

    Minimises max |p| over the interval; 1/η_k are the roots of the shifted Chebyshev polynomial
    (Young 1953, for Richardson's method; Golub and Varga 1961 in semi-iterative form; Theorem
    `convergence.chebyshev`).
    """
    low, high = check_range(low, high)
    check_depth(depth)
    k = torch.arange(depth, 0, -1, dtype=torch.float64)
    centre, radius = high / 2 + low / 2, (high - low) / 2
    return 1 / (centre + radius * torch.cos((2 * k - 1) * math.pi / (2 * depth)))


def gauss_steps(eigenvalues: Tensor, weights: Tensor, depth: int) -> Tensor:
    """The `depth` steps with the least average squared error, float64, largest step first.

    Minimises J(η) = Σ_i weights_i p(eigenvalues_i)²; the minimisers are 1/η_k = the nodes of the
    depth-point Gauss rule of the measure Σ weights_i eigenvalues_i δ_{eigenvalues_i} (Theorem
    `convergence.gauss`).

    Args:
        eigenvalues, weights: (n,), nonnegative and finite, with at least `depth` distinct positive
            eigenvalues of positive weight.
    """
    check_depth(depth)
    _check_measure(eigenvalues, weights)
    eigenvalues, weights = eigenvalues.double(), weights.double()
    # Lanczos on diag(eigenvalues), started at the square root of the weights, is what builds the
    # Jacobi matrix of the measure; eigenvalue · weight makes it the measure λ dν.
    return lanczos_steps(torch.diag(eigenvalues), weights.sqrt()[:, None], depth)


def lanczos_steps(H: Tensor, X: Tensor, depth: int) -> Tensor:
    """The `depth` steps that fit a training set of signals best: exact ERM by one Lanczos run.

    Minimises the training loss (1/N) Σ ‖p(H)x_i‖², the squared error after `depth` gradient
    layers from x_0 = 0 on noiseless data y_i = Ax_i. Runs K steps of Lanczos in the inner product
    ⟨u, v⟩ = tr(uᵀHv) from X; the eigenvalues of its Jacobi matrix are 1/η_k (Golub and Welsch
    1969). Float64, largest first.

    Args:
        H: AᵀA, (n, n).
        X: (n, N), holds the signals as columns.

    Raises:
        ValueError: X excites fewer than `depth` distinct positive eigenvalues, shapes that do not
            fit, or entries that are not real numbers of double precision's range.
    """
    check_depth(depth)
    check_matrix("H", H)
    check_matrix("X", X)
    if H.shape[0] != H.shape[1] or X.shape[0] != H.shape[0]:
        raise ValueError(
            f"H, X have shapes {tuple(H.shape)}, {tuple(X.shape)}; (n, n), (n, N) needed"
        )
    if H.is_complex() or X.is_complex():
        raise ValueError(f"H, X have dtypes {H.dtype}, {X.dtype}; real ones are needed")
    H, X = H.double(), X.double()
    basis: list[Tensor] = []
    alphas: list[Tensor] = []
    betas: list[Tensor] = []
    vector = X
    norm = (X * (H @ X)).sum().clamp(min=0).sqrt()
    smallest: Tensor | float = 0.0
    for _ in range(depth):
        if not norm > smallest:
            raise ValueError(
                f"the data excite only {len(basis)} distinct positive eigenvalues; "
                f"depth {depth} needs at least as many"
            )
        basis.append(vector / norm)
        betas.append(norm)
        vector = H @ basis[-1]
        alphas.append((vector * (H @ basis[-1])).sum())
        # Full reorthogonalisation, twice: K is small, and plain Lanczos loses it in rounding.
        for _ in range(2):
            for previous in basis:
                vector = vector - (vector * (H @ previous)).sum() * previous
        norm = (vector * (H @ vector)).sum().clamp(min=0).sqrt()
        smallest = 1e-10 * alphas[0]
    jacobi = torch.diag(torch.stack(alphas))
    if depth > 1:
        off = torch.stack(betas[1:])
        jacobi = jacobi + torch.diag(off, 1) + torch.diag(off, -1)
    steps = 1 / torch.linalg.eigvalsh(jacobi) if jacobi.isfinite().all() else jacobi
    if not steps.isfinite().all():
        raise ValueError("H or X holds entries too large or too small for double precision")
    return steps


def _check_measure(eigenvalues: Tensor, weights: Tensor) -> None:
    check_spectrum("eigenvalues", eigenvalues)
    check_spectrum("weights", weights)
    if len(eigenvalues) != len(weights):
        shapes = f"{tuple(eigenvalues.shape)}, {tuple(weights.shape)}"
        raise ValueError(f"eigenvalues, weights have shapes {shapes}; both must be (n,)")


def semicircle_steps(ratio: float, noise: float, depth: int) -> Tensor:
    """The `depth` steps with the least mean squared error for Gaussian sensing, float64.

    η_k = 1/(1 + c + σ² + 2√c cos(kπ/(K+1))), largest step first, for A with independent N(0, 1/m)
    entries, white signals, ratio c = n/m > 0 and noise variance σ² ≥ 0 in the large-system limit
    (Theorem `convergence.gaussian`). The network that uses them has ridge = σ².
    """
    check_depth(depth)
    ratio = check_positive("ratio", ratio)
    noise = check_positive("noise", noise, zero=True)
    k = torch.arange(depth, 0, -1, dtype=torch.float64)
    cosines = torch.cos(k * math.pi / (depth + 1))
    return 1 / (1 + ratio + noise + 2 * math.sqrt(ratio) * cosines)


def leja_order(steps: Tensor) -> Tensor:
    """Reorder steps so that partial products stay bounded: the same map, with little rounding.

    Takes the roots 1/η greedily, each time the one farthest (in the product of distances) from
    those taken (Leja 1957; Reichel 1991 for Richardson iteration).

    Args:
        steps: (K,), real floating point, nonzero.
    """
    check_dense("steps", steps)
    if steps.ndim != 1 or len(steps) == 0 or not steps.is_floating_point():
        raise ValueError(
            f"steps has shape {tuple(steps.shape)} and dtype {steps.dtype}; a floating-point "
            "vector (K,) is needed"
        )
    if not (torch.isfinite(steps) & torch.isfinite(1 / steps)).all():
        raise ValueError("steps must be finite and nonzero, as must be their reciprocals")
    roots = (1 / steps).double()
    distances = roots.abs()  # then the logarithms of products of distances
    ordered = []
    for k in range(len(roots)):
        ordered.append(int(distances.argmax()))
        if k == 0:
            distances = torch.zeros_like(roots)
        distances += ((roots - roots[ordered[-1]]).abs() + 1e-300).log()
        distances[ordered[-1]] = -math.inf
    return steps[ordered]


def silver_steps(depth: int) -> Tensor:
    """The silver step sizes for 1-smooth convex functions, float64: 1 + (1+√2)^(ν₂(i)−1).

    2^ν₂(i) is the largest power of two that divides i (Altschuler and Parrilo, arXiv 2309.16530).
    """
    check_depth(depth)
    places = torch.arange(1, depth + 1)
    powers = (places & -places).double()  # 2^ν₂(i)
    return 1 + (1 + 2**0.5) ** (powers.log2() - 1)


def heavy_ball_parameters(low: float, high: float) -> tuple[float, float]:
    """Heavy ball's step η = (1+r)²/high and momentum β = r², r = (√κ−1)/(√κ+1) (Polyak 1964)."""
    low, high = check_range(low, high)
    small, large = math.sqrt(low), math.sqrt(high)
    r = (large - small) / (large + small)
    return (1 + r) ** 2 / high, r**2
