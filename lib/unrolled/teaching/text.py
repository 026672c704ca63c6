"""Short Markdown with mathematics as HTML that needs no script to be read."""

import re
from collections.abc import Sequence
from functools import cache
from xml.etree import ElementTree

import latex2mathml.converter
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin


def to_html(markdown: str, *, inline: bool = False) -> str:
    r"""Turn a prompt, an option or a caption into HTML, its formulas into MathML.

    CommonMark with `$…$` for a formula in the line and `$$…$$` for one on lines of its own.
    Browsers draw MathML themselves, so the text is whole without JavaScript and without fonts
    from elsewhere. HTML in the text is shown, not obeyed.

    Args:
        markdown: the text.
        inline: give only what may stand inside a label or a heading: no paragraphs, no lists.

    Raises:
        ValueError: the text is empty, or a formula is not one that latex2mathml converts.
    """
    if not isinstance(markdown, str) or not markdown.strip():
        raise ValueError(f"markdown must be text that is not blank, got {markdown!r}")
    render = _markdown().renderInline if inline else _markdown().render
    return render(markdown).strip()


@cache
def _markdown() -> MarkdownIt:
    converter = MarkdownIt("commonmark", {"html": False}).use(dollarmath_plugin, allow_labels=False)
    converter.add_render_rule(
        "math_inline", lambda self, tokens, index, options, env: _in_line(tokens, index)
    )
    converter.add_render_rule(
        "math_block",
        lambda self, tokens, index, options, env: (
            f'<div class="unrolled-formula">{_mathml(tokens[index].content, "block")}</div>\n'
        ),
    )
    return converter


def _in_line(tokens: Sequence[Token], index: int) -> str:
    formula = _mathml(tokens[index].content, "inline")
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    if following is None or not (mark := re.match(r"[,.;:!?)]+", following.content)):
        return formula
    # A browser may break the line behind a formula; the mark that belongs to it stays with it.
    following.content = following.content[mark.end() :]
    return f'<span style="white-space: nowrap">{formula}{mark[0]}</span>'


def _mathml(latex: str, display: str) -> str:
    # latex2mathml leaves \mathrm{d} italic, a browser's default for one letter; \text is upright.
    upright = re.sub(r"\\mathrm\{([^{}\\]*)\}", r"\\text{\1}", latex.strip())
    try:
        mathml = latex2mathml.converter.convert(upright, display=display)
        text = "".join(ElementTree.fromstring(mathml).itertext())
    except Exception as error:  # its exceptions share no base class of their own
        reason = str(error) or type(error).__name__
        raise ValueError(f"the formula ${latex}$ cannot be converted: {reason}") from error
    # latex2mathml copies a command that it does not know into the output as if it were a name.
    if unknown := re.search(r"\\[A-Za-z]+", text):
        raise ValueError(f"the formula ${latex}$ uses {unknown[0]}, which MathML output lacks")
    return mathml
