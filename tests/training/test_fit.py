"""Fitting: it finds the minimum, repeats itself, resumes after a kill, and refuses nonsense."""

import math

import pytest
import torch
from torch import nn

from unrolled.iterations import gauss_steps
from unrolled.networks import GradientNet
from unrolled.training import fit, mean_squared_error

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
    A = net.operator.dense().clone()

    def draw(generator):
        x = torch.randn(16, 3, generator=generator, dtype=torch.float64)
        return x @ A, x

    history = fit(net, draw, steps=300, generator=torch.Generator().manual_seed(0), progress=False)
    assert sum(history.loss[-50:]) < sum(history.loss[:50])


def loader(net, count=7, batch_size=2):
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    pairs = torch.utils.data.TensorDataset(x @ net.operator.dense(), x)
    return torch.utils.data.DataLoader(pairs, batch_size=batch_size)


def test_data_may_be_batches_that_begin_anew():
    net, _ = net_and_data()
    other = GradientNet(net.operator, steps=net.steps.detach())
    history = fit(net, loader(net), steps=10, progress=False)  # four batches a round
    fit(other, list(loader(net)) * 3, steps=10, progress=False)
    assert len(history.loss) == 10
    assert torch.equal(net.steps, other.steps)


def test_batches_that_end_are_said_to():
    net, data = net_and_data()
    with pytest.raises(ValueError, match=r"data has ended after 2 batches; 3 steps need"):
        fit(net, (data for _ in range(2)), steps=3, progress=False)
    with pytest.raises(ValueError, match=r"data has ended after 0 batches"):
        fit(net, iter(()), steps=3, progress=False)
    with pytest.raises(ValueError, match=r"batch_size is 2, but data is an iterable"):
        fit(net, iter([data]), steps=1, batch_size=2, progress=False)


def test_the_loss_may_be_another():
    def absolute(estimate, x):
        return (estimate - x).abs().sum(1).median()

    found = []
    for loss in (None, mean_squared_error, absolute):
        net, data = net_and_data()
        history = fit(net, data, steps=200, loss=loss, validation=data, progress=False)
        value = float((loss or mean_squared_error)(net(data[0]), data[1]).detach())
        assert history.validation[history.best_step] == pytest.approx(value)
        found.append(net.steps.detach().clone())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    with pytest.raises(ValueError, match=r"loss gives \(3, 3\); one real number"):
        fit(net, data, steps=1, loss=lambda estimate, x: estimate - x, progress=False)
    with pytest.raises(ValueError, match=r"loss gives float; one real number"):
        fit(net, data, steps=1, loss=lambda estimate, x: 1.0, progress=False)


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


def test_a_kill_while_the_file_is_written_leaves_the_file_before(tmp_path, monkeypatch):
    whole, data = net_and_data()
    fit(whole, data, steps=20, checkpoint=tmp_path / "whole.pt", progress=False)

    write, calls = torch.save, []

    def killed_at_the_second(state, path):
        calls.append(path)
        write(state, path)
        if len(calls) == 2:
            with open(path, "r+b") as file:
                file.truncate(100)
            raise Killed

    path = tmp_path / "killed.pt"
    options = {"steps": 20, "checkpoint": path, "checkpoint_every": 8, "progress": False}
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", killed_at_the_second)
        with pytest.raises(Killed):
            fit(net_and_data()[0], data, **options)
    assert len(torch.load(path, weights_only=True)["history"]["loss"]) == 8
    resumed, _ = net_and_data()
    history = fit(resumed, data, **options)
    assert len(history.loss) == 20
    assert torch.equal(resumed.steps, whole.steps)


def test_a_gpu_checkpoint_resumes_on_a_cpu(tmp_path, monkeypatch):
    """A file whose tensors say that they lay on a GPU, as torch writes it there."""
    path = tmp_path / "gpu.pt"
    net, data = net_and_data()
    options = {"steps": 10, "checkpoint": path, "validation": data, "progress": False}
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        fit(net, data, **options)
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="CUDA"):
            torch.load(path, weights_only=True)
    resumed, _ = net_and_data()
    fit(resumed, data, **options)
    assert resumed.steps.device.type == "cpu"
    assert torch.equal(resumed.steps, net.steps)


