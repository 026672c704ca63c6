"""Constants of layers: exact where a layer is linear, and never less than what a change does."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from unrolled.experiments.layer_constants import constants_at, constants_everywhere
from unrolled.networks import LISTA, OAMPNet, ProxNet
from unrolled.sensing import gaussian

M, N, LAM = 6, 10, 0.05


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=1):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def operator():
    return gaussian(M, N, generator=seeded(), dtype=torch.float64, unit_columns=True)


class Nothing(nn.Module):
    """A denoiser that leaves r as it is."""

    def forward(self, r, tau):
        return r


def oamp(depth=3, seed=None, **more):
    """With denoisers, of which a seed says how they were trained: at random."""
    arguments = {"noise": 0.01, "divergence_free": False, "lam": LAM} | more
    arguments.setdefault("denoiser", ProxNet(kernel=1, width=4))
    net = OAMPNet(operator(), depth, **arguments)
    if seed is not None:
        generator = seeded(seed)
        with torch.no_grad():
            for name, p in net.named_parameters():
                p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype))
                if name.endswith("factor"):
                    p.abs_()
    return net


def linear_step(net, k, x, y):
    A = net.operator.dense()
    inverse = torch.linalg.inv(A @ A.T + LAM * torch.eye(M, dtype=A.dtype))
    return A.T @ inverse @ (y - x @ A.T).T


def test_of_linear_layers_they_are_exact():
    net = oamp(denoiser=Nothing())
    with torch.no_grad():
        net.relaxation.copy_(torch.tensor([-1.0, 0.5, 2.0]))
    y = normal(5, M)
    in_state, in_parameters = constants_at(net, y, chunk=2)
    states = net.trajectory(y)
    for k, gain in enumerate(net.damping.tolist()):
        A = net.operator.dense()
        kept = A.T @ torch.linalg.inv(A @ A.T + LAM * torch.eye(M, dtype=A.dtype)) @ A
        step = torch.eye(N, dtype=A.dtype) - gain * kept
        torch.testing.assert_close(in_state[k], torch.linalg.matrix_norm(step, 2))
        # Of ϑ = 2/(1 + exp(−ρ)) the derivative by ρ is ϑ(1 − ϑ/2).
        moved = gain * (1 - gain / 2) * linear_step(net, k, states[k], y).norm(dim=0).max()
        torch.testing.assert_close(in_parameters[k], moved.detach())


@pytest.mark.parametrize("tied", [False, True])
def test_no_small_change_does_more(tied):
    net = oamp(seed=3, tied=tied)
    y = normal(4, M)
    in_state, in_parameters = constants_at(net, y)
    assert in_state.shape == in_parameters.shape == (3,)
    h, attained = 1e-6, 0.0
    for seed in range(20):
        # Every parameter moves by h, up or down; the last layer's state moves with the others.
        other = oamp(tied=tied)
        other.load_state_dict(net.state_dict())
        with torch.no_grad():
            for k, p in enumerate(other.parameters()):
                p.add_(h * normal(*p.shape, seed=100 * seed + k).sign())
            change = (other.trajectory(y) - net.trajectory(y)).norm(dim=2).amax(1)[1:] / h
        bound, moved = [], 0.0
        for state, parameters in zip(in_state.tolist(), in_parameters.tolist(), strict=True):
            moved = state * moved + parameters
            bound.append(moved)
        assert (change <= 1.001 * torch.tensor(bound)).all()
        attained = max(attained, float(change[0]) / bound[0])
    assert attained > 0.3


def test_other_networks_have_them():
    net = LISTA(operator(), 2, penalty=0.1)
    in_state, in_parameters = constants_at(net, normal(3, M))
    # x_0 = 0: the soft threshold leaves at most all of W₂.
    assert 0 <= in_state[0] <= torch.linalg.matrix_norm(net.W2[0], 2) + 1e-12
    assert (in_parameters > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_what_holds_everywhere_is_never_less_than_what_is_measured(seed):
    net = oamp(seed=seed)
    everywhere = constants_everywhere(net)
    # Of all sizes, so that the noise is what is seen, or nothing of it.
    y = torch.cat([10.0**k * normal(40, M, seed=seed + k + 9) for k in range(-3, 4)])
    measured, _ = constants_at(net, y)
    assert (measured <= everywhere).all()
    assert (everywhere < 30 * measured).all()


def test_soft_thresholds_alone_have_a_constant_of_few_terms():
    net = oamp(depth=1)  # at the start N is zero: d(u) = S_α(u)
    s = net.eigenvalues
    left = torch.cat([1 - s / (s + LAM), s.new_ones(N - M)])
    a, b = left.square().mean(), 0.01 * (s / (s + LAM).square()).sum() / N
    rate = max(math.sqrt(M * 0.01 / b), math.sqrt(s.sum() / a))
    tau = float(a * s.max().sqrt() / s.sum() * rate)
    expected = 1 + math.sqrt(N) * 1.4 * tau
    assert float(constants_everywhere(net)[0]) == pytest.approx(expected, rel=1e-6)


def test_with_the_matched_lam_no_constant_holds():
    """The nearer the residual comes to what the noise explains, the steeper τ is."""
    net = oamp(depth=1, lam=None, seed=1)
    direction = normal(1, M)
    direction *= math.sqrt(M * 0.01) / direction.norm()
    steep = [float(constants_at(net, (1 + 10.0**-k) * direction)[0]) for k in (2, 4, 6, 8)]
    assert all(later > 3 * earlier for earlier, later in pairwise(steep))
    net = oamp(depth=1, seed=1)
    fixed = [float(constants_at(net, (1 + 10.0**-k) * direction)[0]) for k in (2, 4, 6, 8)]
    assert max(fixed) < 1.1 * min(fixed)


def test_a_negative_threshold_jumps():
    net = oamp(depth=2)
    with torch.no_grad():
        net.denoisers[1].threshold.factor.fill_(-0.1)
    assert constants_everywhere(net).isinf().tolist() == [False, True]


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda: constants_at(nn.Linear(2, 2), normal(3, M)), "net is a Linear"),
        (lambda: constants_at(oamp(divergence_free=True), normal(3, M)), "divergence-free"),
        (lambda: constants_at(oamp(), normal(3, M + 1)), "y has shape"),
        (lambda: constants_at(oamp(), normal(3, M), chunk=0), "chunk is 0"),
        (lambda: constants_everywhere(oamp(divergence_free=True)), "divergence-free"),
        (lambda: constants_everywhere(oamp(lam=None)), "lam=None"),
        (lambda: constants_everywhere(oamp(noise=0.0)), "noise=0.0"),
        (lambda: constants_everywhere(oamp(denoiser=Nothing())), "denoiser is a Nothing"),
        (lambda: constants_everywhere(oamp(denoiser=ProxNet(layers=3))), "another ProxNet"),
        (lambda: constants_everywhere(oamp(denoiser=ProxNet(image=(2, 5)))), "another ProxNet"),
    ],
)
def test_what_has_no_constants_is_refused(refused, message):
    with pytest.raises(ValueError, match=message):
        refused()
