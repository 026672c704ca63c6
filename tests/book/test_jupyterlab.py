"""A chapter in JupyterLab: every cell runs, theorems render, lab and quick checks are alive."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from jupyterlab_page import jupyterlab, run_all_cells
from pages import ROOT
from playwright.sync_api import Browser, Page, expect
from test_interaction import (
    bring_into_view,
    changed,
    drawn,
    feedback,
    give,
    moved_by_keyboard,
    payloads,
)

from unrolled.chapters import BOOK

pytestmark = pytest.mark.xdist_group("jupyterlab")  # one server, one execution of the chapter

CHAPTER = "convergence"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the chapter in a JupyterLab that serves a copy of the book's notebooks."""
    home = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(ROOT / "book", home / "book")
    with jupyterlab(home / "book", home) as address:
        yield address.format(f"{CHAPTER}.ipynb")


@pytest.fixture(scope="module")
def chapter(browser: Browser, opened: str) -> Iterator[Page]:
    """The chapter, with all its cells run. It must ask no other host, then or later."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1:", "data:", "blob:"))
            else elsewhere.append(request.url)
        ),
    )
    page.goto(opened)
    run_all_cells(page)
    yield page
    page.close()
    assert elsewhere == []


def test_every_cell_runs_without_an_error(chapter):
    for kind in ("error", "stderr"):
        outputs = chapter.locator(f"[data-mime-type='application/vnd.jupyter.{kind}']")
        assert outputs.all_text_contents() == []
    prompts = chapter.locator(".jp-CodeCell .jp-InputArea-prompt").all_text_contents()
    assert [prompt for prompt in prompts if not re.search(r"\d", prompt)] == []


def test_theorems_are_rendered(chapter):
    assert chapter.locator(".jp-OutputArea-output aside.myst-proof").count() > 0
    rendered = chapter.locator(".jp-RenderedMarkdown, .jp-OutputArea-output")
    assert not [text for text in rendered.all_text_contents() if ":::{" in text]


def test_numbers_and_citations_read_as_on_the_site(chapter, built):
    site = (built / f"book/{CHAPTER}.html").read_text(encoding="utf-8")
    heads = chapter.locator("aside.myst-proof").all_text_contents()
    numbers = [re.match(r"Theorem ([\d.]+)", head) for head in heads]
    counted = re.findall(r'caption-number">Theorem ([\d.]+) ', site)
    assert [number[1] for number in numbers] == counted != []
    citation = chapter.get_by_role("link", name="Polyak (1964)")
    expect(citation.first).to_have_attribute("href", re.compile(r"/references\.bib"))
    # No formula has a number on the site.
    for number in chapter.locator(".flex.my-5.group > .select-none").all():
        assert not number.is_visible()


def test_the_slider_of_a_lab_changes_its_figure(chapter):
    lab = chapter.locator(".unrolled-lab").first
    bring_into_view(lab)
    before = drawn(lab)
    slider = lab.locator("input[type=range]").first
    slider.focus()
    slider.press("ArrowRight")
    expect(lab.locator("[aria-busy=true]")).to_have_count(0, timeout=60_000)
    changed(lab, before)


def test_an_impossible_value_in_a_lab_gets_a_sentence(chapter):
    lab = chapter.locator(".unrolled-lab").first
    entry = lab.locator("input[type=text]").first
    entry.fill("banana")
    entry.press("Enter")
    expect(lab.locator("[role=alert]")).to_contain_text("number", timeout=60_000)
    expect(entry).to_have_attribute("aria-invalid", "true")
    test_every_cell_runs_without_an_error(chapter)


def test_every_slider_of_an_explorable_changes_its_chart(chapter):
    for root in chapter.locator(".unrolled-explorable").all():
        bring_into_view(root)
        controls = root.locator(".unrolled-explorable-sliders")
        controls.locator("input, select").first.wait_for(timeout=60_000)
        for slider in controls.locator("input[type=range]").all():
            moved_by_keyboard(root, slider)


def test_a_chart_takes_the_place_of_its_picture(chapter):
    (book,) = (one for one in BOOK if one.name == CHAPTER)
    pictures = chapter.locator(".jp-MarkdownCell img[src*='images/charts/']")
    expect(pictures).to_have_count(len(book.explorables))
    assert not [picture for picture in pictures.all() if picture.is_visible()]
    expect(chapter.locator(".unrolled-explorable")).to_have_count(len(book.explorables))


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_quick_checks_can_be_answered(chapter, built, by):
    questions = payloads((built / f"book/{CHAPTER}.html").read_text(), "quickcheck")
    cards = chapter.locator(".unrolled-quickcheck form")
    expect(cards).to_have_count(len(questions))
    for card, question in zip(cards.all(), questions, strict=True):
        if question["kind"] != "code":
            bring_into_view(card)
            give(card, question, right=False, by=by)
            expect(feedback(card)).to_have_attribute("data-grade", "wrong")
            give(card, question, right=True, by=by)
            expect(feedback(card)).to_have_attribute("data-grade", "right")
