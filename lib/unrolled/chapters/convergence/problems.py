"""The spectra that the charts and the lab of this chapter show."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.guarantees.convergence.instances import Unrolled
from unrolled.sensing import gaussian

EIGENVALUES = 24


def spectrum(kappa: float, tilt: float) -> tuple[Tensor, Tensor]:
    """Evenly spaced eigenvalues in [1, κ], and weights e^(tilt·position) that sum to one."""
    position = torch.linspace(0, 1, EIGENVALUES, dtype=torch.float64)
    weights = torch.exp(tilt * position)
    return 1 + (kappa - 1) * position, weights / weights.sum()


def gaussian_spectrum(layers: int) -> Unrolled:
    """The spectrum of one Gaussian matrix with twice as many measurements as unknowns."""
    operator = gaussian(120, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    eigenvalues = operator.eigenvalues
    weights = torch.full_like(eigenvalues, 1 / len(eigenvalues))
    steps = torch.full((layers,), 0.3, dtype=torch.float64)
    return Unrolled(eigenvalues, weights, steps, float(eigenvalues[0]), float(eigenvalues[-1]))
