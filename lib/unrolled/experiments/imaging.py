"""What learns to image in the comparison of samples: a measured scene, and networks for it.

Two kinds of network, made of one kind of part: the U-Net sees A once, in the image that it starts
from; OAMPNet sees it again in each layer, between smaller U-Nets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.experiments.problem import Pair, Signals
from unrolled.networks import OAMPNet
from unrolled.networks.images import as_images, as_signals, draw_weights
from unrolled.networks.unet import unet_layers, widest
from unrolled.sensing import DenseOperator, stacked, with_real_signals
from unrolled.sensing.rf import Geometry, Scenes, line, ring
from unrolled.signals import add_noise

__all__ = ["Imaging", "Network"]


@dataclass(frozen=True)
class Imaging:
    """A geometry, its scenes and its noise.

    Attributes:
        geometry: "ring" or "line".
        antennas: (transmitters, receivers).
        reach: radius of the ring, or distance and length of the line, in wavelengths.
        side: of the scene, in wavelengths.
        pixels: along both sides.
        frequencies: in units of the centre frequency.
        shapes: in a scene.
        snr: in dB, per measurement.
    """

    geometry: str
    antennas: tuple[int, int]
    reach: float
    side: float
    pixels: int
    frequencies: tuple[float, ...]
    shapes: int
    snr: float

    @cached_property
    def layout(self) -> Geometry:
        """The geometry."""
        scene: dict[str, Any] = {
            "side": self.side,
            "pixels": (self.pixels, self.pixels),
            "frequencies": self.frequencies,
        }
        if self.geometry == "ring":
            return ring(*self.antennas, radius=self.reach, **scene)
        return line(*self.antennas, length=self.reach, distance=self.reach, **scene)

    @cached_property
    def operator(self) -> DenseOperator:
        """A for real scenes, with real and imaginary parts as two measurements."""
        return with_real_signals(self.layout.operator())

    @cached_property
    def noise(self) -> float:
        """σ² of a real measurement, on average over the scenes."""
        x = self._scenes.draw(1000, torch.Generator().manual_seed(0))
        power = self.operator.forward(x).square().mean()
        return float(power) * 10 ** (-self.snr / 10)

    def drawn(self, signals: Signals) -> Pair:
        """Measurements and scenes; of two batches of one seed the longer begins as the shorter."""
        generators = [signals.generator().manual_seed(2 * signals.seed + k) for k in (0, 1)]
        x = torch.cat([self._scenes.draw(1, generators[0]) for _ in range(signals.count)])
        exact = self.layout.operator().forward(x.to(torch.complex64))
        noisy = [add_noise(row[None], self.snr, generators[1]) for row in exact]
        return stacked(torch.cat(noisy)), x

    @property
    def turned(self) -> Callable[[Pair, torch.Generator], Pair]:
        """What turns and mirrors each pair of a batch at random, measurements and scene alike."""
        m = self.operator.shape[0] // 2
        symmetries = self.layout.symmetries()
        rows = torch.stack([torch.cat((order, order + m)) for order, _ in symmetries])
        columns = torch.stack([order for _, order in symmetries])

        def turn(pair: Pair, generator: torch.Generator) -> Pair:
            y, x = pair
            which = torch.randint(len(symmetries), (len(y),), generator=generator)
            return y.gather(1, rows[which].to(y.device)), x.gather(1, columns[which].to(x.device))

        return turn

    @property
    def _scenes(self) -> Scenes:
        return Scenes((self.pixels, self.pixels), shapes=self.shapes)


@dataclass(frozen=True)
class Network:
    """A network with about so many parameters.

    Attributes:
        physics: whether A is in every layer, and not in the input alone.
        layers: of OAMPNet.
        levels: of each U-Net.
        parameters: the budget of the whole.
        tied: whether the layers of OAMPNet share their U-Net.
        fed: λ of further linear estimates that the U-Net sees, in units of that of the first, x̂.
            Aᵀ(y − Ax̂), which one might feed it, is λx̂ and tells nothing.
        lam: λ of that linear estimate, in units of the noise over the mean square of a pixel.
    """

    physics: bool
    layers: int
    levels: int
    parameters: int
    tied: bool
    fed: tuple[float, ...]
    lam: float

    def made(self, imaging: Imaging, generator: torch.Generator) -> nn.Module:
        """The untrained network: in front of what it will learn it is a linear estimate."""
        if not self.physics:
            return InputNet(imaging, self, generator)
        parts = 1 if self.tied else self.layers
        denoiser = Residual(imaging.pixels, self.levels, self.parameters // parts - 1, generator)
        return OAMPNet(
            imaging.operator,
            self.layers,
            noise=imaging.noise,
            denoiser=denoiser,
            tied=self.tied,
            divergence_free=False,
        )


class Residual(nn.Module):
    """A denoiser of images, D(r, τ) = r + τN(r/τ), N a U-Net whose last layer starts at zero."""

    def __init__(self, pixels: int, levels: int, budget: int, generator: torch.Generator) -> None:
        super().__init__()
        self.image = (pixels, pixels)
        self.network = _started_at_zero(levels, budget, 1, generator)

    def forward(self, r: Tensor, tau: Tensor) -> Tensor:
        tau = tau.clamp(min=torch.finfo(r.dtype).eps ** 0.5 * r.abs().amax(1, keepdim=True))
        tau = torch.where(tau > 0, tau, 1)
        return r + tau * as_signals(self.network(as_images(r / tau, self.image)))


class InputNet(nn.Module):
    """A U-Net that adds to a linear estimate x̂; it sees x̂, Aᵀy and where asked others than x̂."""

    def __init__(self, imaging: Imaging, given: Network, generator: torch.Generator) -> None:
        super().__init__()
        self.operator, self.fed = imaging.operator, given.fed
        self.image = (imaging.pixels, imaging.pixels)
        self.lam = given.lam * imaging.noise
        channels = 2 + len(given.fed)
        self.network = _started_at_zero(given.levels, given.parameters, channels, generator)

    def forward(self, y: Tensor) -> Tensor:
        linear = self.operator.lmmse(y, self.lam)
        seen = [linear, self.operator.adjoint(y)]
        seen += [self.operator.lmmse(y, scale * self.lam) for scale in self.fed]
        # Each image in units of its own size, since the network knows no other.
        scaled = [image / image.square().mean(1, keepdim=True).sqrt() for image in seen]
        size = linear.square().mean(1, keepdim=True).sqrt()
        images = torch.cat([as_images(image, self.image) for image in scaled], 1)
        return linear + size * as_signals(self.network(images))


def _started_at_zero(
    levels: int, budget: int, channels: int, generator: torch.Generator
) -> nn.Sequential:
    network = unet_layers(widest(levels, budget, (channels, 1)), levels, (channels, 1))
    draw_weights(network, generator)
    last = network[-1]
    assert isinstance(last, nn.Conv2d)
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    return network
