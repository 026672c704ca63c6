"""Norms, means, products of what is measured: formulas that print, and that arrays give a value.

Symbols stand for arrays then: a vector is (n,), several are the rows of (N, n), one that belongs to
a matrix expression is (n, 1).
"""

from __future__ import annotations

import sympy as sp
from sympy.core.symbol import Str
from sympy.printing.latex import LatexPrinter
from sympy.printing.numpy import NumPyPrinter

__all__ = ["Norm", "over"]

WAYS = {"largest": "max", "mean": "mean", "product": "prod", "sum": "sum"}  # and numpy's names


class Norm(sp.Function):
    """‖vector‖: without an order ℓ₂, printed without index; order 0 counts entries."""

    def _eval_is_commutative(self) -> bool:
        return True  # a number, though the vector may be an expression of matrices

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        vector, *order = self.args
        text = rf"\|{printer.doprint(vector)}\|"
        text += f"_{{{order[0]}}}" if order else ""
        return text if exp is None else f"{text}^{{{exp}}}"

    def _numpycode(self, printer: NumPyPrinter) -> str:
        vector, *order = self.args
        entries = f"({printer.doprint(vector)})"
        if isinstance(vector, sp.MatrixExpr) and vector.shape[1] == 1:
            entries += "[:, 0]"
        name = printer._module_format("numpy.linalg.norm")
        return f"{name}({entries}, {order[0] if order else 2}, axis=-1)"


class Over(sp.Function):
    """Many values taken together, by the sign that is printed before them."""

    def _eval_is_commutative(self) -> bool:
        return True

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        values, sign, _ = self.args
        text = f"{sign} {printer.doprint(values)}"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _numpycode(self, printer: NumPyPrinter) -> str:
        values, _, way = self.args
        name = printer._module_format(f"numpy.{WAYS[str(way)]}")
        return f"{name}({printer.doprint(values)})"


def over(sign: str, way: str, values: sp.Basic) -> Over:
    r"""Many values taken together: `over(r"\max_k", "largest", error)`.

    Args:
        sign: LaTeX that is printed before them.
        way: "largest", "mean", "product" or "sum".
        values: an expression whose value is an array.

    Raises:
        ValueError: another way.
    """
    if way not in WAYS:
        raise ValueError(f"way is {way!r}; allowed are {', '.join(WAYS)}")
    return Over(values, Str(sign), Str(way))
