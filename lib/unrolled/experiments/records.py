"""The files of an experiment in a folder of results: what is recorded, and what is claimed."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from unrolled.checks import check_kind
from unrolled.experiments.provenance import digest
from unrolled.experiments.table import Row, as_csv, as_text, read_texts, value_of

__all__ = ["Configuration", "Finished", "Pen", "Records", "label"]

Configuration = Mapping[str, str | bool | int | float | None]


def label(configuration: Configuration) -> str:
    """A configuration as `--only` takes it; what stands for None is left empty."""
    check_kind("configuration", configuration, Mapping)
    return shlex.join(f"{key}={as_text(value)}" for key, value in configuration.items())


@dataclass(frozen=True)
class Finished:
    """A measured configuration: its rows, and what is said of them.

    Raises:
        ValueError: no rows, rows of different keys, or with a key of the configuration.
    """

    configuration: Configuration
    rows: list[Row]
    provenance: Row

    def __post_init__(self) -> None:
        keys = self.rows[0].keys() if self.rows else ()
        unlike = any(row.keys() != keys for row in self.rows)
        if not keys or keys & self.configuration.keys() or unlike:
            raise ValueError(
                f"measure returned {len(self.rows)} rows for {dict(self.configuration)}; at least "
                "one is needed, all with equal keys that are not the configuration's"
            )


class Records:
    """NAME.csv, the rows, and NAME.json, where they come from; under .NAME what is going on.

    Both files are written atomically. What has been read is kept until a file changes, so that a
    sweep of a thousand configurations does not read them a thousand times.
    """

    def __init__(self, results: str | Path, name: str) -> None:
        check_kind("results", results, (str, Path))
        self.name = name
        self.table = Path(results) / f"{name}.csv"
        self.origin = Path(results) / f"{name}.json"
        self.work = Path(results) / f".{name}"
        self._read: dict[str, tuple[object, Any]] = {}

    def texts(self) -> list[dict[str, str]]:
        """The cells of the table; none where it is not there."""
        return self._kept("texts", lambda: read_texts(self.table) if self.table.exists() else [])

    def rows(self, only: Configuration | None = None) -> list[Row]:
        """The recorded rows, all or those with the values of `only`, as what they were."""
        rows = ({key: value_of(text) for key, text in row.items()} for row in self.texts())
        return [row for row in rows if (only or {}).items() <= row.items()]

    def entries(self) -> list[Row]:
        """The provenance of each recorded configuration.

        Raises:
            ValueError: the file is not one that was recorded.
        """
        return self._kept("entries", self._entries)

    def holds(self, configuration: Configuration, recipe: object) -> bool:
        """Whether a configuration was recorded by this recipe, and its rows are there."""
        return self._kept("index", self._index).get(_key(configuration)) == digest(recipe)

    def work_folder(self, configuration: Configuration, recipe: object) -> Path:
        """Where the checkpoints of a configuration lie, until it is recorded by this recipe."""
        # Checkpoints of another recipe are not resumed.
        mark = digest([dict(configuration), recipe])[:8]
        # No value may lead out of the folder of results.
        texts = (*map(as_text, configuration.values()), mark)
        return self.work / re.sub(r"[^\w,.+ -]", "_", "-".join(texts))

    def claim(self, folder: Path) -> FileLock | None:
        """The right to record what is at work in the folder; None while another process has it."""
        lock = self._lock(folder.name)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        return lock

    def is_claimed(self, folder: Path) -> bool:
        """Whether a process records what is at work in the folder."""
        if not (self.work / f"{folder.name}.lock").exists():
            return False
        lock = self.claim(folder)
        if lock is not None:
            lock.release()
        return lock is None

    def add(self, finished: Iterable[Finished]) -> None:
        """Record configurations, in place of what was recorded of them."""
        # Read and written under one lock, so that no other process's rows are lost in between.
        with self._lock("files"):
            rows: list[Mapping[str, object]] = list(self.texts())
            entries = self.entries()
            finished = list(finished)
            # Rows of another recipe, or that a kill between the two files has left, are replaced.
            replaced = {_key(f.configuration) for f in finished}
            keys = list(finished[0].configuration)
            rows = [row for row in rows if _key_of_texts(row, keys) not in replaced]
            entries = [e for e in entries if _key(e["configuration"]) not in replaced]
            for f in finished:
                rows += ({**f.configuration, **row} for row in f.rows)
                entries.append({"configuration": dict(f.configuration), **f.provenance})
            write_atomically(self.table, as_csv(rows))
            lines = (json.dumps(entry, ensure_ascii=False) for entry in entries)
            write_atomically(self.origin, "[\n" + ",\n".join(lines) + "\n]\n")

    def _entries(self) -> list[Row]:
        if not self.origin.exists():
            return []
        try:
            entries = json.loads(self.origin.read_text(encoding="utf-8"))
            if all({"configuration", "recipe"} <= entry.keys() for entry in entries):
                return entries
        except (ValueError, TypeError, AttributeError):
            pass
        raise ValueError(
            f"results holds {self.origin}, which is not a whole list of what was recorded"
        )

    def _index(self) -> dict[str, str]:
        # Whatever is said of rows that are lost, they are not recorded.
        entries = self.entries()
        keys = list(entries[0]["configuration"]) if entries else []
        there = {_key_of_texts(row, keys) for row in self.texts()}
        recorded = {_key(e["configuration"]): digest(e["recipe"]) for e in entries}
        return {key: recipe for key, recipe in recorded.items() if key in there}

    def _kept(self, what: str, read: Callable[[], Any]) -> Any:
        stamps = [_stamp(file) for file in (self.table, self.origin)]
        if what not in self._read or self._read[what][0] != stamps:
            self._read[what] = (stamps, read())
        return self._read[what][1]

    def _lock(self, name: str) -> FileLock:
        # The operating system's, which frees it when a process is killed.
        self.work.mkdir(parents=True, exist_ok=True)
        return FileLock(self.work / f"{name}.lock")


class Pen:
    """Writes what is finished into the records, once in so many seconds while much is finished.

    Writing a thousand rows anew for each of a thousand configurations takes longer than they do. A
    kill loses no more than the last second's, and whatever takes longer is written at once.
    """

    MOST = 100  # that wait at a time: each holds a lock, and a process may not hold many

    def __init__(self, records: Records, seconds: float) -> None:
        self.records, self.seconds = records, seconds
        self.waiting: list[tuple[Finished, FileLock]] = []
        self.written = -float("inf")

    def add(self, finished: Finished, lock: FileLock) -> None:
        """Record it, now or soon; the lock is given back when it is."""
        self.waiting.append((finished, lock))
        late = time.monotonic() - self.written >= self.seconds
        if late or len(self.waiting) >= self.MOST:
            self.write()

    def write(self) -> None:
        """Record what waits."""
        if self.waiting:
            self.records.add(finished for finished, _ in self.waiting)
            for _, lock in self.waiting:
                lock.release()
        self.waiting = []
        self.written = time.monotonic()


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is never seen half-written."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    os.replace(partial, path)


def _key(configuration: Configuration) -> str:
    return json.dumps(sorted((key, as_text(value)) for key, value in configuration.items()))


def _key_of_texts(row: Mapping[str, object], keys: list[str]) -> str:
    return json.dumps([(key, row.get(key)) for key in sorted(keys)])


def _stamp(file: Path) -> object:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
