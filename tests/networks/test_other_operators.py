"""What a network has learned is taken to another operator, or to one for each signal."""

from __future__ import annotations

import pytest
import torch

from unrolled.networks import ALISTA, LISTA, GradientNet, HyperLISTA, OAMPNet, ProxNet, UNet
from unrolled.sensing import BatchOperator, DenseOperator, SensingOperator, gaussian, partial_dct

REAL, COMPLEX = torch.float64, torch.complex128
M, N, DEPTH, BATCH, IMAGE = 10, 16, 4, 3, (4, 4)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def operator(seed=0, dtype=REAL):
    return gaussian(M, N, generator=seeded(seed), dtype=dtype)


NETWORKS = {
    "GradientNet": lambda A, **more: GradientNet(A, DEPTH, ridge=0.1, **more),
    "GradientNet checkpointed": lambda A, **more: GradientNet(A, DEPTH, checkpoint=2, **more),
    "OAMPNet": lambda A, **more: OAMPNet(A, DEPTH, noise=0.01, **more),
    "OAMPNet without noise": lambda A, **more: OAMPNet(A, DEPTH, noise=0.0, **more),
    "OAMPNet, proximal": lambda A, **more: OAMPNet(
        A, DEPTH, noise=0.01, divergence_free=False, lam=0.1, **more
    ),
    "OAMPNet with ProxNet": lambda A, **more: OAMPNet(
        A, DEPTH, noise=0.01, denoiser=ProxNet(image=IMAGE), **more
    ),
    "UNet": lambda A, **more: UNet(A, image=IMAGE, parameters=3000, **more),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def case(name, dtype=REAL, **more):
    net = NETWORKS[name](operator(dtype=dtype), **more)
    with torch.no_grad():
        for parameter in net.parameters():
            draws = seeded(4)
            moved = torch.randn(parameter.shape, generator=draws, dtype=parameter.dtype)
            parameter.mul_(1 + 0.05 * moved)
    return net, torch.randn(BATCH, M, generator=seeded(1), dtype=dtype)


@every_network
def test_it_computes_what_a_network_made_for_the_other_operator_would(name):
    net, y = case(name)
    other = operator(7)
    same = NETWORKS[name](other)
    learned = dict(net.named_parameters())
    same.load_state_dict({**same.state_dict(), **learned})
    torch.testing.assert_close(net(y, operator=other), same(y))
    torch.testing.assert_close(net(y, operator=operator()), net(y))
    assert not torch.allclose(net(y, operator=other), net(y))
    if not isinstance(net, UNet):
        torch.testing.assert_close(net.trajectory(y, operator=other), same.trajectory(y))
    fast = partial_dct(M, N, generator=seeded(), dtype=REAL)
    torch.testing.assert_close(
        net(y, operator=fast), net(y, operator=DenseOperator(fast.dense())), rtol=1e-6, atol=1e-8
    )


@every_network
@pytest.mark.parametrize("dtype", [REAL, COMPLEX])
def test_each_signal_may_have_its_own_matrix(name, dtype):
    if dtype.is_complex and "ProxNet" in name:
        return  # ProxNet here is the one for real signals
    net, y = case(name, dtype)
    As = torch.stack([operator(seed, dtype).dense() for seed in (3, 4, 5)])
    together = net(y, operator=BatchOperator(As))
    for i, A in enumerate(As):
        alone = net(y[i : i + 1], operator=DenseOperator(A))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-6, atol=1e-8)
    assert not torch.allclose(together[0], net(y[:1], operator=DenseOperator(As[1]))[0])
    (together.abs().square().sum()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", ["GradientNet", "OAMPNet", "UNet"])
def test_real_signals_with_a_complex_matrix_for_each(name):
    net, y = case(name, COMPLEX, real_signals=True)
    As = torch.stack([operator(seed, COMPLEX).dense() for seed in (3, 4, 5)])
    together = net(y, operator=BatchOperator(As))
    assert together.dtype == REAL
    for i, A in enumerate(As):
        alone = net(y[i : i + 1], operator=DenseOperator(A))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-6, atol=1e-8)


class Convolution(SensingOperator):
    """Without a matrix: circular convolution with three numbers."""

    shape = (N, N)

    def __init__(self):
        super().__init__()
        kernel = torch.tensor([0.6, 0.3, 0.1], dtype=REAL)
        self.register_buffer("gains", torch.fft.fft(kernel, N))

    @property
    def dtype(self):
        return REAL

    def unchecked_forward(self, x):
        return torch.fft.ifft(torch.fft.fft(x) * self.gains).real

    def unchecked_adjoint(self, y):
        return torch.fft.ifft(torch.fft.fft(y) * self.gains.conj()).real


@every_network
def test_a_network_is_made_for_an_operator_without_a_matrix(name):
    blur = Convolution()
    y = torch.randn(BATCH, N, generator=seeded(1), dtype=REAL)
    found, expected = (NETWORKS[name](A)(y) for A in (blur, DenseOperator(blur.dense())))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    net = NETWORKS[name](blur)
    blur.gains.mul_(2)  # what becomes of the operator is nothing to the network
    torch.testing.assert_close(net(y), found)


@pytest.mark.parametrize("build", [LISTA, ALISTA, HyperLISTA])
def test_what_has_learned_for_its_own_matrix_refuses_another(build):
    net, y = build(operator(), DEPTH), torch.ones(1, M, dtype=REAL)
    for call in (net, net.trajectory):
        with pytest.raises(
            ValueError, match=rf"operator is given, but {build.__name__} has learned"
        ):
            call(y, operator=operator(7))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (operator().dense(), "operator is a Tensor"),
        (operator(dtype=COMPLEX), r"operator has shape \(10, 16\) and dtype torch.complex128"),
        (gaussian(4, N, generator=seeded(), dtype=REAL), r"operator has shape \(4, 16\)"),
        (BatchOperator(torch.ones(2, M, N, dtype=REAL)), "y has 3 rows; one for each of 2 A"),
    ],
    ids=["matrix", "complex", "shape", "rows"],
)
@pytest.mark.parametrize("name", ["GradientNet", "OAMPNet", "UNet"])
def test_other_operators_that_do_not_fit_are_refused(name, other, sentence):
    net, y = case(name)
    with pytest.raises(ValueError, match=sentence):
        net(y, operator=other)


def test_a_network_is_made_for_one_matrix():
    for build in (lambda A: GradientNet(A, 3, steps=0.1), lambda A: LISTA(A, 3)):
        with pytest.raises(ValueError, match="A is a BatchOperator"):
            build(BatchOperator(torch.ones(2, M, N)))
