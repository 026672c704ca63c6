"""The sparsity that each theorem on thresholds certifies."""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matrices import COMPLEX, FRAME, REAL, draw, orthonormal, seeds

from unrolled.guarantees.rip.certified import (
    _Orders,
    _typeset,
    averaged_bounds,
    certified_sparsity,
    fixed_sparsity,
)
from unrolled.isometry.coherence import coherence
from unrolled.isometry.constants import isometry_constant
from unrolled.isometry.enumeration import SECOND
from unrolled.sensing import (
    identity_hadamard,
)


def certified(A, **options):
    return dict(
        zip(
            ("columns", "analytic", "isometry", "adaptive"),
            certified_sparsity(A, **options).rows,
            strict=True,
        )
    )


def test_the_frame_certifies_one_nonzero():
    rows = certified(FRAME)
    assert [row.s for row in rows.values()] == [1, 1, 1, 0]
    assert rows["columns"].rate == pytest.approx(1 / 3)
    assert rows["isometry"].rate == pytest.approx(1 / 3)
    assert rows["adaptive"].rate is None
    assert all(row.beyond.startswith("fails") for row in rows.values())


def test_two_orthonormal_bases_certify_four():
    rows = certified(identity_hadamard(64, dtype=REAL), effort=2 * SECOND)
    assert rows["columns"].s == 4
    assert rows["columns"].rate == pytest.approx(7 / 8)
    assert rows["isometry"].s == 4  # from order 3, which bounds orders 4 and 5
    assert "≤" in rows["isometry"].constants


@pytest.mark.parametrize("m", [12, 20])
def test_orthonormal_columns_certify_all_that_there_are(m):
    rows = certified(orthonormal(12, m))
    assert rows["columns"].s == rows["isometry"].s == 12
    assert rows["adaptive"].s == 11  # one entry at least is left for r
    assert rows["analytic"].s == (12 if m == 12 else 0)  # AAᵀ has no inverse
    assert rows["analytic"].beyond == ("" if m == 12 else "analytic_weights needs full row rank")
    assert certified_sparsity(orthonormal(12, m)).s == 12


@pytest.mark.parametrize("seed", range(4))
def test_the_conditions_hold_at_s_and_fail_beyond(seed):
    A = draw(20 + 10 * seed, 12, seed, unit_columns=seed % 2 == 0)
    rows = certified(A)

    def delta(k):
        return float(isometry_constant(A, min(k, 12)))

    def from_isometry(s):
        return delta(s) + s**0.5 * delta(s + 1)

    def adaptive(s):
        return min((1 + s / r) ** 0.5 * delta(3 * s + 2 * r - 1) for r in range(1, 13 - s))

    for name, rate in (("isometry", from_isometry), ("adaptive", adaptive)):
        s = rows[name].s
        assert s == 0 or rate(s) == pytest.approx(rows[name].rate)
        assert s == 0 or rate(s) < 1
        assert s >= 11 or rate(s + 1) >= 1


@settings(max_examples=30)
@given(seed=seeds, unit_columns=st.booleans(), k=st.integers(3, 7))
def test_smaller_orders_bound_larger_ones(seed, unit_columns, k):
    A = draw(8, 9, seed, unit_columns=unit_columns)
    orders = _Orders(A, 60 * SECOND)
    assert orders.best(k - 1).kind == "exact"
    bounds = list(averaged_bounds(orders.exact, k))
    assert [bound.method for bound in bounds] == [f"from δ_{j}" for j in range(2, k)]
    exact = float(isometry_constant(A, k))
    assert all(float(bound) >= exact for bound in bounds)


def test_smaller_orders_bound_larger_ones_tightly():
    orders = _Orders(FRAME, 60 * SECOND)
    orders.best(3)
    assert [float(bound) for bound in averaged_bounds(orders.exact, 4)] == pytest.approx([1, 1])
    exact = float(isometry_constant(FRAME, 4))
    assert float(orders.exact[2]) < exact - 0.3  # so that its factor 3/2 is needed


def test_upper_bounds_stand_in_where_the_effort_is_spent():
    A = draw(600, 24, 3)
    exact = certified(A)["isometry"]
    hasty = certified(A, effort=1)["isometry"]
    assert "≤" not in exact.constants
    assert "≤" in hasty.constants
    assert hasty.s < exact.s or hasty.rate > exact.rate


def test_the_table_does_not_depend_on_a_clock(monkeypatch):
    A, ticks, tables = identity_hadamard(32, dtype=REAL), itertools.count(), []
    for step in (1e-9, 3e7):
        with monkeypatch.context() as patched:
            for clock in ("monotonic", "perf_counter", "time"):
                patched.setattr(time, clock, lambda step=step: step * next(ticks))
            tables.append(certified_sparsity(A, effort=4 * 10**5))
    assert tables[0] == tables[1]
    assert tables[0].rows[2].s == 3
    assert certified_sparsity(A, effort=10**5).rows[2].s < 3  # on the effort it does depend


def test_shown_as_a_table():
    table = certified_sparsity(FRAME)
    lines = table._repr_markdown_().splitlines()
    assert len(lines) == 2 + len(table.rows) == 6
    assert all(line.count("|") == 6 for line in lines)
    assert r"$\delta_{2} = 0.3333$" in lines[4]
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| fixed, W = A",
        "| fixed, analytic W",
        "| isometry",
        "| from data",
    ]
    assert str(table).count("\n") == 3


def test_constants_are_typeset():
    shown = "δ_4 ≤ 0.2652 (from δ_3), r = 2"
    assert _typeset(shown) == r"$\delta_{4} \le 0.2652$ (from $\delta_{3}$), $r = 2$"
    assert _typeset("μ = 0.3333") == r"$\mu = 0.3333$"
    assert _typeset("δ_1 ≤ 0.1000 (coherence)") == r"$\delta_{1} \le 0.1000$ (coherence)"


@settings(max_examples=50)
@given(mu=st.floats(0, 2), n=st.integers(1, 20))
def test_fixed_sparsity_is_the_largest(mu, n):
    s = fixed_sparsity(mu, n)
    assert s == 0 or (2 * s - 1) * mu < 1
    assert s == n or (2 * s + 1) * mu >= 1 - 1e-8


def test_a_rate_of_one_up_to_rounding_certifies_nothing():
    assert fixed_sparsity(1 / 3 - 1e-16, 9) == 1
    assert fixed_sparsity(1 / 3 - 1e-6, 9) == 2


@pytest.mark.parametrize("power", [-160, -60, 60, 150])
def test_fixed_thresholds_do_not_see_the_scale(power):
    A = draw(20, 12)
    assert coherence(10.0**power * A) == pytest.approx(coherence(A))
    if abs(power) < 150:
        scaled = certified(10.0**power * A)
        assert scaled["columns"].s == certified(A)["columns"].s
        assert scaled["isometry"].s == 0


def test_certifies_for_real_matrices_only():
    with pytest.raises(ValueError, match=r"complex128; the theorems are about real"):
        certified_sparsity(draw(4, 6, dtype=COMPLEX))
    with pytest.raises(ValueError, match="effort is 0"):
        certified_sparsity(FRAME, effort=0)
