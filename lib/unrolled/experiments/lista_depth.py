"""How low does each network get in sixteen layers? The comparison of the LISTA papers, run anew.

m = 250, n = 500, unit-norm Gaussian columns, signals Bernoulli(0.1) × N(0, 1), without noise and at
SNR 40 and 20 dB; the normalised mean squared error on 10,000 fresh signals after each layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from unrolled.experiments.experiment import Configuration, Experiment, Row
from unrolled.iterations import fista, ista
from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    HyperLISTA,
    UnrolledNet,
    analytic_weights,
    selection_schedule,
)
from unrolled.sensing import DenseOperator, gaussian
from unrolled.signals import BernoulliGaussian, add_noise, nmse
from unrolled.training import fit_layerwise, search

__all__ = ["LISTA_DEPTH"]

M, N, DEPTH = 250, 500, 16
TEST = 10_000  # signals

Draw = Callable[[torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Recipe:
    """How a network is built and trained: `fit_layerwise`'s steps and rates, batches of `batch`.

    start: the recorded network whose steps and thresholds it starts from, with analytic weights,
    instead of from its algorithm. chosen: whether the parameters with the least error on 4,000
    other signals are kept, which notice the rare signal that explodes. clip: of the gradient's
    norm.
    """

    build: Callable[[DenseOperator], UnrolledNet] = field(repr=False)
    alone: int
    together: int
    final: int
    lr: float
    lr_together: float
    batch: int = 64
    start: str | None = None
    chosen: bool = False
    clip: float | None = None

    def train(
        self, operator: DenseOperator, snr: float, device: torch.device, folder: Path
    ) -> UnrolledNet:
        """The trained network."""
        net = self.build(operator)
        if self.start is not None:
            # Checkpoints lie in the folder of results.
            _copy_recorded(net, self.start, snr, folder.parents[1])
        options = {}
        if self.chosen:
            validation = _draw(operator, snr, 4000)(torch.Generator().manual_seed(3))
            options = {"validation": validation, "validate_every": 250}
        fit_layerwise(
            net,
            _draw(operator, snr, self.batch),
            alone=self.alone,
            together=self.together,
            final=self.final,
            lr=self.lr,
            lr_together=self.lr_together,
            decay=0.02,
            clip=self.clip,
            generator=torch.Generator().manual_seed(1),
            device=device,
            checkpoint=folder,
            progress=False,
            **options,
        )
        return net


def _copy_recorded(net: UnrolledNet, name: str, snr: float, results: Path) -> None:
    # LISTA-CP and LISTA contain ALISTA: W_k = γ_k W, and W₂ = I − AᵀW_k.
    rows = [
        row
        for row in LISTA_DEPTH.rows(results)
        if row["network"] == name and row["snr"] == snr and row["layer"]
    ]
    if len(rows) != DEPTH:
        raise ValueError(f"{name} at SNR {snr:g} is not recorded, from which this one starts")
    A = _operator().dense()
    W = analytic_weights(A)
    with torch.no_grad():
        for k, row in enumerate(rows):
            weights = row["step"] * W
            net.thresholds[k] = row["threshold"]
            if isinstance(net, LISTA):
                net.W1[k].copy_(weights)
                net.W2[k].copy_(torch.eye(N) - A.T @ weights)
            else:
                net.W[k].copy_(weights)


@dataclass(frozen=True)
class Search:
    """HyperLISTA's three numbers: a grid, then Nelder–Mead on few signals, then on many.

    The loss hangs on the few signals that come out worst, one in ten thousand, hence the many.
    cap: `HyperLISTA`'s, without which those stand still long before the end.
    """

    few: int = 2000
    batch: int = 20_000
    cap: float | None = 0.7

    def train(
        self, operator: DenseOperator, snr: float, device: torch.device, folder: Path
    ) -> UnrolledNet:
        """The network with the numbers found."""
        net = HyperLISTA(operator, DEPTH, cap=self.cap).to(device)
        drawn = _draw(operator, snr, self.batch)(torch.Generator().manual_seed(1))
        y, x = (part.to(device) for part in drawn)
        grid = [(0.01, 0.014, 0.018, 0.022), (0, 0.003, 0.006), (0.12, 0.25, 0.5)]
        search(net, (y[: self.few], x[: self.few]), net.c, grid, evaluations=60)
        search(net, (y, x), net.c, [[number] for number in net.c.tolist()], evaluations=60)
        return net


_SELECTION = selection_schedule(DEPTH)
NETWORKS: dict[str, Recipe | Search] = {
    "HyperLISTA": Search(),
    "ALISTA, selection": Recipe(
        lambda A: ALISTA(A, DEPTH, selection=_SELECTION), 200, 200, 4000, 2e-2, 5e-3
    ),
    "ALISTA": Recipe(lambda A: ALISTA(A, DEPTH), 200, 200, 16000, 2e-2, 5e-3),
    "LISTA-CP, selection": Recipe(
        lambda A: LISTACP(A, DEPTH, selection=_SELECTION), 100, 100, 5000, 1e-3, 1e-3, chosen=True
    ),
    "LISTA-CP": Recipe(
        lambda A: LISTACP(A, DEPTH), 0, 0, 3000, 1e-4, 1e-4, start="ALISTA", chosen=True, clip=1.0
    ),
    "LISTA": Recipe(
        lambda A: LISTA(A, DEPTH), 0, 0, 3000, 1e-5, 1e-5, start="ALISTA", chosen=True, clip=1.0
    ),
}
# With so much noise the residual stays above the tenth of y at which HyperLISTA's cap ends. From
# ISTA smaller steps end lower, and from ALISTA, which more parameters improve on here, larger ones.
AT_20_DB: dict[str, Recipe | Search] = {
    "HyperLISTA": Search(cap=None),
    "LISTA": replace(NETWORKS["LISTA"], lr=1e-4, lr_together=1e-4),
    "LISTA-CP, selection": replace(NETWORKS["LISTA-CP, selection"], final=6000, lr_together=2.5e-4),
}
ALGORITHMS = {"ISTA": ista, "FISTA": fista}
# The penalty that serves each algorithm best at layer 16 is looked for among these, on other
# signals than those of the test.
PENALTIES = (0.003, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3)


def _operator() -> DenseOperator:
    return gaussian(M, N, generator=torch.Generator().manual_seed(0), unit_columns=True)


def _draw(operator: DenseOperator, snr: float, count: int) -> Draw:
    signals = BernoulliGaussian(N, rate=0.1)

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = signals.draw(count, generator)
        return add_noise(operator.forward(x), snr, generator), x

    return draw


def _measure(configuration: Configuration, device: torch.device, folder: Path) -> list[Row]:
    name, snr = configuration["network"], float(configuration["snr"])
    operator = _operator()
    y, x = _draw(operator, snr, TEST)(torch.Generator().manual_seed(2))
    if name in ALGORITHMS:
        run = ALGORITHMS[name]
        y_other, x_other = _draw(operator, snr, TEST // 10)(torch.Generator().manual_seed(1))

        def error(penalty: float) -> float:
            iterates = run(operator, y_other, penalty=penalty, depth=DEPTH)
            return float(nmse(iterates[-1], x_other))

        best = min(PENALTIES, key=error)
        return _rows(nmse(run(operator, y, penalty=best, depth=DEPTH), x).tolist(), 0)
    recipe = _recipe(configuration)
    net = recipe.train(operator, snr, device, folder)
    with torch.no_grad():
        parts = [net.trajectory(part.to(device)).cpu() for part in y.split(TEST // 5)]
    errors = nmse(torch.cat(parts, 1), x).tolist()
    return _rows(errors, sum(p.numel() for p in net.parameters() if p.requires_grad), net)


def _rows(errors: list[float], parameters: int, net: UnrolledNet | None = None) -> list[Row]:
    # What each layer has learned, where that is a number: its threshold and its step.
    learned = {
        name: [] if getattr(net, name, None) is None else getattr(net, name).tolist()
        for name in ("thresholds", "steps")
    }
    return [
        {
            "layer": k,
            "nmse": round(error, 3),
            "parameters": parameters,
            "threshold": learned["thresholds"][k - 1] if k and learned["thresholds"] else "",
            "step": learned["steps"][k - 1] if k and learned["steps"] else "",
        }
        for k, error in enumerate(errors)
    ]


def _recipe(configuration: Configuration) -> Recipe | Search:
    name = configuration["network"]
    return AT_20_DB.get(name, NETWORKS[name]) if configuration["snr"] == "20" else NETWORKS[name]


def _described(configuration: Configuration) -> str:
    if configuration["network"] in ALGORITHMS:
        return f"penalty among {PENALTIES}"
    return repr(_recipe(configuration))


LISTA_DEPTH = Experiment(
    name="lista-depth",
    title="Error against layer of learned and classical soft-threshold algorithms",
    configurations=tuple(
        {"network": name, "snr": snr}
        for name in (*ALGORITHMS, *NETWORKS)
        for snr in ("inf", "40", "20")
    ),
    recipe=_described,
    measure=_measure,
)
