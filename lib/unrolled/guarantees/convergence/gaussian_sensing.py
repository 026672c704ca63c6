"""Gaussian sensing has closed-form steps, and the trained network is AMP."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import AT_LEAST, EQUAL, Assumption, Derivation, NoDerivation, Step, Theorem
from unrolled.guarantees.convergence.symbols import (
    K,
    c,
    decay,
    gaussian_error,
    gaussian_error_in_tau,
    noise,
    noiseless_error,
    semicircle_step,
    state_evolution,
    tau,
    v,
)
from unrolled.guarantees.draw import integer, uniform
from unrolled.iterations import amp, semicircle_steps
from unrolled.networks import GradientNet
from unrolled.sensing import DenseOperator

_lam, _q = sp.symbols("lambda q", positive=True)
_t, _phi = sp.symbols("t phi", positive=True)
_k = sp.Symbol("k", integer=True, positive=True)
_uk, _uk1, _G = sp.symbols("u_k u_{k-1} G_k", positive=True)


@dataclass(frozen=True)
class Sensing:
    """A network under Gaussian sensing: ratio c = n/m, noise variance σ², steps (K,), ridge."""

    ratio: float
    noise: float
    steps: Tensor
    ridge: float

    @property
    def depth(self) -> int:
        return len(self.steps)


def marchenko_pastur(ratio: float, points: int = 4000) -> tuple[Tensor, Tensor, float]:
    """Quadrature for the limiting spectrum of H: nodes, weights, and the mass at zero.

    A is m × n with independent N(0, 1/m) entries and n/m → ratio. Density
    √((λ₊−λ)(λ−λ₋))/(2πcλ) on [(1−√c)², (1+√c)²] and an atom (1 − 1/c)₊ at 0.
    """
    j = torch.arange(1, points + 1, dtype=torch.float64)
    angle = j * math.pi / (points + 1)
    nodes = 1 + ratio + 2 * math.sqrt(ratio) * torch.cos(angle)
    semicircle = 2 / (points + 1) * torch.sin(angle) ** 2
    return nodes, semicircle / nodes, max(0.0, 1 - 1 / ratio)


def limiting_error(instance: Sensing) -> float:
    """Mean squared error per coordinate of the network as n, m → ∞, by quadrature.

    ∫(1−λq)² dμ + σ²∫λq² dμ over the Marchenko–Pastur law μ; with s = λ + ridge, the network's
    polynomial q is given by 1 − sq = ∏(1 − η_k s).
    """
    nodes, weights, atom = marchenko_pastur(instance.ratio)
    shifted = nodes + instance.ridge
    p = (1 - instance.steps[:, None] * shifted).prod(0)
    q = (1 - p) / shifted
    risk = (1 - nodes * q) ** 2 + instance.noise * nodes * q**2
    return float((weights * risk).sum()) + atom


def _draw_sensing(generator: torch.Generator) -> Sensing:
    # Within two per cent of c = 1 quadrature, not the theorem, loses digits.
    ratio = 10 ** uniform(generator, 0.01, 1)
    if integer(generator, 0, 1):
        ratio = 1 / ratio
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
    return _Deeper(0.5, 0.1, semicircle_steps(0.5, 0.1, 4), 0.1)


class _Deeper(Sensing):
    """A network that secretly has one layer more than its depth says."""

    @property
    def depth(self) -> int:
        return len(self.steps) - 1


def _values(instance: Sensing) -> dict[sp.Symbol, float]:
    return {c: instance.ratio, noise: instance.noise, K: instance.depth}


_error_shift = _lam / (_lam + noise) * (1 - (_lam + noise) * _q) ** 2 + noise / (_lam + noise)
GAUSSIAN = Theorem(
    name="convergence.gaussian",
    title="Closed form for Gaussian sensing",
    statement=r"""
        Let $A$ have independent $\mathcal N(0,1/m)$ entries, $x^\star\sim(0,I)$,
        $w\sim(0,\sigma^2I)$ and $n/m\to c$. Among all $K$-layer networks
        $x\leftarrow x+\eta_k\bigl(A^\top(y-Ax)-\sigma^2x\bigr)$ from $x_0=0$ the best has, in the
        limit and up to their order,

        $$
        \eta_k=<<step>>,\qquad k=1,\dots,K,
        $$

        and its error per coordinate is

        $$
        <<quantity>> <<relation>> <<bound>>,
        $$

        $$
        \tau=<<tau>>.
        $$

        From depth to depth, with $v_k$ the error of the best $k$-layer network, $v_0=1$ and
        $v_{k+1}=<<evolution>>$. Without noise $v_K=<<noiseless>>$; for $c=1$ read the limit,
        $1/(K+1)$.
        """,
    assumptions=(
        Assumption(r"the layers shrink by $\sigma^2$, the noise variance", _without_ridge),
        Assumption(r"$n,m\to\infty$ with $n/m\to c$ (the spectrum is Marchenko–Pastur)"),
    ),
    quantity=r"v_K=\tfrac1n\,\mathbb E\|x_K-x^\star\|^2",
    relation=EQUAL,
    bound=gaussian_error_in_tau,
    where={tau: decay},
    formulas={
        "step": semicircle_step,
        "evolution": state_evolution,
        "noiseless": noiseless_error,
    },
    draw=_draw_sensing,
    measure=limiting_error,
    values=_values,
    slack=1e-7,
    source="Proved in the chapter; Marchenko and Pastur (1967) for the spectrum.",
    derivation=Derivation(
        (
            Step.equal(
                r"Noise only shifts the measure: with $s=\lambda+\sigma^2$, bias plus variance is "
                r"the noiseless loss in $s$ with weight $\lambda/s$, plus a constant.",
                (1 - _lam * _q) ** 2 + noise * _lam * _q**2,
                _error_shift,
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
            Step.equal(
                r"and $G_k=\sinh(kt)/(\sqrt c\sinh((k+1)t))$ with $2\sqrt c\cosh t=1+c+\sigma^2$ "
                r"solves it: $G_{k+1}(1+c+\sigma^2-cG_k)=1$.",
                2 * sp.cosh(_t) * sp.sinh((_k + 1) * _t) - sp.sinh(_k * _t),
                sp.sinh((_k + 2) * _t),
            ),
            Step.equal(
                r"With $\tau=e^{-t}$ the ratio of hyperbolic sines is the one in the theorem.",
                1 - sp.sinh(K * _t) / (sp.sqrt(c) * sp.sinh((K + 1) * _t)),
                gaussian_error_in_tau.subs(tau, sp.exp(-_t)),
            ),
            Step.equal(
                "Without noise the recursion takes $c^K(1-c)/(1-c^{K+1})$ to its successor.",
                state_evolution.subs({noise: 0, v: noiseless_error}),
                noiseless_error.subs(K, K + 1),
            ),
        )
    ),
)

GAUSSIAN_OPTIMAL = Theorem(
    name="convergence.gaussian-optimal",
    title="No other steps do better under Gaussian sensing",
    statement="In the same setting every choice of $K$ steps has $<<quantity>> <<relation>> v_K$.",
    assumptions=(Assumption("the network has no more than $K$ layers", _one_layer_more),),
    quantity=r"\tfrac1n\,\mathbb E\|x_K-x^\star\|^2",
    relation=AT_LEAST,
    bound=gaussian_error,
    draw=_any_steps,
    measure=limiting_error,
    values=_values,
    slack=1e-7,
    source="The theorem on Gauss nodes, for the shifted measure.",
    derivation=NoDerivation("it is convergence.gauss-optimal for the shifted measure."),
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
    y = torch.randn(1, m, generator=generator, dtype=torch.float64)
    variance = uniform(generator, 0, 2)
    A = A / torch.linalg.matrix_norm(A, 2)
    return Measurements(A, y, variance, integer(generator, 1, 8), variance)


def _mismatched(generator: torch.Generator) -> Measurements:
    instance = _draw_measurements(generator)
    return replace(instance, assumed_noise=instance.noise + 0.5, depth=4)


def closed_form_net(A: Tensor, variance: float, depth: int) -> GradientNet:
    """The network of Theorem `convergence.gaussian` for this A: semicircle steps, ridge = σ²."""
    ratio = A.shape[1] / A.shape[0]
    steps = semicircle_steps(ratio, variance, depth)
    return GradientNet(A, steps=steps, ridge=variance, learned=False)


def amp_discrepancy(instance: Measurements) -> float:
    """‖x_K of the network − x_K of AMP‖ / ‖x_K of AMP‖."""
    operator = DenseOperator(instance.A)
    iterates = amp(operator, instance.y, noise=instance.assumed_noise, depth=instance.depth)
    output = closed_form_net(instance.A, instance.noise, instance.depth)(instance.y)
    return float((output - iterates[-1]).norm() / iterates[-1].norm())


def _polynomials(depth: int) -> Step:
    """AMP's u_K against the network's ∏(1 − s/θ_k) = c^{K/2}U_K(z − s/2√c)/(c^{K/2}U_K(z))."""
    previous, current, gain = sp.Integer(0), sp.Integer(0), sp.Integer(0)
    s = _lam + noise
    for _ in range(depth):
        following = 1 / sp.together(1 + c + noise - c * gain)
        # At k = 0 the term with q_{−1} has G_0 = 0 before it.
        new = following * (1 + (1 + c - _lam) * current - c * gain * previous)
        previous, current, gain = current, sp.together(new), sp.together(following)
    at, zero = 1 + c - _lam, 1 + c + noise
    return Step.equal("case", 1 - s * current, _second_kind(depth, at) / _second_kind(depth, zero))


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
        a Gaussian prior for $K$ iterations, on the same $A$ and $y$ with $c=n/m$ and
        $A^\top y\ne0$. They end at the same vector,

        $$
        <<quantity>> <<relation>> <<bound>>,
        $$

        for every such $A$ and $y$, although the network has no Onsager term (the memory
        $cG_kz_{k-1}$ in AMP's residual) and the iterates before the last in general differ.
        """,
    assumptions=(Assumption("AMP and the network assume the same noise variance", _mismatched),),
    quantity=r"\|x_K^{\text{net}}-x_K^{\text{AMP}}\|\,/\,\|x_K^{\text{AMP}}\|",
    relation=EQUAL,
    bound=sp.Integer(0),
    draw=_draw_measurements,
    measure=amp_discrepancy,
    values=lambda _: {},
    slack=1e-9,
    source="Proved in the chapter; optimality of AMP: Celentano, Montanari and Wu (2020).",
    derivation=Derivation(
        (
            Step.equal(
                r"Write $x_k=q_k(H)A^\top y$ and $u_k=1-sq_k$, $s=\lambda+\sigma^2$. Eliminating "
                r"the residual from AMP's two lines gives $q_{k+1}/G_{k+1}=1+(1+c-\lambda)q_k-"
                r"cG_kq_{k-1}$; in terms of $u$, with $1/G_{k+1}=1+c+\sigma^2-cG_k$,",
                (1 + c + noise - c * _G)
                - (_lam + noise)
                * (
                    1
                    + (1 + c - _lam) * (1 - _uk) / (_lam + noise)
                    - c * _G * (1 - _uk1) / (_lam + noise)
                ),
                (1 + c - _lam) * _uk - c * _G * _uk1,
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
