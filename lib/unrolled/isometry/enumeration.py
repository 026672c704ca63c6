"""Exact values by looking at every support, streamed and in batches.

A support of s columns is a prefix of s − 1 columns and one column beyond them, so each is met once.
Prefixes come in colexicographic order from their ranks, many at a time. For each of their
extensions, trace and Frobenius norm bound the eigenvalue, and only where the bound beats the best
value so far are eigenvalues computed. Everything runs on the device that H is on, and no more than
a chunk of supports is ever held.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, log10

import torch
from torch import Tensor
from tqdm.auto import tqdm

from unrolled.isometry.sparse_eigenvalue import EPS, Found, SparseEigenvalue

__all__ = [
    "SECOND",
    "Cost",
    "counted",
    "enumerate_supports",
    "enumeration_cost",
    "enumeration_effort",
    "readable",
]

SECOND = 10**7  # effort: a core computes eigenvalues of submatrices with so many entries a second
CELLS = {"cpu": 2**17, "cuda": 2**23}  # (prefix, column) pairs in a chunk: caches, or a full GPU
UNITS = {"years": 365 * 86400, "days": 86400, "hours": 3600, "minutes": 60}
SAMPLE = 2**13  # pairs that the rate is measured on
EIGENVALUES = 2**22  # numbers in the submatrices whose eigenvalues are computed at once


@dataclass(frozen=True)
class Cost:
    """What enumeration has to do.

    Attributes:
        supports: how many there are.
        effort: what `isometry_constant` must be given to enumerate them.
        seconds: about how many it takes.
    """

    supports: int
    effort: int
    seconds: float

    def __str__(self) -> str:
        return f"{counted(self.supports)} supports, about {readable(self.seconds)}"


def enumerate_supports(problem: SparseEigenvalue, start: Found, *, progress: bool = False) -> Found:
    """Solve the problem by looking at all C(n, s) supports; what is found is `looked_at` them.

    A support is left out only if its bound is below the best value, so the result is exact up to
    `problem.margin`.

    Args:
        start: a support to begin with; the better it is, the less is computed.
    """
    n, s = len(problem.H), problem.s
    chunks = _Chunks(problem)
    best, looked_at = start, 0
    with tqdm(total=comb(n, s), unit=" supports", unit_scale=True, disable=not progress) as bar:
        for prefixes, columns in chunks.stream(0, CELLS.get(problem.H.device.type, 2**17)):
            best, count = chunks.look(prefixes, columns, best)
            looked_at += count
            bar.update(count)
    return Found(best.value, best.support, looked_at)


def enumeration_effort(problem: SparseEigenvalue) -> int:
    """How many numbers all supports hold: s² for each, whose eigenvalues may have to be computed.

    For s from 2 to 64 that is what they cost: LAPACK takes about as long for each of the numbers.
    """
    return comb(len(problem.H), problem.s) * problem.s**2


def enumeration_cost(problem: SparseEigenvalue, start: Found) -> Cost:
    """Count the supports, and time some in the middle of the stream to tell how long all take."""
    chunks = _Chunks(problem)
    total = comb(len(problem.H), problem.s)
    prefixes, columns = next(chunks.stream(min(chunks.count // 2, 2**62), SAMPLE))
    rates = []
    for _ in range(2):  # the first one warms up
        started = time.perf_counter()
        _, count = chunks.look(prefixes, columns, start)
        rates.append((time.perf_counter() - started) / max(count, 1))
    seconds = float(min(total, 10**300)) * min(rates)
    return Cost(total, enumeration_effort(problem), seconds)


class _Chunks:
    # Supports as (prefix, last column) pairs. Prefixes are (s−1)-subsets of the columns 0 … n−2,
    # numbered by rank = Σ C(c_k, k) over c_1 < … < c_{s−1}: the combinatorial number system.

    def __init__(self, problem: SparseEigenvalue) -> None:
        self.problem = problem
        H = problem.H
        n, self.length = len(H), problem.s - 1
        self.count = comb(n - 1, self.length)
        # Beyond int64 no rank is ever reached.
        self.tables = [
            [min(comb(c, k), 2**63 - 1) for c in range(n)] for k in range(self.length + 1)
        ]
        self.on_device = torch.tensor(self.tables, device=H.device)
        self.diagonal = H.diagonal().real.contiguous()
        self.squares = H.abs() ** 2

    def stream(self, first: int, cells: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Chunks of prefixes (P, s−1) and the columns (C,) beyond the smallest last one of them."""
        n, k = len(self.problem.H), self.length
        while first < self.count:
            # The last column grows along the stream, so all columns before it can be left out.
            beyond = bisect_right(self.tables[k], first) if k else 0
            # A prefix takes a row of columns, and a square of its own.
            row = max(n - beyond, self.problem.s**2)
            until = min(self.count, first + max(1, cells // row))
            ranks = torch.arange(first, until, device=self.problem.H.device)
            yield self._prefixes(ranks), torch.arange(beyond, n, device=ranks.device)
            first = until

    def look(self, prefixes: Tensor, columns: Tensor, best: Found) -> tuple[Found, int]:
        """Look at every extension of the prefixes: the best so far, and how many there were."""
        s = self.problem.s
        last = prefixes[:, -1:] if self.length else prefixes.new_full((len(prefixes), 1), -1)
        new = columns > last  # (P, C)
        bounds = torch.where(new, self._bounds(prefixes, columns), -torch.inf)
        p, c = (bounds > best.value + self.problem.margin).nonzero(as_tuple=True)
        supports = torch.cat((prefixes[p], columns[c][:, None]), 1)
        bounds = bounds[p, c]
        # The most promising first, few to begin with, so that many others need no eigenvalues.
        at_most = max(1, EIGENVALUES // s**2)
        order, size = bounds.argsort(descending=True), min(64, at_most)
        while len(order):
            if bounds[order[0]] <= best.value + self.problem.margin:
                break
            found = self.problem.best(supports[order[:size]])
            best = max(best, found, key=lambda found: found.value)
            order, size = order[size:], min(8 * size, at_most)
        return best, int(new.sum())

    def _prefixes(self, ranks: Tensor) -> Tensor:
        prefixes = ranks.new_empty(len(ranks), self.length)
        for k in range(self.length, 0, -1):
            column = torch.searchsorted(self.on_device[k], ranks, right=True) - 1
            ranks = ranks - self.on_device[k][column]
            prefixes[:, k - 1] = column
        return prefixes

    def _bounds(self, prefixes: Tensor, columns: Tensor) -> Tensor:
        # (P, C). Wolkowicz and Styan (1980): eigenvalues of mean μ and variance v are at most
        # μ + √(v(s−1)). The mean is trace/s, and v = ‖H_S‖²_F/s − μ².
        s, scale = self.problem.s, self.problem.scale
        within = self.squares[prefixes[:, :, None], prefixes[:, None, :]].sum((1, 2))
        coupling = self.squares.new_zeros(len(prefixes), len(columns))
        beyond = self.squares[:, columns]
        for k in range(self.length):
            coupling += beyond[prefixes[:, k]]
        frobenius = within[:, None] + 2 * coupling + self.diagonal[columns] ** 2
        mean = (self.diagonal[prefixes].sum(1)[:, None] + self.diagonal[columns]) / s
        # The difference may cancel: what rounding can take from it is added back.
        lost = 8 * s**2 * EPS * scale**2
        spread = ((frobenius / s - mean**2).clamp(min=0) + lost).mul(s - 1).sqrt()
        centre = torch.stack([sign * mean for sign in self.problem.signs]).amax(0)
        return centre + spread


def counted(number: int) -> str:
    """A number in full, or its order of magnitude if it is long."""
    return f"{number:,}" if number < 10**15 else f"about 10^{log10(number):.0f}"


def readable(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for unit, length in UNITS.items():
        if seconds >= 2 * length:
            count = seconds / length
            return f"{count:,.0f} {unit}" if 10 <= count < 1e6 else f"{count:.2g} {unit}"
    return f"{seconds:.2g} s"
