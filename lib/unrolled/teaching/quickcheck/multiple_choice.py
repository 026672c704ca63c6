"""Questions with options, each decided by a computation of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy.logic.boolalg import BooleanAtom

from unrolled.teaching.fields import check_fields, require_text
from unrolled.teaching.quickcheck.question import (
    QuickCheck,
    attempt,
    folded,
    optional_html,
)
from unrolled.teaching.text import to_html
from unrolled.verdict import Verdict


@dataclass(frozen=True)
class Option:
    """One answer to choose: its text, the computation that decides it, and what picking it earns.

    Attributes:
        text: short Markdown with `$…$`.
        witness: takes nothing and returns whether this option is right, as a bool of Python, NumPy,
            sympy or torch.
        feedback: shown when the option was picked: why it is right, or what it overlooks.

    Raises:
        ValueError: a text is blank or the witness is not callable.
    """

    text: str
    witness: Callable[[], Any]
    feedback: str

    def __post_init__(self) -> None:
        check_fields(self)
        require_text(text=self.text, feedback=self.feedback)

    def is_right(self) -> bool:
        """Run the witness.

        Raises:
            ValueError: it does not return one truth value.
        """
        value = self.witness()
        if isinstance(value, BooleanAtom):
            return bool(value)
        array = np.asarray(value)
        if array.dtype != bool or array.size != 1:
            raise ValueError(f"the witness of {self.text!r} must return a bool, got {value!r}")
        return bool(array.item())


@dataclass(frozen=True)
class MultipleChoice(QuickCheck):
    """A question with options, each decided by its own witness.

    Attributes:
        name: unlike any other on the site; the progress of a reader is kept under it.
        prompt: the question, short Markdown with `$…$`.
        options: two or more, shown in this order.
        several: whether more than one option may be right.
        explanation: shown once the answer is right, after the feedback of the option.

    Raises:
        ValueError: fewer than two options, or two that read the same. From `key`: a witness
            is undecided, no option is right, or several are without `several=True`.
    """

    options: Sequence[Option]
    several: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        texts = [option.text.strip() for option in self.options]
        if len(texts) < 2:
            raise ValueError(f"options must be at least two, got {len(texts)}")
        if repeated := {text for text in texts if texts.count(text) > 1}:
            raise ValueError(f"options must differ, got {sorted(repeated)} more than once")

    def key(self) -> tuple[bool, ...]:
        """Which options are right, as their witnesses find now."""
        key = tuple(option.is_right() for option in self.options)
        if sum(key) == 0 or (sum(key) > 1 and not self.several):
            wanted = "at least one" if self.several else "exactly one"
            raise ValueError(f"{wanted} option must be right, the witnesses find {key}")
        return key

    def verify(self) -> list[Verdict]:
        """Every witness runs, and as many options are right as may be."""

        def count() -> str:
            self.payload()
            right = [_letter(i) for i, right in enumerate(self.key()) if right]
            return f"right: {', '.join(right)} of {len(self.options)} options"

        return [attempt(self.name, count)]

    def _question(self) -> dict[str, Any]:
        return {
            "kind": "choice",
            "prompt": to_html(self.prompt),
            "several": self.several,
            "options": [to_html(option.text, inline=True) for option in self.options],
        }

    def _answer(self) -> dict[str, Any]:
        return {
            "right": self.key(),
            "feedback": [to_html(option.feedback) for option in self.options],
            "explanation": optional_html(self.explanation),
        }

    def _fallback(self, question: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        options = "".join(f"<li>{option}</li>" for option in question["options"])
        right = "".join(
            f"<p>{_letter(i)}. {question['options'][i]}</p>{answer['feedback'][i]}"
            for i, right in enumerate(answer["right"])
            if right
        )
        return f'<ol type="A">{options}</ol>{folded("Answer", right + answer["explanation"])}'


def _letter(i: int) -> str:
    return chr(ord("A") + i)
