"""Fitting by Adam: one run over the parameters that require a gradient."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from unrolled.checks import check_positive, check_size
from unrolled.training.checkpoint import check_settings, load, save

__all__ = ["History", "fit", "mean_squared_error"]

Batch = tuple[Tensor, Tensor]
Data = Batch | Callable[[torch.Generator], Batch] | Iterable[Batch]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass
class History:
    """What happened during a fit.

    Attributes:
        loss: training loss of each step.
        validation: loss by step at which it was measured.
        best_step: the step whose parameters the network holds at the end (the last one without
            validation data).
        stopped: why the fit ended: "steps" or "patience".
    """

    loss: list[float] = field(default_factory=list)
    validation: dict[int, float] = field(default_factory=dict)
    best_step: int = 0
    stopped: str = "steps"


def fit(
    net: nn.Module,
    data: Data,
    *,
    steps: int,
    loss: Loss | None = None,
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
    """Minimise a loss of net(y) and x, the squared error by default, over `net` by Adam.

    Same inputs and generator give the same result on the same platform. The loss is read at every
    step, so that the first that is not finite stops the run; a GPU waits for that.

    Args:
        data: (y, x) of shapes (N, m), (N, n); or a function that draws a fresh batch from a
            generator; or an iterable of batches, such as a `DataLoader`, which begins anew when it
            ends. What is drawn is checked at every step. An iterable promises less: it has a chance
            of its own, which no `generator` sets, and a resumed run begins it anew.
        steps: Adam steps in all, ≥ 1, those before a resumption included.
        loss: loss(net(y), x), a scalar; None is `mean_squared_error`.
        lr, decay: the learning rate, which falls along half a cosine from lr at the first step
            towards lr·decay, which it would reach one step after the last.
        batch_size: rows drawn with replacement at each step; None takes all N.
        validation: (y, x) on which the loss is measured every `validate_every` steps; the best
            parameters are restored at the end, and `patience` measurements without improvement
            stop.
        clip: the largest norm that the gradient may have, 0 < clip < ∞; a longer one is shortened.
        generator: draws batches; needed for a function or a batch size.
        checkpoint: file that keeps parameters, optimiser, generator, history and settings; written
            atomically every `checkpoint_every` steps and at the end, and resumed from when it
            exists, on whatever device. A resumed run goes on with the settings that it began with,
            `steps` too, on which every learning rate depends; to train for longer, begin another
            file.
        callback: called as callback(step, loss) after each step.

    Raises:
        ValueError: data that are empty, not finite or unlike net(y) in shape or dtype, an iterator
            that ends before the last step, a loss that is no scalar, impossible settings, or
            settings that a checkpoint did not begin with.
        FloatingPointError: the loss is NaN or infinite; it names the step and the parameters that
            are not finite.
    """
    _check_settings(steps, lr, decay, batch_size, validate_every, patience, clip, checkpoint_every)
    if not isinstance(net, nn.Module):
        raise ValueError(f"net is a {type(net).__name__}; a torch.nn.Module is needed")
    loss = mean_squared_error if loss is None else loss
    kind = _kind(data)
    if kind != "a pair" and batch_size is not None:
        raise ValueError(f"batch_size is {batch_size}, but data is {kind} and gives whole batches")
    sampled = kind == "a function" or batch_size is not None
    if sampled and generator is None:
        raise ValueError("generator is missing; drawing batches needs an explicit torch.Generator")
    device = torch.device(device) if device is not None else _device_of(net)
    net.to(device)
    batches = _batches(kind, data, batch_size, generator, device)
    if validation is not None:
        validation = check_pair("validation", validation, device)
    elif patience is not None:
        raise ValueError("patience is given without validation data to measure")

    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError("net has no parameter that requires a gradient; there is nothing to fit")
    parameters = list(trained.values())
    optimiser = torch.optim.Adam(parameters, lr=lr, fused=True)
    # What the result depends on, as far as words and numbers can say it.
    settings: dict[str, object] = {
        "steps": steps,
        "lr": lr,
        "decay": decay,
        "batch_size": batch_size,
        "validate_every": validate_every,
        "patience": patience,
        "clip": clip,
        "data": _shapes(cast(Batch, data)) if kind == "a pair" else kind,
        "loss": getattr(loss, "__qualname__", type(loss).__qualname__),
        "validation": None if validation is None else _shapes(validation),
        "generator": generator.device.type if sampled and generator is not None else None,
        "trained": list(trained),
    }
    path = Path(checkpoint) if checkpoint else None
    run = _Run(net, loss, optimiser, generator, settings, path)
    run.resume()

    history = run.history
    start = len(history.loss)
    for step in tqdm(range(start, steps), initial=start, total=steps, disable=not progress):
        if history.stopped == "patience":
            break
        y, x = _next(batches, step, steps)
        for group in optimiser.param_groups:
            group["lr"] = lr * (decay + (1 - decay) * (1 + math.cos(math.pi * step / steps)) / 2)
        optimiser.zero_grad(set_to_none=True)
        value = _scalar(loss(net(y), x))
        # Before the step, which would spread a NaN to all that it touches.
        history.loss.append(_finite(float(value.detach()), step, net, y))
        value.backward()
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
        ends = step + 1 == steps or history.stopped == "patience"
        if (step + 1) % checkpoint_every == 0 or ends:
            run.save()
    run.restore_best()
    return history


def mean_squared_error(estimate: Tensor, x: Tensor) -> Tensor:
    """The loss (1/B) Σ ‖estimate − x‖² of a batch of B rows, a scalar.

    The squares are summed over the entries of a row and averaged over the rows only.

    Raises:
        ValueError: they differ in shape or dtype.
    """
    if estimate.shape != x.shape or estimate.dtype != x.dtype:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and dtype {x.dtype}; the estimate has "
            f"{tuple(estimate.shape)} and {estimate.dtype}, and both must agree"
        )
    return (estimate - x).square().sum() / len(x)


class _Run:
    """The state of a fit that a checkpoint keeps."""

    def __init__(
        self,
        net: nn.Module,
        loss: Loss,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator | None,
        settings: dict[str, object],
        path: Path | None,
    ) -> None:
        self.net, self.loss, self.optimiser, self.generator = net, loss, optimiser, generator
        self.settings, self.path = settings, path
        self.history = History()
        self.best: dict[str, Tensor] | None = None

    def validate(self, step: int, validation: Batch) -> None:
        with torch.no_grad():
            y, x = validation
            loss = _finite(float(_scalar(self.loss(self.net(y), x))), step, self.net, y)
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
            "settings": self.settings,
        }
        save(state, self.path)

    def resume(self) -> None:
        if self.path is None or not self.path.exists():
            return
        state = load(self.path)
        check_settings(self.settings, state, self.path)
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
    clip: float | None,
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
        if count is not None:
            check_size(name, count)
    check_positive("lr", lr)
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay}; 0 ≤ decay ≤ 1 is needed")
    if clip is not None:
        check_positive("clip", clip)


def check_pair(name: str, batch: Batch, device: torch.device) -> Batch:
    """(y, x) on the device; ValueError unless both have the same rows, > 0, all finite."""
    pair = tuple(batch) if isinstance(batch, Sequence) else ()
    if any(isinstance(part, np.ndarray) for part in pair):
        raise ValueError(f"{name} holds NumPy arrays; tensors are needed, see torch.from_numpy")
    if len(pair) != 2 or not all(isinstance(part, Tensor) and part.ndim for part in pair):
        raise ValueError(f"{name} is a {type(batch).__name__}; a pair (y, x) of batches is needed")
    y, x = pair
    if len(y) != len(x) or len(x) == 0:
        raise ValueError(f"{name} has {len(y)} rows of y and {len(x)} of x; equal and > 0 needed")
    if not (torch.isfinite(y).all() and torch.isfinite(x).all()):
        raise ValueError(f"{name} holds NaN or infinite entries; all must be finite")
    return y.to(device), x.to(device)


def _shapes(batch: Batch) -> list[list[int]]:
    return [list(part.shape) for part in batch]


def _kind(data: Data) -> str:
    if callable(data):
        return "a function"
    listed = isinstance(data, Sequence) and not (
        data and all(isinstance(batch, Sequence) for batch in data)
    )
    several = isinstance(data, Iterable) and not isinstance(data, Tensor | np.ndarray)
    return "an iterable" if several and not listed else "a pair"


def _batches(
    kind: str,
    data: Any,
    batch_size: int | None,
    generator: torch.Generator | None,
    device: torch.device,
) -> Iterator[Batch]:
    """The batch of each step, from data of that kind; a pair is checked at once."""
    if kind == "an iterable":
        return (check_pair("data", batch, device) for batch in _again(data))
    if kind == "a function":
        return (check_pair("data", data(generator), device) for _ in itertools.count())
    pair = check_pair("data", data, device)
    if batch_size is None:
        return itertools.repeat(pair)
    return (_rows(pair, batch_size, generator) for _ in itertools.count())


def _again(data: Iterable[Batch]) -> Iterator[Batch]:
    # From its beginning when it ends; an iterator has no beginning to go back to.
    while True:
        some = False
        for batch in data:
            some = True
            yield batch
        if not some:
            return


def _rows(pair: Batch, batch_size: int, generator: torch.Generator | None) -> Batch:
    assert generator is not None  # `fit` requires one
    y, x = pair
    size = (batch_size,)
    rows = torch.randint(len(y), size, generator=generator, device=generator.device).to(y.device)
    return y[rows], x[rows]


def _next(batches: Iterator[Batch], step: int, steps: int) -> Batch:
    try:
        return next(batches)
    except StopIteration:
        raise ValueError(
            f"data has ended after {step} batches; {steps} steps need as many, or data that can "
            "begin anew"
        ) from None


def _scalar(loss: Tensor) -> Tensor:
    if not isinstance(loss, Tensor) or loss.numel() != 1 or loss.is_complex():
        found = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"loss gives {found}; one real number for a batch, a tensor, is needed")
    return loss.reshape(())


def _device_of(net: nn.Module) -> torch.device:
    return next(net.parameters(), torch.empty(0)).device


def _finite(loss: float, step: int, net: nn.Module, y: Tensor) -> float:
    if math.isfinite(loss):
        return loss
    where = ""
    broken = [name for name, p in net.named_parameters() if not torch.isfinite(p).all()]
    if broken:
        where += f"; not finite: {', '.join(broken)}"
    trajectory: Callable[[Tensor], Tensor] | None = getattr(net, "trajectory", None)
    if trajectory is not None:
        with torch.no_grad():
            finite = torch.isfinite(trajectory(y)).all(2).all(1)
        if not finite.all():
            where += f"; the first layer to give NaN or infinity is {int((~finite).int().argmax())}"
    raise FloatingPointError(f"the loss is {loss} at step {step}{where}; try a smaller lr")
