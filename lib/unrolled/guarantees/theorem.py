"""Theorems and refutations as objects that can be run.

A `Theorem` holds its assumptions, its bound as one sympy expression, its derivation, a way to draw
random instances that satisfy the assumptions and a way to measure the left-hand side. `check`
sweeps instances and requires that measured and bound stand in the stated relation; `drop` runs an
instance on which one assumption fails and requires that the conclusion fails with it, so that the
check is known to be able to fail. A `Refutation` holds a claim as commonly stated and the instance
that contradicts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any

import sympy as sp
import torch

from unrolled.guarantees.derivation import Derivation, Verdict
from unrolled.guarantees.latex import cell, latex, scientific

__all__ = [
    "Assumption",
    "Dropped",
    "Refutation",
    "Sweep",
    "Theorem",
    "dropped",
    "register",
    "registered",
]

RELATIONS = {"<=": r"\le", ">=": r"\ge", "=": "="}

Instance = Any
Draw = Callable[[torch.Generator], Instance]
Values = Callable[[Instance], Mapping[sp.Symbol, float]]
Measure = Callable[[Instance], float]


def _check_relation(relation: str) -> None:
    if relation not in RELATIONS:
        raise ValueError(f"relation is {relation!r}; allowed are {', '.join(RELATIONS)}")


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _holds(
    relation: str, measured: torch.Tensor, bound: torch.Tensor, slack: float
) -> torch.Tensor:
    allowance = slack * torch.where(bound == 0, 1.0, bound.abs())
    if relation == "<=":
        return measured <= bound + allowance
    if relation == ">=":
        return measured >= bound - allowance
    return (measured - bound).abs() <= allowance


@dataclass(frozen=True)
class Assumption:
    """One hypothesis in words, and, if dropping it breaks the conclusion, how.

    `violate(generator)` draws an instance that satisfies every other assumption but this one, and
    on which the conclusion fails. It is None for an assumption that only fixes what is meant.
    """

    statement: str
    violate: Draw | None = None


@dataclass(frozen=True)
class Sweep:
    """What a sweep saw: `measured` and `bound` for each instance, and whether each one held.

    `ratios` are measured / bound; for "<=" a largest ratio near 1 says that the bound is tight.
    """

    relation: str
    measured: torch.Tensor
    bound: torch.Tensor
    held: torch.Tensor

    @property
    def passed(self) -> bool:
        return bool(self.held.all())

    @property
    def ratios(self) -> torch.Tensor:
        return torch.where(self.bound == self.measured, 1.0, self.measured / self.bound)

    @property
    def worst(self) -> float:
        """The ratio nearest to a violation: largest for "<=", smallest for ">="."""
        if self.relation == "=":
            return float(self.ratios[(self.ratios - 1).abs().argmax()])
        return float(self.ratios.max() if self.relation == "<=" else self.ratios.min())

    @property
    def discrepancy(self) -> float:
        """The largest |measured − bound|."""
        return float((self.measured - self.bound).abs().max())

    def summary(self) -> str:
        """One sentence: how many instances, how many held, how tight the bound is."""
        count, held = len(self.held), int(self.held.sum())
        line = f"{held:,} of {count:,} random instances hold"
        if self.relation == "=":
            return f"{line}; largest difference {self.discrepancy:.1e}"
        extreme = "largest" if self.relation == "<=" else "smallest"
        median = float(self.ratios.median())
        return f"{line}; {extreme} measured/bound {self.worst:.4g}, median {median:.3g}"

    def _repr_markdown_(self) -> str:
        return f"{'✓' if self.passed else '✗'} {self.summary()}."


@dataclass(frozen=True)
class Theorem:
    """A statement that is proved, derived by machine and attacked by random instances.

    name: unique, `chapter.topic`.
    statement: Markdown, in which `{quantity}`, `{relation}`, `{bound}`, `{name}` for each symbol in
        `where` and for each entry of `formulas` are replaced by LaTeX.
    quantity: LaTeX of what is measured.
    bound: sympy expression, short enough to print; `where` defines its abbreviations.
    values: a number for each free symbol of `expression`, the bound written out.
    relation: how measured stands to bound: "<=", ">=" or "=".
    slack: allowance for rounding relative to the bound, absolute where the bound is 0.
    """

    name: str
    title: str
    statement: str
    assumptions: tuple[Assumption, ...]
    quantity: str
    relation: str
    bound: sp.Expr
    draw: Draw
    measure: Measure
    values: Values
    source: str
    derivation: Derivation | None = None
    where: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    formulas: Mapping[str, sp.Expr] = field(default_factory=dict)
    slack: float = 1e-9

    def __post_init__(self) -> None:
        _check_relation(self.relation)

    @property
    def expression(self) -> sp.Expr:
        """The bound with its abbreviations written out."""
        return self.bound.subs(self.where)

    def limit(self, instance: Instance) -> float:
        """The bound's value on one instance."""
        return evaluate(self.expression, self.values(instance))

    def check(self, count: int = 1000, *, seed: int = 0) -> Sweep:
        """Sweep `count` random instances that satisfy the assumptions."""
        if count < 1:
            raise ValueError(f"count is {count}; a sweep needs at least one instance")
        generator = _generator(seed)
        return self._sweep([self.draw(generator) for _ in range(count)])

    def drop(self, *, seed: int = 0) -> dict[str, Sweep]:
        """For each assumption that can be dropped: its statement, and a sweep that must fail."""
        return {
            assumption.statement: self._sweep([assumption.violate(_generator(seed))])
            for assumption in self.assumptions
            if assumption.violate is not None
        }

    def _sweep(self, instances: list[Instance]) -> Sweep:
        measured = torch.tensor([self.measure(i) for i in instances], dtype=torch.float64)
        bound = torch.tensor([self.limit(i) for i in instances], dtype=torch.float64)
        held = _holds(self.relation, measured, bound, self.slack)
        return Sweep(self.relation, measured, bound, held)

    def verify(self, count: int = 1000) -> tuple[Verdict, ...]:
        """Every derivation step, the sweep, and each dropped assumption: one verdict each."""
        verdicts = list(self.derivation.verify()) if self.derivation else []
        sweep = self.check(count)
        verdicts.append(Verdict(f"sweep: {self.title}", sweep.passed, sweep.summary()))
        for statement, broken in self.drop().items():
            detail = f"measured {broken.measured[0]:.4g} against {broken.bound[0]:.4g}"
            verdicts.append(Verdict(f"dropped: {statement}", not broken.passed, detail))
        return tuple(verdicts)

    def to_markdown(self) -> str:
        """The statement with its formulas filled in, then the assumptions, as MyST Markdown."""
        words = {"quantity": self.quantity, "relation": RELATIONS[self.relation]}
        words |= {str(symbol): latex(meaning) for symbol, meaning in self.where.items()}
        words |= {name: latex(formula) for name, formula in self.formulas.items()}
        words["bound"] = latex(self.bound)
        text = cleandoc(self.statement)
        for name, formula in words.items():
            text = text.replace(f"{{{name}}}", formula)
        needs = "\n".join(f"- {assumption.statement}" for assumption in self.assumptions)
        return f"{text}\n\nIt assumes:\n\n{needs}\n\nSource: {self.source}\n"

    def _repr_markdown_(self) -> str:
        label = f"thm-{self.name.replace('.', '-')}"
        return f":::{{prf:theorem}} {self.title}\n:label: {label}\n\n{self.to_markdown()}\n:::\n"


