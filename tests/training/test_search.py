"""The search finds the minimum of a known loss, and of HyperLISTA's."""

import pytest
import torch
from torch import nn

from unrolled.networks import HyperLISTA
from unrolled.sensing import gaussian
from unrolled.training import search


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
    search(net, (y, -y), net.c, [(0.1, 0.2), (0.1, 0.2)])
    assert (net.c >= 0).all()


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
