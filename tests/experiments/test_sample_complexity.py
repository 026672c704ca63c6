"""The experiment on samples: networks that differ in what they say they differ in, fair data."""

from collections import Counter
from dataclasses import fields, replace

import pytest
import torch

from unrolled.experiments.imaging import Imaging, Network, Residual
from unrolled.experiments.problem import Signals
from unrolled.experiments.sample_complexity import (
    DECISIVE,
    FACTORIAL,
    RING,
    SAMPLE_COMPLEXITY,
    Rounds,
    SampleRun,
)
from unrolled.sensing.rf import Scenes

SMALL = Imaging("ring", (4, 8), 6.0, 2.0, 8, (0.9, 1.1), 3, 30.0)


def generator():
    return torch.Generator().manual_seed(0)


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_the_factorial_varies_one_thing_at_a_time():
    sizes = {(run.arm, run.size): count(run.network.made(RING, generator())) for run in FACTORIAL}
    assert set(sizes) == {(a, s) for a in ("OAMPNet", "U-Net") for s in ("small", "large")}
    for (_, size), parameters in sizes.items():
        about = 52_000 if size == "small" else 1_230_000
        assert abs(parameters - about) < 0.04 * about, sizes
    assert [run.size for run in DECISIVE] == ["large", "large"]
    assert len({str(replace(run, arm="", size="", network=None)) for run in FACTORIAL}) == 1


def test_what_starts_is_a_linear_estimate():
    y, _ = SMALL.drawn(Signals(3, seed=5))
    network = Network(
        physics=False, layers=2, levels=2, parameters=4000, tied=False, fed=(0.1, 10.0), lam=20.0
    )
    net = network.made(SMALL, generator())
    linear = SMALL.operator.lmmse(y, 20.0 * SMALL.noise)
    torch.testing.assert_close(net(y), linear)
    # With A in each layer, two linear steps.
    unrolled = replace(network, physics=True, fed=()).made(SMALL, generator())
    residual = y - SMALL.operator.forward(unrolled(y))
    assert residual.norm() < 0.5 * y.norm()
    # What it has not learned yet it can: its first gradient is not zero.
    for learner in (net, unrolled):
        learner(y).square().sum().backward()
        assert any(p.grad is not None and p.grad.norm() > 0 for p in learner.parameters())


def test_what_feeds_a_network_is_news():
    """Linear estimates at other λ are other images; the gradient at one of them is that one."""
    y, _ = SMALL.drawn(Signals(3, seed=5))
    lam = 20.0 * SMALL.noise
    operator = SMALL.operator
    linear = operator.lmmse(y, lam)
    gradient = operator.adjoint(y - operator.forward(linear))
    assert (gradient - lam * linear).norm() < 1e-2 * gradient.norm()  # y − Ax̂ cancels
    for scale in (0.1, 10.0):
        assert (operator.lmmse(y, scale * lam) - linear).norm() > 0.05 * linear.norm()


def test_a_denoiser_scales_with_its_signal():
    denoiser = Residual(8, 2, 4000, generator())
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator())
    r, tau = torch.randn(2, 64, generator=generator()), torch.tensor([[0.3], [0.5]])
    torch.testing.assert_close(denoiser(7 * r, 7 * tau), 7 * denoiser(r, tau))
    assert denoiser(r, 0 * tau).isfinite().all()
    assert denoiser(0 * r, 0 * tau).isfinite().all()


def test_training_sets_are_nested_and_apart_from_the_others():
    y, x = SMALL.drawn(Signals(6, seed=0))
    fewer = SMALL.drawn(Signals(2, seed=0))
    assert torch.equal(fewer[0], y[:2])
    assert torch.equal(fewer[1], x[:2])
    seeds = Counter()
    for configuration in SAMPLE_COMPLEXITY.configurations:
        recipe = SAMPLE_COMPLEXITY.recipe(configuration)
        fixed = [recipe["validation"]["seed"], recipe["test"]["seed"]]
        if "rounds" in recipe:
            fixed.append(recipe["rounds"]["tuning"]["seed"])
        assert configuration["seed"] not in fixed
        assert len(set(fixed)) == len(fixed)
        seeds[configuration["seed"]] += 1
    assert set(seeds) == {0, 1, 2, None}
    # Noise and reflectivity are those of the geometry.
    power = SMALL.operator.forward(x).square().mean(1)
    noise = (y - SMALL.operator.forward(x)).square().mean(1)
    torch.testing.assert_close((power / noise).log10().mean().item(), 3.0, atol=0.1, rtol=0)
    assert Scenes((8, 8)).n == x.shape[1]


def test_a_turned_scene_is_measured_as_its_measurements_are_turned():
    y, x = SMALL.drawn(Signals(40, seed=1))
    turned_y, turned_x = SMALL.turned((y, x), generator())
    noise = (y - SMALL.operator.forward(x)).norm(dim=1)
    after = (turned_y - SMALL.operator.forward(turned_x)).norm(dim=1)
    torch.testing.assert_close(after, noise, rtol=1e-3, atol=1e-5)
    assert (turned_x != x).any(1).sum() > 20
    # Turned apart they no longer belong together.
    apart = (turned_y - SMALL.operator.forward(x)).norm(dim=1)
    assert (apart > 3 * noise).sum() > 10


def test_a_quick_run(tmp_path):
    quick = SAMPLE_COMPLEXITY.quick
    quick.run(results=tmp_path, report=lambda _: None)
    assert quick.missing(tmp_path) == []
    for row in quick.rows(tmp_path):
        chosen = row["scenes"] is not None and row["seed"] is None
        assert (row["test"] is None) == chosen
        assert row["validation"] < 0
        if row["parameters"] is not None:
            assert row["parameters"] <= 4000
            assert 0 < row["tuning"] < 1
            assert row["rate"] in (1e-3, 4e-3)


def test_choices_come_right_before_what_goes_by_them():
    places = {str(dict(c)): k for k, c in enumerate(SAMPLE_COMPLEXITY.configurations)}
    for configuration in SAMPLE_COMPLEXITY.configurations:
        for needed in SAMPLE_COMPLEXITY.needs(configuration):
            assert places[str(dict(needed))] < places[str(dict(configuration))]
            assert needed["seed"] is None
    # Small numbers of scenes first, and the factorial before the controls.
    ring = [
        c for c in SAMPLE_COMPLEXITY.configurations
        if c["seed"] in (0, 1) and c["arm"] in ("OAMPNet", "U-Net")
        and c["geometry"] == "ring" and c["snr"] == 30
    ]  # fmt: skip
    scenes = [c["scenes"] for c in ring]
    assert scenes == sorted(scenes)


@pytest.mark.parametrize("part", [Imaging, Network, Rounds, SampleRun])
def test_every_constant_is_in_the_recipe(part):
    """What a configuration runs is a dataclass, and so is its recipe."""
    recipe = SAMPLE_COMPLEXITY.recipe(SAMPLE_COMPLEXITY.configurations[-1])
    inside = {SampleRun: recipe, Imaging: recipe["imaging"], Network: recipe["network"]}
    found = inside.get(part, recipe["rounds"])
    assert set(found) == {field.name for field in fields(part)}
