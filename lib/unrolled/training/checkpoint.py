"""Files that a run resumes from: written whole, read on any device, tied to their settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["check_settings", "description", "load", "save", "sketch"]

# Rounding differs between machines, and a run may go on on another.
SAME = 1e-5
# Attributes of modules that decide nothing of what they compute.
INDIFFERENT = ("training", "segments")


def save(state: object, path: Path) -> None:
    """Write `state` by torch.save, whole or not at all: a kill leaves the file that was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote, on the CPU, whichever device it lay on.

    Raises:
        ValueError: the file is none that `save` wrote, or not whole.
    """
    try:
        # weights_only: a checkpoint is data and never runs code.
        state = torch.load(path, weights_only=True, map_location="cpu")
    except PermissionError:
        raise
    except Exception as error:  # whatever the bytes of another file lead to
        raise ValueError(
            f"checkpoint is {path}, which is not a whole checkpoint ({type(error).__name__}); "
            "delete it or begin another file"
        ) from error
    if not isinstance(state, dict) or not isinstance(state.get("settings"), dict):
        raise ValueError(f"checkpoint is {path}, which does not say with what settings it began")
    return state


def check_settings(settings: dict[str, object], state: dict[str, Any], path: Path) -> None:
    """Raise ValueError for the first setting that is not the one `state`, read at `path`, holds."""
    began = state["settings"]
    moved = {
        name
        for name, tensor in state.get("net", {}).items()
        # A buffer that the run itself has changed, a BatchNorm's for instance.
        if _is_sketch(old := began.get(f"net.{name}")) and not _alike(old, sketch(tensor))
    }
    for name in {**settings, **began}:
        value, before = settings.get(name), began.get(name)
        if name.removeprefix("net.") in moved or _alike(value, before):
            continue
        told, earlier = _told(value), _told(before)
        earlier = f"other entries, {earlier}" if told == earlier else earlier
        raise ValueError(
            f"{name} is {told}, but {path} began with {earlier}; resume with the settings of "
            "the beginning or begin another file"
        )


def description(net: nn.Module) -> dict[str, object]:
    """What decides what a network computes, beside the values of what it learns.

    The classes of its modules, their plain attributes, and a `sketch` of every tensor that does not
    learn, by names that begin with "net".
    """
    found: dict[str, object] = {}
    for path, module in net.named_modules():
        at = f"net.{path}" if path else "net"
        found[at] = type(module).__name__
        for name, value in vars(module).items():
            if not name.startswith("_") and name not in INDIFFERENT:
                if isinstance(value, Tensor):
                    found[f"{at}.{name}"] = sketch(value)
                elif _is_plain(value):
                    found[f"{at}.{name}"] = _told(value)
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        found[f"net.{name}"] = _kind(tensor) if tensor.requires_grad else sketch(tensor)
    return found


def sketch(tensor: Tensor) -> dict[str, object]:
    """A few numbers that tell a tensor from others, but not from one that is rounded otherwise."""
    dense = tensor.detach().cpu().to_dense()
    real = torch.view_as_real(dense.resolve_conj()) if dense.is_complex() else dense
    flat = real.double().flatten().nan_to_num()
    # As good as random, and the same everywhere.
    weights = torch.arange(1, len(flat) + 1, dtype=torch.float64).cos()
    return {"kind": _kind(tensor), "norm": float(flat.norm()), "along": float(flat @ weights)}


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _is_sketch(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"kind", "norm", "along"}


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _alike(one: Any, other: Any) -> bool:
    if _is_sketch(one) and _is_sketch(other):
        near = SAME * max(one["norm"], other["norm"])
        apart = (abs(one[name] - other[name]) for name in ("norm", "along"))
        return one["kind"] == other["kind"] and all(distance <= near for distance in apart)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(map(_alike, one, other))
    return one == other


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("kind"))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_told, value))}]"
    return str(value)
