"""Does knowing A in every layer, or the number of parameters, decide how many scenes are needed?

The question, the targets and what would count as evidence stood here before the first row.

*Question.* N* is the number of training scenes at which a network reaches a target error. Two
things are varied apart: whether A is in every layer or in the input alone, and the number of
parameters, about 55,000 or about 1.2 million.

*Targets.* The test error of the linear estimate (LMMSE, λ chosen on validation scenes) less 5, 8
and 11 dB. A target that no number of scenes reaches bounds N* from below; nothing is extrapolated.
N* and its interval are those of `crossing.samples_needed`.

*Evidence for "A, not the number".* N* of the large network with A in every layer is within a factor
of 2 of that of the small one, and more than 4 times below that of the large network with A in its
input, at all targets that are reached, in both geometries. *Evidence for "the number, not A".* The
large network with A in every layer needs at least 10 times as many scenes as the small one, or the
small network with A in its input needs no more than the small one with A in every layer. *Evidence
of nothing.* One target, one geometry, two networks that differ in both things, networks that were
not tuned, curves that cross.

*Training.* By one rule for all. The rate is that of the least validation error after one round on
54 scenes of their own; a second geometry or noise level is tuned for itself. Then rounds of Adam,
each from the full rate down half a cosine, from where the best of the last one stood, until a round
improves the validation error by less than a share of it. A run that still improves in its last
round is marked as not converged, and is no ground for an N*. What is kept is the best on validation
scenes, which are the same for all; training sets are nested in N, and shared by the networks of a
seed.

*What a night on two cores does not hold.* Two or three seeds instead of ten; one tuning of the
rate, not another one at many scenes; no weight decay. Noise is scaled to each scene, as SNRs are,
while OAMPNet is told its mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from unrolled.experiments.experiment import Configuration, Experiment
from unrolled.experiments.imaging import Imaging, Network
from unrolled.experiments.jobs import Place
from unrolled.experiments.problem import Pair, Signals
from unrolled.experiments.table import Row
from unrolled.iterations import fista
from unrolled.networks import OAMPNet, SoftThreshold
from unrolled.signals import nmse
from unrolled.training import fit

__all__ = ["SAMPLE_COMPLEXITY", "TARGETS", "Baseline", "Rounds", "SampleRun", "comparison"]

TARGETS = (-5.0, -8.0, -11.0)  # dB, from the linear estimate


@dataclass(frozen=True)
class Rounds:
    """How every network is trained.

    Attributes:
        rates: learning rates to choose from.
        tuning: the scenes on which they are compared.
        decay: what a rate falls to, as a share of it.
        batch: scenes in a step, drawn with replacement.
        steps: of a round.
        every: after how many steps the validation error is measured.
        gain: in dB, the least by which a round has to improve the validation error.
        least, most: rounds.
    """

    rates: Sequence[float]
    tuning: Signals
    decay: float
    batch: int
    steps: int
    every: int
    gain: float
    least: int
    most: int


@dataclass(frozen=True)
class SampleRun:
    """One network on the first so many scenes of a seed, or the choice of its rate.

    Attributes:
        arm: what it is called.
        size: "small" or "large".
        imaging, network, rounds: what is measured, learned, and how.
        turned: whether training scenes are turned and mirrored as the geometry allows.
        scenes: N.
        seed: of training scenes, weights and batches; None chooses the rate.
        validation, test: scenes.
    """

    arm: str
    size: str
    imaging: Imaging
    network: Network
    rounds: Rounds
    turned: bool
    scenes: int
    seed: int | None
    validation: Signals
    test: Signals

    @property
    def configuration(self) -> dict[str, str | int | float | None]:
        """The arm, its size, N, the seed, the geometry and the SNR in dB."""
        return _called(self.arm, self.size, self.scenes, self.seed, self.imaging)

    @property
    def tuning(self) -> SampleRun:
        """The choice of the rate that this run goes by."""
        return replace(self, scenes=self.rounds.tuning.count, seed=None)

    def rows(self, place: Place) -> list[Row]:
        """Train it: one row with its errors in dB, or one for each rate where that is chosen."""
        validation = _drawn(self.imaging, self.validation)
        if self.seed is None:
            training, found = _drawn(self.imaging, self.rounds.tuning), []
            for rate in self.rounds.rates:
                net = self._made(place)
                self._round(net, 1, rate, training, validation, place, f"rate-{rate}")
                found.append({"rate": rate, "validation": _decibels(net, validation)})
            return found
        (choices,) = place.recorded
        rate = min(choices, key=lambda row: row["validation"])["rate"]
        training = _drawn(self.imaging, Signals(self.scenes, self.seed))
        net, done, errors = self._made(place), 0, [math.inf]
        while done < self.rounds.most:
            done += 1
            self._round(net, done, rate, training, validation, place, "round")
            errors.append(_decibels(net, validation))
            if done >= self.rounds.least and errors[-2] - errors[-1] < self.rounds.gain:
                break
        steps = done * self.rounds.steps
        tuning = len(self.rounds.rates) * self.rounds.steps
        return [
            {
                "parameters": sum(p.numel() for p in net.parameters()),
                "rate": rate,
                "steps": steps,
                "tuning": round(tuning / (tuning + steps), 3),
                "converged": errors[-2] - errors[-1] < self.rounds.gain,
                "training": _decibels(net, training),
                "validation": errors[-1],
                "test": _decibels(net, _drawn(self.imaging, self.test)),
            }
        ]

    def _made(self, place: Place) -> nn.Module:
        generator = torch.Generator().manual_seed(1000 + (self.seed or 0))
        return self.network.made(self.imaging, generator).to(place.device)

    def _round(
        self,
        net: nn.Module,
        number: int,
        rate: float,
        training: Pair,
        validation: Pair,
        place: Place,
        name: str,
    ) -> None:
        turn = self.imaging.turned if self.turned else None

        def draw(generator: torch.Generator) -> Pair:
            rows = torch.randint(len(training[0]), (self.rounds.batch,), generator=generator)
            pair = training[0][rows], training[1][rows]
            return pair if turn is None else turn(pair, generator)

        fit(
            net,
            draw,
            steps=self.rounds.steps,
            lr=rate,
            decay=self.rounds.decay,
            validation=validation,
            validate_every=self.rounds.every,
            generator=torch.Generator().manual_seed(2000 + 100 * (self.seed or 0) + number),
            device=place.device,
            checkpoint=place.folder / f"{name}-{number}",
            progress=False,
        )


@dataclass(frozen=True)
class Baseline:
    """What needs no scenes to learn from: one number is chosen on validation scenes.

    Attributes:
        arm: "LMMSE", "LASSO" or "OAMP untrained".
        imaging: what is measured.
        numbers: λ in units of the noise, penalties, or thresholds in units of the error.
        iterations: of LASSO and OAMP.
        validation, test: scenes.
    """

    arm: str
    imaging: Imaging
    numbers: Sequence[float]
    iterations: int
    validation: Signals
    test: Signals

    @property
    def configuration(self) -> dict[str, str | int | float | None]:
        """As of a network's run; without size, scenes and seed."""
        return _called(self.arm, None, None, None, self.imaging)

    def rows(self, place: Place) -> list[Row]:
        """One row: the number chosen, and the errors in dB."""
        pair = _drawn(self.imaging, self.validation)
        errors = [_decibels(self._estimate(number), pair) for number in self.numbers]
        best = min(error for error in errors if math.isfinite(error))
        number = self.numbers[errors.index(best)]
        test = _decibels(self._estimate(number), _drawn(self.imaging, self.test))
        return [{"chosen": number, "validation": best, "test": test}]

    def _estimate(self, number: float) -> Callable[[Tensor], Tensor]:
        operator = self.imaging.operator
        if self.arm == "LMMSE":
            return lambda y: operator.lmmse(y, number * self.imaging.noise)
        if self.arm == "LASSO":
            return lambda y: fista(
                operator, y, penalty=number, depth=self.iterations, nonnegative=True
            )[-1]
        # Divergence-free it runs off: the operator is no random one.
        return OAMPNet(
            operator,
            self.iterations,
            noise=self.imaging.noise,
            denoiser=SoftThreshold(number, nonnegative=True),
            tied=True,
            divergence_free=False,
        )


