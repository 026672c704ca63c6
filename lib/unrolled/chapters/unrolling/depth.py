"""The recorded comparison of sixteen-layer networks, as a chart that moves without a kernel."""

from __future__ import annotations

import sympy as sp

from unrolled.experiments import Row
from unrolled.experiments.lista_depth import LISTA_DEPTH
from unrolled.teaching import Explorable, Panel, Points, Slider

noise = sp.Symbol("noise", nonnegative=True)
selection = sp.Symbol("selection", integer=True)

# A ratio of 40 dB between the sizes of Ax and w is one per cent of noise.
SHARES = {"inf": 0.0, "40": 0.01, "20": 0.1}
_SELECTING = ", selection"


def recorded() -> tuple[str, ...]:
    """The networks that are recorded at all three noise levels, in the experiment's order."""
    done = [entry["configuration"] for entry in LISTA_DEPTH.provenance()]
    names = dict.fromkeys(c["network"] for c in LISTA_DEPTH.configurations)
    return tuple(
        name for name in names if all({"network": name, "snr": snr} in done for snr in SHARES)
    )


def best(network: str, snr: str = "inf") -> Row:
    """The recorded row of a network at its last layer; snr: "inf", "40" or "20" dB."""
    rows = [
        row
        for row in LISTA_DEPTH.rows()
        if row["network"] == network and float(row["snr"]) == float(snr)
    ]
    return max(rows, key=lambda row: row["layer"])


def depth_chart() -> Explorable:
    """Error against layer of every network, by noise and by support selection."""
    columns = ("noise", "selection", "k", "dB", "network")
    table: dict[str, list[object]] = {column: [] for column in columns}
    names = recorded()
    rows = [row for row in LISTA_DEPTH.rows() if row["network"] in names]
    variants = {str(row["network"]) for row in rows if str(row["network"]).endswith(_SELECTING)}
    for row in rows:
        name = str(row["network"])
        family = name.removesuffix(_SELECTING)
        # A network that comes in one kind only is shown at both settings.
        if name in variants:
            settings = (1,)
        elif family + _SELECTING in variants:
            settings = (0,)
        else:
            settings = (0, 1)
        for setting in settings:
            values = (SHARES[f"{row['snr']:g}"], setting, row["layer"], row["nmse"], family)
            for column, value in zip(columns, values, strict=True):
                table[column].append(value)
    ends = sorted((best(name)["nmse"], name) for name in names)
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
