"""Isometry constants: exact where they say so, bounds on the side they say, and refusals."""

import itertools
import math
import re
import sys
import time
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matrices import CLOSE, COMPLEX, FRAME, REAL, draw, seeds

from unrolled.isometry import branch_and_bound as bb
from unrolled.isometry import enumeration, exact
from unrolled.isometry.constants import (
    METHODS,
    Isometry,
    estimate_cost,
    isometry_constant,
    isometry_problem,
)
from unrolled.isometry.enumeration import SECOND
from unrolled.isometry.relaxations import SDP_LIMIT, dual_bound
from unrolled.isometry.searches import greedy_search, random_search
from unrolled.isometry.sparse_eigenvalue import EffortSpent, Found
from unrolled.sensing import (
    DenseOperator,
    identity_hadamard,
    partial_dct,
    with_spectrum,
)

EXACT = ("exact", "enumeration", "branch and bound")
UPPER, LOWER = ("upper", "coherence", "sdp"), ("lower", "greedy", "random")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def norm_on(A, support):
    """‖A_SᴴA_S − I‖, straight from the definition."""
    columns = A[:, list(support)]
    return float(torch.linalg.matrix_norm(columns.mH @ columns - torch.eye(len(support)), 2))


def by_definition(A, s):
    """δ_s over all supports, one at a time."""
    return max(norm_on(A, support) for support in itertools.combinations(range(A.shape[1]), s))


def value(*args, **options):
    return float(isometry_constant(*args, **options))


# What is known in closed form


@pytest.mark.parametrize("method", EXACT)
def test_frame(method):
    """Signs can be chosen so that up to four columns have all inner products −1/3, or all 1/3."""
    found = [value(FRAME, s, method) for s in (1, 2, 3, 4)]
    assert found == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=CLOSE)
    assert value(draw(6, 16), 2, method) > 1 / 3 + 0.1  # no other 16 columns do as well


@pytest.mark.parametrize("method", EXACT)
def test_two_orthonormal_bases(method):
    """p spikes and q Walsh functions: norm of a (p, q) block of H/√order, at most √(pq/order)."""
    small = identity_hadamard(16, dtype=REAL)
    found = [value(small, s, method) for s in (1, 2, 3, 4)]
    assert found == pytest.approx([0, 1 / 4, 2**0.5 / 4, 1 / 2], abs=CLOSE)
    large = identity_hadamard(64, dtype=REAL)
    assert value(large, 2, method) == pytest.approx(1 / 8, abs=CLOSE)


def test_two_orthonormal_bases_of_order_64():
    A = identity_hadamard(64, dtype=REAL)
    assert value(A, 3) == pytest.approx(2**0.5 / 8, abs=CLOSE)
    # Spikes on a subgroup of 8 and the Walsh functions constant on it: a block of norm 1.
    assert value(A, 16, "branch and bound") == pytest.approx(1, abs=CLOSE)


@pytest.mark.parametrize("method", ["exact", "branch and bound", "upper", "lower"])
@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_orthonormal_columns_and_their_multiples(method, dtype):
    Q = with_spectrum(torch.ones(7), m=9, generator=generator(), dtype=dtype).A
    for s, c in itertools.product((1, 3, 7), (0.5, 1.0, 1.7)):
        assert value(c * Q, s, method) == pytest.approx(abs(c**2 - 1), abs=CLOSE)
    Q[0, 0] += 0.1
    assert value(Q, 3, method) > 0.01


@pytest.mark.parametrize("method", METHODS)
def test_order_one_is_the_column_furthest_from_unit_norm(method):
    A = draw(5, 8, unit_columns=False)
    furthest = float(((A * A).sum(0) - 1).abs().max())
    found = isometry_constant(A, 1, method, generator=generator())
    assert float(found) == pytest.approx(furthest, abs=1e-6 if method == "sdp" else CLOSE)


# The exact methods against the definition, and against each other


