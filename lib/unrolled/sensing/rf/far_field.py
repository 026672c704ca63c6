"""Far from a planar array waves are plane, and the operator is a Kronecker product."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from unrolled.checks import check_entries, check_floating, check_image, check_positive, check_vector
from unrolled.sensing.kronecker import KroneckerOperator
from unrolled.sensing.rf.grid import centres

__all__ = ["far_field"]


def far_field(
    first: Tensor,
    second: Tensor,
    *,
    side: float,
    pixels: tuple[int, int],
    dtype: torch.dtype = torch.complex64,
) -> KroneckerOperator:
    """The operator of a planar array that looks at directions: A = A1 ⊗ A2.

    A wave that a scatterer far away in the direction (p, q) returns has, but for factors of the
    scatterer alone, the phase −2π(a·p + b·q), where (a, b) is the sum of the places of transmitter
    and receiver: the virtual antenna. Virtual antennas on a grid, first × second, and directions on
    a grid make it a product. For one antenna that does both, its virtual place is twice its own;
    a MIMO array has one for each pair.

    With unit columns; rows run over `first`, then `second`.

    Source: the array factor; Johnson and Dudgeon, Array Signal Processing, 1993.

    Args:
        first, second: (m1,), (m2,), places of the virtual antennas along both sides, in
            wavelengths.
        side: 0 < side ≤ √2, of the square of direction cosines around (0, 0).
        pixels: (n1, n2) directions.

    Raises:
        ValueError: what is none of that, or a real dtype.
    """
    check_vector("first", first)
    check_vector("second", second)
    side = check_positive("side", side)
    if side > math.sqrt(2):
        raise ValueError(f"side is {side}; directions end at side = √2")
    check_image(pixels, "pixels")
    check_floating(dtype)
    if not dtype.is_complex:
        raise ValueError(f"dtype is {dtype}; a complex one is needed")
    factors = []
    for places, count in zip((first, second), pixels, strict=True):
        check_entries("pixels", pixels, len(places) * count)
        phases = torch.outer(places.double(), centres(count, side))
        unit = torch.polar(torch.ones_like(phases), -2 * math.pi * phases)
        factors.append((unit / len(places) ** 0.5).to(dtype))
    return KroneckerOperator(*factors)
