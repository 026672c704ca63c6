"""What is to be measured: one job for each configuration, claimed when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from filelock import FileLock

from unrolled.experiments.provenance import Stopwatch, plain, provenance
from unrolled.experiments.records import Configuration, Finished, Records, label
from unrolled.experiments.table import Row

if TYPE_CHECKING:
    from unrolled.experiments.experiment import Experiment

__all__ = ["Job", "Measure", "Place", "Queue", "recipe_of"]


@dataclass(frozen=True)
class Place:
    """Where a configuration is measured.

    Attributes:
        device: on which it computes.
        folder: for its checkpoints; what lies there is still there after a kill.
        recorded: the rows of each configuration that it needs.
    """

    device: torch.device
    folder: Path
    recorded: Sequence[list[Row]] = ()


Measure: TypeAlias = Callable[[Configuration, Place], list[Row]]


@dataclass(frozen=True)
class Job:
    """A configuration to be measured, with all that this takes but the measure.

    Attributes:
        configuration: to be measured.
        recipe: by which.
        folder: for its checkpoints.
        recorded: the rows of each configuration that it needs.
        commit: what the code is that runs.
    """

    configuration: Configuration
    recipe: object
    folder: Path
    recorded: list[list[Row]]
    commit: str | None

    def run(self, measure: Measure, device: torch.device) -> Finished:
        """Measure it here."""
        started, watch = datetime.now(UTC), Stopwatch(self.folder / "seconds")
        with watch:
            rows = measure(self.configuration, Place(device, self.folder, self.recorded))
        kept = provenance(self.recipe, started, watch.seconds, device, self.commit)
        return Finished(self.configuration, rows, kept)


def recipe_of(experiment: Experiment, configuration: Configuration) -> object:
    """A configuration's recipe, as JSON gives it back."""
    return plain(experiment.recipe(configuration), "recipe")


class Queue:
    """The jobs of a run, each claimed when its turn comes.

    Attributes:
        claimed: the lock of each job that is not recorded yet, by its folder.
    """

    def __init__(
        self,
        experiment: Experiment,
        records: Records,
        todo: Sequence[Configuration],
        commit: str | None,
        report: Callable[[str], None],
    ) -> None:
        self.experiment, self.records, self.commit = experiment, records, commit
        self.todo, self.report = list(todo), report
        self.claimed: dict[Path, FileLock] = {}

    def __iter__(self) -> Iterator[Job]:
        while (job := self.next()) is not None:
            yield job

    def next(self) -> Job | None:
        """The next job that needs nothing that is not recorded yet; None if none is left.

        None comes, too, while all that is left needs what is being measured.

        Raises:
            ValueError: a configuration needs another that nobody is measuring.
        """
        lacking: list[tuple[Configuration, Configuration]] = []
        for configuration in list(self.todo):
            needed = self._needs(configuration)
            lacks = [c for c in needed if not self._is_recorded(c)]
            if lacks:
                lacking.append((configuration, lacks[0]))
                continue
            self.todo.remove(configuration)
            job = self._claim(configuration, needed)
            if job is not None:
                return job
        if lacking and not self.claimed:
            configuration, lacks_first = lacking[0]
            called = label(lacks_first)
            raise ValueError(
                f"{called} is not recorded, which {label(configuration)} needs; record it first: "
                f"python -m unrolled experiments run {self.experiment.name} --only {called}"
            )
        return None

    def _is_recorded(self, configuration: Configuration) -> bool:
        return self.records.holds(configuration, recipe_of(self.experiment, configuration))

    def _needs(self, configuration: Configuration) -> Sequence[Configuration]:
        needs = self.experiment.needs
        return () if needs is None else needs(configuration)

    def _claim(self, configuration: Configuration, needed: Sequence[Configuration]) -> Job | None:
        experiment, records = self.experiment, self.records
        recipe = recipe_of(experiment, configuration)
        folder = records.work_folder(configuration, recipe)
        called = f"{experiment.name}: {label(configuration)}"
        lock = records.claim(folder)
        if lock is None:
            self.report(f"{called}: left to the process that is recording it")
            return None
        if self._is_recorded(configuration):  # another process has been faster
            lock.release()
            return None
        self.report(called)
        self.claimed[folder] = lock
        recorded = [records.rows(c) for c in needed]
        return Job(configuration, recipe, folder, recorded, self.commit)
