"""What does it cost that a layer may be repeated for ever? Networks trained, then run on.

Tied networks are trained to a few layers, some free, some with a layer that cannot escape, and
their layer is repeated a thousand times: on signals like those of the training, and on dense ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from unrolled.experiments.experiment import Configuration, Experiment
from unrolled.experiments.jobs import Place
from unrolled.experiments.nets import Net
from unrolled.experiments.problem import Problem, Signals
from unrolled.experiments.table import Row
from unrolled.experiments.tuning import Tuning
from unrolled.networks import (
    LISTA,
    LISTACP,
    ContractiveLISTA,
    ConvergentLISTA,
    OAMPNet,
    UnrolledNet,
)
from unrolled.sensing import DenseOperator
from unrolled.training import mean_squared_error

__all__ = ["CONTRACTION_COST", "RunOn", "comparison", "linear_part"]


@dataclass(frozen=True)
class RunOn:
    """A network that is trained on a problem and then run on.

    Attributes:
        problem: y = Ax + w and its test signals; the depth is that of the training.
        net: whose layers are all the same.
        penalty: weight of Σ‖x_{k+1} − x_k‖² beside the squared error in training.
        tuning: how it is trained.
        dense_rate: share of nonzero entries in the dense signals.
        layers: after which the error is recorded; the last one is the longest run.
        escape: a signal has escaped where its squared error exceeds the signals' mean square by so
            many dB, or is no number.
        most: errors are recorded up to so many dB, which stand for all that is larger or no number.
    """

    problem: Problem
    net: Net
    penalty: float
    tuning: Tuning
    dense_rate: float
    layers: tuple[int, ...]
    escape: float
    most: float

    @property
    def configuration(self) -> dict[str, str | int]:
        """The network's name and the seed of A, of its first parameters and of its signals."""
        return {"network": self.net.name, "seed": self.problem.seed}

    def rows(self, place: Place) -> list[Row]:
        """Train it and run it on: for each kind of signal and layer the error and who escapes."""
        problem = self.problem
        fitted = self.tuning.fitted(
            lambda: _Trajectory(self.net.build(problem)),
            problem,
            place,
            partial(penalised, weight=self.penalty),
        )
        net = cast(_Trajectory, fitted.net).net
        B = linear_part(net)
        radius = None if B is None else float(torch.linalg.eigvals(B).abs().max())
        common = fitted.columns(problem.digits) | {"radius": radius and round(radius, 9)}
        kinds = {"test": problem, "dense": replace(problem, rate=self.dense_rate)}
        return [
            {"signals": name, "layer": k} | errors | common
            for name, kind in kinds.items()
            for k, errors in zip(self.layers, self._errors(net, kind, place), strict=True)
        ]

    def _errors(self, net: UnrolledNet, problem: Problem, place: Place) -> list[Row]:
        # After each of the layers: the error of all signals, of the one in the middle, and the
        # share that has escaped.
        y, x = (part.to(place.device) for part in problem.drawn(problem.test))
        power = x.double().square().sum(1).mean()
        rows = zip(y.split(problem.chunk), x.split(problem.chunk), strict=True)
        relative = torch.cat([self._squares(net, *chunk) / power for chunk in rows], 1)
        columns = zip(relative.mean(1), relative.median(1).values, relative, strict=True)
        return [
            {
                "nmse": self._decibels(mean, problem.digits),
                "median": self._decibels(median, problem.digits),
                "escaped": float((own > 10 ** (self.escape / 10)).double().mean()),
            }
            for mean, median, own in columns
        ]

    def _squares(self, net: UnrolledNet, y: Tensor, x: Tensor) -> Tensor:
        # ‖x_k − x‖² of each signal at each of the layers, ∞ where it is no number.
        with torch.no_grad():
            iterates = net.trajectory(y, self.layers[-1])[list(self.layers)]
        squares = (iterates - x).double().square().sum(2)
        return squares.nan_to_num(nan=torch.inf, posinf=torch.inf)

    def _decibels(self, relative: Tensor, digits: int) -> float:
        return round(min(10 * float(relative.log10()), self.most), digits)


class _Trajectory(nn.Module):
    # All iterates, which a penalty on their steps looks at.

    def __init__(self, net: UnrolledNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, y: Tensor) -> Tensor:
        return self.net.trajectory(y)


def penalised(iterates: Tensor, x: Tensor, weight: float) -> Tensor:
    """The squared error of the last of the iterates, and weight·Σ‖x_{k+1} − x_k‖² from x_0 on."""
    error = mean_squared_error(iterates[-1], x)
    if weight == 0:
        return error
    return error + weight * iterates.diff(dim=0).square().sum() / len(x)


def linear_part(net: UnrolledNet) -> Tensor | None:
    """What a layer does to x before its nonlinearity: B in x ← D(Bx + b), b from y.

    Returns:
        (n, n), in double precision; None where a layer's linear step depends on x.
    """
    with torch.no_grad():
        if isinstance(net, ContractiveLISTA):
            return net.bounded_weight().double().mH
        if isinstance(net, LISTA):
            return net.W2[-1].double().mH
        if isinstance(net, OAMPNet):
            if net.lam is None or net.divergence_free:
                return None
            A = net.operator.dense().double()
            filtered = DenseOperator(A).lmmse(A.mT, net.lam).mT  # W_λA
            return torch.eye(len(filtered)).to(A) - net.damping[-1] * filtered
        if isinstance(net, LISTACP | ConvergentLISTA):
            W = net.weights() if isinstance(net, ConvergentLISTA) else net.W[-1]
            return torch.eye(W.shape[1]).to(A := net.A.double()) - W.double().mH @ A
    raise ValueError(f"net is a {type(net).__name__}, whose linear part is not known")


