"""Sensing operators: the A in y = Ax + w.

Batches come first: signals x are (B, n), measurements y are (B, m), A is (m, n).
"""

from unrolled.sensing.coercion import dense_operator, real_operator
from unrolled.sensing.dense import (
    DenseOperator,
    equiangular_frame,
    gaussian,
    identity_hadamard,
    with_spectrum,
)
from unrolled.sensing.kronecker import KroneckerOperator, kronecker
from unrolled.sensing.operator import SensingOperator
from unrolled.sensing.transforms import (
    PartialTransform,
    dct,
    hadamard,
    inverse_dct,
    partial_dct,
    partial_fourier,
    partial_hadamard,
)
from unrolled.sensing.weights import analytic_weights

__all__ = [
    "DenseOperator",
    "KroneckerOperator",
    "PartialTransform",
    "SensingOperator",
    "analytic_weights",
    "dct",
    "dense_operator",
    "equiangular_frame",
    "gaussian",
    "hadamard",
    "identity_hadamard",
    "inverse_dct",
    "kronecker",
    "partial_dct",
    "partial_fourier",
    "partial_hadamard",
    "real_operator",
    "with_spectrum",
]
