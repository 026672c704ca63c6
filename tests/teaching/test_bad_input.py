"""What is no argument ends in a ValueError that names it, for every name of unrolled.teaching."""

from __future__ import annotations

import dataclasses
import inspect
import math

import pytest
import sympy

from unrolled import teaching
from unrolled.teaching import (
    Bars,
    Choice,
    Curves,
    Explorable,
    Handle,
    Lab,
    Misconception,
    Number,
    Option,
    Panel,
    Paths,
    Points,
    QuickCheck,
    Segments,
    Selector,
    Sequence,
    Slider,
    Texts,
    Toggle,
    answer,
    figure,
)

x, k = sympy.symbols("x kappa", positive=True)
SLIDER = Slider(symbol=k, label="κ", values=(1, 2))
PANEL = Panel(layers=(Curves(x=x, domain=(0, 1), series={"c": k * x}),))
OPTIONS = (Option("a", lambda: True, "f"), Option("b", lambda: False, "f"))
SENTENCE = "One line that rises to the right."

# Arguments that are allowed, for each class; the others have a default.
ALLOWED = {
    Number: {"name": "a", "label": "a", "start": 1, "low": 0.5, "high": 9, "step": 0.5},
    Choice: {"name": "a", "label": "a", "options": ("u", "v"), "start": "u"},
    Toggle: {"name": "a", "label": "a", "start": True},
    Slider: {"symbol": k, "label": "κ", "values": (1, 2)},
    Selector: {"symbol": k, "label": "κ", "options": ("u", "v")},
    Curves: {"x": x, "domain": (0, 1), "series": {"c": k * x}},
    Sequence: {"index": x, "range": (0, 3), "series": {"c": x}},
    Bars: {"series": {"p": {"q": k}}},
    Points: {
        "rows": {"x": [1, 2], "y": [1.0, 2.0], "s": ["a", "b"]},
        "x": "x",
        "y": "y",
        "series": "s",
    },
    Paths: {"parameter": x, "domain": (0, 1), "series": {"c": (x, k * x)}},
    Segments: {"series": {"c": [((0, 0), (1, k))]}},
    Texts: {"texts": [("word", 0, k)]},
    Handle: {"x": k, "y": 0, "sets": {k: teaching.POINTER[0]}},
    Panel: {"layers": PANEL.layers},
    Explorable: {
        "name": "n",
        "title": "t",
        "alt": SENTENCE,
        "caption": "c",
        "sliders": (SLIDER,),
        "panels": (PANEL,),
    },
    Lab: {
        "name": "n",
        "title": "t",
        "controls": (Number("a", "a", 2, 1, 9, 1),),
        "compute": lambda progress, a: a,
        "draw": lambda picture, a: picture.subplots().plot([0, a]),
        "alt": SENTENCE,
        "caption": "c",
    },
    Option: {"text": "t", "witness": lambda: True, "feedback": "f"},
    Misconception: {"value": 1, "feedback": "f"},
    QuickCheck.numeric: {"name": "q", "prompt": "p", "answer": lambda: 1},
    QuickCheck.choice: {"name": "q", "prompt": "p", "options": OPTIONS},
    QuickCheck.code: {
        "name": "q",
        "prompt": "p",
        "stub": "def f(x):\n    ...",
        "check": lambda function: None,
        "solution": lambda x: x,
        "wrong": (lambda x: x,),
    },
}
BAD = [None, -1, math.nan, "", "x y", b"a", (), {}, ["a", "a"], [1, None], {"a": 1}, object()]
CASES = [
    pytest.param(kind, name, id=f"{kind.__name__}-{name}")
    for kind in ALLOWED
    for name in inspect.signature(kind).parameters
]


def test_every_class_is_looked_at():
    classes = {
        each
        for each in map(teaching.__dict__.get, teaching.__all__)
        if dataclasses.is_dataclass(each)
    }
    assert classes - {QuickCheck} <= set(ALLOWED)
    for kind, allowed in ALLOWED.items():
        assert kind(**allowed)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_is_no_argument_is_named(kind, name):
    refused = 0
    for value in BAD:
        try:
            made = kind(**ALLOWED[kind] | {name: value})
            if kind is Explorable:
                made.page()
        except ValueError as error:
            assert name in str(error), value  # noqa: PT017 (what is allowed may be one of BAD)
            refused += 1
    assert refused >= (0 if (kind, name) == (Misconception, "value") else 4)


@pytest.mark.parametrize("value", [None, 3, b"a", object()])
def test_the_functions_name_theirs(value):
    with pytest.raises(ValueError, match="result"):
        answer(value)
    for name in ("alt", "caption", "height"):
        if (name, value) == ("height", 3):
            continue
        allowed = {"alt": SENTENCE, "caption": "c", "height": 3.0}
        with pytest.raises(ValueError, match=name), figure(**allowed | {name: value}):
            pass
    for done, total in ((value, 2), (1, value)):
        if value != 3:
            with pytest.raises(ValueError, match=r"done|total"):
                teaching.Progress()(done, total)
