"""The charts of the unrolling chapter that move without a kernel."""

from __future__ import annotations

from functools import cache

import sympy as sp
import torch

from unrolled.chapters.unrolling.problems import (
    CORRECTED,
    DEPTH,
    SHARES,
    Entrant,
    before_denoisers,
    best,
    half_steps,
    ista_and_trained,
    recorded,
    spikes,
)
from unrolled.experiments.lista_depth import LISTA_DEPTH
from unrolled.guarantees.unrolling.run_on import growth, run_on_error
from unrolled.guarantees.unrolling.symbols import K, M, k, share
from unrolled.teaching import (
    Curves,
    Explorable,
    Panel,
    Points,
    Segments,
    Selector,
    Sequence,
    Slider,
)

network = sp.Symbol("network", integer=True, nonnegative=True)
half = sp.Symbol("half", integer=True, nonnegative=True)
corrected = sp.Symbol("corrected", integer=True, nonnegative=True)
layer = sp.Symbol("layer", integer=True, positive=True)
noise = sp.Symbol("noise", nonnegative=True)
selection = sp.Symbol("selection", integer=True, nonnegative=True)

DEEPEST = 24

Rows = dict[str, list]


def _add(table: Rows, *entries: object) -> None:
    for column, entry in zip(table.values(), entries, strict=True):
        column.append(entry)


def _half_names() -> tuple[str, ...]:
    """What has just happened at each half step."""
    layers = range(1, DEPTH + 1)
    pairs = ((f"layer {j}, gradient step", f"layer {j}, threshold") for j in layers)
    return ("start", *(name for pair in pairs for name in pair))


@cache
def spike_train() -> Explorable:
    """One sparse signal on its way through eight layers, gradient steps and thresholds apart."""
    problem = spikes()
    y, signals = problem.draw(torch.Generator().manual_seed(1), 500)
    y, truth = y[1:2], signals[1]  # with two spikes side by side, and one that is small
    sought: Rows = {"i": [], "value": [], "name": []}
    for i in truth.nonzero().flatten().tolist():
        _add(sought, i + 1, float(truth[i]), "signal that is sought")
    passed: Rows = {"network": [], "half": [], "i": [], "value": [], "name": []}
    path: Rows = {"network": [], "after": [], "error": [], "name": []}
    now: Rows = {"network": [], "half": [], "after": [], "error": [], "name": []}
    told: Rows = {"network": [], "half": [], "theta": [], "left": []}
    ends = []
    for j, net in enumerate(ista_and_trained()):
        halves = half_steps(net, y)[:, 0]
        errors = ((halves - truth).norm(dim=1) / truth.norm()).tolist()
        cuts = [0.0, *net.thresholds.detach().repeat_interleave(2).tolist()]
        for h, (x, error, theta) in enumerate(zip(halves, errors, cuts, strict=True)):
            for i, value in enumerate(x.tolist()):
                _add(passed, j, h, i + 1, value, "estimate")
            kind = "after the gradient step" if h % 2 else "after the threshold"
            _add(path, j, h / 2, error, kind)
            _add(now, j, h, h / 2, error, "here")
            _add(told, j, h, theta, error)
        ends.append(error)
    theta, left = sp.symbols("theta left", nonnegative=True)
    m, n = problem.operator.shape
    return Explorable(
        name="unrolling.spike-train",
        title="A spike train on its way through eight layers",
        alt=(
            f"A signal of {n} entries, all zero but {len(sought['i'])} spikes, and the estimate "
            "of it, which starts at zero. Each gradient step lets the spikes grow and raises small "
            "false entries everywhere; each threshold sets the smaller of those to zero and takes "
            "a piece off the spikes. Below, the error left after each half step. After eight "
            f"layers the algorithm still has an error of {ends[0]:.2f} of the signal, the trained "
            f"network of {ends[1]:.2f}."
        ),
        caption=(
            f"Grey: the signal, measured by {m} numbers. Dots on stems: what the layers have made "
            r"of them. The threshold sets all between the dashed lines to zero, and moves the rest "
            "towards zero by as much. Play it with the algorithm first, then with the network: the "
            "same operations, with a matrix, steps and thresholds that were learned from other "
            "signals. Below: most of the network's gradient steps make the error *larger*; its "
            "thresholds win more than that."
        ),
        sliders=(
            Selector(
                symbol=network,
                label="numbers in the layers",
                options=("the algorithm's (ISTA)", "learned"),
            ),
            Slider(
                symbol=half,
                label="half step",
                values=range(2 * DEPTH + 1),
                show=_half_names(),
                play=True,
            ),
        ),
        panels=(
            Panel(
                layers=(
                    Points(rows=sought, x="i", y="value", series="name", mark="stem", digits=3),
                    Segments(
                        series={
                            "threshold": [
                                ((0, sign * theta), (n + 1, sign * theta)) for sign in (1, -1)
                            ]
                        },
                        mark="guide",
                    ),
                    Points(rows=passed, x="i", y="value", series="name", mark="spike", digits=2),
                ),
                x_label="entry",
                y_label="value",
                x_domain=(0, n + 1),
                y_domain=(-2.5, 2.5),
                height=240,
            ),
            Panel(
                layers=(
                    Points(rows=path, x="after", y="error", series="name", digits=3),
                    Points(rows=now, x="after", y="error", series="name", digits=3),
                ),
                x_label="layers",
                y_label="error left, of the signal",
                y_domain=(0, 1.1),
                height=120,
            ),
        ),
        rows=told,
        digits=3,
        readings={"threshold": theta, "error left, of the signal": left},
    )


