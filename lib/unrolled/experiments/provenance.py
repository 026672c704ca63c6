"""What is kept beside recorded rows: their recipe, and when, how long and on what they ran."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import subprocess
import time
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy
import torch

from unrolled.experiments.table import Row
from unrolled.machine import processor

__all__ = ["PACKAGE", "Stopwatch", "commit_of", "digest", "plain", "provenance", "source"]

# The library's code.
PACKAGE = Path(__file__).resolve().parents[1]


def plain(value: object, key: str) -> object:
    """A recipe as JSON gives it back: tuples as lists, mappings as dictionaries.

    Args:
        value: mappings with strings as keys, lists and tuples of strings, booleans, finite numbers
            and None.
        key: what the value is called in an error.

    Raises:
        ValueError: the value, or something in it, is none of these; the message names its key.
    """
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise ValueError(f"{key} has the key {name!r}; strings are needed")
        return {name: plain(part, f"{key}.{name}") for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part, f"{key}[{k}]") for k, part in enumerate(value)]
    if value is None or isinstance(value, str | int) or _is_finite(value):
        return value
    raise ValueError(
        f"{key} is {value!r}; strings, booleans, finite numbers, None, and lists and dictionaries "
        "of these are needed"
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def digest(value: object) -> str:
    """The SHA-256 of a `plain` value's JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def provenance(
    recipe: object,
    started: datetime,
    seconds: float,
    device: str | torch.device,
    commit: str | None,
) -> Row:
    """What is kept of a run: its recipe, its time, this machine and the versions on it."""
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


@cache
def source() -> str:
    """A digest of the library's code, as it was when first asked for."""
    mark = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        mark.update(file.relative_to(PACKAGE).as_posix().encode() + file.read_bytes())
    return mark.hexdigest()


class Stopwatch:
    """Adds up what a configuration has taken, the runs that were interrupted included.

    Attributes:
        file: keeps the seconds between the runs.
        seconds: up to the last run's end.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self.seconds = float(file.read_text()) if file.exists() else 0.0
        except ValueError:
            raise ValueError(f"file is {file}, which holds no number of seconds") from None

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self.started
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(str(self.seconds))


def commit_of(folder: Path) -> str | None:
    """What the code in the folder was; "+" for changes to it that no commit holds, new files too.

    Returns:
        None where git does not know it.
    """

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # An environment often lies inside a repository that ignores it, and is not what that holds.
        git("ls-files", "--error-unmatch", ".")
        changed = git("status", "--porcelain", "--", ".")
        return git("describe", "--always") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