@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
@pytest.mark.parametrize("unit_columns", [True, False])
def test_both_exact_methods_agree_with_the_definition(dtype, unit_columns):
    """200 matrices in all, of which each is asked for every order up to 5."""
    for seed in range(50):
        n = 5 + seed % 4
        A = draw(3 + seed % 5, n, seed, dtype, unit_columns)
        for s in range(1, 6):
            expected = by_definition(A, s)
            for method in ("enumeration", "branch and bound"):
                found = isometry_constant(A, s, method)
                assert float(found) == pytest.approx(expected, abs=CLOSE), (seed, s, method)
                assert norm_on(A, found.support) == pytest.approx(expected, abs=CLOSE)


def poor_start(problem):
    """The support 0 … s−1, which a search would not begin with."""
    return problem.best(torch.arange(problem.s)[None])


@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_neither_exact_method_owes_its_value_to_the_search_before(dtype):
    for seed in range(20):
        problem = isometry_problem(draw(6, 14, seed, dtype, unit_columns=seed % 2 == 0), 4)
        start = poor_start(problem)
        one = enumeration.enumerate_supports(problem, start)
        other = bb.branch_and_bound(problem, start, effort=60 * SECOND)
        assert one.value == pytest.approx(other.value, abs=CLOSE)
        assert one.value > start.value + 1e-3


def test_a_bound_that_is_too_small_is_noticed(monkeypatch):
    """Without the coupling in the 2×2 bound, branch and bound prunes what it must not."""
    problems = [isometry_problem(draw(6, 14, seed), 4) for seed in range(5)]
    starts = [poor_start(problem) for problem in problems]
    pairs = list(zip(problems, starts, strict=True))
    exact = [bb.branch_and_bound(*pair, effort=60 * SECOND).value for pair in pairs]
    monkeypatch.setattr(bb, "largest_of_two", lambda a, b, c: torch.maximum(a + 0 * b, c + 0 * b))
    wrong = [bb.branch_and_bound(*pair, effort=60 * SECOND).value for pair in pairs]
    assert min(wrong[i] - exact[i] for i in range(5)) < -1e-3


@pytest.mark.parametrize(("n", "s"), [(9, 1), (9, 2), (12, 5), (20, 3), (7, 7), (1, 1)])
@pytest.mark.parametrize("cells", [1, 7, 2**17])
def test_enumeration_meets_every_support_once(n, s, cells):
    problem = isometry_problem(draw(6, n), s)
    chunks = enumeration._Chunks(problem)
    met = [
        (*prefix.tolist(), int(column))
        for prefixes, columns in chunks.stream(0, cells)
        for prefix in prefixes
        for column in columns
        if not s > 1 or column > prefix[-1]
    ]
    assert sorted(met) == list(itertools.combinations(range(n), s))
    found = enumeration.enumerate_supports(problem, greedy_search(problem))
    assert found.looked_at == math.comb(n, s)


def test_enumeration_computes_eigenvalues_of_few(monkeypatch):
    problem = isometry_problem(draw(32, 48), 3)
    computed = []
    best = type(problem).best

    def counting(self, supports):
        computed.append(len(supports))
        return best(self, supports)

    start = greedy_search(problem)
    monkeypatch.setattr(type(problem), "best", counting)
    enumeration.enumerate_supports(problem, start)
    assert sum(computed) < math.comb(48, 3) / 100
    enumeration.enumerate_supports(problem, Found(-1.0, (0, 1, 2), 0))
    assert sum(computed) > 0


@pytest.mark.parametrize("seed", range(3))
def test_branch_and_bound_reaches_further(seed):
    A = draw(32, 48, seed)
    found = isometry_constant(A, 4, "branch and bound")
    assert found.looked_at < 5000
    assert float(found) == pytest.approx(value(A, 4, "enumeration"), abs=CLOSE)


# What holds for every matrix


