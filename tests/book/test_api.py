"""The API pages name every module of the library, and none that is not there."""

import re
from pathlib import Path

from unrolled.chapters import BOOK

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "lib" / "unrolled"
PAGES = ROOT / "book" / "api"
# What a page shows as a whole, by its package or by a directive, or only the chapters use.
WHOLE = ("chapters", "teaching", *(f"guarantees.{chapter.name}" for chapter in BOOK))


def named() -> set[str]:
    pages = (page.read_text() for page in PAGES.glob("*.md"))
    return {name for page in pages for name in re.findall(r"automodule:: (\S+)", page)}


def modules() -> set[str]:
    found = set()
    for file in LIBRARY.rglob("*.py"):
        parts = file.relative_to(LIBRARY.parent).with_suffix("").parts
        inside = ".".join(parts[1:])
        if not inside.startswith(WHOLE) and not parts[-1].startswith("__"):
            found.add(".".join(parts))
    inner = ("checks", "extras", "machine", "precision", "iterations.start", "networks.in_place")
    return found - {f"unrolled.{name}" for name in inner}


def test_every_module_is_on_a_page():
    assert modules() <= named()
    assert "unrolled.networks.coupled" in modules()


def test_every_name_on_a_page_is_a_module():
    for name in named():
        path = LIBRARY.parent.joinpath(*name.split("."))
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists(), name


def test_every_page_is_in_the_table_of_contents():
    contents = (ROOT / "_toc.yml").read_text()
    for page in PAGES.glob("*.md"):
        assert f"book/api/{page.stem}" in contents, page


def test_the_page_of_guarantees_documents_every_module_of_every_chapter(built):
    page = (built / "book" / "api" / "theorems.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'id="module-([\w.]+)"', page))
    for chapter in BOOK:
        folder = LIBRARY / "guarantees" / chapter.name
        names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        assert {f"unrolled.guarantees.{chapter.name}.{name}" for name in names} <= shown
        assert chapter.title in page
