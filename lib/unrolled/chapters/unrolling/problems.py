"""The small problem on which the chapter trains, and the rows of the recorded comparison."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.experiments import Row
from unrolled.experiments.lista_depth import LISTA_DEPTH, SNRS
from unrolled.sensing import gaussian
from unrolled.signals import BernoulliGaussian

# ‖w‖/‖Ax‖ at each recorded SNR: 40 dB is one per cent of noise, and None is no noise.
SHARES = {snr: 0.0 if snr is None else 10 ** (-snr / 20) for snr in SNRS}


class SparseProblem:
    """y = Ax + w with a Gaussian A (m, n) and signals of which one entry in ten is not zero.

    The nonzero entries are N(0, 1); noise is the variance of one entry of w.
    """

    def __init__(self, m: int, n: int, *, seed: int, noise: float = 0.0) -> None:
        self.noise = noise
        self.signals = BernoulliGaussian(n, rate=0.1)
        self.operator = gaussian(m, n, generator=torch.Generator().manual_seed(seed))

    def draw(self, generator: torch.Generator, count: int = 64) -> tuple[Tensor, Tensor]:
        """A batch (y, x) of shapes (count, m), (count, n)."""
        x = self.signals.draw(count, generator)
        w = self.noise**0.5 * torch.randn(count, self.operator.shape[0], generator=generator)
        return self.operator.forward(x) + w, x


class Entrant(NamedTuple):
    """A network of the recorded comparison, with support selection or without."""

    network: str
    selection: bool

    @property
    def has_both_kinds(self) -> bool:
        """Whether the network is compared with support selection and without."""
        return len({e.selection for e in _entrants() if e.network == self.network}) == 2

    @property
    def label(self) -> str:
        """What the page calls it; selection is said where there are both kinds."""
        chosen = self.selection and self.has_both_kinds
        return f"{self.network}, selection" if chosen else self.network


def _entrants() -> tuple[Entrant, ...]:
    both = ((c["network"], c["selection"]) for c in LISTA_DEPTH.configurations)
    return tuple(Entrant(*pair) for pair in dict.fromkeys(both))


def recorded() -> tuple[Entrant, ...]:
    """The networks that are recorded at all noise levels, in the experiment's order."""
    done = [entry["configuration"] for entry in LISTA_DEPTH.provenance()]
    return tuple(
        entrant
        for entrant in _entrants()
        if all({**entrant._asdict(), "snr": snr} in done for snr in SNRS)
    )


def best(entrant: Entrant, snr: float | None = None) -> Row:
    """The recorded row of a network at its last layer; snr in dB, None for no noise."""
    rows = LISTA_DEPTH.rows(only={**entrant._asdict(), "snr": snr})
    return max(rows, key=lambda row: row["layer"])
