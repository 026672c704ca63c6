"""The values that symbols may take: what their assumptions allow, or less where a step says so.

A `Domain` does two things with them. `regions` writes every value in terms of new symbols whose
signs are known, so that the sign of an expression can show in its form: κ > 1 becomes κ = 1 + t
with t > 0. What is written so covers the domain by construction; nobody has to be believed.
`points` draws values, edges and what lies beside them too, for an engine that evaluates.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import sympy as sp

from unrolled.guarantees.latex import latex

__all__ = ["Domain", "allows", "may_be"]

Point = Mapping[sp.Symbol, sp.Rational]

# What may be assumed of a symbol, and how a number shows it.
SIGNS = {
    "positive": lambda value: value > 0,
    "negative": lambda value: value < 0,
    "nonnegative": lambda value: value >= 0,
    "nonpositive": lambda value: value <= 0,
    "zero": lambda value: value == 0,
    "integer": lambda value: value == int(value),
    "even": lambda value: value % 2 == 0,
    "odd": lambda value: value % 2 == 1,
}
# Numbers of every size, to begin with; what follows them is random.
NOTABLE = tuple(
    sp.Rational(sign * numerator, denominator)
    for numerator, denominator in ((0, 1), (1, 1), (2, 1), (1, 2), (3, 1), (1, 1000), (1000, 1))
    for sign in (1, -1)
)
TINY = sp.Rational(1, 10**6)


def allows(symbol: sp.Symbol, value: float | sp.Rational) -> bool:
    """Whether the symbol's assumptions allow this number."""
    facts = symbol.assumptions0
    if not sp.sympify(value).is_finite:
        return False
    return all(bool(shows(value)) is facts[name] for name, shows in SIGNS.items() if name in facts)


def may_be(symbol: sp.Symbol, expression: sp.Expr) -> bool:
    """Whether the expression is known to be all that is assumed of the symbol."""
    facts = symbol.assumptions0.items()
    return all(getattr(expression, f"is_{fact}") is truth for fact, truth in facts if fact in SIGNS)


