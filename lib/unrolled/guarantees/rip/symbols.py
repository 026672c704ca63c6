"""Symbols that the theorems of the RIP chapter share."""

import sympy as sp

from unrolled.guarantees.notation import Norm

s, K = sp.symbols("s K", integer=True, positive=True)  # nonzero entries, layers
k = sp.Symbol("k", integer=True, nonnegative=True)  # a layer

# Thresholds fixed in advance: a bound on the error at the start, and after k layers.
E0 = sp.Symbol("E_0", nonnegative=True)
E = sp.Symbol("E_k", nonnegative=True)

# A layer multiplies the bound by ρ and adds 1: this is what it adds in K of them, for ρ = 1 too.
rho = sp.Symbol("rho", nonnegative=True)
_j = sp.Symbol("j", integer=True)
geometric = sp.Sum(rho**_j, (_j, 0, K - 1))

# What is measured: where the network ends, what it should have found, and what leaks out of S.
end, signal = sp.symbols(r"x^K x^\star")
inside = sp.Symbol(r"{x^\star_S}")
leaked = sp.Symbol(r"(x^k_i)_{i\notin S,\,k\le K}")
error = Norm(end - signal, 2)
error_inside = Norm(end - inside, 2)
sum_of_errors_inside = Norm(end - inside, 1)
leaks = Norm(leaked, 0)
