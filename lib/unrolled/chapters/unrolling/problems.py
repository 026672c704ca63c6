"""What the chapter's charts show: small sparse problems, run here, and the recorded comparison."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.experiments import Row
from unrolled.experiments.lista_depth import LISTA_DEPTH, SNRS
from unrolled.iterations import ista_step
from unrolled.iterations.message_passing import linear_step
from unrolled.networks import TiLISTA
from unrolled.prox import soft_threshold
from unrolled.sensing import gaussian
from unrolled.signals import BernoulliGaussian
from unrolled.training import fit

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


DEPTH = 8  # layers of the networks that are looked into
PENALTY = 0.1


@cache
def spikes() -> SparseProblem:
    """The problem whose signals fit on a phone: half as many measurements as unknowns, no noise."""
    return SparseProblem(m=32, n=64, seed=0)


@cache
def ista_and_trained() -> tuple[TiLISTA, TiLISTA]:
    """ISTA on `spikes()` as the network that it is before training, and that network trained."""
    problem = spikes()
    plain, trained = (TiLISTA(problem.operator, DEPTH, penalty=PENALTY) for _ in range(2))
    generator = torch.Generator().manual_seed(2)
    fit(trained, problem.draw, steps=150, lr=1e-2, clip=1.0, generator=generator, progress=False)
    return plain, trained


def half_steps(net: TiLISTA, y: Tensor) -> Tensor:
    """What a network makes of y (B, m), gradient steps and thresholds apart.

    Returns:
        (2K + 1, B, n), x_0, u_1, x_1, …, u_K, x_K with u_k before the threshold of layer k.
    """
    with torch.no_grad():
        x = net.trajectory(y)
        before = x[:-1]
        u = before + net.steps[:, None, None] * (y - before @ net.A.T) @ net.W[0]
    return torch.cat((x[:1], torch.stack((u, x[1:]), 1).flatten(0, 1)))


class Before(NamedTuple):
    """The errors r − x* in front of the denoiser of each layer, for a batch of signals.

    Attributes:
        errors: (K, B, n).
        expected: the root mean square that each layer expects of them, (K,); none for ISTA.
        signals: x*, (B, n).
    """

    errors: Tensor
    expected: Tensor
    signals: Tensor

    @property
    def deviation(self) -> Tensor:
        """Their root mean square, (K,)."""
        return self.errors.square().mean((1, 2)).sqrt()

    @property
    def correlation(self) -> Tensor:
        """With the entries of the signals, (K,)."""
        common = (self.errors * self.signals).mean((1, 2))
        return common / (self.deviation * self.signals.square().mean().sqrt())

    @property
    def standardised(self) -> Tensor:
        """The errors of each signal in units of their own root mean square, (K, B, n)."""
        return self.errors / self.errors.square().mean(2, keepdim=True).sqrt()

    @property
    def kurtosis(self) -> Tensor:
        """The mean fourth power of those, (K,), 3 for a Gaussian and more for a peak with tails."""
        return self.standardised.pow(4).mean((1, 2))


CORRECTED = ("neither: ISTA", "the linear step", "both: OAMP")


@cache
def before_denoisers(corrected: str) -> Before:
    """Run OAMP's loop on 40 signals with one of its two corrections, with both, or with neither.

    Args:
        corrected: one of `CORRECTED`. The linear step is made divergence-free by its trace, the
            posterior mean by its mean slope. With neither it is ISTA, soft threshold included.
    """
    problem, (y, signals) = _large()
    operator, noise, prior = problem.operator, problem.noise, problem.signals
    step = ista_step(operator)
    x, errors, expected = torch.zeros_like(signals), [], []
    for _ in range(DEPTH):
        if corrected == CORRECTED[0]:
            r = x + step * operator.adjoint(y - operator.forward(x))
            x = soft_threshold(r, step * PENALTY)
        else:
            r, variance = linear_step(operator, x, y, noise)
            expected.append(float(variance.mean().sqrt()))
            x, slopes = prior.denoise(r, variance)
            if corrected == CORRECTED[2]:
                slope = slopes.mean(1, keepdim=True)
                x = (x - slope * r) / (1 - slope)
        errors.append(r - signals)
    return Before(torch.stack(errors), torch.tensor(expected, dtype=torch.float64), signals)


@cache
def _large() -> tuple[SparseProblem, tuple[Tensor, Tensor]]:
    # Large enough for what holds in the limit of large systems.
    problem = SparseProblem(m=250, n=500, seed=0, noise=1e-4)
    return problem, problem.draw(torch.Generator().manual_seed(1), 40)


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
