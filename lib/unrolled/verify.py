"""Everything the book claims, checked in one run.

Each derivation step, sweep, definition, attained instance, dropped assumption, refutation and
answer key counts one. A line says what decided it and how tight it is.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import torch

from unrolled.chapters import BOOK, Chapter
from unrolled.machine import cores
from unrolled.verdict import Verdict

__all__ = ["run"]


WORKERS = min(2, cores())

Named = tuple[str, Verdict]  # of a guarantee or a question


def run(only: str | None = None, *, count: int = 1000, book: Sequence[Chapter] = BOOK) -> int:
    """Check all chapters, or `only` one; print a table and a closing line; return the failures.

    The chapters of the book are checked by two processes, where there are two cores.

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
    shared = book is BOOK and WORKERS > 1
    for name, verdict in _divided(chapters, count) if shared else _in_turn(chapters, count):
        mark = "ok  " if verdict.passed else "FAIL"
        print(f"{mark} {name:<28} {_short(verdict.label):<62} {verdict.detail}", flush=True)
        passed += verdict.passed
        failed += not verdict.passed
    print(f"checked in {time.perf_counter() - started:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return failed


def _in_turn(chapters: Sequence[Chapter], count: int) -> Iterator[Named]:
    for chapter in chapters:
        yield from chapter.verify(count)


def _divided(chapters: Sequence[Chapter], count: int) -> Iterator[Named]:
    # Theorems cannot be sent to a process; their places in the book can.
    places = [(BOOK.index(chapter), i) for chapter in chapters for i in range(len(chapter.checked))]
    with ProcessPoolExecutor(
        WORKERS,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
    ) as pool:
        for found in pool.map(_at, places, [count] * len(places)):
            yield from found


def _at(place: tuple[int, int], count: int) -> list[Named]:
    chapter, number = BOOK[place[0]], place[1]
    return list(chapter.verify_one(chapter.checked[number], count))


def _short(text: str, width: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
