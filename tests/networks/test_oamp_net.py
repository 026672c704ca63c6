"""OAMPNet is orthogonal AMP: iterate by iterate, on every kind of operator, in either form."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from unrolled.iterations import oamp
from unrolled.networks.contractive import FirmProxNet
from unrolled.networks.oamp import OAMPNet
from unrolled.networks.proxnet import ProxNet, SoftThreshold
from unrolled.sensing import (
    BatchOperator,
    DenseOperator,
    gaussian,
    kronecker,
    partial_dct,
    partial_hadamard,
)
from unrolled.signals import BernoulliGaussian, Gaussian
from unrolled.training import fit

FLOAT = torch.float64
FACTOR = float(torch.tensor(1.4))  # the default, in the single precision of a new denoiser


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def linear_step(net, k, x, residual):
    return net._linear_step(k, x, residual, net.operator, net.eigenvalues)


def dense(m=12, n=20):
    return gaussian(m, n, generator=seeded(1), dtype=FLOAT)


OPERATORS = {
    "dense": dense,
    "tall": lambda: gaussian(24, 20, generator=seeded(1), dtype=FLOAT),
    "dct": lambda: partial_dct(12, 20, generator=seeded(1), dtype=FLOAT),
    "hadamard": lambda: partial_hadamard(10, 16, generator=seeded(1), dtype=FLOAT),
    "kronecker": lambda: kronecker(dense(3, 4), dense(4, 5)),
}


def measure(operator, *, noise, batch=3, seed=2):
    generator = seeded(seed)
    n = operator.shape[1]
    x = torch.randn(batch, n, generator=generator, dtype=FLOAT)
    x = x * (torch.rand(batch, n, generator=generator) < 0.3)
    w = torch.randn(batch, operator.shape[0], generator=generator, dtype=FLOAT)
    return operator.forward(x) + math.sqrt(noise) * w, x


def algorithm(A, y, *, noise, depth, factor, damping=1.0, lam=None, divergence_free=True):
    """The estimates of OAMP, one signal after the other, with matrices in place of products."""
    m, n = A.shape
    identity = torch.eye(n, dtype=FLOAT)
    rows = []
    for row in y:
        x = torch.zeros(n, dtype=FLOAT)
        estimates = [x]
        for _ in range(depth):
            residual = row - A @ x
            v2 = max(float(residual @ residual) - m * noise, 0.0) / float(A.square().sum())
            # Where no error is left, λ = ∞ and W is a multiple of Aᵀ; so it is with a large λ.
            ridge = lam or (noise / v2 if v2 > 1e-12 * noise else 1e12)
            v2 = v2 if lam else max(v2, noise / ridge)
            W = A.T @ torch.linalg.inv(A @ A.T + ridge * torch.eye(m, dtype=FLOAT))
            if divergence_free:
                W = W * (n / torch.trace(W @ A))
            W = damping * W
            r = x + W @ residual
            error = v2 * (identity - W @ A).square().sum() + noise * W.square().sum()
            threshold = factor * torch.sqrt(error / n)
            x = torch.sign(r) * torch.clamp(r.abs() - threshold, min=0)
            estimates.append(x)
            if divergence_free:
                slope = (r.abs() > threshold).to(FLOAT).mean()
                x = (x - slope * r) / (1 - slope)
        rows.append(torch.stack(estimates))
    return torch.stack(rows, 1)


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("divergence_free", [True, False])
@pytest.mark.parametrize("lam", [None, 0.3])
def test_untrained_net_is_the_algorithm_iterate_by_iterate(kind, divergence_free, lam):
    operator, noise = OPERATORS[kind](), 1e-2
    y, _ = measure(operator, noise=noise)
    choices = {"lam": lam, "divergence_free": divergence_free}
    net = OAMPNet(operator, 5, noise=noise, **choices)
    expected = algorithm(operator.dense(), y, noise=noise, depth=5, factor=FACTOR, **choices)
    torch.testing.assert_close(net.trajectory(y), expected)
    torch.testing.assert_close(net(y), expected[-1])
    torch.testing.assert_close(net(y, depth=2), expected[2])
    # The mirrored choice is another algorithm.
    choices["divergence_free"] = not divergence_free
    other = algorithm(operator.dense(), y, noise=noise, depth=5, factor=FACTOR, **choices)
    assert (other - expected).abs().max() > 1e-3


def test_what_goes_out_is_the_estimate_and_what_is_handed_on_its_correction():
    operator = dense()
    y, _ = measure(operator, noise=1e-2)
    net = OAMPNet(operator, 3, noise=1e-2)
    estimate, x = net._run(0, 2, None, *net._inputs(y))
    assert torch.equal(estimate, net(y, depth=2))
    r, tau = linear_step(net, 2, x, y - operator.forward(x))
    assert torch.equal(net.denoisers[2](r, tau), net(y))
    assert not torch.allclose(estimate, x, rtol=0.1)
    plain = OAMPNet(operator, 3, noise=1e-2, divergence_free=False)
    assert torch.equal(plain._layer(2, plain(y, depth=2), *plain._inputs(y)), plain(y))


@given(
    relaxation=st.floats(-3, 3),
    noise=st.floats(1e-4, 0.1),
    lam=st.one_of(st.none(), st.floats(1e-2, 10)),
    seed=st.integers(0, 100),
)
@settings(deadline=None, max_examples=30)
def test_damped_net_is_the_damped_algorithm(relaxation, noise, lam, seed):
    operator = dense()
    y, _ = measure(operator, noise=noise, seed=seed)
    net = OAMPNet(operator, 3, noise=noise, tied=True, lam=lam, denoiser=SoftThreshold(1.75))
    with torch.no_grad():
        net.relaxation.fill_(relaxation)
    damping = 2 / (1 + math.exp(-relaxation))
    expected = algorithm(
        operator.dense(), y, noise=noise, depth=3, factor=1.75, damping=damping, lam=lam
    )
    torch.testing.assert_close(net.trajectory(y).detach(), expected)
    torch.testing.assert_close(net.damping.detach(), torch.tensor([damping], dtype=FLOAT))


class PosteriorMean(nn.Module):
    """The best denoiser for a prior; it learns nothing."""

    def __init__(self, prior):
        super().__init__()
        self.prior = prior

    def forward(self, r, tau):
        return self.prior.denoise(r, tau.square())[0]

    def with_divergence(self, r, tau):
        x, slopes = self.prior.denoise(r, tau.square())
        return x, slopes.mean(1, keepdim=True)


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_with_the_posterior_mean_it_is_the_oamp_of_the_iterations(noise):
    operator, prior = dense(128, 256), BernoulliGaussian(256, rate=0.3)
    y, _ = measure(operator, noise=noise)
    net = OAMPNet(operator, 6, noise=noise, denoiser=PosteriorMean(prior))
    expected = oamp(operator, y, noise=noise, depth=6, prior=prior, posterior=True)
    torch.testing.assert_close(net.trajectory(y), expected)
    handed_on = [net._run(0, k, None, *net._inputs(y))[1] for k in range(1, 7)]
    iterates = oamp(operator, y, noise=noise, depth=6, prior=prior)
    torch.testing.assert_close(torch.stack(handed_on), iterates[1:])
    assert (iterates - expected).abs().max() > 1e-3
    other = OAMPNet(operator, 6, noise=noise, denoiser=PosteriorMean(prior), lam=1.0)
    assert (other.trajectory(y) - expected).abs().max() > 1e-3


@torch.no_grad()
def test_a_denoiser_of_slope_one_is_corrected_as_in_the_iterations():
    # For Gaussian signals, D(r) = g·r has the slope g, and its correction is 0, …
    operator, prior = dense(24, 20), Gaussian(20)
    y, _ = measure(operator, noise=0.0)

    def both(noise):
        net = OAMPNet(operator, 2, noise=noise, denoiser=PosteriorMean(prior))
        algorithm = oamp(operator, y, noise=noise, depth=2, prior=prior)
        return net._run(0, 2, None, *net._inputs(y))[1], algorithm[-1]

    handed_on, expected = both(noise=1e-3)
    torch.testing.assert_close(handed_on, expected)
    torch.testing.assert_close(expected, torch.zeros_like(expected))
    # … but where 1 − g is below √ε, which then takes its place, it is nearly r.
    handed_on, expected = both(noise=1e-20)
    torch.testing.assert_close(handed_on, expected)
    torch.testing.assert_close(expected, operator.lmmse(y, 1e-20))


@pytest.mark.parametrize("tied", [True, False])
def test_with_proxnet_it_starts_as_with_the_soft_threshold(tied):
    operator = dense()
    y, _ = measure(operator, noise=1e-2)
    net = OAMPNet(operator, 4, noise=1e-2, denoiser=ProxNet(factor=1.4), tied=tied)
    expected = OAMPNet(operator, 4, noise=1e-2, tied=tied)
    torch.testing.assert_close(net.trajectory(y), expected.trajectory(y))
    with torch.no_grad():
        net.denoisers[0].network[-1].bias.fill_(0.1)
    assert (net(y) - expected(y)).abs().max() > 1e-3


def test_the_linear_step_predicts_its_error():
    # τ² is an average: over white errors of variance v² in x, and over the noise.
    operator, noise, v2 = dense(60, 100), 0.05, 0.5
    generator = seeded(5)
    x = torch.randn(2000, 100, generator=generator, dtype=FLOAT)
    error = math.sqrt(v2) * torch.randn(2000, 100, generator=generator, dtype=FLOAT)
    w = math.sqrt(noise) * torch.randn(2000, 60, generator=generator, dtype=FLOAT)
    for lam in (None, 0.4):
        net = OAMPNet(operator, 1, noise=noise, lam=lam)
        r, tau = linear_step(net, 0, x + error, w - operator.forward(error))
        measured = (r - x).square().mean()
        torch.testing.assert_close(tau.square().mean(), measured, rtol=0.03, atol=0)


@pytest.mark.parametrize("divergence_free", [True, False])
@torch.no_grad()
def test_both_halves_are_divergence_free_or_not(divergence_free):
    operator = dense()
    y, x = measure(operator, noise=1e-2, batch=1)
    net = OAMPNet(operator, 1, noise=1e-2, lam=0.3, divergence_free=divergence_free)

    def trace(function, at):
        h, units = 1e-5, torch.eye(20, dtype=FLOAT)
        return sum(
            float(function(at + h * e)[0, i] - function(at - h * e)[0, i]) / (2 * h)
            for i, e in enumerate(units)
        )

    def linear(x):
        return linear_step(net, 0, x, y - operator.forward(x))[0]

    r, tau = linear_step(net, 0, x, y - operator.forward(x))
    assert (abs(trace(linear, x)) < 1e-7) == divergence_free
    if divergence_free:
        assert abs(trace(lambda r: net._denoise(0, r, tau)[1], r)) < 1e-7
        assert trace(lambda r: net._denoise(0, r, tau)[0], r) > 1
    else:
        assert trace(lambda r: net._denoise(0, r, tau), r) > 1


@pytest.mark.parametrize("m", [4, 10, 16])
@pytest.mark.parametrize("relaxation", [-1.0, 0.0, 2.0])
@torch.no_grad()
def test_the_linear_step_expands_only_if_it_is_divergence_free(m, relaxation):
    operator, n = partial_dct(m, 20, generator=seeded(1), dtype=FLOAT), 20
    y, _ = measure(operator, noise=0.1, batch=1)
    units = torch.eye(n, dtype=FLOAT)

    def norm(divergence_free):
        net = OAMPNet(operator, 1, noise=0.1, lam=0.01, tied=True, divergence_free=divergence_free)
        net.relaxation.fill_(relaxation)
        origin = torch.zeros(1, n, dtype=FLOAT)
        r = [linear_step(net, 0, x, y - operator.forward(x))[0] for x in (origin, *units[:, None])]
        return float(torch.linalg.matrix_norm(torch.cat(r[1:]) - r[0], 2)), float(net.damping[0])

    # On the row space, I − ϑγW_λA is 1 − ϑn/m; elsewhere it is 1.
    found, damping = norm(divergence_free=True)
    assert found == pytest.approx(max(1, damping * n / m - 1))
    assert norm(divergence_free=False)[0] == pytest.approx(1)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("lam", [None, 0.3])
@pytest.mark.parametrize("denoiser", [SoftThreshold, lambda: ProxNet(width=4)])
def test_gradients_with_checkpoints_are_those_without(tied, lam, denoiser):
    operator = dense()
    y, x = measure(operator, noise=1e-2)
    denoiser = denoiser()

    def gradients(schedule, depth=None):
        net = OAMPNet(
            operator, 5, noise=1e-2, tied=tied, lam=lam, denoiser=denoiser, checkpoint=schedule
        )
        inputs = y.clone().requires_grad_()
        loss = (net(inputs, depth=depth) - x).square().sum()
        reached = 1 if tied else depth or 5
        used = [net.relaxation, *net.denoisers[:reached].parameters()]
        return torch.autograd.grad(loss, [inputs, *used])

    for depth in (None, 3):
        plain = gradients(None, depth)
        assert all(g.abs().max() > 0 for g in plain[:2])
        for schedule in (1, 2, 5, [3, 2], [1, 3, 1]):
            for a, b in zip(plain, gradients(schedule, depth), strict=True):
                torch.testing.assert_close(a, b)


def test_gradients_are_those_of_differences():
    operator = dense(5, 8)
    y, x = measure(operator, noise=1e-2, batch=2)
    denoiser = ProxNet(width=3)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(3)))
    for lam in (None, 0.3):
        net = OAMPNet(operator, 2, noise=1e-2, lam=lam, denoiser=denoiser)
        names = [name for name, _ in net.named_parameters()]

        def loss(*values, net=net, names=names):
            output = torch.func.functional_call(net, dict(zip(names, values, strict=True)), (y,))
            return (output - x).square().sum()

        assert torch.autograd.gradcheck(loss, tuple(net.parameters()))


def test_one_copy_of_the_denoiser_when_tied_and_one_for_each_layer_otherwise():
    denoiser = ProxNet()
    tied = OAMPNet(dense(), 4, noise=0.1, denoiser=denoiser, tied=True)
    assert len(tied.denoisers) == 1
    assert tied.denoisers[0] is not denoiser
    assert tied.relaxation.shape == (1,)
    untied = OAMPNet(dense(), 4, noise=0.1, denoiser=denoiser)
    assert len({id(copy) for copy in [denoiser, *untied.denoisers]}) == 5
    assert untied.relaxation.shape == (4,)


@pytest.mark.parametrize("layer", [2, 3])
@pytest.mark.parametrize("part", ["relaxation", "threshold"])
@pytest.mark.parametrize("kind", OPERATORS)
def test_a_fit_that_goes_astray_names_the_layer(kind, part, layer):
    operator = OPERATORS[kind]()
    data = measure(operator, noise=1e-2)
    net = OAMPNet(operator, 4, noise=1e-2)
    fit(net, data, steps=1, progress=False)
    with torch.no_grad():
        planted = net.relaxation if part == "relaxation" else net.denoisers[layer - 1].factor
        planted.view(-1)[layer - 1 if part == "relaxation" else 0] = math.nan
    with pytest.raises(FloatingPointError, match=f"first layer to give NaN or infinity is {layer}"):
        fit(net, data, steps=1, progress=False)


def test_training_lowers_the_error():
    operator = gaussian(30, 60, generator=seeded(1))
    prior = BernoulliGaussian(60)
    x = prior.draw(200, seeded(2))
    y = operator.forward(x) + 0.03 * torch.randn(200, 30, generator=seeded(3))
    net = OAMPNet(operator, 4, noise=1e-3, denoiser=ProxNet(width=8))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = (net(y) - x).square().sum() / x.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert all(parameter.grad.abs().max() > 0 for parameter in net.parameters())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("kind", OPERATORS)
def test_no_signal_and_no_noise_are_no_trouble(kind):
    operator = OPERATORS[kind]()
    for noise in (0.0, 0.1):
        for lam in (None, 0.1):
            net = OAMPNet(operator, 4, noise=noise, lam=lam, denoiser=ProxNet())
            y, _ = measure(operator, noise=0.0)
            y[0] = 0
            x = net(y)
            assert torch.equal(x[0], torch.zeros_like(x[0]))
            x.square().sum().backward()
            assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_the_scale_of_the_signals_does_not_matter(scale):
    operator = gaussian(12, 20, generator=seeded(1))
    y, _ = measure(dense(), noise=1e-4)
    y = y.float()
    for noise in (0.0, 1e-4):
        results = []
        for factor in (1.0, scale):
            net = OAMPNet(operator, 4, noise=noise * factor**2, denoiser=ProxNet())
            results.append(net(factor * y) / factor)
            results[-1].square().sum().backward()
            assert all(torch.isfinite(p.grad).all() for p in net.parameters())
        torch.testing.assert_close(*results, rtol=1e-3, atol=1e-3)


class Spy(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes the largest tensor that any operation returns, and whether one asks for a value."""

    largest = 0
    looks = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            self.looks += 1
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.numel())
        return result


