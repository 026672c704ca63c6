"""Training until more of it would change little, and saying whether that has been reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from unrolled.experiments.jobs import Place
from unrolled.experiments.problem import Pair
from unrolled.experiments.table import Row
from unrolled.networks import UnrolledNet
from unrolled.training import fit, mean_squared_error

__all__ = ["ToConvergence", "squared_error"]

Net = TypeVar("Net", bound=UnrolledNet)


@dataclass(frozen=True)
class ToConvergence:
    """Adam in rounds, each from where the last one ended; its rate falls along half a cosine.

    The first round is run at every rate. The network of the least squared error on validation
    signals goes on, at its rate, and nothing else is chosen by them. It has converged when a whole
    round, from the full rate on, lowers the squared error on the training signals by less than a
    share of it. Each round keeps what was best on the training signals: none is stopped early.

    Attributes:
        rates: learning rates.
        decay: what a rate falls to, as a share of it.
        batch: signals in a step, drawn with replacement; where there are no more, it takes all.
        seed: of these draws.
        steps: of a round.
        every: after how many of them the training signals are measured.
        fall: the share.
        rounds: at most, the first one included.
    """

    rates: Sequence[float]
    decay: float
    batch: int
    seed: int
    steps: int
    every: int
    fall: float
    rounds: int

    def trained(
        self, start: Callable[[], Net], training: Pair, validation: Pair, place: Place
    ) -> tuple[Net, Row]:
        """The trained network, and the columns that say how it came about.

        Args:
            start: makes the untrained network.
            training, validation: signals, (y, x) each, on the device of the place.
            place: where it is trained; a run that was interrupted goes on from the last checkpoint
                in its folder.
        """
        found = []
        for rate in self.rates:
            net = start().to(place.device)
            self._round(net, 1, rate, training, place)
            found.append((squared_error(net, validation), rate, net))
        _, rate, net = min(found, key=lambda each: each[0])
        fall, rounds = 1.0, 1
        while rounds < self.rounds and fall >= self.fall:
            before, rounds = squared_error(net, training), rounds + 1
            self._round(net, rounds, rate, training, place)
            fall = 1 - squared_error(net, training) / before
        steps = rounds * self.steps
        return net, {"rate": rate, "steps": steps, "fall": fall, "converged": fall < self.fall}

    def _round(self, net: Net, number: int, rate: float, pair: Pair, place: Place) -> None:
        fit(
            net,
            pair,
            steps=self.steps,
            lr=rate,
            decay=self.decay,
            batch_size=self.batch if len(pair[0]) > self.batch else None,
            validation=pair,
            validate_every=self.every,
            generator=torch.Generator().manual_seed(self.seed + number),
            device=place.device,
            checkpoint=place.folder / f"rate-{rate}-round-{number}",
            progress=False,
        )


def squared_error(net: UnrolledNet, pair: Pair) -> float:
    """What training minimises: the mean of ‖net(y) − x‖² over the rows of a pair."""
    with torch.no_grad():
        y, x = pair
        return float(mean_squared_error(net(y), x))
