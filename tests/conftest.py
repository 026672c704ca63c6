"""What several tests share: a browser, and the site that it opens."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from tools import site
from unrolled.machine import cores

ROOT = Path(__file__).resolve().parent.parent

# One worker for each core: PyTorch's threads would only wait for those of the other worker.
torch.set_num_threads(1)


def pytest_xdist_auto_num_workers() -> int:
    """How many workers are to be started, unless the command line says it."""
    return cores()


# No test is a stopwatch: a busy machine fails none.
settings.register_profile("unrolled", deadline=None)
settings.load_profile("unrolled")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is marked `own_thread` in one, where no event loop runs.

    Playwright keeps a loop running in the thread of the tests once a browser is open.
    """
    if pyfuncitem.get_closest_marker("own_thread") is None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(pyfuncitem.obj, **arguments).result()
    return True


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built site. Building takes a moment when nothing has changed."""
    with FileLock(ROOT / ".venv" / "build.lock"):
        try:
            return site.build()
        except site.BuildError as error:
            pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def address(built: Path) -> Iterator[str]:
    """The address at which the built site is served."""
    with site.listen(built, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for each worker."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if executable is None:
        pytest.fail("The browser tests need Chromium; `make test` installs it or says how.")
    with sync_playwright() as playwright:
        # Containers have no GPU, and often a small /dev/shm.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield chromium
        chromium.close()
