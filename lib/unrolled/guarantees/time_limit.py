"""A limit on how long a piece of pure Python may take."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["OutOfTime", "time_limit"]


class OutOfTime(BaseException):
    """Ends what took too long. No `except Exception` on the way catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in this thread when the block has run for that long.

    It works in every thread and on every system, but cannot interrupt a single call of compiled
    code. Limits do not nest.
    """
    thread = ctypes.c_ulong(threading.get_ident())
    turn, over, rung, heard = threading.Lock(), False, False, False

    def ring() -> None:
        nonlocal rung
        with turn:
            if not over:
                rung = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(OutOfTime))

    clock = threading.Timer(seconds, ring)
    clock.daemon = True
    clock.start()
    try:
        yield
    except OutOfTime:
        heard = True
        raise
    finally:
        try:
            clock.cancel()
            with turn:
                over = True
            clock.join()
            # Rung at the last moment: the exception is on its way, and is of no use any more. To
            # take it back would leave the interpreter waiting for it for ever.
            while rung and not heard:
                time.sleep(0.001)
        except OutOfTime:
            pass
