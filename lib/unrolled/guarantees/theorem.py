"""Theorems and refutations as objects that can be run.

A `Theorem` holds its assumptions, its bound as one sympy expression, its derivation, a way to draw
random instances that satisfy the assumptions and a way to measure the left-hand side. `check`
sweeps instances and requires that measured and bound stand in the stated relation; `drop` runs an
instance on which one assumption fails and requires that the conclusion fails with it, so that the
check is known to be able to fail. A `Refutation` holds a claim as commonly stated and the instance
that contradicts it. The package of each chapter lists its own in `GUARANTEES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from inspect import cleandoc
from typing import Any

import sympy as sp
import torch
from sympy.printing.numpy import NumPyPrinter

from unrolled.checks import check_kind, check_positive
from unrolled.guarantees.derivation import Derivation, NoDerivation
from unrolled.guarantees.latex import cell, latex, scientific
from unrolled.guarantees.numbering import number
from unrolled.guarantees.relation import AT_MOST, EQUAL, LESS, Relation
from unrolled.verdict import Verdict

__all__ = [
    "Assumption",
    "Definition",
    "Dropped",
    "Guarantee",
    "Refutation",
    "Sweep",
    "Theorem",
    "dropped",
    "evaluate",
]

Instance = Any
Draw = Callable[[torch.Generator], Instance]
Nearby = Callable[[Instance, torch.Generator], Instance]
Values = Callable[[Instance], Mapping[sp.Symbol, float]]
Measure = Callable[[Instance], Mapping[sp.Symbol, Any]]

# LaTeX doubles angle brackets nowhere, and braces everywhere.
PLACEHOLDER = re.compile(r"<<(.*?)>>", re.DOTALL)
WORDS = ("quantity", "relation", "bound")  # those that every statement may show

LARGEST_ALLOWANCE = 1e-3  # for rounding, relative
COVERED = 100  # instances whose values are held against the domains of the steps
DEFINED = 20  # instances on which definitions are held against the code
CLIMBERS = 5  # the worst instances of a sweep, from which it climbs


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class Assumption:
    """One hypothesis in words, and, if dropping it breaks the conclusion, how.

    Attributes:
        statement: Markdown, with the placeholders of the theorem's own.
        violate: draws an instance that satisfies every other assumption but this one, and on which
            the conclusion fails. None for an assumption that only fixes what is meant.
        holds: whether an instance satisfies it. None where that cannot be computed.
    """

    statement: str
    violate: Draw | None = None
    holds: Callable[[Instance], bool] | None = None


@dataclass(frozen=True)
class Definition:
    """A formula of a statement that is no bound, and the code that it must agree with.

    Attributes:
        meaning: what is printed: an expression of numbers or arrays, or a relation of them.
        values: on an instance, a number or matrix for each of its symbols.
        code: what the library has for it there; that a relation holds, by default. An equation
            needs none: its right-hand side is compared with.
    """

    meaning: sp.Basic
    values: Callable[[Instance], Mapping[sp.Basic, Any]]
    code: Callable[[Instance], Any] = lambda _: True

    def agrees(self, instance: Instance) -> bool:
        """Whether the formula's value on the instance is the code's, but for rounding."""
        known = self.values(instance)
        if isinstance(self.meaning, sp.Eq):
            sides = (_value(self.meaning.lhs, known), _value(self.meaning.rhs, known))
        else:
            sides = (_value(self.meaning, known), self.code(instance))
        told, computed = (torch.as_tensor(side, dtype=torch.complex128) for side in sides)
        if self.meaning.is_Relational and computed.dim() == 0:
            computed = computed.expand(told.shape)  # all entries are to be one number
        if told.shape != computed.shape or told.numel() == 0:
            return False
        size = computed.abs()
        near = (told - computed).abs() <= 1e-6 * size + 1e-9 * size.max()
        return bool((near & told.isfinite() & computed.isfinite()).all())


@dataclass(frozen=True)
class Sweep:
    """What a sweep saw: `measured` and `bound` for each instance, and whether each one held.

    `ratios` are measured / bound; for "<=" a largest ratio near 1 says that the bound is tight. The
    last `climbed` instances were not drawn but reached by a climb from the worst of the others.
    """

    relation: Relation
    measured: torch.Tensor
    bound: torch.Tensor
    held: torch.Tensor
    climbed: int = 0

    @property
    def passed(self) -> bool:
        return bool(self.held.all())

    @property
    def broken(self) -> bool:
        """Whether some instance fails by two finite numbers; others decide nothing."""
        return bool((~self.held & self.measured.isfinite() & self.bound.isfinite()).any())

    @property
    def ratios(self) -> torch.Tensor:
        return torch.where(self.bound == self.measured, 1.0, self.measured / self.bound)

    @property
    def nearness(self) -> torch.Tensor:
        """How near each instance is to a violation; a violation is nearest."""
        ratios = self.ratios.nan_to_num(0.0)
        if self.relation is EQUAL:
            nearness = (ratios - 1).abs()
        else:
            nearness = ratios if self.relation is AT_MOST else -ratios
        return torch.where(self.held, nearness, torch.inf)

    def where(self, chosen: torch.Tensor, other: Sweep) -> Sweep:
        """The other sweep where `chosen`, this one elsewhere."""
        return Sweep(
            self.relation,
            torch.where(chosen, other.measured, self.measured),
            torch.where(chosen, other.bound, self.bound),
            torch.where(chosen, other.held, self.held),
        )

    def then(self, climbed: Sweep) -> Sweep:
        """Both sweeps as one, which says of the second that it was climbed to."""
        return Sweep(
            self.relation,
            torch.cat((self.measured, climbed.measured)),
            torch.cat((self.bound, climbed.bound)),
            torch.cat((self.held, climbed.held)),
            climbed=len(climbed.held),
        )

    @property
    def worst(self) -> float:
        """The ratio nearest to a violation, the largest for "<=", the smallest for ">="."""
        if self.relation is EQUAL:
            return float(self.ratios[(self.ratios - 1).abs().argmax()])
        return float(self.ratios.max() if self.relation is AT_MOST else self.ratios.min())

    @property
    def discrepancy(self) -> float:
        """The largest |measured − bound|."""
        return float((self.measured - self.bound).abs().max())

    def summary(self) -> str:
        """One sentence: how many instances, how many held, how tight the bound is."""
        drawn = self.held[: len(self.held) - self.climbed]
        line = f"{int(drawn.sum()):,} of {len(drawn):,} random instances hold"
        if self.climbed:
            reached = self.held[len(drawn) :]
            line += f", and {int(reached.sum())} of {self.climbed} climbed to from the worst"
        if self.relation is EQUAL:
            return f"{line}; largest difference {self.discrepancy:.1e}"
        extreme = "largest" if self.relation is AT_MOST else "smallest"
        median = float(self.ratios.median())
        return f"{line}; {extreme} measured/bound {self.worst:.4g}, median {median:.3g}"

    def _repr_markdown_(self) -> str:
        return f"{'✓' if self.passed else '✗'} {self.summary()}."


@dataclass(frozen=True)
class Theorem:
    """A statement that is proved, derived by machine and attacked by random instances.

    Attributes:
        name: unique, `chapter.topic`.
        statement: Markdown, in which `<<quantity>>`, `<<relation>>`, `<<bound>>`, `<<name>>` for
            each symbol in `where` and for each entry of `formulas` and `definitions` are replaced
            by LaTeX; so they are in the assumptions.
        quantity: sympy expression of what is measured.
        measure: runs an instance: a number or array for each symbol of `quantity`.
        bound: sympy expression, short enough to print; `where` defines its abbreviations.
        formulas: expressions that the derivation or the instances are made of, too.
        definitions: formulas that are checked against the code instead.
        values: a number for each free symbol of `expression`, the bound written out.
        relation: how measured stands to bound: `AT_MOST`, `AT_LEAST` or `EQUAL`.
        derivation: its steps, or why it has none of its own.
        attained: draws an instance on which measured equals bound; None where none is known.
        nearby: draws an instance near another that satisfies the assumptions too; a sweep then ends
            with a climb from its worst instances.
        same: the name of a theorem that assumes the same; what it lists is not listed again.
        completes: the name of a theorem in whose box this one is shown; empty for a box of its own.
        slack: allowance for rounding relative to the bound, absolute where the bound is 0.

    Raises:
        ValueError: the statement or an assumption has a placeholder that nothing fills, `formulas`
            has an entry that no placeholder shows or whose name is taken, or the relation is
            strict.
    """

    name: str
    title: str
    statement: str
    assumptions: tuple[Assumption, ...]
    quantity: sp.Expr
    relation: Relation
    bound: sp.Expr
    draw: Draw
    measure: Measure
    values: Values
    source: str
    derivation: Derivation | NoDerivation
    attained: Draw | None = None
    nearby: Nearby | None = None
    same: str = ""
    completes: str = ""
    where: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    formulas: Mapping[str, sp.Basic] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    slack: float = 1e-9

    def __post_init__(self) -> None:
        _check_relation(self.relation)
        _check_allowance("slack", self.slack)
        check_kind("derivation", self.derivation, (Derivation, NoDerivation))
        names = [*WORDS, *map(str, self.where), *self.formulas, *self.definitions]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"formulas of {self.name} has {_listed(twice)}, which is taken")
        texts = [self.statement, *(assumption.statement for assumption in self.assumptions)]
        asked = {name for text in texts for name in PLACEHOLDER.findall(text)}
        if unknown := asked - self._words().keys():
            raise ValueError(
                f"statement of {self.name} asks for {_listed(unknown)}; "
                f"there are {_listed(self._words())}"
            )
        if idle := {*self.formulas, *self.definitions} - asked:
            raise ValueError(f"formulas of {self.name} has {_listed(idle)}, which it never shows")

    def measured(self, instance: Instance) -> float:
        """The quantity's value on one instance."""
        return _number(self.quantity, self.measure(instance))

    @cached_property
    def expression(self) -> sp.Expr:
        """The bound with its abbreviations written out."""
        return self.bound.subs(self.where)

    def limit(self, instance: Instance) -> float:
        """The bound's value on one instance."""
        return evaluate(self.expression, self.values(instance))

    def check(self, count: int = 300, *, seed: int = 0) -> Sweep:
        """Sweep `count` random instances that satisfy the assumptions, and climb from the worst.

        A reader waits for it; `verify` sweeps more.
        """
        if count < 1:
            raise ValueError(f"count is {count}; a sweep needs at least one instance")
        generator = _generator(seed)
        instances = [self.draw(generator) for _ in range(count)]
        sweep = self._sweep(instances)
        if self.nearby is None:
            return sweep
        worst = sweep.nearness.topk(min(CLIMBERS, count)).indices.tolist()
        return sweep.then(self._climb([instances[i] for i in worst], count, generator))

    def _climb(self, instances: list[Instance], count: int, generator: torch.Generator) -> Sweep:
        """Move each instance about, and stay where it is nearer to a violation."""
        assert self.nearby is not None
        best = self._sweep(instances)
        for _ in range(count // (4 * len(instances))):
            moved = [self.nearby(instance, generator) for instance in instances]
            sweep = self._sweep(moved)
            better = sweep.nearness > best.nearness
            instances = [
                new if gain else old
                for old, new, gain in zip(instances, moved, better.tolist(), strict=True)
            ]
            best = best.where(better, sweep)
        return best

    def drop(self, *, seed: int = 0) -> dict[str, Sweep]:
        """For each assumption that can be dropped: its statement, and a sweep that must fail."""
        return {
            self.stated(assumption): self._sweep([instance])
            for assumption, instance in self._violations(seed)
        }

    def _violations(self, seed: int) -> list[tuple[Assumption, Instance]]:
        """Each assumption that can be dropped, with an instance on which it fails."""
        return [
            (assumption, assumption.violate(_generator(seed)))
            for assumption in self.assumptions
            if assumption.violate is not None
        ]

    def fails(self, instance: Instance) -> list[str]:
        """The assumptions that the instance does not satisfy, of those that can be computed."""
        return [
            self.stated(assumption)
            for assumption in self.assumptions
            if assumption.holds is not None and not assumption.holds(instance)
        ]

    def attain(self, *, seed: int = 0) -> Sweep | None:
        """A sweep over one instance on which the two sides are equal; None if none is known."""
        if self.attained is None:
            return None
        measured, bound = self._measured_and_bound([self.attained(_generator(seed))])
        return Sweep(EQUAL, measured, bound, EQUAL.holds(measured, bound, self.slack))

    def _sweep(self, instances: list[Instance]) -> Sweep:
        measured, bound = self._measured_and_bound(instances)
        held = self.relation.holds(measured, bound, self.slack)
        return Sweep(self.relation, measured, bound, held)

    def _measured_and_bound(self, instances: list[Instance]) -> tuple[torch.Tensor, torch.Tensor]:
        measured = torch.tensor([self.measured(i) for i in instances], dtype=torch.float64)
        bound = torch.tensor([self.limit(i) for i in instances], dtype=torch.float64)
        return measured, bound

    def verify(self, count: int = 1000) -> tuple[Verdict, ...]:
        """One verdict each: every step of the derivation, the sweep, the attained instance, and
        each dropped assumption.
        """
        verdicts = list(self.derivation.verify())
        verdicts += self._covered()
        verdicts += self._defined()
        verdicts += self._satisfied()
        sweep = self.check(count)
        verdicts.append(Verdict(f"sweep: {self.title}", sweep.passed, sweep.summary()))
        if (met := self.attain()) is not None:
            detail = f"measured {met.measured[0]:.6g}, bound {met.bound[0]:.6g}"
            verdicts.append(Verdict(f"attained: {self.title}", met.passed, detail))
        for assumption, instance in self._violations(0):
            broken = self._sweep([instance])
            detail = f"measured {broken.measured[0]:.4g} against {broken.bound[0]:.4g}"
            # Alone as far as is known: an assumption that cannot be computed fails unseen.
            stated = self.stated(assumption)
            seen = [stated] if assumption.holds is not None else []
            alone = self.fails(instance) == seen
            detail += "" if alone else "; another assumption fails too, or none"
            verdicts.append(Verdict(f"dropped: {stated}", broken.broken and alone, detail))
        return tuple(verdicts)

    def _covered(self) -> list[Verdict]:
        """Whether the steps speak of all values that instances have."""
        if not self.derivation.steps:
            return []
        instances = self._some(COVERED)
        drawn = [dict(self.values(instance)) for instance in instances]
        for values in drawn:
            for symbol, meaning in self.where.items():
                values[symbol] = evaluate(meaning.subs(self.where), values)
        # A corollary holds under a condition that the statement states.
        conditions = [formula for formula in self.formulas.values() if isinstance(formula, sp.Rel)]
        missed = [
            step.claim
            for step in self.derivation.steps
            if not all(step.allows(values, conditions=conditions) for values in drawn)
        ]
        missed += [
            step.claim
            for step in self.derivation.steps
            if not any(step.allows(values) for values in drawn)
        ]
        detail = f"the values of {len(drawn)} instances lie in the domains of all steps"
        if missed:
            detail = f"some instance, or every one, lies outside the domain of: {missed[0]}"
        return [Verdict(f"domains: {self.title}", not missed, detail)]

    def _some(self, count: int) -> list[Instance]:
        """Instances as they are drawn, as they attain the bound, and as a climb may reach them."""
        generator = _generator(1)
        instances = [self.draw(generator) for _ in range(count)]
        if self.attained is not None:
            instances.append(self.attained(generator))
        if self.nearby is not None:
            instances += [self.nearby(instance, generator) for instance in instances[: count // 5]]
        return instances

    def _satisfied(self) -> list[Verdict]:
        """Whether instances satisfy the assumptions, of those that can be computed."""
        if all(assumption.holds is None for assumption in self.assumptions):
            return []
        instances = self._some(DEFINED)
        failing = [statement for instance in instances for statement in self.fails(instance)]
        detail = f"{len(instances)} instances satisfy them"
        if failing:
            detail = f"some instance does not satisfy: {failing[0]}"
        return [Verdict(f"assumptions: {self.title}", not failing, detail)]

    def _defined(self) -> list[Verdict]:
        """Whether the statement's definitions agree with the code."""
        generator = _generator(2)
        instances = [self.draw(generator) for _ in range(DEFINED)]
        return [
            Verdict(
                f"defined: {latex(definition.meaning)}",
                all(definition.agrees(instance) for instance in instances),
                f"against the code, on {DEFINED} instances",
            )
            for definition in self.definitions.values()
        ]

    def _words(self) -> dict[str, str]:
        """What stands for each placeholder."""
        words = {"quantity": latex(self.quantity), "relation": self.relation.latex}
        words |= {str(symbol): latex(meaning) for symbol, meaning in self.where.items()}
        words |= {name: latex(formula) for name, formula in self.formulas.items()}
        words |= {name: latex(found.meaning) for name, found in self.definitions.items()}
        return words | {"bound": latex(self.bound)}

    def _filled(self, text: str) -> str:
        words = self._words()
        return PLACEHOLDER.sub(lambda found: words[found[1]], cleandoc(text))

    def stated(self, assumption: Assumption) -> str:
        """One of the theorem's assumptions with its formulas filled in, as Markdown."""
        return self._filled(assumption.statement)

    def to_markdown(self) -> str:
        """The statement with its formulas filled in, then the assumptions, as MyST Markdown."""
        parts = [self._filled(self.statement)]
        if not self.same:
            listed = (f"- {self.stated(assumption)}" for assumption in self.assumptions)
            parts += ["It assumes:", "\n".join(listed)]
        return "\n\n".join((*parts, f"Source: {self.source}\n"))

    def _repr_markdown_(self) -> str:
        options = f":label: thm-{self.name.replace('.', '-')}\n"
        if place := number(self.name):
            options += f":enumerator: {place}\n"
        return f":::{{prf:theorem}} {self.title}\n{options}\n{self.to_markdown()}\n:::\n"


@dataclass(frozen=True)
class Refutation:
    """A claim as commonly stated, and the instance that contradicts it.

    Attributes:
        claim: Markdown, fair to those who make it.
        quantity: sympy expression of what is measured.
        measure: runs an instance: a number or array for each symbol of `quantity`.
        bound: what the claim says measured must be in relation to, a sympy expression.
        instance: draws the counterexample (fixed ones ignore the generator).
        truth: Markdown, what holds instead.
        margin: by how much, relative to its number, the claim must fail to count as refuted.
    """

    name: str
    title: str
    claim: str
    quantity: sp.Expr
    relation: Relation
    bound: sp.Expr
    instance: Draw
    measure: Measure
    values: Values
    truth: str
    source: str
    margin: float = 1e-6

    def __post_init__(self) -> None:
        _check_relation(self.relation)
        _check_allowance("margin", self.margin)

    def measured_and_claimed(self, *, seed: int = 0) -> tuple[float, float]:
        """The measured quantity on the counterexample, and the number that the claim gives it."""
        instance = self.instance(_generator(seed))
        measured = _number(self.quantity, self.measure(instance))
        return measured, evaluate(self.bound, self.values(instance))

    def verify(self) -> tuple[Verdict, ...]:
        """One verdict: it passes when the counterexample does contradict the claim."""
        measured, claimed = self.measured_and_claimed()
        pair = torch.tensor([measured, claimed], dtype=torch.float64)
        # Numbers that are not finite contradict nothing.
        finite = bool(pair.isfinite().all())
        stands = not finite or bool(self.relation.holds(pair[:1], pair[1:], self.margin))
        detail = f"measured {measured:.4g}; claimed {self.relation.value} {claimed:.4g}"
        return (Verdict(f"refuted: {self.title}", not stands, detail),)

    def _repr_markdown_(self) -> str:
        measured, claimed = self.measured_and_claimed()
        (verdict,) = self.verify()
        outcome = "The claim fails" if verdict.passed else "The claim is not contradicted"
        relation = self.relation.latex
        return (
            f"(claim-{self.name.replace('.', '-')})=\n**Claim.** {self.claim}\n\n"
            f"It would mean ${latex(self.quantity)} {relation} {latex(self.bound)}$, here "
            f"${relation} {scientific(claimed)}$. "
            f"Measured on the counterexample: ${scientific(measured)}$. {outcome}.\n\n"
            f"**Instead.** {self.truth}\n"
        )


def evaluate(expression: sp.Expr, values: Mapping[sp.Symbol, float]) -> float:
    """The number that `expression` takes at `values`; ValueError when a symbol has no value."""
    return float(_bound(expression, tuple(values))(*values.values()))


@cache
def _bound(expression: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Callable[..., float]:
    if missing := expression.free_symbols - set(symbols):
        names = ", ".join(sorted(map(str, missing)))
        raise ValueError(f"values lacks {names}, which the bound {expression} needs")
    return _compiled(expression, symbols)


def _number(expression: sp.Expr, known: Mapping[sp.Basic, Any]) -> float:
    # One row, or a matrix with one entry, is a number too.
    return torch.as_tensor(_value(expression, known), dtype=torch.float64).item()


def _value(expression: sp.Basic, known: Mapping[sp.Basic, Any]) -> Any:
    """What an expression is, for numbers, arrays or tensors in place of its symbols."""
    arrays = {
        symbol: value.detach().numpy() if isinstance(value, torch.Tensor) else value
        for symbol, value in known.items()
    }
    return _compiled(expression, tuple(arrays))(*arrays.values())


@cache
def _compiled(expression: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Callable[..., float]:
    # A sweep evaluates one expression a thousand times; lambdify once. What lambdify renames, it
    # takes for a number and reorders, so that matrices get names that it keeps.
    names = [
        sp.MatrixSymbol(f"matrix_{place}", *symbol.shape)
        if isinstance(symbol, sp.MatrixSymbol)
        else symbol
        for place, symbol in enumerate(symbols)
    ]
    named = expression.xreplace(dict(zip(symbols, names, strict=True)))
    return sp.lambdify(names, named, "numpy", printer=_Printer)


class _Printer(NumPyPrinter):
    # What is printed as transposed is the conjugate transpose of complex matrices.

    def _print_Transpose(self, transpose: sp.Transpose) -> str:
        return f"{self._module_format('numpy.conj')}({self._print(transpose.arg)}).T"


def _check_relation(relation: Relation) -> None:
    check_kind("relation", relation, Relation)
    if relation is LESS:
        raise ValueError(
            "relation is LESS, which rounding cannot tell from AT_MOST; allowed are "
            "EQUAL, AT_MOST and AT_LEAST"
        )


def _check_allowance(name: str, value: float) -> None:
    check_positive(name, value, zero=True)
    if value > LARGEST_ALLOWANCE:
        raise ValueError(f"{name} is {value}; at most {LARGEST_ALLOWANCE} is allowed")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"<<{name}>>" for name in sorted(names))


Guarantee = Theorem | Refutation


@dataclass(frozen=True)
class Dropped:
    """What becomes of each conclusion of a chapter when one assumption is dropped.

    Attributes:
        rows: theorem, the assumption that fails, and the sweep over one such instance.
    """

    rows: tuple[tuple[Theorem, str, Sweep], ...]

    def _repr_markdown_(self) -> str:
        lines = ["| theorem | dropped | measured | needed | holds? |", "|:--|:--|--:|--:|:--|"]
        before = ""
        for theorem, statement, sweep in self.rows:
            title = "" if theorem.title == before else theorem.title
            before = theorem.title
            # Braces and a no-break space: a number or an outcome stays on one line.
            measured = f"${{{scientific(float(sweep.measured[0]))}}}$"
            needed = f"${{{sweep.relation.latex} {scientific(float(sweep.bound[0]))}}}$"
            outcome = "✗\N{NO-BREAK SPACE}fails" if sweep.broken else "✓\N{NO-BREAK SPACE}holds"
            lines.append(f"| {title} | {cell(statement)} | {measured} | {needed} | {outcome} |")
        return "\n".join(lines) + "\n"


def dropped(guarantees: Iterable[Guarantee]) -> Dropped:
    """Run, for every theorem among them, the instances on which one assumption fails.

    Raises:
        ValueError: there is no theorem among them.
    """
    theorems = [guarantee for guarantee in guarantees if isinstance(guarantee, Theorem)]
    if not theorems:
        raise ValueError("guarantees holds no theorem; at least one is needed")
    return Dropped(
        tuple(
            (theorem, statement, sweep)
            for theorem in theorems
            for statement, sweep in theorem.drop().items()
        )
    )
