"""Symbols and expressions that the convergence chapter's theorems, figures and questions share.

Eigenvalues are scaled to [1, κ], which loses nothing: steps scale inversely.
"""

import sympy as sp

from unrolled.guarantees.notation import Norm, over

kappa = sp.Symbol("kappa", positive=True)  # condition number κ ≥ 1
above_one = sp.Gt(kappa, 1)
K = sp.Symbol("K", integer=True, positive=True)  # layers
lam = sp.Symbol("lambda", nonnegative=True)  # an eigenvalue of H = AᵀA
c = sp.Symbol("c", positive=True)  # n/m, unknowns per measurement
noise = sp.Symbol("sigma^2", nonnegative=True)  # variance σ² of one entry of the noise
k = sp.Symbol("k", integer=True, positive=True)  # a layer

# Rate of the best constant step, and the rate r that K layer-wise steps approach.
tied_rate = (kappa - 1) / (kappa + 1)
accelerated_rate = (sp.sqrt(kappa) - 1) / (sp.sqrt(kappa) + 1)
r = sp.Symbol("r", positive=True)

# Worst-case factors after K layers; the second with r = accelerated_rate.
tied_factor = tied_rate**K
chebyshev_in_r = 2 * r**K / (1 + r ** (2 * K))
chebyshev_factor = chebyshev_in_r.subs(r, accelerated_rate)

# Error polynomials p(λ): what K layers multiply the error at eigenvalue λ by. The second's roots.
tied_polynomial = (1 - 2 * lam / (kappa + 1)) ** K
chebyshev_polynomial = sp.cos(K * sp.acos((kappa + 1 - 2 * lam) / (kappa - 1))) * chebyshev_factor
_angle = (2 * k - 1) * sp.pi / (2 * K)
chebyshev_root = sp.Mul(  # unevaluated, so that one half stays in front
    sp.Rational(1, 2), kappa + 1 + (kappa - 1) * sp.cos(_angle), evaluate=False
)

# Gaussian sensing: the best steps, and the mean squared error per coordinate that they reach,
# 1 − sinh(Kt)/(√c sinh((K+1)t)) with 2√c cosh t = 1 + c + σ², written in τ = e^(−t). As sums, since
# τ = 1 for c = 1 without noise. Charts need them carried out.
semicircle_step = 1 / (1 + c + noise + 2 * sp.sqrt(c) * sp.cos(k * sp.pi / (K + 1)))
tau = sp.Symbol("tau", positive=True)
_j = sp.Symbol("j", integer=True)
tau_powers = sp.Sum(tau ** (2 * _j), (_j, 0, K))
gaussian_error_in_tau = 1 - tau * tau_powers.subs(K, K - 1) / (sp.sqrt(c) * tau_powers)
z = sp.Symbol("z", real=True)  # cosh t
hyperbolic_cosine = (1 + c + noise) / (2 * sp.sqrt(c))
decay_in_z = z - sp.sqrt(z**2 - 1)
decay = decay_in_z.subs(z, hyperbolic_cosine)
gaussian_error = gaussian_error_in_tau.subs(tau, decay)
gaussian_error_summed = gaussian_error_in_tau.doit().subs(tau, decay)

# State evolution: the error of the best network from that of the best one layer shallower. And
# the error without noise.
v = sp.Symbol("v_k", nonnegative=True)
state_evolution = (noise + c * v) / (1 + noise + c * v)
noiseless_error = c**K / sp.Sum(c**_j, (_j, 0, K))

# Squared errors on average over a spectral measure, and least ones: with one step for all layers,
# and with the best steps.
J_tied = sp.Symbol(r"J_{\text{tied}}", nonnegative=True)
J_best = sp.Symbol(r"J_{\min}", nonnegative=True)

# What is measured: where a network starts and ends, and the signal it should have found.
first, last, signal = sp.symbols(r"x_0 x_K x^\star")
relative_error = Norm(last - signal) / Norm(first - signal)
mean_square = over(r"\mathbb E", "mean", Norm(last - signal) ** 2)

# Two equal steps h, with g the factors of the other layers: a = ∫λ²(1−hλ)²g² dν, b = ∫λ⁴g² dν.
a = sp.Symbol("a", nonnegative=True)
b = sp.Symbol("b", positive=True)

# A layer, as matrices.
rows, columns = sp.symbols("m n", integer=True, positive=True)
A = sp.MatrixSymbol("A", rows, columns)
x = sp.MatrixSymbol("x", columns, 1)
y = sp.MatrixSymbol("y", rows, 1)
