"""Drawings in the plane, handles, selectors, readings: the browser computes what Python does."""

import copy
import re

import numpy as np
import pytest
import sympy
import vl_convert

from tests.teaching.vega_runtime import agree, at, computed, payload_of, scene, settings_of
from unrolled.teaching.explorable import (
    POINTER,
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
    look,
)

turn, height, u, i, lam = sympy.symbols("turn height u i lambda", real=True)
kind = sympy.Symbol("kind")
px, py = POINTER
angle = turn * sympy.pi / 180
tip = (sympy.cos(angle), sympy.sin(angle))
squeeze = sympy.Piecewise((1, sympy.Eq(kind, 0)), (height, True))
ARM = Handle(x=tip[0], y=tip[1], sets={turn: sympy.Mod(180 / sympy.pi * sympy.atan2(py, px), 360)})
CORNER = Handle(x=1, y=height, sets={height: py, turn: 100 * px})


def drawing(**changes):
    heights = [sympy.Abs(tip[0]), sympy.Abs(tip[1])]
    arguments = {
        "name": "test.drawing",
        "title": "A turn",
        "alt": "An arrow in an ellipse, and two bars.",
        "caption": "Drag the arrow.",
        "columns": 2,
        "sliders": (
            Slider(symbol=turn, label="angle", values=range(0, 360, 5), start=30, show="{:g}°"),
            Slider(symbol=height, label="height", values=(0, 0.25, 0.5, 1), start=0.5),
            Selector(symbol=kind, label="squeezed", options=("no", "yes"), start="yes"),
        ),
        "readings": {"first": heights[0], "tiny": heights[1] * 1e-9},
        "panels": (
            Panel(
                equal=True,
                x_domain=(-2, 2),
                y_domain=(-1, 1),
                layers=(
                    Paths(
                        parameter=u,
                        domain=(0, 2 * sympy.pi),
                        series={"ellipse": (sympy.cos(u), squeeze * sympy.sin(u))},
                        points=41,
                    ),
                    Segments(series={"arrows": [((0, 0), tip), (tip, (1, 0))]}, mark="arrow"),
                    Segments(series={"level": [((-2, height), (2, height))]}, mark="guide"),
                    Texts(texts=[("tip", *tip), ("x = {}!", 0, 0, tip[0])]),
                    ARM,
                ),
            ),
            Panel(
                x_ticks={1: "cosine", 2: "sine"},
                layers=(
                    Sequence(
                        index=i,
                        range=(1, 2),
                        series={
                            "low": [sympy.Piecewise((h, h < height), (0, True)) for h in heights],
                            "high": [sympy.Piecewise((h, h >= height), (0, True)) for h in heights],
                        },
                        mark="bar",
                    ),
                    CORNER,
                ),
            ),
        ),
    }
    return Explorable(**arguments | changes)


def test_drawings_agree_at_many_settings():
    chart = drawing()
    for setting in settings_of(chart)[::37]:
        agree(
            chart.evaluate(setting),
            computed(chart, **{symbol.name: value for symbol, value in setting.items()}),
        )
    with pytest.raises(AssertionError):
        agree(chart.evaluate({turn: 90}), computed(chart, turn=95))


def test_an_ellipse_is_one():
    (plane, _) = drawing().evaluate({height: 0.5})
    x, y = plane["ellipse"]
    np.testing.assert_allclose(x**2 + (y / 0.5) ** 2, 1)
    (plane, _) = drawing().evaluate({height: 0.5, kind: "no"})
    x, y = plane["ellipse"]
    np.testing.assert_allclose(x**2 + y**2, 1)


def words(chart, **settings):
    """All words in the first panel."""
    spec = copy.deepcopy(chart.specifications()[0])
    at(spec, chart, settings)
    spec["axes"] = []
    inside = scene(spec)[0]["items"][0]["items"]
    return [item["text"] for mark in inside if mark["marktype"] == "text" for item in mark["items"]]


def test_words_hold_numbers():
    assert words(drawing(), turn=60) == ["tip", "x = 0.5!"]
    assert words(drawing(), turn=0) == ["tip", "x = 1!"]


def signal_values(chart, panel, names, pointer, **settings):
    """The values of signals in a panel when the pointer is somewhere."""
    spec = copy.deepcopy(chart.specifications()[panel])
    at(spec, chart, settings)
    for one in spec["signals"]:
        if one["name"] in (px.name, py.name):
            one["value"] = pointer[one["name"] == py.name]
    spec["marks"] = [
        {"type": "text", "encode": {"update": {"text": {"signal": f"'' + {name}"}}}}
        for name in names
    ]
    spec["axes"] = []
    return [float(mark["items"][0]["text"]) for mark in scene(spec)]


