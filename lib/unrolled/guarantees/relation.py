"""How two numbers stand to each other: the one vocabulary of theorems and derivation steps."""

from __future__ import annotations

from enum import Enum

from torch import Tensor

__all__ = ["AT_LEAST", "AT_MOST", "EQUAL", "LESS", "Relation"]


class Relation(Enum):
    """A relation, whose value is its sign as plain text."""

    EQUAL = "="
    AT_MOST = "<="
    AT_LEAST = ">="
    LESS = "<"

    @property
    def latex(self) -> str:
        """Its sign as LaTeX."""
        return {"<=": r"\le", ">=": r"\ge"}.get(self.value, self.value)

    @property
    def words(self) -> str:
        """What stands before a number, as "at most" does before 3."""
        return {"=": "exactly", "<=": "at most", ">=": "at least", "<": "less than"}[self.value]

    def holds(self, measured: Tensor, bound: Tensor, slack: float) -> Tensor:
        """Whether measured stands in this relation to bound, elementwise.

        Only two finite numbers do: NaN and the infinities stand in no relation to anything.

        Args:
            measured: any shape.
            bound: of the same shape.
            slack: allowance for rounding relative to the bound, absolute where the bound is 0.
        """
        allowance = slack * (bound.abs() + (bound == 0))
        finite = measured.isfinite() & bound.isfinite()
        if self is Relation.AT_MOST:
            return finite & (measured <= bound + allowance)
        if self is Relation.AT_LEAST:
            return finite & (measured >= bound - allowance)
        if self is Relation.LESS:
            return finite & (measured < bound + allowance)
        return finite & ((measured - bound).abs() <= allowance)


EQUAL, AT_MOST, AT_LEAST, LESS = Relation
