"""What `pip install` brings to those who do not use make: the whole library and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = {"sympy", "matplotlib", "anywidget", "IPython"}

pytestmark = pytest.mark.xdist_group("wheel")  # else each worker builds its own

# Run in a process of its own: import every module of some rooms of the library from a folder, and
# print the packages and the library's files that this has loaded.
IMPORTING = """
import importlib
import pkgutil
import sys
from pathlib import Path

folder, *rooms = sys.argv[1:]
# A checkout's lib/ goes. An environment's packages stay, the library among them, but come later.
libs = [path for path in sys.path if Path(path, "unrolled").is_dir()]
libs = [path for path in libs if not Path(path, "torch").is_dir()]
sys.path[:] = [folder, *(path for path in sys.path if path not in libs)]
for room in rooms:
    module = importlib.import_module(f"unrolled.{room}")
    for inner in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
        importlib.import_module(inner.name)
for name, module in sys.modules.items():
    print(module.__file__ if name.startswith("unrolled") else name.partition(".")[0])
"""


def wheel_of(sources, folder):
    """Build a wheel of these sources, without a network, and unpack it into the folder."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder / "built"), str(sources)]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stderr
    (wheel,) = (folder / "built").iterdir()
    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return folder / "unpacked"


def copy_sources(folder):
    """A copy of what a wheel is made of: building leaves files beside it, and finds them again."""
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")
    for name in ("lib", "book/results"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=unwanted)
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The copy from which the wheel is built."""
    return copy_sources(tmp_path_factory.mktemp("wheel") / "sources")


@pytest.fixture(scope="module")
def unpacked(sources):
    """The folder into which the wheel was unpacked."""
    return wheel_of(sources, sources.parent)


def files(folder):
    """Every file in a folder, behind links too, relative to it."""
    return {
        str(Path(place, name).relative_to(folder))
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
    }


def test_the_wheel_holds_the_library_and_nothing_else(sources, unpacked):
    held = {name for name in files(unpacked) if ".dist-info" not in Path(name).parts[0]}
    assert held == {name for name in files(sources / "lib") if ".egg-info" not in name}
    assert held >= {
        "unrolled/py.typed",
        "unrolled/teaching/static/lab.js",
        "unrolled/experiments/results/lista-depth.csv",
    }


def test_what_pyproject_does_not_name_stays_behind(tmp_path):
    sources = copy_sources(tmp_path / "sources")
    project = sources / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace('"static/*"', ""))
    assert "unrolled/teaching/static/lab.js" not in files(wheel_of(sources, tmp_path))


def test_the_metadata_names_each_extra_with_what_it_requires(unpacked):
    (found,) = distributions(name="unrolled", path=[str(unpacked)])
    extras = PROJECT["optional-dependencies"]
    expected = {Requirement(text) for text in PROJECT["dependencies"]} | {
        Requirement(f'{text}; extra == "{extra}"') for extra in extras for text in extras[extra]
    }
    assert set(map(Requirement, found.requires)) == expected
    assert set(found.metadata.get_all("Provides-Extra")) == set(extras)
    assert found.version == PROJECT["version"]


def light_rooms():
    """The rooms of CONTRIBUTING's table that stand above the first one that needs an extra."""
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| `guarantees/`")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [room.removesuffix(".py") for row in rows for room in re.findall(r"`([\w.]+)/?`", row)]


def loaded(unpacked, *rooms):
    """What importing these rooms of the unpacked wheel has loaded: packages and files."""
    command = [sys.executable, "-I", "-c", IMPORTING, str(unpacked), *rooms]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines())


def test_light_rooms_import_from_the_wheel_without_what_is_heavy(unpacked):
    rooms = light_rooms()
    assert {"sensing", "isometry", "iterations", "networks", "training"} <= set(rooms)
    found = loaded(unpacked, *rooms)
    assert not found & HEAVY
    library = [path for path in found if f"{os.sep}unrolled{os.sep}" in path]
    assert len(library) > len(rooms)
    assert all(Path(path).is_relative_to(unpacked) for path in library)


def test_what_is_heavy_is_noticed(unpacked):
    assert loaded(unpacked, "teaching.explorable", "teaching.figures") & HEAVY == HEAVY
