"""What the kernel of a notebook has to be told, and asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from IPython import get_ipython


def attended() -> bool:
    """Whether somebody may be asked something: what executes notebooks by itself allows it not."""
    return getattr(getattr(get_ipython(), "kernel", None), "_allow_stdin", True)


@contextmanager
def staying() -> Iterator[None]:
    """Run code of a reader that may call `sys.exit()`, `exit()` or `quit()`: the kernel stays.

    In a kernel the latter two raise nothing, but have it end once the cell has run.

    Raises:
        RuntimeError: the code called one of them, and has not caught the SystemExit.
    """
    shell = get_ipython()
    if shell is not None:
        shell.ask_exit = _leave
    try:
        yield
    except SystemExit as error:
        raise RuntimeError("the end of Python was asked for") from error
    finally:
        if shell is not None:
            vars(shell).pop("ask_exit", None)  # the method of its class is back


def _leave() -> NoReturn:
    raise SystemExit
