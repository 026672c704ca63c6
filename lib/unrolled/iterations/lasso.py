"""Proximal gradient methods for the LASSO, min over x of F(x) = ½‖y − Ax‖² + penalty·‖x‖₁.

For complex x, ‖x‖₁ is the sum of the absolute values |x_i|.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from unrolled.checks import (
    check_batch,
    check_dense,
    check_flag,
    check_held,
    check_kind,
    check_nonnegative,
    check_penalty,
    check_positive,
)
from unrolled.iterations.start import check_measurements, check_place, start
from unrolled.prox import soft_threshold
from unrolled.sensing import SensingOperator

__all__ = ["duality_gap", "fista", "ista", "ista_step"]


def ista(
    operator: SensingOperator,
    y: Tensor,
    *,
    penalty: float | Tensor,
    depth: int,
    step: float | None = None,
    weights: Tensor | None = None,
    nonnegative: bool = False,
    x0: Tensor | None = None,
    tolerance: float | None = None,
) -> Tensor:
    """Iterative soft thresholding: all iterates, (depth + 1, B, n), x_0 first.

    x⁺ = S_{step·penalty}(x + step·Wᴴ(y − Ax)). With W = A and step ≤ 1/L, L = λ_max(AᴴA), the
    objective F falls in every iteration, and F(x_k) − min F ≤ L‖x_0 − x*‖²/(2k) for step = 1/L
    (Beck and Teboulle 2009).

    Args:
        y: (B, m), real or complex.
        penalty: ≥ 0; one for all signals, or a tensor with one for each entry, (n,), which makes
            ‖x‖₁ a weighted sum.
        step: > 0, 1/L by default; for an operator that does not know its eigenvalues, with a bound
            on L from products alone (`ista_step`).
        weights: W, (m, n) like A, which is the default; with another W the iteration need not
            descend.
        nonnegative: minimise over x ≥ 0, for real signals.
        x0: where to start, (B, n); zero by default.
        tolerance: > 0; ends early, with fewer iterates, once all signals are known to be solved to
            that share of F(0): `duality_gap` ≤ tolerance·½‖y‖², for which one more product with A
            and one with Aᴴ are computed in each iteration, and values are looked at.

    Raises:
        ValueError: shapes and dtypes that do not fit, numbers out of range, or a tolerance without
            a penalty or with other weights, where no gap says how near a solution is.
    """
    iterates = [start(operator, y, depth, x0)]
    step = _check_step(operator, step)
    shrink = _shrinkage(operator, penalty, step, nonnegative)
    if weights is not None:
        _check_weights(operator, weights)
    done = _stopping(operator, y, penalty, nonnegative, tolerance, weights)
    for _ in range(depth):
        if done(iterates[-1]):
            break
        residual = operator.unchecked_residual(y, iterates[-1])
        back = (
            operator.unchecked_adjoint(residual) if weights is None else residual @ weights.conj()
        )
        iterates.append(shrink(iterates[-1] + step * back))
    return torch.stack(iterates)


def fista(
    operator: SensingOperator,
    y: Tensor,
    *,
    penalty: float | Tensor,
    depth: int,
    step: float | None = None,
    nonnegative: bool = False,
    x0: Tensor | None = None,
    tolerance: float | None = None,
) -> Tensor:
    """ISTA with momentum: all iterates, (depth + 1, B, n), x_0 first.

    x_k = S_{step·penalty}(z_k + step·Aᴴ(y − Az_k)) and
    z_{k+1} = x_k + (t_k − 1)/t_{k+1}·(x_k − x_{k−1}), with z_1 = x_0, t_1 = 1 and
    t_{k+1} = (1 + √(1 + 4t_k²))/2. For step = 1/L, F(x_k) − min F ≤ 2L‖x_0 − x*‖²/(k + 1)², but
    F need not fall in every iteration (Beck and Teboulle 2009). Arguments and errors as for `ista`.
    """
    iterates = [start(operator, y, depth, x0)]
    step = _check_step(operator, step)
    shrink = _shrinkage(operator, penalty, step, nonnegative)
    done = _stopping(operator, y, penalty, nonnegative, tolerance)
    z, t = iterates[0], 1.0
    for _ in range(depth):
        if done(iterates[-1]):
            break
        x = shrink(z + step * operator.unchecked_adjoint(operator.unchecked_residual(y, z)))
        t, before = (1 + math.sqrt(1 + 4 * t**2)) / 2, t
        z = x + (before - 1) / t * (x - iterates[-1])
        iterates.append(x)
    return torch.stack(iterates)


def duality_gap(
    operator: SensingOperator,
    y: Tensor,
    x: Tensor,
    penalty: float | Tensor,
    *,
    nonnegative: bool = False,
) -> Tensor:
    """How far x is from solving the LASSO, at most: F(x) − min F ≤ gap, (B,), up to rounding.

    The gap to the dual problem max Re⟨y, u⟩ − ½‖u‖² over |(Aᴴu)_i| ≤ penalty_i, or with
    `nonnegative` over (Aᵀu)_i ≤ penalty_i, at the best feasible multiple u of the residual
    r = y − Ax. It is 0 if and only if x is a solution. Written as
    ½‖r − u‖² + Σ(penalty_i·|x_i| − Re(x̄_i (Aᴴu)_i)), where no term is negative.

    Args:
        y: (B, m), real or complex.
        x: (B, n), one for each y; with `nonnegative` ≥ 0.
        penalty: > 0, a number or (n,); without a penalty only Aᴴu = 0 is feasible, which certifies
            nothing.

    Raises:
        ValueError: shapes and dtypes that do not fit, or numbers out of range.
    """
    check_measurements(operator, y)
    penalty = _penalty(operator, penalty)
    check_batch("x", x, operator.shape[1])
    check_place("x", x, operator)
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}; one x for each y is needed")
    check_flag("nonnegative", nonnegative)
    check_nonnegative(nonnegative, x.dtype)
    if nonnegative and (x < 0).any():
        raise ValueError("x has negative entries; all must be ≥ 0 where nonnegative is asked for")
    residual = y - operator.forward(x)  # (B, m), and x is of the operator's dtype
    correlation = operator.unchecked_adjoint(residual)  # (B, n)
    tiny = torch.finfo(x.dtype).tiny

    def most(sizes: Tensor) -> Tensor:  # the largest multiple that is feasible, (B,)
        return (penalty / sizes.clamp(min=tiny)).amin(1)

    if nonnegative:
        least, largest = -most(-correlation), most(correlation)
    else:
        largest = most(correlation.abs())
        least = -largest
    best = (y.conj() * residual).real.sum(1) / residual.abs().square().sum(1).clamp(min=tiny)
    scale = torch.minimum(torch.maximum(best, least), largest)  # (B,), u = scale·residual
    misfit = (1 - scale).square() * residual.abs().square().sum(1) / 2
    aligned = scale[:, None] * (x.conj() * correlation).real
    return misfit + (penalty * x.abs() - aligned).sum(1)


def ista_step(operator: SensingOperator) -> float:
    """The step 1/λ_max(AᴴA), the largest for which no step can overshoot.

    An operator that does not know its eigenvalues is spared them: the step is shorter then by a few
    per cent, and no longer but with a probability of 10⁻⁶ (`sensing.largest_eigenvalue`).

    Raises:
        ValueError: A = 0, which has no such step.
    """
    check_kind("operator", operator, SensingOperator)
    largest = operator.largest_eigenvalue()
    if not largest >= torch.finfo(operator.dtype).tiny:  # whose reciprocal is finite
        raise ValueError("A is zero, or too small for its dtype, and has no step 1/λ_max(AᴴA)")
    return 1 / largest


def _check_step(operator: SensingOperator, step: float | None) -> float:
    if step is None:
        return ista_step(operator)
    return check_positive("step", step, dtype=operator.dtype.to_real())


def _penalty(
    operator: SensingOperator, penalty: float | Tensor, *, zero: bool = False
) -> float | Tensor:
    # One number, or a real tensor (n,) where the operator is.
    check_penalty(penalty, operator.shape[1], zero=zero)
    largest = float(penalty.max() if isinstance(penalty, Tensor) else penalty)
    check_held("penalty", largest, operator.dtype)
    if isinstance(penalty, Tensor) and penalty.ndim:
        return penalty.to(operator.device, operator.dtype.to_real())
    return largest


def _shrinkage(
    operator: SensingOperator, penalty: float | Tensor, step: float, nonnegative: bool
) -> Callable[[Tensor], Tensor]:
    check_flag("nonnegative", nonnegative)
    check_nonnegative(nonnegative, operator.dtype)
    penalty = _penalty(operator, penalty, zero=True)
    return partial(soft_threshold, threshold=step * penalty, nonnegative=nonnegative)


def _stopping(
    operator: SensingOperator,
    y: Tensor,
    penalty: float | Tensor,
    nonnegative: bool,
    tolerance: float | None,
    weights: Tensor | None = None,
) -> Callable[[Tensor], bool]:
    """Whether an iterate is as near to a solution as is asked for."""
    if tolerance is None:
        return lambda x: False
    tolerance = check_positive("tolerance", tolerance)
    free = bool((penalty == 0).any()) if isinstance(penalty, Tensor) else penalty == 0
    if weights is not None or free:
        raise ValueError(
            f"tolerance is {tolerance}, but {'penalty is 0' if free else 'weights are given'}; "
            "no duality gap says then how near a solution is"
        )
    enough = tolerance * y.abs().square().sum(1) / 2

    def solved(x: Tensor) -> bool:
        if not x.isfinite().all():  # a run that diverges shows in its iterates
            return False
        gap = duality_gap(operator, y, x, penalty, nonnegative=nonnegative)
        return bool((gap <= enough).all())

    return solved


def _check_weights(operator: SensingOperator, weights: Tensor) -> None:
    check_dense("weights", weights)
    if weights.shape != operator.shape or weights.dtype != operator.dtype:
        raise ValueError(
            f"weights has shape {tuple(weights.shape)} and dtype {weights.dtype}; "
            f"{operator.shape} and {operator.dtype} are needed, as of A"
        )
    check_place("weights", weights, operator)
    if not torch.isfinite(weights).all():
        raise ValueError("weights holds NaN or infinite entries; all must be finite")
