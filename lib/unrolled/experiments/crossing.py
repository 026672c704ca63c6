"""How many training scenes an error costs: where a learning curve crosses a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import isotonic_regression
from scipy.special import stdtrit
from torch import Tensor

from unrolled.checks import check_dense, check_kind, check_number, is_integer

__all__ = ["Crossing", "samples_needed"]


@dataclass(frozen=True)
class Crossing:
    """N*, the number of scenes at which the mean error over seeds reaches a target.

    Attributes:
        samples: N*; where the target is not crossed, the number of scenes that bounds it.
        low, high: a 95 % interval of it, or that bound and 0 or ∞.
        bound: "" where it is crossed; "at least" where no number of scenes that was tried reaches
            the target, "at most" where all do.
    """

    samples: float
    low: float
    high: float
    bound: str = ""


def samples_needed(counts: Sequence[int], decibels: Tensor, target: float) -> Crossing:
    """Where the mean learning curve crosses a target, by interpolation in log N.

    More scenes are not worse: the mean over seeds is replaced by the nearest monotone curve. The
    interval is that of the delta method: the deviation of one seed's error, pooled over all N, over
    the root of the number of seeds and the slope at the crossing, times the quantile of Student's t
    with seeds − 1 degrees for each N. The slope is that of the crossing's neighbours, two on each
    side, since between two of them noise may bend it. A bootstrap over three seeds covers three
    quarters of the time, not 95 %.

    Args:
        counts: the numbers of scenes N, rising, at least two.
        decibels: (seeds, len(counts)), the error of each seed, at least two seeds.
        target: in dB.

    Raises:
        ValueError: what is none of that.
    """
    check_kind("counts", counts, Sequence)
    rising = all(is_integer(count) and count >= 1 for count in counts)
    if not rising or len(counts) < 2 or sorted(set(counts)) != list(counts):
        raise ValueError(f"counts is {counts!r}; two or more rising numbers ≥ 1 are needed")
    check_dense("decibels", decibels)
    fits = decibels.ndim == 2 and len(decibels) >= 2 and decibels.shape[1] == len(counts)
    if not fits or not decibels.is_floating_point() or not bool(decibels.isfinite().all()):
        raise ValueError(
            f"decibels has shape {tuple(decibels.shape)} and dtype {decibels.dtype}; finite errors "
            f"(two seeds or more, {len(counts)}) are needed"
        )
    target = check_number("target", target)
    errors = decibels.double()
    fitted = isotonic_regression(errors.mean(0).numpy(), increasing=False).x
    curve = torch.tensor(fitted.tolist(), dtype=torch.float64)
    if curve[-1] > target:
        return Crossing(counts[-1], counts[-1], math.inf, "at least")
    if curve[0] <= target:
        return Crossing(counts[0], 0.0, counts[0], "at most")
    k = int((curve <= target).nonzero()[0])
    left, right = math.log(counts[k - 1]), math.log(counts[k])
    fall = float(curve[k - 1] - curve[k])
    place = left + (right - left) * float(curve[k - 1] - target) / fall
    deviation = float(errors.var(0).mean().sqrt())
    degrees = (len(errors) - 1) * len(counts)
    quantile = float(stdtrit(degrees, 0.975))
    first, last = max(0, k - 2), min(len(counts) - 1, k + 1)
    run = math.log(counts[last] / counts[first])
    slope = float(curve[first] - curve[last]) / run
    half = quantile * deviation / len(errors) ** 0.5 / slope
    return Crossing(math.exp(place), math.exp(place - half), math.exp(place + half))
