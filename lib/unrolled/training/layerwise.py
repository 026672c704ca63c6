"""Layer by layer, then all together: how the LISTA papers train deep networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.checks import check_flag, check_kind, check_positive, check_size
from unrolled.networks import UnrolledNet
from unrolled.training.checkpoint import check_settings, load, save
from unrolled.training.fit import Data, History, evaluating, fit, place

__all__ = ["fit_layerwise"]


def fit_layerwise(
    net: UnrolledNet,
    data: Data,
    *,
    alone: int,
    together: int,
    final: int,
    lr: float | None = None,
    lr_together: float | None = None,
    copy: bool = True,
    checkpoint: str | Path | None = None,
    **options: Any,
) -> list[History]:
    """Train layer 1 at its own exit, then layer 2 behind it, …; then all layers at the last exit.

    For k = 1, …, K the loss is that of the network cut off after layer k: first for `alone` steps
    with lr over layer k alone, then for `together` steps with lr_together over the layers 1 … k.
    At last all layers are fitted for `final` steps with lr_together. Parameters that the layers
    share are fitted in every stage; what does not require a gradient stays as it is in all of them.
    Layers that rest are in `eval()`. The loss is that of `fit`, and so is what a stage without
    improvement leaves: its start.

    Source: Chen et al., NeurIPS 2018, whose schedule this simplifies.

    Args:
        alone, together, final: Adam steps, ≥ 0; a stage of 0 steps, or in which nothing could
            learn, is left out.
        lr: the learning rate of a layer alone; by default each tensor's own, as of `fit`.
        lr_together: lr/5 by default, or as of `fit` without lr.
        copy: start a layer's stage alone from the layer before it, instead of from the algorithm;
            where there is no such stage, nothing is copied.
        checkpoint: folder for the stage in progress and the histories of those before it; a killed
            run resumes there, with the settings that it began with.
        options: further arguments of `fit`.

    Returns:
        The history of each stage, those before a resumption included.

    Raises:
        ValueError: net is no `UnrolledNet`, or what `fit` does not accept.
        FloatingPointError: as in `fit`.
    """
    if not isinstance(net, UnrolledNet):
        raise ValueError(f"net is a {type(net).__name__}; an UnrolledNet, with layers, is needed")
    for name, count in {"alone": alone, "together": together, "final": final}.items():
        check_size(name, count, least=0)
    alone, together, final = int(alone), int(together), int(final)
    lr = None if lr is None else check_positive("lr", lr, dtype=torch.float32)
    if lr_together is not None:
        lr_together = check_positive("lr_together", lr_together, dtype=torch.float32)
    elif lr is not None:
        lr_together = lr / 5
    check_flag("copy", copy)
    if checkpoint is not None:
        check_kind("checkpoint", checkpoint, (str, Path))
    if not any(p.requires_grad for p in net.parameters()):
        raise ValueError("net has no parameter that requires a gradient; there is nothing to fit")
    # Before the stages, whose hooks are registered on the parameters where they lie.
    if options.get("device") is not None:
        net.to(place(options["device"]))
    stages: list[tuple[int, str, range, int, float | None]] = []
    for k in range(net.depth):
        stages.append((k, "alone", range(k, k + 1), alone, lr))
        if k:
            stages.append((k, "together", range(k + 1), together, lr_together))
    stages.append((net.depth - 1, "final", range(net.depth), final, lr_together))
    stages = [stage for stage in stages if stage[3] and _learns(net, stage[2])]

    folder = None if checkpoint is None else Path(checkpoint)
    if folder and folder.exists() and not folder.is_dir():
        raise ValueError(f"checkpoint is {folder}, a file; a folder is needed, or none yet")
    files = [folder and folder / f"{k + 1:02}-{name}.pt" for k, name, *_ in stages]
    reached = max((i for i, file in enumerate(files) if file and file.exists()), default=0)
    settings: dict[str, object] = {
        "alone": alone,
        "together": together,
        "final": final,
        "lr": lr,
        "lr_together": lr_together,
        "copy": copy,
        "stages": [f"{k + 1:02}-{name}" for k, name, *_ in stages],
    }
    log = folder and folder / "stages.pt"
    histories = []
    if log and log.exists():
        state = load(log)
        check_settings(settings, state, log)
        histories = [History(**history) for history in state["histories"][:reached]]
    if len(histories) < reached:
        raise ValueError(f"checkpoint is {folder}, whose stages.pt with the histories is missing")
    for i, (k, name, layers, steps, rate) in enumerate(stages):
        if i < reached:  # the checkpoint that is there holds what this stage has done
            continue
        if log:
            save({"settings": settings, "histories": [asdict(h) for h in histories]}, log)
        file, previous = files[i], files[i - 1] if i else None
        if copy and name == "alone" and k and not (file and file.exists()):
            _copy_layer(net, k - 1, k)
        exit_ = _Exit(net, k + 1)
        with _only(net, layers):
            histories.append(fit(exit_, data, steps=steps, lr=rate, checkpoint=file, **options))
        if previous:
            previous.unlink(missing_ok=True)
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


def _tensors(value: Tensor | nn.Module) -> list[Tensor]:
    # What a layer has of its own in one list or vector, its buffers included.
    return [*value.parameters(), *value.buffers()] if isinstance(value, nn.Module) else [value]


def _copy_layer(net: UnrolledNet, source: int, target: int) -> None:
    with torch.no_grad():
        for values in _layers(net):
            pairs = zip(_tensors(values[target]), _tensors(values[source]), strict=True)
            for to, value in pairs:
                # An entry of a vector is as frozen as the vector.
                owner = values if isinstance(values, Tensor) else to
                if owner.requires_grad or not isinstance(owner, nn.Parameter):
                    to.copy_(value)


def _learns(net: UnrolledNet, layers: range) -> bool:
    with _only(net, layers):
        return any(p.requires_grad for p in net.parameters())


@contextmanager
def _only(net: UnrolledNet, layers: range) -> Iterator[None]:
    # Let only these layers learn: whole parameters by requires_grad, entries of vectors by zeros in
    # their gradient, which Adam, fresh in every stage, leaves where they are.
    def rows(gradient: Tensor) -> Tensor:
        kept = torch.zeros_like(gradient)
        kept[layers.start : layers.stop] = gradient[layers.start : layers.stop]
        return kept

    with ExitStack() as stack:
        for values in _layers(net):
            if isinstance(values, Tensor):
                if values.requires_grad:
                    stack.callback(values.register_hook(rows).remove)
                continue
            for k, value in enumerate(values):
                if isinstance(value, nn.Module) and k not in layers:
                    stack.enter_context(evaluating(value))
                for own in value.parameters() if isinstance(value, nn.Module) else (value,):
                    stack.callback(own.requires_grad_, own.requires_grad)
                    own.requires_grad_(own.requires_grad and k in layers)
        yield
