"""What the RIP chapter shows in a table: what a certificate costs."""

from __future__ import annotations

from dataclasses import dataclass

from unrolled.chapters.rip.problems import CERTIFIED, SPARSITIES, TRAINED, problems, run
from unrolled.guarantees import evaluate
from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.guarantees.rip.certified import fixed_sparsity
from unrolled.guarantees.rip.symbols import s
from unrolled.signals import nmse


@dataclass(frozen=True)
class Price:
    """What a certificate costs: for each matrix and certified s, errors after the last layer.

    Attributes:
        rows: name, s, the certified rate, and the errors of certified and of trained thresholds in
            dB.
    """

    rows: tuple[tuple[str, int, float, float, float], ...]

    def _repr_markdown_(self) -> str:
        head = "| matrix and weights | entries | rate | certified, dB | trained, dB |"
        lines = [head, "|:--|--:|--:|--:|--:|"]
        before = ""
        for name, sparsity, rate, certified, trained in self.rows:
            shown, before = "" if name == before else name, name
            errors = f"{certified:.1f} | {trained:.1f}"
            lines.append(f"| {shown} | {sparsity} | {rate:.2f} | {errors} |")
        return "\n".join(lines) + "\n"


def price() -> Price:
    """For each matrix and each certified s: certified against trained thresholds, without noise."""
    rows = []
    for problem in problems().values():
        most = fixed_sparsity(problem.coherence, SPARSITIES[-1])
        for sparsity in range(1, most + 1):
            rate = evaluate(fixed.rate, {s: sparsity, fixed.mu: problem.coherence})
            found = run(problem, sparsity, 0.0)
            errors = (
                float(nmse(found.iterates[name][-1], found.signals.x))
                for name in (CERTIFIED, TRAINED)
            )
            rows.append((problem.name, sparsity, rate, *errors))
    return Price(tuple(rows))
