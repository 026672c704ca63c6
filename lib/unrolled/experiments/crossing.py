"""How many training scenes an error costs: where a learning curve crosses a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import stdtrit

from unrolled.checks import check_kind, check_number, is_integer

__all__ = ["Crossing", "samples_needed"]


@dataclass(frozen=True)
class Crossing:
    """N*, the number of scenes at which the mean error over seeds reaches a target.

    Attributes:
        samples: N*; where the target is not crossed, the number of scenes that bounds it.
        low, high: a 95 % interval of it; 0 or ∞ where the numbers that were tried give no end.
        bound: "" where it is crossed; "at least" where no number of scenes that was tried reaches
            the target, "at most" where all do.
    """

    samples: float
    low: float
    high: float
    bound: str = ""


def samples_needed(
    counts: Sequence[int], decibels: Sequence[Sequence[float]], target: float
) -> Crossing:
    """Where the mean learning curve crosses a target, by interpolation in log N.

    More scenes are not worse: the mean over seeds is replaced by the nearest monotone curve. The
    interval is that of the delta method: t·s/√S, half a width of the mean of S seeds, over the
    slope of the curve; s is the deviation of one seed's error, pooled over all N, and t the
    quantile of Student's distribution with Σ(S − 1) degrees. It is found by moving the whole curve
    up and down by so much, which is the same on a straight curve and holds where it bends as well.
    A bootstrap over three seeds covers three quarters of the time, not 95 %.

    Args:
        counts: the numbers of scenes N, rising, at least two.
        decibels: for each N the error of each seed; some N may have more seeds than others, and at
            least one has two.
        target: in dB.

    Raises:
        ValueError: what is none of that.
    """
    errors = _checked(counts, decibels)
    target = check_number("target", target)
    seeds = np.array([len(some) for some in errors])
    means = np.array([some.mean() for some in errors])
    curve = isotonic_regression(means, weights=seeds, increasing=False).x
    degrees = int((seeds - 1).sum())
    squares = sum(float(((some - some.mean()) ** 2).sum()) for some in errors)
    deviation = math.sqrt(squares / degrees)
    half = float(stdtrit(degrees, 0.975)) * deviation / np.sqrt(seeds)
    # With more seeds at some N than at others, an edge of the band need not fall where it should.
    below = np.minimum.accumulate(curve - half)
    above = np.maximum.accumulate((curve + half)[::-1])[::-1]
    samples, low, high = (_reached(counts, edge, target) for edge in (curve, below, above))
    if samples == math.inf:
        return Crossing(counts[-1], min(low, counts[-1]), math.inf, "at least")
    if samples == 0:
        return Crossing(counts[0], 0.0, max(high, counts[0]), "at most")
    return Crossing(samples, low, high)


def _reached(counts: Sequence[int], curve: np.ndarray, target: float) -> float:
    # Where a falling curve comes down to the target: 0 before the first N, ∞ beyond the last.
    reached = curve <= target
    if reached[0]:
        return 0.0
    if not reached[-1]:
        return math.inf
    k = int(reached.argmax())
    share = float((curve[k - 1] - target) / (curve[k - 1] - curve[k]))
    return float(counts[k - 1] * (counts[k] / counts[k - 1]) ** share)


def _checked(counts: Sequence[int], decibels: Sequence[Sequence[float]]) -> list[np.ndarray]:
    check_kind("counts", counts, Sequence)
    rising = all(is_integer(count) and count >= 1 for count in counts)
    if not rising or len(counts) < 2 or sorted(set(counts)) != list(counts):
        raise ValueError(f"counts is {counts!r}; two or more rising numbers ≥ 1 are needed")
    check_kind("decibels", decibels, Sequence)
    for some in decibels:
        check_kind("decibels", some, Sequence)
    seeds = [len(some) for some in decibels]
    if len(seeds) != len(counts) or min(seeds) < 1 or max(seeds) < 2:
        raise ValueError(
            f"decibels has {seeds} errors; one or more for each of {len(counts)} counts, and two "
            "for one of them, are needed"
        )
    return [np.array([check_number("decibels", error) for error in some]) for some in decibels]
