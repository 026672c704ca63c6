"""Everything the book claims, checked in one run.

Each derivation step, sweep, dropped assumption, refutation and answer key counts one.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator

from unrolled.guarantees import Theorem, Verdict, registered

__all__ = ["CHAPTERS", "run"]

# In the order of the book. Importing unrolled.chapters.NAME registers the guarantees that the
# chapter shows; they are named NAME.….
CHAPTERS = ("unrolling", "convergence", "rip")


def verdicts(chapter: str, count: int) -> Iterator[tuple[str, Verdict]]:
    """All checks of one chapter, each with the name of the guarantee or quick check it is of."""
    quick_checks = importlib.import_module(f"unrolled.chapters.{chapter}").QUICK_CHECKS
    for name, guarantee in registered().items():
        if name.split(".")[0] != chapter:
            continue
        found = guarantee.verify(count) if isinstance(guarantee, Theorem) else guarantee.verify()
        yield from ((name, verdict) for verdict in found)
    for quick_check in quick_checks:
        for label, passed, detail in quick_check.verify():
            yield quick_check.name, Verdict(f"answer key: {label}", passed, detail)


def run(only: str | None = None, *, count: int = 1000) -> int:
    """Check all chapters, or `only` one; print a table and a closing line; return the failures.

    count: random instances in each theorem's sweep.
    """
    if only is not None and only not in CHAPTERS:
        raise ValueError(f"only is {only!r}; chapters are {', '.join(CHAPTERS)}")
    passed = failed = 0
    started = time.perf_counter()
    for chapter in CHAPTERS if only is None else (only,):
        for name, verdict in verdicts(chapter, count):
            mark = "ok  " if verdict.passed else "FAIL"
            print(f"{mark} {name:<28} {_short(verdict.label):<62} {verdict.detail}", flush=True)
            passed += verdict.passed
            failed += not verdict.passed
    print(f"checked in {time.perf_counter() - started:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return failed


def _short(text: str, width: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
