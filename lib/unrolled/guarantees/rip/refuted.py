"""What is commonly said of LISTA under the restricted isometry property, and is not so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees.rip import instances
from unrolled.guarantees.rip.fixed_thresholds import on_frame
from unrolled.guarantees.theorem import Refutation
from unrolled.networks import LISTACP, analytic_weights
from unrolled.sensing import DenseOperator, equiangular_frame, gaussian

SOURCE_CLAIM = "Common in introductions to unrolled networks; see the notes of the chapter."


@dataclass(frozen=True)
class Run:
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


def leakage(depth: int = 30) -> Run:
    """One entry on the 6×16 frame, W = A and the thresholds 10⁻³·2⁻ᵏ, k = 0, …, K − 1."""
    frame = equiangular_frame(dtype=torch.float64)
    thresholds = 1e-3 * 0.5 ** torch.arange(depth, dtype=torch.float64)
    return _run(frame, thresholds, [1.0] + 15 * [0.0])


def blind(depth: int = 50) -> Run:
    """Two equal columns of length √0.6, and a signal that they cancel: y = 0."""
    pair = torch.full((1, 2), 0.6**0.5, dtype=torch.float64)
    return _run(DenseOperator(pair), torch.zeros(depth, dtype=torch.float64), [1.0, -1.0])


def _run(operator: DenseOperator, thresholds: Tensor, signal: list[float]) -> Run:
    wanted = torch.tensor([signal], dtype=torch.float64)
    net = instances.with_thresholds(operator, operator.dense(), thresholds)
    return Run(wanted[0], net.trajectory(operator.forward(wanted))[:, 0])


def small_signal(amplitude: float, depth: int = 12) -> Run:
    """One entry of that size on the frame, with the thresholds that are certified for size 1."""
    recovery = on_frame(depth, amplitude)
    return Run(recovery.signal[0], recovery.iterates)


def tied(threshold: float = 0.1, depth: int = 30) -> Run:
    """A = 1 and x* = 1: a tied network, whose layers all have the same threshold."""
    net = LISTACP(torch.ones(1, 1, dtype=torch.float64), depth, tied=True)
    net.requires_grad_(False)
    net.W[0].fill_(1.0)
    net.thresholds.fill_(threshold)
    signal = torch.ones(1, 1, dtype=torch.float64)
    return Run(signal[0], net.trajectory(signal)[:, 0])


def support_factors(
    A: Tensor, W: Tensor, sparsity: int, *, generator: torch.Generator, count: int = 200
) -> Tensor:
    """‖I − W_SᵀA_S‖₂ for random supports S, (count,): what a layer does to an error on S.

    A, W: (m, n) of one dtype, real. sparsity: 1 ≤ s ≤ n. count: how many supports.
    Raises ValueError for anything else.
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
    quantity=r"\|x^K-x^\star\|_2/\|x^\star\|_2",
    relation="<=",
    bound=sp.Integer(1),
    instance=lambda _: leakage(),
    measure=Run.last,
    values=lambda _: {},
    truth=(
        r"On the $6\times16$ frame $\delta_1=0$ and $\delta_2=1/3$, so for $s=1$ the condition "
        r"holds. But $\|A\|^2=8/3>2$: what leaks out of the support grows, and thresholds of "
        r"$10^{-3}\,2^{-k}$ let it. With thresholds $\mu E_k$ nothing leaks, and the error falls "
        "by a factor of three a layer."
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
    quantity=r"\|x^K-x^\star\|_2/\|x^\star\|_2",
    relation="<=",
    bound=_at_one,
    instance=lambda _: small_signal(1e-6),
    measure=Run.last,
    values=lambda _: {_at_one: small_signal(1.0).last()},
    truth=(
        r"Here $c$ is the relative error at amplitude $1$. At amplitude $10^{-6}$ all of $u$ stays "
        "below the thresholds, every layer returns zero, and the relative error is one. Fixed "
        r"thresholds need a bound $E_0$ on the class of signals in place of $\|x^\star\|$; "
        "thresholds computed from the data do not."
    ),
    source=SOURCE_CLAIM,
)

_layers = sp.Symbol("K", integer=True, positive=True)

