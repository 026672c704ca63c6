"""Fast transforms against their definitions, and the rows that are drawn from them."""

import math

import pytest
import scipy.fft
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.sensing import (
    PartialTransform,
    dct,
    hadamard,
    inverse_dct,
    partial_dct,
    partial_fourier,
    partial_hadamard,
)
from unrolled.sensing.transforms import fft

REAL, COMPLEX = torch.float64, torch.complex128
draws = settings(deadline=None)
lengths = st.integers(1, 40)
seeds = st.integers(0, 2**31)
DRAWS = {
    partial_dct: (dct, torch.float32),
    partial_fourier: (fft, torch.complex64),
    partial_hadamard: (hadamard, torch.float32),
}
partial = pytest.mark.parametrize("draw", list(DRAWS))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def rows(n, dtype, seed):
    return torch.randn(3, n, generator=seeded(seed), dtype=dtype)


@draws
@given(n=lengths)
def test_dct_is_the_cosine_formula(n):
    j, k = torch.arange(n, dtype=REAL), torch.arange(n, dtype=REAL)[:, None]
    C = math.sqrt(2 / n) * torch.cos(math.pi * (2 * j + 1) * k / (2 * n))
    C[0] /= math.sqrt(2)
    torch.testing.assert_close(dct(torch.eye(n, dtype=REAL)).T, C, atol=1e-12, rtol=0)
    if n > 1:
        C[0] *= math.sqrt(2)  # without its own scale, the first row is not the DCT's
        with pytest.raises(AssertionError):
            torch.testing.assert_close(dct(torch.eye(n, dtype=REAL)).T, C, atol=1e-12, rtol=0)


@draws
@given(n=lengths, seed=seeds)
def test_dct_is_that_of_scipy(n, seed):
    x = rows(n, REAL, seed)
    expected = torch.from_numpy(scipy.fft.dct(x.numpy(), norm="ortho"))
    torch.testing.assert_close(dct(x), expected, atol=1e-12, rtol=0)
    if n > 1:
        other = torch.from_numpy(scipy.fft.dct(x.numpy()))
        assert not torch.allclose(dct(x), other)


@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
@draws
@given(n=lengths, seed=seeds)
def test_inverse_dct_undoes_the_dct(dtype, n, seed):
    x = rows(n, dtype, seed)
    torch.testing.assert_close(inverse_dct(dct(x)), x, atol=1e-12, rtol=0)
    torch.testing.assert_close(dct(inverse_dct(x)), x, atol=1e-12, rtol=0)
    if n > 2:  # the DCT-II is not its own inverse
        assert not torch.allclose(dct(dct(x)), x)


@pytest.mark.parametrize("n", [1, 2, 4, 32, 128])
def test_hadamard_is_that_of_scipy_and_its_own_inverse(n):
    H = torch.from_numpy(scipy.linalg.hadamard(n)).to(REAL) / math.sqrt(n)
    torch.testing.assert_close(hadamard(torch.eye(n, dtype=REAL)), H)
    x = rows(n, COMPLEX, n)
    torch.testing.assert_close(hadamard(hadamard(x)), x)
    if n > 2:  # ordered otherwise, it is another matrix
        assert not torch.allclose(hadamard(torch.eye(n, dtype=REAL)), H.roll(1, 0))


@draws
@given(n=lengths)
def test_fourier_is_the_exponential_formula(n):
    k = torch.arange(n, dtype=REAL)
    phase = -2 * math.pi * torch.outer(k, k) / n
    F = torch.polar(torch.full_like(phase, n**-0.5), phase)
    torch.testing.assert_close(fft(torch.eye(n, dtype=COMPLEX)), F, atol=1e-12, rtol=0)
    if n > 2:
        assert not torch.allclose(fft(torch.eye(n, dtype=COMPLEX)), F.conj())


@partial
def test_rows_are_distinct_rows_of_the_whole_transform(draw):
    transform, dtype = DRAWS[draw]
    operator = draw(5, 16, generator=seeded(3))
    assert operator.dtype == dtype
    assert operator.shape == (5, 16)
    whole = transform(torch.eye(16, dtype=dtype)).T
    A = operator.dense()
    matches = (whole[None] == A[:, None]).all(2)
    assert matches.sum(1).tolist() == [1] * 5
    assert len(set(matches.int().argmax(1).tolist())) == 5
    torch.testing.assert_close(A @ A.mH, torch.eye(5, dtype=dtype), atol=1e-6, rtol=0)
    assert not torch.allclose(A.mH @ A, torch.eye(16, dtype=dtype), atol=1e-1)


@partial
def test_all_rows_are_the_whole_transform(draw):
    _, dtype = DRAWS[draw]
    operator = draw(8, 8, generator=seeded(0))
    x = rows(8, dtype, 0)
    torch.testing.assert_close(operator.adjoint(operator(x)), x)
    fewer = draw(7, 8, generator=seeded(0))
    assert not torch.allclose(fewer.adjoint(fewer(x)), x)


