"""Every network composes with PyTorch: each transform gives the numbers of the plain call."""

from __future__ import annotations

import copy
import pickle
import shutil

import pytest
import torch
from torch import nn
from torch.func import functional_call, jacfwd, jacrev, jvp, vjp, vmap

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
    TiLISTA,
    UNet,
    selection_schedule,
)
from unrolled.sensing import DenseOperator, SensingOperator, gaussian, partial_dct

# PyTorch itself still calls functions that it is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")

M, N, IMAGE, DEPTH, BATCH = 12, 16, (4, 4), 3, 5
SHARES = selection_schedule(DEPTH, rise=0.1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def matrix(dtype=torch.float64):
    return gaussian(M, N, generator=generator(), dtype=dtype)


def dct(dtype=torch.float64):
    return partial_dct(M, N, generator=generator(), dtype=dtype)


class Plain(DenseOperator):
    """A matrix whose linear estimates are found by conjugate gradients."""

    unchecked_lmmse = SensingOperator.unchecked_lmmse
    solver_iterations = 12

    def __init__(self):
        super().__init__(matrix().dense())


def smooth(r, tau):
    """A denoiser that says nothing of its slope."""
    return r**3 / (r**2 + tau**2) / 2


def oamp(operator, denoiser=None, **more):
    return OAMPNet(operator, DEPTH, noise=0.01, denoiser=denoiser, **more)


NETWORKS = {
    "GradientNet": lambda: GradientNet(matrix(), DEPTH),
    "GradientNet checkpointed": lambda: GradientNet(matrix(), DEPTH, checkpoint=2),
    "LISTA": lambda: LISTA(matrix(), DEPTH),
    "LISTA tied": lambda: LISTA(matrix(), DEPTH, tied=True),
    "LISTA-CP": lambda: LISTACP(matrix(), DEPTH),
    "LISTA-CP with selection": lambda: LISTACP(matrix(), DEPTH, selection=SHARES),
    "TiLISTA": lambda: TiLISTA(matrix(), DEPTH),
    "ALISTA": lambda: ALISTA(matrix(), DEPTH),
    "ALISTA with selection": lambda: ALISTA(matrix(), DEPTH, selection=SHARES),
    "LISTA with a threshold for each entry": lambda: LISTA(
        matrix(), DEPTH, penalty=torch.linspace(0.05, 0.15, N)
    ),
    "LISTA-CP, nonnegative": lambda: LISTACP(matrix(), DEPTH, selection=SHARES, nonnegative=True),
    "HyperLISTA": lambda: HyperLISTA(matrix(), DEPTH, start=(0.02, 0.01, 0.1)),
    "HyperLISTA capped": lambda: HyperLISTA(matrix(), DEPTH, start=(0.02, 0.01, 0.1), cap=0.8),
    "OAMPNet": lambda: oamp(matrix()),
    "OAMPNet without noise": lambda: OAMPNet(matrix(), DEPTH, noise=0.0),
    "OAMPNet on a DCT": lambda: oamp(dct(), divergence_free=False, lam=0.1),
    "OAMPNet on an operator without formulas": lambda: oamp(
        Plain(), divergence_free=False, lam=1.0
    ),
    "OAMPNet with a measured slope": lambda: oamp(matrix(), MonteCarloDivergence(smooth, N)),
    "OAMPNet with ProxNet": lambda: oamp(matrix(), ProxNet(image=IMAGE)),
    "OAMPNet with FirmProxNet": lambda: oamp(
        matrix(), FirmProxNet(0.1, image=IMAGE), tied=True, divergence_free=False, lam=0.1
    ),
    "UNet": lambda: UNet(matrix(), image=IMAGE, parameters=2000),
}
every_network = pytest.mark.parametrize("name", NETWORKS)
every_mode = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])


def case(name: str, training: bool = True) -> tuple[nn.Module, torch.Tensor]:
    """A network of that name, its parameters moved away from where they start, and data."""
    net = NETWORKS[name]().double().train(training)
    draws = generator(1)
    with torch.no_grad():
        for parameter in net.parameters():
            moved = torch.randn(parameter.shape, generator=draws, dtype=parameter.dtype)
            parameter.mul_(1 + 0.05 * moved).add_(0.01 * moved.abs())
    return net, torch.randn(BATCH, M, generator=draws, dtype=torch.float64)


