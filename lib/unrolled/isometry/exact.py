"""The choice between the two exact methods, and the refusal of what would take too long.

What is chosen, and what is refused, depends on counts alone, never on a clock: the same call gives
the same answer on a slow machine and on a busy one. The unit of effort is a number that is looked
at. A support holds s² of them, and a node of branch and bound couples up to s columns with n.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from math import comb

from unrolled.isometry.branch_and_bound import branch_and_bound
from unrolled.isometry.enumeration import (
    SECOND,
    counted,
    enumerate_supports,
    enumeration_effort,
    readable,
)
from unrolled.isometry.searches import greedy_search
from unrolled.isometry.sparse_eigenvalue import EffortSpent, Found, SparseEigenvalue

__all__ = ["EXACT", "solve"]

EXACT = ("enumeration", "branch and bound")
QUICK = SECOND  # effort: up to here enumeration is the simplest proof
INSTEAD = "method='upper' and method='lower' bound it at once; a larger effort goes on for longer"


def solve(
    problem: SparseEigenvalue, method: str, *, effort: int, progress: bool
) -> tuple[Found, str]:
    """Solve by one of `EXACT`, or by "exact", which chooses: what was found, and the method used.

    "exact" enumerates what takes about a second. Else it branches and bounds, with no more effort
    than enumeration would need, and then enumerates if `effort` allows that. Values are in full,
    not in units.

    Args:
        effort: for each of the methods that are tried; the search that comes first is not counted.

    Raises:
        ValueError: `effort` is too little.
        EffortSpent: the same, with bounds, if a method was tried.
    """

    def enumerated() -> tuple[Found, str]:
        found = enumerate_supports(problem, start, progress=progress)
        return replace(found, value=problem.restored(found.value)), "enumeration"

    def bounded() -> tuple[Found, str]:
        limit = effort if method == "branch and bound" else min(effort, needed)
        found = branch_and_bound(problem, start, effort=limit, progress=progress)
        return replace(found, value=problem.restored(found.value)), "branch and bound"

    needed = enumeration_effort(problem)
    affordable = needed <= effort
    if method == "enumeration" and not affordable:
        raise ValueError(
            f"{_count(problem)}; effort is {counted(effort)}. "
            f"method='branch and bound' may need far less; {INSTEAD}"
        )
    start = greedy_search(problem)
    if method == "enumeration" or (method == "exact" and needed <= min(effort, QUICK)):
        return enumerated()
    if method == "exact" and affordable:
        with suppress(EffortSpent):
            return bounded()
        return enumerated()
    try:
        return bounded()
    except EffortSpent as stopped:
        message = f"{_count(problem)}; effort is {counted(effort)}; {stopped}. {INSTEAD}"
        raise EffortSpent(message, stopped.lower, stopped.upper) from None


def _count(problem: SparseEigenvalue) -> str:
    # The time is that of an ordinary core, so that the same call says the same anywhere.
    n, s, needed = len(problem.H), problem.s, enumeration_effort(problem)
    return (
        f"s = {s} of n = {n} columns make {counted(comb(n, s))} supports, and to enumerate them "
        f"takes an effort of {counted(needed)} (numbers to look at), up to about "
        f"{readable(min(needed, 10**300) / SECOND)}"
    )
