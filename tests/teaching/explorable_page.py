"""A page of explorables and nothing else, and what its live views hold."""

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from unrolled.teaching.notebook import STATIC, vega_bundle

PAGE = """<!doctype html>
<html lang="en" data-content_root="./" data-theme="light">
<head><meta charset="utf-8"><title>Explorables</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>body {{ margin: 12px; background: var(--unrolled-surface); font-family: sans-serif }}
h1 {{ color: var(--unrolled-text) }}</style>
<link rel="stylesheet" href="_static/unrolled.css">
<link rel="stylesheet" href="_static/explorable.css">
<script defer src="_static/explorable.js"></script></head>
<body><main><h1>Explorables</h1>{body}</main></body></html>"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(folder, pages):
    """The address at which pages, given by name and body, are served."""
    (folder / "_static" / "vendor").mkdir(parents=True)
    for name in ("unrolled.css", "explorable.css", "explorable.js"):
        (folder / "_static" / name).write_text((STATIC / name).read_text())
    (folder / "_static" / "vendor" / "vega.js").write_text(vega_bundle())
    for name, body in pages.items():
        (folder / f"{name}.html").write_text(PAGE.format(body=body))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def opening(browser, site):
    """Opens a page; at the end nothing was complained about and no other host was asked."""
    contexts, complaints, requests = [], [], []

    def open_page(path="index.html", *, width=1280, height=3000, alive=True, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(site + path)
        if alive:
            page.wait_for_function(
                "[...document.querySelectorAll('.unrolled-explorable')]"
                ".every((root) => root.unrolledViews)"
            )
        page.requests = requests
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((site, "data:", "blob:"))] == []


def root(page, explorable):
    return page.locator(f"[id='{explorable.name}']")


def shown(page, explorable):
    """The data sets of the live views: for each panel, label to rows of x and y."""
    specs = explorable.specifications()
    names = [[data["name"] for data in spec["data"]] for spec in specs]
    views = root(page, explorable).evaluate(
        "(root, names) => root.unrolledViews"
        ".map((view, i) => names[i].flatMap((name) => view.data(name)))",
        names,
    )
    panels = [{} for _ in views]
    for panel, data in zip(panels, views, strict=True):
        for row in data:
            if "series" in row:
                panel.setdefault(row["series"], []).append((row["x"], row["y"]))
    return panels
