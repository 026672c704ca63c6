"""The questions of the unrolling chapter; every key is computed here, by the library."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import sympy as sp
import torch
from torch import Tensor, nn

from unrolled.guarantees import evaluate
from unrolled.guarantees.latex import latex
from unrolled.guarantees.unrolling import (
    TwoEigenvalues,
    divergence_free_step,
    row_orthogonal,
)
from unrolled.networks import (
    ALISTA,
    LISTACP,
    GradientNet,
    HyperLISTA,
    OAMPNet,
    TiLISTA,
    UnrolledNet,
)
from unrolled.prox import soft_threshold
from unrolled.sensing import DenseOperator, gaussian
from unrolled.teaching import Misconception, Option, QuickCheck

Layer = Callable[[Tensor, Tensor, Tensor, float, float], Tensor]


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@cache
def _problem() -> tuple[DenseOperator, Tensor, Tensor]:
    """A matrix (4, 6), measurements (3, 4) and what five tied layers make of them, float64."""
    generator = _generator()
    operator = gaussian(4, 6, generator=generator, dtype=torch.float64)
    y = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        return operator, y, GradientNet(operator, 5, steps=0.2, tied=True)(y)


def _descend(operator: DenseOperator, y: Tensor, step: float, count: int) -> Tensor:
    x = y.new_zeros(len(y), operator.shape[1])
    for _ in range(count):
        x = x + step * operator.adjoint(y - operator.forward(x))
    return x


def _equals_descent(step: float, count: int) -> bool:
    operator, y, output = _problem()
    return torch.allclose(output, _descend(operator, y, step, count), rtol=1e-10)


def _equals_least_squares() -> bool:
    operator, y, output = _problem()
    return torch.allclose(output, y @ torch.linalg.pinv(operator.dense()).T, rtol=1e-10)


def _depends_on_chance() -> bool:
    """Whether another start of torch's generator makes another network."""
    operator, y, output = _problem()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        return not torch.equal(GradientNet(operator, 5, steps=0.2, tied=True)(y), output)


SAME_MAP = QuickCheck.choice(
    name="unrolling.same-map",
    prompt=(
        r"A `GradientNet` with five tied layers and step $\eta$ has not been trained yet. "
        r"For every $y$ its output is"
    ),
    options=(
        Option(
            r"the minimiser of $\tfrac12\|y-Ax\|^2$",
            _equals_least_squares,
            "Gradient descent only tends to it. Five layers stop on the way.",
        ),
        Option(
            r"the fifth iterate of gradient descent with step $\eta$",
            lambda: _equals_descent(0.2, 5),
            "Yes, the same vector: unrolling changes nothing until something is learned.",
        ),
        Option(
            r"the first iterate of gradient descent with step $5\eta$",
            lambda: _equals_descent(1.0, 1),
            "One long step is not five short ones: each layer looks at a new residual.",
        ),
        Option(
            "noise, until training has found weights",
            _depends_on_chance,
            r"Most networks start at random. This one starts at $\eta$; nothing in it is drawn.",
        ),
    ),
)


_theta, _eta, _a = sp.symbols("theta eta A", positive=True)
_bias = _theta / (_eta * _a**2)


def _limits(a: Tensor, step: Tensor, threshold: Tensor) -> Tensor:
    """Where ISTA on one unknown, x* = 1, stands still, for tensors of A, η and θ."""
    x = torch.zeros_like(a)
    for _ in range(300):
        x = soft_threshold(x + step * a * (a - a * x), threshold)
    return x


@cache
def _bias_cases() -> tuple[Tensor, Tensor]:
    """Several (A, η, θ), a row each, and the bias 1 − lim x_k that ISTA has there."""
    # ISTA converges for ηA² < 2; where θ/(ηA²) is above x* it ends at zero.
    grid = itertools.product((0.5, 1.0, 2.0, 3.0), (0.2, 1.0, 1.6), (0.01, 0.1))
    cases = torch.tensor([(a, rate / a**2, theta) for a, rate, theta in grid], dtype=torch.float64)
    return cases, 1 - _limits(*cases.T)


