"""Explorables in the reader's hand: dragged, played, looked at, seen alone; by thumb and by key."""

import numpy as np
import pytest
import sympy
from axe_playwright_python.sync_playwright import Axe

from tests.teaching.explorable_page import opening, root, served, shown
from tests.teaching.vega_runtime import agree
from unrolled.teaching.explorable import (
    POINTER,
    Bars,
    Curves,
    Explorable,
    Handle,
    Panel,
    Paths,
    Points,
    Segments,
    Selector,
    Sequence,
    Slider,
    Texts,
)

turn, level, u, i, lam = sympy.symbols("turn level u i lambda", real=True)
shape, rule, step = sympy.symbols("shape rule step")
px, py = POINTER
tip = (sympy.cos(turn * sympy.pi / 180), sympy.sin(turn * sympy.pi / 180))
ARM = Handle(x=tip[0], y=tip[1], sets={turn: sympy.Mod(180 / sympy.pi * sympy.atan2(py, px), 360)})
LEVEL = Handle(x=2.4, y=level, sets={level: py})
heights = [sympy.Abs(part) for part in tip]
DRAWING = Explorable(
    name="test.drawing",
    title="An arrow and its shadows",
    alt="An arrow in a circle, and two bars.",
    caption="Drag the arrow.",
    columns=2,
    readings={"cosine": tip[0]},
    sliders=(
        Slider(symbol=turn, label="angle", values=range(0, 360, 5), start=30, show="{:g}°"),
        Slider(symbol=level, label="level", values=[j / 10 for j in range(1, 10)], start=0.7),
        Selector(symbol=shape, label="ellipse", options=("wide", "round"), start="round"),
        Selector(symbol=rule, label="rule", options=("a", "b", "c", "d")),
    ),
    panels=(
        Panel(
            equal=True,
            x_domain=(-1.5, 1.5),
            y_domain=(-1.5, 1.5),
            y_label="the plane",
            layers=(
                Paths(
                    parameter=u,
                    domain=(0, 2 * sympy.pi),
                    series={"path": (sympy.cos(u) * (2 - shape + rule / 10), sympy.sin(u))},
                ),
                Segments(series={"arrow": [((0, 0), tip)]}, mark="arrow"),
                Texts(texts=[("here", *tip)]),
                ARM,
            ),
        ),
        Panel(
            x_ticks={1: "cosine", 2: "sine"},
            y_domain=(0, 1),
            y_label="length of the shadow",
            layers=(
                Sequence(
                    index=i,
                    range=(1, 2),
                    series={
                        "below": [sympy.Piecewise((h, h < level), (0, True)) for h in heights],
                        "above": [sympy.Piecewise((h, h >= level), (0, True)) for h in heights],
                    },
                    mark="bar",
                ),
                Segments(series={"level": [((0.5, level), (2.5, level))]}, mark="guide"),
                LEVEL,
            ),
        ),
    ),
)
ROWS = {"step": [], "x": [], "y": [], "name": []}
for j in range(4):
    for x in range(5):
        for name, y in (("truth", float(x == 2)), ("estimate", (x == 2) * j / 3)):
            for key, value in zip(ROWS, (j, x, y, name), strict=True):
                ROWS[key].append(value)
PLAYED = Explorable(
    name="test.played",
    title="Three steps",
    alt="A spike grows until it has the height of the truth.",
    caption="Step by step.",
    sliders=(Slider(symbol=step, label="step", values=range(4), show="step {:g}", play=True),),
    panels=(
        Panel(
            x_label="place",
            y_label="value",
            layers=(
                Points(rows=ROWS, x="x", y="y", series="name"),
                Curves(
                    x=lam, domain=(0, 4), points=41, series={"line": lam * step / 9, "flat": 0.5}
                ),
            ),
        ),
        Panel(
            layers=(Bars(series={"total": {"estimate": step / 3, "truth": 1}}),),
            x_label="sum",
        ),
        Panel(
            layers=(
                Sequence(
                    index=i, range=(0, 4), series={"again": i * step, "other": i}, mark="guide"
                ),
            ),
            y_label="the same again",
        ),
    ),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pages = {"index": DRAWING.page() + PLAYED.page(), "played": PLAYED.page()}
    with served(tmp_path_factory.mktemp("site"), pages) as address:
        yield address


@pytest.fixture
def opened(browser, site):
    with opening(browser, site) as open_page:
        yield open_page


def place_of(page, chart, handle):
    """Where the middle of a handle is on the screen; the handles are counted from 0."""
    box = root(page, chart).locator(".handle path").nth(handle).bounding_box()
    assert min(box["width"], box["height"]) >= 40  # as wide as a thumb
    return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])


