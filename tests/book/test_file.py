"""The built site opened as files, without a server: browsers load no module there."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import SCROLL, notebooks
from playwright.sync_api import Browser, Page, expect
from test_interaction import bring_into_view, moved_by_keyboard

PAGES = [f"book/{path.stem}" for path in notebooks()]


def opened(browser: Browser, file: Path) -> Page:
    """A page of the site as a file, and the trouble that it has."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.trouble = []
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("requestfailed", lambda request: page.trouble.append(request.url))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:"))
            or page.trouble.append(f"asks another host: {request.url}")
        ),
    )
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("name", PAGES)
def test_every_chart_moves_and_every_question_asks(browser, built, name):
    source = (built / f"{name}.html").read_text(encoding="utf-8")
    page = opened(browser, built / f"{name}.html")
    page.evaluate(SCROLL)
    charts = page.locator(".unrolled-explorable")
    assert charts.count() == source.count('class="unrolled-explorable"') > 0
    for chart in charts.all():
        bring_into_view(chart)
        controls = chart.locator(".unrolled-explorable-sliders")
        controls.locator("input, select").first.wait_for(timeout=60_000)
        for slider in controls.locator("input[type=range]").all():
            moved_by_keyboard(chart, slider)
    questions = source.count('class="unrolled-quickcheck"')
    expect(page.locator(".unrolled-quickcheck form")).to_have_count(questions)
    assert page.trouble == []
    page.close()


def test_a_module_would_not_be_loaded(browser, built, tmp_path):
    (tmp_path / "script.js").write_text("document.title = 'loaded';")
    for kind, loaded in (("module", False), ("text/javascript", True)):
        page = tmp_path / f"{loaded}.html"
        page.write_text(f'<title>still</title><script type="{kind}" src="script.js"></script>')
        shown = opened(browser, page)
        assert (shown.title() == "loaded", shown.trouble == []) == (loaded, loaded)
        shown.close()
