"""An experiment: configurations, what to do for each, and the rows that are kept of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from unrolled.checks import check_callable, check_kind
from unrolled.experiments.provenance import Stopwatch, commit_of, digest, plain, provenance
from unrolled.experiments.table import Row, as_csv, as_text, read_texts, value_of
from unrolled.training.fit import place

__all__ = ["RESULTS", "Configuration", "Experiment", "label"]

Configuration = Mapping[str, str | bool | int | float | None]

# Where the book keeps what was recorded. In a checkout this is a link to book/results, so that the
# rows are not among the code; in a wheel it is a copy, so that charts have them without a checkout.
RESULTS = Path(__file__).resolve().parent / "results"


def label(configuration: Configuration) -> str:
    """A configuration as `--only` takes it; what stands for None is left empty."""
    check_kind("configuration", configuration, Mapping)
    return shlex.join(f"{key}={as_text(value)}" for key, value in configuration.items())


@dataclass(frozen=True)
class Experiment:
    """A loop over configurations, each of which is run once and leaves its rows on disk.

    In the folder of results NAME.csv holds the rows, each with its configuration, and NAME.json
    says for each configuration by which recipe, when, how long, on what and with which versions it
    ran. Both are written atomically after every configuration; what is recorded is not run again.
    Several processes may record into one folder at a time and share the configurations.

    Attributes:
        name: of the experiment and its files.
        title: what it measures, in a line.
        configurations: dictionaries with equal keys, no two alike. Their values are strings,
            booleans, finite numbers and None, which a table keeps as an empty cell.
        recipe: called as recipe(configuration); returns everything that decides the rows, in
            dictionaries and lists of strings, booleans, finite numbers and None. Rows that were
            recorded by another recipe count as missing.
        measure: called as measure(configuration, device, folder); returns rows with equal keys,
            which are not those of the configuration. It may keep checkpoints in the folder.

    Raises:
        ValueError: the keys of configurations differ, two are alike, or a value would come back
            from a table as another.
    """

    name: str
    title: str
    configurations: Sequence[Configuration]
    recipe: Callable[[Configuration], Mapping[str, object]]
    measure: Callable[[Configuration, torch.device, Path], list[Row]]

    def __post_init__(self) -> None:
        for name, kind in {"name": str, "title": str, "configurations": Sequence}.items():
            check_kind(name, getattr(self, name), kind)
        for name in ("recipe", "measure"):
            check_callable(name, getattr(self, name))
        for k, configuration in enumerate(self.configurations):
            check_kind(f"configurations[{k}]", configuration, Mapping)
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
            if configuration in self.configurations[:k]:
                raise ValueError(f"configurations[{k}] is {configuration}, which is there twice")

    def run(
        self,
        device: str | torch.device = "cpu",
        results: str | Path = RESULTS,
        only: Configuration | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        """Run what is not recorded yet; a configuration that another process records is left to it.

        Args:
            device: where it runs.
            results: folder of the recorded rows.
            only: narrows it to the configurations with these values.
            report: told what happens, line by line.

        Raises:
            ValueError: no configuration has the values of `only`, what is recorded cannot be read,
                a recipe is not made of what JSON holds, or `measure` returns no rows, rows of
                different keys or rows with a key of the configuration.
        """
        results, device = _folder(results), place(device)
        check_callable("report", report)
        _check_only(only)
        wanted = (only or {}).items()
        if not any(wanted <= configuration.items() for configuration in self.configurations):
            raise ValueError(f"only is {dict(wanted)}; no configuration of {self.name} has these")
        todo = [c for c in self.missing(results) if wanted <= c.items()]
        # The code that runs is what is imported by now, whatever becomes of it on disk.
        commit = commit_of(Path(__file__).resolve().parents[1])
        if todo and (commit is None or commit.endswith("+")):
            report(f"{self.name}: no commit holds this code; its rows cannot be reproduced exactly")
        for configuration in todo:
            called, recipe = label(configuration), self._recipe(configuration)
            # Checkpoints of another recipe are not resumed.
            mark = digest([dict(configuration), recipe])[:8]
            # No value may lead out of the folder of results.
            texts = (*map(as_text, configuration.values()), mark)
            stem = re.sub(r"[^\w,.+ -]", "_", "-".join(texts))
            try:
                lock = self._lock(results, stem).acquire(blocking=False)
            except Timeout:
                report(f"{self.name}: {called}: left to the process that is recording it")
                continue
            with lock:
                if configuration not in self.missing(results):  # another process has been faster
                    continue
                report(f"{self.name}: {called}")
                folder = results / f".{self.name}" / stem
                started, watch = datetime.now(UTC), Stopwatch(folder / "seconds")
                with watch:
                    rows = self.measure(configuration, device, folder)
                kept = provenance(recipe, started, watch.seconds, device, commit)
                self._record(results, configuration, rows, kept)
                shutil.rmtree(folder, ignore_errors=True)
                report(f"{self.name}: {called}: {watch.seconds:.0f} s")

    def rows(self, results: str | Path = RESULTS, only: Configuration | None = None) -> list[Row]:
        """The recorded rows, all or those with the values of `only`.

        Numbers, booleans and texts come back as what they were; an empty cell is None.

        Raises:
            FileNotFoundError: there are none.
        """
        _check_only(only)
        results = _folder(results)
        if not self._table(results).exists():
            raise FileNotFoundError(
                f"{self._table(results)} is not there; python -m unrolled experiments run "
                f"{self.name} records its rows"
            )
        rows = ({key: value_of(text) for key, text in row.items()} for row in self._texts(results))
        return [row for row in rows if (only or {}).items() <= row.items()]

    def provenance(self, results: str | Path = RESULTS) -> list[Row]:
        """One entry for each recorded configuration, which it holds under "configuration".

        Raises:
            ValueError: the file is not one that was recorded.
        """
        file = _folder(results) / f"{self.name}.json"
        if not file.exists():
            return []
        try:
            entries = json.loads(file.read_text(encoding="utf-8"))
            if all({"configuration", "recipe"} <= entry.keys() for entry in entries):
                return entries
        except (ValueError, TypeError, AttributeError):
            pass
        raise ValueError(f"results holds {file}, which is not a whole list of what was recorded")

    def missing(self, results: str | Path = RESULTS) -> list[Configuration]:
        """The configurations that are not recorded yet by their recipe, in their order."""
        results = _folder(results)
        done = [(e["configuration"], digest(e["recipe"])) for e in self.provenance(results)]
        rows = self._texts(results) if self._table(results).exists() else []

        def kept(configuration: Configuration) -> bool:  # whatever is said of rows that are lost
            texts = {key: as_text(value) for key, value in configuration.items()}
            return any(texts.items() <= row.items() for row in rows)

        return [
            configuration
            for configuration in self.configurations
            if (configuration, digest(self._recipe(configuration))) not in done
            or not kept(configuration)
        ]

    def _recipe(self, configuration: Configuration) -> object:
        return plain(self.recipe(configuration), "recipe")

    def _texts(self, results: Path) -> list[dict[str, str]]:
        return read_texts(self._table(results))

    def _table(self, results: Path) -> Path:
        return results / f"{self.name}.csv"

    def _lock(self, results: Path, name: str) -> FileLock:
        # The operating system's, which frees it when a process is killed.
        folder = results / f".{self.name}"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock")

    def _record(
        self, results: Path, configuration: Configuration, rows: list[Row], kept: Row
    ) -> None:
        keys = rows[0].keys() if rows else ()
        if not keys or keys & configuration.keys() or any(row.keys() != keys for row in rows):
            raise ValueError(
                f"measure returned {len(rows)} rows for {configuration}; at least one is needed, "
                "all with equal keys that are not the configuration's"
            )
        # Read and written under one lock, so that no other process's rows are lost in between.
        with self._lock(results, "files"):
            table = self._table(results)
            before = self._texts(results) if table.exists() else []
            # Rows of another recipe, or that a kill between the two files has left, are replaced.
            replaced = {key: as_text(value) for key, value in configuration.items()}
            others = [row for row in before if not replaced.items() <= row.items()]
            entries = [e for e in self.provenance(results) if e["configuration"] != configuration]
            entries.append({"configuration": configuration, **kept})
            _write_atomically(table, as_csv([*others, *({**configuration, **row} for row in rows)]))
            text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
            _write_atomically(results / f"{self.name}.json", text)


def _folder(results: str | Path) -> Path:
    check_kind("results", results, (str, Path))
    return Path(results)


def _check_only(only: Configuration | None) -> None:
    if only is not None:
        check_kind("only", only, Mapping)


def _write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    os.replace(partial, path)
