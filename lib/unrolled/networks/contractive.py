"""Layers with a guaranteed norm, and denoisers that are firmly nonexpansive by construction.

Whatever finite values the parameters take, the guarantee holds, up to rounding: it is part of the
forward pass, not of the training.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from unrolled.checks import (
    check_entries,
    check_image,
    check_kind,
    check_positive,
    check_size,
    is_traced,
)
from unrolled.networks.images import (
    as_images,
    check_layers,
    check_signals,
    check_window,
    convolve,
    pushforward,
    random_signs,
)
from unrolled.prox import soft_threshold

__all__ = [
    "FirmProxNet",
    "FirmlyNonexpansive",
    "NonexpansiveConv2d",
    "NonexpansiveLinear",
    "conv_norm",
]


class NonexpansiveLinear(nn.Module):
    """x ↦ W̄x + b with ‖W̄‖₂ ≤ bound: W̄ = W·min(1, bound/‖W‖₂).

    `layer(x)`: (…, n_in) to (…, n_out).

    Args:
        n_in, n_out: lengths, ≥ 1.
        bound: > 0.
        bias: whether b is learned; else there is none.
        generator: draws W, orthogonal; without one it is the same each time.

    Raises:
        ValueError: settings outside these ranges.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        bound: float = 1.0,
        bias: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_layer({"n_in": n_in, "n_out": n_out}, bound, bias, generator)
        self.bound = bound
        self.weight = nn.Parameter(_orthogonal(torch.empty(n_out, n_in), generator))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        _check_fits(x, self.weight.shape[1], -1)
        return nn.functional.linear(x, self.bounded_weight(), self.bias)

    def bounded_weight(self) -> Tensor:
        """W̄, (n_out, n_in)."""
        return bounded(self.weight, spectral_norm(self.weight), self.bound)


class NonexpansiveConv2d(nn.Module):
    """Circular convolution of images by a kernel whose operator norm is ≤ bound.

    The norm is that of the whole map between images (`conv_norm`), not that of the kernel reshaped
    to a matrix, which can be smaller by a factor of up to the kernel's side. The kernel that is
    used is W·min(1, bound/norm).

    `layer(x)`: (B, c_in, height, width) to (B, c_out, height, width).

    Args:
        c_in, c_out: channels, ≥ 1.
        kernel: its side, odd, at most the sides of the image.
        size: (height, width) of the images, for which the bound holds; a kernel of side 1 acts on
            each pixel alone and takes images of any size.
        bound: > 0.
        bias: whether each output channel gets a learned constant.
        generator: draws W; without one it is the same each time.

    Raises:
        ValueError: settings outside these ranges, or images of another size.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        size: tuple[int, int],
        bound: float = 1.0,
        bias: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_layer({"c_in": c_in, "c_out": c_out, "kernel": kernel}, bound, bias, generator)
        check_image(size, "size")
        check_window(size, kernel)
        if kernel > min(size):
            raise ValueError(f"kernel is {kernel}; images of size {size} are smaller")
        # The transfer matrices of a kernel of side 1 are the same at all frequencies.
        self.size = (size[0], size[1]) if kernel > 1 else (1, 1)
        self.bound = bound
        self.weight = nn.Parameter(
            _orthogonal(torch.empty(c_out, c_in, kernel, kernel), generator) / kernel
        )
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        _check_fits(x, self.weight.shape[1], -3)
        weight = self.bounded_weight()
        side = weight.shape[-1] // 2
        if side:
            if x.shape[-2:] != self.size:
                raise ValueError(
                    f"x has shape {tuple(x.shape)}; the bound holds for images of size {self.size}"
                )
            x = nn.functional.pad(x, (side,) * 4, mode="circular")
        return convolve(x, weight, self.bias)

    def bounded_weight(self) -> Tensor:
        """The kernel that is used, (c_out, c_in, kernel, kernel)."""
        return bounded(self.weight, conv_norm(self.weight, self.size), self.bound)


class FirmlyNonexpansive(nn.Module):
    """T = (I + R)/2: firmly nonexpansive when R is nonexpansive, and every such T is one of these.

    ‖Tx − Tz‖² ≤ ⟨Tx − Tz, x − z⟩, so that T, repeated, converges if it has a fixed point. It can
    serve as a denoiser; it does not look at τ.

    Source: Bauschke and Combettes, Convex Analysis and Monotone Operator Theory, 2017, ch. 4.

    Args:
        R: a module from (B, n) to (B, n) that is 1-Lipschitz; this is not checked.
    """

    def __init__(self, R: nn.Module) -> None:
        super().__init__()
        check_kind("R", R, nn.Module)
        self.R = R

    def forward(self, x: Tensor, tau: Tensor | None = None) -> Tensor:
        return (x + self.R(x)) / 2


class FirmProxNet(FirmlyNonexpansive):
    """A learned denoiser that is firmly nonexpansive whatever its parameters are.

    x = (r + R(r))/2 with R = (2S_θ − I + sN)/(1 + |s|), where S_θ is the soft threshold, so that
    2S_θ − I is nonexpansive, and N a network of nonexpansive layers with the ReLU between them.
    The learned number s starts at zero, and FirmProxNet as S_θ. With it,
    OAMPNet(…, divergence_free=False, tied=True, lam=…) applies one averaged map again and again.

    Unlike ProxNet it does not look at τ, because that depends on the iterate: θ is one learned
    number for all signals and layers, |θ| as used.

    Args:
        threshold: where θ starts, ≥ 0.
        image, kernel, width, layers, generator: see `ProxNet`; beyond its border an image goes on
            at the opposite one.

    Raises:
        ValueError: bad settings.
    """

    R: _Reflection

    def __init__(
        self,
        threshold: float,
        *,
        image: tuple[int, int] | None = None,
        kernel: int | None = None,
        width: int = 8,
        layers: int = 2,
        generator: torch.Generator | None = None,
    ) -> None:
        check_positive("threshold", threshold, zero=True)
        if generator is not None:
            check_kind("generator", generator, torch.Generator)
        kernel = check_window(image, kernel)
        check_layers(width, layers)
        super().__init__(_Reflection(threshold, image, kernel, width, layers, generator))

    def with_divergence(self, r: Tensor, tau: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The estimate and its mean slope, (B, 1), as those of `ProxNet`."""
        reflected, slope = self.R.with_divergence(r)
        return (r + reflected) / 2, (1 + slope) / 2


