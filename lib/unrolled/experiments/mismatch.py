"""What does a wrong matrix cost? Networks trained for one matrix B, in a world that has another, A.

Three things can be meant, and each row says which one it measures:

- "matrix": the same y = Bx + w, but the network is told A: f(A; y) against f(B; y);
- "data": the network has B, but the data come by A: f(B; Ax + w) against f(B; Bx + w);
- "deployment": y = Ax + w, and the network is told B instead of A: f(B; y) against f(A; y).

A − B has one norm and is drawn at random, or found for each signal by an adversary who wants the
two outputs as far apart as they go. Where `unrolled.networks.certificate` is true of a network,
its bound stands beside what was measured.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from unrolled.experiments.experiment import Configuration, Experiment
from unrolled.experiments.jobs import Place
from unrolled.experiments.nets import Net
from unrolled.experiments.problem import Problem, Signals
from unrolled.experiments.table import Row
from unrolled.experiments.tuning import Tuning
from unrolled.networks import ALISTA, LISTA, certificate
from unrolled.sensing import SensingOperator
from unrolled.signals import nmse

__all__ = ["MISMATCH", "SCENARIOS", "Mismatched", "comparison"]

SCENARIOS = ("matrix", "data", "deployment")


@dataclass(frozen=True)
class Mismatched:
    """A network that is trained for B and met by A.

    Attributes:
        problem: y = Bx + w, whose test signals say how well the network does without mismatch.
        net: the network.
        tuning: how it is trained.
        sizes: of A − B, as shares of ‖B‖, in the spectral norm.
        signals: those that meet A.
        starts: random A − B for each signal, from each of which the adversary starts.
        rounds: of the adversary, each to the matrix of that norm that the gradient points to.
        chance: seed of A − B.
    """

    problem: Problem
    net: Net
    tuning: Tuning
    sizes: tuple[float, ...]
    signals: Signals
    starts: int
    rounds: int
    chance: int

    @property
    def configuration(self) -> dict[str, str | int]:
        """The network's name and the seed of B, of its first parameters and of its signals."""
        return {"network": self.net.name, "seed": self.problem.seed}

    def rows(self, place: Place) -> list[Row]:
        """Train it, and put it in each scenario: how far the outputs are apart, and how wrong."""
        problem = self.problem
        fitted = self.tuning.fitted(lambda: self.net.build(problem), problem, place)
        net = fitted.net
        y, x = (part.to(place.device) for part in problem.drawn(problem.test))
        with torch.no_grad():
            estimates = torch.cat([net(chunk) for chunk in y.split(problem.chunk)])
        common = fitted.columns(problem.digits) | {"test": self._error(estimates, x)}
        # The distances are small: they are measured in double precision.
        net = net.double()
        B = problem.operator().dense().double().to(place.device)
        pairs = problem.drawn(self.signals)
        y, x = (part.double().to(place.device).repeat(self.starts, 1) for part in pairs)
        rows = []
        for scenario in SCENARIOS:
            if isinstance(net, LISTA) and scenario != "data":
                continue  # it knows A by its weights alone, and can be told no other
            world = _World(net, B, x, y, scenario)
            for size in self.sizes:
                start = self._drawn(size * norm(B), world)
                attack = world.attacked(start, self.rounds, self.starts)
                for kind, change in (("random", start), ("adversarial", attack)):
                    said = {"scenario": scenario, "change": kind, "size": size}
                    rows.append(said | self._measured(world, change) | common)
        return rows

    def _drawn(self, radius: Tensor, world: _World) -> Tensor:
        # The same for every size, but for the size.
        shape = (len(world.x), *world.B.shape)
        generator = torch.Generator().manual_seed(self.chance)
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64).to(world.B.device)
        return radius * drawn / norm(drawn)[:, None, None]

    def _measured(self, world: _World, change: Tensor) -> Row:
        with torch.no_grad():
            found, reference = world.outputs(change)
            moved = (found - reference).norm(dim=1) / norm(change)
            bound = world.bound(change)
        x = world.x[: len(found)]
        return {
            "moved": float(moved.mean()),
            "most": float(moved.max()),
            "bound": None if bound is None else float(bound.mean()),
            "share_of_bound": None if bound is None else float((moved / bound).max()),
            "nmse": self._error(found, x),
            "reference": self._error(reference, x),
        }

    def _error(self, estimate: Tensor, x: Tensor) -> float:
        return round(float(nmse(estimate, x)), self.problem.digits)


