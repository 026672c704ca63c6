"""Numbers and citations that read in JupyterLab as on the site."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from pybtex.database import parse_file
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from unrolled.teaching.references import cited, key_of

ROOT = Path(__file__).parents[2]
BIBLIOGRAPHY = ROOT / "book" / "references.bib"

CONFIGURATION = """
extensions = ["myst_parser", "sphinx_proof", "sphinxcontrib.bibtex", "unrolled.teaching.references"]
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "named"
myst_enable_extensions = ["colon_fence"]
numfig = True
"""
START = """
# Start

:::{toctree}
:numbered:
page
:::

:::{bibliography}
:all:
:::
"""
PAGE = """
# Page

:::{{prf:theorem}} First
:label: thm-first
:enumerator: 1.1

A statement.
:::

:::{{prf:theorem}} Second
:label: thm-second
{option}

It is due to {citation}.
:::
"""


def build(folder: Path, option: str, citation: str) -> tuple[str, str]:
    """A page of a small site, and the warnings of its build."""
    (folder / "conf.py").write_text(CONFIGURATION)
    (folder / "index.md").write_text(START)
    (folder / "page.md").write_text(PAGE.format(option=option, citation=citation))
    (folder / "references.bib").write_bytes(BIBLIOGRAPHY.read_bytes())
    warnings = StringIO()
    with docutils_namespace():
        app = Sphinx(
            folder, folder, folder / "out", folder / "doctrees", "html",
            status=None, warning=warnings,
        )  # fmt: skip
        app.build()
    return (folder / "out" / "page.html").read_text(encoding="utf-8"), warnings.getvalue()


def test_a_theorem_and_a_citation_read_on_the_site_as_they_do_in_jupyterlab(tmp_path):
    page, warnings = build(
        tmp_path, ":enumerator: 1.2", "[Gregor and LeCun (2010)](references.bib)"
    )
    assert warnings == ""
    assert "Theorem 1.2 " in page
    (link,) = re.findall(r'href="index.html#([\w-]+)"[^>]*>Gregor and LeCun \(2010\)</a>', page)
    start = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    entry = start[start.index(f'id="{link}"') :]
    assert "Gregor and LeCun (2010)" in entry[:300]  # its label


@pytest.mark.parametrize(
    ("option", "citation", "warning"),
    [
        (":enumerator: 1.3", "nobody", "thm-second is 1.2, its enumerator says 1.3"),
        ("", "nobody", "thm-second is 1.2, its enumerator says nothing"),
        (":enumerator: 1.2", "[Nobody (2010)](references.bib)", "0 entries are called"),
    ],
)
def test_a_wrong_number_and_an_unknown_name_are_told(tmp_path, option, citation, warning):
    assert warning in build(tmp_path, option, citation)[1]


def test_every_entry_has_a_name_of_its_own():
    entries = parse_file(BIBLIOGRAPHY).entries
    for key, entry in entries.items():
        assert key_of(cited(entry), entries) == key
        assert key_of(re.sub(r" \((\d+)\)$", r", \1", cited(entry)), entries) == key


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Capon1969", "Capon (1969)"),
        ("Aspremont2011", "d'Aspremont and El Ghaoui (2011)"),
        ("Mueller2001", "Müller and Verdú (2001)"),
    ],
)
def test_names_are_written_as_people_write_them(key, name):
    assert cited(parse_file(BIBLIOGRAPHY).entries[key]) == name
