"""What is commonly said of LISTA under the restricted isometry property, and is not so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth
from unrolled.guarantees import AT_MOST, Refutation
from unrolled.guarantees.notation import Norm, over
from unrolled.guarantees.rip.fixed_thresholds import on_frame
from unrolled.guarantees.rip.schedule import with_thresholds
from unrolled.guarantees.rip.symbols import K, end, error, signal
from unrolled.networks import LISTACP
from unrolled.sensing import DenseOperator, analytic_weights, equiangular_frame, gaussian

SOURCE_CLAIM = "Common in introductions to unrolled networks."


@dataclass(frozen=True)
class NoiselessRun:
    """A network's iterates x^0, …, x^K (K + 1, n) on one noiseless signal x* (n,)."""

    signal: Tensor
    iterates: Tensor

    def relative_errors(self) -> Tensor:
        """‖x^k − x*‖₂ / ‖x*‖₂ for k = 0, …, K."""
        errors = torch.linalg.vector_norm(self.iterates - self.signal, dim=1)
        return errors / self.signal.norm()

    def last(self) -> float:
        """The relative error after all K layers."""
        return float(self.relative_errors()[-1])

    def measure(self) -> dict[sp.Symbol, Tensor]:
        """Where the network ends, and the signal."""
        return {end: self.iterates[-1], signal: self.signal}


def leakage(depth: int = 30) -> NoiselessRun:
    """One entry on the 6×16 frame, W = A and the thresholds 10⁻³·2⁻ᵏ, k = 0, …, K − 1."""
    check_depth(depth)
    frame = equiangular_frame(dtype=torch.float64)
    thresholds = 1e-3 * 0.5 ** torch.arange(depth, dtype=torch.float64)
    return _run(frame, thresholds, [1.0] + 15 * [0.0])


def blind(depth: int = 50) -> NoiselessRun:
    """Two equal columns of length √0.6, and a signal that they cancel: y = 0."""
    pair = torch.full((1, 2), 0.6**0.5, dtype=torch.float64)
    return _run(DenseOperator(pair), torch.zeros(depth, dtype=torch.float64), [1.0, -1.0])


def _run(operator: DenseOperator, thresholds: Tensor, signal: list[float]) -> NoiselessRun:
    wanted = torch.tensor([signal], dtype=torch.float64)
    net = with_thresholds(operator, operator.dense(), thresholds)
    return NoiselessRun(wanted[0], net.trajectory(operator.forward(wanted))[:, 0])


def small_signal(amplitude: float, depth: int = 12) -> NoiselessRun:
    """One entry of that size on the frame, with the thresholds that are certified for size 1."""
    recovery = on_frame(depth, amplitude)
    return NoiselessRun(recovery.signal[0], recovery.iterates)


def tied(threshold: float = 0.1, depth: int = 30) -> NoiselessRun:
    """A = 1 and x* = 1: a tied network, whose layers all have the same threshold."""
    net = LISTACP(torch.ones(1, 1, dtype=torch.float64), depth, tied=True)
    net.requires_grad_(False)
    net.W[0].fill_(1.0)
    net.thresholds.fill_(threshold)
    signal = torch.ones(1, 1, dtype=torch.float64)
    return NoiselessRun(signal[0], net.trajectory(signal)[:, 0])


def support_factors(
    A: Tensor, W: Tensor, sparsity: int, *, generator: torch.Generator, count: int = 200
) -> Tensor:
    """‖I − W_SᵀA_S‖₂ for random supports S, (count,): what a layer does to an error on S.

    Args:
        A, W: (m, n) of one dtype, real.
        sparsity: 1 ≤ s ≤ n.
        count: how many supports.

    Raises:
        ValueError: arguments other than these.
    """
    n = A.shape[1]
    if W.shape != A.shape or W.dtype != A.dtype:
        raise ValueError(f"W is {tuple(W.shape)}, {W.dtype}; {tuple(A.shape)}, {A.dtype} is needed")
    if sparsity not in range(1, n + 1):
        raise ValueError(f"sparsity is {sparsity!r}; 1 ≤ sparsity ≤ {n} is needed")
    if count < 1:
        raise ValueError(f"count is {count!r}; at least one support is needed")
    supports = torch.rand(count, n, generator=generator).topk(sparsity, dim=1).indices
    chosen, weights = A.T[supports], W.T[supports]  # (count, s, m)
    layers = torch.eye(sparsity, dtype=A.dtype) - weights @ chosen.mT
    return torch.linalg.matrix_norm(layers, ord=2)


