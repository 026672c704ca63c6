"""What bounds the harm of a wrong matrix: never exceeded, attained, and refused where untrue."""

import pytest
import torch
from torch import nn

from unrolled.networks import (
    FirmlyNonexpansive,
    FirmProxNet,
    OAMPNet,
    ProxNet,
    SoftThreshold,
    certificate,
)
from unrolled.networks.certificate import grown
from unrolled.networks.lista import LISTA
from unrolled.sensing import BatchOperator, DenseOperator, gaussian

FLOAT = torch.float64
M, N, BATCH = 8, 16, 5


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=FLOAT):
    return torch.randn(shape, generator=seeded(seed), dtype=dtype)


def norm(A):
    return torch.linalg.matrix_norm(A, 2)


def made(*, depth=4, lam=0.3, seed=0, relaxation=0.0, dtype=FLOAT, denoiser=None, **options):
    """A network the certificate is true of, its denoisers' parameters drawn at random."""
    denoiser = FirmProxNet(0.05, width=3) if denoiser is None else denoiser
    operator = gaussian(M, N, generator=seeded(seed), dtype=dtype)
    options = {"divergence_free": False} | options
    net = OAMPNet(operator, depth, noise=0.01, lam=lam, denoiser=denoiser, **options)
    with torch.no_grad():
        for parameter in net.denoisers.parameters():
            parameter.add_(0.3 * normal(*parameter.shape, seed=seed + 1))
        net.relaxation.add_(relaxation * (1 + normal(*net.relaxation.shape, seed=seed + 2)))
    return net


def output(net, A, y):
    """net(y, operator=A) for A (B, m, n), written so that it can be differentiated in A."""
    x = torch.zeros(len(y), net.shape[1], dtype=y.dtype)
    gram = A @ A.mT + net.lam * torch.eye(net.shape[0], dtype=y.dtype)
    for k in range(net.depth):
        residual = (y - (A @ x[..., None])[..., 0])[..., None]
        step = (A.mT @ torch.linalg.solve(gram, residual))[..., 0]
        x = net.denoisers[min(k, len(net.denoisers) - 1)](x + net._own(net.damping, k) * step)
    return x


def attacked(net, y, radius, rounds=40):
    """A matrix for each signal, by projected ascent: the largest distance per radius."""
    B = net.operator.dense()
    at = net(y).detach()
    change = normal(len(y), M, N, seed=9)
    change = radius * change / norm(change)[:, None, None]
    best = torch.zeros(len(y), dtype=FLOAT)
    for _ in range(rounds):
        change.requires_grad_(True)
        squares = (output(net, B + change, y) - at).square().sum(1)
        best = best.maximum(squares.detach().sqrt() / radius)
        (gradient,) = torch.autograd.grad(squares.sum(), change)
        U, _, Vh = torch.linalg.svd(gradient, full_matrices=False)
        change = (radius * U @ Vh).detach()
    return best


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("relaxation", [0.0, -0.7, 0.7])
def test_no_matrix_moves_the_output_further(tied, relaxation):
    y = normal(BATCH, M)
    largest = 0.0
    for seed in range(5):
        net = made(seed=seed, tied=tied, relaxation=relaxation)
        bound = certificate(net, y)
        B = net.operator.dense()
        for size in (1e-3, 0.1, 1.0, 10.0):
            change = size * normal(BATCH, M, N, seed=seed + 10)
            with torch.no_grad():
                moved = (net(y, operator=BatchOperator(B + change)) - net(y)).norm(dim=1)
            ratio = moved / norm(change) / bound
            largest = max(largest, float(ratio.max()))
    assert 0.02 < largest <= 1


@pytest.mark.parametrize("radius", [1e-3, 0.1, 1.0])
def test_no_attack_moves_the_output_further(radius):
    net, y = made(depth=3), normal(BATCH, M)
    A = net.operator.dense() + radius * normal(BATCH, M, N, seed=7)
    torch.testing.assert_close(output(net, A, y), net(y, operator=BatchOperator(A)))
    ratio = attacked(net, y, radius) / certificate(net, y)
    assert (ratio <= 1).all()
    assert ratio.max() > 0.3


def test_it_holds_for_complex_matrices_and_for_real_signals_behind_them():
    dtype = torch.complex128
    y = normal(BATCH, M, dtype=dtype)
    net = made(dtype=dtype, denoiser=FirmlyNonexpansive(nn.Identity()))
    real = made(dtype=dtype, real_signals=True)
    for one in (net, real):
        B = gaussian(M, N, generator=seeded(), dtype=dtype).dense()
        change = 0.3 * normal(BATCH, M, N, seed=3, dtype=dtype)
        with torch.no_grad():
            moved = (one(y, operator=BatchOperator(B + change)) - one(y)).norm(dim=1)
        bound = certificate(one, y)
        assert bound.dtype == FLOAT
        assert (moved <= bound * norm(change)).all()


def scalar(b, *, lam=1.0, denoiser=None):
    """One layer for one number and a matrix (1, 1)."""
    denoiser = FirmlyNonexpansive(nn.Identity()) if denoiser is None else denoiser
    B = torch.tensor([[b]], dtype=FLOAT)
    return OAMPNet(B, 1, noise=0.0, lam=lam, divergence_free=False, denoiser=denoiser)


