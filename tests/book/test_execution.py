"""The chapters as they are kept and as they ran when the site was built."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from pages import ROOT, notebooks

from unrolled.teaching.colophon import Colophon

NOTEBOOKS = notebooks()
IDS = [path.stem for path in NOTEBOOKS]


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What is wrong with a notebook as it is kept."""
    cells = notebook.cells
    found = [f"cell {cell.id} stores an output" for cell in cells if cell.get("outputs")]
    found += [f"cell {cell.id} stores a count" for cell in cells if cell.get("execution_count")]
    if "widgets" in notebook.metadata:
        found.append("stores the state of widgets")
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("does not name the kernel python3")
    return found


def test_there_are_chapters():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_a_chapter_is_kept_without_outputs(path: Path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert faults(notebook) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_the_cells_of_a_chapter_have_ids_of_their_own(path: Path):
    kept = json.loads(path.read_text(encoding="utf-8"))
    ids = [cell.get("id") for cell in kept["cells"]]
    assert (kept["nbformat"], kept["nbformat_minor"] >= 5) == (4, True)
    assert None not in ids
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_a_chapter_runs_on_one_core_with_little_memory(path: Path, built: Path):
    page = built / path.relative_to(ROOT).with_suffix(".html")
    run = Colophon.from_html(page.read_text(encoding="utf-8"))
    assert "1 core," in run.hardware
    assert run.peak_memory <= 1500


def test_a_stored_output_is_noticed():
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("stream", text="1")])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert len(faults(notebook)) == 2
