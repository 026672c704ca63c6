"""What every sensing operator promises: its products, its spectrum, its gradients, its moves."""

import copy
import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.gradcheck import GradcheckError, gradcheck

from unrolled.checks import check_batch, check_positive, check_size
from unrolled.sensing import (
    DenseOperator,
    SensingOperator,
    equiangular_frame,
    gaussian,
    identity_hadamard,
    kronecker,
    partial_dct,
    partial_fourier,
    partial_hadamard,
    with_spectrum,
)

REAL, COMPLEX = torch.float64, torch.complex128
SPECTRUM = torch.tensor([0.0, 0.3, 1.0, 2.0, 5.0])


def kron(g, dtype):
    return kronecker(
        gaussian(3, 2, generator=g, dtype=dtype), partial_dct(2, 4, generator=g, dtype=dtype)
    )


# Each draws an operator from a generator: tall, wide, low rank, and fast ones.
KINDS = {
    "tall": lambda g, dtype: gaussian(7, 4, generator=g, dtype=dtype),
    "wide": lambda g, dtype: gaussian(4, 7, generator=g, dtype=dtype, unit_columns=True),
    "with_spectrum": lambda g, dtype: with_spectrum(SPECTRUM, m=4, generator=g, dtype=dtype),
    "equiangular_frame": lambda g, dtype: equiangular_frame(dtype=dtype),
    "identity_hadamard": lambda g, dtype: identity_hadamard(4, dtype=dtype),
    "partial_dct": lambda g, dtype: partial_dct(4, 7, generator=g, dtype=dtype),
    "partial_fourier": lambda g, dtype: partial_fourier(4, 7, generator=g, dtype=dtype),
    "partial_hadamard": lambda g, dtype: partial_hadamard(5, 8, generator=g, dtype=dtype),
    "kronecker": kron,
}
CASES = [
    (name, dtype)
    for name in KINDS
    for dtype in (REAL, COMPLEX)
    if (name, dtype) != ("partial_fourier", REAL)
]
operators = pytest.mark.parametrize(("name", "dtype"), CASES)
draws = settings(deadline=None, max_examples=15)  # the first call of a transform loads it
seeds = st.integers(0, 2**31)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def build(name, dtype, seed=0):
    return KINDS[name](seeded(seed), dtype)


def batch(rows, width, dtype, seed):
    return torch.randn(rows, width, generator=seeded(seed), dtype=dtype)


def adjoint_gap(operator, dtype, seed):
    """The largest |⟨Ax, y⟩ − ⟨x, Aᴴy⟩| over three pairs."""
    m, n = operator.shape
    x, y = batch(3, n, dtype, seed), batch(3, m, dtype, seed + 1)
    left = (operator.forward(x).conj() * y).sum(1)
    right = (x.conj() * operator.adjoint(y)).sum(1)
    return float((left - right).abs().max())


def solved(A, r, lam):
    """Aᴴ(AAᴴ + λI)⁻¹r by a dense solve, row by row."""
    identity = torch.eye(len(A), dtype=A.dtype)
    rows = [
        A.mH @ torch.linalg.solve(A @ A.mH + v * identity, q) for v, q in zip(lam, r, strict=True)
    ]
    return torch.stack(rows)


@operators
@draws
@given(seed=seeds)
def test_adjoint_is_the_adjoint(name, dtype, seed):
    assert adjoint_gap(build(name, dtype, seed), dtype, seed) < 1e-10


def test_a_transpose_is_no_adjoint_of_a_complex_matrix():
    class Transposed(DenseOperator):
        def unchecked_adjoint(self, y):
            return y @ self.A

    operator = Transposed(build("wide", COMPLEX).dense())
    assert adjoint_gap(operator, COMPLEX, 0) > 0.1
    assert adjoint_gap(Transposed(build("wide", REAL).dense()), REAL, 0) < 1e-10


@operators
@draws
@given(seed=seeds)
def test_products_are_those_of_the_matrix(name, dtype, seed):
    operator = build(name, dtype, seed)
    A = operator.dense()
    assert A.shape == operator.shape
    assert A.dtype == operator.dtype == dtype
    x = batch(3, operator.shape[1], dtype, seed)
    torch.testing.assert_close(operator(x), x @ A.T)
    y = batch(3, operator.shape[0], dtype, seed)
    torch.testing.assert_close(operator.adjoint(y), y @ A.conj())
    with pytest.raises(AssertionError):
        torch.testing.assert_close(operator(x), x @ A.roll(1, 0).T)


