"""Recorded experiments: what takes longer than a reader waits, run once and kept with its rows."""

from unrolled.extras import extra

with extra("experiments", "unrolled.experiments"):
    from unrolled.experiments.contraction_cost import CONTRACTION_COST
    from unrolled.experiments.experiment import RESULTS, Configuration, Experiment, label
    from unrolled.experiments.generalisation_gap import GENERALISATION_GAP
    from unrolled.experiments.jobs import Place
    from unrolled.experiments.lista_depth import LISTA_DEPTH
    from unrolled.experiments.mismatch import MISMATCH
    from unrolled.experiments.sample_complexity import SAMPLE_COMPLEXITY
    from unrolled.experiments.table import Row, value_of

__all__ = [
    "EXPERIMENTS",
    "RESULTS",
    "Configuration",
    "Experiment",
    "Place",
    "Row",
    "label",
    "value_of",
]

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        LISTA_DEPTH,
        SAMPLE_COMPLEXITY,
        GENERALISATION_GAP,
        CONTRACTION_COST,
        MISMATCH,
    )
}
