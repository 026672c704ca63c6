"""Grading a function that a reader wrote. Whatever it does, the outcome is a sentence."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from unrolled.teaching.kernel import staying
from unrolled.teaching.notebook import alive

_MARKS = {True: "✓ Right.", False: "✗ Not yet.", None: "○ Not answered yet."}


@dataclass(frozen=True)
class Grade:
    """What an answer earned.

    Attributes:
        passed: None as long as nothing gradable has been given.
        message: a sentence for the reader, or nothing.
        question: the name of the question, which then says the same on the page.
    """

    passed: bool | None
    message: str
    question: str = ""

    def __str__(self) -> str:
        return f"{_MARKS[self.passed]} {self.message}".strip()

    def _repr_html_(self) -> str:
        kind = {True: "right", False: "wrong", None: "open"}[self.passed]
        name = html.escape(self.question)
        return alive(
            f"grade {name}",
            f'<div class="unrolled-grade" data-grade="{kind}" data-question="{name}">'
            f"<strong>{_MARKS[self.passed]}</strong> {html.escape(self.message)}</div>",
        )


def grade_function(check: Callable[[Callable[..., Any]], None], function: Any) -> Grade:
    """Run `check(function)` and say in a sentence how it went.

    Args:
        check: raises AssertionError with a sentence when the function is not right.
        function: the reader's; one that returns nothing or raises NotImplementedError is a stub
            that has not been completed.
    """
    if not callable(function):
        return Grade(False, f"Hand over the function itself, not {type(function).__name__}.")
    try:
        with staying():
            check(_watched(function))
    except _NotAnswered:
        return Grade(None, "Complete the function and run the cell again.")
    except _Stopped as stopped:
        return Grade(False, str(stopped))
    except AssertionError as error:
        return Grade(False, str(error) or "The result is not right.")
    except KeyboardInterrupt:  # the reader's own, of what takes too long
        raise
    except BaseException as error:  # the check stumbled over what the function returned
        return Grade(False, f"What the function returned could not be used ({_named(error)}).")
    return Grade(True, "")


class _NotAnswered(Exception):
    """The function returned nothing, as a stub does."""


class _Stopped(Exception):
    """The reader's function raised; the text is a sentence about it."""


def _watched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Tell apart what the reader's function does from what the check does with it."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
        except NotImplementedError:
            raise _NotAnswered from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            where = _line(error, function)
            raise _Stopped(f"Your function stopped{where} with {_named(error)}.") from error
        if result is None or result is ...:
            raise _NotAnswered
        return result

    return call


def _line(error: BaseException, function: Callable[..., Any]) -> str:
    """The last line of the reader's own function that was reached."""
    line, trace = None, error.__traceback__
    while trace:
        if trace.tb_frame.f_code is getattr(function, "__code__", None):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" on line {line}" if line else ""


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
