"""Formulas and numbers as the book prints them."""

from __future__ import annotations

import re

import sympy as sp
from sympy.printing.latex import LatexPrinter

__all__ = ["cell", "latex", "scientific"]


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
