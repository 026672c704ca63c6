"""Fitting: it finds the minimum, repeats itself, resumes after a kill, and refuses nonsense."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from unrolled.iterations import gauss_steps
from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    FirmProxNet,
    GradientNet,
    HyperLISTA,
    MonteCarloDivergence,
    OAMPNet,
    ProxNet,
    SoftThreshold,
    TiLISTA,
    UNet,
    selection_schedule,
)
from unrolled.sensing import gaussian
from unrolled.signals import BernoulliGaussian
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


M, N, DEPTH, IMAGE = 30, 60, 6, (6, 10)


def sensing(seed=0, dtype=torch.float32):
    return gaussian(M, N, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def draw_sparse(generator, count=64, operator=None, level=1e-2):
    operator = sensing() if operator is None else operator
    x = BernoulliGaussian(N).draw(count, generator, operator.dtype)
    w = torch.randn(count, M, generator=generator, dtype=operator.dtype)
    return operator.forward(x) + level * w, x


def oamp(denoiser, **options):
    return OAMPNet(sensing(), DEPTH, noise=1e-4, denoiser=denoiser, **options)


EVERY = {
    "GradientNet": lambda: GradientNet(sensing(), DEPTH),
    "GradientNet, tied": lambda: GradientNet(sensing(), DEPTH, tied=True),
    "LISTA": lambda: LISTA(sensing(), DEPTH),
    "LISTA, tied": lambda: LISTA(sensing(), DEPTH, tied=True),
    "LISTA, deep": lambda: LISTA(sensing(), 16),
    "LISTA-CP": lambda: LISTACP(sensing(), DEPTH),
    "LISTA-CP, deep": lambda: LISTACP(sensing(), 16),
    "LISTA-CPSS": lambda: LISTACP(sensing(), DEPTH, selection=selection_schedule(DEPTH)),
    "TiLISTA": lambda: TiLISTA(sensing(), DEPTH),
    "ALISTA": lambda: ALISTA(sensing(), DEPTH),
    "ALISTA, a threshold an entry": lambda: ALISTA(sensing(), DEPTH, penalty=torch.full((N,), 0.1)),
    "HyperLISTA": lambda: HyperLISTA(sensing(), DEPTH),
    "OAMP, soft": lambda: oamp(SoftThreshold()),
    "OAMP, ProxNet": lambda: oamp(ProxNet()),
    "OAMP, ProxNet on images": lambda: oamp(ProxNet(image=IMAGE), tied=True),
    "OAMP, FirmProxNet": lambda: oamp(FirmProxNet(threshold=0.1), divergence_free=False),
    "OAMP, Monte Carlo": lambda: oamp(MonteCarloDivergence(SoftThreshold(), N)),
    "UNet": lambda: UNet(sensing(), image=IMAGE, parameters=3000),
}


@pytest.mark.parametrize("name", EVERY)
def test_defaults_improve_every_network(name):
    net, (y, x) = EVERY[name](), draw_sparse(torch.Generator().manual_seed(1), 300)
    with torch.no_grad():
        before = float(mean_squared_error(net(y), x))
    generator = torch.Generator().manual_seed(2)
    history = fit(net, draw_sparse, steps=40, generator=generator, progress=False)
    with torch.no_grad():
        after = float(mean_squared_error(net(y), x))
    assert after < before
    assert history.stopped == "steps"
    assert history.best_step == 40
    assert max(history.loss) < 3 * history.loss[0]


@pytest.mark.parametrize("given", ["validation", "batch_size", "function", "batches", "pair"])
def test_a_loss_that_grows_is_said_and_the_start_held_again(given):
    pair = draw_sparse(torch.Generator().manual_seed(1), 64)
    data, options = {
        "validation": (pair, {"validation": pair, "validate_every": 2}),
        "batch_size": (pair, {"batch_size": 16}),
        "function": (draw_sparse, {}),
        "batches": ([pair, pair], {}),
        "pair": (pair, {}),
    }[given]
    for lr, stopped in ((10.0, "no better"), (1e-3, "steps")):
        net = LISTACP(sensing(), DEPTH)
        start = [p.detach().clone() for p in net.parameters()]
        generator = torch.Generator().manual_seed(0)
        history = fit(net, data, steps=20, lr=lr, generator=generator, progress=False, **options)
        best = min(history.validation, key=history.validation.get)
        assert (history.stopped, history.best_step) == (stopped, best)
        assert (best == 0) == (stopped == "no better")
        assert {0, 20} <= history.validation.keys()
        unchanged = [torch.equal(a, b) for a, b in zip(start, net.parameters(), strict=True)]
        assert all(unchanged) == (best == 0)


def test_the_start_is_measured_as_it_is():
    net, data = net_and_data()
    start = float(mean_squared_error(net(data[0]), data[1]).detach())
    other = (data[0], 0.5 * data[1])
    history = fit(net, data, steps=4, validation=other, validate_every=2, progress=False)
    assert list(history.validation) == [0, 2, 4]
    assert history.loss[0] == pytest.approx(start)
    assert history.validation[0] != pytest.approx(start)


class Killing:
    """A callback that ends a run."""

    def __call__(self, step, loss):
        if step == 5:
            raise Killed


def coupled(seed=0, dtype=torch.float32, **options):
    return LISTACP(sensing(seed, dtype), DEPTH, **options)


def noisy(level):
    return lambda generator: draw_sparse(generator, level=level)


PAIR = draw_sparse(torch.Generator().manual_seed(1), 8)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ((coupled(), PAIR), (coupled(1), PAIR), r"net\.A is .* other entries"),
        (
            (coupled(), PAIR),
            (coupled(dtype=torch.float64), tuple(part.double() for part in PAIR)),
            r"data is .*float64.* began with .*float32",
        ),
        (
            (coupled(), PAIR),
            (coupled(selection=selection_schedule(DEPTH)), PAIR),
            r"net\.counts is \[0, 1, 2",
        ),
        (
            (oamp(SoftThreshold()), PAIR),
            (OAMPNet(sensing(), DEPTH, noise=2e-4), PAIR),
            r"net\.noise is 0\.0002, but .* began with 0\.0001",
        ),
        (
            (oamp(SoftThreshold()), PAIR),
            (OAMPNet(sensing(1), DEPTH, noise=1e-4), PAIR),
            r"net\.(operator\.A|eigenvalues) is .* other entries",
        ),
        ((coupled(), PAIR), (coupled(), (PAIR[0], -PAIR[1])), r"data is .* other entries"),
        ((coupled(), noisy(1e-2)), (coupled(), noisy(2e-2)), r"data is .* other entries"),
        ((coupled(), PAIR), (coupled(nonnegative=True), PAIR), r"net\.nonnegative is True"),
        ((coupled(), PAIR), (TiLISTA(sensing(), DEPTH), PAIR), r"trained is"),
    ],
    ids=["A", "dtype", "selection", "noise", "operator", "data", "function", "sign", "kind"],
)
def test_a_checkpoint_is_of_one_network_and_its_data(tmp_path, before, after, sentence):
    def run(net, data, **options):
        generator = torch.Generator().manual_seed(0)
        options |= {"checkpoint": tmp_path / "run.pt", "checkpoint_every": 2, "progress": False}
        return fit(net, data, steps=8, generator=generator, **options)

    with pytest.raises(Killed):
        run(*before, callback=Killing())
    held = [p.detach().clone() for p in after[0].parameters()]
    with pytest.raises(ValueError, match=sentence):
        run(*after)
    assert all(torch.equal(a, b) for a, b in zip(held, after[0].parameters(), strict=True))
    assert len(run(*before).loss) == 8


def test_a_checkpoint_allows_for_rounding_and_for_what_the_run_itself_moves(tmp_path):
    options = {"steps": 8, "checkpoint_every": 2, "progress": False, "lr": 1e-3}
    fit(coupled(), PAIR, checkpoint=tmp_path / "a.pt", **options)
    again = coupled()
    again.A.mul_(1 + 1e-6)
    fit(again, (PAIR[0] * (1 + 1e-6), PAIR[1]), checkpoint=tmp_path / "a.pt", **options)

    net = nn.Sequential(nn.Linear(M, N), nn.BatchNorm1d(N))
    with pytest.raises(Killed):
        fit(net, PAIR, checkpoint=tmp_path / "b.pt", callback=Killing(), **options)
    assert len(fit(net, PAIR, checkpoint=tmp_path / "b.pt", **options).loss) == 8


@pytest.mark.parametrize("content", ["truncated", "empty", "junk", "folder", "number"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "run.pt"
    net, data = net_and_data()
    options = {"steps": 3, "checkpoint": path, "progress": False}
    fit(net, data, **options)
    whole = path.read_bytes()
    path.unlink()
    if content == "folder":
        path.mkdir()
    elif content == "number":
        torch.save(3, path)
    else:
        contents = {"truncated": whole[: len(whole) // 2], "empty": b"", "junk": b"\x80junk" * 50}
        path.write_bytes(contents[content])
    with pytest.raises(ValueError, match=r"^checkpoint is .*run\.pt, which"):
        fit(net, data, **options)


class Moody(nn.Module):
    """Drops out and keeps statistics, and notes in which mode it is called."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(M, N), nn.BatchNorm1d(N), nn.Dropout(0.5))
        self.frozen = nn.Dropout(0.9).eval()
        self.modes = []

    def forward(self, y):
        self.modes.append((self.layers.training, self.frozen.training, torch.is_grad_enabled()))
        return self.frozen(self.layers(y))