PROBLEM = Problem(
    m=32,
    n=64,
    unit_columns=True,
    seed=0,
    dtype="float32",
    rate=0.1,
    variance=1.0,
    snr=40,
    depth=8,
    test=Signals(2000, seed=30),
    chunk=500,
    digits=3,
)
# Five times the steps of a pilot with seed 0. They take the validation error of LISTA from −12.3 to
# −13.5 dB, so that it may fall further still, and that of LISTA-CP, −10.8 dB, by less than 0.1 dB.
TUNING = Tuning(
    rates=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    share=0.1,
    steps=10_000,
    batch=64,
    decay=0.01,
    clip=10.0,
    every=250,
    training=Signals(50_000, seed=10),
    validation=Signals(2000, seed=20),
)
SEEDS = (0, 1, 2)
# A is real, and signals have both signs.
REAL: dict[str, object] = {"nonnegative": False, "real_signals": False, "checkpoint": None}
SPARSE = REAL | {"penalty": 0.1}
ENTRYWISE: dict[str, object] = {"image": None, "kernel": 1, "width": 8, "layers": 2}
TIED = {"tied": True, "checkpoint": None, "real_signals": False}
# Each with the weight of its penalty. Of λ = 0.01, 0.03, 0.1 and 0.3, the third is the largest
# within 0.1 dB of the best on validation signals, after 400 steps at rate 0.03.
NETS = (
    (Net("LISTA", "LISTA", SPARSE | {"tied": True}), 0.0),
    (Net("LISTA-penalty", "LISTA", SPARSE | {"tied": True}), 1.0),
    (Net("ContractiveLISTA", "ContractiveLISTA", SPARSE | {"bound": 0.9}), 0.0),
    (Net("LISTA-CP", "LISTA-CP", SPARSE | {"tied": True, "selection": None}), 0.0),
    (Net("ConvergentLISTA", "ConvergentLISTA", SPARSE | {"bound": 1.99}), 0.0),
    (Net("ConvergentLISTA-firm", "ConvergentLISTA", SPARSE | {"bound": 1.0}), 0.0),
    (
        Net(
            "OAMPNet",
            "OAMPNet",
            TIED | {"divergence_free": True, "lam": None},
            {"class": "ProxNet", "factor": 1.4, "complex_signals": False} | ENTRYWISE,
        ),
        0.0,
    ),
    (
        Net(
            "OAMPNet-firm",
            "OAMPNet",
            TIED | {"divergence_free": False, "lam": 0.1},
            {"class": "FirmProxNet", "threshold": 0.1} | ENTRYWISE,
        ),
        0.0,
    ),
)


def runs(problem: Problem, tuning: Tuning, layers: tuple[int, ...]) -> tuple[RunOn, ...]:
    """Every network with every seed, seed by seed."""

    def seeded(net: Net, penalty: float, seed: int) -> RunOn:
        def shifted(signals: Signals) -> Signals:
            return replace(signals, seed=signals.seed + seed)

        return RunOn(
            problem=replace(problem, seed=seed, test=shifted(problem.test)),
            net=net,
            penalty=penalty,
            tuning=replace(
                tuning,
                training=shifted(tuning.training),
                validation=shifted(tuning.validation),
            ),
            dense_rate=1.0,
            layers=layers,
            escape=60,
            most=300,
        )

    return tuple(seeded(*net, seed) for seed in SEEDS for net in NETS)


def comparison(
    compared: tuple[RunOn, ...], name: str = "contraction-cost", quick: Experiment | None = None
) -> Experiment:
    """The recorded comparison of these runs: what a run holds is both its recipe and what runs."""

    def find(configuration: Configuration) -> RunOn:
        return next(run for run in compared if run.configuration == configuration)

    return Experiment(
        name=name,
        title="Error of tied networks at the depth they were trained to, and run on",
        configurations=tuple(run.configuration for run in compared),
        recipe=lambda configuration: asdict(find(configuration)),
        measure=lambda configuration, place: find(configuration).rows(place),
        quick=quick,
    )


def quick_runs() -> tuple[RunOn, ...]:
    """Every network, as it is, with one seed on a small problem for a few steps."""
    problem = replace(PROBLEM, m=12, n=24, depth=4, test=Signals(50, seed=30), chunk=30)
    tuning = replace(
        TUNING,
        rates=(1e-3, 1e-2),
        steps=20,
        every=10,
        training=Signals(500, seed=10),
        validation=Signals(100, seed=20),
    )
    return runs(problem, tuning, (1, 2, 4, 8, 50))[: len(NETS)]


RECORDED = (*range(1, 17), 32, 64, 100, 128, 256, 512, 1000)
CONTRACTION_COST = comparison(
    runs(PROBLEM, TUNING, RECORDED), quick=comparison(quick_runs(), "contraction-cost-quick")
)
