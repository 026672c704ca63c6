"""A picture follows the theme, is the same each time, and says in words what it shows."""

import itertools
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st

from unrolled.teaching.figures import (
    DASHES,
    LARGEST,
    MARKERS,
    MUTED,
    SERIES,
    STATIC,
    TEXT,
    Figure,
    figure,
)
from unrolled.teaching.svg import shortened

ALT = "Error against layer: three straight lines that fall."
CAPTION = "The steepest line has the smallest rate $\\rho$."
SURFACES = (("#ffffff", "#f5f5f5"), ("#14181e", "#222832"))  # of the site and of JupyterLab


def picture(slope: float = 0.5) -> Figure:
    with figure(alt=ALT, caption=CAPTION) as fig:
        axes = fig.subplots()
        for rate in (slope, 0.6, 0.7):
            axes.semilogy(rate ** np.arange(17), label=f"ρ₁² = {rate}")
        axes.set(xlabel="layer k", ylabel="error ‖xₖ − x*‖")
        axes.annotate("bound", (4, 1e-2), (8, 1e-1), arrowprops={"arrowstyle": "->"})
        axes.legend()
    return fig


def page(*figures: Figure, theme: str = "light", css: str = "") -> str:
    body = "".join(fig.html for fig in figures)
    return f"""<!doctype html><html lang="en" data-theme="{theme}"><head><title>Pictures</title>
        <meta name="viewport" content="width=device-width, initial-scale=1"><style>{css}
        body {{ margin: 20px; background: #fff; font-family: sans-serif }}
        [data-theme="dark"] body {{ background: #14181e; color: #ced6dd }}</style></head>
        <body><main><h1>Pictures</h1>{body}</main></body></html>"""


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    low, high = sorted(linear(c) @ (0.2126, 0.7152, 0.0722) + 0.05 for c in (one, other))
    return high / low


# Machado, Oliveira & Fernandes (2009): what a reader with full colour blindness sees.
VISION = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "red": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "green": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9690]],
    "blue": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
# Ottosson (2020): OKLab, in which equal distances look equally far.
CONES = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
OKLAB = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]


def distance(one: str, other: str, vision: str) -> float:
    """How different two colours look with this vision."""

    def seen(colour: str) -> np.ndarray:
        light = np.clip(np.array(VISION[vision]) @ linear(colour), 0, 1)
        return np.array(OKLAB) @ np.cbrt(np.array(CONES) @ light)

    return float(np.linalg.norm(seen(one) - seen(other)))


@pytest.mark.parametrize("theme", [0, 1])
def test_series_can_be_read_as_text_on_the_page(theme):
    for colour, surface in itertools.product(SERIES[theme], SURFACES[theme]):
        assert contrast(colour, surface) >= 4.5, (colour, surface)
    # Mirrored: the other theme's colours would not do.
    assert min(contrast(colour, SURFACES[theme][0]) for colour in SERIES[1 - theme]) < 4.5


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", [0, 1])
def test_series_are_distinct_without_full_colour_vision(theme, vision):
    closest = min(distance(*pair, vision) for pair in itertools.combinations(SERIES[theme], 2))
    assert closest > 0.07  # three and a half times what is just noticeable


def test_a_red_and_a_green_fail_the_measure_of_distinctness():
    assert distance("#b34e00", "#6b6b00", "normal") > 0.1 > 0.07
    assert distance("#b34e00", "#6b6b00", "red") < 0.07


def test_colour_is_never_the_only_cue():
    assert len(set(DASHES)) == len(set(MARKERS)) == len(SERIES[0]) == len(SERIES[1])
    dashes = set(re.findall(r"stroke-dasharray:[\d., ]+", picture().svg))
    assert len(dashes) == 2  # of three lines, the first is solid


def test_the_style_sheet_of_the_site_has_the_same_colours():
    css = (STATIC / "unrolled.css").read_text(encoding="utf-8")
    for theme in (0, 1):
        found = re.findall(r"--unrolled-series-\d: (#[0-9a-f]{6})", css)[6 * theme :][:6]
        assert tuple(found) == SERIES[theme]


@pytest.mark.parametrize(
    "alt", ["", "  ", "Three lines.", "error against layer for three lines", 3]
)
def test_alt_must_be_a_sentence(alt):
    with (
        pytest.raises(ValueError, match="alt must say in a full sentence"),
        figure(alt=alt, caption="x"),
    ):
        pass


def test_alt_and_labels_are_plain_text():
    with pytest.raises(ValueError, match="read aloud"):
        Figure(alt="The error falls as $\\rho^k$ here.", caption=CAPTION)
    with pytest.raises(ValueError, match="plain Unicode"), figure(alt=ALT, caption=CAPTION) as fig:
        fig.subplots().set_xlabel("layer $k$")


def test_text_too_small_for_a_phone_is_refused():
    with (
        pytest.raises(ValueError, match=r"to be read on a phone, .tiny. has 9\.7"),
        figure(alt=ALT, caption=CAPTION) as fig,
    ):
        fig.subplots().annotate("tiny", (0.5, 0.5), fontsize="small")


def test_a_caption_is_obligatory():
    with pytest.raises(ValueError, match="not blank"):
        Figure(alt=ALT, caption=" ")


def test_equal_pictures_give_equal_bytes():
    assert picture().html == picture().html
    assert picture(0.4).html != picture().html


def test_no_settings_of_matplotlib_leak():
    before = dict(matplotlib.rcParams)
    picture()
    assert dict(matplotlib.rcParams) == before


