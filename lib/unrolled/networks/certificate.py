"""How far a wrong matrix can move what a network gives: a bound from one forward pass."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_kind
from unrolled.networks.contractive import FirmlyNonexpansive
from unrolled.networks.oamp import OAMPNet
from unrolled.sensing import stacked

__all__ = ["certificate"]


def certificate(net: OAMPNet, y: Tensor) -> Tensor:
    """A c(y) with ‖f(A; y) − f(B; y)‖ ≤ c(y)·‖A − B‖₂ for every A, where net f was made for B.

    f(A; y) is `net(y, operator=A)`: the same network, told another matrix. With W_λ of B, let
    z = x + W_λ(y − Bx) be the undamped linear step of a layer, ρ = ‖y − Bz‖/λ, ζ = ‖z‖/√λ and
    Φ(α, ζ) = ½(α + √(α² + ζ²)). From c = 0 each layer makes of c::

        (1 − ϑ)c + ϑΦ(c + ρ, ζ)    for a damping ϑ ≤ 1
        c + ϑΦ(ρ, ζ)               for 1 < ϑ < 2

    It needs denoisers that are nonexpansive and, like λ, the same whatever the matrix and the
    iterate. At ϑ = 1 no smaller function of these ρ and ζ is right for all networks. It is at most
    Σρ + √(½Σζ²), so that it grows like √K as soon as the residuals are summable.

    Args:
        net: an `OAMPNet` with `lam` given, divergence_free=False and `FirmlyNonexpansive` denoisers
            (`FirmProxNet`, for instance).
        y: (B, m), as net takes it.

    Returns:
        (B,), real, one bound for each signal.

    Raises:
        ValueError: a network of which the bound is not true, and why; or a y that it does not take.
    """
    check_kind("net", net, OAMPNet)
    why = _refusal(net)
    if why is not None:
        raise ValueError(f"net {why}")
    assert net.lam is not None
    with torch.no_grad():
        iterates = net.trajectory(y)  # checks y
        y, operator, _ = net._inputs(stacked(y) if net.real_signals else y)
        c = iterates.real.new_zeros(len(y))
        for k, x in enumerate(iterates[:-1]):
            residual = operator.unchecked_residual(y, x)
            z = x + operator.unchecked_lmmse(residual, net.lam)
            rho = _norms(operator.unchecked_residual(y, z)) / net.lam
            zeta = _norms(z) / net.lam**0.5
            c = grown(c, rho, zeta, net._own(net.damping, k))
    return c


def grown(c: Tensor, rho: Tensor, zeta: Tensor, damping: Tensor) -> Tensor:
    """What one layer makes of c, by these ρ, ζ and ϑ."""
    within = (1 - damping) * c + damping * _phi(c + rho, zeta)
    return torch.where(damping <= 1, within, c + damping * _phi(rho, zeta))


def _refusal(net: OAMPNet) -> str | None:
    if net.lam is None:
        return "has lam=None: its λ follows the residual, and with it the matrix; give one number"
    if net.divergence_free:
        return "has divergence_free=True: its linear step can expand errors; False is needed"
    for denoiser in net.denoisers:
        if not isinstance(denoiser, FirmlyNonexpansive):
            return (
                f"has a {type(denoiser).__name__} for a denoiser, which is not nonexpansive "
                "whatever the matrix: it follows τ, and τ the residual, or is not known to be; "
                "a FirmlyNonexpansive one is needed"
            )
    return None


def _phi(alpha: Tensor, zeta: Tensor) -> Tensor:
    return (alpha + torch.hypot(alpha, zeta)) / 2


def _norms(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1)
