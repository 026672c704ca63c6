"""Symbols that the theorems of the RIP chapter share."""

import sympy as sp

s, K = sp.symbols("s K", integer=True, positive=True)  # nonzero entries, layers
k = sp.Symbol("k", integer=True, nonnegative=True)  # a layer

# Thresholds fixed in advance: a bound on the error at the start, and after k layers.
E0 = sp.Symbol("E_0", nonnegative=True)
E = sp.Symbol("E_k", nonnegative=True)

# A layer multiplies the bound by ρ and adds 1: this is what it adds in K of them, for ρ = 1 too.
rho = sp.Symbol("rho", nonnegative=True)
_j = sp.Symbol("j", integer=True)
geometric = sp.Sum(rho**_j, (_j, 0, K - 1))
