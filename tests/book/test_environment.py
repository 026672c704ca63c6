"""One set of dependencies, named in several files that must agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from pages import ROOT

from tools import pins

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *EXTRAS.values())
    for text in group
    if not text.startswith("unrolled[")
]
PINS = {
    canonicalize_name(pin.name): pin
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for pin in map(Requirement, filter(None, [line.partition("#")[0].strip()]))
}
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def pinned(name: str) -> str:
    """The version at which a package is pinned."""
    (exact,) = PINS[canonicalize_name(name)].specifier
    assert exact.operator == "=="
    return exact.version


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_a_dependency_is_pinned_within_its_range_installed_so_and_has_a_reason(requirement):
    pin = pinned(requirement.name)
    assert requirement.specifier.contains(pin)
    assert Version(version(requirement.name)).public == Version(pin).public
    reasons = pins.reasons((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert reasons[canonicalize_name(requirement.name)]


def test_every_pin_is_exact():
    assert {name: pinned(name) for name in PINS}


def test_everything_installed_by_the_pins_fits_together():
    check = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout


def test_binder_installs_this_project_at_these_pins():
    *conda, last = ENVIRONMENT["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert "Programming Language :: Python :: 3.11" in PROJECT["classifiers"]
    options = dict(line.split(maxsplit=1) for line in last["pip"])
    assert options == {
        "--extra-index-url": "https://download.pytorch.org/whl/cpu",
        "--constraint": "constraints.txt",
        "--editable": ".[lab]",
    }


def test_binder_has_what_a_chapter_needs_and_not_what_builds_the_site():
    def below(extra: str) -> set[str]:
        names = {Requirement(text).name: Requirement(text).extras for text in EXTRAS[extra]}
        inner = {name for each in names.pop("unrolled", ()) for name in below(each)}
        return set(names) | inner

    assert below("lab") >= {"jupyterlab", "jupyterlab_myst", "anywidget", "ipywidgets", "sympy"}
    assert not below("lab") & {"jupyter-book", "pytest"}


def test_the_address_of_the_repository_is_one():
    configuration = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    address = configuration["repository"]["url"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert PROJECT["urls"]["Repository"] == citation["repository-code"] == address
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    binder = address.replace("https://github.com/", "https://mybinder.org/v2/gh/")
    assert f"{binder}/{configuration['repository']['branch']}" in readme
    assert citation["version"] == PROJECT["version"]


def test_the_readme_links_to_files_that_exist():
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        linked = re.sub(r"`[^`]*`", "", text)  # what is code links to nothing
        for target in re.findall(r"\]\((?!http)([^)]+)\)", linked):
            assert (ROOT / target).exists(), f"{name}: {target}"


def test_reasons_and_pins_are_rendered_as_they_are_kept():
    source = 'dependencies = [\n  "Some_Package>=1,<2", # why\n  "bare",\n]'
    assert pins.reasons(source) == {"some-package": "why"}
    text = pins.render({"some-package": "1.5+cpu", "other": "2", "unrolled": "0"}, {"other": "so"})
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    assert lines == [["other==2", "#", "so"], ["some-package==1.5"]]
