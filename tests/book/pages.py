"""The pages of the book, and a browser that notices everything wrong with them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from playwright.sync_api import Browser, Page, Request, Response, Route

ROOT = Path(__file__).resolve().parents[2]


# Down the page, a screen at a time, and back.
SCROLL = """async () => {
    for (let y = 0; y < document.body.scrollHeight; y += window.innerHeight) {
        window.scrollTo({ top: y, behavior: "instant" });
        await new Promise((done) => setTimeout(done, 20));
    }
    window.scrollTo({ top: 0, behavior: "instant" });
}"""


# All that is folded is opened, and what watches sizes has seen it.
UNFOLD = """async () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const fading of document.getAnimations()) fading.finish();
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""


def documents() -> list[str]:
    """The documents that _toc.yml names, in order, such as `book/convergence`."""

    def below(entry: dict) -> Iterator[str]:
        yield from (entry[key] for key in ("root", "file") if key in entry)
        for key in ("parts", "chapters", "sections"):
            for child in entry.get(key, []):
                yield from below(child)

    return list(below(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))))


def notebooks() -> list[Path]:
    """The chapters that are notebooks."""
    return [path for name in documents() if (path := ROOT / f"{name}.ipynb").exists()]


class Visit:
    """A page that has been opened, and what happened meanwhile.

    Attributes:
        page: the page, loaded, with all mathematics typeset.
        trouble: a line for each request that failed or left this machine, and each error logged.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.trouble: list[str] = []
        self._responses: list[Response] = []
        page.route("**/*", self._route)
        page.on("response", lambda response: self._responses.append(response))
        page.on("requestfailed", self._failed)
        page.on("pageerror", lambda error: self.trouble.append(f"uncaught: {error}"))
        page.on("console", self._console)

    def open(self, name: str) -> None:
        """Go to a page and wait until it is at rest."""
        self.page.goto(f"{self.address}{name}.html", wait_until="networkidle")
        self.page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
        # What loads only when it is seen belongs to the visit as well.
        self.page.evaluate(SCROLL)
        self.page.wait_for_load_state("networkidle")
        for response in self._responses:
            if response.status >= 400:
                self.trouble.append(f"{response.status}: {response.url}")

    def weights(self) -> dict[str, int]:
        """The compressed size in bytes of everything that came, by address."""
        return {
            response.url: len(gzip.compress(response.body(), 9))
            for response in self._responses
            if response.url.startswith(self.address) and response.ok
        }

    def _route(self, route: Route) -> None:
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.trouble.append(f"asks another host: {route.request.url}")
            route.abort()

    def _failed(self, request: Request) -> None:
        if request.url.startswith(self.address):
            self.trouble.append(f"failed: {request.url}")

    def _console(self, message) -> None:
        if message.type == "error":
            self.trouble.append(f"console: {message.text} ({message.location['url']})")


@contextmanager
def visit(
    browser: Browser, address: str, name: str, width: int = 1280, theme: str = "light"
) -> Iterator[Visit]:
    """Open a page of the site in a window of its own, with nothing remembered."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    context.set_default_timeout(120_000)  # ends only what hangs
    try:
        visited = Visit(context.new_page(), address)
        visited.open(name)
        yield visited
    finally:
        context.close()
