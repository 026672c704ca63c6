"""Signals are what their names say, priors estimate as well as possible, noise hits its SNR."""

import math

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled import signals
from unrolled.prox import soft_threshold
from unrolled.signals import BernoulliGaussian, Gaussian, nmse

seeds = st.integers(0, 2**31)
draws = settings(deadline=None)  # the first call of a torch function may load it
PRIORS = [Gaussian(1), Gaussian(1, 4.0), BernoulliGaussian(1), BernoulliGaussian(1, 0.5, 3.0)]
VARIANCES = [1e-3, 0.1, 1.0, 10.0]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def log_density(prior, r, variance):
    """log p(r) of r = x + N(0, variance), up to a constant."""
    rate = prior.rate if isinstance(prior, BernoulliGaussian) else 1.0
    total = prior.variance + variance
    active = math.log(rate) - math.log(total) / 2 - r.square() / (2 * total)
    if rate == 1:
        return active
    silent = math.log(1 - rate) - math.log(variance) / 2 - r.square() / (2 * variance)
    return torch.logaddexp(active, silent)


def observe(prior, variance, count=400_000):
    x = prior.draw(count, seeded(1), torch.float64)
    return x, x + variance**0.5 * torch.randn(x.shape, generator=seeded(2), dtype=x.dtype)


def deviations(samples):
    """How many standard errors the mean of the samples is from 0."""
    return float(samples.mean().abs() / (samples.std() / samples.numel() ** 0.5))


# Draws


def test_bernoulli_gaussian_has_its_rate_and_variance():
    prior = BernoulliGaussian(1000, rate=0.2, variance=4.0)
    x = prior.draw(400, seeded(), torch.float64)
    kept = x[x != 0]
    assert x.shape == (400, 1000)
    assert abs(len(kept) / x.numel() - 0.2) < 5 * math.sqrt(0.2 * 0.8 / x.numel())
    assert abs(float(kept.var()) / 4 - 1) < 5 * math.sqrt(2 / len(kept))
    assert deviations(kept) < 5
    assert abs(float(x.square().mean()) / prior.second_moment - 1) < 0.03
    other = BernoulliGaussian(1000, rate=0.21, variance=4.0).draw(400, seeded())
    assert abs(float((other != 0).float().mean()) - 0.2) > 5 * math.sqrt(0.2 * 0.8 / x.numel())


def test_gaussian_has_its_variance():
    x = Gaussian(500, 9.0).draw(400, seeded(), torch.float64)
    assert abs(float(x.var()) / 9 - 1) < 5 * math.sqrt(2 / x.numel())
    assert (x != 0).all()


@draws
@given(n=st.integers(1, 30), share=st.floats(0, 1), seed=seeds)
def test_sparse_has_exactly_s_nonzero_entries(n, share, seed):
    s = round(share * n)
    x = signals.sparse(n, s, 20, seeded(seed))
    assert x.shape == (20, n)
    assert ((x != 0).sum(1) == s).all()


def test_sparse_puts_them_everywhere_alike_and_bernoulli_has_no_fixed_number():
    x = signals.sparse(20, 5, 20_000, seeded(), torch.float64)
    often = (x != 0).double().mean(0)
    assert ((often - 0.25).abs() < 5 * math.sqrt(0.25 * 0.75 / 20_000)).all()
    assert abs(float(x[x != 0].var()) - 1) < 0.03
    assert (BernoulliGaussian(20, 0.25).draw(50, seeded()) != 0).sum(1).unique().numel() > 1


@draws
@given(n=st.integers(1, 30), power=st.floats(0, 4), seed=seeds)
def test_compressible_sizes_follow_the_power_law(n, power, seed):
    x = signals.compressible(n, power, 5, seeded(seed), torch.float64)
    expected = torch.arange(1, n + 1, dtype=torch.float64) ** -power
    torch.testing.assert_close(x.abs().sort(1, descending=True).values, expected.expand(5, n))


def test_compressible_signs_and_places_are_random():
    x = signals.compressible(8, 1.0, 20_000, seeded(), torch.float64)
    first = x.abs().argmax(1)
    often = torch.bincount(first, minlength=8).double() / 20_000
    assert ((often - 1 / 8).abs() < 5 * math.sqrt(1 / 8 * 7 / 8 / 20_000)).all()
    assert deviations(x.sign()) < 5


