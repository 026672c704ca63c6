"""The examples by hand and the plain forms are what the networks do and the theorems say."""

import pytest
import sympy as sp
import torch

from unrolled.chapters.rip import figures
from unrolled.chapters.rip.problems import BASES, PLAIN, by_hand, matrices, pair
from unrolled.guarantees.latex import latex
from unrolled.guarantees.rip import (
    adaptive_iterates,
    coherence_schedule,
    with_thresholds,
)
from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.isometry.coherence import coherence, generalised_coherence
from unrolled.isometry.constants import isometry_constant
from unrolled.sensing import analytic_weights

THIRD, HALF = sp.Rational(1, 3), sp.Rational(1, 2)


def column(vector):
    return torch.tensor([float(entry) for entry in vector], dtype=torch.float64)


@pytest.mark.parametrize("share", [sp.S.One, HALF, sp.Rational(7, 10)])
@pytest.mark.parametrize(("cosine", "signal"), [(THIRD, [1, 0]), (-sp.Rational(1, 4), [0, -2])])
def test_what_is_computed_by_hand_is_what_the_network_does(cosine, signal, share):
    layers = by_hand(cosine, signal, share=share, depth=5)
    operator, truth = pair(float(cosine)), torch.tensor([signal], dtype=torch.float64)
    size = float(truth.abs().sum())
    plan = coherence_schedule(abs(float(cosine)), 1, size, depth=5)
    thresholds = float(share) * plan.thresholds
    net = with_thresholds(operator, operator.dense(), thresholds)
    iterates = net.trajectory(operator.forward(truth))[1:, 0]
    torch.testing.assert_close(torch.stack([column(layer.output) for layer in layers]), iterates)
    torch.testing.assert_close(column(layer.threshold for layer in layers), thresholds)
    torch.testing.assert_close(
        column(layer.error for layer in layers), (iterates - truth).abs().sum(1)
    )
    torch.testing.assert_close(column(layer.certificate for layer in layers), plan.certificate[1:])


def test_the_certificate_is_met_exactly_and_half_the_thresholds_let_the_leak_in():
    for layer in by_hand(THIRD, [1, 0]):
        assert layer.error == layer.threshold == layer.certificate
        assert layer.output[1] == 0
    assert [layer.output[1] != 0 for layer in by_hand(THIRD, [1, 0], share=HALF)] == [
        True,
        False,
        True,
    ]


def test_tables_have_a_row_for_each_layer():
    table = figures.hand_table("1/3", 1, 0).data
    assert table.count("\n") == 2 + 3
    assert r"| 3 | $(1, \tfrac{1}{27})$ | $\tfrac{1}{27}$ |" in table
    assert figures.hand_table("1/3", 1, 0, share="1/2").data != table


def test_plain_forms_are_the_theorems_without_noise_and_tail():
    assert fixed.certificate.subs(PLAIN) == fixed.decay
    schedule = coherence_schedule(0.1, 2, 1.0, depth=6)
    told = {**PLAIN, fixed.mu: 0.1, fixed.rho: 0.3, fixed.s: 2, fixed.E0: 1.0}
    assert float(fixed.certificate.subs({**told, fixed.K: 6})) == pytest.approx(
        float(schedule.certificate[-1])
    )
    full = latex(fixed.certificate)
    for plain in (figures.plain_fixed, figures.plain_isometry, figures.plain_adaptive):
        text = plain().data
        for letter in (r"\nu", r"\tau", r"\omega", r"\epsilon", r"\|t\|", r"\|w\|", r"\sum"):
            assert letter not in text, (plain.__name__, letter)
    # The whole one does have them.
    assert r"\nu" in full
    assert r"\tau" in full


def test_rates_are_those_of_exact_constants():
    rows = figures.rates(2).data.splitlines()[2:]
    dense = matrices()[BASES]
    for sparsity, row in enumerate(rows, start=1):
        size, by_coherence, here, following, by_isometry = map(float, row.strip("| ").split("|"))
        exact = [float(isometry_constant(dense, sparsity + more)) for more in (0, 1)]
        assert size == sparsity
        assert by_coherence == pytest.approx((2 * size - 1) * coherence(dense), abs=5e-4)
        assert (here, following) == pytest.approx(exact, abs=5e-4)
        assert by_isometry == pytest.approx(exact[0] + size**0.5 * exact[1], abs=5e-4)


def test_two_columns_in_the_plane_have_the_inner_product_that_they_are_asked_for():
    for cosine in (1 / 3, -0.8, 0.0):
        gram = pair(cosine).dense().T @ pair(cosine).dense()
        wanted = torch.tensor([[1, cosine], [cosine, 1]], dtype=torch.float64)
        torch.testing.assert_close(gram, wanted)
    # Weights can be deaf to the other column, and the second largest entry is the leak.
    two = pair(1 / 3)
    assert generalised_coherence(analytic_weights(two), two) == pytest.approx(0, abs=1e-12)
    errors = []
    for size in (1.0, 1e-6):
        x = torch.tensor([[size, 0.0]], dtype=torch.float64)
        found = adaptive_iterates(two, two.forward(x), sparsity=1, extra=1, depth=3)
        errors.append((found - x).norm(dim=2)[:, 0] / size)
    torch.testing.assert_close(errors[0], errors[1])
    torch.testing.assert_close(errors[0], column(THIRD**k for k in range(4)))