def test_measurements_drop_nothing_and_teach_no_statistics():
    torch.manual_seed(0)
    net, (y, x) = Moody(), PAIR
    means = []

    def callback(step, loss):
        means.append(net.layers[1].running_mean.clone())

    options = {"steps": 4, "lr": 1e-3, "callback": callback, "progress": False}
    history = fit(net, (y, x), validation=(100 + y, x), validate_every=2, **options)
    training, judging = (True, False, True), (False, False, False)
    assert net.modes == [judging, training, training, judging, training, training, judging]
    assert net.layers.training
    assert not net.frozen.training
    assert float(means[-1].abs().max()) < 10  # of validation data it would be far larger
    net.eval()
    with torch.no_grad():
        found = float(mean_squared_error(net(100 + y), x))
    assert found == pytest.approx(history.validation[history.best_step])


def test_complex_errors_are_sizes():
    estimate, x = torch.tensor([[0, 1j]]), torch.zeros(1, 2, dtype=torch.complex64)
    error = mean_squared_error(estimate, x)
    assert float(error) == 1
    assert not error.is_complex()
    A = torch.randn(M, N, generator=torch.Generator().manual_seed(0), dtype=torch.complex64) / M
    x = torch.randn(50, N, generator=torch.Generator().manual_seed(1), dtype=torch.complex64)
    net = LISTACP(A, 4)
    history = fit(net, (x @ A.T, x), steps=20, progress=False)
    assert history.stopped == "steps"
    assert 0 < history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("kind", [np.float64, torch.tensor])
