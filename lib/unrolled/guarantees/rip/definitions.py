"""What the three theorems define and assume alike, and the code that it must agree with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from unrolled.guarantees import Assumption, Definition
from unrolled.guarantees.rip import instances
from unrolled.guarantees.rip.instances import Recovery
from unrolled.guarantees.rip.schedule import Scheme
from unrolled.guarantees.rip.symbols import inside, signal
from unrolled.isometry.constants import isometry_constant
from unrolled.sensing import DenseOperator

ROUNDING = 1e-9  # relative, of what a theorem is told

_m, _n = sp.symbols("m n", integer=True, positive=True)
_A, _W = (sp.MatrixSymbol(name, _m, _n) for name in ("A", "W"))
_x = sp.MatrixSymbol("x__k", _n, 1)  # printed as x^k
_y = sp.MatrixSymbol("y", _m, 1)
_image, _noise = sp.symbols(r"A\ x^\star w")

MEASURED = Definition(
    _image + _noise,
    values=lambda instance: {
        _image: instance.operator.forward(instance.signal),
        _noise: instance.noise,
    },
    code=lambda instance: instance.y,
)

OUTSIDE = Definition(
    signal - inside,
    values=lambda instance: {signal: instance.signal[0], inside: instance.inside},
    code=lambda instance: instance.outside,
)


def layer(*, weighted: bool) -> Definition:
    """What a layer thresholds, x + Wᵀ(y − Ax) if `weighted`, x + Aᵀ(y − Ax) otherwise."""
    adjoint = (_W if weighted else _A).T
    return Definition(
        _x + adjoint * (_y - _A * _x),
        values=lambda instance: {
            _A: instance.operator.dense(),
            _y: instance.y.T,
            _x: instance.iterates[-2, :, None],
            **({_W: instance.W} if weighted else {}),
        },
        code=lambda instance: instance.last_input[:, None],
    )


def is_bound(told: float, true: float) -> bool:
    """Whether what a theorem is told is not below the truth, but for rounding."""
    return true <= told * (1 + ROUNDING)


def may_be_isometry_constant(told: float, operator: DenseOperator, order: int) -> bool:
    """Whether a greedy search finds no columns that contradict it.

    To know would take an exact constant each time; what is drawn is told one, or more.
    """
    order = min(order, operator.shape[1])
    return is_bound(told, float(isometry_constant(operator, order, "greedy")) - ROUNDING)


@dataclass(frozen=True)
class Told:
    """A bound that a theorem is told, and what it must not be smaller than.

    Attributes:
        key: the placeholder that stands for it.
        bound: its symbol.
        name: LaTeX of what it bounds.
        true: what that is.
    """

    key: str
    bound: sp.Symbol
    name: str
    true: Callable[[Recovery], float]

    @property
    def definition(self) -> Definition:
        """The bound as the statement has it."""
        size = sp.Symbol(f"{{{self.name}}}", nonnegative=True)
        return Definition(
            sp.Ge(self.bound, size),
            values=lambda instance: {
                self.bound: instance.told[self.bound],
                size: self.true(instance),
            },
        )

    def assumption(self, violate: Callable[[], Recovery], *, of: str = "") -> Assumption:
        """That it is a bound, `of` which things (Markdown), and an instance where it is none."""
        return Assumption(f"$<<{self.key}>>${of}", lambda _: violate(), holds=self.holds)

    def holds(self, instance: Recovery) -> bool:
        """Whether it is a bound, but for rounding."""
        return is_bound(instance.told[self.bound], self.true(instance))


def as_planned(scheme: Scheme, start: Callable[[], Recovery], order: int) -> tuple[Assumption, ...]:
    """What thresholds fixed in advance assume of themselves and of S.

    Args:
        start: an instance that satisfies the assumptions, to be changed.
        order: of the norm (ℓ₁ or ℓ₂) that the theorem measures in.
    """
    return (
        Assumption(
            r"the thresholds are $\theta_k$ and no others",
            lambda _: instances.smaller_thresholds(start()),
            holds=lambda instance: instance.follows(scheme),
        ),
        Assumption(
            "$S$ has at most $s$ elements",
            lambda _: instances.denser(start(), order),
            holds=instances.is_sparse,
        ),
    )
