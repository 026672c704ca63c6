"""A matrix for each signal, and real signals behind a complex matrix."""

from __future__ import annotations

import pytest
import torch

from unrolled.iterations import fista, gradient_descent, ista
from unrolled.sensing import (
    BatchOperator,
    DenseOperator,
    RealSignals,
    check_operator,
    gaussian,
    kronecker,
    partial_fourier,
    stacked,
    with_real_signals,
)

REAL, COMPLEX = torch.float64, torch.complex128
dtypes = pytest.mark.parametrize("dtype", [REAL, COMPLEX])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def matrices(dtype=REAL, count=3, m=4, n=6):
    return torch.randn(count, m, n, generator=seeded(), dtype=dtype)


def rows(width, dtype=REAL, count=3):
    return torch.randn(count, width, generator=seeded(1), dtype=dtype)


@dtypes
@pytest.mark.parametrize("n", [3, 6])
def test_each_signal_has_its_own_matrix(dtype, n):
    A = matrices(dtype, n=n)
    batch = BatchOperator(A)
    check_operator(batch, generator=seeded(), rows=3)
    x, y = rows(n, dtype), rows(4, dtype)
    lam = torch.tensor([[0.1], [1.0], [3.0]], dtype=REAL)
    for i, matrix in enumerate(A):
        one = DenseOperator(matrix)
        at = slice(i, i + 1)
        torch.testing.assert_close(batch.forward(x)[at], one.forward(x[at]))
        torch.testing.assert_close(batch.adjoint(y)[at], one.adjoint(y[at]))
        torch.testing.assert_close(batch.lmmse(y, lam)[at], one.lmmse(y[at], lam[at]))
        torch.testing.assert_close(batch.eigenvalues[i], one.eigenvalues)
    assert torch.equal(batch.dense(), A)
    assert not torch.allclose(batch.forward(x)[0], DenseOperator(A[1]).forward(x[:1])[0])


@dtypes
def test_iterations_take_a_matrix_for_each_signal(dtype):
    A, y = matrices(dtype), rows(4, dtype)
    batch = BatchOperator(A)
    step = 1 / batch.largest_eigenvalue()
    together = {
        "ista": ista(batch, y, penalty=0.1, depth=5),
        "fista": fista(batch, y, penalty=0.1, depth=5),
        "gradient descent": gradient_descent(batch, y, steps=[step] * 5),
    }
    for i, matrix in enumerate(A):
        one, at = DenseOperator(matrix), slice(i, i + 1)
        alone = {
            "ista": ista(one, y[at], penalty=0.1, depth=5, step=step),
            "fista": fista(one, y[at], penalty=0.1, depth=5, step=step),
            "gradient descent": gradient_descent(one, y[at], steps=[step] * 5),
        }
        for name, iterates in alone.items():
            torch.testing.assert_close(together[name][:, at], iterates)


def test_bad_batches_are_refused():
    for A, sentence in (
        (torch.ones(2, 3), r"A has shape \(2, 3\); matrices \(B, m, n\) are needed"),
        (torch.ones(0, 2, 3), r"A has shape \(0, 2, 3\)"),
        (torch.full((1, 2, 3), torch.nan), "A holds NaN"),
        (torch.ones(1, 2, 3, dtype=torch.int64), "A has dtype torch.int64"),
    ):
        with pytest.raises(ValueError, match=sentence):
            BatchOperator(A)
    with pytest.raises(ValueError, match="x has 2 rows; one for each of 3 A"):
        BatchOperator(matrices()).forward(rows(6, count=2))
    with pytest.raises(ValueError, match="y has 2 rows; one for each of 3 A"):
        ista(BatchOperator(matrices()), rows(4, count=2), penalty=0.1, depth=3)


COMPLEX_ONES = {
    "matrix": lambda: gaussian(4, 7, generator=seeded(), dtype=COMPLEX).dense(),
    "dense": lambda: gaussian(4, 7, generator=seeded(), dtype=COMPLEX),
    "fourier": lambda: partial_fourier(4, 7, generator=seeded(), dtype=COMPLEX),
    "kronecker": lambda: kronecker(
        gaussian(2, 3, generator=seeded(), dtype=COMPLEX),
        gaussian(2, 2, generator=seeded(1), dtype=COMPLEX),
    ),
}


@pytest.mark.parametrize("kind", COMPLEX_ONES)
def test_real_signals_have_the_products_of_the_complex_operator(kind):
    A = COMPLEX_ONES[kind]()
    real = with_real_signals(A)
    check_operator(real, generator=seeded())
    matrix = A if isinstance(A, torch.Tensor) else A.dense()
    m, n = matrix.shape
    assert real.shape == (2 * m, n)
    assert real.dtype == REAL
    x, y = rows(n), rows(m, COMPLEX)
    torch.testing.assert_close(real.forward(x), stacked((x + 0j) @ matrix.T))
    torch.testing.assert_close(real.adjoint(stacked(y)), (y @ matrix.conj()).real)
    gram = (matrix.mH @ matrix).real
    torch.testing.assert_close(real.eigenvalues, torch.linalg.eigvalsh(gram))
    assert not torch.allclose(
        real.eigenvalues, torch.linalg.eigvalsh(matrix.mH @ matrix)
    )  # half the unknowns


def test_a_matrix_stays_one_and_an_operator_keeps_its_products():
    kinds = {kind: type(with_real_signals(draw())) for kind, draw in COMPLEX_ONES.items()}
    assert kinds["matrix"] is kinds["dense"] is DenseOperator
    assert kinds["fourier"] is kinds["kronecker"] is RealSignals
    batch = with_real_signals(BatchOperator(matrices(COMPLEX)))
    assert isinstance(batch, BatchOperator)
    assert batch.dense().shape == (3, 8, 6)


def test_ista_finds_the_real_signal_that_the_complex_problem_asks_for():
    A = gaussian(6, 10, generator=seeded(), dtype=COMPLEX)
    y = rows(6, COMPLEX)
    real = with_real_signals(A)
    x = ista(real, stacked(y), penalty=0.1, depth=2000)[-1]
    gradient = A.adjoint(A.forward(x + 0j) - y).real
    assert bool((gradient.abs() <= 0.1 + 1e-6).all())
    on = x != 0
    torch.testing.assert_close(gradient[on], -0.1 * x[on].sign(), rtol=1e-6, atol=1e-6)


def test_a_real_operator_has_no_real_case():
    for call in (with_real_signals, RealSignals):
        with pytest.raises(ValueError, match=r"A has dtype torch.float32; real signals are a case"):
            call(DenseOperator(torch.eye(2)))
