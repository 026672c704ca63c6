"""What the library needs: torch and numpy for its networks, and imports that run one way."""

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import unrolled

LIBRARY = Path(unrolled.__file__).parent

# Run in a process of its own: refuse every top-level package but those given, then import.
REFUSING = """
import importlib
import sys

allowed, modules = (set(words.split(",")) for words in sys.argv[1:])


class Refuse:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed | sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{top} is refused", name=top)


sys.meta_path.insert(0, Refuse)
for module in sorted(modules):
    importlib.import_module(module)
"""


def needed(*distributions):
    """The top-level packages of these distributions and of all that they require."""
    found, waiting = set(), list(distributions)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            requirements = map(Requirement, requires(name) or ())
            waiting += [
                requirement.name
                for requirement in requirements
                if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            ]
    owners = packages_distributions().items()
    return {top for top, names in owners if found & set(map(canonicalize_name, names))}


def alone(*modules):
    """Import modules where there is nothing but torch, numpy and what torch requires."""
    allowed = needed("torch", "numpy") | {"unrolled"}
    command = [sys.executable, "-c", REFUSING, ",".join(allowed), ",".join(modules)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_networks_need_torch_and_numpy_alone():
    rooms = ("sensing", "signals", "prox", "iterations", "networks")
    result = alone(*(f"unrolled.{room}" for room in rooms))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("tqdm", "tqdm", None),
        ("unrolled.training", "tqdm", None),
        ("unrolled.guarantees", "flint", "guarantees"),
        ("unrolled.guarantees.rip", "flint", "guarantees"),
        ("unrolled.experiments", "filelock", "experiments"),
        ("unrolled.teaching", "IPython", "teaching"),
        ("unrolled.chapters", "flint", "teaching"),  # not first one extra, then another
    ],
)
def test_what_needs_more_is_refused_and_names_its_extra(module, missing, extra):
    if missing in needed("torch", "numpy"):
        pytest.skip(f"this torch requires {missing}")
    result = alone(module)
    assert result.returncode != 0
    said = result.stderr.splitlines()[-1]
    if extra is None:
        assert said == f"ModuleNotFoundError: {missing} is refused"
    else:
        room = ".".join(module.split(".")[:2])
        assert said.startswith(f"ModuleNotFoundError: {room} needs {missing}, ")
        assert f'pip install "unrolled[{extra}]"' in said


# A room may import from the rooms before it.
ORDER = (
    "extras", "machine", "verdict", "checks", "precision", "sensing", "signals", "prox", "isometry",
    "iterations", "networks", "training", "guarantees", "experiments",
)  # fmt: skip
BELOW = {room: set(ORDER[:place]) for place, room in enumerate(ORDER)}
# Teaching stands apart: it shows anything, and knows nothing of networks.
BELOW["teaching"] = {"checks", "extras", "machine", "verdict"}
# What a reader runs stands above all.
BELOW["chapters"] = {*ORDER, "teaching"}
BELOW["verify"] = BELOW["chapters"] | {"chapters"}
BELOW["__main__"] = BELOW["verify"] | {"verify"}


def room_of(path, library):
    return path.relative_to(library).parts[0].removesuffix(".py")


def imported(path, library):
    """The rooms that a file imports from, wherever in the file it does."""
    package = ("unrolled", *path.relative_to(library).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, [node.module])))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            match name.split("."):
                case ["unrolled", room, *_]:
                    yield room


def against_the_order(library):
    """Each import that runs the wrong way: (file, room)."""
    return {
        (str(path.relative_to(library)), room)
        for path in library.rglob("*.py")
        if path.parent != library or path.name != "__init__.py"
        for room in imported(path, library)
        if room not in BELOW[room_of(path, library)] | {room_of(path, library)}
    }


def test_every_room_has_its_place():
    rooms = {
        room_of(path, LIBRARY) for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py"
    }
    assert rooms == set(BELOW)
    # The package itself imports none of them.
    assert not set(imported(LIBRARY / "__init__.py", LIBRARY))


def rooms_in(table):
    """The rooms in the first column of CONTRIBUTING's table, from top to bottom."""
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = [name for row in rows for name in CODE.findall(row)]
    return [name.removesuffix("/").removesuffix(".py") for name in names]


CODE = re.compile(r"`([^`]+)`")


def test_the_picture_of_rooms_in_contributing_is_the_order_of_imports():
    text = (LIBRARY.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = rooms_in(text)
    assert rooms == [*ORDER, "teaching", "chapters", "verify", "__main__"]
    assert set(rooms) == set(BELOW)
    for place, room in enumerate(rooms):
        assert BELOW[room] <= set(rooms[:place])
    # A row too few or one in another place is noticed.
    without = "\n".join(line for line in text.splitlines() if "`isometry/`" not in line)
    assert rooms_in(without) != rooms


def test_imports_run_one_way():
    assert against_the_order(LIBRARY) == set()


@pytest.mark.parametrize(
    ("file", "line", "room"),
    [
        ("sensing/dense.py", "from unrolled.networks import LISTA", "networks"),
        ("prox.py", "import unrolled.iterations", "iterations"),
        ("checks.py", "from unrolled.sensing import DenseOperator", "sensing"),
        ("isometry/exact.py", "from unrolled.networks import LISTA", "networks"),
        ("iterations/lasso.py", "def late():\n    from ..networks import lista", "networks"),
        ("networks/oamp.py", "from unrolled import training", "training"),
        ("training/fit.py", "from unrolled.guarantees.theorem import Theorem", "guarantees"),
        ("teaching/lab.py", "from unrolled.training import fit", "training"),
        ("guarantees/draw.py", "from unrolled.teaching import figure", "teaching"),
        ("experiments/experiment.py", "from unrolled import chapters", "chapters"),
        ("verify.py", "import unrolled.__main__", "__main__"),
    ],
)
def test_an_import_against_the_order_is_found(tmp_path, file, line, room):
    library = shutil.copytree(LIBRARY, tmp_path / "unrolled")
    with (library / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    assert against_the_order(library) == {(str(Path(file)), room)}
