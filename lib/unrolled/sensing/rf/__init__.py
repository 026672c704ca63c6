"""Imaging by radio waves: antennas around a scene, what they measure of it, and scenes to measure.

Lengths are in wavelengths at the centre frequency, frequencies in units of it.
"""

from unrolled.sensing.rf.far_field import far_field
from unrolled.sensing.rf.geometry import Geometry, line, planar, ring
from unrolled.sensing.rf.performance import degrees_of_freedom, point_spread, singular_values
from unrolled.sensing.rf.scenes import Scenes

__all__ = [
    "Geometry",
    "Scenes",
    "degrees_of_freedom",
    "far_field",
    "line",
    "planar",
    "point_spread",
    "ring",
    "singular_values",
]
