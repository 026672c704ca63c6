"""What all unrolled networks share: layers that another network takes over."""

import pytest
import torch

from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    GradientNet,
    HyperLISTA,
    OAMPNet,
    ProxNet,
    TiLISTA,
)
from unrolled.sensing import gaussian


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def matrix(n=9):
    return gaussian(6, n, generator=generator(), dtype=torch.float64)


def oamp(A, depth, **more):
    return OAMPNet(A, depth, noise=0.1, denoiser=ProxNet(), **more)


NETWORKS = {
    "GradientNet": GradientNet,
    "LISTA": LISTA,
    "LISTA-CP": LISTACP,
    "TiLISTA": TiLISTA,
    "ALISTA": ALISTA,
    "HyperLISTA": HyperLISTA,
    "OAMPNet": oamp,
}
TIED = ("GradientNet", "LISTA", "LISTA-CP", "OAMPNet")


def moved(net):
    """The network, each of its parameters changed by chance."""
    draws = generator(1)
    with torch.no_grad():
        for parameter in net.parameters():
            change = torch.randn(parameter.shape, generator=draws, dtype=parameter.dtype)
            parameter.mul_(1 + 0.1 * change).add_(0.01 * change)
    return net


@pytest.mark.parametrize(
    ("name", "more"),
    [*((name, {}) for name in NETWORKS), *((name, {"tied": True}) for name in TIED)],
)
def test_a_deeper_network_goes_on_from_a_trained_one(name, more):
    build = NETWORKS[name]
    short, deep = moved(build(matrix(), 2, **more)), build(matrix(), 4)
    y = torch.randn(3, 6, generator=generator(2), dtype=torch.float64)
    before = deep.trajectory(y)
    deep.load_layers(short)
    expected = short.trajectory(y, depth=4)  # its last layer repeated
    torch.testing.assert_close(deep.trajectory(y), expected)
    assert not torch.allclose(before, expected)
    moved(deep)
    torch.testing.assert_close(short.trajectory(y, depth=4), expected)


@pytest.mark.parametrize(
    ("net", "sentence"),
    [
        (lambda: LISTA(matrix(), 3), r"net is a LISTA of depth 3; a ALISTA of depth at most 4"),
        (lambda: ALISTA(matrix(), 5), r"net is a ALISTA of depth 5; a ALISTA of depth at most 4"),
        (lambda: ALISTA(matrix(8), 4), r"net holds another A than one of shape \(6, 9\)"),
    ],
)
def test_layers_that_do_not_fit_are_refused(net, sentence):
    deep = ALISTA(matrix(), 4)
    before = {name: value.clone() for name, value in deep.state_dict().items()}
    with pytest.raises(ValueError, match=sentence):
        deep.load_layers(net())
    assert all(torch.equal(before[name], value) for name, value in deep.state_dict().items())


def test_own_layers_are_not_taken_over_by_shared_ones():
    with pytest.raises(ValueError, match="net holds W1 for each layer; here all layers share one"):
        LISTA(matrix(), 4, tied=True).load_layers(LISTA(matrix(), 2))


@pytest.mark.parametrize("build", [ALISTA, HyperLISTA])
def test_what_is_learned_goes_to_the_network_of_another_matrix(build):
    net = moved(build(matrix(), 3))
    another = gaussian(6, 9, generator=generator(7), dtype=torch.float64)
    other, untrained = build(another, 3), build(another, 3)
    taken = other.load_state_dict(dict(net.named_parameters()), strict=False)
    assert taken.unexpected_keys == []
    y = torch.randn(3, 6, generator=generator(2), dtype=torch.float64)
    torch.testing.assert_close(dict(other.named_parameters()), dict(net.named_parameters()))
    torch.testing.assert_close(other.A, another.dense())
    assert (other(y) - untrained(y)).norm() > 1e-3 * untrained(y).norm()
