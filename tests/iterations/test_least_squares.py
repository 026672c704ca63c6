"""Gradient methods have the errors that theory gives them, on real and complex operators."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.guarantees.convergence import symbols as ex
from unrolled.iterations import (
    chebyshev_steps,
    gradient_descent,
    heavy_ball,
    leja_order,
    tied_step,
)
from unrolled.sensing import DenseOperator, gaussian

draws = settings(deadline=None)
seeds = st.integers(0, 2**31)
DTYPES = [torch.float64, torch.complex128]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(m, n, seed, dtype=torch.float64, batch=2):
    generator = seeded(seed)
    A = torch.randn(m, n, generator=generator, dtype=dtype) / m**0.5
    return DenseOperator(A), torch.randn(batch, n, generator=generator, dtype=dtype)


@draws
@given(depth=st.integers(1, 8), seed=seeds)
def test_error_is_the_error_polynomial(depth, seed):
    spectrum = torch.linspace(0.5, 4.0, 7, dtype=torch.float64)
    steps = torch.rand(depth, generator=seeded(seed), dtype=torch.float64)
    signal = torch.randn(3, 7, generator=seeded(seed), dtype=torch.float64)
    operator = DenseOperator(torch.diag(spectrum.sqrt()))
    iterates = gradient_descent(operator, operator.forward(signal), steps=steps)
    polynomials = torch.cumprod(1 - steps[:, None] * spectrum, 0)
    assert iterates.shape == (depth + 1, 3, 7)
    torch.testing.assert_close(signal - iterates[1:], polynomials[:, None] * signal)
    # The order of the steps matters to the iterates between, and not to the last one.
    turned = gradient_descent(operator, operator.forward(signal), steps=steps.flip(0))
    torch.testing.assert_close(turned[-1], iterates[-1])
    if depth > 1:
        assert not torch.allclose(turned[1], iterates[1])


@draws
@given(kappa=st.floats(2, 200), depth=st.integers(2, 12), seed=seeds)
def test_chebyshev_steps_reach_their_worst_case_and_a_constant_step_does_not(kappa, depth, seed):
    spectrum = torch.linspace(1.0, kappa, 40, dtype=torch.float64)
    signal = torch.ones(1, 40, dtype=torch.float64)
    operator = DenseOperator(torch.diag(spectrum.sqrt()))
    y = operator.forward(signal)
    bound = 1 / math.cosh(depth * math.acosh((kappa + 1) / (kappa - 1)))
    chebyshev = gradient_descent(operator, y, steps=chebyshev_steps(1.0, kappa, depth))
    constant = gradient_descent(operator, y, steps=[tied_step(1.0, kappa)] * depth)
    assert (chebyshev[-1] - signal).abs().max() <= bound * (1 + 1e-6) + 1e-12
    assert (constant[-1] - signal).abs().max() > bound


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(20, 8), (8, 20)])
def test_gradient_methods_find_the_least_squares_solution_of_least_norm(shape, dtype):
    operator, _ = draw(*shape, 0, dtype)
    y = torch.randn(3, shape[0], generator=seeded(1), dtype=dtype)
    positive = operator.eigenvalues[operator.eigenvalues > 1e-9]
    low, high = float(positive[0]), float(positive[-1])
    expected = y @ torch.linalg.pinv(operator.dense()).T
    for iterates in (
        gradient_descent(operator, y, steps=[tied_step(low, high)] * 2000),
        gradient_descent(operator, y, steps=leja_order(chebyshev_steps(low, high, 128))),
        heavy_ball(operator, y, low=low, high=high, depth=500),
    ):
        assert iterates.dtype == dtype
        torch.testing.assert_close(iterates[-1], expected, rtol=1e-7, atol=1e-7)
    diverging = gradient_descent(operator, y, steps=[2.1 / high] * 200)
    assert diverging[-1].norm() > 1e2 * expected.norm()


@pytest.mark.parametrize("dtype", DTYPES)
def test_ridge_leads_to_the_linear_mmse_estimate(dtype):
    operator, x = draw(12, 20, 0, dtype)
    y, ridge = operator.forward(x), 0.1
    high = float(operator.eigenvalues[-1])
    iterates = gradient_descent(operator, y, steps=[1 / (high + ridge)] * 1500, ridge=ridge)
    torch.testing.assert_close(iterates[-1], operator.lmmse(y, ridge))
    assert not torch.allclose(iterates[-1], operator.lmmse(y, 2 * ridge), rtol=1e-2)


@draws
@given(kappa=st.floats(1.5, 50), seed=st.integers(0, 100))
def test_heavy_ball_reaches_the_accelerated_rate(kappa, seed):
    spectrum = torch.linspace(1.0, kappa, 12, dtype=torch.float64)
    signal = torch.randn(1, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    operator = DenseOperator(torch.diag(spectrum.sqrt()))
    depth = 400
    iterates = heavy_ball(operator, operator.forward(signal), low=1.0, high=kappa, depth=depth)
    error = (iterates - signal).norm(dim=(1, 2))
    rate = float(ex.accelerated_rate.subs(ex.kappa, kappa))
    tied = float(ex.tied_rate.subs(ex.kappa, kappa))
    # Defective eigenvalues cost a factor linear in k at the ends of the spectrum.
    reached = max(float(error[depth]), 1e-13)
    assert reached <= max(20 * depth * rate**depth * float(error[0]), 2e-13)
    if tied**60 > 1e-6:
        assert float(error[60]) < tied**60 * float(error[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence_shows_in_the_iterates(dtype):
    operator, y = DenseOperator(10 * torch.eye(2, dtype=dtype)), torch.ones(1, 2, dtype=dtype)
    for iterates in (
        gradient_descent(operator, y, steps=[10.0] * 400),
        heavy_ball(operator, y, low=0.01, high=0.1, depth=400),
    ):
        assert torch.isfinite(iterates[:20]).all()
        assert not torch.isfinite(iterates[-1]).any()
    assert torch.isfinite(gradient_descent(operator, y, steps=[0.01] * 400)).all()


def test_steps_are_used_in_double_precision_however_they_are_given():
    operator, y = DenseOperator(torch.eye(2, dtype=torch.float64)), torch.ones(1, 2).double()
    for steps in ([0.1], torch.tensor([0.1], dtype=torch.float64)):
        assert (gradient_descent(operator, y, steps=steps)[1] == 0.1).all()
    single = gradient_descent(operator, y, steps=torch.tensor([0.1]))
    assert (single[1] == torch.tensor(0.1).double()).all()
    assert (single[1] != 0.1).all()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda A, y: gradient_descent(A, y, steps=[]), r"steps is \[\]; a finite real vector"),
        (lambda A, y: gradient_descent(A, y, steps=1.0), r"steps is .*\(K,\) is needed"),
        (lambda A, y: gradient_descent(A, y, steps=[math.nan]), r"steps is .*nan.*\(K,\)"),
        (lambda A, y: gradient_descent(A, y, steps=None), r"steps is None; .*\(K,\)"),
        (lambda A, y: gradient_descent(A, y, steps="fixed"), "steps is 'fixed'"),
        (lambda A, y: gradient_descent(A, y, steps=torch.ones(2) + 1j), "steps is tensor"),
        (lambda A, y: gradient_descent(A, y, steps=[1.0], ridge=-1), "ridge is -1; 0 ≤ ridge"),
        (lambda A, y: gradient_descent(A, y, steps=[1.0], ridge="0"), "ridge is '0'; 0 ≤ ridge"),
        (lambda A, y: gradient_descent(A.dense(), y, steps=[1.0]), "operator is a Tensor"),
        (lambda A, y: heavy_ball(A, y, low=1, high=None, depth=1), "high is None; 0 < high"),
        (lambda A, y: heavy_ball(A, None, low=1, high=2, depth=1), "y is a NoneType; a Tensor"),
        (lambda A, y: gradient_descent(A, y[0], steps=[1.0]), r"y has shape \(2,\)"),
        (lambda A, y: gradient_descent(A, y.double(), steps=[1.0]), "y has dtype torch.float64"),
        (lambda A, y: gradient_descent(A, y + 1j, steps=[1.0]), "y has dtype torch.complex64"),
        (lambda A, y: gradient_descent(A, y * math.nan, steps=[1.0]), "y holds NaN"),
        (lambda A, y: heavy_ball(A, torch.ones(1, 3), low=1, high=2, depth=1), "y has shape"),
        (lambda A, y: heavy_ball(A, y, low=2, high=1, depth=1), "low, high are 2, 1"),
        (lambda A, y: heavy_ball(A, y, low=1, high=2, depth=0), "depth is 0"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(DenseOperator(torch.eye(2)), torch.ones(1, 2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_a_warm_start_goes_on_where_it_was(dtype):
    generator = torch.Generator().manual_seed(0)
    operator = gaussian(6, 4, generator=generator, dtype=dtype)
    y = torch.randn(3, 6, generator=generator, dtype=dtype)
    whole = gradient_descent(operator, y, steps=[0.1, 0.2, 0.3, 0.1], ridge=0.1)
    rest = gradient_descent(operator, y, steps=[0.3, 0.1], ridge=0.1, x0=whole[2])
    torch.testing.assert_close(rest, whole[2:])
    low, high = (float(operator.eigenvalues[end]) for end in (0, -1))
    solved = heavy_ball(operator, y, low=low, high=high, depth=400)[-1]
    stayed = heavy_ball(operator, y, low=low, high=high, depth=3, x0=solved)
    torch.testing.assert_close(stayed, solved.expand(4, -1, -1), rtol=0, atol=1e-6)


def test_steps_may_be_tensors_of_one_number_but_not_sparse():
    operator, x = draw(3, 2, 0)
    with pytest.raises(ValueError, match=r"^steps is tensor"):
        gradient_descent(operator, operator.forward(x), steps=torch.ones(2).to_sparse())
    steps = [torch.tensor(0.1, dtype=torch.float64)] * 2
    torch.testing.assert_close(
        gradient_descent(operator, operator.forward(x), steps=steps),
        gradient_descent(operator, operator.forward(x), steps=[0.1, 0.1]),
    )
