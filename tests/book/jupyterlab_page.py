"""A JupyterLab that remembers nothing, and a notebook run in it from top to bottom."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

SETTINGS = {
    # Every cell in the page, not only those on the screen; and no question about news.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

# Some cell holds a number at its side, and none the star of one that runs or waits.
FINISHED = """() => {
    const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")]
        .map((prompt) => prompt.textContent);
    return prompts.some((text) => /\\d/.test(text)) && !prompts.some((text) => text.includes("*"));
}"""


@contextmanager
def jupyterlab(folder: Path, home: Path) -> Iterator[str]:
    """The address of a notebook in a JupyterLab over a folder: its name goes in `{}`."""
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
            [sys.executable, *command.split(), f"--ServerApp.root_dir={folder}"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(server, f"http://127.0.0.1:{port}/api", home / "log")
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}?token={token}"
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(server: subprocess.Popen, address: str, log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def run_all_cells(page: Page) -> None:
    """Run the notebook that is open in the page, and wait until it is done."""
    idle = page.get_by_text("Python 3 (ipykernel) | Idle")  # said only once a kernel runs
    idle.wait_for(timeout=180_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(FINISHED, timeout=900_000)  # ends only what hangs
    idle.wait_for(timeout=180_000)
