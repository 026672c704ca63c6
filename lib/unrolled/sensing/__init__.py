"""Sensing operators: the A in y = Ax + w.

Batches come first: signals x are (B, n), measurements y are (B, m), A is (m, n).
"""

from unrolled.sensing.check import check_operator
from unrolled.sensing.coercion import any_operator, dense_operator
from unrolled.sensing.dense import (
    BatchOperator,
    DenseOperator,
    equiangular_frame,
    gaussian,
    identity_hadamard,
    with_spectrum,
)
from unrolled.sensing.kronecker import KroneckerOperator, kronecker
from unrolled.sensing.largest import largest_eigenvalue
from unrolled.sensing.operator import SensingOperator
from unrolled.sensing.real_signals import RealSignals, stacked, with_real_signals
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
    "BatchOperator",
    "DenseOperator",
    "KroneckerOperator",
    "PartialTransform",
    "RealSignals",
    "SensingOperator",
    "analytic_weights",
    "any_operator",
    "check_operator",
    "dct",
    "dense_operator",
    "equiangular_frame",
    "gaussian",
    "hadamard",
    "identity_hadamard",
    "inverse_dct",
    "kronecker",
    "largest_eigenvalue",
    "partial_dct",
    "partial_fourier",
    "partial_hadamard",
    "stacked",
    "with_real_signals",
    "with_spectrum",
]
