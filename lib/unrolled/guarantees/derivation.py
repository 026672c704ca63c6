"""Derivations whose every step a machine has decided.

A `Step` is an equality or an inequality between sympy expressions, for all values that its symbols
may take: what their assumptions allow, or the narrower domain that the step declares. Two engines
must agree. Exact rewriting proves it: an equality by reducing the difference to zero, an inequality
by the sign of its gap, both only where the sides are shown to be defined. And ball arithmetic
attacks it at points of the domain, edges included. A step that rewriting cannot decide fails just
as a false one does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import sympy as sp

from unrolled.guarantees.balls import Unsupported, excludes
from unrolled.guarantees.domain import Domain, may_be
from unrolled.guarantees.latex import latex
from unrolled.guarantees.relation import AT_MOST, EQUAL, LESS, Relation
from unrolled.guarantees.rewriting import (
    carry_out,
    is_defined,
    is_identically_zero,
    is_nonnegative,
    is_positive,
    put_in,
)
from unrolled.guarantees.time_limit import OutOfTime, time_limit
from unrolled.verdict import Verdict

__all__ = [
    "Cases",
    "Derivation",
    "Equality",
    "Inequality",
    "NoDerivation",
    "Step",
]


# What no exact claim about real numbers holds. Limits may be one-sided without saying so.
_INEXACT = (sp.Float, sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I, sp.Limit, sp.Integral)

POINTS = 40  # at which balls attack a step
SECONDS = 60.0  # after which it counts as undecided
# What sympy raises where an expression is beyond it.
SYMPY_GIVES_UP = (
    ArithmeticError, AttributeError, NotImplementedError, RecursionError, TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Step(ABC):
    """One line of a proof, which a machine decides.

    Make one by `Step.equal`, `Step.at_most`, `Step.less` or `Step.cases`.

    Attributes:
        claim: what the line does, in words (Markdown with $maths$).
        scope: empty for a step that holds for all values of its symbols; otherwise names the cases
            that were decided, no more, when the claim is about more: "three atoms", say.

    Raises:
        ValueError: the claim is blank.
    """

    claim: str
    scope: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not self.claim.strip():
            raise ValueError("claim is empty; say in words what the step does")

    @staticmethod
    def equal(
        claim: str,
        left: sp.Expr,
        right: sp.Expr,
        *,
        domain: Sequence[sp.Rel] = (),
        scope: str = "",
    ) -> Equality:
        """Claim that `left` = `right` for all values of the symbols.

        Args:
            domain: relations that narrow what the symbols' assumptions allow, as in `Domain`:
                κ > 1, or 0 ≤ ρ and ρ < 1.
        """
        given = Domain(tuple(domain))
        return Equality(claim, given, sp.sympify(left), sp.sympify(right), scope=scope)

    @staticmethod
    def at_most(
        claim: str,
        left: sp.Expr,
        right: sp.Expr,
        *,
        gap: sp.Expr,
        domain: Sequence[sp.Rel] = (),
        scope: str = "",
    ) -> Inequality:
        """Claim that `left` ≤ `right`, because `right − left` equals `gap`, which is nonnegative.

        The sign of `gap` must show in its form once every symbol with a bound in `domain` is
        written as that bound and what it exceeds it by.
        """
        left, right, gap = map(sp.sympify, (left, right, gap))
        given = Domain(tuple(domain))
        return Inequality(claim, given, left, right, gap, strict=False, scope=scope)

    @staticmethod
    def less(
        claim: str,
        left: sp.Expr,
        right: sp.Expr,
        *,
        gap: sp.Expr,
        domain: Sequence[sp.Rel] = (),
        scope: str = "",
    ) -> Inequality:
        """Claim that `left` < `right`, because `right − left` equals `gap`, which is positive."""
        left, right, gap = map(sp.sympify, (left, right, gap))
        given = Domain(tuple(domain))
        return Inequality(claim, given, left, right, gap, strict=True, scope=scope)

    @staticmethod
    def cases(
        claim: str, build: Callable[[int], Step], values: range, *, symbol: str = "K"
    ) -> Cases:
        """Claim a step for each integer in `values`, and for no other: `build(K)` is one case.

        Use it where a general identity has a proof in prose and the machine can only confirm
        instances of it.

        Raises:
            ValueError: there is no case, or the cases claim different relations.
        """
        if len(values) == 0:
            raise ValueError(f"values is {values!r}; a claim by cases needs at least one case")
        instances = {value: build(value) for value in values}
        return Cases(claim, instances, scope=f"${symbol} = {_listed(values)}$")

    @property
    @abstractmethod
    def relation(self) -> Relation:
        """What it claims of its two sides."""

    @property
    def reach(self) -> str:
        """For what it was decided, where that is not all that its symbols may be (Markdown)."""
        return f"decided for {self.scope} only" if self.scope else ""

    @abstractmethod
    def verify(self) -> Verdict:
        """Decide the step by both engines; what rewriting cannot decide does not pass."""

    @abstractmethod
    def allows(
        self, values: Mapping[sp.Symbol, float], *, conditions: Collection[sp.Rel] = ()
    ) -> bool:
        """Whether the step speaks of these values, as far as they are of its symbols.

        Args:
            conditions: relations of its domain under which its claim is made; of values that do
                not meet them it need not speak.
        """

    @abstractmethod
    def to_latex(self) -> str:
        """The step as LaTeX."""


def _listed(values: range) -> str:
    shown = [str(value) for value in values]
    if len(shown) <= 3 or (abs(values.step) > 1 and len(shown) <= 6):
        return ", ".join(shown)
    return ", ".join([*shown[: 1 if abs(values.step) == 1 else 2], r"\dots", shown[-1]])


@dataclass(frozen=True)
class _Comparison(Step):
    # Two sides, and all values of their symbols.
    domain: Domain
    left: sp.Expr
    right: sp.Expr

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("left", "right"):
            _check_exact(name, getattr(self, name))
        for bound in self.domain.relations:
            _check_exact("domain", bound.rhs)
        if taken := sorted(map(str, _bound(self.left, self.right) & self.symbols)):
            raise ValueError(
                f"left and right have {', '.join(taken)} both as an index and as a symbol of their "
                "own; give the index a name that nothing else has"
            )
        names = [symbol.name for symbol in self.symbols]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"left and right have several symbols called {', '.join(twice)}, of different "
                "assumptions; a reader cannot tell them apart"
            )
        if self.left == self.right:
            raise ValueError(
                f"left and right are both {self.left} as they come, which decides nothing; write "
                "the side that is to be computed unevaluated (Sum, Derivative, Subs, Product)"
            )

    @property
    def reach(self) -> str:
        """The domain, and the cases."""
        domain = f"for ${self.domain.to_latex()}$" if self.domain.relations else ""
        return ", ".join(filter(None, (domain, super().reach)))

    @property
    def symbols(self) -> set[sp.Symbol]:
        return self.left.free_symbols | self.right.free_symbols | self.domain.symbols

    def allows(
        self, values: Mapping[sp.Symbol, float], *, conditions: Collection[sp.Rel] = ()
    ) -> bool:
        """Whether the values lie in its domain, as far as they are of its symbols.

        A reader knows symbols by their names, and so does this.
        """
        known = {symbol.name: value for symbol, value in values.items()}
        point = {s: known[s.name] for s in self.symbols if s.name in known}
        decided = (r for r in self.domain.relations if r.free_symbols <= point.keys())
        met = all(bool(r.subs(point)) for r in decided if r in conditions)
        return not met or self.domain.holds(point)

    def verify(self) -> Verdict:
        """Attack the step at points, then prove it in every region of its domain."""
        try:
            with time_limit(SECONDS):
                passed, detail = self._decide()
        except OutOfTime:
            passed, detail = False, f"undecided after {SECONDS:.0f} s"
        except SYMPY_GIVES_UP as error:
            passed, detail = False, f"undecided: {type(error).__name__}: {error}"
        return Verdict(self.claim, passed, detail)

    def _decide(self) -> tuple[bool, str]:
        tried, unable = 0, "no point of the domain was found"
        for point in self.domain.points(self.symbols, POINTS):
            try:
                why = excludes(self.left, self.right, self.relation, point)
            except Unsupported as error:
                unable = str(error)
                continue
            if why:
                shown = ", ".join(f"{symbol} = {value}" for symbol, value in point.items())
                return False, f"false at {shown or 'these numbers'}: {why}"
            tried += 1
        if not tried:
            return False, f"undecided: {unable}"
        for region in self.domain.regions(self.symbols):
            if not all(_is_defined_in(region, side) for side in self._sides()):
                return False, "undecided: a side may be undefined where its symbols may go"
            if trouble := self._undecided(region):
                return False, f"undecided: {trouble}"
        return True, f"rewriting proves it; balls agree at {tried} points"

    def _sides(self) -> tuple[sp.Expr, ...]:
        return self.left, self.right

    @abstractmethod
    def _undecided(self, region: Mapping[sp.Symbol, sp.Expr]) -> str:
        """What rewriting cannot show where the symbols are these expressions; or ""."""


@dataclass(frozen=True)
class Equality(_Comparison):
    """`left` = `right`.

    Raises:
        ValueError: the two sides are equal as they come, so that there is nothing to decide, or
            hold what is not exact and real: floating-point numbers, infinities, limits, symbols
            that may be complex.
    """

    @property
    def relation(self) -> Relation:
        """The one of its name."""
        return EQUAL

    def _undecided(self, region: Mapping[sp.Symbol, sp.Expr]) -> str:
        same = is_identically_zero(_carried_out(region, self.right - self.left))
        return "" if same else "the sides are not equal"

    def to_latex(self) -> str:
        """Both sides."""
        return f"{latex(self.left)} = {latex(self.right)}"


@dataclass(frozen=True)
class Inequality(_Comparison):
    """`left` ≤ or < `right`, decided by the sign of `gap` = right − left.

    Raises:
        ValueError: as for `Equality`.
    """

    gap: sp.Expr
    strict: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_exact("gap", self.gap)

    @property
    def relation(self) -> Relation:
        """At most, or less."""
        return LESS if self.strict else AT_MOST

    def _sides(self) -> tuple[sp.Expr, ...]:
        return self.left, self.right, self.gap

    def _undecided(self, region: Mapping[sp.Symbol, sp.Expr]) -> str:
        gap = _carried_out(region, self.gap)
        if not is_identically_zero(_carried_out(region, self.right - self.left) - gap):
            return "the gap is not right − left"
        shows = is_positive if self.strict else is_nonnegative
        return "" if shows(gap) else "the gap's sign does not show"

    def to_latex(self) -> str:
        """Both sides, then the gap that decides."""
        sign = ">" if self.strict else r"\ge"
        return (
            rf"{latex(self.left)} {self.relation.latex} {latex(self.right)},\qquad "
            rf"\text{{gap}} = {latex(self.gap)} {sign} 0"
        )


@dataclass(frozen=True)
class Cases(Step):
    """A step for each of some integers. What is shown is the first one."""

    instances: Mapping[int, Step]

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = {step.relation for step in self.instances.values()}
        if len(kinds) > 1:
            signs = ", ".join(sorted(kind.value for kind in kinds))
            raise ValueError(f"build makes cases of {signs}; all must claim one relation")
        if len(reaches := {step.reach for step in self.instances.values()}) > 1:
            shown = "; ".join(sorted(reach or "for all" for reach in reaches))
            raise ValueError(f"build makes cases {shown}; all must be of one domain and scope")

    @property
    def reach(self) -> str:
        """The cases, and the domain of the first."""
        first = next(iter(self.instances.values())).reach
        return ", ".join(filter(None, (first, super().reach)))

    @property
    def relation(self) -> Relation:
        """The one of every case."""
        return next(iter(self.instances.values())).relation

    def allows(
        self, values: Mapping[sp.Symbol, float], *, conditions: Collection[sp.Rel] = ()
    ) -> bool:
        """Whether every case does."""
        return all(s.allows(values, conditions=conditions) for s in self.instances.values())

    def verify(self) -> Verdict:
        """Decide every case."""
        verdicts = {case: step.verify() for case, step in self.instances.items()}
        failed = {case: verdict for case, verdict in verdicts.items() if not verdict.passed}
        detail = f"{len(verdicts)} cases, each: {next(iter(verdicts.values())).detail}"
        if failed:
            detail = f"in the case of {', '.join(map(str, failed))}: "
            detail += next(iter(failed.values())).detail
        return Verdict(self.claim, not failed, detail)

    def to_latex(self) -> str:
        """The first case."""
        return next(iter(self.instances.values())).to_latex()


def _bound(*expressions: sp.Expr) -> set[sp.Symbol]:
    # The indices of sums and the variables of substitutions.
    found: set[sp.Symbol] = set()
    for expression in expressions:
        for taken in expression.atoms(sp.Sum, sp.Product, sp.Subs):
            found |= set(taken.bound_symbols)
    return found


def _check_exact(name: str, expression: sp.Expr) -> None:
    if not isinstance(expression, sp.Expr):
        raise ValueError(f"{name} is {expression!r}; an expression is needed")
    found = [kind for kind in _INEXACT if expression.has(kind)]
    if found:
        what = getattr(found[0], "__name__", str(found[0]))
        raise ValueError(f"{name} is {expression}, which holds {what}; exact real numbers only")
    if any(v.is_integer for d in expression.atoms(sp.Derivative) for v in d.variables):
        raise ValueError(f"{name} is {expression}, a derivative with respect to an integer")
    special = [str(s) for s in expression.free_symbols if _is_special(s)]
    if special:
        raise ValueError(
            f"{name} has the symbols {', '.join(sorted(special))}, of which more is assumed than a "
            "sign and whether they are integers, even or odd"
        )
    unreal = [str(s) for s in expression.free_symbols if not (s.is_real or s.is_integer)]
    if unreal:
        raise ValueError(
            f"{name} has the symbols {', '.join(sorted(unreal))}, which may be complex; declare "
            "them real, positive, nonnegative or integer, as the theorem has them"
        )


def _is_special(symbol: sp.Symbol) -> bool:
    rational = symbol.is_rational and not symbol.is_integer
    return bool(rational or symbol.is_irrational or symbol.is_prime or symbol.is_composite)


def _is_defined_in(region: Mapping[sp.Symbol, sp.Expr], side: sp.Expr) -> bool:
    # The derivative of a smooth function is defined, and may be any real number. It is smooth where
    # its variable may be, so that is where the derivative may be taken.
    for taken in side.atoms(sp.Subs):
        places = zip(taken.variables, taken.point, strict=True)
        if not all(may_be(variable, put_in(region, value)) for variable, value in places):
            return False
    inner = {derivative: sp.Dummy(real=True) for derivative in side.atoms(sp.Derivative)}
    smooth = (put_in(region, derivative.expr) for derivative in inner)
    outer = put_in(region, side.xreplace(inner))
    return is_defined(outer) and all(is_defined(part, smooth=True) for part in smooth)


def _carried_out(region: Mapping[sp.Symbol, sp.Expr], expression: sp.Expr) -> sp.Expr:
    # Derivatives, which are with respect to symbols, come before those are replaced; sums after.
    expression = expression.xreplace(
        {pending: pending.doit() for pending in expression.atoms(sp.Derivative, sp.Subs)}
    )
    return carry_out(expression.xreplace(region))


@dataclass(frozen=True)
class Derivation:
    """A proof as the machine sees it: steps in order, each decided on its own."""

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("steps is empty; a derivation has at least one step")

    def verify(self) -> tuple[Verdict, ...]:
        """Decide every step; one verdict a step, in order."""
        return tuple(step.verify() for step in self.steps)

    def _repr_markdown_(self) -> str:
        verdicts = self.verify()
        decided = sum(verdict.passed for verdict in verdicts)
        title = f"Derivation: {decided} of {len(verdicts)} steps decided by machine"
        lines = []
        for number, (step, verdict) in enumerate(zip(self.steps, verdicts, strict=True), 1):
            mark = "✓" if verdict.passed else "✗"
            reach = f" *({step.reach})*" if step.reach else ""
            reach += "" if verdict.passed else f" **{verdict.detail}**"
            lines.append(
                f"{number}. {mark} {step.claim}{reach}\n\n   $$\n   {step.to_latex()}\n   $$\n"
            )
        return f":::{{dropdown}} {title}\n\n" + "\n".join(lines) + ":::\n"


@dataclass(frozen=True)
class NoDerivation:
    """Says why a theorem has no derivation of its own.

    Attributes:
        follows: the name of the theorem that it follows from; empty for none.
        reason: how, in words.
    """

    follows: str
    reason: str
    steps: ClassVar[tuple[Step, ...]] = ()

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("reason is empty; say what the theorem follows from")

    def verify(self) -> tuple[Verdict, ...]:
        """Nothing to decide."""
        return ()

    def _repr_markdown_(self) -> str:
        return f"*No derivation of its own:* {self.reason}\n"