LEAKAGE = Refutation(
    name="rip.leakage",
    title="isometry makes LISTA converge",
    claim=(
        r"If $\delta_{2s}<\sqrt2-1$, a weight-tied LISTA contracts the error in each layer, "
        "because $A$ is nearly an isometry on the support; the thresholds only tidy up."
    ),
    quantity=error / Norm(signal, 2),
    relation=AT_MOST,
    bound=sp.Integer(1),
    instance=lambda _: leakage(),
    measure=NoiselessRun.measure,
    values=lambda _: {},
    truth=(
        r"On the $6\times16$ frame $\delta_1=0$ and $\delta_2=1/3$, so for $s=1$ the condition "
        r"holds. The signal is one entry of size $1$, $W=A$, and there are $K=30$ layers. But "
        r"$\|A\|_2^2=8/3>2$: what leaks out of the support grows, and thresholds of "
        r"$10^{-3}\,2^{-k}$ let it. Nothing in the hypothesis excludes these thresholds, so "
        r"such a condition on $\delta_{2s}$ alone cannot imply convergence: it takes one on the "
        r"thresholds too. (Steps below $2/\|A\|_2^2$ would end the growth, but with these "
        r"thresholds they do not find the signal either.) With thresholds $\mu E_k$ nothing "
        "leaks, and the error falls by a factor of three a layer."
    ),
    source=SOURCE_CLAIM,
)

_at_one = sp.Symbol("c", positive=True)

SCALE = Refutation(
    name="rip.scale",
    title="the bound scales with the signal",
    claim=(
        r"With its thresholds learned and then fixed, the network has an error of at most "
        r"$C_1\rho^K\|x^\star\|$ for every sparse $x^\star$: what it reaches at one amplitude, it "
        "reaches at all of them."
    ),
    quantity=error / Norm(signal, 2),
    relation=AT_MOST,
    bound=_at_one,
    instance=lambda _: small_signal(1e-6),
    measure=NoiselessRun.measure,
    values=lambda _: {_at_one: small_signal(1.0).last()},
    truth=(
        r"On the $6\times16$ frame take $s=1$, $K=12$ layers and the thresholds $\mu E_k$ that are "
        r"certified for one entry of size $1$; $c$ is the relative error there. At amplitude "
        r"$10^{-6}$ all of $u$ stays below the thresholds, every layer returns zero, and the "
        r"relative error is one. Fixed thresholds need a bound $E_0$ on the class of signals in "
        r"place of $\|x^\star\|$; thresholds computed from the data do not."
    ),
    source=SOURCE_CLAIM,
)

BIAS = Refutation(
    name="rip.bias",
    title="tied layers converge exponentially",
    claim=(
        "A network whose layers share weights and threshold converges to the signal exponentially, "
        r"at best by a factor $\rho<1$ a layer, say $\rho=1/2$."
    ),
    quantity=error / Norm(signal, 2),
    relation=AT_MOST,
    bound=sp.Rational(1, 2) ** K,
    instance=lambda _: tied(),
    measure=NoiselessRun.measure,
    values=lambda run: {K: len(run.iterates) - 1},
    truth=(
        r"For $A=1$ and $x^\star=1$, an isometry with $\delta=0$, every layer gives $1-\theta$: a "
        r"bias of $\theta$ remains, here $\theta=0.1$ after $K=30$ layers. Exact recovery needs "
        r"$\theta_k\to0$, so tied weights need thresholds of their own in each layer."
    ),
    source=SOURCE_CLAIM,
)

