"""Matrices that the tests of isometry constants and of what they certify share."""

import torch
from hypothesis import strategies as st

from unrolled.sensing import equiangular_frame, gaussian, with_spectrum

REAL, COMPLEX = torch.float64, torch.complex128
FRAME = equiangular_frame(dtype=REAL)
CLOSE = 1e-11
seeds = st.integers(0, 2**31)


def draw(m, n, seed=0, dtype=REAL, unit_columns=True):
    generator = torch.Generator().manual_seed(seed)
    return gaussian(m, n, generator=generator, dtype=dtype, unit_columns=unit_columns).A


def orthonormal(n, m=None):
    generator = torch.Generator().manual_seed(0)
    return with_spectrum(torch.ones(n), m=m, generator=generator, dtype=REAL).A
