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
        if not tensor.is_complex():
            moved = fn(tensor)
            return moved.real.contiguous() if moved.is_complex() else moved
        # As the real numbers that they are made of, for which `fn` says which precision it wants.
        parts = fn(torch.view_as_real(tensor.resolve_conj()))
        parts = parts.real.clone() if parts.is_complex() else parts
        if torch.finfo(parts.dtype).bits < 32:
            raise ValueError(
                f"dtype is {parts.dtype}; complex numbers need single or double precision"
            )
        return (
            torch.complex(*parts.unbind(-1)) if parts.numel() == 0 else torch.view_as_complex(parts)
        )

    return applied
