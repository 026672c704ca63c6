"""The README's examples run."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


def examples():
    return re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_there_are_examples():
    assert len(examples()) == 2


@pytest.mark.parametrize("example", examples(), ids=range(len(examples())))
def test_each_example_runs(example, capsys):
    # The same calls with fewer steps.
    short = re.sub(r"(alone|together|final)=\d+", r"\1=1", example)
    exec(compile(short, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert ("δ_4 = " in printed) == ("print" in example)
