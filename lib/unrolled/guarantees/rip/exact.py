"""The choice between the two exact methods, and the refusal of what would take days."""

from __future__ import annotations

from unrolled.guarantees.rip.branch_and_bound import OutOfPatience, branch_and_bound
from unrolled.guarantees.rip.enumeration import (
    Cost,
    counted,
    enumerate_supports,
    enumeration_cost,
    readable,
)
from unrolled.guarantees.rip.searches import greedy_search
from unrolled.guarantees.rip.sparse_eigenvalue import Found, SparseEigenvalue

__all__ = ["EXACT", "solve"]

EXACT = ("enumeration", "branch and bound")
QUICK = 1.0  # seconds: up to here enumeration is the simplest proof
INSTEAD = "method='upper' and method='lower' bound it at once; a larger patience waits longer"


def solve(
    problem: SparseEigenvalue, method: str, *, patience: float, progress: bool
) -> tuple[Found, str]:
    """Solve by one of `EXACT`, or by "exact", which chooses: what was found, and the method used.

    "exact" enumerates what takes a second. Else it branches and bounds, for no longer than
    enumeration would take, and then enumerates if `patience` allows that.
    Raises ValueError where `patience` is too little; OutOfPatience, with bounds, if branch and
    bound was tried.
    """
    start = greedy_search(problem)
    cost = enumeration_cost(problem, start)
    affordable = cost.seconds <= patience
    if method == "enumeration" and not affordable:
        raise ValueError(
            f"{_count(problem, cost)}; patience is {readable(patience)}. "
            f"method='branch and bound' may need far fewer; {INSTEAD}"
        )
    if method == "enumeration" or (method == "exact" and affordable and cost.seconds <= QUICK):
        return enumerate_supports(problem, start, progress=progress), "enumeration"
    both = method == "exact" and affordable
    try:
        limit = cost.seconds if both else patience
        found = branch_and_bound(problem, start, patience=limit, progress=progress)
        return found, "branch and bound"
    except OutOfPatience as stopped:
        if both:
            return enumerate_supports(problem, start, progress=progress), "enumeration"
        message = f"{_count(problem, cost)}; {stopped}. {INSTEAD}"
        raise OutOfPatience(message, stopped.lower, stopped.upper) from None


def _count(problem: SparseEigenvalue, cost: Cost) -> str:
    n, s = len(problem.H), problem.s
    return (
        f"s = {s} of n = {n} columns make {counted(cost.supports)} supports, and to enumerate "
        f"them takes about {readable(cost.seconds)}"
    )
