"""Symbols that the theorems of the unrolling chapter share."""

import sympy as sp

# Two eigenvalues, 1 and M, and a network of K layers that is run for k.
M = sp.Symbol("M", positive=True)
share = sp.Symbol("w", positive=True)  # of the squared error, at the eigenvalue M; below 1
K = sp.Symbol("K", integer=True, positive=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
t = sp.Symbol("t", positive=True)

unknowns, measurements = sp.symbols("n m", integer=True, positive=True)
lam = sp.Symbol("lambda", positive=True)  # the regularisation of the LMMSE step
A = sp.MatrixSymbol("A", measurements, unknowns)