@pytest.mark.parametrize("pointer", [(1, 0.2), (-1, 0.2), (-0.3, -2), (0.01, -0.02)])
def test_a_drag_sets_the_same_in_the_browser_and_here(pointer):
    chart = drawing()
    for panel, handle in ((0, ARM), (1, CORNER)):
        (sets,) = payload_of(chart.page())["panels"][panel]["handles"].values()
        known = {slider.index_signal: slider for slider in chart.sliders}
        there = dict(
            zip(sets, signal_values(chart, panel, sets.values(), pointer, turn=90), strict=True)
        )
        nearest = {
            known[name].symbol: known[name].values[known[name].nearest(value)]
            for name, value in there.items()
        }
        assert nearest == chart.dragged(handle, *pointer, {turn: 90})


def test_a_handle_goes_where_the_pointer_is_as_far_as_its_slider_goes():
    chart = drawing()
    for degrees in (0, 45, 170, 355):
        x, y = 3 * np.cos(np.radians(degrees)), 3 * np.sin(np.radians(degrees))
        assert chart.dragged(ARM, x, y) == {turn: degrees}
        assert chart.dragged(ARM, -x, -y) != {turn: degrees}
    assert chart.dragged(CORNER, 9, 7) == {height: 1, turn: 355}
    assert chart.dragged(CORNER, -9, -7) == {height: 0, turn: 0}


@pytest.mark.parametrize("width", [200, 640])
def test_a_unit_is_as_long_on_both_axes(width):
    spec = copy.deepcopy(drawing().specifications()[0]) | {"width": width}
    codes = ["scale('x', 1) - scale('x', 0)", "scale('y', 0) - scale('y', 1)"]
    ends = [f"invert('{axis}', {end})" for axis in "xy" for end in ("0", "width", "height")]
    spec["marks"] = [
        {"type": "text", "encode": {"update": {"text": {"signal": f"'' + ({code})"}}}}
        for code in (*codes, *ends)
    ]
    spec["axes"] = []
    across, up, left, right, _, top, _, bottom = (
        float(mark["items"][0]["text"]) for mark in scene(spec)
    )
    assert across == pytest.approx(up)
    assert left <= -2 + 1e-9  # what was asked for is inside
    assert right >= 2 - 1e-9
    assert (top, bottom) == pytest.approx((-bottom, bottom))
    assert top >= 1 - 1e-9


def test_a_selector_is_set_by_name_or_place():
    chart = drawing()
    for name, place in (("no", 0), ("yes", 1)):
        here, there = chart.evaluate({kind: name}), chart.evaluate({kind: place})
        np.testing.assert_array_equal(here[0]["ellipse"], there[0]["ellipse"])
    with pytest.raises(ValueError, match="kind must be one of no, yes, got maybe"):
        chart.evaluate({kind: "maybe"})
    with pytest.raises(ValueError, match=r"kind must be one of \(0.0, 1.0\), got 2"):
        chart.evaluate({kind: 2})


def test_few_alternatives_are_seen_at_once():
    def front(count):
        names = [f"option {j}" for j in range(count)]
        return Selector(symbol=kind, label="kind", options=names).front()["kind"]

    assert [front(count) for count in (2, 3, 4)] == ["radio", "radio", "select"]


def test_rows_follow_a_selector():
    rows = {"kind": [0, 0, 1, 1], "x": [1, 2, 1, 2], "y": [1.0, 2, 3, 4], "name": ["a"] * 4}
    panel = Panel(layers=(Points(rows=rows, x="x", y="y", series="name", mark="spike"),))
    chart = drawing(panels=(panel,), readings={})
    assert chart.evaluate({kind: "yes"})[0]["a"][1].tolist() == [3, 4]
    agree(chart.evaluate({kind: "no"}), computed(chart, kind="no"))


@pytest.mark.parametrize("value", [0, 0.2641, 7.1111, -3, 1234, 15704.3, 1.23e-4, -2e-123, np.nan])
def test_numbers_are_written_alike_here_and_in_vega(value):
    text = {"signal": look.number_label("value")}
    spec = {
        "signals": [{"name": "value", "update": "NaN" if np.isnan(value) else repr(value)}],
        "marks": [{"type": "text", "encode": {"update": {"text": text}}}],
    }
    assert scene(spec)[0]["items"][0]["text"] == look.number_text(value)


def test_readings_are_computed_alike_and_stand_on_the_page():
    chart = drawing()
    for degrees in (30, 75):
        read = chart.read({turn: degrees})
        found = signal_values(chart, 1, ["reading0", "reading1"], (0, 0), turn=degrees)
        np.testing.assert_allclose(found, list(read.values()), rtol=1e-9)
    assert "first = 0.866 · tiny = 5.00·10⁻¹⁰" in chart.page()
    assert "first = 0.259" not in chart.page()


