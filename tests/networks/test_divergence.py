"""MonteCarloDivergence measures a mean slope, so that OAMP takes any denoiser."""

from __future__ import annotations

import math

import pytest
import torch

from unrolled.networks import MonteCarloDivergence, OAMPNet, ProxNet, SoftThreshold
from unrolled.sensing import gaussian
from unrolled.training import fit

REAL, COMPLEX = torch.float64, torch.complex128
N = 12


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(count=3, n=N, dtype=REAL, seed=1):
    return torch.randn(count, n, generator=seeded(seed), dtype=dtype)


TAU = torch.tensor([[0.5], [1.0], [2.0]], dtype=REAL)


@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_of_a_linear_denoiser_it_is_the_quadratic_form_of_the_probes(dtype):
    M = rows(N, dtype=dtype, seed=2)
    kind = {"complex_signals": dtype.is_complex, "probes": 3}
    net = MonteCarloDivergence(lambda r, tau: r @ M, N, **kind).double()
    r = rows(dtype=dtype)
    estimate, slope = net.with_divergence(r, TAU)
    torch.testing.assert_close(estimate, r @ M)
    probes = net.probes
    expected = ((probes @ M) * probes.conj()).sum(1).real.mean() / N
    torch.testing.assert_close(slope, expected.expand(3, 1), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_on_average_over_the_probes_it_is_the_mean_slope(dtype):
    M = rows(N, dtype=dtype, seed=2)
    net = MonteCarloDivergence(
        lambda r, tau: r @ M + 0.3 * r.conj(), N, probes=20000, complex_signals=dtype.is_complex
    ).double()
    _, slope = net.with_divergence(rows(1, dtype=dtype), TAU[:1])
    # Of r ↦ r̄ the Wirtinger derivative ∂/∂r is zero; for real r it is r.
    expected = float(M.diagonal().real.mean()) + (0 if dtype.is_complex else 0.3)
    assert float(slope) == pytest.approx(expected, abs=0.03)


def test_of_a_denoiser_that_looks_at_entries_one_by_one_it_is_exact():
    known = ProxNet().double()
    with torch.no_grad():
        for parameter in known.parameters():
            parameter.add_(0.1)
    wrapped = MonteCarloDivergence(known, N, step=1e-5).double()
    r = rows()
    for mine, theirs in zip(
        wrapped.with_divergence(r, TAU), known.with_divergence(r, TAU), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_oamp_takes_a_denoiser_that_knows_no_slope(dtype):
    A = gaussian(100, 200, generator=seeded(), dtype=dtype)
    x = rows(20, 200, dtype) * (torch.rand(20, 200, generator=seeded(3)) < 0.1)
    y = A.forward(x)

    def soft(r, tau):
        return torch.sgn(r) * (r.abs() - 1.4 * tau).clamp(min=0)

    with pytest.raises(ValueError, match=r"denoiser is a Plain.* \(MonteCarloDivergence has it\)"):
        OAMPNet(A, 8, noise=0.0, denoiser=type("Plain", (torch.nn.Module,), {})())
    wrapped = MonteCarloDivergence(soft, 200, complex_signals=dtype.is_complex)
    found = OAMPNet(A, 8, noise=0.0, denoiser=wrapped)(y)
    known = OAMPNet(A, 8, noise=0.0, denoiser=SoftThreshold())(y)
    plain = OAMPNet(A, 8, noise=0.0, denoiser=SoftThreshold(), divergence_free=False)(y)

    def missed(estimate):
        return float((estimate - x).detach().abs().square().sum() / x.abs().square().sum())

    assert missed(found) < 2 * missed(known) < missed(plain)


def test_what_it_wraps_is_learned():
    A = gaussian(20, 40, generator=seeded())
    x = rows(16, 40, torch.float32)
    net = OAMPNet(A, 3, noise=0.01, denoiser=MonteCarloDivergence(SoftThreshold(), 40))
    before = float(net.denoisers[0].denoiser.factor.detach())
    fit(net, (A.forward(x), x), steps=5, progress=False)
    assert float(net.denoisers[0].denoiser.factor.detach()) != before


def test_zero_signals_have_a_finite_slope():
    net = MonteCarloDivergence(SoftThreshold(), N).double()
    for r, tau in ((torch.zeros(3, N, dtype=REAL), TAU), (torch.zeros(3, N, dtype=REAL), 0 * TAU)):
        estimate, slope = net.with_divergence(r, tau)
        assert estimate.isfinite().all()
        assert slope.isfinite().all()


def test_the_probes_follow_the_generator():
    one, same, other = (
        MonteCarloDivergence(SoftThreshold(), N, generator=generator).probes
        for generator in (None, seeded(0), seeded(1))
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(one.abs(), torch.ones(1, N))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"denoiser": 3}, "denoiser is 3; a function of r and tau"),
        ({"n": 0}, "n is 0"),
        ({"probes": 0}, "probes is 0"),
        ({"step": 0.0}, "step is 0.0"),
        ({"step": math.inf}, "step is inf"),
        ({"generator": 1}, "generator is a int"),
    ],
)
def test_bad_arguments_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        MonteCarloDivergence(**{"denoiser": SoftThreshold(), "n": N, **arguments})


def test_other_signals_are_refused():
    net = MonteCarloDivergence(SoftThreshold(), N).double()
    for r in (rows(n=N + 1), rows(dtype=COMPLEX)):
        with pytest.raises(
            ValueError, match=rf"r has shape .*; real signals \(B, {N}\) are needed"
        ):
            net.with_divergence(r, TAU)
