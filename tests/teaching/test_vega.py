"""The printed expression, computed by Vega, against numpy and against sympy's own arithmetic."""

import math

import numpy as np
import pytest
import sympy
import vl_convert
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unrolled.teaching.explorable import vega

x, y = sympy.symbols("x y", real=True)
NAMES = {"x": "x", "y": "y"}
VALUES = st.floats(-4, 4).map(lambda value: round(value, 3))


def computed(codes, values):
    """What Vega's runtime makes of Vega expressions in the signals x and y."""
    signals = [{"name": name, "value": value} for name, value in values.items()]
    texts = [{"text": {"signal": f"'' + ({code})"}} for code in codes]
    marks = [{"type": "text", "encode": {"update": text}} for text in texts]
    scene = vl_convert.vega_to_scenegraph({"signals": signals, "marks": marks})
    drawn = scene["scenegraph"]["items"][0]["items"]
    return [
        float({"true": "1", "false": "0"}.get(t, t)) for m in drawn for t in [m["items"][0]["text"]]
    ]


def agree(expressions, values):
    """Raise AssertionError unless Vega and numpy compute the same."""
    here = [float(vega.numeric(expression)(values)) for expression in expressions]
    there = computed([vega.printed(expression, NAMES) for expression in expressions], values)
    np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-12)


def leaves():
    rationals = st.builds(sympy.Rational, st.integers(-9, 9), st.integers(1, 9))
    return st.sampled_from([x, y, sympy.pi, sympy.E]) | rationals


def grow(children):
    unary = st.sampled_from(
        [
            sympy.sin,
            sympy.cos,
            sympy.atan,
            sympy.tanh,
            sympy.Abs,
            lambda e: sympy.exp(-(e**2)),
            lambda e: sympy.sqrt(1 + e**2),
            lambda e: sympy.log(1 + e**2),
            lambda e: sympy.acos(sympy.cos(e)),
            lambda e: sympy.asin(e / (1 + sympy.Abs(e))),
            lambda e: sympy.acosh(1 + e**2),
            lambda e: sympy.cosh(sympy.sin(e)),
            lambda e: 1 / (2 + e**2),
            lambda e: e**3,
            lambda e: 1 / sympy.sqrt(1 + e**2),
        ]
    )
    binary = st.sampled_from(
        [
            lambda a, b: a + b,
            lambda a, b: a - b,
            lambda a, b: a * b,
            lambda a, b: a / (1 + b**2),
            sympy.Max,
            sympy.Min,
            lambda a, b: (1 + a**2) ** b,
            lambda a, b: sympy.Piecewise((a, x < y), (b, True)),
            lambda a, b: sympy.atan2(a, 1 + b**2),
        ]
    )
    return st.builds(lambda f, e: f(e), unary, children) | st.builds(
        lambda f, a, b: f(a, b), binary, children, children
    )


EXPRESSIONS = st.recursive(leaves(), grow, max_leaves=8)


def steady(expression, values):
    """The expression is of moderate size and does not blow up the rounding of its arguments."""
    nearby = {name: value * (1 + 1e-12) for name, value in values.items()}
    value, other = (float(vega.numeric(expression)(point)) for point in (values, nearby))
    return (
        math.isfinite(value)
        and abs(value) < 1e6
        and abs(value - other) <= 1e-10 * (1e-3 + abs(value))
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(EXPRESSIONS, min_size=1, max_size=20), VALUES, VALUES)
def test_vega_numpy_and_sympy_compute_the_same(expressions, x_value, y_value):
    values = {"x": x_value, "y": y_value}
    expressions = [e for e in map(sympy.sympify, expressions) if steady(e, values)]
    assume(expressions)
    agree(expressions, values)
    exact = [complex(e.evalf(30, subs={x: x_value, y: y_value})) for e in expressions]
    here = [float(vega.numeric(e)(values)) for e in expressions]
    np.testing.assert_allclose(here, exact, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", vega.FUNCTIONS)
def test_every_function_agrees_at_many_points(name):
    function = sympy.Mod if name == "Mod" else getattr(sympy, name)
    arguments = (x, y) if name in ("Mod", "atan2") else (x,)
    for x_value in (-2.5, -1, -0.3, 0.7, 1, 1.5, 3):
        agree([function(*arguments)], {"x": x_value, "y": 0.8})


@pytest.mark.parametrize("name", ["cos", "log", "acosh", "Mod"])
def test_a_wrong_translation_is_noticed(name, monkeypatch):
    monkeypatch.setitem(vega.FUNCTIONS, name, "sin({0})")
    function = getattr(sympy, name)
    expression = function(x, y) if name == "Mod" else function(x)
    with pytest.raises(AssertionError):
        agree([expression], {"x": 1.3, "y": 0.4})


def test_rounding_at_the_edge_of_acos_is_not_an_error_but_a_mistake_is():
    for function in (sympy.acos(x), sympy.asin(x)):
        for value in (1 + 2e-16, -1 - 2e-16, 1 + 1e-12):
            assert np.isfinite(vega.numeric(function)({"x": value}))
            agree([function], {"x": value})
        assert np.isnan(vega.numeric(function)({"x": 1.001}))
        assert np.isnan(computed([vega.printed(function, NAMES)], {"x": 1.001})[0])


def test_what_is_not_real_is_nan_in_both():
    for expression in (sympy.sqrt(x), sympy.log(x), x ** sympy.Rational(1, 3)):
        agree([expression], {"x": -2.0, "y": 0.0})
        assert np.isnan(vega.numeric(expression)({"x": -2.0}))


def test_sums_and_products_over_integers_are_written_out():
    j, n = sympy.symbols("j n")
    product = sympy.Product(1 - x / j, (j, 2, 6))
    agree([product, sympy.Sum(x**j, (j, 0, 5))], {"x": 0.3, "y": 0.0})
    with pytest.raises(ValueError, match="limits"):
        vega.printed(sympy.Sum(x**j, (j, 0, n)), NAMES)


def test_conditions_choose_and_combine():
    condition = sympy.And(x > 0, sympy.Or(y < 1, sympy.Not(sympy.Eq(x, y))))
    for values in ({"x": 1.0, "y": 0.5}, {"x": 2.0, "y": 2.0}, {"x": -1.0, "y": 0.0}):
        agree([condition, sympy.Piecewise((x, condition), (y, sympy.Ne(x, y)))], values)


def test_numbers_keep_every_digit():
    for number in (sympy.Rational(1, 3), sympy.Float("1e-300"), sympy.Integer(10) ** 20, -7):
        assert computed([vega.printed(number, {})], {}) == [float(number)]


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        (sympy.gamma(x), "gamma"),
        (sympy.chebyshevt(y, x), "chebyshevt"),
        (sympy.Function("rate")(x), "rate"),
        (sympy.Integral(sympy.exp(x**2), x), "Integral"),
        (sympy.I * x, "ImaginaryUnit"),
        (sympy.oo, "oo"),
        (sympy.Symbol("z") + x, "z"),
    ],
)
def test_what_vega_cannot_compute_is_refused_by_name(expression, named):
    with pytest.raises(ValueError, match=named):
        vega.printed(expression, NAMES)


def test_one_shape_for_constants_and_arrays():
    values = {"x": np.linspace(0, 1, 5), "y": 2.0}
    assert vega.numeric(sympy.Max(x, y, sympy.Rational(1, 2)))(values).shape == (5,)
    assert vega.numeric(sympy.Integer(3))(values).shape == ()
