"""What the fields of a dataclass must be, which its annotations say."""

from __future__ import annotations

import re
import reprlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from numbers import Integral, Real
from types import UnionType
from typing import Any, Union, get_args, get_origin

import sympy


def check_fields(instance: Any) -> None:
    """Require that each field of a dataclass is what its annotation says.

    A sequence is anything that has a length and an order but text, a mapping what has keys, a
    number also NumPy's; neither a number nor an integer is True or False.

    Raises:
        ValueError: a field that is something else; it is named.
    """
    known = vars(sys.modules[type(instance).__module__])
    for field in fields(instance):
        kind = eval(field.type, known) if isinstance(field.type, str) else field.type
        value = getattr(instance, field.name)
        if not _fits(value, kind):
            wanted = kind.__name__ if isinstance(kind, type) else re.sub(r"\w+\.", "", str(kind))
            raise ValueError(f"{field.name} is {reprlib.repr(value)}; {wanted} is needed")


def require_text(**texts: Any) -> None:
    """Raise ValueError for the first argument that is not text, or blank."""
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{name} must be text that is not blank, got {text!r}")


def _fits(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind is None:
        return value is None
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is Callable:
        return callable(value)
    if origin in (tuple, Sequence):
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__getitem__"):
            return False
        if origin is tuple and ... not in inner:
            return len(value) == len(inner) and all(map(_fits, value, inner))
        return all(_fits(each, inner[0]) for each in value)
    if origin is Mapping:  # or a DataFrame
        return hasattr(value, "keys") and all(
            _fits(name, inner[0]) and _fits(value[name], inner[1])
            for name in value.keys()  # noqa: SIM118
        )
    if origin in (float, int):
        number = {float: Real, int: Integral}[origin]
        return isinstance(value, number) and not isinstance(value, bool)
    if origin in (sympy.Expr, sympy.Basic):  # conditions, too
        return isinstance(value, sympy.Basic | bool)
    return isinstance(value, origin)