def test_a_structured_operator_is_never_formed():
    factors = [gaussian(96, 256, generator=seeded(k)) for k in (1, 2)]
    operator = kronecker(*factors)  # A would have 6·10⁸ entries
    y = operator.forward(torch.randn(2, 256 * 256, generator=seeded(3)))
    net = OAMPNet(operator, 2, noise=1e-3)
    assert all(p.numel() <= 256 * 256 for p in [*net.parameters(), *net.buffers()])
    with Spy() as spy:
        net(y).sum().backward()
    assert spy.largest <= y.shape[0] * 256 * 256


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("lam", [None, 0.3])
def test_no_layer_waits_for_a_value(tied, lam):
    operator = dense()
    y, _ = measure(operator, noise=1e-2)
    net = OAMPNet(operator, 3, noise=1e-2, tied=tied, lam=lam, denoiser=ProxNet())
    with Spy() as spy:
        net._run(0, 3, None, *net._inputs(y))
    assert spy.looks == 0
    with Spy() as spy:  # as the check of y does, where the network begins
        net(y)
    assert spy.looks > 0


@pytest.mark.parametrize(
    ("A", "arguments", "sentence"),
    [
        (torch.eye(2), {"noise": -1.0}, "noise is -1.0"),
        (torch.eye(2), {"noise": math.nan}, "noise is nan"),
        (torch.eye(2), {"noise": math.inf}, "noise is inf"),
        (torch.eye(2), {"lam": 0.0}, "lam is 0.0"),
        (torch.eye(2), {"lam": -1.0}, "lam is -1.0"),
        (torch.eye(2), {"lam": math.inf}, "lam is inf"),
        (torch.eye(2), {"depth": 0}, "depth is 0"),
        (torch.eye(2), {"checkpoint": [1, 1]}, "checkpoint is"),
        (torch.eye(2), {"denoiser": nn.Identity()}, "denoiser is a Identity.*with_divergence"),
        (torch.zeros(2, 3), {}, "A is zero"),
        (torch.eye(2), {"real_signals": True}, "A has dtype torch.float32; real signals"),
        (torch.tensor([[math.nan]]), {}, "A holds NaN"),
        (BatchOperator(torch.ones(3, 2, 2)), {}, "A is a BatchOperator"),
    ],
)
def test_bad_arguments_are_refused(A, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        OAMPNet(A, **{"depth": 3, "noise": 0.1, **arguments})


def test_a_denoiser_without_divergence_serves_the_plain_form():
    class Half(nn.Module):
        def forward(self, r, tau):
            return r / 2

    net = OAMPNet(torch.eye(2), 2, noise=0.1, denoiser=Half(), divergence_free=False)
    assert net(torch.ones(1, 2)).shape == (1, 2)


def test_bad_measurements_are_refused():
    net = OAMPNet(DenseOperator(torch.ones(3, 2)), 2, noise=0.1)
    with pytest.raises(ValueError, match=r"y has shape \(1, 2\); a batch \(B, 3\)"):
        net(torch.ones(1, 2))
    with pytest.raises(ValueError, match="y holds NaN"):
        net(torch.full((1, 3), math.nan))
    with pytest.raises(ValueError, match="depth is 3"):
        net(torch.ones(1, 3), depth=3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("denoiser", [None, ProxNet(width=4), FirmProxNet(0.1, width=4)])
def test_runs_on_a_gpu_unchanged_and_never_waits(kind, denoiser):
    operator = OPERATORS[kind]()
    y, _ = measure(operator, noise=1e-2)
    net = OAMPNet(operator, 4, noise=1e-2, denoiser=denoiser)
    expected = net(y)
    net, y = net.to("cuda"), y.to("cuda")
    net(y)
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = net(y)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(result.cpu(), expected)


class _Dropout(nn.Module):
    # A denoiser that draws at random, as a user's may.

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def forward(self, r, tau):
        return self.factor * nn.functional.dropout(r, 0.5)


def test_checkpoints_draw_the_same_again():
    operator = gaussian(6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.randn(3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = []
    for checkpoint in (None, 1, [2, 2]):
        net = OAMPNet(
            operator, 4, noise=0.1, denoiser=_Dropout(), divergence_free=False, tied=True,
            checkpoint=checkpoint,
        )  # fmt: skip
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net(y).square().sum().backward()
        gradients.append(net.denoisers[0].factor.grad)
    torch.testing.assert_close(gradients[1], gradients[0])
    torch.testing.assert_close(gradients[2], gradients[0])


def test_it_owns_its_operator_and_its_state_is_whole():
    def build(seed):
        operator = gaussian(6, 10, generator=torch.Generator().manual_seed(seed))
        return operator, OAMPNet(operator, 4, noise=0.1)

    (operator, net), (_, other) = build(0), build(1)
    y = torch.randn(3, 6, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        before = OAMPNet(operator, 4, noise=0.1)(y)
        net(y)
        net.load_state_dict(other.state_dict())
        torch.testing.assert_close(net(y), other(y))
        torch.testing.assert_close(OAMPNet(operator, 4, noise=0.1)(y), before)
        assert not torch.allclose(net(y), before)
        net.double()
        assert operator.dtype == torch.float32
