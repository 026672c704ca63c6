"""Unrolled networks: classical algorithms as torch modules, initialised to the algorithm."""

from unrolled.networks.gradient import GradientNet

__all__ = ["GradientNet"]
