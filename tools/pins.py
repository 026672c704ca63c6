"""Write constraints.txt: the version of every package that the book is built and tested with.

`make pins` resolves pyproject.toml afresh with the newest versions that its ranges allow, installs
nothing, and copies the reason for each direct dependency from the comment beside it there. Only
torch stays at its present pin, to be raised by hand: its newest file is a CUDA build that brings
gigabytes of packages with it. Where pip knows PyTorch's CPU index, `pins.py torch` raises it too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Every package of the book at the version that it is built and tested with.
# Written by `make pins`; edit by hand only the line of torch.
# For Linux x86-64 and Python 3.11. Use it as `pip install -c constraints.txt -e ".[test]"`.
# A reason stands beside each package that pyproject.toml names; the others are what those need.
"""


def reasons(pyproject: str) -> dict[str, str]:
    """The comment beside each dependency of a pyproject.toml, by canonical package name."""
    lines = re.findall(r'^\s*"([A-Za-z0-9._-]+)[^"]*",\s*# (.+)$', pyproject, flags=re.MULTILINE)
    return {canonicalize_name(name): reason.strip() for name, reason in lines}


def resolve(*requirements: str) -> dict[str, str]:
    """What pip would install for these requirements: canonical name to version."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), *requirements]
        subprocess.run(command, cwd=ROOT, check=True)
        found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return {canonicalize_name(item["name"]): item["version"] for item in found}


def render(pins: dict[str, str], why: dict[str, str]) -> str:
    """The text of constraints.txt. A label such as `+cpu` names a build, not a version: dropped."""
    lines = []
    for name in sorted(set(pins) - {"unrolled"}):
        pin = f"{name}=={pins[name].partition('+')[0]}"
        lines.append(f"{pin:<40} # {why[name]}" if name in why else pin)
    return HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = ROOT / "constraints.txt"
    held = re.search(r"^torch==(\S+)", target.read_text(), flags=re.MULTILINE)[1]
    why = reasons((ROOT / "pyproject.toml").read_text())
    target.write_text(render(resolve(".[test]", *(sys.argv[1:] or [f"torch=={held}"])), why))
