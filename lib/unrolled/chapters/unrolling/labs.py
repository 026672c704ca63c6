"""The lab of the unrolling chapter: train a network, then run it beyond its depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.chapters.unrolling.problems import PENALTY, spikes
from unrolled.iterations import ista
from unrolled.networks import ALISTA, LISTA, LISTACP, TiLISTA, UnrolledNet
from unrolled.sensing import DenseOperator
from unrolled.signals import nmse
from unrolled.teaching import Choice, Lab, Number, Progress
from unrolled.teaching.figures import MUTED, Figure
from unrolled.training import fit

RUN = 40  # layers that are run
FLOOR, CEILING = -25.0, 20.0  # of the picture, dB

NETWORKS: dict[str, Callable[[DenseOperator, int], UnrolledNet]] = {
    "LISTA": LISTA,
    "LISTA, tied": lambda operator, depth: LISTA(operator, depth, tied=True),
    "LISTA-CP": LISTACP,
    "LISTA-CP, tied": lambda operator, depth: LISTACP(operator, depth, tied=True),
    "TiLISTA": TiLISTA,
    "ALISTA": ALISTA,
}


@dataclass(frozen=True)
class RunOn:
    """Errors in dB after 0, …, RUN layers: of the trained network and of plain ISTA."""

    depth: int
    trained: Tensor
    plain: Tensor

    @property
    def turns(self) -> int:
        """The layer at which the trained network's error is least."""
        return int(self.trained.argmin())


def train(progress: Progress, network: str, depth: int, steps: int) -> RunOn:
    """Train on fresh sparse signals; measure the error after each layer on others."""
    progress.device = "cpu"  # far too small to gain from anything else
    problem = spikes()
    y, x = problem.draw(torch.Generator().manual_seed(1), 500)
    net = NETWORKS[network](problem.operator, depth)
    plain = nmse(ista(problem.operator, y, penalty=PENALTY, depth=RUN), x)
    fit(
        net,
        problem.draw,
        steps=steps,
        lr=1e-2,
        clip=1.0,
        generator=torch.Generator().manual_seed(2),
        callback=lambda step, _: progress(step + 1, steps, "training"),
        progress=False,
    )
    with torch.no_grad():
        trained = nmse(net.trajectory(y, depth=RUN), x)
    return RunOn(depth, trained, plain)


def draw(picture: Figure, result: RunOn) -> None:
    """Error against layer, the exit of training marked."""
    axes = picture.subplots()
    for errors, label in ((result.trained, "trained network"), (result.plain, "ISTA")):
        axes.plot(errors.clamp(FLOOR, 2 * CEILING).tolist(), label=label)
    axes.axvline(result.depth, color=MUTED, linestyle=":", linewidth=1)
    label = f"trained for {result.depth}"
    axes.annotate(label, (result.depth, CEILING - 5), (4, 0), textcoords="offset points")
    axes.set(xlabel="layers run", ylabel="error, dB", xlim=(0, RUN), ylim=(FLOOR, CEILING))
    axes.legend(loc="lower right")


def describe(result: RunOn) -> str:
    """The picture in words."""
    end = float(result.trained[-1])
    fate = "then grows beyond the picture" if end > CEILING else f"ends at {end:.1f} decibels"
    return (
        f"Error against layers run. Plain ISTA falls slowly to {float(result.plain[-1]):.1f} "
        f"decibels. The network trained for {result.depth} of them is at "
        f"{float(result.trained[result.depth]):.1f} decibels there, is best at layer "
        f"{result.turns}, and {fate}."
    )


def summarise(result: RunOn) -> str:
    """The numbers in a line."""
    at = result.depth
    return (
        f"After {at} layers: ISTA {float(result.plain[at]):.1f} dB, trained network "
        f"{float(result.trained[at]):.1f} dB. After {RUN}: {float(result.plain[-1]):.1f} dB and "
        f"{float(result.trained[-1]):.1f} dB."
    )


RUN_ON_LAB = Lab(
    name="unrolling.run-on",
    title="Train a network, then let it run on",
    controls=(
        Choice("network", "network", tuple(NETWORKS), "LISTA-CP"),
        Number("depth", "layers K it is trained for", 4, 1, 12, 1, integer=True),
        Number("steps", "training steps", 300, 20, 1000, 20, integer=True),
    ),
    compute=train,
    draw=draw,
    alt=describe,
    caption=(
        "Layers beyond $K$ repeat the last one. Look to the right of the dotted line: the training "
        "loss never saw it. Then choose a tied network, whose layers all are the one that is "
        "repeated: of the two, one goes on improving and one does not."
    ),
    summary=summarise,
)
