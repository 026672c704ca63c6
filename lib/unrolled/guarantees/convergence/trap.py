"""Started at equal steps, training never leaves the tied networks."""

from __future__ import annotations

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import AT_LEAST, AT_MOST, Assumption, Derivation, Refutation, Step, Theorem
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.symbols import J_best, J_tied, K
from unrolled.guarantees.draw import uniform
from unrolled.training import fit

_h, _lam, _g = sp.symbols("h lambda g", real=True)
_eta1, _eta2 = sp.symbols("eta_1 eta_2", real=True)
_PAIR = (1 - _eta1 * _lam) * (1 - _eta2 * _lam)
_SQUARE = (_PAIR * _g) ** 2  # p²


def best_tied(eigenvalues: Tensor, weights: Tensor, depth: int) -> tuple[float, float]:
    """The best single step h for all layers, and its J: bisection on a convex function's slope."""

    def slope(h: float) -> float:
        factor = 1 - h * eigenvalues
        return float(-(weights * eigenvalues * factor ** (2 * depth - 1)).sum())

    low, high = 1 / float(eigenvalues.max()), 1 / float(eigenvalues.min())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    h = (low + high) / 2
    return h, float((weights * (1 - h * eigenvalues) ** (2 * depth)).sum())


def _trained_error(instance: instances.Unrolled, *, steps: int = 25) -> float:
    net, data = instance.problem()
    fit(net, data, steps=steps, lr=0.05 * float(instance.steps.mean()), progress=False)
    return instance.with_steps(net.steps.detach()).squared_error()


def _tied_values(instance: instances.Unrolled) -> dict[sp.Symbol, float]:
    return {J_tied: best_tied(instance.eigenvalues, instance.weights, instance.depth)[1]}


def _near_the_best_constant(generator: torch.Generator) -> instances.Unrolled:
    # Where escaping would show at once: within a few per cent of the saddle.
    instance = instances.equal_start(generator)
    h, _ = best_tied(instance.eigenvalues, instance.weights, instance.depth)
    start = h * (1 + uniform(generator, -0.05, 0.05))
    return instance.with_steps(torch.full_like(instance.steps, start))


def _a_little_apart(generator: torch.Generator) -> instances.Unrolled:
    instance = _near_the_best_constant(generator)
    spread = torch.linspace(-0.05, 0.05, instance.depth, dtype=torch.float64)
    return instance.with_steps(instance.steps * (1 + spread))


TRAP = Theorem(
    name="convergence.trap",
    title="The equal-initialisation trap",
    statement=r"""
        Start all steps at the same value. Gradient flow, gradient descent, stochastic gradients
        and Adam keep them equal in exact arithmetic, for ever: the loss never goes below the
        best tied network's,

        $$
        <<quantity>> <<relation>> <<bound>>.
        $$
        """,
    assumptions=(Assumption("all steps start equal", _a_little_apart),),
    quantity=r"J(\eta^{(t)})",
    relation=AT_LEAST,
    bound=J_tied,
    draw=_near_the_best_constant,
    measure=_trained_error,
    values=_tied_values,
    slack=1e-9,
    source="Proved in the chapter.",
    derivation=Derivation(
        (
            Step.equal(
                r"With $g$ for the other layers, the derivatives of $p^2$ with respect to two "
                r"steps differ by a multiple of $\eta_1-\eta_2$: where the steps are equal, so "
                "are their derivatives.",
                sp.Derivative(_SQUARE, _eta1) - sp.Derivative(_SQUARE, _eta2),
                -2 * _lam**2 * _g**2 * _PAIR * (_eta1 - _eta2),
            ),
            Step.at_most(
                "Restricted to tied steps the loss is convex in $h$, so that symmetric descent "
                "ends at the best tied step.",
                0,
                sp.Derivative((1 - _h * _lam) ** (2 * K), _h, _h),
                gap=2 * K * (2 * K - 1) * _lam**2 * ((1 - _h * _lam) ** 2) ** (K - 1),
            ),
        )
    ),
)


def eight_atoms(depth: int = 6) -> instances.Unrolled:
    """A fixed measure with eight eigenvalues, and equal steps that start at 0.3."""
    eigenvalues = torch.linspace(0.3, 3.0, 8, dtype=torch.float64)
    weights = torch.full((8,), 1 / 8, dtype=torch.float64)
    start = torch.full((depth,), 0.3, dtype=torch.float64)
    return instances.Unrolled(eigenvalues, weights, start, 0.3, 3.0)


TRAINING_FINDS_THEM = Refutation(
    name="convergence.training-finds-them",
    title="give every layer its own step, and training will use the freedom",
    claim=(
        "An untied network has the tied one as a special case, so after training from the "
        "usual constant start it comes close to the best layer-wise steps."
    ),
    quantity=r"J(\eta^{\text{trained}})",
    relation=AT_MOST,
    bound=2 * J_best,
    instance=lambda _: eight_atoms(),
    measure=lambda i: _trained_error(i, steps=400),
    values=lambda instance: {J_best: instances.best_error(instance)},
    truth=(
        "Equal steps have equal gradients, so a symmetric start stays symmetric, and the loss "
        "stops at the best tied network's. Break the tie at initialisation."
    ),
    source="Common practice in code that initialises all layers from one constant.",
)
