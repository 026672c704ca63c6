"""Docstrings as they are written here, told to Sphinx in its own markup.

In the source a docstring is plain text: paragraphs, a block of `name: meaning` lines, perhaps under
`Args:`, `Attributes:`, `Returns:` or `Raises:`, and indented code. Sphinx reads reStructuredText,
where such a block is an error, |x| a substitution and $x$ nothing.
"""

from __future__ import annotations

import re
from functools import partial

FIELDS = {"Args:": "param", "Attributes:": "ivar", "Raises:": "raises", "Returns:": "returns"}
ENTRY = re.compile(r"^([A-Za-z_]\w*(?:, \w+)*): (.*)")
VERBATIM = re.compile(r"``.*?``|`.*?`|\$[^$]+\$|\|")


def to_rst(lines: list[str]) -> list[str]:
    """A dedented docstring in reStructuredText, line by line."""
    blocks = [block.split("\n") for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))]
    result: list[str] = []
    for block in blocks:
        if block[0].rstrip() in FIELDS:
            indent = len(block[1]) - len(block[1].lstrip())
            block = fields([line[indent:] for line in block[1:]], FIELDS[block[0].rstrip()])
        elif all(ENTRY.match(line) or line.startswith(" ") for line in block):
            block = fields(block, "param") if ENTRY.match(block[0]) else ["::", "", *block]
        else:
            block = [plain(line) for line in block]
        result += [*block, ""]
    return result


def fields(block: list[str], kind: str) -> list[str]:
    """A block of `name: meaning` or `x, y: meaning` lines, with continuations, as a field list."""
    if kind == "returns":
        return [f":returns: {plain(block[0])}", *(f"    {plain(line)}" for line in block[1:])]
    return [ENTRY.sub(partial(field, kind), plain(line)) for line in block]


def field(kind: str, entry: re.Match[str]) -> str:
    """One field. Sphinx takes what stands before a space for a type: "x, y" becomes "x,y"."""
    return f":{kind} {entry[1].replace(' ', '')}: {entry[2]}"


def plain(line: str) -> str:
    """A line in which $x$ is mathematics and |x| an absolute value, outside of `code`."""
    return VERBATIM.sub(verbatim, line)


def verbatim(part: re.Match[str]) -> str:
    """A bar outside of code and mathematics, code, or mathematics, in Sphinx's markup."""
    if part[0] == "|":
        return r"\|"
    return f":math:`{part[0][1:-1]}`" if part[0].startswith("$") else part[0]