@settings(max_examples=40)
@given(m=st.integers(1, 7), n=st.integers(1, 8), seed=seeds, data=st.data())
def test_upper_is_above_exact_and_lower_is_below(m, n, seed, data):
    s = data.draw(st.integers(1, n))
    dtype = data.draw(st.sampled_from((REAL, COMPLEX)))
    A = draw(m, n, seed, dtype, data.draw(st.booleans()))
    exact = value(A, s)
    methods = ("coherence", "sdp") if seed % 4 == 0 else ("coherence",)
    assert all(value(A, s, method) >= exact for method in methods)
    for method in LOWER:
        found = isometry_constant(A, s, method, generator=generator(seed), draws=5)
        assert float(found) <= exact + CLOSE
        assert norm_on(A, found.support) == pytest.approx(float(found), abs=CLOSE)


@settings(max_examples=50)
@given(n=st.integers(2, 8), seed=seeds, data=st.data())
def test_any_dual_point_is_a_bound(n, seed, data):
    s = data.draw(st.integers(1, n))
    dtype = data.draw(st.sampled_from((REAL, COMPLEX)))
    problem = isometry_problem(draw(4, n, seed, dtype), s)
    U = torch.randn(n, n, generator=generator(seed), dtype=dtype)
    U = data.draw(st.floats(0, 3)) * (U + U.mH)
    supports = torch.tensor(list(itertools.combinations(range(n), s)))
    exact = float(problem.one_sided(1).of(supports).max())
    assert dual_bound(problem.H, U, s) >= exact - CLOSE
    assert dual_bound(problem.H, U, s) <= (
        float(torch.linalg.eigvalsh(problem.H + U)[-1] + s * U.abs().max()) + CLOSE
    )


def test_without_the_discs_it_is_no_bound():
    H = -isometry_problem(FRAME, 3).H
    U = -H / 2
    discs = float((U - torch.diag(U.diagonal())).abs().topk(2, 1).values.sum(1).max())
    delta = value(FRAME, 3)
    assert dual_bound(H, U, 3) >= delta - CLOSE
    assert dual_bound(H, U, 3) - discs < delta - 0.1


# Scale and rounding


