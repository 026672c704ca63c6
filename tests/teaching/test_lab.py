"""A lab computes what is entered, shows the last thing asked for, and answers nonsense in words."""

import asyncio
import re
import sys
import time
from html.parser import HTMLParser

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets import Widget

from unrolled.teaching.controls import Choice, Number, Toggle
from unrolled.teaching.lab import Lab, Progress

pytestmark = pytest.mark.own_thread

calls = []


def compute(progress, kappa, layers, steps, noisy):
    """The errors of gradient descent on a quadratic; refuses where it would take too long."""
    calls.append((kappa, layers))
    if kappa > 900:
        raise ValueError(f"κ is {kappa:g}, but beyond 900 this takes too long: stay below.")
    if layers == 13:
        raise ZeroDivisionError("a fault of the author")
    for done in range(layers):
        progress(done, layers, f"layer {done + 1} of {layers}")
        time.sleep(0.001)
    progress(layers, layers)
    rate = (kappa - 1) / (kappa + 1) * (0.7 if steps == "Chebyshev" else 1)
    return rate ** torch.arange(layers + 1, dtype=torch.float64) + 0.1 * noisy


def draw(picture, errors):
    axes = picture.subplots()
    axes.semilogy(errors)
    axes.set(xlabel="layer k", ylabel="error")


def make(**changes):
    calls.clear()
    return Lab(
        **{
            "name": "test.descent",
            "title": "How fast is gradient descent?",
            "controls": (
                Number("kappa", "condition number κ", 10, 1.5, 1000, 0.1, log=True),
                Number("layers", "layers K", 8, 2, 16, 1, integer=True),
                Choice("steps", "steps", ("fixed", "Chebyshev"), "fixed"),
                Toggle("noisy", "add noise", False),
            ),
            "compute": compute,
            "draw": draw,
            "alt": lambda errors: f"The error falls to {errors[-1]:.3g} over the layers.",
            "caption": "Each layer divides the error by $\\rho$.",
            "summary": lambda errors: f"Error at the end: **{errors[-1]:.3g}**.",
        }
        | changes
    )


def enter(lab, **entries):
    lab.widget.entered = lab.widget.entered | entries


def test_the_start_runs_once_for_both_displays():
    lab = make()
    bundle = lab._repr_mimebundle_()
    assert calls == [(10, 8)]
    assert {"text/html", "text/plain"} == set(bundle)
    assert lab.default.figure.svg in bundle["text/html"]
    assert lab.default.figure.svg in lab.widget.figure
    assert bundle["text/plain"] == "The error falls to 0.201 over the layers."


def test_a_view_that_was_closed_is_made_anew():
    lab = make()
    enter(lab, kappa="3")
    first = lab.widget
    assert lab.widget is first
    Widget.close_all()
    second = lab.widget
    assert second is not first
    assert lab.widget is second
    assert second.comm is not None
    assert second.entered["kappa"] == "10"
    enter(lab, kappa="3")
    assert "falls to 0.00391" in second.figure


@pytest.mark.parametrize("part", ["compute", "draw", "alt", "summary"])
def test_a_lab_that_asks_for_the_end_says_so_and_lives_on(part):
    def leave(*arguments, **values):
        if armed:
            sys.exit()
        return {"compute": compute, "draw": draw}.get(part, lambda _: says)(*arguments, **values)

    armed, says = [], "A line falls, all along."
    lab = make(**{part: leave})
    before = lab.widget.figure
    armed.append(True)
    with pytest.raises(RuntimeError, match="the end of Python"):
        enter(lab, kappa="20")
    assert "RuntimeError: the end of Python was asked for" in lab.widget.alert
    assert lab.widget.figure == before
    armed.clear()
    enter(lab, kappa="30")
    assert lab.widget.figure != before


def test_nothing_is_computed_before_it_is_shown():
    make()
    assert calls == []


