"""Gradient descent, unrolled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.checks import check_depth, check_flag, check_positive
from unrolled.iterations import chebyshev_steps, gauss_steps, tied_step
from unrolled.networks.unrolled import UnrolledNet, own_operator
from unrolled.sensing import SensingOperator
from unrolled.sensing.check import sound_eigenvalues

__all__ = ["GradientNet"]


class GradientNet(UnrolledNet):
    """Gradient descent on ½‖y − Ax‖² + (ridge/2)‖x‖², K steps from x_0 = 0, step sizes learned.

    Layer k computes x ← x + η_k (Aᴴ(y − Ax) − ridge·x) with real η_k. The network is linear in y,
    and its error polynomial is p(λ) = ∏(1 − η_k λ) at the eigenvalues λ of AᴴA + ridge·I.

    `net(y)`: (B, m) to (B, n). `net.trajectory(y)`: (K + 1, B, n), x_0 = 0 first. Steps belong to
    no matrix: `net(y, operator=…)` takes them to another one, or to one for each signal.

    Args:
        A: a `SensingOperator` or a matrix (m, n), real or complex. It is used by its products, and
            the rules for `steps` ask for its eigenvalues.
        depth: number of layers K ≥ 1; may be left out when `steps` is a vector (K,).
        steps: where the step sizes start: "fixed" (the best constant step), "chebyshev" (best worst
            case over the spectrum), "gauss" (least average error for white signals), one number, or
            a vector (K,).
        tied: one step size shared by all layers instead of K.
        learned: whether `steps` is a parameter; otherwise it is a buffer.
        checkpoint, real_signals: see `UnrolledNet`.

    Raises:
        ValueError: unknown rules, shapes that do not fit, depth < 1, ridge < 0, or a real A for
            `real_signals`.
    """

    layerwise = ("steps",)

    steps: Tensor

    def __init__(
        self,
        A: SensingOperator | Tensor,
        depth: int | None = None,
        *,
        steps: str | float | Tensor = "fixed",
        tied: bool = False,
        learned: bool = True,
        ridge: float = 0.0,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        operator = own_operator(A, real_signals)
        ridge = check_positive("ridge", ridge, zero=True)
        check_flag("tied", tied)
        check_flag("learned", learned)
        values = _initial_steps(operator, depth, steps, ridge)
        super().__init__(A.shape, len(values), checkpoint=checkpoint, real_signals=real_signals)
        self.ridge = ridge
        if tied:
            if not torch.all(values == values[0]):
                raise ValueError("steps differ between layers; a tied network has one step size")
            values = values[:1]
        self.operator = operator
        values = values.to(operator.device, operator.dtype.to_real())
        if learned:
            self.steps = nn.Parameter(values)
        else:
            self.register_buffer("steps", values)

    def _inputs(self, y: Tensor) -> tuple[Tensor, SensingOperator]:
        return y, self.operator

    def _adapted(self, y: Tensor, operator: SensingOperator) -> tuple[Tensor, SensingOperator]:
        return y, operator

    def _first(self, y: Tensor, operator: SensingOperator) -> Tensor:
        return self.steps[0] * operator.unchecked_adjoint(y)

    def _layer(self, k: int, x: Tensor, y: Tensor, operator: SensingOperator) -> Tensor:
        direction = operator.unchecked_adjoint(operator.unchecked_residual(y, x))  # (B, n)
        if self.ridge:
            direction = direction - self.ridge * x
        return x + self._own(self.steps, k) * direction

    def _dtype(self) -> torch.dtype:
        return self.operator.dtype


def _initial_steps(
    operator: SensingOperator, depth: int | None, steps: str | float | Tensor, ridge: float
) -> Tensor:
    if isinstance(steps, Tensor) and steps.ndim == 1:
        if depth not in (None, len(steps)):
            raise ValueError(f"steps has {len(steps)} entries, but depth is {depth}")
        depth = len(steps)
    if depth is None:
        raise ValueError("depth is missing; only a vector of steps says how deep the network is")
    check_depth(depth)
    if isinstance(steps, str):
        return _rule(operator, depth, steps, ridge)
    try:
        given = steps.tolist() if isinstance(steps, Tensor) else steps
        values = torch.as_tensor(given, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):  # no real numbers
        values = torch.tensor(math.nan)
    if values.shape not in ((), (1,), (depth,)) or not torch.isfinite(values).all():
        raise ValueError(f"steps is {steps!r}; a finite number or a finite vector (K,) is needed")
    return values.expand(depth).clone()


def _rule(operator: SensingOperator, depth: int, name: str, ridge: float) -> Tensor:
    spectrum = sound_eigenvalues(operator)
    # Components that A does not see stay at zero whatever the steps are. Squared singular values
    # are zero but for rounding below this.
    rounding = max(operator.shape) * torch.finfo(spectrum.dtype).eps
    seen = spectrum > rounding**2 * spectrum[-1]
    if not seen.any():
        raise ValueError("A is zero, or too small for its dtype; it measures nothing")
    spectrum = spectrum.double()
    low, high = float(spectrum[seen][0]) + ridge, float(spectrum[-1]) + ridge
    if name == "fixed":
        return torch.full((depth,), tied_step(low, high), dtype=torch.float64)
    if name == "chebyshev":
        return chebyshev_steps(low, high, depth)
    if name == "gauss":
        # White signals weigh every eigenvalue alike; with noise of variance `ridge` the weight of
        # s = λ + ridge is λ/s (theorem `convergence.gaussian`).
        shifted = spectrum[seen] + ridge
        return gauss_steps(shifted, spectrum[seen] / shifted, depth)
    raise ValueError(f"steps is {name!r}; known rules are 'fixed', 'chebyshev' and 'gauss'")
