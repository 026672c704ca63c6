"""What several of the theorems assume, as formulas that instances must agree with."""

from __future__ import annotations

import sympy as sp

from unrolled.guarantees import Definition
from unrolled.guarantees.convergence.instances import Unrolled
from unrolled.guarantees.convergence.symbols import above_one, kappa

_m, _M = sp.symbols("m M", positive=True)
_y, _image = sp.symbols(r"y A\ x^\star")


def _noiseless(instance: Unrolled) -> dict:
    net, (y, signal) = instance.problem()
    return {_y: y, _image: net.operator.forward(signal)}


NOISELESS = Definition(sp.Eq(_y, _image), _noiseless)
CONDITION = Definition(
    sp.Eq(_M, kappa * _m),
    lambda instance: {_m: instance.low, _M: instance.high, kappa: instance.kappa},
)
WIDER = Definition(above_one, lambda instance: {kappa: instance.kappa})
