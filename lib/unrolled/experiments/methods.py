"""What a configuration of a comparison runs, each constant a field: the fields are its recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.experiments.jobs import Place
from unrolled.experiments.problem import Problem, Signals, Validation
from unrolled.experiments.table import Row
from unrolled.iterations import fista, ista
from unrolled.networks import ALISTA, LISTA, LISTACP, HyperLISTA, UnrolledNet
from unrolled.sensing import analytic_weights
from unrolled.signals import nmse
from unrolled.training import fit_layerwise, search

__all__ = ["Classical", "Method", "Run", "Searched", "Trained"]

# What the names in recipes stand for.
ALGORITHMS = {"ISTA": ista, "FISTA": fista}
NETWORKS = {"LISTA": LISTA, "LISTA-CP": LISTACP, "ALISTA": ALISTA, "HyperLISTA": HyperLISTA}


@dataclass(frozen=True)
class Classical:
    """An algorithm with the penalty that serves it best in the last iteration.

    Attributes:
        name: of the algorithm.
        penalties: those among which it is chosen.
        signals: those on which it is chosen.
    """

    name: str
    penalties: Sequence[float]
    signals: Signals

    selects = False

    def network(self, problem: Problem, place: Place) -> _Algorithm:
        """The algorithm with that penalty, in the place of a network."""
        algorithm = partial(ALGORITHMS[self.name], depth=problem.depth)
        operator = problem.operator().to(place.device)
        y, x = (part.to(place.device) for part in problem.drawn(self.signals))

        def error(penalty: float) -> float:
            return float(nmse(algorithm(operator, y, penalty=penalty)[-1], x))

        return _Algorithm(partial(algorithm, operator, penalty=min(self.penalties, key=error)))


class _Algorithm(nn.Module):
    # Has iterates, as a network does, and no parameters.

    def __init__(self, iterates: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.trajectory = iterates


@dataclass(frozen=True)
class Searched:
    """A network whose few numbers are searched for: on a grid, then by Nelder–Mead, twice.

    The loss depends on the few signals that come out worst, one in ten thousand: so the last search
    sees many.

    Attributes:
        name: of the network, whose numbers are its parameter `c`.
        arguments: of the network, but for A and the depth.
        few: how many of the signals the grid and the first search see.
        signals: those on which the second search goes on.
        grid: for each number the values to try; all combinations are.
        starts: grid points from which the first search starts.
        evaluations: of the loss, at most, in each search.
    """

    name: str
    arguments: Mapping[str, object]
    few: int
    signals: Signals
    grid: Sequence[Sequence[float]]
    starts: int
    evaluations: int

    selects = True

    def network(self, problem: Problem, place: Place) -> UnrolledNet:
        """The network with the numbers found."""
        net = NETWORKS[self.name](problem.operator(), problem.depth, **self.arguments)
        net.to(place.device)
        y, x = (part.to(place.device) for part in problem.drawn(self.signals))
        look = partial(
            search, net, parameter=net.c, starts=self.starts, evaluations=self.evaluations
        )
        look((y[: self.few], x[: self.few]), grid=self.grid)
        look((y, x), grid=[[number] for number in net.c.tolist()])
        return net


@dataclass(frozen=True)
class Trained:
    """A network that is trained by `fit_layerwise`.

    Attributes:
        name: of the network.
        arguments: of the network, but for A and the depth.
        alone, together, final: steps, as of `fit_layerwise`.
        lr, lr_together, decay, copy: rates, and where a layer starts, as of `fit_layerwise`.
        batch: the signals of each step.
        clip: of the gradient's norm.
        start: a recorded network whose steps and thresholds it starts from, with analytic weights,
            instead of from its algorithm.
        validation: signals on which the best parameters are chosen. Enough of them notice the
            rare signal that explodes.
    """

    name: str
    arguments: Mapping[str, object]
    alone: int
    together: int
    final: int
    lr: float
    lr_together: float
    decay: float
    copy: bool
    batch: Signals
    clip: float | None = None
    start: Trained | None = None
    validation: Validation | None = None

    @property
    def selects(self) -> bool:
        """Whether it has support selection."""
        return self.arguments.get("selection") is not None

    def network(self, problem: Problem, place: Place) -> UnrolledNet:
        """The trained network."""
        operator = problem.operator()
        net = NETWORKS[self.name](operator, problem.depth, **self.arguments)
        if self.start is not None:
            _start_at(net, operator.dense(), place.recorded[0])
        options: dict[str, Any] = {}
        if self.validation is not None:
            options["validation"] = problem.drawn(self.validation)
            options["validate_every"] = self.validation.every
        fit_layerwise(
            net,
            problem.draws(self.batch.count),
            alone=self.alone,
            together=self.together,
            final=self.final,
            lr=self.lr,
            lr_together=self.lr_together,
            decay=self.decay,
            copy=self.copy,
            clip=self.clip,
            generator=self.batch.generator(),
            device=place.device,
            checkpoint=place.folder,
            progress=False,
            **options,
        )
        return net


def _start_at(net: LISTA | LISTACP, A: Tensor, rows: list[Row]) -> None:
    # LISTA-CP and LISTA contain ALISTA: W_k = γ_k W, and W₂ = I − AᵀW_k.
    W = analytic_weights(A)
    with torch.no_grad():
        for k, row in enumerate(row for row in rows if row["layer"]):
            weights = row["step"] * W
            net.thresholds[k] = row["threshold"]
            if isinstance(net, LISTA):
                net.W1[k].copy_(weights)
                net.W2[k].copy_(torch.eye(A.shape[1], dtype=A.dtype) - A.T @ weights)
            else:
                net.W[k].copy_(weights)


Method = Classical | Searched | Trained


@dataclass(frozen=True)
class Run:
    """One method on one problem."""

    problem: Problem
    method: Method

    @property
    def configuration(self) -> dict[str, str | bool | float | None]:
        """The network's name, whether it has support selection, and the SNR in dB or None."""
        return {
            "network": self.method.name,
            "selection": self.method.selects,
            "snr": self.problem.snr,
        }

    def rows(self, place: Place) -> list[Row]:
        """Run it: for each layer the error, and what it has learned where that is a number."""
        net = self.method.network(self.problem, place)
        y, x = self.problem.drawn(self.problem.test)
        with torch.no_grad():
            chunks = y.to(place.device).split(self.problem.chunk)
            errors = nmse(torch.cat([net.trajectory(chunk).cpu() for chunk in chunks], 1), x)
        parameters = sum(p.numel() for p in net.parameters() if p.requires_grad)
        columns = zip(
            errors.tolist(),
            _by_layer(net, "thresholds", self.problem.depth),
            _by_layer(net, "steps", self.problem.depth),
            strict=True,
        )
        return [
            {
                "layer": k,
                "nmse": round(error, self.problem.digits),
                "parameters": parameters,
                "threshold": threshold,
                "step": step,
            }
            for k, (error, threshold, step) in enumerate(columns)
        ]


def _by_layer(net: nn.Module, name: str, depth: int) -> list[float | None]:
    # None at the start x_0, and in each layer of a network that learns no such number.
    values = getattr(net, name, None)
    return [None, *([None] * depth if values is None else values.tolist())]
