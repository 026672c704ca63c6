"""Antennas around a scene: y = Ax + w in Born's approximation.

A pixel at p that reflects x_p adds g(r, p)·g(p, t)·x_p to what the receiver at r hears of the
transmitter at t, where g is Green's function. Waves that are scattered twice are neglected, and
what only scales, such as the power sent and the wave number's square, is part of the reflectivity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unrolled.checks import (
    check_choice,
    check_dense,
    check_entries,
    check_floating,
    check_image,
    check_kind,
    check_positive,
    check_size,
)
from unrolled.extras import extra
from unrolled.sensing.dense import DenseOperator
from unrolled.sensing.rf.grid import pixel_places
from unrolled.sensing.rf.performance import degrees_of_freedom, point_spread, singular_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Geometry", "line", "planar", "ring"]

LAYOUTS = ("multistatic", "monostatic")
# In how many steps from the middle of the scene to its border a half width is looked for.
STEPS = 2000
FARTHEST = 1e9  # wavelengths


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where antennas and the scene are, and at which frequencies they measure.

    The scene is a square of pixels around the origin, in the plane z = 0 where there are three
    coordinates. In the plane, waves spread as H₀⁽¹⁾(kr)·i/4, in space as exp(ikr)/4πr, with
    k = 2π·frequency.

    A measurement is one transmitter, one receiver and one frequency; `operator` has a row for each:
    frequencies, for each of them transmitters, for each of those receivers.

    Source: Colton and Kress, Inverse Acoustic and Electromagnetic Scattering Theory (Green's
    functions, Born's approximation).

    Attributes:
        transmitters, receivers: (T, 2) and (R, 2) in a plane, (T, 3) and (R, 3) in space, in
            wavelengths at the centre frequency.
        side: of the scene, in wavelengths.
        pixels: (rows, columns); rows run along x, columns along y.
        frequencies: in units of the centre frequency, > 0.
        layout: "multistatic", where every receiver hears every transmitter, as in a MIMO radar,
            whose waveforms can be told apart; or "monostatic", where each antenna hears itself.

    Raises:
        ValueError: what is none of that, an antenna in the middle of a pixel, or a monostatic
            layout whose receivers are not its transmitters.
    """

    transmitters: Tensor
    receivers: Tensor
    side: float
    pixels: tuple[int, int]
    frequencies: Sequence[float] = (1.0,)
    layout: str = "multistatic"

    def __post_init__(self) -> None:
        for name in ("transmitters", "receivers"):
            places = getattr(self, name)
            check_dense(name, places)
            fits = places.ndim == 2 and len(places) and places.shape[1] in (2, 3)
            if not fits or not places.is_floating_point() or not bool(places.isfinite().all()):
                raise ValueError(
                    f"{name} has shape {tuple(places.shape)} and dtype {places.dtype}; finite "
                    "places (count, 2) or (count, 3) are needed"
                )
            object.__setattr__(self, name, places.double())
        if self.transmitters.shape[1] != self.receivers.shape[1]:
            raise ValueError(
                f"receivers has shape {tuple(self.receivers.shape)}, transmitters "
                f"{tuple(self.transmitters.shape)}; both need as many coordinates"
            )
        object.__setattr__(self, "side", check_positive("side", self.side))
        check_image(self.pixels, "pixels")
        check_kind("frequencies", self.frequencies, Sequence)
        if isinstance(self.frequencies, str) or not self.frequencies:
            raise ValueError(f"frequencies is {self.frequencies!r}; one at least is needed")
        given = (check_positive("frequencies", frequency) for frequency in self.frequencies)
        object.__setattr__(self, "frequencies", tuple(given))
        check_choice("layout", self.layout, LAYOUTS)
        alike = self.transmitters.shape == self.receivers.shape
        if self.layout == "monostatic" and not (
            alike and torch.equal(self.transmitters, self.receivers)
        ):
            raise ValueError("receivers are not the transmitters, which layout='monostatic' needs")
        m, n = self.shape
        check_entries("pixels", self.pixels, m * n)
        for name in ("transmitters", "receivers"):
            distances = _distances(getattr(self, name), self._pixel_places())
            if not distances.amin() > 0:
                raise ValueError(f"{name} has an antenna in the middle of a pixel")
            # Farther away, a double does not hold the phase.
            if not distances.amax() * max(self.frequencies) < FARTHEST:
                raise ValueError(
                    f"{name} or side: {float(distances.amax()):.3g} wavelengths from antenna to "
                    f"pixel, times frequency; less than {FARTHEST:.0e} is needed"
                )

    @property
    def shape(self) -> tuple[int, int]:
        """Measurements and pixels, (m, n)."""
        pairs = len(self.receivers)
        if self.layout == "multistatic":
            pairs *= len(self.transmitters)
        return pairs * len(self.frequencies), self.pixels[0] * self.pixels[1]

    def operator(self, dtype: torch.dtype = torch.complex64) -> DenseOperator:
        """A, with columns whose root mean square norm is 1, whatever the distances.

        ValueError unless dtype is complex.
        """
        check_floating(dtype)
        if not dtype.is_complex:
            raise ValueError(f"dtype is {dtype}; a complex one is needed")
        A = self.response(self._pixel_places())
        return DenseOperator((A * (A.shape[1] ** 0.5 / torch.linalg.norm(A))).to(dtype))

    def response(self, points: Tensor) -> Tensor:
        """What scatterers of reflectivity 1 at these points return, each alone: (m, count).

        complex128, and not scaled. ValueError unless points are (count, 2) or (count, 3), as the
        antennas are.
        """
        check_dense("points", points)
        if points.ndim != 2 or points.shape[1] != self.receivers.shape[1]:
            raise ValueError(
                f"points has shape {tuple(points.shape)}; (count, {self.receivers.shape[1]}) is "
                "needed"
            )
        plane, parts = points.shape[1] == 2, []
        for frequency in self.frequencies:
            sent, heard = (
                _green(_distances(antennas, points.double()), frequency, plane=plane)
                for antennas in (self.transmitters, self.receivers)
            )
            if self.layout == "monostatic":
                parts.append(sent * heard)
            else:
                parts.append((sent[:, None] * heard).flatten(0, 1))
        return torch.cat(parts)

    def singular_values(self) -> Tensor:
        """Those of A, in falling order, (min(m, n),), float64."""
        return singular_values(self._exact)

    def degrees_of_freedom(self, snr: float) -> int:
        """How many numbers of a scene arrive above the noise; snr in dB per measurement."""
        return degrees_of_freedom(self._exact, snr)

    def point_spread(self, pixel: int | None = None) -> Tensor:
        """What back-projection makes of a scatterer, by default in the middle: an image."""
        rows, columns = self.pixels
        pixel = rows // 2 * columns + columns // 2 if pixel is None else pixel
        return point_spread(self._exact, pixel).reshape(rows, columns)

    def resolution(self) -> tuple[float, float]:
        """The widths in x and y, in wavelengths, of a scatterer in the middle of the scene.

        Each is the full width, at half of the power, of the cosine between what it returns and what
        a scatterer beside it does; ∞ where that stays above half within the scene.
        """
        return self._width(0), self._width(1)

    def symmetries(self) -> list[tuple[Tensor, Tensor]]:
        """Turns and mirror images of the square that leave A as it is, the identity first.

        For each, a permutation of the measurements and one of the pixels: A[rows][:, pixels] = A to
        rounding, so that y[:, rows] are the measurements of the scenes x[:, pixels].
        """
        found = []
        for quarter in range(4):
            for mirror in (1, -1):
                angle = quarter * math.pi / 2
                c, s = round(math.cos(angle)), round(math.sin(angle))
                turn = torch.tensor([[c, -s * mirror], [s, c * mirror]], dtype=torch.float64)
                parts = (self.transmitters, self.receivers, self._pixel_places())
                moved = [order for part in parts if (order := _order_after(turn, part)) is not None]
                if len(moved) == len(parts):
                    sent, heard, pixels = moved
                    found.append((self._rows_after(sent, heard), pixels))
        return found

    def draw(self, axes: Axes | None = None) -> Axes:
        """Draw antennas and scene, seen from above, on these or new axes of matplotlib."""
        with extra("teaching", "Geometry.draw"):
            from matplotlib.figure import Figure
            from matplotlib.patches import Rectangle
        if axes is None:
            axes = Figure(figsize=(5, 5)).subplots()
        corner = -self.side / 2
        scene = Rectangle((corner, corner), self.side, self.side, alpha=0.25, label="scene")
        axes.add_patch(scene)
        if self.layout == "monostatic":
            axes.plot(*_seen_from_above(self.receivers), "o", label="antennas")
        else:
            axes.plot(*_seen_from_above(self.transmitters), "^", markersize=9, label="transmitters")
            axes.plot(*_seen_from_above(self.receivers), "o", markersize=4, label="receivers")
        axes.set_aspect("equal")
        axes.set_xlabel("x, wavelengths")
        axes.set_ylabel("y, wavelengths")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
        return axes

    @cached_property
    def _exact(self) -> DenseOperator:
        # Keeps its singular values.
        return self.operator(torch.complex128)

    def _pixel_places(self) -> Tensor:
        places = pixel_places(self.pixels, self.side)
        if self.receivers.shape[1] == 3:
            places = torch.nn.functional.pad(places, (0, 1))
        return places

    def _rows_after(self, sent: Tensor, heard: Tensor) -> Tensor:
        # The permutation of measurements that one of transmitters and one of receivers make.
        if self.layout == "monostatic":
            rows = heard
        else:
            rows = (sent[:, None] * len(heard) + heard).flatten()
        starts = torch.arange(len(self.frequencies))[:, None] * len(rows)
        return (starts + rows).flatten()

    def _width(self, axis: int) -> float:
        offsets = torch.linspace(0, self.side / 2, STEPS + 1, dtype=torch.float64)
        points = torch.zeros(len(offsets), self.receivers.shape[1], dtype=torch.float64)
        points[:, axis] = offsets
        beside = self.response(points)
        beside = beside / torch.linalg.vector_norm(beside, dim=0)
        power = (beside[:, 0].conj() @ beside).abs().square()
        below = (power < 0.5).nonzero()
        if not len(below):
            return math.inf
        k = int(below[0])
        share = float((power[k - 1] - 0.5) / (power[k - 1] - power[k]))
        return 2 * float(offsets[k - 1] + share * (offsets[k] - offsets[k - 1]))


