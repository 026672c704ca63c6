"""What the introduction shows: one reconstruction, one theorem beside networks, and the map."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import starmap
from typing import NamedTuple

import torch
from IPython.display import Markdown
from torch import Tensor

from unrolled.chapters import BOOK, Chapter, Idea
from unrolled.chapters.appendix import link, predicted_and_measured
from unrolled.guarantees import Refutation, evaluate
from unrolled.guarantees.convergence import GAUSSIAN, closed_form_net
from unrolled.guarantees.convergence.symbols import K, c, noise
from unrolled.iterations import ista
from unrolled.networks import ALISTA
from unrolled.sensing import gaussian
from unrolled.signals import sparse
from unrolled.teaching.figures import MARKERS, MUTED, Figure, figure
from unrolled.training import fit

# The reconstruction: spikes among unknowns, and how often they are seen.
MEASUREMENTS, UNKNOWNS, SPIKES = 50, 100, 6
LAYERS = 8
PENALTIES = torch.logspace(-1.5, -0.25, 11).tolist()
LATER = 100  # rounds of ISTA, to compare

# The theorem beside networks.
DEEPEST = 10
NOISES = (0.0, 0.01)
RATIO = 0.5


class Compared(NamedTuple):
    """What ISTA makes of measurements, and what the network does that it was unrolled to.

    Attributes:
        signals: sparse signals that training never saw, (B, n).
        by_ista: what they are after `LAYERS` rounds and after `LATER`, (B, n) each, with the
            penalty of `PENALTIES` that is best there.
        by_network: and after `LAYERS` layers, (B, n).
        numbers: how many numbers the network has learned.
    """

    signals: Tensor
    by_ista: tuple[Tensor, Tensor]
    by_network: Tensor
    numbers: int


@cache
def before_and_after() -> Compared:
    """Unroll ISTA with weights computed from A, train its steps and thresholds, and compare."""
    generator = torch.Generator().manual_seed(0)
    operator = gaussian(MEASUREMENTS, UNKNOWNS, generator=generator, unit_columns=True)

    def draw(generator: torch.Generator, count: int = 64) -> tuple[Tensor, Tensor]:
        x = sparse(UNKNOWNS, SPIKES, count, generator)
        return operator.forward(x), x

    net = ALISTA(operator, LAYERS)
    fit(net, draw, steps=500, lr=0.03, decay=0.02, generator=generator, progress=False)
    y, x = draw(generator, 200)
    runs = [ista(operator, y, penalty=penalty, depth=LATER) for penalty in PENALTIES]
    early, late = (
        min((run[rounds] for run in runs), key=lambda estimate: missing(estimate, x))
        for rounds in (LAYERS, LATER)
    )
    numbers = sum(parameter.numel() for parameter in net.parameters())
    with torch.no_grad():
        return Compared(x, (early, late), net(y), numbers)


def missing(estimate: Tensor, x: Tensor) -> float:
    """The share of the signals' energy that the error has, ‖estimate − x‖²/‖x‖²."""
    return float((estimate - x).square().sum() / x.square().sum())


def reconstruction() -> Figure:
    """Draw one of the signals, and what ISTA and the network make of its measurements."""
    found = before_and_after()
    early, late = found.by_ista
    left = [
        f"{100 * missing(estimate, found.signals):.2g} per cent"
        for estimate in (early, late, found.by_network)
    ]
    with figure(
        alt=(
            f"Two panels with the same {SPIKES} spikes among {UNKNOWNS} places, drawn as rings. "
            f"Above, what {LAYERS} rounds of ISTA find: stems that are too short, and many small "
            f"ones at places where nothing is. Below, what {LAYERS} trained layers find: stems "
            "that end in the rings, and next to nothing elsewhere."
        ),
        caption=(
            f"Rings: a signal with {SPIKES} spikes at {UNKNOWNS} places, of which only "
            f"{MEASUREMENTS} random sums are known. Stems: what is made of these. ISTA, the "
            f"algorithm, repeats one and the same round. Over {len(found.signals)} such signals it "
            f"misses {left[0]} of their energy after {LAYERS} rounds, and still {left[1]} after "
            f"{LATER}, its one free number chosen each time as the best of {len(PENALTIES)}. The "
            f"network has {LAYERS} rounds of the same form as layers, with a matrix that is "
            f"computed from the sums and {found.numbers} numbers that were learned from other "
            f"signals: it misses {left[2]}. (Energy is the sum of squares.)"
        ),
        height=4.2,
    ) as picture:
        estimates = {
            f"{LAYERS} rounds of ISTA": early,
            f"{LAYERS} trained layers": found.by_network,
        }
        # The easiest to read: its smallest spike is the tallest.
        one = found.signals.abs().topk(SPIKES).values[:, -1].argmax()
        above, below = picture.matplotlib.subplots(2, 1, sharex=True, sharey=True)
        panels = zip((above, below), estimates.items(), strict=True)
        for i, (axes, (name, estimate)) in enumerate(panels):
            signal, stems = found.signals[one], estimate[one]
            places, spikes = stems.nonzero()[:, 0], signal.nonzero()[:, 0]
            axes.axhline(0, color=MUTED, linewidth=0.7, linestyle="-")
            axes.vlines(places, 0, stems[places], color=f"C{i}", linewidth=2.2)
            axes.plot(
                spikes, signal[spikes], MARKERS[0], color=MUTED, markersize=8,
                markerfacecolor="none", linestyle="", label="true spikes",
            )  # fmt: skip
            axes.plot([], [], color=f"C{i}", linestyle="-", linewidth=2.2, label=name)
            axes.legend(loc="upper left", ncols=2)
        highest = float(found.signals[one].abs().max())
        above.set_ylim(-1.2 * highest, 1.9 * highest)
        below.set_xlabel("place")
    return picture


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
            "The curves are a theorem about unrolled gradient descent, for two variances "
            "$\\sigma^2$ of the noise in what is measured. The dots are networks, run "
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


def map_of_ideas(book: Sequence[Chapter] = BOOK) -> Markdown:
    """For each chapter what it asks and takes, and its ideas: what proves and what breaks each."""
    parts = []
    for chapter in book:
        parts.append(
            f":::{{rubric}} [](/{chapter.notebook})\n:::\n\n"
            f"**{chapter.asks}** {chapter.needs} {chapter.time}"
        )
        parts += [_row(idea) for idea in chapter.ideas]
    return Markdown("\n\n".join(parts))


def _row(idea: Idea) -> str:
    proofs = "\n".join(f"→ {link(theorem)}\\" for theorem in idea.theorems).removesuffix("\\")
    breaks = "\n\n".join([f"✗ {idea.breaks}", *starmap(_claim, idea.claims)])
    cells = (f":::{{grid-item}}\n{cell}\n:::" for cell in (idea.words, proofs, breaks))
    row = "::::{grid} 1 1 3 3\n:gutter: 2\n:margin: 0\n\n" + "\n".join(cells) + "\n::::"
    return f":::::{{card}}\n:shadow: none\n:margin: 0 3 0 0\n\n{row}\n:::::"


def _claim(claim: Refutation, words: str) -> str:
    predicted, measured = predicted_and_measured(claim, words)
    return f"Often said: “{link(claim)}”. Predicted {predicted}; measured {measured}."
