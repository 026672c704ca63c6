"""What to install where a room needs more than the bare library brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["extra"]


@contextmanager
def extra(name: str, user: str) -> Iterator[None]:
    """Say which extra to install where an import in this block does not find a package.

    Where blocks are nested, the outermost speaks: its extra brings all that was asked for.

    Args:
        name: an extra of pyproject.toml.
        user: who needs it, "unrolled.guarantees" for instance.

    Raises:
        ModuleNotFoundError: a package is missing; the message names it and the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "unrolled"):  # a mistake in the library, which no extra mends
            raise
        raise ModuleNotFoundError(
            f'{user} needs {package}, which is not installed; pip install "unrolled[{name}]" '
            "brings it",
            name=error.name,
        ) from None
