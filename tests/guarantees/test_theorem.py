"""Theorems and refutations: the machinery can fail, and it says what it saw."""

from dataclasses import replace

import pytest
import sympy as sp
import torch

from unrolled.guarantees import (
    AT_LEAST,
    AT_MOST,
    EQUAL,
    Assumption,
    Derivation,
    NoDerivation,
    Refutation,
    Relation,
    Step,
    Theorem,
    dropped,
    evaluate,
)

a = sp.Symbol("a", positive=True)
double = sp.Symbol("d", positive=True)


def between_zero_and_one(generator):
    return float(torch.rand((), generator=generator))


SQUARE = Theorem(
    name="test.square",
    title="Squares shrink",
    statement="For $a$ in $[0,1]$: $<<quantity>> <<relation>> <<bound>>$, $d=<<d>>$.",
    assumptions=(
        Assumption("$a$ is at most 1", lambda generator: 1 + between_zero_and_one(generator)),
        Assumption("$a$ is a number"),
    ),
    quantity="a^2",
    relation=AT_MOST,
    bound=double / 2,
    where={double: 2 * a},
    draw=between_zero_and_one,
    measure=lambda instance: instance**2,
    values=lambda instance: {a: instance},
    source="Arithmetic.",
    derivation=NoDerivation("school"),
    attained=lambda generator: 1.0,
)

REFUTED = Refutation(
    name="test.cube",
    title="squares grow",
    claim="A square is larger than the number.",
    quantity="a^2",
    relation=AT_LEAST,
    bound=a,
    instance=lambda generator: 0.5,
    measure=lambda instance: instance**2,
    values=lambda instance: {a: instance},
    truth="Not below 1.",
    source="Arithmetic.",
)


def test_a_true_theorem_passes_its_sweep():
    sweep = SQUARE.check(200)
    assert sweep.passed
    assert len(sweep.measured) == 200
    assert sweep.worst <= 1
    assert "200 of 200" in sweep.summary()


def test_a_false_theorem_fails_its_sweep():
    # Tighter by a hundredth of a per cent of the range: only some instances contradict it.
    planted = replace(SQUARE, bound=double / 2 - sp.Rational(1, 5))
    sweep = planted.check(200)
    assert not sweep.passed
    assert 0 < int(sweep.held.sum()) < 200
    assert sweep.summary().startswith(f"{int(sweep.held.sum())} of 200")
    assert not all(verdict.passed for verdict in planted.verify(200))


def test_same_seed_same_sweep():
    assert torch.equal(SQUARE.check(20, seed=3).measured, SQUARE.check(20, seed=3).measured)
    assert not torch.equal(SQUARE.check(20, seed=3).measured, SQUARE.check(20, seed=4).measured)


def test_dropping_an_assumption_breaks_the_conclusion():
    (broken,) = SQUARE.drop().values()
    assert not broken.passed


def test_an_assumption_that_is_not_needed_fails_the_verification():
    idle = replace(SQUARE, assumptions=(Assumption("idle", between_zero_and_one),))
    verdicts = {verdict.label: verdict.passed for verdict in idle.verify(10)}
    assert verdicts == {
        "sweep: Squares shrink": True,
        "attained: Squares shrink": True,
        "dropped: idle": False,
    }


def test_a_bound_that_is_not_attained_fails_the_verification():
    assert SQUARE.attain().passed
    assert replace(SQUARE, attained=None).attain() is None
    loose = replace(SQUARE, attained=lambda generator: 0.5)
    assert not loose.attain().passed
    assert [v.label for v in loose.verify(10) if not v.passed] == ["attained: Squares shrink"]


def test_a_derivation_is_part_of_the_verification():
    steps = (Step.less("true", a, 2 * a, gap=a), Step.less("false", a, a / 2, gap=a))
    verdicts = replace(SQUARE, derivation=Derivation(steps)).verify(10)
    assert [v.passed for v in verdicts[:2]] == [True, False]


@pytest.mark.parametrize(
    ("relation", "shift", "holds"),
    [
        (AT_MOST, 0.1, False),
        (AT_LEAST, 0.1, True),
        (AT_LEAST, -0.1, False),
        (EQUAL, 0.0, True),
        (EQUAL, 1e-6, False),
    ],
)
def test_relations(relation, shift, holds):
    shifted = replace(
        SQUARE,
        statement="",
        relation=relation,
        bound=a,
        where={},
        measure=lambda instance: instance + shift,
    )
    assert shifted.check(50).passed is holds


