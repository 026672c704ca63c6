"""What moves on the pages: every slider changes its chart, every quiz can be answered."""

from __future__ import annotations

import base64
import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import notebooks, visit
from playwright.sync_api import Locator, Page, expect

CHAPTERS = [f"book/{path.stem}" for path in notebooks()]
DRAWN = ".unrolled-explorable-panels, svg"  # of an explorable all panels, of a lab the figure


def payloads(html: str, kind: str) -> list[dict]:
    """The JSON payloads of the objects of one kind in the source of a page."""
    pattern = rf'class="unrolled-{kind}".*?<script type="application/json">(.*?)</script>'
    return [json.loads(found) for found in re.findall(pattern, html, flags=re.DOTALL)]


def answer_of(payload: dict) -> dict:
    """The key of a question, which its payload holds out of plain sight."""
    return json.loads(base64.b64decode(payload["answer"]))


def test_the_book_holds_what_these_tests_are_about(built):
    pages = [(built / f"{name}.html").read_text() for name in CHAPTERS]
    assert any('class="unrolled-explorable"' in page for page in pages)
    assert any(payloads(page, "quickcheck") for page in pages)


@pytest.mark.parametrize("name", CHAPTERS)
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_every_control_changes_its_chart(browser, address, built, name, width, theme):
    expected = (built / f"{name}.html").read_text().count('class="unrolled-explorable"')
    with visit(browser, address, name, width, theme) as visited:
        roots = visited.page.locator(".unrolled-explorable")
        assert roots.count() == expected
        for root in roots.all():
            bring_into_view(root)
            controls = root.locator(".unrolled-explorable-sliders")
            controls.locator("input, select").first.wait_for()
            # First: later, what another choice draws may be what the sliders have made of this one.
            for selector in controls.locator("fieldset, select").all():
                before = drawn(root)
                choose_another(selector)
                changed(root, before)
            for slider in controls.locator("input[type=range]").all():
                moved_by_keyboard(root, slider) if width == 1280 else moved_by_mouse(root, slider)
        assert visited.trouble == []


def bring_into_view(element: Locator) -> None:
    """Scroll to it at once. Playwright's own way waits for frames, which a busy machine delays."""
    element.evaluate("element => element.scrollIntoView({block: 'center', behavior: 'instant'})")


def choose_another(selector: Locator) -> None:
    """Take the last alternative that is not chosen: the first may draw what is drawn by default."""
    if selector.evaluate("element => element.tagName") == "SELECT":
        chosen, last = selector.evaluate("select => [select.selectedIndex, select.length - 1]")
        selector.select_option(index=last - int(chosen == last))
    else:
        selector.locator("input:not(:checked)").last.check()


def moved_by_keyboard(root: Locator, slider: Locator) -> None:
    """Press an arrow key on the slider and wait until the chart has changed."""
    before = drawn(root)
    slider.focus()
    at_end = slider.evaluate("slider => slider.value === slider.max")
    slider.press("ArrowLeft" if at_end else "ArrowRight")
    changed(root, before)


def moved_by_mouse(root: Locator, slider: Locator) -> None:
    """Click on the far half of the slider and wait until the chart has changed."""
    before = drawn(root)
    bring_into_view(slider)
    box = slider.bounding_box()
    low = slider.evaluate("slider => slider.value - slider.min < (slider.max - slider.min) / 2")
    slider.click(position={"x": box["width"] * (0.8 if low else 0.2), "y": box["height"] / 2})
    changed(root, before)


def drawn(root: Locator) -> str:
    """The chart as it is drawn now."""
    return root.locator(DRAWN).first.inner_html()


def changed(root: Locator, before: str) -> None:
    """Wait until the chart is another than before."""
    root.page.wait_for_function(
        "([root, drawn, before]) => root.querySelector(drawn).innerHTML !== before",
        arg=[root.element_handle(), DRAWN, before],
    )


@pytest.mark.parametrize("name", CHAPTERS)
@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_every_quick_check_can_be_answered_and_is_remembered(browser, address, built, name, by):
    questions = payloads((built / f"{name}.html").read_text(), "quickcheck")
    with visit(browser, address, name) as visited:
        cards = visited.page.locator(".unrolled-quickcheck form")
        assert cards.count() == len(questions)
        graded = [question for question in questions if question["kind"] != "code"]
        for card, question in zip(cards.all(), questions, strict=True):
            bring_into_view(card)
            if question["kind"] == "code":
                card.locator("summary").click()
                expect(card.locator("details pre")).to_contain_text("def ")
            else:
                give(card, question, right=False, by=by)
                expect(feedback(card)).to_have_attribute("data-grade", "wrong")
                expect(feedback(card)).not_to_be_empty()
                give(card, question, right=True, by=by)
                expect(feedback(card)).to_have_attribute("data-grade", "right")
        visited.page.reload(wait_until="networkidle")
        assert remembered(visited.page) == len(graded)
        assert visited.trouble == []
        if by == "mouse":
            accessible(visited.page)


def feedback(card: Locator) -> Locator:
    """Where a question says whether the answer was right."""
    return card.locator(".unrolled-quickcheck-feedback")


def remembered(page: Page) -> int:
    """How many questions say that they have been answered."""
    return page.locator(".unrolled-quickcheck-progress:visible").count()


def accessible(page: Page) -> None:
    """Require that axe finds nothing amiss with the answered questions."""
    violations = Axe().run(page).response["violations"]
    assert [(rule["id"], node["html"]) for rule in violations for node in rule["nodes"]] == []


def give(card: Locator, question: dict, right: bool, by: str) -> None:
    """Give a right or a wrong answer and have it graded."""
    key = answer_of(question)
    if question["kind"] == "numeric":
        value = key["value"] if right else key["value"] + 1000 * (1 + key["margin"])
        entry = card.locator("input[type=text]")
        entry.fill("")
        entry.press_sequentially(repr(value))
        entry.press("Enter") if by == "keyboard" else card.locator("[type=submit]").click()
        return
    wanted = key["right"] if right else [not each for each in key["right"]]
    if not question["several"] and not right:  # one wrong option, the first
        wanted = [i == key["right"].index(False) for i in range(len(wanted))]
    boxes = card.locator("input").all()
    for box, want in zip(boxes, wanted, strict=True):
        if by == "mouse" and box.is_checked() != want and (want or question["several"]):
            box.locator("xpath=ancestor::label").click()
        elif by == "keyboard" and question["several"] and box.is_checked() != want:
            box.press("Space")
    if by == "keyboard" and not question["several"]:
        boxes[0].focus()
        boxes[0].press("Space")
        for box in boxes[: wanted.index(True)]:
            box.press("ArrowDown")
    if by == "mouse":
        card.locator("[type=submit]").click()
    else:
        boxes[wanted.index(True)].press("Enter")