@partial
def test_every_row_is_drawn_equally_often(draw):
    generator, count = seeded(0), 4000
    times = torch.zeros(8)
    for _ in range(count):
        times[draw(3, 8, generator=generator).rows] += 1
    # Each row is in a choice with probability 3/8; five standard deviations.
    spread = 5 * math.sqrt(3 / 8 * 5 / 8 / count)
    assert float((times / count - 3 / 8).abs().max()) < spread
    first = torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0])
    assert float((first - 3 / 8).abs().max()) > spread


@partial
def test_same_generator_same_rows(draw):
    assert torch.equal(draw(8, 64, generator=seeded(1)).rows, draw(8, 64, generator=seeded(1)).rows)
    assert not torch.equal(
        draw(8, 64, generator=seeded(1)).rows, draw(8, 64, generator=seeded(2)).rows
    )


@partial
def test_no_product_holds_the_matrix(draw):
    # A of this size would be 2³⁴ entries.
    operator = draw(2**16, 2**18, generator=seeded(0))
    x = torch.ones(1, 2**18, dtype=operator.dtype)
    y = operator(x)
    torch.testing.assert_close(operator(operator.lmmse(y, 1.0)), y / 2, atol=1e-3, rtol=1e-3)
    assert len(operator.eigenvalues) == 2**18


@partial
def test_bad_sizes_are_refused(draw):
    for m in (0, -1, 9):
        with pytest.raises(ValueError, match=f"m is {m}"):
            draw(m, 8, generator=seeded(0))
    with pytest.raises(ValueError, match="n is 0"):
        draw(1, 0, generator=seeded(0))
    draw(8, 8, generator=seeded(0))


@partial
def test_rows_are_drawn_where_the_generator_is(draw):
    expected = draw(3, 8, generator=seeded(0)).rows
    with torch.device("meta"):  # a default device on which this generator cannot draw
        assert torch.equal(draw(3, 8, generator=seeded(0)).rows, expected)


def test_an_operator_owns_its_rows():
    places = torch.tensor([3, 0])
    operator = PartialTransform(dct, inverse_dct, places, 4, dtype=REAL)
    before = operator.dense()
    places += 1
    assert torch.equal(operator.dense(), before)


@partial
def test_bad_kinds_are_refused(draw):
    for m in (2.0, "2", None):
        with pytest.raises(ValueError, match=f"m is {m!r}; an integer"):
            draw(m, 8, generator=seeded(0))
    with pytest.raises(ValueError, match=r"n is 8.0; an integer ≥ 1"):
        draw(2, 8.0, generator=seeded(0))
    with pytest.raises(ValueError, match="generator is a NoneType; a Generator"):
        draw(2, 8, generator=None)
    with pytest.raises(ValueError, match=r"dtype is torch.int64; a floating-point dtype"):
        draw(2, 8, generator=seeded(0), dtype=torch.int64)
    with pytest.raises(ValueError, match="dtype is a str; a dtype"):
        draw(2, 8, generator=seeded(0), dtype="float32")
    with pytest.raises(ValueError, match="x is a list; a Tensor"):
        draw(2, 8, generator=seeded(0))([1.0] * 8)


def test_bad_lengths_and_dtypes_are_refused():
    with pytest.raises(ValueError, match="n is 12; a power of two"):
        partial_hadamard(3, 12, generator=seeded(0))
    with pytest.raises(ValueError, match="the length of x is 6; a power of two"):
        hadamard(torch.ones(1, 6))
    for transform in (dct, inverse_dct, hadamard):
        with pytest.raises(ValueError, match=r"[xX] is a ndarray; a Tensor"):
            transform(torch.ones(2, 4).numpy())
        for bad in (torch.ones(4), torch.ones(0, 4), torch.ones(2, 4, dtype=torch.long)):
            with pytest.raises(ValueError, match=r"[xX] has shape"):
                transform(bad)
    with pytest.raises(ValueError, match=r"dtype is torch.float32; a complex dtype"):
        partial_fourier(3, 12, generator=seeded(0), dtype=torch.float32)


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        ([0, 1], "rows is a list; a Tensor"),
        (torch.tensor([[0, 1]]), "rows has shape"),
        (torch.tensor([], dtype=torch.long), "rows has shape"),
        (torch.tensor([0.0, 1.0]), "rows has shape"),
        (torch.tensor([0, 0]), "rows repeats itself"),
        (torch.tensor([-1, 0]), "rows repeats itself or leaves 0 … 3"),
        (torch.tensor([0, 4]), "rows repeats itself or leaves 0 … 3"),
    ],
)
def test_bad_rows_are_refused(places, sentence):
    PartialTransform(dct, inverse_dct, torch.tensor([3, 0]), 4, dtype=REAL)
    with pytest.raises(ValueError, match=sentence):
        PartialTransform(dct, inverse_dct, places, 4, dtype=REAL)
