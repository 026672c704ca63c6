"""Formulas as the book prints them."""

from __future__ import annotations

import sympy as sp
from sympy.printing.latex import LatexPrinter

__all__ = ["latex"]


class _Printer(LatexPrinter):
    """Sympy's LaTeX, but a sum begins with a term that has no minus: 1 − ηλ, not −ηλ + 1."""

    def _as_ordered_terms(self, expr: sp.Expr, order: str | None = None) -> list[sp.Expr]:
        terms = super()._as_ordered_terms(expr, order=order)
        for place, term in enumerate(terms):
            if not term.could_extract_minus_sign():
                return [term, *terms[:place], *terms[place + 1 :]]
        return terms


def latex(expression: sp.Basic) -> str:
    """The expression as LaTeX."""
    return _Printer().doprint(expression)