@draws
@given(height=st.integers(1, 20), width=st.integers(1, 20), pieces=st.integers(1, 4), seed=seeds)
def test_images_are_piecewise_constant(height, width, pieces, seed):
    def lines(image):  # a rectangle's border adds at most two kinds of rows and of columns
        return max(len(image.unique(dim=0)), len(image.unique(dim=1).T))

    images = signals.piecewise_constant(height, width, 3, seeded(seed), pieces=pieces)
    assert images.shape == (3, height * width)
    for image in images.reshape(3, height, width):
        assert len(image.unique()) <= pieces + 1
        assert lines(image) <= 2 * pieces + 1
        assert (image != 0).any()
    if height > 2 * pieces + 1:
        assert lines(torch.randn(height, width, generator=seeded(seed))) > 2 * pieces + 1


def test_one_piece_is_one_rectangle():
    for image in signals.piecewise_constant(9, 7, 50, seeded(), pieces=1).reshape(50, 9, 7):
        inside = image != 0
        rows, columns = inside.any(1), inside.any(0)
        assert torch.equal(inside, rows[:, None] & columns[None])
        for line in (rows, columns):
            assert (line[1:] != line[:-1]).sum() <= 2


@pytest.mark.parametrize(
    "draw",
    [
        lambda g, dtype: BernoulliGaussian(50).draw(3, g, dtype),
        lambda g, dtype: Gaussian(50).draw(3, g, dtype),
        lambda g, dtype: signals.sparse(50, 5, 3, g, dtype),
        lambda g, dtype: signals.compressible(50, 1.0, 3, g, dtype),
        lambda g, dtype: signals.piecewise_constant(5, 10, 3, g, dtype),
    ],
)
def test_a_seed_is_one_signal_in_every_precision(draw):
    x = draw(seeded(3), torch.float64)
    assert x.dtype == torch.float64
    assert torch.equal(draw(seeded(3), torch.float32), x.float())
    assert not torch.equal(draw(seeded(4), torch.float64), x)


def test_a_seed_is_one_signal_whatever_the_default_dtype():
    prior = BernoulliGaussian(200, rate=0.3)
    x = prior.draw(5, seeded())
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(prior.draw(5, seeded()), x)
    finally:
        torch.set_default_dtype(torch.float32)
    assert not torch.equal(prior.draw(5, seeded(1)), x)


# Noise


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex128])
@pytest.mark.parametrize("snr", [-10.0, 0.0, 20.0])
def test_noise_hits_its_snr_in_every_row(dtype, snr):
    y = torch.randn(4, 50_000, generator=seeded(), dtype=dtype)
    y = y * torch.tensor([1e-3, 1.0, 10.0, 100.0])[:, None]
    w = signals.add_noise(y, snr, seeded(1)) - y
    assert w.dtype == dtype
    measured = 10 * torch.log10(y.abs().square().sum(1) / w.abs().square().sum(1))
    assert ((measured - snr).abs() < 0.15).all()
    assert ((measured - snr - 1).abs() > 0.15).all()


def test_complex_noise_is_circular():
    y = torch.full((1, 100_000), 2 + 1j, dtype=torch.complex128)
    w = signals.add_noise(y, 0.0, seeded()) - y
    assert deviations(w.square().real) < 5
    assert deviations(w.square().imag) < 5
    only_real = (w.abs() + 0j).square()
    assert deviations(only_real.real) > 100


def test_no_noise_is_none():
    y = torch.randn(2, 5, generator=seeded())
    assert torch.equal(signals.add_noise(y, math.inf, seeded()), y)
    silent = torch.zeros(1, 5)
    assert torch.equal(signals.add_noise(silent, 10.0, seeded()), silent)
    assert not torch.equal(signals.add_noise(y, 100.0, seeded()), y)


