"""Layer by layer: each stage moves what it may and no more, and resumes after a kill."""

import pytest
import torch

from unrolled.networks import ALISTA, LISTACP, GradientNet, OAMPNet, ProxNet
from unrolled.sensing import gaussian
from unrolled.training import fit_layerwise


def operator(m=12, n=20):
    return gaussian(m, n, generator=torch.Generator().manual_seed(0), unit_columns=True)


def draw(generator):
    x = torch.randn(32, 20, generator=generator)
    x = x * (torch.rand(32, 20, generator=generator) < 0.1)
    return operator().forward(x), x


def train(net, **options):
    schedule = {"alone": 5, "together": 5, "final": 5, "lr": 1e-2} | options
    generator = torch.Generator().manual_seed(1)
    return fit_layerwise(net, draw, generator=generator, progress=False, **schedule)


@pytest.mark.parametrize("build", [ALISTA, LISTACP])
def test_a_stage_moves_its_own_layers_only(build):
    """Watched from inside: after each Adam step, who differs from before it?"""
    net = build(operator(), 3)
    before = {}
    moved = set()

    def own(k):
        return [getattr(net, name)[k].detach().clone() for name in net.layerwise]

    def callback(step, loss):
        now = {k: own(k) for k in range(3)}
        if step and before:
            changed = [
                k
                for k in range(3)
                if any(not torch.equal(a, b) for a, b in zip(before[k], now[k], strict=True))
            ]
            moved.add(tuple(changed))
        before.clear()
        before.update(now)

    stages = train(net, callback=callback)
    assert len(stages) == 3 + 2 + 1
    assert moved == {(0,), (1,), (2,), (0, 1), (0, 1, 2)}


def test_every_stage_lowers_its_own_loss_and_depth_helps():
    net = ALISTA(operator(), 4)
    y, x = draw(torch.Generator().manual_seed(2))

    def error(depth):
        with torch.no_grad():
            return float((net(y, depth=depth) - x).square().sum())

    untrained = [error(k) for k in range(1, 5)]
    train(net, alone=60, together=30, final=60)
    trained = [error(k) for k in range(1, 5)]
    assert trained[-1] < untrained[-1] / 2
    assert trained[-1] < trained[0]


def test_a_layer_starts_as_a_copy_of_the_one_before_unless_told_otherwise():
    for copy in (True, False):
        net = ALISTA(operator(), 2)
        algorithm = float(net.thresholds.detach()[1])
        train(net, alone=4, together=0, final=0, lr=1e-5, copy=copy)
        first, second = net.thresholds.detach()
        assert abs(float(first - second)) < 1e-3
        with torch.no_grad():
            net.thresholds[0] = 1.0
        train(net, alone=1, together=0, final=0, lr=1e-6, copy=copy)
        arrived = float(net.thresholds.detach()[1])
        assert arrived == pytest.approx(1.0 if copy else algorithm, abs=1e-3)


def test_shared_parameters_learn_in_every_stage():
    net = GradientNet(operator(), 3, steps=0.1, tied=True)
    histories = train(net, alone=2, together=2, final=0)
    assert len(histories) == 5
    assert float(net.steps.detach()) != pytest.approx(0.1)


class Killed(Exception):
    pass


def test_resumes_after_a_kill_as_if_nothing_had_happened(tmp_path):
    def run(folder, kill_after=None):
        net, count = LISTACP(operator(), 3), 0

        def callback(step, loss):
            nonlocal count
            count += 1
            if count == kill_after:
                raise Killed

        train(net, checkpoint=folder, checkpoint_every=2, callback=callback)
        return [p.detach().clone() for p in net.parameters()]

    whole = run(tmp_path / "whole")
    for kill_after in (3, 13, 27):
        folder = tmp_path / f"killed-{kill_after}"
        with pytest.raises(Killed):
            run(folder, kill_after)
        resumed = run(folder)
        assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True)), kill_after
        assert len(list(folder.iterdir())) == 1  # the checkpoint of the last stage


def test_the_first_layer_that_gives_nan_is_named():
    net = LISTACP(operator(), 4)
    with torch.no_grad():
        net.W[2][0, 0] = float("nan")
    with pytest.raises(FloatingPointError, match=r"not finite: .*W\.2; the first layer .* is 3"):
        train(net, alone=0, together=0, final=3)


def test_negative_counts_are_refused():
    for name in ("alone", "together", "final"):
        with pytest.raises(ValueError, match=f"{name} is -1"):
            train(ALISTA(operator(), 2), **{name: -1})


def test_lists_of_modules_are_layers_too():
    net = OAMPNet(operator(), 3, noise=1e-3, denoiser=ProxNet())
    seen = []

    def callback(step, loss):
        seen.append([float(d.threshold.factor.detach()) for d in net.denoisers])

    train(net, callback=callback)
    first_stage, last_stage = seen[:5], seen[-5:]
    assert len({factors[0] for factors in first_stage}) == 5
    assert {factors[1] for factors in first_stage} == {first_stage[0][1]}
    assert all(len({factors[k] for factors in last_stage}) == 5 for k in range(3))
