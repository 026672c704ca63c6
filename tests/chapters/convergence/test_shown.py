"""What the convergence chapter shows is what the library computes."""

import numpy as np
import pytest
import torch

from unrolled.chapters import convergence as chapter
from unrolled.chapters.convergence import explorables, figures, labs, problems
from unrolled.guarantees.convergence import best_tied
from unrolled.guarantees.convergence import symbols as ex
from unrolled.iterations import chebyshev_steps, gauss_steps

SETTINGS = [(2, 1, -6), (20, 4, 0), (100, 8, 6), (50, 8, -6)]


def polynomial(steps, lam):
    return np.abs(np.prod(1 - steps.numpy()[:, None] * lam, axis=0))


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
    for picture in (chapter.rates(), chapter.landscape()):
        assert any(character.isdigit() for character in picture.alt)