_delta = sp.Symbol("delta", positive=True)

NORM = Refutation(
    name="rip.norm",
    title="a bounded norm on the support is a contraction",
    claim=(
        r"From $\|A_S\|_2\le\sqrt{1+\delta}$, $\delta<1$, alone it follows that the layer "
        r"contracts errors on the support, by $\delta$ each time."
    ),
    quantity=error / Norm(signal, 2),
    relation=AT_MOST,
    bound=_delta**K,
    instance=lambda _: blind(),
    measure=NoiselessRun.measure,
    values=lambda run: {K: len(run.iterates) - 1, _delta: 0.2},
    truth=(
        r"A number above one is no contraction factor. Two equal columns of length $\sqrt{0.6}$ "
        r"have $\|A_S\|_2=\sqrt{1.2}$, so $\delta=0.2$, and $A$ does not see $x^\star=(1,-1)$: "
        r"after $K=50$ layers without thresholds the error is what it was. What contracts is "
        r"$I-A_S^\top A_S$, and $\|I-A_S^\top A_S\|_2\le\delta<1$ needs both sides of the "
        "isometry, the lower one too."
    ),
    source=SOURCE_CLAIM,
)


@dataclass(frozen=True)
class Weights:
    """A Gaussian A (m, n) with unit columns, and supports of s entries to try weights on."""

    operator: DenseOperator
    sparsity: int

    def factors(self, weights: Callable[[DenseOperator], Tensor]) -> Tensor:
        """‖I − W_SᵀA_S‖₂ on random supports."""
        A, generator = self.operator.dense(), torch.Generator().manual_seed(1)
        W = weights(self.operator)
        return support_factors(A, W, self.sparsity, generator=generator)


def _quarter(generator: torch.Generator) -> Weights:
    A = gaussian(64, 256, generator=generator, dtype=torch.float64, unit_columns=True)
    return Weights(A, 4)


def lmmse_weights(A: DenseOperator, lam: float = 1e-6) -> Tensor:
    """W = (AAᵀ + λI)⁻¹A (m, n), the LMMSE filters as they are.

    Its answer to a_i is below 1 for λ > 0, or if the other columns already span ℝᵐ.
    """
    return A.lmmse(torch.eye(A.shape[0], dtype=A.dtype), lam).contiguous()


_factor = sp.Symbol("c", positive=True)
_on_support = sp.Symbol(r"{\|I-W_S^\top A_S\|_2}", nonnegative=True)


def _capon_factor(instance: Weights) -> Mapping[sp.Symbol, float]:
    return {_factor: float(instance.factors(analytic_weights).mean())}


LMMSE = Refutation(
    name="rip.lmmse",
    title="LMMSE weights contract on the support",
    claim=(
        r"Take the LMMSE matrix $W^\top=A^\top(AA^\top+\lambda I)^{-1}$ for the weights; on a "
        "small support the layer then contracts strongly, as well as any weights computed from "
        "$A$ do."
    ),
    quantity=over(r"\operatorname{mean}_S", "mean", _on_support),
    relation=AT_MOST,
    bound=_factor,
    instance=_quarter,
    measure=lambda instance: {_on_support: instance.factors(lmmse_weights)},
    values=_capon_factor,
    truth=(
        r"Here $A$ is Gaussian, $64\times256$ with unit columns, $\lambda=10^{-6}$, and the mean "
        r"is over 200 random sets of $s=4$ columns. The responses $w_i^\top a_i$ sum to "
        r"$\operatorname{tr}(W^\top A)\le m$, so they are "
        r"$m/n$ on average or less, and the diagonal of $I-W^\top A$ alone leaves a factor of "
        r"about $1-m/n$. Rescaled to $w_i^\top a_i=1$, the same filters are Capon's, and $c$ is "
        "their factor."
    ),
    source=SOURCE_CLAIM,
)
