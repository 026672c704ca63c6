"""One rule by which all networks of an experiment are trained: none is tuned with more care."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from unrolled.experiments.jobs import Place
from unrolled.experiments.problem import Pair, Problem, Signals
from unrolled.experiments.provenance import Stopwatch
from unrolled.experiments.table import Row
from unrolled.signals import nmse
from unrolled.training import fit, mean_squared_error

__all__ = ["Fitted", "Tuning"]

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Tuning:
    """Adam at one of a few learning rates: each is tried for a while, and the best trains anew.

    The best has the least error on validation signals at the end of its trial; within each run the
    parameters with the least validation loss are kept. A rate at which the loss is no longer finite
    is out. Test signals play no part.

    Attributes:
        rates: those that are tried.
        share: of the steps that a trial takes.
        steps: of the training that follows.
        batch: signals in each step.
        decay: what is left of a rate at the end of a run, as of `fit`.
        clip: of the gradient's norm.
        every: steps from one measurement on the validation signals to the next.
        training, validation: the signals.
    """

    rates: tuple[float, ...]
    share: float
    steps: int
    batch: int
    decay: float
    clip: float
    every: int
    training: Signals
    validation: Signals

    def fitted(
        self,
        build: Callable[[], nn.Module],
        problem: Problem,
        place: Place,
        loss: Loss = mean_squared_error,
    ) -> Fitted:
        """The network that `build` makes, trained on the problem.

        What it gives is the estimate, (B, n), or the estimates after all layers, (…, B, n), of
        which the last counts.
        """
        training = problem.drawn(self.training)
        validation = problem.drawn(self.validation)

        def run(rate: float, steps: int, checkpoint: Path) -> nn.Module:
            net = build()
            fit(
                net,
                training,
                steps=steps,
                loss=loss,
                lr=rate,
                decay=self.decay,
                batch_size=self.batch,
                validation=validation,
                validate_every=self.every,
                clip=self.clip,
                # Batches are chosen by chance of their own, the same for every network and rate.
                generator=self.training.generator(),
                device=place.device,
                checkpoint=checkpoint,
                progress=False,
            )
            return net

        def tried(rate: float) -> float:
            try:
                net = run(rate, round(self.share * self.steps), place.folder / f"trial-{rate}.pt")
            except FloatingPointError:
                return math.inf
            return last_error(net, validation, place.device)

        trials = Stopwatch(place.folder / "trials")
        with trials:
            best = min(self.rates, key=tried)
        whole = Stopwatch(place.folder / "whole")
        with whole:
            net = run(best, self.steps, place.folder / "whole.pt")
        seen = (training[0][: len(validation[0])], training[1][: len(validation[1])])
        return Fitted(
            net=net,
            rate=best,
            training=last_error(net, seen, place.device),
            validation=last_error(net, validation, place.device),
            seconds=trials.seconds + whole.seconds,
            tuning=trials.seconds,
        )


@dataclass(frozen=True)
class Fitted:
    """A trained network, and what its training was like.

    Attributes:
        net: the network.
        rate: the learning rate that was best.
        training, validation: NMSE in dB, on as many training signals as there are validation ones.
        seconds: all that it took.
        tuning: what of it the trials took.
    """

    net: nn.Module
    rate: float
    training: float
    validation: float
    seconds: float
    tuning: float

    def columns(self, digits: int) -> Row:
        """What each row says of the training; errors to this many decimals."""
        return {
            "training": round(self.training, digits),
            "validation": round(self.validation, digits),
            "rate": self.rate,
            "parameters": sum(p.numel() for p in self.net.parameters() if p.requires_grad),
            "seconds": round(self.seconds, 1),
            "tuning": round(self.tuning, 1),
        }


def last_error(net: nn.Module, pair: Pair, device: torch.device) -> float:
    """NMSE in dB of the last estimate that a network gives."""
    y, x = (part.to(device) for part in pair)
    with torch.no_grad():
        return float(nmse(net(y), x).flatten()[-1])
