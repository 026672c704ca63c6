"""The choice between the two exact methods, and the refusal of what would take days."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from unrolled.guarantees.rip.branch_and_bound import branch_and_bound
from unrolled.guarantees.rip.enumeration import (
    Cost,
    counted,
    enumerate_supports,
    enumeration_cost,
    readable,
)
from unrolled.guarantees.rip.searches import greedy_search
from unrolled.guarantees.rip.sparse_eigenvalue import Found, OutOfPatience, SparseEigenvalue

__all__ = ["EXACT", "solve"]

EXACT = ("enumeration", "branch and bound")
QUICK = 1.0  # seconds: up to here enumeration is the simplest proof
INSTEAD = "method='upper' and method='lower' bound it at once; a larger patience waits longer"


def solve(
    problem: SparseEigenvalue, method: str, *, patience: float, progress: bool
) -> tuple[Found, str]:
    """Solve by one of `EXACT`, or by "exact", which chooses: what was found, and the method used.

    "exact" enumerates what takes a second. Else it branches and bounds, for no longer than
    enumeration would take and so that time is left for it, and then enumerates if `patience`
    allows that. patience: seconds for all of it, though the search that comes first and a batch
    that is being worked on are not interrupted. Values are in full, not in units.
    Raises ValueError where `patience` is too little; OutOfPatience, with bounds, if a method was
    tried.
    """
    deadline = time.monotonic() + patience

    def left() -> float:
        return max(0.0, deadline - time.monotonic())

    def enumerated() -> tuple[Found, str]:
        found = enumerate_supports(problem, start, patience=left(), progress=progress)
        return replace(found, value=problem.restored(found.value)), "enumeration"

    def bounded(limit: float) -> tuple[Found, str]:
        found = branch_and_bound(problem, start, patience=limit, progress=progress)
        return replace(found, value=problem.restored(found.value)), "branch and bound"

    start = greedy_search(problem)
    cost = enumeration_cost(problem, start)
    affordable = cost.seconds <= left()
    if method == "enumeration" and not affordable:
        raise ValueError(
            f"{_count(problem, cost)}; patience is {readable(patience)}. "
            f"method='branch and bound' may need far fewer; {INSTEAD}"
        )
    try:
        if method == "branch and bound" or not affordable:
            return bounded(left())
        if method == "exact" and cost.seconds > QUICK:
            with suppress(OutOfPatience):
                return bounded(min(cost.seconds, left() - cost.seconds))
        return enumerated()
    except OutOfPatience as stopped:
        message = f"{_count(problem, cost)}; {stopped}. {INSTEAD}"
        raise OutOfPatience(message, stopped.lower, stopped.upper) from None


def _count(problem: SparseEigenvalue, cost: Cost) -> str:
    n, s = len(problem.H), problem.s
    return (
        f"s = {s} of n = {n} columns make {counted(cost.supports)} supports, and to enumerate "
        f"them takes about {readable(cost.seconds)}"
    )
