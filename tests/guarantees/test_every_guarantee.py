"""What every theorem and refutation of every chapter must withstand; a new one needs no test more.

A theorem is swept by a thousand random instances, its derivation is decided, its bound is met where
it says so, and each assumption that can be dropped breaks it. All of these are known to be able to
fail: see test_theorem.py and test_derivation.py.
"""

import importlib
import pkgutil
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from unrolled import guarantees
from unrolled.chapters import BOOK
from unrolled.guarantees import AT_LEAST, AT_MOST, EQUAL, NoDerivation, Refutation, Theorem

LISTED = {g.name: g for chapter in BOOK for g in chapter.guarantees}
THEOREMS = {name: g for name, g in LISTED.items() if isinstance(g, Theorem)}
REFUTATIONS = {name: g for name, g in LISTED.items() if isinstance(g, Refutation)}
ATTAINED = [name for name, theorem in THEOREMS.items() if theorem.attained is not None]


def defined(package):
    """Every theorem and refutation that a module of the package defines, by name."""
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
    ]
    things = (thing for module in modules for thing in vars(module).values())
    return {thing.name: thing for thing in things if isinstance(thing, Theorem | Refutation)}


@pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
def test_what_a_chapter_defines_it_lists(chapter):
    package = importlib.import_module(f"unrolled.guarantees.{chapter.name}")
    assert chapter.guarantees is package.GUARANTEES
    assert defined(package).keys() == {guarantee.name for guarantee in chapter.guarantees}


def test_a_theorem_that_is_not_listed_is_found(tmp_path, monkeypatch):
    package = tmp_path / "planted"
    package.mkdir()
    (package / "__init__.py").write_text("GUARANTEES = ()\n")
    (package / "file.py").write_text(
        "from unrolled.guarantees.unrolling import RUN_ON\nFORGOTTEN = RUN_ON\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    planted = importlib.import_module("planted")
    assert defined(planted).keys() == {"unrolling.run-on"} != set(planted.GUARANTEES)


def test_every_package_of_guarantees_belongs_to_a_chapter():
    packages = {found.name for found in pkgutil.iter_modules(guarantees.__path__) if found.ispkg}
    assert packages == {chapter.name for chapter in BOOK}


@pytest.mark.parametrize("name", THEOREMS)
def test_a_sweep_of_a_thousand_instances_holds(name):
    sweep = THEOREMS[name].check(1000, seed=1)
    assert len(sweep.held) - sweep.climbed == 1000
    assert sweep.passed, sweep.summary()


@pytest.mark.parametrize("name", THEOREMS)
def test_every_step_is_decided(name):
    for verdict in THEOREMS[name].derivation.verify():
        assert verdict.passed, (verdict.label, verdict.detail)


@pytest.mark.parametrize("name", THEOREMS)
def test_a_theorem_without_a_derivation_names_the_one_it_follows_from(name):
    derivation = THEOREMS[name].derivation
    if isinstance(derivation, NoDerivation):
        assert derivation.follows in THEOREMS
        assert derivation.follows != name


DROPPED = [
    (name, place)
    for name, theorem in THEOREMS.items()
    for place, assumption in enumerate(theorem.assumptions)
    if assumption.violate is not None
]


@pytest.mark.parametrize(("name", "place"), DROPPED)
def test_a_dropped_assumption_breaks_the_conclusion_whatever_the_seed(name, place):
    theorem = THEOREMS[name]
    assumption = theorem.assumptions[place]
    assert assumption.holds is not None, "say how to tell whether an instance satisfies it"
    instances = [assumption.violate(torch.Generator().manual_seed(seed)) for seed in range(50)]
    for seed, instance in enumerate(instances):
        assert theorem.fails(instance) == [theorem.stated(assumption)], seed
    unbroken = [seed for seed, i in enumerate(instances) if not theorem._sweep([i]).broken]
    assert unbroken == []


@pytest.mark.parametrize("name", [name for name, theorem in THEOREMS.items() if theorem.same])
def test_a_theorem_that_lists_no_assumptions_assumes_what_the_other_does(name):
    theorem = THEOREMS[name]
    assert theorem.assumptions == THEOREMS[theorem.same].assumptions
    assert "It assumes" not in theorem.to_markdown()
    assert "It assumes" in THEOREMS[theorem.same].to_markdown()


@pytest.mark.parametrize("name", THEOREMS)
def test_what_is_drawn_satisfies_every_assumption(name):
    theorem = THEOREMS[name]
    for instance in theorem._some(100):
        assert theorem.fails(instance) == []


@pytest.mark.parametrize("name", ATTAINED)
def test_the_bound_is_attained_and_a_bound_moved_by_a_thousandth_is_caught(name):
    theorem = THEOREMS[name]
    for seed in range(5):
        assert theorem.attain(seed=seed).passed
    factor = {AT_MOST: 0.999, AT_LEAST: 1.001}[theorem.relation]
    moved = replace(theorem, bound=factor * theorem.bound)
    assert not moved.check(300).passed
    assert not moved.attain().passed


@pytest.mark.parametrize("name", [n for n, t in THEOREMS.items() if t.relation is EQUAL])
def test_an_equation_moved_by_a_hundredth_is_caught(name):
    theorem = THEOREMS[name]
    moved = replace(theorem, bound=theorem.bound * 101 / 100 + int(theorem.bound == 0))
    assert not moved.check(10).passed


@pytest.mark.parametrize("name", REFUTATIONS)
def test_the_counterexample_contradicts_the_claim(name):
    (verdict,) = REFUTATIONS[name].verify()
    assert verdict.passed, verdict.detail


def misprints(markdown):
    """What a reader would stumble over: code, names that are no commands, braces left open."""
    found = [line for line in markdown.splitlines() if line.startswith("    ")]
    found += re.findall(r"<<.*?>>", markdown)
    greek = "alpha|beta|gamma|delta|epsilon|eta|theta|kappa|lambda|mu|nu|rho|sigma|tau|phi"
    found += [
        f"{block[:20]}: {word}"
        for block in markdown.split("$$")[1::2]
        for word in re.findall(rf"(?<![\\\w])(?:{greek})(?!\w)", block)
    ]
    found += [block for block in markdown.split("$$") if block.count("{") != block.count("}")]
    words = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`", "", markdown, flags=re.DOTALL)
    found += re.findall(r"\\[A-Za-z]+", words)  # a formula that stands outside of mathematics
    return found + ["an open formula"] * (markdown.count("$$") % 2)


@pytest.mark.parametrize("name", LISTED)
def test_what_is_printed_is_text_and_formulas(name):
    markdown = LISTED[name]._repr_markdown_()
    if name in THEOREMS:
        markdown += THEOREMS[name].derivation._repr_markdown_()
    assert misprints(markdown) == []


@pytest.mark.parametrize(
    "text",
    [
        "One.\n\n    indented",
        "$$\n<<bound>>\n$$",
        "$$\nrho^K\n$$",
        "$$\n\\frac{1}{2\n$$",
        "$$ a",
        r"whose rate is \frac{1}{2}.",
    ],
)
def test_misprints_are_found(text):
    assert misprints(text)


CITED = re.compile(r"[Tt]heorem `([a-z_]+\.[a-z-]+)`")


def test_every_theorem_that_the_library_cites_exists():
    library = Path(guarantees.__path__[0]).parent
    cited = {name for path in library.rglob("*.py") for name in CITED.findall(path.read_text())}
    assert cited
    assert cited <= LISTED.keys()
    assert CITED.findall("(theorem `convergence.noise-shift`)") == ["convergence.noise-shift"]
