"""Files that a run resumes from: written whole, read on any device, tied to their settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

__all__ = ["check_settings", "load", "save"]


def save(state: object, path: Path) -> None:
    """Write `state` by torch.save, whole or not at all: a kill leaves the file that was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote, on the CPU, whichever device it lay on."""
    # weights_only: a checkpoint is data and never runs code.
    return torch.load(path, weights_only=True, map_location="cpu")


def check_settings(settings: dict[str, object], state: dict[str, Any], path: Path) -> None:
    """Raise ValueError for the first setting that is not the one `state`, read at `path`, holds."""
    if "settings" not in state:
        raise ValueError(f"checkpoint is {path}, which does not say with what settings it began")
    for name, value in settings.items():
        before = state["settings"].get(name)
        if before != value:
            raise ValueError(
                f"{name} is {value}, but {path} began with {before}; resume with the settings of "
                "the beginning or begin another file"
            )