Run = SampleRun | Baseline


def comparison(name: str, runs: Sequence[Run], quick: Experiment | None = None) -> Experiment:
    """The recorded experiment of these runs, and before them the choice of each rate."""
    learned = {str(run.tuning): run.tuning for run in runs if isinstance(run, SampleRun)}
    rest = list(learned.values())
    every: list[Run] = []
    for run in runs:  # each choice right before what first goes by it
        if isinstance(run, SampleRun) and run.tuning in rest:
            rest.remove(run.tuning)
            every.append(run.tuning)
        every.append(run)

    def find(configuration: Configuration) -> Run:
        return next(run for run in every if run.configuration == configuration)

    def needs(configuration: Configuration) -> list[Configuration]:
        run = find(configuration)
        trained = isinstance(run, SampleRun) and run.seed is not None
        return [run.tuning.configuration] if isinstance(run, SampleRun) and trained else []

    return Experiment(
        name=name,
        title="Error of imaging networks by number of training scenes, physics and parameters",
        configurations=tuple(run.configuration for run in every),
        recipe=lambda configuration: asdict(find(configuration)),
        measure=lambda configuration, place: find(configuration).rows(place),
        needs=needs,
        quick=quick,
    )


def _called(
    arm: str, size: str | None, scenes: int | None, seed: int | None, imaging: Imaging
) -> dict[str, str | int | float | None]:
    place: dict[str, str | int | float | None] = {"geometry": imaging.geometry, "snr": imaging.snr}
    return {"arm": arm, "size": size, "scenes": scenes, "seed": seed} | place


