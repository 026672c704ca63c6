"""The thresholds that sparse networks learn: where they start, one a layer or one an entry."""

from __future__ import annotations

from torch import Tensor, nn

from unrolled.checks import check_held, check_penalty

__all__ = ["starting_thresholds"]


def starting_thresholds(
    A: Tensor, layers: int, step: float, penalty: float | Tensor
) -> nn.Parameter:
    """The thresholds step·penalty of ISTA, real like A (m, n): (layers,), or (layers, n).

    They are (layers, n) where there is a penalty for each entry, (n,).

    Raises:
        ValueError: a penalty that is not positive or no number for each entry.
    """
    n = A.shape[1]
    check_penalty(penalty, n)
    if isinstance(penalty, Tensor) and penalty.ndim == 1:
        return nn.Parameter((step * penalty).to(A.real).expand(layers, n).clone())
    threshold = step * float(penalty)
    check_held("step times penalty", threshold, A.dtype)
    return nn.Parameter(A.real.new_full((layers,), threshold))
