"""The quick checks and the lab of the RIP chapter say what the library computes."""

import re
from dataclasses import replace

import pytest
import torch

from unrolled.chapters.rip import quickchecks
from unrolled.chapters.rip.labs import (
    ADJOINT,
    ANALYTIC,
    CERTIFICATE_LAB,
    MOST_COLUMNS,
    YOURS,
    Bracket,
    certificate_lab,
    describe,
    summarise,
)
from unrolled.chapters.rip.problems import BASES, COSINES, FRAME, GAUSSIAN, TALL, problems
from unrolled.guarantees.latex import scientific
from unrolled.isometry.constants import isometry_constant
from unrolled.sensing import DenseOperator, equiangular_frame, gaussian
from unrolled.teaching import Progress

QUICK = {"sparsity": 1, "matrix": FRAME}  # a setting that takes no time
BELOW = 1 + 1e-9


def _gaussian(m, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return gaussian(m, n, generator=generator, dtype=torch.float64)


def _holds(result):
    return bool((result.measured.worst <= result.certificate * BELOW + 1e-12).all())


def _has_false_positives(result):
    return bool(result.measured.false_positives.any())


def test_the_keys_are_the_ones_that_the_chapter_proves():
    keys = {question.name: question.key() for question in quickchecks.QUICK_CHECKS}
    assert keys == {
        "rip.contraction": (False, True, False, False),
        "rip.sparsity": 5,
        "rip.small-signal": (False, True, False, False),
        "rip.tied": (False, True, False, False),
        "rip.constant": keys["rip.constant"],
        "rip.exact-ric": (True, False, False, False, False),
    }
    assert float(keys["rip.constant"]) == pytest.approx(0.366, abs=5e-4)


def test_every_condition_on_the_columns_is_met_by_some_and_missed_by_some():
    spectra = [torch.linalg.svdvals(A) for A, _ in quickchecks._few_columns()]
    for condition in (
        lambda values: values[0] ** 2 <= 1.9,
        lambda values: ((values**2 - 1).abs() <= 0.9).all(),
        lambda values: values[0] <= 1 + 1e-9,
    ):
        met = sum(bool(condition(values)) for values in spectra)
        assert 20 < met < len(spectra) - 20


def test_a_layer_without_thresholds_does_what_its_matrix_says():
    for A, factor in quickchecks._few_columns()[:50]:
        identity = torch.eye(A.shape[1], dtype=A.dtype)
        norm = torch.linalg.matrix_norm(identity - A.T @ A, ord=2)
        assert factor == pytest.approx(float(norm), rel=1e-6, abs=1e-3)


def test_every_tied_network_settles_in_proportion_to_its_threshold():
    runs = quickchecks._tied_runs()
    assert len(runs) == 9
    for run in runs:
        assert run.errors.shape == (4, quickchecks.TIED_LAYERS + 1, 20)
        assert run.thresholds[-1] > 1.1 * run.thresholds[0]
        assert run.settles()
        assert run.in_proportion()
        # None of the other options holds for any of the signals.
        assert run.errors[:, -1].min() > 1e-6
        assert (run.errors[:, 60] / run.errors[:, 30]).min() > 0.9
        assert (run.errors.amax(1) <= run.errors[:, 0]).all()


@pytest.mark.parametrize("sparsity", [1, 2, 3])
def test_signals_have_the_entries_that_they_are_asked_for(sparsity):
    generator = torch.Generator().manual_seed(0)
    x = quickchecks._signals_above(generator, 16, sparsity, 0.3)
    torch.testing.assert_close(x.abs().sum(1), torch.ones(20, dtype=torch.float64))
    assert ((x != 0).sum(1) == sparsity).all()
    assert x[x != 0].abs().min() > 0.3
    assert len({tuple(row) for row in (x != 0).tolist()}) > 5
    assert {-1, 1} == set(x[x != 0].sign().tolist())


def _tied_on_bases(*entries, generator):
    """The first certified threshold and twice as much, on a signal of [I, H] 64×128."""
    problem = problems()[BASES]
    x = torch.zeros(1, 128, dtype=torch.float64)
    support = torch.randperm(128, generator=generator)[: len(entries)]
    x[0, support] = torch.tensor(entries, dtype=torch.float64)
    first = problem.coherence * float(x.abs().sum())
    thresholds = first * torch.tensor([1.0, 2.0], dtype=torch.float64)
    return quickchecks._run_tied(problem, x, thresholds)


@pytest.mark.parametrize("entries", [(1, 0.05), (1, 0.1, 0.1, 0.1), (1, -1, 0.2)])
def test_entries_that_are_not_above_the_threshold_break_the_proportion(entries):
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        run = _tied_on_bases(*entries, generator=generator)
        assert run.settles()
        assert not run.in_proportion()
        assert run.errors[1, -1, 0] < 1.99 * run.errors[0, -1, 0]
    assert _tied_on_bases(1, -1, generator=generator).in_proportion()  # no small entry


def test_below_twice_the_threshold_some_random_signals_break_the_proportion():
    generator, problem = torch.Generator().manual_seed(0), problems()[BASES]
    thresholds = torch.tensor([0.125, 0.15], dtype=torch.float64)  # the first is certified
    above = quickchecks._signals_above(generator, 128, 3, 2 * 0.15)
    below = quickchecks._signals_above(generator, 128, 3, 0.15 / 2)
    assert quickchecks._run_tied(problem, above, thresholds).in_proportion()
    assert not quickchecks._run_tied(problem, below, thresholds).in_proportion()


def test_the_frame_has_the_constants_that_the_code_question_expects():
    frame = equiangular_frame(dtype=torch.float64)
    for order, value in ((2, 1 / 3), (3, 2 / 3), (4, 1.0)):
        assert float(isometry_constant(frame, order)) == pytest.approx(value)
        assert quickchecks.exact_ric(frame.dense(), order) == pytest.approx(value)


def test_the_code_question_grades_answers_of_many_kinds():
    grade = quickchecks.EXACT_RIC.grade
    assert grade(lambda A, s: torch.tensor(quickchecks.exact_ric(A, s))).passed
    assert grade(lambda A, s: float(isometry_constant(A, s))).passed
    assert "larger" in grade(lambda A, s: 0.0).message
    assert "no x attains it" in grade(lambda A, s: 10.0).message
    assert grade(lambda A, s: ...).passed is None


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("10", "(s-1)"),
        ("9", "s\\mu"),
        ("4", "2s"),
        ("11/2", "exactly what it was"),
        ("6", "ten tenths"),
        ("11", "not yet paid for"),
        ("1", "hears no other"),
    ],
)
def test_slips_about_the_sparsity_are_named(typed, words):
    grade = quickchecks.SPARSITY.grade(typed)
    assert grade.passed is False
    assert words in grade.message


