"""The chart of the unrolling chapter that moves without a kernel: trained for K, run for more."""

from __future__ import annotations

import sympy as sp

from unrolled.guarantees.unrolling.run_on import K, M, k, run_on_error, share
from unrolled.teaching import Explorable, Panel, Sequence, Slider

DEEPEST = 24

_descent = ((M - 1) / (M + 1)) ** (2 * k)  # one step, 2/(1 + M): the same factor at 1 and at M

RUN_ON_CHART = Explorable(
    name="unrolling.run-on",
    title="Trained for K layers, run for more",
    alt=(
        "Mean squared error against the number of layers that are run, on a logarithmic scale. "
        "At the layer it was trained for, the trained network is at or below gradient descent, "
        "which falls along a straight line. After that the network goes on falling, or turns and "
        "grows without bound, depending on the sliders."
    ),
    caption=(
        "The ring marks the exit that training looked at; no other constant step is better "
        "there. Behind it nothing was asked of the network, and here it runs away. Raise $w$, the "
        "share of the error at $M$, or $K$, and it stops doing so. Gradient descent takes the "
        "step $2/(1+M)$."
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