class _World:
    # A network made for B in one of the scenarios, with a matrix A = B + change for each signal.

    def __init__(self, net: Any, B: Tensor, x: Tensor, y: Tensor, scenario: str) -> None:
        self.net, self.B, self.x, self.y, self.scenario = net, B, x, y, scenario

    def outputs(self, change: Tensor) -> tuple[Tensor, Tensor]:
        """What is found, and what it is compared with, (B, n) each."""
        y = self.measured(change)
        if self.scenario == "matrix":
            return told(self.net, self.B + change, y), self.net(y)
        if self.scenario == "data":
            return self.net(y), self.net(self.y[: len(change)])
        return self.net(y), told(self.net, self.B + change, y)

    def measured(self, change: Tensor) -> Tensor:
        """y, by B or by A."""
        y = self.y[: len(change)]
        if self.scenario == "matrix":
            return y
        return y + _products(change, self.x[: len(change)])

    def bound(self, change: Tensor) -> Tensor | None:
        """Its certificate, where it is one for this network and what is compared."""
        if self.scenario == "data":
            return None
        try:
            return certificate(self.net, self.measured(change))
        except ValueError:
            return None

    def attacked(self, start: Tensor, rounds: int, starts: int) -> Tensor:
        """For each signal the change that was found to be the worst, of all rounds and starts.

        A round goes to the change of the same norm that the gradient of the squared distance points
        to, U·Vᵀ of its singular vectors: projected ascent, its step as long as it can be.
        """
        radius = norm(start)[:, None, None]
        change, best = start, start
        worst = start.new_zeros(len(start))
        for _ in range(rounds + 1):
            change = change.detach().requires_grad_(True)
            found, reference = self.outputs(change)
            squares = (found - reference).square().sum(1)
            better = squares.detach() > worst
            best = torch.where(better[:, None, None], change.detach(), best)
            worst = torch.where(better, squares.detach(), worst)
            (gradient,) = torch.autograd.grad(squares.sum(), change)
            U, _, Vh = torch.linalg.svd(gradient, full_matrices=False)
            change = radius * (U @ Vh)
        count = len(start) // starts
        chosen = worst.reshape(starts, count).argmax(0) * count + torch.arange(count).to(
            worst.device
        )
        return best[chosen]


class _Matrices(SensingOperator):
    # A matrix for each signal, (B, m, n), through which gradients pass, as they do not through a
    # `BatchOperator`, whose matrices are fixed.

    A: Tensor

    def __init__(self, A: Tensor) -> None:
        super().__init__()
        self.register_buffer("A", A)
        self.shape = (A.shape[1], A.shape[2])

    @property
    def dtype(self) -> torch.dtype:
        return self.A.dtype

    def dense(self) -> Tensor:
        return self.A

    def unchecked_forward(self, x: Tensor) -> Tensor:
        return _products(self.A, x)

    def unchecked_adjoint(self, y: Tensor) -> Tensor:
        return _products(self.A.mT, y)

    def unchecked_lmmse(self, r: Tensor, lam: float | Tensor) -> Tensor:
        identity = torch.eye(self.shape[0]).to(self.A)
        loading = lam[..., None] * identity if isinstance(lam, Tensor) else lam * identity
        return self.unchecked_adjoint(torch.linalg.solve(self.A @ self.A.mT + loading, r))


def told(net: Any, A: Tensor, y: Tensor) -> Tensor:
    """f(A; y) for a matrix of each signal, (B, m, n): what is learned, with another matrix."""
    if not isinstance(net, ALISTA):
        return net(y, operator=_Matrices(A))
    # ALISTA takes no operator with y: its weights are computed anew, as by `analytic_weights`.
    W = torch.linalg.solve(A @ A.mT, A)
    W = W / (W * A).sum(1, keepdim=True)

    def one(A: Tensor, W: Tensor, y: Tensor) -> Tensor:
        return functional_call(net, {"A": A, "weights": W}, (y[None],))[0]

    return vmap(one)(A, W, y)


def norm(A: Tensor) -> Tensor:
    """The spectral norm of each matrix."""
    return torch.linalg.matrix_norm(A, 2)