def test_numbers_may_be_of_numpy_or_torch(kind, tmp_path):
    net, data = net_and_data()
    other = GradientNet(net.operator, steps=net.steps.detach())
    numbers = {"lr": 2**-7, "decay": 0.5, "clip": 1.0}
    fit(net, data, steps=5, progress=False, **numbers)
    given = {name: kind(number) for name, number in numbers.items()}
    options = {"checkpoint": tmp_path / "run.pt", "progress": False}
    fit(other, data, steps=np.int64(5), checkpoint_every=np.int64(2), **given, **options)
    assert torch.equal(net.steps, other.steps)
    assert len(fit(other, data, steps=5, checkpoint_every=2, **numbers, **options).loss) == 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 10**9}, "steps is 1000000000; at most"),
        ({"steps": True}, "steps is True; an integer"),
        ({"steps": None}, "steps is None; an integer"),
        ({"validate_every": None}, "validate_every is None; an integer"),
        ({"lr": 1e300}, r"lr is 1e\+300, which torch.float32 cannot hold"),
        ({"decay": "1"}, "decay is '1'"),
        ({"decay": 2}, "decay is 2"),
        ({"lr": True}, "lr is True"),
        ({"loss": "square"}, "loss is 'square'; a function"),
        ({"callback": 3}, "callback is 3; a function"),
        ({"generator": 3}, "generator is a int; a Generator"),
        ({"device": "nowhere"}, "device is 'nowhere', which is not there"),
        ({"device": 3.5}, "device is 3.5, which is not there"),
        ({"checkpoint": 3}, "checkpoint is a int"),
        ({"progress": None}, "progress is None; True or False"),
        ({"data": int}, "data is a type"),
        ({"data": (torch.ones(2, 3).to_sparse(), torch.ones(2, 3))}, "y of data is sparse"),
    ],
)
def test_arguments_of_other_kinds_are_refused(change, sentence):
    net, data = net_and_data()
    arguments = {"data": data, "steps": 3, "progress": False} | change
    with pytest.raises(ValueError, match=sentence):
        fit(net, arguments.pop("data"), **arguments)


def test_the_error_of_no_batch_is_refused():
    for estimate, x, sentence in (
        (None, torch.ones(1, 1), "estimate is a NoneType"),
        (torch.ones(1, 1), 3.0, "x is a float"),
        (torch.ones(0, 1), torch.ones(0, 1), r"x has shape \(0, 1\)"),
        (torch.tensor(1.0), torch.tensor(1.0), r"x has shape \(\)"),
    ):
        with pytest.raises(ValueError, match=sentence):
            mean_squared_error(estimate, x)
