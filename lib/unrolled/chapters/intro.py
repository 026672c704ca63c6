"""What the introduction shows: one theorem beside a measurement, and the map of all theorems."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from IPython.display import Markdown

from unrolled.chapters import BOOK, Chapter
from unrolled.guarantees import Assumption, Theorem, evaluate
from unrolled.guarantees.convergence import GAUSSIAN, closed_form_net
from unrolled.guarantees.convergence.symbols import K, c, noise
from unrolled.guarantees.latex import cell, scientific
from unrolled.sensing import gaussian
from unrolled.teaching.figures import MARKERS, Figure, figure

DEEPEST = 10
NOISES = (0.0, 0.01)
RATIO = 0.5


def curve_and_dots() -> Figure:
    """Draw a proved formula as curves, and the errors of real networks as dots."""
    generator = torch.Generator().manual_seed(0)
    n, signals = 500, 40
    m = round(n / RATIO)
    operator = gaussian(m, n, generator=generator, dtype=torch.float64)
    x = torch.randn(signals, n, generator=generator, dtype=torch.float64)
    w = torch.randn(signals, m, generator=generator, dtype=torch.float64)
    depths = range(1, DEEPEST + 1)
    with figure(
        alt=(
            "Mean squared error against the number of layers on a logarithmic scale, without and "
            "with noise. The dots of the measured networks lie on the curves of the theorem, which "
            "fall along a straight line without noise and level off with it."
        ),
        caption=(
            "The curves are a theorem about unrolled gradient descent. The dots are networks, run "
            f"on a random matrix with {m} measurements of {n} unknowns."
        ),
    ) as picture:
        axes = picture.subplots()
        for i, variance in enumerate(NOISES):
            proved = [
                evaluate(GAUSSIAN.expression, {c: RATIO, noise: variance, K: k}) for k in depths
            ]
            y = operator.forward(x) + variance**0.5 * w
            measured = []
            for k in depths:
                with torch.no_grad():
                    estimate = closed_form_net(operator.dense(), variance, k)(y)
                measured.append(float((estimate - x).square().mean()))
            name = f"σ² = {variance:g}"
            axes.semilogy(depths, proved, color=f"C{i}", label=f"theorem, {name}")
            axes.plot(
                depths, measured, MARKERS[i], color=f"C{i}", linestyle="", label=f"network, {name}"
            )
        axes.set(xlabel="layers K", ylabel="mean squared error")
        axes.legend()
    return picture


def theorem_map(book: Sequence[Chapter] = BOOK) -> Markdown:
    """For each chapter a table of its theorems, what each assumes, and how many steps derive it.

    Bold are the assumptions for which the library holds an instance that breaks without them.
    """
    parts = []
    for chapter in book:
        rows = [
            (_link(theorem), "; ".join(map(_assumption, theorem.assumptions)), _steps(theorem))
            for theorem in chapter.theorems
        ]
        heading = f":::{{rubric}} {chapter.title}\n:::"
        parts += [heading, _table(("theorem", "it assumes", "steps"), rows)]
    return Markdown("\n\n".join(parts))


def refuted_claims(book: Sequence[Chapter] = BOOK) -> Markdown:
    """A table of the claims that the chapters refute, with the numbers of the counterexamples."""
    rows = []
    for refutation in (refutation for chapter in book for refutation in chapter.refutations):
        measured, claimed = refutation.measured_and_claimed()
        meant = f"{refutation.relation.words} ${scientific(claimed, 3)}$"
        rows.append((refutation.title, meant, f"${scientific(measured, 3)}$"))
    return Markdown(_table(("claim", "it would mean", "measured"), rows))


def _link(theorem: Theorem) -> str:
    name = (theorem.completes or theorem.name).replace(".", "-")  # of its box on its page
    return f"{{prf:ref}}`{theorem.title} <thm-{name}>`"


def _assumption(assumption: Assumption) -> str:
    return f"**{assumption.statement}**" if assumption.violate else assumption.statement


def _steps(theorem: Theorem) -> str:
    # A theorem without steps of its own says beside its sweep which one it follows from.
    return str(len(theorem.derivation.steps) or "none")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)
