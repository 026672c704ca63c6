"""The README's examples run, and what it says of installing is so."""

import re
import tomllib
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
PROJECT = tomllib.loads(README.with_name("pyproject.toml").read_text(encoding="utf-8"))["project"]


def examples():
    return re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_there_are_examples():
    assert len(examples()) == 3


# What each prints, where it prints.
PRINTED = ("torch.Size([1, 40])", "", "δ_4 = ")


@pytest.mark.parametrize(("example", "word"), list(zip(examples(), PRINTED, strict=True)))
def test_each_example_runs(example, word, capsys):
    # The same calls with fewer steps.
    short = re.sub(r"(alone|together|final)=\d+", r"\1=1", example)
    exec(compile(short, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert word in printed
    assert bool(printed) == bool(word)


def named(text):
    """The extras of its table, and the addresses that it installs from."""
    table = re.search(r"^\| Extra .*?(?=\n\n)", text, flags=re.DOTALL | re.MULTILINE)[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    extras = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    return extras, set(re.findall(r"git\+([^\s`\"]+)", text))


def test_it_installs_each_extra_from_the_repository():
    text = README.read_text(encoding="utf-8")
    expected = list(PROJECT["optional-dependencies"]), {PROJECT["urls"]["Repository"]}
    assert named(text) == expected
    assert named(text.replace("| `sdp` ", "| `spd` ")) != expected