def _is_the_bias(formula: sp.Expr) -> bool:
    cases, biases = _bias_cases()
    values = [evaluate(formula, dict(zip((_a, _eta, _theta), case, strict=True))) for case in cases]
    return torch.allclose(biases, biases.new_tensor(values), rtol=0, atol=1e-9)


def _biased_limit() -> Fraction:
    """The limit for A = 1, η = 1 and θ = 1/10.

    Raises:
        ValueError: what the explanation says of other A and η is not so.
    """
    if not _is_the_bias(_bias):
        raise ValueError(f"the bias of ISTA is not {_bias}")
    one = torch.ones((), dtype=torch.float64)
    return Fraction(float(_limits(one, one, one / 10))).limit_denominator(1000)


BIAS = QuickCheck.numeric(
    name="unrolling.bias",
    prompt=(
        r"One unknown, $A=1$, no noise, $x^\star=1$. Every layer is $x\leftarrow S_\theta(x+y-Ax)$ "
        r"with the same $\theta=1/10$. What does $x_k$ tend to as $k\to\infty$?"
    ),
    answer=_biased_limit,
    misconceptions=(
        Misconception(1, "The threshold cuts $1/10$ off in every layer, the last one included."),
        Misconception(0, "It cuts only once per layer, and the residual brings the rest back."),
        Misconception(
            lambda: 1 - Fraction(1, 10) ** 2,
            "That would be the second layer if a tenth of the *residual* were cut off. The "
            "threshold cuts $1/10$ off $x+y-Ax$, which is $1$ in every layer.",
        ),
        Misconception(
            lambda: 1 - 2 * Fraction(1, 10),
            r"That cuts twice without the step between, which brings $x$ back to $1$ first.",
        ),
    ),
    explanation=(
        r"A fixed threshold leaves a bias, here of $\theta$. With another $A$ and a step $\eta$ it "
        rf"is ${latex(_bias)}$, if $x^\star$ is larger than that and $\eta A^2<2$: there the step "
        r"$\eta A(y-Ax)$ gives back what the threshold takes. Thresholds that fall to zero leave "
        "none: a reason to learn one for each layer."
    ),
)


def _count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


@cache
def _sized() -> DenseOperator:
    return gaussian(25, 50, generator=_generator())


PARAMETERS = QuickCheck.numeric(
    name="unrolling.parameters",
    prompt=(
        r"Ten layers $x\leftarrow S_{\theta_k}\bigl(x+\gamma_kW^\top(y-Ax)\bigr)$ with $m=25$, "
        r"$n=50$ share one learned matrix $W$; each has its own learned $\gamma_k$ and $\theta_k$. "
        "How many numbers are learned?"
    ),
    answer=lambda: _count(TiLISTA(_sized(), 10)),
    misconceptions=(
        Misconception(lambda: _count(ALISTA(_sized(), 10)), "That leaves out $W$."),
        Misconception(
            lambda: _count(TiLISTA(_sized(), 10)) - _count(ALISTA(_sized(), 10)),
            r"That is $W$ alone. The $\gamma_k$ and $\theta_k$ are learned, too.",
        ),
        Misconception(
            lambda: _count(TiLISTA(_sized(), 10)) - 10,
            "That is one number for each layer beside $W$; there are two.",
        ),
        Misconception(
            lambda: _count(LISTACP(_sized(), 10)) + 10, "That counts the shared matrix ten times."
        ),
        Misconception(
            lambda: _count(TiLISTA(_sized(), 10)) + 25 * 50,
            "That counts $A$ as well, which is given and stays.",
        ),
    ),
    explanation="$mn+2K$: one matrix for all layers, and two numbers in each of them.",
)


