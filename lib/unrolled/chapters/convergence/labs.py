"""The lab of the convergence chapter: training from an equal and from a perturbed start."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from unrolled.chapters.convergence.problems import gaussian_spectrum
from unrolled.guarantees.convergence import best_tied
from unrolled.guarantees.convergence.instances import Unrolled
from unrolled.guarantees.latex import scientific
from unrolled.iterations import gauss_steps
from unrolled.teaching import Choice, Lab, Number, Progress
from unrolled.training import fit

PRECISIONS = {"float64": torch.float64, "float32": torch.float32}
POINTS = 80  # points of each curve


@dataclass(frozen=True)
class Trap:
    """Losses and spreads (largest minus smallest step) during two trainings, and two optima."""

    at: list[int]
    losses: dict[str, list[float]]
    spreads: dict[str, list[float]]
    tied: float
    best: float


def compute(
    progress: Progress,
    layers: int,
    start: float,
    perturbation: float,
    iterations: int,
    precision: str,
) -> Trap:
    """Train two networks that differ in their start alone."""
    instance = gaussian_spectrum(layers)
    direction = torch.linspace(-1, 1, layers, dtype=torch.float64)
    starts = {
        "equal start": torch.full((layers,), start, dtype=torch.float64),
        "perturbed start": start * (1 + perturbation * direction),
    }
    at = sorted({round(i * (iterations - 1) / (POINTS - 1)) for i in range(POINTS)})
    losses, spreads = {}, {}
    for place, (name, steps) in enumerate(starts.items()):
        losses[name], spreads[name] = _train(
            instance.with_steps(steps), iterations, PRECISIONS[precision], at, progress, place
        )
    _, tied = best_tied(instance.eigenvalues, instance.weights, layers)
    best = gauss_steps(instance.eigenvalues, instance.weights, layers)
    return Trap(at, losses, spreads, tied, instance.with_steps(best).squared_error())


def _train(
    instance: Unrolled,
    iterations: int,
    dtype: torch.dtype,
    at: list[int],
    progress: Progress,
    place: int,
) -> tuple[list[float], list[float]]:
    net, data = instance.problem(dtype)
    wanted = set(at)
    losses: list[float] = []
    spreads: list[float] = []

    def record(step: int, loss: float) -> None:
        if step in wanted:
            values = net.steps.detach()
            losses.append(loss)
            spreads.append(float(values.max() - values.min()))
            progress(place * iterations + step + 1, 2 * iterations, "training")

    device = progress.device
    fit(net, data, steps=iterations, lr=3e-3, device=device, callback=record, progress=False)
    return losses, spreads


def draw(picture, trap: Trap) -> None:
    """Loss above, spread of the steps below, against the training iteration."""
    above, below = picture.subplots(2, 1, sharex=True)
    for name, losses in trap.losses.items():
        above.semilogy(trap.at, losses, label=name)
        # A spread of exactly zero has no place on a logarithmic axis.
        spread = [max(value, 1e-18) for value in trap.spreads[name]]
        below.semilogy(trap.at, spread, label=name)
    last = trap.at[-1]
    for value, label, side in (
        (trap.tied, "best constant step", "top"),
        (trap.best, "best steps", "bottom"),
    ):
        above.axhline(value, color="C2", linewidth=1, linestyle=(0, (1, 1)))
        above.annotate(label, (last, value), ha="right", va=side)
    above.set(ylabel="loss J")
    above.legend(loc="upper right")
    for axes in (above, below):
        axes.minorticks_off()
    below.set(xlabel="training iteration", ylabel="spread of the steps")


def describe(trap: Trap) -> str:
    """What the picture shows, with its numbers."""
    equal, perturbed = (values[-1] for values in trap.losses.values())
    together, apart = (values[-1] for values in trap.spreads.values())
    return (
        f"Two curves of the training loss over {trap.at[-1] + 1} iterations. From the equal start "
        f"it ends at {equal:.3g}; from the perturbed start at {perturbed:.3g}. The best constant "
        f"step has {trap.tied:.3g} and the best steps {trap.best:.3g}. Below, the spread of the "
        f"steps ends at {together:.1e} and {apart:.1e}."
    )


def summarise(trap: Trap) -> str:
    """The losses at the end, relative to the best that there is."""
    equal, perturbed = (_ratio(values[-1] / trap.best) for values in trap.losses.values())
    return (
        f"Loss over the optimum: **{equal}** from the equal start, **{perturbed}** from "
        f"the perturbed one; the best constant step has {_ratio(trap.tied / trap.best)}."
    )


def _ratio(value: float) -> str:
    # What is near one and not one is not rounded to it: only the optimum has the optimum's loss.
    beyond = value - 1
    if abs(beyond) < 1e-12 or abs(beyond) >= 0.005:
        return f"{value:.2f}"
    return f"$1{'+' if beyond > 0 else '-'}{scientific(abs(beyond), 1)}$"


TRAP_LAB = Lab(
    name="convergence.trap",
    title="Train from an equal and from a perturbed start",
    controls=(
        Number("layers", "layers K", 6, 2, 8, 1, integer=True),
        Number("start", "start of every step", 0.3, 0.05, 0.6, 0.05),
        Number("perturbation", "relative perturbation", 0.01, 1e-9, 0.5, 0.5, log=True),
        Number("iterations", "training iterations", 2500, 300, 10_000, 100, integer=True),
        Choice("precision", "precision", tuple(PRECISIONS), "float64"),
    ),
    compute=compute,
    draw=draw,
    alt=describe,
    caption=(
        "Above: the loss. Below: how far apart the steps are. From the equal start only rounding "
        "can part them; try float32, or a perturbation of a millionth."
    ),
    summary=summarise,
    height=4.6,
)