@pytest.mark.parametrize("size", [1e-37, 1e-23, 1.0, 1e20, 1e36])
def test_noise_hits_its_snr_at_every_scale(size):
    y = torch.full((1, 20_000), size)
    w = (signals.add_noise(y, 6.0, seeded()).double() - y.double()) / size
    assert float(-10 * w.square().mean().log10()) == pytest.approx(6, abs=0.15)
    y = torch.full((1, 20_000), 1e-200 * size, dtype=torch.complex128)
    w = (signals.add_noise(y, 6.0, seeded()) - y) / (1e-200 * size)
    assert float(-10 * w.abs().square().mean().log10()) == pytest.approx(6, abs=0.15)


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("complex64", "complex128")])
def test_a_seed_is_one_noise_in_every_precision(dtypes):
    single, double = (getattr(torch, name) for name in dtypes)
    y = torch.randn(2, 50, generator=seeded(), dtype=single)
    precise = signals.add_noise(y.to(double), 3.0, seeded(1))
    assert torch.equal(signals.add_noise(y, 3.0, seeded(1)), precise.to(single))
    assert not torch.equal(signals.add_noise(y, 3.0, seeded(2)), precise.to(single))


# Denoising


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("prior", PRIORS)
def test_denoise_is_tweedies_formula(prior, variance):
    # E[x | r] = r + variance·d/dr log p(r), and variance·d/dr E[x | r] = var[x | r].
    spread = (prior.variance + variance) ** 0.5
    r = torch.linspace(-6 * spread, 6 * spread, 601, dtype=torch.float64)[:, None]
    r.requires_grad_()
    (score,) = torch.autograd.grad(log_density(prior, r, variance).sum(), r)
    mean, slope = prior.denoise(r, variance)
    torch.testing.assert_close(mean, r + variance * score, rtol=1e-9, atol=1e-9 * spread)
    (derivative,) = torch.autograd.grad(mean.sum(), r)
    torch.testing.assert_close(slope, derivative, rtol=1e-9, atol=1e-12)
    assert (slope > 0).all()
    wrong, _ = prior.denoise(r, 1.5 * variance)
    assert not torch.allclose(wrong, r + variance * score, rtol=1e-6, atol=1e-6 * spread)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("prior", PRIORS)
def test_error_is_orthogonal_to_what_was_seen(prior, variance):
    x, r = observe(prior, variance)
    mean, slope = prior.denoise(r, variance)
    for statistic in (mean, r, r.sign(), slope * r):
        assert deviations((x - mean) * statistic) < 5
    assert deviations((x - mean).square() - prior.mmse(variance)) < 5
    assert deviations(variance * slope - prior.mmse(variance)) < 5 or isinstance(prior, Gaussian)
    for wrong in (prior.denoise(r, 2 * variance)[0], soft_threshold(r, variance**0.5)):
        assert deviations((x - wrong) * wrong) > 8
        assert float((x - wrong).square().mean()) > float((x - mean).square().mean())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("exponent", range(-36, 31, 6))
def test_denoise_is_stable(dtype, exponent):
    prior, variance = BernoulliGaussian(8, 0.1, 2.0), 10.0**exponent
    sizes = torch.tensor([0.0, 1e-18, 1e-9, 1e-3, 1.0, 30.0, 1e6, 1e15], dtype=dtype)
    for r in (sizes[None], -sizes[None], variance**0.5 * sizes[None, :6]):
        mean, slope = BernoulliGaussian(r.shape[1], 0.1, 2.0).denoise(r, variance)
        assert mean.dtype == slope.dtype == dtype
        assert torch.isfinite(mean).all()
        assert torch.isfinite(slope).all()
        assert (slope >= 0).all()
        assert (mean * r >= 0).all()
        assert (mean.abs() <= r.abs()).all()
    if variance < 1e-9:  # what is seen clearly is kept, and 0 is 0
        mean, _ = prior.denoise(sizes[None], variance)
        torch.testing.assert_close(mean[0, 4:], sizes[4:])
        assert mean[0, 0] == 0
    if variance > 1e12:  # what is not seen is estimated by the prior's mean
        assert (prior.denoise(sizes[None, :].clamp(max=1), variance)[0].abs() < 1e-9).all()


@draws
@given(seed=seeds, exponent=st.floats(-6, 4), rate=st.floats(0.01, 1))
def test_precisions_agree(seed, exponent, rate):
    prior, variance = BernoulliGaussian(20, rate), 10.0**exponent
    r = 3 * (1 + variance**0.5) * torch.randn(5, 20, generator=seeded(seed), dtype=torch.float64)
    for single, double in zip(
        prior.denoise(r.float(), variance), prior.denoise(r, variance), strict=True
    ):
        torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("prior", [Gaussian(6, 2.0), BernoulliGaussian(6)])
