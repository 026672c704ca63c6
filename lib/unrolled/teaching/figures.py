"""Pictures that follow the page's theme, can be read on a phone and say in words what they show."""

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
from cycler import cycler
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.text import Text

from unrolled.checks import check_positive
from unrolled.teaching.fields import require_text
from unrolled.teaching.svg import inline
from unrolled.teaching.text import to_html

# Distinct in normal, red-, green- and blue-blind vision, and at least 4.5 : 1 against the page.
SERIES = (
    ("#0044a8", "#b34e00", "#1a7d5e", "#8f2277", "#5c4a00", "#3b1f66"),  # on a light page
    ("#6ea3ff", "#f0a35e", "#74e3c4", "#f26aa8", "#f0e66b", "#bdb8f7"),  # on a dark page
)
DASHES = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (9, 3)),
)
MARKERS = ("o", "s", "^", "D", "v", "P")

# What is not data. Draw with the first of each pair; the page shows the second when it is dark.
_PAGE = {
    "text": ("#1f2328", "#ced6dd"),
    "muted": ("#57606a", "#a3adb8"),
    "border": ("#8a93a3", "#77808f"),
    "surface": ("#fefefe", "#14181e"),
}
TEXT, MUTED, BORDER, SURFACE = (light for light, _ in _PAGE.values())

WIDTH = 5.6  # inches of 100 CSS pixels
SMALLEST = 11.6  # points, which are 16 CSS pixels, and still 10 on a phone that is 390 wide
LARGEST = 150_000  # bytes of SVG

_THEME = {f"series-{i + 1}": pair for i, pair in enumerate(zip(*SERIES, strict=True))} | _PAGE
_VARIABLE = {light: f"var(--figure-{name})" for name, (light, _) in _THEME.items()}
# Matplotlib's own defaults, where a part of a figure has no setting of its own.
_VARIABLE |= {"#000000": _VARIABLE[TEXT], "#ffffff": _VARIABLE[SURFACE]}

_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.formatter.use_mathtext": False,
    "axes.grid": True,
    "axes.labelcolor": TEXT,
    "axes.linewidth": 0.7,
    "axes.prop_cycle": cycler(color=SERIES[0]) + cycler(linestyle=DASHES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": TEXT,
    "axes.titlesize": "medium",
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same layout on every machine
    "font.size": SMALLEST,
    "grid.alpha": 0.4,
    "grid.color": BORDER,
    "grid.linewidth": 0.6,
    "hatch.color": MUTED,
    "legend.edgecolor": "none",
    "legend.facecolor": SURFACE,
    "legend.fontsize": "medium",
    "legend.framealpha": 0.85,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "patch.edgecolor": TEXT,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "unrolled",
    "text.color": TEXT,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": TEXT,
    "ytick.color": MUTED,
    "ytick.labelcolor": TEXT,
}

STATIC = Path(__file__).parent / "static"
_STYLE_LOCK = threading.RLock()  # matplotlib's settings are global, and a lab may draw in a thread


@contextmanager
def figure(*, alt: str, caption: str, height: float = 3.2) -> Iterator["Figure"]:
    """Draw a picture in the book's style; end the cell with it to show it.

    For example::

        with figure(alt="Error against layer: two straight lines, …", caption="…") as picture:
            axes = picture.subplots()
            axes.semilogy(errors, label="tied")
            axes.set(xlabel="layer k", ylabel="error, relative")
            axes.legend()
        picture

    The picture is one inline SVG whose colours are CSS custom properties, so that it follows the
    page's theme as it changes. Text stays text in the page's own font. Formulas in labels are
    plain Unicode (“|p(λ)|”, “10⁻³”, “xₖ”); superscripts and subscripts are typeset. Matplotlib's
    `$…$` is refused, since it places the letters for a font that the page does not have.

    Lines take their colour and their dashes from a cycle ("C0" to "C5" name the colours); points
    take `MARKERS`. `TEXT`, `MUTED`, `BORDER` and `SURFACE` are the colours of the page.

    Args:
        alt: what the picture shows, for a reader who does not see it: a plain sentence or more.
        caption: what to look at, in Markdown with $formulas$.
        height: in inches of 100 CSS pixels; the width is always 5.6.

    Raises:
        ValueError: alt is not a sentence, a label holds `$` or is set smaller than the style sets
            it, or the SVG exceeds 150 kB.
    """
    picture = Figure(alt=alt, caption=caption, height=height)
    with picture.style():
        yield picture
    picture.svg  # noqa: B018  (so that a fault shows in the cell that draws)


