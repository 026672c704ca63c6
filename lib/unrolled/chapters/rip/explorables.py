"""The charts of the RIP chapter that move without a kernel."""

from __future__ import annotations

import itertools
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.chapters.rip.problems import (
    DEEPEST,
    ROUNDING,
    SCHEDULES,
    SIGNALS,
    SPARSITIES,
    problems,
    run,
    unit_columns,
)
from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.guarantees.rip.symbols import E0, K, k, s
from unrolled.isometry.constants import isometry_constant
from unrolled.sensing import equiangular_frame, gaussian, identity_hadamard, partial_dct
from unrolled.teaching import Explorable, Panel, Points, Sequence, Slider

matrix = sp.Symbol("matrix", integer=True, nonnegative=True)
schedule = sp.Symbol("schedule", integer=True, nonnegative=True)
noise = sp.Symbol("noise", nonnegative=True)

METHODS = {
    "exact": "exact",
    "coherence, above": "coherence",
    "semidefinite, above": "sdp",
    "greedy, below": "greedy",
}


@cache
def _small() -> dict[str, tuple[Tensor, int]]:
    """Matrices small enough for every method, and the largest order that is computed for each."""

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    double = torch.float64
    cosines = partial_dct(20, 26, generator=generator(), dtype=double).dense()
    random = gaussian(20, 26, generator=generator(), dtype=double, unit_columns=True)
    return {
        "frame 6×16": (equiangular_frame(dtype=double).dense(), 6),
        "[I, H] 16×32": (identity_hadamard(16, dtype=double).dense(), 5),
        "Gaussian 20×26": (random.dense(), 5),
        "cosines 20×26": (unit_columns(cosines).dense(), 5),
    }


@cache
def constants() -> Explorable:
    """δ_s against s: exact, bounded from above and from below, and what two theorems ask of it."""
    rows: dict[str, list] = {"matrix": [], "s": [], "delta": [], "method": []}
    for j, (A, largest) in enumerate(_small().values()):
        for order in range(1, largest + 1):
            for label, method in METHODS.items():
                value = float(isometry_constant(A, order, method=method))
                for name, entry in zip(rows, (j, order, value, label), strict=True):
                    rows[name].append(entry)
    return Explorable(
        name="rip.constants",
        title="How far from an isometry, and how do we know?",
        alt=(
            "The isometry constant against the number of columns. The exact constants grow with "
            "the order; the greedy lower bound lies on them or just below. On the random matrices "
            "the semidefinite bound is just above them and the one from coherence far above; on "
            "the frame all coincide, and on spikes and Walsh functions the semidefinite bound is "
            "no better than coherence."
        ),
        caption=(
            r"Circles: $\delta_s$, exact, between bounds from above and below. Lines: what the "
            "theorem on thresholds from isometry constants and basis pursuit (at even orders) ask "
            "of it. Where the circles are above a line, that theorem has nothing more to say."
        ),
        sliders=(
            Slider(
                symbol=matrix,
                label="matrix",
                values=range(len(_small())),
                start=2,
                show=tuple(_small()),
            ),
        ),
        panels=(
            Panel(
                layers=(
                    Sequence(
                        index=s,
                        range=(2, 6),
                        series={
                            "asked: 1/(1+√(j−1))": 1 / (1 + sp.sqrt(s - 1)),
                            "basis pursuit: √2−1": sp.sqrt(2) - 1,
                        },
                    ),
                    Points(rows=rows, x="s", y="delta", series="method", digits=4),
                ),
                x_label="order j, columns at a time",
                y_label="isometry constant δⱼ",
                y_domain=(0, 2),
                x_domain=(1, 6),
                height=280,
            ),
        ),
    )


