"""A package that is missing is answered with the extra that brings it."""

import ast
import tomllib
from pathlib import Path

import pytest

import unrolled
from unrolled.extras import extra

LIBRARY = Path(unrolled.__file__).parent
PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def test_the_outermost_block_names_its_extra():
    said = 'outside needs no_such, which is not installed; pip install "unrolled[all]" brings it'
    with (
        pytest.raises(ModuleNotFoundError) as caught,
        extra("all", "outside"),
        extra("part", "inside"),
    ):
        import no_such.package  # noqa: F401
    assert str(caught.value) == said
    assert caught.value.name == "no_such"


def test_no_extra_is_blamed_for_a_mistake_in_the_library():
    with pytest.raises(ModuleNotFoundError) as caught, extra("all", "outside"):
        import unrolled.no_such  # noqa: F401
    assert str(caught.value) == "No module named 'unrolled.no_such'"


def test_every_extra_that_is_named_exists():
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    named = {
        node.args[0].value
        for path in LIBRARY.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "extra"
    }
    assert named == {"guarantees", "sdp", "rf", "experiments", "teaching"}
    assert named <= set(project["optional-dependencies"])
