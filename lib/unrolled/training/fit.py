"""Fitting by Adam: one run over the parameters that require a gradient."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

__all__ = ["History", "fit", "mean_squared_error"]

Batch = tuple[Tensor, Tensor]


@dataclass
class History:
    """What happened during a fit.

    loss: training loss of each step. validation: loss by step at which it was measured.
    best_step: the step whose parameters the network holds at the end (the last one without
    validation data). stopped: why the fit ended: "steps" or "patience".
    """

    loss: list[float] = field(default_factory=list)
    validation: dict[int, float] = field(default_factory=dict)
    best_step: int = 0
    stopped: str = "steps"


def fit(
    net: nn.Module,
    data: Batch | Callable[[torch.Generator], Batch],
    *,
    steps: int,
    lr: float = 1e-2,
    decay: float = 1.0,
    batch_size: int | None = None,
    validation: Batch | None = None,
    validate_every: int = 100,
    patience: int | None = None,
    clip: float | None = None,
    generator: torch.Generator | None = None,
    device: str | torch.device | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    callback: Callable[[int, float], None] | None = None,
    progress: bool = True,
) -> History:
    """Minimise the mean squared error (1/B) Σ ‖net(y) − x‖² over the parameters of `net` by Adam.

    data: (y, x) of shapes (N, m), (N, n), or a function that draws a fresh batch from a generator.
    steps: Adam steps in all, ≥ 1, those before a resumption included.
    lr, decay: the learning rate, which falls along half a cosine to lr·decay at the last step.
    batch_size: rows drawn with replacement at each step; None takes all N.
    validation: (y, x) on which the loss is measured every `validate_every` steps; the best
        parameters are restored at the end, and `patience` measurements without improvement stop.
    generator: draws batches; needed for a function or a batch size.
    checkpoint: file that keeps parameters, optimiser, generator and history every
        `checkpoint_every` steps; written atomically, and resumed from when it exists.
    callback: called as callback(step, loss) after each step.

    Same inputs and generator give the same result on the same platform. Raises ValueError for
    empty or non-finite data and impossible settings, FloatingPointError when the loss is NaN or
    infinite, naming the step and the parameters that are not finite.
    """
    _check_settings(steps, lr, decay, batch_size, validate_every, patience, checkpoint_every)
    sampled = callable(data) or batch_size is not None
    if sampled and generator is None:
        raise ValueError("generator is missing; drawing batches needs an explicit torch.Generator")
    device = torch.device(device) if device is not None else _device_of(net)
    net.to(device)
    if not callable(data):
        data = _checked("data", data, device)
    if validation is not None:
        validation = _checked("validation", validation, device)
    elif patience is not None:
        raise ValueError("patience is given without validation data to measure")

    parameters = [p for p in net.parameters() if p.requires_grad]
    if not parameters:
        raise ValueError("net has no parameter that requires a gradient; there is nothing to fit")
    optimiser = torch.optim.Adam(parameters, lr=lr, fused=True)
    run = _Run(net, optimiser, generator, Path(checkpoint) if checkpoint else None)
    run.resume()

    history = run.history
    start = len(history.loss)
    for step in tqdm(range(start, steps), initial=start, total=steps, disable=not progress):
        if history.stopped == "patience":
            break
        y, x = _batch(data, batch_size, generator, device)
        for group in optimiser.param_groups:
            group["lr"] = lr * (decay + (1 - decay) * (1 + math.cos(math.pi * step / steps)) / 2)
        optimiser.zero_grad(set_to_none=True)
        loss = mean_squared_error(net, y, x)
        # Before the step, which would spread a NaN to all that it touches.
        history.loss.append(_finite(float(loss.detach()), step, net, y))
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()
        if callback is not None:
            callback(step, history.loss[-1])
        if validation is not None and ((step + 1) % validate_every == 0 or step + 1 == steps):
            run.validate(step + 1, validation)
            since = [at for at in history.validation if at > history.best_step]
            if patience is not None and len(since) >= patience:
                history.stopped = "patience"
        if (step + 1) % checkpoint_every == 0 or step + 1 == steps:
            run.save()
    run.restore_best()
    return history


def mean_squared_error(net: nn.Module, y: Tensor, x: Tensor) -> Tensor:
    """The loss (1/B) Σ ‖net(y) − x‖² of a batch, a scalar."""
    return (net(y) - x).square().sum() / len(x)


class _Run:
    """The state of a fit that a checkpoint keeps."""

    def __init__(
        self,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator | None,
        path: Path | None,
    ) -> None:
        self.net, self.optimiser, self.generator, self.path = net, optimiser, generator, path
        self.history = History()
        self.best: dict[str, Tensor] | None = None

    def validate(self, step: int, validation: Batch) -> None:
        with torch.no_grad():
            y, x = validation
            loss = _finite(float(mean_squared_error(self.net, y, x)), step, self.net, y)
        history = self.history
        best = min(history.validation.values(), default=math.inf)
        history.validation[step] = loss
        if loss < best:
            history.best_step = step
            self.best = {name: p.detach().clone() for name, p in self.net.state_dict().items()}

    def restore_best(self) -> None:
        if self.best is not None:
            self.net.load_state_dict(self.best)
        else:
            self.history.best_step = len(self.history.loss)

    def save(self) -> None:
        if self.path is None:
            return
        state = {
            "net": self.net.state_dict(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state() if self.generator else None,
            "history": asdict(self.history),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(self.path.name + ".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)

    def resume(self) -> None:
        if self.path is None or not self.path.exists():
            return
        # weights_only: a checkpoint is data and never runs code.
        state = torch.load(self.path, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.generator is not None and state["generator"] is not None:
            self.generator.set_state(state["generator"])
        self.best = state["best"]
        self.history = History(**state["history"])


def _check_settings(
    steps: int,
    lr: float,
    decay: float,
    batch_size: int | None,
    validate_every: int,
    patience: int | None,
    checkpoint_every: int,
) -> None:
    counts = {
        "steps": steps,
        "batch_size": batch_size,
        "validate_every": validate_every,
        "patience": patience,
        "checkpoint_every": checkpoint_every,
    }
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f"{name} is {count}; it must be at least 1")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr}; 0 < lr < ∞ is needed")
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay}; 0 ≤ decay ≤ 1 is needed")


def _checked(name: str, batch: Batch, device: torch.device) -> Batch:
    y, x = batch
    if len(y) != len(x) or len(x) == 0:
        raise ValueError(f"{name} has {len(y)} rows of y and {len(x)} of x; equal and > 0 needed")
    if not (torch.isfinite(y).all() and torch.isfinite(x).all()):
        raise ValueError(f"{name} holds NaN or infinite entries; all must be finite")
    return y.to(device), x.to(device)


def _batch(
    data: Batch | Callable[[torch.Generator], Batch],
    batch_size: int | None,
    generator: torch.Generator | None,
    device: torch.device,
) -> Batch:
    if callable(data):
        return _checked("data", data(generator), device)
    if batch_size is None:
        return data
    rows = torch.randint(len(data[0]), (batch_size,), generator=generator).to(device)
    return data[0][rows], data[1][rows]


def _device_of(net: nn.Module) -> torch.device:
    return next(net.parameters(), torch.empty(0)).device


def _finite(loss: float, step: int, net: nn.Module, y: Tensor) -> float:
    if math.isfinite(loss):
        return loss
    where = ""
    broken = [name for name, p in net.named_parameters() if not torch.isfinite(p).all()]
    if broken:
        where += f"; not finite: {', '.join(broken)}"
    if hasattr(net, "trajectory"):
        with torch.no_grad():
            finite = torch.isfinite(net.trajectory(y)).all(2).all(1)
        if not finite.all():
            where += f"; the first layer to give NaN or infinity is {int((~finite).int().argmax())}"
    raise FloatingPointError(f"the loss is {loss} at step {step}{where}; try a smaller lr")
