"""The theorems on thresholds: each one holds, is tight where it says so, and can fail."""

import math
from dataclasses import replace

import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.guarantees import evaluate
from unrolled.guarantees.rip import (
    adaptive_thresholds,
    fixed_thresholds,
    instances,
    isometry_thresholds,
    refuted,
    with_thresholds,
)
from unrolled.guarantees.rip.adaptive_thresholds import adaptive_iterates, extremal
from unrolled.guarantees.rip.matrices import nearly_orthonormal, simplex, spikes_and_walsh
from unrolled.isometry.coherence import coherence, generalised_coherence
from unrolled.isometry.constants import isometry_constant
from unrolled.sensing import analytic_weights, equiangular_frame, gaussian, identity_hadamard

THRESHOLDS = (
    fixed_thresholds.FIXED_THRESHOLDS,
    isometry_thresholds.ISOMETRY_THRESHOLDS,
    adaptive_thresholds.ADAPTIVE_THRESHOLDS,
)


def test_the_frame_attains_its_certificate_in_every_layer():
    instance = fixed_thresholds.on_frame(12)
    errors = (instance.iterates - instance.signal).abs().sum(1)
    certificate = fixed_thresholds.coherence_schedule(1 / 3, 1, 1.0, depth=12).certificate
    torch.testing.assert_close(errors, certificate, rtol=1e-7, atol=0)
    torch.testing.assert_close(certificate, 3.0 ** -torch.arange(13, dtype=torch.float64))
    # One entry misses by the threshold, whatever its size, unless it is smaller than that.
    below = fixed_thresholds.on_frame(12, 0.2)
    assert float((below.iterates[1] - below.signal).abs().sum()) == pytest.approx(0.2)


@pytest.mark.parametrize(("sparsity", "extra"), [(1, 1), (1, 3), (2, 1), (3, 3)])
@pytest.mark.parametrize("amplitude", [1e-6, 1.0, 1e3])
def test_the_rate_of_adaptive_thresholds_is_attained_in_every_layer(sparsity, extra, amplitude):
    delta = 0.6 / (1 + sparsity / extra) ** 0.5
    instance = extremal(sparsity, extra, delta, depth=8, amplitude=amplitude)
    order = 3 * sparsity + 2 * extra - 1
    assert float(isometry_constant(instance.operator, order)) == pytest.approx(delta, rel=1e-9)
    errors = (instance.iterates - instance.signal).norm(dim=1)
    expected = 0.6 ** torch.arange(9, dtype=torch.float64) * instance.signal.norm()
    torch.testing.assert_close(errors, expected, rtol=1e-6, atol=0)


