"""Upper bounds: what holds for every support without a look at any.

All of them are one dual bound. For every Hermitian U and every unit vector x with s nonzeros,

    xᴴHx = xᴴ(H + U)x + xᴴ(−U)x ≤ λ_max(H + U) + max_i (−U_ii + Σ of the s−1 largest |U_ij|),

by Rayleigh's principle and by Gershgorin's discs of the (s, s) submatrices of −U. U = −H leaves
the coherence bound, U = 0 the largest eigenvalue of all of H, and the best U is a semidefinite
program.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from unrolled.extras import extra
from unrolled.isometry.sparse_eigenvalue import SparseEigenvalue

__all__ = ["SDP_LIMIT", "SolverFailed", "coherence_bound", "dual_bound", "quick_bound", "sdp_bound"]

SDP_LIMIT = 80  # columns: half a minute of solving, and beyond it grows fast


class SolverFailed(RuntimeError):
    """The solver of the semidefinite relaxation has ended without any bound."""


def dual_bound(H: Tensor, U: Tensor, s: int) -> float:
    """λ_max(H + U) + max_i(−U_ii + the s−1 largest |U_ij|): at least λ_max(H_S) for all |S| = s.

    Since the second term is at most s·max|U_ij|, it is no larger than the dual objective of
    d'Aspremont, El Ghaoui, Jordan and Lanckriet (SIAM Review 49, 2007).

    Args:
        H, U: (n, n), Hermitian.
    """
    largest = torch.linalg.eigvalsh(H + U)[-1]
    diagonal = U.diagonal().real
    sizes = (U - torch.diag(U.diagonal())).abs()
    discs = -diagonal + sizes.topk(s - 1, 1).values.sum(1)
    return float(largest + discs.max())


def quick_bound(H: Tensor, s: int) -> float:
    """The better of the two dual bounds that need no solver, U = −H and U = 0."""
    return min(dual_bound(H, -H, s), dual_bound(H, torch.zeros_like(H), s))


def coherence_bound(problem: SparseEigenvalue) -> float:
    """Gershgorin's discs: for H = AᴴA − I, max_i(|G_ii − 1| + the s−1 largest |G_ij|).

    For unit columns it is at most (s−1)·coherence.
    """
    largest = max(
        dual_bound(sign * problem.H, -sign * problem.H, problem.s) for sign in problem.signs
    )
    return largest + _outwards(problem)


def sdp_bound(problem: SparseEigenvalue) -> float:
    """The semidefinite relaxation max ⟨H, X⟩ over X ⪰ 0, tr X = 1, Σ|X_ij| ≤ s, from above.

    What is solved is its dual, min λ_max(H + U) + s·max|U_ij|, and what is returned is the dual
    bound of the U that the solver ends with. So the number is a bound even where the solver stops
    short of the optimum.

    Source: d'Aspremont and El Ghaoui, Math. Prog. 127, 2011.

    Raises:
        ModuleNotFoundError: cvxpy is not installed.
        ValueError: more than `SDP_LIMIT` columns.
        SolverFailed: the solver ends with no U at all.
    """
    n, s = len(problem.H), problem.s
    if n > SDP_LIMIT:
        raise ValueError(
            f"A has n = {n} columns; the semidefinite relaxation is for n ≤ {SDP_LIMIT}. "
            "method='coherence' is an upper bound for any n"
        )
    sides = [sign * problem.H for sign in problem.signs]
    quick = [quick_bound(H, s) for H in sides]
    largest = -torch.inf
    for bound, H in sorted(zip(quick, sides, strict=True), key=lambda side: side[0], reverse=True):
        if bound > largest:  # else this side cannot matter, and need not be solved
            largest = max(largest, min(bound, dual_bound(H, _solve_dual(H, s), s)))
    return largest + _outwards(problem)


def _outwards(problem: SparseEigenvalue) -> float:
    # What rounding may take from a bound, of n columns, or add to an eigenvalue of s of them; and
    # what it has done to H.
    return problem.margin * (len(problem.H) / problem.s) ** 2 + problem.inherited


def _solve_dual(H: Tensor, s: int) -> Tensor:
    with extra("sdp", "method='sdp'"):
        import cvxpy
    n = len(H)
    complex_ = H.is_complex()
    U = cvxpy.Variable((n, n), hermitian=complex_, symmetric=not complex_)
    largest = cvxpy.Variable()
    objective = cvxpy.lambda_max(H.cpu().numpy() + U) + s * largest
    dual = cvxpy.Problem(cvxpy.Minimize(objective), [cvxpy.abs(U) <= largest])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a solution may be inaccurate: any U makes a bound
        try:
            dual.solve(solver=cvxpy.CLARABEL)
            status = dual.status
        except cvxpy.SolverError as error:
            status = str(error)
    if U.value is None or not np.isfinite(U.value).all():
        raise SolverFailed(
            f"the solver of the semidefinite relaxation ends without a bound, saying: {status}. "
            "Columns of very different norms may be the reason; method='coherence' is an upper "
            "bound for any A"
        )
    found = torch.as_tensor(U.value, dtype=H.dtype, device=H.device)
    return (found + found.mH) / 2
