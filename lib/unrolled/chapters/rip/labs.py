"""The lab of the RIP chapter: certify a matrix, then see what its thresholds do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from matplotlib.axes import Axes
from torch import Tensor

from unrolled.chapters.rip.problems import (
    BASES,
    CERTIFIED,
    ROUNDING,
    SCHEDULES,
    TENTH,
    TRAINED,
    Problem,
    Signals,
    draw_signals,
    matrices,
    trained_thresholds,
    unit_columns,
)
from unrolled.guarantees import evaluate
from unrolled.guarantees.latex import scientific
from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.guarantees.rip import isometry_thresholds as isometric
from unrolled.guarantees.rip.certified import averaged_bounds, fixed_sparsity
from unrolled.guarantees.rip.schedule import with_thresholds
from unrolled.guarantees.rip.symbols import s
from unrolled.isometry.coherence import coherence
from unrolled.isometry.constants import Isometry, isometry_constant
from unrolled.sensing import DenseOperator, analytic_weights, dense_operator
from unrolled.signals import nmse
from unrolled.teaching import Choice, Lab, Number, Progress
from unrolled.teaching.figures import MUTED, Figure

YOURS = "yours"
ADJOINT, ANALYTIC = "Aᵀ", "analytic"

MEASURED, TRAINING = 200, 1000  # to measure on, to train on
MOST_COLUMNS = 512  # of the reader's own matrix
MOST_SUPPORTS = 500_000  # for an exact constant: about a second
FLOOR = 1e-14  # of the picture
LEAST = -300.0  # dB, where an error of zero would be −∞


@dataclass(frozen=True)
class Bracket:
    """What is known of δ_j: its exact value twice, or a lower and an upper bound."""

    lower: Isometry
    upper: Isometry

    @property
    def exact(self) -> bool:
        return self.upper.kind == "exact"

    def __str__(self) -> str:
        low, high, order = self.lower.value, self.upper.value, self.upper.s
        if self.exact:
            return f"δ_{order} = {high:.3f}"
        # Rounded outwards, so that what is shown are bounds as well.
        low, high = math.floor(low * 1000) / 1000, math.ceil(high * 1000) / 1000
        return f"{low:.3f} ≤ δ_{order} ≤ {high:.3f}"


@dataclass(frozen=True)
class Measured:
    """What a network does to the signals after 0, …, K layers; each is (K + 1,)."""

    worst: Tensor  # largest ‖x − x*‖₁
    mean: Tensor  # mean ‖x − x*‖₁
    decibels: Tensor  # normalised mean squared error
    false_positives: Tensor  # entries outside the support that are on, all signals together


@dataclass(frozen=True)
class Certified:
    """A certificate E_0, …, E_K, the measurement that it is about, and where it comes from."""

    sparsity: int
    thresholds: str
    mu: float
    most: int  # the largest s at which the certificate would fall
    rate: float  # of the certificate, (2s−1)μ
    constants: tuple[Bracket, ...]  # of orders 1, …, s+1
    isometry_rate: float  # of the theorem on isometry constants, for W = A, from upper bounds
    certificate: Tensor
    measured: Measured
    with_certified: Measured | None  # for comparison, where the thresholds are trained

    @property
    def layers(self) -> int:
        return len(self.certificate) - 1

    @property
    def price(self) -> float | None:
        """Decibels that certified thresholds lose to trained ones."""
        if self.with_certified is None:
            return None
        return float(self.with_certified.decibels[-1] - self.measured.decibels[-1])


def certificate_lab(A: DenseOperator | Tensor | None = None) -> Lab:
    """A lab that certifies matrices of the library and, if it is given, your own.

    Args:
        A: (m, n), n ≤ 512, real, finite, without a zero column; its columns are scaled to unit
            norm.

    Raises:
        ValueError: A is none of that.
    """
    names, own = tuple(matrices()), None
    if A is not None:
        own = _own(A)
        names = (YOURS, *names)
    return Lab(
        name="rip.certificate" if own is None else "rip.your-certificate",
        title="Certify a matrix" if own is None else "Certify your own matrix",
        controls=(
            Choice("matrix", "matrix A", names, BASES if own is None else YOURS),
            Choice("weights", "weights Wᵀ", (ADJOINT, ANALYTIC), ADJOINT),
            Number(
                "sparsity", "nonzero entries s", 4 if own is None else 1, 1, 10, 1, integer=True
            ),
            Number("noise", "noise ‖w‖, of the largest ‖x*‖₁", 0, 0, 0.1, 0.002),
            Number("layers", "layers K", 12, 1, 30, 1, integer=True),
            Choice("thresholds", "thresholds", SCHEDULES, TRAINED if own is None else CERTIFIED),
        ),
        compute=partial(certify, own),
        draw=draw,
        alt=describe,
        caption=(
            f"Above: the largest and the mean error of {MEASURED} random signals after each layer, "
            "and $E_k$, the most that certified thresholds would allow. Crosses: entries outside "
            "the support are on. Below: the isometry constants; where the last one lies under the "
            "dotted line, they certify the weights $A^\\top$ as well."
        ),
        summary=summarise,
        height=6.2,
    )


def _own(A: DenseOperator | Tensor) -> DenseOperator:
    matrix = dense_operator(A).dense()
    if matrix.is_complex():
        raise ValueError(
            f"A has dtype {matrix.dtype}; the lab draws real signals for a real matrix"
        )
    matrix = matrix.double()
    coherence(matrix)  # refuses zero columns
    if matrix.shape[1] > MOST_COLUMNS:
        raise ValueError(f"A has {matrix.shape[1]} columns; the lab takes up to {MOST_COLUMNS}")
    return unit_columns(matrix)


def certify(
    own: DenseOperator | None,
    progress: Progress,
    matrix: str,
    weights: str,
    sparsity: int,
    noise: float,
    layers: int,
    thresholds: str,
) -> Certified:
    """Compute constants and certificate, choose thresholds, and measure what they do."""
    problem = _problem(own, matrix, weights)
    columns = problem.operator.shape[1]
    if sparsity > columns:
        raise ValueError(
            f"s = {sparsity} nonzero entries need as many columns, and A has {columns}: choose "
            f"s up to {columns}."
        )
    orders = range(1, min(sparsity + 1, columns) + 1)
    stages = len(orders) + 2
    known = []
    for order, bracket in zip(orders, _constants(problem, progress.device), strict=False):
        known.append(bracket)
        progress(order, stages, f"isometry constant δ_{order}")
    mu = problem.coherence
    generator = torch.Generator().manual_seed(1)
    signals = draw_signals(problem, sparsity, noise, MEASURED, generator)
    plan = fixed.coherence_schedule(mu, sparsity, 1.0, noise=signals.nu, depth=layers)
    chosen, compared = plan.thresholds, None
    if thresholds == TENTH:
        chosen = plan.thresholds / 10
    elif thresholds == TRAINED:
        progress(stages - 1, stages, "training")
        training = draw_signals(problem, sparsity, noise, TRAINING, generator)
        chosen = trained_thresholds(problem, training, plan.thresholds)
        compared = _measure(problem, plan.thresholds, signals)
    measured = _measure(problem, chosen, signals)
    progress(stages, stages)
    values = {
        s: sparsity,
        fixed.mu: mu,
        isometric.delta_s: known[sparsity - 1].upper.value,
        isometric.delta_next: known[-1].upper.value,
    }
    return Certified(
        sparsity,
        thresholds,
        mu,
        fixed_sparsity(mu, columns),
        evaluate(fixed.rate, values),
        tuple(known),
        evaluate(isometric.rate, values),
        plan.certificate,
        measured,
        compared,
    )


def _problem(own: DenseOperator | None, matrix: str, weights: str) -> Problem:
    operator = own if matrix == YOURS else matrices()[matrix]
    if weights == ADJOINT:
        return Problem(matrix, operator, operator.dense())
    rows, columns = operator.shape
    if torch.linalg.matrix_rank(operator.dense()) < rows:
        raise ValueError(
            f"A, {rows}×{columns}, lacks full row rank, so that there are no analytic weights: "
            f"choose the weights {ADJOINT}."
        )
    return Problem(matrix, operator, analytic_weights(operator))


def _constants(problem: Problem, device: str) -> Iterator[Bracket]:
    """δ_1, δ_2, …: exact while there are few supports, then between two bounds."""
    A, known = problem.operator.dense().to(device), []
    for order in range(1, A.shape[1] + 1):
        if math.comb(A.shape[1], order) <= MOST_SUPPORTS:
            known.append(isometry_constant(A, order))
            yield Bracket(known[-1], known[-1])
        else:
            bounds = [isometry_constant(A, order, "coherence"), *averaged_bounds(known, order)]
            yield Bracket(isometry_constant(A, order, "greedy"), min(bounds, key=float))


def _measure(problem: Problem, thresholds: Tensor, signals: Signals) -> Measured:
    x = signals.x
    iterates = with_thresholds(problem.operator, problem.W, thresholds).trajectory(signals.y)
    errors = (iterates - x).abs().sum(2)  # (K + 1, B)
    decibels = nmse(iterates, x).clamp(min=LEAST)
    wrong = (iterates.abs() > ROUNDING) & (x == 0)
    return Measured(errors.amax(1), errors.mean(1), decibels, wrong.sum((1, 2)))


def draw(picture: Figure, result: Certified) -> None:
    """Errors and certificate against the layer above, constants against the order below."""
    above, below = picture.subplots(2, 1, gridspec_kw={"height_ratios": (3, 2)})
    _draw_errors(above, result)
    _draw_constants(below, result)
    for axes in (above, below):
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)


def _draw_errors(axes: Axes, result: Certified) -> None:
    measured = result.measured
    shown = [
        ("certificate Eₖ", result.certificate, {}),
        ("largest error", measured.worst, {}),
        ("mean error", measured.mean, {}),
    ]
    if result.with_certified is not None:
        shown.append(("mean error, certified", result.with_certified.mean, {"color": "C4"}))
    for label, values, style in shown:
        axes.semilogy(values.clamp(min=FLOOR).tolist(), label=label, **style)
    flagged = measured.false_positives.nonzero()[:, 0]
    if len(flagged):
        style = {"color": "C3", "linestyle": "none", "marker": "X", "markersize": 8}
        errors = measured.worst[flagged].clamp(min=FLOOR)
        axes.plot(flagged.tolist(), errors.tolist(), label="false positives", **style)
    axes.set(xlabel="layer k", ylabel="‖xₖ − x*‖₁")


def _draw_constants(axes: Axes, result: Certified) -> None:
    ends = 0.7, len(result.constants) + 0.3
    for exact, label, style in (
        (True, "exact", {"color": "C0", "marker": "o"}),
        (False, "between bounds", {"color": "C1", "capsize": 6}),
    ):
        chosen = [each for each in result.constants if each.exact is exact]
        if chosen:
            orders = [each.upper.s for each in chosen]
            low, high = (torch.tensor([float(b) for b in pair]) for pair in _pairs(chosen))
            axes.errorbar(
                orders,
                ((low + high) / 2).tolist(),
                None if exact else ((high - low) / 2).tolist(),
                linestyle="none",
                label=f"δⱼ, {label}",
                clip_on=False,
                **style,
            )
    bound = evaluate(isometric.largest_constant, {s: result.sparsity})
    axes.plot(ends, (bound, bound), color=MUTED, linestyle=":", label=f"1/(1+√{result.sparsity})")
    axes.set(xlabel="order j", ylabel="δⱼ", xlim=ends, xticks=range(1, len(result.constants) + 1))
    axes.set_ylim(bottom=0)


def _pairs(brackets: list[Bracket]) -> Iterator[tuple[Isometry, ...]]:
    return zip(*((each.lower, each.upper) for each in brackets), strict=True)


def describe(result: Certified) -> str:
    """The picture in words."""
    measured, K = result.measured, result.layers
    flags = int(measured.false_positives.count_nonzero())
    constants = "; ".join(map(str, result.constants))
    return (
        f"Error against layer; the thresholds are {result.thresholds}. The certificate goes from "
        f"{float(result.certificate[0]):.3g} to {float(result.certificate[-1]):.3g} in {K} layers; "
        f"the largest of {MEASURED} errors ends at {float(measured.worst[-1]):.3g}, their mean at "
        f"{float(measured.mean[-1]):.3g}. There are false positives after {flags} of {K} layers. "
        f"Below, the isometry constants: {constants}."
    )


def summarise(result: Certified) -> str:
    """The numbers in a few lines."""
    measured, K = result.measured, result.layers
    exact = sum(each.exact for each in result.constants)
    known = exact == len(result.constants)
    orders = "all exact" if known else f"exact up to order {exact}"
    wrong = int(measured.false_positives.sum())
    flags = f"{wrong:,} false positives in all layers together" if wrong else "no false positive"
    lines = [
        rf"$\mu$ = {result.mu:.3f}. The certificate is multiplied by $(2s-1)\mu$ = "
        f"**{result.rate:.3f}** a layer; it falls for {_up_to(result.most)}. Isometry constants "
        rf"({orders}) and the weights $A^\top$ would give "
        f"{'' if known else 'at most '}**{result.isometry_rate:.3f}**.",
        f"After {K} layers the largest error is ${scientific(float(measured.worst[-1]), 3)}$, "
        f"certified ${scientific(float(result.certificate[-1]), 3)}$; {flags}. "
        f"{_verdict(result)}",
    ]
    if result.price is not None:
        verdict = (
            f"the certificate costs **{result.price:.1f} dB**"
            if result.price >= 0
            else f"on signals that they were not trained on, they lose {-result.price:.1f} dB"
        )
        lines.append(
            f"Trained thresholds reach {float(measured.decibels[-1]):.1f} dB, certified ones "
            f"{float(result.with_certified.decibels[-1]):.1f} dB: {verdict}."
        )
    return "\n\n".join(lines)


def _verdict(result: Certified) -> str:
    worst, certificate = result.measured.worst, result.certificate
    if bool((worst <= certificate * (1 + 1e-9) + ROUNDING).all()):
        excess = float((worst - certificate).max())
        if excess <= 0:
            return "No layer exceeds the certificate."
        return (
            f"No layer exceeds the certificate but by rounding, at most ${scientific(excess, 2)}$: "
            "signals have the size one, and double precision keeps sixteen digits."
        )
    if result.thresholds == CERTIFIED:
        return "Some layer **exceeds** the certificate."
    return "Some layer exceeds the certificate, which is not about these thresholds."


def _up_to(most: int) -> str:
    return f"$s$ up to {most}" if most else "no $s$"


CERTIFICATE_LAB = certificate_lab()
