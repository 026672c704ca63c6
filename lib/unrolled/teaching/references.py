"""Numbers and citations that read in JupyterLab as on the site: a Sphinx extension.

A notebook shows every output alone, and has no bibliography. So a theorem tells its number, as the
option `:enumerator:`, and the site, which counts for itself, is not built where the two differ. A
citation is a link to the bibliography under the name of its entry:

    The step is due to [Gregor and LeCun (2010)](references.bib).

In JupyterLab it opens that file, on the site it leads to the entry on the page of references.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import cast

from docutils import nodes
from docutils.parsers.rst import directives
from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as UnsortedStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode
from sphinx_proof.directive import ElementDirective
from sphinx_proof.proof_type import PROOF_TYPES
from sphinxcontrib.bibtex.domain import BibtexDomain

BIBLIOGRAPHY = "references.bib"
LOGGER = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension with Sphinx."""
    for name, directive in PROOF_TYPES.items():
        numbered = type(directive.__name__, (Numbered, directive), {})
        app.add_directive_to_domain("prf", name, numbered, override=True)
    app.connect("env-check-consistency", check_numbers)
    register_plugin("pybtex.style.formatting", "named", NamedStyle)
    app.add_node(Citation)
    app.add_transform(ReadCitations)
    app.add_post_transform(LinkCitations)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# ---- Numbers -----------------------------------------------------------------------------------


class Numbered(ElementDirective):
    """A theorem, a definition or the like that says its own number, for where nobody counts."""

    option_spec = ElementDirective.option_spec | {"enumerator": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Keep the number for `check_numbers`."""
        (node,) = super().run()
        if "nonumber" not in self.options:
            node["enumerator"] = self.options.get("enumerator", "")
        return [node]


def numbered(node: nodes.Node) -> bool:
    """Whether a node is a theorem or the like that the site numbers."""
    return isinstance(node, nodes.Element) and "enumerator" in node


def check_numbers(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each number that is not the one that the page shows, or is not told at all."""
    for docname in sorted({found["docname"] for found in getattr(env, "proof_list", {}).values()}):
        for node in env.get_doctree(docname).findall(numbered):
            counted = env.toc_fignumbers.get(docname, {}).get(node["countertype"], {})
            number = ".".join(map(str, counted.get(node["ids"][0], ())))
            if node["enumerator"] != number:
                LOGGER.warning(
                    f"{node['realtype']} {node['label']} is {number}, "
                    f"its enumerator says {node['enumerator'] or 'nothing'}",
                    location=docname,
                )


# ---- Citations ---------------------------------------------------------------------------------


def bibliography(env: BuildEnvironment) -> BibtexDomain:
    """What the site knows of its sources."""
    return cast(BibtexDomain, env.get_domain("cite"))


def cited(entry: Entry) -> str:
    """The name of an entry of the bibliography: "Capon (1969)", "Chen et al. (2018)"."""
    names = [
        " ".join(map(str, person.rich_prelast_names + person.rich_last_names))
        for person in entry.persons["author"]
    ]
    who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return f"{who} ({entry.fields['year']})"


def key_of(text: str, entries: Mapping[str, Entry]) -> str:
    """The key of the entry that a link names, "Chen et al. (2018)" or "Chen et al., 2018".

    Raises:
        ValueError: no entry has this name, or several have.
    """
    name = re.sub(r", (\d{4})$", r" (\1)", " ".join(text.split()))
    keys = [key for key, entry in entries.items() if cited(entry) == name]
    if len(keys) != 1:
        known = sorted(map(cited, entries.values()))
        raise ValueError(f"{len(keys)} entries are called {text!r}; there are {', '.join(known)}")
    return keys[0]


class NamedLabels(BaseLabelStyle):
    """Labels entries by their names, as the text does."""

    def format_labels(self, sorted_entries: Iterable[Entry]) -> Iterable[str]:
        """The labels, in the order of the entries."""
        return map(cited, sorted_entries)


class NamedStyle(UnsortedStyle):
    """Entries by author and year, each under its name."""

    default_sorting_style = "author_year_title"
    default_label_style = NamedLabels


class Citation(nodes.General, nodes.TextElement):
    """A link to an entry of the bibliography, until all pages are read."""


class ReadCitations(SphinxTransform):
    """Takes links to the bibliography for what they are, before Sphinx offers it as a download."""

    default_priority = 500

    def apply(self, **kwargs: object) -> None:
        """Replace each link by a citation."""
        entries = bibliography(self.env).bibdata.data.entries
        for link in list(self.document.findall(download_reference)):
            if link["reftarget"].rpartition("/")[2] == BIBLIOGRAPHY:
                try:
                    key = key_of(link.astext(), entries)
                except ValueError as error:
                    LOGGER.warning(str(error), location=link)
                else:
                    link.replace_self(Citation("", link.astext(), key=key))


class LinkCitations(SphinxPostTransform):
    """Makes citations links to the page of references."""

    default_priority = 9  # before Sphinx resolves its own links

    def run(self, **kwargs: object) -> None:
        """Link each citation of the page."""
        listed = {entry.key: entry for entry in bibliography(self.env).citations}
        for citation in list(self.document.findall(Citation)):
            place = listed[citation["key"]]
            link = make_refnode(
                self.app.builder,
                self.env.docname,
                place.bibliography_key.docname,
                place.citation_id,
                nodes.Text(citation.astext()),
            )
            citation.replace_self(link)
