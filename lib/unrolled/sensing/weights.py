"""Weights computed from A, without training."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_positive
from unrolled.precision import in_double
from unrolled.sensing.coercion import dense_operator
from unrolled.sensing.dense import DenseOperator

__all__ = ["analytic_weights"]


def analytic_weights(A: DenseOperator | Tensor, lam: float = 0.0) -> Tensor:
    """The W (m, n) with wᵢᴴaᵢ = 1 whose WᴴA is closest to the identity: ALISTA's, in closed form.

    Minimises ‖WᴴA‖_F² + lam·‖W‖_F² subject to wᵢᴴaᵢ = 1: the columns of (AAᴴ + lam·I)⁻¹A, each
    rescaled. Liu et al. (ICLR 2019) pose the problem with lam = 0 and solve it iteratively; its
    solution is the Capon (MVDR) beamformer of array processing, and lam ≥ 0 its diagonal loading,
    the power of white noise. Computed in double precision, returned like A.

    Raises:
        ValueError: A has a zero column or, for lam = 0, not full row rank, or lam is negative or
            not finite.
    """
    A = dense_operator(A).dense()
    lam = check_positive("lam", lam, zero=True)
    exact = in_double(A)
    if (exact == 0).all(0).any():
        raise ValueError("A has a zero column, for which no w has wᴴa = 1")
    if lam == 0 and torch.linalg.matrix_rank(exact) < len(exact):
        raise ValueError("A lacks full row rank, so that AAᴴ cannot be inverted; lam > 0 helps")
    loading = lam * torch.eye(len(exact), dtype=exact.dtype, device=exact.device)
    try:
        W = torch.linalg.solve(exact @ exact.mH + loading, exact)
    except torch.linalg.LinAlgError:
        raise ValueError(
            f"lam is {lam}, so small beside A that AAᴴ + λI cannot be inverted; a larger one helps"
        ) from None
    return (W / (W * exact.conj()).sum(0)).to(A.dtype)
