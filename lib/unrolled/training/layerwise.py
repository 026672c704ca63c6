"""Layer by layer, then all together: how the LISTA papers train deep networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from unrolled.networks import UnrolledNet
from unrolled.training.fit import Batch, History, fit

__all__ = ["fit_layerwise"]


def fit_layerwise(
    net: UnrolledNet,
    data: Batch | Callable[[torch.Generator], Batch],
    *,
    alone: int,
    together: int,
    final: int,
    lr: float = 1e-3,
    lr_together: float | None = None,
    copy: bool = True,
    checkpoint: str | Path | None = None,
    **options: object,
) -> list[History]:
    """Train layer 1 at its own exit, then layer 2 behind it, …; then all layers at the last exit.

    For k = 1, …, K the loss is that of the network cut off after layer k: first for `alone` steps
    with lr over layer k alone, then for `together` steps with lr_together over the layers 1 … k.
    At last all layers are fitted for `final` steps with lr_together. Parameters that the layers
    share are fitted in every stage. The loss is the mean squared error, as in `fit`.

    alone, together, final: Adam steps, ≥ 0; a stage of 0 steps is left out.
    lr_together: lr/5 by default. copy: start a layer as the trained one before it, instead of as
        the algorithm.
    checkpoint: folder for one file, that of the stage in progress; a killed run resumes there.
    options: further arguments of `fit`.

    Returns the history of each stage. Raises what `fit` raises.
    Source: Chen et al., NeurIPS 2018, whose schedule this simplifies.
    """
    for name, count in {"alone": alone, "together": together, "final": final}.items():
        if count < 0:
            raise ValueError(f"{name} is {count}; it must be at least 0")
    lr_together = lr / 5 if lr_together is None else lr_together
    stages = []
    for k in range(net.depth):
        stages.append((k, "alone", alone, lr))
        if k:
            stages.append((k, "together", together, lr_together))
    stages.append((net.depth - 1, "final", final, lr_together))
    stages = [stage for stage in stages if stage[2]]

    folder = None if checkpoint is None else Path(checkpoint)
    files = [folder and folder / f"{k + 1:02}-{name}.pt" for k, name, *_ in stages]
    reached = max((i for i, file in enumerate(files) if file and file.exists()), default=0)
    histories = []
    for i, (k, name, steps, rate) in enumerate(stages):
        if i < reached:  # the checkpoint that is there holds what this stage has done
            continue
        if copy and name == "alone" and k and not (files[i] and files[i].exists()):
            _copy_layer(net, k - 1, k)
        exit_ = _Exit(net, k + 1)
        with _only(net, range(k, k + 1) if name == "alone" else range(k + 1)):
            histories.append(fit(exit_, data, steps=steps, lr=rate, checkpoint=files[i], **options))
        if i and files[i - 1]:
            files[i - 1].unlink(missing_ok=True)
    return histories


class _Exit(nn.Module):
    # The network as it is seen at the exit of one of its layers.

    def __init__(self, net: UnrolledNet, depth: int) -> None:
        super().__init__()
        self.net, self.depth = net, depth

    def forward(self, y: Tensor) -> Tensor:
        return self.net(y, depth=self.depth)

    def trajectory(self, y: Tensor) -> Tensor:
        return self.net.trajectory(y)


def _layers(net: UnrolledNet) -> Iterator[Sequence[Tensor | nn.Module]]:
    # What each layer has of its own: vectors (K,), lists of parameters or lists of modules.
    for name in net.layerwise:
        values = getattr(net, name)
        if len(values) == net.depth:  # otherwise the layers share it
            yield values


def _copy_layer(net: UnrolledNet, source: int, target: int) -> None:
    with torch.no_grad():
        for values in _layers(net):
            if isinstance(values, nn.ModuleList):
                values[target].load_state_dict(values[source].state_dict())
            else:
                values[target].copy_(values[source])


@contextmanager
def _only(net: UnrolledNet, layers: range) -> Iterator[None]:
    # Let only these layers learn: whole parameters by requires_grad, entries of vectors by a mask
    # on their gradient, which Adam, fresh in every stage, leaves where they are.
    with ExitStack() as stack:
        for values in _layers(net):
            if isinstance(values, Tensor):
                if values.requires_grad:
                    mask = torch.zeros_like(values)
                    mask[layers.start : layers.stop] = 1
                    stack.callback(values.register_hook(lambda g, mask=mask: g * mask).remove)
                continue
            for k, value in enumerate(values):
                for own in value.parameters() if isinstance(value, nn.Module) else (value,):
                    stack.callback(own.requires_grad_, own.requires_grad)
                    own.requires_grad_(own.requires_grad and k in layers)
        yield
