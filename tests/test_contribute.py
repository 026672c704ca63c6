"""The pages on how to contribute are followed as they are written, in copies of the repository.

A page has its reader write files, change files and run commands. A fence of code is one of these by
its language: python, markdown and text fill the file that the paragraph before them names; a diff
is applied; each line of bash is run, and has to succeed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "book" / "contribute"
FILES = {"python", "markdown", "text"}
# What a command names that asks for something new: before the page is followed it finds nothing.
NEW = {
    "theorem": "safe-step",
    "chapter": "momentum",
    "network": "heavy_ball_net",
    "quick_check": "SAFE_LAYERS",
}
TOUCHED = {
    "theorem": {
        "book/convergence.ipynb",
        "lib/unrolled/chapters/convergence/ideas.py",
        "lib/unrolled/guarantees/convergence/__init__.py",
        "lib/unrolled/guarantees/convergence/safe_step.py",
    },
    "chapter": {
        "_toc.yml",
        "book/images/charts/momentum.slow-start.svg",
        "book/momentum.ipynb",
        "lib/unrolled/chapters/__init__.py",
        "lib/unrolled/chapters/momentum/__init__.py",
        "lib/unrolled/chapters/momentum/explorables.py",
        "lib/unrolled/chapters/momentum/ideas.py",
        "lib/unrolled/chapters/momentum/quickchecks.py",
        "lib/unrolled/guarantees/momentum/__init__.py",
        "lib/unrolled/guarantees/momentum/slow_start.py",
        "lib/unrolled/guarantees/numbering.py",
    },
    "network": {
        "book/api/networks.md",
        "lib/unrolled/networks/__init__.py",
        "lib/unrolled/networks/heavy_ball.py",
        "tests/networks/test_heavy_ball_net.py",
        "tests/test_bad_input.py",
    },
    "quick_check": {
        "book/convergence.ipynb",
        "lib/unrolled/chapters/convergence/__init__.py",
        "lib/unrolled/chapters/convergence/quickchecks.py",
    },
}


@dataclass(frozen=True)
class Step:
    """One thing to do: to write a file with this text, to apply it as a diff, or to run it."""

    line: int
    verb: str
    text: str
    file: str = ""


def steps(page: str) -> Iterator[Step]:
    """What a page has its reader do, in order; ValueError for a fence that says nothing of it."""
    tokens = MarkdownIt().parse(page)
    for place, token in enumerate(tokens):
        if token.type != "fence":
            continue
        line, language = token.map[0] + 1, token.info
        if language == "bash":
            yield from (Step(line, "run", command) for command in token.content.splitlines())
        elif language == "diff":
            yield Step(line, "apply", token.content)
        elif language in FILES:
            yield Step(line, "write", token.content, named(tokens[max(place - 2, 0)], line))
        else:
            raise ValueError(f"line {line}: a fence of {language or 'nothing'}")


def named(before, line: int) -> str:
    """The one file that the paragraph before a fence names, if it ends with a colon."""
    code = [child.content for child in before.children or () if child.type == "code_inline"]
    files = [text for text in code if re.fullmatch(r"[\w./-]+\.(?:py|md|yml)", text)]
    if not before.content.endswith(":") or len(files) != 1:
        raise ValueError(f"line {line}: nothing says which file this is")
    return files[0]


class Copy:
    """A copy of the repository as it is, its environment first wherever a program looks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).exists():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name, follow_symlinks=False)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        self.environment = outer | {
            "PATH": path,
            "PYTHONPATH": str(root / "lib"),
            "PYTEST_ADDOPTS": "-p no:cacheprovider -v",
        }
        # The index is what was there before; a copy is a repository of its own.
        self.run("git init --quiet && git add --all")

    def run(self, command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a line of bash in the copy's root."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=self.environment,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def follow(self, step: Step) -> str:
        """Do what a page says; AssertionError with its line where that fails."""
        if step.verb == "write":
            path = self.root / step.file
            assert not path.exists(), f"line {step.line}: {step.file} is there; change it by a diff"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")
            return ""
        apply = step.verb == "apply"
        command = "git apply --recount" if apply else step.text
        done = self.run(command, step.text if apply else "")
        assert done.returncode == 0, f"line {step.line}: {command}\n{done.stdout}"
        return done.stdout

    def finds(self, command: str, new: str) -> bool:
        """Whether a command succeeds, or, if it runs tests, whether one of them is of this name."""
        if "pytest" in command:
            return selects(self.run(f"{command} --collect-only -q").stdout, new)
        return self.run(command).returncode == 0

    def touched(self) -> set[str]:
        """The files that differ from those copied, and those that are new."""
        changed = self.run("git diff --name-only; git ls-files --others --exclude-standard")
        return set(changed.stdout.split())

    def notebooks(self) -> dict[str, list[dict]]:
        """The cells of each chapter."""
        paths = sorted((self.root / "book").glob("*.ipynb"))
        return {p.name: json.loads(p.read_text(encoding="utf-8"))["cells"] for p in paths}


def selects(output: str, new: str) -> bool:
    """Whether pytest names a test of something new."""
    return any(new in line for line in output.splitlines() if "::" in line)


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def ids(cells):
    return [cell["id"] for cell in cells]


@pytest.mark.parametrize("name", NEW)
def test_a_page_does_what_it_says(copy, name):
    todo = list(steps((PAGES / f"{name}.md").read_text(encoding="utf-8")))
    before = copy.notebooks()

    asking = [step.text for step in todo if step.verb == "run" and NEW[name] in step.text]
    assert asking
    for command in asking:
        assert not copy.finds(command, NEW[name]), command

    for step in todo:
        output = copy.follow(step)
        if step.text in asking and "pytest" in step.text:
            assert selects(output, NEW[name]), step.text

    assert copy.touched() == TOUCHED[name]
    after = copy.notebooks()
    for notebook, cells in before.items():
        kept = set(ids(cells))
        assert [i for i in ids(after[notebook]) if i in kept] == ids(cells)
    code = [c for cells in after.values() for c in cells if c["cell_type"] == "code"]
    assert not [c["id"] for c in code if c["outputs"] or c["execution_count"]]
    files = " ".join(file for file in TOUCHED[name] if file.endswith((".py", ".ipynb")))
    linted = copy.run(f"python -m ruff check {files} && python -m ruff format --check {files}")
    assert linted.returncode == 0, linted.stdout


def test_every_page_is_followed_and_in_the_table_of_contents():
    assert {path.stem for path in PAGES.glob("*.md")} == set(NEW) == set(TOUCHED)
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert all(f"file: book/contribute/{name}\n" in contents for name in NEW)


def test_a_copy_runs_its_own_library(copy):
    found = copy.run("python -c 'import unrolled; print(unrolled.__file__)'").stdout
    assert Path(found.strip()).is_relative_to(copy.root)
    assert copy.touched() == set()


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("```python\nx = 1\n```\n", "line 1: nothing says which file"),
        ("Write `one.py`.\n\n```python\nx = 1\n```\n", "line 3: nothing says which file"),
        ("Write `one.py` as `two.py`:\n\n```python\nx = 1\n```\n", "nothing says which file"),
        ("Look:\n\n```\nx = 1\n```\n", "line 3: a fence of nothing"),
        ("Write:\n\n```yaml\nx: 1\n```\n", "line 3: a fence of yaml"),
    ],
)
def test_a_fence_that_cannot_be_followed_is_found(page, fault):
    with pytest.raises(ValueError, match=fault):
        list(steps(page))


def test_a_page_is_read_as_it_is_written():
    page = (
        "The bound is `<<bound>>`. Write `lib/one.py`:\n\n````python\n```\nx = 1\n````\n\n"
        "Change it:\n\n```diff\n-x\n+y\n```\n\nCheck it:\n\n```bash\ntrue\nfalse\n```\n"
    )
    assert list(steps(page)) == [
        Step(3, "write", "```\nx = 1\n", "lib/one.py"),
        Step(10, "apply", "-x\n+y\n"),
        Step(17, "run", "true"),
        Step(17, "run", "false"),
    ]


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (Step(7, "run", "false"), "line 7: false"),
        (Step(7, "run", "python -m pytest -n 0 tests/test_prox.py -k nothing"), "deselected"),
        (Step(7, "write", "x = 1\n", "README.md"), "line 7: README.md is there"),
        (Step(7, "apply", "--- a/LICENSE\n+++ b/LICENSE\n@@ -1 +1 @@\n-no\n+yes\n"), "LICENSE"),
    ],
)
def test_a_step_that_fails_is_found(copy, step, fault):
    with pytest.raises(AssertionError, match=fault):
        copy.follow(step)
