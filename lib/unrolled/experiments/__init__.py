"""Recorded experiments: what takes longer than a reader waits, run once and kept with its rows."""

from unrolled.experiments.experiment import RESULTS, Experiment, Row
from unrolled.experiments.lista_depth import LISTA_DEPTH

__all__ = ["EXPERIMENTS", "RESULTS", "Experiment", "Row"]

EXPERIMENTS = {experiment.name: experiment for experiment in (LISTA_DEPTH,)}
