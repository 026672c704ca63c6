"""Fitting an unrolled network to data."""

from unrolled.training.fit import History, fit, mean_squared_error
from unrolled.training.layerwise import fit_layerwise
from unrolled.training.search import search

__all__ = ["History", "fit", "fit_layerwise", "mean_squared_error", "search"]
