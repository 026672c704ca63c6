"""What holds for every chapter: what it defines it lists, keys are computed, charts draw."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml

from unrolled import chapters
from unrolled.chapters import BOOK, Chapter
from unrolled.teaching import Lab, QuickCheck

ROOT = Path(__file__).resolve().parents[2]
EACH = pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.name)
FILES = {"problems", "figures", "explorables", "labs", "quickchecks", "ideas"}


def package_of(chapter):
    return importlib.import_module(f"unrolled.chapters.{chapter.name}")


def modules(package):
    return [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
    ]


def things(package, kind):
    """Every object of this kind that a module of the package has, by name."""
    found = (thing for module in modules(package) for thing in vars(module).values())
    return {thing.name: thing for thing in found if isinstance(thing, kind)}


def charts(package):
    """Every public function without arguments that says that it returns an `Explorable`."""
    for module in modules(package):
        for name, thing in vars(module).items():
            if inspect.isroutine(inspect.unwrap(thing)) and not name.startswith("_"):
                signature = inspect.signature(thing)
                if signature.return_annotation == "Explorable" and not signature.parameters:
                    yield inspect.unwrap(thing).__name__


@EACH
def test_what_a_chapter_defines_it_lists(chapter):
    package = package_of(chapter)
    assert things(package, QuickCheck).keys() == {q.name for q in chapter.quick_checks}
    assert set(charts(package)) == {inspect.unwrap(c).__name__ for c in chapter.explorables}
    assert things(package, Lab).keys() == {lab.name for lab in chapter.labs}


def test_what_is_defined_and_not_listed_is_found(tmp_path, monkeypatch):
    package = tmp_path / "planted_chapter"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "shown.py").write_text(
        "from __future__ import annotations\n"
        "from unrolled.chapters.unrolling.quickchecks import BIAS\n"
        "from unrolled.chapters.unrolling.labs import RUN_ON_LAB\n"
        "from unrolled.teaching import Explorable\n"
        "def chart() -> Explorable: ...\n"
        "def _hidden() -> Explorable: ...\n"
        "def other(x) -> Explorable: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    planted = importlib.import_module("planted_chapter")
    assert set(things(planted, QuickCheck)) == {"unrolling.bias"}
    assert set(things(planted, Lab)) == {"unrolling.run-on"}
    assert set(charts(planted)) == {"chart"}


def in_contents(contents):
    """The notebooks that a table of contents names, in its order."""
    pages = re.findall(r"file: (\S+)", contents)
    return [f"{page}.ipynb" for page in pages if (ROOT / f"{page}.ipynb").exists()]


def test_the_book_is_the_table_of_contents():
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert in_contents(contents) == [chapter.notebook for chapter in BOOK]
    # A chapter that is left out of either is noticed.
    assert in_contents(contents.replace("      - file: book/rip\n", "")) != [
        chapter.notebook for chapter in BOOK
    ]
    assert yaml.safe_load(contents)["root"] == "book/intro"


def test_every_notebook_and_every_package_is_a_chapter():
    names = {chapter.name for chapter in BOOK}
    assert {path.stem for path in (ROOT / "book").glob("*.ipynb")} == names
    assert {found.name for found in pkgutil.iter_modules(chapters.__path__) if found.ispkg} == names
    assert len(names) == len(BOOK)


def prose(chapter):
    notebook = nbformat.read(ROOT / chapter.notebook, as_version=4)
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.DOTALL)


def hours_to_read(text):
    """At a hundred words a minute, and twenty seconds a formula."""
    words = re.findall(r"[A-Za-z]{2,}", FORMULA.sub(" ", text))
    return (len(words) / 100 + len(FORMULA.findall(text)) / 3) / 60


def plausible(read, text):
    """Whether that many hours, one at least, are what a text takes."""
    hours = hours_to_read(text)
    return 0.7 * hours < read < max(1.4 * hours, 1.5)


@EACH
def test_the_hours_of_a_chapter_are_those_that_its_length_asks_for(chapter):
    text, (read, in_all) = prose(chapter), chapter.hours
    assert plausible(read, text)
    exercises = len(re.findall(r"\{admonition\} Exercise", text))
    assert 0.3 < (in_all - read) / exercises < 1


def test_hours_that_a_text_does_not_take_are_noticed():
    text = 12000 * "word " + 720 * "$x$ "  # two hours and four
    assert plausible(6, text)
    assert not plausible(4, text)
    assert not plausible(9, text)


@EACH
def test_a_chapter_says_below_its_first_picture_what_one_needs(chapter):
    notebook = nbformat.read(ROOT / chapter.notebook, as_version=4)
    (name,) = (n for n, thing in vars(package_of(chapter)).items() if thing is chapter)
    place = [cell.source for cell in notebook.cells].index(f"chapter.{name}")
    assert not any("\n## " in cell.source for cell in notebook.cells[:place])
    shown = chapter._repr_markdown_()
    assert chapter.needs in shown
    assert all(f" {hours} " in shown for hours in chapter.hours)


@EACH
def test_a_chapter_is_headed_by_its_title_and_shows_all_that_it_lists(chapter):
    notebook = nbformat.read(ROOT / chapter.notebook, as_version=4)
    assert notebook.cells[0].source.splitlines()[0] == f"# {chapter.title}"
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    package, guarantees = package_of(chapter), f"unrolled.guarantees.{chapter.name}"
    shown = [
        (f"{chapter.name}.", importlib.import_module(guarantees), chapter.guarantees),
        ("chapter.", package, (*chapter.quick_checks, *chapter.labs)),
    ]
    for prefix, module, listed in shown:
        for thing in listed:
            (name,) = (n for n, value in vars(module).items() if value is thing)
            assert f"{prefix}{name}" in code, thing.name
    for chart in chapter.explorables:
        assert f"chapter.{inspect.unwrap(chart).__name__}()" in code


@EACH
def test_files_have_the_same_names_in_each_chapter(chapter):
    assert {module.__name__.rsplit(".", 1)[1] for module in modules(package_of(chapter))} <= FILES


@EACH
def test_no_name_means_a_theorem_and_a_question(chapter):
    theorems = importlib.import_module(f"unrolled.guarantees.{chapter.name}").__all__
    assert not set(theorems) & set(package_of(chapter).__all__)


def test_no_two_things_in_the_book_share_a_name():
    for kind in ("guarantees", "quick_checks", "labs"):
        names = Counter(thing.name for chapter in BOOK for thing in getattr(chapter, kind))
        assert max(names.values()) == 1


@EACH
def test_every_answer_key_is_computed(chapter):
    for question in chapter.quick_checks:
        for verdict in question.verify():
            assert verdict.passed, (verdict.label, verdict.detail)


@EACH
def test_every_chart_draws_finite_numbers_at_its_start(chapter):
    for make in chapter.explorables:
        chart = make()
        assert chart.name.startswith(f"{chapter.name}.")
        series = [values for panel in chart.evaluate({}) for values in panel.values()]
        assert series
        for _, y in series:
            assert np.isfinite(np.asarray(y, dtype=float)).all(), chart.name


PERCENT = re.compile(r":[^{}:]*%\}")


def percentages(source):
    """The lines that write a share as a percentage, rounded as it comes: 199 of 200 as 100%."""
    lines = (line for line in source.splitlines() if not line.strip().startswith("show="))
    return [line for line in lines if PERCENT.search(line)]


@EACH
def test_no_share_is_rounded_to_certainty(chapter):
    notebook = nbformat.read(ROOT / chapter.notebook, as_version=4)
    for cell in notebook.cells:
        assert percentages(cell.source) == []
    for module in modules(package_of(chapter)):
        assert percentages(inspect.getsource(module)) == []
    # A slider may, where that is all there is to its value.
    for make in chapter.explorables:
        for slider in make().sliders:
            if isinstance(slider.show, str) and "%" in slider.show:
                for value in slider.values:
                    shown = float(slider.show.format(value).removesuffix("%"))
                    assert shown / 100 == pytest.approx(value, rel=1e-9)


def test_a_rounded_percentage_is_found():
    assert percentages('f"{s} entries: {share:.0%}"')
    assert percentages('f"{share:%}"')
    assert not percentages('f"{count} of {len(errors)}"')
    assert not percentages("a layer in {k % 3} of them: 1.2 % of all")


def test_a_chapter_refuses_names_that_are_not_its_own_or_stand_twice():
    first, second = BOOK[:2]
    with pytest.raises(ValueError, match=rf"a name {second.name}\.… is needed"):
        replace(second, guarantees=first.guarantees)
    with pytest.raises(ValueError, match="more than once"):
        replace(first, quick_checks=2 * first.quick_checks)
    assert isinstance(replace(first, labs=()), Chapter)


def test_a_chapter_refuses_ideas_that_are_not_those_of_its_guarantees():
    first, second = BOOK[:2]
    for ideas in (first.ideas[1:], (*first.ideas, first.ideas[0]), second.ideas):
        with pytest.raises(ValueError, match="each of the chapter's guarantees is needed once"):
            replace(first, ideas=ideas)


def test_a_chapter_refuses_hours_that_are_none():
    for hours in ((0, 4), (3, 2)):
        with pytest.raises(ValueError, match=r"0 < hours to read ≤ hours in all"):
            replace(BOOK[0], hours=hours)


@EACH
def test_every_idea_can_be_broken(chapter):
    for idea in chapter.ideas:
        assumptions = [one for theorem in idea.theorems for one in theorem.assumptions]
        assert any(one.violate is not None for one in assumptions), idea.words
