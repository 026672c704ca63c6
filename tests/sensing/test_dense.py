"""Matrices drawn and built: their statistics, their spectra, their angles; and bad input."""

import copy
import itertools
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.sensing import (
    BatchOperator,
    DenseOperator,
    equiangular_frame,
    gaussian,
    identity_hadamard,
    kronecker,
    with_spectrum,
)

REAL, COMPLEX = torch.float64, torch.complex128
draws = settings(deadline=None)
SPECTRUM = torch.tensor([0.0, 2.0, 0.0, 1.0])
sizes = st.integers(1, 9)
seeds = st.integers(0, 2**31)
dtypes = pytest.mark.parametrize("dtype", [REAL, COMPLEX])


def draw(m, n, seed, dtype=REAL, **options):
    return gaussian(m, n, generator=torch.Generator().manual_seed(seed), dtype=dtype, **options)


def angles(A):
    """|⟨a_i, a_j⟩| of all pairs of columns i < j."""
    i, j = torch.triu_indices(A.shape[1], A.shape[1], 1)
    return (A.mH @ A).abs()[i, j]


@draws
@given(m=sizes, n=sizes, batch=sizes, seed=seeds)
def test_adjoint_is_the_adjoint_at_every_size(m, n, batch, seed):
    operator = draw(m, n, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    x = torch.randn(batch, n, generator=generator, dtype=REAL)
    y = torch.randn(batch, m, generator=generator, dtype=REAL)
    left = (operator.forward(x) * y).sum(1)
    right = (x * operator.adjoint(y)).sum(1)
    torch.testing.assert_close(left, right)


@dtypes
def test_gaussian_entries_have_variance_1_over_m(dtype):
    A = draw(400, 300, 0, dtype).dense()
    assert A.shape == (400, 300)
    assert abs(float((A.abs() ** 2).sum(0).mean()) - 1) < 0.02
    assert float(A.mean().abs()) < 0.01 / 400**0.5
    # Circular entries have E a² = 0, though E |a|² = 1/m; real ones cannot.
    assert (float((A**2).sum(0).mean().abs()) < 0.02) == dtype.is_complex


@dtypes
@draws
@given(m=sizes, n=sizes, seed=seeds)
def test_unit_columns_are_the_gaussian_ones_scaled_to_norm_1(dtype, m, n, seed):
    A = draw(m, n, seed, dtype, unit_columns=True).dense()
    norms = torch.linalg.vector_norm(A, dim=0)
    torch.testing.assert_close(norms, torch.ones(n, dtype=REAL))
    plain = draw(m, n, seed, dtype).dense()
    torch.testing.assert_close(A * torch.linalg.vector_norm(plain, dim=0), plain)
    assert not torch.allclose(torch.linalg.vector_norm(plain, dim=0), norms)


@dtypes
@draws
@given(n=sizes, extra=st.integers(0, 3), seed=seeds)
def test_with_spectrum_has_the_spectrum(dtype, n, extra, seed):
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.rand(n, generator=generator, dtype=REAL) + 0.1
    operator = with_spectrum(spectrum, m=n + extra, generator=generator, dtype=dtype)
    assert operator.shape == (n + extra, n)
    torch.testing.assert_close(operator.eigenvalues, spectrum.sort().values)
    if n > 1:
        assert not torch.allclose(operator.eigenvalues, spectrum.sort(descending=True).values)


def test_singular_vectors_prefer_no_sign():
    # With all eigenvalues 1, A is orthogonal and uniform: its mean is 0, and its entries have
    # variance 1/2. Five standard deviations.
    generator = torch.Generator().manual_seed(0)
    drawn = [with_spectrum(torch.ones(2), generator=generator).dense() for _ in range(2000)]
    spread = 5 * (0.5 / 2000) ** 0.5
    assert float(torch.stack(drawn).mean(0).abs().max()) < spread
    # A QR decomposition alone fixes the signs of R, and Q is not uniform.
    gaussians = torch.randn(2000, 2, 2, generator=generator)
    assert float(torch.linalg.qr(gaussians).Q.mean(0).abs().max()) > spread


def test_complex_singular_vectors_are_complex():
    operator = with_spectrum(torch.ones(5), generator=torch.Generator(), dtype=COMPLEX)
    assert float(operator.dense().imag.abs().max()) > 0.1


def test_wide_operator_counts_its_zero_eigenvalues():
    operator = with_spectrum(SPECTRUM, m=2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(operator.eigenvalues, torch.tensor([0.0, 0.0, 1.0, 2.0]))


def test_same_generator_same_matrix():
    assert torch.equal(draw(3, 4, 7).dense(), draw(3, 4, 7).dense())
    assert not torch.equal(draw(3, 4, 7).dense(), draw(3, 4, 8).dense())


def test_draws_are_made_where_the_generator_is():
    def drawn():
        generator = torch.Generator().manual_seed(0)
        return (
            gaussian(3, 4, generator=generator),
            with_spectrum(SPECTRUM, m=2, generator=generator),
        )

    expected = drawn()
    with torch.device("meta"):  # a default device on which this generator cannot draw
        for operator, twin in zip(drawn(), expected, strict=True):
            assert torch.equal(operator.dense(), twin.dense())


def test_an_operator_owns_its_matrix():
    A = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    kept, y = A.clone(), torch.ones(1, 3)
    operator = DenseOperator(A)
    before = operator.lmmse(y, 0.1)
    A.zero_()
    assert torch.equal(operator.dense(), kept)
    assert torch.equal(operator.lmmse(y, 0.1), before)
    assert torch.equal(operator.adjoint(y), y @ kept)
    operator.load_state_dict({"A": kept + 1})
    assert torch.equal(A, torch.zeros(3, 4))
    assert torch.equal(operator.adjoint(y), y @ (kept + 1))


def test_equiangular_frame_is_what_it_is_called():
    A = equiangular_frame(dtype=REAL).dense()
    torch.testing.assert_close(torch.linalg.vector_norm(A, dim=0), torch.ones(16, dtype=REAL))
    torch.testing.assert_close(angles(A), torch.full((120,), 1 / 3, dtype=REAL))
    torch.testing.assert_close(A @ A.T, 16 / 6 * torch.eye(6, dtype=REAL))
    # The Welch bound √((n − m)/(m(n − 1))) is reached; by Gaussian columns it is not.
    welch = ((16 - 6) / (6 * 15)) ** 0.5
    assert float(angles(A).max()) == pytest.approx(welch)
    assert float(angles(draw(6, 16, 0, unit_columns=True).dense()).max()) > 1.5 * welch


def test_equiangular_frame_has_its_restricted_isometry_constants():
    A = equiangular_frame(dtype=REAL).dense()
    for s, constant in ((2, 1 / 3), (3, 2 / 3), (4, 1)):
        supports = torch.tensor(list(itertools.combinations(range(16), s)))
        gram = (A.T @ A)[supports[:, :, None], supports[:, None, :]]
        deviation = torch.linalg.eigvalsh(gram - torch.eye(s, dtype=REAL)).abs().max()
        assert float(deviation) == pytest.approx(constant)


def test_rows_of_the_frame_are_a_difference_set_and_others_are_not():
    def differences(rows):
        counts = [0] * 16
        for i, j in itertools.permutations(rows, 2):
            counts[i ^ j] += 1
        return counts[1:]

    signs = (equiangular_frame(dtype=REAL).dense() * 6**0.5).round()
    hadamard = identity_hadamard(16, dtype=REAL).dense()[:, 16:] * 4
    rows = [int((hadamard == row).all(1).nonzero()) for row in signs]
    assert differences(rows) == [2] * 15
    first = list(range(6))
    assert differences(first) != [2] * 15
    assert float(angles(hadamard[first] / 6**0.5).max()) > 0.5


@pytest.mark.parametrize("order", [1, 2, 8, 64])
def test_identity_and_hadamard_have_coherence_1_over_the_root_of_the_order(order):
    A = identity_hadamard(order, dtype=REAL).dense()
    assert A.shape == (order, 2 * order)
    gram, identity = A.T @ A, torch.eye(order, dtype=REAL)
    torch.testing.assert_close(gram[:order, :order], identity)
    torch.testing.assert_close(gram[order:, order:], identity)
    cross = gram[:order, order:]
    torch.testing.assert_close(cross.abs(), torch.full_like(cross, order**-0.5))
    if order > 1:
        two = torch.cat((identity, identity.roll(1, 0)), 1)
        assert float(angles(two).max()) == 1


@pytest.mark.parametrize(
    ("A", "sentence"),
    [
        (None, "A is a NoneType; a Tensor"),
        ([[1.0, 2.0]], "A is a list; a Tensor"),
        (torch.ones(2, 3).numpy(), "A is a ndarray; a Tensor"),
        (torch.ones(3), "A has shape"),
        (torch.ones(0, 3), "A has shape"),
        (torch.ones(2, 3, dtype=torch.long), "A has dtype"),
        (torch.ones(2, 3, requires_grad=True), "A requires a gradient"),
        (torch.tensor([[1.0, float("nan")]]), "A holds NaN"),
        (torch.tensor([[1.0, float("inf")]]), "A holds NaN"),
        (torch.tensor([[1.0, complex(0, float("inf"))]]), "A holds NaN"),
    ],
)
def test_bad_matrices_are_refused(A, sentence):
    with pytest.raises(ValueError, match=sentence):
        DenseOperator(A)


def test_bad_arguments_are_refused():
    generator = torch.Generator()
    with pytest.raises(ValueError, match="m is 0"):
        gaussian(0, 3, generator=generator)
    with pytest.raises(ValueError, match="n is -1"):
        gaussian(3, -1, generator=generator)
    with pytest.raises(ValueError, match="eigenvalues has shape"):
        with_spectrum(torch.ones(2, 2), generator=generator)
    with pytest.raises(ValueError, match="negative"):
        with_spectrum(torch.tensor([1.0, -1.0]), generator=generator)
    with pytest.raises(ValueError, match="negative or non-finite"):
        with_spectrum(torch.tensor([1.0, float("nan")]), generator=generator)
    with pytest.raises(ValueError, match="2 positive entries"):
        with_spectrum(torch.tensor([1.0, 1.0]), m=1, generator=generator)
    with pytest.raises(ValueError, match="eigenvalues is a list; a Tensor"):
        with_spectrum([1.0], generator=generator)
    with pytest.raises(ValueError, match=r"eigenvalues has shape .* dtype torch.complex64"):
        with_spectrum(torch.ones(2) + 0j, generator=generator)
    with pytest.raises(ValueError, match=r"m is 2.0; an integer ≥ 1"):
        gaussian(2.0, 3, generator=generator)
    with pytest.raises(ValueError, match="n is '3'; an integer ≥ 1"):
        gaussian(2, "3", generator=generator)
    with pytest.raises(ValueError, match="generator is a int; a Generator"):
        gaussian(2, 3, generator=0)
    with pytest.raises(ValueError, match="generator is a NoneType; a Generator"):
        with_spectrum(torch.ones(2), generator=None)
    for dtype, sentence in ((torch.int64, "dtype is torch.int64"), ("float32", "dtype is a str")):
        for build in (
            lambda dtype: gaussian(2, 3, generator=generator, dtype=dtype),
            lambda dtype: with_spectrum(torch.ones(2), generator=generator, dtype=dtype),
            lambda dtype: equiangular_frame(dtype=dtype),
            lambda dtype: identity_hadamard(4, dtype=dtype),
        ):
            with pytest.raises(ValueError, match=sentence):
                build(dtype)
    for order in (0, 3, -4, 48, 4.0, None):
        with pytest.raises(ValueError, match=f"order is {order}"):
            identity_hadamard(order)


@pytest.mark.parametrize(
    ("make", "matrix"),
    [
        (lambda A: DenseOperator(A), lambda operator: operator.A),
        (lambda A: BatchOperator(torch.stack((A, 2 * A))), lambda operator: operator.A),
        (lambda A: kronecker(A, torch.eye(1)), lambda operator: operator.first.A),
    ],
)
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))]
)
def test_a_matrix_that_is_changed_in_place_is_factored_anew(make, matrix, copied):
    generator = torch.Generator().manual_seed(0)
    A, r = (torch.randn(shape, generator=generator) for shape in ((3, 5), (2, 3)))
    other = torch.randn(3, 5, generator=generator)
    operator = make(A)
    before = operator.lmmse(r, 0.1), operator.eigenvalues
    matrix(operator).copy_(matrix(make(other)))
    for changed in (copied(operator), operator):  # the copy first, made of old factors
        for found, expected in (
            (changed.lmmse(r, 0.1), make(other).lmmse(r, 0.1)),
            (changed.eigenvalues, make(other).eigenvalues),
        ):
            torch.testing.assert_close(found, expected)
    assert not torch.allclose(before[0], operator.lmmse(r, 0.1))
    with torch.inference_mode():
        matrix(operator).copy_(matrix(make(A)))
        torch.testing.assert_close(operator.lmmse(r, 0.1), before[0])
    inside = torch.func.functional_call(operator, {}, (r @ A,))  # and forward agrees
    torch.testing.assert_close(inside, make(A).forward(r @ A))


