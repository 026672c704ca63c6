"""The pictures of the unrolling chapter: a loop and its layers, and what a threshold does."""

from __future__ import annotations

import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from unrolled.prox import soft_threshold
from unrolled.teaching.figures import MUTED, TEXT, Figure, figure

_ARROW = {"arrowstyle": "-|>", "color": TEXT, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}


def loop_and_layers() -> Figure:
    """Draw an iteration as a loop above, and below it as layers with numbers of their own."""
    with figure(
        alt=(
            "Above, one box with step size η: the measurements y enter it, and an arrow leads from "
            "its output back to its input. Below, the same box drawn three times in a row with "
            "step sizes η₁, η₂ and η₃ of its own; x₀ enters on the left, x₃ leaves on the right, "
            "and y enters every box."
        ),
        caption=(
            "An iteration repeats one step until it is told to stop. Unrolled, each repetition is "
            "a layer, and the numbers inside may be learned."
        ),
        height=3.0,
    ) as picture:
        axes = picture.subplots()
        axes.set(xlim=(0, 10), ylim=(0, 5.4))
        axes.set_axis_off()
        _box(axes, 5, 4.1, "one step, η")
        _arrow(axes, (2.4, 4.1), (3.9, 4.1), "x")
        _arrow(axes, (6.1, 4.1), (7.6, 4.1), "")
        axes.plot([7.0, 7.0, 3.0, 3.0], [4.1, 5.2, 5.2, 4.15], color=TEXT, linestyle="-", lw=1.2)
        axes.text(7.75, 4.1, "repeat", color=MUTED, va="center")
        _arrow(axes, (5, 2.95), (5, 3.7), "")
        axes.text(5.15, 3.1, "y", va="center")
        for centre, label in ((2.2, "η₁"), (5.0, "η₂"), (7.8, "η₃")):
            _box(axes, centre, 1.3, f"layer, {label}")
            _arrow(axes, (centre, 0.2), (centre, 0.9), "")
            axes.text(centre + 0.15, 0.35, "y", va="center")
        for start, end, label in (
            (0.1, 1.1, "x₀"),
            (3.3, 3.9, ""),
            (6.1, 6.7, ""),
            (8.9, 9.9, "x₃"),
        ):
            _arrow(axes, (start, 1.3), (end, 1.3), label)
    return picture


def shrinking() -> Figure:
    """Draw the soft threshold, and beside it what support selection lets pass."""
    u = torch.linspace(-3, 3, 601, dtype=torch.float64)
    shrunk = soft_threshold(u, 1.0)
    passed = torch.where(u.abs() > 1, u, torch.nan)
    with figure(
        alt=(
            "Output against input u for the threshold 1. The soft threshold is zero for inputs "
            "from −1 to 1 and rises along straight lines outside, one below the diagonal on the "
            "right and one above it on the left. What is selected lies on the diagonal itself."
        ),
        caption=(
            r"The soft threshold $S_\theta$ with $\theta=1$: small entries become zero, all others "
            "move towards zero by $1$. Dashed: an entry above the threshold that is *selected* "
            "passes as it is."
        ),
        height=2.8,
    ) as picture:
        axes = picture.subplots()
        axes.plot(u, shrunk, "C0", linestyle="-", label="soft threshold")
        axes.plot(u, passed, "C1", linestyle=(0, (5, 1.5)), label="selected")
        axes.set(xlabel="entry before, u", ylabel="entry after")
        axes.legend(loc="upper left")
    return picture


def _box(axes: Axes, x: float, y: float, label: str) -> None:
    shape = FancyBboxPatch(
        (x - 1.05, y - 0.35), 2.1, 0.7, boxstyle="round,pad=0.05", facecolor="none", edgecolor=TEXT
    )
    axes.add_patch(shape)
    axes.text(x, y, label, ha="center", va="center")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], label: str) -> None:
    axes.annotate("", end, start, arrowprops=_ARROW)
    if label:
        axes.text((start[0] + end[0]) / 2, start[1] + 0.2, label, ha="center")