def test_each_row_may_have_its_own_variance(prior):
    r = torch.randn(3, 6, generator=seeded(), dtype=torch.float64)
    variances = torch.tensor([[1e-3], [0.5], [20.0]], dtype=torch.float64, requires_grad=True)
    mean, slope = prior.denoise(r, variances)
    mean.square().sum().backward()
    assert torch.isfinite(variances.grad).all()
    for row, variance in enumerate(variances.flatten().tolist()):
        alone = prior.denoise(r[row : row + 1], variance)
        torch.testing.assert_close((mean[row : row + 1], slope[row : row + 1]), alone)


@pytest.mark.parametrize("prior", [Gaussian(6, 2.0), BernoulliGaussian(6)])
def test_inside_an_iteration_nothing_is_looked_at(prior):
    r, variance = torch.randn(3, 6, generator=seeded()), torch.tensor(0.5)
    torch.testing.assert_close(prior.unchecked_denoise(r, variance), prior.denoise(r, 0.5))
    r[0] = math.nan
    with pytest.raises(ValueError, match="r holds NaN"):
        prior.denoise(r, 0.5)
    astray, _ = prior.unchecked_denoise(r, variance)  # a NaN flows on, in its own signal
    assert astray[0].isnan().all()
    assert torch.isfinite(astray[1:]).all()


def test_the_interface_is_for_subclasses():
    class Nothing(signals.Prior):
        n = 3

    prior = Nothing()
    for call in (lambda: prior.second_moment, lambda: prior.mmse(1.0)):
        with pytest.raises(NotImplementedError):
            call()
    with pytest.raises(NotImplementedError):
        prior.denoise(torch.ones(1, 3), 1.0)
    with pytest.raises(ValueError, match="r has shape"):  # the checks come first
        prior.denoise(torch.ones(1, 4), 1.0)


def test_rate_one_is_the_gaussian():
    r = torch.randn(3, 6, generator=seeded())
    for variance in VARIANCES:
        dense, gaussian = BernoulliGaussian(6, 1.0, 2.0), Gaussian(6, 2.0)
        torch.testing.assert_close(dense.denoise(r, variance), gaussian.denoise(r, variance))
        assert dense.mmse(variance) == pytest.approx(gaussian.mmse(variance), rel=1e-12)


# The error of denoising


def mmse_in_many_digits(rate, signal, variance):
    """∫ var(x | r) p(r) dr with 25 digits, r = x + N(0, variance)."""
    with mpmath.workdps(25):
        rate, signal, variance = map(mpmath.mpf, (rate, signal, variance))
        total = signal + variance
        gain = signal / total

        def integrand(r):
            active = rate * mpmath.npdf(r, 0, mpmath.sqrt(total))
            silent = (1 - rate) * mpmath.npdf(r, 0, mpmath.sqrt(variance))
            share = active / (active + silent)
            mean_square = gain * variance + (gain * r) ** 2
            return (share * mean_square - (share * gain * r) ** 2) * (active + silent)

        fine, coarse = mpmath.sqrt(variance), mpmath.sqrt(total)
        breaks = {i * fine for i in (0, 1, 2, 3, 4, 5, 6, 8, 12, 20)}
        breaks |= {i * coarse for i in (1, 3, 6, 12, 20)}
        return float(2 * mpmath.quad(integrand, sorted(breaks)))


@pytest.mark.parametrize("variance", [1e-8, 1e-5, 1e-2, 1.0, 1e2, 1e4])
@pytest.mark.parametrize(("rate", "signal"), [(0.1, 1.0), (1e-4, 30.0), (0.95, 0.2)])
def test_mmse_is_the_integral(rate, signal, variance):
    exact = mmse_in_many_digits(rate, signal, variance)
    prior = BernoulliGaussian(1, rate, signal)
    assert prior.mmse(variance) == pytest.approx(exact, rel=1e-10, abs=0)
    assert prior.mmse(2 * variance) != pytest.approx(exact, rel=1e-10, abs=0)


