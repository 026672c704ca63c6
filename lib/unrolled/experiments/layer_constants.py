"""How far each layer of a network moves when its state or its parameters do.

What a covering bound is made of: layer k takes x_{k−1} to x_k, and its constants say how many times
larger than a change of x_{k−1}, or of its parameters, the change of x_k can be.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from unrolled.checks import check_batch, check_kind, check_size
from unrolled.networks import OAMPNet, ProxNet, UnrolledNet

__all__ = ["constants_at", "constants_everywhere"]


class _Layer(nn.Module):
    # Layer k + 1 of a network, with the network's parameters, as a function of its state and y.

    def __init__(self, net: UnrolledNet, k: int) -> None:
        super().__init__()
        self.net, self.k = net, k

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.net._layer(self.k, x[None], *self.net._inputs(y[None]))[0]


def constants_at(net: UnrolledNet, y: Tensor, *, chunk: int = 100) -> tuple[Tensor, Tensor]:
    """The constants of each layer near the states that it is in for given measurements.

    A layer that is Lipschitz everywhere has no smaller constants than these.

    Args:
        net: K layers that hand on nothing but their estimate of x, learned and real.
        y: (B, m).
        chunk: rows whose Jacobians are held at a time.

    Returns:
        Both (K,), the largest over the rows of y. The first are in the state, ‖∂x_k/∂x_{k−1}‖ at
        x_{k−1}, with x_0 = 0 and the spectral norm. The second are in the parameters of layer k,
        Σ_p ‖∂x_k/∂θ_p‖, at least the norm from ‖·‖_∞ to ‖·‖₂, with which a cube of parameters is
        covered; parameters that layers share count in each of them.

    Raises:
        ValueError: net is no such network, or y does not fit it.
    """
    check_kind("net", net, UnrolledNet)
    if isinstance(net, OAMPNet) and net.divergence_free:
        raise ValueError("net is divergence-free; a network that hands on x alone is needed")
    check_batch("y", y, net.shape[0])
    check_size("chunk", chunk)
    with torch.no_grad():
        states = net.trajectory(y)
    in_state, in_parameters = torch.zeros(2, net.depth, dtype=torch.float64)
    for k in range(net.depth):
        layer = _Layer(net, k)
        learned = {name: p.detach() for name, p in layer.named_parameters()}

        def output(
            learned: dict[str, Tensor], x: Tensor, y: Tensor, layer: nn.Module = layer
        ) -> Tensor:
            return functional_call(layer, learned, (x, y))

        jacobians = vmap(jacrev(output, argnums=(0, 1)), in_dims=(None, 0, 0))
        for x_rows, y_rows in zip(states[k].split(chunk), y.split(chunk), strict=True):
            by_parameter, by_state = jacobians(learned, x_rows, y_rows)
            largest = torch.linalg.matrix_norm(by_state, 2).max()
            in_state[k] = max(in_state[k], largest)
            # Each is (B, n, *shape of the tensor); what belongs to another layer is zero.
            parts = [part.reshape(*part.shape[:2], -1) for part in by_parameter.values()]
            sums = torch.cat(parts, 2).norm(dim=1).sum(1)
            in_parameters[k] = max(in_parameters[k], sums.max())
    return in_state, in_parameters


def constants_everywhere(net: OAMPNet) -> Tensor:
    """Bounds of the layers' Lipschitz constants in the state, for all states and measurements.

    A layer is r = x + ϑW_λ(y − Ax), and then D(r, τ)_i = τd(r_i/τ) with d(u) = S_α(u) + N(u)::

        ‖∂x_k/∂x_{k−1}‖ ≤ sup|d′|·‖I − ϑW_λA‖ + √n·sup|d − ud′|·‖∂τ/∂x‖

    Here τ² = a·max(0, ‖y − Ax‖² − mσ²)/t + b with t = tr(AᵀA), a = ‖I − ϑW_λA‖²_F/n and
    b = σ²‖ϑW_λ‖²_F/n, so that ‖∂τ/∂x‖ ≤ a‖A‖‖y − Ax‖/tτ ≤ (a‖A‖/t)·max(√(mσ²/b), √(t/a)).
    It needs a constant λ and σ > 0: with λ = σ²/v², τ behaves at small errors like the root
    v, and no constant holds; nor is there one for a divergence-free layer, which jumps where an
    entry passes the threshold.

    Args:
        net: real, not divergence-free, with a constant λ, σ² > 0 and for denoisers a `ProxNet` of
            two layers and kernel 1.

    Returns:
        (K,), float64.

    Raises:
        ValueError: net is no such network.
    """
    check_kind("net", net, OAMPNet)
    if net.divergence_free:
        raise ValueError("net is divergence-free; its layers jump, and have no constants")
    if net.lam is None or net.noise == 0:
        raise ValueError(f"net has lam={net.lam}, noise={net.noise}; positive numbers are needed")
    bounds = []
    for k in range(net.depth):
        denoiser = net._own(net.denoisers, k)
        if not isinstance(denoiser, ProxNet):
            raise ValueError(f"denoiser is a {type(denoiser).__name__}; a ProxNet is needed")
        gain = float(net._own(net.damping.detach(), k))
        slope, bend = _denoiser_constants(denoiser)
        step, tau = _linear_constants(net, gain)
        bounds.append(slope * step + math.sqrt(net.shape[1]) * bend * tau)
    return torch.tensor(bounds, dtype=torch.float64)


def _denoiser_constants(denoiser: ProxNet) -> tuple[float, float]:
    # Bounds of sup|d′| and sup|d − ud′|, for N(u) = Σ_j b_j φ(a_j u + c_j) + e with φ = SiLU.
    if denoiser.threshold.factor < 0:  # it jumps at u = 0
        return math.inf, math.inf
    weights = list(denoiser.network.parameters())
    if len(weights) != 4 or weights[0].numel() != weights[1].numel():
        raise ValueError("denoiser is another ProxNet; two layers and kernel 1 are needed")
    a, c, b, e = (part.detach().double().flatten() for part in weights)
    # φ′ is largest, and φ − zφ′ = −z²s(z)(1 − s(z)) least, where z·tanh(z/2) = 2; s is the sigmoid.
    z = 2.0
    for _ in range(100):
        z = 2 / math.tanh(z / 2)
    s = 1 / (1 + math.exp(-z))
    steepest = s + z * s * (1 - s)  # φ′ lies in [1 − steepest, steepest]
    lowest = z**2 * s * (1 - s)
    up, down = (a * b).clamp(min=0).sum(), (-a * b).clamp(min=0).sum()
    highest = 1 + steepest * up - (1 - steepest) * down
    least = (1 - steepest) * up - steepest * down
    slope = max(float(highest), float(-least))
    bend = float((b.abs() * (lowest + steepest * c.abs())).sum() + e.abs().sum())
    return slope, bend + float(denoiser.threshold.factor.detach())


def _linear_constants(net: OAMPNet, gain: float) -> tuple[float, float]:
    # ‖I − ϑW_λA‖, and the bound of ‖∂τ/∂x‖.
    m, n = net.shape
    assert net.lam is not None
    kept = net.eigenvalues.double()
    zeros = torch.zeros(n - len(kept), dtype=kept.dtype, device=kept.device)
    every = torch.cat([zeros, kept])
    left = 1 - gain * every / (every + net.lam)  # eigenvalues of I − ϑW_λA
    total, a = float(every.sum()), float(left.square().mean())
    b = net.noise * gain**2 * float((every / (every + net.lam).square()).mean())
    rate = max(math.sqrt(m * net.noise / b), math.sqrt(total / a))
    return float(left.abs().max()), a * math.sqrt(float(every.max())) / total * rate
