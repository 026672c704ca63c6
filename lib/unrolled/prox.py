"""Proximal maps: what a layer does after its linear step.

The soft threshold is written for speed: one pass over memory forwards and one backwards, and
nothing kept for the backward pass but its own output, which the next layer keeps anyway. Where
PyTorch follows the program instead of running it, it is written in PyTorch's own operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.checks import check_held, check_kind, check_nonnegative, check_positive, is_traced

__all__ = ["is_spare", "largest", "soft_threshold", "threshold_all_but_largest"]


def is_spare(*values: Tensor) -> bool:
    """Whether the first of these, needed no more, may be overwritten by what comes of all of them.

    So it is under `no_grad` and in inference mode, unless PyTorch follows the program or autocast
    chooses a precision. With gradients enabled it is not, even of what has none: a checkpoint may
    come back to it.
    """
    return not (
        torch.is_grad_enabled()
        or torch.is_autocast_enabled(values[0].device.type)
        or is_traced(*values)
    )


def soft_threshold(
    u: Tensor,
    threshold: Tensor | float,
    *,
    selected: Tensor | None = None,
    nonnegative: bool = False,
    spare: bool = False,
) -> Tensor:
    """Shrink every entry: the minimiser over x of ½|x − u|² + threshold·|x|.

    S_θ(u) = u/|u|·max(|u| − θ, 0), differentiable in u and θ; complex entries keep their phase.

    Args:
        u: (B, n).
        threshold: a number ≥ 0, or a tensor that broadcasts to u: one for each entry, (n,), for
            instance. A tensor may be learned and is not checked, because a look at its sign would
            make a GPU wait; below zero it pushes entries away from 0 by |θ|.
        selected: (B, n) bool; entries that, where they exceed θ, pass as they are: support
            selection (Chen et al. 2018), with `largest(u, count)` for instance.
        nonnegative: minimise over x ≥ 0, max(u − θ, 0); u is real then.
        spare: u is needed no more; x may take its place where nothing is differentiated.

    Raises:
        ValueError: a u that holds no real or complex numbers, a threshold that is a negative or
            non-finite number, shapes that do not broadcast to that of u, a `selected` that is not
            bool, or a complex u where x is to be nonnegative.
    """
    _check_numbers(u)
    if not isinstance(threshold, Tensor):
        number = check_positive("threshold", threshold, zero=True)
        check_held("threshold", number, u.dtype)
        threshold = u.real.new_full((), number)
    _check_shape("threshold", threshold, u)
    if not threshold.is_floating_point():
        raise ValueError(f"threshold has dtype {threshold.dtype}; a real one is needed")
    if selected is not None:
        check_kind("selected", selected, Tensor)
        _check_shape("selected", selected, u)
        if selected.dtype != torch.bool:
            raise ValueError(f"selected has dtype {selected.dtype}; bool is needed")
    check_nonnegative(nonnegative, u.dtype)
    if nonnegative or u.is_complex() or is_traced(u, threshold):
        if nonnegative:
            shrunk = torch.relu(u - threshold)
        else:
            shrunk = torch.sgn(u) * torch.relu(u.abs() - threshold)
        return shrunk if selected is None else torch.where(selected & (shrunk != 0), u, shrunk)
    if selected is None:
        if is_spare(u, threshold):  # what is not differentiated is spared the bookkeeping
            return _shrink(u, threshold, u if spare else None)
        return _SoftThreshold.apply(u, threshold)
    return _SelectiveThreshold.apply(u, threshold, selected)


def threshold_all_but_largest(
    u: Tensor, threshold: Tensor, count: int | Tensor, *, nonnegative: bool = False
) -> Tensor:
    """`soft_threshold` of all but the `largest` entries, which pass if they exceed it; u is spare.

    Where nothing is differentiated no entry is marked: x = u − c in place, with c = 0 where u
    passes and min(max(u, −θ), θ) elsewhere.
    """
    usual = nonnegative or u.is_complex() or not is_spare(u, threshold)
    if usual or u.device.type != "cpu" or not bool((threshold >= 0).all()):
        selected = largest(u, count, nonnegative=nonnegative)
        return soft_threshold(u, threshold, selected=selected, nonnegative=nonnegative)
    size = u.abs()
    beyond = threshold.nextafter(threshold.new_tensor(math.inf))  # at θ itself x is 0
    shrunk = size.lt_(_least(size, count).maximum(beyond))
    if threshold.numel() == 1:
        shrunk.mul_(u.clamp(-float(threshold), float(threshold)))
    else:
        shrunk.mul_(u.minimum(threshold).maximum(-threshold))
    return u.sub_(shrunk)


def largest(u: Tensor, count: int | Tensor, *, nonnegative: bool = False) -> Tensor:
    """Mark the `count` entries of each row that are largest in size; ties are marked too.

    Args:
        u: (B, n).
        count: 0 … n, or a tensor (B,) of integers 0 … n, one for each row, which is not checked,
            since a look would make a GPU wait.
        nonnegative: compare max(u, 0) in place of sizes, for signals x ≥ 0.

    Returns:
        (B, n) bool, which carries no gradient.

    Raises:
        ValueError: a number outside 0 … n, a tensor that is no such one, or a u that is no batch
            of real or complex numbers.
    """
    _check_numbers(u)
    check_nonnegative(nonnegative, u.dtype)
    if u.ndim != 2 or 0 in u.shape:
        raise ValueError(f"u has shape {tuple(u.shape)}; a batch (B, n) is needed")
    _check_count(count, u)
    size = u.detach().relu() if nonnegative else u.detach().abs()
    return size >= _least(size, count)


def _least(size: Tensor, count: int | Tensor) -> Tensor:
    # What exactly the `count` largest sizes of each row reach, (B, 1), or (1, 1) for all rows: the
    # least of them, 0 where all are chosen, ∞ where none is.
    n, quick = size.shape[1], _numpy_knows(size)
    if isinstance(count, Tensor):
        most = int(count.max()) if quick else n
        if quick and most == int(count.min()):
            return _least(size, most)
        ordered = torch.from_numpy(_ordered(size.numpy(), most)) if quick else size.sort(1).values
        # A last column that is larger than all sizes is the choice of none.
        padded = torch.nn.functional.pad(ordered, (0, 1), value=math.inf)
        return padded.gather(1, ordered.shape[1] - count[:, None])
    if count in (0, n):
        return size.new_full((1, 1), 0 if count == n else math.inf)
    if quick:
        place = n - count
        return torch.from_numpy(np.partition(size.numpy(), place, axis=1)[:, place, None])
    return size.topk(count, dim=1, sorted=False).values.amin(1, keepdim=True)


def _ordered(size: np.ndarray, most: int) -> np.ndarray:
    # The `most` largest of each row at least, in order.
    n = size.shape[1]
    if 2 * most > n:  # from there on, to part the rows first takes longer than it spares
        return np.sort(size, axis=1)
    top = np.partition(size, n - most, axis=1)[:, n - most :]
    top.sort(axis=1)
    return top


def _check_numbers(u: Tensor) -> None:
    check_kind("u", u, Tensor)
    if u.layout != torch.strided or not (u.is_floating_point() or u.is_complex()):
        raise ValueError(
            f"u has dtype {u.dtype} and layout {u.layout}; dense real or complex numbers are needed"
        )


def _check_count(count: int | Tensor, u: Tensor) -> None:
    n = u.shape[1]
    if isinstance(count, Tensor):
        if count.shape != u.shape[:1] or count.dtype != torch.int64:
            raise ValueError(
                f"count has shape {tuple(count.shape)} and dtype {count.dtype}; one for each row, "
                f"({len(u)},) int64, is needed"
            )
    elif not isinstance(count, Integral) or isinstance(count, bool) or not 0 <= count <= n:
        raise ValueError(f"count is {count!r}; 0 ≤ count ≤ {n} is needed")


def _check_shape(name: str, other: Tensor, u: Tensor) -> None:
    # A threshold is mostly one number, and the general question takes longer than the threshold.
    fits = other.ndim <= u.ndim
    if fits and other.numel() != 1:
        ends = zip(reversed(other.shape), reversed(u.shape), strict=False)
        fits = all(size == whole or size == 1 for size, whole in ends)
    if not fits:
        raise ValueError(f"{name} has shape {tuple(other.shape)}, u {tuple(u.shape)}")


def _numpy_knows(size: Tensor) -> bool:
    # NumPy sorts and partitions rows of some hundred entries several times as fast as PyTorch.
    known = size.device.type == "cpu" and size.dtype in (torch.float32, torch.float64)
    return known and not is_traced(size)


class _SoftThreshold(torch.autograd.Function):
    # The output says all that the backward pass needs: ∂x/∂u = [x ≠ 0], ∂x/∂θ = −sign(x).

    @staticmethod
    def forward(u: Tensor, threshold: Tensor) -> Tensor:
        return _shrink(u, threshold)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)
        ctx.threshold_shape = inputs[1].shape

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (x,) = ctx.saved_tensors
        return _pull_back(ctx, gradient, x, None)


class _SelectiveThreshold(torch.autograd.Function):
    # As above, but ∂x/∂θ = 0 where an entry is selected.

    @staticmethod
    def forward(u: Tensor, threshold: Tensor, selected: Tensor) -> Tensor:
        x = _shrink(u, threshold)
        return torch.where(selected & (x != 0), u, x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output, inputs[2])
        ctx.threshold_shape = inputs[1].shape

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, selected = ctx.saved_tensors
        return (*_pull_back(ctx, gradient, x, selected), None)


def _pull_back(
    ctx: Any, gradient: Tensor, x: Tensor, selected: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    # g·[x ≠ 0] towards u, and −Σ sign(x)·g, over what it was broadcast along, towards θ.
    to_u = to_threshold = signs = None
    if ctx.needs_input_grad[1]:
        signs = x.sign() if selected is None else x.sign().masked_fill(selected, 0)
        if ctx.threshold_shape.numel() == 1:
            total = torch.dot(signs.flatten(), gradient.flatten())
            to_threshold = -total.reshape(ctx.threshold_shape)
        else:
            to_threshold = -(signs * gradient).sum_to_size(ctx.threshold_shape)
    if ctx.needs_input_grad[0]:
        # softshrink's own backward at 0 is g·[x ≠ 0] in one pass. (Where x is NaN it is g or 0, as
        # chance has it; then the loss is NaN too.) The signs have served, and lend their memory.
        if signs is not None and is_spare(signs, gradient):
            to_u = torch.ops.aten.softshrink_backward.grad_input(gradient, x, 0.0, grad_input=signs)
        else:
            to_u = torch.ops.aten.softshrink_backward(gradient, x, 0.0)
    return to_u, to_threshold


def _shrink(u: Tensor, threshold: Tensor, out: Tensor | None = None) -> Tensor:
    if u.is_cuda:
        return _fused()(u, threshold)
    if threshold.numel() == 1 and threshold.device.type == "cpu":
        number = float(threshold)
        if number >= 0 and out is None:
            return torch.nn.functional.softshrink(u, number)
        if number >= 0:
            return torch.ops.aten.softshrink.out(u, number, out=out)
    return torch.sign(u) * torch.relu(u.abs() - threshold)


@cache
def _fused() -> Callable[[Tensor, Tensor], Tensor]:  # one CUDA kernel instead of four
    code = (
        "template <typename T> T soft_threshold(T u, T theta) {"
        " T size = u < 0 ? -u : u;"
        # Written so that NaN stays NaN.
        " return size <= theta || u == 0 ? T(0) : (u < 0 ? theta - size : size - theta); }"
    )
    return torch.cuda.jiterator._create_jit_fn(code)