def ring(
    transmitters: int,
    receivers: int,
    *,
    radius: float,
    side: float,
    pixels: tuple[int, int],
    frequencies: Sequence[float] = (1.0,),
    layout: str = "multistatic",
    height: float | None = None,
) -> Geometry:
    """Antennas at equal angles on a ring around the scene, the first of each kind at angle 0.

    Args:
        transmitters, receivers: how many.
        radius, side: of the ring and of the scene, in wavelengths.
        height: of the ring above the scene, in space; None is a problem in the plane.
        pixels, frequencies, layout: see `Geometry`.

    Raises:
        ValueError: what is none of that.
    """
    radius = check_positive("radius", radius)
    places = [
        radius * _circle(name, count)
        for name, count in {"transmitters": transmitters, "receivers": receivers}.items()
    ]
    if height is not None:
        height = check_positive("height", height, zero=True)
        places = [torch.nn.functional.pad(part, (0, 1), value=height) for part in places]
    return Geometry(places[0], places[1], side, pixels, frequencies, layout)


def line(
    transmitters: int,
    receivers: int,
    *,
    length: float,
    distance: float,
    side: float,
    pixels: tuple[int, int],
    frequencies: Sequence[float] = (1.0,),
    layout: str = "multistatic",
) -> Geometry:
    """Antennas on a line beside the scene, parallel to x: the scene is seen from one side alone.

    Args:
        transmitters, receivers: how many, spread evenly over the whole length, one in its middle.
        length, distance, side: of the line, from it to the scene's middle, and of the scene, in
            wavelengths; distance > side/2.
        pixels, frequencies, layout: see `Geometry`.

    Raises:
        ValueError: what is none of that.
    """
    length = check_positive("length", length)
    side, distance = check_positive("side", side), check_positive("distance", distance)
    if distance <= side / 2:
        raise ValueError(f"distance is {distance}; more than side/2 = {side / 2} is needed")
    places = []
    for name, count in {"transmitters": transmitters, "receivers": receivers}.items():
        along = _spread(name, count, length)
        places.append(torch.stack((along, torch.full_like(along, -distance)), 1))
    return Geometry(places[0], places[1], side, pixels, frequencies, layout)


