"""Coherence, and the eigenvalues of few columns."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matrices import CLOSE, COMPLEX, FRAME, REAL, draw, orthonormal, seeds

from unrolled.guarantees.rip.certified import (
    certified_sparsity,
)
from unrolled.isometry.coherence import coherence, generalised_coherence, restricted_eigenvalues
from unrolled.isometry.constants import isometry_constant
from unrolled.sensing import (
    analytic_weights,
    identity_hadamard,
)

# Coherence


def test_coherence_of_known_matrices():
    assert coherence(FRAME) == pytest.approx(1 / 3)
    assert coherence(identity_hadamard(16, dtype=REAL)) == pytest.approx(1 / 4)
    assert coherence(orthonormal(5, 8)) == pytest.approx(0, abs=CLOSE)
    assert coherence(torch.ones(3, 1)) == 0
    assert coherence(draw(6, 16)) > 1 / 3 + 0.1


@given(seed=seeds)
def test_coherence_does_not_see_the_length_of_columns(seed):
    A = draw(5, 8, seed, COMPLEX)
    scales = 0.1 + torch.rand(8, generator=torch.Generator().manual_seed(seed), dtype=REAL)
    assert coherence(A * scales) == pytest.approx(coherence(A))
    assert isometry_constant(A, 2).value == pytest.approx(coherence(A))


def test_generalised_coherence_is_what_analytic_weights_lower():
    A = draw(100, 120)
    assert generalised_coherence(A, A) == pytest.approx(coherence(A))
    assert generalised_coherence(analytic_weights(A), A) < 0.6 * coherence(A)


def test_generalised_coherence_wants_unit_response():
    A = draw(5, 8)
    with pytest.raises(ValueError, match=r"differs from 1 by 0\.5"):
        generalised_coherence(A / 2, A)
    with pytest.raises(ValueError, match=r"W has shape \(5, 7\); A's, \(5, 8\)"):
        generalised_coherence(A[:, :7], A)
    with pytest.raises(ValueError, match="a real and a complex"):
        generalised_coherence(A.to(COMPLEX), A)


def test_a_zero_column_has_no_coherence():
    A = draw(5, 8)
    A[:, 3] = 0
    with pytest.raises(ValueError, match="zero column, number 3"):
        coherence(A)
    with pytest.raises(ValueError, match="zero column, number 3"):
        certified_sparsity(A)


# Restricted eigenvalues


@settings(max_examples=40)
@given(seed=seeds, data=st.data())
@pytest.mark.parametrize("method", ["exact", "enumeration", "branch and bound"])
def test_restricted_eigenvalues_are_the_extreme_ones(method, seed, data):
    s = data.draw(st.integers(1, 6))
    A = data.draw(st.sampled_from((1.0, 1e-5, 1e5))) * draw(5, 7, seed, COMPLEX, False)
    low, high = restricted_eigenvalues(A, s, method)
    supports = torch.tensor(list(itertools.combinations(range(7), s)))
    of_each = torch.linalg.eigvalsh((A.mH @ A)[supports[:, :, None], supports[:, None, :]])
    size = float(of_each.max())
    assert high == pytest.approx(size, abs=CLOSE * size)
    assert low == pytest.approx(float(of_each.min()), abs=CLOSE * size)
    delta = float(isometry_constant(A, s))
    assert delta == pytest.approx(max(high - 1, 1 - low), abs=CLOSE * max(1, size))
    assert delta != pytest.approx(min(high - 1, 1 - low), abs=CLOSE * size)


@pytest.mark.parametrize("power", [-150, -100, -82, -60, 60, 78, 100, 150])
@pytest.mark.parametrize("method", ["exact", "enumeration", "branch and bound"])
def test_restricted_eigenvalues_scale_with_the_square(method, power):
    A = draw(6, 9)
    c = 10.0**power
    found = restricted_eigenvalues(c * A, 3, method)
    expected = [c * end * c for end in restricted_eigenvalues(A, 3, method)]
    assert found == pytest.approx(expected, rel=1e-9, abs=0)
    assert 0 < found[0] < found[1] / 2


def test_restricted_eigenvalues_at_the_ends_of_float64():
    A = draw(6, 9)
    small, large = restricted_eigenvalues(A, 3)
    tiny = restricted_eigenvalues(1e-160 * A, 3)
    assert tiny == pytest.approx((1e-160 * small * 1e-160, 1e-160 * large * 1e-160), abs=1e-323)
    with pytest.raises(ValueError, match="underflows"):
        restricted_eigenvalues(1e-170 * A, 3)
    with pytest.raises(ValueError, match="overflows"):
        restricted_eigenvalues(1e155 * A, 3)
    assert restricted_eigenvalues(0 * A, 3) == (0, 0)


def test_restricted_eigenvalues_refuse():
    with pytest.raises(ValueError, match="method is 'greedy'; allowed are 'exact'"):
        restricted_eigenvalues(FRAME, 2, "greedy")
    with pytest.raises(ValueError, match="s is 0"):
        restricted_eigenvalues(FRAME, 0)
    with pytest.raises(ValueError, match="effort is -1"):
        restricted_eigenvalues(FRAME, 2, effort=-1)
    with pytest.raises(ValueError, match=r"1,429,702,652,400 supports"):
        restricted_eigenvalues(draw(64, 128), 8, effort=10**6)