def learned(net: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters that a gradient reaches."""
    return {key: value for key, value in net.named_parameters() if value.requires_grad}


def close(found, expected) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


def one(net, parameters, y):
    """What the network makes of one signal (m,), as a function of its parameters."""
    return functional_call(net, parameters, (y[None],))[0]


@every_mode
@every_network
def test_gradients_of_each_sample(name, training):
    net, y = case(name, training)
    parameters = learned(net)
    each = vmap(jacrev(lambda p, signal: one(net, p, signal)), (None, 0))(parameters, y)
    for i in range(BATCH):
        alone = torch.autograd.grad(net(y[i : i + 1]).sum(), list(parameters.values()))
        for key, expected in zip(parameters, alone, strict=True):
            close(each[key][i].sum(0), expected)


@every_mode
@every_network
def test_forward_mode_agrees_with_reverse_mode(name, training):
    net, y = case(name, training)
    parameters = {key: value.detach() for key, value in learned(net).items()}
    forward, reverse = (d(lambda p: one(net, p, y[0]))(parameters) for d in (jacfwd, jacrev))
    for key in parameters:
        close(forward[key], reverse[key])
    tangent = torch.randn(y.shape, generator=generator(2), dtype=y.dtype)
    out, pushed = jvp(net, (y,), (tangent,))
    close(out, net(y))
    back, pull = vjp(net, y)
    cotangent = torch.randn(back.shape, generator=generator(3), dtype=y.dtype)
    close((pushed * cotangent).sum(), (tangent * pull(cotangent)[0]).sum())
    with torch.autograd.forward_ad.dual_level():
        dual = net(torch.autograd.forward_ad.make_dual(y, tangent))
        close(torch.autograd.forward_ad.unpack_dual(dual).tangent, pushed)


@every_mode
@every_network
def test_it_compiles_in_one_graph(name, training):
    torch.compiler.reset()  # it refuses to compile one function for many networks
    net, y = case(name, training)
    # All that "eager" does, and then both graphs, forward and backward, operation by operation.
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    close(compiled(y), net(y))
    parameters = list(learned(net).values())
    expected = torch.autograd.grad(net(y).square().sum(), parameters)
    found = torch.autograd.grad(compiled(y).square().sum(), parameters)
    for one_, other in zip(found, expected, strict=True):
        close(one_, other)


def test_what_is_compiled_is_recomputed_as_asked():
    def segments(name):
        graphs = []

        def backend(graph, inputs):
            graphs.append(graph)
            return graph

        torch.compiler.reset()
        net, y = case(name)
        torch.compile(net, fullgraph=True, backend=backend)(y)
        recomputed = torch.ops.higher_order.tag_activation_checkpoint
        return sum(node.target is recomputed for graph in graphs for node in graph.graph.nodes)

    assert segments("GradientNet checkpointed") == 2  # of two layers and of one
    assert segments("GradientNet") == 0


@every_mode
@every_network
def test_it_exports(name, training):
    net, y = case(name, training)
    exported = torch.export.export(net, (y,))
    close(exported.module()(y), net(y))
    again = torch.randn(y.shape, generator=generator(4), dtype=y.dtype)
    close(exported.module()(again), net(again))


@pytest.mark.filterwarnings("ignore:Torchinductor does not support code generation for complex")
@every_network
def test_it_compiles_to_machine_code(name):
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("there is no compiler")
    torch.compiler.reset()
    net, y = case(name, training=False)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(net, fullgraph=True)(y), net(y))


@every_network
def test_many_networks_run_as_one(name):
    nets = [case(name)[0] for _ in range(3)]
    with torch.no_grad():
        for i, net in enumerate(nets):
            for parameter in learned(net).values():
                parameter.mul_(1 + 0.01 * i)
    _, y = case(name)
    parameters, buffers = torch.func.stack_module_state(nets)
    together = vmap(lambda p, b: functional_call(nets[0], (p, b), (y,)))(parameters, buffers)
    close(together, torch.stack([net(y) for net in nets]))


@every_network
def test_second_derivatives_agree(name):
    net, y = case(name)
    parameters = learned(net)
    tangents = {
        key: torch.randn(value.shape, generator=generator(5), dtype=value.dtype)
        for key, value in parameters.items()
    }

    def gradient(p):
        return torch.func.grad(lambda q: functional_call(net, q, (y,)).square().sum())(p)

    detached = {key: value.detach() for key, value in parameters.items()}
    _, expected = jvp(gradient, (detached,), (tangents,))
    first = torch.autograd.grad(
        net(y).square().sum(), list(parameters.values()), create_graph=True, allow_unused=True
    )
    product = sum((g * t).sum() for g, t in zip(first, tangents.values(), strict=True))
    second = torch.autograd.grad(product, list(parameters.values()), allow_unused=True)
    for key, found in zip(parameters, second, strict=True):
        close(torch.zeros_like(parameters[key]) if found is None else found, expected[key])


@every_network
def test_autocast_in_half_the_precision_is_near(name):
    net, y = case(name)
    net, y = net.float(), y.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = net(y)
        found.float().square().sum().backward()
    expected = net(y)
    error = (found.float() - expected).norm() / expected.norm()
    # The linear step of OAMPNet keeps all digits.
    assert float(error.detach()) < (0.01 if name.startswith("OAMPNet") else 0.05)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learned(net).values())


@every_network
def test_precisions(name):
    net, y = case(name)
    expected = net(y)
    single = copy.deepcopy(net).float()
    loose = 10 if name == "OAMPNet without noise" else 1  # its λ is the precision itself
    torch.testing.assert_close(
        single(y.float()).double(), expected, rtol=1e-3 * loose, atol=1e-4 * loose
    )
    close(single.double()(y), single(y))
    half = copy.deepcopy(net).bfloat16()
    if name.startswith("OAMPNet"):
        with pytest.raises(ValueError, match=r"torch\.bfloat16.*; float32 or float64 is needed"):
            half(y.bfloat16())
    else:
        assert half(y.bfloat16()).dtype == torch.bfloat16


@every_network
def test_copies_have_the_numbers_of_the_original(name):
    net, y = case(name)
    expected = net(y)
    fresh = NETWORKS[name]().double()
    assert not torch.equal(fresh(y), expected)
    fresh.load_state_dict(net.state_dict())
    for other in (fresh, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(y), expected)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.mul_(1.1)
        assert torch.equal(net(y), expected)
