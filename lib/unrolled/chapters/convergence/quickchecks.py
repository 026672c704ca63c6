"""The questions of the convergence chapter; every key is computed here, by the library."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import evaluate
from unrolled.guarantees.convergence import best_tied, conjugate_gradient_error, rate, trap
from unrolled.guarantees.convergence import symbols as ex
from unrolled.iterations import chebyshev_steps, gauss_steps, tied_step
from unrolled.networks import GradientNet
from unrolled.teaching import Misconception, Option, QuickCheck

KAPPA, DEPTH = 9.0, 3


@cache
def _least_product() -> float:
    # Each factor depends on its own step alone, so the least product is the least factor's power.
    steps = torch.linspace(0.01, 2, 200_000, dtype=torch.float64)
    return float(rate(steps, 1.0, KAPPA).min()) ** DEPTH


def _equals_least_product(expression: sp.Expr) -> bool:
    value = evaluate(expression, {ex.kappa: KAPPA, ex.K: DEPTH})
    return abs(_least_product() - value) < 1e-4 * value


LEAST_PRODUCT = QuickCheck.choice(
    name="convergence.product-of-rates",
    prompt=(
        r"Let $K\ge2$ and $\kappa>1$, and choose $\eta_1,\dots,\eta_K$ freely. The smallest value "
        r"that $\prod_k\rho(\eta_k)$ can take, with $\rho^\star$ the rate of the best constant "
        "step, is"
    ),
    options=(
        Option(
            r"smaller than $(\rho^\star)^K$",
            lambda: (
                _least_product() < 0.999 * evaluate(ex.tied_factor, {ex.kappa: KAPPA, ex.K: DEPTH})
            ),
            "Each factor is at least the best rate, so no product of $K$ of them is smaller.",
        ),
        Option(
            r"exactly $(\rho^\star)^K$",
            lambda: _equals_least_product(ex.tied_factor),
            "Yes: the *bound* cannot improve. What improves is the truth, which the product of "
            "worst cases does not see.",
        ),
        Option(
            r"$1/T_K(\sigma)$, Chebyshev's factor",
            lambda: _equals_least_product(ex.chebyshev_factor),
            "That is the worst case of the product of polynomials. A product of worst cases is "
            "larger: different layers have theirs at different eigenvalues.",
        ),
        Option(
            "$0$",
            lambda: _least_product() < 1e-9,
            "A single rate vanishes only when all eigenvalues are equal.",
        ),
    ),
)

TWO_LAYERS = QuickCheck.numeric(
    name="convergence.two-layers",
    prompt=(
        r"$H=\mathrm{diag}(1,9)$, two gradient layers with steps of your choice. What is the "
        r"smallest worst-case factor $\max_{e_0}\|e_2\|/\|e_0\|$?"
    ),
    answer=lambda: max(
        abs(sp.prod(1 - sp.Rational(1, root) * eigenvalue for root in (1, 9)))
        for eigenvalue in (1, 9)
    ),
    misconceptions=(
        Misconception(
            lambda: ex.tied_factor.subs({ex.kappa: 9, ex.K: 2}),
            "That is the best constant step, used twice.",
        ),
        Misconception(
            lambda: sp.simplify(ex.chebyshev_factor.subs({ex.kappa: 9, ex.K: 2})),
            "That is the best factor over the whole interval $[1,9]$. Here there are only two "
            "eigenvalues.",
        ),
        Misconception(
            lambda: sp.Rational(8) * sp.Rational(8, 9),
            "That is the product of the rates of the two steps, not the rate of their product.",
        ),
    ),
    explanation="The steps $1$ and $1/9$ put a root on each eigenvalue.",
)


@cache
def _order_cases() -> tuple[tuple[bool, bool, bool], ...]:
    """For a few networks: does reversing change the output, did the steps decrease, is κ > 10."""
    cases = []
    for kappa in (4.0, 40.0):
        decreasing = chebyshev_steps(1.0, kappa, 5)
        eigenvalues = torch.linspace(1.0, kappa, 9, dtype=torch.float64)
        A, signal = torch.diag(eigenvalues.sqrt()), torch.ones(1, 9, dtype=torch.float64)
        for steps in (decreasing, decreasing.flip(0)):
            forward = GradientNet(A, steps=steps, learned=False)(signal @ A)
            backward = GradientNet(A, steps=steps.flip(0), learned=False)(signal @ A)
            changed = bool((forward - backward).norm() > 1e-9 * forward.norm())
            cases.append((changed, bool(steps[0] > steps[-1]), kappa > 10))
    return tuple(cases)


ORDER = QuickCheck.choice(
    name="convergence.order",
    prompt=(
        "A trained gradient network runs on noiseless data in exact arithmetic. You reverse the "
        "order of its steps. Its output changes"
    ),
    options=(
        Option(
            "always",
            lambda: all(changed for changed, _, _ in _order_cases()),
            "The factors $1-\\eta_kH$ commute; only the iterates on the way change.",
        ),
        Option(
            "when large steps came early and small ones late",
            lambda: all(changed == early for changed, early, _ in _order_cases()),
            "This is the story told about trained networks. The output does not know it: the "
            "factors commute.",
        ),
        Option(
            "never",
            lambda: not any(changed for changed, _, _ in _order_cases()),
            "Yes. Order decides what the transient looks like and how rounding accumulates, and "
            "nothing else.",
        ),
        Option(
            r"when $\kappa>10$",
            lambda: all(changed == large for changed, _, large in _order_cases()),
            "A large $\\kappa$ makes the *transient* larger, in some orders enormously so, but the "
            "product is the same polynomial.",
        ),
    ),
)


def _noiseless_error(ratio: int, depth: int) -> sp.Expr:
    v = sp.Integer(1)
    for _ in range(depth):
        v = ex.state_evolution.subs({ex.v: v, ex.c: ratio, ex.noise: 0})
    return v


STATE_EVOLUTION = QuickCheck.numeric(
    name="convergence.state-evolution",
    prompt=(
        "Gaussian sensing of large signals, as many measurements as unknowns ($c=1$), no noise. "
        "What mean squared error per coordinate does the best four-layer network have, if $v_0=1$?"
    ),
    answer=lambda: _noiseless_error(1, 4),
    misconceptions=(
        Misconception(
            lambda: _noiseless_error(1, 3), "That is $v_3$: count the layers, not the iterates."
        ),
        Misconception(
            lambda: sp.Rational(1, 2) ** 4,
            "The error does not shrink by the same factor with every layer of depth: "
            "$v_{k+1}=v_k/(1+v_k)$.",
        ),
    ),
    explanation="$1, 1/2, 1/3, 1/4, 1/5$: at $c=1$ the error decays like $1/K$, not geometrically.",
)


@cache
def _end_of_training() -> tuple[float, float, float, float]:
    """Losses: after training from equal steps, best tied, best of all, Chebyshev's."""
    start = trap.eight_atoms()
    trained = trap.gradient_descent(start, iterations=2000, lr=0.1)
    _, tied = best_tied(start.eigenvalues, start.weights, start.depth)
    best = gauss_steps(start.eigenvalues, start.weights, start.depth)
    chebyshev = chebyshev_steps(start.low, start.high, start.depth)
    return (
        start.with_steps(trained).squared_error(),
        tied,
        start.with_steps(best).squared_error(),
        start.with_steps(chebyshev).squared_error(),
    )


