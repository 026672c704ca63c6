"""How much is made at once, at most: what asks for more by mistake is told so, not left to hang."""

from __future__ import annotations

__all__ = ["LARGEST", "check_entries"]

LARGEST = 2**29  # entries, 4 GiB in double precision


def check_entries(name: str, value: object, entries: int) -> None:
    """Require that what `name` asks for has at most LARGEST entries; ValueError otherwise."""
    if entries > LARGEST:
        raise ValueError(
            f"{name} is {value}, which asks for {entries:,} entries; at most {LARGEST:,} are made"
        )
