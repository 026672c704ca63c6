"""The first engine that decides a step: sympy's exact rewriting. It proves, or leaves undecided.

Rewriting cancels x/x to 1, which is true only where x is not 0. So it may be trusted with a claim
only where both sides are known to be defined for all values of their symbols: `is_defined`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import sympy as sp

from unrolled.guarantees.domain import may_be

__all__ = [
    "carry_out",
    "is_defined",
    "is_identically_zero",
    "is_nonnegative",
    "is_nonzero",
    "is_positive",
    "put_in",
]


def _reductions(expression: sp.Expr) -> Iterator[sp.Expr]:
    # From cheap to dear. Each is an exact rewriting, so any of them reaching 0 is a proof.
    yield sp.expand(expression)
    yield sp.factor(sp.together(sp.expand(expression)))
    exponentials = sp.powsimp(sp.expand(expression.rewrite(sp.exp), power_exp=True))
    yield sp.simplify(exponentials)
    yield sp.expand(sp.expand_trig(expression))
    yield sp.simplify(expression)
    yield sp.trigsimp(sp.expand_trig(sp.together(expression)))
    yield sp.radsimp(sp.simplify(expression))


def is_identically_zero(expression: sp.Expr) -> bool:
    """Decide whether `expression` vanishes wherever it is defined, for all that its symbols may be.

    True only when an exact rewriting reaches the number 0; False when it does not, which covers
    both a false identity and one that sympy cannot decide.
    """
    expression = sp.sympify(expression)
    if expression.has(sp.Piecewise):
        expression = sp.piecewise_fold(expression)
    if isinstance(expression, sp.Piecewise):
        return all(is_identically_zero(_where(*branch)) for branch in expression.args)
    return any(reduced == 0 for reduced in _reductions(expression))


def _where(branch: sp.Expr, condition: sp.Basic) -> sp.Expr:
    # What a branch is where its condition holds, as far as an equation says.
    if not isinstance(condition, sp.Eq):
        return branch
    base, exponent = condition.lhs.as_base_exp()
    if base.is_Symbol and base.is_positive and exponent.is_Integer:
        return branch.subs(base, condition.rhs ** (1 / exponent))
    return branch.subs(condition.lhs, condition.rhs)


def _shown(expression: sp.Expr, fact: str) -> bool:
    # Whether a fact about the expression shows in one of its forms.
    forms: tuple[Callable[[sp.Expr], sp.Expr], ...] = (
        lambda e: e,
        sp.expand,
        lambda e: sp.factor(sp.together(e)),
        sp.simplify,
        lambda e: sp.factor(sp.expand(sp.numer(sp.together(e)))) / sp.denom(sp.together(e)),
    )
    return any(getattr(form(expression), fact) is True for form in forms)


def is_positive(expression: sp.Expr) -> bool:
    """Whether the expression is shown to be > 0 for all that its symbols may be."""
    return _shown(expression, "is_positive")


def is_nonnegative(expression: sp.Expr) -> bool:
    """Whether the expression is shown to be ≥ 0 for all that its symbols may be."""
    return _shown(expression, "is_nonnegative")


def is_nonzero(expression: sp.Expr) -> bool:
    """Whether the expression is shown not to vanish, whatever its symbols may be."""
    return _shown(expression, "is_nonzero")


def _is_count(expression: sp.Expr) -> bool:
    return expression.is_integer is True and is_nonnegative(expression)


# Where a function of one argument is defined, real and smooth; those of _TOTAL are so everywhere.
# Not here: arc functions, of which sympy holds that they vanish nowhere.
_PARTIAL: dict[type[sp.Expr], Callable[[sp.Expr], bool]] = {
    sp.log: is_positive,
    sp.atanh: lambda x: is_positive(1 - x) and is_positive(1 + x),
    sp.tan: lambda x: is_nonzero(sp.cos(x)),
    sp.sec: lambda x: is_nonzero(sp.cos(x)),
    sp.cot: lambda x: is_nonzero(sp.sin(x)),
    sp.csc: lambda x: is_nonzero(sp.sin(x)),
    sp.coth: is_nonzero,
    sp.csch: is_nonzero,
    sp.gamma: is_positive,
    sp.loggamma: is_positive,
    sp.factorial: _is_count,
}
_TOTAL = (
    sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.sech, sp.asinh, sp.erf, sp.erfc,
)  # fmt: skip
_KINKED = (sp.Abs, sp.sign, sp.Max, sp.Min)


def is_defined(expression: sp.Expr, *, smooth: bool = False) -> bool:
    """Whether `expression` is shown to be a real number for all that its symbols may be.

    No divisor vanishes, no root is taken of a negative number, no sum has a negative number of
    terms. An unknown function is shown to be nothing.

    Args:
        smooth: whether it must have all derivatives, too.
    """

    def parts(*expressions: sp.Expr) -> bool:
        return all(is_defined(part, smooth=smooth) for part in expressions)

    if isinstance(expression, sp.Symbol):
        return expression.is_extended_real is True and expression.is_finite is not False
    if expression.is_number and not expression.args:
        return expression.is_extended_real is True and expression.is_finite is True
    if isinstance(expression, sp.Add | sp.Mul):
        return parts(*expression.args)
    if isinstance(expression, sp.Pow):
        return parts(*expression.args) and _is_power_defined(*expression.args, smooth=smooth)
    if isinstance(expression, sp.Sum | sp.Product):
        return _is_range_defined(expression, smooth=smooth)
    if isinstance(expression, sp.Derivative):
        return is_defined(expression.expr, smooth=True)
    if isinstance(expression, sp.Subs):
        there = dict(zip(expression.variables, expression.point, strict=True))
        return parts(put_in(there, expression.expr), *expression.point)
    if isinstance(expression, sp.Piecewise):
        return not smooth and _is_piecewise_defined(expression)
    if isinstance(expression, _KINKED):
        return not smooth and parts(*expression.args)
    if isinstance(expression, sp.binomial):
        return parts(*expression.args) and all(map(_is_count, expression.args))
    if isinstance(expression, sp.chebyshevt | sp.chebyshevu):
        return parts(*expression.args) and _is_count(expression.args[0])
    if isinstance(expression, _TOTAL):
        return parts(*expression.args)
    needed = _PARTIAL.get(type(expression))
    return needed is not None and parts(*expression.args) and needed(expression.args[0])


def _is_power_defined(base: sp.Expr, exponent: sp.Expr, *, smooth: bool) -> bool:
    if exponent.is_integer:
        return is_nonnegative(exponent) or is_nonzero(base)
    if is_positive(base):
        return True
    return not smooth and is_nonnegative(base) and is_positive(exponent)


def _is_range_defined(expression: sp.Sum | sp.Product, *, smooth: bool) -> bool:
    indices: dict[sp.Symbol, sp.Expr] = {}
    for index, *ends in reversed(expression.limits):  # the outermost is the last
        if len(ends) != 2:
            return False
        low, high = (put_in(indices, end) for end in ends)
        if not (is_defined(low) and is_defined(high) and _is_count(high - low + 1)):
            return False
        indices[index] = low + sp.Dummy(integer=True, nonnegative=True)
        if not low.is_integer or not may_be(index, indices[index]):
            return False
    return is_defined(put_in(indices, expression.function), smooth=smooth)


def _is_piecewise_defined(expression: sp.Piecewise) -> bool:
    # One form where something has a certain value, another elsewhere.
    if len(expression.args) != 2 or not isinstance(expression.args[0].cond, sp.Eq):
        return False
    (there, at), (elsewhere, _) = expression.args
    apart = at.rhs + sp.Dummy(real=True, nonzero=True)
    return is_defined(there) and is_defined(elsewhere.subs(at.lhs, apart))


def put_in(values: Mapping[sp.Symbol, sp.Expr], expression: sp.Expr) -> sp.Expr:
    """The expression with these in place of symbols, and nothing cancelled on the way."""
    with sp.evaluate(False):
        return expression.xreplace(dict(values))


def carry_out(expression: sp.Expr) -> sp.Expr:
    """Carry out sums and products, as far as their closed forms can be shown to be right.

    Sympy's own are wrong at some edges: for no terms, or where a form in between has a pole. So a
    closed form is taken only if it is defined, begins as it must, and grows by the next term.
    """
    kept: dict[sp.Expr, sp.Expr] = {}
    while totals := expression.atoms(sp.Sum, sp.Product):
        for total in totals:
            if total.function.has(sp.Sum, sp.Product):
                continue  # until what is inside has been carried out
            closed = _closed_form(total)
            if closed is None:
                closed = sp.Dummy(real=True)
                kept[closed] = total
            expression = expression.xreplace({total: closed})
    return expression.doit().xreplace(kept)


def _closed_form(total: sp.Sum | sp.Product) -> sp.Expr | None:
    if len(total.limits) != 1:
        return None
    index, low, high = total.limits[0]
    adds = isinstance(total, sp.Sum)
    terms = sp.expand(high - low + 1)
    if terms.is_Integer:
        parts = [total.function.subs(index, low + j) for j in range(int(terms))]
        return sp.Add(*parts) if adds else sp.Mul(*parts)
    count = sp.Dummy("n", integer=True, nonnegative=True)
    closed = _settled(total.func(total.function, (index, low, low + count - 1)).doit())
    if closed.has(sp.RisingFactorial, sp.FallingFactorial):
        closed = sp.combsimp(closed)
    if closed.has(sp.Sum, sp.Product) or not is_defined(closed):
        return None
    term, grown = total.function.subs(index, low + count), closed.subs(count, count + 1)
    begins = closed.subs(count, 0) - (0 if adds else 1)
    grows = grown - closed - term if adds else grown - closed * term
    if not (is_identically_zero(begins) and is_identically_zero(grows)):
        return None
    return closed.subs(count, terms)


def _settled(expression: sp.Expr) -> sp.Expr:
    # A geometric sum comes with the question whether its ratio is 1.
    answers = {
        equation: sp.false
        for equation in expression.atoms(sp.Eq)
        if is_nonzero(equation.lhs - equation.rhs)
    }
    return expression.xreplace(answers)
