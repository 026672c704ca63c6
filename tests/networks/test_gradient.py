"""GradientNet is gradient descent: iterate by iterate, and by its error polynomial."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.iterations import chebyshev_steps, gauss_steps
from unrolled.networks import GradientNet
from unrolled.sensing import DenseOperator, gaussian, with_spectrum

GENERATOR = 11


def problem(m=6, n=4, batch=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(GENERATOR)
    operator = gaussian(m, n, generator=generator, dtype=dtype)
    x = torch.randn(batch, n, generator=generator, dtype=dtype)
    return operator, operator.forward(x), x


@given(depth=st.integers(1, 8), ridge=st.floats(0, 2), seed=st.integers(0, 1000))
def test_untrained_net_is_gradient_descent_iterate_by_iterate(depth, ridge, seed):
    operator, y, _ = problem()
    A = operator.dense()
    steps = 0.5 * torch.rand(
        depth, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    net = GradientNet(operator, steps=steps, ridge=ridge)
    x = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    trajectory = net.trajectory(y)
    assert trajectory.shape == (depth + 1, 3, 4)
    for k in range(depth):
        torch.testing.assert_close(trajectory[k], x)
        objective = 0.5 * (y - x @ A.T).square().sum() + 0.5 * ridge * x.square().sum()
        (gradient,) = torch.autograd.grad(objective, x)
        x = (x - steps[k] * gradient).detach().requires_grad_()
    torch.testing.assert_close(net(y), x)
    torch.testing.assert_close(trajectory[-1], x)


@pytest.mark.parametrize("rule", ["fixed", "chebyshev", "gauss"])
def test_error_is_the_polynomial_of_the_steps(rule):
    spectrum = torch.linspace(1, 7, 9, dtype=torch.float64)
    A = torch.diag(spectrum.sqrt())
    net = GradientNet(A, 5, steps=rule)
    x = torch.ones(1, 9, dtype=torch.float64)
    p = (1 - net.steps[:, None] * spectrum).prod(0)
    torch.testing.assert_close(net(x @ A) - x, -p[None, :] * x)


def test_rules_are_the_step_sizes_they_name():
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.linspace(1, 9, 6, dtype=torch.float64)
    operator = with_spectrum(spectrum, generator=generator, dtype=torch.float64)
    for rule, expected in {
        "fixed": torch.full((4,), 0.2, dtype=torch.float64),
        "chebyshev": chebyshev_steps(1, 9, 4),
        "gauss": gauss_steps(spectrum, torch.ones(6), 4),
    }.items():
        torch.testing.assert_close(GradientNet(operator, 4, steps=rule).steps.detach(), expected)


def test_rules_with_a_ridge_are_those_of_the_shifted_spectrum():
    """low and high move by the ridge; the Gauss rule weighs s = λ + ridge by λ/s."""
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.linspace(1, 9, 6, dtype=torch.float64)
    operator = with_spectrum(spectrum, generator=generator, dtype=torch.float64)
    shifted = spectrum + 2
    for rule, expected in {
        "fixed": torch.full((4,), 2 / 14, dtype=torch.float64),
        "chebyshev": chebyshev_steps(3, 11, 4),
        "gauss": gauss_steps(shifted, spectrum / shifted, 4),
    }.items():
        net = GradientNet(operator, 4, steps=rule, ridge=2.0)
        torch.testing.assert_close(net.steps.detach(), expected)


def test_rules_see_small_eigenvalues_as_far_as_the_precision_goes():
    spectrum = torch.tensor([1e-9, 1e-4, 1.0], dtype=torch.float64)
    operator = DenseOperator(torch.diag(spectrum.sqrt()))
    net = GradientNet(operator, 3, steps="gauss")
    torch.testing.assert_close(net.steps.detach(), 1 / spectrum, rtol=1e-3, atol=0)


def test_rules_on_a_wide_matrix_ignore_what_it_does_not_see():
    spectrum = torch.tensor([0.0, 0.0, 1.0, 9.0])
    operator = with_spectrum(spectrum, m=2, generator=torch.Generator().manual_seed(0))
    net = GradientNet(operator, 2, steps="gauss")
    torch.testing.assert_close(net.steps.detach(), torch.tensor([1.0, 1 / 9]), rtol=1e-4, atol=0)


def test_tied_net_has_one_step_and_untied_has_one_for_each_layer():
    operator, _, _ = problem()
    assert GradientNet(operator, 5, tied=True).steps.shape == (1,)
    assert GradientNet(operator, 5).steps.shape == (5,)
    assert not list(GradientNet(operator, 5, learned=False).parameters())
    with pytest.raises(ValueError, match="steps differ"):
        GradientNet(operator, 5, steps="chebyshev", tied=True)


@pytest.mark.parametrize("tied", [True, False])
def test_gradient_of_the_steps(tied):
    operator, y, x = problem()
    net = GradientNet(operator, 4, tied=tied)

    def loss(steps):
        output = torch.func.functional_call(net, {"steps": steps}, (y,))
        return (output - x).square().sum()

    assert torch.autograd.gradcheck(loss, (net.steps,))


def test_dtype_is_that_of_the_matrix():
    operator, y, _ = problem(dtype=torch.float32)
    assert GradientNet(operator, 3)(y).dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_runs_on_a_gpu_unchanged():
    operator, y, _ = problem()
    net = GradientNet(operator, 5, steps="chebyshev")
    expected = net(y)
    torch.testing.assert_close(net.to("cuda")(y.to("cuda")).cpu(), expected)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"depth": 0}, "depth is 0"),
        ({}, "depth is missing"),
        ({"depth": 3, "steps": "newton"}, "known rules"),
        ({"depth": 3, "steps": torch.ones(2)}, "2 entries, but depth is 3"),
        ({"depth": 3, "steps": float("nan")}, "finite number"),
        ({"depth": 3, "steps": torch.ones(3, 3)}, "finite number or a finite vector"),
        ({"depth": 3, "ridge": -1.0}, "ridge is -1"),
    ],
)
def test_bad_arguments_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        GradientNet(torch.eye(2), **arguments)


def test_bad_measurements_are_refused():
    net = GradientNet(DenseOperator(torch.ones(3, 2)), 2, steps=0.1)
    with pytest.raises(ValueError, match=r"y has shape \(1, 2\); a batch \(B, 3\)"):
        net(torch.ones(1, 2))
    with pytest.raises(ValueError, match="y has shape"):
        net.trajectory(torch.ones(3))


def test_it_says_what_it_is():
    A = torch.ones(2, 3)
    assert GradientNet(A, 4, checkpoint=3).extra_repr() == (
        "shape=(2, 3), depth=4, dtype=torch.float32, learned=4, checkpoint=[3, 1]"
    )
    net = GradientNet(A + 0j, 4, learned=False, real_signals=True)
    assert net.extra_repr() == (
        "shape=(2, 3), depth=4, dtype=torch.float32, learned=0, real_signals=True"
    )
    assert str(net).startswith("GradientNet(\n  shape=(2, 3)")