@dataclass(frozen=True)
class Refutation:
    """A claim as commonly stated, and the instance that contradicts it.

    claim: Markdown, fair to those who make it.
    bound: what the claim says measured must be in relation to, a sympy expression.
    instance: draws the counterexample (fixed ones ignore the generator).
    truth: Markdown, what holds instead.
    margin: by how much, relative to its number, the claim must fail to count as refuted.
    """

    name: str
    title: str
    claim: str
    quantity: str
    relation: str
    bound: sp.Expr
    instance: Draw
    measure: Measure
    values: Values
    truth: str
    source: str
    margin: float = 1e-6

    def __post_init__(self) -> None:
        _check_relation(self.relation)

    def measured_and_claimed(self, *, seed: int = 0) -> tuple[float, float]:
        """The measured quantity on the counterexample, and the number that the claim gives it."""
        instance = self.instance(_generator(seed))
        return self.measure(instance), evaluate(self.bound, self.values(instance))

    def verify(self) -> tuple[Verdict, ...]:
        """One verdict: it passes when the counterexample does contradict the claim."""
        measured, claimed = self.measured_and_claimed()
        pair = torch.tensor([measured, claimed], dtype=torch.float64)
        stands = bool(_holds(self.relation, pair[:1], pair[1:], self.margin))
        detail = f"measured {measured:.4g}; claimed {self.relation} {claimed:.4g}"
        return (Verdict(f"refuted: {self.title}", not stands, detail),)

    def _repr_markdown_(self) -> str:
        measured, claimed = self.measured_and_claimed()
        (verdict,) = self.verify()
        outcome = "The claim fails" if verdict.passed else "The claim is not contradicted"
        relation = RELATIONS[self.relation]
        return (
            f"**Claim.** {self.claim}\n\n"
            f"It would mean ${self.quantity} {relation} {latex(self.bound)}$, here "
            f"${relation} {scientific(claimed)}$. "
            f"Measured on the counterexample: ${scientific(measured)}$. {outcome}.\n\n"
            f"**Instead.** {self.truth}\n"
        )