def test_certificates_on_spikes_and_walsh_functions():
    operator = identity_hadamard(64, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    chosen = fixed_thresholds.coherence_schedule(1 / 8, 4, 4.0, depth=20)
    assert float(chosen.certificate[1] / chosen.certificate[0]) == pytest.approx(0.875)
    ratios = []
    for _ in range(100):
        signal, support = instances.random_signal(generator, 128, 4)
        net = with_thresholds(operator, operator.dense(), chosen.thresholds)
        iterates = net.trajectory(operator.forward(signal))[:, 0]
        assert not iterates[:, ~support].any()
        ratios.append(((iterates - signal).abs().sum(1) / chosen.certificate).max())
    assert 0.5 < max(ratios) <= 1


def test_capon_weights_certify_two_entries_where_the_matrix_itself_does_not():
    generator = torch.Generator().manual_seed(0)
    operator = gaussian(100, 120, generator=generator, dtype=torch.float64, unit_columns=True)
    own, rescaled = coherence(operator), generalised_coherence(analytic_weights(operator), operator)
    assert own == pytest.approx(0.3635, abs=1e-4)
    assert rescaled == pytest.approx(0.1725, abs=1e-4)
    assert 3 * rescaled < 1 < 3 * own
    # Diagonal loading gives up coherence for noise that is amplified less.
    loaded = analytic_weights(operator, 1.0)
    assert float(loaded.norm()) < float(analytic_weights(operator).norm())


@given(
    mu=st.floats(0.01, 0.9),
    sparsity=st.integers(1, 5),
    start=st.floats(0, 10),
    noise=st.floats(0, 1),
    leak=st.floats(0, 1),
    tail=st.floats(0, 1),
    depth=st.integers(1, 10),
)
def test_the_closed_form_is_the_recursion(mu, sparsity, start, noise, leak, tail, depth):
    chosen = fixed_thresholds.coherence_schedule(
        mu, sparsity, start, noise=noise, leak=leak, tail=tail, depth=depth
    )
    E = start
    for theta, certified in zip(chosen.thresholds, chosen.certificate, strict=False):
        assert float(certified) == pytest.approx(E, rel=1e-9, abs=1e-12)
        assert float(theta) == pytest.approx(mu * E + noise + leak, rel=1e-9, abs=1e-12)
        E = (2 * sparsity - 1) * mu * E + sparsity * (2 * noise + leak + mu * tail)
    f = fixed_thresholds
    values = {f.mu: mu, f.s: sparsity, f.E0: start, f.nu: noise, f.tau: leak, f.tail: tail}
    closed = evaluate(f.FIXED_THRESHOLDS.expression, {**values, f.K: depth})
    assert float(chosen.certificate[-1]) == pytest.approx(closed, rel=1e-9, abs=1e-12)


@given(
    constants=st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)).map(sorted),
    sparsity=st.integers(1, 5),
    noise=st.floats(0, 1),
    tail=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    depth=st.integers(1, 10),
)
def test_isometry_certificates_are_their_recursion(constants, sparsity, noise, tail, depth):
    (low, high), (l2, l1) = constants, tail
    chosen = isometry_thresholds.isometry_schedule(
        low, high, sparsity, 2.0, noise=noise, tail_norm=l2, tail_sum=l1, depth=depth
    )
    E, root = 2.0, sparsity**0.5
    both = noise + (1 + low) ** 0.5 * (l2 + l1 / root)
    for theta, certified in zip(chosen.thresholds, chosen.certificate, strict=False):
        assert float(certified) == pytest.approx(E, rel=1e-9)
        assert float(theta) == pytest.approx(high * E + (1 + low) ** 0.5 * both, rel=1e-9)
        E = (low + root * high) * E + (1 + root) * (1 + low) ** 0.5 * both
    i = isometry_thresholds
    values = {i.delta_s: low, i.delta_next: high, i.s: sparsity, i.E0: 2.0, i.K: depth}
    values |= {i.epsilon: noise, i.tail_norm: l2, i.tail_sum: l1}
    closed = evaluate(i.ISOMETRY_THRESHOLDS.expression, values)
    assert float(chosen.certificate[-1]) == pytest.approx(closed, rel=1e-9, abs=1e-12)


def test_on_the_frame_two_entries_have_the_rate_one_and_a_bound_that_holds():
    f, generator = fixed_thresholds, torch.Generator().manual_seed(0)
    frame = equiangular_frame(dtype=torch.float64)
    assert f.rate.subs({f.mu: sp.Rational(1, 3), f.s: 2}) == 1
    for _ in range(20):
        signal, support = instances.random_signal(generator, 16, 2, tail=0.01)
        noise = 0.01 * torch.randn(1, 6, generator=generator, dtype=torch.float64)
        found = instances.Recovery(frame, signal, noise, frame.dense(), support)
        instance = f._planned(found, 2, 12)
        exact = {**instance.told, f.mu: sp.Rational(1, 3)}  # where (1 − ρ^K)/(1 − ρ) is undefined
        bound = evaluate(f.FIXED_THRESHOLDS.expression, exact)
        added = 2 * (2 * exact[f.nu] + exact[f.tau] + exact[f.tail] / 3)
        assert bound == pytest.approx(exact[f.E0] + 12 * added)
        assert f.FIXED_THRESHOLDS.measured(instance) <= bound
        assert not instance.leaked.any()


@pytest.mark.parametrize("term", ["noise_term", "tail_term"])
@pytest.mark.parametrize("theorem", THRESHOLDS, ids=lambda theorem: theorem.name)
def test_a_bound_with_half_of_a_term_is_caught(theorem, term):
    halved = replace(theorem, bound=theorem.bound - theorem.formulas[term] / 2)
    assert theorem.check(300).passed
    assert not halved.check(300).passed


