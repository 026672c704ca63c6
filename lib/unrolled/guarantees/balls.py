"""The second engine that attacks a step: it evaluates both sides at points, in ball arithmetic.

Each number is a ball that is proved to hold the true value (Johansson's Arb). A point at which the
balls exclude a claim refutes it, whatever rewriting has said. No number of points proves one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import sympy as sp
from flint import arb, ctx, fmpq

from unrolled.guarantees.relation import AT_MOST, EQUAL, LESS, Relation

__all__ = ["Unsupported", "excludes"]

PRECISIONS = (64, 256, 1024)  # bits, tried in turn while a ball leaves the claim open
LONGEST = 400  # terms of a sum

Point = Mapping[sp.Symbol, sp.Rational | arb]


class Unsupported(Exception):
    """The expression holds something that is not evaluated here."""


def excludes(left: sp.Expr, right: sp.Expr, relation: Relation, point: Point) -> str:
    """Why the claim that `left` stands in this relation to `right` fails at the point, or "".

    Args:
        relation: `EQUAL`, `AT_MOST` or `LESS`.
        point: an exact number for every free symbol.

    Raises:
        Unsupported: a side holds a function that is not known here.
    """
    difference, carried_out = _differentiated(right - left)
    gap = arb.nan()
    for precision in PRECISIONS:
        with _bits(precision):
            gap = _ball(difference, point)
            if not gap.is_finite():
                continue
            if relation is EQUAL and not gap.contains(0):
                return f"right − left is {_shown(gap)}"
            if relation in (AT_MOST, LESS) and gap < 0:
                return f"right − left is {_shown(gap)}"
            if relation is LESS and gap.is_zero():
                return "both sides are equal"
            if relation is not EQUAL and gap > 0:
                return ""
    # What differentiation left behind may have poles of its own, where the derivative has none.
    return "" if gap.is_finite() or carried_out else "a side is not defined"


def _shown(ball: arb) -> str:
    return ball.str(5, radius=False)


def _differentiated(expression: sp.Expr) -> tuple[sp.Expr, bool]:
    pending = expression.atoms(sp.Derivative)
    pending |= {taken for taken in expression.atoms(sp.Subs) if taken.has(sp.Derivative)}
    return expression.xreplace({e: e.doit() for e in pending}), bool(pending)


@contextmanager
def _bits(precision: int) -> Iterator[None]:
    before, ctx.prec = ctx.prec, precision
    try:
        yield
    finally:
        ctx.prec = before


_FUNCTIONS: dict[type[sp.Expr], Callable[[arb], arb]] = {
    sp.exp: arb.exp,
    sp.log: arb.log,
    sp.sin: arb.sin,
    sp.cos: arb.cos,
    sp.tan: arb.tan,
    sp.acos: arb.acos,
    sp.asin: arb.asin,
    sp.atan: arb.atan,
    sp.sinh: arb.sinh,
    sp.cosh: arb.cosh,
    sp.tanh: arb.tanh,
    sp.asinh: arb.asinh,
    sp.acosh: arb.acosh,
    sp.atanh: arb.atanh,
    sp.erf: arb.erf,
    sp.erfc: arb.erfc,
    sp.gamma: arb.gamma,
    sp.loggamma: arb.lgamma,
    sp.sech: arb.sech,
    sp.csch: arb.csch,
    sp.coth: arb.coth,
    sp.sec: arb.sec,
    sp.csc: arb.csc,
    sp.cot: arb.cot,
    sp.Abs: abs,
    sp.sign: arb.sgn,
}


def _ball(expression: sp.Expr, point: Point) -> arb:
    if expression in point:
        value = point[expression]
        return value if isinstance(value, arb) else _ball(sp.sympify(value), {})
    if isinstance(expression, sp.Rational):
        return arb(fmpq(int(expression.p), int(expression.q)))
    if expression is sp.pi:
        return arb.pi()
    if expression is sp.E:
        return arb.const_e()
    if isinstance(expression, sp.Pow):
        return _power(expression.base, expression.exp, point)
    if isinstance(expression, sp.Sum | sp.Product):
        return _accumulated(expression, point)
    if isinstance(expression, sp.Subs):
        places = zip(expression.variables, expression.point, strict=True)
        there = {variable: _exactly(value, point) for variable, value in places}
        return _ball(expression.expr, {**point, **there})
    balls = [_ball(part, point) for part in expression.args]
    if isinstance(expression, sp.Add):
        return sum(balls, arb(0))
    if isinstance(expression, sp.Mul):
        result = arb(1)
        for ball in balls:
            result *= ball
        return result
    if isinstance(expression, sp.Max | sp.Min):
        chosen = balls[0]
        for ball in balls[1:]:
            chosen = chosen.max(ball) if isinstance(expression, sp.Max) else chosen.min(ball)
        return chosen
    if isinstance(expression, sp.binomial | sp.factorial):
        number = expression.func(*(_at(point, part) for part in expression.args))
        return _ball(number, {}) if number.is_Integer else arb.nan()
    if isinstance(expression, sp.chebyshevt):
        return arb.chebyshev_t(balls[1], balls[0])
    if isinstance(expression, sp.chebyshevu):
        return arb.chebyshev_u(balls[1], balls[0])
    if type(expression) in _FUNCTIONS:
        return _FUNCTIONS[type(expression)](*balls)
    raise Unsupported(f"{type(expression).__name__} is not evaluated in balls")


def _power(base: sp.Expr, exponent: sp.Expr, point: Point) -> arb:
    below = _ball(base, point)
    exact = _at(point, exponent)
    if exact.is_Integer:
        return _whole_power(below, int(exact))
    above = _ball(exponent, point)
    if exact == sp.Rational(1, 2):
        return below.sqrt()
    if below.is_zero() and above > 0:
        return arb(0)
    return below**above


def _at(point: Point, expression: sp.Expr) -> sp.Expr:
    # With the numbers put in that are known exactly.
    exact = {symbol: value for symbol, value in point.items() if not isinstance(value, arb)}
    return expression.xreplace(exact)


def _exactly(expression: sp.Expr, point: Point) -> sp.Rational | arb:
    # A number where it is rational, else a ball.
    value = _at(point, expression)
    return value if value.is_Rational else _ball(expression, point)


def _whole_power(ball: arb, exponent: int) -> arb:
    # arb's own power of a ball around 0 is undefined, as it would be for exponents in between.
    if exponent < 0:
        return arb(1) / _whole_power(ball, -exponent)
    result = arb(1)
    while exponent:
        result = result * ball if exponent % 2 else result
        ball, exponent = ball * ball, exponent // 2
    return result


def _accumulated(expression: sp.Sum | sp.Product, point: Point) -> arb:
    index, low, high = expression.limits[-1]
    first, last = (_at(point, end) for end in (low, high))
    if not (first.is_Integer and last.is_Integer):
        raise Unsupported(f"a sum from {first} to {last} is not evaluated in balls")
    first, last = int(first), int(last)
    if last - first > LONGEST:
        raise Unsupported(f"a sum of {last - first + 1} terms is not evaluated in balls")
    inner = expression.limits[:-1]
    body = expression.func(expression.function, *inner) if inner else expression.function
    adds = isinstance(expression, sp.Sum)
    total = arb(0 if adds else 1)
    for number in range(first, last + 1):
        term = _ball(body, {**point, index: sp.Integer(number)})
        total = total + term if adds else total * term
    return total