@operators
@draws
@given(seed=seeds, lam=st.floats(1e-3, 1e3))
def test_lmmse_is_the_dense_solve(name, dtype, seed, lam):
    operator = build(name, dtype, seed)
    A, r = operator.dense(), batch(3, operator.shape[0], dtype, seed)
    torch.testing.assert_close(operator.lmmse(r, lam), solved(A, r, [lam] * 3))
    rows = lam * torch.tensor([[0.5], [1.0], [2.0]], dtype=REAL)
    torch.testing.assert_close(operator.lmmse(r, rows), solved(A, r, rows.flatten()))
    for one in (rows[1, 0], rows[1], rows[1:2]):
        torch.testing.assert_close(operator.lmmse(r, one), operator.lmmse(r, lam))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(
            operator.lmmse(r, lam), operator.lmmse(r, 1.01 * lam), atol=0, rtol=1e-7
        )


@operators
def test_eigenvalues_are_those_of_the_gram_matrix(name, dtype):
    operator = build(name, dtype)
    A = operator.dense()
    expected = torch.linalg.eigvalsh(A.mH @ A)
    assert operator.eigenvalues.dtype == REAL
    torch.testing.assert_close(operator.eigenvalues, expected, atol=1e-12, rtol=1e-9)
    with pytest.raises(AssertionError):  # the other way round, they are others
        torch.testing.assert_close(operator.eigenvalues, expected.flip(0), atol=1e-12, rtol=1e-9)


@operators
def test_gradients_flow_through_every_product(name, dtype):
    operator = build(name, dtype)
    m, n = operator.shape
    x = batch(2, n, dtype, 1).requires_grad_()
    r = batch(2, m, dtype, 2).requires_grad_()
    assert gradcheck(operator, (x,))
    assert gradcheck(operator.adjoint, (r,))
    for lam in (torch.tensor([[0.3], [2.0]], dtype=REAL), torch.tensor(0.7, dtype=REAL)):
        lam.requires_grad_()
        assert gradcheck(operator.lmmse, (r, lam))
        with pytest.raises(GradcheckError):
            gradcheck(lambda r, lam: operator.lmmse(r, lam.detach()) + 0 * lam, (r, lam))