@pytest.mark.parametrize("theorem", THRESHOLDS, ids=lambda theorem: theorem.name)
def test_a_noise_term_smaller_by_a_hundredth_is_caught(theorem):
    less = replace(theorem, bound=theorem.bound - theorem.formulas["noise_term"] / 100)
    assert not less.check(300).passed


def test_instances_are_at_the_edges_of_what_the_theorems_say():
    generator = torch.Generator().manual_seed(0)
    f, i, a = fixed_thresholds, isometry_thresholds, adaptive_thresholds
    for module, theorem in ((f, f.FIXED_THRESHOLDS), (i, i.ISOMETRY_THRESHOLDS)):
        drawn = [theorem.draw(generator) for _ in range(200)]
        rates = [evaluate(module.rate, instance.told) for instance in drawn]
        assert min(rates) == 0
        assert max(rates) > 1
        assert any(int(instance.support.sum()) < instance.told[f.s] for instance in drawn)
        assert any(instance.told[f.E0] > 1.01 * _size(instance, module) for instance in drawn)
    drawn = [a.ADAPTIVE_THRESHOLDS.draw(generator) for _ in range(200)]
    assert min(evaluate(a.rate, instance.told) for instance in drawn) == 0


def _size(instance, module):
    return instances.norm(instance.inside, 1 if module is fixed_thresholds else 2)


@pytest.mark.parametrize("sparsity", [1, 4, 100])
def test_tails_come_near_to_their_bound_where_many_entries_are_kept(sparsity):
    root = sparsity**0.5
    assert isometry_thresholds.tail_reached(sparsity) == pytest.approx(root / (1 + root))
    reached = adaptive_thresholds.tail_reached(sparsity)
    assert reached == pytest.approx(1 / (1 + 1 / root + 1 / (1 + sparsity) ** 0.5))


def test_constants_of_spikes_and_walsh_functions():
    operator = identity_hadamard(64, dtype=torch.float64)
    for order in (1, 2, 3):
        found = float(isometry_constant(operator, order))
        assert found == pytest.approx(spikes_and_walsh(order), abs=1e-12)
    # Beyond, the support that attains the bound: spikes and functions with equal signs throughout.
    dense = operator.dense()
    for order in range(4, 17):
        spikes, functions = _equal_signs(dense[:, 64:], order // 2, order - order // 2)
        columns = torch.cat((dense[:, spikes], dense[:, 64 + functions]), 1)
        deviation = columns.T @ columns - torch.eye(order, dtype=torch.float64)
        norm = float(torch.linalg.matrix_norm(deviation, ord=2))
        assert norm == pytest.approx(spikes_and_walsh(order), abs=1e-12)
    # Fewer of one kind and more of the other have less.
    assert spikes_and_walsh(4) == 1 / 4 > 3**0.5 / 8


def _equal_signs(walsh, p, q):
    # Numbers below 8 in the first three binary digits, and in the last three: no digit is shared.
    for first, second in ((1, 8), (8, 1)):
        rows, columns = torch.arange(p) * first, torch.arange(q) * second
        if (walsh[rows][:, columns] > 0).all():
            return rows, columns
    raise AssertionError("no equal signs")


def test_the_isometry_constant_that_three_entries_need():
    largest = isometry_thresholds.largest_constant
    assert evaluate(largest, {isometry_thresholds.s: 3}) == pytest.approx(0.366, abs=5e-4)
    # For one entry it is 1/2: weaker than basis pursuit's √2 − 1.
    assert largest.subs(isometry_thresholds.s, 1) == sp.Rational(1, 2)


@given(seed=st.integers(0, 999), scale=st.sampled_from([1e-6, 1e-2, 1e3]))
def test_adaptive_iterates_are_the_recursion_and_scale_with_the_data(seed, scale):
    generator = torch.Generator().manual_seed(seed)
    operator = gaussian(6, 10, generator=generator, dtype=torch.float64)
    A = operator.dense()
    y = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    iterates = adaptive_iterates(A, y, sparsity=2, extra=2, depth=4)
    assert iterates.shape == (5, 3, 10)
    assert (iterates != 0).sum(2).max() <= 3
    x = torch.zeros(3, 10, dtype=torch.float64)
    for iterate in iterates:
        torch.testing.assert_close(iterate, x)
        u = x + (y - x @ A.T) @ A
        theta = u.abs().sort(dim=1, descending=True).values[:, 3:4]
        x = u.sign() * (u.abs() - theta).clamp(min=0)
    scaled = adaptive_iterates(operator, scale * y, sparsity=2, extra=2, depth=4)
    torch.testing.assert_close(scaled, scale * iterates, rtol=1e-6, atol=1e-9 * scale)


def test_adaptive_thresholds_do_where_fixed_ones_see_nothing():
    small = extremal(1, 1, 0.4, depth=15, amplitude=1e-6)
    measured = adaptive_thresholds.ADAPTIVE_THRESHOLDS.measured
    assert measured(small) < 1e-3 * float(small.signal.norm())
    fixed = replace(small, thresholds=0.5 ** torch.arange(15, dtype=torch.float64))
    assert measured(fixed) == float(small.signal.norm())


@given(seed=st.integers(0, 999), s=st.integers(1, 8))
def test_no_tail_is_longer_than_its_blocks_say(seed, s):
    # ‖At‖ ≤ √(1 + δ_s)(‖t‖₂ + ‖t‖₁/√s), for any t.
    generator = torch.Generator().manual_seed(seed)
    operator = gaussian(6, 8, generator=generator, dtype=torch.float64)
    t = torch.randn(1, 8, generator=generator, dtype=torch.float64) ** 3
    spread = float(t.norm() + t.abs().sum() / s**0.5)
    delta = float(isometry_constant(operator, s))
    assert float(operator.forward(t).norm()) <= (1 + delta) ** 0.5 * spread * (1 + 1e-12)


def test_leakage_grows_as_the_chapter_says():
    errors = refuted.leakage().relative_errors()
    for k, expected in ((1, 1.29), (5, 7.9), (10, 101), (20, 1.7e4), (30, 2.8e6)):
        assert float(errors[k]) == pytest.approx(expected, rel=0.025)
    frame = equiangular_frame(dtype=torch.float64)
    assert float(isometry_constant(frame, 2)) == pytest.approx(1 / 3)
    assert math.sqrt(2) - 1 > 1 / 3


def test_fixed_thresholds_see_no_small_signal():
    assert refuted.small_signal(1.0).last() == pytest.approx(3.0**-12, rel=1e-9)
    run = refuted.small_signal(1e-6)
    assert run.last() == 1
    assert not run.iterates.any()


@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.5])
def test_a_tied_threshold_stays_as_a_bias(threshold):
    run = refuted.tied(threshold)
    torch.testing.assert_close(run.iterates[1:], torch.full((30, 1), 1 - threshold).double())


