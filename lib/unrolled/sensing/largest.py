"""The largest eigenvalue from products alone, for a step that does not overshoot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unrolled.checks import check_kind, check_size

if TYPE_CHECKING:
    from unrolled.sensing.operator import SensingOperator

__all__ = ["largest_eigenvalue", "relative_error"]

FAILURE = 1e-6  # the probability that is allowed


def largest_eigenvalue(
    operator: SensingOperator, *, products: int = 100, generator: torch.Generator | None = None
) -> float:
    """A bound λ ≥ λ_max(AᴴA) from products with A and Aᴴ, which is hardly too large.

    The Lanczos method finds, from a random start, a θ ≤ λ_max, more than power iteration with as
    many products does. Returned is θ/(1 − ε), with the ε of `relative_error` for a failure in a
    million; it is θ itself where the method ended by itself, having seen all eigenvalues that the
    start has.

    Args:
        products: how many of AᴴA, ≥ 2.
        generator: draws the start; without one it is the same each time.

    Raises:
        ValueError: products < 2, or an operator that is none.
    """
    if not hasattr(operator, "unchecked_adjoint"):
        raise ValueError(f"operator is a {type(operator).__name__}; a SensingOperator is needed")
    check_size("products", products, least=2)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    check_kind("generator", generator, torch.Generator)
    n = operator.shape[1]
    drawn = torch.randn(1, n, dtype=operator.dtype, generator=generator, device=generator.device)
    with torch.no_grad():
        ritz, ended = _lanczos(operator, drawn.to(operator.device), products)
    if ended:
        return ritz
    unknowns = 2 * n if operator.dtype.is_complex else n
    return ritz / (1 - relative_error(unknowns, products, FAILURE))


def relative_error(n: int, products: int, failure: float) -> float:
    """The ε with θ ≥ (1 − ε)λ_max but for a start that is drawn with probability ≤ `failure`.

    Let b₁ be the start's part along the eigenvector of λ_max. θ is the largest Rayleigh quotient of
    p(H)b over polynomials p of degree k − 1, k products. With p the Chebyshev polynomial of [0, θ],
    which is at most 1 there, θ ≥ Σ b_i²p(λ_i)²λ_i / Σ b_i²p(λ_i)² becomes

        b₁²T_{k−1}(2λ_max/θ − 1)²(λ_max − θ) ≤ (1 − b₁²)θ,

    so that θ < (1 − ε)λ_max needs |b₁| ≤ √((1 − ε)/ε)/T_{k−1}((1 + ε)/(1 − ε)); and for b uniform
    on the sphere |b₁| ≤ t has a probability of at most t√(2n/π). (After Kuczyński and Woźniakowski,
    SIAM J. Matrix Anal. Appl. 13, 1992, who have the order √n·exp(−(2k − 1)√ε).)
    """

    def exceeds(epsilon: float) -> bool:
        # The logarithm, since T grows beyond what a float holds.
        growth = (products - 1) * math.acosh((1 + epsilon) / (1 - epsilon))
        chebyshev = growth + math.log1p(math.exp(-2 * growth)) - math.log(2)
        size = 0.5 * math.log(2 * n / math.pi * (1 - epsilon) / epsilon)
        return size - chebyshev > math.log(failure)

    low, high = 0.0, 1 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if exceeds(middle) else (low, middle)
    return high


def _lanczos(operator: SensingOperator, start: Tensor, products: int) -> tuple[float, bool]:
    # The largest Ritz value, and whether the Krylov space ended before the products did.
    basis = [start / torch.linalg.vector_norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(products, operator.shape[1])):
        image = operator.unchecked_adjoint(operator.unchecked_forward(basis[-1]))
        diagonal.append(float((basis[-1].conj() * image).real.sum()))
        held = torch.cat(basis)
        for _ in range(2):  # once leaves what rounding has put back
            image = image - (image @ held.mH) @ held
        norm = float(torch.linalg.vector_norm(image))
        beside.append(norm)
        if norm <= 100 * torch.finfo(start.dtype).eps * max(map(abs, diagonal)):
            break
        basis.append(image / norm)
    on, off = (torch.tensor(v, dtype=torch.float64) for v in (diagonal, beside[:-1]))
    jacobi = torch.diag(on) + torch.diag(off, 1) + torch.diag(off, -1)
    ended = len(diagonal) < products or len(diagonal) == operator.shape[1]
    return float(torch.linalg.eigvalsh(jacobi)[-1]), ended