@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
@operators
def test_another_precision_is_like_having_been_built_in_it(name, dtype):
    single = {REAL: torch.float32, COMPLEX: torch.complex64}[dtype]
    operator = build(name, single)
    r = batch(3, operator.shape[0], dtype, 0)
    before = operator.lmmse(r.to(single), 0.1)
    assert before.dtype == single
    # `Module.double` leaves complex numbers as they are.
    moved = operator.double() if dtype == REAL else operator.to(COMPLEX)
    assert moved.dtype == dtype
    assert moved.eigenvalues.dtype == REAL
    lam = torch.full((3, 1), 0.1, dtype=REAL)
    # As precise as double, not as a single-precision decomposition that was cast.
    torch.testing.assert_close(
        moved.lmmse(r, lam), solved(moved.dense(), r, [0.1] * 3), atol=1e-12, rtol=1e-12
    )
    assert not torch.allclose(before.to(dtype), moved.lmmse(r, lam), atol=1e-12, rtol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@operators
def test_a_gpu_gives_the_same(name, dtype):
    operator = build(name, dtype)
    r = batch(3, operator.shape[0], dtype, 0)
    expected = operator.lmmse(r, 0.1)
    moved = copy.deepcopy(operator).to("cuda")
    assert moved.eigenvalues.is_cuda
    assert moved.dense().is_cuda
    torch.testing.assert_close(moved.lmmse(r.cuda(), 0.1).cpu(), expected)
    torch.testing.assert_close(moved(expected.cuda()).cpu(), operator(expected))


def test_cached_factors_move_with_a_network():
    # Every tensor is sent to the meta device, which holds none of the values, by the same call
    # that sends them to a GPU.
    net = torch.nn.Sequential(build("wide", REAL))
    net[0].svd()
    net.to("meta")
    assert all(factor.is_meta for factor in net[0].svd())
    fast = torch.nn.Sequential(build("partial_dct", REAL)).to("meta")
    assert fast[0].eigenvalues.is_meta


def test_loaded_matrix_brings_its_own_factors():
    one, other = build("wide", REAL, 0), build("wide", REAL, 1)
    r = batch(2, 4, REAL, 0)
    stale, expected = one.lmmse(r, 0.1), other.lmmse(r, 0.1)
    one.load_state_dict(other.state_dict())
    torch.testing.assert_close(one.lmmse(r, 0.1), expected)
    assert not torch.allclose(stale, expected)


@operators
def test_operators_are_copied_and_saved(name, dtype):
    operator = build(name, dtype)
    r = batch(2, operator.shape[0], dtype, 0)
    expected = operator.lmmse(r, 0.1)
    file = io.BytesIO()
    torch.save(operator, file)
    file.seek(0)
    for twin in (copy.deepcopy(operator), torch.load(file, weights_only=False)):
        assert torch.equal(twin.lmmse(r, 0.1), expected)
    other = build(name, dtype, 1)
    other.load_state_dict(operator.state_dict())
    torch.testing.assert_close(other.lmmse(r, 0.1), expected)


def test_training_may_follow_a_look_in_inference_mode():
    operator = build("wide", REAL)
    with torch.inference_mode():
        operator.lmmse(batch(2, 4, REAL, 0), 0.1)
    lam = torch.tensor(0.1, dtype=REAL, requires_grad=True)
    r = batch(2, 4, REAL, 0).requires_grad_()
    operator.lmmse(r, lam).sum().backward()
    assert lam.grad is not None
    assert r.grad is not None


def test_factors_survive_the_transform_in_which_they_were_first_asked_for():
    operator, twin = build("wide", REAL), build("wide", REAL)
    r = batch(2, 4, REAL, 0)
    value, back = torch.func.vjp(lambda r: operator.lmmse(r, 0.1), r)
    assert not torch.equal(back(value)[0], torch.zeros_like(r))
    assert torch.equal(copy.deepcopy(operator).lmmse(r, 0.1), twin.lmmse(r, 0.1))


@operators
def test_bad_batches_are_refused(name, dtype):
    operator = build(name, dtype)
    m, n = operator.shape
    wrong = torch.float32 if dtype == REAL else REAL
    nan = torch.full((1, n), float("nan"), dtype=dtype)
    for call, symbol, width in (
        (operator, "x", n),
        (operator.adjoint, "y", m),
        (lambda r: operator.lmmse(r, 0.1), "r", m),
    ):
        call(torch.ones(2, width, dtype=dtype))
        for shape in ((width,), (2, width + 1), (0, width), (1, 2, width)):
            with pytest.raises(ValueError, match=f"{symbol} has shape"):
                call(torch.ones(shape, dtype=dtype))
        with pytest.raises(ValueError, match=f"{symbol} has dtype"):
            call(torch.ones(2, width, dtype=wrong))
        with pytest.raises(ValueError, match=f"{symbol} holds NaN"):
            call(nan[:, :1].expand(2, width))


@operators
def test_inside_a_network_nothing_is_looked_at(name, dtype):
    operator = build(name, dtype)
    m, n = operator.shape
    calls = [
        (operator, operator.unchecked_forward, n),
        (operator.adjoint, operator.unchecked_adjoint, m),
        (lambda r: operator.lmmse(r, 0.1), lambda r: operator.unchecked_lmmse(r, 0.1), m),
    ]
    for checked, unchecked, width in calls:
        entries = batch(2, width, dtype, 0)
        assert torch.equal(checked(entries), unchecked(entries))
        entries[0] = float("nan")
        with pytest.raises(ValueError, match="holds NaN"):
            checked(entries)
        astray = unchecked(entries)  # a NaN flows on, in its own signal
        assert astray[0].isnan().any()
        assert torch.isfinite(astray[1]).all()


@operators
def test_bad_regularisation_is_refused(name, dtype):
    operator = build(name, dtype)
    r = batch(3, operator.shape[0], dtype, 0)
    for lam in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="lam is"):
            operator.lmmse(r, lam)
    for lam in (None, "0.1", True + 0j):
        with pytest.raises(ValueError, match=r"lam is .*; 0 < lam < ∞"):
            operator.lmmse(r, lam)
    for shape in ((3,), (1, 3), (2, 1), (1, 1, 1)):
        with pytest.raises(ValueError, match="lam has shape"):
            operator.lmmse(r, torch.ones(shape, dtype=REAL))
    for wrong in (torch.float32, torch.long, COMPLEX):
        with pytest.raises(ValueError, match="lam has shape"):
            operator.lmmse(r, torch.ones(3, 1, dtype=wrong))