def evaluate(expression: sp.Expr, values: Mapping[sp.Symbol, float]) -> float:
    """The number that `expression` takes at `values`; ValueError when a symbol has no value."""
    missing = expression.free_symbols - set(values)
    if missing:
        names = ", ".join(sorted(map(str, missing)))
        raise ValueError(f"values lacks {names}, which the bound {expression} needs")
    function = _compiled(expression, tuple(values))
    return float(function(*values.values()))


_COMPILED: dict[tuple[sp.Expr, tuple[sp.Symbol, ...]], Callable[..., float]] = {}


def _compiled(expression: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Callable[..., float]:
    # A sweep evaluates one expression a thousand times; lambdify once.
    key = (expression, symbols)
    if key not in _COMPILED:
        _COMPILED[key] = sp.lambdify(symbols, expression, "numpy")
    return _COMPILED[key]


Guarantee = Theorem | Refutation

_REGISTRY: dict[str, Guarantee] = {}


def register(*guarantees: Guarantee) -> None:
    """Enter guarantees, in the order of the book, in the list that `verify` runs."""
    for guarantee in guarantees:
        if guarantee.name in _REGISTRY:
            raise ValueError(f"name {guarantee.name!r} is taken by another guarantee")
        _REGISTRY[guarantee.name] = guarantee


def registered() -> dict[str, Guarantee]:
    """All guarantees that have been registered, by name, in the order of the book."""
    return dict(_REGISTRY)


@dataclass(frozen=True)
class Dropped:
    """What becomes of each conclusion of a chapter when one assumption is dropped.

    rows: theorem, the assumption that fails, and the sweep over one such instance.
    """

    rows: tuple[tuple[Theorem, str, Sweep], ...]

    def _repr_markdown_(self) -> str:
        lines = ["| theorem | dropped | measured | needed | holds? |", "|:--|:--|--:|--:|:--|"]
        before = ""
        for theorem, statement, sweep in self.rows:
            title = "" if theorem.title == before else theorem.title
            before = theorem.title
            measured, bound = float(sweep.measured[0]), float(sweep.bound[0])
            needed = f"${RELATIONS[sweep.relation]} {scientific(bound)}$"
            outcome = "✓ holds" if sweep.passed else "✗ fails"
            lines.append(
                f"| {title} | {cell(statement)} | ${scientific(measured)}$ | {needed} | {outcome} |"
            )
        return "\n".join(lines) + "\n"


def dropped(chapter: str) -> Dropped:
    """Run, for every theorem of a chapter, the instances on which one assumption fails.

    Raises ValueError when no theorem of that chapter is registered.
    """
    theorems = [
        guarantee
        for name, guarantee in _REGISTRY.items()
        if name.startswith(f"{chapter}.") and isinstance(guarantee, Theorem)
    ]
    if not theorems:
        raise ValueError(f"chapter is {chapter!r}; it has no registered theorem")
    return Dropped(
        tuple(
            (theorem, statement, sweep)
            for theorem in theorems
            for statement, sweep in theorem.drop().items()
        )
    )