@draws
@given(rate=st.floats(1e-3, 1), signal=st.floats(1e-3, 1e3), exponent=st.floats(-8, 4))
def test_mmse_lies_between_what_is_known(rate, signal, exponent):
    # Better than the best linear estimate, worse than with the support known; and it grows.
    prior, variance = BernoulliGaussian(1, rate, signal), 10.0**exponent
    linear = Gaussian(1, prior.second_moment).mmse(variance)
    oracle = rate * Gaussian(1, signal).mmse(variance)
    assert oracle * (1 - 1e-12) <= prior.mmse(variance) <= linear * (1 + 1e-12)
    assert prior.mmse(variance) < prior.mmse(1.1 * variance)


def test_mmse_has_its_limits():
    prior = BernoulliGaussian(1, 0.1, 2.0)
    assert prior.mmse(0.0) == Gaussian(1).mmse(0.0) == 0
    assert prior.mmse(1e-14) / 1e-14 == pytest.approx(0.1, rel=1e-5, abs=0)
    assert prior.mmse(1e12) == pytest.approx(prior.second_moment, rel=1e-9)
    assert Gaussian(1, 2.0).mmse(2.0) == 1


# Bad input


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: BernoulliGaussian(0), "n is 0; an integer ≥ 1"),
        (lambda: Gaussian(-1), "n is -1; an integer ≥ 1"),
        (lambda: BernoulliGaussian(3, rate=0.0), "rate is 0.0; 0 < rate ≤ 1"),
        (lambda: BernoulliGaussian(3, rate=math.nan), "rate is nan"),
        (lambda: BernoulliGaussian(3, variance=-1.0), "variance is -1.0; 0 < variance < ∞"),
        (lambda: Gaussian(3, math.inf), "variance is inf; 0 < variance < ∞"),
        (lambda: Gaussian(3).draw(0, seeded()), "count is 0; an integer ≥ 1"),
        (lambda: Gaussian(3).mmse(-1.0), "variance is -1.0; 0 ≤ variance"),
        (lambda: BernoulliGaussian(3).mmse(math.nan), "variance is nan; 0 ≤ variance"),
        (lambda: Gaussian(3).denoise(torch.ones(1, 3), 0.0), "variance is 0.0; 0 < variance"),
        (
            lambda: Gaussian(3).denoise(torch.ones(1, 3), 1e-50),
            "variance is 1e-50, which torch.float32",
        ),
        (lambda: Gaussian(3).denoise(torch.ones(1, 4), 1.0), r"r has shape \(1, 4\)"),
        (
            lambda: Gaussian(3).denoise(torch.full((1, 3), math.nan), 1.0),
            "r holds NaN or infinite entries",
        ),
        (
            lambda: BernoulliGaussian(3).denoise(torch.ones(1, 3, dtype=torch.complex64), 1.0),
            "r has dtype torch.complex64; the prior is of real signals",
        ),
        (
            lambda: BernoulliGaussian(3).denoise(torch.ones(2, 3), torch.ones(2)),
            r"variance has shape \(2,\) and dtype torch.float32; a number or a tensor \(2, 1\)",
        ),
        (
            lambda: Gaussian(3).denoise(torch.ones(2, 3), torch.ones(2, 1).double()),
            r"variance has shape \(2, 1\) and dtype torch.float64",
        ),
        (lambda: signals.sparse(3, 4, 1, seeded()), "s is 4; an integer with 0 ≤ s ≤ n = 3"),
        (lambda: signals.sparse(3, -1, 1, seeded()), "s is -1; an integer with 0 ≤ s ≤ n = 3"),
        (lambda: signals.compressible(0, 1.0, 1, seeded()), "n is 0"),
        (lambda: signals.compressible(3, -1.0, 1, seeded()), "power is -1.0; 0 ≤ power"),
        (lambda: signals.piecewise_constant(0, 3, 1, seeded()), "height is 0"),
        (lambda: signals.piecewise_constant(3, 0, 1, seeded()), "width is 0"),
        (lambda: signals.piecewise_constant(3, 3, 1, seeded(), pieces=0), "pieces is 0"),
        (lambda: signals.add_noise(torch.ones(3), 1.0, seeded()), r"y has shape \(3,\)"),
        (lambda: signals.add_noise(torch.ones(1, 3), math.nan, seeded()), "snr is nan"),
        (lambda: signals.add_noise(torch.ones(1, 3), -math.inf, seeded()), "snr is -inf"),
        (lambda: signals.add_noise(torch.ones(1, 3), "10", seeded()), "snr is '10'"),
        (lambda: signals.add_noise(torch.ones(1, 3), -800, seeded()), "snr is -800; y with such"),
        (lambda: signals.add_noise(torch.ones(1, 3), -7000, seeded()), "snr is -7000; y with such"),
        (
            lambda: signals.add_noise(torch.ones(1, 3).long(), 1.0, seeded()),
            "y has dtype torch.int",
        ),
        (lambda: signals.add_noise(None, 1.0, seeded()), "y is a NoneType; a Tensor"),
        (lambda: signals.add_noise(torch.ones(1, 3), 1.0, 0), "generator is a int; a Generator"),
        (lambda: signals.sparse(0, 0, 1, seeded()), "n is 0; an integer ≥ 1"),
        (lambda: signals.sparse(3, 1.0, 1, seeded()), "s is 1.0; an integer"),
        (lambda: signals.sparse(3, 1, 1, seeded(), torch.int64), "dtype is torch.int64"),
        (lambda: signals.compressible(3, None, 1, seeded()), "power is None; 0 ≤ power"),
        (lambda: signals.compressible(3, 1, 1, seeded(), torch.int64), "dtype is torch.int64"),
        (lambda: signals.piecewise_constant(3, 2, 1, seeded(), torch.int8), "dtype is torch.int8"),
        (lambda: Gaussian(3).draw(1, seeded(), torch.int64), "dtype is torch.int64"),
        (lambda: Gaussian(3).draw(1, None), "generator is a NoneType; a Generator"),
        (lambda: BernoulliGaussian(3).draw(1, seeded(), "float32"), "dtype is a str; a dtype"),
        (lambda: BernoulliGaussian(3).draw(1.5, seeded()), "count is 1.5; an integer ≥ 1"),
        (lambda: BernoulliGaussian(3.0), "n is 3.0; an integer ≥ 1"),
        (lambda: BernoulliGaussian(3, rate="often"), "rate is 'often'; 0 < rate ≤ 1"),
        (lambda: Gaussian(3, None), "variance is None; 0 < variance < ∞"),
        (lambda: Gaussian(3).mmse("1"), "variance is '1'; 0 ≤ variance < ∞"),
        (lambda: Gaussian(3).denoise([[1.0, 2, 3]], 1.0), "r is a list; a Tensor"),
        (lambda: nmse(torch.ones(2, 3).numpy(), torch.ones(2, 3)), "estimate is a ndarray"),
        (lambda: nmse(torch.ones(2, 3), None), "x is a NoneType; a Tensor"),
        (lambda: nmse(torch.ones(2, 3), torch.zeros(2, 3)), "x is 0"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_nmse():
    x = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    errors = nmse(torch.stack((torch.zeros_like(x), 0.9 * x, x)), x)
    torch.testing.assert_close(errors[:2], torch.tensor([0.0, -20.0]).double(), atol=1e-5, rtol=0)
    assert errors[2] == -math.inf
    # The sums are over the batch: a large signal counts for more than a small one.
    assert nmse(torch.tensor([[0.0, 0.0], [0.0, 4.0]]), x) == pytest.approx(10 * math.log10(9 / 25))
    with pytest.raises(ValueError, match=r"\(2, 3\), \(2, 2\)"):
        nmse(torch.zeros(2, 3), x)


def test_nmse_of_complex_signals_and_at_the_ends_of_the_range():
    x = torch.tensor([[1j, 2.0]])
    assert float(nmse(torch.zeros(1, 2), x)) == 0
    assert float(nmse(torch.tensor([[0.0, 2.0]]), x)) == pytest.approx(10 * math.log10(1 / 5))
    for size in (1e-200, 1e200):
        loud = torch.full((2, 3), size, dtype=torch.float64)
        assert float(nmse(0.9 * loud, loud)) == pytest.approx(-20)
    assert float(nmse(torch.full((2, 3), math.inf), torch.ones(2, 3))) == math.inf
    with pytest.raises(ValueError, match="x holds NaN"):
        nmse(torch.ones(1, 2), torch.tensor([[math.nan, 1.0]]))
    with pytest.raises(ValueError, match=r"x has shape \(0, 2\)"):
        nmse(torch.ones(0, 2), torch.ones(0, 2))
    with pytest.raises(ValueError, match="estimate is sparse"):
        nmse(torch.ones(1, 2).to_sparse(), torch.ones(1, 2))