def test_a_matrix_is_factored_once(monkeypatch):
    calls = []
    svd = torch.linalg.svd
    monkeypatch.setattr(torch.linalg, "svd", lambda *a, **k: calls.append(1) or svd(*a, **k))
    operator = gaussian(3, 5, generator=torch.Generator().manual_seed(0))
    r = torch.ones(2, 3)
    with torch.inference_mode():
        operator.lmmse(r, 0.1)
    for same in (operator, copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        same.lmmse(r, 0.1)
        assert same.eigenvalues.shape == (5,)
    operator.to("cpu").lmmse(r, 0.1)
    assert len(calls) == 1
    operator.A.mul_(2)
    operator.lmmse(r, 0.1)
    assert len(calls) == 2


def test_factors_of_a_matrix_that_is_mapped_over_are_its_own():
    """torch.func puts another A in the place of the one that was factored."""
    generator = torch.Generator().manual_seed(0)
    operator = gaussian(3, 5, generator=generator)
    r = torch.ones(2, 3)
    operator.lmmse(r, 0.1)
    many = torch.randn(4, 3, 5, generator=generator)

    def estimate(A):
        operator.A, held = A, operator.A
        try:
            return operator.unchecked_lmmse(r, 0.1)
        finally:
            operator.A = held

    for found, A in zip(torch.func.vmap(estimate)(many), many, strict=True):
        torch.testing.assert_close(found, DenseOperator(A).lmmse(r, 0.1))
        torch.testing.assert_close(estimate(A), DenseOperator(A).lmmse(r, 0.1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_a_precision_has_products_and_no_singular_values(dtype):
    operator = DenseOperator(torch.eye(2, 3, dtype=dtype))
    assert operator.forward(torch.ones(1, 3, dtype=dtype)).dtype == dtype
    for asks in (
        lambda: operator.eigenvalues,
        lambda: operator.lmmse(torch.ones(1, 2, dtype=dtype), 1.0),
    ):
        with pytest.raises(ValueError, match=f"A has dtype {dtype}.*float32 or float64 is needed"):
            asks()


def test_sparse_matrices_are_refused():
    sparse = torch.eye(3).to_sparse()
    for make in (DenseOperator, BatchOperator, lambda A: kronecker(A, torch.eye(2))):
        with pytest.raises(ValueError, match=r"A1? is sparse.*to_dense"):
            make(sparse)
