"""Derivations whose every step a machine has decided.

A `Step` is an equality or an inequality between sympy expressions. It is verified exactly:
an equality by reducing the difference to zero, an inequality by rewriting its gap as an expression
whose sign sympy decides from the assumptions on its symbols. Nothing is sampled, so a step that
sympy cannot decide fails just as a false one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import sympy as sp

from unrolled.guarantees.latex import latex

__all__ = ["Derivation", "Step", "Verdict", "is_identically_zero"]


@dataclass(frozen=True)
class Verdict:
    """Whether one item of a check holds, and why: `label`, `passed`, and a sentence of `detail`."""

    label: str
    passed: bool
    detail: str


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
class Step:
    """One line of a proof: `left`, a relation, `right`.

    Build it with `Step.equal`, `Step.at_most`, `Step.less` or `Step.cases`. `claim` says in words
    (Markdown with $maths$) what the line does. `scope` is empty for a step that holds for all
    values of its symbols, and otherwise names the cases that were checked, no more.
    """

    claim: str
    relation: str
    left: sp.Expr
    right: sp.Expr
    gap: sp.Expr | None = None
    where: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    instances: tuple[Step, ...] = ()
    scope: str = ""

    def __post_init__(self) -> None:
        if not self.claim.strip():
            raise ValueError("claim is empty; say in words what the step does")

    @classmethod
    def equal(cls, claim: str, left: sp.Expr, right: sp.Expr) -> Step:
        """Claim that `left` = `right` for all values that the symbols' assumptions allow."""
        return cls(claim, "=", sp.sympify(left), sp.sympify(right))

    @classmethod
    def at_most(
        cls,
        claim: str,
        left: sp.Expr,
        right: sp.Expr,
        *,
        gap: sp.Expr,
        where: Mapping[sp.Symbol, sp.Expr] | None = None,
    ) -> Step:
        """Claim that `left` ≤ `right`, because `right − left` equals `gap`, which is nonnegative.

        `where` substitutes symbols before the comparison (κ = 1 + t with t > 0, say), so that the
        sign of `gap` shows in its form; it must parametrise all values that are allowed.
        """
        left, right, gap = map(sp.sympify, (left, right, gap))
        return cls(claim, r"\le", left, right, gap, dict(where or {}))

    @classmethod
    def less(
        cls,
        claim: str,
        left: sp.Expr,
        right: sp.Expr,
        *,
        gap: sp.Expr,
        where: Mapping[sp.Symbol, sp.Expr] | None = None,
    ) -> Step:
        """Claim that `left` < `right`, because `right − left` equals `gap`, which is positive."""
        left, right, gap = map(sp.sympify, (left, right, gap))
        return cls(claim, "<", left, right, gap, dict(where or {}))

    @classmethod
    def cases(
        cls, claim: str, build: Callable[[int], Step], values: range, *, symbol: str = "K"
    ) -> Step:
        """Claim a step for each integer in `values`, and for no other: `build(K)` is one case.

        What is shown is the second case, or the only one. Use it where a general identity has a
        proof in prose and the machine can only confirm instances of it.
        """
        if len(values) == 0:
            raise ValueError(f"values is {values!r}; a claim by cases needs at least one case")
        instances = tuple(build(value) for value in values)
        shown = instances[min(1, len(instances) - 1)]
        scope = f"${symbol} = {values[0]}, \\dots, {values[-1]}$"
        return cls(claim, shown.relation, shown.left, shown.right, instances=instances, scope=scope)

    def verify(self) -> Verdict:
        """Decide the step exactly; a step that sympy cannot decide does not pass."""
        if self.instances:
            failed = [str(k) for k, step in enumerate(self.instances) if not step.verify().passed]
            detail = f"{len(self.instances)} cases decided"
            if failed:
                detail = f"undecided or false in case(s) number {', '.join(failed)}"
            return Verdict(self.claim, not failed, detail)
        # Derivatives and sums stay unevaluated in what is shown; here they are carried out.
        difference = (self.right - self.left).doit().subs(self.where)
        if self.relation == "=":
            passed = is_identically_zero(difference)
            return Verdict(self.claim, passed, "equal" if passed else "the sides are not equal")
        if not is_identically_zero(difference - self.gap):
            return Verdict(self.claim, False, "the gap is not right − left")
        sign = self.gap.is_positive if self.relation == "<" else self.gap.is_nonnegative
        detail = {True: "the gap has the sign", False: "the gap has the wrong sign"}
        return Verdict(self.claim, sign is True, detail.get(sign, "the gap's sign is undecided"))

    def to_latex(self) -> str:
        """The step as LaTeX, with the gap that decides an inequality after it."""
        line = f"{latex(self.left)} {self.relation} {latex(self.right)}"
        if self.gap is not None:
            sign = ">" if self.relation == "<" else r"\ge"
            given = ",\\ ".join(f"{latex(k)} = {latex(v)}" for k, v in self.where.items())
            given = rf"\quad ({given})" if given else ""
            line += rf",\qquad \text{{gap}} = {latex(self.gap)} {sign} 0{given}"
        return line


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
