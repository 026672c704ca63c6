"""The book's Sphinx extension: style sheets, scripts, the Vega bundle, and two directives.

Everything that an interactive object needs on a page comes from `static/` beside this file, so that
no page asks another host for anything.
"""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import iter_modules

from docutils import nodes
from docutils.statemachine import StringList
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import import_object
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from unrolled.teaching.colophon import Colophon
from unrolled.teaching.docstrings import to_rst
from unrolled.teaching.notebook import STATIC, for_site, vega_bundle

# Figures and labs carry their own style: they must look the same where no page loads it.
STYLES = ("unrolled.css", "explorable.css", "quickcheck.css")
LOADERS = ("explorable.js", "quickcheck.js", "wide.js", "paper.js")


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension with Sphinx."""
    app.connect("config-inited", configure)
    app.connect("html-page-context", lighten)
    app.connect("build-finished", write_vega)
    # Before napoleon, which must not take a colon in a formula for the end of a name.
    app.connect("autodoc-process-docstring", write_rst, priority=400)
    # Where the chapters are listed, as an importable name: this extension knows none of them.
    app.add_config_value("unrolled_book", None, "env", str)
    app.add_directive("chapter-runs", ChapterRuns)
    app.add_directive("chapter-guarantees", ChapterGuarantees)
    app.add_node(RunsPlaceholder)
    app.add_post_transform(FillRuns)
    app.add_node(nodes.citation, override=True, html=(open_citation, close_citation))
    for name in STYLES:
        app.add_css_file(name)
    app.add_css_file("paper.css", media="print")
    for name in LOADERS:
        # After MathJax, which one waits for. No module: a browser loads none from a file.
        app.add_js_file(name, defer="defer", priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app: Sphinx, config: Config) -> None:
    """Have Sphinx copy the static files, and order and quote what the search finds as one says."""
    config.html_static_path.append(str(STATIC))
    config.html_search_scorer = str(STATIC / "search.js")


def lighten(
    app: Sphinx, page: str, template: str, context: dict[str, object], doctree: nodes.document
) -> None:
    """Take out of a page's HTML what notebooks need, and what it says twice.

    Every picture brings the same style sheet.
    """
    seen: set[str] = set()

    def once(style: re.Match[str]) -> str:
        if style[0] in seen:
            return ""
        seen.add(style[0])
        return style[0]

    if "body" in context:
        body = re.sub(r"<style>.*?</style>", once, for_site(context["body"]), flags=re.DOTALL)
        # Of the classes of a formula, this one speaks to a highlighter that no page loads.
        context["body"] = body.replace(
            'class="math notranslate nohighlight"', 'class="math notranslate"'
        )


def write_vega(app: Sphinx, failure: Exception | None) -> None:
    """Write Vega, Vega-Lite and vega-embed as one script, which a page with a chart loads."""
    bundle = Path(app.outdir) / "_static" / "vendor" / "vega.js"
    if failure is None and app.builder.format == "html" and not bundle.exists():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.write_text(vega_bundle(), encoding="utf-8")


def write_rst(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list
) -> None:
    """Give napoleon a docstring whose mathematics and bars are in Sphinx's markup."""
    lines[:] = to_rst(lines)


class ChapterGuarantees(SphinxDirective):
    """`{chapter-guarantees}`: for each chapter, the documentation of all modules of guarantees."""

    def run(self) -> list[nodes.Node]:
        """Write a heading and an automodule for each module, and have MyST read them."""
        lines: list[str] = []
        for chapter in import_object(self.config.unrolled_book):
            lines += [f"## {chapter.title}", "", "```{eval-rst}"]
            for module in sorted(found.name for found in iter_modules(chapter.package.__path__)):
                lines += [f".. automodule:: {chapter.package.__name__}.{module}", ""]
            lines += ["```", ""]
        section = nodes.section()
        section.document = self.state.document
        self.state.nested_parse(StringList(lines, source=""), 0, section, match_titles=True)
        return section.children


class RunsPlaceholder(nodes.General, nodes.Element):
    """Stands in a page for the table of runs until every chapter has been executed."""


class ChapterRuns(SphinxDirective):
    """`{chapter-runs}`: time and peak memory of each chapter, versions, hardware and device."""

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder, and have the page read again whenever the site is built."""
        self.env.note_reread()
        return [RunsPlaceholder()]


class FillRuns(SphinxPostTransform):
    """Replaces the placeholder, once every chapter has been executed."""

    default_priority = 8  # before links are resolved

    def run(self, **kwargs: object) -> None:
        """Fill each placeholder of the page from the executed notebooks."""
        for placeholder in list(self.document.findall(RunsPlaceholder)):
            data = NbMetadataCollector.get_doc_data(self.env)
            runs = {
                docname: (
                    data[docname]["exec_data"]["runtime"],
                    execution(self.env.get_doctree(docname), docname),
                )
                for docname in self.env.collect_relations()  # the order of the book
                if data[docname].get("exec_data")
            }
            placeholder.replace_self(self.tables(runs))

    def tables(self, runs: dict[str, tuple[float, Colophon]]) -> list[nodes.Node]:
        """What each chapter took, then what they all ran on."""
        took = [
            [self.link(docname), f"{seconds:.1f}", f"{colophon.peak_memory:.0f}"]
            for docname, (seconds, colophon) in runs.items()
        ]
        shared = {
            name: dict.fromkeys(dict(colophon.rows())[name] for _, colophon in runs.values())
            for name in ("Hardware", "Device", "Threads", "Versions")
        }
        on = [[name, "; ".join(values)] for name, values in shared.items()]
        return [
            table(["Chapter", "Time (s)", "Peak memory (MB)"], took),
            table(["Environment", "All chapters"], on),
        ]

    def link(self, docname: str) -> nodes.Node:
        """A link to a chapter, which takes the chapter's title as its text."""
        return pending_xref(
            "", nodes.inline(), refdoc=self.env.docname, reftarget=f"/{docname}", reftype="doc",
            refdomain="std", refexplicit=False, refwarn=True,
        )  # fmt: skip


def open_citation(writer: HTML5Translator, node: nodes.citation) -> None:
    """Begin an entry of the bibliography, without the deprecated role that docutils gives it."""
    writer.body.append(writer.starttag(node, "div", classes=["citation"]))


def close_citation(writer: HTML5Translator, node: nodes.citation) -> None:
    """End an entry of the bibliography."""
    writer.body.append("</div>\n")


def execution(doctree: nodes.document, docname: str) -> Colophon:
    """The colophon that a chapter shows.

    Raises:
        ValueError: a chapter without one.
    """
    for output in doctree.findall(nodes.raw):
        if colophon := Colophon.from_html(output.astext()):
            return colophon
    raise ValueError(f"{docname}: a chapter ends with a cell that calls colophon()")


def table(head: list[str], rows: list[list[str | nodes.Node]]) -> nodes.table:
    """A docutils table; a cell is a text or a node."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", row(head))
    group += nodes.tbody("", *(row(cells) for cells in rows))
    return nodes.table("", group, classes=["colwidths-auto"])


def row(cells: list[str | nodes.Node]) -> nodes.row:
    """A row of a docutils table."""
    paragraphs = [
        nodes.paragraph("", cell) if isinstance(cell, str) else nodes.paragraph("", "", cell)
        for cell in cells
    ]
    return nodes.row("", *(nodes.entry("", paragraph) for paragraph in paragraphs))
