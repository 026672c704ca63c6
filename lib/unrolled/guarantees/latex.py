"""Formulas and numbers as the book prints them."""

from __future__ import annotations

import re

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE

__all__ = ["cell", "latex", "scientific"]


class _Printer(LatexPrinter):
    """Sympy's LaTeX, but a sum begins with a term that has no minus: 1 − ηλ, not −ηλ + 1."""

    def _as_ordered_terms(self, expr: sp.Expr, order: str | None = None) -> list[sp.Expr]:
        terms = super()._as_ordered_terms(expr, order=order)
        for place, term in enumerate(terms):
            if not term.could_extract_minus_sign():
                return [term, *terms[:place], *terms[place + 1 :]]
        return terms

    def _print_Transpose(self, expr: sp.Transpose) -> str:
        return rf"{self.parenthesize(expr.arg, PRECEDENCE['Pow'], strict=True)}^{{\top}}"

    def _print_MatAdd(self, expr: sp.MatAdd) -> str:
        terms = sorted(expr.args, key=lambda term: (_is_taken_away(term), len(str(term))))
        text = self._print(terms[0])
        for term in terms[1:]:
            minus = _is_taken_away(term)
            text += f" {'-' if minus else '+'} {self._print(-term if minus else term)}"
        return text


def _is_taken_away(term: sp.MatrixExpr) -> bool:
    return bool(term.as_coeff_mmul()[0].could_extract_minus_sign())


def latex(expression: sp.Basic) -> str:
    """The expression as LaTeX."""
    return _Printer().doprint(expression)


def scientific(number: float, digits: int = 4) -> str:
    """A number as LaTeX, with that many significant digits: 0.64, or 7.33 \\cdot 10^{-16}."""
    text = f"{number:.{digits}g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


def cell(text: str) -> str:
    """Markdown with $maths$ made fit for a cell of a table, which a bar would end."""
    text = re.sub(r"\s+", " ", text)
    return text.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
