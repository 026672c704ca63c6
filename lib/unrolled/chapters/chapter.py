"""A chapter of the book as an object: what verify, the intro, the API pages and the tests read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from unrolled.guarantees import Guarantee, Refutation, Theorem
from unrolled.teaching import Explorable, Lab, QuickCheck
from unrolled.verdict import Verdict

__all__ = ["Chapter", "Idea"]


@dataclass(frozen=True)
class Idea:
    """One thought of a chapter for a reader who has not read it, and what the library has on it.

    Attributes:
        words: what is true, a sentence or two.
        theorems: what proves it.
        breaks: without what it is not so, as plain: a sentence.
        claims: what is refuted beside it, each with a word for the quantity that it is about.
    """

    words: str
    theorems: tuple[Theorem, ...]
    breaks: str
    claims: tuple[tuple[Refutation, str], ...] = ()


@dataclass(frozen=True)
class Chapter:
    """All that one chapter claims, asks and shows, each in the chapter's order.

    A notebook shows its chapter below the first picture: what one needs to read it, and how long.

    Attributes:
        name: the one word that names its notebook `book/NAME.ipynb`, its packages
            `guarantees.NAME` and `chapters.NAME`, and begins the names of all that is in them.
        title: its heading.
        asks: its question, for the introduction.
        needs: what to know before, in Markdown sentences.
        hours: about how many it takes to read, and how many with the exercises that are not open.
        ideas: its guarantees by what they are about, each in one of them.
        guarantees: theorems and refutations.
        quick_checks: questions.
        explorables: functions without arguments, each of which makes one chart.
        labs: what computes where a kernel runs.

    Raises:
        ValueError: a name that does not begin with the chapter's, or that two things share; ideas
            that leave a guarantee out, have it twice or have another's; hours that fall.
    """

    name: str
    title: str
    asks: str
    needs: str
    hours: tuple[int, int]
    ideas: tuple[Idea, ...]
    guarantees: tuple[Guarantee, ...]
    quick_checks: tuple[QuickCheck, ...]
    explorables: tuple[Callable[[], Explorable], ...]
    labs: tuple[Lab, ...]

    def __post_init__(self) -> None:
        for kind in ("guarantees", "quick_checks", "labs"):
            names = [thing.name for thing in getattr(self, kind)]
            for name in names:
                if not name.startswith(f"{self.name}."):
                    raise ValueError(f"{kind} has {name!r}; a name {self.name}.… is needed")
                if names.count(name) > 1:
                    raise ValueError(f"{kind} has {name!r} more than once")
        told = [theorem.name for idea in self.ideas for theorem in idea.theorems]
        told += [claim.name for idea in self.ideas for claim, _ in idea.claims]
        for name in {*told, *(guarantee.name for guarantee in self.guarantees)}:
            if told.count(name) != 1 or name not in [one.name for one in self.guarantees]:
                raise ValueError(
                    f"ideas have {name!r} {told.count(name)} times; each of the chapter's "
                    "guarantees is needed once, and no other"
                )
        if not 0 < self.hours[0] <= self.hours[1]:
            raise ValueError(f"hours is {self.hours}; 0 < hours to read ≤ hours in all is needed")

    @property
    def time(self) -> str:
        """How long it takes, as a sentence."""
        read, in_all = self.hours
        unit = "hour" if read == 1 else "hours"
        return f"It takes about {read} {unit} to read, and {in_all} with the exercises."

    def _repr_markdown_(self) -> str:
        return (
            f":::{{admonition}} What you need\n:class: note\n\n{self.needs} {self.time} "
            "The symbols are those of the [notation page](notation.md).\n:::\n"
        )

    @property
    def notebook(self) -> str:
        """The file of its notebook, from the root of the repository."""
        return f"book/{self.name}.ipynb"

    @property
    def package(self) -> ModuleType:
        """The package of its guarantees."""
        return import_module(f"unrolled.guarantees.{self.name}")

    @property
    def theorems(self) -> tuple[Theorem, ...]:
        """The theorems among its guarantees."""
        return tuple(g for g in self.guarantees if isinstance(g, Theorem))

    @property
    def refutations(self) -> tuple[Refutation, ...]:
        """The refutations among its guarantees."""
        return tuple(g for g in self.guarantees if isinstance(g, Refutation))

    @property
    def checked(self) -> tuple[Guarantee | QuickCheck, ...]:
        """All that `verify` goes through, in its order."""
        return (*self.guarantees, *self.quick_checks)

    def verify(self, count: int = 1000) -> Iterator[tuple[str, Verdict]]:
        """All checks of the chapter, each with the name of the guarantee or question it is of.

        Args:
            count: random instances in each theorem's sweep.
        """
        for thing in self.checked:
            yield from self.verify_one(thing, count)

    @staticmethod
    def verify_one(
        thing: Guarantee | QuickCheck, count: int = 1000
    ) -> Iterator[tuple[str, Verdict]]:
        """The checks of one of them."""
        found = thing.verify(count) if isinstance(thing, Theorem) else thing.verify()
        yield from ((thing.name, verdict) for verdict in found)
