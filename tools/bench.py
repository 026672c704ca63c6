"""Speed and memory as ratios: every network against the matrix products that it cannot do without.

And exact isometry constants, in nodes or supports looked at and in time; and what recording costs.

What is compared runs in turns, many times over, and the best time of each counts, so that another
load on the machine meets all alike. `make bench` prints the tables; nothing here is a test.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Sequence
from math import comb
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from unrolled.experiments import Experiment, cluster
from unrolled.isometry.branch_and_bound import branch_and_bound
from unrolled.isometry.constants import isometry_problem
from unrolled.isometry.enumeration import SECOND, enumerate_supports
from unrolled.isometry.searches import greedy_search
from unrolled.isometry.sparse_eigenvalue import Found, SparseEigenvalue
from unrolled.machine import processor
from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    HyperLISTA,
    OAMPNet,
    TiLISTA,
    UnrolledNet,
    selection_schedule,
)
from unrolled.sensing import DenseOperator, SensingOperator, gaussian, kronecker
from unrolled.signals import BernoulliGaussian

LAYERS = 16
BATCH = 16  # of the structured operators
Job = Callable[[], object]


def seconds(jobs: Sequence[Job], device: torch.device, rounds: int) -> list[float]:
    """The best time of each job, run in turns."""
    best = [float("inf")] * len(jobs)
    for turn in range(rounds + 2):  # two to warm up
        for i, job in enumerate(jobs):
            _wait(device)
            started = time.perf_counter()
            job()
            _wait(device)
            if turn >= 2:
                best[i] = min(best[i], time.perf_counter() - started)
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Products:
    """The matrix products of each network and nothing else, on matrices that have its shapes.

    Layer 1 starts from 0 and multiplies nothing by x. Where each layer has a matrix of its own,
    the products have it too, since it has to come from memory.
    """

    def __init__(self, operator: DenseOperator, batch: int) -> None:
        _, n = operator.shape
        self.A = operator.dense()
        self.W = [self.A.clone() for _ in range(LAYERS)]
        self.square = [self.A.new_full((n, n), 1 / n) for _ in range(LAYERS)]
        self.x, self.y = self.A.new_ones(batch, n), self.A.new_ones(batch, len(self.A))

    def lista(self) -> None:
        for k in range(LAYERS):
            self.y @ self.W[k]
            if k:
                self.x @ self.square[k]

    def lista_backward(self) -> None:
        self.lista()
        for k in range(LAYERS):
            self.y.T @ self.x  # towards W₁
            if k:
                self.x.T @ self.x  # towards W₂
                self.x @ self.square[k].T  # towards x

    def coupled(self) -> None:
        for k in range(LAYERS):
            if k:
                self.x @ self.A.T
            self.y @ self.W[k]

    def coupled_backward(self) -> None:
        self.coupled()
        for k in range(LAYERS):
            self.y.T @ self.x  # towards W
            if k:
                self.x @ self.W[k].T  # towards the residual
                self.y @ self.A  # and through it towards x

    def fixed(self) -> None:
        for k in range(LAYERS):
            if k:
                self.x @ self.A.T
            self.y @ self.W[0]

    def fixed_backward(self) -> None:
        self.fixed()
        for k in range(LAYERS):
            if k:
                self.x @ self.W[0].T
                self.y @ self.A

    def tied_backward(self) -> None:
        self.fixed_backward()
        for _ in range(LAYERS):
            self.y.T @ self.x  # towards the one W


def sparse_networks(
    batch: int, m: int, n: int, device: torch.device, rounds: int, *, compiled: bool = False
) -> None:
    """Forward pass, training step and activations of the sparse networks.

    With `compiled`, what `torch.compile` makes of the forward pass, too.
    """
    generator = torch.Generator().manual_seed(0)
    operator = gaussian(m, n, generator=generator, unit_columns=True)
    x = BernoulliGaussian(n, rate=0.1).draw(batch, generator)
    y = operator.forward(x)
    operator, x, y = operator.to(device), x.to(device), y.to(device)
    products = Products(operator, batch)
    selection = selection_schedule(LAYERS)
    networks: dict[str, tuple[UnrolledNet, Job, Job]] = {
        "LISTA": (LISTA(operator, LAYERS), products.lista, products.lista_backward),
        "LISTA-CP": (LISTACP(operator, LAYERS), products.coupled, products.coupled_backward),
        "ALISTA": (ALISTA(operator, LAYERS), products.fixed, products.fixed_backward),
        "TiLISTA": (TiLISTA(operator, LAYERS), products.fixed, products.tied_backward),
        "LISTA-CP, selection": (
            LISTACP(operator, LAYERS, selection=selection),
            products.coupled,
            products.coupled_backward,
        ),
        "ALISTA, selection": (
            ALISTA(operator, LAYERS, selection=selection),
            products.fixed,
            products.fixed_backward,
        ),
        "HyperLISTA": (
            HyperLISTA(operator, LAYERS, start=(0.015, 0.004, 0.5)),
            products.fixed,
            products.fixed_backward,
        ),
    }
    print(f"\n### Batch {batch}, m = {m}, n = {n}, {LAYERS} layers, float32\n")
    print("| network | forward, ms | of its products | forward + backward, ms | of its products "
          "| Adam's step, ms | activations kept, (B, n) a layer |"
          + " forward compiled, of its products |" * compiled)  # fmt: skip
    print("|---|--:|--:|--:|--:|--:|--:|" + "--:|" * compiled)
    for name, (net, forward, backward) in networks.items():
        net = net.to(device)
        optimiser = torch.optim.Adam(net.parameters(), lr=0.0, fused=True)

        def infer(net: Callable[[Tensor], Tensor] = net) -> None:
            with torch.no_grad():
                net(y)

        def learn(net: nn.Module = net) -> None:
            net.zero_grad(set_to_none=True)
            (net(y) - x).square().sum().backward()

        learn()
        ours, theirs = seconds((infer, forward), device, rounds)
        both, all_products = seconds((learn, backward), device, rounds)
        (step,) = seconds((optimiser.step,), device, rounds)
        print(
            f"| {name} | {1e3 * ours:.2f} | {ours / theirs:.2f}× | {1e3 * both:.2f} "
            f"| {both / all_products:.2f}× | {1e3 * step:.2f} "
            f"| {kept(net, y) / (batch * n * LAYERS):.2f} |"
            + (f" {_compiled(net, infer, forward, device, rounds):.2f}× |" if compiled else ""),
            flush=True,
        )
    if device.type == "cpu":
        _peer(operator, y, rounds)


def _compiled(
    net: nn.Module,
    infer: Callable[[Callable[[Tensor], Tensor]], None],
    products: Job,
    device: torch.device,
    rounds: int,
) -> float:
    torch.compiler.reset()  # it refuses to compile one function for many networks
    made = torch.compile(net)
    ours, theirs = seconds((lambda: infer(made), products), device, rounds)
    return ours / theirs


def kept(net: nn.Module, y: Tensor) -> float:
    """How many numbers a forward pass keeps for the backward one, those of the network excluded."""
    own = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers(), y)}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = net(y)  # held until the storages are counted
    del output
    return sum(sizes.values()) / 4


def _peer(operator: DenseOperator, y: Tensor, rounds: int) -> None:
    # The same iteration in deepinv, where that is installed: a step and a threshold a layer.
    try:
        import deepinv
    except ImportError:
        print("\ndeepinv is not installed; `pip install deepinv` adds it to this table.")
        return

    physics = deepinv.physics.LinearPhysics(
        A=lambda x: x @ operator.A.T, A_adjoint=lambda y: y @ operator.A
    )
    step = 1 / float(operator.eigenvalues[-1])
    model = deepinv.optim.PGD(
        deepinv.optim.L2(),
        deepinv.optim.L1Prior(),
        stepsize=[step] * LAYERS,
        lambda_reg=[torch.full((1, 1), 0.1) for _ in range(LAYERS)],
        trainable_params=["stepsize", "lambda"],
        max_iter=LAYERS,
        custom_init=lambda y, physics: y.new_zeros(len(y), operator.shape[1]),
        unfold=True,
    )
    ours = LISTACP(operator, LAYERS)
    products = Products(operator, len(y))

    def run(net: Callable[[], object]) -> Job:
        def job() -> None:
            with torch.no_grad():
                net()

        return job

    times = seconds(
        (run(lambda: model(y, physics)), run(lambda: ours(y)), products.coupled),
        torch.device("cpu"),
        rounds,
    )
    print(
        f"\ndeepinv {deepinv.__version__}, unfolded ISTA, forward: {times[0] / times[2]:.2f}× the "
        f"products; ours in the same turns: {times[1] / times[2]:.2f}×."
    )


def structured_networks(device: torch.device, rounds: int) -> None:
    """OAMPNet's linear step on a Kronecker product against its factor products, and when dense."""
    print(f"\n### OAMPNet on A₁ ⊗ A₂, batch {BATCH}, float32\n")
    print("| n | m | linear step, ms | of its products | a layer, ms | linear step, A dense |")
    print("|--:|--:|--:|--:|--:|--:|")
    for side in (64, 256):
        print(_structured(side, device, rounds), flush=True)


