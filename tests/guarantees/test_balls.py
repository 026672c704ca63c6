"""Ball arithmetic: it agrees with exact values, excludes what differs, and knows what it knows."""

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from unrolled.guarantees import balls
from unrolled.guarantees.balls import Unsupported, excludes
from unrolled.guarantees.relation import AT_MOST, EQUAL, LESS

x, y = sp.symbols("x y", real=True)
n = sp.Symbol("n", integer=True, nonnegative=True)
j, l = sp.symbols("j l", integer=True)  # noqa: E741

HALF = sp.Rational(1, 2)


def kept(function, *arguments):
    return function(*arguments, evaluate=False)


# An expression, where it is evaluated, and its exact value there.
VALUES = {
    "polynomial": (x**2 - 3 * x * y, {x: HALF, y: sp.Rational(1, 3)}, -sp.Rational(1, 4)),
    "division": (x / y, {x: sp.Integer(1), y: sp.Integer(3)}, sp.Rational(1, 3)),
    "whole power": (x**n, {x: sp.Integer(-2), n: sp.Integer(5)}, -32),
    "zeroth power of zero": (x**n, {x: sp.Integer(0), n: sp.Integer(0)}, 1),
    "negative power": (x**-3, {x: -HALF}, -8),
    "root": (sp.sqrt(x), {x: sp.Rational(9, 4)}, sp.Rational(3, 2)),
    "root of zero": (x ** sp.Rational(1, 3), {x: sp.Integer(0)}, 0),
    "real power": (x**y, {x: sp.Integer(8), y: sp.Rational(2, 3)}, 4),
    "exponential": (kept(sp.exp, sp.log(x)), {x: sp.Integer(7)}, 7),
    "Euler's number": (kept(sp.log, x * sp.E), {x: sp.Integer(1)}, 1),
    "sine": (sp.sin(x * sp.pi), {x: sp.Rational(1, 6)}, HALF),
    "cosine": (sp.cos(x * sp.pi), {x: sp.Rational(1, 3)}, HALF),
    "tangent": (sp.tan(x * sp.pi), {x: sp.Rational(1, 4)}, 1),
    "arc cosine": (sp.acos(x), {x: HALF}, sp.pi / 3),
    "arc sine": (sp.asin(x), {x: HALF}, sp.pi / 6),
    "arc tangent": (sp.atan(x), {x: sp.Integer(1)}, sp.pi / 4),
    "hyperbolic cosine": (sp.cosh(x), {x: sp.Integer(1)}, (sp.E + 1 / sp.E) / 2),
    "hyperbolic sine": (sp.sinh(x), {x: sp.Integer(1)}, (sp.E - 1 / sp.E) / 2),
    "hyperbolic tangent": (sp.tanh(x), {x: sp.Integer(1)}, (sp.E**2 - 1) / (sp.E**2 + 1)),
    "area cosine": (sp.acosh(x), {x: sp.Integer(2)}, sp.log(2 + sp.sqrt(3))),
    "area sine": (sp.asinh(x), {x: sp.Integer(2)}, sp.log(2 + sp.sqrt(5))),
    "area tangent": (sp.atanh(x), {x: HALF}, sp.log(3) / 2),
    "error function": (sp.erf(x) + sp.erfc(x), {x: sp.Integer(2)}, 1),
    "gamma": (sp.gamma(x), {x: HALF}, sp.sqrt(sp.pi)),
    "logarithm of gamma": (sp.loggamma(x), {x: sp.Integer(5)}, sp.log(24)),
    "size": (sp.Abs(x), {x: -HALF}, HALF),
    "sign": (sp.sign(x), {x: -HALF}, -1),
    "larger": (sp.Max(x, y, 1), {x: sp.Integer(2), y: sp.Integer(3)}, 3),
    "smaller": (sp.Min(x, y, 1), {x: sp.Integer(2), y: sp.Integer(3)}, 1),
    "sum": (sp.Sum(j**2, (j, 1, n)), {n: sp.Integer(10)}, 385),
    "empty sum": (sp.Sum(j**2, (j, 1, n)), {n: sp.Integer(0)}, 0),
    "double sum": (sp.Sum(j * l, (l, 1, j), (j, 1, n)), {n: sp.Integer(3)}, 25),
    "product": (sp.Product(j + x, (j, 1, n)), {n: sp.Integer(3), x: HALF}, sp.Rational(105, 8)),
    "empty product": (sp.Product(j, (j, 1, n)), {n: sp.Integer(0)}, 1),
    "factorial": (sp.factorial(n), {n: sp.Integer(6)}, 720),
    "binomial": (sp.binomial(n, 2), {n: sp.Integer(6)}, 15),
    "binomial in a sum": (sp.Sum(sp.binomial(n, j), (j, 0, n)), {n: sp.Integer(6)}, 64),
    "Chebyshev": (sp.chebyshevt(n, x), {n: sp.Integer(3), x: sp.Integer(2)}, 26),
    "Chebyshev, of the second kind": (
        sp.chebyshevu(n, x),
        {n: sp.Integer(3), x: sp.Integer(2)},
        56,
    ),
    "derivative": (sp.Derivative(x**3, x), {x: sp.Integer(2)}, 12),
    "derivative at a point": (sp.Subs(sp.Derivative(x**3, x), x, y), {y: sp.Integer(2)}, 12),
}
NEARLY = sp.Rational(1, 10**12)


