"""What the convergence chapter shows is what the library computes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from unrolled.chapters import convergence as chapter
from unrolled.chapters.convergence import explorables, figures, labs, problems
from unrolled.guarantees import evaluate
from unrolled.guarantees.convergence import best_tied, hardest_measure
from unrolled.guarantees.convergence import symbols as ex
from unrolled.iterations import chebyshev_steps, gauss_steps
from unrolled.teaching import Handle

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = [(2, 1, -6), (20, 4, 0), (100, 8, 6), (50, 8, -6)]


def polynomial(steps, lam):
    return np.abs(np.prod(1 - steps.numpy()[:, None] * lam, axis=0))


def test_a_question_stands_before_what_answers_it():
    def in_order(cells, question, answer):
        sources = ["".join(cell["source"]) for cell in cells]
        return sources.index(f"chapter.{question}") < sources.index(f"convergence.{answer}")

    path = ROOT / chapter.CONVERGENCE.notebook
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for question, answer in [
        ("TWO_LAYERS", "PRODUCT_IS_TRUTH"),
        ("LEAST_PRODUCT", "PRODUCT"),
        ("ORDER", "EARLY_LATE"),
        ("SAME_START", "TRAP"),
        ("STATE_EVOLUTION", "GAUSSIAN"),
    ]:
        assert in_order(cells, question, answer)
        assert not in_order(cells[::-1], question, answer)


def test_what_is_worked_by_hand_agrees_with_the_library():
    path = ROOT / chapter.CONVERGENCE.notebook
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join(line for cell in cells for line in cell["source"])

    def written(value):
        return f"\\tfrac{value.p}{{{value.q}}}" in text

    # Exercise 1.
    sizes = {ex.kappa: 4, ex.K: 2}
    assert written(ex.tied_factor.subs(sizes))
    assert written(ex.chebyshev_factor.subs(sizes).simplify())
    assert not written(ex.tied_factor.subs({ex.kappa: 4, ex.K: 3}))
    roots = (1 / chebyshev_steps(1, 4, 2)).sort().values
    middle, radius = 5 / 2, 3 / 2 / 2**0.5
    np.testing.assert_allclose(roots, [middle - radius, middle + radius])
    # Exercise 2: the share at 1 for which the best step on average is 1/5.
    points, shares = hardest_measure(1.0, 9.0, 1)
    assert float(gauss_steps(points, shares, 1)) == pytest.approx(1 / 5)
    assert float(shares[points.argmin()]) == pytest.approx(9 / 10)
    # The two orders of the roots 1 and 9.
    first, second = 1 - np.array([1, 9]) / 1, 1 - np.array([1, 9]) / 9
    np.testing.assert_allclose(first, [0, -8])
    np.testing.assert_allclose(second, [8 / 9, 0])


def test_a_root_on_an_eigenvalue_leaves_no_error_there():
    chart = chapter.roots()
    first, second = explorables.FIRST, explorables.SECOND
    for roots in ((1.0, 9.0), (9.0, 1.0)):
        curves, bars = chart.evaluate(dict(zip((first, second), roots, strict=True)))
        assert bars["before"][1].tolist() == [1, 1]
        assert bars["after layer 2"][1].tolist() == [0, 0]
        place = explorables.PAIR.index(roots[0])
        assert bars["after layer 1"][1][place] == 0
        lam, layer = curves["layer 1"]
        np.testing.assert_allclose(layer, 1 - lam / roots[0])
        np.testing.assert_allclose(curves["both layers"][1], layer * curves["layer 2"][1])
    # Elsewhere something is left: with equal roots as much as the best constant step leaves.
    _, bars = chart.evaluate({first: 5.0, second: 5.0})
    tied = evaluate(ex.tied_factor, {ex.kappa: 9, ex.K: 2})
    np.testing.assert_allclose(bars["after layer 2"][1], tied)


def test_a_root_is_dragged_to_where_the_pointer_is():
    chart = chapter.roots()
    handles = [layer for layer in chart.panels[0].layers if isinstance(layer, Handle)]
    for handle, root in zip(handles, (explorables.FIRST, explorables.SECOND), strict=True):
        assert chart.dragged(handle, 8.9, -1.0) == {root: 9.0}
        assert chart.dragged(handle, -3.0, 0.0) == {root: explorables.ROOTS[0]}


def dips(factor, floor):
    """How many times a curve falls below a level."""
    below = np.concatenate(([False], factor < floor))
    return int((below[1:] & ~below[:-1]).sum())


@pytest.mark.parametrize("kappa", explorables.KAPPAS)
@pytest.mark.parametrize("depth", explorables.DEPTHS)
def test_every_root_is_seen_to_be_one(kappa, depth):
    chart = chapter.polynomials()
    floor = float(chart.panels[0].y_domain[0].subs({ex.kappa: kappa, ex.K: depth}))
    _, factor = chart.evaluate({ex.kappa: kappa, ex.K: depth})[0][explorables.CHEBYSHEV]
    assert dips(factor, floor) == depth


def test_a_coarse_curve_hides_roots():
    # As evenly spaced points do at large condition numbers.
    coarse = polynomial(chebyshev_steps(1, 100, 4), np.linspace(1, 100, 121))
    floor = evaluate(ex.chebyshev_factor, {ex.kappa: 100, ex.K: 4}) / 20
    assert dips(coarse, floor) < 4


@pytest.mark.parametrize(("kappa", "depth", "tilt"), SETTINGS)
def test_the_curves_are_the_polynomials_of_the_steps(kappa, depth, tilt):
    curves = chapter.polynomials().evaluate({ex.kappa: kappa, ex.K: depth, explorables.tilt: tilt})[
        0
    ]
    lam, drawn = curves[explorables.CHEBYSHEV]
    np.testing.assert_allclose(
        drawn, polynomial(chebyshev_steps(1, kappa, depth), lam), rtol=1e-6, atol=1e-9
    )
    eigenvalues, weights = problems.spectrum(kappa, tilt)
    lam, drawn = curves[explorables.GAUSS]
    expected = polynomial(gauss_steps(eigenvalues, weights, depth), lam)
    # The steps are kept to four digits in the page.
    np.testing.assert_allclose(drawn, expected, atol=2e-2 * max(1, expected.max()))
    # The check can fail: Chebyshev's curve is another one.
    assert not np.allclose(drawn, polynomial(chebyshev_steps(1, kappa, depth), lam), atol=2e-2)


@pytest.mark.parametrize(("kappa", "depth", "tilt"), SETTINGS)
def test_the_bars_are_product_and_truth(kappa, depth, tilt):
    curves, _, bars = chapter.polynomials().evaluate(
        {ex.kappa: kappa, ex.K: depth, explorables.tilt: tilt}
    )
    names, product = bars["product of rates"]
    _, truth = bars["truth"]
    assert (product >= truth * (1 - 1e-4)).all()
    place = list(names).index(explorables.CHEBYSHEV)
    steps = chebyshev_steps(1, kappa, depth)
    rates = torch.maximum((1 - steps).abs(), (1 - kappa * steps).abs())
    assert product[place] == pytest.approx(float(rates.prod()))
    assert truth[place] == pytest.approx(curves[explorables.CHEBYSHEV][1].max(), rel=1e-6)


@pytest.mark.parametrize("noise", explorables.NOISES)
@pytest.mark.parametrize("ratio", explorables.RATIOS)
def test_network_and_amp_lie_on_each_other_and_near_the_curve(ratio, noise):
    settings = {ex.c: ratio, ex.noise: noise, ex.K: 8}
    (panel,) = chapter.closed_form().evaluate(settings)
    _, curve = panel["closed form"]
    v = [1.0]
    for _ in range(8):
        v.append((noise + ratio * v[-1]) / (1 + noise + ratio * v[-1]))
    np.testing.assert_allclose(curve, v, rtol=1e-6, atol=1e-12)
    by_layer = {label: dict(zip(x, y, strict=True)) for label, (x, y) in panel.items()}
    amp, net = by_layer["AMP, its iterates"], by_layer["network of k layers, its output"]
    inside = by_layer["K-layer network, inside"]
    for k in range(1, 9):
        assert net[k] == pytest.approx(amp[k], rel=2e-3)
    assert inside[8] == pytest.approx(net[8], rel=2e-3)
    assert inside[4] != pytest.approx(amp[4], rel=0.01)
    # One random matrix of finite size: the factor grows as the error becomes small.
    assert amp[3] == pytest.approx(v[3], rel=0.1)


def test_the_caption_names_the_marks_that_are_drawn():
    chart = chapter.closed_form()
    (spec,) = chart.specifications()
    scales = {scale["name"]: scale for scale in spec["scales"]}
    shapes = dict(zip(scales["shape"]["domain"], scales["shape"]["range"], strict=True))
    for mark, words in (
        ("circle", "AMP"),
        ("diamond", "network of k layers"),
        ("square", "inside"),
    ):
        (drawn,) = (shape for label, shape in shapes.items() if words in label)
        assert drawn == mark
        assert f"{mark}s" in chart.caption.lower()
    # No measured end is off the line by more than the caption says.
    ends, _ = explorables._measured_rows()
    allowed = explorables._farthest(ends)
    assert f"{allowed:.2f}" in chart.caption
    assert 1 < allowed < 1.2
    worse = {**ends, "error": [2 * error for error in ends["error"]]}
    assert explorables._farthest(worse) > 1.9


def test_the_measured_rows_are_the_same_every_time():
    first = explorables._measured_rows()
    explorables._measured_rows.cache_clear()
    assert explorables._measured_rows() == first


def test_the_lab_shows_the_trap():
    trap = chapter.TRAP_LAB.run(layers=3, iterations=900)
    instance = problems.gaussian_spectrum(3)
    assert trap.tied == pytest.approx(
        best_tied(instance.eigenvalues, instance.weights, 3)[1], rel=1e-9
    )
    equal, perturbed = trap.losses["equal start"], trap.losses["perturbed start"]
    assert min(equal) >= trap.tied * (1 - 1e-9)
    assert perturbed[-1] < 0.9 * trap.tied
    assert perturbed[-1] >= trap.best * (1 - 1e-9)
    assert max(trap.spreads["equal start"]) < 1e-9
    assert f"{trap.tied:.3g}" in labs.describe(trap)


def test_a_loss_near_the_optimum_is_not_shown_as_the_optimum():
    def perturbed(ratio):
        trap = labs.Trap([0], {"equal": [2.0], "perturbed": [ratio]}, {}, tied=3.0, best=1.0)
        return labs.summarise(trap).split("equal start, ")[1].split(" from")[0]

    assert "**2.00** from the equal start" in labs.summarise(
        labs.Trap([0], {"equal": [2.0], "perturbed": [1.0]}, {}, tied=3.0, best=1.0)
    )
    assert perturbed(1.0) == "**1.00**"
    assert perturbed(1.56) == "**1.56**"
    assert perturbed(1.0003) == "**$1+0.0003$**"
    assert perturbed(1.00002) == r"**$1+2 \cdot 10^{-5}$**"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"layers": 1}, "layers K"),
        ({"layers": 2.5}, "whole number"),
        ({"start": float("nan")}, "start of every step"),
        ({"perturbation": 0}, "relative perturbation"),
        ({"precision": "float16"}, "choose from"),
        ({"momentum": 1}, "momentum"),
    ],
)
def test_impossible_values_get_a_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        chapter.TRAP_LAB.run(**values)


def test_the_worst_signals_reach_the_bounds():
    curves = figures.worst_over_signals(9.0, generator=torch.Generator().manual_seed(0))
    for name, bound in (("best constant step", ex.tied_factor), ("Chebyshev", ex.chebyshev_factor)):
        for depth, measured in zip(figures.DEPTHS, curves[name], strict=True):
            limit = float(bound.subs({ex.kappa: 9, ex.K: depth}))
            assert measured <= limit * (1 + 1e-6) + 1e-12
            assert measured >= 0.9 * limit - 1e-12


def test_pictures_say_their_numbers():
    for picture in (chapter.rates(), chapter.landscape(), chapter.ripples(), chapter.semicircle()):
        assert any(character.isdigit() for character in picture.alt)


@pytest.mark.parametrize("draw", [chapter.landscape, chapter.ripples, chapter.semicircle])
def test_a_legend_covers_nothing(draw):
    def covered(legend, axes):
        renderer = picture.matplotlib.canvas.get_renderer()
        return legend.get_window_extent(renderer).overlaps(axes.get_window_extent(renderer))

    picture = draw()
    with picture.style():
        picture.matplotlib.canvas = FigureCanvasAgg(picture.matplotlib)
        picture.matplotlib.canvas.draw()
        (axes,), (legend,) = picture.matplotlib.axes, picture.matplotlib.legends
        assert not covered(legend, axes)
        # A legend within the axes is found.
        assert covered(axes.legend(), axes)
