"""Everything the book claims, checked in one run.

Each derivation step, sweep, attained instance, dropped assumption, refutation and answer key counts
one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from unrolled.chapters import BOOK, Chapter

__all__ = ["run"]


def run(only: str | None = None, *, count: int = 1000, book: Sequence[Chapter] = BOOK) -> int:
    """Check all chapters, or `only` one; print a table and a closing line; return the failures.

    Args:
        only: the name of a chapter.
        count: random instances in each theorem's sweep.
        book: the chapters, in order.

    Raises:
        ValueError: no chapter of the book has the name `only`.
    """
    chapters = [chapter for chapter in book if only in (None, chapter.name)]
    if not chapters:
        names = ", ".join(chapter.name for chapter in book)
        raise ValueError(f"only is {only!r}; chapters are {names}")
    passed = failed = 0
    started = time.perf_counter()
    for chapter in chapters:
        for name, verdict in chapter.verify(count):
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
