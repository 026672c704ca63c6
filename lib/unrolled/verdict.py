"""The outcome of one check: of a derivation step, a sweep, a counterexample or an answer key."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Verdict"]


@dataclass(frozen=True)
class Verdict:
    """Whether one thing holds, and why.

    Attributes:
        label: what was checked, in words.
        passed: whether it holds.
        detail: a sentence on what was seen.
    """

    label: str
    passed: bool
    detail: str
