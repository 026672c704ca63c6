"""One sympy expression, evaluated in two places: by Vega in the browser and by numpy here.

Vega evaluates a small, JavaScript-like expression language.  `printed` turns a sympy expression
into that language, `numeric` turns the same expression into a numpy function, and the tests require
that the two agree.  Both compute over the reals: what is not a real number becomes NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, reduce

import numpy as np
import sympy
from sympy.printing.numpy import NumPyPrinter
from sympy.printing.printer import Printer

# acos(1 + 1e-16) is a rounding error and means 0; acos(1.1) is a mistake and stays NaN.
EDGE = 1e-9

FUNCTIONS = {
    "Abs": "abs({})",
    "sin": "sin({})",
    "cos": "cos({})",
    "tan": "tan({})",
    "acos": f"(abs({{0}}) <= {1 + EDGE!r} ? acos(clamp({{0}}, -1, 1)) : NaN)",
    "asin": f"(abs({{0}}) <= {1 + EDGE!r} ? asin(clamp({{0}}, -1, 1)) : NaN)",
    "atan": "atan({})",
    "atan2": "atan2({}, {})",
    "exp": "exp({})",
    "log": "log({})",
    "sinh": "((exp({0}) - exp(-{0})) / 2)",
    "cosh": "((exp({0}) + exp(-{0})) / 2)",
    "tanh": "(1 - 2 / (exp(2 * {0}) + 1))",
    "acosh": "log({0} + sqrt(({0} - 1) * ({0} + 1)))",
    "floor": "floor({})",
    "ceiling": "ceil({})",
    "sign": "(({0} > 0) - ({0} < 0))",
    "Mod": "({0} - {1} * floor({0} / {1}))",
}


def finite(expression: sympy.Basic) -> sympy.Basic:
    """The expression with every finite sum and product written out.

    Raises:
        ValueError: a sum or product whose limits are not integers.
    """
    for term in expression.atoms(sympy.Sum, sympy.Product):
        for _, low, high in term.limits:
            if not (low.is_Integer and high.is_Integer):
                raise ValueError(f"expression: the limits of {term} must be integers")
    return expression.replace(
        lambda term: isinstance(term, sympy.Sum | sympy.Product), lambda term: term.doit()
    )


def printed(expression: sympy.Basic, names: Mapping[str, str]) -> str:
    """The Vega expression that computes a real sympy expression.

    Args:
        names: maps the name of each free symbol to the Vega code of its value, for example
            `{"lambda": "datum.x", "kappa": "kappa"}`.

    Raises:
        ValueError: a symbol that is not in `names`, or a function that Vega cannot compute; it is
            named.
    """
    return _VegaPrinter(names).doprint(finite(sympy.sympify(expression)))


@cache
def numeric(expression: sympy.Basic) -> Callable[[Mapping[str, np.ndarray | float]], np.ndarray]:
    """The numpy function that computes a real sympy expression in float64.

    The function takes one mapping from symbol names to numbers or arrays, which broadcast against
    each other.  A condition gives 0 or 1; where a value is not real it is NaN, as in Vega.
    """
    expression = finite(sympy.sympify(expression))
    printer = {"fully_qualified_modules": False, "allow_unknown_functions": True}
    symbols = sorted(expression.free_symbols, key=lambda symbol: symbol.name)
    compiled = sympy.lambdify(
        symbols,
        expression,
        modules=[{"_acos": _acos, "_asin": _asin, "_max": _max, "_min": _min}, "numpy"],
        printer=_NumericPrinter(printer),
        dummify=True,
    )

    def function(values: Mapping[str, np.ndarray | float]) -> np.ndarray:
        arguments = [np.asarray(values[symbol.name], dtype=float)[()] for symbol in symbols]
        with np.errstate(all="ignore"):
            return np.asarray(compiled(*arguments), dtype=float)

    return function


class _VegaPrinter(Printer):
    """Every compound is printed in parentheses, so that no rule of precedence is needed."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names

    def _print_Symbol(self, symbol: sympy.Symbol) -> str:
        if symbol.name not in self.names:
            known = ", ".join(sorted(self.names)) or "none"
            raise ValueError(f"expression: unknown symbol {symbol.name} (known here: {known})")
        return self.names[symbol.name]

    def _print_Number(self, number: sympy.Number) -> str:
        if not number.is_finite:
            raise ValueError(f"expression: {number} is not a finite number")
        code = repr(float(number)).removesuffix(".0")
        return f"({code})" if code.startswith("-") else code

    def _print_NumberSymbol(self, number: sympy.NumberSymbol) -> str:
        return repr(float(number))

    def _print_Add(self, expression: sympy.Add) -> str:
        return "(" + " + ".join(map(self._print, expression.as_ordered_terms())) + ")"

    def _print_Mul(self, expression: sympy.Mul) -> str:
        above, below = [], []
        for factor in expression.as_ordered_factors():
            if factor.is_Pow and factor.exp.could_extract_minus_sign():
                below.append(self._print(sympy.Pow(factor.base, -factor.exp, evaluate=False)))
            else:
                above.append(self._print(factor))
        code = " * ".join(above) or "1"
        return f"({code} / ({' * '.join(below)}))" if below else f"({code})"

    def _print_Pow(self, expression: sympy.Pow) -> str:
        base, exponent = self._print(expression.base), expression.exp
        if exponent == 1:
            return base
        if exponent == -1:
            return f"(1 / {base})"
        if exponent == sympy.Rational(1, 2):
            return f"sqrt({base})"
        if exponent == -sympy.Rational(1, 2):
            return f"(1 / sqrt({base}))"
        if expression.base == sympy.E:
            return f"exp({self._print(exponent)})"
        return f"pow({base}, {self._print(exponent)})"

    def _print_Max(self, expression: sympy.Max) -> str:
        return f"max({', '.join(map(self._print, expression.args))})"

    def _print_Min(self, expression: sympy.Min) -> str:
        return f"min({', '.join(map(self._print, expression.args))})"

    def _print_Piecewise(self, expression: sympy.Piecewise) -> str:
        code = "NaN"
        for value, condition in reversed(expression.args):
            value = self._print(value)
            code = value if condition == True else f"({self._print(condition)} ? {value} : {code})"  # noqa: E712
        return code

    def _print_ITE(self, expression: sympy.ITE) -> str:
        condition, value, other = map(self._print, expression.args)
        return f"({condition} ? {value} : {other})"

    def _print_BooleanTrue(self, _: sympy.Basic) -> str:
        return "true"

    def _print_BooleanFalse(self, _: sympy.Basic) -> str:
        return "false"

    def _print_Relational(self, relation: sympy.core.relational.Relational) -> str:
        sign = {"==": "===", "!=": "!=="}.get(relation.rel_op, relation.rel_op)
        return f"({self._print(relation.lhs)} {sign} {self._print(relation.rhs)})"

    def _print_And(self, condition: sympy.And) -> str:
        return "(" + " && ".join(map(self._print, condition.args)) + ")"

    def _print_Or(self, condition: sympy.Or) -> str:
        return "(" + " || ".join(map(self._print, condition.args)) + ")"

    def _print_Not(self, condition: sympy.Not) -> str:
        return f"(!{self._print(condition.args[0])})"

    def _print_Function(self, expression: sympy.Function) -> str:
        name = expression.func.__name__
        if name not in FUNCTIONS:
            raise ValueError(f"expression: Vega cannot compute {name}, met in {expression}")
        return FUNCTIONS[name].format(*map(self._print, expression.args))

    # sympy dispatches on the names of an expression's classes; these are not Functions by class.
    _print_Mod = _print_Function

    def emptyPrinter(self, expression: sympy.Basic) -> str:
        name = type(expression).__name__
        raise ValueError(f"expression: Vega cannot compute {name}, met in {expression}")


class _NumericPrinter(NumPyPrinter):
    """numpy's own Max wants arguments of one shape, its arccos knows no rounding at the edge."""

    def _call(self, name: str, expression: sympy.Expr) -> str:
        return f"{name}({', '.join(map(self._print, expression.args))})"

    def _print_Max(self, expression: sympy.Max) -> str:
        return self._call("_max", expression)

    def _print_Min(self, expression: sympy.Min) -> str:
        return self._call("_min", expression)

    def _print_acos(self, expression: sympy.acos) -> str:
        return self._call("_acos", expression)

    def _print_asin(self, expression: sympy.asin) -> str:
        return self._call("_asin", expression)


def _max(*values: np.ndarray) -> np.ndarray:
    return reduce(np.maximum, values)


def _min(*values: np.ndarray) -> np.ndarray:
    return reduce(np.minimum, values)


def _edge(value: np.ndarray) -> np.ndarray:
    return np.where(np.abs(value) <= 1 + EDGE, np.clip(value, -1, 1), np.nan)


def _acos(value: np.ndarray) -> np.ndarray:
    return np.arccos(_edge(value))


def _asin(value: np.ndarray) -> np.ndarray:
    return np.arcsin(_edge(value))
