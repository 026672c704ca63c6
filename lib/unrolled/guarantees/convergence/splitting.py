"""Two equal steps can be moved apart at a gain: they are a strict saddle of the average error."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import EQUAL, Assumption, Derivation, Step, Theorem
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.symbols import K, a, b
from unrolled.guarantees.draw import uniform
from unrolled.guarantees.latex import latex

_h, _s, _t, _lam, _g = sp.symbols("h s t lambda g", real=True)
_UP = _h + _s
_DOWN = _h - _s
_SPLIT = (1 - _UP * _lam) * (1 - _DOWN * _lam)
_SQUARE = a / b  # the best s²
_A_DENSITY = _lam**2 * (1 - _h * _lam) ** 2 * _g**2
_B_DENSITY = _lam**4 * _g**2
_before = sp.Symbol(f"J({latex(_h)},{latex(_h)})")
_after = sp.Symbol(f"J({latex(_UP)},{latex(_DOWN)})")
_direction = sp.MatrixSymbol("v", K, 1)
_hessian = sp.MatrixSymbol(r"{\nabla^2J}", K, K)


@dataclass(frozen=True)
class Pair:
    """A network whose first two steps are equal to h, and the others are given."""

    eigenvalues: Tensor
    weights: Tensor
    h: float
    others: Tensor
    offset: float = 0.0  # how far the second step is from h

    @property
    def steps(self) -> Tensor:
        """(K,)."""
        pair = torch.tensor([self.h, self.h + self.offset], dtype=torch.float64)
        return torch.cat((pair, self.others))

    def loss(self, steps: Tensor) -> Tensor:
        """J(steps)."""
        return (self.weights * instances.polynomial(self.eigenvalues, steps) ** 2).sum()

    def error(self, shift: float) -> Tensor:
        """J(h + shift, h − shift, others): the two steps moved apart."""
        steps = self.steps
        steps[0], steps[1] = steps[0] + shift, steps[1] - shift
        return self.loss(steps)

    def integrals(self) -> tuple[float, float]:
        """a = ∫λ²(1−hλ)²g² dν and b = ∫λ⁴g² dν."""
        squares = self.weights * self._rest() ** 2
        common = 1 - self.h * self.eigenvalues
        first = (squares * self.eigenvalues**2 * common**2).sum()
        second = (squares * self.eigenvalues**4).sum()
        return float(first), float(second)

    def _rest(self) -> Tensor:
        return instances.polynomial(self.eigenvalues, self.others)


def _draw_pair(generator: torch.Generator) -> Pair:
    while True:
        instance = instances.best_average(generator)
        h = float(instance.steps.mean()) * uniform(generator, 0.2, 1.5)
        others = instances.random_steps(generator, instance)[2:]
        pair = Pair(instance.eigenvalues, instance.weights, h, others)
        # A gain below 1e-8 of the loss would measure rounding rather than the theorem.
        if instance.depth > 1:
            before, after = _split(pair).values()
            if before - after > 1e-8 * before:
                return pair


def _unequal_pair(generator: torch.Generator) -> Pair:
    pair = _draw_pair(generator)
    return replace(pair, offset=0.7 * pair.h)


def _pair_values(pair: Pair) -> dict[sp.Symbol, float]:
    first, second = pair.integrals()
    return {a: first, b: second}


def _split(pair: Pair) -> dict[sp.Symbol, float]:
    first, second = pair.integrals()
    shift = (first / second) ** 0.5
    return {_before: float(pair.error(0.0)), _after: float(pair.error(shift))}


def _curvature(pair: Pair) -> dict[sp.Basic, Tensor]:
    direction = torch.zeros(len(pair.steps), 1, dtype=torch.float64)
    direction[0], direction[1] = 0.5**0.5, -(0.5**0.5)
    return {
        _direction: direction,
        _hessian: torch.autograd.functional.hessian(pair.loss, pair.steps),
    }


SPLITTING = Theorem(
    name="convergence.splitting",
    title="Splitting lemma",
    statement=r"""
        Let two steps be equal to $h$, and let $g(\lambda)$ be what the other layers multiply the
        error at the eigenvalue $\lambda$ by. If $g$ does not vanish on all positive points of
        support of $\nu$, replace the pair $(h,h)$ by $(<<up>>,<<down>>)$ with $s^2=<<square>>$,
        where

        $$
        a=\int <<a_density>>\,d\nu,\qquad b=\int <<b_density>>\,d\nu.
        $$

        Then $J$ falls by exactly

        $$
        <<quantity>> <<relation>> <<bound>>.
        $$

        It is positive whenever the network leaves an error at some positive point of support; so
        for two layers or more and two or more such points, the best tied network is not the best
        network.
        """,
    assumptions=(
        Assumption("the two steps are equal before", _unequal_pair, lambda pair: pair.offset == 0),
    ),
    quantity=_before - _after,
    relation=EQUAL,
    bound=a**2 / b,
    formulas={
        "up": _UP,
        "down": _DOWN,
        "square": _SQUARE,
        "a_density": _A_DENSITY,
        "b_density": _B_DENSITY,
    },
    draw=_draw_pair,
    measure=_split,
    values=_pair_values,
    slack=1e-6,
    source="Proved in the chapter.",
    derivation=Derivation(
        (
            Step.equal(
                "Splitting changes the product of the pair by a square,",
                _SPLIT,
                (1 - _h * _lam) ** 2 - _s**2 * _lam**2,
            ),
            Step.equal(
                "so the integrand changes by",
                (_SPLIT * _g) ** 2 - ((1 - _h * _lam) ** 2 * _g) ** 2,
                -2 * _s**2 * _A_DENSITY + _s**4 * _B_DENSITY,
            ),
            Step.equal(
                "and the integral by $-2as^2+bs^4$, which at $s^2=a/b$ is",
                sp.Subs(-2 * a * _t + b * _t**2, _t, _SQUARE),
                -(a**2) / b,
            ),
            Step.at_most(
                "the least it can be.",
                -(a**2) / b,
                -2 * a * _s**2 + b * _s**4,
                gap=b * (_s**2 - _SQUARE) ** 2,
            ),
        )
    ),
)
CURVATURE = Theorem(
    name="convergence.curvature",
    title="Equal steps are strict saddles",
    statement=r"""
        Where two steps are equal, the curvature of $J$ along the unit vector $v$ that moves them
        apart is

        $$
        <<quantity>> <<relation>> <<bound>>,
        $$

        with $a$ as in the splitting lemma. So a critical point with equal steps is a strict
        saddle; a critical point with distinct steps satisfies the normal equations of the
        least-squares problem for $p$ and is a global minimum.
        """,
    assumptions=(
        Assumption("the two steps are equal", _unequal_pair, lambda pair: pair.offset == 0),
        Assumption(r"$\nu$ has at least $K$ positive points of support"),
    ),
    quantity=sp.MatMul(_direction.T, _hessian, _direction),
    relation=EQUAL,
    bound=-2 * a,
    draw=_draw_pair,
    measure=_curvature,
    values=_pair_values,
    slack=1e-6,
    source="Proved in the chapter; compare Trager, Kohn and Bruna (2019) on linear networks.",
    derivation=Derivation(
        (
            Step.equal(
                r"Along $v$ the pair is split by $s=t/\sqrt2$, and the second derivative at $t=0$ "
                "of $-2as^2+bs^4$ is",
                sp.Subs(
                    sp.Derivative((-2 * a * _s**2 + b * _s**4).subs(_s, _t / sp.sqrt(2)), _t, _t),
                    _t,
                    0,
                ),
                -2 * a,
            ),
        )
    ),
)
