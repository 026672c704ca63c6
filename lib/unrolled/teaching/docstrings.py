"""What `sphinx.ext.napoleon` leaves of a docstring: its mathematics and its bars.

In the source a docstring is plain text under Google's heads, `Args:`, `Attributes:`, `Returns:` and
`Raises:`, which napoleon turns into fields. Sphinx reads the rest as reStructuredText, where |x| is
a substitution and $x$ nothing.
"""

from __future__ import annotations

import re

VERBATIM = re.compile(r"``.*?``|`.*?`|\$[^$]+\$|\|")


def to_rst(lines: list[str]) -> list[str]:
    """The lines of a docstring, of which all but those of a literal block are made `plain`."""
    result: list[str] = []
    literal: int | None = None  # the indent of the line that ends in "::"
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if literal is None or (line.strip() and indent <= literal):
            literal = indent if line.rstrip().endswith("::") else None
            line = plain(line)
        result.append(line)
    return result


def plain(line: str) -> str:
    """A line in which $x$ is mathematics and |x| an absolute value, outside of `code`."""
    return VERBATIM.sub(verbatim, line)


def verbatim(part: re.Match[str]) -> str:
    """A bar outside of code and mathematics, code, or mathematics, in Sphinx's markup."""
    if part[0] == "|":
        return r"\|"
    return f":math:`{part[0][1:-1]}`" if part[0].startswith("$") else part[0]