@cache
def _scales(build: Callable[[DenseOperator, int], UnrolledNet]) -> bool:
    """Whether the network makes of a signal a thousand times smaller what it made of the signal."""
    operator, y, _ = _problem()
    net = build(operator, 5)
    with torch.no_grad():
        return torch.allclose(net(y / 1000), net(y) / 1000, rtol=1e-6, atol=0)


SCALED = QuickCheck.choice(
    name="unrolling.scaled",
    prompt=(
        "The signals of a test are a thousand times smaller than those of the training, and there "
        "is no noise. Which networks make the same relative error on them as before?"
    ),
    options=(
        Option(
            "LISTA-CP",
            lambda: _scales(LISTACP),
            "Its thresholds are numbers that were right for the old signals. All of a small signal "
            "lies below them.",
        ),
        Option(
            "ALISTA",
            lambda: _scales(ALISTA),
            r"$\gamma_k$ would not mind, but $\theta_k$ is a fixed number as well.",
        ),
        Option(
            "HyperLISTA",
            lambda: _scales(lambda A, depth: HyperLISTA(A, depth, start=(0.05, 0.01, 0.1))),
            "Yes: its thresholds are in proportion to the residual. The share that it selects "
            "depends on how much smaller the residual has become, and its momentum on a count; "
            "neither changes with the size.",
        ),
        Option(
            r"OAMPNet, made for noise of variance $\sigma^2=0$",
            lambda: _scales(lambda A, depth: OAMPNet(A, depth, noise=0.0)),
            r"Yes: its thresholds are multiples of the $\tau$ that it estimates from the residual.",
        ),
    ),
    several=True,
)


@cache
def _growth() -> Fraction:
    """The factor by which one layer multiplies an error in the row space, m/n = 1/5."""
    operator = row_orthogonal(4, 20, generator=_generator())
    error = operator.adjoint(torch.ones(1, 4, dtype=torch.float64))
    after = divergence_free_step(operator, error, torch.zeros(1, 4, dtype=torch.float64), 0.5)
    return Fraction(float(after.norm() / error.norm())).limit_denominator(1000)


GROWTH = QuickCheck.numeric(
    name="unrolling.growth",
    prompt=(
        r"A divergence-free layer with orthonormal rows, $m/n=1/5$, and the identity for a "
        "denoiser. By which factor does the *size* of an error in the row space grow in each layer?"
    ),
    answer=_growth,
    misconceptions=(
        Misconception(5, r"That is the gain $n/m$ of the step; the error keeps a share of itself."),
        Misconception(0.8, r"That is $1-m/n$; the gain of the step is $n/m$."),
        Misconception(1, "Only the part of the error that $A$ cannot see stays as it is."),
        Misconception(
            lambda: -_growth(),
            "That is what the error itself is multiplied by. It changes its sign, and its size "
            "grows by the absolute value.",
        ),
        Misconception(
            lambda: _growth() ** 2,
            "That is the factor of the *squared* size.",
        ),
        Misconception(
            lambda: Fraction(2),
            "That was for three unknowns per measurement; here there are five.",
        ),
    ),
    explanation=r"The layer maps such an error $e$ to $(1-n/m)e$.",
)


def _survives(depth: int) -> bool:
    """Whether the network that was trained for `depth` layers ends near 0 after 600."""
    return float(TwoEigenvalues(high=4, share=0.01, depth=depth, layers=600).errors()[-1]) < 1e-6