OPTIONS = {
    "steps": 10,
    "lr": 1e-3,
    "decay": 0.5,
    "batch_size": 2,
    "validate_every": 5,
    "patience": 2,
    "clip": 1.0,
}


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        *[{name: 2 * value} for name, value in OPTIONS.items()],
        {"clip": None},
        {"data": "a function"},
        {"validation": None, "patience": None},
        {"frozen": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_checkpoint_never_overrides_other_settings_in_silence(tmp_path, change, finished):
    def run(kill_at=None, data=None, frozen=False, **options):
        net, pair = net_and_data()
        net.register_parameter("spare", nn.Parameter(torch.ones(1)).requires_grad_(not frozen))

        def callback(step, loss):
            if step == kill_at:
                raise Killed

        return fit(
            net,
            pair if data is None else lambda generator: pair,
            generator=torch.Generator().manual_seed(0),
            checkpoint=tmp_path / "run.pt",
            checkpoint_every=2,
            callback=callback,
            progress=False,
            **({"validation": pair} | OPTIONS | options),
        )

    if finished:
        run()
    else:
        with pytest.raises(Killed):
            run(kill_at=5)
    named = {"data": "batch_size", "validation": "patience", "frozen": "trained"}
    name = next(iter(change))
    if name == "data":
        change = change | {"batch_size": None}
    with pytest.raises(ValueError, match=rf"^{named.get(name, name)} is .*run.pt began with"):
        run(**change)
    assert len(run().loss) == 10  # the same settings resume


def test_a_file_without_settings_is_refused(tmp_path):
    net, data = net_and_data()
    torch.save({"net": net.state_dict()}, tmp_path / "old.pt")
    with pytest.raises(ValueError, match="does not say with what settings"):
        fit(net, data, steps=1, checkpoint=tmp_path / "old.pt", progress=False)


def test_a_stop_by_patience_is_saved_at_once(tmp_path):
    net, data = net_and_data()
    path = tmp_path / "stopped.pt"
    options = {"steps": 2000, "validate_every": 10, "patience": 3, "progress": False}
    options |= {"validation": (data[0], 0.5 * data[1]), "checkpoint": path}
    history = fit(net, data, checkpoint_every=10**6, **options)
    assert history.stopped == "patience"
    again, _ = net_and_data()
    calls = []
    resumed = fit(again, data, callback=lambda *call: calls.append(call), **options)
    assert calls == []
    assert resumed == history
    assert torch.equal(again.steps, net.steps)


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
    # Three measurements after the best one, not two or four.
    assert max(history.validation) == len(history.loss) == history.best_step + 3 * 10 < 2000
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
    norms = []
    for clip in (1e-3, None):
        net, data = net_and_data(steps=(30.0, 30.0))
        fit(net, data, steps=1, clip=clip, progress=False)
        norms.append(float(net.steps.grad.norm()))
    assert norms[0] == pytest.approx(1e-3, rel=1e-6)
    assert norms[1] > 1


class Factor(nn.Module):
    """y ↦ c·y: with x far away the gradient is constant, and Adam moves c by the learning rate."""

    def __init__(self):
        super().__init__()
        self.c = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, y):
        return self.c * y


@pytest.mark.parametrize("decay", [0.0, 0.1, 1.0, None])
def test_the_learning_rate_falls_along_half_a_cosine(decay):
    net, y = Factor(), torch.ones(1, 1, dtype=torch.float64)
    seen = [0.0]
    fit(
        net,
        (y, 1e9 * y),
        steps=40,
        lr=0.5,
        callback=lambda *_: seen.append(float(net.c.detach())),
        progress=False,
        **({} if decay is None else {"decay": decay}),
    )
    rates = torch.tensor(seen, dtype=torch.float64).diff()
    low = 0.5 if decay is None else 0.5 * decay
    # From lr down to lr·decay, halfway between them at half the steps, level at both ends.
    expected = (0.5 + low) / 2 + (0.5 - low) / 2 * torch.cos(
        torch.linspace(0, torch.pi, 41, dtype=torch.float64)[:-1]
    )
    torch.testing.assert_close(rates, expected, rtol=1e-6, atol=1e-7)


