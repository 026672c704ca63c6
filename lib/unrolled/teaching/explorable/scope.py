"""What the expressions of a layer may speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from unrolled.checks import check_size
from unrolled.teaching.explorable.control import Control
from unrolled.teaching.explorable.vega import numeric, printed

Expression = sympy.Expr | float | int
Evaluated = dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The controls, and the Vega code of every known name."""

    sliders: tuple[Control, ...]
    names: Mapping[str, str]

    def code(self, expression: Expression) -> str:
        """The expression in Vega's language.

        Raises:
            ValueError: an expression that has no such form.
        """
        return printed(expression, self.names)

    def listed(self, expressions: list[Expression]) -> str:
        """The list of the expressions in Vega's language."""
        return f"[{', '.join(map(self.code, expressions))}]"

    def along(self, symbol: sympy.Symbol, code: str) -> Scope:
        """The scope in which the symbol of an axis is known too.

        Raises:
            ValueError: a symbol that already means something else.
        """
        if symbol.name in self.names:
            raise ValueError(f"{symbol} is an axis, but also a slider or a column")
        return Scope(sliders=self.sliders, names={**self.names, symbol.name: code})


def along(expression: Expression, values: Mapping[str, Any], axis: np.ndarray) -> np.ndarray:
    """The value of an expression at every point of an axis."""
    return np.broadcast_to(numeric(expression)(values), axis.shape)


def check_points(points: int) -> None:
    """Refuse a number of points that cannot reach both ends of an axis.

    Raises:
        ValueError: fewer than two.
    """
    check_size("points", points, least=2)


def evenly(
    domain: tuple[Expression, Expression], points: int, values: Mapping[str, float]
) -> np.ndarray:
    """Evenly spaced points of a domain, its ends among them."""
    low, high = (number(bound, values) for bound in domain)
    return low + (high - low) * np.arange(points) / (points - 1)


def number(expression: Expression, values: Mapping[str, float]) -> float:
    """The value of an expression without an axis."""
    return float(numeric(expression)(values))
