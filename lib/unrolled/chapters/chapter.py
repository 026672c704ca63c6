"""A chapter of the book as an object: what verify, the intro, the API pages and the tests read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from unrolled.guarantees import Guarantee, Refutation, Theorem
from unrolled.teaching import Explorable, Lab, QuickCheck
from unrolled.verdict import Verdict

__all__ = ["Chapter"]


@dataclass(frozen=True)
class Chapter:
    """All that one chapter claims, asks and shows, each in the chapter's order.

    Attributes:
        name: the one word that names its notebook `book/NAME.ipynb`, its packages
            `guarantees.NAME` and `chapters.NAME`, and begins the names of all that is in them.
        title: its heading.
        guarantees: theorems and refutations.
        quick_checks: questions.
        explorables: functions without arguments, each of which makes one chart.
        labs: what computes where a kernel runs.

    Raises:
        ValueError: a name that does not begin with the chapter's, or that two things share.
    """

    name: str
    title: str
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