def test_nan_never_holds():
    nan = torch.tensor([float("nan")])
    for relation in Relation:
        assert not relation.holds(nan, torch.ones(1), 1e-9)
        assert not relation.holds(torch.ones(1), nan, 1e-9)


def test_nan_neither_breaks_nor_refutes():
    broken = replace(SQUARE, measure=lambda instance: float("nan"))
    assert not broken.check(3).passed
    assert not next(iter(broken.drop().values())).broken
    assert not broken.verify(3)[-1].passed
    nothing = replace(REFUTED, measure=lambda instance: float("nan"))
    assert not nothing.verify()[0].passed


def test_markdown_comes_from_the_expression():
    shown = SQUARE._repr_markdown_()
    assert ":::{prf:theorem} Squares shrink" in shown
    assert ":label: thm-test-square" in shown
    assert rf"$a^2 \le {sp.latex(double / 2)}$, $d={sp.latex(2 * a)}$" in shown
    assert "<<" not in shown
    assert "- $a$ is at most 1" in shown


def test_a_refutation_passes_when_the_claim_fails_and_fails_when_it_stands():
    assert REFUTED.verify()[0].passed
    standing = replace(REFUTED, instance=lambda generator: 2.0)
    assert not standing.verify()[0].passed
    assert "The claim fails" in REFUTED._repr_markdown_()
    assert "not contradicted" in standing._repr_markdown_()


def test_a_claim_within_its_margin_is_not_refuted():
    close = replace(REFUTED, instance=lambda generator: 1 - 1e-9)
    assert not close.verify()[0].passed


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="relation is a str; a Relation is needed"):
        replace(SQUARE, relation="<=")
    with pytest.raises(ValueError, match="relation is a str"):
        replace(REFUTED, relation="≤")
    for strict in (SQUARE, REFUTED):
        with pytest.raises(ValueError, match="relation is LESS"):
            replace(strict, relation=Relation.LESS)
    with pytest.raises(ValueError, match="derivation is a NoneType"):
        replace(SQUARE, derivation=None)
    with pytest.raises(ValueError, match="reason is empty"):
        NoDerivation(" ")
    with pytest.raises(ValueError, match="count is 0"):
        SQUARE.check(0)
    with pytest.raises(ValueError, match="values lacks a"):
        evaluate(a + 1, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"statement": "<<quantity>> <<relatoin>> <<bound>>"}, "asks for <<relatoin>>; there are"),
        ({"statement": "<<D>>"}, "asks for <<D>>"),
        ({"statement": "<<no-such>>"}, "asks for <<no-such>>"),
        ({"statement": "<< bound >>"}, "asks for << bound >>"),
        ({"formulas": {"bound": a}}, "has <<bound>>, which is taken"),
        ({"formulas": {"d": a}}, "has <<d>>, which is taken"),
        ({"formulas": {"decay": a}}, "formulas of test.square has <<decay>>, which it never shows"),
    ],
)
def test_a_placeholder_and_what_fills_it_belong_together(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(SQUARE, **changes)


def test_placeholders_are_filled_in_one_pass_and_latex_is_left_alone():
    # A formula named like a word of the statement, and one that reads like a placeholder itself.
    tricky = replace(
        SQUARE,
        statement=r"$\text{decay}$ and $\underbrace{<<decay>>}_{\text{decay}}$: <<bound>>.",
        formulas={"decay": sp.Symbol("<<bound>>")},
    )
    shown = tricky.to_markdown()
    assert r"$\text{decay}$ and $\underbrace{<<bound>>}_{\text{decay}}$: " in shown
    assert sp.latex(double / 2) in shown


def test_dropped_shows_every_broken_conclusion():
    table = dropped((SQUARE, REFUTED))
    ((theorem, statement, sweep),) = table.rows
    assert theorem is SQUARE
    assert statement == "$a$ is at most 1"
    assert not sweep.passed
    shown = table._repr_markdown_()
    assert shown.count("✗ fails") == 1
    assert "Squares shrink" in shown
    idle = replace(SQUARE, assumptions=(Assumption("idle", between_zero_and_one),))
    assert "✓ holds" in dropped((idle,))._repr_markdown_()
    with pytest.raises(ValueError, match="no theorem"):
        dropped((REFUTED,))
