"""Restricted isometry constants: exact, or bounded from above or from below."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from unrolled.checks import check_choice, check_flag, check_kind, check_order, check_size
from unrolled.isometry.enumeration import SECOND, Cost, enumeration_cost
from unrolled.isometry.exact import EXACT, solve
from unrolled.isometry.relaxations import SolverFailed, coherence_bound, sdp_bound
from unrolled.isometry.searches import greedy_search, random_search
from unrolled.isometry.sparse_eigenvalue import SparseEigenvalue, gram, matrix, terms, times_power
from unrolled.sensing import DenseOperator

__all__ = ["METHODS", "Isometry", "estimate_cost", "isometry_constant", "isometry_problem"]

UPPER, LOWER = ("coherence", "sdp"), ("greedy", "random")
METHODS = ("exact", *EXACT, "upper", *UPPER, "lower", *LOWER)
SDP_QUICK = 32  # columns: the relaxation takes about a second


@dataclass(frozen=True)
class Isometry:
    """What is known of the isometry constant δ_s: its value, or a bound. `float` gives the number.

    Attributes:
        kind: "exact", "upper" or "lower".
        method: what found it, never "exact", "upper" or "lower".
        support: the columns, sorted, on which δ_s or the lower bound is attained; None for an upper
            bound, which no support need attain.
        looked_at: supports, or for branch and bound nodes; 0 for an upper bound.
    """

    value: float
    kind: str
    s: int
    method: str
    support: tuple[int, ...] | None
    looked_at: int

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        sign, number, how = self._parts()
        return f"δ_{self.s} {sign} {number} ({how})"

    def _repr_markdown_(self) -> str:
        sign, number, how = self._parts()
        sign = {"=": "=", "≤": r"\le", "≥": r"\ge"}[sign]
        number = re.sub(r"e\+?(-?)0*(\d+)", r"\\cdot10^{\1\2}", number)
        return rf"$\delta_{{{self.s}}} {sign} {number}$ ({how})"

    def _parts(self) -> tuple[str, str, str]:
        if self.kind == "exact":
            unit = "nodes" if self.method == "branch and bound" else "supports"
            return "=", _shown(self.value), f"exact, {self.looked_at:,} {unit}"
        # Four digits of a bound are a bound as well, but for what rounding has added to it.
        if self.kind == "upper":
            return "≤", _shown(self.value, math.ceil, -1e-6), self.method
        number = _shown(self.value, math.floor, 1e-6)
        return "≥", number, f"{self.method}, {self.looked_at:,} supports"


def _shown(value: float, to_integer: Callable[[float], int] = round, tolerance: float = 0.0) -> str:
    # Four decimals, or four digits of what is large.
    small = abs(value) < 1e4
    step = 1e-4 if small else 10.0 ** (math.floor(math.log10(value)) - 3)
    number = to_integer(value / step + tolerance) * step
    return f"{number:.4f}" if small else f"{number:.4g}"


def isometry_constant(
    A: DenseOperator | Tensor,
    s: int,
    method: str = "exact",
    *,
    effort: int = 600 * SECOND,
    progress: bool = False,
    generator: torch.Generator | None = None,
    draws: int = 10_000,
) -> Isometry:
    """δ_s = max over |S| ≤ s of ‖A_SᴴA_S − I‖, the restricted isometry constant of order s.

    It is the smallest δ with (1−δ)‖x‖² ≤ ‖Ax‖² ≤ (1+δ)‖x‖² for all x with at most s nonzeros.
    To compute it is NP-hard (Tillmann and Pfetsch, IEEE Trans. Inf. Theory 60, 2014), but for
    small s, or a few dozen columns, it is done at once.

    Upper bounds include what rounding may have done, exact values and lower bounds do not: it is
    about (16s² + ms)·2·10⁻¹⁶ times the larger of 1 and max‖a_i‖².

    Args:
        A: `DenseOperator` or matrix (m, n), real or complex, of any floating dtype; its columns
            need no particular norm. Computed in double precision, on the device of A.
        s: 1 … n.
        method: "exact" chooses between "enumeration" of all supports and "branch and bound".
            "upper" is the better of "coherence" (Gershgorin) and, with cvxpy and n ≤ 32, "sdp" (a
            semidefinite relaxation). "lower" is the better of "greedy" (search with swaps) and,
            with a generator, "random" (the best of `draws` supports).
        effort: how many numbers an exact method may look at: s² for each support that it
            enumerates, s·n for each node of branch and bound. 10⁷ take up to about a second.
            "exact" tries both methods, each with as much.
        progress: show a bar during an exact method.
        generator: for "random".

    Raises:
        ValueError: an A that is none of that or overflows when squared, s outside 1 … n, an unknown
            method, or what exceeds `effort`, saying what it takes and what is known by then.
        ModuleNotFoundError: "sdp" without cvxpy.
        RuntimeError: the solver of "sdp" finds no bound, in which case "upper" takes "coherence".
    """
    check_choice("method", method, METHODS)
    check_size("effort", effort, most=math.inf)
    check_flag("progress", progress)
    check_size("draws", draws)
    if generator is not None:
        check_kind("generator", generator, torch.Generator)
    elif method == "random":
        raise ValueError("generator is None; method='random' needs a torch.Generator")
    problem = isometry_problem(A, s)
    if method in ("exact", *EXACT):
        found, used = solve(problem, method, effort=effort, progress=progress)
        return Isometry(found.value, "exact", s, used, found.support, found.looked_at)
    if method in ("upper", *UPPER):
        bounds = {}
        if method in ("upper", "coherence"):
            bounds["coherence"] = coherence_bound(problem)
        if method == "sdp":
            bounds["sdp"] = sdp_bound(problem)
        if method == "upper" and _sdp_is_quick(problem):
            with suppress(SolverFailed):
                bounds["sdp"] = sdp_bound(problem)
        used = min(bounds, key=bounds.__getitem__)
        return Isometry(problem.restored(bounds[used]), "upper", s, used, None, 0)
    searches = {}
    if method in ("lower", "greedy"):
        searches["greedy"] = greedy_search(problem)
    if generator is not None and method in ("lower", "random"):
        searches["random"] = random_search(problem, draws, generator)
    used = max(searches, key=lambda name: searches[name].value)
    found = searches[used]
    value = problem.restored(found.value)
    return Isometry(value, "lower", s, used, found.support, found.looked_at)


def estimate_cost(A: DenseOperator | Tensor, s: int) -> Cost:
    """How many supports `isometry_constant` enumerates, with what effort, in how many seconds.

    The seconds are measured on a few thousand supports of A itself, on this machine. They inform;
    what is computed does not depend on them.

    Raises:
        ValueError: as `isometry_constant`.
    """
    problem = isometry_problem(A, s)
    return enumeration_cost(problem, greedy_search(problem))


def isometry_problem(A: DenseOperator | Tensor, s: int) -> SparseEigenvalue:
    """δ_s, the largest eigenvalue of ±(AᴴA − I) over small submatrices; ValueError for bad A, s."""
    A = matrix(A)
    G, exponent = gram(A)
    check_order(s, len(G))
    # The unit is that of AᴴA or of the identity, whichever is larger.
    identity = torch.eye(len(G), dtype=G.dtype, device=G.device)
    if exponent > 0:
        H, scale, unit = G - 2.0**-exponent * identity, float(G.abs().max()), 2.0**exponent
    else:
        G = times_power(G, exponent)
        H, scale, unit = G - identity, max(1.0, float(G.abs().max())), 1.0
    return SparseEigenvalue(H, s, (1, -1), f"δ_{s}", scale, terms(A), unit)


def _sdp_is_quick(problem: SparseEigenvalue) -> bool:
    return len(problem.H) <= SDP_QUICK and find_spec("cvxpy") is not None
