import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.teaching.number import read_number

NUMBERS = {
    "1/5": 0.2,
    "0.2": 0.2,
    ".2": 0.2,
    "2.": 2.0,
    " 2e-3 ": 0.002,
    "-3E2": -300.0,
    "−1": -1.0,
    "+7": 7.0,
    "2^3": 8.0,
    "2**-2": 0.25,
    "-2^2": -4.0,
    "sqrt(2)/2": math.sqrt(2) / 2,
    "√2": math.sqrt(2),
    "3*(1 - 1/3)": 3 * (1 - 1 / 3),
    "π/4": math.pi / 4,
    "1-1": 0.0,
    "8/4/2": 1.0,
}
NONSENSE = {
    "": "Type a number first",
    "   ": "Type a number first",
    "0,2": "decimal point",
    "1,000": "decimal point",
    "one fifth": "not a number",
    "20%": "not a number",
    "x = 2": "not a number",
    "nan": "not a number",
    "inf": "not a number",
    "1e999": "not a finite number",
    "1/0": "divides by zero",
    "0^-1": "divides by zero",
    "sqrt(-1)": "negative",
    "2^0.5": "whole number",
    "2^99": "whole number",
    "(1": "closing bracket",
    "1)": "unexpected",
    "2 3": "unexpected",
    "2^3^2": "unexpected",
    "1/": "missing at the end",
    "*2": "unexpected",
    "1" * 101: "too long",
    "__import__('os')": "not a number",
    "٣": "not a number",
}


@pytest.mark.parametrize(("text", "value"), NUMBERS.items())
def test_numbers_are_read(text, value):
    assert read_number(text) == value


@pytest.mark.parametrize(("text", "reason"), NONSENSE.items())
def test_nonsense_gets_a_sentence(text, reason):
    with pytest.raises(ValueError, match=reason) as error:
        read_number(text)
    assert str(error.value).endswith(".")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_read_back_to_the_last_bit(value):
    assert read_number(repr(value)) == value


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**20))
def test_a_fraction_is_its_nearest_double(numerator, denominator):
    assert read_number(f"{numerator}/{denominator}") == float(numerator) / float(denominator)


@given(st.text(max_size=120))
def test_whatever_is_typed_gives_a_finite_number_or_a_sentence(text):
    try:
        value = read_number(text)
    except ValueError:
        return
    assert math.isfinite(value)
