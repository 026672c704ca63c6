"""Rewriting proves what is so, leaves the rest open, and says where expressions are defined."""

import pytest
import sympy as sp

from unrolled.guarantees.rewriting import (
    is_defined,
    is_identically_zero,
    is_nonnegative,
    is_nonzero,
    is_positive,
)

x, y = sp.symbols("x y", real=True)
p, q = sp.symbols("p q", positive=True)
d = sp.Symbol("d", nonnegative=True)
u = sp.Symbol("u", real=True, nonzero=True)
n = sp.Symbol("n", integer=True, positive=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
i, j = sp.symbols("i j", integer=True)
z = sp.Symbol("z")
f = sp.Function("f")

HALF = sp.Rational(1, 2)

DEFINED = [
    sp.Integer(3), sp.pi, x, x**2 + y, 1 / p, 1 / u, 1 / (1 + d), 1 / (1 + x**2), p**x, p**-HALF,
    sp.sqrt(d), sp.sqrt(1 + x**2), d ** sp.Rational(3, 2), x**k, u**i, sp.exp(x), sp.tanh(x),
    sp.log(p), sp.log(1 + d), sp.atanh(p / (1 + p)),
    sp.coth(p), sp.gamma(n), sp.factorial(k), sp.factorial(n - 1),
    sp.binomial(k, 2), sp.binomial(n, k), sp.chebyshevt(k, x), sp.chebyshevu(n, x), sp.Abs(x),
    sp.sign(x), sp.Max(x, y), sp.Sum(x**j, (j, 0, k)), sp.Sum(1 / j, (j, 1, k)),
    sp.Sum(x, (j, 1, 5)), sp.Sum(j * i, (i, 1, 3), (j, 1, n)), sp.Product(x + j, (j, 1, n)),
    sp.Derivative(x**3, x), sp.Derivative(sp.sqrt(1 + x**2), x), sp.Subs(x**2, x, y),
    sp.Subs(1 / x, x, p),
]  # fmt: skip

UNDEFINED = [
    sp.zoo, sp.oo, sp.nan, sp.I, z, z**2, 1 / x, 1 / d, 1 / (1 - p), 1 / (x**2 - 1), p / (p - q),
    x**i, x**p, x**HALF, sp.sqrt(x), sp.sqrt(d - 1), d**-HALF, d**x, x**x, sp.sqrt(sp.Integer(-1)),
    sp.log(d), sp.log(x), sp.log(x**2), sp.acosh(p), sp.acos(x), sp.atan(k), sp.atanh(p),
    sp.tan(x), sp.sec(x), sp.cot(x), sp.csc(x), sp.coth(x), sp.csch(d), sp.gamma(d), sp.loggamma(x),
    sp.factorial(i), sp.factorial(x), sp.factorial(n - 2), sp.binomial(i, 2), sp.binomial(k, i),
    sp.binomial(x, 2), sp.chebyshevt(i, x), sp.Sum(x, (j, 1, i)), sp.Sum(x, (j, 2, k)),
    sp.Sum(1 / j, (j, 0, k)), sp.Sum(x**j, (j, -1, k)), sp.Sum(x, (j, 1, sp.oo)),
    sp.Sum(x, (j, 0, x)), sp.Product(x, (j, 1, i)), f(x), sp.floor(x), sp.Abs(1 / x),
    sp.Max(x, 1 / y), sp.exp(1 / x), x + 1 / y, x * sp.log(y), sp.Derivative(sp.Abs(x), x),
    sp.Derivative(sp.sqrt(d), d), sp.Derivative(sp.Max(x, y), x), sp.Subs(1 / x, x, 0),
    sp.Subs(1 / x, x, y), sp.Subs((x**2 - 1) / (x - 1), x, 1), sp.Limit(x, x, 0),
    sp.Piecewise((x, x > 0), (1 / x, True)),
]  # fmt: skip


@pytest.mark.parametrize("expression", DEFINED, ids=str)
def test_what_is_defined_for_all_values_is_known_to_be(expression):
    assert is_defined(expression)


@pytest.mark.parametrize("expression", UNDEFINED, ids=str)
def test_what_may_be_undefined_is_not_said_to_be_defined(expression):
    assert not is_defined(expression)


@pytest.mark.parametrize("expression", [x**3, sp.exp(x), sp.sqrt(p), sp.log(1 + d), p**x], ids=str)
def test_what_is_smooth(expression):
    assert is_defined(expression, smooth=True)


@pytest.mark.parametrize(
    "expression", [sp.Abs(x), sp.sign(x), sp.Max(x, 1), sp.sqrt(d), x * sp.Abs(x)], ids=str
)
def test_what_is_defined_and_has_a_kink(expression):
    assert is_defined(expression)
    assert not is_defined(expression, smooth=True)


@pytest.mark.parametrize(
    "expression",
    [
        (x + y) ** 2 - x**2 - 2 * x * y - y**2,
        1 / p - 1 / (p + 1) - 1 / (p * (p + 1)),
        sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
        sp.cosh(2 * p) - 2 * sp.cosh(p) ** 2 + 1,
        sp.exp(x + y) - sp.exp(x) * sp.exp(y),
        1 / (sp.sqrt(p + 1) - sp.sqrt(p)) - sp.sqrt(p + 1) - sp.sqrt(p),
        sp.factorial(k + 2) / sp.factorial(k) - (k + 1) * (k + 2),
        2 ** (k + 1) - 2 * 2**k,
        sp.log(p * q) - sp.log(p) - sp.log(q),
    ],
    ids=str,
)
def test_what_vanishes_is_found_to(expression):
    assert is_identically_zero(expression)
    assert not is_identically_zero(expression + sp.Rational(1, 10**60))
    assert not is_identically_zero(expression + p / 10**60)


def test_undecidable_is_not_zero():
    assert not is_identically_zero(f(x) - f(-x))
    assert not is_identically_zero(sp.sin(sp.pi * x))
    assert not is_identically_zero(sp.sqrt(x**2) - x)


@pytest.mark.parametrize(
    ("expression", "positive", "nonnegative", "nonzero"),
    [
        (1 + x**2, True, True, True),
        (p / (1 + d), True, True, True),
        (p**2 + 2 * p * q - p * q, True, True, True),
        (-1 - p, False, False, True),
        (u, False, False, True),
        (u**2, True, True, True),
        (x**2, False, True, False),
        (x**2 - 2 * x * y + y**2, False, True, False),
        (d, False, True, False),
        (d * p, False, True, False),
        (x, False, False, False),
        (p - q, False, False, False),
        (z, False, False, False),
    ],
    ids=str,
)
def test_signs_show_where_they_are_so(expression, positive, nonnegative, nonzero):
    assert is_positive(expression) is positive
    assert is_nonnegative(expression) is nonnegative
    assert is_nonzero(expression) is nonzero
