"""What this machine is, for colophons and provenance."""

from __future__ import annotations

import platform
import re
from pathlib import Path

__all__ = ["processor"]


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", info.read_text()) if info.exists() else []
    return " ".join((names or [platform.processor() or platform.machine()])[0].split())
