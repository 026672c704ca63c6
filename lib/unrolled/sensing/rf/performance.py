"""What an operator sees: singular values, degrees of freedom, the image of a point."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_kind, check_number, is_integer
from unrolled.sensing.operator import SensingOperator

__all__ = ["degrees_of_freedom", "point_spread", "singular_values"]


def singular_values(operator: SensingOperator) -> Tensor:
    """The min(m, n) largest singular values of A, in falling order; ValueError for no operator."""
    check_kind("operator", operator, SensingOperator)
    eigenvalues = operator.eigenvalues.flip(-1)[..., : min(operator.shape)]
    return eigenvalues.clamp(min=0).sqrt()


def degrees_of_freedom(operator: SensingOperator, snr: float) -> int:
    """How many numbers of a scene arrive above the noise.

    Of a scene of independent entries of variance one, measured with white noise, the singular
    direction k brings s_k² of signal. Those are counted that bring more than the noise has.

    Args:
        operator: one A for all.
        snr: mean power of the measurements over that of the noise, in dB.

    Raises:
        ValueError: no operator, or an snr that is no finite number.
    """
    powers = singular_values(operator).square()
    if powers.ndim != 1:
        raise ValueError("operator holds a matrix for each sample; one for all is needed")
    snr = check_number("snr", snr)
    ratio = 10 ** torch.tensor(-snr / 10, dtype=torch.float64)  # without overflow
    noise = powers.sum() / operator.shape[0] * ratio
    return int((powers > noise).sum())


def point_spread(operator: SensingOperator, pixel: int) -> Tensor:
    """What back-projection makes of one scatterer: |AᴴA e_pixel|, scaled to 1 there, (n,).

    ValueError unless 0 ≤ pixel < n.
    """
    check_kind("operator", operator, SensingOperator)
    n = operator.shape[1]
    if not is_integer(pixel) or not 0 <= pixel < n:
        raise ValueError(f"pixel is {pixel!r}; an integer with 0 ≤ pixel < {n} is needed")
    scatterer = torch.zeros(1, n, dtype=operator.dtype, device=operator.device)
    scatterer[0, pixel] = 1
    image = operator.adjoint(operator.forward(scatterer))[0].abs()
    if not image[pixel] > 0:
        raise ValueError(f"pixel is {pixel}, of which nothing is measured")
    return image / image[pixel]
