"""Layer by layer: each stage moves what it may and no more, and resumes after a kill."""

import pytest
import torch
from torch import nn

from unrolled.networks import ALISTA, LISTACP, GradientNet, OAMPNet, ProxNet, UnrolledNet
from unrolled.sensing import gaussian
from unrolled.training import History, fit_layerwise


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


class Normalised(UnrolledNet):
    """Layers that keep statistics: x ← N_k(x + ηAᵀ(y − Ax)) with a BatchNorm N_k of their own."""

    layerwise = ("norms",)

    def __init__(self, A, depth):
        super().__init__(A.shape, depth)
        self.operator = A
        self.norms = nn.ModuleList(nn.BatchNorm1d(A.shape[1]) for _ in range(depth))

    def _first(self, y):
        return self.norms[0](self.operator.adjoint(y))

    def _layer(self, k, x, y):
        return self.norms[k](x + 0.2 * self.operator.adjoint(y - self.operator.forward(x)))


def test_layers_that_rest_learn_no_statistics():
    net, seen = Normalised(operator(), 2), []

    def callback(step, loss):
        seen.append([norm.running_mean.clone() for norm in net.norms])

    y, x = draw(torch.Generator().manual_seed(5))
    histories = train(net, alone=3, together=3, final=0, callback=callback, validation=(y, x))
    assert [len(history.loss) for history in histories] == [3, 3, 3]
    first = [means[0] for means in seen]
    assert all(torch.equal(first[3], mean) for mean in first[4:6])
    assert not torch.equal(first[1], first[2])
    assert not torch.equal(seen[3][1], seen[5][1])
    assert not torch.equal(first[6], first[8])  # together both learn
    assert all(module.training for module in net.modules())


def test_a_stage_never_leaves_the_network_worse_than_it_came():
    y, x = draw(torch.Generator().manual_seed(2))
    for lr in (10.0, None):
        net = LISTACP(operator(), 3)
        with torch.no_grad():
            before = float((net(y) - x).square().sum())
        histories = train(net, lr=lr, alone=0, together=0, final=20, validation=(y, x))
        with torch.no_grad():
            after = float((net(y) - x).square().sum())
        assert histories[0].stopped == ("steps" if lr is None else "no better")
        assert after < before if lr is None else after == before


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


class Stages:
    """Stands in for `fit`: notes the stage and moves the threshold of its last layer up by 1."""

    def __init__(self):
        self.seen = []

    def __call__(self, net, data, *, steps, lr, **options):
        self.seen.append((net.depth, steps, lr))
        with torch.no_grad():
            net.net.thresholds[net.depth - 1] += 1
        return History(loss=[float(len(self.seen))])


@pytest.fixture
def stages(monkeypatch):
    noted = Stages()
    monkeypatch.setitem(fit_layerwise.__globals__, "fit", noted)
    return noted


def test_each_stage_has_its_layers_steps_and_rate(stages):
    schedule = {"alone": 7, "together": 5, "final": 3, "lr": 0.5}
    for given, rate in (({}, 0.1), ({"lr_together": 0.25}, 0.25)):
        stages.seen.clear()
        fit_layerwise(ALISTA(operator(), 3), draw, **schedule, **given)
        assert stages.seen == [
            (1, 7, 0.5),
            (2, 7, 0.5),
            (2, 5, rate),
            (3, 7, 0.5),
            (3, 5, rate),
            (3, 3, rate),
        ]


def test_a_copy_is_of_the_layer_just_before(stages):
    schedule = {"together": 0, "final": 0}
    for alone, copy, expected in (
        (1, True, [1, 2, 3]),
        (1, False, [1, 1, 1]),
        (0, True, [0, 0, 0]),  # no stage alone, no copy
    ):
        net = ALISTA(operator(), 3)
        start = net.thresholds.detach().clone()
        assert start.unique().numel() == 1
        fit_layerwise(net, draw, alone=alone, copy=copy, **schedule)
        torch.testing.assert_close(net.thresholds.detach() - start, torch.tensor(expected) * 1.0)


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

        histories = train(net, checkpoint=folder, checkpoint_every=2, callback=callback)
        return [p.detach().clone() for p in net.parameters()], histories, count

    whole, histories, _ = run(tmp_path / "whole")
    assert len(histories) == 3 + 2 + 1
    for kill_after in (3, 13, 27):
        folder = tmp_path / f"killed-{kill_after}"
        with pytest.raises(Killed):
            run(folder, kill_after)
        resumed, resumed_histories, _ = run(folder)
        assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True)), kill_after
        assert resumed_histories == histories
        assert {file.name for file in folder.iterdir()} == {"03-final.pt", "stages.pt"}
        # What is finished is told again, not run again.
        _, told, count = run(folder)
        assert told == histories
        assert count == 0


