"""N* of curves whose N* is known: the value, its interval, and what is not crossed."""

import math

import numpy as np
import pytest

from unrolled.experiments.crossing import samples_needed

COUNTS = (2, 5, 20, 54, 200, 500, 2000)
LOGS = np.log10(COUNTS)
# Learning curves in dB: straight, ever flatter, with a knee, and flat at first.
CURVES = {
    "steep": -3 * LOGS,
    "straight": -2 * LOGS,
    "flattening": -9 * (1 - 10 ** (-0.35 * LOGS)),
    "knee": -np.minimum(5 * LOGS, 7 + 0.6 * (LOGS - 1.4)),
    "late": -np.where(LOGS < 2, 0.5 * LOGS, 1 + 4 * (LOGS - 2)),
}


def alike(curve, seeds=2):
    return [[float(value)] * seeds for value in curve]


def true_crossing(curve, target):
    fine = np.linspace(LOGS[0], LOGS[-1], 200_001)
    return 10 ** fine[np.argmax(np.interp(fine, LOGS, curve) <= target)]


def test_the_crossing_of_straight_lines_is_exact():
    """−3 dB a decade from 0 dB at one scene: −5 dB at 10^(5/3)."""
    crossing = samples_needed(COUNTS, alike(-3 * LOGS), -5.0)
    assert crossing.samples == pytest.approx(10 ** (5 / 3))
    assert crossing.low == pytest.approx(crossing.samples)
    assert crossing.high == pytest.approx(crossing.samples)
    assert crossing.bound == ""


def test_on_a_straight_line_the_interval_is_that_of_the_delta_method():
    """Half of it is t·s/(slope·√S) decades; 2.145 is t for 14 degrees of freedom."""
    decibels = [[value - 0.3, value, value + 0.3] for value in -3 * LOGS]
    crossing = samples_needed(COUNTS, decibels, -5.0)
    half = 2.1448 * 0.3 / (3 * math.sqrt(3))
    assert math.log10(crossing.high / crossing.samples) == pytest.approx(half, rel=1e-3)
    assert math.log10(crossing.samples / crossing.low) == pytest.approx(half, rel=1e-3)


def test_what_is_not_crossed_is_a_bound():
    never = samples_needed(COUNTS, alike(-3 * LOGS), -30.0)
    assert (never.samples, never.low, never.high) == (2000, 2000, math.inf)
    assert never.bound == "at least"
    always = samples_needed(COUNTS, alike(-3 * LOGS), 0.0)
    assert (always.samples, always.low, always.high, always.bound) == (2, 0.0, 2, "at most")


def test_a_target_just_missed_may_be_met_by_fewer():
    decibels = [[value - 0.2, value + 0.2] for value in -3 * LOGS]
    nearly = samples_needed(COUNTS, decibels, -3 * LOGS[-1] - 0.01)
    assert nearly.bound == "at least"
    assert 500 < nearly.low < 2000
    # And one just reached, by no number that was tried.
    barely = samples_needed(COUNTS, decibels, -3 * LOGS[-1] + 0.01)
    assert barely.samples < 2000
    assert barely.high == math.inf


def test_a_curve_that_rises_again_is_made_monotone():
    decibels = alike([0.0, -4.0, -2.0, -6.0])
    assert samples_needed((1, 10, 100, 1000), decibels, -2.9).samples < 10
    assert 100 < samples_needed((1, 10, 100, 1000), decibels, -5.0).samples < 1000


def test_more_seeds_at_some_numbers_narrow_the_interval_there():
    def interval(seeds):
        spread = np.linspace(-0.3, 0.3, seeds)
        some = [list(spread) if 5 <= count <= 200 else [-0.3, 0.3] for count in COUNTS]
        decibels = [[v + e for e in errors] for v, errors in zip(-3 * LOGS, some, strict=True)]
        crossing = samples_needed(COUNTS, decibels, -5.0)
        return math.log(crossing.high / crossing.low)

    assert interval(6) < 0.7 * interval(2)


@pytest.mark.parametrize("deviation", [0.3, 0.5])
@pytest.mark.parametrize("curve", CURVES)
def test_three_seeds_cover_at_least_nine_times_in_ten(curve, deviation):
    generator, values = np.random.default_rng(0), CURVES[curve]
    for share in (0.35, 0.65, 0.9):  # of the way down
        target = float(values[0] + share * (values[-1] - values[0]))
        truth, covered = true_crossing(values, target), 0
        for _ in range(200):
            noise = deviation * generator.standard_normal((len(COUNTS), 3))
            crossing = samples_needed(COUNTS, (values[:, None] + noise).tolist(), target)
            covered += crossing.low <= truth <= crossing.high
        assert covered >= 0.9 * 200


def test_a_bootstrap_over_three_seeds_does_not():
    """What the book warns of; so a count of what is covered can fail."""
    generator = np.random.default_rng(0)
    truth, covered = 10 ** (5 / 3), 0
    for _ in range(200):
        decibels = -3 * LOGS[:, None] + 0.3 * generator.standard_normal((len(COUNTS), 3))
        rows = generator.integers(0, 3, (40, 3))
        found = [samples_needed(COUNTS, decibels[:, row].tolist(), -5.0).samples for row in rows]
        low, high = np.quantile(found, [0.025, 0.975])
        covered += low <= truth <= high
    assert covered < 0.85 * 200


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"counts": (5, 2)}, r"^counts is \(5, 2\)"),
        ({"counts": (5,)}, r"^counts is \(5,\)"),
        ({"decibels": [[0.0], [0.0]]}, r"^decibels has \[1, 1\] errors"),
        ({"decibels": [[0.0, 0.0], []]}, r"^decibels has \[2, 0\] errors"),
        ({"decibels": [[0.0, 0.0]]}, r"^decibels has \[2\] errors"),
        ({"decibels": []}, r"^decibels has \[\] errors"),
        ({"decibels": [[math.nan, 0.0], [0.0]]}, "^decibels is nan"),
        ({"decibels": [0.0, 0.0]}, "^decibels is a float"),
        ({"target": math.nan}, "^target is nan"),
    ],
)
def test_what_is_no_curve_is_refused(change, sentence):
    good = {"counts": (2, 5), "decibels": [[0.0, 0.0], [0.0]], "target": -1.0}
    samples_needed(**good)
    with pytest.raises(ValueError, match=sentence):
        samples_needed(**good | change)
