"""How many nonzeros each theorem of the chapter certifies for a given matrix."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import torch
from torch import Tensor

from unrolled.checks import check_size
from unrolled.guarantees import evaluate
from unrolled.guarantees.rip import adaptive_thresholds as adaptive
from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.guarantees.rip import isometry_thresholds as isometric
from unrolled.guarantees.rip import symbols
from unrolled.isometry.coherence import generalised_coherence
from unrolled.isometry.constants import Isometry, isometry_constant
from unrolled.isometry.enumeration import SECOND
from unrolled.isometry.sparse_eigenvalue import EffortSpent, column_norms, matrix
from unrolled.sensing import DenseOperator, analytic_weights

__all__ = [
    "Certificate",
    "CertifiedSparsity",
    "averaged_bounds",
    "certified_sparsity",
    "fixed_sparsity",
]

# A rate counts as below 1 if it is so by more than this. Rounding does less, to A of m ≤ 10⁵ rows.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Certificate:
    """The largest sparsity that one theorem certifies, and why.

    Attributes:
        s: 0 if it certifies none.
        rate: the factor per layer that it promises at this s, else None.
        theorem: one of the names in `certified_sparsity`.
        constants: what the rate is made of.
        extra: r, where the theorem has such a choice.
        beyond: what is known of s + 1.
    """

    theorem: str
    s: int
    rate: float | None
    constants: str
    extra: int | None
    beyond: str


@dataclass(frozen=True)
class CertifiedSparsity:
    """One `Certificate` for each theorem; shown as a table."""

    rows: tuple[Certificate, ...]

    @property
    def s(self) -> int:
        """The largest sparsity that any of the theorems certifies."""
        return max(row.s for row in self.rows)

    def __str__(self) -> str:
        return "\n".join(
            f"{row.theorem}: s = {row.s}{_rate(row)}; {row.beyond or 'all there are'}"
            for row in self.rows
        )

    def _repr_markdown_(self) -> str:
        lines = [
            "| thresholds | nonzeros | rate | from | one more |",
            "|:--|--:|--:|:--|:--|",
        ]
        for row in self.rows:
            rate = "–" if row.rate is None else f"{row.rate:.3f}"
            lines.append(
                f"| {row.theorem} | {row.s} | {rate} | {_typeset(row.constants) or '–'} "
                f"| {row.beyond or 'all there are'} |"
            )
        return "\n".join(lines)


def certified_sparsity(A: DenseOperator | Tensor, *, effort: int = 5 * SECOND) -> CertifiedSparsity:
    """For each theorem the largest s for which it promises that every s-sparse signal is reached.

    The rows, by how the thresholds come about:

    * "fixed, W = A" and "fixed, analytic W" (theorem `rip.fixed-thresholds`): (2s−1)μ < 1, where μ
      is the generalised coherence of A and W. W = A is rescaled so that wᵢᵀaᵢ = 1; analytic W is
      `analytic_weights(A)`, which needs full row rank.
    * "isometry" (theorem `rip.isometry-thresholds`): δ_s + √s·δ_{s+1} < 1.
    * "from data" (theorem `rip.adaptive-thresholds`): √(1+s/r)·δ_{3s+2r−1} < 1, some r ≤ n − s.

    For an order k > n, δ_k means δ_n: it is a maximum over at most k of n columns. Constants are
    exact where `effort`, as in `isometry_constant` and for each, allows; elsewhere they are upper
    bounds, which certify as well, but leave open whether one nonzero more could be certified: the
    row says so.

    Args:
        A: real `DenseOperator` or matrix (m, n).

    Raises:
        ValueError: A is none of that, or has a zero column.
    """
    check_size("effort", effort, most=math.inf)
    A = matrix(A)
    if A.is_complex():
        raise ValueError(f"A has dtype {A.dtype}; the theorems are about real matrices")
    norms = column_norms(A)
    n = A.shape[1]
    orders = _Orders(A, effort)
    return CertifiedSparsity(
        (
            _by_coherence("fixed, W = A", A, A / norms / norms),
            _by_coherence("fixed, analytic W", A, _analytic(A)),
            _by_isometry("isometry", n, orders, _from_isometry),
            _by_isometry("from data", n, orders, lambda s: _adaptive(s, n)),
        )
    )


def fixed_sparsity(mu: float, n: int) -> int:
    """The largest s ≤ n with (2s−1)μ < 1, which thresholds fixed in advance certify; 0 if none.

    The rate counts as below 1 if it is so by more than 10⁻⁹, which is how certificates in this
    module allow for rounding.

    Args:
        mu: the (generalised) coherence.
    """
    s = 0
    while s < n and _fixed_rate(mu, s + 1) < 1 - ROUNDING:
        s += 1
    return s


def _fixed_rate(mu: float, s: int) -> float:
    return evaluate(fixed.rate, {fixed.mu: mu, symbols.s: s})


def _analytic(A: Tensor) -> Tensor | None:
    return analytic_weights(A) if int(torch.linalg.matrix_rank(A)) == len(A) else None


def _by_coherence(theorem: str, A: Tensor, W: Tensor | None) -> Certificate:
    if W is None:
        return Certificate(theorem, 0, None, "", None, "analytic_weights needs full row rank")
    mu, n = generalised_coherence(W, A), A.shape[1]
    s = fixed_sparsity(mu, n)
    rate = _fixed_rate(mu, s) if s else None
    beyond = "" if s == n else f"fails: rate {_fixed_rate(mu, s + 1):.3f}"
    return Certificate(theorem, s, rate, f"μ = {mu:.4f}", None, beyond)


@dataclass(frozen=True)
class _Condition:
    # Σ factor·δ_order < 1.
    factors: tuple[float, ...]
    orders: tuple[int, ...]
    extra: int | None = None

    def rate(self, constant: Callable[[int], SupportsFloat]) -> float:
        pairs = zip(self.factors, self.orders, strict=True)
        return sum(factor * float(constant(order)) for factor, order in pairs)


# Both rates are linear in the constants: their factors, from the theorems' own expressions.
_ISOMETRY_FACTORS = tuple(
    isometric.rate.coeff(constant) for constant in (isometric.delta_s, isometric.delta_next)
)
_ADAPTIVE_FACTOR = adaptive.rate.coeff(adaptive.delta)


def _from_isometry(s: int) -> list[_Condition]:
    factors = tuple(evaluate(factor, {symbols.s: s}) for factor in _ISOMETRY_FACTORS)
    return [_Condition(factors, (s, s + 1))]


def _adaptive(s: int, n: int) -> list[_Condition]:
    conditions = []
    for r in range(1, n - s + 1):
        told = {symbols.s: s, adaptive.r: r}
        order = int(evaluate(adaptive.order, told))
        conditions.append(_Condition((evaluate(_ADAPTIVE_FACTOR, told),), (order,), r))
    return conditions


def averaged_bounds(exact: Sequence[Isometry], k: int) -> Iterator[Isometry]:
    """Upper bounds on δ_k from exact constants of the orders 1, 2, …, one for each but the first.

    With M = AᴴA − I, xᴴMx is an average over the subsets J of j columns of S. Each pair of columns
    is in C(k−2, j−2) of them and each column in C(k−1, j−1), so that
    δ_k ≤ ((k−1)δ_j + (k−j)δ_1)/(j−1), where δ_1 stands for the diagonal met too often.
    """
    for smaller in exact[1:]:
        j, first = smaller.s, float(exact[0])
        value = ((k - 1) * float(smaller) + (k - j) * first) / (j - 1)
        yield Isometry(value + ROUNDING, "upper", k, f"from δ_{j}", None, 0)


class _Orders:
    # What is known of δ_k for each order k; nothing is computed before it is asked for.

    def __init__(self, A: Tensor, effort: int) -> None:
        self.A, self.effort, self.n = A, effort, A.shape[1]
        self.known: dict[tuple[str, int], Isometry] = {}
        self.exact: list[Isometry] = []  # of orders 1, 2, … until one takes too much effort
        self.exhausted = False

    def quick(self, k: int) -> Isometry:
        """An upper bound that costs nothing."""
        return self._of("coherence", min(k, self.n))

    def lower(self, k: int) -> float:
        """A lower bound, by search; orthonormal columns need none."""
        return 0.0 if float(self.quick(k)) < ROUNDING else float(self._of("greedy", min(k, self.n)))

    def best(self, k: int) -> Isometry:
        """The exact value, or beyond the orders that the effort allows the best upper bound."""
        k = min(k, self.n)
        if float(self.quick(k)) < ROUNDING:
            return self.quick(k)
        while len(self.exact) < k and not self.exhausted:
            try:
                self.exact.append(self._of("exact", len(self.exact) + 1))
            except EffortSpent:
                self.exhausted = True
        if k <= len(self.exact):
            return self.exact[k - 1]
        return min([self._of("upper", k), *averaged_bounds(self.exact, k)], key=float)

    def _of(self, method: str, k: int) -> Isometry:
        if (method, k) not in self.known:
            self.known[method, k] = isometry_constant(self.A, k, method, effort=self.effort)
        return self.known[method, k]


def _by_isometry(
    theorem: str, n: int, orders: _Orders, conditions: Callable[[int], Sequence[_Condition]]
) -> Certificate:
    s = 0
    while s < n and _holds(conditions(s + 1), orders):
        s += 1
    rate, constants, extra = None, "", None
    if s:
        _, condition = _smallest(conditions(s), orders)
        assert condition is not None
        rate, extra = condition.rate(orders.best), condition.extra
        constants = ", ".join(_constant(orders.best(k)) for k in condition.orders)
        constants += f", r = {extra}" if extra is not None else ""
    beyond = "" if s == n else _beyond(conditions(s + 1), orders)
    return Certificate(theorem, s, rate, constants, extra, beyond)


def _holds(conditions: Sequence[_Condition], orders: _Orders) -> bool:
    below = 1 - ROUNDING
    if any(condition.rate(orders.quick) < below for condition in conditions):
        return True
    return _smallest(conditions, orders)[1] is not None


def _smallest(conditions: Sequence[_Condition], orders: _Orders) -> tuple[float, _Condition | None]:
    # The smallest rate that could be true, and the condition with the smallest known rate below 1.
    could, known, chosen = torch.inf, 1 - ROUNDING, None
    for condition in conditions:
        at_least = condition.rate(orders.lower)
        could = min(could, at_least)
        if at_least < known:
            rate = condition.rate(orders.best)
            if rate < known:
                known, chosen = rate, condition
        if orders.lower(condition.orders[0]) >= 1 - ROUNDING:
            break  # so it is for all larger orders
    return could, chosen


def _beyond(conditions: Sequence[_Condition], orders: _Orders) -> str:
    if not conditions:
        return "no r is left"
    could, _ = _smallest(conditions, orders)
    if could >= 1 - ROUNDING:
        return f"fails: rate ≥ {could:.3f}"
    # Where the searches leave room, only exact constants can close it.
    tried = [c for c in conditions if c.rate(orders.lower) < 1 - ROUNDING]
    if all(orders.best(k).kind == "exact" for c in tried for k in c.orders):
        return f"fails: rate {min(c.rate(orders.best) for c in tried):.3f}"
    return f"open: rate between {could:.3f} and {min(c.rate(orders.best) for c in tried):.3f}"


def _rate(row: Certificate) -> str:
    return "" if row.rate is None else f", rate {row.rate:.3f}, from {row.constants}"


def _constant(delta: Isometry) -> str:
    # Without how many supports were looked at: that is long, and of no use in a table.
    return str(delta) if delta.kind == "upper" else str(delta).partition(" (")[0]


def _typeset(constants: str) -> str:
    # Every "symbol relation number", and every symbol that stands alone, as mathematics.
    def mathematics(found: re.Match[str]) -> str:
        text = re.sub(r"δ_(\d+)", r"\\delta_{\1}", found[0]).replace("μ", r"\mu")
        return "$" + text.replace("≤", r"\le") + "$"

    return re.sub(r"(δ_\d+|μ|r\b)( [=≤] [\d.e+]+)?", mathematics, constants)