def test_a_bounded_norm_on_the_support_contracts_nothing():
    run = refuted.blind()
    assert not run.iterates.any()
    pair = torch.full((1, 2), 0.6**0.5, dtype=torch.float64)
    assert float(torch.linalg.matrix_norm(pair, ord=2)) == pytest.approx(math.sqrt(1.2))
    assert float(torch.linalg.matrix_norm(torch.eye(2) - pair.T @ pair, ord=2)) == pytest.approx(1)


def test_lmmse_weights_answer_m_over_n_on_average():
    measured, claimed = refuted.LMMSE.measured_and_claimed()
    assert measured == pytest.approx(0.81, abs=0.02)
    assert claimed == pytest.approx(0.28, abs=0.02)
    generator = torch.Generator().manual_seed(0)
    A = gaussian(16, 64, generator=generator, dtype=torch.float64, unit_columns=True)
    responses = (refuted.lmmse_weights(A, 1e-9) * A.dense()).sum(0)
    assert float(responses.mean()) == pytest.approx(16 / 64, rel=1e-6)
    loaded = (refuted.lmmse_weights(A, 1.0) * A.dense()).sum(0)
    assert float(loaded.mean()) < 0.24


def test_the_largest_leak_is_that_of_the_largest_entry_below_coherence_one():
    t = torch.tensor([0.0, 0.3, -0.5, 0.1])
    assert fixed_thresholds.largest_leak(t, 0.2) == pytest.approx(0.5 + 0.2 * 0.4)
    assert fixed_thresholds.largest_leak(t, 2.0) == pytest.approx(2 * 0.9)


