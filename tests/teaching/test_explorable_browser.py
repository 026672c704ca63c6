"""Explorables on a page of their own, in Chromium: they move, agree, fit, and can be read."""

import pytest
import sympy
from axe_playwright_python.sync_playwright import Axe

from tests.teaching.explorable_page import opening, root, served, shown
from tests.teaching.vega_runtime import agree
from unrolled.teaching.explorable import (
    Bars,
    Curves,
    Explorable,
    Panel,
    Points,
    Sequence,
    Slider,
)

kappa, K, lam, k = sympy.symbols("kappa K lambda k", positive=True)
rate = (kappa - 1) / (kappa + 1)
bound = 1 / sympy.cosh(K * sympy.acosh(1 / rate))
CURVES = Explorable(
    name="test.curves",
    title="What K equal steps leave of the error",
    alt="The factor falls to zero in the middle of the spectrum.",
    caption="It is largest at both ends, where it is $\\rho^K$.",
    sliders=(
        Slider(symbol=kappa, label="condition number κ", values=(2, 10, 100), start=10),
        Slider(symbol=K, label="layers K", values=range(1, 9), start=4, show="{:g} layers"),
    ),
    panels=(
        Panel(
            title="A heading so long that on a narrow page it needs more than one line to be read",
            x_label="eigenvalue λ",
            y_label="factor on the error at eigenvalue λ",
            y_scale="log",
            y_domain=(1e-6, 2),
            layers=(
                Curves(
                    x=lam,
                    domain=(1, kappa),
                    series={
                        "tied": sympy.Abs(1 - 2 * lam / (kappa + 1)) ** K,
                        "Chebyshev": bound
                        * sympy.Abs(sympy.cos(K * sympy.acos((kappa + 1 - 2 * lam) / (kappa - 1)))),
                    },
                ),
            ),
        ),
        Panel(
            title="Promise and truth",
            y_scale="log",
            y_domain=(1e-4, 1e4),
            layers=(
                Bars(series={"product": {"tied": rate**K}, "truth": {"tied": rate ** (2 * K)}}),
            ),
        ),
    ),
)
ROWS = {"K": [], "k": [], "error": [], "rule": []}
for depth in range(1, 5):
    for layer in range(depth + 1):
        for rule in ("AMP", "network"):
            for name, value in zip(ROWS, (depth, layer, 0.5**layer, rule), strict=True):
                ROWS[name].append(value)
