"""What all unrolled networks share: layers run one after the other, and how to store less."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recompute

from unrolled.checks import check_batch, check_depth, check_flag, check_kind, check_size, is_traced
from unrolled.precision import KindKeepingModule
from unrolled.sensing import (
    BatchOperator,
    DenseOperator,
    SensingOperator,
    any_operator,
    dense_operator,
    stacked,
    with_real_signals,
)
from unrolled.sensing.check import check_once

__all__ = [
    "UnrolledNet",
    "check_fits",
    "own_matrix",
    "own_operator",
    "segments",
]


T = TypeVar("T", covariant=True)

# What a layer hands to the next: its estimate of x, or a tuple of tensors that begins with it.
State = Tensor | tuple[Tensor, ...]


class Layers(Protocol[T]):
    """What is indexed by the layer: a list of parameters or of modules, a vector, a tuple."""

    def __len__(self) -> int:
        """How many layers have one of their own."""

    def __getitem__(self, k: int, /) -> T:
        """What layer k + 1 has."""


def _missing(self: nn.Module, *inputs: Any) -> State:
    raise NotImplementedError


class UnrolledNet(KindKeepingModule):
    """K layers x_k = T_k(x_{k−1}, y) from x_0 = 0.

    A subclass says how a layer works by `_first` (layer 1, which knows that x_0 = 0) and `_layer`,
    and may hoist what all layers share into `_inputs`. What a layer hands to the next is its
    estimate of x, (B, n), or a tuple of tensors that begins with it. Layers use PyTorch's own
    operations and look at no value, so that a network can be compiled, exported and transformed.
    They may overwrite the state that they are given where nothing is differentiated
    (`networks.in_place`).

    `net(y)`: (B, m) to (B, n); `net(y, depth=k)` stops after k ≤ K layers. `net.trajectory(y)`:
    (K + 1, B, n), x_0 = 0 first; `net.trajectory(y, depth=k)` runs k layers, and repeats the last
    one where k > K. Networks whose learned numbers belong to no A also take another `operator` of
    the same shape, or a `BatchOperator` with a matrix for each signal; they say in `_adapted` what
    their layers are given then.

    Args:
        shape: (m, n) of the operator.
        depth: 1 ≤ K ≤ 2¹⁶.
        checkpoint: how many layers there are in each segment whose inside is recomputed in the
            backward pass instead of stored: one number for all segments (the last one may be
            shorter), or the numbers themselves, which sum to K. None stores everything.
        real_signals: x is real although A and y are complex, which halves the unknowns: the network
            is that of `sensing.with_real_signals(A)`, and takes y as it is.

    Attributes:
        layerwise: names of what each layer has of its own, indexed by the layer: a list of
            parameters or of modules, or a vector (K,). All other parameters are shared by the
            layers.

    Raises:
        ValueError: shapes that do not fit, a dtype that is not the network's, depth < 1,
            schedules that do not sum to the depth, or an operator where none can be taken.
    """

    layerwise: tuple[str, ...] = ()

    def __init__(
        self,
        shape: tuple[int, int] | torch.Size,
        depth: int,
        *,
        checkpoint: int | Sequence[int] | None = None,
        real_signals: bool = False,
    ) -> None:
        super().__init__()
        check_depth(depth)
        self.shape, self.depth = (shape[0], shape[1]), depth
        self.real_signals = real_signals
        self.segments = segments(depth, checkpoint)

    def forward(
        self, y: Tensor, depth: int | None = None, *, operator: SensingOperator | None = None
    ) -> Tensor:
        """Estimate x from y, after all K layers or the first `depth` of them."""
        depth = self.depth if depth is None else depth
        check_depth(depth)
        if depth > self.depth:
            raise ValueError(f"depth is {depth}; 1 ≤ depth ≤ {self.depth} is needed")
        inputs = self._given(y, operator)
        recomputed = bool(self.segments) and torch.is_grad_enabled() and self._may_recompute(y)
        state: Any = None
        start = 0
        for length in self.segments or (depth,):
            end = min(start + length, depth)
            if recomputed:
                state = recompute(self._run, start, end, state, *inputs, use_reentrant=False)
            else:
                state = self._run(start, end, state, *inputs)
            start = end
            if start == depth:
                break
        return _iterate(state)

    def trajectory(
        self, y: Tensor, depth: int | None = None, *, operator: SensingOperator | None = None
    ) -> Tensor:
        """All iterates, (depth + 1, B, n), the zero start included; K layers by default.

        They are all kept, with checkpoints too.
        """
        depth = self.depth if depth is None else depth
        check_depth(depth)
        inputs = self._given(y, operator)
        state: Any = None
        iterates: list[Tensor] = []
        for k in range(depth):
            state = self._run(k, k + 1, state, *inputs)
            iterates.append(_kept(state))
        return torch.stack([torch.zeros_like(iterates[0]), *iterates])

    def _may_recompute(self, y: Tensor) -> bool:
        # torch.func cannot; what it transforms may be a parameter. What is compiled can.
        return torch.compiler.is_compiling() or not is_traced(y, *self.parameters())

    def load_layers(self, net: UnrolledNet) -> None:
        """Take over what another network of this kind holds: its layers, and what they share.

        The layers beyond its last one, and all of them if it is tied, repeat its last one. So a
        deeper network goes on from a trained one.

        Raises:
            ValueError: net is of another kind or deeper, its layers have of their own what these
                share, or what it holds is of other shapes.
        """
        check_kind("net", net, UnrolledNet)
        if type(net) is not type(self) or net.depth > self.depth:
            raise ValueError(
                f"net is a {type(net).__name__} of depth {net.depth}; a {type(self).__name__} of "
                f"depth at most {self.depth} is needed"
            )
        for kind in self.layerwise:
            if len(getattr(net, kind)) > len(getattr(self, kind)):
                raise ValueError(f"net holds {kind} for each layer; here all layers share one")
        theirs = net.state_dict()
        taken: dict[str, Tensor] = {}
        for name, own in self.state_dict().items():
            kind, *rest = name.split(".")
            if kind in self.layerwise and rest:  # an entry of a list: kind.k.…
                values = getattr(net, kind)
                at = ".".join((kind, str(min(int(rest[0]), len(values) - 1)), *rest[1:]))
                found = theirs.get(at)
            elif kind in self.layerwise:  # a vector
                entries = theirs[name]
                found = entries[torch.arange(len(own)).clamp(max=len(entries) - 1)]
            else:
                found = theirs.get(name)
            if found is None or found.shape != own.shape:
                raise ValueError(f"net holds another {name} than one of shape {tuple(own.shape)}")
            taken[name] = found
        self.load_state_dict(taken)

    def extra_repr(self) -> str:
        """What `print` shows."""
        learned = sum(p.numel() for p in self.parameters() if p.requires_grad)
        told = f"shape={self.shape}, depth={self.depth}, dtype={self._dtype()}, learned={learned}"
        told += ", real_signals=True" if self.real_signals else ""
        return f"{told}, checkpoint={list(self.segments)}" if self.segments else told

    def _given(self, y: Tensor, operator: SensingOperator | None) -> tuple[Any, ...]:
        self._check(y)
        seen = stacked(y) if self.real_signals else y
        if operator is None:
            return self._inputs(seen)
        check_fits(operator, self.shape, self._measured_dtype(), len(y))
        operator.check("y", y, self.shape[0])
        return self._adapted(seen, with_real_signals(operator) if self.real_signals else operator)

    def _run(self, start: int, end: int, state: Any, *inputs: Any) -> Any:
        for k in range(start, end):
            state = self._layer(k, state, *inputs) if k else self._first(*inputs)
        return state

    def _inputs(self, y: Tensor) -> tuple[Any, ...]:
        """What every layer is given: y, and products with it that are the same in all layers."""
        return (y,)

    def _adapted(self, y: Tensor, operator: SensingOperator) -> tuple[Any, ...]:
        """The same for another operator."""
        raise ValueError(
            f"operator is given, but {type(self).__name__} has learned for its own A; none can be "
            "taken"
        )

    # Values, as `nn.Module.forward` is one, since each network names the inputs that it takes.
    # _first(*inputs): layer 1 at x_0 = 0, spared the products with zero.
    _first: Callable[..., State] = _missing
    # _layer(k, state, *inputs): layer k + 1, k = 1, …, K − 1.
    _layer: Callable[..., State] = _missing

    def _own(self, values: Layers[T], k: int) -> T:
        """What layer k + 1 has of its own; the last there is, if layers share or repeat it."""
        return values[min(k, len(values) - 1)]

    def _check(self, y: Tensor) -> None:
        check_batch("y", y, self.shape[0])
        if y.dtype != (dtype := self._measured_dtype()):
            raise ValueError(f"y has dtype {y.dtype}; the network's {dtype} is needed")

    def _measured_dtype(self) -> torch.dtype:
        # Of y, and of the operator that one knows.
        return self._dtype().to_complex() if self.real_signals else self._dtype()

    def _dtype(self) -> torch.dtype:
        # Of signals. A complex network has real numbers as well, and says which it means.
        held = itertools.chain(self.parameters(), self.buffers())
        # A replica on one of many GPUs (nn.DataParallel) has plain tensors for parameters.
        former = (vars(module).get("_former_parameters", {}) for module in self.modules())
        return next(itertools.chain(held, *(named.values() for named in former))).dtype


def own_operator(
    A: SensingOperator | Tensor, real_signals: bool = False, *, estimates: bool = False
) -> SensingOperator:
    """What a network holds of A: a copy, so that what is done to the network stays within it.

    For signals that are real although A is complex it is the real operator that acts on them.
    An operator of one's own is tried out, its `lmmse` too if the network asks for `estimates`.
    """
    check_flag("real_signals", real_signals)
    operator = any_operator(A)
    check_once(operator, estimates=estimates)
    operator = copy.deepcopy(operator)
    if isinstance(operator, BatchOperator):
        raise ValueError(
            "A is a BatchOperator; a network is made for one A, and takes such an operator with y"
        )
    return with_real_signals(operator) if real_signals else operator


def own_matrix(A: DenseOperator | Tensor, real_signals: bool = False) -> DenseOperator:
    """The same for a network that needs the matrix; ValueError for an operator that has none."""
    check_flag("real_signals", real_signals)
    operator = dense_operator(A)
    return with_real_signals(operator) if real_signals else operator


def check_fits(
    operator: SensingOperator, shape: tuple[int, int], dtype: torch.dtype, rows: int
) -> None:
    """Require an operator of this shape and dtype in place of another; ValueError otherwise.

    One of one's own is tried out on as many signals as there are.
    """
    check_kind("operator", operator, SensingOperator)
    if operator.shape != shape or operator.dtype != dtype:
        raise ValueError(
            f"operator has shape {operator.shape} and dtype {operator.dtype}; {shape} and {dtype} "
            "are needed"
        )
    check_once(operator, rows=rows)


def segments(depth: int, checkpoint: int | Sequence[int] | None) -> tuple[int, ...]:
    """The lengths of the checkpointed segments of a network of `depth` layers; () without any.

    Args:
        checkpoint: None, a length ≥ 1 for all segments, or the lengths, each ≥ 1, which sum to
            depth.
    """
    if checkpoint is None:
        return ()
    if not isinstance(checkpoint, Sequence) or isinstance(checkpoint, str):
        check_size("checkpoint", checkpoint)
        full, rest = divmod(depth, checkpoint)
        return (checkpoint,) * full + ((rest,) if rest else ())
    lengths = tuple(checkpoint)
    for length in lengths:
        check_size("checkpoint", length)
    if sum(lengths) != depth:
        raise ValueError(
            f"checkpoint is {list(lengths)}, which sums to {sum(lengths)}; lengths that sum to the "
            f"depth {depth} are needed"
        )
    return lengths


def _iterate(state: State) -> Tensor:
    return state[0] if isinstance(state, tuple) else state


def _kept(state: State) -> Tensor:
    # The next layer may overwrite its state where nothing is differentiated.
    x = _iterate(state)
    return x if torch.is_grad_enabled() else x.clone()
