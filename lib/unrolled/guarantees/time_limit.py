"""A limit on how long a piece of pure Python may take."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["OutOfTime", "time_limit"]


class OutOfTime(BaseException):
    """Ends what took too long. No `except Exception` on the way catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in this thread when the block has run for that long.

    It works in every thread and on every system, but cannot interrupt a single call of compiled
    code.
    """
    thread = ctypes.c_ulong(threading.get_ident())

    def ring() -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(OutOfTime))

    clock = threading.Timer(seconds, ring)
    clock.daemon = True
    clock.start()
    try:
        yield
    finally:
        clock.cancel()
        clock.join()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)  # rung, but not yet heard
