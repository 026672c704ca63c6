"""Recipes as JSON keeps them, and the commit that is kept beside rows."""

import json
import subprocess
from types import MappingProxyType

import numpy as np
import pytest
import torch

from unrolled.experiments.provenance import commit_of, digest, plain


def test_a_recipe_is_what_json_gives_back():
    recipe = {"a": (1, 2.5, [None, True]), "b": MappingProxyType({"c": "d", "e": ()})}
    kept = plain(recipe, "recipe")
    assert kept == {"a": [1, 2.5, [None, True]], "b": {"c": "d", "e": []}}
    assert digest(json.loads(json.dumps(kept))) == digest(kept)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("-inf"), {1}, b"a", len, np.float32(1), torch.tensor(1), {1: 2}],
    ids=repr,
)
def test_what_json_cannot_hold_is_refused_by_its_key(value):
    with pytest.raises(ValueError, match=r"recipe\.lr\[1\] (is|has the key)"):
        plain({"steps": 1, "lr": [0.1, value]}, "recipe")


def test_a_digest_tells_recipes_apart():
    alike = {"a": 1, "b": {"c": [1.0], "d": None}}
    assert digest(alike) == digest({"b": {"d": None, "c": [1.0]}, "a": 1})
    for other in (
        {"a": 2, "b": {"c": [1.0], "d": None}},
        {"a": 1, "b": {"c": [1.0, 1.0], "d": None}},
        {"a": 1, "b": {"c": [1.0]}},
        {"a": True, "b": {"c": [1.0], "d": None}},
        "a",
    ):
        assert digest(other) != digest(alike)


def test_the_commit_is_that_of_the_code(tmp_path):
    """New and changed files of the code's folder leave a mark, those outside it none."""

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, timeout=60)

    code = tmp_path / "code"
    code.mkdir()
    git("init", "-q")
    assert commit_of(code) is None
    (code / "a.py").write_text("1")
    git("add", ".")
    git("commit", "-q", "-m", "a")
    clean = commit_of(code)
    assert clean
    assert not clean.endswith("+")
    (tmp_path / "rows.csv").write_text("2")
    assert commit_of(code) == clean
    (code / "b.py").write_text("3")
    assert commit_of(code) == clean + "+"
    (code / "b.py").unlink()
    (code / "a.py").write_text("4")
    assert commit_of(code) == clean + "+"
    # What is installed into an environment here is not what was committed here.
    installed = tmp_path / ".venv" / "code"
    installed.mkdir(parents=True)
    (installed / "a.py").write_text("1")
    (tmp_path / ".gitignore").write_text(".venv\n")
    assert commit_of(installed) is None
