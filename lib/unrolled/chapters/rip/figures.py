"""What the RIP chapter shows in tables and boxes: examples, plain forms, prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp
from IPython.display import Markdown

from unrolled.chapters.rip.problems import (
    BASES,
    CERTIFIED,
    PLAIN,
    SPARSITIES,
    TRAINED,
    by_hand,
    matrices,
    problems,
    run,
)
from unrolled.guarantees import evaluate
from unrolled.guarantees.latex import latex
from unrolled.guarantees.rip import adaptive_thresholds as adaptive
from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.guarantees.rip import isometry_thresholds as isometric
from unrolled.guarantees.rip.certified import fixed_sparsity
from unrolled.guarantees.rip.matrices import spikes_and_walsh
from unrolled.guarantees.rip.symbols import s
from unrolled.isometry.coherence import coherence
from unrolled.signals import nmse


def hand_table(cosine: str, *signal: int, share: str = "1", depth: int = 3) -> Markdown:
    """The layers of `by_hand` as a table; fractions are given as text, such as "1/3".

    The certificate is for whole thresholds and stands only beside those.
    """
    titles = ["layer", "input $u$", r"threshold $\theta$", "output $x$", "error", "certificate"]
    titles = titles if sp.Rational(share) == 1 else titles[:-1]
    lines = [f"| {' | '.join(titles)} |", "|--:|" + ":--|" * (len(titles) - 1)]
    layers = by_hand(sp.Rational(cosine), signal, share=sp.Rational(share), depth=depth)
    for k, layer in enumerate(layers, start=1):
        values = " | ".join(f"${_exact(value)}$" for value in layer[: len(titles) - 1])
        lines.append(f"| {k} | {values} |")
    return Markdown("\n".join(lines) + "\n")


def _exact(value: sp.Expr | sp.MatrixBase) -> str:
    """A number or a vector as LaTeX that fits a line."""
    if isinstance(value, sp.MatrixBase):
        return f"({', '.join(map(_exact, value))})"
    return latex(value).replace(r"\frac", r"\tfrac")


def _box(title: str, text: str) -> Markdown:
    return Markdown(f":::{{admonition}} {title}, in plain form\n:class: tip\n{text}\n:::\n")


def _plain(expression: sp.Expr, nothing: Mapping[sp.Symbol, int]) -> str:
    """The expression without noise and tail, as LaTeX."""
    return latex(expression.subs(nothing))


def plain_fixed() -> Markdown:
    """The theorem on thresholds from coherence for W = A, without noise and tail."""
    return _box(
        "Thresholds fixed in advance",
        rf"""
Let $A$ have unit columns with $|a_i^\top a_j|\le\mu$ for all $i\ne j$. Let $y=Ax^\star$, where
$x^\star$ has at most $s$ nonzero entries and $\|x^\star\|_1\le E_0$. Take $W=A$ and the thresholds

$$
\theta_k={_plain(fixed.threshold, PLAIN)},\qquad E_{{k+1}}={_plain(fixed.step, PLAIN)},
$$

$$
\rho={latex(fixed.rate)}.
$$

Then no layer has a false positive, and after $K$ layers

$$
\|x^K-x^\star\|_1\le {_plain(fixed.certificate, PLAIN)}.
$$
""",
    )


def plain_isometry() -> Markdown:
    """The theorem on thresholds from isometry constants, without noise and tail."""
    nothing = dict.fromkeys(
        (isometric.omega, isometric.epsilon, isometric.tail_norm, isometric.tail_sum), 0
    )
    return _box(
        "Thresholds from isometry constants",
        rf"""
Let $y=Ax^\star$, where $x^\star$ has at most $s$ nonzero entries and $\|x^\star\|_2\le E_0$. Take
$W=A$ and the thresholds

$$
\theta_k={_plain(isometric.threshold, nothing)},\qquad E_{{k+1}}={_plain(isometric.step, nothing)},
$$

$$
\rho={latex(isometric.rate)}.
$$

Then no layer has a false positive, and after $K$ layers

$$
\|x^K-x^\star\|_2\le {_plain(isometric.certificate, nothing)}.
$$
""",
    )


def plain_adaptive() -> Markdown:
    """The theorem on thresholds computed from the data, without noise and tail."""
    nothing = dict.fromkeys((adaptive.noise_norm, adaptive.tail_norm, adaptive.tail_sum), 0)
    return _box(
        "Thresholds computed from the data",
        rf"""
Let $y=Ax^\star$, where $x^\star$ has at most $s$ nonzero entries. In each layer take for $\theta_k$
the $({latex(adaptive.kept)})$-th largest entry of the input, in absolute value. Let $\delta$ be the
isometry constant of order ${latex(adaptive.order)}$. If

$$
\rho={latex(adaptive.rate)}
$$

is below one, then for a signal of any size, after $K$ layers

$$
\|x^K-x^\star\|_2\le {_plain(adaptive.three_terms, nothing)}.
$$
""",
    )


def rates(most: int = 5) -> Markdown:
    """The rates of the theorems on coherence and on isometry constants on [I, H], s by s."""
    mu = coherence(matrices()[BASES])
    lines = [
        r"| entries $s$ | rate $(2s-1)\mu$ | constant $\delta_s$ | constant $\delta_{s+1}$ "
        r"| rate $\delta_s+\sqrt s\,\delta_{s+1}$ |",
        "|--:|--:|--:|--:|--:|",
    ]
    for sparsity in range(1, most + 1):
        known = {
            s: sparsity,
            fixed.mu: mu,
            isometric.delta_s: spikes_and_walsh(sparsity),
            isometric.delta_next: spikes_and_walsh(sparsity + 1),
        }
        numbers = (
            evaluate(each, known)
            for each in (fixed.rate, isometric.delta_s, isometric.delta_next, isometric.rate)
        )
        lines.append(f"| {sparsity} | " + " | ".join(f"{each:.3f}" for each in numbers) + " |")
    return Markdown("\n".join(lines) + "\n")


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
