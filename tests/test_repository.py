"""What belongs to the repository as a whole: one version, templates that parse, hooks that bite."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_the_version_of_pyproject_is_the_one_that_all_others_repeat():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+?),", changes, flags=re.MULTILINE)
    assert project["version"] == version("unrolled") == citation["version"] == newest[1]


def test_every_theorem_that_the_changelog_names_exists():
    from unrolled.chapters import BOOK

    names = {guarantee.name for chapter in BOOK for guarantee in chapter.guarantees}
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    corrected = changes.partition("### Corrected theorems")[2].partition("###")[0]
    named = set(re.findall(r"`([a-z_]+\.[a-z-]+)`", corrected))
    assert named
    assert named <= names


@pytest.mark.parametrize("path", [*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml"])
def test_templates_and_workflows_parse(path):
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


def test_templates_for_wrong_proofs_and_unclear_text_ask_where_and_what():
    templates = [
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")
        if path.stem != "config"
    ]
    assert {template["name"] for template in templates} == {
        "A proof is wrong",
        "The text is unclear",
    }
    for template in templates:
        fields = {entry["id"]: entry for entry in template["body"]}
        assert fields["where"]["validations"]["required"]


@pytest.fixture
def repository(tmp_path):
    """A repository with the hooks, one clean notebook and one clean module."""
    for name in (".pre-commit-config.yaml", "pyproject.toml", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / "book").mkdir()
    cell = nbformat.v4.new_code_cell("1 + 1", id="abcdef01")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["jupytext"] = {"formats": "ipynb,.myst.md:myst"}
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3", "language": "python", "name": "python3",
    }  # fmt: skip
    nbformat.write(notebook, tmp_path / "book" / "one.ipynb")
    (tmp_path / "one.py").write_text('"""One."""\n')
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    return tmp_path


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def hooks(folder):
    """Run all hooks on all files: whether they pass, and what they say."""
    run = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"],
        cwd=folder,
        env=os.environ | {"PRE_COMMIT_HOME": str(folder / ".git" / "pre-commit")},
        capture_output=True,
        text=True,
    )
    return run.returncode == 0, run.stdout + run.stderr


def test_hooks_pass_what_is_clean_and_keep_the_ids_of_cells(repository):
    hooks(repository)  # settles the form of the new notebook
    git(repository, "add", "--all")
    passed, said = hooks(repository)
    assert passed, said
    assert nbformat.read(repository / "book" / "one.ipynb", 4).cells[0].id == "abcdef01"


def test_hooks_stop_outputs_unsorted_imports_and_mirrors_out_of_step(repository):
    hooks(repository)
    git(repository, "add", "--all")
    path = repository / "book" / "one.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="2")]
    nbformat.write(notebook, path)
    (repository / "one.py").write_text('"""One."""\n\nimport sys\nimport os\n')
    git(repository, "add", "--all")
    passed, said = hooks(repository)
    assert not passed
    failed = re.findall(r"^(.+?)\.{3,}.*Failed$", said, flags=re.MULTILINE)
    assert "notebooks hold no outputs" in failed
    assert "ruff check" in failed
    assert nbformat.read(path, 4).cells[0].outputs == []
