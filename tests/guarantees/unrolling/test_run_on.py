"""Trained for K layers, run for k: the theorem holds, can fail, and says what it means."""

import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.guarantees import evaluate
from unrolled.guarantees.unrolling import K, M, TwoEigenvalues, growth, share, trained_step


@given(
    high=st.floats(2.1, 10),
    w=st.floats(1e-4, 0.9),
    depth=st.integers(1, 8),
)
def test_the_trained_network_survives_exactly_when_the_theorem_says(high, w, depth):
    values = {M: high, share: w, K: depth}
    factor = evaluate(growth, values)
    t = (w * high / (1 - w)) ** (1 / (2 * depth - 1))
    assert (factor < 1) == (t > 1 - 2 / high) or abs(factor - 1) < 1e-9
    if abs(factor - 1) > 0.05:
        end = float(TwoEigenvalues(high, w, depth, layers=1000).errors()[-1])
        assert (end < w) == (factor < 1)


def test_the_trained_step_is_a_minimum_and_no_other_step_is():
    instance = TwoEigenvalues(high=4, share=0.01, depth=3, layers=3)
    step = evaluate(trained_step, {M: 4, share: 0.01, K: 3})
    assert step == pytest.approx(instance.train(), rel=1e-12)

    def loss(step):
        steps = torch.full((3,), step, dtype=torch.float64)
        return float(TwoEigenvalues(4, 0.01, 3, 3, steps=steps).errors()[-1])

    assert loss(step) < min(loss(0.99 * step), loss(1.01 * step))


def test_for_every_depth_there_is_a_share_that_is_too_small():
    # t → 0 with w for every K, so the factor tends to M − 1 > 1 for M > 2.
    d = sp.Symbol("d", positive=True)
    for depth in (1, 2, 5):
        factor = growth.subs({K: depth, M: 2 + d})
        assert sp.limit(factor.subs(d, 2), share, 0, "+") == 3
