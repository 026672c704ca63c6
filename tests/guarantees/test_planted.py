"""A thousand planted steps: no false one passes, and no true one is left undecided.

Every family makes true steps and false ones that a tired author might write: a wrong sign, a limit
that is off by one, a domain too wide by little. That a false step is false, and a true one true,
is known by how it is made, and guarded by numbers that neither engine has computed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import mpmath
import pytest
import sympy as sp

from unrolled.guarantees import Step

x, y, z = sp.symbols("x y z", real=True)
p, q, r = sp.symbols("p q r", positive=True)
d, w, rho = sp.symbols("d w rho", nonnegative=True)
n = sp.Symbol("n", integer=True, positive=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
i, j = sp.symbols("i j", integer=True)

LITTLE = sp.Rational(1, 10**9)

Point = dict[sp.Symbol, sp.Rational]


@dataclass(frozen=True)
class Claim:
    """A step before anyone has decided it.

    Attributes:
        witness: where a false claim fails, when numbers drawn at random would not show it.
    """

    relation: str
    left: sp.Expr
    right: sp.Expr
    gap: sp.Expr | None = None
    domain: tuple[sp.Rel, ...] = ()
    witness: Point = field(default_factory=dict)

    @property
    def step(self) -> Step:
        if self.relation == "=":
            return Step.equal("equal", self.left, self.right, domain=self.domain)
        make = Step.at_most if self.relation == "<=" else Step.less
        gap = self.right - self.left if self.gap is None else self.gap
        return make("ordered", self.left, self.right, gap=gap, domain=self.domain)

    def __str__(self) -> str:
        given = ", ".join(map(str, self.domain))
        return f"{self.left} {self.relation} {self.right}" + (f" for {given}" if given else "")


# ---- numbers that neither engine has computed --------------------------------------------------

ARITHMETIC = {sp.Add: mpmath.fsum, sp.Mul: mpmath.fprod}


def number(expression: sp.Expr, point: Point) -> mpmath.mpf:
    """The value at the point, by the arithmetic of mpmath.

    Raises:
        ArithmeticError, ValueError: there is none.
    """
    if expression in point:
        return number(sp.sympify(point[expression]), {})
    if isinstance(expression, sp.Rational):
        return mpmath.mpf(int(expression.p)) / int(expression.q)
    if isinstance(expression, sp.NumberSymbol):
        return mpmath.mpf(expression.evalf(60))
    if isinstance(expression, sp.Sum | sp.Product):
        return _accumulated(expression, point)
    if isinstance(expression, sp.Derivative):
        return _slope(expression, point)
    values = [number(part, point) for part in expression.args]
    if type(expression) in ARITHMETIC:
        value = ARITHMETIC[type(expression)](values)
    elif isinstance(expression, sp.Pow):
        value = mpmath.power(*values)
    else:
        value = getattr(mpmath, type(expression).__name__.lower().replace("abs", "fabs"))(*values)
    if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value):
        raise ValueError(f"{expression} is {value} at {point}")
    return value


def _accumulated(expression: sp.Sum | sp.Product, point: Point) -> mpmath.mpf:
    ((index, low, high),) = expression.limits
    first, last = int(low.subs(point)), int(high.subs(point))
    if last < first - 1:
        raise ValueError(f"{expression} has less than no terms at {point}")
    terms = [
        number(expression.function, {**point, index: sp.Integer(a)}) for a in range(first, last + 1)
    ]
    return mpmath.fsum(terms) if isinstance(expression, sp.Sum) else mpmath.fprod(terms)


def _slope(expression: sp.Derivative, point: Point) -> mpmath.mpf:
    (variable,) = expression.variables
    sides = [
        mpmath.diff(
            lambda at: number(expression.expr, {**point, variable: _exact(at)}),
            number(variable, point),
            direction=direction,
        )
        for direction in (-1, 1)
    ]
    if abs(sides[0] - sides[1]) > 1e-6 * (1 + abs(sides[0])):
        raise ValueError(f"{expression} has a kink at {point}")
    return sides[1]


def _exact(value: mpmath.mpf) -> sp.Rational:
    return sp.Rational(*mpmath.libmp.to_rational(value._mpf_))


def holds_at(claim: Claim, point: Point) -> bool:
    """Whether both sides are numbers there, and in the relation as far as fifty digits tell."""
    try:
        with mpmath.workdps(50):
            left, right = number(claim.left, point), number(claim.right, point)
    except (ArithmeticError, ValueError):
        return False
    # A slope from differences has half as many digits.
    allowance = mpmath.mpf(10) ** -18 * (1 + abs(left))
    if claim.relation == "=":
        return abs(left - right) <= allowance
    return right - left >= -allowance if claim.relation == "<=" else right - left > allowance


def points(claim: Claim, source: random.Random, count: int) -> Iterator[Point]:
    """Random points of the claim's domain, and its witness before them."""
    symbols = set().union(
        claim.left.free_symbols,
        claim.right.free_symbols,
        *(relation.free_symbols for relation in claim.domain),
    )
    if claim.witness:
        yield claim.witness
    for _ in range(50 * count):
        point = {symbol: _value(symbol, source) for symbol in symbols}
        if all(relation.subs(point) == sp.true for relation in claim.domain):
            yield point
            count -= 1
            if count == 0:
                return


