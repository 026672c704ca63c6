"""Derivation steps: true ones pass, and planted false, undecidable or mis-signed ones fail."""

import pytest
import sympy as sp

from unrolled.guarantees import Derivation, Step, balls, derivation

x, y = sp.symbols("x y", real=True)
p, q = sp.symbols("p q", positive=True)
d, rho = sp.symbols("d rho", nonnegative=True)
n = sp.Symbol("n", integer=True, positive=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
i, j = sp.symbols("i j", integer=True)  # of any sign
z = sp.Symbol("z")  # may be complex

TINY = sp.Rational(1, 10**60)
HALF = sp.Rational(1, 2)


def equal(left, right, *domain):
    return Step.equal("equal", left, right, domain=domain)


def at_most(left, right, *domain, gap=None):
    gap = right - left if gap is None else gap
    return Step.at_most("at most", left, right, gap=gap, domain=domain)


def less(left, right, *domain, gap=None):
    gap = right - left if gap is None else gap
    return Step.less("less", left, right, gap=gap, domain=domain)


def power(exponent, other):
    return equal((x + 1) ** exponent, sp.expand((x + 1) ** other))


def over_itself(a):
    """a/a, of which sympy would make 1 at once."""
    return sp.Mul(a, sp.Pow(a, -1, evaluate=False), evaluate=False)


def derivative(of, at=None):
    inner = sp.Derivative(of, x)
    return inner if at is None else sp.Subs(inner, x, at)


def kept(function, *arguments):
    """A function that sympy does not evaluate at once."""
    return function(*arguments, evaluate=False)


GEOMETRIC = sp.Sum(rho**j, (j, 0, k))
# At integers from −9 to 12, and halfway between integers.
SELDOM_NONZERO = sp.prod([i - a for a in range(-9, 13)]) * kept(sp.cos, sp.pi * i)

# A false step of each kind, and a true one beside it.
PAIRS = {
    "sign error": (
        equal((x - y) ** 2, x**2 + 2 * x * y + y**2),
        equal((x + y) ** 2, x**2 + 2 * x * y + y**2),
    ),
    "off by one": (
        equal(1 / p - 1 / (p + 1), 1 / (p * (p + 2))),
        equal(1 / p - 1 / (p + 1), 1 / (p * (p + 1))),
    ),
    "trigonometric": (
        equal(sp.cos(x + y), sp.cos(x) * sp.cos(y) + sp.sin(x) * sp.sin(y)),
        equal(sp.cos(x + y), sp.cos(x) * sp.cos(y) - sp.sin(x) * sp.sin(y)),
    ),
    "hyperbolic": (
        equal(sp.cosh(2 * p), 2 * sp.cosh(p) ** 2 + 1),
        equal(sp.cosh(2 * p), 2 * sp.cosh(p) ** 2 - 1),
    ),
    "true at integers only": (
        equal(sp.sin(sp.pi * x), 0),
        equal(kept(sp.sin, sp.pi * n), 0),
    ),
    "parity": (
        equal(kept(sp.cos, n * sp.pi), (-1) ** (n + 1)),
        equal(kept(sp.cos, n * sp.pi), (-1) ** n),
    ),
    "true for positive numbers only": (
        equal(sp.sqrt(x**2), x),
        equal(sp.sqrt(x**2), x, x >= 0),
    ),
    "tiny difference": (
        equal((x + 1) ** 2, x**2 + 2 * x + 1 + TINY),
        equal((x + TINY) ** 2, x**2 + 2 * TINY * x + TINY**2),
    ),
    "tiny coefficient": (
        equal(p * (1 + q), p + p * q * (1 + TINY)),
        equal(p * (1 + q * TINY), p + p * q * TINY),
    ),
    "lost beside a large number": (
        equal(x + 10**17 + 1, x + 10**17),
        equal((x + 10**17) ** 2 - 10**34, x**2 + 2 * 10**17 * x),
    ),
    "wrong direction": (
        at_most(x**2 + y**2, 2 * x * y),
        at_most(2 * x * y, x**2 + y**2),
    ),
    "gap is not the difference": (
        at_most(2 * x * y, x**2 + y**2, gap=(x + y) ** 2),
        at_most(2 * x * y, x**2 + y**2, gap=(x - y) ** 2),
    ),
    "strict where equality happens": (
        less(2 * x * y, x**2 + y**2, gap=(x - y) ** 2),
        less(2 * x * y, x**2 + y**2 + TINY, gap=(x - y) ** 2 + TINY),
    ),
    # What a symbol may be.
    "every positive number is at most 1": (at_most(p, 1), at_most(p, 1, p <= 1)),
    "every positive number is less than 1": (less(p, 1), less(p, 1, p < 1)),
    "every real number is at most 5": (at_most(x, 5), at_most(x, 5, x <= 5)),
    "every number is at most every other": (at_most(x, y), at_most(x, y, x <= y)),
    "at least 1, but for little": (at_most(1, p, p >= 1 - TINY), at_most(1, p, p >= 1)),
    "strict at the end of the domain": (less(1, p, p >= 1), less(1, p, p > 1)),
    "bounded by another": (at_most(2 * x, y, y >= x), at_most(2 * x, y, y >= 2 * x)),
    "one bound too few": (at_most(p * q, 1, p <= 1), at_most(p * q, 1, p <= 1, q <= 1)),
    # Where a divisor may vanish.
    "zero over zero": (equal(over_itself(d), 1), equal(over_itself(p), 1)),
    "zero over zero, of any sign": (equal(over_itself(x), 1), equal(over_itself(x), 1, x > 0)),
    "a geometric sum at ratio 1": (
        equal(GEOMETRIC, (1 - rho ** (k + 1)) / (1 - rho)),
        equal(GEOMETRIC, (1 - rho ** (k + 1)) / (1 - rho), rho < 1),
    ),
    "a geometric sum, one term longer": (
        equal((1 - rho) * GEOMETRIC, 1 - rho ** (k + 2)),
        equal((1 - rho) * GEOMETRIC, 1 - rho ** (k + 1)),
    ),
    "removable pole": (
        equal((x**2 - 1) / (x - 1), x + 1),
        equal((x**2 - 1) / (x - 1), x + 1, x > 1),
    ),
    "pole inside of a function": (
        equal(sp.exp(-1 / d) * (1 + d), sp.exp(-1 / d) + d * sp.exp(-1 / d)),
        equal(sp.exp(-1 / p) * (1 + p), sp.exp(-1 / p) + p * sp.exp(-1 / p)),
    ),
    # Integers outside of the range in which a formula holds.
    "sum to a negative integer": (
        equal(sp.Sum(j, (j, 1, i)), i * (i + 1) / 2),
        equal(sp.Sum(j, (j, 1, k)), k * (k + 1) / 2),
    ),
    "product to a negative integer": (
        equal(sp.Product(p, (j, 1, i)), p**i),
        equal(sp.Product(p, (j, 1, k)), p**k),
    ),
    "factorial of a negative integer": (
        equal(sp.factorial(i + 1), (i + 1) * sp.factorial(i)),
        equal(sp.factorial(k + 1), (k + 1) * sp.factorial(k)),
    ),
    "binomial of a negative integer": (
        equal(kept(sp.binomial, i, 2), i * (i - 1) / 2),
        equal(kept(sp.binomial, k, 2), k * (k - 1) / 2),
    ),
    "zero to a negative power": (
        equal(rho**i * (rho + 1), rho ** (i + 1) + rho**i),
        equal(rho**k * (rho + 1), rho ** (k + 1) + rho**k),
    ),
    "integers from one half": (
        equal(SELDOM_NONZERO, 0, i > HALF),
        equal(kept(sp.sin, sp.pi * i), 0, i > HALF),
    ),
    # Functions where they are not defined, or not real.
    "root of a negative number": (
        equal(sp.sqrt(x - 1) * sp.sqrt(x + 1), sp.sqrt(x**2 - 1)),
        equal(sp.sqrt(x - 1) * sp.sqrt(x + 1), sp.sqrt(x**2 - 1), x >= 1),
    ),
    "cube root of a negative number": (
        equal(sp.cbrt(x**3), x),
        equal(sp.cbrt(x**3), x, x >= 0),
    ),
    "logarithm of a negative number": (
        equal(sp.log(x**2), 2 * sp.log(x)),
        equal(sp.log(x**2), 2 * sp.log(x), x > 0),
    ),
    "logarithm of zero": (
        equal(sp.log(d * p), sp.log(d) + sp.log(p)),
        equal(sp.log(q * p), sp.log(q) + sp.log(p)),
    ),
    "tangent at its poles": (
        equal(sp.tan(x) * sp.cos(x), sp.sin(x)),
        equal(sp.tanh(x) * sp.cosh(x), sp.sinh(x)),
    ),
    "derivative at a kink": (
        equal(derivative(sp.Abs(x)), sp.sign(x)),
        equal(derivative(sp.Abs(p) * x), p),
    ),
    "derivative at a kink, taken there": (
        equal(derivative(sp.Abs(x), at=0), 0),
        equal(derivative(x**2, at=0), 0),
    ),
    "larger of two, where they cross": (
        equal(derivative(sp.Max(x, -x), at=0), 0),
        equal(derivative(sp.Max(p, -p) * x, at=0), p),
    ),
    "root of a square, at zero": (
        equal(derivative(sp.sqrt(x**2), at=0), 0),
        equal(derivative(sp.sqrt(x**2 + 1), at=0), 0),
    ),
    "a kink beside a derivative taken elsewhere": (
        equal(sp.Derivative(sp.Abs(y), y) + derivative(x**2, at=1), sp.sign(y) + 2),
        equal(sp.Derivative(y**3, y) + derivative(x**2, at=1), 3 * y**2 + 2),
    ),
    "unknown function": (
        equal(sp.Function("f", real=True)(x), sp.Function("f", real=True)(-x)),
        equal(sp.cosh(x), kept(sp.cosh, -x)),
    ),
    # Cases.
    "one case false": (
        Step.cases("powers", lambda a: power(a, min(a, 3)), range(2, 5)),
        Step.cases("powers", lambda a: power(a, a), range(2, 9)),
    ),
    "one odd case false": (
        Step.cases("odd powers", lambda a: power(a, a - a // 7), range(3, 8, 2)),
        Step.cases("odd powers", lambda a: power(a, a), range(3, 8, 2)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_planted_false_steps_fail(name):
    verdict = PAIRS[name][0].verify()
    assert not verdict.passed
    assert verdict.detail.startswith(("false at", "undecided", "in the case of"))


@pytest.mark.parametrize("name", PAIRS)
def test_true_steps_pass(name):
    verdict = PAIRS[name][1].verify()
    assert verdict.passed, verdict.detail


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (lambda: equal(x + y, y + x), "decides nothing"),
        (lambda: equal(sp.cos(n * sp.pi), (-1) ** n), "decides nothing"),
        (lambda: at_most(x, x), "decides nothing"),
        (lambda: less(x, x), "decides nothing"),
        (lambda: Step.cases("k", lambda k: equal(x**k * x, x ** (k + 1)), range(3)), "nothing"),
        (lambda: equal(x + 1e-30 * x, x), "holds Float"),
        (lambda: equal(x + 1e17 + 1, x + 1e17), "holds Float"),
        (lambda: at_most(x, x + 1, gap=1.0), "gap is 1.0"),
        (lambda: equal(sp.Limit(sp.Abs(x) / x, x, 0), 1), "holds Limit"),
        (lambda: equal(sp.Integral(x, (x, 0, 1)), HALF), "holds Integral"),
        (lambda: at_most(x, sp.oo, gap=sp.oo), "holds oo"),
        (lambda: at_most(-sp.oo, x, gap=sp.oo), "holds -oo"),
        (lambda: equal(1 / sp.Integer(0), x), "holds zoo"),
        (lambda: equal(sp.nan, x), "holds nan"),
        (lambda: equal(sp.I * x, -x), "exact real numbers only"),
        (lambda: equal(sp.sqrt(z**2), z), "may be complex"),
        (lambda: equal(x < y, y), "an expression is needed"),
        (lambda: less(1, x + y, x + y > 1), "on its left a symbol"),
        (lambda: less(x, y, x < y, y > x), "by each other"),
        (lambda: less(x, 2 * y, x < x * y), "by each other"),
        (lambda: less(x, x + p, p > 0), "relations like"),
        (lambda: equal(x, y, sp.Eq(x, y)), "relations like"),
    ],
)
def test_a_step_that_cannot_be_decided_is_refused(step, reason):
    with pytest.raises(ValueError, match=reason):
        step()


def test_the_same_steps_with_exact_real_numbers_pass():
    tiny = sp.Rational(1, 10**30)
    assert equal((1 + tiny) * x**2 - x**2, tiny * x**2 + kept(sp.sin, sp.pi * n)).verify().passed
    assert at_most(x, x + 1, gap=sp.Integer(1)).verify().passed
    assert equal(sp.sqrt(p) * (1 + sp.sqrt(p)), p + sp.sqrt(p)).verify().passed
    assert less(x, y, x < y).verify().passed


def test_a_derivation_fails_at_the_false_step_only():
    false, true = PAIRS["sign error"]
    proof = Derivation((true, false, less(p, p + q)))
    assert [verdict.passed for verdict in proof.verify()] == [True, False, True]
    shown = proof._repr_markdown_()
    assert shown.count("✓") == 2
    assert shown.count("✗") == 1


# ---- domains and cases -------------------------------------------------------------------------


def test_the_domain_is_shown():
    shown = Derivation((at_most(p * q, 1, p <= 1, q <= 1),))._repr_markdown_()
    assert r"$p \leq 1,\ q \leq 1$" in shown
    assert r"\leq 1" not in Derivation((at_most(p, p + q),))._repr_markdown_()


def test_a_step_allows_the_values_of_its_domain():
    step = at_most(p * q, 1, p <= 1, q <= 1)
    assert step.allows({p: 0.5, q: 1.0, x: -7.0})
    assert step.allows({p: 0.5})
    assert not step.allows({p: 0.5, q: 1.5})
    assert not step.allows({p: -0.5})
    cases = Step.cases("each", lambda a: at_most(p / a, HALF, p <= HALF), range(1, 3))
    assert cases.allows({p: 0.5})
    assert not cases.allows({p: 0.75})


def test_a_step_knows_the_values_by_the_names_of_its_symbols():
    assert not at_most(p, 1, p <= 1).allows({sp.Symbol("p", real=True): 2.0})


@pytest.mark.parametrize(
    ("values", "scope"),
    [
        (range(2, 9), r"$K = 2, \dots, 8$"),
        (range(3, 4), "$K = 3$"),
        (range(2, 5), "$K = 2, 3, 4$"),
        (range(1, 8, 2), "$K = 1, 3, 5, 7$"),
        (range(2, 40, 4), r"$K = 2, 6, \dots, 38$"),
    ],
)
def test_cases_say_which_cases_they_are(values, scope):
    step = Step.cases("powers", lambda a: at_most(x**a, x**a + p), values)
    assert step.scope == scope


def test_cases_say_that_they_are_cases():
    assert "only" in Derivation((PAIRS["one case false"][1],))._repr_markdown_()
    assert "only" not in Derivation((PAIRS["sign error"][1],))._repr_markdown_()


def test_the_cases_that_fail_are_named():
    assert PAIRS["one case false"][0].verify().detail.startswith("in the case of 4: false at")
    assert PAIRS["one odd case false"][0].verify().detail.startswith("in the case of 7: false at")
    two = Step.cases("powers", lambda a: power(a, 3), range(2, 5))
    assert two.verify().detail.startswith("in the case of 2, 4: ")


def test_a_mixture_of_relations_is_refused():
    def mixed(a):
        return less(x, x + a) if a > 1 else at_most(x, x + a)

    with pytest.raises(ValueError, match="all must claim one relation"):
        Step.cases("mixed", mixed, range(1, 4))
    assert Step.cases("alike", mixed, range(2, 4)).verify().passed


def test_a_special_case_says_so():
    square = Step.equal("squares", (x + y) ** 2, x**2 + 2 * x * y + y**2, scope="two terms")
    assert "(decided for two terms only)" in Derivation((square,))._repr_markdown_()


def test_empty_arguments_are_refused():
    with pytest.raises(ValueError, match="claim is empty"):
        Step.equal(" ", x, y)
    with pytest.raises(ValueError, match="steps is empty"):
        Derivation(())
    with pytest.raises(ValueError, match="at least one case"):
        Step.cases("none", lambda a: power(a, a), range(0))


# ---- two engines, and a clock ------------------------------------------------------------------


@pytest.mark.parametrize(
    "step", [PAIRS["sign error"][0], PAIRS["tiny difference"][0], equal(sp.sqrt(x**2), x)]
)
def test_balls_refute_what_rewriting_would_accept(step, monkeypatch):
    monkeypatch.setattr(derivation, "is_identically_zero", lambda _: True)
    monkeypatch.setattr(derivation, "_is_defined_in", lambda *_: True)
    verdict = step.verify()
    assert not verdict.passed
    assert verdict.detail.startswith("false at x = ")


@pytest.mark.parametrize("precisions", [(64,), (64, 256)])
def test_rewriting_leaves_undecided_what_balls_cannot_tell_from_true(precisions, monkeypatch):
    monkeypatch.setattr(balls, "PRECISIONS", precisions)
    # Neither 64 nor 256 bits see 10⁻⁹⁰ beside cos² + sin².
    step = equal(sp.cos(x) ** 2 + sp.sin(x) ** 2, 1 + sp.Rational(1, 10**90))
    assert not any(
        balls.excludes(step.left, step.right, step.relation, point)
        for point in step.domain.points(step.symbols, 40)
    )
    assert step.verify().detail == "undecided: the sides are not equal"
    assert equal(sp.cos(x) ** 2 + sp.sin(x) ** 2, sp.Integer(1)).verify().passed


def test_a_step_that_takes_too_long_is_undecided_and_says_so(monkeypatch):
    def endless(_):
        while True:
            pass

    monkeypatch.setattr(derivation, "is_identically_zero", endless)
    monkeypatch.setattr(derivation, "SECONDS", 0.2)
    verdict = PAIRS["sign error"][1].verify()
    assert not verdict.passed
    assert verdict.detail == "undecided after 0 s"
    monkeypatch.undo()
    assert PAIRS["sign error"][1].verify().passed


def test_what_balls_do_not_know_is_undecided():
    detail = equal(sp.zeta(p + 2) ** 2 + 1, 1 + sp.zeta(p + 2) * sp.zeta(p + 3)).verify().detail
    assert detail == "undecided: zeta is not evaluated in balls"


# ---- what has once been accepted, though false -----------------------------------------------

jp = sp.Symbol("j", integer=True, positive=True)
jn = sp.Symbol("j", integer=True, nonnegative=True)
m = sp.Symbol("m", integer=True, nonnegative=True)
w = sp.Symbol("w", real=True)
SQUARE = (i - 10) ** 2  # vanishes where no point is likely to be drawn
SEVENTH = x - sp.Rational(1, 7)


ONCE_ACCEPTED = {
    "an arc function of an integer": lambda: less(0, sp.atan(SQUARE)),
    "a sum that is otherwise for one term": lambda: equal(
        sp.Sum((-1) ** j * sp.binomial(SQUARE, j), (j, 0, SQUARE)), 0
    ),
    "a pole that substitution cancels": lambda: equal(sp.Subs(y / w, (y, w), (x, x)), 1),
    "a logarithm that substitution cancels": lambda: equal(sp.Subs(sp.log(y) - sp.log(w), y, w), 0),
    "a pole that a region cancels": lambda: equal(over_itself(SEVENTH), 1, x >= -1),
    "a logarithm that a region cancels": lambda: equal(
        kept(sp.exp, sp.log(SEVENTH)), SEVENTH, x >= -5
    ),
    "a pole where the rest is zero": lambda: equal(m * (m - 1) / SEVENTH, 0, m <= 1),
    "a place where the variable cannot be": lambda: equal(sp.Subs(kept(sp.Abs, p), p, -3), -3),
    "a slope taken off the domain": lambda: equal(derivative(sp.log(x), at=-1), -1, x > 1),
    "a slope at the end of an arc": lambda: equal(
        sp.sqrt(1 - x**2) * sp.Derivative(sp.asin(x), x), 1, x >= -1, x <= 1
    ),
    "an index that goes below what it may be": lambda: equal(
        sp.Sum(kept(sp.Abs, jp), (jp, 20 - k, 20)), sp.Sum(jp, (jp, 20 - k, 20))
    ),
    "an index between the integers": lambda: equal(
        sp.Sum(kept(sp.sin, sp.pi * j), (j, x, x + k)), 0
    ),
    "an inner range that becomes negative": lambda: equal(
        sp.Sum(1, (i, 0, jn), (jn, 20 - k, 20)), sp.Sum(jn + 1, (jn, 20 - k, 20))
    ),
    "an index that a bound brings in": lambda: equal(
        sp.Sum(x, (j, 0, k)), k * (k + 1) / 2 + (k + 1) * (x - j), x >= j
    ),
    "a slope in an integer": lambda: equal(sp.Derivative(kept(sp.sin, sp.pi * k), k), 0),
    "a bound that is rounded": lambda: equal(x, x + 0 * y + sp.sin(sp.pi * j), x >= sp.Float(0.1)),
    "cases of different domains": lambda: Step.cases(
        "c", lambda a: at_most(x, a) if a == 1 else at_most(x, a, x <= 0), range(1, 3)
    ),
    "a bound that is undefined somewhere": lambda: at_most(q, 2 / d, q < 2 / d),
    "a maximum of what is not real": lambda: at_most(0, sp.Max(sp.log(y), 1)),
    "a sum of powers of zero": lambda: equal(
        sp.Sum(sp.Pow(0, j, evaluate=False) * x, (j, 1, k)), 1
    ),
}


@pytest.mark.parametrize("name", ONCE_ACCEPTED)
def test_what_was_once_accepted_is_refused_or_fails(name, monkeypatch):
    monkeypatch.setattr("unrolled.guarantees.derivation.SECONDS", 5.0)
    try:
        verdict = ONCE_ACCEPTED[name]().verify()
    except ValueError:
        return  # a step that cannot even be stated
    assert not verdict.passed


@pytest.mark.parametrize(
    "step",
    [
        lambda: equal(sp.Subs(y / w, (y, w), (p, q)), p / q),
        lambda: equal(SEVENTH / (x + 1) + 1 / (x + 1), (SEVENTH + 1) / (x + 1), x >= 0),
        lambda: equal(sp.Sum(sp.Sum(1, (i, 0, j)), (j, 0, k)), (k + 1) * (k + 2) / 2),
        lambda: equal(sp.Sum(p ** (2 * j), (j, 0, k)) * (1 - p**2), 1 - p ** (2 * k + 2)),
        lambda: at_most(k, m, k <= m),
        lambda: equal(sp.sech(x) * sp.cosh(x), 1),
    ],
)
def test_their_sisters_pass(step):
    assert step().verify().passed
