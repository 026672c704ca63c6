"""What `make book` and `make site` do, on books of a page or two."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import site
from tools.site import BuildError, build, explain, fingerprint, listen, progress

CONFIG = """
title: Small
only_build_toc_files: true
exclude_patterns: [".*", lib]
execute: {execute_notebooks: cache}
sphinx: {config: {nb_execution_raise_on_error: true}}
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of one page and one notebook, with a library beside it."""
    root = tmp_path / "a book"  # people have spaces in their paths
    (root / "book").mkdir(parents=True)
    (root / "lib").mkdir()
    (root / "lib" / "number.py").write_text("NUMBER = 1\n")
    (root / "constraints.txt").write_text("")
    (root / "_config.yml").write_text(CONFIG)
    (root / "_toc.yml").write_text(
        "{format: jb-book, root: book/intro, chapters: [file: book/one]}"
    )
    (root / "book" / "intro.md").write_text("# Introduction\n")
    write_notebook(root, "import sys\nsys.path.insert(0, '../lib')\nimport number\nnumber.NUMBER")
    return root


def write_notebook(root: Path, source: str) -> None:
    """A notebook of a title and one cell."""
    cells = [nbformat.v4.new_markdown_cell("# One"), nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "book" / "one.ipynb")


def output(page: Path) -> str:
    """What the cell of the notebook shows on its page."""
    shown = page.read_text().split('class="cell_output')[1]
    return re.search(r"<pre>(?:<[^>]*>)*([^<\n]*)", shown)[1]


def test_a_second_build_does_nothing_and_a_changed_library_executes_again(book, capsys):
    page = build(book) / "book" / "one.html"
    assert output(page) == "1"
    assert "executed book/one in" in capsys.readouterr().out
    build(book)
    assert capsys.readouterr().out == "The site is up to date.\n"

    (book / "book" / "intro.md").write_text("# Another introduction\n")
    build(book)  # the chapter is not executed again for the sake of another page
    assert "executed" not in capsys.readouterr().out

    (book / "lib" / "number.py").write_text("NUMBER = 2\n")
    build(book)
    assert output(page) == "2"


def test_a_failing_cell_is_told_in_one_message_each_time(book):
    write_notebook(book, "fine = 1\nfine / 0")
    for _ in range(2):  # the first failure must not leave anything that makes the second pass
        with pytest.raises(BuildError) as failure:
            build(book)
        assert str(failure.value) == (
            "book/one.ipynb failed: ZeroDivisionError: division by zero\n"
            "in the cell\n    fine = 1\n    fine / 0"
        )
    assert not (book / "_build" / "html").exists()


def test_a_warning_fails_the_build_each_time(book):
    (book / "book" / "intro.md").write_text("# Introduction\n\n{ref}`nowhere`\n")
    for _ in range(2):
        with pytest.raises(BuildError, match=r"^A warning.*\nbook/intro\.md:3: .*nowhere"):
            build(book)
    (book / "book" / "intro.md").write_text("# Introduction\n")
    assert (build(book) / "book" / "intro.html").exists()


def test_only_sources_enter_the_fingerprint(book):
    before = fingerprint(book, site.SOURCES)
    (book / "lib" / "__pycache__").mkdir()
    (book / "lib" / "__pycache__" / "number.pyc").write_text("made")
    assert fingerprint(book, site.SOURCES) == before
    (book / "book" / "intro.md").rename(book / "book" / "renamed.md")
    assert fingerprint(book, site.SOURCES) != before


def test_a_busy_port_is_told_in_one_message():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        run = subprocess.run(
            [sys.executable, site.__file__, "--serve", str(port)], capture_output=True, text=True
        )
        assert run.returncode == 1
        assert run.stderr == (
            f"\nPort {port} is in use by another program. "
            f"Choose another: make book PORT={port + 1}\n"
        )
    with listen(Path(), 0) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_progress_names_the_chapter_and_its_time():
    assert progress("book/x.ipynb: Executing notebook using local CWD [mystnb]") == (
        "executing book/x"
    )
    assert progress("book/x.ipynb: Executed notebook in 12.34 seconds [mystnb]") == (
        "executed book/x in 12.3 s"
    )
    assert progress("reading sources... [ 50%] book/intro") == "reading book/intro (50 %)"
    assert progress("looking for now-outdated files... none found") == ""


def test_what_is_not_understood_is_shown_as_it_is():
    log = "\n".join(f"line {i}" for i in range(100))
    assert explain(log, Path()).endswith("line 98\nline 99")
    assert explain("Traceback\nsphinx.errors.ThemeError: no theme\nmore", Path()).endswith(
        "sphinx.errors.ThemeError: no theme"
    )