@dataclass(frozen=True)
class Domain:
    """What the assumptions on the symbols allow, narrowed by relations.

    Attributes:
        relations: each bounds one symbol, on its left: κ > 1, ρ < 1, q ≥ √r·θ.

    Raises:
        ValueError: a relation that sympy has decided already, that has no symbol on its left, or
            whose bound depends on that symbol in turn.
    """

    relations: tuple[sp.Rel, ...] = ()

    def __post_init__(self) -> None:
        for relation in self.relations:
            if not isinstance(relation, sp.Ge | sp.Gt | sp.Le | sp.Lt):
                raise ValueError(f"domain has {relation!r}; relations like kappa > 1 are needed")
            if not isinstance(relation.lhs, sp.Symbol):
                raise ValueError(f"domain has {relation}; on its left a symbol is needed")
        self._order(self.symbols)

    @property
    def symbols(self) -> set[sp.Symbol]:
        """All symbols that its relations speak of."""
        return set().union(*(relation.free_symbols for relation in self.relations))

    def to_latex(self) -> str:
        """The relations; empty where there are none."""
        return r",\ ".join(latex(relation) for relation in self.relations)

    def regions(self, symbols: Iterable[sp.Symbol]) -> Iterator[dict[sp.Symbol, sp.Expr]]:
        """Expressions for the symbols, in new ones of known sign, which together take every value.

        Symbols without an expression keep what is assumed of them.
        """
        order = self._order({*symbols})
        for choice in product(*(self._forms(symbol) for symbol in order)):
            region: dict[sp.Symbol, sp.Expr] = {}
            for symbol, form in zip(order, choice, strict=True):
                # Bounds come first in the order, so what they are is known by now.
                region[symbol] = form.xreplace(region)
            yield {symbol: form for symbol, form in region.items() if form != symbol}

    def _order(self, symbols: set[sp.Symbol]) -> list[sp.Symbol]:
        # These and its own, every symbol after those that its bounds depend on.
        ordered: list[sp.Symbol] = []
        waiting = sorted(symbols | self.symbols, key=str)
        while waiting:
            free = [symbol for symbol in waiting if not self._needs(symbol) - set(ordered)]
            if not free:
                raise ValueError(f"domain bounds {', '.join(map(str, waiting))} by each other")
            ordered += free
            waiting = [symbol for symbol in waiting if symbol not in free]
        return ordered

    def _needs(self, symbol: sp.Symbol) -> set[sp.Symbol]:
        mine = (relation for relation in self.relations if relation.lhs == symbol)
        return set().union(*(relation.rhs.free_symbols for relation in mine))

    def _ends(self, symbol: sp.Symbol) -> tuple[sp.Expr | None, bool, sp.Expr | None, bool]:
        # Lower end, whether it is taken, upper end, whether it is taken.
        whole = bool(symbol.is_integer)
        low, low_taken, high, high_taken = None, False, None, False
        if symbol.is_nonnegative:
            low = sp.Integer(1) if whole and symbol.is_positive else sp.Integer(0)
            low_taken = whole or not symbol.is_positive
        if symbol.is_nonpositive:
            high = sp.Integer(-1) if whole and symbol.is_negative else sp.Integer(0)
            high_taken = whole or not symbol.is_negative
        for relation in self.relations:
            if relation.lhs != symbol:
                continue
            end, taken = relation.rhs, isinstance(relation, sp.Ge | sp.Le)
            if whole and end.is_number:  # the integer before those that are allowed, or the last
                downwards = isinstance(relation, sp.Gt | sp.Le)
                end = sp.floor(end) if downwards else sp.ceiling(end)
            if whole and end.is_integer and not taken:
                end, taken = end + (1 if isinstance(relation, sp.Gt) else -1), True
            if isinstance(relation, sp.Ge | sp.Gt):
                low, low_taken = end, taken
            else:
                high, high_taken = end, taken
        return low, low_taken, high, high_taken

    def _forms(self, symbol: sp.Symbol) -> list[sp.Expr]:
        low, low_taken, high, high_taken = self._ends(symbol)
        narrowed = any(relation.lhs == symbol for relation in self.relations)
        # From an end that may be no integer, steps of one reach no integer either.
        whole = bool(symbol.is_integer) and all(
            end is None or end.is_integer for end in (low, high)
        )
        if not narrowed and not (whole and (low is not None or high is not None)):
            return [symbol]
        if whole and low is not None and high is not None and (high - low).is_Integer:
            return [low + step for step in range(int(high - low) + 1)]
        if whole and (low is None or high is None):
            t = sp.Dummy(f"{symbol}'", integer=True, nonnegative=True)
            return [low + t if low is not None else high - t]
        if low is None or high is None:
            taken = low_taken if low is not None else high_taken
            t = sp.Dummy(f"{symbol}'", **({"nonnegative": True} if taken else {"positive": True}))
            return [low + t if low is not None else high - t]
        t = sp.Dummy(f"{symbol}'", **({"nonnegative": True} if low_taken else {"positive": True}))
        inside = (low + high * t) / (1 + t)  # all of [low, high) as t runs from 0 on
        return [inside, high] if high_taken else [inside]

    def points(self, symbols: Iterable[sp.Symbol], count: int, *, seed: int = 0) -> Iterator[Point]:
        """Draw `count` points of the domain, fewer where they are hard to find."""
        source = random.Random(seed)
        order = self._order({*symbols})
        for _ in range(count):
            point: dict[sp.Symbol, sp.Rational] = {}
            for symbol in order:
                value = self._value(symbol, point, source)
                if value is None:
                    break
                point[symbol] = value
            else:
                yield point

    def holds(self, point: Mapping[sp.Symbol, float | sp.Rational]) -> bool:
        """Whether the point lies in the domain, as far as it has values for the symbols."""
        known = {symbol: sp.sympify(value) for symbol, value in point.items()}
        if not all(allows(symbol, value) for symbol, value in point.items()):
            return False
        return all(
            bool(relation.subs(known))
            for relation in self.relations
            if relation.free_symbols <= known.keys()
        )

    def _value(self, symbol: sp.Symbol, point: Point, source: random.Random) -> sp.Rational | None:
        low, _, high, _ = (
            end.subs(point) if isinstance(end, sp.Expr) else end for end in self._ends(symbol)
        )
        ends = [end for end in (low, high) if isinstance(end, sp.Expr)]
        if not all(end.is_real and end.is_finite for end in ends):
            return None  # a bound is undefined there
        draw = _whole_candidate if symbol.is_integer else _candidate
        for _ in range(40):
            value = draw(low, high, source)
            if allows(symbol, value) and self.holds({**point, symbol: value}):
                return value
        return None


def _whole_candidate(
    low: sp.Expr | None, high: sp.Expr | None, source: random.Random
) -> sp.Integer:
    reach = source.choice((7, 30))
    if low is not None:
        return sp.Integer(int(sp.ceiling(low)) + source.randrange(reach))
    if high is not None:
        return sp.Integer(int(sp.floor(high)) - source.randrange(reach))
    return sp.Integer(source.randrange(-reach, reach))


def _candidate(low: sp.Expr | None, high: sp.Expr | None, source: random.Random) -> sp.Rational:
    ends = [end for end in (low, high) if end is not None and end.is_Rational]
    kind = source.randrange(5)
    if kind == 0 and ends:  # at an edge, or beside it
        return source.choice(ends) + source.choice((0, TINY, -TINY))
    if kind == 1:
        return source.choice(NOTABLE)
    if low is not None and high is not None:
        share = sp.Rational(source.randrange(1, 1000), 1000)
        return _rational(low) + share * _rational(high - low)
    width = sp.Rational(Fraction(10 ** source.uniform(-3, 3)).limit_denominator(1000))
    if low is not None:
        return _rational(low) + width
    if high is not None:
        return _rational(high) - width
    return source.choice((1, -1)) * width


def _rational(number: sp.Expr) -> sp.Rational:
    # Near enough: what is drawn is held against the domain anyway.
    return sp.Rational(Fraction(float(number)).limit_denominator(10**9))
