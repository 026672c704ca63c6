"""What the columns of A do to each other: coherence, and the eigenvalues of few columns."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from unrolled.checks import check_choice, check_flag, check_order, check_size
from unrolled.isometry.enumeration import SECOND
from unrolled.isometry.exact import EXACT, solve
from unrolled.isometry.sparse_eigenvalue import SparseEigenvalue, column_norms, gram, matrix, terms
from unrolled.sensing import DenseOperator

__all__ = ["coherence", "generalised_coherence", "restricted_eigenvalues"]

RESPONSE = 1e-4  # how far diag(WᵀA) may be from 1: single precision reaches 1e-6


def coherence(A: DenseOperator | Tensor) -> float:
    """The largest |⟨a_i, a_j⟩| / (‖a_i‖‖a_j‖) over i ≠ j; 0 if there is one column only.

    Args:
        A: `DenseOperator` or matrix (m, n), real or complex.

    Raises:
        ValueError: A has a zero column.
    """
    A = matrix(A)
    A = A / column_norms(A)
    return _largest_off_diagonal(A.mH @ A)


def generalised_coherence(W: Tensor, A: DenseOperator | Tensor) -> float:
    """The largest |w_iᵀa_j| over i ≠ j, of weights with w_iᵀa_i = 1.

    With W = A it is the coherence of unit columns; `analytic_weights(A)` have a smaller one. For
    complex matrices it is w_iᴴa_j.

    Args:
        W: (m, n), of A's kind.
        A: `DenseOperator` or matrix (m, n).

    Raises:
        ValueError: shapes do not match, or not all |w_iᴴa_i − 1| ≤ 10⁻⁴.
    """
    W, A = matrix(W), matrix(A)
    if W.shape != A.shape:
        raise ValueError(f"W has shape {tuple(W.shape)}; A's, {tuple(A.shape)}, is needed")
    if W.dtype != A.dtype:
        raise ValueError("W and A are a real and a complex matrix; both real or both complex")
    product = W.mH @ A
    off = float((product.diagonal() - 1).abs().max())
    if not off <= RESPONSE:
        raise ValueError(
            f"W has a w_iᵀa_i that differs from 1 by {off:.3g}; at most {RESPONSE} is allowed"
        )
    return _largest_off_diagonal(product)


def restricted_eigenvalues(
    A: DenseOperator | Tensor,
    s: int,
    method: str = "exact",
    *,
    effort: int = 600 * SECOND,
    progress: bool = False,
) -> tuple[float, float]:
    """The smallest and the largest eigenvalue of A_SᴴA_S over all |S| = s, exactly.

    low‖x‖² ≤ ‖Ax‖² ≤ high‖x‖² for all x with at most s nonzeros, and δ_s = max(high−1, 1−low).
    Rounding: about (16s² + ms)·2·10⁻¹⁶ times max‖a_i‖².

    Other arguments and errors: see `isometry_constant`.

    Args:
        method: "exact", "enumeration" or "branch and bound".
        effort: for each of the two eigenvalues.

    Raises:
        ValueError: as there, or squares that underflow.
    """
    check_choice("method", method, ("exact", *EXACT))
    check_size("effort", effort, most=math.inf)
    check_flag("progress", progress)
    A = matrix(A)
    G, exponent = gram(A)
    check_order(s, len(G))
    unit = 2.0**exponent
    if unit == 0:
        raise ValueError(f"A has entries up to {float(A.abs().max()):.3g}; AᴴA underflows float64")
    scale = float(G.abs().max())
    ends = []
    for sign, name in ((-1, "minus the smallest eigenvalue"), (1, "the largest eigenvalue")):
        problem = SparseEigenvalue(sign * G, s, (1,), name, scale, terms(A), unit)
        found, _ = solve(problem, method, effort=effort, progress=progress)
        ends.append(sign * found.value)
    return ends[0], ends[1]


def _largest_off_diagonal(product: Tensor) -> float:
    return float((product - torch.diag(product.diagonal())).abs().max())
