"""AMP and OAMP make the errors that state evolution predicts, and need what they are made of."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.iterations import (
    amp,
    amp_state_evolution,
    ista,
    oamp,
    oamp_state_evolution,
)
from unrolled.sensing import DenseOperator, gaussian, partial_dct, with_spectrum
from unrolled.signals import BernoulliGaussian, Gaussian, Prior, nmse

draws = settings(deadline=None)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def measure(operator, prior, *, noise, count, seed=1):
    generator, dtype = seeded(seed), operator.dtype
    x = prior.draw(count, generator, dtype)
    w = torch.randn(count, operator.shape[0], generator=generator, dtype=dtype)
    return operator.forward(x) + noise**0.5 * w, x


def decibels(iterates, x):
    """Error ‖x_k − x‖²/‖x‖² of each iterate and signal, (K + 1, B)."""
    return 10 * torch.log10((iterates - x).square().sum(2) / x.square().sum(1)).double()


def predicted(errors, prior):
    """State evolution in dB, (K, 1)."""
    return (
        10
        * torch.log10(torch.as_tensor(errors, dtype=torch.float64) / prior.second_moment)[:, None]
    )


class WithoutSlope(Prior):
    """A prior that says that its slope is 0: no Onsager term, nothing divergence-free."""

    def __init__(self, prior):
        self.prior, self.n, self.mmse = prior, prior.n, prior.mmse

    @property
    def second_moment(self):
        return self.prior.second_moment

    def unchecked_denoise(self, r, variance):
        mean, slope = self.prior.unchecked_denoise(r, variance)
        return mean, torch.zeros_like(slope)


# AMP


@pytest.fixture(scope="module")
def sparse_problem():
    """Gaussian sensing of sparse signals: (operator, prior, noise, y, x)."""
    operator, prior, noise = gaussian(2000, 4000, generator=seeded()), BernoulliGaussian(4000), 1e-3
    return operator, prior, noise, *measure(operator, prior, noise=noise, count=8)


def test_amp_follows_its_state_evolution(sparse_problem):
    operator, prior, noise, y, x = sparse_problem
    measured = decibels(amp(operator, y, noise=noise, depth=15, prior=prior, predicted=True), x)
    tau, v = amp_state_evolution(2.0, noise=noise, depth=15, prior=prior)
    assert tau.shape == (15,)
    assert v.shape == (16,)
    expected = predicted(v, prior)
    assert (measured.mean(1, keepdim=True) - expected).abs().max() < 1
    assert (measured - expected).abs().max() < 4
    assert float(expected[-1]) < -25
    # Four times the noise is another curve.
    _, other = amp_state_evolution(2.0, noise=4 * noise, depth=15, prior=prior)
    assert (measured.mean(1, keepdim=True) - predicted(other, prior)).abs().max() > 3


def test_amp_needs_its_onsager_term(sparse_problem):
    operator, prior, noise, y, x = sparse_problem
    whole = decibels(amp(operator, y, noise=noise, depth=15, prior=prior, predicted=True), x).mean(
        1
    )
    without = decibels(
        amp(operator, y, noise=noise, depth=15, prior=WithoutSlope(prior), predicted=True), x
    ).mean(1)
    # Both begin alike, because the term is 0 in the first iteration.
    torch.testing.assert_close(without[1], whole[1])
    assert without[3] > whole[3] + 3
    assert without[-1] > 20


def test_amp_beats_ista(sparse_problem):
    operator, prior, noise, y, x = sparse_problem
    reached = decibels(amp(operator, y, noise=noise, depth=15, prior=prior), x)[-1].mean()
    step = 1 / (1 + math.sqrt(2)) ** 2  # 1/λ_max in the large-system limit
    for penalty in (0.01, 0.03, 0.1, 0.3):
        iterates = ista(operator, y, penalty=penalty, depth=15, step=step)
        assert reached < decibels(iterates, x)[-1].mean() - 8


def test_amp_for_gaussian_signals_has_its_closed_form():
    # x⁺ = G(x + Aᵀz), G⁺ = 1/(1 + σ² + c(1 − G)), and the errors are v⁺ = (σ² + cv)/(1 + σ² + cv).
    operator, noise, depth = gaussian(30, 20, generator=seeded(), dtype=torch.float64), 0.1, 8
    y, _ = measure(operator, Gaussian(20), noise=noise, count=3)
    m, n = operator.shape
    x, residual, gain, error = torch.zeros(3, n, dtype=y.dtype), torch.zeros_like(y), 0.0, 1.0
    expected, errors = [x], [error]
    for _ in range(depth):
        residual = y - operator.forward(x) + n / m * gain * residual
        gain = 1 / (1 + noise + n / m * (1 - gain))
        x = gain * (x + operator.adjoint(residual))
        error = (noise + n / m * error) / (1 + noise + n / m * error)
        expected.append(x)
        errors.append(error)
    torch.testing.assert_close(
        amp(operator, y, noise=noise, depth=depth, predicted=True),
        torch.stack(expected),
        rtol=1e-12,
        atol=1e-14,
    )
    _, v = amp_state_evolution(n / m, noise=noise, depth=depth, prior=Gaussian(n))
    torch.testing.assert_close(v, torch.tensor(errors, dtype=torch.float64), rtol=1e-12, atol=0)
    by_default = amp(operator, y, noise=noise, depth=depth)
    assert torch.equal(by_default, amp(operator, y, noise=noise, depth=depth, prior=Gaussian(n)))
    assert not torch.allclose(
        by_default, amp(operator, y, noise=noise, depth=depth, prior=Gaussian(n, 2.0))
    )


@draws
@given(ratio=st.floats(0.1, 4), depth=st.integers(1, 12))
def test_amp_without_noise_has_the_errors_of_a_geometric_sum(ratio, depth):
    _, v = amp_state_evolution(ratio, noise=0.0, depth=depth, prior=Gaussian(1))
    expected = ratio**depth / sum(ratio**k for k in range(depth + 1))
    assert float(v[-1]) == pytest.approx(expected, rel=1e-9, abs=0)


def test_amp_without_noise_converges_when_there_are_more_equations_than_unknowns():
    generator = seeded(3)
    operator = gaussian(400, 100, generator=generator, dtype=torch.float64)
    x = torch.randn(5, 100, generator=generator, dtype=torch.float64)
    iterates = amp(operator, operator.forward(x), noise=0.0, depth=20)
    errors = (iterates - x).square().mean((1, 2))
    assert errors[-1] < 1e-9 * errors[0]
    mistaken = amp(operator, operator.forward(x), noise=5.0, depth=20)
    assert (mistaken[-1] - x).square().mean() > 0.1


def test_amp_goes_on_where_the_variance_is_smaller_than_the_dtype_can_hold():
    operator, prior = gaussian(300, 100, generator=seeded()), BernoulliGaussian(100)
    y, x = measure(operator, prior, noise=0.0, count=3)
    tau, _ = amp_state_evolution(1 / 3, noise=0.0, depth=60, prior=prior)
    assert 0 < tau[-1] < torch.finfo(torch.float32).tiny
    for predicted in (True, False):
        iterates = amp(operator, y, noise=0.0, depth=60, prior=prior, predicted=predicted)
        assert (iterates[-1] - x).norm() < 1e-5 * x.norm()


def test_divergence_of_amp_shows_in_the_iterates():
    operator = DenseOperator(10 * torch.eye(4))
    run = {"noise": 0.1, "depth": 60}
    iterates = amp(operator, torch.ones(2, 4), **run, predicted=True)
    assert torch.isfinite(iterates[:5]).all()
    assert not torch.isfinite(iterates[-1]).any()
    # Measured, an error that grows is no longer believed.
    assert torch.isfinite(amp(operator, torch.ones(2, 4), **run)).all()
    assert torch.isfinite(
        amp(DenseOperator(torch.eye(4)), torch.ones(2, 4), noise=1, depth=60)
    ).all()


@pytest.mark.parametrize("passing", [amp, oamp])
def test_no_signal_runs_off(passing):
    """Small Gaussian matrices, where state evolution is an approximation."""
    operator, prior, noise = gaussian(100, 200, generator=seeded()), BernoulliGaussian(200), 1e-3
    y, x = measure(operator, prior, noise=noise, count=300)
    errors = decibels(passing(operator, y, noise=noise, depth=20, prior=prior), x)
    assert float(errors[-1].max()) < -10
    assert float(nmse(passing(operator, y, noise=noise, depth=20, prior=prior)[-1], x)) < -26
    if passing is amp:  # what is predicted for all signals holds for most
        iterates = amp(operator, y, noise=noise, depth=20, prior=prior, predicted=True)
        assert 0.1 < (decibels(iterates, x)[-1] > 20).float().mean() < 0.5


@pytest.mark.parametrize("passing", [amp, oamp])
def test_measurements_far_too_large_for_the_prior_give_no_nan(passing):
    operator, prior = gaussian(30, 40, generator=seeded()), BernoulliGaussian(40)
    y, _ = measure(operator, prior, noise=0.0, count=2)
    assert torch.isfinite(passing(operator, 1e25 * y, noise=1e-3, depth=5, prior=prior)).all()


# OAMP


def dct_problem(n, noise=0.5e-4, count=10, seed=1):
    """Half the rows of a DCT, and noise whose variance is 30 dB below ‖Ax‖²/n."""
    operator, prior = partial_dct(n // 2, n, generator=seeded(seed)), BernoulliGaussian(n)
    return operator, prior, noise, *measure(operator, prior, noise=noise, count=count, seed=seed)


def test_oamp_follows_its_state_evolution_on_half_a_dct():
    operator, prior, noise, y, x = dct_problem(16384)
    means = oamp(operator, y, noise=noise, depth=10, prior=prior, posterior=True)
    tau, v = oamp_state_evolution(operator.eigenvalues, noise=noise, depth=10, prior=prior)
    assert tau.shape == (10,)
    assert v.shape == (11,)
    expected = predicted([prior.mmse(variance) for variance in tau.tolist()], prior)
    assert float(expected[0]) == pytest.approx(-6.84, abs=0.005)
    assert float(expected[-1]) == pytest.approx(-38.81, abs=0.005)
    measured = decibels(means, x)[1:]
    assert (measured - expected).abs().max() < 1.1
    assert (measured.mean(1, keepdim=True) - expected).abs().max() < 0.5
    # The iterates have the errors v², which are larger.
    iterates = decibels(oamp(operator, y, noise=noise, depth=10, prior=prior), x)
    assert (iterates - predicted(v, prior)).abs().max() < 1.1
    assert (iterates[1:].mean(1) > measured.mean(1) + 0.3).all()


def test_state_evolution_says_little_about_a_small_problem():
    operator, prior, noise, y, x = dct_problem(256)
    means = oamp(operator, y, noise=noise, depth=10, prior=prior, posterior=True)
    tau, _ = oamp_state_evolution(operator.eigenvalues, noise=noise, depth=10, prior=prior)
    expected = predicted([prior.mmse(variance) for variance in tau.tolist()], prior)
    assert (decibels(means, x)[1:] - expected).abs().max() > 5


def test_oamp_is_for_every_spectrum_and_amp_for_one():
    n, m, noise = 900, 600, 1e-3
    spectrum = torch.cat((torch.zeros(n - m), torch.logspace(-2, 0, m)))
    spectrum = spectrum * n / spectrum.sum()  # columns of unit norm on average, as AMP wants
    operator = with_spectrum(spectrum, m=m, generator=seeded())
    prior = BernoulliGaussian(n)
    y, x = measure(operator, prior, noise=noise, count=20)
    measured = decibels(oamp(operator, y, noise=noise, depth=12, prior=prior), x).mean(1)
    _, v = oamp_state_evolution(operator.eigenvalues, noise=noise, depth=12, prior=prior)
    assert (measured - predicted(v, prior)[:, 0]).abs().max() < 1.5
    for told, least in ((True, 20), (False, 0)):
        iterates = amp(operator, y, noise=noise, depth=12, prior=prior, predicted=told)
        assert decibels(iterates, x)[-1].mean() > least


def test_oamp_needs_divergence_free_denoising():
    operator, prior, noise, y, x = dct_problem(16384)
    _, v = oamp_state_evolution(operator.eigenvalues, noise=noise, depth=10, prior=prior)
    with_it = decibels(oamp(operator, y, noise=noise, depth=10, prior=prior), x).mean(1)
    without = oamp(operator, y, noise=noise, depth=10, prior=WithoutSlope(prior))
    without = decibels(without, x).mean(1)
    assert without[4] > with_it[4] + 5
    assert (without - predicted(v, prior)[:, 0]).abs().max() > 3


def test_oamp_for_gaussian_signals_is_the_linear_mmse_estimate():
    n, noise = 4096, 0.01
    operator, prior = partial_dct(n // 2, n, generator=seeded(), dtype=torch.float64), Gaussian(n)
    y, _ = measure(operator, prior, noise=noise, count=2)
    means = oamp(operator, y, noise=noise, depth=3, prior=prior, posterior=True)
    exact = operator.lmmse(y, noise)
    for mean in means[1:]:  # up to the estimate of the signal's own variance
        assert (mean - exact).norm() < 0.03 * exact.norm()
    # All that was seen is in the first estimate; nothing is left for the next layer.
    iterates = oamp(operator, y, noise=noise, depth=3, prior=prior)
    assert iterates[-1].norm() < 0.03 * exact.norm()


@draws
@given(
    noise=st.floats(1e-3, 10),
    variance=st.floats(0.1, 10),
    spectrum=st.lists(st.floats(0.01, 10), min_size=1, max_size=6),
)
def test_state_evolution_for_gaussian_signals_is_the_linear_error(noise, variance, spectrum):
    prior, s = Gaussian(1, variance), torch.tensor([0.0, *spectrum], dtype=torch.float64)
    tau, v = oamp_state_evolution(s, noise=noise, depth=3, prior=prior)
    linear = float((noise / (s + noise / variance)).mean())
    for before in tau.tolist():
        assert prior.mmse(before) == pytest.approx(linear, rel=1e-6)
    torch.testing.assert_close(v, torch.full_like(v, variance), rtol=1e-6, atol=0)


def test_oamp_treats_every_signal_alone():
    operator, prior, noise, y, _ = dct_problem(1024, count=3)
    loud = y * torch.tensor([[1.0], [1e3], [1e-3]])
    together = oamp(operator, loud, noise=noise, depth=5, prior=prior)
    for row in range(3):
        alone = oamp(operator, loud[row : row + 1], noise=noise, depth=5, prior=prior)
        torch.testing.assert_close(together[:, row : row + 1], alone)
    torch.testing.assert_close(
        together[:, :1], oamp(operator, y, noise=noise, depth=5, prior=prior)[:, :1]
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-3, 1e6])
@pytest.mark.parametrize("prior", [BernoulliGaussian(64), BernoulliGaussian(64, 1.0), Gaussian(64)])
@pytest.mark.parametrize("m", [32, 64, 128])
def test_iterates_stay_finite_where_variances_vanish(dtype, noise, prior, m):
    operator = gaussian(m, 64, generator=seeded(), dtype=dtype)
    y, _ = measure(operator, prior, noise=min(noise, 1.0), count=4)
    y[0] = 0  # no residual at all
    y[1] *= 1e-6  # a residual far below the noise
    for posterior in (False, True):
        iterates = oamp(operator, y, noise=noise, depth=20, prior=prior, posterior=posterior)
        assert torch.isfinite(iterates).all()
        assert iterates.dtype == dtype
    if m == 128 and noise == 0.0:
        solution = operator.lmmse(y, 1e-12)
        assert (iterates[-1] - solution)[2:].norm() < 1e-2 * solution.norm()


def test_divergence_of_oamp_shows_in_the_iterates():
    class Exaggerating(WithoutSlope):
        def unchecked_denoise(self, r, variance):
            return 1e4 * r, torch.zeros_like(r)

    operator, prior = gaussian(20, 40, generator=seeded()), BernoulliGaussian(40)
    y, _ = measure(operator, prior, noise=0.1, count=2)
    for posterior in (False, True):
        run = {"noise": 0.1, "depth": 30, "posterior": posterior}
        iterates = oamp(operator, y, prior=Exaggerating(prior), **run)
        assert torch.isfinite(iterates[:4]).all()
        assert not torch.isfinite(iterates[-1]).any()
        assert torch.isfinite(oamp(operator, y, prior=prior, **run)).all()


def test_oamp_finds_sparse_signals_exactly_without_noise():
    operator = gaussian(300, 500, generator=seeded(), dtype=torch.float64)
    prior = BernoulliGaussian(500)
    y, x = measure(operator, prior, noise=0.0, count=5)
    errors = decibels(oamp(operator, y, noise=0.0, depth=40, prior=prior), x)
    assert (errors[-1] < -200).all()
    few = gaussian(60, 500, generator=seeded(), dtype=torch.float64)
    y, x = measure(few, prior, noise=0.0, count=5)
    assert (decibels(oamp(few, y, noise=0.0, depth=40, prior=prior), x)[-1] > -20).all()


EYE, Y, PRIOR = DenseOperator(torch.eye(2)), torch.ones(1, 2), BernoulliGaussian(2)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: amp(EYE, Y, noise=-1, depth=1), "noise is -1; 0 ≤ noise < ∞"),
        (lambda: amp(EYE, Y, noise=1e300, depth=1), r"noise is 1e\+300, which torch.float32"),
        (
            lambda: oamp(EYE, Y, noise=1e300, depth=1, prior=PRIOR),
            "noise is .*, which torch.float32",
        ),
        (lambda: amp(EYE, Y, noise=1, depth=1, predicted=0), "predicted is 0; True or False"),
        (lambda: amp(EYE, Y, noise=math.nan, depth=1), "noise is nan; 0 ≤ noise"),
        (lambda: amp(EYE, Y, noise=1, depth=0), "depth is 0; an integer ≥ 1"),
        (lambda: amp(EYE, Y[:, :1], noise=1, depth=1), r"y has shape \(1, 1\)"),
        (lambda: amp(EYE, Y, noise=1, depth=1, prior=Gaussian(3)), "prior has n = 3; n = 2"),
        (
            lambda: amp(DenseOperator(torch.eye(2) + 0j), Y + 0j, noise=1, depth=1),
            "operator has dtype torch.complex64; message passing needs a real one",
        ),
        (
            lambda: oamp(DenseOperator(torch.eye(2) + 0j), Y + 0j, noise=1, depth=1, prior=PRIOR),
            "operator has dtype torch.complex64; message passing needs a real one",
        ),
        (lambda: oamp(EYE, Y + 0j, noise=1, depth=1, prior=PRIOR), "y has dtype torch.complex64"),
        (lambda: oamp(EYE, Y, noise=-1, depth=1, prior=PRIOR), "noise is -1; 0 ≤ noise"),
        (lambda: oamp(EYE, Y, noise=1, depth=-2, prior=PRIOR), "depth is -2; an integer ≥ 1"),
        (lambda: oamp(EYE, Y * math.inf, noise=1, depth=1, prior=PRIOR), "y holds NaN or infinite"),
        (lambda: oamp(EYE, Y, noise=1, depth=1, prior=Gaussian(3)), "prior has n = 3; n = 2"),
        (
            lambda: oamp(DenseOperator(torch.zeros(2, 2)), Y, noise=1, depth=1, prior=PRIOR),
            "eigenvalues are all 0: A = 0 measures nothing",
        ),
        (
            lambda: amp_state_evolution(0.0, noise=1, depth=1, prior=PRIOR),
            "ratio is 0.0; 0 < ratio < ∞",
        ),
        (lambda: amp_state_evolution(1.0, noise=-1, depth=1, prior=PRIOR), "noise is -1"),
        (lambda: amp_state_evolution("1", noise=1, depth=1, prior=PRIOR), "ratio is '1'"),
        (
            lambda: amp_state_evolution(1, noise=1, depth=1, prior=None),
            "prior is a NoneType; a Prior",
        ),
        (lambda: amp(torch.eye(2), Y, noise=1, depth=1), "operator is a Tensor; a SensingOperator"),
        (lambda: amp(EYE, Y, noise=None, depth=1), "noise is None; 0 ≤ noise"),
        (lambda: amp(EYE, Y, noise=1, depth=1, prior="sparse"), "prior is a str; a Prior"),
        (lambda: oamp(EYE, None, noise=1, depth=1, prior=PRIOR), "y is a NoneType; a Tensor"),
        (lambda: oamp(EYE, Y, noise="1", depth=1, prior=PRIOR), "noise is '1'; 0 ≤ noise"),
        (lambda: oamp(EYE, Y, noise=1, depth=1.5, prior=PRIOR), "depth is 1.5; an integer ≥ 1"),
        (lambda: oamp(EYE, Y, noise=1, depth=1, prior=None), "prior is a NoneType; a Prior"),
        (
            lambda: oamp_state_evolution([1.0], noise=1, depth=1, prior=PRIOR),
            "eigenvalues is a list; a Tensor",
        ),
        (
            lambda: oamp_state_evolution(torch.ones(2), noise=1, depth=1, prior=1),
            "prior is a int; a Prior",
        ),
        (lambda: amp_state_evolution(1.0, noise=1, depth=0, prior=PRIOR), "depth is 0"),
        (
            lambda: oamp_state_evolution(-torch.ones(2), noise=1, depth=1, prior=PRIOR),
            "eigenvalues holds negative",
        ),
        (
            lambda: oamp_state_evolution(torch.ones(2, 1), noise=1, depth=1, prior=PRIOR),
            r"eigenvalues has shape \(2, 1\)",
        ),
        (
            lambda: oamp_state_evolution(torch.ones(2), noise=math.inf, depth=1, prior=PRIOR),
            "noise is inf",
        ),
        (
            lambda: oamp_state_evolution(torch.ones(2), noise=1, depth=0, prior=PRIOR),
            "depth is 0",
        ),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