def _value(symbol: sp.Symbol, source: random.Random) -> sp.Rational:
    while True:
        value = sp.Integer(source.randint(-4, 6))
        if not symbol.is_integer and source.random() < 0.8:
            value = sp.Rational(source.randint(-40, 60), 7)
        if value > 0 or (value == 0 and not symbol.is_positive) or symbol.is_nonnegative is None:
            return value


# ---- families ----------------------------------------------------------------------------------
# Each takes a source of randomness and whether to make a true claim or a false one.

Family = Callable[[random.Random, bool], Claim]
FAMILIES: dict[str, Family] = {}


def family(make: Family) -> Family:
    FAMILIES[make.__name__] = make
    return make


def kept(function, *arguments):
    return function(*arguments, evaluate=False)


def spoiled(source: random.Random, expression: sp.Expr) -> sp.Expr:
    """The expression with one term lost, doubled, of the other sign, or a little larger."""
    term = source.choice(sp.Add.make_args(expression))
    return expression + source.choice((-1, 1, -2, LITTLE)) * term


def equality(source: random.Random, true: bool, left: sp.Expr, right: sp.Expr, *domain) -> Claim:
    return Claim("=", left, right if true else spoiled(source, right), domain=domain)


def inequality(
    source: random.Random,
    true: bool,
    left: sp.Expr,
    right: sp.Expr,
    gap: sp.Expr,
    equal_at: Point,
    *domain: sp.Rel,
) -> Claim:
    """A claim that is attained at one point; false with the other direction, or strict there."""
    if true:
        return Claim("<=", left, right, gap, domain)
    kind = source.randrange(3)
    if kind == 0:
        return Claim("<=", right, left, -gap, domain)
    if kind == 1:
        return Claim("<", left, right, gap, domain, witness=equal_at)
    return Claim("<=", left + LITTLE, right, gap - LITTLE, domain, witness=equal_at)


@family
def polynomials(source: random.Random, true: bool) -> Claim:
    a, b, c = (sp.Integer(source.randint(1, 5)) for _ in range(3))
    power = source.randint(2, 4)
    left = source.choice(((a * x + b * y) ** power, (x - a) * (x + b) * (y - c), (a * x + b) ** 3))
    return equality(source, true, left, sp.expand(left))