@cache
def three_terms() -> Explorable:
    """The certificate of the theorem on fixed thresholds, its three terms stacked."""
    amount = {E0: 1, fixed.tau: fixed.tail, fixed.rho: fixed.rate, K: k}
    terms = {
        "decay": fixed.decay,
        "noise": fixed.noise_term,
        "tail": fixed.tail_term,
    }
    whole = fixed.certificate.subs(fixed.rho, fixed.rate).subs({**amount, k: DEEPEST})
    return Explorable(
        name="rip.three-terms",
        title="What the certificate is made of",
        alt=(
            "Three stacked areas against the layer: decay, which falls from 1 to almost "
            "nothing, and noise and tail, which rise to a floor within a few layers."
        ),
        caption=(
            r"The bound on $\|x^k-x^\star_S\|_1$ for a signal with $\|x^\star_S\|_1\le1$. Noise "
            r"and tail enter in every layer and are multiplied by $1/(1-\rho)$ in the end, "
            r"$\rho=(2s-1)\mu$. Push $\rho$ beyond $1$ and nothing falls any more. The tail is "
            "taken to be a single entry, the worst case."
        ),
        sliders=(
            Slider(
                symbol=fixed.mu,
                label="coherence μ",
                values=(0.01, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.3),
                start=0.08,
            ),
            Slider(symbol=s, label="nonzero entries s", values=range(1, 7), start=4),
            Slider(
                symbol=fixed.nu,
                label="noise ν ≥ ‖Wᵀw‖∞",
                values=(0, 0.001, 0.003, 0.01, 0.03),
                start=0.003,
            ),
            Slider(
                symbol=fixed.tail,
                label="tail ‖t‖₁",
                values=(0, 0.003, 0.01, 0.03),
                start=0.01,
            ),
        ),
        panels=(
            Panel(
                layers=(
                    Sequence(
                        index=k,
                        range=(0, DEEPEST),
                        series={
                            name: term.doit().subs(fixed.rho, fixed.rate).subs(amount)
                            for name, term in reversed(terms.items())
                        },
                        mark="area",
                    ),
                ),
                x_label="layer k",
                y_label="certificate Eₖ / E₀",
                y_domain=(0, sp.Max(1, sp.Min(whole, 4))),
                height=260,
            ),
        ),
    )


NOISES = (0.0, 0.01)
CLEAN, FALSE = "worst error", "worst, false positives"


@cache
def _rows() -> tuple[dict[str, list], dict[str, list]]:
    """For every setting what the theorem is told, and for every layer what was measured."""
    told: dict[str, list] = {name: [] for name in ("matrix", "s", "noise", "mu", "nu")}
    measured: dict[str, list] = {
        name: [] for name in ("matrix", "s", "noise", "schedule", "k", "error", "series")
    }

    def add(table: dict[str, list], *entries: object) -> None:
        for column, entry in zip(table.values(), entries, strict=True):
            column.append(entry)

    chosen = enumerate(problems().values())
    for (j, problem), sparsity, sigma in itertools.product(chosen, SPARSITIES, NOISES):
        found = run(problem, sparsity, sigma)
        add(told, j, sparsity, sigma, problem.coherence, found.signals.nu)
        x = found.signals.x
        for index, iterates in enumerate(found.iterates.values()):
            worst = (iterates - x).abs().sum(2).amax(1).clamp(1e-12, 1e30).tolist()
            false = ((iterates.abs() > ROUNDING) & (x == 0)).any(2).any(1).tolist()
            for layer, (error, wrong) in enumerate(zip(worst, false, strict=True)):
                series = FALSE if wrong else CLEAN
                add(measured, j, sparsity, sigma, index, layer, error, series)
    return told, measured


@cache
def certificates() -> Explorable:
    """The worst error of a hundred signals against the certificate, layer after layer."""
    told, measured = _rows()
    position = fixed.certificate.doit().subs(fixed.rho, fixed.rate)
    line = position.subs({E0: 1, fixed.tau: 0, fixed.tail: 0, K: k})
    return Explorable(
        name="rip.certificates",
        title="The certificate and the truth",
        alt=(
            "Largest error over a hundred random signals against the layer, on a logarithmic "
            "scale. With the certified thresholds it lies on or below the line of the certificate, "
            "and nothing outside the support is ever switched on. With a tenth of them false "
            "positives appear, and on the frame, and on the Gaussian matrix with its own columns "
            "as weights, the error grows without bound."
        ),
        caption=(
            "Line: the bound $E_k$ that the theorem on thresholds fixed in advance promises for "
            f"every signal with $s$ nonzero entries. Dots: the largest error of {SIGNALS} random "
            "signals. A filled diamond: in this layer some entry outside the support is not zero. "
            "Choose a tenth of the thresholds: diamonds above the line are broken promises. Where "
            "the line rises, nothing is certified."
        ),
        sliders=(
            Slider(
                symbol=matrix,
                label="matrix and weights",
                values=range(len(problems())),
                start=1,
                show=tuple(problems()),
            ),
            Slider(symbol=s, label="nonzero entries s", values=SPARSITIES, start=2),
            Slider(symbol=noise, label="noise ‖w‖, of E₀", values=NOISES),
            Slider(
                symbol=schedule,
                label="thresholds",
                values=range(len(SCHEDULES)),
                show=SCHEDULES,
            ),
        ),
        rows=told,
        digits=5,
        panels=(
            Panel(
                layers=(
                    Sequence(index=k, range=(0, DEEPEST), series={"certificate Eₖ": line}),
                    Points(rows=measured, x="k", y="error", series="series", digits=3),
                ),
                x_label="layer k",
                y_label="error ‖xᵏ − x*‖₁ / E₀",
                y_scale="log",
                y_domain=(sp.Rational(1, 10**6), 1000),
                height=280,
            ),
        ),
    )
