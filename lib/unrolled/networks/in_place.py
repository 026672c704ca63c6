"""Where nothing is differentiated a layer works in place: what it computes costs no memory anew.

The state that a layer is given is its own then, and so is what it has just computed. With a
gradient, and where PyTorch follows the program, the same numbers are computed aside.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.prox import is_spare

__all__ = ["add", "add_product"]


def add_product(x: Tensor, left: Tensor, right: Tensor, scale: Tensor | None = None) -> Tensor:
    """x + scale·left·right, into x if it is spare; scale is one real number, 1 by default."""
    if not is_spare(x, left, right, *(() if scale is None else (scale,))):
        # On m numbers a signal; scaling the product would take n.
        return torch.addmm(x, left if scale is None else scale * left, right)
    if scale is None or scale.device.type != "cpu":  # elsewhere a look would make the program wait
        return x.addmm_(left if scale is None else scale * left, right)
    return x.addmm_(left, right, alpha=float(scale))


def add(x: Tensor, y: Tensor, factor: Tensor | None = None) -> Tensor:
    """x + y, or x + factor·y, into x if it is spare."""
    if is_spare(x, y, *(() if factor is None else (factor,))):
        return x.add_(y) if factor is None else x.addcmul_(factor, y)
    return x + y if factor is None else x + factor * y