@operators
def test_a_regularisation_that_underflows_is_refused(name, dtype):
    # In single precision 10⁻⁶⁰ is 0, and where a singular value is 0 too, 0/0 would follow.
    operator = build(name, {REAL: torch.float32, COMPLEX: torch.complex64}[dtype])
    r = torch.ones(1, operator.shape[0], dtype=operator.dtype)
    for lam in (1e-60, 1e60):
        with pytest.raises(ValueError, match=r"lam is .*, which torch.float32 cannot hold"):
            operator.lmmse(r, lam)
        assert torch.isfinite(build(name, dtype).lmmse(r.to(dtype), lam)).all()
    assert torch.isfinite(operator.lmmse(r, 2e-38)).all()


@operators
def test_wrong_kinds_are_refused(name, dtype):
    operator = build(name, dtype)
    for wrong, kind in ((None, "NoneType"), ("x", "str"), (torch.ones(2, 4).numpy(), "ndarray")):
        for call, symbol in (
            (operator, "x"),
            (operator.adjoint, "y"),
            (lambda r: operator.lmmse(r, 0.1), "r"),
        ):
            with pytest.raises(ValueError, match=f"{symbol} is a {kind}; a Tensor is needed"):
                call(wrong)


def test_numbers_are_of_the_kind_that_is_asked_for():
    for good in (1, np.int64(3)):
        check_size("n", good)
    for bad in (0, 2.0, "2", None, torch.tensor(2), True):
        with pytest.raises(ValueError, match=r"n is .*; an integer ≥ 1 is needed"):
            check_size("n", bad)
    with pytest.raises(ValueError, match=r"n is 10{9}; at most 100,000,000 is allowed"):
        check_size("n", 10**9)
    for good in (1, 1e-300, np.float32(2), np.int64(2), torch.tensor(2), torch.tensor(0.5)):
        assert check_positive("step", good) == float(good)
    learned = torch.tensor(1.0, requires_grad=True)
    for bad in (0, -1, math.nan, math.inf, 10**400, "1", None, 1j, True, torch.ones(1), learned):
        with pytest.raises(ValueError, match=r"step is .*; 0 < step < ∞ is needed"):
            check_positive("step", bad)
    check_positive("noise", 0, zero=True)
    for bad in (-1e-300, math.nan, math.inf, "0"):
        with pytest.raises(ValueError, match=r"noise is .*; 0 ≤ noise < ∞ is needed"):
            check_positive("noise", bad, zero=True)


@pytest.mark.parametrize(
    "bad", [float("nan"), float("inf"), -float("inf"), complex(0, float("inf"))]
)
@draws
@given(place=st.integers(0, 11), other=st.sampled_from([0.0, 1e300, -float("inf")]))
def test_one_bad_entry_is_found_wherever_it_stands(bad, place, other):
    entries = torch.ones(3, 4, dtype=COMPLEX if isinstance(bad, complex) else REAL)
    entries.view(-1)[(place + 1) % 12] = other
    if other != -float("inf"):
        check_batch("x", entries, 4)
    entries.view(-1)[place] = bad
    with pytest.raises(ValueError, match="x holds NaN or infinite"):
        check_batch("x", entries, 4)


@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_large_entries_are_finite_though_their_sum_is_not(dtype):
    entries = torch.full((2, 4), 1.7e308, dtype=dtype)
    assert not entries.sum().isfinite()
    check_batch("x", entries, 4)


def test_the_interface_is_for_subclasses():
    class Nothing(SensingOperator):
        shape = (1, 1)
        dtype = torch.float32

    operator = Nothing()
    for call in (operator, operator.adjoint, lambda r: operator.lmmse(r, 1)):
        with pytest.raises(NotImplementedError):
            call(torch.ones(1, 1))
        with pytest.raises(ValueError, match="has shape"):  # the checks come first
            call(torch.ones(1, 2))
    with pytest.raises(NotImplementedError):
        operator.dense()
    with pytest.raises(NotImplementedError):
        SensingOperator().dtype  # noqa: B018
    assert "shape=(4, 7)" in str(build("wide", REAL))