def test_run_takes_values_and_fills_in_the_start():
    lab = make()
    assert lab.run(kappa=3.0)[1] == 0.5
    assert calls == [(3.0, 8)]
    assert isinstance(calls[0][1], int)
    assert len(lab.run(layers=4)) == 5


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kappa": 1001}, "“1001” is not possible for condition number κ: .* from 1.5 to 1000"),
        ({"kappa": float("nan")}, "“nan” is not possible"),
        ({"kappa": True}, "“True” is not possible"),
        ({"layers": 2.5}, "“2.5” is not possible for layers K: give a whole number from 2 to 16"),
        ({"steps": "silver"}, "“silver” is not possible for steps: choose from “fixed”, “Cheb"),
        ({"noisy": "yes"}, "“yes” is not possible for add noise"),
        ({"depth": 3}, r"has the controls \['kappa', .*\], got \['depth'\]"),
    ],
)
def test_run_refuses_what_is_not_allowed(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        make().run(**values)
    assert calls == []


@pytest.mark.parametrize(
    "entries", [{"kappa": "20"}, {"layers": "9"}, {"steps": "Chebyshev"}, {"noisy": True}]
)
def test_every_control_changes_the_picture(entries):
    lab = make()
    before, summary = lab.widget.figure, lab.widget.summary
    enter(lab, **entries)
    assert lab.widget.figure != before
    assert lab.widget.summary != summary
    assert not lab.widget.stale
    assert not lab.widget.busy
    assert len(calls) == 2
    enter(lab, **entries)  # mirrored: no change, nothing computed
    assert len(calls) == 2


def test_the_words_follow_the_picture():
    lab = make()
    enter(lab, kappa="3")
    assert 'aria-label="The error falls to 0.00391 over the layers."' in lab.widget.figure
    assert "<strong>0.00391</strong>" in lab.widget.summary
    assert re.search(r"Computed on the (CPU|GPU).* in [\d.e-]+ s", lab.widget.summary)


def test_an_expression_is_a_number():
    lab = make()
    enter(lab, kappa="10/4")
    assert calls[-1] == (2.5, 8)


@pytest.mark.parametrize(
    ("entries", "named", "sentence"),
    [
        ({"kappa": "nan"}, "kappa", "“nan” is not possible for condition number κ: give a number "),
        ({"kappa": "many"}, "kappa", "“many” is not possible"),
        ({"kappa": "-3"}, "kappa", "“-3” is not possible"),
        ({"kappa": "1e999"}, "kappa", "“1e999” is not possible"),
        ({"kappa": " "}, "kappa", "Nothing is entered for condition number κ: give a number from "),
        ({"layers": "4.5"}, "layers", "“4.5” is not possible for layers K: give a whole number "),
        ({"layers": "17"}, "layers", "“17” is not possible"),
        ({"kappa": "950"}, "", "κ is 950, but beyond 900 this takes too long: stay below."),
    ],
)
def test_an_impossible_entry_gets_a_sentence_and_the_picture_stays_greyed(entries, named, sentence):
    lab = make()
    before = lab.widget.figure
    enter(lab, **entries)
    assert lab.widget.alert.startswith(sentence)
    assert lab.widget.invalid == named
    assert lab.widget.figure == before
    assert lab.widget.stale
    assert not lab.widget.busy
    enter(lab, kappa="20", layers="8")
    assert (lab.widget.alert, lab.widget.invalid, lab.widget.stale) == ("", "", False)
    assert lab.widget.figure != before


def test_what_is_shown_already_is_not_computed_again():
    lab = make()
    enter(lab, kappa="abc")
    enter(lab, kappa="10.0")
    assert not lab.widget.stale
    assert calls == [(10, 8)]


def test_any_other_exception_is_raised():
    lab = make()
    with pytest.raises(ZeroDivisionError, match="a fault of the author"):
        enter(lab, layers="13")
    assert "ZeroDivisionError: a fault of the author" in lab.widget.alert
    assert lab.widget.stale
    assert not lab.widget.busy
    enter(lab, layers="12")  # and the lab lives on
    assert not lab.widget.stale


def test_a_fault_in_drawing_is_raised_even_a_value_error():
    lab = make(alt=lambda errors: "A line falls, all along." if len(errors) == 9 else "Too short.")
    with pytest.raises(ValueError, match="full sentence"):
        lab.run(layers=9)
    with pytest.raises(ValueError, match="full sentence"):
        enter(lab, layers="9")
    assert lab.widget.alert.startswith("The lab failed with ValueError: alt must say")


def test_a_change_during_a_computation_ends_it_and_the_last_one_is_shown():
    finished = []

    def slow(progress, kappa, layers, steps, noisy):
        for i in range(100):
            progress(i, 100)
            time.sleep(0.002)
        finished.append(kappa)
        return torch.tensor([1.0, 1 / kappa])

    lab = make(compute=slow)
    lab.widget  # noqa: B018
    finished.clear()

    async def hurry():
        enter(lab, kappa="20")
        await asyncio.sleep(0.05)
        assert lab.widget.busy
        assert lab.widget.stale
        assert lab.widget.done >= 0
        enter(lab, kappa="30")
        enter(lab, kappa="40")
        await lab.widget.task

    asyncio.run(hurry())
    assert finished == [40]
    assert "falls to 0.025 over" in lab.widget.figure
    assert not lab.widget.busy

    async def wait():  # mirrored: who waits sees each
        for kappa in ("20", "30"):
            enter(lab, kappa=kappa)
            await lab.widget.task

    asyncio.run(wait())
    assert finished == [40, 20, 30]


def test_an_impossible_entry_ends_a_computation():
    def slow(progress, kappa, layers, steps, noisy):
        for i in range(100 if kappa != 10 else 1):
            progress(i, 100)
            time.sleep(0.002)
        return torch.tensor([1.0, 1 / kappa])

    lab = make(compute=slow)
    before = lab.widget.figure

    async def hurry():
        enter(lab, kappa="20")
        await asyncio.sleep(0.02)
        enter(lab, kappa="?")
        await lab.widget.task

    asyncio.run(hurry())
    assert lab.widget.figure == before
    assert lab.widget.alert.startswith("“?” is not possible")
    assert not lab.widget.busy


def test_progress_is_reported():
    seen = []
    lab = make()
    lab.widget.observe(lambda change: seen.append(change.new), ["done", "message"])
    enter(lab, layers="16")
    assert "layer 1 of 16" in seen
    assert 1.0 in seen
    assert set(seen[-2:]) == {0.0, ""}  # nothing is left behind
    with pytest.raises(ValueError, match="between 0 and total"):
        Progress()(3, 2)


def test_where_it_ran_is_what_the_computation_says():
    def elsewhere(progress, **values):
        progress.device = "meta"
        return torch.tensor([1.0, 0.5])

    assert "Computed on the META." in make(compute=elsewhere).to_html()
    assert Progress().device == ("cuda" if torch.cuda.is_available() else "cpu")


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_the_site_has_a_picture_its_settings_and_no_dead_control():
    page = Tags(make().to_html())
    assert {"input", "select", "button", "progress", "script", "form"}.isdisjoint(page.tags)
    assert page.tags.count("svg") == page.tags.count("figure") == 1
    assert page.tags.count("dd") == 4
    for words in ("condition number κ10", "layers K8", "stepsfixed", "add noiseoff", "Binder or"):
        assert words in page.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"low": 5, "high": 5}, "low < high must be finite"),
        ({"low": 0, "log": True}, "low positive"),
        ({"start": 0.5}, "“0.5” is not possible"),
        ({"start": float("nan")}, "“nan” is not possible"),
        ({"step": 0}, "step must be positive"),
        ({"step": 1e-4}, "at most 1001 stops"),
        ({"start": 2.5, "integer": True}, "“2.5” is not possible for x: give a whole number"),
        ({"low": 1.5, "integer": True}, "low and high must be whole"),
        ({"name": "not a name"}, "Python allows"),
    ],
)
def test_a_number_refuses_a_range_that_is_none(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        Number(**{"name": "x", "label": "x", "start": 2, "low": 1, "high": 9, "step": 1} | fields)


def test_controls_and_labs_refuse_what_cannot_work():
    with pytest.raises(ValueError, match="two or more that differ"):
        Choice("steps", "steps", ("fixed", "fixed"), "fixed")
    with pytest.raises(ValueError, match="“silver” is not possible"):
        Choice("steps", "steps", ("fixed", "free"), "silver")
    with pytest.raises(ValueError, match="names that differ"):
        make(controls=(Toggle("a", "a", True), Toggle("a", "b", True)))
    with pytest.raises(ValueError, match="lower-case words"):
        make(name="Test")


@given(data=st.data(), log=st.booleans(), integer=st.booleans())
def test_every_stop_of_a_slider_is_allowed_and_reads_as_it_is_computed(data, log, integer):
    low = data.draw(st.integers(1, 50) if integer else st.floats(1e-3, 50))
    high = data.draw(st.integers(60, 5000) if integer else st.floats(60, 5000))
    step = 0.1 if log else (high - low) / data.draw(st.integers(1, 200))
    number = Number("x", "x", low, low, high, step, log=log, integer=integer)
    values = [number.read(stop) for stop in number.stops]
    assert values == sorted(set(values))
    assert (values[0], values[-1]) == (low, high)
    assert all(isinstance(value, int if integer else float) for value in values)
