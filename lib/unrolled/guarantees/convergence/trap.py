"""Started at equal steps, training never leaves the tied networks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth, check_measure
from unrolled.guarantees import AT_LEAST, AT_MOST, Assumption, Derivation, Refutation, Step, Theorem
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.splitting import Pair
from unrolled.guarantees.convergence.symbols import J_best, J_tied, K
from unrolled.guarantees.draw import integer, uniform
from unrolled.training import fit

_h, _lam, _g = sp.symbols("h lambda g", real=True)
_eta1, _eta2 = sp.symbols("eta_1 eta_2", real=True)
_PAIR = (1 - _eta1 * _lam) * (1 - _eta2 * _lam)
_SQUARE = (_PAIR * _g) ** 2  # p²
_reached, _trained = sp.symbols(r"J(\eta^{(t)}) J(\eta^{\text{trained}})")


def best_tied(eigenvalues: Tensor, weights: Tensor, depth: int) -> tuple[float, float]:
    """The best single step h for all layers, and its J: bisection on a convex function's slope.

    ValueError unless eigenvalues and weights are (n,) and finite, weights ≥ 0, eigenvalues > 0.
    """
    check_depth(depth)
    check_measure(eigenvalues, weights)
    if not (eigenvalues > 0).all():
        raise ValueError("eigenvalues has entries that are 0; all must be > 0")

    def slope(h: float) -> float:
        factor = 1 - h * eigenvalues
        return float(-(weights * eigenvalues * factor ** (2 * depth - 1)).sum())

    low, high = 1 / float(eigenvalues.max()), 1 / float(eigenvalues.min())
    while low < (h := (low + high) / 2) < high:  # until no number lies between them
        low, high = (h, high) if slope(h) < 0 else (low, h)
    return h, float((weights * (1 - h * eigenvalues) ** (2 * depth)).sum())


def gradient_descent(start: instances.Unrolled, *, iterations: int, lr: float) -> Tensor:
    """Minimise J(η) from the steps of `start` by plain gradient descent: the steps at the end."""
    steps = start.steps.clone().requires_grad_()
    for _ in range(iterations):
        p = instances.polynomial(start.eigenvalues, steps)
        (gradient,) = torch.autograd.grad((start.weights * p**2).sum(), steps)
        with torch.no_grad():
            steps -= lr * gradient
    return steps.detach()


def _adam(start: instances.Unrolled, *, iterations: int) -> Tensor:
    net, data = start.problem()
    fit(net, data, steps=iterations, lr=0.05 * float(start.steps.mean()), progress=False)
    return net.steps.detach()


@dataclass(frozen=True)
class Training:
    """How a network is trained, and where that starts.

    Adam divides by the size of the gradient. At the best constant step that is rounding, which it
    would amplify; plain gradient descent stays.
    """

    start: instances.Unrolled
    adam: bool

    @property
    def tied(self) -> tuple[float, float]:
        """The best constant step, and its J."""
        start = self.start
        return best_tied(start.eigenvalues, start.weights, start.depth)

    def integrals(self, h: float) -> tuple[float, float]:
        """The splitting lemma's a and b for two of the layers, all with the step h."""
        start = self.start
        others = torch.full_like(start.steps[2:], h)
        return Pair(start.eigenvalues, start.weights, h, others).integrals()

    def with_steps(self, steps: Tensor) -> Training:
        return replace(self, start=self.start.with_steps(steps))

    def error(self) -> float:
        """J after some iterations."""
        if self.adam:
            steps = _adam(self.start, iterations=25)
        else:
            # Along equal steps J has the curvature 2(2K − 1)a, which is largest at one of the ends
            # of the way from the start to the best constant step.
            largest = max(self.integrals(h)[0] for h in (float(self.start.steps[0]), self.tied[0]))
            lr = 0.5 / (2 * (2 * self.start.depth - 1) * largest)
            steps = gradient_descent(self.start, iterations=25, lr=lr)
        return self.start.with_steps(steps).squared_error()


def _from_the_best_constant(generator: torch.Generator) -> Training:
    training = Training(instances.equal_start(generator), adam=False)
    return training.with_steps(torch.full_like(training.start.steps, training.tied[0]))


def _draw_training(generator: torch.Generator) -> Training:
    # Where escaping would show at once: within a few per cent of the saddle.
    training = _from_the_best_constant(generator)
    moved = training.start.steps * (1 + uniform(generator, -0.05, 0.05))
    return replace(training.with_steps(moved), adam=bool(integer(generator, 0, 1)))


def _a_little_moved(training: Training, generator: torch.Generator) -> Training:
    return training.with_steps(training.start.steps * (1 + uniform(generator, -0.01, 0.01)))


def _a_little_apart(generator: torch.Generator) -> Training:
    # Already below the best constant step, by what the splitting lemma says.
    training = _from_the_best_constant(generator)
    a, b = training.integrals(training.tied[0])
    shift = torch.zeros_like(training.start.steps)
    shift[0], shift[1] = (a / b) ** 0.5, -((a / b) ** 0.5)
    return training.with_steps(training.start.steps + shift)


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
    assumptions=(
        Assumption(
            "all steps start equal",
            _a_little_apart,
            lambda training: len(training.start.steps.unique()) == 1,
        ),
    ),
    quantity=_reached,
    relation=AT_LEAST,
    bound=J_tied,
    draw=_draw_training,
    attained=_from_the_best_constant,
    nearby=_a_little_moved,
    measure=lambda training: {_reached: training.error()},
    values=lambda training: {J_tied: training.tied[1], K: training.start.depth},
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
    quantity=_trained,
    relation=AT_MOST,
    bound=2 * J_best,
    instance=lambda _: eight_atoms(),
    measure=lambda start: {
        _trained: start.with_steps(_adam(start, iterations=400)).squared_error()
    },
    values=lambda instance: {J_best: instances.best_error(instance)},
    truth=(
        "Equal steps have equal gradients, so a symmetric start stays symmetric, and the loss "
        "stops at the best tied network's. Break the tie at initialisation."
    ),
    source="Common practice in code that initialises all layers from one constant.",
)
