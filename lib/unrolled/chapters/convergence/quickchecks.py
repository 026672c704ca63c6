"""The questions of the convergence chapter; every key is computed here, by the library."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import evaluate
from unrolled.guarantees.convergence import best_tied, conjugate_gradient_error, rate, trap
from unrolled.guarantees.convergence import symbols as ex
from unrolled.guarantees.convergence.instances import polynomial
from unrolled.iterations import chebyshev_steps, gauss_steps, tied_step
from unrolled.networks import GradientNet
from unrolled.teaching import Misconception, Option, QuickCheck

KAPPA, DEPTH = 9.0, 3


def _tied(depth: int) -> sp.Expr:
    """What the best constant step leaves of the error between the eigenvalues 1 and 9."""
    return ex.tied_factor.subs({ex.kappa: 9, ex.K: depth})


def _left(*roots: int) -> sp.Expr:
    """The larger of the errors at the eigenvalues 1 and 9, for layers with these roots."""
    return max(abs(sp.prod(1 - sp.Rational(at, root) for root in roots)) for at in (1, 9))


TWO_LAYERS = QuickCheck.numeric(
    name="convergence.two-layers",
    prompt=(
        "With both roots at $5$, the best constant step used twice, "
        rf"${sp.latex(_tied(2))}$ of the error is left at either eigenvalue. You may move the "
        "roots as you like. *Predict before you drag:* how small can the larger of the two last "
        "bars become?"
    ),
    answer=lambda: min(_left(*roots) for roots in itertools.product((1, 3, 5, 7, 9), repeat=2)),
    misconceptions=(
        Misconception(
            lambda: _tied(2),
            "That is the best that two *equal* roots can do. Move them apart.",
        ),
        Misconception(lambda: _tied(1), "That is what one layer leaves. There are two."),
        Misconception(
            lambda: _left(9, 9),
            "That is both roots at $9$. The error at $9$ is gone after the first layer; the "
            "second is free for the other one.",
        ),
        Misconception(
            lambda: _left(9),
            "That is what a root at $9$ leaves at $1$. You have a second root.",
        ),
        Misconception(
            lambda: _left(1),
            "That is what a root at $1$ makes of the error at $9$: the line is steep. A second "
            "root can undo it.",
        ),
        Misconception(
            lambda: _left(1) * _left(9),
            "That is the worst of one layer times the worst of the other. They are worst at "
            "different eigenvalues.",
        ),
        Misconception(
            lambda: sp.simplify(ex.chebyshev_factor.subs({ex.kappa: 9, ex.K: 2})),
            "That is the best for *all* eigenvalues between $1$ and $9$, which comes later. Here "
            "there are only two.",
        ),
    ),
    explanation=(
        "Put a root on each eigenvalue. Each layer removes one error for good, whatever it does "
        "to the other."
    ),
)


@cache
def _least_product() -> float:
    # Each factor depends on its own step alone, so the least product is the least factor's power.
    steps = torch.linspace(0.01, 2, 200_000, dtype=torch.float64)
    return float(rate(steps, 1.0, KAPPA).min()) ** DEPTH


def _tied_product() -> float:
    return evaluate(ex.tied_factor, {ex.kappa: KAPPA, ex.K: DEPTH})


LEAST_PRODUCT = QuickCheck.choice(
    name="convergence.product-of-rates",
    prompt=(
        r"On the interval $[1,9]$ the best constant step, $1/5$, has the rate "
        rf"$\rho^\star={sp.latex(_tied(1))}$. Give three layers a step each, as you like, and "
        r"multiply the three rates $\rho(\eta_1)\,\rho(\eta_2)\,\rho(\eta_3)$. *Predict:* the "
        "smallest value of this product is"
    ),
    options=(
        Option(
            r"smaller than $(\rho^\star)^3$, if the steps are chosen well",
            lambda: _least_product() < 0.999 * _tied_product(),
            "For that one of the three rates would have to be smaller than the rate of the best "
            "constant step. But then *its* step would be a better constant step.",
        ),
        Option(
            r"exactly $(\rho^\star)^3$",
            lambda: abs(_least_product() - _tied_product()) < 1e-4 * _tied_product(),
            r"Yes. Each factor is at least $\rho^\star$, so the product of rates cannot improve, "
            "although the layers together can.",
        ),
        Option(
            r"larger than $(\rho^\star)^3$, whatever the steps",
            lambda: _least_product() > 1.001 * _tied_product(),
            "Steps of your choice may all be equal: three times $1/5$ has the product "
            r"$(\rho^\star)^3$.",
        ),
        Option(
            "$0$, with roots on $1$ and $9$",
            lambda: _least_product() < 1e-9,
            "The *layers together* are zero there, as in the chart. Their rates are not: the layer "
            f"with root $1$ has the rate ${sp.latex(_left(1))}$, from the eigenvalue $9$. A rate "
            "looks at one layer alone.",
        ),
    ),
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
        "order of its steps. *Predict:* its output changes"
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


def _noiseless_error(depth: int) -> sp.Expr:
    """v_K at c = 1 and without noise."""
    v = sp.Integer(1)
    for _ in range(depth):
        v = ex.state_evolution.subs({ex.v: v, ex.c: 1, ex.noise: 0})
    return v


STATE_EVOLUTION = QuickCheck.choice(
    name="convergence.state-evolution",
    prompt=(
        "Gaussian sensing of large signals, as many measurements as unknowns ($c=1$), no noise: "
        rf"the best single layer leaves $v_1={sp.latex(_noiseless_error(1))}$ of the mean squared "
        "error. *Predict:* the best four layers leave"
    ),
    options=(
        Option(
            rf"${sp.latex(_noiseless_error(1) ** 4)}$: each layer leaves half of what it meets",
            lambda: _noiseless_error(4) == _noiseless_error(1) ** 4,
            "What the first layer leaves lies where it is worst, at the smallest and the largest "
            "eigenvalues. The second meets a harder error than the first did.",
        ),
        Option(
            r"$\tfrac15$",
            lambda: _noiseless_error(4) == sp.Rational(1, 5),
            "Yes: "
            + ", ".join(f"${sp.latex(_noiseless_error(k))}$" for k in range(5))
            + ". At $c=1$ there are eigenvalues as small as one likes, and depth helps slowly.",
        ),
        Option(
            r"$\tfrac14$",
            lambda: _noiseless_error(4) == sp.Rational(1, 4),
            "That is what three layers leave. Before the first layer the error is one.",
        ),
        Option(
            "$0$: four roots are enough",
            lambda: _noiseless_error(4) == 0,
            "Four roots remove the error at four eigenvalues. There are as many as unknowns.",
        ),
    ),
    explanation="The next theorem gives the rule, $v_{k+1}=v_k/(1+v_k)$ for this case.",
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
        "Six layers with a step each. All six start at $0.3$, a common choice, and gradient "
        "descent with a small learning rate trains them in exact arithmetic for as long as you "
        "like. *Predict:* the steps converge to"
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
        reached = float((w * polynomial(lam, steps) ** 2).sum())
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

QUICK_CHECKS = (TWO_LAYERS, LEAST_PRODUCT, ORDER, OPTIMAL_STEPS, SAME_START, STATE_EVOLUTION)
