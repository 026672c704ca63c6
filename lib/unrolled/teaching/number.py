"""Reading a number that a reader typed. `static/quickcheck.js` reads by the same grammar::

    sum     = product { ("+" | "-") product }
    product = signed { ("*" | "/") signed }
    signed  = { "+" | "-" } power
    power   = atom [ "^" { "+" | "-" } digits ]
    atom    = decimal | "pi" | "sqrt" atom | "(" sum ")"

Both sides use only operations that IEEE 754 rounds in one way (`+`, `-`, `*`, `/` and the square
root), so they agree to the last bit. A test holds the two against each other.
"""

import math
import re

LONGEST = 100  # characters
LARGEST_EXPONENT = 64

_SPELLINGS = {"−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "√": "sqrt", "π": "pi", "**": "^"}
_TOKEN = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|sqrt|pi|[-+*/^()]")
_SPACE = re.compile("[ \t\r\n\u00a0\u2009\u202f]+")


def read_number(text: str) -> float:
    """Read "1/5", "0.2", "-3e-2", "2^3", "sqrt(2)/2" or "π/4" as a double.

    Raises:
        ValueError: a sentence for the reader that says why the text is no number.
    """
    if not isinstance(text, str):
        raise ValueError(f"Expected text, got {type(text).__name__}.")
    tokens = _tokens(text)
    value = _sum(tokens)
    if tokens:
        raise ValueError(f"“{tokens[0]}” is unexpected here. Try a form such as 3/7, 0.25 or 2e-3.")
    if not math.isfinite(value):
        raise ValueError("That is not a finite number.")
    return value


def _tokens(text: str) -> list[str]:
    for spelling, plain in _SPELLINGS.items():
        text = text.replace(spelling, plain)
    text = _SPACE.sub(" ", text).strip(" ")
    if not text:
        raise ValueError("Type a number first.")
    if len(text) > LONGEST:
        raise ValueError(f"That is too long: at most {LONGEST} characters.")
    if "," in text:
        raise ValueError("Write a decimal point, not a comma.")
    tokens = []
    while text:
        token = _TOKEN.match(text)
        if token is None:
            raise ValueError("That is not a number. Try a form such as 3/7, 0.25 or 2e-3.")
        tokens.append(token[0])
        text = text[token.end() :].lstrip(" ")
    return tokens


def _sum(tokens: list[str]) -> float:
    value = _product(tokens)
    while tokens and tokens[0] in "+-":
        if tokens.pop(0) == "+":
            value += _product(tokens)
        else:
            value -= _product(tokens)
    return value


def _product(tokens: list[str]) -> float:
    value = _signed(tokens)
    while tokens and tokens[0] in "*/":
        if tokens.pop(0) == "*":
            value *= _signed(tokens)
        else:
            divisor = _signed(tokens)
            if divisor == 0:
                raise ValueError("That divides by zero.")
            value /= divisor
    return value


def _signed(tokens: list[str]) -> float:
    return _sign(tokens) * _power(tokens)


def _sign(tokens: list[str]) -> int:
    sign = 1
    while tokens and tokens[0] in "+-":
        sign = -sign if tokens.pop(0) == "-" else sign
    return sign


def _power(tokens: list[str]) -> float:
    base = _atom(tokens)
    if not tokens or tokens[0] != "^":
        return base
    tokens.pop(0)
    sign = _sign(tokens)
    exponent = tokens.pop(0) if tokens else ""
    if not exponent.isdecimal() or int(exponent) > LARGEST_EXPONENT:
        raise ValueError(f"An exponent must be a whole number up to {LARGEST_EXPONENT}.")
    value = 1.0
    for _ in range(int(exponent)):  # math.pow may round differently from JavaScript's
        value *= base
    if sign > 0:
        return value
    if value == 0:
        raise ValueError("That divides by zero.")
    return 1 / value


def _atom(tokens: list[str]) -> float:
    token = tokens.pop(0) if tokens else None
    if token is None:
        raise ValueError("Something is missing at the end.")
    if token == "pi":
        return math.pi
    if token == "sqrt":
        radicand = _atom(tokens)
        if radicand < 0:
            raise ValueError("That takes the square root of a negative number.")
        return math.sqrt(radicand)
    if token == "(":
        value = _sum(tokens)
        if not tokens or tokens.pop(0) != ")":
            raise ValueError("A closing bracket is missing.")
        return value
    if token in ")+-*/^":
        raise ValueError(f"“{token}” is unexpected here. Try a form such as 3/7, 0.25 or 2e-3.")
    return float(token)
