"""N* of curves whose N* is known: the value, its interval, and what is not crossed."""

import math

import pytest
import torch

from unrolled.experiments.crossing import samples_needed

COUNTS = (2, 5, 20, 54, 200, 500, 2000)
LOGS = torch.tensor(COUNTS, dtype=torch.float64).log10()


def test_the_crossing_of_straight_lines_is_exact():
    """−3 dB a decade from 0 dB at one scene: −5 dB at 10^(5/3)."""
    decibels = (-3 * LOGS).expand(3, -1)
    crossing = samples_needed(COUNTS, decibels, -5.0)
    assert crossing.samples == pytest.approx(10 ** (5 / 3))
    assert crossing.low == pytest.approx(crossing.samples) == crossing.high
    assert crossing.bound == ""


def test_what_is_not_crossed_is_a_bound():
    decibels = (-3 * LOGS).expand(2, -1)
    never = samples_needed(COUNTS, decibels, -30.0)
    assert (never.samples, never.high, never.bound) == (2000, math.inf, "at least")
    always = samples_needed(COUNTS, decibels, 0.0)
    assert (always.samples, always.low, always.bound) == (2, 0.0, "at most")


def test_a_curve_that_rises_again_is_made_monotone():
    decibels = torch.tensor([[0.0, -4.0, -2.0, -6.0]] * 2)
    assert samples_needed((1, 10, 100, 1000), decibels, -2.9).samples < 10
    assert 100 < samples_needed((1, 10, 100, 1000), decibels, -5.0).samples < 1000


@pytest.mark.parametrize(("slope", "deviation"), [(3.0, 0.3), (2.0, 0.5)])
def test_three_seeds_cover_at_least_nine_times_in_ten(slope, deviation):
    generator = torch.Generator().manual_seed(0)
    truth, covered, by_resampling = 10 ** (5 / slope), 0, 0
    for _ in range(400):
        noise = torch.randn(3, len(COUNTS), generator=generator, dtype=torch.float64)
        decibels = -slope * LOGS + deviation * noise
        crossing = samples_needed(COUNTS, decibels, -5.0)
        covered += crossing.low <= truth <= crossing.high
        # What the book warns of: the interval of a bootstrap over the three seeds.
        rows = torch.randint(0, 3, (40, 3), generator=generator)
        found = [samples_needed(COUNTS, decibels[row], -5.0).samples for row in rows]
        low, high = torch.tensor(found).quantile(torch.tensor([0.025, 0.975])).tolist()
        by_resampling += low <= truth <= high
    assert covered >= 0.9 * 400
    assert by_resampling < 0.85 * 400


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"counts": (5, 2)}, r"^counts is \(5, 2\)"),
        ({"counts": (5,)}, r"^counts is \(5,\)"),
        ({"decibels": torch.zeros(1, 2)}, r"^decibels has shape \(1, 2\)"),
        ({"decibels": torch.zeros(2, 3)}, "^decibels has shape"),
        ({"decibels": torch.full((2, 2), math.nan)}, "^decibels has shape"),
        ({"target": math.nan}, "^target is nan"),
    ],
)
def test_what_is_no_curve_is_refused(change, sentence):
    good = {"counts": (2, 5), "decibels": torch.zeros(2, 2), "target": -1.0}
    samples_needed(**good)
    with pytest.raises(ValueError, match=sentence):
        samples_needed(**good | change)
