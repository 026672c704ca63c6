"""Notebooks that have been run, exported as HTML or opened anew in JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyterlab_page import jupyterlab
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from playwright.sync_api import Browser, Page, expect

from unrolled.teaching import notebook
from unrolled.teaching.notebook import STATIC, alive, for_site, front_end, vega_bundle

pytestmark = pytest.mark.xdist_group("notebook")  # one execution

CELLS = """
import sympy
from unrolled.teaching import Curves, Explorable, Lab, Number, Panel, QuickCheck, Slider
kappa, x = sympy.symbols("kappa x", positive=True)

def chart(name):
    return Explorable(
        name=name, title="A power", alt="A curve that rises to the right.", caption="It is steep.",
        sliders=(Slider(symbol=kappa, label="power κ", values=(1, 2, 3), start=1),),
        panels=(Panel(layers=(Curves(x=x, domain=(0, 1), series={"curve": x**kappa}),)),),
    )
##
chart("first")
##
QuickCheck.numeric(name="two", prompt="What is $1+1$?", answer=lambda: 2)
##
chart("second")
##
Lab(
    name="lab", title="A lab", controls=(Number("a", "length a", 2, 1, 9, 1),),
    compute=lambda progress, a: a,
    draw=lambda picture, a: picture.subplots().plot([0, a]),
    alt="One line that rises to the right.", caption="A line.",
)
"""


@pytest.fixture(autouse=True)
def nothing_shown(monkeypatch):
    """As in a kernel that has just started."""
    monkeypatch.setattr(notebook, "_holder", "")


@pytest.fixture(scope="module")
def executed() -> nbformat.NotebookNode:
    """The notebook with its outputs, as `jupyter nbconvert --execute` makes them."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.split("##\n")]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    NotebookClient(made, timeout=300).execute()
    return made


def without(made: nbformat.NotebookNode, *places: int) -> nbformat.NotebookNode:
    """The notebook without these cells."""
    made = nbformat.from_dict(made)
    made.cells = [cell for i, cell in enumerate(made.cells) if i not in places]
    return made


# ---- What is kept


def test_one_output_holds_what_all_need_and_holds_it_again():
    first, second = alive("a", "<p>a</p>"), alive("b", "<p>b</p>")
    assert front_end() in first
    assert front_end() not in second
    assert alive("a", "<p>a</p>") == first
    assert alive("b", "<p>b</p>") == second


def test_the_site_has_none_of_it():
    pages = [f"<p>{name}</p>" for name in "abc"]
    outputs = "\n".join(alive(page, page) for page in pages)
    assert for_site(outputs) == "\n".join(pages)


def test_the_front_end_is_whole_and_asks_nobody():
    page = front_end()
    assert page.count("<script") == page.count("</script>") == 3
    assert page.count("<style>") == page.count("</style>") == 1
    assert not re.search(r"""(src|href)=|@import|url\(""", page)
    assert len(page) < 500_000


@pytest.mark.parametrize("name", ["explorable.js", "quickcheck.js", "wide.js", "paper.js", "vega"])
def test_a_script_of_a_page_is_no_module(name):
    script = vega_bundle() if name == "vega" else (STATIC / name).read_text()
    assert not re.search(r"""^\s*(import|export)\b|\bimport\s*[\("'{]""", script, re.MULTILINE)
    code = re.sub(r"^//.*\n", "", script, flags=re.MULTILINE).strip()
    assert re.match(r'\((async )?\(\) => \{\s*"use strict";', code)  # nothing becomes global
    assert code.endswith("})();")


def test_the_bundle_sets_vega():
    assert "window.vegaEmbed=" in vega_bundle()


def test_a_notebook_that_was_executed_stays_small_and_keeps_no_widget(executed):
    assert "widgets" not in executed.metadata
    assert len(nbformat.writes(executed)) < 700_000
    outputs = [output for cell in executed.cells for output in cell.outputs]
    assert [set(output.data) for output in outputs] == [{"text/html", "text/plain"}] * 4
    assert sum(front_end() in output.data["text/html"] for output in outputs) == 1


# ---- An export


def opened(browser: Browser, address: str) -> Page:
    """A page that may ask this machine alone."""
    page = browser.new_page(viewport={"width": 1000, "height": 3000})
    page.elsewhere, page.trouble = [], []

    def route(route):
        local = route.request.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:"))
        if not local:
            page.elsewhere.append(route.request.url)
        route.continue_() if local else route.abort()

    page.route("**/*", route)
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.goto(address)
    return page


def exported(made: nbformat.NotebookNode, file: Path) -> str:
    """The address of the notebook as HTML."""
    html, _ = HTMLExporter().from_notebook_node(made)
    file.write_text(html, encoding="utf-8")
    return file.as_uri()


