"""Scenes to image: points, ellipses and rectangles whose reflectivity varies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.checks import (
    check_choice,
    check_entries,
    check_flag,
    check_floating,
    check_image,
    check_kind,
    check_positive,
    check_size,
)
from unrolled.sensing.rf.grid import centres

__all__ = ["Scenes"]

KINDS = ("ellipse", "rectangle", "point")


@dataclass(frozen=True)
class Scenes:
    """Draws images of some shapes on an empty ground, later ones before earlier ones.

    A shape has a place, half axes, an angle and a reflectivity, all uniform; within it the
    reflectivity changes linearly, by up to `variation` of itself from the middle to the rim. A
    point fills one pixel. What lies beyond the border is cut off.

    Attributes:
        pixels: (rows, columns) of the image, which is a row of `draw`, row after row.
        shapes: how many in each scene.
        kinds: of "ellipse", "rectangle", "point"; each shape is one of them at random.
        sizes: the least and the greatest half axis, in sides of the scene, 0 < least ≤ greatest.
        reflectivity: its least and its greatest size, 0 < least ≤ greatest.
        variation: 0 ≤ variation < 1.
        complex: whether each shape has a phase of its own; otherwise scenes are real and ≥ 0.

    Raises:
        ValueError: what is none of that.
    """

    pixels: tuple[int, int]
    shapes: int = 3
    kinds: Sequence[str] = ("ellipse", "rectangle")
    sizes: tuple[float, float] = (0.08, 0.25)
    reflectivity: tuple[float, float] = (0.3, 1.0)
    variation: float = 0.3
    complex: bool = False

    def __post_init__(self) -> None:
        check_image(self.pixels, "pixels")
        check_size("shapes", self.shapes)
        check_kind("kinds", self.kinds, Sequence)
        if isinstance(self.kinds, str) or not self.kinds:
            raise ValueError(f"kinds is {self.kinds!r}; one at least of {KINDS} is needed")
        for kind in self.kinds:
            check_choice("kinds", kind, KINDS)
        for name in ("sizes", "reflectivity"):
            pair = getattr(self, name)
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise ValueError(f"{name} is {pair!r}; (least, greatest) is needed")
            least, greatest = (check_positive(name, number) for number in pair)
            if least > greatest:
                raise ValueError(f"{name} is {pair}; least ≤ greatest is needed")
        if check_positive("variation", self.variation, zero=True) >= 1:
            raise ValueError(f"variation is {self.variation}; less than 1 is needed")
        check_flag("complex", self.complex)

    @property
    def n(self) -> int:
        """Pixels."""
        return self.pixels[0] * self.pixels[1]

    def draw(
        self, count: int, generator: torch.Generator, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Draw `count` scenes, (count, n), float32 or complex64 unless another dtype is given.

        ValueError for a dtype that is not complex where scenes are, or no floating one.
        """
        check_size("count", count)
        check_entries("count", count, count * self.n)
        check_kind("generator", generator, torch.Generator)
        if dtype is None:
            dtype = torch.complex64 if self.complex else torch.float32
        check_floating(dtype)
        if self.complex and not dtype.is_complex:
            raise ValueError(f"dtype is {dtype}; scenes are complex")

        def uniform(least: float, greatest: float) -> Tensor:
            share = torch.rand(count, 1, 1, generator=generator, dtype=torch.float64)
            return least + (greatest - least) * share

        x, y = (centres(pixels, 1.0) for pixels in self.pixels)
        image = torch.zeros(count, *self.pixels, dtype=torch.complex128)
        for _ in range(self.shapes):
            along, across = x[:, None] - uniform(-0.5, 0.5), y - uniform(-0.5, 0.5)
            angle = uniform(0, math.pi)
            u = (along * angle.cos() + across * angle.sin()) / uniform(*self.sizes)
            v = (across * angle.cos() - along * angle.sin()) / uniform(*self.sizes)
            steepness, direction = uniform(0, self.variation), uniform(0, 2 * math.pi)
            slope = steepness * (direction.cos() * u + direction.sin() * v)
            size = uniform(*self.reflectivity)
            phase = uniform(0, 2 * math.pi) if self.complex else torch.zeros_like(size)
            kind = (uniform(0, 1) * len(self.kinds)).long()
            inside = torch.zeros_like(image, dtype=torch.bool)
            for number, name in enumerate(self.kinds):
                inside |= (kind == number) & _inside(name, u, v, along, across)
            # A rectangle's corner lies at √2 from the middle, in half axes.
            value = torch.polar(size * (1 + slope / math.sqrt(2)), phase.expand_as(slope))
            image = torch.where(inside, value, image)
        flat = image.flatten(1)
        return flat.to(dtype) if dtype.is_complex else flat.real.to(dtype)


def _inside(kind: str, u: Tensor, v: Tensor, along: Tensor, across: Tensor) -> Tensor:
    if kind == "ellipse":
        return u.square() + v.square() <= 1
    if kind == "rectangle":
        return (u.abs() <= 1) & (v.abs() <= 1)
    # The pixel whose middle is nearest.
    distance = along.square() + across.square()
    return distance == distance.amin((1, 2), keepdim=True)
