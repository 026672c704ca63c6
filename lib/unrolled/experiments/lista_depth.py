"""How low does each network get in sixteen layers? The comparison of the LISTA papers, run anew.

The normalised mean squared error on fresh signals after each layer, at three noise levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from unrolled.experiments.experiment import Configuration, Experiment, label
from unrolled.experiments.methods import Classical, Method, Place, Run, Searched, Trained
from unrolled.experiments.problem import Problem, Signals, Validation
from unrolled.experiments.table import Row
from unrolled.networks import selection_schedule

__all__ = ["LISTA_DEPTH", "PROBLEM", "SNRS", "comparison", "runs"]

PROBLEM = Problem(
    m=250,
    n=500,
    unit_columns=True,
    seed=0,
    dtype="float32",
    rate=0.1,
    variance=1.0,
    snr=None,
    depth=16,
    test=Signals(10_000, seed=2),
    chunk=2000,
    digits=3,
)
SNRS = (None, 40, 20)  # dB; None is no noise
# A is real, and signals have both signs.
REAL: dict[str, object] = {"nonnegative": False, "real_signals": False}


def methods(problem: Problem) -> tuple[Method, ...]:
    """What is compared on a problem."""
    # With so much noise the residual stays above the tenth of y at which HyperLISTA's cap ends.
    # From ISTA smaller steps end lower then, and from ALISTA, which more parameters improve on
    # there, larger ones.
    noisy = problem.snr == 20
    penalties = (0.003, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3)
    classical = (Classical(name, penalties, Signals(1000, seed=1)) for name in ("ISTA", "FISTA"))
    hyperlista = Searched(
        "HyperLISTA",
        # Without a cap some signals stand still long before the end.
        {"start": (0.002, 0.0, 0.0), "lam": 0.0, "cap": None if noisy else 0.7} | REAL,
        few=2000,
        signals=Signals(20_000, seed=1),
        grid=((0.01, 0.014, 0.018, 0.022), (0, 0.003, 0.006), (0.12, 0.25, 0.5)),
        starts=1,
        evaluations=60,
    )
    plain: dict[str, object] = {"penalty": 0.1, "selection": None} | REAL
    selecting = plain | {"selection": selection_schedule(problem.depth)}
    alista = Trained(
        "ALISTA",
        plain | {"lam": 0.0},
        alone=200,
        together=200,
        final=16000,
        lr=2e-2,
        lr_together=5e-3,
        decay=0.02,
        copy=True,
        batch=Signals(64, seed=1),
    )
    coupled = replace(
        alista,
        name="LISTA-CP",
        arguments={"tied": False} | selecting,
        alone=100,
        together=100,
        final=6000 if noisy else 5000,
        lr=1e-3,
        lr_together=2.5e-4 if noisy else 1e-3,
        validation=Validation(4000, seed=3, every=250),
    )
    coupled_plain = replace(
        coupled,
        arguments={"tied": False} | plain,
        alone=0,
        together=0,
        final=3000,
        lr=1e-4,
        lr_together=1e-4,
        start=alista,
        clip=1.0,
    )
    rate = 1e-4 if noisy else 1e-5
    lista = replace(
        coupled_plain,
        name="LISTA",
        arguments={"tied": False, "penalty": 0.1} | REAL,
        lr=rate,
        lr_together=rate,
    )
    return (
        *classical,
        hyperlista,
        replace(alista, arguments=selecting | {"lam": 0.0}, final=4000),
        alista,
        coupled,
        coupled_plain,
        lista,
    )


def runs(problem: Problem) -> tuple[Run, ...]:
    """Every method on the problem at every noise level, method by method."""
    levels = [replace(problem, snr=snr) for snr in SNRS]
    columns = [[Run(level, method) for method in methods(level)] for level in levels]
    return tuple(run for row in zip(*columns, strict=True) for run in row)


def comparison(compared: Sequence[Run]) -> Experiment:
    """The recorded comparison of these runs: what a run holds is both its recipe and what runs."""

    def find(configuration: Configuration) -> Run:
        return next(run for run in compared if run.configuration == configuration)

    def measure(configuration: Configuration, device: torch.device, folder: Path) -> list[Row]:
        run = find(configuration)

        def recorded(method: Method) -> list[Row]:
            return _recorded(replace(run, method=method), folder.parents[1])

        return run.rows(Place(device, folder, recorded))

    return Experiment(
        name="lista-depth",
        title="Error against layer of learned and classical soft-threshold algorithms",
        configurations=tuple(run.configuration for run in compared),
        recipe=lambda configuration: asdict(find(configuration)),
        measure=measure,
    )


def _recorded(run: Run, results: Path) -> list[Row]:
    # Checkpoints lie in the folder of results.
    alone = comparison((run,))
    if alone.missing(results):
        called = label(run.configuration)
        raise ValueError(
            f"{called} is not recorded, which this starts from; record it first: "
            f"python -m unrolled experiments run {alone.name} --only {called}"
        )
    return alone.rows(results, run.configuration)


LISTA_DEPTH = comparison(runs(PROBLEM))
