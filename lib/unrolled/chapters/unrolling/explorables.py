"""The two charts of the unrolling chapter that move without a kernel."""

from __future__ import annotations

from functools import cache

import sympy as sp

from unrolled.chapters.unrolling.problems import SHARES, Entrant, best, recorded
from unrolled.experiments.lista_depth import LISTA_DEPTH
from unrolled.guarantees.unrolling.run_on import run_on_error
from unrolled.guarantees.unrolling.symbols import K, M, k, share
from unrolled.teaching import Explorable, Panel, Points, Sequence, Slider

noise = sp.Symbol("noise", nonnegative=True)
selection = sp.Symbol("selection", integer=True)

DEEPEST = 24

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
                label="share w of the error at the large eigenvalue",
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
    )


@cache
def depth_chart() -> Explorable:
    """Error against layer of every network, by noise and by support selection."""
    columns = ("noise", "selection", "k", "dB", "network")
    table: dict[str, list[object]] = {column: [] for column in columns}
    entrants = recorded()
    for row in LISTA_DEPTH.rows():
        entrant = Entrant(row["network"], row["selection"])
        if entrant not in entrants:
            continue
        # A network that comes in one kind only is shown at both settings.
        for setting in (int(entrant.selection),) if entrant.has_both_kinds else (0, 1):
            values = (SHARES[row["snr"]], setting, row["layer"], row["nmse"], entrant.network)
            for column, value in zip(columns, values, strict=True):
                table[column].append(value)
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
            "are. HyperLISTA always selects, LISTA never does; where LISTA-CP is hidden, it lies "
            "on ALISTA."
        ),
        sliders=(
            Slider(
                symbol=noise,
                label="noise ‖w‖/‖Ax*‖ (1% is SNR 40 dB)",
                values=tuple(sorted(SHARES.values())),
                show="{:.0%}",
            ),
            Slider(
                symbol=selection,
                label="support selection in LISTA-CP and ALISTA (0 no, 1 yes)",
                values=(0, 1),
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
