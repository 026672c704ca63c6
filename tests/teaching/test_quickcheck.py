import base64
import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.teaching.notebook import for_site
from unrolled.teaching.quickcheck import Misconception, Option, QuickCheck


def option(text, right):
    return Option(text, lambda: right, f"about {text}")


def choice(*rights, **fields):
    options = tuple(option(f"${i}$", right) for i, right in enumerate(rights))
    return QuickCheck.choice(**{"name": "q", "prompt": "Which?", "options": options} | fields)


def numeric(value, **fields):
    defaults = {"name": "q", "prompt": "How many?", "answer": lambda: value}
    return QuickCheck.numeric(**defaults | fields)


def twice(x):
    return 2 * x


def check_twice(function):
    for x in (1, 2.5):
        if function(x) != 2 * x:
            raise AssertionError(f"At {x} it should give {2 * x}.")


def code(**fields):
    defaults = {
        "name": "q",
        "prompt": "Write `twice`.",
        "stub": "def twice(x):\n    ...\n",
        "check": check_twice,
        "solution": twice,
        "wrong": (lambda x: x + 1,),
    }
    return QuickCheck.code(**defaults | fields)


def failures(question):
    return [verdict.label for verdict in question.verify() if not verdict.passed]


def answer_in(payload):
    return json.loads(base64.b64decode(payload["answer"]))


# ---- options


@given(st.lists(st.booleans(), min_size=2, max_size=6), st.booleans())
def test_a_choice_has_a_key_exactly_when_the_declared_number_is_right(rights, several):
    question = choice(*rights, several=several)
    if sum(rights) == 1 or (several and any(rights)):
        assert question.key() == tuple(rights)
        assert not failures(question)
    else:
        with pytest.raises(ValueError, match="option must be right"):
            question.key()
        assert failures(question) == ["q"]


@pytest.mark.parametrize(
    "right", [True, np.True_, np.array(True), torch.tensor(True), torch.ones(1) > 0, sympy.true]
)
def test_a_witness_may_answer_with_any_kind_of_bool(right):
    assert choice(right, False).key() == (True, False)


@pytest.mark.parametrize("undecided", [None, 1, 1.0, "yes", np.ones(2) > 0, sympy.Symbol("x") > 0])
def test_a_witness_that_does_not_decide_is_an_error(undecided):
    with pytest.raises(ValueError, match="must return a bool"):
        choice(True, undecided).key()
    assert failures(choice(True, undecided)) == ["q"]


def test_a_witness_that_raises_fails_verification():
    broken = Option("broken", lambda: 1 / 0, "never seen")
    question = choice(True, options=(option("a", True), broken))
    assert failures(question) == ["q"]