DOTS = Explorable(
    name="test.dots",
    title="Two that coincide",
    alt="Rings around diamonds on one falling curve.",
    caption="They are the same.",
    sliders=(Slider(symbol=K, label="layers K", values=range(1, 5), start=2),),
    panels=(
        Panel(
            x_label="layer k",
            y_label="error",
            layers=(
                Sequence(index=k, range=(0, K), series={"theory": 2**-k}),
                Points(rows=ROWS, x="k", y="error", series="rule"),
            ),
        ),
    ),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pages = {
        "index": CURVES.page() + DOTS.page(),
        "far": f"{CURVES.page()}<div style='height: 5000px'></div>{DOTS.page()}",
        "plain": "<p>Nothing moves.</p>",
    }
    with served(tmp_path_factory.mktemp("site"), pages) as address:
        yield address


@pytest.fixture
def opened(browser, site):
    with opening(browser, site) as open_page:
        yield open_page


def paths(page, explorable):
    lines = root(page, explorable).locator(".mark-line path")
    return [lines.nth(i).get_attribute("d") for i in range(lines.count())]


def test_a_slider_moves_the_curve_by_keyboard_and_both_sides_agree(opened):
    page = opened()
    slider = page.get_by_label("condition number κ")
    before = paths(page, CURVES)
    agree(CURVES.evaluate(), shown(page, CURVES))
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "100"
    page.wait_for_function(
        "(d) => document.querySelector('.mark-line path').getAttribute('d') !== d", arg=before[0]
    )
    assert all(old != new for old, new in zip(before, paths(page, CURVES), strict=True))
    agree(CURVES.evaluate({kappa: 100}), shown(page, CURVES))
    with pytest.raises(AssertionError):
        agree(CURVES.evaluate({kappa: 10}), shown(page, CURVES))
    for kappa_key, kappa_value in (("Home", 2), ("End", 100)):
        for depth_key, depth in (("Home", 1), ("End", 8)):
            slider.press(kappa_key)
            root(page, CURVES).get_by_label("layers K").press(depth_key)
            page.wait_for_timeout(100)
            agree(CURVES.evaluate({kappa: kappa_value, K: depth}), shown(page, CURVES))


def test_dots_appear_and_vanish_with_the_slider(opened):
    page = opened()
    slider = root(page, DOTS).get_by_label("layers K")
    dots = root(page, DOTS).locator(".role-mark.mark-symbol path")
    assert dots.count() == 6
    slider.press("End")
    page.wait_for_timeout(100)
    assert dots.count() == 10
    agree(DOTS.evaluate({K: 4}), shown(page, DOTS))


def test_a_slider_moves_the_curve_by_mouse_and_says_its_value(opened):
    page = opened()
    slider = root(page, CURVES).get_by_label("layers K")
    box = slider.bounding_box()
    assert box["height"] >= 24
    before = paths(page, CURVES)
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    assert slider.get_attribute("aria-valuetext") == "8 layers"
    assert root(page, CURVES).get_by_text("8 layers").is_visible()
    page.wait_for_timeout(100)
    assert paths(page, CURVES) != before
    status = root(page, CURVES).get_by_role("status")
    page.wait_for_function("(status) => status.textContent", arg=status.element_handle())
    truth = CURVES.evaluate({K: 8})[1]["truth"][1][0]
    assert f"tied, truth: {truth:.3g}" in status.text_content()


def test_the_theme_colours_the_chart_at_once_and_keeps_the_sliders(opened):
    page = opened()
    colours = """() => [...document.querySelectorAll('.mark-line path, .role-axis-label text')]
        .map((mark) => getComputedStyle(mark).stroke + getComputedStyle(mark).fill)"""
    root(page, CURVES).get_by_label("layers K").press("End")
    page.wait_for_timeout(100)
    light, before = page.evaluate(colours), paths(page, CURVES)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = page.evaluate(colours)
    assert len(light) > 10
    assert all(a != b for a, b in zip(light, dark, strict=True))
    assert paths(page, CURVES) == before
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert page.evaluate(colours) == light


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(opened, width, theme):
    page = opened(width=width)
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    report = Axe().run(page)
    assert report.violations_count == 0, report.generate_report()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_chart_is_as_wide_as_its_place_and_can_be_read(opened, width):
    page = opened(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for explorable in (CURVES, DOTS):
        for box in root(page, explorable).locator(".unrolled-explorable-chart").all():
            svg = box.locator("svg").bounding_box()
            assert svg["width"] == pytest.approx(box.bounding_box()["width"], abs=2)
            sizes = box.locator("text").evaluate_all(
                "(texts) => texts.map((text) => text.getBoundingClientRect())"
                ".map((box) => [box.left, box.right, box.height])"
            )
            assert min(size[2] for size in sizes) >= 11
            assert min(size[0] for size in sizes) >= svg["x"] - 1
            assert max(size[1] for size in sizes) <= svg["x"] + svg["width"] + 1


def test_the_chart_follows_the_width_of_the_page_and_keeps_its_setting(opened):
    page = opened()
    root(page, CURVES).get_by_label("layers K").press("Home")
    page.set_viewport_size({"width": 390, "height": 3000})
    page.wait_for_timeout(300)
    box = root(page, CURVES).locator(".unrolled-explorable-chart").first
    assert box.locator("svg").bounding_box()["width"] <= box.bounding_box()["width"] + 1
    agree(CURVES.evaluate({K: 1}), shown(page, CURVES))


def test_every_panel_is_an_image_with_a_text(opened):
    page = opened()
    assert page.get_by_role("img", name=CURVES.panels[1].title).count() == 1
    for explorable in (CURVES, DOTS):
        assert page.get_by_role("img", name=explorable.alt).count() == 1
        parts = root(page, explorable).locator("[aria-roledescription]")
        hidden = root(page, explorable).locator("[aria-hidden='true'] [aria-roledescription]")
        assert parts.count() == hidden.count()


def test_without_scripts_there_is_a_picture_of_the_start(opened):
    page = opened(java_script_enabled=False, alive=False)
    for explorable in (CURVES, DOTS):
        picture = page.get_by_role("img", name=explorable.alt)
        assert picture.bounding_box()["height"] > 100
        for slider in explorable.sliders:
            said = f"{slider.label}: {slider.shown[slider.start_index]}"
            assert said in root(page, explorable).inner_text()
    assert page.locator("input").count() == 0


def test_the_live_chart_takes_the_place_of_its_picture(opened):
    still = opened(java_script_enabled=False, alive=False)
    lines = still.locator(".mark-line path")
    picture = [lines.nth(i).get_attribute("d").count("l") for i in range(lines.count())]
    page = opened()
    alive = page.locator(".mark-line path")
    assert [alive.nth(i).get_attribute("d").count("L") for i in range(alive.count())] == picture
    assert page.locator(".unrolled-explorable-chart svg").count() == 3  # two panels and one
    ids = page.eval_on_selector_all("[id]", "(all) => all.map((element) => element.id)")
    assert len(ids) == len(set(ids))


def test_vega_is_loaded_only_where_a_chart_comes_near(opened, site):
    page = opened("plain.html")
    page.wait_for_timeout(300)
    assert not any("vega.js" in url for url in page.requests)
    page = opened("far.html", alive=False)
    page.wait_for_function("document.querySelector('.unrolled-explorable').unrolledViews")
    assert root(page, DOTS).locator("input").count() == 0
    root(page, DOTS).scroll_into_view_if_needed()
    root(page, DOTS).get_by_label("layers K").wait_for()
    assert sum("vega.js" in url for url in page.requests) == 1


def test_a_chart_that_cannot_start_says_so(browser, site):
    page = browser.new_page(viewport={"width": 1280, "height": 3000})
    page.route("**/vega.js", lambda route: route.abort())
    page.goto(site)
    page.get_by_text("The controls could not be started").first.wait_for()
    assert page.get_by_role("img", name=CURVES.alt).is_visible()
    page.close()
