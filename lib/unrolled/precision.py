"""A module's precision, where some of its numbers are real and others complex."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["keeping_kind"]


def keeping_kind(fn: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """What `.double()`, `.to(dtype)` and the like do to a tensor, but real and complex stay so.

    PyTorch's `.double()` leaves complex tensors as they are, and its `.to(torch.complex128)` makes
    real ones complex. Here both change the precision alone. For a module's `_apply`.

    Raises:
        ValueError: complex numbers in half a precision, for which PyTorch lacks most operations.
    """

    def applied(tensor: Tensor) -> Tensor:
        moved = fn(tensor)
        if not tensor.is_complex():
            return moved.real.contiguous() if moved.is_complex() else moved
        # What becomes of real numbers of the same precision says which one is asked for.
        asked = fn(tensor.detach().real.new_empty(0)).dtype
        if torch.finfo(asked).bits < 32:
            raise ValueError(f"dtype is {asked}; complex numbers need single or double precision")
        return moved.to(asked.to_complex())

    return applied
