"""A lab on the site, and in JupyterLab under the hands of a reader."""

import json

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from jupyterlab_page import jupyterlab, run_all_cells
from playwright.sync_api import expect

from unrolled.teaching.controls import Number, Toggle
from unrolled.teaching.figures import SERIES
from unrolled.teaching.lab import Lab

pytestmark = pytest.mark.xdist_group("lab")  # one server

SOURCE = """
import time
import torch
from unrolled.teaching import Choice, Lab, Number, Toggle

def compute(progress, kappa, layers, steps, noisy):
    if kappa > 900:
        raise ValueError(f"κ is {kappa:g}, but beyond 900 this takes too long: stay below.")
    for done in range(10):
        progress(done, 10, f"layer {done} of 10")
        time.sleep(0.05)
    rate = (kappa - 1) / (kappa + 1) * (0.7 if steps == "Chebyshev" else 1)
    return rate ** torch.arange(layers + 1, dtype=torch.float64) + 0.1 * noisy

def draw(picture, errors):
    axes = picture.subplots()
    axes.semilogy(errors)
    axes.set(xlabel="layer k", ylabel="error")

lab = Lab(
    name="test.descent",
    title="How fast is gradient descent?",
    controls=(
        Number("kappa", "condition number κ", 10, 1.5, 1000, 0.1, log=True),
        Number("layers", "layers K", 8, 2, 16, 1, integer=True),
        Choice("steps", "steps", ("fixed", "Chebyshev"), "fixed"),
        Toggle("noisy", "add noise", False),
    ),
    compute=compute,
    draw=draw,
    alt=lambda errors: f"The error falls to {errors[-1]:.3g} over the layers.",
    caption="Each layer divides the error by $\\\\rho$.",
    summary=lambda errors: f"Error at the end: **{errors[-1]:.3g}**.",
)
lab
"""


@pytest.fixture(scope="module")
def view(browser, tmp_path_factory):
    """A notebook that shows the lab, run."""
    home = tmp_path_factory.mktemp("jupyter")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SOURCE.strip())])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    (home / "notebooks").mkdir()
    nbformat.write(notebook, home / "notebooks" / "lab.ipynb")
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.trouble = []
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    with jupyterlab(home / "notebooks", home) as address:
        page.goto(address.format("lab.ipynb"), timeout=180_000)
        run_all_cells(page)
        page.locator(".unrolled-lab svg[role=img]").wait_for()
        yield page
        assert page.trouble == []
        page.close()


@pytest.fixture
def lab(view):
    """The lab at its start."""
    root = view.locator(".unrolled-lab")
    root.get_by_role("button", name="Back to the start").click()
    expect(root.locator("svg[role=img]")).to_have_attribute("aria-label", says("0.201"))
    expect(root.locator(".unrolled-lab-stale")).to_have_count(0)
    expect(root.get_by_role("progressbar")).to_be_hidden()
    return root


def says(number):
    return f"The error falls to {number} over the layers."


def test_the_slider_moves_the_picture_by_keyboard(view, lab):
    picture = lab.locator("svg[role=img]")
    before = picture.inner_html()
    lab.get_by_role("slider", name="condition number κ, slider").focus()
    for _ in range(3):
        view.keyboard.press("ArrowRight")
    expect(lab.get_by_role("textbox", name="condition number κ")).to_have_value("18.9")
    expect(lab.get_by_role("progressbar")).to_be_visible()
    expect(picture).to_have_attribute("aria-label", says("0.429"))
    expect(lab.get_by_role("progressbar")).to_be_hidden()
    assert picture.inner_html() != before
    expect(lab).to_contain_text("Error at the end: 0.429.")


