"""How far apart are the errors on training signals and on fresh ones, by depth and by their number?

Unrolled OAMP, tied and untied, trained to convergence on N signals: what a bound of the gap between
the two is compared with, and the constants of its layers that such a bound is made of.

The network is an OAMPNet whose layers have Lipschitz constants at all: it is not divergence-free,
because the correction jumps where an entry passes the threshold, and its λ is constant, because
with the matched λ the error τ that the denoiser is told has no bounded slope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parameters_to_vector

from unrolled.experiments.experiment import Configuration, Experiment
from unrolled.experiments.jobs import Place
from unrolled.experiments.layer_constants import constants_at, constants_everywhere
from unrolled.experiments.problem import Pair, Problem, Signals
from unrolled.experiments.provenance import Stopwatch
from unrolled.experiments.table import Row
from unrolled.experiments.to_convergence import ToConvergence, squared_error
from unrolled.networks import OAMPNet, ProxNet

__all__ = [
    "GENERALISATION_GAP",
    "RUNS",
    "Denoised",
    "GapRun",
    "comparison",
    "gap_runs",
]

# In the order in which they are wanted: the corners first, then what lies between.
DEPTHS = (1, 15, 4, 8, 2, 6, 10, 12)
COUNTS = (20, 2000, 200, 50, 500, 100, 1000)
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Denoised:
    """The OAMPNet that is trained; its denoisers, of class `ProxNet`, see each entry by itself.

    Attributes:
        tied: whether its layers share one denoiser and one ϑ.
        lam: λ of its linear step.
        width: channels of a denoiser, 3·width + 2 parameters; with ϑ a layer has one more.
        factor: where its threshold starts, in multiples of the error.
        seed: of the denoiser's weights, a copy of which each layer starts with.
    """

    tied: bool
    lam: float
    width: int
    factor: float
    seed: int

    def network(self, problem: Problem) -> OAMPNet:
        """The untrained network."""
        generator = torch.Generator().manual_seed(self.seed)
        denoiser = ProxNet(
            kernel=1, width=self.width, layers=2, factor=self.factor, generator=generator
        )
        assert problem.snr is not None
        # The mean over the signals, each of which has noise in proportion to its own measurements.
        noise = _energy(problem) / problem.m * 10 ** (-problem.snr / 10)
        return OAMPNet(
            problem.operator(),
            problem.depth,
            noise=noise,
            denoiser=denoiser,
            tied=self.tied,
            divergence_free=False,
            lam=self.lam,
        )


@dataclass(frozen=True)
class GapRun:
    """One network, trained on the first so many of a seed's signals.

    Attributes:
        problem: at the network's depth; its test signals are those that the gap is measured on.
        network, training: what is trained, and how.
        pool: the signals of which the training signals are the first.
        signals: N, how many of them.
        validation: the signals that a rate is chosen by.
        points: near how many training signals, at most, constants are measured.
    """

    problem: Problem
    network: Denoised
    training: ToConvergence
    pool: Signals
    signals: int
    validation: Signals
    points: int

    @property
    def configuration(self) -> dict[str, str | bool | int | float | None]:
        """K, N, whether the layers are tied, and the seed of the training signals."""
        return {
            "depth": self.problem.depth,
            "signals": self.signals,
            "tied": self.network.tied,
            "seed": self.pool.seed,
        }

    def rows(self, place: Place) -> list[Row]:
        """Train it: a row without a layer says what the whole has come to, and then one a layer.

        Losses are means of min(1, ‖x̂ − x‖²/E‖x‖²), as a bound needs them in [0, 1]; columns with
        "squared" are without that limit, which is what training minimises.
        """
        y, x = self.problem.drawn(self.pool)
        pairs = (
            (y[: self.signals], x[: self.signals]),
            self.problem.drawn(self.validation),
            self.problem.drawn(self.problem.test),
        )
        training, validation, test = ((y.to(place.device), x.to(place.device)) for y, x in pairs)
        watch = Stopwatch(place.folder / "training-seconds")
        with watch:
            net, told = self.training.trained(
                lambda: self.network.network(self.problem), training, validation, place
            )
        start = self.network.network(self.problem).to(place.device)
        points = training[0][: self.points], training[1][: self.points]
        fresh = self._losses(net, test)
        ends, starts = (parameters_to_vector(n.parameters()).detach() for n in (net, start))
        energy = _energy(self.problem)
        whole = {
            "parameters": len(ends),
            "training": float(self._losses(net, training).mean()),
            "validation": float(self._losses(net, validation).mean()),
            "test": float(fresh.mean()),
            "test_error": float(fresh.std() / len(fresh) ** 0.5),
            "training_start": float(self._losses(start, training).mean()),
            "test_start": float(self._losses(start, test).mean()),
            "training_squared": squared_error(net, training) / energy,
            "test_squared": squared_error(net, test) / energy,
            **told,
            "reach": float((ends - starts).abs().max()),
            "slope": float(self._slopes(net, points).max()),
            "seconds": round(watch.seconds, 1),
        }
        in_state, in_parameters = constants_at(net, points[0])
        layers = {
            "in_state": in_state.tolist(),
            "in_state_everywhere": constants_everywhere(net).tolist(),
            "in_parameters": in_parameters.tolist(),
        }
        empty: Row = dict.fromkeys([*whole, *layers])
        rows = [{"layer": None} | empty | whole]
        for k in range(net.depth):
            constants = {name: values[k] for name, values in layers.items()}
            rows.append({"layer": k + 1} | empty | constants)
        return [{key: self._rounded(value) for key, value in row.items()} for row in rows]

    def _losses(self, net: OAMPNet, pair: Pair) -> Tensor:
        # Of each signal, (B,).
        with torch.no_grad():
            chunks = zip(*(part.split(self.problem.chunk) for part in pair), strict=True)
            losses = torch.cat([(net(y) - x).square().sum(1) for y, x in chunks])
        return (losses / _energy(self.problem)).clamp(max=1)

    def _slopes(self, net: OAMPNet, pair: Pair) -> Tensor:
        # Of each signal's loss, ‖∂ℓ/∂θ‖₁, (B,): how much it can change, at first order, when no
        # parameter moves by more than one.
        learned = {name: p.detach() for name, p in net.named_parameters()}

        def loss(learned: dict[str, Tensor], y: Tensor, x: Tensor) -> Tensor:
            error = functional_call(net, learned, y[None])[0] - x
            return (error.square().sum() / _energy(self.problem)).clamp(max=1)

        gradients = vmap(grad(loss), in_dims=(None, 0, 0))(learned, *pair)
        parts = [part.reshape(len(part), -1) for part in gradients.values()]
        return torch.cat(parts, 1).abs().sum(1)

    def _rounded(self, value: object) -> object:
        return round(value, self.problem.digits) if isinstance(value, float) else value


def _energy(problem: Problem) -> float:
    # E‖x‖².
    return problem.n * problem.rate * problem.variance


def gap_runs(
    run: GapRun, depths: Sequence[int], counts: Sequence[int], seeds: Sequence[int]
) -> tuple[GapRun, ...]:
    """The run at every depth, number of signals and seed, tied and untied.

    Seed by seed, and within one by growing grids: the corners first, if `depths` and `counts` begin
    with their extremes, so that a chart can be drawn early. What a seed decides is drawn anew by
    each: training signals, starting weights and batches.
    """
    places = sorted(product(range(len(depths)), range(len(counts))), key=lambda at: (max(at), at))
    return tuple(
        replace(
            run,
            problem=replace(run.problem, depth=depths[i]),
            network=replace(run.network, tied=tied, seed=run.network.seed + seed),
            training=replace(run.training, seed=run.training.seed + 100 * seed),
            pool=replace(run.pool, seed=seed),
            signals=counts[j],
        )
        for seed in seeds
        for i, j in places
        for tied in (False, True)
    )


def comparison(name: str, runs: Sequence[GapRun], quick: Experiment | None = None) -> Experiment:
    """The recorded experiment of these runs: what a run holds is both its recipe and what runs."""

    def find(configuration: Configuration) -> GapRun:
        return next(run for run in runs if run.configuration == configuration)

    return Experiment(
        name=name,
        title="Training and test error of unrolled OAMP by depth and number of training signals",
        configurations=tuple(run.configuration for run in runs),
        recipe=lambda configuration: asdict(find(configuration)),
        measure=lambda configuration, place: find(configuration).rows(place),
        quick=quick,
    )


# Rates, λ and width by a pilot with another A and other signals, at K = 4 and 8. In 400 steps the
# rate 0.003 is far behind 0.01, and that behind 0.03; 0.1 goes astray. With λ = 0.1 and 0.3 the
# error is larger, with 16 channels it is no smaller. The rounds are as many as there is time for.
RUN = GapRun(
    problem=Problem(
        m=32,
        n=64,
        unit_columns=True,
        seed=1000,
        dtype="float32",
        rate=0.1,
        variance=1.0,
        snr=30,
        depth=0,
        test=Signals(10_000, seed=1001),
        chunk=2000,
        digits=8,
    ),
    network=Denoised(tied=False, lam=0.03, width=8, factor=1.4, seed=2000),
    training=ToConvergence(
        rates=(0.01, 0.03),
        decay=0.01,
        batch=100,
        seed=3000,
        steps=600,
        every=300,
        fall=0.05,
        rounds=6,
    ),
    pool=Signals(2000, seed=0),
    signals=0,
    validation=Signals(1000, seed=1002),
    points=100,
)
QUICK = replace(
    RUN,
    problem=replace(RUN.problem, m=16, n=32, test=Signals(1000, seed=1001)),
    network=replace(RUN.network, width=4),
    training=replace(RUN.training, batch=20, steps=12, every=6, rounds=2),
    pool=Signals(50, seed=0),
    validation=Signals(100, seed=1002),
    points=10,
)
RUNS = gap_runs(RUN, DEPTHS, COUNTS, SEEDS)
GENERALISATION_GAP = comparison(
    "generalisation-gap",
    RUNS,
    quick=comparison("generalisation-gap-quick", gap_runs(QUICK, (1, 3), (5, 50), (0,))),
)
