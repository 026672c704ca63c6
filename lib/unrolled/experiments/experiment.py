"""An experiment: configurations, what to do for each, and the rows that are kept of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unrolled.checks import check_callable, check_kind
from unrolled.experiments.jobs import Job, Measure, Queue, recipe_of
from unrolled.experiments.provenance import PACKAGE, commit_of, plain
from unrolled.experiments.records import Configuration, Finished, Pen, Records, label
from unrolled.experiments.table import Row, as_text, value_of
from unrolled.training.fit import place

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["RESULTS", "Configuration", "Experiment", "label"]

# Where the book keeps what was recorded. In a checkout this is a link to book/results, so that the
# rows are not among the code; in a wheel it is a copy, so that charts have them without a checkout.
RESULTS = PACKAGE / "experiments" / "results"


@dataclass(frozen=True)
class Experiment:
    """A loop over configurations, each of which is run once and leaves its rows on disk.

    In the folder of results NAME.csv holds the rows, each with its configuration, and NAME.json
    says for each configuration by which recipe, when, how long, on what and with which versions it
    ran. Both are written atomically as configurations are finished; what is recorded is not run
    again. Several processes may record into one folder at a time and share the configurations, and
    one may hand them to the workers of a Dask cluster.

    Attributes:
        name: of the experiment and its files.
        title: what it measures, in a line.
        configurations: dictionaries with equal keys, no two alike, in the order in which they are
            run. Their values are strings, booleans, finite numbers and None, which a table keeps as
            an empty cell.
        recipe: called as recipe(configuration); returns everything that decides the rows, in
            dictionaries and lists of strings, booleans, finite numbers and None. Rows that were
            recorded by another recipe are stale, and count as missing.
        measure: called as measure(configuration, place) with a `Place`; returns rows with equal
            keys, which are not those of the configuration.
        needs: called as needs(configuration); the configurations whose rows its measure is given.
        quick: the same experiment, small enough for a test, with a name and so with files of its
            own.

    Raises:
        ValueError: the keys of configurations differ, two are alike, a value would come back from a
            table as another, or `quick` has the same name.
    """

    name: str
    title: str
    configurations: Sequence[Configuration]
    recipe: Callable[[Configuration], Mapping[str, object]]
    measure: Measure
    needs: Callable[[Configuration], Sequence[Configuration]] | None = None
    quick: Experiment | None = None

    def __post_init__(self) -> None:
        for name, kind in {"name": str, "title": str, "configurations": Sequence}.items():
            check_kind(name, getattr(self, name), kind)
        for name in ("recipe", "measure", *(() if self.needs is None else ("needs",))):
            check_callable(name, getattr(self, name))
        if self.quick is not None:
            check_kind("quick", self.quick, Experiment)
            if self.quick.name == self.name:
                raise ValueError(f"quick has the name {self.name!r}, too; another one is needed")
        for k, configuration in enumerate(self.configurations):
            check_kind(f"configurations[{k}]", configuration, Mapping)
        seen: set[frozenset[tuple[str, object]]] = set()
        for k, configuration in enumerate(self.configurations):
            if configuration.keys() != self.configurations[0].keys():
                raise ValueError(f"configurations[{k}] has other keys than configurations[0]")
            for key, value in configuration.items():
                plain(value, f"configurations[{k}].{key}")
                back = value_of(as_text(value))
                if type(back) is not type(value) or back != value:
                    raise ValueError(
                        f"configurations[{k}].{key} is {value!r}, which a table gives back as "
                        f"{back!r}; another value is needed"
                    )
            if (mark := frozenset(configuration.items())) in seen:
                raise ValueError(f"configurations[{k}] is {configuration}, which is there twice")
            seen.add(mark)

    def run(
        self,
        device: str | torch.device = "cpu",
        results: str | Path = RESULTS,
        only: Configuration | None = None,
        report: Callable[[str], None] = print,
        client: Client | None = None,
    ) -> None:
        """Run what is not recorded yet; a configuration that another process records is left to it.

        The first failure ends the run; what other workers are at is still recorded.

        Args:
            device: where it runs. With a client each worker has it; of several GPUs on a machine
                the workers of `experiments.cluster.local` take one each.
            results: folder of the recorded rows, which this process alone writes.
            only: narrows it to the configurations with these values.
            report: told what happens, line by line.
            client: of a Dask cluster, whose workers measure, one configuration each at a time. A
                worker needs the package, in the same version; one that dies has its configuration
                run again by another. None runs one configuration after the other in this process.

        Raises:
            ValueError: no configuration has the values of `only`, what is recorded cannot be read,
                one needs another that is not recorded, a recipe is not made of what JSON holds, or
                `measure` returns no rows, rows of different keys or rows with a key of the
                configuration.
        """
        records = Records(results, self.name)
        check_callable("report", report)
        if client is None:
            device = place(device)
        _check_only(only)
        wanted = (only or {}).items()
        if not any(wanted <= configuration.items() for configuration in self.configurations):
            raise ValueError(f"only is {dict(wanted)}; no configuration of {self.name} has these")
        todo = [c for c in self.missing(results) if wanted <= c.items()]
        # The code that runs is what is imported by now, whatever becomes of it on disk.
        commit = commit_of(PACKAGE)
        if todo and (commit is None or commit.endswith("+")):
            report(f"{self.name}: no commit holds this code; its rows cannot be reproduced exactly")
        queue = Queue(self, records, todo, commit, report)
        measured: Iterable[tuple[Job, Finished]]
        if client is None:
            measured = ((job, job.run(self.measure, torch.device(device))) for job in queue)
        else:
            from unrolled.experiments.cluster import spread

            measured = spread(client, self.measure, queue, str(device))
        # What others wait for is written at once.
        pen, began = Pen(records, seconds=1 if self.needs is None else 0), time.monotonic()
        try:
            for done, (job, finished) in enumerate(measured, 1):
                pen.add(finished, queue.claimed.pop(job.folder))
                shutil.rmtree(job.folder, ignore_errors=True)
                left = (time.monotonic() - began) / done * (len(todo) - done)
                took = finished.provenance["seconds"]
                report(
                    f"{self.name}: {label(job.configuration)}: {took:.0f} s, "
                    f"{done} of {len(todo)}, {_duration(left)} left"
                )
        finally:
            pen.write()
            for lock in queue.claimed.values():
                lock.release()

    def rows(self, results: str | Path = RESULTS, only: Configuration | None = None) -> list[Row]:
        """The recorded rows, all or those with the values of `only`.

        Numbers, booleans and texts come back as what they were; an empty cell is None.

        Raises:
            FileNotFoundError: there are none.
        """
        _check_only(only)
        records = Records(results, self.name)
        if not records.table.exists():
            raise FileNotFoundError(
                f"{records.table} is not there; python -m unrolled experiments run "
                f"{self.name} records its rows"
            )
        return records.rows(only)

    def provenance(self, results: str | Path = RESULTS) -> list[Row]:
        """One entry for each recorded configuration, which it holds under "configuration".

        Raises:
            ValueError: the file is not one that was recorded.
        """
        return Records(results, self.name).entries()

    def missing(self, results: str | Path = RESULTS) -> list[Configuration]:
        """The configurations that are not recorded yet by their recipe, in their order."""
        records = Records(results, self.name)
        return [c for c in self.configurations if not records.holds(c, recipe_of(self, c))]

    def status(self, results: str | Path = RESULTS) -> list[tuple[Configuration, str]]:
        """What has become of each configuration: "recorded", "missing", "running" or "stale".

        Stale rows were recorded by a recipe that is no longer the code's. What is recorded of
        configurations that are no more is stale, too, and comes last.
        """
        records = Records(results, self.name)
        recorded = [entry["configuration"] for entry in records.entries()]

        def state(configuration: Configuration) -> str:
            recipe = recipe_of(self, configuration)
            if records.holds(configuration, recipe):
                return "recorded"
            if records.is_claimed(records.work_folder(configuration, recipe)):
                return "running"
            return "stale" if configuration in recorded else "missing"

        past = [c for c in recorded if c not in self.configurations]
        return [(c, state(c)) for c in self.configurations] + [(c, "stale") for c in past]


def _check_only(only: Configuration | None) -> None:
    if only is not None:
        check_kind("only", only, Mapping)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
