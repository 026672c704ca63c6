"""What the solution of an exercise computes, closed until a reader opens it."""

from typing import Any

from IPython.display import Markdown


def answer(result: Any) -> Markdown:
    """Show a result in a box that is closed at first, in a notebook as on the site.

    Args:
        result: Markdown, as text or as an object that shows itself so.

    Raises:
        ValueError: the result is neither.
    """
    if not isinstance(result, str) and not hasattr(result, "_repr_markdown_"):
        raise ValueError(f"result is {result!r}; text, or what shows itself as Markdown, is needed")
    text = result if isinstance(result, str) else result._repr_markdown_()
    return Markdown(f"::::{{dropdown}} What comes out\n\n{text}\n::::\n")