@family
def partial_fractions(source: random.Random, true: bool) -> Claim:
    a = source.randint(0, 4)
    b = a + source.randint(1, 4)
    left, right = 1 / ((p + a) * (p + b)), (1 / (p + a) - 1 / (p + b)) / (b - a)
    if not true and source.random() < 0.3:  # a pole is allowed
        return Claim("=", left.subs(p, x), right.subs(p, x), witness={x: sp.Integer(-a)})
    return equality(source, true, left, sp.expand(right))


@family
def sums_of_squares(source: random.Random, true: bool) -> Claim:
    a, b = (sp.Integer(source.randint(1, 6)) for _ in range(2))
    left, right = 2 * a * b * x * y, a**2 * x**2 + b**2 * y**2
    return inequality(source, true, left, right, (a * x - b * y) ** 2, {x: b, y: a})


@family
def means(source: random.Random, true: bool) -> Claim:
    a, b = (sp.Integer(source.randint(1, 6)) for _ in range(2))
    if not true and source.random() < 0.3:  # roots of negative numbers
        return Claim("<=", sp.sqrt(x), (x + 1) / 2, domain=(x <= a,))
    left, right = 2 * sp.sqrt(a * p) * sp.sqrt(b * q), a * p + b * q
    gap = (sp.sqrt(a * p) - sp.sqrt(b * q)) ** 2
    return inequality(source, true, left, right, gap, {p: b, q: a})


@family
def three_means(source: random.Random, true: bool) -> Claim:
    a = sp.Integer(source.randint(1, 6))
    squares = (p - q) ** 2 + (q - r) ** 2 + (r - p) ** 2
    one = sp.Integer(1)
    return inequality(
        source,
        true,
        3 * a * p * q * r,
        a * (p**3 + q**3 + r**3),
        a * (p + q + r) * squares / 2,
        {p: one, q: one, r: one},
    )


