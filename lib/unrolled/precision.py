"""A module's precision, where some of its numbers are real and others complex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

__all__ = ["KindKeepingModule", "in_double"]


def in_double(A: Tensor) -> Tensor:
    """A in double precision, real or complex as it is."""
    return A.to(torch.complex128 if A.is_complex() else torch.float64)


class KindKeepingModule(nn.Module):
    """A module in which `.double()`, `.to(dtype)` and the like leave real and complex as they are.

    PyTorch's `.double()` leaves complex tensors alone, and its `.to(torch.complex128)` makes real
    ones complex. Here both change the precision, of this module and of all that it holds.

    Raises:
        ValueError: complex numbers in half a precision, for which PyTorch lacks most operations.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        return super()._apply(_keeping_kind(fn), recurse)


def _keeping_kind(fn: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
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