def planar(
    antennas: tuple[int, int],
    *,
    lengths: tuple[float, float],
    distance: float,
    side: float,
    pixels: tuple[int, int],
    frequencies: Sequence[float] = (1.0,),
    layout: str = "monostatic",
) -> Geometry:
    """A planar array above the scene, in space: a grid of antennas, each of which sends and hears.

    `far_field` is what becomes of it at a large distance.

    Args:
        antennas: (along x, along y), how many.
        lengths: of the array along both sides, in wavelengths.
        distance: of the array's plane from the scene's, in wavelengths.
        side: of the scene, in wavelengths.
        pixels, frequencies, layout: see `Geometry`.

    Raises:
        ValueError: what is none of that.
    """
    distance = check_positive("distance", distance)
    for name, pair in {"antennas": antennas, "lengths": lengths}.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(f"{name} is {pair!r}; two are needed")
    sides = [
        _spread("antennas", count, check_positive("lengths", length))
        for count, length in zip(antennas, lengths, strict=True)
    ]
    check_entries("antennas", antennas, len(sides[0]) * len(sides[1]))
    places = torch.nn.functional.pad(torch.cartesian_prod(*sides), (0, 1), value=distance)
    return Geometry(places, places, side, pixels, frequencies, layout)


def _seen_from_above(places: Tensor) -> list[list[float]]:
    return places[:, :2].T.tolist()


