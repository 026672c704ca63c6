"""Exact values without looking at every support: branch and bound with certified pruning.

A node is a partial support T with a set of columns that may still join it; it stands for all
supports S = T ∪ R, where R are r = s − |T| of these. With a unit vector x on S split into its parts
u on T and v on R,

    xᴴH_Sx ≤ λ_max(H_T)‖u‖² + 2‖H_TR‖‖u‖‖v‖ + λ_max(H_R)‖v‖²,

so that λ_max(H_S) is at most the larger eigenvalue of [[α, b], [b, β]] for any α ≥ λ_max(H_T),
b ≥ ‖H_TR‖ and β ≥ λ_max(H_R), in each of which it increases. (The 2×2 bound.)

* b² = the sum of the r largest c_j = Σ_{i∈T}|H_ij|², since ‖H_TR‖² ≤ ‖H_TR‖²_F = Σ_{j∈R} c_j.
* β = β_r, the problem's own value at order r < s, which is solved first. For R that contain j it
  is also at most β_r(j), the 2×2 bound of {j} with r−1 others, so for all R the r-th largest.

Before a node branches, each column j that may join it is tried: every S that contains T ∪ {j}
obeys the 2×2 bound with T ∪ {j} on one side and R∖{j} on the other, and that with T and R ∋ j. If
one of them does not beat the best value known, j is struck off, for all descendants too: a support
that contains T and j cannot win. Branching on j then strikes off the columns before j.

At the root stand two bounds on all supports, λ_max(H) and Gershgorin's discs; where they meet the
value that the search started with, nothing needs to be looked at.

Isometry constants were branched and bounded before, as mixed-integer semidefinite programs (Gally
and Pfetsch, 2016; Kobayashi and Takano, Comput. Optim. Appl., 2020), and so was the largest
eigenvalue, for sparse principal components (Berk and Bertsimas, Math. Prog. Comp. 11, 2019). The
bounds here need no solver.

Rounding: a node goes if its bound exceeds the best value by no more than `problem.margin`. The
2×2 bound grows no faster than β, so margins add up over the orders: the result is exact up to
s·margin.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from unrolled.isometry.relaxations import quick_bound
from unrolled.isometry.searches import greedy_search, largest_of_two
from unrolled.isometry.sparse_eigenvalue import Found, SparseEigenvalue

__all__ = ["branch_and_bound"]

CELLS = 2**22  # numbers that the children of a batch of nodes may hold


def branch_and_bound(
    problem: SparseEigenvalue, start: Found, *, effort: int, progress: bool = False
) -> Found:
    """Solve the problem exactly; `looked_at` counts the nodes, those of smaller orders included.

    Args:
        start: a support to begin with.
        effort: s·n for each node: no more than effort/(s·n) nodes are looked at. A node couples
            up to s columns with all n.

    Raises:
        EffortSpent: more nodes are needed; it holds the bounds found so far.
    """
    best = Found(start.value, start.support, 0)
    waiting = {sign: quick_bound(sign * problem.H, problem.s) for sign in problem.signs}
    with tqdm(unit=" nodes", unit_scale=True, disable=not progress) as bar:
        run = _Run(effort // (problem.s * len(problem.H)), bar)
        # The sign that can be worse comes first, since its value may settle the other.
        for sign in sorted(waiting, key=waiting.__getitem__, reverse=True):
            root = waiting.pop(sign)
            if root <= best.value + problem.margin:
                continue
            try:
                best = _solve(problem.one_sided(sign), best, run)
            except _Stopped as stopped:
                upper = max(min(root, stopped.upper), *waiting.values(), stopped.best.value)
                raise problem.stopped(
                    f"branch and bound stopped after {run.nodes:,} nodes", stopped.best, upper
                ) from None
        return Found(best.value, best.support, run.nodes)


@dataclass
class _Run:
    most: int
    bar: tqdm
    nodes: int = 0

    def count(self, nodes: int) -> None:
        self.nodes += nodes
        self.bar.update(nodes)

    @property
    def left(self) -> int:
        return self.most - self.nodes


class _Stopped(Exception):
    def __init__(self, best: Found, upper: float = torch.inf) -> None:
        super().__init__()
        self.best, self.upper = best, upper


@dataclass(frozen=True)
class _Nodes:
    supports: Tensor  # (B, t), T
    allowed: Tensor  # (B, n), which columns may join
    coupling: Tensor  # (B, n), c_j
    bounds: Tensor  # (B,), of all completions

    def __len__(self) -> int:
        return len(self.supports)

    def __getitem__(self, which: Tensor | slice) -> _Nodes:
        return _Nodes(
            self.supports[which], self.allowed[which], self.coupling[which], self.bounds[which]
        )


def _solve(one: SparseEigenvalue, best: Found, run: _Run) -> Found:
    # One sign: the orders below s first, each of which needs those below it.
    values = [float(one.H.diagonal().real.max())]
    for r in range(2, one.s):
        smaller = one.one_sided(1, r)
        try:
            values.append(_search(smaller, values, greedy_search(smaller), run).value)
        except _Stopped:
            raise _Stopped(best) from None
    return _search(one, values, best, run)


def _search(one: SparseEigenvalue, values: list[float], best: Found, run: _Run) -> Found:
    # values: the solutions at orders 1 … s−1.
    H, s, n = one.H, one.s, len(one.H)
    root = quick_bound(H, s)
    if root <= best.value + one.margin:
        return best
    # Columns with strong neighbours come first: those that come late have few to be joined by.
    squares = H.abs() ** 2
    squares.fill_diagonal_(0)
    order = squares.topk(s - 1, 1).values.sum(1).argsort(descending=True)
    branching = _Branching(H[order][:, order], squares[order][:, order], s, values)
    stack = [branching.roots(root)]
    at_once = max(1, CELLS // n**2)
    while stack:
        nodes = stack.pop()
        nodes = nodes[nodes.bounds > best.value + one.margin]
        if len(nodes) == 0:
            continue
        batch = min(at_once, run.left)
        if batch == 0:
            stack.append(nodes)
            raise _Stopped(best, max(float(nodes.bounds.max()) for nodes in stack))
        if len(nodes) > batch:
            stack.append(nodes[:-batch])
            nodes = nodes[-batch:]  # the last ones have the largest bounds
        run.count(len(nodes))
        if nodes.supports.shape[1] == s:
            found = one.best(order[nodes.supports])
            best = max(best, found, key=lambda found: found.value)
            continue
        children = branching.children(nodes, best.value + one.margin)
        if len(children):
            stack.append(children[children.bounds.argsort()])
    return best


class _Branching:
    # H, sorted, with what its bounds need of it.

    def __init__(self, H: Tensor, squares: Tensor, s: int, values: list[float]) -> None:
        self.H, self.squares, self.s = H, squares, s
        self.diagonal = H.diagonal().real.contiguous()
        # Rows of sums of the k largest |H_ij|², k = 0 … s−1.
        largest = squares.topk(s - 1, 1).values.cumsum(1)
        self.nearest = torch.cat((squares.new_zeros(len(H), 1), largest), 1).T
        # β_r and β_r(j) for r = 0 … s−1; there is no order 0.
        self.values = [H.new_full((), torch.nan).real] + [
            self.diagonal.new_tensor(value) for value in values
        ]
        self.values_with = [self.values[0], self.diagonal]
        for r in range(2, s):
            bound = largest_of_two(self.diagonal, self.nearest[r - 1], self.values[r - 1])
            self.values_with.append(bound.minimum(self.values[r]))

    def roots(self, bound: float) -> _Nodes:
        n = len(self.H)
        columns = torch.arange(n, device=self.H.device)
        return _Nodes(
            columns[:, None],
            columns > columns[:, None],
            self.squares,
            self.diagonal.new_full((n,), bound),
        )[: n - self.s + 1]

    def children(self, nodes: _Nodes, target: float) -> _Nodes:
        """The children of all nodes whose bounds exceed the target."""
        supports, allowed, coupling = nodes.supports, nodes.allowed, nodes.coupling
        r = self.s - supports.shape[1]
        sub = self.H[supports[:, :, None], supports[:, None, :]]
        alpha = torch.linalg.eigvalsh(sub)[:, -1:]  # (B, 1)
        strongest = self._largest(coupling, allowed, r).cumsum(1)
        beta = self._largest(self.values_with[r].expand_as(coupling), allowed, r)[:, -1:]
        # Too few columns allowed leave −∞ here, and a bound that is NaN, which beats nothing.
        bound = largest_of_two(alpha, strongest[:, -1:], beta)
        allowed = allowed & (bound > target)
        with_column = self._with_column(alpha, coupling, strongest, r).minimum(bound)  # (B, n)
        allowed = allowed & (with_column > target)
        node, column = allowed.nonzero(as_tuple=True)
        after = torch.arange(len(self.H), device=column.device) > column[:, None]
        allowed = allowed[node] & after
        enough = allowed.sum(1) >= r - 1
        node, column, allowed = node[enough], column[enough], allowed[enough]
        return _Nodes(
            torch.cat((supports[node], column[:, None]), 1),
            allowed,
            coupling[node] + self.squares[column],
            with_column[node, column],
        )

    def _with_column(self, alpha: Tensor, coupling: Tensor, strongest: Tensor, r: int) -> Tensor:
        # Bounds of all S that contain T and j, (B, n).
        with_j = largest_of_two(alpha, coupling, self.diagonal)  # of T ∪ {j} itself
        if r == 1:
            return with_j
        others = strongest[:, r - 2 : r - 1]  # Σ c over r−1 others is at most this
        joined = largest_of_two(with_j, others + self.nearest[r - 1], self.values[r - 1])
        apart = largest_of_two(alpha, coupling + others, self.values_with[r])
        return joined.minimum(apart)

    @staticmethod
    def _largest(numbers: Tensor, allowed: Tensor, count: int) -> Tensor:
        return torch.where(allowed, numbers, -torch.inf).topk(count, 1).values
