"""The last cell of a chapter: what it ran on, how long it took and how much memory it used."""

from __future__ import annotations

import html
import json
import platform
import re
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

from unrolled.machine import cores, processor

PACKAGES = ("torch", "numpy", "sympy", "anywidget", "matplotlib")


@dataclass(frozen=True)
class Colophon:
    """One run of one chapter.

    Attributes:
        versions: the version of Python and of each package that the results depend on.
        hardware: processor, cores that this process may use, and memory of the machine.
        device: where torch computes, "cpu" or the name of the accelerator.
        threads: of torch on the processor.
        seconds: from the start of the kernel to this moment.
        peak_memory: the most memory the kernel has held, in MB (10⁶ bytes).
    """

    versions: dict[str, str]
    hardware: str
    device: str
    threads: int
    seconds: float
    peak_memory: float

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, ready to be shown."""
        return [
            ("Versions", ", ".join(f"{name} {number}" for name, number in self.versions.items())),
            ("Hardware", self.hardware),
            ("Device", self.device),
            ("Threads", str(self.threads)),
            ("Time since the kernel started", f"{self.seconds:.1f} s"),
            ("Peak memory", f"{self.peak_memory:.0f} MB"),
        ]

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        rows = self.rows()
        cells = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
            for name, value in rows
        )
        run = html.escape(json.dumps(asdict(self)))
        return {
            "text/html": f'<table class="unrolled-colophon" data-run="{run}">{cells}</table>',
            "text/plain": "\n".join(f"{name}: {value}" for name, value in rows),
        }

    @classmethod
    def from_html(cls, page: str) -> Colophon | None:
        """The colophon in a piece of a page, or None where there is none."""
        found = re.search(r'<table class="unrolled-colophon" data-run="([^"]*)"', page)
        return cls(**json.loads(html.unescape(found[1]))) if found else None


def colophon() -> Colophon:
    """What this kernel runs on and has used so far; a chapter's last cell calls it."""
    started = psutil.Process().create_time()
    return Colophon(
        versions={
            "Python": platform.python_version(),
            **{name: version(name) for name in ("unrolled", *PACKAGES)},
        },
        hardware=hardware(),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        threads=torch.get_num_threads(),
        seconds=time.time() - started,
        peak_memory=peak_memory(),
    )


def hardware() -> str:
    """Processor, cores that this process may use, and memory of this machine."""
    free, memory = cores(), psutil.virtual_memory().total / 1e9
    return f"{processor()}, {free} {'core' if free == 1 else 'cores'}, {memory:.0f} GB memory"


def peak_memory() -> float:
    """The most memory that this process has held so far, in MB (10⁶ bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss would count the process that this one was forked from
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 1e6
    import resource  # absent on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS
