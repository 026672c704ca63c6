"""Run on for thousands of layers, these networks converge whatever they have learned."""

import math

import pytest
import torch

from unrolled.iterations import ista
from unrolled.networks import LISTA, LISTACP, ContractiveLISTA, ConvergentLISTA
from unrolled.sensing import gaussian
from unrolled.signals import BernoulliGaussian

FLOAT = torch.float64
M, N, DEPTH = 16, 32, 4


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=FLOAT):
    return torch.randn(shape, generator=seeded(seed), dtype=dtype)


def matrix(dtype=FLOAT):
    return gaussian(M, N, generator=seeded(), dtype=dtype, unit_columns=True)


def shaken(net, scale, seed=2):
    """A network whose parameters are random, and far from where they start if scale is large."""
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(scale * drawn)
    return net


def strength(net):
    """λ_max(Δ^½AᴴGAΔ^½) as used."""
    G, scales = net.metric()
    root = net.A * scales.sqrt()
    return float(torch.linalg.eigvalsh(root.mH @ G @ root)[-1])


def steps(net, y, layers=2000):
    """How far each of the layers moves each signal, (layers, B)."""
    with torch.no_grad():
        iterates = net.trajectory(y, layers)
    return (iterates[1:] - iterates[:-1]).norm(dim=2)


def dense_measurements(dtype=FLOAT):
    """Of signals none of whose entries is zero, and ones that measure nothing at all."""
    signals = normal(4, N, dtype=dtype)
    return torch.cat((matrix(dtype).forward(signals), 10 * normal(4, M, seed=1, dtype=dtype)))


BUILDS = [ContractiveLISTA, ConvergentLISTA, lambda A, K: ConvergentLISTA(A, K, bound=1.0)]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [FLOAT, torch.complex128])
def test_it_converges_for_every_y(build, scale, dtype):
    net = shaken(build(matrix(dtype), DEPTH), scale)
    with torch.no_grad():
        net.thresholds.fill_(0.05)  # a large one leaves nothing to converge
    moved = steps(net, dense_measurements(dtype))
    assert (moved[0] > 0.1).all()
    assert (moved[-1] < 1e-2 * moved[0]).all()
    assert (moved[-1] <= moved[1000] + 1e-12).all()


def test_others_do_not():
    y = dense_measurements()
    for net in (LISTA(matrix(), DEPTH, tied=True), LISTACP(matrix(), DEPTH, tied=True)):
        assert not (steps(shaken(net, 0.1), y)[-1] < 0.01).any()  # NaN, where it has escaped


@pytest.mark.parametrize(("build", "wrong"), [(ContractiveLISTA, 1.2), (ConvergentLISTA, 2.2)])
def test_with_a_wrong_scaling_it_escapes(build, wrong):
    net = build(matrix(), DEPTH)
    with torch.no_grad():  # so that either bound scales it down
        (net.W2[0] if isinstance(net, LISTA) else net.root).mul_(3)
    y = 1000 * dense_measurements()
    assert (steps(net, y)[-1] < 1).all()
    net.bound = wrong
    assert (steps(net, y)[-1] > 1e6).any()


@pytest.mark.parametrize("dtype", [FLOAT, torch.complex128])
def test_the_linear_step_is_averaged_in_the_metric(dtype):
    """‖u‖² in the metric of Δ⁻¹ falls by (2 − Λ)/Λ times what the step moves, or by more."""
    net = shaken(ConvergentLISTA(matrix(dtype), DEPTH), 1.0)
    with torch.no_grad():
        scales, B = net.metric()[1], torch.eye(N, dtype=dtype) - net.weights().mH @ net.A
    # Symmetric in that metric, eigenvalues within [1 − Λ, 1].
    symmetric = scales.rsqrt()[:, None] * B * scales.sqrt()
    assert torch.allclose(symmetric, symmetric.mH, atol=1e-10)
    values = torch.linalg.eigvalsh(symmetric)
    assert 1 - 1.99 - 1e-9 <= values[0] < -0.9
    assert values[-1] <= 1 + 1e-9
    u = normal(50, N, seed=5, dtype=dtype)
    moved = u - u @ B.T

    def squares(v):
        return (v.abs().square() / scales).sum(1)

    rest = (2 - 1.99) / 1.99 * squares(moved)
    assert (squares(u @ B.T) + rest <= squares(u) * (1 + 1e-9)).all()
    # In the Euclidean metric it is not even nonexpansive.
    assert torch.linalg.matrix_norm(B, 2) > 1.1


def test_it_descends_to_the_minimiser_of_its_objective():
    net = shaken(ConvergentLISTA(matrix(), DEPTH, penalty=1.0), 0.05)
    y = dense_measurements()
    with torch.no_grad():
        G, scales = net.metric()
        penalty = net.thresholds[0].abs() / scales
        x = net.trajectory(y, 5000)
        r = y - x @ net.A.T
        values = ((r @ G) * r).sum(2) / 2 + (penalty * x.abs()).sum(2)
    assert (values[1:] <= values[:-1] * (1 + 1e-12)).all()
    # Optimality: the gradient equals −penalty·sign(x) on the support, and is no larger off it.
    gradient = -(r[-1] @ G) @ net.A
    on = x[-1] != 0
    assert (gradient + penalty * x[-1].sign())[on].abs().max() < 1e-4
    assert ((gradient.abs() / penalty)[~on] < 1 + 1e-4).all()
    assert on.any(1).all()
    assert not on.all()


@pytest.mark.parametrize("bound", [1.99, 1.0, 0.3])
def test_it_starts_as_ista(bound):
    operator = matrix()
    y = dense_measurements()
    step = min(1.0, bound) / float(operator.eigenvalues[-1])
    net = ConvergentLISTA(operator, DEPTH, bound=bound, penalty=0.2)
    expected = ista(operator, y, depth=DEPTH, penalty=0.2, step=step)
    assert torch.allclose(net.trajectory(y), expected, atol=1e-6)


def test_a_contraction_forgets_its_start_by_the_bound_in_each_layer():
    net = shaken(ContractiveLISTA(matrix(), DEPTH, bound=0.8), 1.0)
    y = dense_measurements()
    x, z = normal(len(y), N, seed=3), normal(len(y), N, seed=4)
    with torch.no_grad():
        assert torch.linalg.matrix_norm(net.bounded_weight(), 2) == pytest.approx(0.8, rel=1e-5)
        assert torch.linalg.matrix_norm(net.W2[0], 2) > 5
        given = net._inputs(y)
        before = (x - z).norm(dim=1)
        after = (net._layer(1, x.clone(), *given) - net._layer(1, z.clone(), *given)).norm(dim=1)
    assert (after <= 0.8 * before).all()


@pytest.mark.parametrize("lr", [1e-3, 0.3])
def test_the_bound_holds_after_every_step_of_an_optimiser(lr):
    # In single precision, as networks are trained.
    operator = matrix(torch.float32)
    net = ConvergentLISTA(operator, DEPTH)
    optimiser = torch.optim.Adam(net.parameters(), lr=lr)
    x = BernoulliGaussian(N, rate=0.1).draw(64, seeded(), torch.float32)
    losses, reached = [], []
    for _ in range(60):
        loss = (net(operator.forward(x)) - x).square().sum(1).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        assert all(p.grad.isfinite().all() and (p.grad != 0).any() for p in net.parameters())
        optimiser.step()
        with torch.no_grad():
            reached.append(strength(net))
    assert max(reached) <= 1.99 * (1 + 1e-5)
    assert min(losses) < 0.9 * losses[0]
    if lr > 0.1:  # the bound is met, not only kept
        assert max(reached) > 1.98


def test_a_negative_threshold_counts_by_its_size():
    for build in BUILDS:
        net = build(matrix(), DEPTH)
        y = dense_measurements()
        before = net(y)
        with torch.no_grad():
            net.thresholds.neg_()
        assert torch.equal(net(y), before)


def test_numbers_of_parameters():
    assert sum(p.numel() for p in ConvergentLISTA(matrix(), DEPTH).parameters()) == M * M + N + 1


@pytest.mark.parametrize("bound", [0, -1, math.nan, 1, "0.9", True])
def test_a_bound_that_promises_nothing_is_refused(bound):
    with pytest.raises(ValueError, match="bound is"):
        ContractiveLISTA(matrix(), DEPTH, bound=bound)
    with pytest.raises(ValueError, match="bound is"):
        ConvergentLISTA(matrix(), DEPTH, bound=2 if bound == 1 else bound)
