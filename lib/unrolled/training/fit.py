"""Fitting by Adam: one run over the parameters that require a gradient."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from unrolled.checks import (
    check_callable,
    check_dense,
    check_flag,
    check_kind,
    check_number,
    check_positive,
    check_size,
)
from unrolled.training.checkpoint import check_settings, description, load, save, sketch

__all__ = ["History", "fit", "mean_squared_error"]

Batch = tuple[Tensor, Tensor]
Data = Batch | Callable[[torch.Generator], Batch] | Iterable[Batch]
Loss = Callable[[Tensor, Tensor], Tensor]

# How much of its size a parameter moves in a step of Adam, and how far one that starts at zero.
RELATIVE, ABSOLUTE = 1e-2, 1e-3
# Rows of a pair that stand in for validation data.
ROWS = 1024


@dataclass
class History:
    """What happened during a fit.

    Attributes:
        loss: training loss of each step.
        validation: loss by step at which it was measured, 0 for the start, on validation data; or
            without them at the start and the end, on the first 1024 rows of a pair (all if every
            step takes all), or on the first batch.
        best_step: the one of these with the least loss, whose parameters the network holds.
        stopped: why the fit ended, "steps" or "patience"; or "no better", if no loss measured was
            below that of the start, which the network holds again then.
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
    lr: float | None = None,
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
    step, so that the first that is not finite stops the run; a GPU waits for that. The start is
    measured too, and the network is never left worse than it by what is measured (`History`). It is
    measured in `eval()`; in training each module is in the mode that it came in.

    Args:
        data: (y, x) of shapes (N, m), (N, n); or a function that draws a fresh batch from a
            generator; or an iterable of batches, such as a `DataLoader`, which begins anew when it
            ends. What is drawn is checked at every step. An iterable promises less: it has a chance
            of its own, which no `generator` sets, and a resumed run begins it anew.
        steps: Adam steps in all, ≥ 1, those before a resumption included.
        loss: loss(net(y), x), a scalar; None is `mean_squared_error`.
        lr, decay: the learning rate, which falls along half a cosine from lr at the first step
            towards lr·decay, which it would reach one step after the last. By default each tensor
            has its own, a hundredth of the root mean square of its entries at the start and 10⁻³
            where that is 0: one number cannot suit matrices of every size and thresholds alike.
        batch_size: rows drawn with replacement at each step; None takes all N.
        validation: (y, x) on which the loss is measured every `validate_every` steps; the best
            parameters are restored at the end, those of the start included, and `patience`
            measurements without improvement stop.
        clip: the largest norm that the gradient may have, 0 < clip < ∞; a longer one is shortened.
        generator: draws batches; needed for a function or a batch size.
        checkpoint: file that keeps parameters, optimiser, generator, history and settings; written
            atomically every `checkpoint_every` steps and at the end, and resumed from when it
            exists, on whatever device. A resumed run goes on with the settings, the data and the
            kind of network that it began with, A and all else that does not learn included, and
            with its `steps`, on which every learning rate depends; to train for longer, begin
            another file. Of data from a function one batch is compared, of an iterable nothing.
        callback: called as callback(step, loss) after each step.

    Raises:
        ValueError: data that are empty, not finite or unlike net(y) in shape or dtype, an iterator
            that ends before the last step, a loss that is no scalar, impossible settings,
            settings that a checkpoint did not begin with, or a file that is none.
        FloatingPointError: the loss is NaN or infinite; it names the step and the parameters that
            are not finite.
    """
    check_kind("net", net, nn.Module)
    counts = {"validate_every": validate_every, "checkpoint_every": checkpoint_every}
    for name, count in {"steps": steps, **counts}.items():
        check_size(name, count)
    for name, given in {"batch_size": batch_size, "patience": patience}.items():
        if given is not None:
            check_size(name, given)
    lr = None if lr is None else check_positive("lr", lr, dtype=torch.float32)
    clip = None if clip is None else check_positive("clip", clip)
    decay = check_number("decay", decay)
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay}; 0 ≤ decay ≤ 1 is needed")
    for name, function in {"loss": loss, "callback": callback}.items():
        if function is not None:
            check_callable(name, function)
    if generator is not None:
        check_kind("generator", generator, torch.Generator)
    if checkpoint is not None:
        check_kind("checkpoint", checkpoint, (str, Path))
    check_flag("progress", progress)
    loss = mean_squared_error if loss is None else loss
    kind = _kind(data)
    if kind != "a pair" and batch_size is not None:
        raise ValueError(f"batch_size is {batch_size}, but data is {kind} and gives whole batches")
    sampled = kind == "a function" or batch_size is not None
    if sampled and generator is None:
        raise ValueError("generator is missing; drawing batches needs an explicit torch.Generator")
    device = _device_of(net) if device is None else place(device)
    net.to(device)
    if kind == "a pair":
        data = check_pair("data", cast(Batch, data), device)
    batches = _batches(kind, data, batch_size, generator, device)
    if validation is not None:
        validation = check_pair("validation", validation, device)
    elif patience is not None:
        raise ValueError("patience is given without validation data to measure")

    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError("net has no parameter that requires a gradient; there is nothing to fit")
    parameters = list(trained.values())
    fused = all(parameter.is_floating_point() for parameter in parameters)  # complex ones cannot
    optimiser = torch.optim.Adam(_groups(parameters, lr), fused=fused)
    run = _Run(net, loss, optimiser, generator if sampled else None)
    if checkpoint is not None:
        # What the result depends on, as far as words and numbers can say it.
        settings: dict[str, object] = {
            "steps": int(steps),
            "lr": lr,
            "decay": decay,
            "batch_size": _integer(batch_size),
            "validate_every": int(validate_every),
            "patience": _integer(patience),
            "clip": clip,
            "loss": getattr(loss, "__qualname__", type(loss).__qualname__),
            "validation": None if validation is None else _sketches(validation),
            "generator": generator.device.type if sampled and generator is not None else None,
            "trained": list(trained),
            "data": kind if kind != "a pair" else _sketches(cast(Batch, data)),
        }
        draw = cast(Callable[[torch.Generator], Batch], data) if kind == "a function" else None
        run.resume(Path(checkpoint), settings | description(net), draw)

    history = run.history
    if validation is not None:
        run.judge = validation
    elif kind == "a pair":
        rows = slice(None if batch_size is None else ROWS)
        y, x = cast(Batch, data)
        run.judge = y[rows], x[rows]
    if run.judge is not None and not history.validation:
        run.measure(0)
    start = len(history.loss)
    for step in tqdm(range(start, steps), initial=start, total=steps, disable=not progress):
        if history.stopped == "patience":
            break
        y, x = _next(batches, step, steps)
        if run.judge is None:
            run.judge = run.first = y, x
            run.measure(0)
        share = decay + (1 - decay) * (1 + math.cos(math.pi * step / steps)) / 2
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * share
        optimiser.zero_grad(set_to_none=True)
        value = _scalar(loss(net(y), x))
        # Before the step, which would spread a NaN to all that it touches.
        history.loss.append(_finite(float(value.detach()), step, net, y))
        value.backward()
        for parameter in parameters:  # Adam sees complex numbers as pairs, not conjugated lazily
            if parameter.grad is not None and parameter.grad.is_conj():
                parameter.grad = parameter.grad.resolve_conj()
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()
        if callback is not None:
            callback(step, history.loss[-1])
        due = validation is not None and (step + 1) % validate_every == 0
        if due or step + 1 == steps:
            run.measure(step + 1)
            since = [at for at in history.validation if at > history.best_step]
            if patience is not None and len(since) >= patience:
                history.stopped = "patience"
        ends = step + 1 == steps or history.stopped == "patience"
        if (step + 1) % checkpoint_every == 0 or ends:
            run.save()
    run.finish()
    return history


def mean_squared_error(estimate: Tensor, x: Tensor) -> Tensor:
    """The loss (1/B) Σ ‖estimate − x‖² of a batch of B rows, a scalar.

    The squares |·|² are summed over the entries of a row, real or complex, and averaged over the
    rows only.

    Raises:
        ValueError: they are no batches, or differ in shape or dtype.
    """
    check_dense("estimate", estimate)
    check_dense("x", x)
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; a batch (B, n) is needed")
    if estimate.shape != x.shape or estimate.dtype != x.dtype:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and dtype {x.dtype}; the estimate has "
            f"{tuple(estimate.shape)} and {estimate.dtype}, and both must agree"
        )
    error = estimate - x
    if error.is_complex():
        return (error.real.square() + error.imag.square()).sum() / len(x)
    return error.square().sum() / len(x)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """All modules in `eval()`, where nothing is dropped and no statistic learns; and back again."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


