"""ProxNet starts as the soft threshold, is equivariant to scale, and knows its divergence."""

import math

import pytest
import torch
from torch import nn

from unrolled.networks.images import pushforward
from unrolled.networks.proxnet import ProxNet, SoftThreshold
from unrolled.prox import soft_threshold

FLOAT = torch.float64
KINDS = {
    "pointwise": {"width": 5},
    "pointwise on images": {"image": (4, 6), "kernel": 1, "width": 5, "layers": 3},
    "convolutional": {"image": (4, 6), "width": 5, "layers": 2},
    "wide kernel": {"image": (4, 6), "kernel": 5, "width": 3, "layers": 3},
}


def trained(kind, scale=0.3):
    """A ProxNet whose parameters have moved away from their start."""
    net = ProxNet(**KINDS[kind]).to(FLOAT)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return net


def signals(batch=3, n=24):
    generator = torch.Generator().manual_seed(2)
    r = torch.randn(batch, n, generator=generator, dtype=FLOAT)
    return r, 0.1 + torch.rand(batch, 1, generator=generator, dtype=FLOAT)


@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_as_the_soft_threshold(kind):
    r, tau = signals()
    net = ProxNet(**KINDS[kind], factor=1.25).to(FLOAT)
    expected = soft_threshold(r, 1.25 * tau)
    assert torch.equal(net(r, tau), expected)
    x, slope = net.with_divergence(r, tau)
    assert torch.equal(x, expected)
    assert torch.equal(slope, (expected != 0).to(FLOAT).mean(1, keepdim=True))
    assert not torch.equal(trained(kind)(r, tau), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-6, 0.3, 1e4])
def test_it_is_equivariant_to_scale(kind, scale):
    r, tau = signals()
    net = trained(kind)
    torch.testing.assert_close(net(scale * r, scale * tau), scale * net(r, tau))
    assert not torch.allclose(net(scale * r, tau), scale * net(r, tau), rtol=1e-3, atol=0)


def jacobians(net, r, tau):
    """The Jacobian of each row by reverse mode, (B, n, n)."""
    rows = [
        torch.autograd.functional.jacobian(lambda row, t=t: net(row[None], t)[0], row)
        for row, t in zip(r, tau[:, None], strict=True)
    ]
    return torch.stack(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_divergence_is_that_of_the_jacobian(kind):
    r, tau = signals()
    net = trained(kind)
    x, slope = net.with_divergence(r, tau)
    torch.testing.assert_close(x, net(r, tau))
    J = jacobians(net, r, tau)
    diagonal = J.diagonal(dim1=1, dim2=2)
    # The soft threshold is exact; the signs see the rest, exactly where that is diagonal.
    threshold = (soft_threshold(r, net.threshold.factor * tau) != 0).to(FLOAT)
    learned = J - torch.diag_embed(threshold)
    signs = net.signs.expand(24)
    expected = threshold.mean(1) + (learned @ signs * signs).mean(1)
    torch.testing.assert_close(slope[:, 0], expected)
    pointwise = net.network[0].kernel_size == (1, 1)
    assert torch.allclose(slope[:, 0], diagonal.mean(1)) == pointwise


def test_the_average_over_signs_is_the_trace():
    r, tau = signals(batch=1)
    net = trained("convolutional")
    trace = float(jacobians(net, r, tau)[0].trace() / 24)
    generator = torch.Generator().manual_seed(3)
    estimates = []
    for _ in range(2000):
        net.signs = 2.0 * torch.randint(0, 2, (24,), generator=generator).to(FLOAT) - 1
        estimates.append(float(net.with_divergence(r, tau)[1].detach()))
    estimates = torch.tensor(estimates)
    error = float(estimates.std()) / math.sqrt(len(estimates))
    assert error > 0
    assert abs(float(estimates.mean()) - trace) < 4 * error


@pytest.mark.parametrize("kind", KINDS)
def test_the_divergence_has_a_gradient(kind):
    r, tau = signals(batch=2)
    net = trained(kind)
    names = [name for name, _ in net.network.named_parameters()]

    def slope(*values):
        named = {f"network.{name}": v for name, v in zip(names, values, strict=True)}
        call = torch.func.functional_call
        return call(_Divergence(net), {f"net.{k}": v for k, v in named.items()}, (r, tau))

    assert torch.autograd.gradcheck(slope, tuple(net.network.parameters()))


class _Divergence(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, r, tau):
        return self.net.with_divergence(r, tau)[1]


def test_a_pointwise_net_looks_at_each_entry_by_itself():
    r, tau = signals()
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    for kind in ("pointwise", "pointwise on images"):
        net = trained(kind)
        torch.testing.assert_close(net(r[:, order], tau), net(r, tau)[:, order])
    net = trained("convolutional")
    assert not torch.allclose(net(r[:, order], tau), net(r, tau)[:, order])


def test_width_and_layers_say_how_many_parameters_there_are():
    net = ProxNet(image=(4, 4), width=7, layers=4)
    convolutions = (9 + 1) * 7 + 2 * (9 * 7 + 1) * 7 + (9 * 7 + 1)
    assert sum(p.numel() for p in net.parameters()) == 1 + convolutions


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kernel": 3}, "image is missing"),
        ({"kernel": 2, "image": (4, 4)}, "kernel is 2; an odd"),
        ({"kernel": -1}, "kernel is -1"),
        ({"image": (0, 4)}, r"image is \(0, 4\)"),
        ({"image": (4, 4, 4)}, r"image is \(4, 4, 4\)"),
        ({"width": 0}, "width is 0"),
        ({"layers": 1}, "layers is 1"),
        ({"factor": 0.0}, "factor is 0.0"),
        ({"factor": math.nan}, "factor is nan"),
    ],
)
def test_bad_arguments_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        ProxNet(**arguments)


def test_signals_that_are_no_such_images_are_refused():
    with pytest.raises(ValueError, match="images of 4×4 are needed"):
        ProxNet(image=(4, 4))(torch.ones(2, 15), torch.ones(2, 1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", [*KINDS, "soft threshold"])
def test_runs_on_a_gpu_unchanged(kind):
    r, tau = signals()
    net = SoftThreshold().to(FLOAT) if kind == "soft threshold" else trained(kind)
    expected = net.with_divergence(r, tau)
    result = net.to("cuda").with_divergence(r.to("cuda"), tau.to("cuda"))
    for a, b in zip(result, expected, strict=True):
        torch.testing.assert_close(a.cpu(), b)


def test_the_slope_of_silu_does_not_cancel():
    network = nn.Sequential(nn.SiLU())
    for size in (1e7, 1e8):
        value = torch.tensor([[[[size, -size, 0.0]]]])
        _, slope = pushforward(network, value, torch.ones_like(value))
        torch.testing.assert_close(slope, torch.tensor([[[[1.0, 0.0, 0.5]]]]))
