"""Sensing operators: adjointness, LMMSE against a dense solve, spectra, and bad input."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.sensing import DenseOperator, gaussian, with_spectrum

sizes = st.integers(1, 9)
seeds = st.integers(0, 2**31)


def draw(m, n, seed):
    return gaussian(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(m=sizes, n=sizes, batch=sizes, seed=seeds)
def test_adjoint_is_the_adjoint(m, n, batch, seed):
    operator = draw(m, n, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    x = torch.randn(batch, n, generator=generator, dtype=torch.float64)
    y = torch.randn(batch, m, generator=generator, dtype=torch.float64)
    left = (operator.forward(x) * y).sum(1)
    right = (x * operator.adjoint(y)).sum(1)
    torch.testing.assert_close(left, right)


@given(m=sizes, n=sizes, seed=seeds, lam=st.floats(1e-3, 1e3))
def test_lmmse_solves_its_normal_equations(m, n, seed, lam):
    operator = draw(m, n, seed)
    A = operator.dense()
    r = torch.randn(3, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    estimate = operator.lmmse(r, lam)
    gram = A @ A.T + lam * torch.eye(m, dtype=torch.float64)
    torch.testing.assert_close(estimate, torch.linalg.solve(gram, r.T).T @ A)


def test_gaussian_columns_have_unit_norm_on_average():
    A = draw(400, 300, 0).dense()
    assert A.shape == (400, 300)
    assert abs(float(A.square().sum(0).mean()) - 1) < 0.02


@given(n=sizes, extra=st.integers(0, 3), seed=seeds)
def test_with_spectrum_has_the_spectrum(n, extra, seed):
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.rand(n, generator=generator, dtype=torch.float64) + 0.1
    operator = with_spectrum(spectrum, m=n + extra, generator=generator, dtype=torch.float64)
    assert operator.shape == (n + extra, n)
    torch.testing.assert_close(operator.eigenvalues, spectrum.sort().values)


def test_wide_operator_counts_its_zero_eigenvalues():
    spectrum = torch.tensor([0.0, 2.0, 0.0, 1.0])
    operator = with_spectrum(spectrum, m=2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(operator.eigenvalues, torch.tensor([0.0, 0.0, 1.0, 2.0]))


def test_same_generator_same_matrix():
    assert torch.equal(draw(3, 4, 7).dense(), draw(3, 4, 7).dense())
    assert not torch.equal(draw(3, 4, 7).dense(), draw(3, 4, 8).dense())


@pytest.mark.parametrize(
    ("A", "sentence"),
    [
        (torch.ones(3), "A has shape"),
        (torch.ones(0, 3), "A has shape"),
        (torch.ones(2, 3, dtype=torch.long), "A has dtype"),
        (torch.tensor([[1.0, float("nan")]]), "A holds NaN"),
        (torch.tensor([[1.0, float("inf")]]), "A holds NaN"),
    ],
)
def test_bad_matrices_are_refused(A, sentence):
    with pytest.raises(ValueError, match=sentence):
        DenseOperator(A)


def test_bad_arguments_are_refused():
    operator = draw(2, 3, 0)
    generator = torch.Generator()
    with pytest.raises(ValueError, match=r"x has shape \(3,\)"):
        operator.forward(torch.ones(3, dtype=torch.float64))
    with pytest.raises(ValueError, match="y has shape"):
        operator.adjoint(torch.ones(1, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="lam is 0"):
        operator.lmmse(torch.ones(1, 2, dtype=torch.float64), 0)
    with pytest.raises(ValueError, match="lam is nan"):
        operator.lmmse(torch.ones(1, 2, dtype=torch.float64), float("nan"))
    with pytest.raises(ValueError, match="m is 0"):
        gaussian(0, 3, generator=generator)
    with pytest.raises(ValueError, match="negative"):
        with_spectrum(torch.tensor([1.0, -1.0]), generator=generator)
    with pytest.raises(ValueError, match="2 positive entries"):
        with_spectrum(torch.tensor([1.0, 1.0]), m=1, generator=generator)