def moves(page: Page, name: str) -> None:
    """Require that the slider of a chart moves its curve."""
    chart = page.locator(f"#{name}")
    chart.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")
    slider = chart.get_by_label("power κ")
    slider.wait_for(timeout=60_000)  # then the chart is there, too
    curve = chart.locator(".mark-line path").first
    before = curve.get_attribute("d")
    slider.press("End")
    expect(curve).not_to_have_attribute("d", before)


def answered(page: Page) -> None:
    """Answer the question and require that it says so."""
    card = page.locator("#quickcheck-two")
    card.get_by_label("Your answer").fill("2")
    card.get_by_label("Your answer").press("Enter")
    expect(card.get_by_role("status")).to_contain_text("✓ Right")


def test_an_export_is_alive_without_a_network(browser, executed, tmp_path):
    page = opened(browser, exported(executed, tmp_path / "export.html"))
    moves(page, "first")
    moves(page, "second")
    answered(page)
    expect(page.locator(".unrolled-lab svg[role=img]")).to_be_visible()
    # nbconvert's own template asks for these two, for every notebook.
    assert {url.split("/")[5] for url in page.elsewhere} <= {"mathjax", "require.js"}
    page.close()


def test_an_export_without_the_output_that_holds_the_scripts_keeps_its_pictures(
    browser, executed, tmp_path
):
    page = opened(browser, exported(without(executed, 1), tmp_path / "export.html"))
    expect(page.locator("#second svg[role=img]")).to_be_visible()
    expect(page.locator("#second")).to_contain_text("power κ: 1")
    expect(page.locator("#second input")).to_have_count(0)
    expect(page.locator("#quickcheck-two")).to_contain_text("Answer")
    page.close()


# ---- JupyterLab


@pytest.fixture(scope="module")
def server(executed, tmp_path_factory) -> Iterator[str]:
    """A JupyterLab over two notebooks: `kept`, which was run before and is trusted, and `new`."""
    home = tmp_path_factory.mktemp("jupyter")
    kept, new = (home / "notebooks" / f"{name}.ipynb" for name in ("kept", "new"))
    kept.parent.mkdir()
    made = nbformat.from_dict(executed)
    for cell in made.cells:
        cell.outputs = []
    nbformat.write(made, new)
    made = nbformat.from_dict(executed)
    # What JupyterLab keeps of a lab that was alive.
    view = {"version_major": 2, "version_minor": 1, "model_id": "0" * 32}
    data = {"application/vnd.jupyter.widget-view+json": view, "text/html": "", "text/plain": ""}
    made.cells[-1].outputs.append(nbformat.v4.new_output("display_data", data))
    nbformat.write(made, kept)
    (home / "data").mkdir()
    NotebookNotary(data_dir=str(home / "data")).sign(nbformat.read(kept, as_version=4))
    with jupyterlab(kept.parent, home) as address:
        yield address


def test_a_notebook_that_was_kept_is_alive_before_a_cell_is_run(browser, server):
    page = opened(browser, f"{server.format('kept.ipynb')}&reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=180_000)
    moves(page, "first")
    moves(page, "second")
    answered(page)
    expect(page.locator("[id='lab-lab'] svg[role=img]")).to_be_visible()
    failure = page.get_by_text("Error displaying widget")
    failure.wait_for(state="attached", timeout=60_000)
    expect(failure).to_be_hidden()
    label, value = (page.locator(f"[id='lab-lab'] {tag}").bounding_box() for tag in ("dt", "dd"))
    assert label["x"] + label["width"] <= value["x"]
    assert (page.elsewhere, page.trouble) == ([], [])
    page.close()


def test_a_cell_that_is_run_alone_or_again_is_alive(browser, server):
    page = opened(browser, f"{server.format('new.ipynb')}&reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=180_000)

    def run(place: int) -> None:
        page.locator(".jp-CodeCell .cm-content").nth(place).click()
        page.keyboard.press("Control+Enter")

    run(0)
    for place, name in ((3, "second"), (1, "first"), (1, "first"), (3, "second"), (1, "first")):
        page.evaluate("document.querySelectorAll('.unrolled-explorable').forEach(e => e.old = 1)")
        run(place)
        page.wait_for_function(
            "name => document.getElementById(name) && !document.getElementById(name).old",
            arg=name,
            timeout=120_000,
        )
        moves(page, name)
    run(2)
    answered(page)
    run(4)
    expect(page.locator(".unrolled-lab input[type=range]")).to_have_count(1, timeout=60_000)
    expect(page.locator(".unrolled-lab")).to_have_count(1)
    assert (page.elsewhere, page.trouble) == ([], [])
    page.close()