@pytest.mark.parametrize("power", [-150, -100, -60, 5, 60, 100, 150])
@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_scale_is_no_matter(power, dtype):
    """δ_s of cA is c²·max λ − 1 for large c, and 1 − c²·min λ for small c."""
    A = draw(8, 12, dtype=dtype)
    c = 10.0**power
    of_each = [
        torch.linalg.matrix_norm(A[:, list(S)], 2) for S in itertools.combinations(range(12), 3)
    ]
    expected = c * float(max(of_each)) ** 2 * c if power > 0 else 1.0
    for method in METHODS:
        found = value(c * A, 3, method, generator=generator())
        if method in EXACT or power < 0:
            assert found == pytest.approx(expected, rel=1e-6 if method == "sdp" else 1e-9)
        elif method in UPPER:
            assert expected <= found < 2 * expected
        else:
            assert expected / 2 < found <= expected * (1 + 1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_squares_that_overflow_are_refused(method):
    A = draw(8, 12)
    with pytest.raises(ValueError, match="overflows float64"):
        isometry_constant(1e155 * A, 3, method, generator=generator())
    just = torch.full((1, 4), 1.2e154, dtype=REAL)  # whose squares are held, but not their sum
    assert value(just, 1, method, generator=generator()) == pytest.approx(1.44e308)
    with pytest.raises(ValueError, match="overflows float64"):
        isometry_constant(just, 2, method, generator=generator())


@pytest.mark.parametrize("times", [1e-5, 1e5, 1e60])
def test_one_column_may_be_of_another_size(times):
    A = draw(8, 12)
    A[:, 4] *= times
    exact, upper = value(A, 3), isometry_constant(A, 3, "upper")
    assert exact <= float(upper) <= (2 if times < 1 else 1.1) * exact
    assert exact == pytest.approx(value(A, 3, "enumeration"))


def test_a_solver_that_fails_leaves_the_cheap_bound(monkeypatch):
    import cvxpy

    def fail(*args, **options):
        raise cvxpy.SolverError("no progress")

    monkeypatch.setattr(cvxpy.Problem, "solve", fail)
    assert isometry_constant(draw(4, 6), 2, "upper").method == "coherence"
    with pytest.raises(RuntimeError, match=r"no progress.*method='coherence'"):
        isometry_constant(draw(4, 6), 2, "sdp")


def test_upper_bounds_include_the_rounding_of_tall_matrices():
    A = torch.full((10**6, 1), 0.7 / 1e3, dtype=REAL)
    true = 1 - len(A) * Fraction(float(A[0, 0])) ** 2
    for method in UPPER:
        assert true <= Fraction(value(A, 1, method)) <= true + Fraction(1e-6)
    with_more = isometry_problem(A, 1)
    assert with_more.inherited > 100 * isometry_problem(draw(8, 1), 1).inherited


def test_enumeration_holds_no_more_than_it_should():
    n, s, cells = 130, 128, 2**17
    chunks = enumeration._Chunks(isometry_problem(draw(64, n), s))
    sizes = [len(prefixes) for prefixes, _ in chunks.stream(0, cells)]
    assert max(sizes) <= cells // s**2
    assert sum(sizes) == math.comb(n - 1, s - 1)
    few = enumeration._Chunks(isometry_problem(draw(64, n), 3))
    assert len(next(few.stream(0, cells))[0]) > 100 * max(sizes)


def test_random_search_holds_no_more_than_it_should(monkeypatch):
    problem = isometry_problem(draw(64, 130), 128)
    held = []
    best = type(problem).best

    def counting(self, supports):
        held.append(supports.numel() * supports.shape[1])
        return best(self, supports)

    monkeypatch.setattr(type(problem), "best", counting)
    assert random_search(problem, 300, generator()).looked_at == 300
    assert max(held) <= 2**22
    assert sum(held) == 300 * 128**2


@settings(max_examples=25)
@given(seed=seeds, real=st.booleans())
def test_grows_with_the_order(seed, real):
    A = draw(5, 8, seed, REAL if real else COMPLEX, unit_columns=False)
    found = [value(A, s) for s in range(1, 9)]
    assert all(found[i] <= found[i + 1] + CLOSE for i in range(7))
    assert found[-1] > found[0]


@settings(max_examples=25)
@given(seed=seeds, s=st.integers(1, 6))
@pytest.mark.parametrize("method", ["enumeration", "branch and bound", "coherence"])
def test_columns_may_be_permuted_and_turned(method, seed, s):
    A = draw(5, 8, seed, COMPLEX, unit_columns=False)
    phases = torch.exp(2j * torch.pi * torch.rand(8, generator=generator(seed), dtype=REAL))
    turned = (A * phases)[:, torch.randperm(8, generator=generator(seed))]
    assert value(turned, s, method) == pytest.approx(value(A, s, method), abs=CLOSE)
    stretched = A.clone()
    stretched[:, 0] *= 3 / torch.linalg.vector_norm(A[:, 0])
    assert abs(value(stretched, s, method) - value(A, s, method)) > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_is_deterministic_and_independent_of_the_kind_of_input(method):
    A = draw(8, 12)
    found = isometry_constant(A, 3, method, generator=generator(1))
    assert isometry_constant(A, 3, method, generator=generator(1)) == found
    assert isometry_constant(DenseOperator(A), 3, method, generator=generator(1)) == found
    single = isometry_constant(A.float(), 3, method, generator=generator(1))
    assert float(single) == pytest.approx(float(found), abs=1e-5)


# Upper and lower bounds


def test_coherence_is_at_most_the_textbook_bound():
    A = draw(10, 20)
    mu = float((A.mT @ A - torch.eye(20)).abs().max())
    assert value(A, 4) < value(A, 4, "coherence") < 3 * mu
    assert value(FRAME, 3, "coherence") == pytest.approx(2 / 3)


@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_the_semidefinite_relaxation_is_close(dtype):
    A = draw(12, 16, dtype=dtype)
    exact, sdp = value(A, 3), value(A, 3, "sdp")
    assert exact <= sdp < 1.05 * exact
    assert sdp < 0.95 * value(A, 3, "coherence")
    assert value(A, 3, "upper") == sdp


def test_without_cvxpy_only_the_relaxation_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs cvxpy.*pip install \"unrolled\[sdp\]\""):
        isometry_constant(draw(4, 6), 2, "sdp")
    assert isometry_constant(draw(4, 6), 2, "coherence").kind == "upper"