@cache
def _drawn(imaging: Imaging, signals: Signals) -> Pair:
    return imaging.drawn(signals)


def _decibels(estimate: Callable[[Tensor], Tensor], pair: Pair) -> float:
    # The normalised error of an estimator, 100 scenes at a time.
    y, x = pair
    with torch.no_grad():
        return round(float(nmse(torch.cat([estimate(part) for part in y.split(100)]), x)), 3)


RING = Imaging(
    geometry="ring",
    antennas=(8, 16),
    reach=20.0,
    side=8.0,
    pixels=32,
    frequencies=(0.8, 1.0, 1.2),
    shapes=3,
    snr=30.0,
)
LINE = replace(RING, geometry="line", antennas=(12, 12))
# λ by a pilot on other scenes, where 10 to 30 make no difference.
IN_INPUT = Network(
    physics=False, layers=0, levels=4, parameters=1_260_000, tied=False, fed=(), lam=20.0
)
# With six layers there are widths at which both kinds have about as many parameters.
IN_LAYERS = replace(IN_INPUT, physics=True, layers=6)
RUN = SampleRun(
    arm="",
    size="large",
    imaging=RING,
    network=IN_INPUT,
    # Steps by what two cores can do in a night; rates as are usual for such networks.
    rounds=Rounds(
        rates=(5e-4, 1e-3, 2e-3, 4e-3),
        tuning=Signals(54, seed=900),
        decay=0.02,
        batch=8,
        steps=500,
        every=100,
        gain=0.1,
        least=2,
        most=6,
    ),
    turned=False,
    scenes=0,
    seed=0,
    validation=Signals(200, seed=901),
    test=Signals(2000, seed=902),
)
SMALL = 55_000
COUNTS = (2, 5, 20, 54, 200, 500, 2000)


def _arm(
    name: str, size: str = "large", *, fed: tuple[float, ...] = (), tied: bool = False
) -> SampleRun:
    network = IN_LAYERS if name.startswith("OAMPNet") else IN_INPUT
    if size == "small":
        network = replace(network, parameters=SMALL)
    return replace(RUN, arm=name, size=size, network=replace(network, fed=fed, tied=tied))


FACTORIAL = tuple(_arm(name, size) for size in ("small", "large") for name in ("OAMPNet", "U-Net"))
CONTROLS = (
    replace(_arm("U-Net, turned"), turned=True),
    _arm("U-Net, fed", fed=(0.1, 10.0)),
    _arm("OAMPNet, tied", "small", tied=True),
)
DECISIVE = FACTORIAL[2:]


def _baselines(imaging: Imaging, validation: Signals, test: Signals) -> list[Baseline]:
    return [
        Baseline(arm, imaging, numbers, iterations, validation, test)
        for arm, numbers, iterations in (
            ("LMMSE", (1.0, 3.0, 10.0, 20.0, 30.0, 50.0, 100.0), 1),
            ("LASSO", (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1), 300),
            ("OAMP untrained", (0.03, 0.1, 0.3, 0.7, 1.4), 10),
        )
    ]


def _runs() -> list[Run]:
    runs: list[Run] = list(_baselines(RING, RUN.validation, RUN.test))
    for seeds, counts in (((0, 1), COUNTS), ((2,), (5, 20, 54, 200))):
        runs += [
            replace(arm, scenes=count, seed=seed)
            for count in counts
            for seed in seeds
            for arm in FACTORIAL
        ]
        if seeds == (0, 1):
            runs += [replace(arm, scenes=n, seed=0) for n in (5, 54, 500, 2000) for arm in CONTROLS]
    for imaging in (LINE, replace(RING, snr=10.0)):
        runs += _baselines(imaging, RUN.validation, RUN.test)
        runs += [
            replace(arm, imaging=imaging, scenes=count, seed=seed)
            for count in (5, 54, 500)
            for seed in (0, 1)
            for arm in DECISIVE
        ]
    return runs


def _quick_runs() -> list[Run]:
    imaging = replace(RING, antennas=(4, 4), reach=6.0, side=2.0, pixels=8, frequencies=(1.0,))
    rounds = replace(
        RUN.rounds, rates=(1e-3, 4e-3), tuning=Signals(4, seed=900), batch=2, steps=4, every=2,
        gain=10.0, least=1, most=2,
    )  # fmt: skip
    validation, test = Signals(6, seed=901), Signals(20, seed=902)
    runs: list[Run] = list(_baselines(imaging, validation, test))
    for arm in (FACTORIAL[0], FACTORIAL[1], *CONTROLS):
        layers = min(2, arm.network.layers)
        network = replace(arm.network, parameters=4000, levels=2, layers=layers)
        small = replace(arm, imaging=imaging, network=network, rounds=rounds, scenes=3, seed=0)
        runs.append(replace(small, validation=validation, test=test))
    return runs


SAMPLE_COMPLEXITY = comparison(
    "sample-complexity", _runs(), quick=comparison("sample-complexity-quick", _quick_runs())
)