class _Reflection(nn.Module):
    # R = (2S_θ − I + sN)/(1 + |s|): the reflected soft threshold, and what is learned.

    signs: Tensor

    def __init__(
        self,
        threshold: float,
        image: tuple[int, int] | None,
        kernel: int,
        width: int,
        layers: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.image = image
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))
        self.scale = nn.Parameter(torch.zeros(()))
        channels = [1, *[width] * (layers - 1), 1]
        size, generator = image or (1, 1), generator or _fixed_generator()
        stack: list[nn.Module] = []
        for c_in, c_out in pairwise(channels):
            layer = NonexpansiveConv2d(c_in, c_out, kernel, size=size, generator=generator)
            stack += [layer, nn.ReLU()]
        self.network = nn.Sequential(*stack[:-1])
        self.register_buffer("signs", random_signs(image, kernel), persistent=False)

    def forward(self, r: Tensor) -> Tensor:
        learned = self.network(self._images(r)).flatten(1)
        return self._sum(self._reflect(r), learned)

    def with_divergence(self, r: Tensor) -> tuple[Tensor, Tensor]:
        images = self._images(r)
        signs = self.signs.expand_as(r)
        learned, change = pushforward(self.network, images, signs.reshape(images.shape))
        change = (signs * change.flatten(1)).mean(1, keepdim=True)
        kept = (r.abs() > self.threshold.abs()).to(r.dtype).mean(1, keepdim=True)
        value = self._sum(self._reflect(r), learned.flatten(1))
        return value, self._sum(2 * kept - 1, change)

    def _images(self, r: Tensor) -> Tensor:
        check_signals(r)
        if r.is_complex():
            raise ValueError("r is complex; a firmly nonexpansive denoiser takes real signals")
        return as_images(r, self.image)

    def _reflect(self, r: Tensor) -> Tensor:
        return 2 * soft_threshold(r, self.threshold.abs()) - r

    def _sum(self, reflected: Tensor, learned: Tensor) -> Tensor:
        return (reflected + self.scale * learned) / (1 + self.scale.abs())