def _products(A: Tensor, x: Tensor) -> Tensor:
    return (A @ x[..., None])[..., 0]


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
TUNING = Tuning(
    rates=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    share=0.1,
    steps=6000,
    batch=64,
    decay=0.01,
    clip=10.0,
    every=250,
    training=Signals(50_000, seed=10),
    validation=Signals(2000, seed=20),
)
SEEDS = (0, 1, 2)
REAL: dict[str, object] = {"nonnegative": False, "real_signals": False, "checkpoint": None}
UNTIED: dict[str, object] = {"tied": False, "checkpoint": None, "real_signals": False}
UNCORRECTED = UNTIED | {"divergence_free": False}
ENTRYWISE: dict[str, object] = {"image": None, "kernel": 1, "width": 8, "layers": 2}
LEARNED = {"class": "ProxNet", "factor": 1.4, "complex_signals": False} | ENTRYWISE
# λ as in contraction-cost; a larger one makes the certificate smaller.
NETS = (
    Net("LISTA", "LISTA", REAL | {"tied": False, "penalty": 0.1}),
    Net("ALISTA", "ALISTA", REAL | {"penalty": 0.1, "lam": 0.0, "selection": None}),
    Net("OAMPNet", "OAMPNet", UNTIED | {"divergence_free": True, "lam": None}, LEARNED),
    Net("OAMPNet-uncorrected", "OAMPNet", UNCORRECTED | {"lam": None}, LEARNED),
    Net(
        "OAMPNet-firm",
        "OAMPNet",
        UNCORRECTED | {"lam": 0.1},
        {"class": "FirmProxNet", "threshold": 0.1} | ENTRYWISE,
    ),
    Net("UNet", "UNet", {"image": (8, 8), "parameters": 12_000, "real_signals": False}),
)


def runs(problem: Problem, tuning: Tuning, sizes: tuple[float, ...]) -> tuple[Mismatched, ...]:
    """Every network with every seed, seed by seed."""

    def seeded(net: Net, seed: int) -> Mismatched:
        def shifted(signals: Signals) -> Signals:
            return replace(signals, seed=signals.seed + seed)

        return Mismatched(
            problem=replace(problem, seed=seed, test=shifted(problem.test)),
            net=net,
            tuning=replace(
                tuning,
                training=shifted(tuning.training),
                validation=shifted(tuning.validation),
            ),
            sizes=sizes,
            signals=Signals(64, seed=40 + seed),
            starts=3,
            rounds=30,
            chance=50 + seed,
        )

    return tuple(seeded(net, seed) for seed in SEEDS for net in NETS)


def quick_runs() -> tuple[Mismatched, ...]:
    """Every network, as it is, with one seed on a small problem for a few steps."""
    problem = replace(PROBLEM, m=8, n=16, depth=3, test=Signals(50, seed=30), chunk=30)
    tuning = replace(
        TUNING,
        rates=(1e-3, 1e-2),
        steps=20,
        every=10,
        training=Signals(500, seed=10),
        validation=Signals(100, seed=20),
    )
    small = {"image": (4, 4), "parameters": 3000}
    return tuple(
        replace(
            run,
            net=replace(run.net, arguments={**run.net.arguments, **small})
            if run.net.network == "UNet"
            else run.net,
            signals=Signals(6, seed=40),
            starts=2,
            rounds=4,
        )
        for run in runs(problem, tuning, (0.01, 0.1))[: len(NETS)]
    )


def comparison(
    compared: tuple[Mismatched, ...], name: str = "mismatch", quick: Experiment | None = None
) -> Experiment:
    """The recorded comparison of these runs: what a run holds is both its recipe and what runs."""

    def find(configuration: Configuration) -> Mismatched:
        return next(run for run in compared if run.configuration == configuration)

    return Experiment(
        name=name,
        title="How far a wrong matrix moves what networks give, at random and at worst",
        configurations=tuple(run.configuration for run in compared),
        recipe=lambda configuration: asdict(find(configuration)),
        measure=lambda configuration, place: find(configuration).rows(place),
        quick=quick,
    )


SIZES = (0.001, 0.003, 0.01, 0.03, 0.1)
MISMATCH = comparison(
    runs(PROBLEM, TUNING, SIZES), quick=comparison(quick_runs(), "mismatch-quick")
)
