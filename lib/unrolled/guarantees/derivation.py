"""Derivations whose every step a machine has decided.

A `Step` is an equality or an inequality between sympy expressions. It is verified exactly:
an equality by reducing the difference to zero, an inequality by rewriting its gap as an expression
whose sign sympy decides from the assumptions on its symbols. Nothing is sampled, so a step that
sympy cannot decide fails just as a false one does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import sympy as sp

from unrolled.guarantees.latex import latex
from unrolled.guarantees.relation import AT_MOST, LESS, Relation
from unrolled.verdict import Verdict

__all__ = [
    "Cases",
    "Derivation",
    "Equality",
    "Inequality",
    "NoDerivation",
    "Step",
    "is_identically_zero",
]


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
    """Decide whether `expression` vanishes for all values that its symbols' assumptions allow.

    True only when an exact rewriting reaches the number 0; False when it does not, which covers
    both a false identity and one that sympy cannot decide.
    """
    expression = sp.sympify(expression)
    return any(reduced == 0 for reduced in _reductions(expression))


@dataclass(frozen=True)
class Step(ABC):
    """One line of a proof, which a machine decides.

    Make one by `Step.equal`, `Step.at_most`, `Step.less` or `Step.cases`.

    Attributes:
        claim: what the line does, in words (Markdown with $maths$).
        scope: empty for a step that holds for all values of its symbols; otherwise names the cases
            that were decided, no more, when the claim is about more: "three atoms", say.

    Raises:
        ValueError: the claim is blank, or the two sides are equal as they come, so that there is
            nothing to decide.
    """

    claim: str
    scope: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not self.claim.strip():
            raise ValueError("claim is empty; say in words what the step does")

    @staticmethod
    def equal(claim: str, left: sp.Expr, right: sp.Expr, *, scope: str = "") -> Equality:
        """Claim that `left` = `right` for all values that the symbols' assumptions allow."""
        return Equality(claim, sp.sympify(left), sp.sympify(right), scope=scope)

    @staticmethod
    def at_most(
        claim: str,
        left: sp.Expr,
        right: sp.Expr,
        *,
        gap: sp.Expr,
        where: Mapping[sp.Symbol, sp.Expr] | None = None,
        scope: str = "",
    ) -> Inequality:
        """Claim that `left` ≤ `right`, because `right − left` equals `gap`, which is nonnegative.

        `where` substitutes symbols before the comparison (κ = 1 + t with t > 0, say), so that the
        sign of `gap` shows in its form; it must parametrise all values that are allowed.
        """
        left, right, gap = map(sp.sympify, (left, right, gap))
        return Inequality(claim, left, right, AT_MOST, gap, dict(where or {}), scope=scope)

    @staticmethod
    def less(
        claim: str,
        left: sp.Expr,
        right: sp.Expr,
        *,
        gap: sp.Expr,
        where: Mapping[sp.Symbol, sp.Expr] | None = None,
        scope: str = "",
    ) -> Inequality:
        """Claim that `left` < `right`, because `right − left` equals `gap`, which is positive."""
        left, right, gap = map(sp.sympify, (left, right, gap))
        return Inequality(claim, left, right, LESS, gap, dict(where or {}), scope=scope)

    @staticmethod
    def cases(
        claim: str, build: Callable[[int], Step], values: range, *, symbol: str = "K"
    ) -> Cases:
        """Claim a step for each integer in `values`, and for no other: `build(K)` is one case.

        Use it where a general identity has a proof in prose and the machine can only confirm
        instances of it.
        """
        if len(values) == 0:
            raise ValueError(f"values is {values!r}; a claim by cases needs at least one case")
        shown = str(values[0]) if len(values) == 1 else f"{values[0]}, \\dots, {values[-1]}"
        instances = {value: build(value) for value in values}
        return Cases(claim, instances, scope=f"${symbol} = {shown}$")

    @abstractmethod
    def verify(self) -> Verdict:
        """Decide the step exactly; a step that sympy cannot decide does not pass."""

    @abstractmethod
    def to_latex(self) -> str:
        """The step as LaTeX."""