def test_a_stage_that_patience_stopped_is_not_lost(tmp_path):
    """Killed in the stage after it, before that one has written anything."""
    y, x = draw(torch.Generator().manual_seed(3))

    def run(folder, kill_in=None):
        net, firsts, steps = ALISTA(operator(), 2), 0, 0

        def callback(step, loss):
            nonlocal firsts, steps
            firsts, steps = firsts + (step == 0), steps + 1
            if firsts - 1 == kill_in and step == 1:
                raise Killed

        options = {"validation": (y, -x), "validate_every": 1, "patience": 2}
        histories = train(
            net, alone=30, checkpoint=folder, checkpoint_every=1000, callback=callback, **options
        )
        return net.thresholds.detach().clone(), histories, steps

    whole, histories, _ = run(tmp_path / "whole")
    assert len(histories[0].loss) < 30  # patience, of which a stage without improvement says so
    for kill_in in (1, 2):
        folder = tmp_path / f"killed-{kill_in}"
        with pytest.raises(Killed):
            run(folder, kill_in)
        resumed, resumed_histories, steps = run(folder)
        assert resumed_histories == histories
        assert torch.equal(resumed, whole)
        assert steps == sum(len(history.loss) for history in histories[kill_in:])


@pytest.mark.parametrize(
    "change",
    [
        {"alone": 6},
        {"together": 6},
        {"final": 6},
        {"final": 0},
        {"lr": 2e-2},
        {"lr_together": 1e-4},
        {"copy": False},
        {"decay": 0.5},
    ],
    ids=str,
)
def test_a_checkpoint_never_overrides_other_settings_in_silence(tmp_path, change):
    train(ALISTA(operator(), 2), checkpoint=tmp_path)
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=f"^{name} is {value}, but .* began with"):
        train(ALISTA(operator(), 2), checkpoint=tmp_path, **change)
    (tmp_path / "stages.pt").unlink()
    with pytest.raises(ValueError, match=r"stages\.pt with the histories is missing"):
        train(ALISTA(operator(), 2), checkpoint=tmp_path)


def test_what_is_frozen_stays_frozen_and_all_else_is_given_back():
    for frozen in (["W.1"], ["W.0", "W.1", "W.2"], ["thresholds"], []):
        net = LISTACP(operator(), 3)
        with torch.no_grad():
            net.W[1].mul_(0.9)  # so that a copy would show
            net.thresholds[1] *= 0.9
        before = {name: p.detach().clone() for name, p in net.named_parameters()}
        for name, p in net.named_parameters():
            p.requires_grad_(name not in frozen)
        train(net)
        for name, p in net.named_parameters():
            assert p.requires_grad == (name not in frozen), name
            assert torch.equal(p, before[name]) == (name in frozen), name
            assert not p._backward_hooks


def test_a_stage_in_which_nothing_can_learn_is_left_out():
    net = LISTACP(operator(), 2)
    net.thresholds.requires_grad_(False)
    net.W[0].requires_grad_(False)
    first = net.W[0].detach().clone()
    histories = train(net, alone=3, together=4, final=5)
    assert [len(history.loss) for history in histories] == [3, 4, 5]  # without layer 1 alone
    assert torch.equal(net.W[0], first)
    net.W[1].requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter that requires a gradient"):
        train(net)


def test_layers_that_rest_are_kept_from_gradients_that_are_not_finite():
    net = ALISTA(operator(), 3)
    with fit_layerwise.__globals__["_only"](net, range(1, 2)):
        (net.thresholds * torch.tensor([float("nan"), 2.0, float("inf")])).sum().backward()
    assert net.thresholds.grad.tolist() == [0.0, 2.0, 0.0]
    net.thresholds.grad = None
    net.thresholds.sum().backward()
    assert net.thresholds.grad.tolist() == [1.0, 1.0, 1.0]  # afterwards all learn


def test_the_net_is_moved_before_anything_hangs_on_its_parameters():
    hooked = []

    class Watched(ALISTA):
        def _apply(self, function, recurse=True):
            hooked.append(bool(self.thresholds._backward_hooks))
            return super()._apply(function, recurse)

    train(Watched(operator(), 2), device="cpu")
    assert hooked[0] is False
    assert any(hooked)  # `fit` moves it again, which changes nothing


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_trains_on_a_gpu():
    nets = ALISTA(operator(), 3), ALISTA(operator(), 3)
    for net, device in zip(nets, ("cpu", "cuda"), strict=True):
        train(net, device=device)
    assert nets[1].thresholds.device.type == "cuda"
    torch.testing.assert_close(nets[1].thresholds.cpu(), nets[0].thresholds, rtol=1e-3, atol=1e-5)


def test_a_net_without_layers_is_refused():
    with pytest.raises(ValueError, match="net is a Linear; an UnrolledNet"):
        train(nn.Linear(12, 20))


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


def test_arguments_of_other_kinds_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for change, sentence in (
        ({"alone": 1.5}, "alone is 1.5; an integer"),
        ({"final": None}, "final is None; an integer"),
        ({"lr": True}, "lr is True; 0 < lr"),
        ({"lr_together": "1"}, "lr_together is '1'"),
        ({"copy": 1}, "copy is 1; True or False"),
        ({"checkpoint": 3}, "checkpoint is a int"),
        ({"checkpoint": tmp_path / "file"}, "checkpoint is .*, a file; a folder is needed"),
        ({"device": "nowhere"}, "device is 'nowhere', which is not there"),
    ):
        with pytest.raises(ValueError, match=sentence):
            train(ALISTA(operator(), 2), **change)
