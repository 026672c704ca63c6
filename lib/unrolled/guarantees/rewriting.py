"""The first engine that decides a step: sympy's exact rewriting. It proves, or leaves undecided.

Rewriting cancels x/x to 1, which is true only where x is not 0. So it may be trusted with a claim
only where both sides are known to be defined for all values of their symbols: `is_defined`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp

__all__ = ["is_defined", "is_identically_zero", "is_nonnegative", "is_nonzero", "is_positive"]


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
    return any(reduced == 0 for reduced in _reductions(expression))


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


# Where a function of one argument is defined and real; what is not named here is so everywhere.
_PARTIAL: dict[type[sp.Expr], Callable[[sp.Expr], bool]] = {
    sp.log: is_positive,
    sp.acos: lambda x: is_nonnegative(1 - x) and is_nonnegative(1 + x),
    sp.asin: lambda x: is_nonnegative(1 - x) and is_nonnegative(1 + x),
    sp.acosh: lambda x: is_nonnegative(x - 1),
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
    sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.sech, sp.atan, sp.asinh, sp.erf, sp.erfc,
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
        return parts(expression.doit(), *expression.point)
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
    body = expression.function
    for index, *ends in reversed(expression.limits):
        if len(ends) != 2:
            return False
        low, high = ends
        if not (is_defined(low) and is_defined(high) and _is_count(high - low + 1)):
            return False
        body = body.xreplace({index: low + sp.Dummy(integer=True, nonnegative=True)})
    return is_defined(body, smooth=smooth)
