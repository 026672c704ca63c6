"""What is not differentiated works in place, with the same numbers, and only on what is its own."""

from __future__ import annotations

import pytest
import torch

from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    ContractiveLISTA,
    ConvergentLISTA,
    HyperLISTA,
    TiLISTA,
    selection_schedule,
)
from unrolled.networks.in_place import add, add_product
from unrolled.prox import is_spare, largest, soft_threshold, threshold_all_but_largest
from unrolled.sensing import gaussian

M, N, DEPTH, BATCH = 12, 16, 5, 6
SHARES = selection_schedule(DEPTH, rise=0.1)


def draw(*shape, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def matrix(dtype=torch.float64):
    return gaussian(M, N, generator=torch.Generator().manual_seed(0), dtype=dtype)


NETWORKS = {
    "LISTA": LISTA,
    "LISTA tied": lambda A, depth: LISTA(A, depth, tied=True),
    "ContractiveLISTA": ContractiveLISTA,
    "ConvergentLISTA": ConvergentLISTA,
    "LISTA-CP": LISTACP,
    "TiLISTA": TiLISTA,
    "ALISTA": ALISTA,
    "ALISTA with selection": lambda A, depth: ALISTA(A, depth, selection=SHARES),
    "LISTA-CP with thresholds for each entry": lambda A, depth: LISTACP(
        A, depth, selection=SHARES, penalty=torch.linspace(0.05, 0.15, N)
    ),
    "HyperLISTA": lambda A, depth: HyperLISTA(A, depth, start=(0.02, 0.01, 0.2)),
    "HyperLISTA capped": lambda A, depth: HyperLISTA(A, depth, start=(0.02, 0.01, 0.2), cap=0.8),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("name", NETWORKS)
def test_it_gives_the_numbers_that_are_differentiated(name, dtype):
    net = NETWORKS[name](matrix(dtype), DEPTH)
    y = draw(BATCH, M, dtype=dtype)
    given = y.clone()
    expected = net(y).detach()
    trajectory = net.trajectory(y).detach()
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(net(y), expected)
            torch.testing.assert_close(net.trajectory(y), trajectory)  # none is overwritten
            torch.testing.assert_close(net(y), expected)  # nor is anything that is held
    assert torch.equal(y, given)
    assert not torch.allclose(trajectory[-1], trajectory[-2])


def test_frozen_layers_in_a_checkpoint_start_again_from_what_they_had():
    net, y = LISTACP(matrix(), DEPTH), draw(BATCH, M)
    checkpointed = LISTACP(matrix(), DEPTH, checkpoint=(2, 3))
    for each in (net, checkpointed):
        for k in range(3):
            each.W[k].requires_grad_(False)
        each.thresholds.requires_grad_(False)
        each(y).square().sum().backward()
    for k in range(3, DEPTH):
        torch.testing.assert_close(checkpointed.W[k].grad, net.W[k].grad)


def test_what_may_be_overwritten():
    x = draw(2, 3)
    assert not is_spare(x)
    with torch.no_grad():
        assert is_spare(x)
        with torch.autocast("cpu"):
            assert not is_spare(x)
        torch.func.vmap(lambda row: row if not is_spare(row) else 1 / 0)(x)


def test_it_takes_no_memory_anew():
    x, left, right = draw(2, 3), draw(2, 4), draw(4, 3)
    step = torch.tensor(0.5, dtype=x.dtype)
    expected = x + 0.5 * left @ right
    for compute in (
        lambda x: add_product(x, left, right, step),
        lambda x: add_product(x, 0.5 * left, right),
        lambda x: add(add(x, left @ right, step), torch.zeros_like(x)),
    ):
        given = x.clone()
        assert compute(given) is not given
        assert torch.equal(given, x)
        with torch.no_grad():
            found = compute(given)
        assert found is given
        torch.testing.assert_close(found, expected)
    with torch.no_grad():
        assert soft_threshold(given, 0.1, spare=True) is given
        assert soft_threshold(given, 0.1) is not given


@pytest.mark.parametrize("count", [0, 2, 5, torch.tensor([0, 1, 3, 5]), torch.zeros(4).long()])
@pytest.mark.parametrize("shape", [(), (4, 1), (5,), (4, 5)])
@pytest.mark.parametrize("sign", [1, 0, -1])
def test_selection_without_marks_is_selection_with_marks(shape, count, sign):
    u = draw(4, 5)
    u[0, 0], u[1, :2] = float("nan"), 0
    threshold = sign * draw(*shape, seed=2).abs()
    if shape == () and sign:
        u[2, 1] = threshold  # what only equals θ is 0
    expected = soft_threshold(u, threshold, selected=largest(u, count))
    with torch.no_grad():
        found = threshold_all_but_largest(u.clone(), threshold, count)
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-14, atol=1e-15)
    if isinstance(count, int) and count == 2 and sign == 1:
        assert not torch.equal(found, soft_threshold(u, threshold))