def test_the_relaxation_refuses_many_columns():
    A = draw(8, SDP_LIMIT + 1)
    with pytest.raises(ValueError, match=rf"n = {SDP_LIMIT + 1} columns.*n ≤ {SDP_LIMIT}"):
        isometry_constant(A, 2, "sdp")
    assert isometry_constant(A, 2, "upper").method == "coherence"


def test_greedy_search_beats_random_search():
    greedy, random = 0, 0
    for seed in range(10):
        A = draw(12, 24, seed)
        exact = value(A, 4)
        greedy += value(A, 4, "greedy") > exact - CLOSE
        random += value(A, 4, "random", generator=generator(seed), draws=100) > exact - CLOSE
        assert value(A, 4, "lower", generator=generator(seed)) >= value(A, 4, "greedy")
    assert greedy >= 8
    assert random <= 2


# What is shown, and what is refused


def test_says_what_it_is():
    shown = [str(isometry_constant(FRAME, 3, m)) for m in ("enumeration", "coherence", "greedy")]
    assert shown[0] == "δ_3 = 0.6667 (exact, 560 supports)"
    assert shown[1] == "δ_3 ≤ 0.6667 (coherence)"
    assert re.fullmatch(r"δ_3 ≥ 0\.6666 \(greedy, [\d,]+ supports\)", shown[2])
    assert str(isometry_constant(draw(8, 12), 3, "branch and bound")).endswith(" nodes)")
    shown = isometry_constant(FRAME, 3, "coherence")._repr_markdown_()
    assert shown == r"$\delta_{3} \le 0.6667$ (coherence)"


def test_large_constants_are_shown_with_four_digits():
    above = Isometry(1.23456e12, "upper", 2, "sdp", None, 0)
    below = Isometry(1.23456e12, "lower", 2, "greedy", (0, 1), 1)
    equal = Isometry(1.23456e12, "exact", 2, "enumeration", (0, 1), 1)
    assert str(above) == "δ_2 ≤ 1.235e+12 (sdp)"
    assert str(below) == "δ_2 ≥ 1.234e+12 (greedy, 1 supports)"
    assert str(equal) == "δ_2 = 1.235e+12 (exact, 1 supports)"
    assert above._repr_markdown_() == r"$\delta_{2} \le 1.235\cdot10^{12}$ (sdp)"
    assert str(Isometry(9999.9, "upper", 2, "sdp", None, 0)) == "δ_2 ≤ 9999.9000 (sdp)"


@pytest.mark.parametrize("number", [0.12345, 0.1234, 0.12349999])
def test_a_shown_bound_is_a_bound(number):
    above = Isometry(number, "upper", 2, "sdp", None, 0)
    below = Isometry(number, "lower", 2, "greedy", (0, 1), 1)
    digits = [float(re.search(r"0\.\d+", str(bound))[0]) for bound in (below, above)]
    assert digits[0] <= number <= digits[1] < digits[0] + 1.1e-4


def test_kinds_and_supports():
    for method in METHODS:
        found = isometry_constant(draw(8, 12), 3, method, generator=generator())
        kind = "exact" if method in EXACT else "upper" if method in UPPER else "lower"
        assert found.kind == kind
        assert found.method not in ("exact", "upper", "lower")
        assert (found.support is None) == (kind == "upper")
        assert found.support is None or list(found.support) == sorted(set(found.support))


