"""Questions for a function, written in a notebook cell."""

import html
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unrolled.teaching.fields import require_text
from unrolled.teaching.quickcheck.grading import Grade, grade_function
from unrolled.teaching.quickcheck.question import (
    QuickCheck,
    attempt,
    folded,
    optional_html,
)
from unrolled.teaching.text import to_html
from unrolled.verdict import Verdict


@dataclass(frozen=True)
class Code(QuickCheck):
    """A question for a function, which the reader writes in a cell and hands to `grade`.

    Attributes:
        name: unlike any other on the site; the progress of a reader is kept under it.
        prompt: the question, short Markdown with `$…$`.
        stub: the source to start from: one function that returns nothing yet.
        check: takes a function and raises AssertionError with a sentence when it is not right.
        solution: a function that `check` must accept; its source is shown, folded.
        wrong: functions that `check` must reject, so that it is known to be able to.
        explanation: shown once the function is right.

    Raises:
        ValueError: the stub is blank, something is not callable, or `wrong` is empty. From
            `key`: `check` rejects the solution or accepts a wrong function.
    """

    stub: str
    check: Callable[[Callable[..., Any]], None]
    solution: Callable[..., Any]
    wrong: Sequence[Callable[..., Any]]

    def __post_init__(self) -> None:
        super().__post_init__()
        require_text(stub=self.stub)
        if not self.wrong:
            raise ValueError("wrong must hold at least one function that check rejects, got none")

    def key(self) -> tuple[bool, ...]:
        """Whether `check` accepts the solution, and then each of the wrong functions."""
        key = tuple(
            grade_function(self.check, function).passed is True
            for function in (self.solution, *self.wrong)
        )
        if key != (True,) + (False,) * len(self.wrong):
            raise ValueError(f"check must accept the solution alone, it finds {key}")
        return key

    def grade(self, function: Callable[..., Any]) -> Grade:
        """Grade the reader's function. Whatever it does, the outcome is a sentence."""
        return replace(grade_function(self.check, function), question=self.name)

    def verify(self) -> list[Verdict]:
        """The solution is accepted, the stub left unanswered, each wrong function rejected."""

        def accept() -> str:
            self._expect(self.solution, True)
            self.payload()
            return "accepts the solution"

        def leave() -> str:
            self._expect(self._stub_function(), None)
            return "leaves the stub unanswered"

        def reject(function: Callable[..., Any]) -> str:
            return f"rejects it: {self._expect(function, False).message}"

        return [
            attempt(self.name, accept),
            attempt(f"{self.name}, stub", leave),
            *(
                attempt(f"{self.name}, wrong answer {i}", lambda wrong=wrong: reject(wrong))
                for i, wrong in enumerate(self.wrong, start=1)
            ),
        ]

    def _expect(self, function: Callable[..., Any], passed: bool | None) -> Grade:
        grade = grade_function(self.check, function)
        if grade.passed is not passed:
            raise ValueError(f"graded as “{grade}”")
        return grade

    def _stub_function(self) -> Callable[..., Any]:
        defined: dict[str, Any] = {}
        exec(self.stub, dict(getattr(self.solution, "__globals__", {})), defined)
        functions = [value for value in defined.values() if inspect.isfunction(value)]
        if len(functions) != 1:
            raise ValueError(f"stub must define one function, it defines {len(functions)}")
        return functions[0]

    def _question(self) -> dict[str, Any]:
        return {"kind": "code", "prompt": to_html(self.prompt), "stub": self.stub.strip("\n")}

    def _answer(self) -> dict[str, Any]:
        self.key()
        return {
            "solution": textwrap.dedent(inspect.getsource(self.solution)).strip("\n"),
            "explanation": optional_html(self.explanation),
        }

    def _fallback(self, question: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        solution = f"<pre><code>{html.escape(answer['solution'])}</code></pre>"
        return (
            f"<pre><code>{html.escape(question['stub'])}</code></pre>"
            f"<p>Open this page as a notebook to write the function and have it checked.</p>"
            f"{folded('Solution', solution + answer['explanation'])}"
        )