@pytest.mark.parametrize("typed", ["0.414", "0.577", "1/2", "1/3", "1/4", "1", "0.707"])
def test_slips_about_the_constant_are_named(typed):
    grade = quickchecks.CONSTANT.grade(typed)
    assert grade.passed is False
    assert grade.message
    assert quickchecks.CONSTANT.grade("0.366").passed


def test_the_lab_starts_with_what_a_certificate_costs():
    state = CERTIFICATE_LAB.default
    result = state.result
    assert (result.mu, result.most, result.rate) == pytest.approx((1 / 8, 4, 7 / 8))
    assert [each.upper.s for each in result.constants] == [1, 2, 3, 4, 5]
    for each in result.constants:
        assert each.lower.value <= each.upper.value
    assert result.constants[1].upper.value == pytest.approx(1 / 8)
    assert 5 < result.price < 20
    assert f"{result.price:.1f} dB" in state.summary
    assert "false positives after 12 of 12 layers" in state.figure.alt
    # What is paid for: the trained network breaks the certificate, the certified one keeps it.
    assert not _holds(result)
    certified = CERTIFICATE_LAB.run(thresholds="certified")
    assert _holds(certified)
    torch.testing.assert_close(certified.measured.mean, result.with_certified.mean)


@pytest.mark.parametrize("noise", [0, 0.02])
@pytest.mark.parametrize(
    "setting",
    [
        {"matrix": FRAME, "sparsity": 1},
        {"matrix": FRAME, "sparsity": 3, "layers": 30},  # the certificate grows, and holds
        {"matrix": BASES, "sparsity": 2},
        {"matrix": GAUSSIAN, "sparsity": 2},
        {"matrix": GAUSSIAN, "sparsity": 2, "weights": ANALYTIC},
        {"matrix": TALL, "sparsity": 3},
        {"matrix": COSINES, "sparsity": 2, "weights": ANALYTIC},
        {"matrix": "Gaussian 32×48", "sparsity": 4, "layers": 1},
    ],
)
def test_certified_thresholds_keep_their_promise(setting, noise):
    result = CERTIFICATE_LAB.run(noise=noise, thresholds="certified", **setting)
    assert _holds(result)
    assert not _has_false_positives(result)
    assert "exceeds the certificate" in summarise(result)
    assert "Some layer" not in summarise(result)
    assert result.price is None


