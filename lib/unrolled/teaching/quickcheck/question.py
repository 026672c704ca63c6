"""What all questions share: their text, the payload of the front end, and their two displays."""

import base64
import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from unrolled.teaching.fields import check_fields, require_text
from unrolled.teaching.notebook import alive
from unrolled.teaching.text import to_html
from unrolled.verdict import Verdict

if TYPE_CHECKING:
    from unrolled.teaching.quickcheck import Code, MultipleChoice, Numeric


@dataclass(frozen=True)
class QuickCheck(ABC):
    """A question that a reader answers on the page and that checks itself.

    Make one by `QuickCheck.choice`, `QuickCheck.numeric` or `QuickCheck.code`. It shows
    itself as the same interactive HTML in a notebook and on the site.

    Attributes:
        name: unlike any other on the site, such as "convergence.product-of-rates". The progress of
            a reader is kept under it.
        prompt: the question, short Markdown with `$…$`.
        explanation: shown once the answer is right, short Markdown.

    Raises:
        ValueError: the name is not lower-case words joined by dots and hyphens, or a text is blank.
    """

    choice: ClassVar[type["MultipleChoice"]]
    numeric: ClassVar[type["Numeric"]]
    code: ClassVar[type["Code"]]

    _: KW_ONLY
    name: str
    prompt: str
    explanation: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", self.name):
            raise ValueError(
                f"name must be lower-case words joined by dots and hyphens, got {self.name!r}"
            )
        require_text(prompt=self.prompt)

    @abstractmethod
    def key(self) -> Any:
        """Compute the answer key, now.

        Raises:
            ValueError: the computations make none.
        """

    @abstractmethod
    def verify(self) -> list[Verdict]:
        """Check the key: a verdict for each thing that must hold. Raises nothing."""

    @abstractmethod
    def _question(self) -> dict[str, Any]:
        """What the page may show at once, as JSON."""

    @abstractmethod
    def _answer(self) -> dict[str, Any]:
        """What the page uses once the reader has answered, as JSON."""

    @abstractmethod
    def _fallback(self, question: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """What follows the prompt where no script runs, the answer folded, as HTML."""

    @cached_property
    def _content(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._question(), self._answer()

    def payload(self) -> dict[str, Any]:
        """All that the front end needs, as JSON. Base64 merely keeps the answer out of sight."""
        question, answer = self._content
        # A changed question or key is asked anew; another machine's last digits change neither.
        content = json.loads(json.dumps(self._content), parse_float=lambda x: f"{float(x):.6g}")
        return question | {
            "name": self.name,
            "version": hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12],
            "answer": base64.b64encode(json.dumps(answer).encode()).decode(),
        }

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {
            "text/html": alive(self.name, self.page()),
            "text/plain": f"Quick check {self.name}",
        }

    def page(self) -> str:
        """The question for the site: readable as it stands, brought to life by quickcheck.js."""
        question, answer = self._content
        data = json.dumps(self.payload()).replace("<", "\\u003c")  # nothing may end the script tag
        return (
            f'<div class="unrolled-quickcheck" id="quickcheck-{self.name}">'
            f'<script type="application/json">{data}</script>'
            f'<div class="unrolled-quickcheck-card">'
            f'<p class="unrolled-quickcheck-kicker">Quick check</p>'
            f'<div class="unrolled-quickcheck-prompt">{question["prompt"]}</div>'
            f"{self._fallback(question, answer)}</div></div>"
        )


def attempt(label: str, run: Callable[[], str]) -> Verdict:
    """Run a check that returns a detail or raises, and put down how it went."""
    try:
        return Verdict(label, True, run())
    except Exception as error:
        return Verdict(label, False, f"{type(error).__name__}: {error}")


def folded(summary: str, content: str) -> str:
    """Content behind a summary that opens without a script."""
    return f"<details><summary>{summary}</summary>{content}</details>"


def optional_html(text: str) -> str:
    """Markdown that may be left out."""
    return to_html(text) if text else ""
