"""Fitting: it finds the minimum, repeats itself, resumes after a kill, and refuses nonsense."""

import math

import pytest
import torch
from torch import nn

from unrolled.iterations import gauss_steps
from unrolled.networks import GradientNet
from unrolled.training import fit

SPECTRUM = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)


def net_and_data(steps=(0.9, 0.15)):
    A = torch.diag(SPECTRUM.sqrt())
    x = torch.eye(3, dtype=torch.float64)
    return GradientNet(A, steps=torch.tensor(steps, dtype=torch.float64)), (x @ A, x)


def test_finds_the_minimum():
    net, data = net_and_data()
    history = fit(net, data, steps=2000, lr=1e-2, progress=False)
    best = gauss_steps(SPECTRUM, torch.ones(3), 2)
    torch.testing.assert_close(
        net.steps.detach().sort().values, best.sort().values, rtol=1e-4, atol=0
    )
    assert len(history.loss) == 2000
    assert history.loss[-1] < history.loss[0]
    assert history.best_step == 2000


def test_same_generator_same_result():
    results = []
    for seed in (0, 0, 1):
        net, data = net_and_data()
        generator = torch.Generator().manual_seed(seed)
        fit(net, data, steps=20, batch_size=2, generator=generator, progress=False)
        results.append(net.steps.detach().clone())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_data_may_be_drawn_afresh():
    net, _ = net_and_data()
    A = net.A.clone()

    def draw(generator):
        x = torch.randn(16, 3, generator=generator, dtype=torch.float64)
        return x @ A, x

    history = fit(net, draw, steps=300, generator=torch.Generator().manual_seed(0), progress=False)
    assert sum(history.loss[-50:]) < sum(history.loss[:50])


class Killed(Exception):
    pass


def test_resumes_after_a_kill_as_if_nothing_had_happened(tmp_path):
    def run(checkpoint, kill_at=None):
        net, data = net_and_data()

        def callback(step, loss):
            if step == kill_at:
                raise Killed

        history = fit(
            net,
            data,
            steps=60,
            batch_size=2,
            validation=data,
            validate_every=7,
            generator=torch.Generator().manual_seed(4),
            checkpoint=checkpoint,
            checkpoint_every=10,
            callback=callback,
            progress=False,
        )
        return net.steps.detach().clone(), history

    steps, history = run(tmp_path / "whole.pt")
    with pytest.raises(Killed):
        run(tmp_path / "killed.pt", kill_at=37)
    assert not list(tmp_path.glob("*.partial"))
    resumed_steps, resumed_history = run(tmp_path / "killed.pt")
    assert torch.equal(steps, resumed_steps)
    assert history == resumed_history
    # Another resumption of a finished fit changes nothing.
    assert torch.equal(run(tmp_path / "killed.pt")[0], steps)


def test_validation_chooses_the_best_parameters_and_patience_stops():
    net, data = net_and_data()
    # Training pulls towards another operator than the validation data have, so it overshoots.
    validation = (data[0], 0.5 * data[1])
    history = fit(
        net,
        data,
        steps=2000,
        validation=validation,
        validate_every=10,
        patience=3,
        progress=False,
    )
    assert history.stopped == "patience"
    assert len(history.loss) < 2000
    best = min(history.validation, key=history.validation.get)
    assert history.best_step == best
    with torch.no_grad():
        loss = (net(validation[0]) - validation[1]).square().sum() / 3
    assert float(loss) == pytest.approx(history.validation[best])


def test_divergence_is_named():
    net, data = net_and_data(steps=(1e200, 1e200))
    with pytest.raises(FloatingPointError, match="at step 0"):
        fit(net, data, steps=3, progress=False)


def test_clipping_bounds_the_gradient():
    net, data = net_and_data(steps=(30.0, 30.0))
    fit(net, data, steps=1, clip=1e-3, progress=False)
    assert net.steps.grad.norm() <= 1e-3 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"lr": 0.0}, "lr is 0"),
        ({"lr": math.nan}, "lr is nan"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 2}, "generator is missing"),
        ({"patience": 2}, "patience is given without validation"),
        ({"data": (torch.ones(0, 3), torch.ones(0, 3))}, "data has 0 rows"),
        ({"data": (torch.ones(2, 3), torch.ones(1, 3))}, "data has 2 rows of y and 1"),
        ({"data": (torch.full((1, 3), math.nan), torch.ones(1, 3))}, "data holds NaN"),
        ({"validation": (torch.ones(1, 3), torch.full((1, 3), math.inf))}, "validation holds NaN"),
    ],
)
def test_bad_input_is_refused(change, sentence):
    net, data = net_and_data()
    arguments = {"data": data, "steps": 3, "progress": False} | change
    with pytest.raises(ValueError, match=sentence):
        fit(net, arguments.pop("data"), **arguments)


def test_nothing_to_fit_is_refused():
    with pytest.raises(ValueError, match="no parameter"):
        fit(nn.Identity(), (torch.ones(1, 1), torch.ones(1, 1)), steps=1, progress=False)