def _training_ends_at(place: int) -> bool:
    losses = _end_of_training()
    return abs(losses[0] - losses[place]) < 1e-3 * losses[place]


SAME_START = QuickCheck.choice(
    name="convergence.same-start",
    prompt=(
        "All steps of an untied gradient network start at $0.3$, and gradient descent with a small "
        "learning rate trains it in exact arithmetic for as long as you like. The steps converge to"
    ),
    options=(
        Option(
            "Chebyshev's steps",
            lambda: _training_ends_at(3),
            "These are best in the worst case. Training minimises an average, and it cannot even "
            "reach that optimum from here.",
        ),
        Option(
            "the reciprocal Gauss nodes, the best steps there are",
            lambda: _training_ends_at(2),
            "They are the global minimum, but equal steps have equal gradients: the steps never "
            "part.",
        ),
        Option(
            "the best *constant* step",
            lambda: _training_ends_at(1),
            "Yes. The loss is symmetric in the steps, and every gradient method preserves the "
            "symmetry. Perturb the start.",
        ),
        Option(
            "nothing: they diverge",
            lambda: not _end_of_training()[0] < 1,
            "The loss is bounded below and grows in every direction, so gradient descent with a "
            "small enough learning rate stays bounded and settles.",
        ),
    ),
)


def _measures() -> list[tuple[Tensor, Tensor, int]]:
    generator = torch.Generator().manual_seed(5)
    cases = []
    for depth in (1, 2, 3, 5):
        lam = 1 + torch.arange(8) + 0.5 * torch.rand(8, generator=generator, dtype=torch.float64)
        w = 0.1 + torch.rand(8, generator=generator, dtype=torch.float64)
        cases.append((lam, w / w.sum(), depth))
    return cases


