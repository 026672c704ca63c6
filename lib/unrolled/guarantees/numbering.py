"""The number of a theorem as the book counts: the chapter, then the place among its boxes.

A page of the site counts for itself. A notebook shows each theorem alone and cannot, so the theorem
tells its number; the site refuses to be built where the two differ.
"""

from __future__ import annotations

from importlib import import_module

# The numbered pages, in the order of `_toc.yml`.
PAGES = ("notation", "unrolling", "convergence", "rip")


def number(name: str) -> str:
    """The number of the theorem called `chapter.topic`; empty if it is in no chapter of the book.

    Example:
        >>> number("convergence.product")
        '3.1'
        >>> number("example.theorem")
        ''
    """
    chapter = name.split(".")[0]
    if chapter not in PAGES:
        return ""
    guarantees = import_module(f"unrolled.guarantees.{chapter}").GUARANTEES
    # A refutation has no box, and a theorem that completes another is in that one's.
    boxes = [one.name for one in guarantees if getattr(one, "completes", None) == ""]
    return f"{PAGES.index(chapter) + 1}.{boxes.index(name) + 1}" if name in boxes else ""
