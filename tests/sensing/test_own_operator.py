"""What an operator of one's own gets for two products, and what tells whether these fit."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.iterations import ista, ista_step
from unrolled.sensing import (
    DenseOperator,
    SensingOperator,
    check_operator,
    gaussian,
    largest_eigenvalue,
    with_spectrum,
)
from unrolled.sensing.conjugate_gradients import conjugate_gradients
from unrolled.sensing.largest import relative_error

REAL, COMPLEX = torch.float64, torch.complex128
dtypes = pytest.mark.parametrize("dtype", [REAL, COMPLEX])
draws = settings(deadline=None, max_examples=15)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Own(SensingOperator):
    """Products with a matrix, and nothing else."""

    def __init__(self, A):
        super().__init__()
        self.register_buffer("matrix", A)
        self.shape = tuple(A.shape)

    @property
    def dtype(self):
        return self.matrix.dtype

    def unchecked_forward(self, x):
        return x @ self.matrix.T

    def unchecked_adjoint(self, y):
        return y @ self.matrix.conj()


def pair(m=6, n=9, dtype=REAL, seed=0):
    A = gaussian(m, n, generator=seeded(seed), dtype=dtype)
    return Own(A.dense()), A


@dtypes
@pytest.mark.parametrize(("m", "n"), [(6, 9), (9, 6)])
def test_two_products_are_enough(m, n, dtype):
    own, dense = pair(m, n, dtype)
    check_operator(own, generator=seeded())
    assert torch.equal(own.dense(), dense.dense())
    torch.testing.assert_close(own.eigenvalues, dense.eigenvalues)
    r = torch.randn(3, m, generator=seeded(1), dtype=dtype)
    for lam in (1e-3, 1.0, torch.tensor([[0.1], [1.0], [10.0]], dtype=REAL)):
        torch.testing.assert_close(own.lmmse(r, lam), dense.lmmse(r, lam))
    y = torch.randn(3, m, generator=seeded(2), dtype=dtype)
    torch.testing.assert_close(own.unchecked_residual(y, own.adjoint(y)), y - own(own.adjoint(y)))


def test_few_iterations_are_not_enough():
    own, dense = pair(30, 40)
    own.solver_iterations = 3
    r = torch.randn(3, 30, generator=seeded(1), dtype=REAL)
    assert not torch.allclose(own.lmmse(r, 1e-3), dense.lmmse(r, 1e-3), rtol=1e-2)


@dtypes
def test_gradients_pass_through_conjugate_gradients(dtype):
    own, dense = pair(4, 6, dtype)
    r = torch.randn(2, 4, generator=seeded(1), dtype=dtype, requires_grad=True)
    lam = torch.tensor([[0.3], [2.0]], dtype=REAL, requires_grad=True)
    found = torch.autograd.grad(own.lmmse(r, lam).abs().square().sum(), (r, lam))
    expected = torch.autograd.grad(dense.lmmse(r, lam).abs().square().sum(), (r, lam))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs)


@draws
@given(seed=st.integers(0, 1000), size=st.integers(1, 12))
def test_conjugate_gradients_solve_in_as_many_steps_as_there_are_unknowns(seed, size):
    H = torch.randn(size, size, generator=seeded(seed), dtype=COMPLEX)
    H = H @ H.mH + torch.eye(size)
    right = torch.randn(3, size, generator=seeded(seed + 1), dtype=COMPLEX)
    right[0] = 0  # a row that is solved from the start stays so
    found = conjugate_gradients(lambda z: z @ H.T, right, iterations=2 * size)
    torch.testing.assert_close(found @ H.T, right, rtol=1e-6, atol=1e-8)
    assert torch.equal(found[0], torch.zeros(size, dtype=COMPLEX))


@dtypes
@draws
@given(seed=st.integers(0, 1000))
def test_the_largest_eigenvalue_is_bounded_and_hardly_exceeded(dtype, seed):
    A = gaussian(60, 80, generator=seeded(seed), dtype=dtype)
    exact = float(A.eigenvalues[-1])
    found = largest_eigenvalue(A, products=40, generator=seeded(seed))
    assert exact * (1 - 1e-12) <= found <= 1.2 * exact
    assert largest_eigenvalue(A, products=80, generator=seeded(seed)) == pytest.approx(exact)


def test_the_failure_of_lanczos_is_as_rare_as_is_said():
    # The hardest spectra are spread, with one eigenvalue that stands alone.
    A = with_spectrum(
        torch.cat((torch.linspace(0, 0.9, 199), torch.ones(1))).double(),
        generator=seeded(),
        dtype=REAL,
    )
    failure, runs, products = 0.3, 200, 4
    allowed = relative_error(200, products, failure)
    missed = 0
    for seed in range(runs):
        bound = largest_eigenvalue(A, products=products, generator=seeded(seed))
        ritz = bound * (1 - relative_error(200, products, 1e-6))
        missed += ritz < 1 - allowed
    assert missed <= failure * runs
    # A share that is too small to be allowed is missed often.
    tight = relative_error(200, products, failure) / 10
    assert sum(
        largest_eigenvalue(A, products=products, generator=seeded(seed))
        * (1 - relative_error(200, products, 1e-6))
        < 1 - tight
        for seed in range(20)
    )


def test_the_error_of_lanczos_falls_with_the_products_and_rises_with_the_unknowns():
    few, many = relative_error(1000, 20, 1e-6), relative_error(1000, 80, 1e-6)
    assert 0 < many < few / 4 < 1
    assert relative_error(10**6, 80, 1e-6) > many > relative_error(1000, 80, 1e-3)


def test_the_step_needs_no_eigenvalues():
    class Blind(Own):
        def dense(self):
            raise AssertionError("the matrix is not to be formed")

    own, dense = pair(40, 60)
    blind = Blind(own.matrix)
    y = torch.randn(3, 40, generator=seeded(1), dtype=REAL)
    assert ista_step(blind) == pytest.approx(ista_step(dense), rel=0.1)
    assert ista_step(blind) <= ista_step(dense) * (1 + 1e-9)
    iterates = ista(blind, y, penalty=0.5, depth=3000, tolerance=1e-3)
    assert len(iterates) < 3001
    with pytest.raises(AssertionError):
        _ = blind.eigenvalues


def fault(**more):
    return type("Faulty", (Own,), more)


def mixed(self, x):
    return (x + x.mean(0)) @ self.matrix.T


FAULTS = {
    "has an adjoint that is none": {"unchecked_adjoint": lambda self, y: y @ self.matrix},
    "is not linear": {"unchecked_forward": lambda self, x: x.abs() @ self.matrix.T.abs() + 0j},
    "mixes the signals of a batch in forward": {"unchecked_forward": mixed},
    "has an lmmse that does not solve": {
        "unchecked_lmmse": lambda self, r, lam: self.unchecked_adjoint(r)
    },
    "gives forward of shape": {"unchecked_forward": lambda self, x: x},
    "gives adjoint of shape .*complex64": {
        "unchecked_adjoint": lambda self, y: (y @ self.matrix.conj()).to(torch.complex64)
    },
    "has eigenvalues of shape": {"eigenvalues": property(lambda self: torch.ones(3, dtype=REAL))},
    "has eigenvalues that are not in increasing order": {
        "eigenvalues": property(lambda self: torch.linspace(1, 0, 9, dtype=REAL))
    },
    "has eigenvalues that are not those of its matrix": {
        "eigenvalues": property(lambda self: 2 * Own.eigenvalues.fget(self))
    },
}


@pytest.mark.parametrize("says", FAULTS)
def test_what_does_not_fit_is_said(says):
    A = pair(dtype=COMPLEX)[1].dense()
    with pytest.raises(ValueError, match=f"operator {says}"):
        check_operator(fault(**FAULTS[says])(A), generator=seeded())
    check_operator(Own(A), generator=seeded())


def test_of_a_large_operator_the_largest_eigenvalue_is_compared():
    class Diagonal(SensingOperator):
        shape = (2000, 2000)
        factor = 1.0

        @property
        def dtype(self):
            return REAL

        def unchecked_forward(self, x):
            return x * torch.linspace(0.1, 1, 2000, dtype=REAL)

        unchecked_adjoint = unchecked_forward

        @property
        def eigenvalues(self):
            return self.factor * torch.linspace(0.1, 1, 2000, dtype=REAL) ** 2

    operator = Diagonal()
    check_operator(operator, generator=seeded())
    operator.factor = 1.5
    with pytest.raises(ValueError, match=r"has a largest eigenvalue 1\.\d+ times what it should"):
        check_operator(operator, generator=seeded())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"operator": torch.eye(2)}, "operator is a Tensor"),
        ({"generator": 0}, "generator is a int"),
        ({"rows": 0}, "rows is 0"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, sentence):
    usual = {"operator": DenseOperator(torch.eye(2)), "generator": seeded()}
    with pytest.raises(ValueError, match=sentence):
        check_operator(**{**usual, **arguments})


def test_bad_products_are_refused():
    for products in (0, 1, 2.5):
        with pytest.raises(ValueError, match=f"products is {products}"):
            largest_eigenvalue(DenseOperator(torch.eye(2)), products=products)


def test_precision_keeps_real_numbers_real_and_complex_ones_complex():
    class Both(Own):
        def __init__(self, A):
            super().__init__(A)
            self.register_buffer("gain", torch.ones((), dtype=A.dtype.to_real()))

    own = Both(pair(dtype=torch.complex64)[1].dense())
    assert {t.dtype for t in own.double().buffers()} == {REAL, COMPLEX}
    assert {t.dtype for t in own.float().buffers()} == {torch.float32, torch.complex64}
    with pytest.warns(UserWarning, match="Complex modules"):
        own.to(COMPLEX)
    assert {t.dtype for t in own.buffers()} == {REAL, COMPLEX}
    for half in (own.half, own.bfloat16):
        with pytest.raises(ValueError, match="complex numbers need single or double precision"):
            half()
    assert math.isclose(float(own.gain), 1)