def test_cost():
    cost = estimate_cost(draw(64, 128), 3)
    assert cost.supports == 341_376
    assert cost.effort == 341_376 * 3**2
    assert cost.seconds > 0
    assert str(cost).startswith("341,376 supports, about ")
    assert estimate_cost(draw(64, 128), 6).effort > 100 * cost.effort


def test_numbers_in_messages_are_readable():
    shown = {0.5: "0.5 s", 90: "90 s", 600: "10 minutes", 68_400: "19 hours", 1e7: "116 days"}
    assert {seconds: enumeration.readable(seconds) for seconds in shown} == shown
    assert enumeration.counted(1_234_567) == "1,234,567"
    assert enumeration.counted(math.comb(20_000, 10_000)) == "about 10^6018"
    problem = isometry_problem(draw(4, 400), 60)  # more supports than an int64 counts
    cost = enumeration.enumeration_cost(problem, Found(1e9, (), 0))
    assert str(cost).startswith("about 10^72 supports, about ")
    assert cost.seconds > 1e50


def test_refuses_to_enumerate_what_takes_days():
    message = r"1,429,702,652,400 supports.*(minutes|hours|days).*'branch and bound'.*'upper'"
    with pytest.raises(ValueError, match=message):
        isometry_constant(draw(64, 128), 8, "enumeration", effort=SECOND)
    needed = estimate_cost(draw(64, 128), 2).effort
    found = isometry_constant(draw(64, 128), 2, "enumeration", effort=needed)
    assert found.looked_at == 8128
    with pytest.raises(ValueError, match=f"effort of {needed:,}.* effort is {needed - 1:,}"):
        isometry_constant(draw(64, 128), 2, "enumeration", effort=needed - 1)


@pytest.mark.parametrize("method", ["exact", "branch and bound"])
@pytest.mark.parametrize("effort", [1, 10**6])
def test_says_what_it_knows_when_the_effort_is_spent(method, effort):
    A, nodes = 1e5 * draw(64, 128), effort // (8 * 128)
    message = f"1,429,702,652,400 supports.* stopped after {nodes} nodes.* ≤ δ_8 ≤ "
    with pytest.raises(EffortSpent, match=message) as stopped:
        isometry_constant(A, 8, method, effort=effort)
    lower = stopped.value.lower
    assert lower.value == pytest.approx(norm_on(A, lower.support))  # in full, not in units
    assert lower.value < stopped.value.upper


def test_bounds_at_the_end_of_the_effort_enclose_the_value(monkeypatch):
    problem = isometry_problem(identity_hadamard(16, dtype=REAL), 4)
    monkeypatch.setattr(bb, "CELLS", 32**2 * 4)
    for nodes in (0, 1, 5, 60, 200, 1001):
        with pytest.raises(EffortSpent, match=f"stopped after {nodes:,} nodes") as stopped:
            bb.branch_and_bound(problem, poor_start(problem), effort=(nodes + 1) * 4 * 32 - 1)
        assert stopped.value.lower.value <= 0.5 + CLOSE
        assert stopped.value.upper >= 0.5 - CLOSE


def test_branch_and_bound_needs_no_more_effort_than_its_nodes():
    A = draw(32, 48)
    found = isometry_constant(A, 4, "branch and bound")
    needed = found.looked_at * 4 * 48
    assert isometry_constant(A, 4, "branch and bound", effort=needed) == found
    with pytest.raises(EffortSpent, match=f"stopped after {found.looked_at - 1} nodes") as stopped:
        isometry_constant(A, 4, "branch and bound", effort=needed - 1)
    assert stopped.value.lower.value - CLOSE <= float(found) <= stopped.value.upper + CLOSE


def test_exact_enumerates_what_is_little():
    A = draw(64, 128)
    assert estimate_cost(A, 3).effort < SECOND < estimate_cost(A, 4).effort
    few, many = isometry_constant(A, 3), isometry_constant(A, 4)
    assert (few.method, few.looked_at) == ("enumeration", 341_376)
    assert many.method == "branch and bound"
    assert many.looked_at < math.comb(128, 4) / 1000