EDGE, BIN = 4.0, 0.5  # of the histogram, in deviations


@cache
def whiteness() -> Explorable:
    """The errors in front of the denoiser, layer after layer: as a histogram, and their size."""
    bars: Rows = {"corrected": [], "layer": [], "z": [], "density": [], "name": []}
    sizes: Rows = {"corrected": [], "at": [], "size": [], "name": []}
    told: Rows = {"corrected": [], "layer": [], "correlation": [], "kurtosis": []}
    edges = torch.arange(-EDGE - BIN / 2, EDGE + BIN, BIN)
    middles = ((edges[1:] + edges[:-1]) / 2).tolist()
    for j, kind in enumerate(CORRECTED):
        before = before_denoisers(kind)
        for at, errors in enumerate(before.standardised, start=1):
            inside = errors.flatten().clamp(float(edges[0]), float(edges[-1]))
            density = torch.histogram(inside, bins=edges, density=True)[0]
            for middle, height in zip(middles, density.tolist(), strict=True):
                _add(bars, j, at, middle, height, "errors r − x*")
            _add(sizes, j, at, float(before.deviation[at - 1]), "measured")
            if len(before.expected):
                _add(sizes, j, at, float(before.expected[at - 1]), "what the layer expects")
            _add(told, j, at, float(before.correlation[at - 1]), float(before.kurtosis[at - 1]))
    count = inside.numel()
    z, correlation, kurtosis = sp.symbols("z correlation kurtosis", real=True)
    return Explorable(
        name="unrolling.white",
        title="What stands before the denoiser",
        alt=(
            "A histogram of the errors in units of their own size, with a bell curve over it. For "
            "ISTA it is a narrow peak at zero with long tails, in every layer. With the linear "
            "step corrected it is the bell in the first layer and from the second on too pointed. "
            "With both corrections it is the bell in every layer. Below, the size of the errors by "
            "layer: with one correction larger than the layer expects, with both as expected."
        ),
        caption=(
            f"Bars: {count:,} errors, those of each signal divided by their root mean square; the "
            "outermost bars hold all beyond. Line: the bell curve of white noise. Look at the "
            "correlation, too: noise knows nothing of the signal. ISTA expects nothing, as it "
            "has no $\\tau$."
        ),
        sliders=(
            Selector(symbol=corrected, label="corrected", options=CORRECTED),
            Slider(symbol=layer, label="layer", values=range(1, DEPTH + 1), play=True),
        ),
        panels=(
            Panel(
                layers=(
                    Points(
                        rows=bars,
                        x="z",
                        y="density",
                        series="name",
                        mark="bar",
                        width=0.9 * BIN,
                        digits=3,
                    ),
                    Curves(
                        x=z,
                        domain=(-EDGE - BIN / 2, EDGE + BIN / 2),
                        series={"white noise": sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)},
                    ),
                ),
                x_label="error r − x*, in deviations",
                y_label="density",
                y_domain=(0, 1.2),
                height=220,
            ),
            Panel(
                layers=(Points(rows=sizes, x="at", y="size", series="name", digits=3),),
                x_label="layer",
                y_label="root mean square of r − x*",
                y_scale="log",
                y_domain=(sp.Rational(1, 200), 1),
                x_domain=(1, DEPTH),
                height=130,
            ),
        ),
        rows=told,
        digits=3,
        readings={"correlation with x*": correlation, "mean fourth power (3 for noise)": kurtosis},
    )


