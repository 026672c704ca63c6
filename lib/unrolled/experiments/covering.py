"""The covering bound of a network's error on fresh signals, from its recorded constants.

N signals and losses in [0, 1]; the P parameters lie in a cube of side R that was fixed before the
signals were seen; the loss changes by at most Λ times the largest change of a parameter. Centres at
a distance of 2ε cover the cube, each is held to its own error by Chernoff's inequality, and all
others to a centre by Λ. With probability ≥ 1 − δ, for all parameters in the cube at once::

    L ≤ kl⁻¹(L̂ + Λε; (P·ln⌈R/2ε⌉ + ln(1/δ))/N) + Λε

With constants that were measured near some signals Λ is smaller than the one that holds for the
whole cube, and what comes out is no bound, but less than the bound: where it is vacuous, so is
that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from unrolled.checks import check_kind, check_number, check_positive, check_size

__all__ = ["covering_bound", "covering_constant"]


def covering_constant(
    in_state: Sequence[float], in_parameters: Sequence[float], energy: float
) -> float:
    """Λ of the loss min(1, ‖x_K − x‖²/energy): (2/√energy)·Σ_k M_k·∏_{j>k} L_j.

    Args:
        in_state: L_k of each layer.
        in_parameters: M_k of each layer, from the largest change of a parameter.
        energy: > 0.

    Raises:
        ValueError: the layers are not the same, there is none, or a number is negative.
    """
    check_kind("in_state", in_state, Sequence)
    check_kind("in_parameters", in_parameters, Sequence)
    if len(in_state) != len(in_parameters) or not in_state:
        raise ValueError(
            f"in_state has {len(in_state)} layers, in_parameters {len(in_parameters)}; equal and "
            "> 0 needed"
        )
    energy = check_positive("energy", energy)
    moved = 0.0  # how far x_k moves when every parameter of the layers up to k moves by one
    for k, (state, parameters) in enumerate(zip(in_state, in_parameters, strict=True)):
        state = check_positive(f"in_state[{k}]", state, zero=True)
        moved = state * moved + check_positive(f"in_parameters[{k}]", parameters, zero=True)
    return 2 / math.sqrt(energy) * moved


def covering_bound(
    training: float,
    signals: int,
    parameters: int,
    constant: float,
    *,
    side: float,
    delta: float = 0.05,
) -> float:
    """The bound at ε = 1/ΛN, at most 1.

    Args:
        training: L̂, the mean loss of the training signals, 0 ≤ L̂ ≤ 1.
        signals: N.
        parameters: P.
        constant: Λ > 0.
        side: R > 0, of the cube. A network that has moved by r in its largest parameter is in the
            cube around its start if R ≥ 2r; but r is seen after the signals, and R is to be fixed
            before.
        delta: δ, 0 < δ < 1.

    Raises:
        ValueError: numbers out of these ranges.
    """
    training, delta = check_number("training", training), check_number("delta", delta)
    if not 0 <= training <= 1:
        raise ValueError(f"training is {training}; 0 ≤ training ≤ 1 is needed")
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; 0 < delta < 1 is needed")
    check_size("signals", signals)
    check_size("parameters", parameters)
    constant, side = check_positive("constant", constant), check_positive("side", side)
    centres = math.ceil(side * constant * signals / 2)  # along each side of the cube
    rate = (parameters * math.log(centres) - math.log(delta)) / signals
    share = 1 / signals  # Λε
    return min(1.0, _kl_inverse(min(1.0, training + share), rate) + share)


def _kl_inverse(q: float, rate: float) -> float:
    # The largest p with kl(q‖p) ≤ rate, from above.
    low, high = q, 1.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _kl(q, middle) <= rate else (low, middle)
    return high


def _kl(q: float, p: float) -> float:
    # For 0 < p < 1.
    left = q * math.log(q / p) if q > 0 else 0.0
    return left + ((1 - q) * math.log((1 - q) / (1 - p)) if q < 1 else 0.0)