BIAS = Refutation(
    name="rip.bias",
    title="tied layers converge exponentially",
    claim=(
        "A network whose layers share weights and threshold converges to the signal exponentially, "
        r"at best by a factor $\rho<1$ a layer, say $\rho=1/2$."
    ),
    quantity=r"\|x^K-x^\star\|_2/\|x^\star\|_2",
    relation="<=",
    bound=sp.Rational(1, 2) ** _layers,
    instance=lambda _: tied(),
    measure=Run.last,
    values=lambda run: {_layers: len(run.iterates) - 1},
    truth=(
        r"For $A=1$ and $x^\star=1$, an isometry with $\delta=0$, every layer gives $1-\theta$: a "
        r"bias of $\theta$ remains. Exact recovery needs $\theta_k\to0$, so tied weights need "
        "thresholds of their own in each layer."
    ),
    source=SOURCE_CLAIM,
)

_delta = sp.Symbol("delta", positive=True)

NORM = Refutation(
    name="rip.norm",
    title="a bounded norm on the support is a contraction",
    claim=(
        r"By isometry $\|A_S\|_2\le\sqrt{1+\delta}$ with $\delta<1$. Hence the layer contracts "
        r"errors on the support, by $\delta$ each time."
    ),
    quantity=r"\|x^K-x^\star\|_2/\|x^\star\|_2",
    relation="<=",
    bound=_delta**_layers,
    instance=lambda _: blind(),
    measure=Run.last,
    values=lambda run: {_layers: len(run.iterates) - 1, _delta: 0.2},
    truth=(
        r"A number above one is no contraction factor. Two equal columns of length $\sqrt{0.6}$ "
        r"have $\|A_S\|_2=\sqrt{1.2}$, and $A$ does not see $(1,-1)$: the error stays as it is. "
        r"What contracts is $I-A_S^\top A_S$, and $\|I-A_S^\top A_S\|_2\le\delta<1$ needs both "
        "sides of the isometry, the lower one too."
    ),
    source=SOURCE_CLAIM,
)


@dataclass(frozen=True)
class Weights:
    """A Gaussian A (m, n) with unit columns, and supports of s entries to try weights on."""

    operator: DenseOperator
    sparsity: int

    def factor(self, weights: Callable[[DenseOperator], Tensor]) -> float:
        """The mean over random supports of ‖I − W_SᵀA_S‖₂."""
        A, generator = self.operator.dense(), torch.Generator().manual_seed(1)
        W = weights(self.operator)
        return float(support_factors(A, W, self.sparsity, generator=generator).mean())


def _quarter(generator: torch.Generator) -> Weights:
    A = gaussian(64, 256, generator=generator, dtype=torch.float64, unit_columns=True)
    return Weights(A, 4)


def lmmse_weights(A: DenseOperator, lam: float = 1e-6) -> Tensor:
    """W = (AAᵀ + λI)⁻¹A (m, n), the LMMSE filter as it is: its answer to a_i is less than 1."""
    return A.lmmse(torch.eye(A.shape[0], dtype=A.dtype), lam).contiguous()


_factor = sp.Symbol("c", positive=True)


def _capon_factor(instance: Weights) -> Mapping[sp.Symbol, float]:
    return {_factor: instance.factor(analytic_weights)}


LMMSE = Refutation(
    name="rip.lmmse",
    title="LMMSE weights contract on the support",
    claim=(
        r"Take the LMMSE matrix $W^\top=A^\top(AA^\top+\lambda I)^{-1}$ for the weights; on a "
        "small support the layer then contracts strongly, as well as any weights computed from "
        "$A$ do."
    ),
    quantity=r"\operatorname{mean}_S\|I-W_S^\top A_S\|_2",
    relation="<=",
    bound=_factor,
    instance=_quarter,
    measure=lambda instance: instance.factor(lmmse_weights),
    values=_capon_factor,
    truth=(
        r"The responses $w_i^\top a_i$ sum to $\operatorname{tr}(W^\top A)\le m$, so they are "
        r"$m/n$ on average or less, and the diagonal of $I-W^\top A$ alone leaves a factor of "
        r"about $1-m/n$. Rescaled to $w_i^\top a_i=1$, the same filters are Capon's, and $c$ is "
        "their factor."
    ),
    source=SOURCE_CLAIM,
)
