"""Signals to recover, the priors that describe them, and measurement noise.

A batch of signals is (count, n). A prior knows how to draw signals, how to estimate one that was
seen in white Gaussian noise, r = x + N(0, variance), and how large the error of that will be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

import torch
from torch import Tensor

from unrolled.checks import (
    check_batch,
    check_dense,
    check_floating,
    check_kind,
    check_positive,
    check_size,
)

__all__ = [
    "BernoulliGaussian",
    "Gaussian",
    "Prior",
    "add_noise",
    "compressible",
    "nmse",
    "piecewise_constant",
    "sparse",
]


class Prior:
    """Signals with n independent real entries of mean zero, as message passing wants to know them.

    A subclass gives `n`, `second_moment`, `mmse`, and what `denoise` calls once it has checked its
    arguments: `unchecked_denoise`, with the variance as a tensor that broadcasts to r. An
    iteration, which checks y where it comes in, calls that, so that a run that goes astray shows
    in its iterates.
    """

    n: int

    @property
    def second_moment(self) -> float:
        """E x_i², the mean squared error of the estimate 0."""
        raise NotImplementedError

    def denoise(self, r: Tensor, variance: float | Tensor) -> tuple[Tensor, Tensor]:
        """E[x | r] for r = x + N(0, variance), and its derivative with respect to r.

        Both results are like r.

        Args:
            r: (B, n), real.
            variance: a number > 0, or one for each row, (B, 1), which is not checked, because a
                look at it would make a GPU wait.

        Raises:
            ValueError: shapes and dtypes that do not fit.
        """
        return self.unchecked_denoise(r, _noise(r, self.n, variance))

    def mmse(self, variance: float) -> float:
        """The mean squared error per entry of `denoise`; 0 ≤ variance < ∞."""
        raise NotImplementedError

    def unchecked_denoise(self, r: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """What `denoise` computes, without a look at the arguments."""
        raise NotImplementedError


@dataclass(frozen=True)
class Gaussian(Prior):
    """Signals with independent N(0, variance) entries. n ≥ 1, 0 < variance < ∞."""

    n: int
    variance: float = 1.0

    def __post_init__(self) -> None:
        check_size("n", self.n)
        check_positive("variance", self.variance)

    @property
    def second_moment(self) -> float:
        """E x_i², the mean squared error of the estimate 0."""
        return self.variance

    def draw(
        self, count: int, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Draw `count` signals, (count, n)."""
        check_floating(dtype)
        return self.variance**0.5 * _normal((count, self.n), generator).to(dtype)

    def mmse(self, variance: float) -> float:
        """The mean squared error per entry of `denoise`; 0 ≤ variance < ∞."""
        check_positive("variance", variance, zero=True)
        return self.variance * variance / (self.variance + variance)

    def unchecked_denoise(self, r: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        # E[x | r] = r·V/(V + variance), with V the signal's variance.
        gain = self.variance / (self.variance + variance)
        return gain * r, gain.expand_as(r)


@dataclass(frozen=True)
class BernoulliGaussian(Prior):
    """Sparse signals: each entry is N(0, variance) with probability `rate`, and otherwise 0.

    n ≥ 1, 0 < rate ≤ 1, 0 < variance < ∞. Draws meet the rate to 2⁻²⁴.

    Raises:
        ValueError: numbers out of these ranges.
    """

    n: int
    rate: float = 0.1
    variance: float = 1.0

    def __post_init__(self) -> None:
        check_size("n", self.n)
        if not isinstance(self.rate, Real) or not 0 < self.rate <= 1:
            raise ValueError(f"rate is {self.rate!r}; 0 < rate ≤ 1 is needed")
        check_positive("variance", self.variance)

    @property
    def second_moment(self) -> float:
        """E x_i², the mean squared error of the estimate 0."""
        return self.rate * self.variance

    def draw(
        self, count: int, generator: torch.Generator, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Draw `count` signals, (count, n)."""
        check_floating(dtype)
        values = self.variance**0.5 * _normal((count, self.n), generator)
        # In float32 whatever is asked for, so that a seed means the same support.
        uniform = torch.rand(
            values.shape, generator=generator, dtype=torch.float32, device=generator.device
        )
        return torch.where(uniform < self.rate, values, 0).to(dtype)

    def mmse(self, variance: float) -> float:
        """The mean squared error per entry of `denoise`, to ten digits; 0 ≤ variance < ∞.

        rate·(g·variance + g·V·E[u²(1 − π)]) with u ~ N(0, 1) and r = u√(V + variance), all terms
        positive. With u = e^t the integrand is analytic and dies out at both ends, where the
        trapezoidal rule converges exponentially.
        """
        check_positive("variance", variance, zero=True)
        if variance == 0:
            return 0.0
        ratio = self.variance / variance
        t = torch.arange(min(0, -math.log(ratio) / 2) - 14, 4, 1 / 256, dtype=torch.float64)
        u = t.exp()
        log_odds = self._log_odds - math.log1p(ratio) / 2 + ratio * u.square() / 2
        density = math.sqrt(2 / math.pi) * torch.exp(3 * t - u.square() / 2)
        missed = float((density * torch.sigmoid(-log_odds)).sum()) / 256
        gain = ratio / (1 + ratio)
        return self.rate * gain * (variance + self.variance * missed)

    def unchecked_denoise(self, r: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        # E[x | r] = π·g·r, and its derivative g·π·(1 + (1 − π)·g r²/variance), where the gain
        # g = V/(V + variance) is that of entries that are not 0, and π the probability of those
        # given r. By log-odds, which are stable for any variance.
        total = self.variance + variance
        gain = self.variance / total
        # From evidence 10⁴ on, 1 − π is 0 in every precision; without the bound, 0·∞ follows.
        evidence = (gain * (r / variance.sqrt()).square()).clamp(max=1e4)
        log_odds = self._log_odds + (variance.log() - total.log() + evidence) / 2
        active = torch.sigmoid(log_odds)
        slope = gain * active * (1 + torch.sigmoid(-log_odds) * evidence)
        return gain * active * r, slope

    @property
    def _log_odds(self) -> float:
        return math.inf if self.rate == 1 else math.log(self.rate) - math.log1p(-self.rate)


def sparse(
    n: int, s: int, count: int, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Draw signals with exactly s nonzero entries, each N(0, 1), at random places: (count, n).

    n ≥ 1, 0 ≤ s ≤ n.

    Raises:
        ValueError: numbers out of these ranges.
    """
    check_size("n", n)
    if not isinstance(s, Integral) or not 0 <= s <= n:
        raise ValueError(f"s is {s!r}; an integer with 0 ≤ s ≤ n = {n} is needed")
    check_floating(dtype)
    values = _normal((count, n), generator)
    values[:, s:] = 0
    return _shuffle(values, generator).to(dtype)


def compressible(
    n: int,
    power: float,
    count: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw signals whose sizes, sorted, are 1, 2^−power, …, n^−power: (count, n).

    Signs and places are random. The larger `power` ≥ 0 is, the fewer entries say almost all.
    """
    check_size("n", n)
    power = check_positive("power", power, zero=True)
    check_floating(dtype)
    signs = _normal((count, n), generator).sign()
    sizes = torch.arange(1, n + 1, dtype=torch.float64, device=generator.device) ** -power
    return _shuffle(sizes * signs, generator).to(dtype)


def piecewise_constant(
    height: int,
    width: int,
    count: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    *,
    pieces: int = 8,
) -> Tensor:
    """Draw images of rectangles painted over one another: (count, height·width), row by row.

    The ground is 0; each of the `pieces` ≥ 1 rectangles has random corners and a N(0, 1) value.
    """
    for name, value in (("height", height), ("width", width), ("pieces", pieces)):
        check_size(name, value)
    check_floating(dtype)
    values = _normal((count, pieces), generator)
    down = _intervals(height, (count, pieces), generator)
    across = _intervals(width, (count, pieces), generator)
    image = values.new_zeros(count, height, width)
    for piece in range(pieces):
        inside = down[:, piece, :, None] & across[:, piece, None, :]
        image = torch.where(inside, values[:, piece, None, None], image)
    return image.flatten(1).to(dtype)


def add_noise(y: Tensor, snr: float, generator: torch.Generator) -> Tensor:
    """Measure with noise: y + w, w white with variance ‖y‖²/m · 10^(−snr/10) in each row.

    The noise is drawn and scaled in double precision, so that a seed means the same noise in every
    precision.

    Args:
        y: (B, m), real or complex floating point; complex noise is circular.
        snr: the signal-to-noise ratio in dB, ∞ for no noise.

    Raises:
        ValueError: other shapes and dtypes, an snr that is NaN or −∞, or y + w more than the dtype
            of y can hold.
    """
    check_batch("y", y, y.shape[-1] if isinstance(y, Tensor) and y.ndim else 0)
    if not isinstance(snr, Real) or not snr > -math.inf:
        raise ValueError(f"snr is {snr!r}; a ratio in dB with −∞ < snr ≤ ∞ is needed")
    check_kind("generator", generator, torch.Generator)
    if not (y.is_floating_point() or y.is_complex()):
        raise ValueError(f"y has dtype {y.dtype}; a floating-point batch (B, m) is needed")
    exact = y.to(torch.complex128 if y.is_complex() else torch.float64)
    # In units of the largest entry, whose square neither under- nor overflows.
    largest = exact.abs().amax(1, keepdim=True)
    unit = torch.where(largest > 0, largest, 1)
    root_mean_square = (exact / unit).abs().square().mean(1, keepdim=True).sqrt() * largest
    ratio = 10 ** torch.tensor(-snr / 20, dtype=torch.float64)
    w = torch.randn(y.shape, generator=generator, dtype=exact.dtype, device=generator.device)
    noisy = (exact + root_mean_square * ratio * w.to(y.device)).to(y.dtype)
    if not torch.isfinite(noisy).all():
        raise ValueError(f"snr is {snr}; y with such noise is more than {y.dtype} can hold")
    return noisy


def nmse(estimate: Tensor, x: Tensor) -> Tensor:
    """The normalised mean squared error 10 log₁₀(Σ‖estimate − x‖²/Σ‖x‖²) over a batch, in dB.

    Args:
        x: (B, n), not zero.
        estimate: (B, n), or (…, B, n) for one error each.

    Returns:
        (…), float64, −∞ where the estimate is exact, and ∞ or NaN where it is not finite.

    Raises:
        ValueError: other shapes, x = 0, or x not finite.
    """
    check_dense("estimate", estimate)
    check_dense("x", x)
    if x.ndim != 2 or estimate.shape[-2:] != x.shape:
        shapes = f"{tuple(estimate.shape)}, {tuple(x.shape)}"
        raise ValueError(f"estimate, x have shapes {shapes}; (…, B, n), (B, n) are needed")
    if x.numel() == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; a batch (B, n) is needed")
    if torch.bool in (estimate.dtype, x.dtype):
        raise ValueError(f"estimate, x have dtypes {estimate.dtype}, {x.dtype}; numbers are needed")
    sizes = x.abs().double()
    # In units of the largest entry, whose square neither under- nor overflows.
    if not torch.isfinite(largest := sizes.max()):
        raise ValueError("x holds NaN or infinite entries; all must be finite")
    if largest == 0:
        raise ValueError("x is 0, which no error can be measured against; x ≠ 0 is needed")
    error = ((estimate - x).abs().double() / largest).square().sum((-2, -1))
    return 10 * torch.log10(error / (sizes / largest).square().sum())


def _normal(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    # In float64 whatever is asked for, so that a seed means the same signal in every precision.
    check_size("count", shape[0])
    check_kind("generator", generator, torch.Generator)
    return torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)


def _shuffle(values: Tensor, generator: torch.Generator) -> Tensor:
    # Each row in an order of its own.
    keys = torch.rand(
        values.shape, generator=generator, dtype=torch.float64, device=generator.device
    )
    return values.gather(1, keys.argsort(1))


def _intervals(length: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    # Which of 0 … length − 1 lie in each random interval, never an empty one: (*shape, length).
    ends = torch.randint(length, (2, *shape, 1), generator=generator, device=generator.device)
    place = torch.arange(length, device=generator.device)
    return (ends.amin(0) <= place) & (place <= ends.amax(0))


def _noise(r: Tensor, n: int, variance: float | Tensor) -> Tensor:
    # The variance as a tensor that broadcasts to r.
    check_batch("r", r, n)
    if not r.is_floating_point():
        raise ValueError(f"r has dtype {r.dtype}; the prior is of real signals")
    if isinstance(variance, Tensor):
        if variance.shape != (len(r), 1) or variance.dtype != r.dtype:
            raise ValueError(
                f"variance has shape {tuple(variance.shape)} and dtype {variance.dtype}; a number "
                f"or a tensor ({len(r)}, 1) of dtype {r.dtype} is needed"
            )
        return variance
    return r.new_full((), check_positive("variance", variance, dtype=r.dtype))