class Figure:
    """A picture, its description and its caption. Make one with `figure`.

    `matplotlib` is the underlying matplotlib figure, `svg` the picture as text, `html` what the
    page holds. Equal pictures give equal bytes.
    """

    def __init__(self, *, alt: str, caption: str, height: float = 3.2):
        self.alt = _sentence(alt)
        require_text(caption=caption)
        check_positive("height", height)
        self.caption = to_html(caption)
        with self.style():
            self.matplotlib = matplotlib.figure.Figure((WIDTH, height), layout="constrained")
        FigureCanvasSVG(self.matplotlib)

    def subplots(self, *args: Any, **kwargs: Any) -> Axes | Any:
        """Axes as `matplotlib.figure.Figure.subplots` gives them. On a phone, rows beat columns."""
        return self.matplotlib.subplots(*args, **kwargs)

    @contextmanager
    def style(self) -> Iterator[None]:
        """Draw inside this: matplotlib takes its settings when a part of a figure is made."""
        with _STYLE_LOCK, matplotlib.rc_context(_STYLE):
            yield

    @cached_property
    def svg(self) -> str:
        """The picture, rendered when it is first asked for."""
        _check_labels(self.matplotlib)
        with self.style():
            buffer = io.BytesIO()
            self.matplotlib.savefig(buffer, format="svg", dpi=200)  # dpi: of what is rasterized
        svg = inline(buffer.getvalue(), self.alt, round(100 * WIDTH), _VARIABLE)
        if len(svg.encode()) > LARGEST:
            raise ValueError(
                f"the figure takes {len(svg.encode()) / 1e3:.0f} kB of SVG, allowed are "
                f"{LARGEST / 1e3:.0f} kB: plot fewer points, or pass rasterized=True to the plot"
            )
        return svg

    @property
    def html(self) -> str:
        """The picture with its style and its caption."""
        return (
            f'<figure class="unrolled-figure"><style>{style_sheet()}</style>{self.svg}'
            f"<figcaption>{self.caption}</figcaption></figure>"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.alt}


def _sentence(alt: str) -> str:
    """Return alt when it is at least one sentence, of five words or more, without markup."""
    if not isinstance(alt, str) or not re.fullmatch(r"\s*(\S+\s+){4,}\S*[.!?]\s*", alt):
        raise ValueError(
            f"alt must say in a full sentence what the picture shows (five words or more, and a "
            f"full stop), got {alt!r}"
        )
    if "$" in alt:
        raise ValueError(f"alt is read aloud: write formulas in words or Unicode, got {alt!r}")
    return " ".join(alt.split())


def style_sheet() -> str:
    """The style that travels with each picture, because a notebook's page loads none of ours."""

    def declare(theme: int) -> str:
        return "".join(
            f"--figure-{name}:var(--unrolled-{name},{pair[theme]});"
            for name, pair in _THEME.items()
        )

    dark = '[data-theme="dark"] .unrolled-figure,[data-jp-theme-light="false"] .unrolled-figure'
    layout = " ".join((STATIC / "figures.css").read_text(encoding="utf-8").split())
    return f".unrolled-figure{{{declare(0)}}}{dark}{{{declare(1)}}}{layout}"


class _PlainPowers(ticker.Formatter):
    """Write a logarithmic axis as 10⁻³ where matplotlib writes $10^{-3}$, a short one as 0.5."""

    def __init__(self, powers: ticker.LogFormatter):
        self.powers = powers

    def __call__(self, x: float, pos: int | None = None) -> str:
        label = self.powers(x, pos)
        low, high = sorted(self.powers.axis.get_view_interval())
        if label and high < 100 * low:
            return f"{x:g}"
        label = re.sub(r"\$\\mathdefault\{(.*)\}\$", r"\1", label).replace(r"\times", "×")
        raised = str.maketrans("0123456789-−+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁺")
        return re.sub(r"\^\{(.*?)\}", lambda power: power[1].translate(raised), label)

    def set_locs(self, locs: Any) -> None:
        self.powers.set_locs(locs)


def _check_labels(figure: matplotlib.figure.Figure) -> None:
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(major := axis.get_major_formatter(), ticker.LogFormatter):
                axis.set_major_formatter(_PlainPowers(major))
            if isinstance(minor := axis.get_minor_formatter(), ticker.LogFormatter):
                axis.set_minor_formatter(_PlainPowers(minor))
    for text in figure.findobj(Text):
        if "$" in text.get_text():
            raise ValueError(f"write formulas in labels in plain Unicode, got {text.get_text()!r}")
        if text.get_text() and text.get_fontsize() < SMALLEST:
            raise ValueError(
                f"text must be {SMALLEST} points or more to be read on a phone, "
                f"{text.get_text()!r} has {text.get_fontsize():.1f}"
            )