def test_the_key_is_computed_each_time():
    right = [True, False]
    options = (Option("a", lambda: right[0], "a"), Option("b", lambda: right[1], "b"))
    question = choice(options=options)
    assert question.key() == (True, False)
    right.reverse()
    assert question.key() == (False, True)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: choice(True), "at least two"),
        (lambda: choice(options=(option("a", True), option("a ", False))), "must differ"),
        (lambda: choice(True, False, prompt=" "), "prompt"),
        (lambda: choice(True, False, name="No Spaces"), "name"),
        (lambda: choice(True, False, name=None), "name"),
        (lambda: Option("a", True, "b"), "witness is True; Callable.* is needed"),
        (lambda: Option("", lambda: True, "b"), "text must be text"),
        (lambda: Option("a", lambda: True, ""), "feedback must be text"),
        (lambda: Misconception(1, ""), "feedback must be text"),
        (lambda: numeric(1, answer=1), "answer is 1; Callable.* is needed"),
        (lambda: numeric(1, relative=0.1, absolute=0.1), "exclude each other"),
        (lambda: numeric(1, relative=0), "relative must be positive"),
        (lambda: numeric(1, absolute=math.nan), "absolute must be positive"),
        (lambda: numeric(0.5).key(), "give relative= or absolute="),
        (lambda: numeric("1/2").key(), "finite real number"),
        (lambda: numeric(True).key(), "finite real number"),
        (lambda: numeric(math.inf, relative=0.1).key(), "finite real number"),
        (lambda: numeric(sympy.I).key(), "finite real number"),
        (lambda: numeric(sympy.Symbol("x")).key(), "finite real number"),
        (lambda: code(stub=""), "stub"),
        (lambda: code(wrong=()), "wrong must hold"),
        (lambda: code(wrong=(3,)), r"wrong is \(3,\); Sequence.* is needed"),
        (lambda: code(solution=None), "solution is None; Callable.* is needed"),
        (lambda: code(solution=lambda x: 3 * x).key(), "accept the solution alone"),
        (lambda: code(wrong=(lambda x: x + x,)).key(), "accept the solution alone"),
        (lambda: choice(True, False, prompt="$\\nonsense$").payload(), "formula"),
    ],
)
def test_what_makes_no_question_is_an_error(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()


# ---- numbers


@given(st.fractions(-1000, 1000, max_denominator=10**6))
def test_an_exact_answer_is_accepted_as_fraction_and_nothing_beside_it(value):
    question = numeric(value)
    assert question.key() == sympy.Rational(value.numerator, value.denominator)
    assert question.grade(str(value)).passed is True
    assert question.grade(str(value + Fraction(1, 10**4))).passed is False


@pytest.mark.parametrize(
    ("answer", "typed"),
    [
        (sympy.sqrt(2) / 2, "1/sqrt(2)"),
        (sympy.pi / 4, "pi/4"),
        (3, "3.0"),
        (np.int64(3), "6/2"),
        (torch.tensor(3), "3"),
        (0, "0.0"),
    ],
)
def test_exact_answers_of_other_kinds(answer, typed):
    assert numeric(answer).grade(typed).passed
    assert not failures(numeric(answer))


def test_tolerances_reach_as_far_as_they_say():
    relative = numeric(200.0, relative=0.01)
    assert relative.grade("201.9").passed is True
    assert relative.grade("202.1").passed is False
    absolute = numeric(200.0, absolute=0.01)
    assert absolute.grade("200.009").passed is True
    assert absolute.grade("200.011").passed is False


def test_a_misconception_is_recognised_and_explained():
    question = numeric(
        Fraction(1, 5),
        misconceptions=(Misconception(lambda: sympy.Rational(1, 4), "one layer short"),),
    )
    assert question.grade("0.25").message == "one layer short"
    assert question.grade("1/5").passed
    assert question.grade("0.201").message == "Close, but not exact."
    assert question.grade("17").message == ""
    assert question.grade("0,2").passed is None


def test_slips_that_any_number_invites_get_their_reason():
    question = numeric(Fraction(1, 5), misconceptions=(Misconception(5, "upside down"),))
    assert "sign" in question.grade("-1/5").message
    assert "percent" in question.grade("20").message
    assert question.grade("5").message == "upside down"  # the question's own words come first
    assert "divided" in numeric(Fraction(1, 4)).grade("4").message
    assert numeric(1).grade("1").passed  # its own reciprocal
    assert numeric(0).grade("0").passed
    assert numeric(40).grade("4000").message == ""


@pytest.mark.parametrize("planted", [Fraction(1, 5), 0.2, math.nan, "1/4"])
def test_a_misconception_that_is_no_wrong_number_fails_verification(planted):
    question = numeric(Fraction(1, 5), misconceptions=(Misconception(planted, "a slip"),))
    assert "q, misconception 1" in failures(question)
    right = numeric(Fraction(1, 5), misconceptions=(Misconception(0.25, "a slip"),))
    assert not failures(right)


@pytest.mark.parametrize("planted", [0.5, math.nan, sympy.oo, "a"])
def test_an_answer_that_is_no_number_fails_verification(planted):
    assert failures(numeric(planted)) == ["q"]


# ---- code


def test_code_is_accepted_rejected_or_left_open():
    question = code()
    assert question.key() == (True, False)
    assert question.grade(twice).passed is True
    assert question.grade(lambda x: x + 1).message == "At 2.5 it should give 5.0."
    assert question.grade(lambda x: None).passed is None
    assert question.grade(lambda x: ...).passed is None
    assert not failures(question)


def test_whatever_a_function_does_the_outcome_is_a_sentence():
    def unfinished(x):
        raise NotImplementedError

    def broken(x):
        return x / 0

    question = code()
    assert question.grade(unfinished).passed is None
    line = broken.__code__.co_firstlineno + 1
    assert question.grade(broken).message == (
        f"Your function stopped on line {line} with ZeroDivisionError: division by zero."
    )
    assert "stopped with TypeError" in question.grade(lambda: 1).message
    assert "could not be used (ValueError" in question.grade(lambda x: np.ones(3)).message
    assert "the function itself, not int" in question.grade(4).message


@pytest.mark.parametrize("error", [SystemExit, SystemExit(3), GeneratorExit, RecursionError])
def test_a_function_that_asks_for_the_end_gets_a_sentence_too(error):
    def leaving(x):
        raise error

    class Leaving:
        def __ne__(self, other):
            raise error

    assert "stopped on line" in code().grade(leaving).message
    assert "could not be used" in code().grade(lambda x: Leaving()).message


def test_an_interrupt_stays_one():
    def slow(x):
        raise KeyboardInterrupt

    class Slow:
        def __ne__(self, other):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        code().grade(slow)
    with pytest.raises(KeyboardInterrupt):
        code().grade(lambda x: Slow())


@pytest.mark.parametrize(
    ("planted", "where"),
    [
        ({"wrong": (lambda x: x + x,)}, "q, wrong answer 1"),
        ({"solution": check_twice}, "q"),
        ({"check": lambda function: None}, "q, wrong answer 1"),
        ({"stub": "def twice(x):\n    return 2 * x\n"}, "q, stub"),
        ({"stub": "def twice(x)"}, "q, stub"),
        ({"stub": "twice = 2"}, "q, stub"),
        ({"wrong": (lambda x: None,)}, "q, wrong answer 1"),
    ],
)
def test_a_planted_fault_in_a_code_question_fails_verification(planted, where):
    assert where in failures(code(**planted))


def test_the_page_shows_the_source_of_the_solution():
    assert answer_in(code().payload())["solution"] == "def twice(x):\n    return 2 * x"


def test_a_grade_names_its_question():
    assert code().grade(twice).question == "q"
    assert 'data-question="q"' in code().grade(twice)._repr_html_()


def test_a_grade_is_shown_as_text_and_as_escaped_html():
    def broken(x):
        raise RuntimeError("<b>")

    grade = code().grade(broken)
    assert str(grade).startswith("✗ Not yet. Your function stopped")
    assert "RuntimeError: &lt;b&gt;" in grade._repr_html_()
    assert 'data-grade="wrong"' in grade._repr_html_()
    assert 'data-grade="right"' in code().grade(twice)._repr_html_()


# ---- display


QUESTIONS = [
    choice(True, False),
    numeric(Fraction(1, 5), misconceptions=(Misconception(1, "x"),)),
    code(),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=["choice", "numeric", "code"])
def test_a_question_has_both_displays(question):
    bundle = question._repr_mimebundle_()
    assert bundle["text/plain"] == "Quick check q"
    assert set(bundle) == {"text/plain", "text/html"}
    assert for_site(bundle["text/html"]) == question.page()
    data = re.search(r'<script type="application/json">(.*?)</script>', bundle["text/html"])[1]
    assert json.loads(data) == json.loads(json.dumps(question.payload()))
    assert "<details>" in bundle["text/html"]  # the answer where no script runs


def test_nothing_in_a_question_ends_its_script():
    question = choice(True, False, prompt="`</script>`")
    assert question.page().count("</script>") == 1


@pytest.mark.parametrize("question", QUESTIONS, ids=["choice", "numeric", "code"])
def test_the_key_is_not_in_plain_sight(question):
    payload = question.payload()
    assert not {"right", "feedback", "value", "solution"} & payload.keys()
    assert answer_in(payload)


def test_a_changed_question_has_a_new_version_and_last_digits_make_none():
    assert choice(True, False).payload()["version"] == choice(True, False).payload()["version"]
    assert choice(True, False).payload()["version"] != choice(False, True).payload()["version"]
    third = numeric(1 / 3, relative=0.01).payload()["version"]
    assert numeric(1 / 3 + 1e-12, relative=0.01).payload()["version"] == third
    assert numeric(0.34, relative=0.01).payload()["version"] != third
