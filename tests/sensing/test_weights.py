"""Weights in closed form: optimal, the LMMSE filter rescaled, and refused where there are none."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.sensing import analytic_weights, gaussian


def problem(m=6, n=10, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return gaussian(m, n, generator=generator, dtype=torch.float64)


@given(
    seed=st.integers(0, 99),
    m=st.integers(1, 5),
    more=st.integers(0, 4),
    lam=st.sampled_from([0.0, 0.01, 1.0]),
)
def test_analytic_weights_are_optimal(seed, m, more, lam):
    operator = problem(m, m + more, seed=seed)
    A = operator.dense()
    W = analytic_weights(A, lam)

    def objective(W):
        return (W.T @ A).square().sum() + lam * W.square().sum()

    torch.testing.assert_close((W * A).sum(0), torch.ones(m + more).double())
    # Any other W with unit diagonal is farther from the identity.
    generator = torch.Generator().manual_seed(seed)
    change = torch.randn(W.shape, generator=generator, dtype=torch.float64)
    change = change - (change * A).sum(0) / A.square().sum(0) * A
    assert objective(W + 0.1 * change) >= objective(W) - 1e-12


@pytest.mark.parametrize("lam", [0.1, 10.0])
def test_analytic_weights_are_the_lmmse_filter_with_unit_response(lam):
    operator = problem()
    filters = operator.lmmse(torch.eye(6, dtype=torch.float64), lam)  # row i is W's row i
    response = (filters * operator.dense()).sum(0)
    assert (response < 0.99).all()
    torch.testing.assert_close(analytic_weights(operator, lam), filters / response)


def test_analytic_weights_need_full_row_rank_or_a_positive_lam():
    with pytest.raises(ValueError, match="full row rank"):
        analytic_weights(torch.ones(2, 3))
    torch.testing.assert_close(analytic_weights(torch.ones(2, 3), 1.0), torch.full((2, 3), 0.5))
    for lam in (-1.0, math.inf):
        with pytest.raises(ValueError, match="lam is"):
            analytic_weights(torch.eye(2), lam)


def test_analytic_weights_need_columns_that_are_not_zero():
    A = problem().dense().clone()
    A[:, 2] = 0
    with pytest.raises(ValueError, match="zero column"):
        analytic_weights(A)