def test_ids_are_unique_on_a_page_and_every_reference_resolves():
    html = picture().html + picture(0.4).html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) > 0
    references = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html))
    assert {a or b for a, b in references} == set(ids)


def test_the_picture_is_well_formed_and_described_once():
    root = ElementTree.fromstring(picture().svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == ALT
    assert picture().html.count(ALT) == 1
    assert "<style" not in picture().svg  # matplotlib's would style the page


@given(st.lists(st.tuples(st.integers(-9999, 9999), st.integers(-9999, 9999)), min_size=1))
def test_a_path_written_by_its_steps_passes_the_same_places(places):
    tenths = [(x / 10, y / 10) for x, y in places]
    path = "M" + "L".join(f"{x},{y}" for x, y in tenths)
    steps = re.findall(r"[Ml]([\d.-]+),([\d.-]+)", shortened(path))
    reached = np.cumsum([(float(x), float(y)) for x, y in steps], axis=0)
    assert reached == pytest.approx(np.array(tenths), abs=1e-9)


@pytest.mark.parametrize("path", ["", "M0,1h5v2Z", "M1,2C1,2,3,4,5,6", "M0,1L2,3Z"])
def test_a_path_with_more_than_lines_is_left_as_it_is(path):
    assert shortened(path) == path


def test_a_path_may_begin_anew():
    assert shortened("M0,1L2,3M4,5L4,7") == "M0,1l2,2M4,5l0,2"


def test_every_colour_is_a_variable_that_the_style_sheet_declares():
    html = picture().html
    svg, style = picture().svg, html.split("</style>")[0]
    assert not re.findall(r"#[0-9a-f]{6}\b(?!-)", svg)
    for name in set(re.findall(r"var\((--figure-[\w-]+)\)", svg)):
        assert style.count(f"{name}:") == 2  # light and dark


def test_powers_and_indices_are_typeset():
    texts = ["".join(e.itertext()) for e in ElementTree.fromstring(picture().svg).iter("text")]
    assert "10−3" in texts  # the exponent raised
    assert "error ‖xk − x*‖" in texts
    assert not any("$" in text or "⁻" in text for text in texts)


def test_a_short_logarithmic_axis_reads_in_decimals():
    with figure(alt=ALT, caption=CAPTION) as fig:
        fig.subplots().semilogy([0.2, 0.5, 0.9])
    assert ">0.3</text>" in fig.svg
    assert "10" not in re.findall(r"<tspan>([^<]*)", fig.svg)


def test_a_picture_too_large_for_a_page_is_refused():
    points = np.random.default_rng(0).random((2, 4000))
    with (
        pytest.raises(ValueError, match="kB of SVG, allowed are 150 kB"),
        figure(alt=ALT, caption=CAPTION) as fig,
    ):
        fig.subplots().scatter(*points)
    with figure(alt=ALT, caption=CAPTION) as fig:
        fig.subplots().scatter(*points, rasterized=True)
    assert len(fig.svg) < LARGEST


def test_it_shows_as_html_and_as_words():
    assert picture()._repr_mimebundle_() == {"text/html": picture().html, "text/plain": ALT}


def colours(view) -> set[str]:
    drawn = "[...document.querySelectorAll('svg *')].map(e => getComputedStyle(e))"
    return set(view.evaluate(f"{drawn}.flatMap(style => [style.stroke, style.fill])"))


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


@pytest.mark.parametrize(
    "turn_dark",
    [
        "document.documentElement.dataset.theme = 'dark'",  # the site
        "document.body.dataset.jpThemeLight = 'false'",  # JupyterLab
    ],
)
@pytest.mark.parametrize("sheet", ["", (STATIC / "unrolled.css").read_text(encoding="utf-8")])
def test_the_same_picture_follows_the_theme(browser, turn_dark, sheet):
    view = browser.new_page()
    view.set_content(page(picture(), css=sheet))
    light, dark = ({rgb(colour) for colour in theme[:3]} for theme in SERIES)
    assert light | {rgb(TEXT), rgb(MUTED)} <= colours(view)
    assert not dark & colours(view)
    view.evaluate(turn_dark)
    assert dark <= colours(view)
    assert not (light | {rgb(TEXT), rgb(MUTED)}) & colours(view)
    view.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_labels_can_be_read_and_stay_inside(browser, width):
    view = browser.new_page(viewport={"width": width, "height": 800})
    view.set_content(page(picture()))
    sizes = view.evaluate(
        """[...document.querySelectorAll('svg text')].map(text => {
            const svg = text.ownerSVGElement, scale = svg.getBoundingClientRect().width / 403.2;
            return scale * parseFloat(getComputedStyle(text).fontSize) })"""
    )
    assert min(sizes) >= 10
    assert max(sizes) <= 16.2
    outside = view.evaluate(
        """[...document.querySelectorAll('svg text')].filter(text => {
            const svg = text.ownerSVGElement.getBoundingClientRect();
            const box = text.getBoundingClientRect();
            return box.left < svg.left || box.right > svg.right || box.top < svg.top - 1
                || box.bottom > svg.bottom + 1 }).map(text => text.textContent)"""
    )
    assert outside == []
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    view.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(browser, theme):
    view = browser.new_page()
    view.set_content(page(picture(), picture(0.4), theme=theme))
    results = Axe().run(view)
    assert results.violations_count == 0, results.generate_report()
    view.locator("svg").first.evaluate("svg => svg.removeAttribute('aria-label')")
    assert Axe().run(view).violations_count > 0  # mirrored: axe does look at the picture
    view.close()
