"""Each step size rule has the property that defines it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled import iterations
from unrolled.guarantees.convergence import symbols as ex
from unrolled.signals import Gaussian

draws = settings(deadline=None)  # the first use of an expression takes longer
depths = st.integers(1, 10)
kappas = st.floats(1.1, 500)


@draws
@given(kappa=kappas, depth=depths)
def test_chebyshev_steps_are_the_expression(kappa, depth):
    roots = [
        float(ex.chebyshev_root.subs({ex.kappa: kappa, ex.K: depth, ex.k: k}))
        for k in range(1, depth + 1)
    ]
    steps = iterations.chebyshev_steps(1.0, kappa, depth)
    torch.testing.assert_close(
        1 / steps, torch.tensor(sorted(roots), dtype=torch.float64), rtol=1e-9, atol=0
    )


@draws
@given(kappa=kappas, depth=depths)
def test_chebyshev_polynomial_equioscillates(kappa, depth):
    # K + 1 alternating extrema of equal size are what defines the minimax polynomial.
    steps = iterations.chebyshev_steps(1.0, kappa, depth)
    j = torch.arange(depth + 1, dtype=torch.float64)
    points = (kappa + 1) / 2 + (kappa - 1) / 2 * torch.cos(j * math.pi / depth)
    values = (1 - steps[:, None] * points).prod(0)
    assert torch.all(values[1:] * values[:-1] < 0)
    torch.testing.assert_close(
        values.abs(), values.abs().max().expand(depth + 1), rtol=1e-6, atol=0
    )


@draws
@given(c=st.floats(0.1, 5), noise=st.floats(0, 3), depth=depths)
def test_semicircle_steps_are_the_expression(c, noise, depth):
    values = {ex.c: c, ex.noise: noise, ex.K: depth}
    steps = sorted(
        (float(ex.semicircle_step.subs(values | {ex.k: k})) for k in range(1, depth + 1)),
        reverse=True,
    )
    expected = torch.tensor(steps, dtype=torch.float64)
    torch.testing.assert_close(iterations.semicircle_steps(c, noise, depth), expected)


@draws
@given(seed=st.integers(0, 1000), depth=st.integers(1, 5))
def test_gauss_steps_integrate_exactly(seed, depth):
    # What defines a K-point Gauss rule: p is orthogonal to λ·q for every q of degree < K.
    generator = torch.Generator().manual_seed(seed)
    lam = 1 + torch.arange(8) + 0.5 * torch.rand(8, generator=generator, dtype=torch.float64)
    weights = 0.1 + torch.rand(8, generator=generator, dtype=torch.float64)
    p = (1 - iterations.gauss_steps(lam, weights, depth)[:, None] * lam).prod(0)
    for degree in range(depth):
        q = (lam / lam.max()) ** degree
        inner = (weights * lam * p * q).sum()
        size = (weights * lam * p.abs() * q).sum()
        assert abs(inner) < 1e-8 * size


def test_gauss_steps_of_two_atoms_are_their_reciprocals():
    steps = iterations.gauss_steps(torch.tensor([1.0, 9.0]), torch.tensor([0.2, 0.8]), 2)
    torch.testing.assert_close(steps, torch.tensor([1.0, 1 / 9], dtype=torch.float64))


def test_lanczos_steps_are_the_gauss_steps_of_the_training_set():
    generator = torch.Generator().manual_seed(0)
    H = torch.diag(torch.linspace(1, 5, 6, dtype=torch.float64))
    X = torch.randn(6, 20, generator=generator, dtype=torch.float64)
    by_measure = iterations.gauss_steps(H.diagonal(), X.square().mean(1), 3)
    torch.testing.assert_close(iterations.lanczos_steps(H, X, 3), by_measure)


def test_too_few_eigenvalues_are_refused():
    with pytest.raises(ValueError, match="excite only 2"):
        iterations.gauss_steps(torch.tensor([1.0, 2.0, 0.0]), torch.ones(3), 3)
    with pytest.raises(ValueError, match="excite only 0"):
        iterations.gauss_steps(torch.ones(3), torch.zeros(3), 1)


@draws
@given(kappa=kappas, depth=depths)
def test_leja_order_permutes(kappa, depth):
    steps = iterations.chebyshev_steps(1.0, kappa, depth)
    torch.testing.assert_close(iterations.leja_order(steps).sort().values, steps.sort().values)


def test_silver_steps_follow_the_ruler_sequence():
    root = 2**0.5
    expected = torch.tensor([root, 2, root, 2 + root, root, 2, root], dtype=torch.float64)
    torch.testing.assert_close(iterations.silver_steps(7), expected)


@pytest.mark.parametrize("kind", [float, np.float32, torch.tensor])
def test_numbers_may_be_of_numpy_or_torch(kind):
    one, two = kind(1.0), kind(2.0)
    assert iterations.tied_step(one, two) == iterations.tied_step(1, 2)
    assert torch.equal(iterations.chebyshev_steps(one, two, 3), iterations.chebyshev_steps(1, 2, 3))
    assert torch.equal(
        iterations.semicircle_steps(one, two, 3), iterations.semicircle_steps(1, 2, 3)
    )
    assert iterations.heavy_ball_parameters(one, two) == iterations.heavy_ball_parameters(1, 2)


def test_steps_are_finite_at_the_ends_of_double_precision():
    low, high = torch.finfo(torch.float64).tiny, torch.finfo(torch.float64).max
    assert 0 < iterations.tied_step(high, high) < iterations.tied_step(low, low) < math.inf
    assert all(map(math.isfinite, iterations.heavy_ball_parameters(low, high)))
    assert torch.isfinite(iterations.chebyshev_steps(low, high, 2)).all()
    for H in (1e300 * torch.eye(2, dtype=torch.float64), 1e-310 * torch.eye(2).double()):
        with pytest.raises(ValueError, match="too large or too small"):
            iterations.lanczos_steps(H, 1e100 * torch.ones(2, 1, dtype=torch.float64), 1)


@pytest.mark.parametrize(
    "rule",
    [
        iterations.silver_steps,
        lambda depth: iterations.chebyshev_steps(1, 2, depth),
        lambda depth: iterations.semicircle_steps(1, 0, depth),
        lambda depth: iterations.amp_state_evolution(1, noise=0, depth=depth, prior=Gaussian(1)),
    ],
)
def test_more_steps_than_anybody_takes_are_refused_at_once(rule):
    with pytest.raises(ValueError, match=r"depth is 1000000000; at most"):
        rule(10**9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: iterations.tied_step(0, 1),
        lambda: iterations.tied_step(1e-320, 1),
        lambda: iterations.chebyshev_steps(2, 1, 3),
        lambda: iterations.chebyshev_steps(1, math.inf, 3),
        lambda: iterations.chebyshev_steps(1, 2, 0),
        lambda: iterations.silver_steps(0),
        lambda: iterations.semicircle_steps(0, 0, 1),
        lambda: iterations.semicircle_steps(1, -1, 1),
        lambda: iterations.leja_order(torch.tensor([1.0, 0.0])),
        lambda: iterations.gauss_steps(torch.ones(2), torch.ones(3), 1),
        lambda: iterations.gauss_steps(-torch.ones(2), torch.ones(2), 1),
        lambda: iterations.lanczos_steps(torch.ones(2, 3), torch.ones(2, 1), 1),
        lambda: iterations.lanczos_steps(torch.full((1, 1), math.nan), torch.ones(1, 1), 1),
        lambda: iterations.lanczos_steps(torch.eye(2) + 0j, torch.ones(2, 1), 1),
        lambda: iterations.lanczos_steps(torch.eye(2), [[1.0], [2.0]], 1),
        lambda: iterations.gauss_steps(torch.ones(2) + 1j, torch.ones(2), 1),
        lambda: iterations.gauss_steps(torch.ones(2), None, 1),
        lambda: iterations.leja_order(torch.tensor([1, 2])),
        lambda: iterations.leja_order([1.0, 2.0]),
        lambda: iterations.tied_step("1", 2),
        lambda: iterations.tied_step(1, None),
        lambda: iterations.chebyshev_steps(1, 2, 3.0),
        lambda: iterations.chebyshev_steps(1, 2, "3"),
        lambda: iterations.semicircle_steps(1, None, 1),
        lambda: iterations.silver_steps(None),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(ValueError, match=r"needed|finite|depth is|must be|hold"):
        call()