def test_zeros_on_a_logarithmic_axis_are_drawn_with_numbers_only():
    rows = {"x": [1, 2], "y": [0.0, 1], "name": ["dot"] * 2}
    layers = (
        Curves(x=lam, domain=(0, 2), series={"line": sympy.Abs(lam - 1)}, points=3),
        Sequence(index=i, range=(1, 2), series={"bar": [0, 1]}, mark="bar"),
        Sequence(index=i, range=(1, 2), series={"spike": [0, 1], "none": [1]}, mark="spike"),
        Points(rows=rows, x="x", y="y", series="name"),
    )
    chart = drawing(panels=(Panel(layers=layers, y_scale="log", y_domain=(1e-3, 10)),), readings={})
    svg = vl_convert.vega_to_svg(chart.specifications()[0])
    assert not re.search(r"NaN|Infinity|undefined", svg)


def opacities(isolated):
    spec = copy.deepcopy(drawing().specifications()[1])
    at(spec, drawing(), {"turn": 60})
    spec["signals"] = [
        one | {"value": isolated} if one["name"] == "isolated" else one for one in spec["signals"]
    ]
    spec["axes"] = []
    (bars,) = scene(spec)[0]["items"][0]["items"]
    return [item.get("opacity", 1) for item in bars["items"]]


def test_one_series_can_be_seen_alone():
    assert opacities(None) == [1] * 4
    assert opacities("high") == [0.12, 1, 0.12, 1]


def test_a_bar_stands_on_zero_and_changes_its_look_at_the_threshold():
    (_, bars) = drawing().evaluate({turn: 60, height: 0.5})
    np.testing.assert_allclose(bars["low"][1], [0, 0], atol=1e-12)
    np.testing.assert_allclose(bars["high"][1], [0.5, np.sqrt(3) / 2])
    (_, bars) = drawing().evaluate({turn: 65, height: 0.5})
    assert bars["low"][1][0] > 0
    assert bars["high"][1][0] == 0


def test_words_stand_below_an_axis():
    page = drawing().page()
    for text in ("cosine", "sine"):
        assert f">{text}</text>" in page


def test_the_legend_can_be_read_without_a_script():
    page = drawing().page()
    for label in ("ellipse", "arrows", "level", "low", "high"):
        assert re.search(
            rf'<span class="unrolled-explorable-key"><svg.*?</svg>{label}</span>', page
        )


ARROW = Segments(series={"a": [((0, 0), (1, 1))]}, mark="arrow")
ONE = {"x": [1], "y": [1], "name": ["a"]}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Selector(symbol=kind, label=" ", options=("a", "b")), "label"),
        (lambda: Selector(symbol=kind, label="k", options=("a",)), "options must be two or more"),
        (lambda: Selector(symbol=kind, label="k", options=("a", "a")), "that differ"),
        (lambda: Selector(symbol=kind, label="k", options=("a", "b"), start="c"), "start must be"),
        (lambda: Handle(x=0, y=0, sets={}), "sets must name a symbol"),
        (
            lambda: drawing(
                panels=(
                    Panel(layers=(*drawing().panels[1].layers, Handle(x=0, y=0, sets={u: px}))),
                )
            ),
            "sets: u must be the symbol of a slider",
        ),
        (
            lambda: drawing(panels=(Panel(layers=(Segments(series={"a": [((0, 0), (px, 1))]}),)),)),
            "unknown symbol pointer_x",
        ),
        (lambda: Paths(parameter=u, domain=(0, 1), series={}), "series must not be empty"),
        (lambda: Paths(parameter=u, domain=(0, 1), series={"a": (u, u)}, points=1), "points"),
        (lambda: Paths(parameter=u, domain=(0, 1), series={"a": (u, u)}, mark="bar"), "mark must"),
        (lambda: Segments(series={}), "series must not be empty"),
        (lambda: Segments(series={"a": []}, mark="dot"), "mark must be one of line, guide, arrow"),
        (lambda: Texts(texts=[]), "texts must not be empty"),
        (lambda: Texts(texts=[("a {}", 0, 0)]), "must have as many {} as numbers"),
        (lambda: Texts(texts=[("a", 0, 0, 1)]), "must have as many {} as numbers"),
        (lambda: Points(rows=ONE, x="x", y="y", series="name", mark="pie"), "mark must be"),
        (
            lambda: Points(rows=ONE, x="x", y="y", series="name", width=0),
            "width must be positive",
        ),
        (lambda: Panel(layers=drawing().panels[0].layers, equal=True), "x_domain and y_domain"),
        (lambda: drawing(columns=0), "columns is 0"),
        (lambda: drawing(readings={"a": u}), "unknown symbol u"),
    ],
)
def test_what_cannot_work_is_refused_in_words(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()
