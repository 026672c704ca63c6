"""What is called nonexpansive is so, by its true operator norm, whatever its parameters are."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from unrolled.networks.contractive import (
    FirmlyNonexpansive,
    FirmProxNet,
    NonexpansiveConv2d,
    NonexpansiveLinear,
    conv_norm,
)
from unrolled.networks.oamp import OAMPNet
from unrolled.networks.proxnet import ProxNet
from unrolled.prox import soft_threshold
from unrolled.sensing import gaussian

FLOAT = torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=FLOAT)


def circular_matrix(kernel, size):
    """The convolution as a matrix, written entry by entry: (c_out·h·w, c_in·h·w)."""
    (c_out, c_in, p, q), (h, w) = kernel.shape, size
    M = torch.zeros(c_out, h, w, c_in, h, w, dtype=kernel.dtype)
    for i in range(h):
        for j in range(w):
            for a in range(p):
                for b in range(q):
                    M[:, i, j, :, (i + a - p // 2) % h, (j + b - q // 2) % w] += kernel[..., a, b]
    return M.reshape(c_out * h * w, c_in * h * w)


def shaken(module, scale, seed):
    """A module whose parameters are random, and large if scale is."""
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return module.to(FLOAT)


SHAPES = [(1, 1, 1, 1), (1, 3, 3, 3), (3, 1, 3, 3), (2, 3, 3, 1), (4, 4, 3, 3), (2, 2, 5, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(5, 5), (6, 7), (8, 5)])
def test_conv_norm_is_that_of_the_matrix(shape, size):
    kernel = normal(*shape)
    truth = float(torch.linalg.matrix_norm(circular_matrix(kernel, size), 2))
    found = float(conv_norm(kernel, size))
    assert truth * (1 - 1e-12) <= found <= truth * (1 + 1e-4)


def test_the_reshaped_kernel_has_another_norm():
    kernel = torch.full((1, 1, 3, 3), 1 / 3, dtype=FLOAT)
    assert float(torch.linalg.matrix_norm(kernel.reshape(1, -1), 2)) == pytest.approx(1)
    assert float(conv_norm(kernel, (8, 8))) == pytest.approx(3)
    random = normal(4, 4, 3, 3)
    assert conv_norm(random, (16, 16)) > 1.3 * torch.linalg.matrix_norm(random.reshape(4, -1), 2)


def test_conv_norm_has_a_gradient():
    kernel = normal(3, 2, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda k: conv_norm(k, (6, 7)), (kernel,), atol=1e-4)
    zero = torch.zeros(2, 2, 3, 3, requires_grad=True)
    norm = conv_norm(zero, (6, 6))
    norm.backward()
    assert float(norm.detach()) < 1e-30
    assert torch.isfinite(zero.grad).all()


def test_conv_norm_refuses_what_it_cannot_measure():
    with pytest.raises(ValueError, match=r"kernel has shape \(1, 1, 3, 3\).*\(2, 5\)"):
        conv_norm(torch.ones(1, 1, 3, 3), (2, 5))
    with pytest.raises(ValueError, match="kernel has shape"):
        conv_norm(torch.ones(3, 3), (5, 5))
    with pytest.raises(ValueError, match="size is"):
        conv_norm(torch.ones(1, 1, 1, 1), (0, 5))


def expansion(layer, x, z):
    """The largest ‖Lx − Lz‖/‖x − z‖ over the pairs."""
    with torch.no_grad():
        change = (layer(x) - layer(z)).flatten(1).norm(dim=1)
    return float((change / (x - z).flatten(1).norm(dim=1)).max())


@given(
    n_in=st.integers(1, 12),
    n_out=st.integers(1, 12),
    bound=st.floats(0.1, 2),
    scale=st.sampled_from([0.0, 1.0, 100.0]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=50)
def test_linear_layers_keep_their_bound(n_in, n_out, bound, scale, seed):
    layer = shaken(NonexpansiveLinear(n_in, n_out, bound=bound), scale, seed)
    norm = float(torch.linalg.matrix_norm(layer.bounded_weight().detach(), 2))
    assert norm <= bound * (1 + 1e-9)
    free = float(torch.linalg.matrix_norm(layer.weight.detach(), 2))
    assert norm == pytest.approx(min(free, bound), rel=1e-4)
    x, z = normal(20, n_in, seed=seed), normal(20, n_in, seed=seed + 1)
    assert expansion(layer, x, z) <= bound * (1 + 1e-9)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("channels", [(1, 1), (1, 4), (3, 2), (4, 4)])
@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("bound", [0.5, 1.0])
def test_convolutions_keep_their_bound(kernel, channels, scale, bound):
    size = (6, 5)
    layer = shaken(NonexpansiveConv2d(*channels, kernel, size=size, bound=bound), scale, 1)
    matrix = circular_matrix(layer.bounded_weight().detach(), size)
    norm = float(torch.linalg.matrix_norm(matrix, 2))
    assert norm <= bound * (1 + 1e-9)
    free = float(torch.linalg.matrix_norm(circular_matrix(layer.weight.detach(), size), 2))
    assert norm == pytest.approx(min(free, bound), rel=1e-4)
    x, z = normal(20, channels[0], *size), normal(20, channels[0], *size, seed=1)
    assert expansion(layer, x, z) <= bound * (1 + 1e-9)
    # The layer is that matrix.
    image = (x.flatten(1) @ matrix.T).reshape(20, channels[1], *size)
    torch.testing.assert_close(layer(x), image + layer.bias[:, None, None])


def test_a_layer_that_is_within_its_bound_is_left_alone():
    layer = NonexpansiveConv2d(2, 2, 3, size=(5, 5), bound=10.0)
    assert torch.equal(layer.bounded_weight(), layer.weight)
    dense = NonexpansiveLinear(3, 3, bound=10.0)
    assert torch.equal(dense.bounded_weight(), dense.weight)


def test_normalising_the_reshaped_kernel_would_not_do():
    layer = nn.utils.parametrizations.spectral_norm(
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", bias=False)
    )
    with torch.no_grad():
        layer.parametrizations.weight.original.fill_(1 / 3)
    layer(torch.ones(1, 1, 8, 8))
    x, z = torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    assert expansion(layer, x, z) == pytest.approx(3)
    ours = NonexpansiveConv2d(1, 1, 3, size=(8, 8), bias=False)
    with torch.no_grad():
        ours.weight.fill_(1 / 3)
    assert expansion(ours, x, z) == pytest.approx(1)


def test_the_bound_is_trained_through():
    # The matrix of norm ≤ 1 nearest to diag(3, ½) is diag(1, ½).
    target, nearest = torch.diag(torch.tensor([3.0, 0.5])), torch.diag(torch.tensor([1.0, 0.5]))
    layer = NonexpansiveLinear(2, 2, bias=False)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        (layer(torch.eye(2)) - target).square().sum().backward()
        optimiser.step()
    torch.testing.assert_close(layer.bounded_weight().detach(), nearest, rtol=0, atol=0.01)


def test_half_of_a_reflection_is_firmly_nonexpansive_and_the_reflection_is_not():
    class Minus(nn.Module):
        def forward(self, x):
            return -x

    x, z = normal(5, 4), normal(5, 4, seed=1)
    assert firmness(FirmlyNonexpansive(Minus()), x, z) <= 1e-12
    assert firmness(Minus(), x, z) > 1


def firmness(T, x, z):
    """The largest ‖Tx − Tz‖² − ⟨Tx − Tz, x − z⟩ over the pairs: ≤ 0 for a firm T."""
    with torch.no_grad():
        change = T(x) - T(z)
    return float((change.square() - change * (x - z)).sum(1).max())


DENOISERS = {
    "pointwise": {"width": 6},
    "image": {"image": (5, 6), "width": 4},
    "deep": {"image": (5, 6), "width": 3, "layers": 5},
    "wide": {"image": (5, 6), "kernel": 5, "width": 2, "layers": 2},
}


@pytest.mark.parametrize("kind", DENOISERS)
@pytest.mark.parametrize("scale", [0.0, 0.3, 3.0, 100.0])
def test_firm_proxnet_is_firmly_nonexpansive(kind, scale):
    net = shaken(FirmProxNet(0.5, **DENOISERS[kind]), scale, 2)
    for spread in (1e-3, 1.0, 10.0):
        x = 3 * normal(200, 30)
        z = x + spread * normal(200, 30, seed=1)
        assert firmness(net, x, z) <= 1e-9
        assert expansion(net, x, z) <= 1 + 1e-9
    # ProxNet, which nothing holds, is not.
    other = shaken(ProxNet(**DENOISERS[kind]), max(scale, 3.0), 2)
    assert firmness(lambda r: other(r, torch.ones(len(r), 1, dtype=FLOAT)), x, z) > 0


@pytest.mark.parametrize("kind", DENOISERS)
def test_firm_proxnet_starts_as_the_soft_threshold(kind):
    net = FirmProxNet(0.5, **DENOISERS[kind]).to(FLOAT)
    r = normal(3, 30)
    torch.testing.assert_close(net(r), soft_threshold(r, 0.5))
    # Its start is no trap: what is learned has a gradient.
    net(r).square().sum().backward()
    assert net.R.scale.grad != 0
    assert net.R.threshold.grad != 0


@pytest.mark.parametrize("kind", DENOISERS)
def test_the_divergence_of_firm_proxnet(kind):
    net = shaken(FirmProxNet(0.5, **DENOISERS[kind]), 0.5, 2)
    r = normal(2, 30)
    x, slope = net.with_divergence(r)
    torch.testing.assert_close(x, net(r))
    for row, found in zip(r, slope, strict=True):
        J = torch.autograd.functional.jacobian(lambda v: net(v[None])[0], row)
        threshold = torch.diag((row.abs() > net.R.threshold.abs()).to(FLOAT)).detach()
        # The signs see what is not diagonal; soft threshold and identity are taken exactly.
        signs = net.R.signs.expand(30)
        weight = 1 / (1 + net.R.scale.abs().detach())
        identity = torch.eye(30, dtype=FLOAT)
        exact = identity / 2 + weight * (2 * threshold - identity) / 2
        learned = (J - exact) @ signs * signs
        torch.testing.assert_close(found[0], (exact.diagonal() + learned).mean())


@pytest.mark.parametrize("kind", DENOISERS)
@pytest.mark.parametrize("scale", [0.0, 0.5, 5.0])
def test_a_tied_firm_oampnet_is_an_averaged_map(kind, scale):
    operator = gaussian(12, 30, generator=seeded(1), dtype=FLOAT)
    y = normal(1, 12, seed=3).expand(100, 12)
    denoiser = FirmProxNet(0.2, **DENOISERS[kind])
    net = OAMPNet(
        operator, 2, noise=0.01, lam=0.5, tied=True, divergence_free=False, denoiser=denoiser
    )
    net = shaken(net, scale, 4)
    x, z = 3 * normal(100, 30), 3 * normal(100, 30, seed=1)
    with torch.no_grad():
        given = net._inputs(y)
        change = net._layer(1, x, *given) - net._layer(1, z, *given)
        # A ϑ/2-averaged and a ½-averaged map in a row (Combettes and Yamada 2015).
        first, second = float(net.damping[0]) / 2, 0.5
    alpha = (first + second - 2 * first * second) / (1 - first * second)
    moved = (x - z - change).square().sum(1)
    left = change.square().sum(1) + (1 - alpha) / alpha * moved
    assert (left <= (x - z).square().sum(1) * (1 + 1e-9)).all()


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0])
def test_a_tied_firm_oampnet_run_on_converges(scale):
    operator = gaussian(12, 30, generator=seeded(1), dtype=FLOAT)
    y = operator.forward(normal(4, 30, seed=3))
    net = OAMPNet(
        operator,
        1000,
        noise=0.01,
        lam=0.5,
        tied=True,
        divergence_free=False,
        denoiser=FirmProxNet(0.1, image=(5, 6), width=2, layers=2),
    )
    net = shaken(net, scale, 4)
    with torch.no_grad():
        iterates = net.trajectory(y)
    steps = (iterates[1:] - iterates[:-1]).norm(dim=2).amax(1)  # (K,)
    assert (steps[1:] <= steps[:-1] * (1 + 1e-9) + 1e-14).all()
    assert steps[-1] < 1e-5 * steps[0]
    # Krasnosel'skii–Mann: the distance to the limit never grows.
    distances = (iterates - iterates[-1]).norm(dim=2)[:-300]
    assert (distances[1:] <= distances[:-1] * (1 + 1e-6) + 1e-9).all()


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: NonexpansiveLinear(0, 2), "n_in is 0"),
        (lambda: NonexpansiveLinear(2, 0), "n_out is 0"),
        (lambda: NonexpansiveLinear(2, 2, bound=0.0), "bound is 0.0"),
        (lambda: NonexpansiveLinear(2, 2, bound=math.inf), "bound is inf"),
        (lambda: NonexpansiveConv2d(0, 1, 3, size=(4, 4)), "c_in is 0"),
        (lambda: NonexpansiveConv2d(1, 0, 3, size=(4, 4)), "c_out is 0"),
        (lambda: NonexpansiveConv2d(1, 1, 2, size=(4, 4)), "kernel is 2"),
        (lambda: NonexpansiveConv2d(1, 1, 5, size=(4, 9)), "kernel is 5; images of size"),
        (lambda: NonexpansiveConv2d(1, 1, 3, size=(4, 4), bound=math.nan), "bound is nan"),
        (lambda: FirmProxNet(-0.1), "threshold is -0.1"),
        (lambda: FirmProxNet(math.nan), "threshold is nan"),
        (lambda: FirmProxNet(0.1, kernel=3), "image is missing"),
        (lambda: FirmProxNet(0.1, width=0), "width is 0"),
        (lambda: FirmProxNet(0.1, layers=1), "layers is 1"),
    ],
)
def test_bad_arguments_are_refused(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


def test_images_of_another_size_are_refused():
    layer = NonexpansiveConv2d(1, 1, 3, size=(4, 5))
    with pytest.raises(ValueError, match=r"the bound holds for images of size \(4, 5\)"):
        layer(torch.ones(1, 1, 5, 4))
    assert NonexpansiveConv2d(1, 1, 1, size=(4, 5))(torch.ones(1, 1, 7, 7)).shape[-1] == 7


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", DENOISERS)
def test_runs_on_a_gpu_unchanged_and_never_waits(kind):
    net = shaken(FirmProxNet(0.5, **DENOISERS[kind]), 1.0, 2)
    r = normal(4, 30)
    expected = net(r)
    net, r = net.to("cuda"), r.to("cuda")
    net(r)
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = net(r)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(result.cpu(), expected)


def test_nan_in_a_kernel_is_nan_and_no_error_of_a_decomposition():
    kernel = torch.full((2, 2, 3, 3), torch.nan)
    assert conv_norm(kernel, (8, 8)).isnan()
