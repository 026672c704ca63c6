"""An experiment: configurations, what to do for each, and the rows that are kept of it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy
import torch
from filelock import FileLock, Timeout

from unrolled.machine import processor

__all__ = ["RESULTS", "Experiment", "Row"]

Configuration = Mapping[str, str]
Row = dict[str, object]

# Where the book keeps what was recorded: book/results of the checkout that this file lies in.
RESULTS = Path(__file__).resolve().parents[3] / "book" / "results"


@dataclass(frozen=True)
class Experiment:
    """A loop over configurations, each of which is run once and leaves its rows on disk.

    name: of the experiment and its files. title: what it measures, in a line.
    configurations: dictionaries of strings with equal keys, no two alike.
    recipe: what is done for a configuration, in words that change whenever that changes; rows that
        were recorded by another recipe count as missing.
    measure: called as measure(configuration, device, folder); returns rows with equal keys, which
        are not those of the configuration. It may keep checkpoints in the folder.

    In the folder of results NAME.csv holds the rows, each with its configuration, and NAME.json
    says for each configuration when, how long, on what and with which versions it ran. Both are
    written atomically after every configuration; what is recorded is not run again. Several
    processes may record into one folder at a time and share the configurations.

    Raises ValueError for configurations whose keys differ or that are alike.
    """

    name: str
    title: str
    configurations: Sequence[Configuration]
    recipe: Callable[[Configuration], str]
    measure: Callable[[Configuration, torch.device, Path], list[Row]]

    def __post_init__(self) -> None:
        for k, configuration in enumerate(self.configurations):
            if configuration.keys() != self.configurations[0].keys():
                raise ValueError(f"configurations[{k}] has other keys than configurations[0]")
            if not all(isinstance(value, str) for value in configuration.values()):
                raise ValueError(f"configurations[{k}] is {configuration}; strings are needed")
            if configuration in self.configurations[:k]:
                raise ValueError(f"configurations[{k}] is {configuration}, which is there twice")

    def run(
        self,
        device: str | torch.device = "cpu",
        results: Path = RESULTS,
        only: Mapping[str, str] | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        """Run what is not recorded yet; `only` narrows it to configurations with these values.

        A configuration that another process is recording is left to it.

        Raises ValueError when no configuration has the values of `only`, and when what `measure`
        returns is no rows, rows of different keys or rows with a key of the configuration.
        """
        wanted = (only or {}).items()
        if not any(wanted <= configuration.items() for configuration in self.configurations):
            raise ValueError(f"only is {dict(wanted)}; no configuration of {self.name} has these")
        todo = [c for c in self.missing(results) if wanted <= c.items()]
        # The code that runs is what is imported by now, whatever becomes of it on disk.
        commit = _commit(Path(__file__).resolve().parents[1])
        if todo and (commit is None or commit.endswith("+")):
            report(f"{self.name}: no commit holds this code; its rows cannot be reproduced exactly")
        for configuration in todo:
            label = ", ".join(f"{key} {value}" for key, value in configuration.items())
            recipe = self.recipe(configuration)
            # Checkpoints of another recipe are not resumed.
            mark = hashlib.sha256(json.dumps([dict(configuration), recipe]).encode()).hexdigest()
            # No value may lead out of the folder of results.
            stem = re.sub(r"[^\w,.+ -]", "_", "-".join((*configuration.values(), mark[:8])))
            try:
                lock = self._lock(results, stem).acquire(blocking=False)
            except Timeout:
                report(f"{self.name}: {label}: left to the process that is recording it")
                continue
            with lock:
                if configuration not in self.missing(results):  # another process has been faster
                    continue
                report(f"{self.name}: {label}")
                folder = results / f".{self.name}" / stem
                started, watch = datetime.now(UTC), _Stopwatch(folder / "seconds")
                with watch:
                    rows = self.measure(configuration, torch.device(device), folder)
                provenance = _provenance(started, watch.seconds, device, recipe, commit)
                self._record(results, configuration, rows, provenance)
                shutil.rmtree(folder, ignore_errors=True)
                report(f"{self.name}: {label}: {watch.seconds:.0f} s")

    def rows(self, results: Path = RESULTS) -> list[Row]:
        """The recorded rows, numbers as numbers. Raises FileNotFoundError when there are none."""
        return [{key: _number(value) for key, value in row.items()} for row in self._texts(results)]

    def provenance(self, results: Path = RESULTS) -> list[Row]:
        """One entry for each recorded configuration, which it holds under "configuration"."""
        file = results / f"{self.name}.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []

    def missing(self, results: Path = RESULTS) -> list[Configuration]:
        """The configurations that are not recorded yet by their recipe, in their order."""
        done = [(entry["configuration"], entry["recipe"]) for entry in self.provenance(results)]
        return [c for c in self.configurations if (c, self.recipe(c)) not in done]

    def _texts(self, results: Path) -> list[dict[str, str]]:
        with (results / f"{self.name}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _lock(self, results: Path, name: str) -> FileLock:
        # The operating system's, which frees it when a process is killed.
        folder = results / f".{self.name}"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock")

    def _record(
        self, results: Path, configuration: Configuration, rows: list[Row], provenance: Row
    ) -> None:
        keys = rows[0].keys() if rows else ()
        if not keys or keys & configuration.keys() or any(row.keys() != keys for row in rows):
            raise ValueError(
                f"measure returned {len(rows)} rows for {configuration}; at least one is needed, "
                "all with equal keys that are not the configuration's"
            )
        # Read and written under one lock, so that no other process's rows are lost in between.
        with self._lock(results, "files"):
            table = results / f"{self.name}.csv"
            before = self._texts(results) if table.exists() else []
            # Rows of another recipe, or that a kill between the two files has left, are replaced.
            kept = [row for row in before if not configuration.items() <= row.items()]
            entries = [e for e in self.provenance(results) if e["configuration"] != configuration]
            entries.append({"configuration": configuration, **provenance})
            _write_atomically(table, _as_csv([*kept, *({**configuration, **row} for row in rows)]))
            text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
            _write_atomically(results / f"{self.name}.json", text)


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _as_csv(rows: list[Row]) -> str:
    text = io.StringIO()
    # Every column there is: another recipe may have measured other things.
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    os.replace(partial, path)


class _Stopwatch:
    # Adds up what a configuration has taken, the runs that were interrupted included.

    def __init__(self, file: Path) -> None:
        self.file = file
        self.seconds = float(file.read_text()) if file.exists() else 0.0

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self.started
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(str(self.seconds))


def _provenance(
    started: datetime,
    seconds: float,
    device: str | torch.device,
    recipe: str,
    commit: str | None,
) -> Row:
    device = torch.device(device)
    return {
        "recipe": recipe,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "platform": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "commit": commit,
    }


def _commit(folder: Path) -> str | None:
    # What the code in the folder was; "+" for changes to it that no commit holds, new files too.
    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", ".")
        return git("describe", "--always") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