def test_exact_enumerates_where_branch_and_bound_is_no_shorter(monkeypatch):
    A = identity_hadamard(16, dtype=REAL)
    needed = estimate_cost(A, 4).effort
    assert isometry_constant(A, 4, "branch and bound").looked_at * 4 * 32 > needed
    monkeypatch.setattr(exact, "QUICK", 0)
    found = isometry_constant(A, 4, effort=needed)
    assert (found.method, found.looked_at) == ("enumeration", 35_960)
    with pytest.raises(EffortSpent, match=f"stopped after {(needed - 1) // 128:,} nodes"):
        isometry_constant(A, 4, effort=needed - 1)


def test_no_clock_has_a_say(monkeypatch):
    """A second of this clock is nothing, or a year: methods, values and refusals stay the same."""
    A, ticks = draw(64, 128), itertools.count()

    def outcome(s):
        try:
            return isometry_constant(A, s, effort=10**7)
        except EffortSpent as stopped:
            return str(stopped), stopped.lower, stopped.upper

    outcomes, seconds = [], []
    for step in (1e-9, 3e7):
        with monkeypatch.context() as patched:
            for clock in ("monotonic", "perf_counter", "time"):
                patched.setattr(time, clock, lambda step=step: step * next(ticks))
            outcomes.append([outcome(s) for s in (2, 4, 8)])
            seconds.append(estimate_cost(A, 4).seconds)
    assert outcomes[0] == outcomes[1]
    assert [getattr(each, "method", "none") for each in outcomes[0]] == [
        "enumeration",
        "branch and bound",
        "none",
    ]
    assert seconds[1] > 1e9 * seconds[0] > 0  # what informs does follow the clock


def test_progress_is_shown(capsys):
    isometry_constant(draw(8, 12), 3, "enumeration", progress=True)
    isometry_constant(draw(8, 12), 3, "branch and bound", progress=True)
    shown = capsys.readouterr().err
    assert "supports" in shown
    assert "nodes" in shown
    isometry_constant(draw(8, 12), 3, "enumeration")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("s", [0, 17, 2.0, "2", True, None, -1])
def test_order_out_of_range(s):
    with pytest.raises(ValueError, match=r"s is .*1 ≤ s ≤ n = 16"):
        isometry_constant(FRAME, s)


@pytest.mark.parametrize(
    ("A", "message"),
    [
        (torch.tensor([[1.0, torch.nan]]), "A holds NaN"),
        (torch.tensor([[1.0, torch.inf]]), "A holds NaN or infinite"),
        (torch.ones(3), "A has shape"),
        (torch.ones(2, 3, 4), "A has shape"),
        (torch.ones(0, 3), "A has shape"),
        (torch.ones(2, 3, dtype=torch.int64), "A has dtype"),
        ([[1.0]], "A is a list"),
        (partial_dct(4, 8, generator=torch.Generator()), r"A\.dense\(\)"),
        (torch.full((2, 2), 1e200, dtype=REAL), "overflows"),
    ],
)
def test_no_matrix(A, message):
    with pytest.raises(ValueError, match=message):
        isometry_constant(A, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "exakt"}, "method is 'exakt'; allowed are 'exact', 'enumeration'"),
        ({"effort": -1}, "effort is -1"),
        ({"effort": 0}, "effort is 0"),
        ({"effort": 1e9}, "effort is 1000000000.0; an integer"),
        ({"generator": 3}, "generator is a int; a Generator"),
        ({"method": "random"}, "generator is None"),
        ({"draws": 0}, "draws is 0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        isometry_constant(FRAME, 2, **options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("method", METHODS)
def test_runs_where_the_matrix_is(method):
    A = draw(12, 16)
    there = isometry_constant(A.cuda(), 3, method, generator=generator())
    here = isometry_constant(A, 3, method, generator=generator())
    assert float(there) == pytest.approx(float(here), abs=1e-6 if method == "sdp" else CLOSE)
    assert there.looked_at == here.looked_at or method in ("branch and bound", "greedy", "lower")
