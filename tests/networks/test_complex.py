"""Complex networks: their algorithms iterate by iterate, real problems in complex numbers."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import nn
from torch.autograd.gradcheck import gradcheck
from torch.func import functional_call, grad, vmap

from unrolled.iterations import gradient_descent, ista, ista_step
from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    FirmProxNet,
    GradientNet,
    HyperLISTA,
    OAMPNet,
    ProxNet,
    SoftThreshold,
    TiLISTA,
    UNet,
    selection_schedule,
)
from unrolled.sensing import (
    analytic_weights,
    gaussian,
    partial_fourier,
    stacked,
    with_real_signals,
)

REAL, COMPLEX = torch.float64, torch.complex128
M, N, DEPTH, BATCH, IMAGE = 10, 16, 4, 5, (4, 4)
PENALTY, NOISE = 0.05, 0.01
SHARES = selection_schedule(DEPTH, rise=0.1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def operator(dtype=COMPLEX, m=M):
    return gaussian(m, N, generator=seeded(), dtype=dtype)


def sparse(dtype=COMPLEX, rows=BATCH, n=N):
    x = torch.randn(rows, n, generator=seeded(1), dtype=dtype)
    return x * (torch.rand(rows, n, generator=seeded(2)) < 0.3)


def measured(A, x):
    w = torch.randn(len(x), A.shape[0], generator=seeded(3), dtype=A.dtype)
    return A.forward(x.to(A.dtype)) + math.sqrt(NOISE) * w


def oamp(A, denoiser=None, **more):
    return OAMPNet(A, DEPTH, noise=NOISE, denoiser=denoiser, **more)


NETWORKS = {
    "GradientNet": lambda A, **more: GradientNet(A, DEPTH, **more),
    "LISTA": lambda A, **more: LISTA(A, DEPTH, penalty=PENALTY, **more),
    "LISTA tied": lambda A, **more: LISTA(A, DEPTH, penalty=PENALTY, tied=True, **more),
    "LISTA-CP": lambda A, **more: LISTACP(A, DEPTH, penalty=PENALTY, **more),
    "LISTA-CP with selection": lambda A, **more: LISTACP(A, DEPTH, selection=SHARES, **more),
    "TiLISTA": lambda A, **more: TiLISTA(A, DEPTH, penalty=PENALTY, **more),
    "ALISTA": lambda A, **more: ALISTA(A, DEPTH, penalty=PENALTY, lam=0.1, **more),
    "HyperLISTA": lambda A, **more: HyperLISTA(A, DEPTH, start=(0.02, 0.01, 0.1), lam=0.1, **more),
    "OAMPNet": lambda A, **more: oamp(A, **more),
    "OAMPNet, proximal": lambda A, **more: oamp(A, divergence_free=False, lam=0.1, **more),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def moved(net: nn.Module) -> nn.Module:
    """The network with its parameters away from where they start."""
    draws = seeded(4)
    with torch.no_grad():
        for parameter in net.parameters():
            noise = torch.randn(parameter.shape, generator=draws, dtype=parameter.dtype)
            parameter.mul_(1 + 0.05 * noise).add_(0.01 * noise.abs())
    return net


@pytest.mark.parametrize("name", ["LISTA", "LISTA tied", "LISTA-CP", "TiLISTA"])
def test_untrained_it_is_ista(name):
    A = operator()
    y = measured(A, sparse())
    expected = ista(A, y, penalty=PENALTY, depth=DEPTH)
    torch.testing.assert_close(NETWORKS[name](A).trajectory(y), expected)
    transposed = ista(operator(), y.conj(), penalty=PENALTY, depth=DEPTH)
    assert not torch.allclose(NETWORKS[name](A).trajectory(y), transposed)


def test_untrained_gradient_and_weighted_networks_are_their_iterations():
    A = operator()
    y = measured(A, sparse())
    net = GradientNet(A, DEPTH, ridge=0.1)
    expected = gradient_descent(A, y, steps=net.steps.detach(), ridge=0.1)
    torch.testing.assert_close(net.trajectory(y), expected)
    net, W = ALISTA(A, DEPTH, penalty=PENALTY), analytic_weights(A)
    torch.testing.assert_close((W.conj() * A.dense()).sum(0), torch.ones(N, dtype=COMPLEX))
    step = float(net.steps.detach()[0])
    assert step == pytest.approx(1 / float(torch.linalg.eigvals(W.mH @ A.dense()).abs().max()))
    expected = ista(A, y, penalty=PENALTY, depth=DEPTH, weights=W, step=step)
    torch.testing.assert_close(net.trajectory(y), expected)


def test_hyperlista_is_its_algorithm_one_signal_after_the_other():
    A = operator()
    y, c = measured(A, sparse()), (0.02, 0.01, 0.1)
    net = HyperLISTA(A, DEPTH, start=c)
    matrix, W = A.dense(), analytic_weights(A)
    pseudo = torch.linalg.pinv(matrix)
    for signal, found in zip(y, net.trajectory(y).transpose(0, 1), strict=True):
        x = before = torch.zeros(N, dtype=COMPLEX)
        for k in range(DEPTH):
            residual = signal - matrix @ x
            left, whole = (float((pseudo @ r).abs().sum()) for r in (residual, signal))
            u = x + W.mH @ residual + c[1] * int((x != 0).sum()) * (x - before)
            count = int(N * min(max(c[2] * math.log(whole / left), 0), 1))
            shrunk = torch.sgn(u) * (u.abs() - c[0] * left).clamp(min=0)
            kept = u.abs() >= u.abs().sort(descending=True).values[count - 1] if count else None
            before = x
            x = shrunk if kept is None else torch.where(kept & (shrunk != 0), u, shrunk)
            torch.testing.assert_close(found[k + 1], x)


@pytest.mark.parametrize(
    "draw", [operator, lambda: partial_fourier(M, N, generator=seeded(), dtype=COMPLEX)]
)
def test_oamp_is_its_algorithm_one_signal_after_the_other(draw):
    A = draw()
    y, net = measured(A, sparse()), oamp(A)
    factor = float(net.denoisers[0].factor.detach())
    matrix = A.dense()
    for signal, found in zip(y, net.trajectory(y).transpose(0, 1), strict=True):
        x = torch.zeros(N, dtype=COMPLEX)
        for k in range(DEPTH):
            residual = signal - matrix @ x
            power = float(residual.abs().square().sum()) - M * NOISE
            variance = max(0.0, power) / float(matrix.abs().square().sum())
            variance = max(variance, torch.finfo(REAL).eps * NOISE / float(A.eigenvalues[-1]))
            gram = matrix @ matrix.mH + NOISE / variance * torch.eye(M)
            W = matrix.mH @ torch.linalg.inv(gram)
            W = N / torch.trace(W @ matrix).real * W
            r = x + W @ residual
            rest = torch.eye(N) - W @ matrix
            square = variance * rest.abs().square().sum() + NOISE * W.abs().square().sum()
            theta = factor * math.sqrt(float(square) / N)
            estimate = torch.sgn(r) * (r.abs() - theta).clamp(min=0)
            slope = torch.where(estimate != 0, 1 - theta / (2 * r.abs()), 0).mean()
            x = (estimate - slope * r) / (1 - slope)
            torch.testing.assert_close(found[k + 1], estimate, rtol=1e-6, atol=1e-8)


def test_the_complex_linear_step_predicts_its_error():
    A = gaussian(300, 600, generator=seeded(), dtype=COMPLEX)
    x = sparse(n=600, rows=20)
    w = math.sqrt(NOISE) * torch.randn(20, 300, generator=seeded(3), dtype=COMPLEX)
    net = oamp(A)
    with torch.no_grad():
        r, tau = net._linear_step(0, None, A.forward(x) + w, net.operator, net.eigenvalues)
    ratio = (r - x).abs().square().mean(1) / tau[:, 0].square()
    assert float((ratio - 1).abs().max()) < 0.35
    assert float((ratio.mean() - 1).abs()) < 0.05


@every_network
def test_a_real_problem_in_complex_numbers_has_the_real_answer(name):
    A = operator(REAL)
    y = measured(A, sparse(REAL))
    found, expected = (
        NETWORKS[name](A.dense() + 0j).trajectory(y + 0j),
        NETWORKS[name](A).trajectory(y),
    )
    torch.testing.assert_close(found.imag, torch.zeros_like(found.imag), atol=1e-12, rtol=0)
    if name == "OAMPNet":  # its mean slope is that for circular errors, and another for real ones
        torch.testing.assert_close(found.real[:2], expected[:2])
        assert not torch.allclose(found.real, expected)
    else:
        torch.testing.assert_close(found.real, expected)


@every_network
def test_a_phase_goes_through(name):
    A, turn = operator(), torch.polar(torch.ones((), dtype=REAL), torch.tensor(0.7, dtype=REAL))
    net, y = moved(NETWORKS[name](A)), measured(operator(), sparse())
    torch.testing.assert_close(net(turn * y), turn * net(y))
    assert not torch.allclose(net(turn * y), net(y))


@every_network
def test_real_signals_behind_a_complex_operator(name):
    A = operator(m=6)  # 12 real numbers
    x = sparse(REAL)
    y = measured(A, x)
    net = NETWORKS[name](A, real_signals=True)
    assert net.shape == (6, N)
    found = net(y)
    assert found.dtype == REAL
    same = NETWORKS[name](with_real_signals(A))
    if isinstance(same, OAMPNet):  # each of the two parts has half the noise
        same.noise = NOISE / 2
    torch.testing.assert_close(found, same(stacked(y)))
    with pytest.raises(ValueError, match=r"y has dtype torch.float64; .* torch.complex128"):
        net(y.real)


@pytest.mark.parametrize("name", ["LISTA", "LISTA-CP", "TiLISTA"])
def test_real_signals_are_sought_among_real_ones(name):
    A, y = operator(), measured(operator(), sparse(REAL))
    net = NETWORKS[name](A, real_signals=True)
    step = ista_step(with_real_signals(A))
    x = torch.zeros(BATCH, N, dtype=REAL)
    for _ in range(DEPTH):
        u = x + step * A.adjoint(y - A.forward(x + 0j)).real
        x = torch.sign(u) * (u.abs() - step * PENALTY).clamp(min=0)
    torch.testing.assert_close(net(y), x)
    assert not torch.allclose(net(y), NETWORKS[name](A)(y).real)


def test_a_real_scene_needs_half_the_measurements():
    def error(**more):
        A = gaussian(24, 64, generator=seeded(), dtype=COMPLEX)
        x = sparse(REAL, n=64, rows=50).abs()
        net = OAMPNet(A, 20, noise=1e-6, **more).requires_grad_(False)
        return float((net(A.forward(x + 0j)) - x).abs().square().sum() / x.square().sum())

    assert error(real_signals=True) < 0.01 < error()


@every_network
@pytest.mark.parametrize("real_signals", [False, True])
def test_gradients_in_complex_numbers(name, real_signals):
    net = moved(NETWORKS[name](operator(), real_signals=real_signals)).double()
    y = measured(operator(), sparse(rows=2)).requires_grad_()
    learned = [p for p in net.parameters() if p.requires_grad]
    if name == "HyperLISTA":  # the loss is piecewise constant in c₃
        net.c.requires_grad_(False)
        learned = []
    assert gradcheck(lambda y, *_: net(y), (y, *learned), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("image", [None, IMAGE])
@pytest.mark.parametrize("kind", ["soft threshold", "ProxNet"])
def test_the_mean_slope_is_that_of_wirtinger(kind, image):
    denoiser = SoftThreshold(0.7)
    if kind == "ProxNet":
        denoiser = moved(ProxNet(image=image, complex_signals=True, factor=0.7).double())
    r = torch.randn(2, N, generator=seeded(5), dtype=COMPLEX)
    tau = torch.tensor([[0.5], [1.0]], dtype=REAL)
    estimate, slope = denoiser.with_divergence(r, tau)
    torch.testing.assert_close(estimate, denoiser(r, tau))
    parts = torch.autograd.functional.jacobian(
        lambda parts: torch.view_as_real(denoiser(torch.view_as_complex(parts), tau)),
        torch.view_as_real(r).clone(),
    )  # (2, n, 2, 2, n, 2)
    for row in range(2):
        traces = torch.einsum("ipip->", parts[row, :, :, row]) / (2 * N)
        tolerance = 1e-10 if image is None or kind == "soft threshold" else 0.2
        assert float(slope[row].detach()) == pytest.approx(float(traces), abs=tolerance)


def test_proxnet_wants_the_kind_that_it_is_made_for():
    tau = torch.ones(1, 1)
    with pytest.raises(ValueError, match="r is complex; this ProxNet has complex_signals=False"):
        ProxNet()(torch.ones(1, 4) + 0j, tau)
    with pytest.raises(ValueError, match="r is real; this ProxNet has complex_signals=True"):
        ProxNet(complex_signals=True).with_divergence(torch.ones(1, 4), tau)
    with pytest.raises(ValueError, match="r is complex; a firmly nonexpansive denoiser"):
        FirmProxNet(0.1)(torch.ones(1, 4) + 0j, tau)
    with pytest.raises(ValueError, match="r is complex; a firmly nonexpansive denoiser"):
        FirmProxNet(0.1).with_divergence(torch.ones(1, 4) + 0j, tau)


@pytest.mark.parametrize("image", [None, IMAGE])
def test_oamp_with_a_complex_proxnet_starts_with_the_threshold(image):
    A = operator()
    y = measured(A, sparse())
    net = oamp(A, ProxNet(image=image, complex_signals=True))
    torch.testing.assert_close(net(y), oamp(A)(y))
    assert not torch.allclose(moved(net)(y), oamp(A)(y))


def test_unet_has_two_channels_of_complex_images():
    A = operator()
    y = measured(A, sparse())
    for real_signals, channels in ((False, 2), (True, 1)):
        net = UNet(A, image=IMAGE, parameters=5000, real_signals=real_signals)
        assert net.network[0].down[0].in_channels == 2
        assert net.network[1].out_channels == channels
        assert net(y).dtype == (REAL if real_signals else COMPLEX)
        assert sum(p.numel() for p in net.parameters()) <= 5000
        loss = net(y).abs().square().sum()
        assert all(g.isfinite().all() for g in torch.autograd.grad(loss, list(net.parameters())))
    with pytest.raises(ValueError, match="real signals are a case of a complex A"):
        UNet(A.dense().real, image=IMAGE, parameters=5000, real_signals=True)


@every_network
def test_precision_and_copies(name):
    A = operator(torch.complex64)
    net = moved(NETWORKS[name](A))
    y = measured(A, sparse(torch.complex64))
    expected = net(y)
    double = copy.deepcopy(net).double()
    assert double(y.to(COMPLEX)).dtype == COMPLEX
    torch.testing.assert_close(
        double(y.to(COMPLEX)).to(torch.complex64), expected, rtol=2e-3, atol=2e-4
    )
    kinds = {t.dtype for t in (*double.parameters(), *double.buffers())}
    assert kinds <= {REAL, COMPLEX, torch.int64}
    assert torch.equal(pickle.loads(pickle.dumps(net))(y), expected)
    other = NETWORKS[name](A)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(y), expected)
    with pytest.raises(ValueError, match=r"dtype is torch\.bfloat16; complex numbers need single"):
        net.bfloat16()


@every_network
def test_gradients_of_each_signal(name):
    net, y = moved(NETWORKS[name](operator())), measured(operator(), sparse())
    learned = {key: value for key, value in net.named_parameters() if value.requires_grad}

    def loss(parameters, signal):
        return functional_call(net, parameters, (signal[None],)).abs().square().sum()

    each = vmap(grad(loss), (None, 0))(learned, y)
    for i in range(BATCH):
        alone = torch.autograd.grad(loss(learned, y[i]), list(learned.values()))
        for key, expected in zip(learned, alone, strict=True):
            torch.testing.assert_close(each[key][i], expected)


@every_network
def test_it_compiles_and_exports(name):
    torch.compiler.reset()  # it refuses to compile one function for many networks
    net, y = moved(NETWORKS[name](operator())), measured(operator(), sparse())
    torch.testing.assert_close(torch.compile(net, fullgraph=True, backend="eager")(y), net(y))
    torch.testing.assert_close(torch.export.export(net, (y,)).module()(y), net(y))
