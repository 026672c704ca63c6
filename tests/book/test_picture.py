"""Pictures of charts are what the book draws now, and stand where no chart can."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest

from tools import picture

CHARTS = picture.charts()


@pytest.mark.parametrize("name", CHARTS)
def test_a_picture_is_up_to_date(name):
    kept = (picture.PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    assert kept == picture.picture(CHARTS[name][2]), "run `make picture`"
    assert "var(" not in kept
    assert ElementTree.fromstring(kept).tag.endswith("svg")


def test_there_is_no_picture_without_a_chart():
    assert {path.stem for path in picture.PICTURES.iterdir()} == set(CHARTS)


@pytest.mark.parametrize("notebook", sorted({notebook for notebook, _, _ in CHARTS.values()}))
def test_a_notebook_shows_each_chart_behind_its_picture(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    shown = {code: chart for path, code, chart in CHARTS.values() if path == notebook}
    assert picture.with_pictures(cells, shown) == cells, "run `make picture`"
    assert sum(cell["id"].startswith("picture-") for cell in cells) == len(shown)


def test_a_picture_that_lacks_or_is_too_many_is_noticed():
    chart = next(iter(CHARTS.values()))[2]
    code = {"cell_type": "code", "id": "a", "source": ["x = 1\n", "chapter.chart()"]}
    behind = [picture.cell(chart), code]
    assert picture.with_pictures([code], {"chapter.chart()": chart}) == behind
    assert picture.with_pictures(behind, {"chapter.chart()": chart}) == behind
    assert picture.with_pictures(behind, {}) == [code]


def test_the_readme_shows_a_chart():
    readme = (picture.ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"\]\(book/images/charts/([\w.-]+)\.svg\)", readme)
    assert shown in CHARTS