def test_the_other_controls_move_it_by_keyboard(view, lab):
    picture = lab.locator("svg[role=img]")
    lab.get_by_role("combobox", name="steps").focus()
    view.keyboard.press("ArrowDown")
    expect(picture).to_have_attribute("aria-label", says("0.0116"))
    view.keyboard.press("Tab")
    view.keyboard.press("Space")
    expect(picture).to_have_attribute("aria-label", says("0.112"))
    lab.get_by_role("textbox", name="layers K").fill("4")
    view.keyboard.press("Tab")
    expect(picture).to_have_attribute("aria-label", says("0.208"))
    expect(lab.get_by_role("slider", name="layers K, slider")).to_have_value("2")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("many", "“many” is not possible for condition number κ: give a number from 1.5 to 1000."),
        ("nan", "“nan” is not possible for condition number κ: give a number from 1.5 to 1000."),
        ("1e9", "“1e9” is not possible for condition number κ: give a number from 1.5 to 1000."),
        ("<b>", "“<b>” is not possible for condition number κ: give a number from 1.5 to 1000."),
        ("950", "κ is 950, but beyond 900 this takes too long: stay below."),
    ],
)
def test_an_impossible_value_gets_a_sentence(view, lab, typed, sentence):
    picture = lab.locator("svg[role=img]")
    box = lab.get_by_role("textbox", name="condition number κ")
    box.fill(typed)
    box.press("Enter")
    expect(lab.get_by_role("alert")).to_have_text(sentence)
    expect(box).to_have_attribute("aria-invalid", "false" if typed == "950" else "true")
    expect(lab.locator(".unrolled-lab-stale")).to_have_count(2)
    expect(picture).to_have_attribute("aria-label", says("0.201"))
    assert view.locator(".jp-OutputArea-output [data-mime-type*=error]").count() == 0
    box.fill("18.9")
    box.press("Enter")
    expect(lab.get_by_role("alert")).to_have_text("")
    expect(picture).to_have_attribute("aria-label", says("0.429"))


def test_axe_finds_nothing_in_the_live_lab(view, lab):
    box = lab.get_by_role("textbox", name="condition number κ")
    for entry in ("many", "10"):
        box.fill(entry)
        box.press("Enter")
        expect(box).to_have_attribute("aria-invalid", str(entry == "many").lower())
        results = Axe().run(view, context=".unrolled-lab")
        assert results.violations_count == 0, results.generate_report()


def test_it_fits_a_narrow_place_and_follows_the_theme(view, lab):
    stroke = "svg => getComputedStyle(svg.querySelector('path[style*=series-1]')).stroke"
    picture = lab.locator("svg[role=img]")
    light, dark = (
        f"rgb({', '.join(str(int(theme[0][i : i + 2], 16)) for i in (1, 3, 5))})"
        for theme in SERIES
    )
    assert picture.evaluate(stroke) == light
    view.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert picture.evaluate(stroke) == dark
    view.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert lab.evaluate("root => root.clientWidth") > 700
    for width in (700, 340):
        lab.evaluate(f"root => root.parentElement.style.width = '{width}px'")
        assert lab.evaluate("root => root.clientWidth") <= width
        assert lab.evaluate("root => root.scrollWidth <= root.clientWidth")
    assert picture.evaluate("svg => svg.getBoundingClientRect().width") > 330
    lab.evaluate("root => root.parentElement.style.width = ''")


def static(theme: str) -> str:
    lab = Lab(
        name="test.site",
        title="A lab without a kernel",
        controls=(Number("x", "length x in metres", 2, 1, 9, 1), Toggle("on", "switch", True)),
        compute=lambda progress, x, on: [0, x],
        draw=lambda picture, result: picture.subplots().plot(result),
        alt="One straight line that rises to the right.",
        caption="It rises by $x$.",
        summary=lambda result: f"The end lies at **{result[1]}**.",
    )
    return f"""<!doctype html><html lang="en" data-theme="{theme}"><head><title>Lab</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <style>body {{ margin: 20px; font-family: sans-serif; background: #fff }}
        [data-theme="dark"] body {{ background: #14181e; color: #ced6dd }}</style></head>
        <body><main><h1>Lab</h1>{lab.to_html()}</main></body></html>"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_on_the_site_it_is_a_picture_that_axe_accepts(browser, width, theme):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(static(theme))
    results = Axe().run(page)
    assert results.violations_count == 0, json.dumps(results.response["violations"], indent=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("input, button, select").count() == 0
    size = page.evaluate(
        """Math.min(...[...document.querySelectorAll('svg text')].map(text =>
            parseFloat(getComputedStyle(text).fontSize)
            * text.ownerSVGElement.getBoundingClientRect().width / 403.2))"""
    )
    assert size >= 9.9
    page.close()