_descent = ((M - 1) / (M + 1)) ** (2 * k)  # one step, 2/(1 + M): the same factor at 1 and at M


@cache
def run_on() -> Explorable:
    """Error against layer of a network that is run for more layers than it was trained for."""
    return Explorable(
        name="unrolling.run-on",
        title="Trained for K layers, run for more",
        alt=(
            "Mean squared error against the number of layers that are run, on a logarithmic scale. "
            "At the layer it was trained for, the trained network is at or below gradient descent, "
            "which falls along a straight line. After that the network goes on falling, or turns "
            "and grows without bound, depending on the sliders."
        ),
        caption=(
            "The ring marks the exit that training looked at; no other constant step is better "
            "there. Beyond it nothing was asked of the network, and here it runs away. Raise $w$, "
            "the share of the error at $M$, or $K$, and it stops doing so. Gradient descent takes "
            "the step $2/(1+M)$."
        ),
        sliders=(
            Slider(symbol=K, label="layers K it is trained for", values=range(1, 9), start=4),
            Slider(
                symbol=share,
                label="share w of the error at M",
                values=(1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3),
                start=1e-4,
            ),
            Slider(symbol=M, label="large eigenvalue M", values=(2, 3, 4, 6, 10), start=4),
        ),
        panels=(
            Panel(
                layers=(
                    Sequence(
                        index=k,
                        range=(0, DEEPEST),
                        series={"trained network": run_on_error, "gradient descent": _descent},
                    ),
                    Sequence(
                        index=k,
                        range=(K, K),
                        series={"its exit in training": run_on_error},
                        mark="dot",
                    ),
                ),
                x_label="layers k that are run",
                y_label="mean squared error, of E‖e₀‖²",
                y_scale="log",
                y_domain=(sp.Rational(1, 10**6), 1000),
                height=260,
            ),
        ),
        readings={"factor on the error at M, in each layer": -growth},
    )


@cache
def depth_chart() -> Explorable:
    """Error against layer of every network, by noise and by support selection."""
    table: Rows = {"noise": [], "selection": [], "k": [], "dB": [], "network": []}
    entrants = recorded()
    for row in LISTA_DEPTH.rows():
        entrant = Entrant(row["network"], row["selection"])
        if entrant not in entrants:
            continue
        # A network that comes in one kind only is shown at both settings.
        for setting in (int(entrant.selection),) if entrant.has_both_kinds else (0, 1):
            _add(table, SHARES[row["snr"]], setting, row["layer"], row["nmse"], entrant.network)
    ends = sorted((best(entrant)["nmse"], entrant.label) for entrant in entrants)
    (lowest, least), (highest, most) = ends[0], ends[-1]
    return Explorable(
        name="unrolling.depth",
        title="Sixteen layers, eight ways",
        alt=(
            "Error in decibels against the layer, recorded. Without noise and after the last layer "
            f"{most} stands at {highest:.0f} decibels and {least} at {lowest:.0f}. With noise they "
            "lie far closer together."
        ),
        caption=(
            "Each dot is the error over 10,000 signals that no network was trained on. In the end "
            "a network is trained for its exit alone: look at how unlike the layers on the way "
            "are. HyperLISTA always selects, LISTA never does. Without noise and without selection "
            "three networks lie on one another: choose a name above the chart to see it alone."
        ),
        sliders=(
            Slider(
                symbol=noise,
                label="noise ‖w‖/‖Ax*‖ (1% is SNR 40 dB)",
                values=tuple(sorted(SHARES.values())),
                show="{:.0%}",
            ),
            Selector(
                symbol=selection,
                label="support selection in LISTA-CP and ALISTA",
                options=("no", "yes"),
            ),
        ),
        panels=(
            Panel(
                layers=(Points(rows=table, x="k", y="dB", series="network", digits=4),),
                x_label="layer k",
                y_label="error, dB",
                y_domain=(-100, 20),
                height=340,
            ),
        ),
    )