def _structured(side: int, device: torch.device, rounds: int) -> str:
    generator = torch.Generator().manual_seed(0)
    rows = 3 * side // 4
    factors = [gaussian(rows, side, generator=generator) for _ in range(2)]
    operator = kronecker(*factors).to(device)
    m, n = operator.shape
    x = torch.randn(BATCH, n, generator=generator).to(device)
    y = operator.forward(x)
    layers = 4
    net = OAMPNet(operator, layers, noise=1e-3).to(device)
    A1, A2 = (factor.dense().to(device) for factor in factors)
    images, measured = x.reshape(BATCH, side, side), y.reshape(BATCH, rows, rows)

    def products() -> None:
        # Of y − Ax, of the way into the left singular vectors, and of that out of the right ones.
        (A1 @ images) @ A2.T
        (A1[:, :rows] @ measured) @ A2[:, :rows].T
        (A1.T @ measured) @ A2

    def linear(operator: SensingOperator = operator) -> None:
        operator.lmmse(y - operator.forward(x), 0.1)

    def forward() -> None:
        with torch.no_grad():
            net(y)

    jobs: list[Job] = [linear, products, forward]
    if n <= 4096:
        dense = DenseOperator(operator.dense())
        dense.svd()  # once for all layers and signals
        jobs.append(lambda: linear(dense))
    step, alone, passed, *rest = seconds(jobs, device, rounds)
    last = f"{1e3 * rest[0]:.2f} ms" if rest else f"A alone has {4 * m * n / 1e9:.0f} GB"
    return (
        f"| {n:,} | {m:,} | {1e3 * step:.2f} | {step / alone:.2f}× "
        f"| {1e3 * passed / layers:.2f} | {last} |"
    )


