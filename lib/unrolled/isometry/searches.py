"""Lower bounds: supports found by search. Whatever a search finds, its value is attained."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.isometry.sparse_eigenvalue import Found, SparseEigenvalue

__all__ = ["greedy_search", "largest_of_two", "random_search"]

WORK = 4096  # a search holds no more supports than this, over the square of their size
DRAWN = 2**14  # supports drawn at once
CELLS = 2**22  # numbers held at once for them


def largest_of_two(a: Tensor, b_squared: Tensor, c: Tensor) -> Tensor:
    """The larger eigenvalue of [[a, b], [b, c]] from a, |b|² and c, elementwise."""
    return (a + c) / 2 + (((a - c) / 2) ** 2 + b_squared).sqrt()


def greedy_search(problem: SparseEigenvalue) -> Found:
    """Grow a support from every column at once, then swap one column at a time while that helps.

    A column j is judged by the 2×2 matrix that H becomes on the leading eigenvector v of H_T and
    on e_j: its larger eigenvalue is at most λ_max(H_{T∪j}), and costs no eigenproblem.
    """
    looked_at = 0
    best: Found | None = None
    for sign in problem.signs:
        one = problem.one_sided(sign)
        supports = _grow(one)
        values = one.of(supports)
        looked_at += len(supports)
        while (swapped := _swap(one, supports)) is not None:
            looked_at += len(swapped)
            each = one.of(swapped).reshape(len(supports), one.s)
            tops, which = each.max(1)
            improved = tops > values + one.margin
            if not improved.any():
                break
            swapped = swapped.reshape(len(supports), one.s, one.s)
            supports[improved] = swapped[improved, which[improved]]
            values[improved] = tops[improved]
        found = one.best(supports)
        if best is None or found.value > best.value:
            best = found
    assert best is not None  # there is at least one sign
    return Found(best.value, best.support, looked_at)


def random_search(problem: SparseEigenvalue, draws: int, generator: torch.Generator) -> Found:
    """The best of `draws` supports drawn uniformly."""
    n, s = len(problem.H), problem.s
    at_once = max(1, min(DRAWN, CELLS // max(n, s**2)))
    best: Found | None = None
    for first in range(0, draws, at_once):
        count = min(at_once, draws - first)
        keys = torch.rand(count, n, generator=generator, device=generator.device)
        found = problem.best(keys.topk(s).indices.to(problem.H.device))
        if best is None or found.value > best.value:
            best = found
    assert best is not None  # there is at least one draw
    return Found(best.value, best.support, draws)


def _grow(one: SparseEigenvalue) -> Tensor:
    # (B, s): of the supports that grow from the columns, the best at each size.
    supports = torch.arange(len(one.H), device=one.H.device)[:, None]
    for size in range(2, one.s + 1):
        added = _scores(one, supports).argmax(1, keepdim=True)
        supports = torch.cat((supports, added), 1)
        kept = max(1, WORK // size**2)  # eigenvalues of larger submatrices cost more
        if kept < len(supports):
            supports = supports[one.of(supports).topk(kept).indices]
    return supports


def _swap(one: SparseEigenvalue, supports: Tensor) -> Tensor | None:
    # (B, s) to (B·s, s): each support with each of its columns exchanged for the most promising.
    s = one.s
    if s in (1, len(one.H)) or s**2 > WORK:
        return None  # growing has seen every column, there is none to bring in, or it takes long
    others = ~torch.eye(s, dtype=torch.bool, device=supports.device)
    kept = supports[:, None, :].expand(-1, s, -1)[:, others].reshape(-1, s - 1)
    return torch.cat((kept, _scores(one, kept).argmax(1, keepdim=True)), 1)


def _scores(one: SparseEigenvalue, supports: Tensor) -> Tensor:
    # (B, t) to (B, n): a lower bound of λ_max(H_{T∪j}), −∞ where j is in T already.
    eigenvalues, vectors = torch.linalg.eigh(one.submatrices(supports))
    v = vectors.new_zeros(len(supports), len(one.H)).scatter_(1, supports, vectors[:, :, -1])
    coupling = (v.conj() @ one.H).abs() ** 2  # |vᴴH_Tj|²
    scores = largest_of_two(eigenvalues[:, -1:], coupling, one.H.diagonal().real)
    return scores.scatter_(1, supports, -torch.inf)