def test_matrices_are_what_their_names_say():
    gram = simplex(4, 0.2).dense()
    gram = gram.T @ gram
    torch.testing.assert_close(gram, 1.2 * torch.eye(4, dtype=torch.float64) - 0.2)
    generator = torch.Generator().manual_seed(0)
    A = nearly_orthonormal(9, 12, generator=generator, scale=2.0).dense()
    torch.testing.assert_close(A @ A.T, 4 * torch.eye(9, dtype=torch.float64))


A = torch.eye(2, dtype=torch.float64)
Y = torch.ones(1, 2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: fixed_thresholds.coherence_schedule(-0.1, 1, 1.0, depth=3), "mu"),
        (lambda: fixed_thresholds.coherence_schedule(0.1, 0, 1.0, depth=3), "sparsity"),
        (lambda: fixed_thresholds.coherence_schedule(0.1, 1, math.inf, depth=3), "start"),
        (lambda: fixed_thresholds.coherence_schedule(0.1, 1, 1.0, depth=0), "depth"),
        (lambda: fixed_thresholds.coherence_schedule(0.1, 1, 1.0, noise=-1, depth=3), "noise"),
        (lambda: fixed_thresholds.coherence_schedule(0.1, 1, 1.0, leak=-1, depth=3), "leak"),
        (lambda: fixed_thresholds.coherence_schedule(0.1, 1, 1.0, tail=-1, depth=3), "tail"),
        (lambda: fixed_thresholds.largest_leak(torch.ones(2, 2), 0.1), "t"),
        (lambda: fixed_thresholds.largest_leak(torch.ones(2), -0.1), "mu"),
        (lambda: isometry_thresholds.isometry_schedule(-1, 0.3, 1, 1.0, depth=3), "delta_s"),
        (lambda: isometry_thresholds.isometry_schedule(0.3, 0.2, 1, 1.0, depth=3), "delta_next"),
        (
            lambda: isometry_thresholds.isometry_schedule(0, 0, 1, 1.0, tail_sum=-1, depth=3),
            "tail_sum",
        ),
        (
            lambda: isometry_thresholds.isometry_schedule(0, 0, 1, 1.0, tail_norm=-1, depth=3),
            "tail_norm",
        ),
        (lambda: adaptive_iterates(A, Y, sparsity=0, extra=1, depth=3), "sparsity"),
        (lambda: adaptive_iterates(A, Y, sparsity=1, extra=0, depth=3), "extra"),
        (lambda: adaptive_iterates(A, Y, sparsity=1, extra=2, depth=3), "extra"),
        (lambda: adaptive_iterates(A, Y, sparsity=1, extra=1, depth=0), "depth"),
        (lambda: adaptive_iterates(A, Y[:, :1], sparsity=1, extra=1, depth=1), "y"),
        (lambda: extremal(1, 0, 0.1, depth=1), "extra"),
        (lambda: extremal(1, 1, 0.8, depth=1), "delta"),
        (lambda: extremal(1, 1, 0.1, depth=1, amplitude=0), "amplitude"),
        (lambda: adaptive_thresholds.orthonormal(0, 1), "sparsity"),
        (lambda: adaptive_thresholds.orthonormal(1, 0), "extra"),
        (lambda: adaptive_thresholds.orthonormal(1, 1, noise=-1.0), "noise"),
        (lambda: isometry_thresholds.orthonormal(0), "sparsity"),
        (lambda: isometry_thresholds.orthonormal(1, tail=-1.0), "tail"),
        (lambda: fixed_thresholds.on_frame(0), "depth"),
        (lambda: fixed_thresholds.on_frame(3, -1.0), "amplitude"),
        (lambda: with_thresholds(A, A, torch.tensor([0.1, -0.1])), "thresholds"),
        (lambda: with_thresholds(A, A, torch.ones(2, 2)), "thresholds"),
        (lambda: with_thresholds(A, A[:1], torch.ones(2)), "W"),
        (lambda: with_thresholds(A, A.float(), torch.ones(2)), "W"),
        (lambda: simplex(3, 0.5), "cosine"),
        (lambda: nearly_orthonormal(3, 3, generator=torch.Generator()), "n"),
        (lambda: refuted.support_factors(A, A[:1], 1, generator=torch.Generator()), "W"),
        (lambda: refuted.support_factors(A, A, 3, generator=torch.Generator()), "sparsity"),
        (lambda: refuted.support_factors(A, A, 1, generator=torch.Generator(), count=0), "count"),
    ],
)
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        call()
