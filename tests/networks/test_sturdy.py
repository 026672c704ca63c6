"""What networks are given is tried once, and what they run in does not change their numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    FirmlyNonexpansive,
    FirmProxNet,
    GradientNet,
    HyperLISTA,
    MonteCarloDivergence,
    NonexpansiveConv2d,
    NonexpansiveLinear,
    OAMPNet,
    ProxNet,
    SoftThreshold,
    TiLISTA,
    UNet,
    UnrolledNet,
    conv_norm,
    selection_schedule,
)
from unrolled.sensing import DenseOperator, SensingOperator, gaussian, partial_dct

M, N, IMAGE, DEPTH, BATCH = 12, 16, (4, 4), 3, 5
SHARES = selection_schedule(DEPTH, rise=0.1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def matrix():
    return gaussian(M, N, generator=generator())


def draw(*shape, seed=1):
    return torch.randn(shape, generator=generator(seed))


class Own(SensingOperator):
    """Products with a matrix, and nothing else."""

    tried = 0

    def __init__(self):
        super().__init__()
        self.register_buffer("matrix", matrix().dense())
        self.shape = (M, N)

    @property
    def dtype(self):
        return self.matrix.dtype

    def unchecked_forward(self, x):
        type(self).tried += 1
        return x @ self.matrix.T

    def unchecked_adjoint(self, y):
        return y @ self.matrix


EIGENVALUES = matrix().eigenvalues
OPERATORS = {
    r"shape .*\(12,\)": {"eigenvalues": property(lambda self: EIGENVALUES[-M:])},
    "not in increasing order": {"eigenvalues": property(lambda self: EIGENVALUES.flip(0))},
    "negative": {"eigenvalues": property(lambda self: -EIGENVALUES.flip(0))},
    "not finite": {"eigenvalues": property(lambda self: EIGENVALUES * math.nan)},
    "float64": {"eigenvalues": property(lambda self: EIGENVALUES.double())},
    "a list": {"eigenvalues": property(lambda self: EIGENVALUES.tolist())},
    "not those of its matrix": {"eigenvalues": property(lambda self: 0.01 * EIGENVALUES)},
    "an adjoint that is none": {"unchecked_adjoint": lambda self, y: 2 * y @ self.matrix},
    r"adjoint of shape \(3, 12\)": {"unchecked_adjoint": lambda self, y: y},
    r"forward of shape \(3, 16\)": {"unchecked_forward": lambda self, x: x},
    "lmmse of shape": {"unchecked_lmmse": lambda self, r, lam: r},
    "does not solve": {"unchecked_lmmse": lambda self, r, lam: -self.unchecked_adjoint(r)},
}


@pytest.mark.parametrize("says", OPERATORS)
def test_a_network_refuses_an_operator_that_is_none(says):
    operator = type("Faulty", (Own,), OPERATORS[says])()
    with pytest.raises(ValueError, match=f"operator .*{says}"):
        OAMPNet(operator, DEPTH, noise=0.1)
    asks_for_estimates = "unchecked_lmmse" in OPERATORS[says]
    if not asks_for_estimates:
        with pytest.raises(ValueError, match=f"operator .*{says}"):
            GradientNet(operator, DEPTH)
    if "eigenvalues" not in OPERATORS[says] and not asks_for_estimates:
        net = GradientNet(matrix(), DEPTH)
        with pytest.raises(ValueError, match=f"operator .*{says.replace('3', str(BATCH))}"):
            net(draw(BATCH, M), operator=operator)
    OAMPNet(Own(), DEPTH, noise=0.1)(draw(BATCH, M))


def test_an_operator_is_tried_once():
    operator = type("Counted", (Own,), {"tried": 0})()
    GradientNet(operator, 1, steps=0.1)
    first, type(operator).tried = operator.tried, 0
    net = GradientNet(operator, 1, steps=0.1)
    net(draw(BATCH, M), operator=operator)  # one layer is one product with the adjoint
    assert (first, type(operator).tried) == (1, 0)


def test_an_estimate_that_is_not_exact_passes():
    class Rough(Own):
        solver_iterations = 2

        def unchecked_lmmse(self, r, lam):
            return super().unchecked_lmmse(r, lam)

    OAMPNet(Rough(), DEPTH, noise=0.1)


class Denoiser(nn.Module):
    """Half of r, or whatever else one says."""

    def __init__(self, estimate=lambda r, tau: r / 2, slope=lambda r, tau: 0 * tau + 0.5):
        super().__init__()
        self.estimate, self.slope = estimate, slope

    def forward(self, r, tau):
        return self.estimate(r, tau)

    def with_divergence(self, r, tau):
        return self.estimate(r, tau), self.slope(r, tau)


@pytest.mark.parametrize(
    ("slope", "says"),
    [
        (lambda r, tau: tau[:, 0], r"slope of shape \(5,\)"),
        (lambda r, tau: 0 * r, r"slope of shape \(5, 16\)"),
        (lambda r, tau: torch.tensor(0.5), r"slope of shape \(\)"),
        (lambda r, tau: 0 * tau + 0j, "slope of .*complex64"),
        (lambda r, tau: 0.5, "slope that denoiser gives is a float"),
    ],
)
def test_a_slope_that_is_none_is_refused(slope, says):
    y = draw(BATCH, M)
    OAMPNet(matrix(), DEPTH, noise=0.1, denoiser=Denoiser())(y)
    with pytest.raises(ValueError, match=says):
        OAMPNet(matrix(), DEPTH, noise=0.1, denoiser=Denoiser(slope=slope))(y)


@pytest.mark.parametrize(
    ("estimate", "says"),
    [
        (lambda r, tau: r[0], r"estimate of shape \(16,\)"),
        (lambda r, tau: r.double(), "estimate of .*float64"),
        (lambda r, tau: 1.0, "what denoiser gives is a float"),
    ],
)
def test_an_estimate_that_is_none_is_refused(estimate, says):
    faulty = Denoiser(estimate)
    for divergence_free, denoiser in (
        (True, faulty),
        (False, faulty),
        (True, MonteCarloDivergence(faulty, N)),
    ):
        net = OAMPNet(
            matrix(), DEPTH, noise=0.1, denoiser=denoiser, divergence_free=divergence_free
        )
        with pytest.raises(ValueError, match=says):
            net(draw(BATCH, M))
    net = OAMPNet(matrix(), DEPTH, noise=0.1, denoiser=Denoiser())
    net.denoisers[0].with_divergence = lambda r, tau: r
    with pytest.raises(ValueError, match="gives a Tensor by with_divergence"):
        net(draw(BATCH, M))


@pytest.mark.parametrize("tied", [True, False])
def test_a_denoiser_stays_as_it_was_given(tied):
    denoiser = ProxNet()
    operator = gaussian(M, N, generator=generator(), dtype=torch.float64)
    net = OAMPNet(operator, DEPTH, noise=0.1, denoiser=denoiser, tied=tied)
    assert {p.dtype for p in denoiser.parameters()} == {torch.float32}
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    with torch.no_grad():
        net.denoisers[0].threshold.factor.fill_(7)
    assert denoiser.threshold.factor.item() != 7


def learned_proxnet(**more):
    net = ProxNet(**more)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * draw(*p.shape, seed=p.numel()))
    return net


@pytest.mark.parametrize("complex_signals", [False, True])
@pytest.mark.parametrize("image", [None, IMAGE])
def test_proxnet_at_no_error_is_the_limit_of_small_ones(image, complex_signals):
    net = learned_proxnet(image=image, complex_signals=complex_signals)
    r = draw(BATCH, N) + (1j * draw(BATCH, N, seed=2) if complex_signals else 0)
    for tau in (0, 0.0, torch.zeros(()), torch.zeros(BATCH, 1)):
        for found, near in zip(
            net.with_divergence(r, tau), net.with_divergence(r, 1e-6), strict=True
        ):
            torch.testing.assert_close(found, near, rtol=1e-3, atol=1e-4)
    leaf = torch.zeros(BATCH, 1, requires_grad=True)
    net(r, leaf).abs().sum().backward()
    assert leaf.grad.isfinite().all()
    assert not net(0 * r, 0).abs().max() > 1e-30
    # It scales, at 0 too, and there is nothing that it does not do at all.
    torch.testing.assert_close(net(3 * r, 0), 3 * net(r, 0))
    assert not torch.allclose(net(r, 0), net(r, 1.0))


DENOISERS = {
    "ProxNet": ProxNet,
    "SoftThreshold": SoftThreshold,
    "MonteCarloDivergence": lambda: MonteCarloDivergence(lambda r, tau: r / 2, N),
}


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tau": -1.0}, "tau is -1.0"),
        ({"tau": math.nan}, "tau is nan"),
        ({"tau": "1"}, "tau is '1'"),
        ({"tau": None}, "tau is None"),
        ({"tau": torch.ones(BATCH)}, r"tau has shape \(5,\)"),
        ({"tau": torch.ones(BATCH, N)}, r"tau has shape \(5, 16\)"),
        ({"tau": torch.ones(BATCH, 1).double()}, "tau has dtype torch.float64"),
        ({"r": [1.0]}, "r is a list"),
        ({"r": torch.ones(N)}, r"r has shape \(16,\)"),
        ({"r": torch.ones(0, N)}, r"r has shape \(0, 16\)"),
        ({"r": torch.ones(BATCH, N).long()}, "r has .*int64"),
        ({"r": torch.ones(BATCH, N).to_sparse()}, "r is sparse"),
    ],
)
def test_bad_signals_and_errors_are_refused_by_denoisers(name, given, says):
    arguments = {"r": draw(BATCH, N), "tau": 0.5, **given}
    denoiser = DENOISERS[name]()
    for call in (denoiser, denoiser.with_divergence):
        with pytest.raises(ValueError, match=says):
            call(**arguments)
        call(draw(BATCH, N), 0.5)


# On a GPU what is made without a word about the place would lie on the CPU. Here it lies nowhere.
@pytest.mark.parametrize(
    "make",
    [
        lambda A: LISTA(A, DEPTH),
        lambda A: LISTACP(A, DEPTH, selection=SHARES),
        lambda A: TiLISTA(A, DEPTH),
        lambda A: ALISTA(A, DEPTH),
        lambda A: HyperLISTA(A, DEPTH),
        lambda A: OAMPNet(A, DEPTH, noise=0.1, denoiser=Denoiser()),
    ],
)
def test_what_a_network_holds_lies_where_its_operator_does(make):
    operator = matrix()
    y = draw(BATCH, M)
    with torch.device("meta"):
        net = make(operator)
        assert net(y).device == y.device
    assert {t.device.type for t in (*net.parameters(), *net.buffers())} == {"cpu"}


def test_a_unet_goes_where_its_operator_is(monkeypatch):
    monkeypatch.setattr(DenseOperator, "device", torch.device("meta"))
    net = UNet(matrix(), image=IMAGE, parameters=2000)
    assert {p.device.type for p in net.parameters()} == {"meta"}


class Bare(UnrolledNet):
    """A network of one's own that holds parameters alone."""

    def __init__(self):
        super().__init__((M, N), DEPTH)
        self.W = nn.Parameter(0.1 * matrix().dense())

    def _first(self, y):
        return y @ self.W

    def _layer(self, k, x, y):
        return x + y @ self.W