def isometry_constants(device: torch.device, rounds: int) -> None:
    """Exact isometry constants of Gaussian matrices with unit columns, from start to certainty."""
    print("\n### Exact isometry constants, Gaussian, unit columns, float64\n")
    print("| A | s | supports | by | looked at | ms |")
    print("|--:|--:|--:|---|--:|--:|")

    def bounded(problem: SparseEigenvalue) -> Found:
        return branch_and_bound(problem, greedy_search(problem), effort=600 * SECOND)

    def enumerated(problem: SparseEigenvalue) -> Found:
        return enumerate_supports(problem, greedy_search(problem))

    for m, n, s, method, by in (
        (32, 48, 4, bounded, "branch and bound"),
        (32, 48, 4, enumerated, "enumeration"),
        (64, 128, 3, enumerated, "enumeration"),
    ):
        generator = torch.Generator().manual_seed(0)
        operator = gaussian(m, n, generator=generator, dtype=torch.float64, unit_columns=True)
        problem = isometry_problem(operator.to(device), s)
        (best,) = seconds((lambda p=problem, f=method: f(p),), device, rounds)
        print(
            f"| {m}×{n} | {s} | {comb(n, s):,} | {by} | {method(problem).looked_at:,} "
            f"| {1e3 * best:.1f} |",
            flush=True,
        )


def sweeps(count: int = 1000) -> None:
    """What recording costs where a configuration takes no time: in this process, on two workers."""
    sweep = Experiment(
        name="trivial",
        title="",
        configurations=[{"number": number} for number in range(count)],
        recipe=lambda configuration: {},
        measure=lambda configuration, place: [{"twice": 2 * configuration["number"]}],
    )
    print(f"\n### {count:,} configurations that take no time\n")
    print("| measured by | a configuration, ms |\n|---|--:|")
    with cluster.local(2) as client:
        for called, workers in (("this process", None), ("two workers", client)):
            with TemporaryDirectory() as results:
                started = time.perf_counter()
                sweep.run(results=results, report=lambda line: None, client=workers)
                passed = time.perf_counter() - started
            print(f"| {called} | {1e3 * passed / count:.1f} |")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    if device.type == "cuda":
        where = torch.cuda.get_device_name(device)
    else:
        where = f"{processor()}, {options.threads} threads"
    print(f"PyTorch {torch.__version__}, {where}. Best of {options.rounds} turns.")
    compiled = any(shutil.which(name) for name in ("c++", "g++", "clang++"))
    sizes = ((4096, 250, 500), (4096, 1000, 2000)) if device.type == "cuda" else ((256, 250, 500),)
    for size in sizes:
        sparse_networks(*size, device, options.rounds, compiled=compiled)
    structured_networks(device, options.rounds)
    isometry_constants(device, options.rounds)
    sweeps()


if __name__ == "__main__":
    main()
