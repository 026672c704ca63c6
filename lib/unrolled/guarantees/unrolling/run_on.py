"""A network trained for K layers and run for more: two eigenvalues, one step, closed form."""

from __future__ import annotations

import sympy as sp
import torch

from unrolled.guarantees import (
    AT_MOST,
    EQUAL,
    Assumption,
    Definition,
    Derivation,
    Refutation,
    Step,
    Theorem,
    draw,
    evaluate,
)
from unrolled.guarantees.notation import Norm, over
from unrolled.guarantees.unrolling.instances import TwoEigenvalues
from unrolled.guarantees.unrolling.symbols import A, K, M, k, share, t

_ratio = (share * M / (1 - share)) ** (1 / (2 * K - 1))
_step_in_t = (1 + t) / (1 + t * M)
_small_in_t = t * (M - 1) / (1 + t * M)  # what a layer multiplies the error at 1 by
growth_in_t = (M - 1) / (1 + t * M)  # and, up to its sign, the error at M
_error_in_t = (1 - share) * _small_in_t ** (2 * k) + share * growth_in_t ** (2 * k)

trained_step = _step_in_t.subs(t, _ratio)
growth = growth_in_t.subs(t, _ratio)
run_on_error = _error_in_t.subs(t, _ratio)

_converges = sp.Gt(t, 1 - 2 / M)
_converges_always = sp.Le(M, 2)
_diverges = sp.Lt(t, _converges.rhs)


def _draw_two(generator: torch.Generator) -> TwoEigenvalues:
    return TwoEigenvalues(
        high=1 + 10 ** draw.uniform(generator, -0.2, 0.6),
        share=10 ** draw.uniform(generator, -4, -0.05),
        depth=draw.integer(generator, 1, 6),
        layers=draw.integer(generator, 0, 10),
    )


def _untied(generator: torch.Generator) -> TwoEigenvalues:
    # One layer for each eigenvalue: two different steps leave no error at all.
    steps = torch.tensor([1.0, 0.25], dtype=torch.float64)
    return TwoEigenvalues(high=4, share=0.1, depth=2, layers=2, steps=steps)


def _other_signals(generator: torch.Generator) -> TwoEigenvalues:
    return TwoEigenvalues(high=4, share=0.1, depth=2, layers=2, test_share=0.9)


def _values(instance: TwoEigenvalues) -> dict[sp.Symbol, float]:
    return {M: instance.high, share: instance.share, K: instance.depth, k: instance.layers}


_error = sp.Symbol("e_k")
_mean_square = over(r"\mathbb E", "mean", Norm(_error) ** 2)

_eta = sp.Symbol("eta", real=True)
_v = sp.Symbol("v", positive=True)
_loss = (1 - share) * (1 - _eta) ** (2 * K) + share * (1 - M * _eta) ** (2 * K)
_slope = (1 - share) * (1 - _eta) ** (2 * K - 1) + share * M * (1 - M * _eta) ** (2 * K - 1)

