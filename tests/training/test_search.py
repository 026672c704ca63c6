"""The search finds the minimum of a known loss, and of HyperLISTA's."""

import math

import pytest
import scipy.optimize
import torch
from torch import nn

from unrolled.networks import HyperLISTA
from unrolled.sensing import gaussian
from unrolled.training import fit, mean_squared_error, search


class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, y):
        return y * self.c


def test_finds_the_minimum():
    net, y = Affine(), torch.ones(3, 2, dtype=torch.float64)
    x = y * torch.tensor([0.3, 0.7], dtype=torch.float64)
    search(net, (y, x), net.c, [(0.1, 1.0), (0.1, 1.0)])
    torch.testing.assert_close(
        net.c.detach(), torch.tensor([0.3, 0.7], dtype=torch.float64), rtol=1e-3, atol=0
    )


def test_numbers_stay_nonnegative():
    net, y = Affine(), torch.ones(3, 2, dtype=torch.float64)
    loss = search(net, (y, -y), net.c, [(0.1, 0.2), (0.1, 0.2)])
    assert (net.c >= 0).all()
    assert (net.c < 0.01).all()
    # The loss itself draws them below 0.
    fit(net, (y, -y), steps=200, progress=False)
    assert (net.c < 0).all()
    assert float(mean_squared_error(net(y), -y).detach()) < loss


class Valleys(nn.Module):
    """y ↦ e(c)·y with two valleys, 0.5 deep at c = 1 and 0 at c = 3; NaN from c = 5 on."""

    def __init__(self):
        super().__init__()
        self.c = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, y):
        height = torch.minimum((self.c - 1).abs() + 0.5, (self.c - 3).abs())
        return y * torch.where(self.c < 5, height, math.nan)


@pytest.mark.parametrize(
    ("grid", "starts", "found"),
    [
        ((1.1, 3.8), 1, 1.0),  # 0.6 against 0.8 on the grid: the shallow valley
        ((1.1, 3.8), 2, 3.0),  # the second start ends lower
        ((1.2, 3.1), 2, 3.0),  # the second start ends higher: the first one's number comes back
        ((7.0, 1.1, 6.0), 3, 1.0),  # what is not finite is no start
    ],
)
def test_the_best_numbers_are_written_back(grid, starts, found):
    net, y = Valleys(), torch.ones(4, 1, dtype=torch.float64)
    data = y, torch.zeros_like(y)
    loss = search(net, data, net.c, [grid], starts=starts)
    assert float(net.c.detach()) == pytest.approx(found, abs=1e-3)
    assert float(mean_squared_error(net(data[0]), data[1]).detach()) == pytest.approx(
        loss, abs=1e-12
    )


def test_nelder_mead_is_never_shown_nan(monkeypatch):
    """What it does with one is not promised; infinity it walks away from."""
    minimise, seen = scipy.optimize.minimize, []

    def minimize(loss, start, **options):
        seen.extend([loss([6.0]), loss([1.1])])
        return minimise(loss, start, **options)

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    net, y = Valleys(), torch.ones(4, 1, dtype=torch.float64)
    search(net, (y, torch.zeros_like(y)), net.c, [(4.9,)])
    assert seen == [math.inf, pytest.approx(math.log10(0.6**2))]
    assert float(net.c.detach()) == pytest.approx(3.0, abs=1e-3)


def test_a_loss_that_is_finite_nowhere_is_named():
    net, y = Valleys(), torch.ones(4, 1, dtype=torch.float64)
    with pytest.raises(FloatingPointError, match="at every point of the grid"):
        search(net, (y, y), net.c, [(6.0, 7.0)])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"starts": 0}, "starts is 0"),
        ({"starts": -1}, "starts is -1"),
        ({"evaluations": 0}, "evaluations is 0"),
        ({"parameter": nn.Parameter(torch.zeros(2))}, "parameter is not one of net's"),
        ({"grid": [(1.0,), (-1.0,)]}, "0 ≤ grid < ∞ is needed"),
        ({"grid": [(1.0,), (math.nan,)]}, "0 ≤ grid < ∞ is needed"),
        ({"grid": 3}, "grid is 3; for each number a row"),
        ({"grid": [range(2000), range(2000)]}, "grid has 4,000,000 combinations"),
        ({"net": None}, "net is a NoneType"),
        ({"parameter": None}, "parameter is not one of net's"),
        ({"data": None}, "data is a NoneType"),
        ({"data": (torch.ones(1, 2), torch.ones(1, 2))}, "x has shape"),
        ({"data": (torch.full((1, 2), math.nan), torch.ones(1, 2))}, "data holds NaN"),
    ],
)
def test_bad_input_is_refused(change, sentence):
    net, y = Affine(), torch.ones(1, 2, dtype=torch.float64)
    arguments = {"net": net, "data": (y, y), "parameter": net.c, "grid": [(1.0,), (1.0,)]} | change
    with pytest.raises(ValueError, match=sentence):
        search(**arguments)


def test_more_starts_and_evaluations_never_do_worse():
    operator = gaussian(15, 30, generator=torch.Generator().manual_seed(0), unit_columns=True)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(200, 30, generator=generator) * (torch.rand(200, 30, generator=generator) < 0.1)
    data = operator.forward(x), x
    grid = [(0.01, 0.03), (0.0, 0.02), (0.0, 0.3)]
    losses = []
    for starts, evaluations in ((1, 1), (1, 60), (3, 60)):
        net = HyperLISTA(operator, 10)
        with torch.no_grad():
            untrained = float((net(data[0]) - x).square().sum() / 200)
        losses.append(search(net, data, net.c, grid, starts=starts, evaluations=evaluations))
        with torch.no_grad():
            found = float((net(data[0]) - x).square().sum() / 200)
        assert found == pytest.approx(losses[-1], rel=1e-5)
    assert losses[0] >= losses[1] >= losses[2]
    assert losses[-1] < untrained / 2


def test_a_grid_of_another_size_is_refused():
    net = Affine()
    data = (torch.ones(1, 2), torch.ones(1, 2))
    for grid in ([(1.0,)], [(1.0,), ()]):
        with pytest.raises(ValueError, match="2 rows, none empty"):
            search(net, data, net.c, grid)