def _distances(ones: Tensor, others: Tensor) -> Tensor:
    # The faster formula, by products, loses half of the digits, and the phase with them.
    return torch.cdist(ones, others, compute_mode="donot_use_mm_for_euclid_dist")


def _green(distances: Tensor, frequency: float, *, plane: bool) -> Tensor:
    # Green's function of the Helmholtz equation, by distance.
    phase = 2 * math.pi * frequency * distances
    if plane:
        with extra("rf", "a geometry in the plane"):
            from scipy.special import hankel1  # torch.special has seven digits of it
        return 0.25j * torch.from_numpy(hankel1(0, phase.numpy()))
    return torch.polar(1 / (4 * math.pi * distances), phase)


def _circle(name: str, count: int) -> Tensor:
    check_size(name, count, most=10**5)
    angles = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
    return torch.stack((angles.cos(), angles.sin()), 1)


def _spread(name: str, count: int, length: float) -> Tensor:
    check_size(name, count, most=10**5)
    if count == 1:
        return torch.zeros(1, dtype=torch.float64)
    return torch.linspace(-length / 2, length / 2, count, dtype=torch.float64)


def _order_after(turn: Tensor, places: Tensor) -> Tensor | None:
    # Where the turned places are among the places; None where they are others.
    turned = places.clone()
    turned[:, :2] = places[:, :2] @ turn.T
    nearest = _distances(turned, places).min(1)
    scale = float(places.abs().max()) or 1.0
    return nearest.indices if bool((nearest.values <= 1e-9 * scale).all()) else None