def test_rows_are_drawn_where_the_generator_lives(monkeypatch):
    """A generator of a GPU draws nothing on a CPU, so the device is never left to a default."""
    draw, devices = torch.randint, []

    def randint(*arguments, **options):
        devices.append(options.get("device"))
        return draw(*arguments, **options)

    monkeypatch.setattr(torch, "randint", randint)
    net, data = net_and_data()
    generator = torch.Generator().manual_seed(0)
    fit(net, data, steps=1, batch_size=2, generator=generator, progress=False)
    assert devices == [generator.device]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_fits_on_a_gpu_with_the_generator_of_either_device(tmp_path):
    for device in ("cpu", "cuda"):
        net, data = net_and_data()
        generator = torch.Generator(device).manual_seed(0)
        fit(
            net,
            data,
            steps=5,
            batch_size=2,
            generator=generator,
            device="cuda",
            checkpoint=tmp_path / f"{device}.pt",
            progress=False,
        )
        assert net.steps.device.type == "cuda"


def test_the_loss_is_summed_over_entries_and_averaged_over_rows():
    y = torch.tensor([[1.0, 2.0], [3.0, 5.0], [0.0, 1.0]])
    assert float(mean_squared_error(y, torch.zeros(3, 2))) == pytest.approx(40 / 3)


@pytest.mark.parametrize(
    "x",
    [
        torch.ones(3, 1, dtype=torch.float64),
        torch.ones(3, 3, 1, dtype=torch.float64),
        torch.ones(3, 2, dtype=torch.float64),
        torch.ones(3, 3, dtype=torch.float32),
    ],
    ids=["column", "one axis more", "narrow", "dtype"],
)
def test_data_unlike_the_estimate_are_refused(x):
    net, data = net_and_data()
    with pytest.raises(ValueError, match=r"^x has shape .* estimate has \(3, 3\)"):
        fit(net, (data[0], x), steps=1, progress=False)
    with pytest.raises(ValueError, match=r"^x has shape"):
        fit(net, lambda _: (data[0], x), steps=1, generator=torch.Generator(), progress=False)
    with pytest.raises(ValueError, match=r"^x has shape"):
        fit(net, data, steps=1, validation=(data[0], x), progress=False)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"lr": 0.0}, "lr is 0"),
        ({"lr": math.nan}, "lr is nan"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 2}, "generator is missing"),
        ({"clip": -1.0}, "clip is -1"),
        ({"clip": 0.0}, "clip is 0"),
        ({"clip": math.nan}, "clip is nan"),
        ({"clip": math.inf}, "clip is inf"),
        ({"data": None}, "data is a NoneType"),
        ({"data": torch.ones(2, 3)}, "data is a Tensor"),
        ({"data": (torch.ones(2, 3),)}, "data is a tuple"),
        ({"data": (torch.ones(2, 3), None)}, "data is a tuple"),
        ({"data": (torch.ones(2, 3).numpy(),) * 2}, "data holds NumPy arrays; .*from_numpy"),
        ({"data": iter([3])}, "data is a int"),
        ({"data": (torch.tensor(1.0), torch.tensor(1.0))}, "data is a tuple"),
        ({"validation": 3}, "validation is a int"),
        ({"data": lambda _: None, "generator": torch.Generator()}, "data is a NoneType"),
        ({"data": len, "batch_size": 2, "generator": torch.Generator()}, "data is a function"),
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


def test_a_net_that_is_none_is_refused():
    with pytest.raises(ValueError, match="net is a NoneType"):
        fit(None, (torch.ones(1, 1), torch.ones(1, 1)), steps=1, progress=False)


def test_nothing_to_fit_is_refused():
    with pytest.raises(ValueError, match="no parameter"):
        fit(nn.Identity(), (torch.ones(1, 1), torch.ones(1, 1)), steps=1, progress=False)