RUN_ON = Theorem(
    name="unrolling.run-on",
    title="Trained for K layers, run for k",
    statement=r"""
        Let $H=<<hessian>>$ have two eigenvalues, of which the smaller one is one and the larger one
        $M$. Let a share $w$ of the squared error, neither none nor all of it, lie at $M$, and let
        $\mathbb E\|e_0\|^2$ be one. Train gradient descent with one step for all of its $K$ layers.
        The error after $K$ layers has exactly one minimiser,

        $$
        \eta=<<step>>,\qquad t=<<t>>,
        $$

        where $t$ weighs the share at $M$ against the rest, and the network that uses it has, after
        any number $k$ of layers, the error

        $$
        <<quantity>> <<relation>> <<bound>>.
        $$

        Hence it converges as $k\to\infty$ if $<<converges>>$, for $<<always>>$ whatever $t$ is, and
        diverges if $<<diverges>>$.
        """,
    assumptions=(
        Assumption(
            "all layers share one step",
            _untied,
            holds=lambda i: i.steps is None or bool((i.steps == i.steps[0]).all()),
        ),
        Assumption(
            "the network is run on signals like those it was trained on",
            _other_signals,
            holds=lambda i: i.test_share in (None, i.share),
        ),
        Assumption("there is no noise"),
    ),
    quantity=_mean_square,
    relation=EQUAL,
    bound=_error_in_t,
    where={t: _ratio},
    formulas={
        "step": _step_in_t,
        "converges": _converges,
        "always": _converges_always,
        "diverges": _diverges,
    },
    definitions={
        "hessian": Definition(
            A.T * A,
            values=lambda instance: {A: instance.operator.dense()},
            code=lambda instance: torch.tensor([[1, 0], [0, instance.high]], dtype=torch.float64),
        )
    },
    draw=_draw_two,
    measure=lambda instance: {_error: instance.last_errors()},
    values=_values,
    slack=1e-6,
    source="Proved in the chapter.",
    derivation=Derivation(
        (
            Step.equal(
                r"The derivative of the training error with respect to $\eta$ is",
                sp.Derivative(_loss, _eta),
                -2 * K * _slope,
            ),
            Step.equal(
                r"The bracket falls as $\eta$ grows, so that it vanishes once: its derivative is",
                sp.Derivative(_slope, _eta),
                -(2 * K - 1)
                * (
                    (1 - share) * (1 - _eta) ** (2 * K - 2)
                    + share * M**2 * (1 - M * _eta) ** (2 * K - 2)
                ),
            ),
            Step.equal(
                r"At $\eta=(1+t)/(1+tM)$ a layer multiplies the error at eigenvalue $1$ by",
                1 - _step_in_t,
                _small_in_t,
            ),
            Step.equal("and the one at $M$ by", 1 - M * _step_in_t, -growth_in_t),
            Step.equal(
                "so that the derivative vanishes there, with $v$ for the second factor:",
                (1 - share) * (_ratio * _v) ** (2 * K - 1),
                share * M * _v ** (2 * K - 1),
                domain=(share < 1,),
            ),
            Step.less(
                "The error at $1$ always falls,",
                _small_in_t,
                1,
                gap=(1 + t) / (1 + t * M),
            ),
            Step.less(
                "the one at $M$ falls if $t$ is large,",
                growth_in_t,
                1,
                gap=M * (t - _converges.rhs) / (1 + t * M),
                domain=(_converges, M > 1),
            ),
            Step.at_most(
                "as every positive $t$ is if $M$ is small,",
                _converges.rhs,
                0,
                gap=(2 - M) / M,
                domain=(_converges_always,),
            ),
            Step.less(
                "and it grows if $t$ is small.",
                1,
                growth_in_t,
                gap=M * (_diverges.rhs - t) / (1 + t * M),
                domain=(_diverges, M > 2),
            ),
        )
    ),
)

INHERITS = Refutation(
    name="unrolling.inherits",
    title="the network inherits the convergence of its algorithm",
    claim=(
        "Gradient descent converges, and a network of gradient layers is gradient descent. So a "
        "network that does well after $K$ layers does no worse after more of them. The instance "
        "below: $M=4$, $w=10^{-4}$, $K=4$, run for $k=40$ layers."
    ),
    quantity=_mean_square,
    relation=AT_MOST,
    bound=_error_in_t.subs(k, K),
    instance=lambda _: TwoEigenvalues(high=4, share=1e-4, depth=4, layers=40),
    measure=lambda instance: {_error: instance.last_errors()},
    values=lambda i: {**_values(i), t: evaluate(_ratio, _values(i))},
    truth=(
        "Training for $K$ layers chooses the step that is best on average at the exit. A "
        "direction that carries little of the error may grow in each layer and still not show "
        r"there. Gradient descent converges for $\eta<2/M$; nothing in the training loss asks for "
        "that."
    ),
    source="Common in introductions to unrolled networks.",
)