def test_on_the_frame_the_certificate_is_attained_and_smaller_thresholds_break_it():
    certified = CERTIFICATE_LAB.run(**QUICK, thresholds="certified")
    torch.testing.assert_close(certified.measured.worst, certified.certificate)
    tenth = CERTIFICATE_LAB.run(**QUICK, thresholds="a tenth of them")
    torch.testing.assert_close(tenth.certificate, certified.certificate)
    assert not _holds(tenth)
    assert _has_false_positives(tenth)
    assert tenth.measured.worst[-1] > 100
    assert "which is not about these thresholds" in summarise(tenth)
    assert "0 of 12 layers" in describe(certified)


def test_a_certificate_below_rounding_is_said_to_be():
    tiny = CERTIFICATE_LAB.run(matrix=TALL, sparsity=1, layers=30, thresholds="certified")
    assert tiny.certificate[-1] < 1e-16
    assert (tiny.measured.worst > tiny.certificate).any()
    (said,) = re.findall(r"but by rounding, at most \$([^$]+)\$", summarise(tiny))
    excess = float((tiny.measured.worst - tiny.certificate).max())
    assert said == scientific(excess, 2)
    # Where no layer exceeds it, or one does by more, nothing is put down to rounding.
    for thresholds in ("certified", "a tenth of them"):
        result = CERTIFICATE_LAB.run(sparsity=2, thresholds=thresholds)
        assert "rounding" not in summarise(result)


def test_analytic_weights_certify_what_the_adjoint_cannot():
    adjoint = CERTIFICATE_LAB.run(matrix=GAUSSIAN, sparsity=2, weights=ADJOINT)
    analytic = CERTIFICATE_LAB.run(matrix=GAUSSIAN, sparsity=2, weights=ANALYTIC)
    assert analytic.rate < 1 < adjoint.rate
    assert (adjoint.most, analytic.most) == (1, 3)
    # The constants are those of A, whatever the weights.
    assert str(adjoint.constants) == str(analytic.constants)


def test_the_constants_are_the_library_s():
    result = CERTIFICATE_LAB.run(matrix=FRAME, sparsity=3, thresholds="certified")
    frame = equiangular_frame(dtype=torch.float64)
    for order, each in enumerate(result.constants, start=1):
        assert each.exact
        assert each.upper.value == pytest.approx(float(isometry_constant(frame, order)))
    assert "all exact" in summarise(result)
    assert result.isometry_rate == pytest.approx(2 / 3 + 3**0.5)