@family
def trigonometry(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(1, 3), source.randint(1, 3)
    left, right = source.choice(
        (
            (
                sp.cos(a * x + b * y),
                sp.cos(a * x) * sp.cos(b * y) - sp.sin(a * x) * sp.sin(b * y),
            ),
            (
                sp.sin(a * x + b * y),
                sp.sin(a * x) * sp.cos(b * y) + sp.cos(a * x) * sp.sin(b * y),
            ),
            (sp.cos(2 * a * x), 1 - 2 * sp.sin(a * x) ** 2),
            (a * sp.sin(b * x) ** 2 + a * sp.cos(b * x) ** 2, sp.Integer(a)),
        )
    )
    return equality(source, true, left, right)


@family
def hyperbolic_functions(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(1, 3), source.randint(1, 3)
    left, right = source.choice(
        (
            (
                sp.cosh(a * x + b * y),
                sp.cosh(a * x) * sp.cosh(b * y) + sp.sinh(a * x) * sp.sinh(b * y),
            ),
            (sp.cosh(2 * a * x), 1 + 2 * sp.sinh(a * x) ** 2),
            (sp.cosh(a * x) + sp.sinh(a * x), sp.exp(a * x)),
            (b * sp.cosh(a * x) ** 2 - b * sp.sinh(a * x) ** 2, sp.Integer(b)),
        )
    )
    return equality(source, true, left, right)


@family
def geometric_sums(source: random.Random, true: bool) -> Claim:
    a = source.randint(1, 5)
    total = a * sp.Sum(rho**j, (j, 0, k))
    if not true and source.random() < 0.7:
        return source.choice(
            (
                Claim("=", (1 - rho) * total, a * (1 - rho**k)),  # one term too few
                Claim("=", total, a * (1 - rho ** (k + 1)) / (1 - rho), witness=_at_one(rho, k)),
                Claim("=", a * sp.Sum(rho**j, (j, 1, k)) * (1 - rho), a * (1 - rho ** (k + 1))),
            )
        )
    if source.random() < 0.5:
        return equality(source, true, (1 - rho) * total, a - a * rho ** (k + 1))
    return equality(source, true, total, a * (1 - rho ** (k + 1)) / (1 - rho), rho < 1)


def _at_one(*symbols: sp.Symbol) -> Point:
    return dict.fromkeys(symbols, sp.Integer(1))


@family
def arithmetic_sums(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(1, 5), source.randint(1, 5)
    closed = sp.Rational(a, 2) * n * (n + 1) + b * n
    if not true and source.random() < 0.6:
        return source.choice(
            (
                Claim("=", sp.Sum(a * j + b, (j, 0, n)), closed),
                Claim("=", sp.Sum(a * j + b, (j, 1, n - 1)), closed),
                Claim("=", sp.Sum(a * j + b, (j, 1, i)), closed.subs(n, i)),  # any integer
            )
        )
    return equality(source, true, sp.Sum(a * j + b, (j, 1, n)), sp.expand(closed))


@family
def exponents(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(1, 4), source.randint(1, 4)
    left, right = source.choice(
        (
            (p ** (x + a) - p**x, p**x * (p**a - 1)),
            ((p**x - q**y) * (p**x + q**y), p ** (2 * x) - q ** (2 * y)),
            (sp.Integer(4) ** (x + a), 2 ** (2 * x) * 4**a),
            ((sp.exp(a * x) + b) ** 2, sp.exp(2 * a * x) + 2 * b * sp.exp(a * x) + b**2),
            (sp.sqrt(p) * (1 + p ** sp.Rational(a, 2)), sp.sqrt(p) + p ** sp.Rational(a + 1, 2)),
        )
    )
    return equality(source, true, left, right)


@family
def telescopes(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(0, 4), source.randint(1, 5)
    total = b * sp.Sum(1 / ((j + a) * (j + a + 1)), (j, 1, n))
    closed = b * n / ((a + 1) * (n + a + 1))
    if not true and source.random() < 0.5:
        return source.choice(
            (
                Claim("=", total, closed.subs(n, n - 1)),
                Claim("=", total, b * n / ((a + 1) * (n + a + 2))),
                Claim("<", sp.Rational(b, a + 1), total),
            )
        )
    return equality(source, true, total, closed)


@family
def derivatives(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(2, 5), source.randint(1, 4)
    of, slope = source.choice(
        (
            (x**a + b * x, a * x ** (a - 1) + b),
            (sp.exp(b * x) * x**a, b * sp.exp(b * x) * x**a + a * x ** (a - 1) * sp.exp(b * x)),
            (sp.sin(b * x) + x**a, b * sp.cos(b * x) + a * x ** (a - 1)),
            ((1 - b * x) ** (2 * k + a), -b * (2 * k + a) * (1 - b * x) ** (2 * k + a - 1)),
            (sp.sqrt(b + x**2), x / sp.sqrt(b + x**2)),
        )
    )
    if not true and source.random() < 0.3:  # at a kink there is no slope
        kinked = sp.Derivative(sp.Abs(x - b) + x**a, x)
        return Claim("=", kinked, sp.sign(x - b) + a * x ** (a - 1), witness={x: sp.Integer(b)})
    return equality(source, true, sp.Derivative(of, x), slope)


@family
def factorials(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(1, 4), source.randint(1, 4)
    left = b * sp.factorial(k + a)
    right = b * sp.factorial(k) * sp.prod([k + c for c in range(1, a + 1)])
    if not true and source.random() < 0.4:  # of any integer
        return Claim("=", left.subs(k, i), right.subs(k, i), witness={i: sp.Integer(-a - 1)})
    return equality(source, true, left, right)


@family
def binomials(source: random.Random, true: bool) -> Claim:
    a = source.randint(1, 5)
    left, right = sp.binomial(k + 1, a + 1), sp.binomial(k, a + 1) + sp.binomial(k, a)
    if source.random() < 0.4:
        left, right = a * kept(sp.binomial, k, 2), sp.Rational(a, 2) * k * (k - 1)
        if not true:  # of any integer
            return Claim("=", left.subs(k, i), right.subs(k, i) + LITTLE * a)
    return equality(source, true, left, right)


@family
def intervals(source: random.Random, true: bool) -> Claim:
    a = sp.Integer(source.randint(-3, 3))
    b = a + source.randint(1, 5)
    left, right, gap = x**2 + a * b, (a + b) * x, (x - a) * (b - x)
    if not true and source.random() < 0.5:  # a little too wide
        beyond = b + LITTLE
        return Claim("<=", left, right, gap, (x >= a, x <= beyond), witness={x: beyond})
    return inequality(source, true, left, right, gap, {x: b}, x >= a, x <= b)


@family
def one_sided_intervals(source: random.Random, true: bool) -> Claim:
    a = sp.Integer(source.randint(1, 5))
    left, right, gap = 2 * a * p, p**2 + a**2, (p - a) ** 2
    if source.random() < 0.5:
        left, right, gap = a * p, p**2, p * (p - a)
    if not true and source.random() < 0.5:
        return Claim("<=", a * p, p**2, p * (p - a), (p >= a - LITTLE,), {p: a - LITTLE})
    return inequality(source, true, left, right, gap, {p: a}, p >= a)


@family
def dependent_bounds(source: random.Random, true: bool) -> Claim:
    a = sp.Integer(source.randint(1, 5))
    if not true and source.random() < 0.4:
        return source.choice(
            (
                # Of x nothing is said but that it is real.
                Claim("<=", a**2 * x**2, y**2, (y - a * x) * (y + a * x), (y >= a * x,)),
                # A little too wide.
                Claim(
                    "<=", r * d**2, q**2, domain=(q >= sp.sqrt(r) * d * (1 - LITTLE),),
                    witness={r: sp.Integer(1), d: sp.Integer(1), q: 1 - LITTLE},
                ),
            )
        )  # fmt: skip
    if source.random() < 0.5:
        end = sp.sqrt(r) * d
        at = {r: a**2, d: sp.Integer(2), q: 2 * a}
        gap = (q - end) * (q + end)
        return inequality(source, true, r * d**2, q**2, gap, at, q >= end)
    at = {d: sp.Integer(1), y: a}
    return inequality(source, true, a**2 * d**2, y**2, (y - a * d) * (y + a * d), at, y >= a * d)


@family
def integer_inequalities(source: random.Random, true: bool) -> Claim:
    a = sp.Integer(source.randint(1, 5))
    if not true and source.random() < 0.4:  # true of integers, and said of positive numbers
        return Claim("<=", a * p, a * p**2, a * p * (p - 1), witness={p: sp.Rational(1, 2)})
    return inequality(source, true, a * n, n**2, n * (n - a), {n: a}, *((n >= a,) if a > 1 else ()))


@family
def roots_of_squares(source: random.Random, true: bool) -> Claim:
    a, b = source.choice((-3, -2, -1, 1, 2, 3)), source.randint(1, 4)
    root = b * sp.sqrt((x - a) ** 2)
    if not true:
        return source.choice(
            (
                Claim("=", root + 1, b * (x - a) + 1),
                Claim("=", root, b * (x - a), domain=(x >= a - LITTLE,), witness={x: a - LITTLE}),
                Claim("<=", root, b * (x - a)),
            )
        )
    if source.random() < 0.5:
        return Claim("=", root + 1, 1 + b * (x - a), domain=(x >= a,))
    return Claim("=", root**2, b**2 * (x**2 - 2 * a * x) + (a * b) ** 2)


@family
def logarithms(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(1, 4), source.randint(1, 4)
    left, right = kept(sp.log, p**a * q**b), a * sp.log(p) + b * sp.log(q)
    if not true and source.random() < 0.5:
        return source.choice(
            (
                Claim("=", kept(sp.log, x**2), 2 * sp.log(x)),
                Claim("=", kept(sp.log, d * q**b), sp.log(d) + b * sp.log(q), witness=_zero(d, q)),
                Claim("<=", sp.log(d) - d, sp.Integer(-1), witness={d: sp.Integer(0)}),
            )
        )
    return equality(source, true, left, right)


def _zero(first: sp.Symbol, *others: sp.Symbol) -> Point:
    return {first: sp.Integer(0)} | _at_one(*others)


@family
def periods(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(1, 4), source.randint(1, 4)
    letter = n if true else source.choice((x, p, d))  # true of integers only
    return source.choice(
        (
            Claim("=", b * kept(sp.sin, a * sp.pi * letter), sp.Integer(0)),
            Claim("=", kept(sp.cos, 2 * a * sp.pi * letter) + b, sp.Integer(1 + b)),
        )
    )


@family
def removable_poles(source: random.Random, true: bool) -> Claim:
    a, b = source.randint(1, 5), source.randint(1, 5)
    left, right = b * (x**2 - a**2) / (x - a), b * x + b * a
    if not true and source.random() < 0.6:
        return source.choice(
            (
                Claim("=", left, right, witness={x: sp.Integer(a)}),
                Claim("=", left, right, domain=(x >= a,), witness={x: sp.Integer(a)}),
                Claim("=", kept(sp.Mul, d**a, d**-a), sp.Integer(1), witness={d: sp.Integer(0)}),
            )
        )
    if source.random() < 0.5:
        return equality(source, true, left, right, x > a)
    return equality(source, true, (x**4 - a**2) / (x**2 + a), x**2 - a)


@family
def mixtures(source: random.Random, true: bool) -> Claim:
    a = sp.Integer(source.randint(1, 5))
    left, right, gap = (1 - w) * p + w * q, q + a, (1 - w) * (q - p) + a
    if not true and source.random() < 0.5:
        return source.choice(
            (
                Claim("<=", left, q, (1 - w) * (q - p), (q >= p,)),  # w may be large
                Claim("<=", left, q, (1 - w) * (q - p), (w <= 1,)),  # p may be large
            )
        )
    if not true:
        return Claim("<=", q + LITTLE, left + LITTLE, None, (q >= p, w <= 1))
    return Claim("<", left, right, gap, (q >= p, w <= 1))


@family
def products(source: random.Random, true: bool) -> Claim:
    a = source.randint(1, 5)
    left, right = source.choice(
        (
            (a * sp.Product(p, (j, 1, n)), a * p**n),
            (a * sp.Product((j + 1) / j, (j, 1, n)), a * n + a),
            (sp.Product(1 + a * p, (j, 1, k)), (1 + a * p) ** k),
        )
    )
    if not true and source.random() < 0.4:
        return Claim("=", sp.Product(p, (j, 0, n)), p**n)
    return equality(source, true, left, right)


# ---- the test ----------------------------------------------------------------------------------

CHUNKS, EACH = 20, 25


def claims(true: bool, chunk: int) -> Iterator[tuple[str, Claim]]:
    names = list(FAMILIES)
    for number in range(EACH * chunk, EACH * (chunk + 1)):
        name = names[number % len(names)]
        yield name, FAMILIES[name](random.Random(f"{true} {number}"), true)


def test_there_are_many_kinds():
    assert len(FAMILIES) >= 12


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_false_step_passes(chunk):
    source = random.Random(chunk)
    for name, claim in claims(False, chunk):
        assert any(not holds_at(claim, at) for at in points(claim, source, 60)), (name, str(claim))
        assert not claim.step.verify().passed, (name, str(claim))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_true_step_is_left_undecided(chunk):
    source = random.Random(chunk)
    for name, claim in claims(True, chunk):
        assert all(holds_at(claim, at) for at in points(claim, source, 3)), (name, str(claim))
        verdict = claim.step.verify()
        assert verdict.passed, (name, str(claim), verdict.detail)