@pytest.mark.parametrize("name", VALUES)
def test_balls_agree_with_exact_values_and_exclude_others(name):
    expression, point, value = VALUES[name]
    value = sp.sympify(value)
    assert excludes(expression, value, EQUAL, point) == ""
    assert excludes(expression, value, AT_MOST, point) == ""
    assert excludes(expression, value + NEARLY, LESS, point) == ""
    assert excludes(expression, value + NEARLY, EQUAL, point).startswith("right − left is 1.000")
    for relation in (EQUAL, AT_MOST, LESS):
        why = excludes(expression, value - NEARLY, relation, point)
        assert why.startswith("right − left is -1.000")


@given(st.fractions(-10, 10), st.fractions(-10, 10))
def test_balls_order_numbers_as_they_are(a, b):
    point = {x: sp.Rational(a), y: sp.Rational(b)}
    assert (excludes(x, y, EQUAL, point) == "") == (a == b)
    assert (excludes(x, y, AT_MOST, point) == "") == (a <= b)
    if a != b:
        assert (excludes(x, y, LESS, point) == "") == (a < b)


def test_equal_sides_are_not_less():
    assert excludes(x, y, LESS, {x: HALF, y: HALF}) == "both sides are equal"
    assert excludes(x, y, AT_MOST, {x: HALF, y: HALF}) == ""


@pytest.mark.parametrize("digits", [15, 30, 100, 300])
def test_precision_rises_until_the_difference_shows(digits):
    one = sp.cos(x) ** 2 + sp.sin(x) ** 2
    little = sp.Rational(1, 10**digits)
    assert excludes(one, 1 + little, EQUAL, {x: HALF})
    assert excludes(one, 1 - little, AT_MOST, {x: HALF})
    assert excludes(one, 1 - little, LESS, {x: HALF})
    assert excludes(one, sp.Integer(1), EQUAL, {x: HALF}) == ""


def test_a_difference_below_all_precisions_is_left_open():
    one = sp.cos(x) ** 2 + sp.sin(x) ** 2
    assert excludes(one, 1 + sp.Rational(1, 10**400), EQUAL, {x: HALF}) == ""


def test_the_precision_is_put_back():
    before = balls.ctx.prec
    excludes(sp.cos(x), sp.Integer(1), AT_MOST, {x: HALF})
    with pytest.raises(Unsupported):
        excludes(sp.zeta(x), sp.Integer(1), EQUAL, {x: sp.Integer(3)})
    assert balls.ctx.prec == before


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (1 / x, 0),
        (sp.sqrt(x), -1),
        (sp.log(x), 0),
        (sp.log(x), -1),
        (x**HALF, -2),
        (sp.acos(x), 2),
        (sp.acosh(x), HALF),
        (sp.atanh(x), 1),
        (sp.gamma(x), 0),
        (sp.factorial(x), -1),
        (sp.tan(sp.pi * x), HALF),
        (sp.Mul(x, sp.Pow(x, -1, evaluate=False), evaluate=False), 0),
    ],
)
def test_a_side_that_is_not_defined_stands_in_no_relation(expression, value):
    for relation in (EQUAL, AT_MOST, LESS):
        point = {x: sp.sympify(value), y: sp.Integer(10)}
        assert excludes(expression, y, relation, point) == "a side is not defined"


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        (sp.floor(x), "floor"),
        (sp.zeta(x), "zeta"),
        (sp.Function("f")(x), "f"),
        (sp.Piecewise((x, x > 0), (0, True)), "StrictGreaterThan"),
    ],
)
def test_what_is_not_known_is_said_to_be_so(expression, name):
    with pytest.raises(Unsupported, match=f"{name} is not evaluated in balls"):
        excludes(expression, sp.Integer(1), EQUAL, {x: sp.Rational(5, 2)})


def test_sums_may_be_too_long():
    assert excludes(sp.Sum(x, (j, 1, n)), 400 * x, EQUAL, {x: HALF, n: sp.Integer(400)}) == ""
    with pytest.raises(Unsupported, match="a sum of 1000 terms"):
        excludes(sp.Sum(x, (j, 1, n)), 1000 * x, EQUAL, {x: HALF, n: sp.Integer(1000)})