class _Run:
    """The state of a fit that a checkpoint keeps.

    Attributes:
        judge: the batch on which the network is measured; None until it is known.
        first: the first batch, where that judges.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator | None,
    ) -> None:
        self.net, self.loss, self.optimiser, self.generator = net, loss, optimiser, generator
        self.path: Path | None = None
        self.settings: dict[str, object] = {}
        self.history = History()
        self.judge: Batch | None = None
        self.first: Batch | None = None
        self.best: dict[str, Tensor] = {}
        self.began = generator.get_state() if generator else None

    def measure(self, step: int) -> None:
        assert self.judge is not None
        y, x = self.judge
        with torch.no_grad(), evaluating(self.net):
            loss = _finite(float(_scalar(self.loss(self.net(y), x))), step, self.net, y)
        history = self.history
        if loss < min(history.validation.values(), default=math.inf):
            history.best_step = step
            self.best = {name: p.detach().clone() for name, p in self.net.state_dict().items()}
        history.validation[step] = loss

    def finish(self) -> None:
        self.net.load_state_dict(self.best)
        if self.history.best_step == 0:
            self.history.stopped = "no better"

    def save(self) -> None:
        if self.path is None:
            return
        state = {
            "net": self.net.state_dict(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state() if self.generator else None,
            "began": self.began,
            "first": self.first,
            "history": asdict(self.history),
            "settings": self.settings,
        }
        save(state, self.path)

    def resume(
        self,
        path: Path,
        settings: dict[str, object],
        draw: Callable[[torch.Generator], Batch] | None,
    ) -> None:
        """Keep a file, and go on from what it holds if it is there."""
        self.path, self.settings = path, settings
        state = load(path) if path.exists() else None
        if state and state["settings"].get("generator") == settings["generator"]:
            self.began = state.get("began")
        if draw is not None and self.generator is not None and self.began is not None:
            # The first batch, drawn as at the beginning.
            now = self.generator.get_state()
            self.generator.set_state(self.began)
            batch = check_pair("data", draw(self.generator), torch.device("cpu"))
            self.generator.set_state(now)
            settings["data"] = ["a function that draws", *_sketches(batch)]
        if state is None:
            return
        check_settings(settings, state, path)
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.generator is not None and state["generator"] is not None:
            self.generator.set_state(state["generator"])
        if state["first"] is not None:
            y, x = (part.to(_device_of(self.net)) for part in state["first"])
            self.judge = self.first = y, x
        self.best = state["best"]
        self.history = History(**state["history"])


def _groups(parameters: list[nn.Parameter], lr: float | None) -> list[dict[str, Any]]:
    """What Adam moves at one rate: all parameters, or without a rate each at its own."""
    if lr is not None:
        return [{"params": parameters, "lr": lr, "rate": lr}]
    groups = []
    for parameter in parameters:
        size = float(parameter.detach().abs().double().square().mean().sqrt())
        rate = RELATIVE * size if size > 0 else ABSOLUTE
        groups.append({"params": [parameter], "lr": rate, "rate": rate})
    return groups


def _integer(count: int | None) -> int | None:
    return None if count is None else int(count)


def check_pair(name: str, batch: Batch, device: torch.device) -> Batch:
    """(y, x) on the device; ValueError unless both have the same rows, > 0, all finite."""
    pair = tuple(batch) if isinstance(batch, Sequence) else ()
    if any(isinstance(part, np.ndarray) for part in pair):
        raise ValueError(f"{name} holds NumPy arrays; tensors are needed, see torch.from_numpy")
    if len(pair) != 2 or not all(isinstance(part, Tensor) and part.ndim for part in pair):
        raise ValueError(f"{name} is a {type(batch).__name__}; a pair (y, x) of batches is needed")
    y, x = pair
    check_dense(f"y of {name}", y)
    check_dense(f"x of {name}", x)
    if len(y) != len(x) or len(x) == 0:
        raise ValueError(f"{name} has {len(y)} rows of y and {len(x)} of x; equal and > 0 needed")
    if not (torch.isfinite(y).all() and torch.isfinite(x).all()):
        raise ValueError(f"{name} holds NaN or infinite entries; all must be finite")
    return y.to(device), x.to(device)


def _sketches(batch: Batch) -> list[dict[str, object]]:
    return [sketch(part) for part in batch]


def _kind(data: Data) -> str:
    if callable(data) and not isinstance(data, type):
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
    """The batch of each step, from data of that kind, of which a pair has been checked."""
    if kind == "an iterable":
        return (check_pair("data", batch, device) for batch in _again(data))
    if kind == "a function":
        return (check_pair("data", data(generator), device) for _ in itertools.count())
    if batch_size is None:
        return itertools.repeat(data)
    return (_rows(data, batch_size, generator) for _ in itertools.count())


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


def place(device: str | torch.device) -> torch.device:
    """The device; ValueError unless it is there."""
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, TypeError, ValueError, AssertionError, OverflowError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(f"device is {device!r}, which is not there: {why}") from error
    return found


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