NETWORKS = {
    "LISTA": lambda: LISTA(matrix(), DEPTH),
    "LISTA-CP with selection": lambda: LISTACP(matrix(), DEPTH, selection=SHARES),
    "ALISTA with selection": lambda: ALISTA(matrix(), DEPTH, selection=SHARES),
    "HyperLISTA": lambda: HyperLISTA(matrix(), DEPTH, start=(0.02, 0.01, 0.2)),
    "GradientNet": lambda: GradientNet(matrix(), DEPTH, checkpoint=2),
    "OAMPNet": lambda: OAMPNet(matrix(), DEPTH, noise=0.1),
    "OAMPNet with ProxNet": lambda: OAMPNet(
        matrix(), DEPTH, noise=0.1, denoiser=ProxNet(image=IMAGE), tied=True
    ),
    "UNet": lambda: UNet(matrix(), image=IMAGE, parameters=2000),
    "one's own": Bare,
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def replica(net):
    """What `nn.DataParallel` runs on a GPU: a copy whose parameters are plain tensors."""
    copies = {module: module._replicate_for_data_parallel() for module in net.modules()}
    for module, copied in copies.items():
        copied._former_parameters = {}
        for key, child in module._modules.items():
            setattr(copied, key, copies[child])
        for key, parameter in module._parameters.items():
            if parameter is None:
                copied._parameters[key] = None
            else:
                copied._former_parameters[key] = parameter.clone()
                setattr(copied, key, copied._former_parameters[key])
        for key, buffer in module._buffers.items():
            setattr(copied, key, buffer.clone())
    return copies[net]


@every_network
def test_replicas_for_several_devices(name):
    net, y = NETWORKS[name](), draw(BATCH, M)
    copied = replica(net)
    assert not list(copied.parameters())
    torch.testing.assert_close(copied(y), net(y))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("grad", [True, False])
@every_network
def test_what_is_traced_depends_on_no_value_that_was_seen(name, grad):
    net = NETWORKS[name]()
    with torch.set_grad_enabled(grad):
        traced = torch.jit.trace(net, (draw(BATCH, M),))
        for rows in (BATCH, BATCH + 2):
            other = draw(rows, M, seed=9)
            torch.testing.assert_close(traced(other), net(other))


# With gradients "aot_eager" takes minutes, and asks of the sizes what "eager" asks.
@pytest.mark.parametrize(("grad", "backend"), [(True, "eager"), (False, "aot_eager")])
@every_network
def test_what_is_compiled_takes_batches_of_other_sizes(name, grad, backend):
    torch.compiler.reset()
    net = NETWORKS[name]()
    compiled = torch.compile(net, backend=backend)
    with torch.set_grad_enabled(grad):
        for rows in (BATCH, BATCH + 2, 1, BATCH + 3):
            y = draw(rows, M, seed=rows)
            torch.testing.assert_close(compiled(y), net(y))


BAD = {
    "selection_schedule": [
        (lambda: selection_schedule(True), "depth is True"),
        (lambda: selection_schedule(10**9), "depth is 1000000000"),
        (lambda: selection_schedule(2, rise="a"), "rise is 'a'"),
        (lambda: selection_schedule(2, most=1.1), "most is 1.1"),
        (lambda: selection_schedule(2, most=math.nan), "most is nan"),
    ],
    "networks": [
        (lambda: LISTA(matrix(), True), "depth is True"),
        (lambda: LISTA(matrix(), 2)(draw(BATCH, M), depth=True), "depth is True"),
        (lambda: OAMPNet(matrix(), 10**9, noise=0.1), "depth is 1000000000; at most"),
        (lambda: GradientNet(matrix(), 10**9), "depth is 1000000000; at most"),
        (lambda: OAMPNet(matrix(), 2, noise=0.1, denoiser=lambda r, tau: r), "denoiser is a func"),
        (lambda: LISTA(matrix().dense().half(), 2), "float16.*float32 or float64"),
        (lambda: OAMPNet(matrix().dense().bfloat16(), 2, noise=0.1), "bfloat16.*float32"),
        (lambda: LISTA(matrix(), 2).load_layers(nn.Linear(2, 2)), "net is a Linear"),
        (lambda: HyperLISTA(matrix(), 2, start=(1, "a", 0)), "start is 'a'"),
        (lambda: LISTACP(matrix(), 2, selection=(0.1, True)), "selection is"),
    ],
    "UNet": [
        (lambda: UNet(matrix(), image=3, parameters=2000), "image is 3"),
        (lambda: UNet(matrix(), image=(4.0, 4.0), parameters=2000), r"image is \(4.0, 4.0\)"),
        (lambda: UNet(matrix(), image=IMAGE, parameters="many"), "parameters is 'many'"),
        (lambda: UNet(matrix(), image=IMAGE, parameters=10**18), "parameters is 10{18}"),
        (lambda: UNet(matrix(), image=IMAGE, parameters=2000, generator=3), "generator is a int"),
        (lambda: UNet(matrix(), image=IMAGE, parameters=2000)("y"), "y is a str"),
    ],
    "ProxNet": [
        (lambda: ProxNet(image=3), "image is 3"),
        (lambda: ProxNet(image="44"), "image is '44'"),
        (lambda: ProxNet(image=IMAGE, kernel=3.0), "kernel is 3.0"),
        (lambda: ProxNet(image=IMAGE, kernel=10**9 + 1), "kernel is 1000000001"),
        (lambda: ProxNet(width="8"), "width is '8'"),
        (lambda: ProxNet(width=10**9), "width is 1000000000"),
        (lambda: ProxNet(layers=True), "layers is True"),
        (lambda: ProxNet(factor="a"), "factor is 'a'"),
        (lambda: ProxNet(complex_signals=1), "complex_signals is a int"),
    ],
    "FirmProxNet": [
        (lambda: FirmProxNet("a"), "threshold is 'a'"),
        (lambda: FirmProxNet(torch.ones(2)), "threshold is"),
        (lambda: FirmProxNet(0.1, width=None), "width is None"),
        (lambda: FirmProxNet(0.1, generator=0), "generator is a int"),
        (lambda: FirmProxNet(0.1)("r"), "r is a str"),
        (lambda: FirmProxNet(0.1)(torch.ones(N)), r"r has shape \(16,\)"),
        (lambda: FirmlyNonexpansive(abs), "R is a builtin"),
    ],
    "layers": [
        (lambda: NonexpansiveLinear("2", 3), "n_in is '2'"),
        (lambda: NonexpansiveLinear(10**9, 10**9), "n_in is 1000000000"),
        (lambda: NonexpansiveLinear(2, 3, bound="a"), "bound is 'a'"),
        (lambda: NonexpansiveLinear(2, 3, bias="no"), "bias is a str"),
        (lambda: NonexpansiveLinear(2, 3)(torch.ones(4, 3)), r"x has shape \(4, 3\)"),
        (lambda: NonexpansiveLinear(2, 3)([1, 2]), "x is a list"),
        (lambda: NonexpansiveConv2d(1, 1, 3, size=4), "size is 4"),
        (lambda: NonexpansiveConv2d(1, 1, "3", size=IMAGE), "kernel is '3'"),
        (lambda: NonexpansiveConv2d(1.0, 1, 3, size=IMAGE), "c_in is 1.0"),
        (
            lambda: NonexpansiveConv2d(1, 1, 3, size=IMAGE)(torch.ones(16)),
            r"x has shape \(16,\)",
        ),
        (lambda: conv_norm("kernel", IMAGE), "kernel is a str"),
        (lambda: conv_norm(torch.ones(1, 1, 3, 3, dtype=torch.int64), IMAGE), "kernel .*int64"),
        (lambda: conv_norm(torch.ones(1, 1, 3, 3), 4), "size is 4"),
        (lambda: conv_norm(torch.ones(0, 1, 3, 3), IMAGE), "kernel has shape"),
    ],
    "MonteCarloDivergence": [
        (lambda: MonteCarloDivergence(3, N), "denoiser is 3"),
        (lambda: MonteCarloDivergence(abs, 10**9), "n is 1000000000"),
        (lambda: MonteCarloDivergence(abs, N, complex_signals=None), "complex_signals is a None"),
    ],
    "operators": [
        (lambda: partial_dct(10, 10**9, generator=generator()), "n is 1000000000"),
        (lambda: gaussian(10**6, 10**6, generator=generator()), "m, n is 1000000, 1000000"),
        (lambda: gaussian(10**9, 10, generator=generator()), "m is 1000000000"),
    ],
}


@pytest.mark.parametrize(
    ("call", "says"), [pytest.param(*case, id=case[1]) for cases in BAD.values() for case in cases]
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