RUN_FOR_EVER = QuickCheck.choice(
    name="unrolling.run-for-ever",
    prompt=(
        r"Predict, then try it in the chart. Eigenvalues $1$ and $M=4$, a share $w=1/100$ of the "
        r"error at $M$, one step for all layers. Which of these trained networks may be run for "
        "ever?"
    ),
    options=tuple(
        Option(
            f"trained for {depth} {'layer' if depth == 1 else 'layers'}",
            lambda depth=depth: _survives(depth),
            feedback,
        )
        for depth, feedback in (
            (
                1,
                "One layer makes little of a hundredth of the error, even if it grows. So the step "
                "is made for the rest of it, and the error at $M$ grows in each layer.",
            ),
            (2, "Nor do two layers make enough of it: the training loss hardly sees the error."),
            (3, "Yes: the deeper the training, the more an error that grows would cost."),
            (
                4,
                r"Yes: what four layers would have made of the error at $M$ the training loss saw.",
            ),
        )
    ),
    several=True,
    explanation=(
        r"The theorem below says where the line is: $t=(wM/(1-w))^{1/(2K-1)}$ against $1-2/M$. "
        r"Depth in training helps, but for $M>2$ and every depth there is a $w$ that is too small."
    ),
)


def ista_layer(x: Tensor, y: Tensor, A: Tensor, step: float, penalty: float) -> Tensor:
    """A gradient step, then a soft threshold that belongs to the step."""
    u = x + step * (y - x @ A.T) @ A
    return torch.sign(u) * torch.relu(u.abs() - step * penalty)


def _unscaled(x: Tensor, y: Tensor, A: Tensor, step: float, penalty: float) -> Tensor:
    return soft_threshold(x + step * (y - x @ A.T) @ A, penalty)


def _hard(x: Tensor, y: Tensor, A: Tensor, step: float, penalty: float) -> Tensor:
    u = x + step * (y - x @ A.T) @ A
    return u * (u.abs() > step * penalty)


def _uphill(x: Tensor, y: Tensor, A: Tensor, step: float, penalty: float) -> Tensor:
    return soft_threshold(x - step * (y - x @ A.T) @ A, step * penalty)


def _check_layer(layer: Layer) -> None:
    """Repeat the layer; where it stands still, the optimality conditions of the lasso must hold."""
    generator = _generator()
    operator = gaussian(12, 8, generator=generator, dtype=torch.float64)
    A, penalty = operator.dense(), 0.3
    y = torch.randn(5, 12, generator=generator, dtype=torch.float64)
    step = 1 / float(operator.eigenvalues[-1])
    x = torch.zeros(5, 8, dtype=torch.float64)
    for _ in range(3000):
        x = layer(x, y, A, step, penalty)
        assert torch.is_tensor(x), "Return the next iterate, a tensor."
        assert x.shape == (5, 8), f"The next iterate has the shape (B, n), not {tuple(x.shape)}."
        assert x.isfinite().all(), "Repeated, your layer runs off to infinity. Check a sign."
    correlation = (y - x @ A.T) @ A
    active = x != 0
    assert (correlation.abs() <= penalty + 1e-9).all(), (
        "Repeated, your layer stops where some |aᵢᵀ(y − Ax)| exceeds the penalty."
    )
    assert torch.allclose(correlation[active], penalty * torch.sign(x[active]), atol=1e-9), (
        "Repeated, your layer stops where an active entry does not meet aᵢᵀ(y − Ax) = ±penalty. "
        "Which threshold belongs to the step?"
    )


WRITE_LAYER = QuickCheck.code(
    name="unrolling.write-a-layer",
    prompt=(
        r"Write one layer of ISTA for $\tfrac12\|y-Ax\|^2+\beta\,\|x\|_1$: `x` is $(B,n)$, `y` is "
        r"$(B,m)$, `A` is $(m,n)$; `step` is $\eta$ and `penalty` is $\beta$."
    ),
    stub="def ista_layer(x, y, A, step, penalty):\n    return ...  # the next iterate",
    check=_check_layer,
    solution=ista_layer,
    wrong=(_unscaled, _hard, _uphill),
    explanation=(
        "The check repeats your layer until it stands still and tests the optimality conditions "
        "there, so any correct way to write it passes."
    ),
)

QUICK_CHECKS = (SAME_MAP, BIAS, PARAMETERS, SCALED, GROWTH, RUN_FOR_EVER, WRITE_LAYER)
