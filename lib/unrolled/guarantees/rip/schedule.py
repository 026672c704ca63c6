"""Thresholds fixed in advance, the certificate that they earn, and the network that has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth, check_matrix, check_positive, check_size, check_spectrum
from unrolled.guarantees import evaluate
from unrolled.guarantees.rip.symbols import E0, E, K
from unrolled.networks import TiLISTA
from unrolled.sensing import DenseOperator


class Schedule(NamedTuple):
    """Thresholds fixed in advance, (K,), and the certificate E_0, …, E_K that they earn, (K + 1,).

    Both are float64; E_k bounds the error after k layers.
    """

    thresholds: Tensor
    certificate: Tensor


class Scheme(NamedTuple):
    """A theorem's θ_k and E_{k+1}, as expressions in E_k and in what the theorem is told."""

    threshold: sp.Expr
    step: sp.Expr

    def schedule(self, told: Mapping[sp.Symbol, float]) -> Schedule:
        """Follow K layers from E_0; `told` has a value for E_0, K and all other symbols."""
        thresholds, certificate = [], [float(told[E0])]
        for _ in range(int(told[K])):
            known = {**told, E: certificate[-1]}
            with np.errstate(over="ignore"):  # a bound that nothing meets may be infinite
                thresholds.append(evaluate(self.threshold, known))
                certificate.append(evaluate(self.step, known))
        return Schedule(
            torch.tensor(thresholds, dtype=torch.float64),
            torch.tensor(certificate, dtype=torch.float64),
        )


def check_schedule(sparsity: int, depth: int, **sizes: float) -> None:
    """Require s, K ≥ 1 and numbers that are finite and ≥ 0; ValueError naming the argument."""
    check_size("sparsity", sparsity)
    check_depth(depth)
    for name, value in sizes.items():
        check_positive(name, value, zero=True)


def with_thresholds(A: DenseOperator | Tensor, W: Tensor, thresholds: Tensor) -> TiLISTA:
    """The network x ← S_{θ_k}(x + Wᵀ(y − Ax)), k = 0, …, K − 1, with nothing left to learn.

    Its parameters are frozen.

    Args:
        A, W: (m, n) of one dtype.
        thresholds: (K,), finite and ≥ 0, K ≥ 1.

    Raises:
        ValueError: arguments other than these.
    """
    check_spectrum("thresholds", thresholds)
    net = TiLISTA(A, len(thresholds))
    if not isinstance(W, Tensor) or (W.shape, W.dtype) != (net.A.shape, net.A.dtype):
        raise ValueError(f"W is no {tuple(net.A.shape)} tensor of dtype {net.A.dtype}, as A is")
    check_matrix("W", W)
    net.requires_grad_(False)
    net.W[0].copy_(W)
    net.steps.fill_(1.0)
    net.thresholds.copy_(thresholds)
    return net
