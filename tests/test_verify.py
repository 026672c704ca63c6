"""`verify` runs everything of every chapter, and says so when something is false."""

from dataclasses import replace

import pytest
import sympy as sp

from unrolled import verify
from unrolled.__main__ import main
from unrolled.chapters import BOOK

FIRST = BOOK[0]
SMALL = replace(
    FIRST,
    ideas=FIRST.ideas[:1],
    guarantees=FIRST.guarantees[:2],
    quick_checks=FIRST.quick_checks[:1],
)


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_a_true_chapter_passes_and_every_check_has_a_line(capsys):
    assert verify.run(count=20, book=(SMALL,)) == 0
    *checks, took, closing = lines(capsys)
    expected = list(SMALL.verify(20))
    assert len(checks) == len(expected)
    for line, (name, verdict) in zip(checks, expected, strict=True):
        assert line.startswith("ok ")
        assert name in line
        assert verdict.detail in line
    assert took.startswith("checked in")
    assert closing == f"{len(expected)} passed, 0 failed"


def test_a_planted_false_bound_is_reported_and_counted(capsys):
    theorem = SMALL.theorems[0]
    planted = replace(theorem, bound=theorem.bound * sp.Rational(999, 1000))
    false = replace(SMALL, guarantees=(planted, *SMALL.guarantees[1:]))
    assert verify.run(count=20, book=(false, replace(SMALL, name="unrolling"))) == 1
    *checks, _, closing = lines(capsys)
    (failure,) = (line for line in checks if line.startswith("FAIL"))
    assert theorem.name in failure
    assert "0 of 20 random instances hold" in failure
    assert closing == f"{len(checks) - 1} passed, 1 failed"


def test_a_false_step_and_an_idle_assumption_are_reported(capsys):
    theorem = SMALL.theorems[0]
    step = theorem.derivation.steps[1]
    derivation = replace(theorem.derivation, steps=(replace(step, right=2 * step.right),))
    idle = replace(theorem.assumptions[0], violate=theorem.draw)
    false = replace(theorem, derivation=derivation, assumptions=(idle,))
    ideas = (replace(SMALL.ideas[0], theorems=(false,), claims=()),)
    chapter = replace(SMALL, ideas=ideas, guarantees=(false,), quick_checks=())
    assert verify.run(count=5, book=(chapter,)) == 2
    assert [line[:4] for line in lines(capsys) if line.startswith("FAIL")] == ["FAIL", "FAIL"]


def test_one_chapter_can_be_chosen_by_its_name(capsys):
    other = replace(SMALL, ideas=(), guarantees=())
    assert verify.run("unrolling", count=5, book=(other,)) == 0
    assert lines(capsys)[-1] == "1 passed, 0 failed"
    with pytest.raises(ValueError, match=r"only is 'nothing'; chapters are unrolling, convergence"):
        verify.run("nothing")


def test_the_command_returns_one_when_something_is_false(monkeypatch, capsys):
    monkeypatch.setattr(verify, "run", lambda only, count: 3)
    assert main(["verify"]) == 1
    monkeypatch.setattr(verify, "run", lambda only, count: 0)
    assert main(["verify", "--only", "rip", "--count", "7"]) == 0
    with pytest.raises(SystemExit) as stopped:
        main(["verify", "--count", "many"])
    assert stopped.value.code == 2


def test_the_book_is_checked_by_two_processes_as_by_one(capsys, monkeypatch):
    def printed():
        assert verify.run(FIRST.name, count=5) == 0
        return [line for line in lines(capsys) if not line.startswith("checked in")]

    monkeypatch.setattr(verify, "WORKERS", 2)
    divided = printed()
    monkeypatch.setattr(verify, "WORKERS", 1)
    assert divided == printed()
