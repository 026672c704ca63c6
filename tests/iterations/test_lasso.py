"""ISTA and FISTA solve the LASSO, certified by the duality gap and the optimality conditions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.iterations import duality_gap, fista, ista, ista_step
from unrolled.networks import ALISTA
from unrolled.prox import soft_threshold
from unrolled.sensing import DenseOperator, analytic_weights, gaussian

draws = settings(deadline=None, max_examples=10)
seeds = st.integers(0, 2**31)
dtypes = st.sampled_from([torch.float64, torch.complex128])


class Lasso:
    """A random instance; the penalty is a share of the least one that makes x = 0 the solution."""

    def __init__(self, seed, dtype=torch.float64, m=15, n=25, share=0.2, spread=0.0):
        generator = torch.Generator().manual_seed(seed)
        A = torch.randn(m, n, generator=generator, dtype=dtype) / m**0.5
        decay = torch.logspace(0, -spread, m, dtype=torch.float64)
        self.operator = DenseOperator(A * decay[:, None])
        self.y = torch.randn(3, m, generator=generator, dtype=dtype)
        self.largest = float(self.operator.adjoint(self.y).abs().max())
        self.penalty = share * self.largest
        self.lipschitz = float(self.operator.eigenvalues[-1])

    def run(self, method, depth, **choices):
        return method(self.operator, self.y, penalty=self.penalty, depth=depth, **choices)

    def objective(self, x):
        misfit = (self.y - x @ self.operator.dense().T).abs().square().sum(-1)
        return misfit / 2 + self.penalty * x.abs().sum(-1)

    def gap(self, x):
        return duality_gap(self.operator, self.y, x, self.penalty)

    def violation(self, x):
        """How far Aᴴ(y − Ax) is from penalty·∂‖x‖₁, relative to the penalty."""
        correlation = (self.y - x @ self.operator.dense().T) @ self.operator.dense().conj()
        nonzero = x != 0
        away = torch.relu(correlation.abs() - self.penalty)
        away = torch.where(nonzero, (correlation - self.penalty * torch.sgn(x)).abs(), away)
        return float(away.max()) / self.penalty

    def solution(self):
        x = self.run(fista, 1500)[-1]
        assert (self.gap(x) < 1e-9 * self.objective(x)).all()
        return x


@draws
@given(seed=seeds, dtype=dtypes, share=st.floats(0.2, 0.5))
def test_both_solve_the_lasso(seed, dtype, share):
    problem = Lasso(seed, dtype, share=share)
    for method, depth in ((ista, 2000), (fista, 1000)):
        iterates = problem.run(method, depth)
        assert iterates.shape == (depth + 1, 3, 25)
        assert iterates.dtype == dtype
        assert (iterates[0] == 0).all()
        assert (problem.gap(iterates[-1]) < 1e-5 * problem.objective(iterates[0])).all()
        assert problem.violation(iterates[-1]) < 1e-2
        # Neither certificate is given to what is no solution.
        assert (problem.gap(iterates[1]) > 1e-4 * problem.objective(iterates[0])).any()
        assert problem.violation(iterates[1]) > 0.03


@draws
@given(seed=seeds, dtype=dtypes)
def test_solution_is_zero_from_the_largest_penalty_on_and_not_before(seed, dtype):
    above, below = Lasso(seed, dtype, share=1 + 1e-9), Lasso(seed, dtype, share=0.99)
    zero = torch.zeros(3, 25, dtype=dtype)
    assert (above.run(fista, 20) == 0).all()
    assert (above.gap(zero) < 1e-12).all()
    assert (below.run(fista, 20)[-1] != 0).any()
    assert (below.gap(zero) > 1e-9).any()


@draws
@given(seed=seeds, dtype=dtypes, spread=st.floats(0, 2), share=st.floats(0.01, 0.5))
def test_objective_stays_below_the_bounds(seed, dtype, spread, share):
    problem = Lasso(seed, dtype, spread=spread, share=share)
    # F(x) − gap(x) is below min F, and x is so near to the solution that the bounds notice nothing.
    x = problem.run(fista, 1500)[-1]
    least = problem.objective(x) - problem.gap(x)
    rounding = 1e-9 * problem.objective(torch.zeros_like(x)) + problem.gap(x)
    scale = problem.lipschitz * x.abs().square().sum(1)  # L‖x_0 − x*‖²
    k = torch.arange(1, 121, dtype=torch.float64)[:, None]
    slow = problem.objective(problem.run(ista, 120)[1:]) - least
    fast = problem.objective(problem.run(fista, 120)[1:]) - least
    assert (slow <= scale / (2 * k) + rounding).all()
    assert (fast <= 2 * scale / (k + 1) ** 2 + rounding).all()


def test_each_bound_can_be_broken():
    # ISTA is not fast enough for FISTA's bound when A is ill-conditioned …
    problem = Lasso(0, spread=2.0, share=1e-3)
    x = problem.run(fista, 20_000)[-1]
    least, scale = problem.objective(x), problem.lipschitz * x.square().sum(1)
    k = torch.arange(1, 1001, dtype=torch.float64)[:, None]
    slow = problem.objective(problem.run(ista, 1000)[1:]) - least
    fast = problem.objective(problem.run(fista, 1000)[1:]) - least
    assert (slow > 2 * scale / (k + 1) ** 2).any()
    assert (fast <= 2 * scale / (k + 1) ** 2).all()
    # … and with a step beyond 2/L even its own does not hold.
    far = problem.run(ista, 100, step=2.5 / problem.lipschitz)[1:]
    assert (problem.objective(far) - least > scale / (2 * k[:100])).any()


@draws
@given(seed=seeds, dtype=dtypes, relaxed=st.floats(0.1, 1))
def test_ista_never_climbs(seed, dtype, relaxed):
    problem = Lasso(seed, dtype, share=0.05)
    values = problem.objective(problem.run(ista, 100, step=relaxed / problem.lipschitz))
    assert (values[1:] <= values[:-1] * (1 + 1e-12)).all()


def test_fista_climbs_now_and_then_and_ista_does_beyond_its_steps():
    problem = Lasso(0, spread=1.0, share=0.01)
    values = problem.objective(problem.run(fista, 400))
    assert (values[1:] > values[:-1] * (1 + 1e-9)).any()
    values = problem.objective(problem.run(ista, 50, step=2.5 / problem.lipschitz))
    assert (values[1:] > values[:-1] * (1 + 1e-9)).any()


@draws
@given(seed=seeds, dtype=dtypes, size=st.floats(-3, 1), share=st.floats(0.01, 1.5))
def test_gap_is_an_upper_bound_for_every_x(seed, dtype, size, share):
    problem = Lasso(seed, dtype, share=share)
    solution = problem.run(fista, 2000)[-1]
    generator = torch.Generator().manual_seed(seed + 1)
    z = torch.randn(3, 25, generator=generator, dtype=dtype)
    for x in (10**size * z, soft_threshold(z, 1.0), solution + 10**size * z):
        gap, value = problem.gap(x), problem.objective(x)
        assert (gap >= 0).all()
        assert (gap >= value - problem.objective(solution) - 1e-12 * value).all()


def test_a_tenth_of_the_gap_is_no_bound():
    problem = Lasso(0)
    x = problem.run(ista, 3)[-1]
    suboptimality = problem.objective(x) - problem.objective(problem.solution())
    assert (problem.gap(x) >= suboptimality).all()
    assert (problem.gap(x) / 10 < suboptimality).any()


def test_fista_is_its_recursion():
    problem = Lasso(5, torch.complex128)
    A, step = problem.operator.dense(), 1 / problem.lipschitz

    def run(momentum):
        previous = z = torch.zeros(3, 25, dtype=A.dtype)
        t, iterates = 1.0, [previous]
        for _ in range(12):
            u = z + step * (problem.y - z @ A.T) @ A.conj()
            x = torch.sgn(u) * (u.abs() - step * problem.penalty).clamp(min=0)
            following = (1 + (1 + 4 * t * t) ** 0.5) / 2
            z = x + momentum(t, following) * (x - previous)
            t, previous = following, x
            iterates.append(x)
        return torch.stack(iterates)

    iterates = problem.run(fista, 12)
    torch.testing.assert_close(iterates, run(lambda t, following: (t - 1) / following))
    for wrong in (
        lambda t, following: (t - 1) / t,
        lambda t, following: (following - 1) / following,
        lambda t, following: 0.0,
    ):
        assert not torch.allclose(iterates, run(wrong), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gap_is_exact_where_the_residual_points_away_from_y(sign):
    # A = 1, y = 1, x = 3: F(x) = 3.5 and min F = 0.375, at 0.5. The best multiple of the residual
    # −2 is −1/2, but only those of size up to 1/4 are feasible; −1/4 is the dual solution.
    y, x = torch.tensor([[sign]]), torch.tensor([[3 * sign]])
    gap = duality_gap(DenseOperator(torch.eye(1)), y, x, 0.5)
    torch.testing.assert_close(gap, torch.tensor([3.125]))


@pytest.mark.parametrize("method", [ista, fista])
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_divergence_shows_in_the_iterates(method, dtype):
    operator = DenseOperator(torch.eye(3, dtype=dtype))
    y = torch.ones(2, 3, dtype=dtype)
    iterates = method(operator, y, penalty=0.1, depth=80, step=10.0)
    assert torch.isfinite(iterates[:20]).all()
    assert not torch.isfinite(iterates[-1]).any()
    assert torch.isfinite(method(operator, y, penalty=0.1, depth=80, step=1.0)).all()


def test_gap_belongs_to_its_penalty():
    problem = Lasso(0)
    x = problem.solution()
    assert (problem.gap(x) < 1e-9).all()
    assert (duality_gap(problem.operator, problem.y, x, 2 * problem.penalty) > 1e-2).all()
    assert (duality_gap(problem.operator, problem.y, x, 0.5 * problem.penalty) > 1e-2).all()


def test_gap_of_an_exact_fit_is_what_the_penalty_costs():
    operator = DenseOperator(torch.eye(3))
    x = torch.tensor([[1.0, -2.0, 0.0]])
    torch.testing.assert_close(duality_gap(operator, x, x, 0.5), torch.tensor([1.5]))


@draws
@given(seed=seeds)
def test_turning_the_measurements_turns_the_solution(seed):
    problem = Lasso(seed, torch.complex128)
    before = problem.run(fista, 40)
    problem.y = problem.y * torch.exp(torch.tensor(0.7j, dtype=torch.complex128))
    turn = torch.exp(torch.tensor(0.7j, dtype=torch.complex128))
    torch.testing.assert_close(problem.run(fista, 40), before * turn)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_weights_take_the_place_of_the_adjoint(dtype):
    problem = Lasso(3, dtype)
    A = problem.operator.dense()
    torch.testing.assert_close(problem.run(ista, 20, weights=A), problem.run(ista, 20))
    # x = Sθ(x + Wᴴ(y − Ax)) is written out for a W that is not a multiple of A.
    W = torch.linalg.pinv(A).mH
    x = problem.run(ista, 2, weights=W, step=0.5)
    residual = problem.y - x[1] @ A.T
    expected = soft_threshold(x[1] + 0.5 * residual @ W.conj(), 0.5 * problem.penalty)
    torch.testing.assert_close(x[2], expected)
    assert not torch.allclose(x[1], problem.run(ista, 1, step=0.5)[1])


def test_untrained_alista_is_ista_with_its_weights():
    problem = Lasso(4)
    A = problem.operator.dense()
    W = analytic_weights(A)
    step = 1 / float(torch.linalg.eigvals(W.T @ A).real.max())
    net = ALISTA(A, 12, penalty=problem.penalty)
    expected = problem.run(ista, 12, weights=W, step=step)
    torch.testing.assert_close(net.trajectory(problem.y), expected)
    # Neither the weights alone nor the step alone make the difference.
    for choices in ({"weights": W}, {"step": step}):
        assert not torch.allclose(expected, problem.run(ista, 12, **choices), rtol=1e-3)


@pytest.mark.parametrize("method", [ista, fista])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_a_warm_start_goes_on_where_it_was(method, dtype):
    problem = Lasso(3, dtype)
    first = problem.run(method, 8)
    again = problem.run(method, 5, x0=first[-1])
    assert torch.equal(again[0], first[-1])
    if method is ista:  # which has no memory
        torch.testing.assert_close(again, problem.run(ista, 13)[8:])
    solution = problem.solution()
    stayed = problem.run(method, 3, x0=solution)
    torch.testing.assert_close(stayed[-1], solution, rtol=0, atol=1e-4)


@draws
@given(seed=seeds, dtype=dtypes, tolerance=st.floats(1e-6, 1e-2))
@pytest.mark.parametrize("method", [ista, fista])
def test_a_tolerance_ends_where_the_gap_allows_and_not_before(method, seed, dtype, tolerance):
    problem = Lasso(seed, dtype, share=0.3)
    found = problem.run(method, 3000, tolerance=tolerance)
    allowed = tolerance * problem.y.abs().square().sum(1) / 2
    assert 1 < len(found) < 3001
    assert (problem.gap(found[-1]) <= allowed).all()
    assert not (problem.gap(found[-2]) <= allowed).all()
    torch.testing.assert_close(found, problem.run(method, len(found) - 1))
    assert len(problem.run(method, 9, x0=found[-1], tolerance=tolerance)) == 1


def test_no_penalty_is_gradient_descent_and_a_given_step_is_used():
    problem = Lasso(1, share=0.0)
    x = problem.run(ista, 1, step=0.25)
    torch.testing.assert_close(x[1], 0.25 * problem.operator.adjoint(problem.y))
    default = problem.run(ista, 1)
    torch.testing.assert_close(default[1], problem.operator.adjoint(problem.y) / problem.lipschitz)


@pytest.mark.parametrize("method", [ista, fista])
@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"penalty": -1.0}, "penalty is -1.0; 0 ≤ penalty < ∞"),
        ({"penalty": math.nan}, "penalty is nan; 0 ≤ penalty < ∞"),
        ({"depth": 0}, "depth is 0; an integer ≥ 1"),
        ({"step": 0.0}, "step is 0.0; 0 < step < ∞"),
        ({"step": math.inf}, "step is inf; 0 < step < ∞"),
        ({"y": torch.ones(1, 3)}, r"y has shape \(1, 3\)"),
        ({"y": torch.ones(1, 2, dtype=torch.float64)}, "y has dtype torch.float64"),
        ({"y": torch.full((1, 2), math.inf)}, "y holds NaN or infinite"),
        ({"y": torch.ones(1, 2).numpy()}, "y is a ndarray; a Tensor"),
        ({"operator": torch.eye(2)}, "operator is a Tensor; a SensingOperator"),
        ({"depth": 2.0}, "depth is 2.0; an integer ≥ 1"),
        ({"penalty": "0.1"}, "penalty is '0.1'; 0 ≤ penalty < ∞"),
        ({"step": torch.ones(2)}, "step is tensor.*; 0 < step < ∞"),
        ({"operator": DenseOperator(torch.zeros(2, 2))}, "has no step"),
        ({"x0": torch.ones(1, 3)}, r"x0 has shape \(1, 3\); a batch \(B, 2\)"),
        ({"x0": torch.ones(2, 2)}, "x0 has 2 rows and y has 1"),
        ({"x0": torch.ones(1, 2, dtype=torch.float64)}, "x0 has dtype torch.float64"),
        ({"x0": torch.full((1, 2), math.nan)}, "x0 holds NaN"),
        ({"tolerance": 0.0}, "tolerance is 0.0; 0 < tolerance < ∞"),
        ({"tolerance": 0.1, "penalty": 0.0}, "tolerance is 0.1, but penalty is 0"),
    ],
)
def test_bad_input_is_refused(method, choices, sentence):
    given = {
        "operator": DenseOperator(torch.eye(2)), "y": torch.ones(1, 2), "penalty": 0.1, "depth": 2
    } | choices  # fmt: skip
    with pytest.raises(ValueError, match=sentence):
        method(given.pop("operator"), given.pop("y"), **given)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (torch.ones(3, 2), r"weights has shape \(3, 2\) .*\(2, 3\) and torch.float32 are needed"),
        (torch.ones(2, 3, dtype=torch.float64), "weights has shape .* dtype torch.float64"),
        (torch.full((2, 3), math.nan), "weights holds NaN"),
        (torch.ones(2, 3).numpy(), "weights is a ndarray; a Tensor"),
    ],
)
def test_bad_weights_are_refused(weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        ista(
            DenseOperator(torch.ones(2, 3)), torch.ones(1, 2), penalty=0.1, depth=1, weights=weights
        )


@pytest.mark.parametrize(
    ("x", "penalty", "sentence"),
    [
        (torch.ones(1, 2), 0.0, "penalty is 0.0; 0 < penalty"),
        (torch.ones(1, 2), None, "penalty is None; 0 < penalty"),
        (None, 1.0, "x is a NoneType; a Tensor"),
        (torch.ones(1, 3), 1.0, r"x has shape \(1, 3\)"),
        (torch.ones(2, 2), 1.0, "x has 2 rows and y has 1; one x for each y"),
        (torch.ones(1, 2, dtype=torch.float64), 1.0, "x has dtype"),
    ],
)
def test_bad_points_are_refused(x, penalty, sentence):
    with pytest.raises(ValueError, match=sentence):
        duality_gap(DenseOperator(torch.eye(2)), torch.ones(1, 2), x, penalty)


def test_other_weights_have_no_gap_to_stop_at():
    problem = Lasso(0)
    with pytest.raises(ValueError, match=r"tolerance is 0\.1, but weights are given"):
        problem.run(ista, 3, weights=problem.operator.dense(), tolerance=0.1)


def weighted(n, zero=False):
    penalties = torch.rand(n, generator=torch.Generator().manual_seed(9), dtype=torch.float64) + 0.1
    return penalties.index_fill(0, torch.tensor([0]), 0.0) if zero else penalties


@pytest.mark.parametrize("method", [ista, fista])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_a_penalty_for_each_entry_is_solved(method, dtype):
    generator = torch.Generator().manual_seed(0)
    operator = gaussian(12, 20, generator=generator, dtype=dtype)
    y = torch.randn(3, 12, generator=generator, dtype=dtype)
    for penalty in (weighted(20), weighted(20, zero=True)):
        x = method(operator, y, penalty=penalty, depth=6000)[-1]
        gradient = operator.adjoint(operator.forward(x) - y)
        assert bool((gradient.abs() <= penalty + 1e-6).all())
        expected = torch.where(x != 0, -penalty * torch.sgn(x), gradient)
        torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)
    other = method(operator, y, penalty=float(penalty.mean()), depth=6000)[-1]
    assert not torch.allclose(x, other)


@pytest.mark.parametrize("method", [ista, fista])
def test_nonnegative_signals_solve_the_nonnegative_problem(method):
    generator = torch.Generator().manual_seed(0)
    operator = gaussian(12, 20, generator=generator, dtype=torch.float64)
    y = torch.randn(3, 12, generator=generator, dtype=torch.float64)
    iterates = method(operator, y, penalty=0.1, depth=6000, nonnegative=True)
    assert bool((iterates >= 0).all())
    x = iterates[-1]
    gradient = operator.adjoint(operator.forward(x) - y) + 0.1
    assert bool((gradient >= -1e-6).all())  # no entry wants to grow
    torch.testing.assert_close(
        gradient[x > 0], torch.zeros(int((x > 0).sum())).double(), atol=1e-6, rtol=0
    )
    assert not torch.allclose(x, method(operator, y, penalty=0.1, depth=6000)[-1].relu())


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("penalty", [0.2, weighted(20)], ids=["number", "entries"])
def test_the_gap_bounds_the_distance_to_the_minimum(nonnegative, penalty):
    generator = torch.Generator().manual_seed(0)
    operator = gaussian(12, 20, generator=generator, dtype=torch.float64)
    y = torch.randn(3, 12, generator=generator, dtype=torch.float64)
    kind = {"penalty": penalty, "nonnegative": nonnegative}
    iterates = fista(operator, y, depth=5000, **kind)

    def objective(x):
        misfit = (y - operator.forward(x)).square().sum(1) / 2
        return misfit + (penalty * x.abs()).sum(1)

    least = objective(iterates[-1])
    for x in iterates[:200:10]:
        gap = duality_gap(operator, y, x, penalty, nonnegative=nonnegative)
        assert bool((objective(x) - least <= gap + 1e-9).all())
    assert (
        float(duality_gap(operator, y, iterates[-1], penalty, nonnegative=nonnegative).max()) < 1e-6
    )
    ended = ista(operator, y, depth=20_000, tolerance=1e-6, **kind)
    assert len(ended) < 20_001
    assert bool((objective(ended[-1]) - least <= 1e-6 * y.square().sum(1) / 2).all())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"penalty": torch.ones(3)}, r"penalty has shape \(3,\).*\(20,\)"),
        ({"penalty": -weighted(20)}, "penalty has entries outside 0 ≤ penalty"),
        ({"penalty": weighted(20) * math.nan}, "penalty has entries outside"),
        ({"penalty": weighted(20) + 0j}, "penalty has shape .*complex128"),
        ({"penalty": weighted(20, zero=True), "tolerance": 0.1}, "penalty is 0"),
    ],
)
def test_bad_penalties_are_refused(arguments, sentence):
    operator = gaussian(12, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.ones(1, 12, dtype=torch.float64)
    for method in (ista, fista):
        with pytest.raises(ValueError, match=sentence):
            method(operator, y, depth=3, **arguments)


def test_an_order_is_asked_of_real_numbers_alone():
    operator = gaussian(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)
    y = torch.ones(1, 4, dtype=torch.complex128)
    for method in (ista, fista):
        with pytest.raises(ValueError, match="nonnegative asks for an order"):
            method(operator, y, penalty=0.1, depth=3, nonnegative=True)
    real = gaussian(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with pytest.raises(ValueError, match="x has negative entries"):
        duality_gap(real, y.real, -torch.ones(1, 6).double(), 0.1, nonnegative=True)


@pytest.mark.parametrize("kind", [np.float32, torch.tensor])
def test_numbers_may_be_of_numpy_or_torch(kind):
    operator, y = problem_of_a_size(), torch.ones(2, 6)
    step, penalty = kind(0.25), kind(0.125)
    for method in (ista, fista):
        run = {"depth": 5, "tolerance": kind(0.5)}
        expected = method(operator, y, step=0.25, penalty=0.125, depth=5, tolerance=0.5)
        assert torch.equal(method(operator, y, step=step, penalty=penalty, **run), expected)
    gap = duality_gap(operator, y, expected[-1], 0.125)
    assert torch.equal(duality_gap(operator, y, expected[-1], penalty), gap)


def problem_of_a_size():
    return gaussian(6, 9, generator=torch.Generator().manual_seed(0))


def test_a_step_is_of_an_operator_and_a_number_that_its_dtype_holds():
    with pytest.raises(ValueError, match=r"^operator is a NoneType; a SensingOperator"):
        ista_step(None)
    with pytest.raises(ValueError, match="A is zero, or too small for its dtype"):
        ista_step(DenseOperator(1e-21 * torch.eye(2)))
    assert math.isfinite(float(torch.tensor(ista_step(DenseOperator(1e-18 * torch.eye(2))))))
    with pytest.raises(ValueError, match=r"step is 1e\+300, which torch.float32 cannot hold"):
        ista(problem_of_a_size(), torch.ones(2, 6), penalty=0.1, depth=1, step=1e300)
    with pytest.raises(ValueError, match="depth is 1000000000; at most"):
        ista(problem_of_a_size(), torch.ones(2, 6), penalty=0.1, depth=10**9)


def test_what_the_dtype_cannot_hold_and_what_lies_elsewhere_is_named():
    operator, y = problem_of_a_size(), torch.ones(2, 6)
    for penalty in (1e300, torch.full((9,), 1e300, dtype=torch.float64)):
        with pytest.raises(ValueError, match=r"penalty is 1e\+300, which torch.float32"):
            ista(operator, y, penalty=penalty, depth=1)
    elsewhere = torch.empty(2, 9, device="meta")
    for call in (
        lambda: ista(operator, torch.empty(2, 6, device="meta"), penalty=0.1, depth=1),
        lambda: ista(operator, y, penalty=0.1, depth=1, x0=elsewhere),
        lambda: duality_gap(operator, y, elsewhere, 0.1),
        lambda: ista(operator, y, penalty=0.1, depth=1, weights=elsewhere.new_empty(6, 9)),
    ):
        with pytest.raises(ValueError, match="is on meta; cpu is needed, as of A"):
            call()
