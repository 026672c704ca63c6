"""Kronecker products: against the matrix when it is small, within memory when it is not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from unrolled.sensing import (
    DenseOperator,
    KroneckerOperator,
    gaussian,
    kronecker,
    partial_dct,
    partial_fourier,
)

REAL, COMPLEX = torch.float64, torch.complex128
draws = settings(deadline=None, max_examples=40)
sizes = st.integers(1, 5)
seeds = st.integers(0, 2**31)
dtypes = pytest.mark.parametrize("dtype", [REAL, COMPLEX])


class Sizes(TorchDispatchMode):
    """Notes how many entries each tensor holds that an operation makes anew or looks at."""

    def __init__(self):
        super().__init__()
        self.counts = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        self.counts += [output.numel() for output in outputs if isinstance(output, torch.Tensor)]
        return result


def pair(m1, n1, m2, n2, seed, dtype=REAL):
    generator = torch.Generator().manual_seed(seed)
    return (
        gaussian(m1, n1, generator=generator, dtype=dtype),
        gaussian(m2, n2, generator=generator, dtype=dtype),
    )


def largest(operator, rows):
    """The most entries that any tensor holds while every product is taken once."""
    m, n = operator.shape
    lam = torch.ones(rows, 1, dtype=operator.dtype)
    with Sizes() as sizes:
        x = operator.adjoint(operator(torch.ones(rows, n, dtype=operator.dtype)))
        operator.lmmse(torch.ones(rows, m, dtype=operator.dtype), 0.1)
        operator.lmmse(torch.ones(rows, m, dtype=operator.dtype), lam)
    assert x.shape == (rows, n)
    return max(sizes.counts)


@dtypes
@draws
@given(m1=sizes, n1=sizes, m2=sizes, n2=sizes, seed=seeds, lam=st.floats(1e-2, 1e2))
def test_products_are_those_of_the_kronecker_matrix(dtype, m1, n1, m2, n2, seed, lam):
    A1, A2 = pair(m1, n1, m2, n2, seed, dtype)
    operator = kronecker(A1, A2)
    assert operator.shape == (m1 * m2, n1 * n2)
    A = torch.kron(A1.dense(), A2.dense())
    torch.testing.assert_close(operator.dense(), A)
    x = torch.randn(3, n1 * n2, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    y = x @ A.T
    whole = DenseOperator(A)
    torch.testing.assert_close(operator(x), y)
    torch.testing.assert_close(operator.adjoint(y), whole.adjoint(y))
    torch.testing.assert_close(operator.lmmse(y, lam), whole.lmmse(y, lam))
    torch.testing.assert_close(operator.eigenvalues, whole.eigenvalues, atol=1e-10, rtol=1e-7)


def test_the_order_of_the_factors_matters():
    A1, A2 = pair(2, 3, 3, 4, 0)
    x = torch.randn(2, 12, generator=torch.Generator().manual_seed(0), dtype=REAL)
    assert not torch.allclose(kronecker(A1, A2)(x), kronecker(A2, A1)(x))
    # Row after row: the image A1 X A2ᵀ.
    images = A1.dense() @ x.reshape(2, 3, 4) @ A2.dense().T
    torch.testing.assert_close(kronecker(A1, A2)(x).reshape(2, 2, 3), images)


def test_factors_are_matrices_or_operators():
    generator = torch.Generator().manual_seed(0)
    fast = partial_dct(2, 4, generator=generator, dtype=REAL)
    matrix = gaussian(2, 3, generator=generator, dtype=REAL).dense()
    expected = torch.kron(matrix, fast.dense())
    torch.testing.assert_close(kronecker(matrix, fast).dense(), expected)
    turned = kronecker(matrix.T, fast)  # not contiguous
    torch.testing.assert_close(turned.dense(), torch.kron(matrix.T.contiguous(), fast.dense()))
    nested = kronecker(kronecker(matrix, fast), matrix)
    torch.testing.assert_close(nested.dense(), torch.kron(expected, matrix))


def test_the_class_takes_what_the_function_takes():
    generator = torch.Generator().manual_seed(0)
    factors = torch.eye(2, dtype=REAL), partial_dct(2, 4, generator=generator, dtype=REAL)
    assert torch.equal(KroneckerOperator(*factors).dense(), kronecker(*factors).dense())


@pytest.mark.parametrize("assign", [False, True])
def test_loaded_factors_bring_their_own_singular_values(assign):
    one, other = kronecker(*pair(2, 3, 3, 4, 0)), kronecker(*pair(2, 3, 3, 4, 1))
    r = torch.ones(2, 6, dtype=REAL)
    stale, expected = one.lmmse(r, 0.1), other.lmmse(r, 0.1)
    one.load_state_dict(other.state_dict(), assign=assign)
    torch.testing.assert_close(one.lmmse(r, 0.1), expected)
    assert not torch.allclose(stale, expected)


def test_65536_unknowns_take_little_more_memory_than_the_signals():
    A1, A2 = pair(192, 256, 200, 256, 0, torch.float32)
    operator = kronecker(A1, A2)
    assert operator.shape == (192 * 200, 65536)
    assert largest(operator, 2) == 2 * 65536  # A itself would be 2.5·10⁹
    assert len(operator.eigenvalues) == 65536


def test_memory_of_a_dense_operator_is_that_of_its_matrix():
    operator = kronecker(*pair(12, 16, 12, 16, 0))
    assert largest(operator, 2) == 2 * 256
    assert largest(DenseOperator(operator.dense()), 2) >= 144 * 256


@pytest.mark.parametrize("shapes", [(1, 30, 30, 1), (30, 1, 1, 30)])
def test_what_stands_between_the_factors_is_no_larger_than_what_they_join(shapes):
    # The product taken in the other order would hold 900 entries for each row.
    assert largest(kronecker(*pair(*shapes, 0)), 40) == 40 * 30


def test_lmmse_at_65536_unknowns_solves_its_equation():
    # With x̂ = Aᴴ(AAᴴ + λI)⁻¹r, AᴴAx̂ + λx̂ = Aᴴr, whatever r.
    operator = kronecker(*pair(192, 256, 200, 256, 0))
    r = torch.randn(1, 192 * 200, generator=torch.Generator().manual_seed(0), dtype=REAL)
    estimate = operator.lmmse(r, 0.1)
    gram = operator.adjoint(operator(estimate))
    torch.testing.assert_close(gram + 0.1 * estimate, operator.adjoint(r))
    assert not torch.allclose(gram + 0.2 * estimate, operator.adjoint(r))


def test_bad_factors_are_refused():
    A = torch.ones(2, 2, dtype=REAL)
    with pytest.raises(ValueError, match="A1, A2 have dtypes"):
        kronecker(A, A.float())
    with pytest.raises(ValueError, match="A1, A2 have dtypes"):
        kronecker(A, partial_fourier(1, 2, generator=torch.Generator(), dtype=COMPLEX))
    for build in (kronecker, KroneckerOperator):
        with pytest.raises(ValueError, match="A2 has shape"):
            build(A, A[0])
        with pytest.raises(ValueError, match="A1 has shape"):
            build(A[:0], A)
        with pytest.raises(ValueError, match="A2 holds NaN"):
            build(A, A * float("nan"))
        with pytest.raises(ValueError, match="A1 is a NoneType; a Tensor"):
            build(None, A)
        with pytest.raises(ValueError, match="A2 is a ndarray; a Tensor"):
            build(A, A.numpy())
    with pytest.raises(ValueError, match=r"x has shape \(2, 2\); a batch \(B, 4\)"):
        kronecker(A, A)(A)