def conv_norm(kernel: Tensor, size: tuple[int, int]) -> Tensor:
    """The norm of a circular convolution as a linear map between images: a scalar.

    In the Fourier basis the map is one c_out×c_in matrix for each of the h·w frequencies, and its
    norm is the largest of their norms. What is returned is, up to rounding, never below that norm
    and at most 10⁻⁴ above it, and carries a gradient; nothing makes a GPU wait.

    Source: Sedghi, Gupta and Long, ICLR 2019.

    Args:
        kernel: (c_out, c_in, p, q), real.
        size: (h, w) of the images, h ≥ p and w ≥ q.

    Raises:
        ValueError: a kernel or a size other than these.
    """
    check_image(size, "size")
    check_kind("kernel", kernel, Tensor)
    if kernel.ndim != 4 or not kernel.is_floating_point():
        raise ValueError(
            f"kernel has shape {tuple(kernel.shape)} and dtype {kernel.dtype}; a real tensor "
            "(c_out, c_in, p, q) is needed"
        )
    if 0 in kernel.shape or kernel.shape[2] > size[0] or kernel.shape[3] > size[1]:
        raise ValueError(
            f"kernel has shape {tuple(kernel.shape)}; (c_out, c_in, p, q) with p, q at most the "
            f"sides of the images, {tuple(size)}, is needed"
        )
    # Where the kernel's centre is only turns the phases. Frequencies come in conjugate pairs.
    transfer = torch.fft.rfft2(kernel, s=tuple(size)).flatten(2).permute(2, 0, 1)
    with torch.no_grad():
        # On a CPU the many small decompositions are faster; on a GPU they would make it wait.
        eager = transfer.device.type == "cpu" and not is_traced(transfer)
        exact = eager and bool(transfer.isfinite().all())
        norms = torch.linalg.svdvals(transfer)[:, 0] if exact else spectral_norm(transfer)
        worst = norms.argmax()
    return spectral_norm(transfer.index_select(0, worst.reshape(1)))[0]


def spectral_norm(matrices: Tensor) -> Tensor:
    """‖M‖₂ of each matrix (…, p, q): (…), never below it but for rounding, with a gradient."""
    # Gram iteration (Delattre et al., ICML 2023): with G = MᴴM and t squarings,
    # ‖M‖ ≤ ‖G^(2ᵗ)‖_F^(1/2ᵗ⁺¹) ≤ rank^(1/2ᵗ⁺²)·‖M‖: sharp, with a gradient, and no GPU waits.
    p, q = matrices.shape[-2:]
    if min(p, q) == 1:
        return torch.linalg.vector_norm(matrices, dim=(-2, -1))
    power = matrices @ matrices.mH if p < q else matrices.mH @ matrices
    logarithm, weight = 0.0, 0.5
    for _ in range(16):
        size = torch.linalg.vector_norm(power, dim=(-2, -1), keepdim=True)
        size = size.clamp(min=torch.finfo(size.dtype).tiny)
        logarithm = logarithm + weight * size.log()
        power = power / size
        power = power @ power
        weight /= 2
    size = torch.linalg.vector_norm(power, dim=(-2, -1), keepdim=True)
    size = size.clamp(min=torch.finfo(size.dtype).tiny)
    return (logarithm + weight * size.log()).exp()[..., 0, 0]


def bounded(weight: Tensor, norm: Tensor, bound: float) -> Tensor:
    """The weight, scaled so that a norm of it is at most the bound."""
    return weight * (bound / norm.clamp(min=bound))


def _orthogonal(weight: Tensor, generator: torch.Generator | None) -> Tensor:
    return nn.init.orthogonal_(weight, generator=generator or _fixed_generator())


def _fixed_generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _check_layer(
    sizes: dict[str, int], bound: float, bias: bool, generator: torch.Generator | None
) -> None:
    for name, value in sizes.items():
        check_size(name, value)
    check_entries(", ".join(sizes), tuple(sizes.values()), math.prod(sizes.values()))
    check_positive("bound", bound)
    check_kind("bias", bias, bool)
    if generator is not None:
        check_kind("generator", generator, torch.Generator)


def _check_fits(x: Tensor, width: int, axis: int) -> None:
    # A layer's input: as many entries, or channels, along that axis.
    check_kind("x", x, Tensor)
    wanted = f"(…, {width})" if axis == -1 else f"(B, {width}, height, width)"
    if x.ndim < -axis or (axis == -3 and x.ndim != 4) or x.shape[axis] != width:
        raise ValueError(f"x has shape {tuple(x.shape)}; {wanted} is needed")
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}; a real floating-point one is needed")