def test_constants_out_of_reach_lie_between_bounds():
    result = CERTIFICATE_LAB.run(sparsity=10, layers=1, thresholds="certified")
    last = result.constants[-1]
    assert not last.exact
    assert (last.lower.kind, last.upper.kind) == ("lower", "upper")
    assert "≤ δ_11 ≤" in describe(result)
    assert "at most" in summarise(result)


def test_bounds_are_shown_rounded_outwards():
    frame = equiangular_frame(dtype=torch.float64)
    greedy = isometry_constant(frame, 5, "greedy")
    coherence = isometry_constant(frame, 5, "coherence")
    shown = str(Bracket(replace(greedy, value=0.99996), replace(coherence, value=1.00001)))
    low, high = map(float, re.fullmatch(r"(\S+) ≤ δ_5 ≤ (\S+)", shown).groups())
    assert (low, high) == (0.999, 1.001)


@pytest.mark.parametrize("kind", [torch.Tensor.float, torch.Tensor.double, DenseOperator])
def test_your_own_matrix_is_certified(kind):
    A = _gaussian(20, 26)
    lab = certificate_lab(kind(3.0 * A.dense()))
    assert lab.default.values["matrix"] == YOURS
    result = lab.default.result
    assert _holds(result)
    assert not _has_false_positives(result)
    columns = A.dense() / A.dense().norm(dim=0)
    expected = float(isometry_constant(columns, 2))
    assert result.constants[1].upper.value == pytest.approx(expected, abs=1e-6)
    # The other matrices are still there, and the lab of the page knows nothing of yours.
    assert lab.run(**QUICK).most == 1
    with pytest.raises(ValueError, match=YOURS):
        CERTIFICATE_LAB.run(matrix=YOURS)


def test_an_orthogonal_matrix_is_recovered_at_once():
    result = certificate_lab(torch.eye(6)).run(sparsity=6, thresholds="trained")
    assert (result.mu, result.rate, result.most) == (0, 0, 6)
    assert result.with_certified.worst[1:].max() < 1e-12
    assert len(result.constants) == 6
    assert abs(result.price) < 1000
    assert summarise(result)


@pytest.mark.parametrize(
    ("A", "sentence"),
    [
        (torch.full((3, 4), torch.nan), "NaN"),
        (torch.eye(3, 4), "zero column, number 3"),
        (torch.ones(3), "a matrix"),
        (torch.ones(3, 4, dtype=torch.complex64), "real"),
        (torch.ones(3, 4, dtype=torch.int64), "floating-point"),
        ([[1.0, 2.0]], "Tensor"),
        (torch.ones(2, MOST_COLUMNS + 1), f"up to {MOST_COLUMNS}"),
    ],
)
def test_a_matrix_that_is_none_is_refused(A, sentence):
    with pytest.raises(ValueError, match=sentence):
        certificate_lab(A)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"sparsity": 0}, "nonzero entries s"),
        ({"noise": -1}, "noise"),
        ({"matrix": TALL, "weights": ANALYTIC}, "full row rank"),
        ({"matrix": "Fourier"}, "choose from"),
    ],
)
def test_impossible_settings_get_a_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        CERTIFICATE_LAB.run(**values)


@pytest.mark.own_thread
def test_in_a_notebook_an_impossible_setting_leaves_a_sentence_and_the_picture():
    lab = certificate_lab(torch.ones(2, 3) + torch.eye(2, 3))
    widget = lab.widget
    picture = widget.figure
    widget.entered = widget.entered | {"sparsity": "5"}
    assert "choose s up to 3" in widget.alert
    assert widget.stale
    assert widget.figure == picture
    widget.entered = widget.entered | {"sparsity": "2"}
    assert widget.alert == ""
    assert not widget.stale


def test_progress_is_shown_and_reaches_its_end():
    reports = []
    CERTIFICATE_LAB.state(QUICK, Progress(lambda done, message: reports.append((done, message))))
    shares = [done for done, _ in reports]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert any("δ_2" in message for _, message in reports)
    assert any("training" in message for _, message in reports)
