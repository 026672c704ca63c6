"""How low does each network get in sixteen layers? The comparison of the LISTA papers, run anew.

The normalised mean squared error on fresh signals after each layer, at three noise levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from unrolled.experiments.experiment import Configuration, Experiment
from unrolled.experiments.methods import Classical, Method, Run, Searched, Trained
from unrolled.experiments.problem import Problem, Signals, Validation
from unrolled.networks import selection_schedule

__all__ = ["LISTA_DEPTH", "PROBLEM", "SNRS", "comparison", "quick_runs", "runs"]

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


def quick_runs() -> tuple[Run, ...]:
    """Every method, as it is, on a small problem for a few steps: nothing to be quoted."""
    problem = replace(PROBLEM, m=20, n=40, snr=40, depth=4, test=Signals(100, seed=2), chunk=30)
    return tuple(Run(problem, _quick(method)) for method in methods(problem))


def _quick(method: Method) -> Method:
    if isinstance(method, Classical):
        return replace(method, signals=Signals(20, seed=1))
    if isinstance(method, Searched):
        return replace(method, few=10, signals=Signals(20, seed=1))
    return _few_steps(method)


def _few_steps(method: Trained) -> Trained:
    few = replace(method, alone=2, together=1, final=5, lr=1e-2, lr_together=1e-3)
    return few if few.start is None else replace(few, start=_few_steps(few.start))


def comparison(
    compared: Sequence[Run], name: str = "lista-depth", quick: Experiment | None = None
) -> Experiment:
    """The recorded comparison of these runs: what a run holds is both its recipe and what runs."""

    def starts(run: Run) -> list[Run]:
        start = getattr(run.method, "start", None)
        return [] if start is None else [replace(run, method=start)]

    known = [*compared, *(start for run in compared for start in starts(run))]

    def find(configuration: Configuration) -> Run:
        return next(run for run in known if run.configuration == configuration)

    return Experiment(
        name=name,
        title="Error against layer of learned and classical soft-threshold algorithms",
        configurations=tuple(run.configuration for run in compared),
        recipe=lambda configuration: asdict(find(configuration)),
        measure=lambda configuration, place: find(configuration).rows(place),
        needs=lambda configuration: [run.configuration for run in starts(find(configuration))],
        quick=quick,
    )


LISTA_DEPTH = comparison(runs(PROBLEM), quick=comparison(quick_runs(), "lista-depth-quick"))
