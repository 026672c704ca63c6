"""The charts of the RIP chapter that move without a kernel."""

from __future__ import annotations

import itertools
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.chapters.rip.problems import (
    BASES,
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
from unrolled.teaching import (
    POINTER,
    Curves,
    Explorable,
    Handle,
    Panel,
    Paths,
    Points,
    Segments,
    Selector,
    Sequence,
    Slider,
    Texts,
)

matrix = sp.Symbol("matrix", integer=True, nonnegative=True)
schedule = sp.Symbol("schedule", integer=True, nonnegative=True)
noise = sp.Symbol("noise", nonnegative=True)

# Three unit columns in the plane, by their angles in degrees; which two; and a threshold.
angles = sp.symbols("t_1:4", nonnegative=True)
chosen = sp.Symbol("chosen", integer=True, nonnegative=True)
theta = sp.Symbol("theta", nonnegative=True)
PAIRS = ((0, 1), (0, 2), (1, 2))
NAMES = ("a₁", "a₂", "a₃")

_u = sp.Symbol("u", real=True)
ENDS = sp.Rational(2, 5), sp.Rational(18, 5)  # of the axis below three bars
ROUND, SPOKE = 120, 20  # steps around the ellipse, and along a radius


def _column(angle: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    return sp.cos(angle * sp.pi / 180), sp.sin(angle * sp.pi / 180)


def _cosine(i: int, j: int) -> sp.Expr:
    return sp.cos((angles[i] - angles[j]) * sp.pi / 180)


def _one_if(condition: sp.Basic) -> sp.Expr:
    return sp.Piecewise((1, condition), (0, True))


def _of_chosen(values: list[sp.Expr]) -> sp.Expr:
    """The value that belongs to the chosen pair; at 0 the pair with the largest |cosine|."""
    sizes = [sp.Abs(_cosine(*pair)) for pair in PAIRS]
    first, second, third = values
    closest = sp.Piecewise(
        (first, (sizes[0] >= sizes[1]) & (sizes[0] >= sizes[2])),
        (second, sizes[1] >= sizes[2]),
        (third, True),
    )
    cases = [(value, sp.Eq(chosen, place)) for place, value in enumerate(values, start=1)]
    return sp.Piecewise(*cases, (closest, True))


def radii() -> tuple[sp.Expr, sp.Expr]:
    """The singular values of the chosen two columns: along the sum of the two, and across it."""
    cosine = _of_chosen([_cosine(*pair) for pair in PAIRS])
    return sp.sqrt(1 + cosine), sp.sqrt(1 - cosine)


def _over(leak: sp.Expr) -> sp.Basic:
    # Two perpendicular columns answer with a zero that rounding may have left above it.
    return leak > theta + ROUNDING


def leaks() -> tuple[sp.Expr, ...]:
    """What the other columns answer to an entry of one on the first, |aᵢᵀa₁|."""
    return sp.Abs(_cosine(1, 0)), sp.Abs(_cosine(2, 0))


def _chosen_columns() -> list[list[sp.Expr]]:
    return [
        [_of_chosen([_column(angles[pair[end]])[axis] for pair in PAIRS]) for axis in (0, 1)]
        for end in (0, 1)
    ]


def _plane() -> Panel:
    """The columns, and the image of the unit circle on two of them."""
    first, second = _chosen_columns()
    root = sp.sqrt(2)
    ends = (
        [-(one + other) / root for one, other in zip(first, second, strict=True)],
        [(one - other) / root for one, other in zip(first, second, strict=True)],
    )
    # Once around from the end of one radius, then in along it, and out along the other.
    turn = (sp.Rational(5, 4) + 2 * _u / ROUND) * sp.pi
    image = [
        sp.Piecewise(
            (sp.cos(turn) * one + sp.sin(turn) * other, _u <= ROUND),
            (start * (1 - (_u - ROUND) / SPOKE), _u <= ROUND + SPOKE),
            (end * ((_u - ROUND) / SPOKE - 1), True),
        )
        for one, other, start, end in zip(first, second, *ends, strict=True)
    ]
    sizes = [
        ("{}", *(part * (1 + 0.25 / (radius + 0.05)) for part in end), radius)
        for end, radius in zip(ends, radii(), strict=True)
    ]
    px, py = POINTER
    turned = sp.Mod(sp.atan2(py, px) * 180 / sp.pi, 360)
    columns = [_column(angle) for angle in angles]
    return Panel(
        title="What two columns make of a circle",
        layers=(
            Paths(
                parameter=_u,
                domain=(0, 360),
                points=ROUND + 1,
                series={"signals x": _column(_u)},
                mark="guide",
            ),
            Paths(
                parameter=_u,
                domain=(0, ROUND + 2 * SPOKE),
                points=ROUND + 2 * SPOKE + 1,
                series={"images Ax": tuple(image)},
            ),
            Segments(
                series={"columns": [((0, 0), column) for column in columns]},
                mark="arrow",
            ),
            Texts(
                texts=[
                    *(
                        (name, *(1.15 * part for part in column))
                        for name, column in zip(NAMES, columns, strict=True)
                    ),
                    *sizes,
                ]
            ),
            *(
                Handle(x=column[0], y=column[1], sets={angle: turned})
                for angle, column in zip(angles, columns, strict=True)
            ),
        ),
        equal=True,
        x_domain=(-1.5, 1.5),
        y_domain=(-1.7, 1.5),
        height=320,
    )


def _leakage() -> Panel:
    """The first layer's input for an entry of one on the first column, and a threshold."""
    _, py = POINTER
    return Panel(
        title="What leaks when only the first entry is on",
        layers=(
            Sequence(
                index=sp.Symbol("i", integer=True),
                range=(1, 3),
                series={
                    "the entry": [1, 0, 0],
                    "kept out": [0, *(leak * _one_if(sp.Not(_over(leak))) for leak in leaks())],
                    "let in by mistake": [0, *(leak * _one_if(_over(leak)) for leak in leaks())],
                },
                mark="bar",
            ),
            Curves(x=_u, domain=ENDS, series={"threshold θ": theta}, mark="guide"),
            Handle(x=sp.Rational(17, 5), y=theta, sets={theta: py}),
        ),
        y_label="correlation |aᵢᵀy|, y = a₁",
        x_domain=ENDS,
        y_domain=(0, sp.Rational(11, 10)),
        x_ticks=dict(enumerate(NAMES, start=1)),
        height=300,
    )


@cache
def columns() -> Explorable:
    """Three columns to drag: what two of them make of a circle, and what leaks from the first."""
    along, across = radii()
    cosines = [sp.Abs(_cosine(*pair)) for pair in PAIRS]
    return Explorable(
        name="rip.columns",
        title="Three columns in the plane: drag them",
        alt=(
            "First, three unit vectors in the plane and two closed curves: the unit circle of "
            "signals, and the ellipse that two columns make of it. As these columns come together, "
            "the ellipse becomes long and thin, and in the end a line. Then three bars: the "
            "entry itself, and what the other two columns answer to it; a bar above the line of "
            "the threshold is let in by mistake."
        ),
        caption=(
            r"First half: a signal $x$ of length one on two entries is a point of the circle; what "
            r"is measured of it, $Ax$, is one of the ellipse, whose two radii are drawn. They are "
            r"$\sqrt{1+\delta}$ and $\sqrt{1-\delta}$, where $\delta$ is the absolute inner "
            r"product of the two columns. The largest $\delta$ of any two is $\delta_2$. Second "
            r"half: a signal with one entry, on $a_1$, is measured, and each column answers with "
            "its inner product. Pull two columns together; then move the line of the threshold "
            "until no wrong bar crosses it."
        ),
        sliders=(
            *(
                Slider(
                    symbol=angle,
                    label=f"angle of {name}",
                    values=range(360),
                    start=start,
                    show="{:g}°",
                )
                for angle, name, start in zip(angles, NAMES, (30, 85, 150), strict=True)
            ),
            Selector(
                symbol=chosen,
                label="the circle lies on columns",
                options=(
                    "the two most alike",
                    *(f"{NAMES[i]} and {NAMES[j]}" for i, j in PAIRS),
                ),
            ),
            Slider(
                symbol=theta,
                label="threshold θ",
                values=[step / 100 for step in range(0, 101)],
                start=0.54,
                show="{:.2f}",
            ),
        ),
        panels=(_plane(), _leakage()),
        readings={
            "√(1+δ)": sp.Max(along, across),
            "√(1−δ)": sp.Min(along, across),
            "δ₂": sp.Max(*cosines),
            "let in": sum(_one_if(_over(leak)) for leak in leaks()),
        },
        columns=2,
    )


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
            r"Circles: $\delta_j$, exact, between bounds from above and below. Lines: what the "
            "theorem on thresholds from isometry constants and basis pursuit (at even orders) ask "
            "of it. Where a circle lies under the falling line, the theorem on thresholds "
            r"certifies $j-1$ entries; just above it, it may still do so. Where a circle at an "
            "even order lies above the flat line, that theorem on basis pursuit does not apply. "
            "Where marks lie on each other, choose a name above the chart to see it alone."
        ),
        sliders=(
            Selector(
                symbol=matrix, label="matrix", options=tuple(_small()), start="Gaussian 20×26"
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
            f"every signal with $s$ nonzero entries. Rings: the largest error of {SIGNALS} random "
            "signals. A filled diamond: in this layer some entry outside the support is not zero. "
            "Choose a tenth of the thresholds: diamonds above the line are broken promises. Where "
            "the line rises, nothing is certified."
        ),
        sliders=(
            Selector(
                symbol=matrix,
                label="matrix and weights",
                options=tuple(problems()),
                start=BASES,
            ),
            Slider(symbol=s, label="nonzero entries s", values=SPARSITIES, start=2),
            Slider(symbol=noise, label="noise ‖w‖, of E₀", values=NOISES),
            Selector(symbol=schedule, label="thresholds", options=SCHEDULES),
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
