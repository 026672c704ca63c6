"""Thresholds for each entry, and signals that are nonnegative."""

from __future__ import annotations

import pytest
import torch

from unrolled.iterations import ista
from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    HyperLISTA,
    OAMPNet,
    SoftThreshold,
    TiLISTA,
    selection_schedule,
)
from unrolled.prox import soft_threshold
from unrolled.sensing import gaussian

REAL = torch.float64
M, N, DEPTH = 10, 16, 4


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def problem(dtype=REAL):
    A = gaussian(M, N, generator=seeded(), dtype=dtype)
    return A, torch.randn(3, M, generator=seeded(1), dtype=dtype)


PENALTIES = torch.linspace(0.02, 0.4, N, dtype=REAL)
SPARSE = {
    "LISTA": LISTA,
    "LISTA tied": lambda *a, **k: LISTA(*a, tied=True, **k),
    "LISTA-CP": LISTACP,
    "LISTA-CP tied": lambda *a, **k: LISTACP(*a, tied=True, **k),
    "TiLISTA": TiLISTA,
}


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize("dtype", [REAL, torch.complex128])
def test_with_a_penalty_for_each_entry_it_starts_as_weighted_ista(name, dtype):
    A, y = problem(dtype)
    net = SPARSE[name](A, DEPTH, penalty=PENALTIES)
    assert net.thresholds.shape == (1 if "tied" in name else DEPTH, N)
    assert net.thresholds.dtype == REAL
    expected = ista(A, y, penalty=PENALTIES, depth=DEPTH)
    torch.testing.assert_close(net.trajectory(y), expected)
    assert not torch.allclose(net.trajectory(y), ista(A, y, penalty=0.2, depth=DEPTH))
    net(y).abs().square().sum().backward()
    assert (net.thresholds.grad != 0).any(0).sum() > 1  # each entry has one of its own


@pytest.mark.parametrize("build", [LISTA, LISTACP, TiLISTA, ALISTA])
def test_equal_penalties_are_one(build):
    A, y = problem()
    torch.testing.assert_close(
        build(A, DEPTH, penalty=torch.full((N,), 0.1, dtype=REAL))(y),
        build(A, DEPTH, penalty=0.1)(y),
    )


@pytest.mark.parametrize("build", [LISTA, LISTACP, TiLISTA, ALISTA])
def test_layers_with_a_threshold_for_each_entry_are_taken_over(build):
    A, y = problem()
    short, deep = (build(A, depth, penalty=PENALTIES) for depth in (2, 4))
    with torch.no_grad():
        short.thresholds.mul_(torch.linspace(0.5, 1.5, N))
    deep.load_layers(short)
    torch.testing.assert_close(deep(y, depth=2), short(y))
    assert torch.equal(deep.thresholds[3], short.thresholds[1])


@pytest.mark.parametrize("penalty", [torch.ones(3), torch.zeros(N), -PENALTIES, PENALTIES + 0j])
def test_bad_penalties_are_refused(penalty):
    for build in (LISTA, LISTACP, TiLISTA, ALISTA):
        with pytest.raises(ValueError, match="penalty has"):
            build(problem()[0], 3, penalty=penalty)


NONNEGATIVE = {
    **SPARSE,
    "LISTA-CP with selection": lambda *a, **k: LISTACP(
        *a, selection=selection_schedule(DEPTH, rise=0.1), **k
    ),
    "ALISTA": ALISTA,
    "HyperLISTA": lambda *a, **k: HyperLISTA(*a, start=(0.02, 0.01, 0.2), **k),
    "OAMPNet": lambda A, K, nonnegative: OAMPNet(
        A, K, noise=0.0, denoiser=SoftThreshold(nonnegative=nonnegative)
    ),
}


@pytest.mark.parametrize("name", NONNEGATIVE)
def test_nonnegative_networks_give_nonnegative_signals(name):
    A, y = problem()
    found = NONNEGATIVE[name](A, DEPTH, nonnegative=True).trajectory(y)
    assert bool((found >= 0).all())
    assert bool((found[-1] > 0).any())
    assert bool((NONNEGATIVE[name](A, DEPTH, nonnegative=False)(y) < 0).any())


@pytest.mark.parametrize("name", SPARSE)
def test_untrained_they_are_nonnegative_ista(name):
    A, y = problem()
    net = SPARSE[name](A, DEPTH, penalty=0.05, nonnegative=True)
    expected = ista(A, y, penalty=0.05, depth=DEPTH, nonnegative=True)
    torch.testing.assert_close(net.trajectory(y), expected)


def test_selection_keeps_positive_entries():
    # The largest in size is negative: it is none to select.
    u = torch.tensor([[-3.0, 2.0, 1.0]], dtype=REAL)
    net = LISTACP(torch.eye(3, dtype=REAL), 1, penalty=0.5, selection=[0.34], nonnegative=True)
    assert net(u).tolist() == [[0.0, 2.0, 0.5]]


@pytest.mark.parametrize("real_signals", [False, True])
def test_complex_signals_have_no_order(real_signals):
    A, y = problem(torch.complex128)
    for build in (LISTA, LISTACP, TiLISTA, ALISTA, HyperLISTA):
        more = {"lam": 0.1} if build in (ALISTA, HyperLISTA) else {}
        if real_signals:
            net = build(A, DEPTH, nonnegative=True, real_signals=True, **more)
            assert bool((net(y) >= 0).all())
        else:
            with pytest.raises(ValueError, match="nonnegative asks for an order"):
                build(A, DEPTH, nonnegative=True)
    with pytest.raises(ValueError, match="nonnegative asks for an order"):
        soft_threshold(y, 0.1, nonnegative=True)


def test_the_nonnegative_threshold_is_the_minimiser():
    u = torch.linspace(-2, 2, 41, dtype=REAL)[None]
    x = soft_threshold(u, 0.5, nonnegative=True)
    grid = torch.linspace(0, 3, 3001, dtype=REAL)[:, None]
    best = grid[((grid - u) ** 2 / 2 + 0.5 * grid).argmin(0), 0]
    torch.testing.assert_close(x[0], best, atol=1e-3, rtol=0)


def test_its_mean_slope_is_the_share_that_is_left():
    r = torch.tensor([[2.0, -2.0, 0.1, 3.0]], dtype=REAL)
    x, slope = (
        SoftThreshold(1.0, nonnegative=True)
        .double()
        .with_divergence(r, torch.ones(1, 1, dtype=REAL))
    )
    assert x.tolist() == [[1.0, 0.0, 0.0, 2.0]]
    assert float(slope) == 0.5
