"""What this machine is, for colophons and provenance, and how much of it a process may use."""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

__all__ = ["THREADS", "cores", "limit_threads", "processor"]

# What tells PyTorch how many threads to use; who has set one of these has decided.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", info.read_text()) if info.exists() else []
    return " ".join((names or [platform.processor() or platform.machine()])[0].split())


def cores(root: Path | str = "/", environment: Mapping[str, str] = os.environ) -> int:
    """How many threads of this process can compute at once without waiting for one another.

    A container sees every core of its machine and may use one or two. This is the least of what the
    scheduler, the quotas of all control groups that the process is in (version 1 or 2), and
    CPU_LIMIT, which JupyterHub and so Binder set, allow: whole cores, and at least one.

    Args:
        root: the folder below which `proc` and `sys` are.
        environment: where CPU_LIMIT is looked up; what is not a positive number there says nothing.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    limits = [float(len(affinity(0)) if affinity else os.cpu_count() or 1)]
    limits += _quotas(Path(root))
    limits += _positive(environment.get("CPU_LIMIT", ""))
    return max(1, math.floor(min(limits)))


def limit_threads() -> None:
    """Keep PyTorch from waiting for threads of its own that have no core.

    It starts a thread for each core that it sees; under a quota of one core a chapter then takes
    several times as long. From here on there are no more than `cores()`, and never more than
    before. Where OMP_NUM_THREADS or MKL_NUM_THREADS is set, nothing changes.
    """
    if not any(name in os.environ for name in THREADS):
        torch.set_num_threads(min(torch.get_num_threads(), cores()))


def _quotas(root: Path) -> Iterator[float]:
    """The cores that each control group grants, from the process's own up to the topmost.

    loky reads quotas, too, but those of the topmost group alone, and it rounds up.
    """
    mount = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = mount / "cpu" if controllers else mount  # version 1 names controllers, 2 does not
        files = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
        # In a container the top may be its own group, and the rest of the path not there.
        for group in (top / path.strip("/") / "any").parents:
            words = " ".join(_text(group / name) for name in files).split()
            numbers = [number for word in words for number in _positive(word)]
            if len(numbers) == 2:  # of quota and period; "max" and -1 are no quota
                yield numbers[0] / numbers[1]
            if group == top:
                break


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _positive(text: str) -> list[float]:
    """The number that a text is, if it is a positive one."""
    try:
        number = float(text)
    except ValueError:
        return []
    return [number] if 0 < number < math.inf else []
