"""Derivation steps: true ones pass, and planted false, undecidable or mis-signed ones fail."""

import pytest
import sympy as sp

from unrolled.guarantees import Derivation, Step
from unrolled.guarantees.derivation import is_identically_zero

x, y = sp.symbols("x y", real=True)
p, q = sp.symbols("p q", positive=True)
n = sp.Symbol("n", integer=True, positive=True)


def power(k, other):
    return Step.equal(f"case {k}", (x + 1) ** k, sp.expand((x + 1) ** other))


TRUE = {
    "expand": Step.equal("square of a sum", (x + y) ** 2, x**2 + 2 * x * y + y**2),
    "rational": Step.equal("partial fractions", 1 / p - 1 / (p + 1), 1 / (p * (p + 1))),
    "trigonometric": Step.equal(
        "addition", sp.cos(x + y), sp.cos(x) * sp.cos(y) - sp.sin(x) * sp.sin(y)
    ),
    "hyperbolic": Step.equal("double angle", sp.cosh(2 * p), 2 * sp.cosh(p) ** 2 - 1),
    "integer": Step.equal("parity", sp.cos(n * sp.pi, evaluate=False), (-1) ** n),
    "sum": Step.equal("count", sp.Sum(p, (n, 1, 4)), 4 * p),
    "at most": Step.at_most("means", 2 * x * y, x**2 + y**2, gap=(x - y) ** 2),
    "less": Step.less("growth", p, p + q, gap=q),
    "where": Step.at_most("above one", 1, p, gap=q, where={p: 1 + q}),
    "cases": Step.cases("powers", lambda k: power(k, k), range(2, 9)),
}

FALSE = {
    "sign error": Step.equal("square", (x - y) ** 2, x**2 + 2 * x * y + y**2),
    "off by a term": Step.equal("fractions", 1 / p - 1 / (p + 1), 1 / (p * (p + 2))),
    "true at integers only": Step.equal("sampling would pass", sp.sin(sp.pi * x), 0),
    "true for positive only": Step.equal("root", sp.sqrt(x**2), x),
    "tiny difference": Step.equal("nearly", x, x + sp.Rational(1, 10**30)),
    "wrong direction": Step.at_most("means", x**2 + y**2, 2 * x * y, gap=-((x - y) ** 2)),
    "gap is not the difference": Step.at_most("means", 2 * x * y, x**2 + y**2, gap=(x + y) ** 2),
    "gap of unknown sign": Step.at_most("order", x, y, gap=y - x),
    "strict where equality happens": Step.less("means", 2 * x * y, x**2 + y**2, gap=(x - y) ** 2),
    "one case false": Step.cases("powers", lambda k: power(k, min(k, 3)), range(2, 5)),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_steps_pass(name):
    assert TRUE[name].verify().passed


@pytest.mark.parametrize("name", FALSE)
def test_planted_false_steps_fail(name):
    verdict = FALSE[name].verify()
    assert not verdict.passed
    assert verdict.detail


def test_a_derivation_fails_at_the_false_step_only():
    derivation = Derivation((TRUE["expand"], FALSE["sign error"], TRUE["less"]))
    assert [verdict.passed for verdict in derivation.verify()] == [True, False, True]
    shown = derivation._repr_markdown_()
    assert shown.count("✓") == 2
    assert shown.count("✗") == 1


def test_cases_say_that_they_are_cases():
    assert TRUE["cases"].scope == r"$K = 2, \dots, 8$"
    assert "only" in Derivation((TRUE["cases"],))._repr_markdown_()
    assert "only" not in Derivation((TRUE["expand"],))._repr_markdown_()


def test_the_case_that_fails_is_named():
    assert FALSE["one case false"].verify().detail == "undecided or false in the case of 4"
    assert Step.cases("one", lambda k: power(k, k), range(3, 4)).scope == "$K = 3$"


def test_a_special_case_says_so():
    square = Step.equal("squares", (x + y) ** 2, x**2 + 2 * x * y + y**2, scope="two terms")
    assert "(decided for two terms only)" in Derivation((square,))._repr_markdown_()


@pytest.mark.parametrize(
    "step",
    [
        lambda: Step.equal("nothing", x + y, y + x),
        lambda: Step.equal("evaluated on the way", sp.cos(n * sp.pi), (-1) ** n),
        lambda: Step.at_most("nothing", x, x, gap=0),
        lambda: Step.less("nothing", x, x, gap=0),
        lambda: Step.cases("nothing", lambda k: Step.equal("k", x**k * x, x ** (k + 1)), range(3)),
    ],
)
def test_a_step_that_decides_nothing_is_refused(step):
    with pytest.raises(ValueError, match="decides nothing"):
        step()


def test_undecidable_is_not_zero():
    f = sp.Function("f")
    assert not is_identically_zero(f(x) - f(-x))


def test_empty_arguments_are_refused():
    with pytest.raises(ValueError, match="claim is empty"):
        Step.equal(" ", x, y)
    with pytest.raises(ValueError, match="steps is empty"):
        Derivation(())
    with pytest.raises(ValueError, match="at least one case"):
        Step.cases("none", lambda k: TRUE["expand"], range(0))