def slope(net, a, y=1.0):
    """How far the matrix a moves the output, for each unit that it differs from net's."""
    other, signal = (torch.tensor([[v]], dtype=FLOAT) for v in (a, y))
    with torch.no_grad():
        moved = net(signal, operator=DenseOperator(other)) - net(signal)
    return float(abs(moved) / abs(a - net.operator.dense()))


def test_it_is_attained_by_one_layer():
    # By the matrix whose smallest singular value has changed its sign.
    for b, lam, y in ((1.0, 1.0, 1.0), (0.5, 0.1, -2.0), (2.0, 3.0, 0.3)):
        net = scalar(b, lam=lam)
        bound = float(certificate(net, torch.tensor([[y]], dtype=FLOAT)))
        a = -((lam**2 + lam * b**2) ** 0.5 - lam) / b
        assert slope(net, a, y) == pytest.approx(bound, rel=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 5, 8])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_attained_at_every_depth(depth, seed):
    """By the network of the theorem: diagonal matrices, y = 0, an isometry after each layer."""
    one, size = torch.ones((), dtype=FLOAT), 0.3
    rho, zeta = normal(2, depth, seed=seed).abs() + 0.2
    c = torch.zeros((), dtype=FLOAT)
    lam, b, a = (torch.zeros(depth, dtype=FLOAT) for _ in range(3))
    for k in range(depth):
        t = c + rho[k]
        root = torch.hypot(t, zeta[k])
        lam[k] = (size * zeta[k] / abs(rho[k] + t - root)) ** 2  # so that |a − b| is the size
        b[k] = lam[k].sqrt() * rho[k] / zeta[k]
        a[k] = lam[k].sqrt() * (root - t) / zeta[k]
        c = grown(c, rho[k], zeta[k], one)
    torch.testing.assert_close((a - b).abs(), torch.full_like(a, size))
    z = lam.sqrt() * zeta  # z_k = z[k]·e_k
    starts = (b**2 + lam) / lam * z
    x = starts[0] * torch.eye(depth, dtype=FLOAT)[0]
    other = x.clone()
    for k in range(depth):
        x, other = (v - d * d * v / (d * d + lam[k]) for v, d in ((x, b), (other, a)))
        assert abs(float(x[k] - z[k])) < 1e-12
        if k + 1 < depth:  # the isometry: shift, turn the sign, translate
            gap = other - x
            sign = -torch.sign(a[k + 1] ** 2 - b[k + 1] ** 2) * torch.sign(gap[k])
            x = starts[k + 1] * torch.eye(depth, dtype=FLOAT)[k + 1]
            other = x + sign * gap.roll(1)
    assert float((other - x).norm()) / size == pytest.approx(float(c), rel=1e-10)


@pytest.mark.parametrize("relaxation", [0.0, -0.7])
def test_it_is_never_above_the_sums(relaxation):
    net, y = made(depth=6, relaxation=relaxation, tied=True), normal(BATCH, M)
    A, damping = net.operator.dense(), float(net.damping[0].detach())
    assert damping <= 1
    with torch.no_grad():
        x = net.trajectory(y)[:-1]
        z = x + net.operator.lmmse((y - x @ A.T).flatten(0, 1), net.lam).reshape(x.shape)
    rho = (y - z @ A.T).norm(dim=2) / net.lam
    zeta = z.norm(dim=2) / net.lam**0.5
    bound = certificate(net, y)
    linear = damping * (rho + zeta / 2).sum(0)
    assert (bound <= linear * (1 + 1e-12)).all()
    if damping == 1:
        quadrature = rho.sum(0) + (zeta.square().sum(0) / 2).sqrt()
        assert (bound <= quadrature * (1 + 1e-12)).all()
        assert (quadrature < linear).any()
    assert bound.max() < 0.9 * linear.max()


@pytest.mark.parametrize(
    ("net", "why"),
    [
        (lambda: made(lam=None), "lam=None"),
        (lambda: made(divergence_free=True), "divergence_free=True"),
        (lambda: made(denoiser=SoftThreshold()), "a SoftThreshold"),
        (lambda: made(denoiser=ProxNet(width=2)), "a ProxNet"),
        (lambda: LISTA(normal(M, N), 2), "is a LISTA"),
    ],
)
def test_networks_of_which_it_is_not_true_are_refused(net, why):
    with pytest.raises(ValueError, match=f"^net .*{why}"):
        certificate(net(), normal(BATCH, M))


def test_the_refusals_are_needed():
    """What is refused moves further than it would have been told."""
    b, y = 1.4**0.5, torch.ones(1, 1, dtype=FLOAT)
    told = float(certificate(scalar(b), y))
    follows = scalar(b, denoiser=SoftThreshold(1.4))
    assert slope(follows, b + 1e-4) / told == pytest.approx(1.569, abs=1e-3)
    twice = FirmlyNonexpansive(nn.Linear(1, 1, bias=False, dtype=FLOAT))
    with torch.no_grad():
        twice.R.weight.fill_(3.0)  # T = 2I: the promise that R is nonexpansive is broken
    told = float(certificate(scalar(1.0), y))
    assert slope(scalar(1.0, denoiser=twice), 1 - 2**0.5) == pytest.approx(2 * told)