def on_screen(page, chart, panel, x, y):
    """Where a point of a panel is on the screen."""
    found = root(page, chart).evaluate(
        """(root, [panel, x, y]) => {
            const view = root.unrolledViews[panel];
            const frame = view.container().querySelector(".role-frame > g");
            const at = new DOMPoint(view.scale("x")(x), view.scale("y")(y));
            const { x: left, y: top } = at.matrixTransform(frame.getScreenCTM());
            return [left, top];
        }""",
        [panel, float(x), float(y)],
    )
    return np.array(found)


def drag(page, start, end):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    page.wait_for_timeout(100)


def touch_drag(page, start, end):
    session = page.context.new_cdp_session(page)

    def send(kind, *points):
        touches = [{"x": float(x), "y": float(y)} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    send("touchStart", start)
    for share in (0.25, 0.5, 0.75, 1):
        send("touchMove", start + share * (end - start))
        page.wait_for_timeout(30)
    send("touchEnd")
    page.wait_for_timeout(200)


def test_a_handle_is_dragged_by_mouse_and_its_slider_follows(opened):
    page = opened()
    slider = root(page, DRAWING).get_by_label("angle")
    for x, y in ((0, 2), (-1, -1), (1, -0.2)):  # also beyond the plot
        drag(page, place_of(page, DRAWING, 0), on_screen(page, DRAWING, 0, x, y))
        here = DRAWING.dragged(ARM, x, y)
        assert slider.get_attribute("aria-valuetext") == f"{here[turn]:g}°"
        agree(DRAWING.evaluate(here), shown(page, DRAWING))
        expected = on_screen(page, DRAWING, 0, *(float(part.subs(here)) for part in tip))
        np.testing.assert_allclose(place_of(page, DRAWING, 0), expected, atol=1)
    with pytest.raises(AssertionError):
        agree(DRAWING.evaluate(), shown(page, DRAWING))


def test_a_drag_beside_a_handle_and_a_move_without_a_button_set_nothing(opened):
    page = opened()
    drag(page, on_screen(page, DRAWING, 0, -1, -1), on_screen(page, DRAWING, 0, 1, 1))
    page.mouse.move(*place_of(page, DRAWING, 0))
    page.mouse.move(*on_screen(page, DRAWING, 0, 0, 1))
    agree(DRAWING.evaluate(), shown(page, DRAWING))


def test_the_top_of_a_bar_goes_as_far_as_its_slider(opened):
    page = opened()
    for y, value in ((0.44, 0.4), (3, 0.9), (-3, 0.1)):
        drag(page, place_of(page, DRAWING, 1), on_screen(page, DRAWING, 1, 2.4, y))
        assert root(page, DRAWING).get_by_label("level").get_attribute("aria-valuetext") == (
            f"{value:g}"
        )
        agree(DRAWING.evaluate({level: value}), shown(page, DRAWING))


def test_a_thumb_drags_a_handle_and_elsewhere_the_page(opened):
    page = opened(width=390, height=700, has_touch=True, is_mobile=True)
    start, end = place_of(page, DRAWING, 0), on_screen(page, DRAWING, 0, 0, 1)
    touch_drag(page, start, end)
    assert page.evaluate("scrollY") == 0
    agree(DRAWING.evaluate(DRAWING.dragged(ARM, 0, 1)), shown(page, DRAWING))
    touch_drag(page, on_screen(page, DRAWING, 0, -1.2, 1.2), np.array([100, 20]))
    assert page.evaluate("scrollY") > 0
    agree(DRAWING.evaluate(DRAWING.dragged(ARM, 0, 1)), shown(page, DRAWING))


def test_what_is_dragged_has_a_slider_for_the_keyboard(opened):
    page = opened()
    before = place_of(page, DRAWING, 0)
    slider = root(page, DRAWING).get_by_label("angle")
    for _ in range(3):
        slider.press("ArrowRight")
    page.wait_for_timeout(100)
    agree(DRAWING.evaluate({turn: 45}), shown(page, DRAWING))
    assert np.abs(place_of(page, DRAWING, 0) - before).max() > 5


def test_selectors_are_set_by_keyboard_and_mouse(opened):
    page = opened()
    drawing = root(page, DRAWING)
    assert drawing.get_by_role("group", name="ellipse").count() == 1
    drawing.get_by_role("radio", name="round").press("ArrowLeft")
    assert drawing.get_by_role("radio", name="wide").is_checked()
    page.wait_for_timeout(100)
    agree(DRAWING.evaluate({shape: "wide"}), shown(page, DRAWING))
    drawing.get_by_text("round").click()
    drawing.get_by_label("rule").press("c")
    page.wait_for_timeout(100)
    agree(DRAWING.evaluate({rule: "c"}), shown(page, DRAWING))
    drawing.get_by_label("rule").select_option("d")
    page.wait_for_timeout(100)
    agree(DRAWING.evaluate({rule: "d"}), shown(page, DRAWING))
    with pytest.raises(AssertionError):
        agree(DRAWING.evaluate({rule: "c"}), shown(page, DRAWING))


def test_readings_follow_and_are_spoken(opened):
    page = opened()
    drawing = root(page, DRAWING)
    drawing.get_by_label("angle").press("End")
    drawing.get_by_text("cosine = 0.996").first.wait_for()
    status = drawing.get_by_role("status")
    page.wait_for_function("(status) => status.textContent", arg=status.element_handle())
    assert status.text_content() == "cosine = 0.996"


def value(page):
    return int(page.get_by_label("step", exact=True).input_value())


def reaches(page, place):
    page.wait_for_function(
        "(place) => document.querySelector('input[type=range][id$=index]').value === place",
        arg=str(place),
    )


PAUSE = 1300  # more than from one step to the next


def test_nothing_moves_by_itself_and_playing_stops_at_the_end(opened):
    page = opened("played.html")
    page.wait_for_timeout(PAUSE)
    assert value(page) == 0
    page.get_by_role("button", name="play: step").click()
    assert value(page) == 0  # the first step comes after a while
    reaches(page, 3)
    assert page.get_by_role("button", name="play: step").count() == 1  # no longer "pause"
    page.wait_for_timeout(PAUSE)
    assert value(page) == 3
    agree(PLAYED.evaluate({step: 3}), shown(page, PLAYED))
    page.get_by_role("button", name="play: step").press("Enter")  # once more from the start
    assert value(page) == 0
    reaches(page, 1)


@pytest.mark.parametrize("by", ["pause", "next", "slider"])
def test_playing_stops_at_once(opened, by):
    page = opened("played.html")
    page.get_by_role("button", name="play: step").press("Space")
    reaches(page, 1)
    if by == "pause":
        page.get_by_role("button", name="pause: step").press("Space")
    elif by == "next":
        page.get_by_role("button", name="next: step").click()
    else:
        page.get_by_label("step", exact=True).press("ArrowRight")
    stopped = value(page)
    assert stopped == (1 if by == "pause" else 2)
    page.wait_for_timeout(PAUSE)
    assert value(page) == stopped


def test_steps_go_one_by_one_and_not_beyond_the_ends(opened):
    page = opened("played.html")
    page.get_by_role("button", name="previous: step").click()
    assert value(page) == 0
    for expected in (1, 2, 3, 3):
        page.get_by_role("button", name="next: step").click()
        assert value(page) == expected
    agree(PLAYED.evaluate({step: 3}), shown(page, PLAYED))
    assert root(page, PLAYED).get_by_text("step 3").is_visible()


def test_with_reduced_motion_there_are_steps_only(opened):
    page = opened("played.html", reduced_motion="reduce")
    assert page.get_by_role("button", name="play: step").count() == 0
    page.get_by_role("button", name="next: step").click()
    page.wait_for_timeout(PAUSE)
    assert value(page) == 1
    page.emulate_media(reduced_motion="no-preference")
    page.get_by_role("button", name="play: step").click()
    reaches(page, 2)
    page.emulate_media(reduced_motion="reduce")  # in the middle of it
    page.wait_for_timeout(PAUSE)
    assert value(page) == 2


def faded(page, panel):
    """The series of a panel, and whether the reader sees through them."""
    return root(page, PLAYED).evaluate(
        """(root, panel) => {
            const place = root.querySelectorAll(".unrolled-explorable-panel")[panel];
            const marks = [...place.querySelectorAll(".role-mark path")];
            const found = marks.filter((mark) => mark.__data__?.datum?.series)
                .map((mark) => [mark.__data__.datum.series, mark.__data__.opacity < 1]);
            return Object.fromEntries(found);
        }""",
        panel,
    )


@pytest.mark.parametrize("by", ["mouse", "keyboard", "tap"])
def test_the_legend_shows_a_series_alone_and_then_all_again(opened, by):
    page = opened("played.html", has_touch=by == "tap")
    button = page.get_by_role("button", name="estimate", exact=True)
    press = {"mouse": button.click, "keyboard": lambda: button.press("Enter"), "tap": button.tap}
    everything = dict.fromkeys(("truth", "estimate", "line", "flat"), False)
    assert faded(page, 0) == everything
    press[by]()
    page.wait_for_timeout(100)
    assert button.get_attribute("aria-pressed") == "true"
    assert faded(page, 0) == dict.fromkeys(everything, True) | {"estimate": False}
    assert set(faded(page, 2).values()) == {False}  # a panel that has no such series
    page.get_by_role("button", name="flat", exact=True).click()
    page.wait_for_timeout(100)
    assert button.get_attribute("aria-pressed") == "false"
    assert faded(page, 0) == dict.fromkeys(everything, True) | {"flat": False}
    page.get_by_role("button", name="flat", exact=True).click()
    page.wait_for_timeout(100)
    assert faded(page, 0) == everything


@pytest.mark.parametrize("width", [1280, 390])
def test_the_legend_covers_no_plot_and_is_wide_enough_for_a_thumb(opened, width):
    page = opened(width=width)
    keys = page.locator(".unrolled-explorable-key").all()
    plots = [svg.bounding_box() for svg in page.locator("svg[role=img]").all()]
    assert keys
    for key in keys:
        box = key.bounding_box()
        assert box["height"] >= 24
        for plot in plots:
            beside = (
                box["x"] + box["width"] <= plot["x"] + 1 or plot["x"] + plot["width"] <= box["x"]
            )
            above = box["y"] + box["height"] <= plot["y"] + 1
            assert beside or above or plot["y"] + plot["height"] <= box["y"] + 1


def words(page, panel=0):
    place = root(page, PLAYED).locator(".unrolled-explorable-panel").nth(panel)
    note = place.locator(".unrolled-explorable-look")
    return note.locator("span").all_inner_texts() if note.is_visible() else []


def test_a_pointer_over_the_chart_shows_the_values_there(opened):
    page = opened("played.html")
    root(page, PLAYED).get_by_label("step", exact=True).press("End")
    assert words(page) == []
    page.mouse.move(*on_screen(page, PLAYED, 0, 2, 0.3))
    curves = PLAYED.evaluate({step: 3})[0]
    line = curves["line"][1][curves["line"][0] == 2][0]
    expected = ["place: 2", "truth: 1", "estimate: 1", f"line: {line:.3g}", "flat: 0.5"]
    assert words(page) == expected
    page.mouse.move(*on_screen(page, PLAYED, 0, 0.9, 0.3))
    assert words(page)[0] == "place: 0.9"
    assert words(page) != expected
    page.mouse.move(5, 5)
    assert words(page) == []


def test_a_tap_on_the_chart_shows_the_values_there(opened):
    page = opened("played.html", width=390, has_touch=True, is_mobile=True)
    page.touchscreen.tap(*on_screen(page, PLAYED, 0, 2, 0.3))
    assert words(page)[0] == "place: 2"
    page.touchscreen.tap(*on_screen(page, PLAYED, 0, 4, 0.3))
    assert words(page)[0] == "place: 4"


def test_the_keyboard_walks_along_the_values(opened):
    page = opened("played.html")
    keys = root(page, PLAYED).get_by_label("Values: the same again")
    keys.focus()
    assert keys.get_attribute("aria-valuetext") == words_said(0)
    assert words(page, 2) == words_said(0).split("; ")
    for place in range(1, 5):
        keys.press("ArrowRight")
        assert keys.get_attribute("aria-valuetext") == words_said(place)
    keys.press("ArrowRight")
    assert keys.get_attribute("aria-valuetext") == words_said(4)
    page.get_by_role("button", name="other", exact=True).press("Enter")
    assert words(page, 2) == []  # the focus has left
    keys.press("Home")
    assert keys.get_attribute("aria-valuetext") == "x: 0; other: 0"


def words_said(place):
    return f"x: {place}; again: 0; other: {place}"


def test_every_chart_along_an_axis_can_be_reached_with_tab(opened):
    page = opened("played.html")
    seen = []
    for _ in range(20):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert {"Values: value against place", "Values: the same again"} <= set(seen)
    assert "Values: sum" not in seen  # the numbers stand beside its bars


def in_sight(page, chart):
    """Whether all controls of a chart are in the window."""
    box = root(page, chart).locator(".unrolled-explorable-sliders").bounding_box()
    return box["y"] >= 0 and box["y"] + box["height"] <= page.viewport_size["height"]


@pytest.mark.parametrize(("width", "height"), [(1280, 500), (390, 660)])
def test_the_controls_are_in_sight_while_one_looks_at_any_panel(opened, width, height):
    page = opened("played.html", width=width, height=height)
    panels = root(page, PLAYED).locator(".unrolled-explorable-panel")
    for panel in panels.all():
        panel.evaluate("(panel) => scrollTo(0, panel.getBoundingClientRect().top + scrollY - 8)")
        page.wait_for_timeout(50)
        assert in_sight(page, PLAYED)
        plot = panel.locator("svg[role=img]").bounding_box()
        controls = root(page, PLAYED).locator(".unrolled-explorable-controls").bounding_box()
        assert plot["y"] + plot["height"] <= controls["y"] + 1  # and leave the plot alone
    page.add_style_tag(content=".unrolled-explorable-controls { position: static !important }")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(50)
    assert not in_sight(page, PLAYED)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(opened, width, theme):
    page = opened(width=width)
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    page.get_by_role("button", name="estimate", exact=True).click()
    root(page, PLAYED).get_by_label("Values: the same again").focus()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    report = Axe().run(page)
    assert report.violations_count == 0, report.generate_report()
