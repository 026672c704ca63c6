"""Gaussian sensing has closed-form steps, and the trained network is AMP."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_matrix, check_positive, check_size
from unrolled.guarantees import (
    AT_LEAST,
    EQUAL,
    Assumption,
    Definition,
    Derivation,
    NoDerivation,
    Step,
    Theorem,
)
from unrolled.guarantees.convergence.instances import nearby_steps
from unrolled.guarantees.convergence.symbols import (
    A,
    K,
    c,
    columns,
    decay,
    decay_in_z,
    gaussian_error,
    gaussian_error_in_tau,
    hyperbolic_cosine,
    k,
    lam,
    last,
    mean_square,
    noise,
    noiseless_error,
    rows,
    semicircle_step,
    signal,
    state_evolution,
    tau,
    tau_powers,
    v,
    x,
    y,
    z,
)
from unrolled.guarantees.draw import integer, uniform
from unrolled.guarantees.notation import Norm, over
from unrolled.iterations import amp, semicircle_steps
from unrolled.networks import GradientNet
from unrolled.sensing import DenseOperator

_q, _before, _phi, _G = sp.symbols("q_k q_{k-1} phi G_k", real=True)
_k = sp.Symbol("k", integer=True, nonnegative=True)

_eta = sp.Symbol("eta_k", real=True)


@dataclass(frozen=True)
class Sensing:
    """A network under Gaussian sensing.

    Attributes:
        ratio: c = n/m.
        noise: the variance σ².
        steps: (K,).
        ridge: by how much the layers shrink.
        extra: layers beyond the K that are allowed.
    """

    ratio: float
    noise: float
    steps: Tensor
    ridge: float
    extra: int = 0

    @property
    def depth(self) -> int:
        """K, the layers that are allowed."""
        return len(self.steps) - self.extra

    def last_layer(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """On a small matrix A (3, 2): A, y (3, 1), and x (2, 1) before and after the last layer."""
        generator = torch.Generator().manual_seed(0)
        A = torch.randn(3, 2, generator=generator, dtype=torch.float64)
        y = torch.randn(1, 3, generator=generator, dtype=torch.float64)
        net = GradientNet(A, steps=self.steps, ridge=self.ridge, learned=False)
        *_, before, after = net.trajectory(y)
        return A, y.T, before.T, after.T


def marchenko_pastur(ratio: float, points: int = 256) -> tuple[Tensor, Tensor, float]:
    """Quadrature for the limiting spectrum of H: nodes, weights, and the weight at zero.

    A is m × n with independent N(0, 1/m) entries and n/m → ratio. Density
    √((λ₊−λ)(λ−λ₋))/(2πcλ) on [(1−√c)², (1+√c)²] and an atom (1 − 1/c)₊ at 0. Exact for polynomials
    of degree up to 2·points: λ times the density is a semicircle, and what the nodes lack of the
    mass of 1 is put at zero.

    Raises:
        ValueError: ratio ≤ 0 or points < 1.
    """
    ratio = check_positive("ratio", ratio)
    check_size("points", points)
    j = torch.arange(1, points + 1, dtype=torch.float64)
    angle = j * math.pi / (points + 1)
    nodes = 1 + ratio + 2 * math.sqrt(ratio) * torch.cos(angle)
    semicircle = 2 / (points + 1) * torch.sin(angle) ** 2
    weights = semicircle / nodes
    return nodes, weights, 1 - float(weights.sum())


_per_coordinate = mean_square / columns


def _run_in_the_limit(instance: Sensing) -> dict[sp.Symbol, Any]:
    """Run the network on a quadrature for the limiting spectrum, which stands for n, m → ∞.

    Each row is a signal, or noise without one, in one eigenvector, and as large as its node weighs.
    """
    nodes, weights, atom = marchenko_pastur(instance.ratio, points=len(instance.steps) + 1)
    spectrum = torch.cat((nodes, torch.zeros(1, dtype=nodes.dtype)))
    n = len(spectrum)
    size = (2 * n * n * torch.cat((weights, torch.tensor([atom])))).clamp(min=0).sqrt()
    target = torch.cat((torch.diag(size), torch.zeros(n, n, dtype=size.dtype)))
    disturbance = torch.cat((torch.zeros(n, n, dtype=size.dtype), torch.diag(size)))
    A = torch.diag(spectrum.sqrt())
    net = GradientNet(A, steps=instance.steps, ridge=instance.ridge, learned=False)
    end = net(target @ A + instance.noise**0.5 * disturbance)
    return {last: end, signal: target, columns: n}


def _draw_sensing(generator: torch.Generator) -> Sensing:
    ratio = 1.0 if integer(generator, 0, 7) == 0 else 10 ** uniform(generator, -1, 1)
    variance = 0.0 if integer(generator, 0, 2) == 0 else 10 ** uniform(generator, -3, 1)
    depth = integer(generator, 1, 8)
    return Sensing(ratio, variance, semicircle_steps(ratio, variance, depth), variance)


def _any_steps(generator: torch.Generator) -> Sensing:
    instance = _draw_sensing(generator)
    size = 10 ** uniform(generator, -3, 0.5)
    factor = torch.randn(instance.depth, generator=generator, dtype=torch.float64)
    return replace(instance, steps=instance.steps * (1 + size * factor))


def _without_ridge(generator: torch.Generator) -> Sensing:
    ratio, variance = 0.5, 0.5
    return Sensing(ratio, variance, semicircle_steps(ratio, variance, 4), 0.0)


def _one_layer_more(generator: torch.Generator) -> Sensing:
    return Sensing(0.5, 0.1, semicircle_steps(0.5, 0.1, 4), 0.1, extra=1)


def _values(instance: Sensing) -> dict[sp.Symbol, float]:
    return {c: instance.ratio, noise: instance.noise, K: instance.depth}


_shifted = lam + noise  # s
GAUSSIAN = Theorem(
    name="convergence.gaussian",
    title="Closed form for Gaussian sensing",
    statement=r"""
        Let $A$ have independent Gaussian entries of mean zero, scaled so that the mean square of a
        column's length is one. Let the entries of $x^\star$ be uncorrelated, of mean zero and
        variance one, and those of the noise likewise, of variance $\sigma^2$; let the two be
        uncorrelated with each other, and independent of $A$. Let the unknowns and the measurements
        grow, $c$ times as many unknowns as measurements. Among all $K$-layer
        networks $x\leftarrow <<layer>>$ that start from the origin, the best has, in the limit and
        up to their order,

        $$
        \eta_k=<<step>>
        $$

        for $k=1,\dots,K$, and its error per coordinate is

        $$
        v_K=<<quantity>> <<relation>> <<bound>>,
        $$

        $$
        \tau=<<tau>>.
        $$

        From depth to depth, the error $v_k$ of the best $k$-layer network begins at one and obeys
        $v_{k+1}=<<evolution>>$. Without noise $v_K=<<noiseless>>$.
        """,
    assumptions=(
        Assumption(
            r"the layers shrink by $\sigma^2$, the noise variance",
            _without_ridge,
            lambda instance: instance.ridge == instance.noise,
        ),
        Assumption(
            r"$m,n\to\infty$, and $n$ grows as $c$ times $m$ (the spectrum is Marchenko–Pastur)"
        ),
    ),
    quantity=_per_coordinate,
    relation=EQUAL,
    bound=gaussian_error_in_tau,
    where={tau: decay},
    formulas={"evolution": state_evolution, "noiseless": noiseless_error},
    definitions={
        "layer": Definition(
            x + _eta * (A.T * (y - A * x) - noise * x),
            lambda instance: {
                **dict(zip((A, y, x), instance.last_layer()[:3], strict=True)),
                _eta: float(instance.steps[-1]),
                noise: instance.noise,
            },
            lambda instance: instance.last_layer()[3],
        ),
        "step": Definition(
            semicircle_step,
            lambda instance: {**_values(instance), k: torch.arange(1, instance.depth + 1)},
            lambda instance: instance.steps.flip(0),
        ),
    },
    draw=_draw_sensing,
    measure=_run_in_the_limit,
    values=_values,
    slack=1e-7,
    source="Proved in the chapter; Marchenko and Pastur (1967) for the spectrum.",
    derivation=Derivation(
        (
            Step.equal(
                r"Noise only shifts the measure: with $s=\lambda+\sigma^2$, bias plus variance is "
                r"the noiseless loss in $s$ with weight $\lambda/s$, plus a constant; each times "
                "$s$,",
                _shifted * ((1 - lam * _q) ** 2 + noise * lam * _q**2),
                lam * (1 - _shifted * _q) ** 2 + noise,
            ),
            Step.equal(
                r"For Marchenko–Pastur, $\lambda\,d\mu$ is a semicircle; its orthogonal "
                r"polynomials are $U_K(\cos\phi)=\sin((K+1)\phi)/\sin\phi$, which obey",
                sp.sin((_k + 2) * _phi),
                2 * sp.cos(_phi) * sp.sin((_k + 1) * _phi) - sp.sin(_k * _phi),
            ),
            Step.equal(
                r"and vanish at $\phi=k\pi/(K+1)$: the Gauss nodes, shifted by $\sigma^2$.",
                sp.sin(sp.pi * _k, evaluate=False),
                0,
            ),
            Step.equal(
                "With $v=1-G$ the recursion for $G$ is the one for $v$,",
                1 - 1 / (1 + c + noise - c * (1 - v)),
                state_evolution,
            ),
            Step.at_most(
                r"There is $z=\cosh t=\frac{1+c+\sigma^2}{2\sqrt c}$, since this is at least one,",
                1,
                hyperbolic_cosine,
                gap=((1 - sp.sqrt(c)) ** 2 + noise) / (2 * sp.sqrt(c)),
            ),
            Step.equal(
                r"and $\tau=e^{-t}=z-\sqrt{z^2-1}$, with which $z=(\tau+1/\tau)/2$.",
                decay_in_z * (2 * z - decay_in_z),
                1,
                domain=(z >= 1,),
            ),
            Step.equal(
                r"Then $G_k=\tau S_{k-1}/(\sqrt cS_k)$ with $S_k=\sum_{j=0}^k\tau^{2j}$ solves "
                r"$G_{k+1}(1+c+\sigma^2-cG_k)=1$: multiplied out,",
                (1 + tau**2) * tau_powers.subs(K, _k) - tau**2 * tau_powers.subs(K, _k - 1),
                tau_powers.subs(K, _k + 1),
            ),
            Step.equal(
                "and $v=1-G$ begins at one.",
                sp.Subs(gaussian_error_in_tau.subs(K, _k), _k, 0),
                1,
            ),
            Step.equal(
                r"Without noise the recursion takes $c^K/(1+c+\dots+c^K)$ to its successor,",
                state_evolution.subs({noise: 0, v: noiseless_error}),
                noiseless_error.subs(K, K + 1),
            ),
            Step.equal("which begins at one, too.", sp.Subs(noiseless_error.subs(K, _k), _k, 0), 1),
        )
    ),
)

GAUSSIAN_OPTIMAL = Theorem(
    name="convergence.gaussian-optimal",
    title="No other steps do better under Gaussian sensing",
    statement="In the same setting every choice of $K$ steps has $<<quantity>> <<relation>> v_K$.",
    assumptions=(
        Assumption(
            "the network has no more than $K$ layers",
            _one_layer_more,
            lambda instance: instance.extra == 0,
        ),
    ),
    quantity=_per_coordinate,
    relation=AT_LEAST,
    bound=gaussian_error,
    draw=_any_steps,
    nearby=nearby_steps,
    measure=_run_in_the_limit,
    values=_values,
    slack=1e-7,
    source="The theorem on Gauss nodes, for the shifted measure.",
    derivation=NoDerivation(
        "convergence.gauss-optimal",
        "this sweep is about other steps, which do no better. It is the same sentence of the "
        "theorem on Gauss nodes, for the shifted measure.",
    ),
    attained=_draw_sensing,
    completes=GAUSSIAN.name,
)


@dataclass(frozen=True)
class Measurements:
    """Any A (m, n) and y (1, m), a noise variance, a depth, and the variance that AMP assumes."""

    A: Tensor
    y: Tensor
    noise: float
    depth: int
    assumed_noise: float

    @property
    def ratio(self) -> float:
        return self.A.shape[1] / self.A.shape[0]


def _draw_measurements(generator: torch.Generator) -> Measurements:
    m, n = integer(generator, 1, 12), integer(generator, 1, 12)
    # Not Gaussian on purpose: the identity is algebraic.
    A = torch.rand(m, n, generator=generator, dtype=torch.float64) - 0.3
    A = A / torch.linalg.matrix_norm(A, 2) * 10 ** uniform(generator, -1, 0.5)
    y = torch.randn(1, m, generator=generator, dtype=torch.float64)
    variance = 0.0 if integer(generator, 0, 3) == 0 else uniform(generator, 0, 2)
    return Measurements(A, y, variance, integer(generator, 1, 8), variance)


def _mismatched(generator: torch.Generator) -> Measurements:
    instance = _draw_measurements(generator)
    return replace(instance, assumed_noise=instance.noise + 0.5, depth=4)


def closed_form_net(A: Tensor, variance: float, depth: int) -> GradientNet:
    """The network of Theorem `convergence.gaussian` for this A: semicircle steps, ridge = σ².

    ValueError unless A is a matrix (m, n), variance ≥ 0 and depth ≥ 1.
    """
    check_matrix("A", A)
    variance = check_positive("variance", variance, zero=True)
    ratio = A.shape[1] / A.shape[0]
    steps = semicircle_steps(ratio, variance, depth)
    return GradientNet(A, steps=steps, ridge=variance, learned=False)


_of_net, _of_amp = sp.symbols(r"x_K^{\text{net}} x_K^{\text{AMP}}")
_iterate = sp.Symbol(r"x_k^{\text{AMP}}")


def _both_ends(instance: Measurements) -> dict[sp.Symbol, Tensor]:
    operator = DenseOperator(instance.A)
    noise, depth = instance.assumed_noise, instance.depth
    iterates = amp(operator, instance.y, noise=noise, depth=depth, predicted=True)
    output = closed_form_net(instance.A, instance.noise, instance.depth)(instance.y)
    return {_of_net: output, _of_amp: iterates[-1], _iterate: iterates}


def _polynomials(depth: int) -> Step:
    """AMP's u_K against the network's ∏(1 − s/θ_k) = c^{K/2}U_K(z − s/2√c)/(c^{K/2}U_K(z))."""
    previous, current, gain = sp.Integer(0), sp.Integer(0), sp.Integer(0)
    for _ in range(depth):
        following = 1 / sp.together(1 + c + noise - c * gain)
        # At k = 0 the term with q_{−1} has G_0 = 0 before it.
        new = following * (1 + (1 + c - lam) * current - c * gain * previous)
        previous, current, gain = current, sp.together(new), sp.together(following)
    at, zero = 1 + c - lam, 1 + c + noise
    return Step.equal(
        "case", 1 - _shifted * current, _second_kind(depth, at) / _second_kind(depth, zero)
    )


def _second_kind(depth: int, argument: sp.Expr) -> sp.Expr:
    """c^{K/2} U_K(argument / 2√c), a polynomial in c."""
    previous, current = sp.Integer(0), sp.Integer(1)
    for _ in range(depth):
        previous, current = current, argument * current - c * previous
    return sp.expand(current)


AMP = Theorem(
    name="convergence.amp",
    title="The best network ends where AMP ends",
    statement=r"""
        Run the network of the theorem on Gaussian sensing for $K$ layers, and Bayes-optimal AMP for
        a Gaussian prior for $K$ iterations, on the same $A$ and $y$ with $c=<<ratio>>$. They end at
        the same vector,

        $$
        <<quantity>> <<relation>> <<bound>>,
        $$

        for every such $A$ and $y$, although the network has no Onsager term (the memory
        $cG_kz_{k-1}$ in AMP's residual) and the iterates before the last in general differ.
        """,
    assumptions=(
        Assumption(
            "AMP and the network assume the same noise variance",
            _mismatched,
            lambda instance: instance.assumed_noise == instance.noise,
        ),
        Assumption(
            r"$A^\top y$ is not zero, so that AMP moves at all",
            holds=lambda instance: bool((instance.y @ instance.A).any()),
        ),
    ),
    quantity=Norm(_of_net - _of_amp) / over(r"\max_k", "largest", Norm(_iterate)),
    relation=EQUAL,
    bound=sp.Integer(0),
    definitions={
        "ratio": Definition(
            columns / rows,
            lambda instance: dict(zip((rows, columns), instance.A.shape, strict=True)),
            lambda instance: instance.ratio,
        )
    },
    draw=_draw_measurements,
    measure=_both_ends,
    values=lambda _: {},
    slack=1e-9,
    source="Proved in the chapter; optimality of AMP: Celentano, Montanari and Wu (2020).",
    derivation=Derivation(
        (
            Step.equal(
                r"Write $x_k=q_k(H)A^\top y$ and $u_k=1-sq_k$, $s=\lambda+\sigma^2$. Eliminating "
                r"the residual from AMP's two lines gives $q_{k+1}/G_{k+1}=1+(1+c-\lambda)q_k-"
                r"cG_kq_{k-1}$; in terms of $u$, with $1/G_{k+1}=1+c+\sigma^2-cG_k$,",
                (1 + c + noise - c * _G) - _shifted * (1 + (1 + c - lam) * _q - c * _G * _before),
                (1 + c - lam) * (1 - _shifted * _q) - c * _G * (1 - _shifted * _before),
            ),
            Step.equal(
                r"Divided by $G_1\cdots G_{k+1}$ this is $\Pi_{k+1}=(1+c-\lambda)\Pi_k-"
                r"c\Pi_{k-1}$, which $c^{k/2}U_k$ solves at $1+c-\lambda=2\sqrt c\cos\phi$:",
                2 * sp.sqrt(c) * sp.cos(_phi) * c ** (_k / 2) * sp.sin((_k + 1) * _phi)
                - c * c ** ((_k - 1) / sp.Integer(2)) * sp.sin(_k * _phi),
                c ** ((_k + 1) / sp.Integer(2)) * sp.sin((_k + 2) * _phi),
            ),
            Step.cases(
                "So $u_K$ has the network's roots and $u_K=1$ at $s=0$: the polynomials agree. "
                r"Both written out, with symbolic $c$ and $\sigma^2$,",
                _polynomials,
                range(1, 6),
            ),
        )
    ),
)
