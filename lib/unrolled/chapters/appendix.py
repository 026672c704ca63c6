"""The appendix: tables of all theorems with what they assume, and of all refuted claims."""

from __future__ import annotations

from collections.abc import Sequence

from IPython.display import Markdown

from unrolled.chapters import BOOK, Chapter
from unrolled.guarantees import Guarantee, Refutation, Theorem
from unrolled.guarantees.latex import cell, scientific
from unrolled.guarantees.numbering import number

DIGITS = 3
PLAIN = (1e-4, 1e7)  # sizes of the numbers that are written without a power of ten


def theorems(book: Sequence[Chapter] = BOOK) -> Markdown:
    """For each chapter a table of its theorems, what each assumes, and how many steps derive it.

    Bold are the assumptions for which the library holds an instance that breaks without them.
    """
    parts = []
    for chapter in book:
        rows = [
            (link(theorem), _assumptions(theorem), _steps(theorem)) for theorem in chapter.theorems
        ]
        heading = f":::{{rubric}} {chapter.title}\n:::"
        parts += [heading, _table(("theorem", "it assumes", "steps"), rows)]
    return Markdown("\n\n".join(parts))


def claims(book: Sequence[Chapter] = BOOK) -> Markdown:
    """A table of the claims that the chapters refute: what each predicts, and what was measured."""
    rows = [
        (link(claim), *predicted_and_measured(claim, words))
        for chapter in book
        for idea in chapter.ideas
        for claim, words in idea.claims
    ]
    return Markdown(_table(("claim", "predicted", "measured"), rows))


def predicted_and_measured(claim: Refutation, words: str) -> tuple[str, str]:
    """What is claimed of the counterexample, "squared error at most 0.002", and what it does."""
    measured, predicted = claim.measured_and_claimed()
    return f"{words} {claim.relation.words} {plain(predicted)}", plain(measured)


def plain(value: float) -> str:
    """A number for a sentence, in three digits: 129,000, 0.002, or in LaTeX a power of ten."""
    if value == 0 or PLAIN[0] <= abs(value) < PLAIN[1]:
        return f"{float(f'{value:.{DIGITS}g}'):,.12g}"
    return f"${scientific(value, DIGITS)}$"


def link(guarantee: Guarantee) -> str:
    """A link to a theorem, with its number, or to a claim."""
    if isinstance(guarantee, Refutation):
        return f"{{ref}}`{guarantee.title} <claim-{guarantee.name.replace('.', '-')}>`"
    box = guarantee.completes or guarantee.name
    title = f"{number(box)} {guarantee.title}".strip()
    return f"{{prf:ref}}`{title} <thm-{box.replace('.', '-')}>`"


def _assumptions(theorem: Theorem) -> str:
    stated = [(theorem.stated(assumption), assumption) for assumption in theorem.assumptions]
    return "; ".join(f"**{text}**" if assumption.violate else text for text, assumption in stated)


def _steps(theorem: Theorem) -> str:
    # A theorem without steps of its own says beside its sweep which one it follows from.
    return str(len(theorem.derivation.steps) or "none")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)
