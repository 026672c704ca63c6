"""The covering bound: against its definition, where it is known, and against an error it bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.experiments.covering import covering_bound, covering_constant

PLAIN = {"training": 0.1, "signals": 1000, "parameters": 8, "constant": 50.0, "side": 2.0}


def kl(q, p):
    left = q * math.log(q / p) if q else 0.0
    return left + (1 - q) * math.log((1 - q) / (1 - p))


@given(
    st.floats(0, 0.9),
    st.integers(10, 10**7),
    st.integers(1, 1000),
    st.floats(1e-3, 1e12),
    st.floats(1e-3, 0.5),
)
def test_it_solves_its_equation(training, signals, parameters, constant, delta):
    bound = covering_bound(training, signals, parameters, constant, side=2.0, delta=delta)
    q = training + 1 / signals
    rate = parameters * math.log(math.ceil(constant * signals)) - math.log(delta)
    p = bound - 1 / signals
    assert bound <= 1
    if bound < 1 and q < 1:
        assert kl(q, p) * signals == pytest.approx(rate, rel=1e-3, abs=1e-6)
    elif q < 1 - 2 / signals:
        assert kl(q, 1 - 1 / signals) * signals <= rate * (1 + 1e-9)


def test_a_single_centre_is_the_hold_out_bound():
    """A cube that one centre covers counts no parameters: N fresh losses, none of them wrong."""
    few = {"training": 0.0, "constant": 1e-9, "side": 1.0, "delta": 0.05}
    bounds = [covering_bound(**few, signals=100, parameters=count) for count in (5, 500)]
    assert bounds[0] == bounds[1]
    # kl(1/N‖p) = ln(1/δ)/N; without the 1/N that Λε is, p would be 1 − δ^{1/N} = 0.0295.
    assert kl(0.01, bounds[0] - 0.01) == pytest.approx(math.log(20) / 100, rel=1e-9)
    assert 0.0295 + 0.01 < bounds[0] < 0.0295 + 0.04


def test_it_grows_with_what_it_should():
    bound = covering_bound(**PLAIN)
    for larger in ({"training": 0.2}, {"parameters": 9}, {"constant": 60.0}, {"side": 3.0}):
        assert covering_bound(**PLAIN | larger) > bound
    assert covering_bound(**PLAIN | {"signals": 2000}) < bound
    assert covering_bound(**PLAIN, delta=0.01) > bound


def test_the_constant_follows_a_change_through_the_layers():
    # By hand: (2/√4)·(M₁L₂L₃ + M₂L₃ + M₃); L₁ has no parameters before it.
    assert covering_constant([7.0, 2.0, 3.0], [1.0, 10.0, 100.0], 4.0) == 6 + 30 + 100
    # Scalar layers x_k = θx_{k−1} + θ with θ = 2: every derivative is positive, and it is attained.
    start, h = 2.0, 1e-6

    def last(theta):
        x = 0.0
        for _ in range(5):
            x = theta * x + theta
        return x

    states = [0.0]
    for _ in range(4):
        states.append(start * states[-1] + start)
    constant = covering_constant([start] * 5, [x + 1 for x in states], 1.0)
    assert constant == pytest.approx(2 * (last(start + h) - last(start)) / h, rel=1e-4)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda: covering_constant([1.0], [1.0, 2.0], 1.0), "in_state has 1 layers"),
        (lambda: covering_constant([], [], 1.0), "in_state has 0 layers"),
        (lambda: covering_constant([-1.0], [1.0], 1.0), r"in_state\[0\] is -1.0"),
        (lambda: covering_constant([1.0], [math.inf], 1.0), r"in_parameters\[0\] is inf"),
        (lambda: covering_constant([1.0], [1.0], 0.0), "energy is 0.0"),
        (lambda: covering_constant(1.0, [1.0], 1.0), "in_state is a float"),
        (lambda: covering_bound(**PLAIN | {"training": 1.5}), "training is 1.5"),
        (lambda: covering_bound(**PLAIN | {"signals": 0}), "signals is 0"),
        (lambda: covering_bound(**PLAIN | {"parameters": 1.5}), "parameters is 1.5"),
        (lambda: covering_bound(**PLAIN | {"constant": 0.0}), "constant is 0.0"),
        (lambda: covering_bound(**PLAIN | {"side": -1.0}), "side is -1.0"),
        (lambda: covering_bound(**PLAIN, delta=1.0), "delta is 1.0"),
    ],
)
def test_bad_input_is_named(refused, message):
    with pytest.raises(ValueError, match=message):
        refused()
