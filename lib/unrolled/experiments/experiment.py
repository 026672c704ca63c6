"""An experiment: configurations, what to do for each, and the rows that are kept of it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy
import torch

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
    written atomically after every configuration; what is recorded is not run again.
    """

    name: str
    title: str
    configurations: Sequence[Configuration]
    recipe: Callable[[Configuration], str]
    measure: Callable[[Configuration, torch.device, Path], list[Row]]

    def run(
        self,
        device: str | torch.device = "cpu",
        results: Path = RESULTS,
        only: Mapping[str, str] | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        """Run what is not recorded yet; `only` narrows it to configurations with these values.

        Raises ValueError when no configuration has the values of `only`.
        """
        wanted = (only or {}).items()
        if not any(wanted <= configuration.items() for configuration in self.configurations):
            raise ValueError(f"only is {dict(wanted)}; no configuration of {self.name} has these")
        for configuration in self.missing(results):
            if not wanted <= configuration.items():
                continue
            label = ", ".join(f"{key} {value}" for key, value in configuration.items())
            report(f"{self.name}: {label}")
            recipe = self.recipe(configuration)
            # Checkpoints of another recipe are not resumed.
            mark = hashlib.sha256(recipe.encode()).hexdigest()[:8]
            folder = results / f".{self.name}" / "-".join((*configuration.values(), mark))
            started, watch = datetime.now(UTC), _Stopwatch(folder / "seconds")
            with watch:
                rows = self.measure(configuration, torch.device(device), folder)
            seconds = watch.seconds
            self._record(
                results, configuration, rows, _provenance(started, seconds, device, recipe)
            )
            shutil.rmtree(folder, ignore_errors=True)
            report(f"{self.name}: {label}: {seconds:.0f} s")

    def rows(self, results: Path = RESULTS) -> list[Row]:
        """The recorded rows, numbers as numbers. Raises FileNotFoundError when there are none."""
        return [{key: _number(value) for key, value in row.items()} for row in self._texts(results)]

    def provenance(self, results: Path = RESULTS) -> list[Row]:
        """One entry for each recorded configuration, which it holds under "configuration"."""
        file = results / f"{self.name}.json"
        return json.loads(file.read_text()) if file.exists() else []

    def missing(self, results: Path = RESULTS) -> list[Configuration]:
        """The configurations that are not recorded yet by their recipe, in their order."""
        done = [(entry["configuration"], entry["recipe"]) for entry in self.provenance(results)]
        return [c for c in self.configurations if (c, self.recipe(c)) not in done]

    def _texts(self, results: Path) -> list[dict[str, str]]:
        with (results / f"{self.name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def _record(
        self, results: Path, configuration: Configuration, rows: list[Row], provenance: Row
    ) -> None:
        results.mkdir(parents=True, exist_ok=True)
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
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
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


def _provenance(started: datetime, seconds: float, device: str | torch.device, recipe: str) -> Row:
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
        "commit": _commit(),
    }


def _commit() -> str | None:
    # What the code was; "+" for changes that no commit holds.
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
