"""Questions for a number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from unrolled.teaching.fields import check_fields, require_text
from unrolled.teaching.number import read_number
from unrolled.teaching.quickcheck.grading import Grade
from unrolled.teaching.quickcheck.question import (
    QuickCheck,
    attempt,
    folded,
    optional_html,
)
from unrolled.teaching.text import to_html
from unrolled.verdict import Verdict

ROUNDING = 1e-12  # relative; sqrt(2)/2 and 1/sqrt(2) are one number but two doubles
RECOGNISED = 5e-3  # relative; a misconception counts as such when typed to about three digits
NEAR = 2e-2  # relative; nearer than this to the answer is called close


@dataclass(frozen=True)
class Misconception:
    """A wrong number that readers arrive at, and what to tell them.

    Attributes:
        value: the number, or a callable that computes it.
        feedback: names the slip that leads there; short Markdown.

    Raises:
        ValueError: the feedback is blank.
    """

    value: Any
    feedback: str

    def __post_init__(self) -> None:
        check_fields(self)
        require_text(feedback=self.feedback)


@dataclass(frozen=True)
class Numeric(QuickCheck):
    """A question for a number, typed as 1/5, 0.2, 2e-3, 2^3 or sqrt(2)/2.

    Attributes:
        name: unlike any other on the site; the progress of a reader is kept under it.
        prompt: the question, short Markdown with `$…$`.
        answer: takes nothing and returns the number: int, Fraction, float or a sympy number.
        relative: accept what is within this fraction of the answer.
        absolute: accept what is within this distance. Without either the answer must be exact.
        misconceptions: wrong numbers that deserve an explanation of their own.
        unit: shown behind the input; short Markdown.
        explanation: shown once the answer is right.

    Raises:
        ValueError: both tolerances at once, or one that is not positive. From `key`: the
            answer is not a finite real number, or is a float without a tolerance.
    """

    answer: Callable[[], Any]
    relative: float | None = None
    absolute: float | None = None
    misconceptions: Sequence[Misconception] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.relative is not None and self.absolute is not None:
            raise ValueError("relative and absolute exclude each other, got both")
        for name, value in (("relative", self.relative), ("absolute", self.absolute)):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {value!r}")

    def key(self) -> sympy.Expr:
        """The number, exact where the computation is exact."""
        value = _number(self.answer(), "answer")
        if self.relative is None and self.absolute is None and value.has(sympy.Float):
            raise ValueError(f"answer {value} is a float: give relative= or absolute=")
        return value

    def grade(self, typed: str) -> Grade:
        """Grade what a reader typed, by the rules of the page."""
        _, answer = self._content
        try:
            value = read_number(typed)
        except ValueError as error:
            return Grade(None, str(error))
        if abs(value - answer["value"]) <= answer["margin"]:
            return Grade(True, self.explanation)
        for misconception, wrong in zip(self._slips(), answer["misconceptions"], strict=True):
            if abs(value - wrong["value"]) <= wrong["margin"]:
                return Grade(False, misconception.feedback)
        close = abs(value - answer["value"]) <= answer["near"]
        return Grade(False, answer["close"] if close else "")

    def verify(self) -> list[Verdict]:
        """The answer can be typed and is accepted, and no misconception is."""

        def accept() -> str:
            typed = sympy.sstr(self.key())
            if not self.grade(typed).passed:
                raise ValueError(f"a reader who types {typed} is not understood")
            return f"accepts {typed}"

        def reject(misconception: Misconception) -> str:
            value = _number(misconception.value, "misconception")
            if self.grade(repr(float(value))).passed is not False:
                raise ValueError(f"the misconception {value} is not rejected")
            return f"rejects {sympy.sstr(value)}"

        return [attempt(self.name, accept)] + [
            attempt(f"{self.name}, misconception {i}", lambda wrong=wrong: reject(wrong))
            for i, wrong in enumerate(self.misconceptions, start=1)
        ]

    def _question(self) -> dict[str, Any]:
        if self.relative is not None:
            precision = f"Accepted within {100 * self.relative:g} %."
        elif self.absolute is not None:
            precision = f"Accepted within ±{self.absolute:g}."
        else:
            precision = "Exact: fractions, powers and roots such as 3/7, 2^3 or sqrt(2) will do."
        return {
            "kind": "numeric",
            "prompt": to_html(self.prompt),
            "precision": precision,
            "unit": to_html(self.unit, inline=True) if self.unit else "",
        }

    def _answer(self) -> dict[str, Any]:
        key = self.key()
        value = float(key)
        margin = self.absolute or (self.relative or ROUNDING) * abs(value)
        exact = self.relative is None and self.absolute is None
        shown = f"{value:.6g}" if key.has(sympy.Float) else sympy.latex(key)
        return {
            "value": value,
            "margin": margin,
            "near": max(NEAR * abs(value), 3 * margin),
            "close": "Close, but not exact." if exact else "Close, but not close enough.",
            "misconceptions": [self._recognise(slip, margin) for slip in self._slips()],
            "shown": to_html(f"${shown}$", inline=True),
            "explanation": optional_html(self.explanation),
        }

    def _slips(self) -> list[Misconception]:
        """The misconceptions, then what may go wrong with any number."""
        key = self.key()
        slips = [Misconception(-key, "The size is right. What about the sign?")]
        if key != 0:
            slips.append(Misconception(1 / key, "That is one divided by the answer."))
        if abs(key) <= 1:
            slips.append(Misconception(100 * key, "That is in percent. Give the number itself."))
        return [*self.misconceptions, *(slip for slip in slips if slip.value != key)]

    def _recognise(self, misconception: Misconception, margin: float) -> dict[str, Any]:
        value = float(_number(misconception.value, "misconception"))
        return {
            "value": value,
            "margin": max(margin, RECOGNISED * abs(value)),
            "feedback": to_html(misconception.feedback),
        }

    def _fallback(self, question: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        shown = f"<p>{answer['shown']} {question['unit']}</p>"
        return folded("Answer", shown + answer["explanation"])


def _number(value: Any, name: str) -> sympy.Expr:
    value = value() if callable(value) else value
    if isinstance(value, Fraction):
        value = sympy.Rational(value.numerator, value.denominator)
    if hasattr(value, "item"):  # NumPy and torch
        value = value.item()
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = sympy.sympify(value)
    if not (isinstance(value, sympy.Expr) and value.is_number and value.is_real):
        raise ValueError(f"{name} must be a finite real number, got {value!r}")
    return value
