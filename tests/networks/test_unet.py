"""UNet keeps to its budget, uses it, fits every image, and learns."""

import math

import pytest
import torch

from unrolled.networks.unet import UNet
from unrolled.sensing import BatchOperator, gaussian, partial_dct
from unrolled.signals import piecewise_constant


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def operator(height, width, m=None, dtype=torch.float32):
    n = height * width
    return gaussian(m or max(1, n // 2), n, generator=seeded(1), dtype=dtype)


def size(net):
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("budget", [55_000, 1_200_000])
def test_it_is_the_widest_within_its_budget(budget):
    A = operator(32, 32, m=10)
    net = UNet(A, image=(32, 32), parameters=budget)
    assert size(net) <= budget
    # A budget of exactly that many gives the same network, one less a narrower one, and the
    # next width does not fit.
    assert UNet(A, image=(32, 32), parameters=size(net)).width == net.width
    assert UNet(A, image=(32, 32), parameters=size(net) - 1).width == net.width - 1
    wider = next(
        other
        for other in (
            UNet(A, image=(32, 32), parameters=extra)
            for extra in range(budget, 3 * budget, budget // 100)
        )
        if other.width > net.width
    )
    assert wider.width == net.width + 1
    assert size(wider) > budget


@pytest.mark.parametrize("image", [(4, 4), (5, 7), (16, 16), (17, 31), (1 + 32, 20)])
def test_every_size_of_image(image):
    A = operator(*image, m=6)
    net = UNet(A, image=image, parameters=60_000)
    y = torch.randn(3, 6, generator=seeded(2))
    x = net(y)
    assert x.shape == (3, image[0] * image[1])
    assert x.dtype == torch.float32
    x.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_levels_are_as_many_as_the_image_allows():
    def levels(net):
        level, count = net.network[0], 0
        while level is not None:
            level, count = level.below, count + 1
        return count

    assert levels(UNet(operator(15, 40, m=4), image=(15, 40), parameters=10**5)) == 3
    assert levels(UNet(operator(16, 40, m=4), image=(16, 40), parameters=10**5)) == 4


def test_it_sees_the_measurements_through_the_back_projection_alone():
    A = partial_dct(20, 64, generator=seeded(1))
    net = UNet(A, image=(8, 8), parameters=20_000)
    y = torch.randn(2, 20, generator=seeded(2))
    assert not torch.allclose(net(y), net(y.flip(1)))
    image = A.adjoint(y).reshape(2, 1, 8, 8)
    torch.testing.assert_close(net(y), net.network(image).flatten(1))


def test_it_learns():
    generator = seeded(3)
    x = piecewise_constant(16, 16, count=64, generator=generator)
    A = operator(16, 16, m=128)
    y = A.forward(x)
    net = UNet(A, image=(16, 16), parameters=30_000)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        loss = (net(y) - x).square().mean() / x.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_dtype_is_that_of_the_operator():
    net = UNet(operator(8, 8, dtype=torch.float64), image=(8, 8), parameters=10**4)
    assert net(torch.ones(1, 32, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(
    ("A", "image", "parameters", "sentence"),
    [
        (torch.ones(2, 16), (4, 5), 10**5, r"image is \(4, 5\).*height·width = 16"),
        (torch.ones(2, 16), (2, 8), 10**5, r"image is \(2, 8\); sides of at least 4"),
        (torch.ones(2, 16), (16,), 10**5, r"image is \(16,\)"),
        (torch.ones(2, 16), (4, 4), 100, "parameters is 100; a U-Net of 3 levels has at least"),
        (torch.ones(2, 16), (4, 4), -1, "parameters is -1"),
        (BatchOperator(torch.ones(3, 2, 16)), (4, 4), 10**5, "A is a BatchOperator"),
        (torch.full((2, 16), math.nan), (4, 4), 10**5, "A holds NaN"),
    ],
)
def test_bad_arguments_are_refused(A, image, parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        UNet(A, image=image, parameters=parameters)


def test_bad_measurements_are_refused():
    net = UNet(operator(4, 4), image=(4, 4), parameters=10**4)
    with pytest.raises(ValueError, match=r"y has shape \(1, 7\); a batch \(B, 8\)"):
        net(torch.ones(1, 7))
    with pytest.raises(ValueError, match="y holds NaN"):
        net(torch.full((1, 8), math.nan))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("image", [(16, 16), (5, 7)])
def test_runs_on_a_gpu_unchanged(image):
    net = UNet(operator(*image, dtype=torch.float64), image=image, parameters=60_000)
    y = torch.randn(3, net.operator.shape[0], generator=seeded(2), dtype=torch.float64)
    expected = net(y)
    torch.testing.assert_close(net.to("cuda")(y.to("cuda")).cpu(), expected)
