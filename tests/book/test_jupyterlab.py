"""A chapter in JupyterLab: every cell runs, theorems render, lab and quick checks are alive."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
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

pytestmark = pytest.mark.xdist_group("jupyterlab")  # one server, one execution of the chapter

CHAPTER = "convergence"
SETTINGS = {
    # Every cell in the page, not only those on the screen; and no question about news.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the chapter in a JupyterLab that serves a copy of the book's notebooks."""
    home = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(ROOT / "book", home / "book")
    for name, settings in SETTINGS.items():
        place = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    command = f"-m jupyterlab --no-browser --allow-root --ip=127.0.0.1 --port={port}"
    command += f" --ServerApp.port_retries=0 --IdentityProvider.token={token}"
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *command.split(), f"--ServerApp.root_dir={home / 'book'}"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(server, f"http://127.0.0.1:{port}/api", home / "log")
        yield f"http://127.0.0.1:{port}/lab/tree/{CHAPTER}.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(30)


def wait_for(server: subprocess.Popen, address: str, log: Path) -> None:
    """Wait until the server answers."""
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(log.read_text())


# Some cell holds a number at its side, and none the star of one that runs or waits.
FINISHED = """() => {
    const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")]
        .map((prompt) => prompt.textContent);
    return prompts.some((text) => /\\d/.test(text)) && !prompts.some((text) => text.includes("*"));
}"""


@pytest.fixture(scope="module")
def chapter(browser: Browser, jupyterlab: str) -> Iterator[Page]:
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
    page.goto(jupyterlab)
    idle = page.get_by_text("Python 3 (ipykernel) | Idle")  # said only once a kernel runs
    idle.wait_for(timeout=180_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(FINISHED, timeout=900_000)  # ends only what hangs
    idle.wait_for(timeout=180_000)
    yield page
    page.close()
    assert elsewhere == []


def test_every_cell_runs_without_an_error(chapter):
    for kind in ("error", "stderr"):
        outputs = chapter.locator(f"[data-mime-type='application/vnd.jupyter.{kind}']")
        assert outputs.all_text_contents() == []
    prompts = chapter.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
    assert [prompt for prompt in prompts if not re.search(r"\d", prompt)] == []


def test_theorems_are_rendered(chapter):
    assert chapter.locator(".jp-OutputArea-output aside.myst-proof").count() > 0
    rendered = chapter.locator(".jp-RenderedMarkdown, .jp-OutputArea-output")
    assert not [text for text in rendered.all_text_contents() if ":::{" in text]


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
    expect(lab.locator("[role=alert]")).to_contain_text("number")
    expect(entry).to_have_attribute("aria-invalid", "true")
    test_every_cell_runs_without_an_error(chapter)


def test_every_slider_of_an_explorable_changes_its_chart(chapter):
    for root in chapter.locator(".unrolled-explorable").all():
        bring_into_view(root)
        for slider in root.locator("input[type=range]").all():
            moved_by_keyboard(root, slider)


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