def _check_steps(function: Callable[[Tensor, Tensor, int], Tensor]) -> None:
    for lam, w, depth in _measures():
        steps = torch.as_tensor(function(lam, w, depth), dtype=torch.float64)
        assert steps.shape == (depth,), (
            f"For K = {depth} the result has shape {tuple(steps.shape)}; ({depth},) is needed."
        )
        reached = float((w * (1 - steps[:, None] * lam).prod(0) ** 2).sum())
        least = conjugate_gradient_error(lam, w, depth)
        assert reached <= least + 1e-10, (
            f"For K = {depth} your steps have J = {reached:.6g}, but {least:.6g} is possible."
        )


def optimal_steps(lam: Tensor, w: Tensor, K: int) -> Tensor:
    """Steps that minimise Σ w p(λ)²: the reciprocal roots of the least-squares polynomial."""
    powers = lam[:, None] ** torch.arange(K + 1, dtype=lam.dtype)
    A, b = w.sqrt()[:, None] * powers[:, 1:], -w.sqrt()
    coefficients = torch.linalg.lstsq(A, b).solution  # p = 1 + c_1 λ + … + c_K λ^K
    # In s = 1/λ the roots of p are the eigenvalues of a companion matrix: the steps themselves.
    companion = torch.diag(torch.ones(K - 1, dtype=lam.dtype), -1)
    companion[0] = -coefficients
    return torch.linalg.eigvals(companion).real


OPTIMAL_STEPS = QuickCheck.code(
    name="convergence.optimal-steps",
    prompt=(
        r"Write `optimal_steps(lam, w, K)`: the $K$ step sizes that minimise "
        r"$J(\eta)=\sum_iw_i\,p(\lambda_i)^2$, for float64 tensors `lam` and `w` of shape `(n,)` "
        r"with $n>K$. It passes when $J$ comes within $10^{-10}$ of the least-squares optimum."
    ),
    stub=(
        "def optimal_steps(lam, w, K):\n"
        '    """Return the K steps as a float64 tensor of shape (K,)."""'
    ),
    check=_check_steps,
    solution=optimal_steps,
    wrong=(
        lambda lam, w, K: chebyshev_steps(float(lam.min()), float(lam.max()), K),
        lambda lam, w, K: torch.full((K,), tied_step(float(lam.min()), float(lam.max()))),
        lambda lam, w, K: gauss_steps(lam, w / lam, K),
    ),
    explanation=(
        "The library's `gauss_steps` finds the same steps by Lanczos, which stays accurate when "
        "powers of $\\lambda$ do not."
    ),
)

QUICK_CHECKS = (LEAST_PRODUCT, TWO_LAYERS, ORDER, SAME_START, STATE_EVOLUTION, OPTIMAL_STEPS)