@dataclass(frozen=True)
class Equality(Step):
    """`left` = `right`."""

    left: sp.Expr
    right: sp.Expr

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_a_question(self.left, self.right)

    def verify(self) -> Verdict:
        """Reduce the difference of the sides to zero."""
        # Derivatives and sums stay unevaluated in what is shown; here they are carried out.
        passed = is_identically_zero((self.right - self.left).doit())
        return Verdict(self.claim, passed, "equal" if passed else "the sides are not equal")

    def to_latex(self) -> str:
        """Both sides."""
        return f"{latex(self.left)} = {latex(self.right)}"


@dataclass(frozen=True)
class Inequality(Step):
    """`left` ≤ or < `right`, decided by the sign of `gap` = right − left with `where` put in."""

    left: sp.Expr
    right: sp.Expr
    relation: Relation
    gap: sp.Expr
    where: Mapping[sp.Symbol, sp.Expr]

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_a_question(self.left, self.right)

    def verify(self) -> Verdict:
        """Check that the gap is the difference of the sides, and that it has the sign."""
        difference = (self.right - self.left).doit().subs(self.where)
        if not is_identically_zero(difference - self.gap):
            return Verdict(self.claim, False, "the gap is not right − left")
        strict = self.relation is LESS
        sign = self.gap.is_positive if strict else self.gap.is_nonnegative
        detail = {True: "the gap has the sign", False: "the gap has the wrong sign"}
        return Verdict(self.claim, sign is True, detail.get(sign, "the gap's sign is undecided"))

    def to_latex(self) -> str:
        """Both sides, then the gap that decides."""
        sign = ">" if self.relation is LESS else r"\ge"
        given = ",\\ ".join(f"{latex(k)} = {latex(v)}" for k, v in self.where.items())
        given = rf"\quad ({given})" if given else ""
        return (
            rf"{latex(self.left)} {self.relation.latex} {latex(self.right)},\qquad "
            rf"\text{{gap}} = {latex(self.gap)} {sign} 0{given}"
        )


@dataclass(frozen=True)
class Cases(Step):
    """A step for each of some integers. What is shown is the first one."""

    instances: Mapping[int, Step]

    def verify(self) -> Verdict:
        """Decide every case."""
        failed = [str(k) for k, step in self.instances.items() if not step.verify().passed]
        detail = f"{len(self.instances)} cases decided"
        if failed:
            detail = f"undecided or false in the case of {', '.join(failed)}"
        return Verdict(self.claim, not failed, detail)

    def to_latex(self) -> str:
        """The first case."""
        return next(iter(self.instances.values())).to_latex()


def _require_a_question(left: sp.Expr, right: sp.Expr) -> None:
    if left == right:
        raise ValueError(
            f"left and right are both {left} as they come, which decides nothing; write the side "
            "that is to be computed unevaluated (Sum, Derivative, Subs, Product)"
        )


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
            scope = f" *(decided for {step.scope} only)*" if step.scope else ""
            lines.append(
                f"{number}. {mark} {step.claim}{scope}\n\n   $$\n   {step.to_latex()}\n   $$\n"
            )
        return f":::{{dropdown}} {title}\n\n" + "\n".join(lines) + ":::\n"


@dataclass(frozen=True)
class NoDerivation:
    """Says why a theorem has no derivation of its own: what it follows from, in words."""

    reason: str
    steps: ClassVar[tuple[Step, ...]] = ()

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("reason is empty; say what the theorem follows from")

    def verify(self) -> tuple[Verdict, ...]:
        """Nothing to decide."""
        return ()

    def _repr_markdown_(self) -> str:
        return f"No derivation of its own: {self.reason}\n"
