"""Computations that a reader steers where a kernel runs and sees as a picture where none does."""

import asyncio
import html
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import anywidget
import torch
import traitlets
from IPython.display import display

from unrolled.checks import check_positive
from unrolled.teaching.controls import Control
from unrolled.teaching.fields import check_fields, require_text
from unrolled.teaching.figures import Figure
from unrolled.teaching.kernel import attended, staying
from unrolled.teaching.notebook import STATIC
from unrolled.teaching.text import to_html


class Progress:
    """How far a computation has come: call it with what is done, of how much.

    `device` is where to compute, "cuda" where there is a GPU and "cpu" elsewhere; a computation
    that decides otherwise sets it, because the lab says under the picture where it ran. Calling
    may raise `Superseded`, which ends a computation that the reader no longer waits for.
    """

    def __init__(self, report: Callable[[float, str], None] | None = None):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._report = report

    def __call__(self, done: float, total: float, message: str = "") -> None:
        check_positive("total", total)
        check_positive("done", done, zero=True)
        if done > total:
            raise ValueError(f"done must lie between 0 and total, got {done!r} of {total!r}")
        if self._report:
            self._report(done / total, message)


class Superseded(Exception):
    """The reader has asked for something else."""


@dataclass(frozen=True)
class State:
    """What a lab found for one setting of its controls."""

    values: Mapping[str, Any]
    result: Any
    figure: Figure
    summary: str  # HTML, empty without a summary
    device: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Lab:
    """Let the reader change a setting, compute, and see what becomes of the picture.

    For example::

        Lab(
            name="convergence.trap",
            title="Training from an equal and from a perturbed start",
            controls=(Number("layers", "layers K", 4, 2, 16, 1, integer=True),
                      Toggle("perturbed", "perturb the start", False)),
            compute=train,   # train(progress, layers, perturbed) -> result
            draw=plot,       # plot(picture, result): axes = picture.subplots() …
            alt=describe,    # describe(result) -> str, or one sentence
            caption="Both starts reach …",
            summary=numbers, # numbers(result) -> Markdown, optional
        )

    In Jupyter the controls are live: a change computes in the background with a progress bar, a
    change during a computation ends it, and only the last one is shown. A value that is not
    allowed and a ValueError of `compute` become one sentence, and the picture stays, greyed.
    Any other exception is raised. On the site the lab is the picture of its start, with the
    settings that belong to it and without controls.

    Attributes:
        name: unlike any other on the site, such as "convergence.trap".
        title: what is tried here, in a few words.
        controls: what the reader may change.
        compute: called with a `Progress` and the value of each control by name; must depend on
            these alone (make a torch.Generator inside), and use `progress.device`.
        draw: draws a result on the `Figure` that it is given; see `figures.figure`.
        alt: what the picture shows, a sentence or a function of the result that writes one.
        caption: what to look at, Markdown with $formulas$.
        summary: a function of the result that says its numbers in a line of Markdown.
        height: of the picture, in inches of 100 CSS pixels.

    Raises:
        ValueError: a name that is not lower-case words, or controls that share one.
    """

    name: str
    title: str
    controls: Sequence[Control]
    compute: Callable[..., Any]
    draw: Callable[[Figure, Any], None]
    alt: str | Callable[[Any], str]
    caption: str
    summary: Callable[[Any], str] | None = None
    height: float = 3.2

    def __post_init__(self) -> None:
        check_fields(self)
        require_text(title=self.title, caption=self.caption)
        check_positive("height", self.height)
        if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", self.name):
            raise ValueError(
                f"name must be lower-case words joined by dots and hyphens, got {self.name!r}"
            )
        names = [control.name for control in self.controls]
        if len(set(names)) != len(names):
            raise ValueError(f"controls must have names that differ, got {names}")

    def run(self, **values: Any) -> Any:
        """Compute for these values, the others at their start, and return the result.

        Raises:
            ValueError: a name that no control has, or a value that is not allowed.
        """
        return self.state(values).result

    def state(self, values: Mapping[str, Any], progress: Progress | None = None) -> State:
        """Compute and draw for these values, the others at their start."""
        known = {control.name: control for control in self.controls}
        if unknown := set(values) - set(known):
            raise ValueError(f"{self.name} has the controls {list(known)}, got {sorted(unknown)}")
        values = {
            name: control.check(values.get(name, control.start)) for name, control in known.items()
        }
        return self._draw(self._compute(values, progress or Progress()))

    @cached_property
    def default(self) -> State:
        """The state at the start of every control, computed once, when it is first shown."""
        return self.state({})

    @property
    def widget(self) -> "LabView":
        """The live view, made when it is first asked for, and again once it has been closed."""
        view = self.__dict__.get("view")
        if view is None or view.comm is None:
            view = self.__dict__["view"] = LabView(self)
        return view

    @staying()
    def _compute(self, values: Mapping[str, Any], progress: Progress) -> tuple[Any, ...]:
        began = time.perf_counter()
        result = self.compute(progress, **values)
        return values, result, progress.device, time.perf_counter() - began

    @staying()
    def _draw(self, computed: tuple[Any, ...]) -> State:
        values, result, device, seconds = computed
        alt = self.alt(result) if callable(self.alt) else self.alt
        figure = Figure(alt=alt, caption=self.caption, height=self.height)
        with figure.style():
            self.draw(figure, result)
        figure.svg  # noqa: B018  (so that a fault in drawing shows here)
        summary = to_html(self.summary(result)) if self.summary else ""
        return State(values, result, figure, summary, device, seconds)

    def to_html(self) -> str:
        """The picture of the start and its settings, for where no kernel runs."""
        state = self.default
        settings = "".join(
            f"<div><dt>{html.escape(control.label)}</dt>"
            f"<dd>{html.escape(_say(control.entry))}</dd></div>"
            for control in self.controls
        )
        style = " ".join((STATIC / "lab.css").read_text(encoding="utf-8").split())
        return (
            f'<div class="unrolled-lab" id="lab-{self.name}"><style>{style}</style>'
            f'<p class="unrolled-lab-kicker">Lab</p>'
            f'<p class="unrolled-lab-title">{html.escape(self.title)}</p>'
            f"<dl>{settings}</dl>"
            f"{state.figure.html}"
            f'<div class="unrolled-lab-summary">{state.summary}'
            f"<p>Computed on {_device(state.device)}.</p></div>"
            f'<p class="unrolled-lab-note">Run this chapter in Binder or JupyterLab to change the '
            f"settings and compute anew.</p></div>"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": self.default.figure.alt}

    def _ipython_display_(self) -> None:
        """Show the picture, and where somebody sits at the kernel the live view in its place.

        Two outputs, since a notebook that is exported, or opened without its kernel, keeps the
        first alone. A view would be kept with the notebook, and ask another host to be shown.
        """
        display(self._repr_mimebundle_(), raw=True)
        if attended():
            bundle, _metadata = self.widget._repr_mimebundle_()
            display({**bundle, "text/html": "", "text/plain": ""}, raw=True)


class LabView(anywidget.AnyWidget):
    """A lab where a kernel runs. Set `entered` to what the reader enters; the rest follows."""

    _esm = STATIC / "lab.js"
    _css = STATIC / "lab.css"
    name = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    controls = traitlets.List().tag(sync=True)
    entered = traitlets.Dict().tag(sync=True)  # by control: the text, the option, on or off
    invalid = traitlets.Unicode().tag(sync=True)  # the control whose entry is not allowed, or ""
    alert = traitlets.Unicode().tag(sync=True)  # one sentence, or ""
    busy = traitlets.Bool().tag(sync=True)
    done = traitlets.Float().tag(sync=True)  # from 0 to 1, while busy
    message = traitlets.Unicode().tag(sync=True)  # what is going on, while busy
    stale = traitlets.Bool().tag(sync=True)  # the picture does not belong to what is entered
    figure = traitlets.Unicode().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)

    def __init__(self, lab: Lab):
        self._lab = lab
        self._wanted = self._shown = lab.default.values
        super().__init__(
            name=lab.name,
            title=lab.title,
            controls=[
                {"name": each.name, "label": each.label} | each.front() for each in lab.controls
            ],
            entered={each.name: each.entry for each in lab.controls},
            **_front(lab.default),
        )

    @traitlets.observe("entered")
    def _enter(self, change: Any) -> None:
        if change.old is traitlets.Undefined or not change.old:  # the start, drawn already
            return
        values = {}
        for control in self._lab.controls:
            try:
                values[control.name] = control.read(self.entered[control.name])
            except ValueError as error:
                self._wanted = None
                self._set(alert=str(error), invalid=control.name, stale=True)
                return
        self._wanted = values
        self._set(alert="", invalid="", stale=values != self._shown)
        if self.busy or not self.stale:
            return
        self.busy = True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # outside a kernel
            asyncio.run(self._work())
        else:
            self.task = loop.create_task(self._work())

    async def _work(self) -> None:
        """Compute what is wanted until nothing newer is."""
        try:
            while self._wanted not in (None, self._shown):
                values = self._wanted
                try:
                    computed = await asyncio.to_thread(
                        self._lab._compute, values, self._progress(values)
                    )
                except Superseded:
                    continue
                except ValueError as error:
                    if self._wanted is values:
                        self._wanted, self.alert = None, str(error)
                    continue
                if self._wanted is values:
                    self._show(self._lab._draw(computed))
        except Exception as error:
            self._wanted = None
            self.alert = f"The lab failed with {type(error).__name__}: {error}"
            raise
        finally:
            self._set(busy=False, done=0.0, message="")

    def _show(self, state: State) -> None:
        self._shown = state.values
        self._set(stale=False, **_front(state))

    def _progress(self, values: Mapping[str, Any]) -> Progress:
        loop, last = asyncio.get_running_loop(), 0.0

        def report(done: float, message: str) -> None:
            nonlocal last
            if self._wanted is not values:
                raise Superseded
            if (now := time.monotonic()) - last > 0.1 or done == 1:  # spare the connection
                last = now
                loop.call_soon_threadsafe(lambda: self._set(done=done, message=message))

        return Progress(report)

    def _set(self, **traits: Any) -> None:
        with self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)


def _front(state: State) -> dict[str, str]:
    seconds = f"{state.seconds:.0f}" if state.seconds > 10 else f"{state.seconds:.2g}"
    ran = f"Computed on {_device(state.device)} in {seconds} s."
    return {"figure": state.figure.html, "summary": f"{state.summary}<p>{html.escape(ran)}</p>"}


def _device(device: str) -> str:
    if str(device).startswith("cuda"):
        return f"the GPU ({torch.cuda.get_device_name(device)})"
    return f"the {str(device).upper()}"


def _say(entry: str | bool) -> str:
    return {True: "on", False: "off"}[entry] if isinstance(entry, bool) else entry
