"""Which network a configuration trains, each argument a field: the fields are its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unrolled.experiments.problem import Problem
from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    ContractiveLISTA,
    ConvergentLISTA,
    FirmProxNet,
    OAMPNet,
    ProxNet,
    UNet,
)

__all__ = ["Net"]

# What the names in recipes stand for.
NETWORKS = {
    "ALISTA": ALISTA,
    "ContractiveLISTA": ContractiveLISTA,
    "ConvergentLISTA": ConvergentLISTA,
    "LISTA": LISTA,
    "LISTA-CP": LISTACP,
    "OAMPNet": OAMPNet,
    "UNet": UNet,
}
DENOISERS = {"FirmProxNet": FirmProxNet, "ProxNet": ProxNet}


@dataclass(frozen=True)
class Net:
    """A network, and what it is made with.

    Attributes:
        name: in the rows.
        network: its class.
        arguments: of it, but for what the problem says: A, the depth and the noise.
        denoiser: its class, and its arguments but for the generator; None where there is none.
    """

    name: str
    network: str
    arguments: Mapping[str, object]
    denoiser: Mapping[str, object] | None = None

    def build(self, problem: Problem) -> Any:
        """The network, untrained; what it draws is drawn by the problem's seed."""
        arguments: dict[str, Any] = dict(self.arguments)
        generator = torch.Generator().manual_seed(problem.seed)
        if self.network == "UNet":
            return UNet(problem.operator(), generator=generator, **arguments)
        if self.denoiser is not None:
            arguments |= {"denoiser": self._denoiser(generator), "noise": problem.noise}
        network: Any = NETWORKS[self.network]
        return network(problem.operator(), problem.depth, **arguments)

    def _denoiser(self, generator: torch.Generator) -> nn.Module:
        arguments: dict[str, Any] = dict(self.denoiser or {})
        kind: Any = DENOISERS[arguments.pop("class")]
        return kind(generator=generator, **arguments)
