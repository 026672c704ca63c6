"""What a reader may change in a lab: a number, a choice, a switch."""

import math
import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from unrolled.teaching.fields import check_fields
from unrolled.teaching.number import read_number

MOST_STOPS = 1001  # of a slider; a typed number is not bound to them


@dataclass(frozen=True)
class Number:
    """A number to slide or to type.

    Attributes:
        name: the argument of `compute` that it becomes.
        label: what the reader sees, with its unit.
        start, low, high: where it begins, and the range of both the slider and the typed box.
        step: from one stop of the slider to the next; with log=True in decades.
        log: whether the slider moves on a logarithmic scale.
        integer: whether only whole numbers are allowed; `compute` then gets an int.

    Raises:
        ValueError: the range is empty, the start lies outside it, or the step does not fit it.
    """

    name: str
    label: str
    start: float
    low: float
    high: float
    step: float
    _: KW_ONLY
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        _require_name(self.name)
        if not -math.inf < self.low < self.high < math.inf or (self.log and self.low <= 0):
            raise ValueError(
                f"{self.name}: low < high must be finite{', low positive' if self.log else ''}, "
                f"got {self.low!r} and {self.high!r}"
            )
        if not self.step > 0 or self._span() / self.step > MOST_STOPS - 1:
            raise ValueError(
                f"{self.name}: step must be positive and give at most {MOST_STOPS} stops, "
                f"got {self.step!r}"
            )
        if self.integer and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise ValueError(
                f"{self.name}: low and high must be whole, got {self.low!r} and {self.high!r}"
            )
        _require_start(self)

    def _span(self) -> float:
        return math.log10(self.high / self.low) if self.log else self.high - self.low

    @property
    def stops(self) -> list[str]:
        """The stops of the slider, as they read; the ends of the range are among them."""
        digits = 3 if self.log else 10
        steps = [i * self.step for i in range(1, math.floor(self._span() / self.step) + 1)]
        values = [self.low * 10**s if self.log else self.low + s for s in steps]
        values = [round(v) if self.integer else float(f"{v:.{digits}g}") for v in values]
        between = [v for v in values if self.low < v < self.high]
        return list(dict.fromkeys(_read_out(v) for v in (self.low, *between, self.high)))

    def check(self, value: float) -> float:
        """Return the value if it is allowed.

        Raises:
            ValueError: a sentence for the reader, if it is not.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = number and (not self.integer or float(value).is_integer())
        if not (whole and self.low <= value <= self.high):  # nan fails this as well
            raise ValueError(self._refusal(value))
        return int(value) if self.integer else float(value)

    def read(self, entry: Any) -> float:
        """The value of what the reader typed or slid to.

        Raises:
            ValueError: a sentence for the reader, if it is not allowed.
        """
        try:
            return self.check(read_number(entry))
        except ValueError:
            raise ValueError(self._refusal(entry)) from None

    def _refusal(self, entry: Any) -> str:
        entry = str(entry).strip()[:40]
        given = f"“{entry}” is not possible" if entry else "Nothing is entered"
        kind = "whole number" if self.integer else "number"
        low, high = _read_out(self.low), _read_out(self.high)
        return f"{given} for {self.label}: give a {kind} from {low} to {high}."

    @property
    def entry(self) -> str:
        return _read_out(self.start)

    def front(self) -> dict[str, Any]:
        return {"kind": "number", "stops": self.stops, "entry": self.entry}


@dataclass(frozen=True)
class Choice:
    """One of several options, by name; `compute` gets the name."""

    name: str
    label: str
    options: Sequence[str]
    start: str

    def __post_init__(self) -> None:
        check_fields(self)
        _require_name(self.name)
        if len(set(self.options)) != len(self.options) or len(self.options) < 2:
            raise ValueError(f"{self.name}: options must be two or more that differ")
        _require_start(self)

    def check(self, value: str) -> str:
        """Return the value if it is an option.

        Raises:
            ValueError: a sentence for the reader, if it is not.
        """
        if value not in self.options:
            allowed = ", ".join(f"“{option}”" for option in self.options)
            raise ValueError(f"“{value}” is not possible for {self.label}: choose from {allowed}.")
        return value

    read = check

    @property
    def entry(self) -> str:
        return self.start

    def front(self) -> dict[str, Any]:
        return {"kind": "choice", "options": list(self.options), "entry": self.entry}


@dataclass(frozen=True)
class Toggle:
    """Something that is on or off; `compute` gets a bool."""

    name: str
    label: str
    start: bool

    def __post_init__(self) -> None:
        check_fields(self)
        _require_name(self.name)

    def check(self, value: bool) -> bool:
        """Return the value if it is a bool.

        Raises:
            ValueError: a sentence for the reader, if it is not.
        """
        if not isinstance(value, bool):
            raise ValueError(f"“{value}” is not possible for {self.label}: it is True or False.")
        return value

    read = check

    @property
    def entry(self) -> bool:
        return self.start

    def front(self) -> dict[str, Any]:
        return {"kind": "toggle", "entry": self.entry}


Control = Number | Choice | Toggle


def _read_out(value: float) -> str:
    text = repr(float(value)).removesuffix(".0")
    return re.sub(r"e([+-])0?(\d)", lambda e: f"e{e[1].strip('+')}{e[2]}", text)


def _require_start(control: Number | Choice) -> None:
    try:
        control.check(control.start)
    except ValueError as error:
        raise ValueError(f"start: {error}") from None


def _require_name(name: str) -> None:
    if not name.isidentifier():
        raise ValueError(f"name must be one that Python allows for an argument, got {name!r}")
