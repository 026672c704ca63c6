"""An explorable computes in Vega what it computes here, and refuses what cannot work."""

import copy
import doctest
import importlib
import itertools
import re

import numpy as np
import pytest
import sympy
import vl_convert

from tests.teaching.vega_runtime import agree, computed, payload_of, scene, settings_of
from unrolled.teaching.explorable import (
    Bars,
    Curves,
    Explorable,
    Handle,
    Panel,
    Points,
    Selector,
    Sequence,
    Slider,
    look,
)
from unrolled.teaching.notebook import STATIC, for_site

kappa, K, lam, c, k = sympy.symbols("kappa K lambda c k", positive=True)
noise = sympy.Symbol("sigma^2")
eta = sympy.symbols("eta_1:5")
KAPPAS, DEPTHS = (2, 10, 100, 1000), range(1, 5)
r = (sympy.sqrt(kappa) - 1) / (sympy.sqrt(kappa) + 1)


def table():
    """Chebyshev steps, padded with 0, one row for each κ and K."""
    rows = []
    for condition, depth in itertools.product(KAPPAS, DEPTHS):
        angles = (2 * np.arange(1, depth + 1) - 1) * np.pi / (2 * depth)
        steps = 2 / (condition + 1 + (condition - 1) * np.cos(angles))
        padded = np.concatenate([steps, np.zeros(4 - depth)])
        rows.append(
            {"kappa": condition, "K": depth} | {e.name: v for e, v in zip(eta, padded, strict=True)}
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


def dots():
    rows = itertools.product((0.25, 0.5, 1), (0, 0.01), range(9), ("AMP", "network, trained"))
    rows = [(*row, row[0] ** row[2] / 3 + row[1] + (row[3] == "AMP") / 100) for row in rows]
    return dict(zip(("c", "sigma^2", "k", "rule", "nmse"), zip(*rows, strict=True), strict=True))


def sliders():
    return (
        Slider(symbol=kappa, label="condition number κ", values=KAPPAS, start=10),
        Slider(symbol=K, label="layers K", values=DEPTHS, start=3),
    )


def polynomials(**changes):
    tied = sympy.Abs(1 - 2 * lam / (kappa + 1)) ** K
    wave = sympy.Abs(sympy.cos(K * sympy.acos((kappa + 1 - 2 * lam) / (kappa - 1))))
    chebyshev = wave * 2 * r**K / (1 + r ** (2 * K))
    nodes = sympy.Abs(sympy.prod([1 - step * lam for step in eta]))
    curves = Curves(
        x=lam,
        domain=(1, kappa),
        series={"tied": tied, "Chebyshev": chebyshev, "from rows": nodes},
    )
    product = sympy.prod([sympy.Max(sympy.Abs(1 - step * kappa), 1) for step in eta])
    bars = Bars(
        series={
            "product of rates": {"tied": ((kappa - 1) / (kappa + 1)) ** K, "Chebyshev": product},
            "truth": {"tied": ((kappa - 1) / (kappa + 1)) ** K, "Chebyshev": nodes.subs(lam, 1)},
        }
    )
    i = sympy.Symbol("i")
    stems = Sequence(
        index=i,
        range=(0, 9),
        x=1 + (kappa - 1) * i / 9,
        series={"eigenvalues": sympy.exp(-i / K)},
        mark="stem",
    )
    arguments = {
        "name": "test.polynomials",
        "title": "What K steps leave",
        "alt": "Curves of the factor on the error against the eigenvalue.",
        "caption": "The tied rule is large at $\\lambda = 1$.",
        "sliders": sliders(),
        "panels": (
            Panel(
                title="Residual polynomial",
                x_label="eigenvalue λ",
                y_label="|p(λ)|",
                y_scale="log",
                y_domain=(1e-4, 2),
                layers=(curves,),
            ),
            Panel(height=60, layers=(stems,)),
            Panel(y_scale="log", y_domain=(1e-4, 1e6), layers=(bars,)),
        ),
        "rows": table(),
    }
    return Explorable(**arguments | changes)


def gaussian(**changes):
    ratio = (noise + c) / (1 + noise + c)
    arguments = {
        "name": "test.gaussian",
        "title": "Network and AMP",
        "alt": "Error against layers.",
        "caption": "The dots lie on the curve.",
        "sliders": (
            Slider(symbol=c, label="c", values=(0.25, 0.5, 1), start=0.5),
            Slider(symbol=noise, label="noise variance σ²", values=(0, 0.01)),
            Slider(symbol=K, label="layers K", values=range(0, 9), start=4, show="{:.0f} layers"),
        ),
        "panels": (
            Panel(
                y_label="error",
                layers=(
                    Sequence(index=k, range=(0, K), series={"theory": ratio**k}),
                    Points(rows=dots(), x="k", y="nmse", series="rule", where=sympy.Le(k, K)),
                ),
            ),
        ),
    }
    return Explorable(**arguments | changes)


def named(setting):
    return {symbol.name: value for symbol, value in setting.items()}


@pytest.mark.parametrize("make", [polynomials, gaussian])
def test_vega_computes_what_python_computes_at_every_setting(make):
    explorable = make()
    for setting in settings_of(explorable):
        agree(explorable.evaluate(setting), computed(explorable, **named(setting)))


def test_a_disagreement_is_noticed():
    explorable = polynomials()
    with pytest.raises(AssertionError):
        agree(explorable.evaluate({kappa: 100}), computed(explorable, kappa=10))
    rows = table()
    rows["eta_1"][5] *= 1 + 1e-5
    with pytest.raises(AssertionError):
        agree(
            polynomials(rows=rows).evaluate({kappa: 10, K: 2}), computed(explorable, kappa=10, K=2)
        )
    spec_changed = gaussian(digits=6)
    panel = spec_changed.panels[0]
    first = Sequence(index=k, range=(0, K), series={"theory": (noise + c) ** k})
    other = gaussian(panels=(Panel(layers=(first, panel.layers[1])),))
    with pytest.raises(AssertionError):
        agree(other.evaluate(), computed(spec_changed))


def test_the_truth_is_computed_and_not_only_agreed_on():
    explorable = polynomials()
    factor = {}
    for setting in settings_of(explorable):
        curves, _, bars = explorable.evaluate(setting)
        x, chebyshev = curves["Chebyshev"]
        np.testing.assert_allclose(chebyshev, curves["from rows"][1], atol=1e-3)
        sigma = (setting[kappa] + 1) / (setting[kappa] - 1)
        bound = 1 / np.polynomial.Chebyshev.basis(int(setting[K]))(sigma)
        assert chebyshev.max() == pytest.approx(bound, rel=1e-9)
        assert (x[0], x[-1]) == (1, setting[kappa])
        factor[setting[kappa], setting[K]] = bars["truth"][1][1]
    assert factor[1000, 1] > factor[10, 1] > factor[10, 4]


def test_rows_may_come_in_any_order():
    rows = {name: column[::-1] for name, column in table().items()}
    agree(polynomials(rows=rows).evaluate({kappa: 100}), computed(polynomials(), kappa=100))


def test_rows_may_be_a_data_frame():
    pandas = pytest.importorskip("pandas")
    explorable = polynomials(rows=pandas.DataFrame(table()))
    agree(explorable.evaluate({kappa: 100}), computed(polynomials(), kappa=100))
    points = Points(rows=pandas.DataFrame(dots()), x="k", y="nmse", series="rule")
    assert points.labels == ("AMP", "network, trained")


def test_points_follow_the_sliders():
    (panel,) = gaussian().evaluate({c: 0.25, noise: 0.01, K: 2})
    x, y = panel["AMP"]
    assert x.tolist() == [0, 1, 2]
    np.testing.assert_allclose(y, [1 / 3 + 0.02, 0.25 / 3 + 0.02, 0.0625 / 3 + 0.02], rtol=1e-5)


def test_a_slider_may_name_its_values():
    named = Slider(symbol=K, label="rule", values=(0, 1), show=("tied", "untied"))
    assert named.shown == ("tied", "untied")
    assert Slider(symbol=K, label="rule", values=(0, 1)).shown == ("0", "1")


def test_areas_stand_one_upon_the_other():
    areas = Sequence(index=k, range=(0, 3), series={"a": 1 + k, "b": c}, mark="area")
    chart = gaussian(panels=(Panel(layers=(areas,)),))
    agree(chart.evaluate(), computed(chart))  # each series keeps its own thickness
    (spec,) = copy.deepcopy(chart.specifications())
    (data,) = spec["data"]
    encode = {"x": {"field": "below"}, "y": {"field": "above"}, "fill": {"field": "series"}}
    spec["marks"] = [
        {"type": "symbol", "from": {"data": data["name"]}, "encode": {"update": encode}}
    ]
    spec["axes"] = []
    items = scene(spec)[0]["items"]
    found = {(i["fill"], i.get("x", 0), i.get("y", 0)) for i in items}
    start = 0.5  # of the slider c
    assert found == {
        *(("a", 0, 1 + layer) for layer in range(4)),
        *(("b", 1 + layer, 1 + layer + start) for layer in range(4)),
    }


def test_series_differ_in_more_than_colour():
    marks = ("line", "line", "line", "dot", "dot", "dot", "guide", "guide", "stem")
    styles = look.styles({f"{mark} {j}": mark for j, mark in enumerate(marks)})
    signs = [re.sub(r"var\([^()]*\)", "", style.sign()) for style in styles.values()]
    assert len(set(signs)) == len(marks)
    bars = look.styles({"a": "bar", "b": "bar"}).values()  # these do not, but have their places
    assert len({re.sub(r"var\([^()]*\)", "", style.sign()) for style in bars}) == 1


def test_the_page_is_small_whole_and_asks_nobody():
    explorable = polynomials(alt='Curves </script> of "p" & more.', title="K < 5")
    page = explorable.page()
    assert len(page.encode()) < 100_000
    assert [one["label"] for one in payload_of(page)["controls"]] == [
        slider.label for slider in explorable.sliders
    ]
    assert page.count("<script") == page.count("</script>") == 1
    assert "K &lt; 5" in page
    assert 'role="img" aria-label="Curves &lt;/script&gt; of &quot;p&quot; &amp; more."' in page
    assert "<math" in page
    hosts = set(re.findall(r"https?://[\w.]+", page))
    assert hosts <= {"http://www.w3.org"}


def test_a_notebook_shows_what_the_site_shows():
    explorable = gaussian()
    bundle = explorable._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/html"].startswith(explorable.page())
    assert for_site(bundle["text/html"]) == explorable.page()
    assert explorable.alt in bundle["text/plain"]


def test_the_numbers_of_a_large_table_stay_small():
    values = {"kappa": range(2, 52), "K": range(1, 21)}
    settings = list(itertools.product(*values.values()))
    noise = np.random.default_rng(0).normal(size=(10, len(settings)))
    rows = {"kappa": [s[0] for s in settings], "K": [s[1] for s in settings]}
    rows |= {f"a_{j}": column for j, column in enumerate(noise)}
    moved = tuple(
        Slider(symbol=symbol, label=symbol.name, values=values[symbol.name])
        for symbol in (kappa, K)
    )
    series = {"sum": sum(sympy.Symbol(f"a_{j}") for j in range(10)) * lam}
    panel = Panel(layers=(Curves(x=lam, domain=(0, 1), series=series),))
    explorable = polynomials(sliders=moved, panels=(panel,), rows=rows)
    assert len(explorable.page()) < 120_000
    agree(explorable.evaluate({kappa: 51, K: 20}), computed(explorable, kappa=51, K=20))


def without(rows, place):
    return {name: [v for i, v in enumerate(column) if i != place] for name, column in rows.items()}


def one(**changes):
    return (
        Panel(layers=(Curves(**{"x": lam, "domain": (1, kappa), "series": {"a": lam}} | changes),)),
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: polynomials(alt=" "), "alt"),
        (lambda: polynomials(title=""), "title"),
        (lambda: polynomials(caption=""), "caption"),
        (lambda: polynomials(name="two words"), "name"),
        (lambda: polynomials(sliders=()), "sliders"),
        (lambda: polynomials(panels=()), "panels"),
        (lambda: polynomials(sliders=sliders() + sliders()[:1]), "different symbols"),
        (lambda: polynomials(panels=one(series={"a": sympy.Symbol("mu")})), "unknown symbol mu"),
        (lambda: polynomials(panels=one(domain=(1, lam))), "unknown symbol lambda"),
        (lambda: polynomials(panels=one(series={"a": sympy.gamma(lam)})), "gamma"),
        (lambda: polynomials(rows=None), "eta_1"),
        (lambda: polynomials(panels=one(x=kappa)), "kappa is an axis"),
        (lambda: polynomials(caption="$\\unknowncommand$"), "unknowncommand"),
        (lambda: polynomials(rows=without(table(), 6)), "lack the setting kappa = 10, K = 3"),
        (
            lambda: polynomials(rows={n: [*v, v[0]] for n, v in table().items()}),
            "repeat the setting",
        ),
        (lambda: polynomials(rows=table() | {"K": [9] * 16}), "K = 9"),
        (lambda: polynomials(rows=table() | {"eta_1": [np.nan] * 16}), "column eta_1"),
        (lambda: polynomials(panels=one(series={str(j): lam for j in range(7)})), "at most 6"),
        (lambda: gaussian(sliders=gaussian().sliders[:2]), "unknown symbol K"),
        (lambda: Points(rows=without(dots(), 0), x="k", y="gain", series="rule"), "column gain"),
        (lambda: Points(rows={"k": [], "y": [], "s": []}, x="k", y="y", series="s"), "empty"),
        (lambda: Points(rows={"k": [1], "y": [np.inf], "s": ["a"]}, x="k", y="y", series="s"), "y"),
        (lambda: one(series={}), "series must not be empty"),
        (lambda: one(points=1), "points"),
        (lambda: one(mark="wiggle"), "mark must be one of"),
        (lambda: Bars(series={}), "series must not be empty"),
        (lambda: Bars(series={"a": {"g": 1}, "b": {"h": 1}}), "series b must have the groups g"),
        (lambda: Panel(layers=()), "layers"),
        (lambda: Panel(layers=one()[0].layers, y_scale="log"), "y_domain"),
        (lambda: Panel(layers=one()[0].layers, y_scale="cubic"), "y_scale"),
        (lambda: Panel(layers=one()[0].layers * 2), "label a is used twice"),
        (lambda: Panel(layers=(*one()[0].layers, Bars(series={"b": {"g": 1}}))), "alone"),
        (lambda: Slider(symbol=K, label="K", values=(1, 2), start=3), "start"),
        (lambda: Slider(symbol=K, label="K", values=(2, 1)), "increasing"),
        (lambda: Slider(symbol=K, label="K", values=(1,)), "at least two"),
        (lambda: Slider(symbol=K, label=" ", values=(1, 2)), "label"),
        (lambda: Slider(symbol=K, label="K", values=(1, 2), show=("one",)), "1 names for 2 values"),
        (lambda: polynomials().evaluate({kappa: 3}), "kappa must be one of"),
        (lambda: polynomials().evaluate({lam: 3}), "settings has lambda, no slider's symbol"),
        (
            lambda: polynomials().evaluate({sympy.Symbol("kappa"): 10}),
            "settings has kappa, no slider's symbol",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_words(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


def test_points_must_cover_every_setting():
    rows = {"c": [0.25, 0.5], "k": [0, 0], "nmse": [1, 1], "rule": ["AMP", "AMP"]}
    points = Points(rows=rows, x="k", y="nmse", series="rule")
    with pytest.raises(ValueError, match="rows lack the setting c = 1"):
        gaussian(panels=(Panel(layers=(points,)),))


def test_a_chart_without_the_style_sheet_has_the_light_colours():
    sheet = (STATIC / "unrolled.css").read_text().split("}")[0]
    defined = dict(re.findall(r"--unrolled-([a-z0-9-]+): (#[0-9a-f]{6});", sheet))
    assert look.INK.items() <= defined.items()


def test_a_label_looks_the_same_in_every_panel():
    curve = one(series={"a": lam})[0]
    dots = one(series={"a": lam}, mark="dot")[0]
    with pytest.raises(ValueError, match="a is both line and dot"):
        polynomials(panels=(curve, dots))


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        (look.number_label, 0.2641, "0.264"),
        (look.number_label, 7.1111, "7.11"),
        (look.number_label, 0, "0"),
        (look.number_label, 15704.3, "1.57·10⁴"),
        (look.number_label, 0.000123, "1.23·10⁻⁴"),
        (look.number_label, -2e-123, "-2.00·10⁻¹²³"),
        (look.tick_label, 1, "1"),
        (look.tick_label, 10, "10"),
        (look.tick_label, 0.1, "0.1"),
        (look.tick_label, 1000, "10³"),
        (look.tick_label, 1e-12, "10⁻¹²"),
        (look.tick_label, 0.02, "0.02"),
    ],
)
def test_numbers_are_written_to_be_read(code, value, text):
    mark = {"type": "text", "encode": {"update": {"text": {"signal": code("value")}}}}
    spec = {"signals": [{"name": "value", "value": value}], "marks": [mark]}
    scene = vl_convert.vega_to_scenegraph(spec)["scenegraph"]
    assert scene["items"][0]["items"][0]["items"][0]["text"].replace("−", "-") == text


@pytest.mark.parametrize(("value", "leads"), [(1, 1), (0.02, 1), (5e-7, 1), (3, 0), (0.09, 0)])
def test_on_a_logarithmic_axis_1_2_and_5_lead(value, leads):
    mark = {"type": "text", "encode": {"update": {"text": {"signal": look.leading("value")}}}}
    spec = {"signals": [{"name": "value", "value": value}], "marks": [mark]}
    assert scene(spec)[0]["items"][0]["text"] is bool(leads)


def test_bars_are_whole_on_an_axis_that_begins_with_their_baseline():
    bars = Bars(series={"a": {"one": 1, "two": c}})
    (spec,) = gaussian(panels=(Panel(layers=(bars,), y_domain=(0, 2)),)).specifications()
    svg = vl_convert.vega_to_svg(spec)
    (edge,) = re.findall(r"<clipPath[^>]*><path d=\"M(-?\d+)", svg)
    starts = re.findall(r"mark-rect.*?<path d=\"M(-?\d+)", svg, re.S)
    assert starts
    assert all(int(start) > int(edge) for start in starts)


def test_the_picture_shows_the_numbers_in_full():
    explorable = polynomials()
    for label, (_, values) in explorable.evaluate()[2].items():
        for value in values:
            assert f">{value:.3g}</text>" in explorable.page(), label


@pytest.mark.parametrize("documented", [Explorable, Selector, Handle])
def test_the_example_in_the_documentation_runs(documented):
    result = doctest.testmod(importlib.import_module(documented.__module__))
    assert result.attempted > 0
    assert result.failed == 0
