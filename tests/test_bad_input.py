"""Whatever comes in, a public verb answers with finite numbers or names the argument at fault.

Every callable name in every room's `__all__` has a valid call here. Each of its arguments in turn
is replaced by what a slip of the hand, a wrong unit or another library would put there.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from unrolled import networks, sensing, signals
from unrolled.sensing import rf

Call = tuple[Callable[..., Any], Callable[[], dict[str, Any]]]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=seeded(), dtype=dtype)


def gaussian(m: int = 4, n: int = 6, dtype: torch.dtype = torch.float32) -> sensing.DenseOperator:
    return sensing.gaussian(m, n, generator=seeded(), dtype=dtype, unit_columns=True)


def learned(**more: Any) -> dict[str, Any]:
    return {"A": gaussian(), "depth": 2, "checkpoint": 1, "real_signals": False} | more


def around(**more: Any) -> dict[str, Any]:
    return {"side": 4.0, "pixels": (2, 3), "frequencies": (1.0,), "layout": "multistatic"} | more


def measure() -> dict[str, Any]:
    eigenvalues = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
    return {"eigenvalues": eigenvalues, "weights": torch.full((4,), 0.25, dtype=torch.float64)}


def solved(**more: Any) -> dict[str, Any]:
    return {"operator": gaussian(), "y": normal(3, 4), "depth": 3} | more


def lasso() -> dict[str, Any]:
    start = {"x0": normal(3, 6), "tolerance": 1e-2}
    return solved(penalty=0.1, step=0.1, nonnegative=False, **start)


def data() -> tuple[Tensor, Tensor]:
    return normal(3, 4), normal(3, 6)


def searched() -> dict[str, Any]:
    net = networks.HyperLISTA(gaussian(), 2)
    parameter = next(net.parameters())
    grid = [[0.0, 0.1]] * parameter.numel()
    return {
        "net": net,
        "data": data(),
        "parameter": parameter,
        "grid": grid,
        "starts": 1,
        "evaluations": 5,
    }


def drawn(**more: Any) -> dict[str, Any]:
    return {"generator": seeded(), "dtype": torch.float32} | more


EXACT = torch.float64
VALID: dict[str, dict[str, Callable[[], dict[str, Any]]]] = {
    "sensing": {
        "BatchOperator": lambda: {"A": normal(3, 4, 6)},
        "DenseOperator": lambda: {"A": normal(4, 6)},
        "KroneckerOperator": lambda: {"A1": normal(2, 3), "A2": normal(2, 3)},
        "PartialTransform": lambda: {
            "transform": sensing.dct,
            "inverse": sensing.inverse_dct,
            "rows": torch.tensor([0, 2, 3]),
            "n": 6,
            "dtype": torch.float32,
        },
        "RealSignals": lambda: {"A": gaussian(dtype=torch.complex64)},
        "analytic_weights": lambda: {"A": gaussian(), "lam": 0.1},
        "any_operator": lambda: {"A": normal(4, 6)},
        "check_operator": lambda: {
            "operator": gaussian(),
            "generator": seeded(),
            "rows": 3,
            "tolerance": 1e-3,
        },
        "dct": lambda: {"x": normal(3, 6)},
        "dense_operator": lambda: {"A": normal(4, 6)},
        "equiangular_frame": lambda: {"dtype": torch.float32},
        "gaussian": lambda: drawn(m=4, n=6, unit_columns=True),
        "hadamard": lambda: {"x": normal(3, 8)},
        "identity_hadamard": lambda: {"order": 4, "dtype": torch.float32},
        "inverse_dct": lambda: {"X": normal(3, 6)},
        "kronecker": lambda: {"A1": normal(2, 3), "A2": normal(2, 3)},
        "largest_eigenvalue": lambda: {
            "operator": gaussian(),
            "products": 5,
            "generator": seeded(),
        },
        "partial_dct": lambda: drawn(m=4, n=6),
        "partial_fourier": lambda: drawn(m=4, n=6, dtype=torch.complex64),
        "partial_hadamard": lambda: drawn(m=4, n=8),
        "stacked": lambda: {"y": normal(3, 4, dtype=torch.complex64)},
        "with_real_signals": lambda: {"A": gaussian(dtype=torch.complex64)},
        "with_spectrum": lambda: drawn(eigenvalues=torch.tensor([0.0, 0.0, 1.0, 2.0]), m=2),
    },
    "sensing.rf": {
        "Geometry": lambda: {
            "transmitters": torch.tensor([[9.0, 0.0], [0.0, 9.0]]),
            "receivers": torch.tensor([[9.0, 0.0]]),
            "side": 4.0,
            "pixels": (2, 3),
            "frequencies": (0.9, 1.1),
            "layout": "multistatic",
        },
        "Scenes": lambda: {
            "pixels": (4, 4),
            "shapes": 2,
            "kinds": ("ellipse", "point"),
            "sizes": (0.1, 0.2),
            "reflectivity": (0.5, 1.0),
            "variation": 0.2,
            "complex": False,
        },
        "degrees_of_freedom": lambda: {"operator": gaussian(), "snr": 20.0},
        "far_field": lambda: {
            "first": torch.arange(2.0),
            "second": torch.arange(3.0),
            "side": 0.5,
            "pixels": (2, 3),
            "dtype": torch.complex64,
        },
        "line": lambda: around(transmitters=2, receivers=2, length=3.0, distance=5.0),
        "planar": lambda: around(antennas=(2, 2), lengths=(1.0, 1.0), distance=5.0),
        "point_spread": lambda: {"operator": gaussian(), "pixel": 1},
        "ring": lambda: around(transmitters=2, receivers=2, radius=9.0, height=1.0),
        "singular_values": lambda: {"operator": gaussian()},
    },
    "signals": {
        "BernoulliGaussian": lambda: {"n": 6, "rate": 0.1, "variance": 1.0},
        "Gaussian": lambda: {"n": 6, "variance": 1.0},
        "add_noise": lambda: {"y": normal(3, 4), "snr": 20.0, "generator": seeded()},
        "compressible": lambda: drawn(n=6, power=1.0, count=3),
        "nmse": lambda: {"estimate": normal(3, 6) / 2, "x": normal(3, 6)},
        "piecewise_constant": lambda: drawn(height=4, width=5, count=3, pieces=3),
        "sparse": lambda: drawn(n=6, s=2, count=3),
    },
    "prox": {
        "largest": lambda: {"u": normal(3, 6), "count": 2, "nonnegative": False},
        "soft_threshold": lambda: {
            "u": normal(3, 6),
            "threshold": 0.1,
            "selected": normal(3, 6) > 0,
            "nonnegative": False,
        },
    },
    "isometry": {
        "coherence": lambda: {"A": gaussian()},
        "estimate_cost": lambda: {"A": gaussian(), "s": 2},
        "generalised_coherence": lambda: {
            "W": sensing.analytic_weights(gaussian()),
            "A": gaussian(),
        },
        "isometry_constant": lambda: {
            "A": gaussian(),
            "s": 2,
            "method": "exact",
            "effort": 10**6,
            "progress": False,
            "generator": seeded(),
            "draws": 10,
        },
        "restricted_eigenvalues": lambda: {
            "A": gaussian(),
            "s": 2,
            "method": "exact",
            "effort": 10**6,
            "progress": False,
        },
    },
    "iterations": {
        "amp": lambda: solved(noise=0.1, prior=signals.BernoulliGaussian(6)),
        "amp_state_evolution": lambda: {
            "ratio": 0.5,
            "noise": 0.1,
            "depth": 3,
            "prior": signals.Gaussian(6),
        },
        "chebyshev_steps": lambda: {"low": 0.1, "high": 1.0, "depth": 3},
        "duality_gap": lambda: {
            "operator": gaussian(),
            "y": normal(3, 4),
            "x": normal(3, 6),
            "penalty": 0.1,
            "nonnegative": False,
        },
        "fista": lasso,
        "gauss_steps": lambda: dict(**measure(), depth=2),
        "gradient_descent": lambda: {
            "operator": gaussian(),
            "y": normal(3, 4),
            "steps": [0.1, 0.1],
            "ridge": 0.1,
            "x0": normal(3, 6),
        },
        "heavy_ball": lambda: solved(low=0.1, high=8.0, x0=normal(3, 6)),
        "heavy_ball_parameters": lambda: {"low": 0.1, "high": 1.0},
        "ista": lasso,
        "ista_step": lambda: {"operator": gaussian()},
        "lanczos_steps": lambda: {
            "H": torch.diag(torch.arange(1.0, 7)),
            "X": normal(6, 2),
            "depth": 2,
        },
        "leja_order": lambda: {"steps": torch.tensor([0.1, 0.2, 0.3])},
        "oamp": lambda: solved(noise=0.1, prior=signals.BernoulliGaussian(6), posterior=False),
        "oamp_state_evolution": lambda: {
            "eigenvalues": torch.tensor([0.0, 0.5, 1.0, 2.0]),
            "noise": 0.1,
            "depth": 3,
            "prior": signals.Gaussian(4),
        },
        "semicircle_steps": lambda: {"ratio": 0.5, "noise": 0.1, "depth": 3},
        "silver_steps": lambda: {"depth": 3},
        "tied_step": lambda: {"low": 0.1, "high": 1.0},
    },
    "networks": {
        "ALISTA": lambda: learned(penalty=0.1, lam=0.1, selection=(0.1, 0.2), nonnegative=False),
        "ContractiveLISTA": lambda: learned(bound=0.9, penalty=0.1, nonnegative=False),
        "ConvergentLISTA": lambda: learned(bound=1.99, penalty=0.1, nonnegative=False),
        "FirmProxNet": lambda: {
            "threshold": 0.1,
            "image": (4, 4),
            "kernel": 3,
            "width": 2,
            "layers": 2,
            "generator": seeded(),
        },
        "FirmlyNonexpansive": lambda: {"R": nn.Identity()},
        "GradientNet": lambda: learned(steps="fixed", tied=False, learned=True, ridge=0.1),
        "HyperLISTA": lambda: learned(start=(0.002, 0.0, 0.0), lam=0.1, cap=0.2, nonnegative=False),
        "LISTA": lambda: learned(tied=False, penalty=0.1, nonnegative=False),
        "LISTACP": lambda: learned(
            tied=False, penalty=0.1, selection=(0.1, 0.2), nonnegative=False
        ),
        "MonteCarloDivergence": lambda: {
            "denoiser": lambda r, _: r / 2,
            "n": 6,
            "probes": 1,
            "step": 0.01,
            "complex_signals": False,
            "generator": seeded(),
        },
        "NonexpansiveConv2d": lambda: {
            "c_in": 2,
            "c_out": 2,
            "kernel": 3,
            "size": (4, 4),
            "bound": 1.0,
            "bias": True,
            "generator": seeded(),
        },
        "NonexpansiveLinear": lambda: {
            "n_in": 3,
            "n_out": 2,
            "bound": 1.0,
            "bias": True,
            "generator": seeded(),
        },
        "OAMPNet": lambda: learned(
            noise=0.1,
            denoiser=networks.SoftThreshold(),
            tied=False,
            divergence_free=True,
            lam=0.1,
        ),
        "ProxNet": lambda: {
            "image": (4, 4),
            "kernel": 3,
            "width": 2,
            "layers": 2,
            "factor": 1.4,
            "complex_signals": False,
            "generator": seeded(),
        },
        "SoftThreshold": lambda: {"factor": 1.4, "nonnegative": False},
        "TiLISTA": lambda: learned(penalty=0.1, selection=(0.1, 0.2), nonnegative=False),
        "UNet": lambda: {
            "A": gaussian(4, 16),
            "image": (4, 4),
            "parameters": 3000,
            "real_signals": False,
            "generator": seeded(),
        },
        "certificate": lambda: {
            "net": networks.OAMPNet(
                gaussian(),
                2,
                noise=0.1,
                denoiser=networks.FirmProxNet(0.1),
                divergence_free=False,
                lam=0.1,
            ),
            "y": normal(3, 4),
        },
        "conv_norm": lambda: {"kernel": normal(2, 2, 3, 3), "size": (4, 4)},
        "selection_schedule": lambda: {"depth": 3, "rise": 0.012, "most": 0.13},
    },
    "training": {
        "fit": lambda: {
            "net": networks.ALISTA(gaussian(), 2),
            "data": data(),
            "steps": 2,
            "loss": None,
            "lr": 0.01,
            "decay": 1.0,
            "batch_size": 2,
            "validation": data(),
            "validate_every": 1,
            "patience": 2,
            "clip": 1.0,
            "generator": seeded(),
            "device": "cpu",
            "checkpoint_every": 1,
            "callback": None,
            "progress": False,
        },
        "fit_layerwise": lambda: {
            "net": networks.ALISTA(gaussian(), 2),
            "data": data(),
            "alone": 1,
            "together": 1,
            "final": 1,
            "lr": 0.01,
            "lr_together": 0.01,
            "copy": True,
            "batch_size": 2,
            "generator": seeded(),
            "progress": False,
        },
        "mean_squared_error": lambda: {"estimate": normal(3, 6), "x": normal(3, 6)},
        "search": searched,
    },
    "guarantees.convergence": {
        "best_constant_huber_gap": lambda: {"depth": 2},
        "best_tied": lambda: dict(**measure(), depth=2),
        "christoffel_sum": lambda: dict(**measure(), depth=2),
        "closed_form_net": lambda: {"A": normal(8, 6), "variance": 0.1, "depth": 2},
        "conjugate_gradient_error": lambda: dict(**measure(), depth=2),
        "descend": lambda: dict(
            **measure(), start=torch.tensor([0.1, 0.2], dtype=EXACT), iterations=3
        ),
        "hardest_measure": lambda: {"low": 0.1, "high": 1.0, "depth": 2},
        "heavy_ball_radius": lambda: {"instance": (4.0, 2.0)},
        "huber_gap": lambda: {"steps": torch.tensor([0.5, 1.5], dtype=EXACT), "thresholds": 20},
        "marchenko_pastur": lambda: {"ratio": 0.5, "points": 16},
        "rate": lambda: {"step": torch.tensor(0.1), "low": 0.1, "high": 1.0},
        "rounding_by_order": lambda: {"kappa": 10.0, "depth": 3, "generator": seeded(), "n": 10},
    },
    "guarantees.rip": {
        "adaptive_iterates": lambda: {
            "A": gaussian(),
            "y": normal(3, 4),
            "sparsity": 1,
            "extra": 1,
            "depth": 2,
        },
        "adaptive_tail_reached": lambda: {"sparsity": 1},
        "certified_sparsity": lambda: {"A": gaussian(), "effort": 10**5},
        "coherence_schedule": lambda: {
            "mu": 0.1,
            "sparsity": 2,
            "start": 1.0,
            "noise": 0.1,
            "leak": 0.1,
            "tail": 0.1,
            "depth": 2,
        },
        "isometry_schedule": lambda: {
            "delta_s": 0.1,
            "delta_next": 0.2,
            "sparsity": 2,
            "start": 1.0,
            "noise": 0.1,
            "tail_norm": 0.1,
            "tail_sum": 0.1,
            "depth": 2,
        },
        "isometry_tail_reached": lambda: {"sparsity": 1},
        "leakage": lambda: {"depth": 3},
        "with_thresholds": lambda: {
            "A": gaussian(),
            "W": sensing.analytic_weights(gaussian()),
            "thresholds": torch.tensor([0.1, 0.1]),
        },
    },
    "guarantees.unrolling": {
        "TwoEigenvalues": lambda: {
            "high": 4.0,
            "share": 0.5,
            "depth": 2,
            "layers": 3,
            "steps": torch.tensor([0.1, 0.2]),
            "test_share": 0.4,
        },
        "divergence_free_step": lambda: {
            "operator": gaussian(),
            "x": normal(3, 6),
            "y": normal(3, 4),
            "lam": 0.1,
        },
        "normalisation": lambda: {"operator": gaussian(), "lam": 0.1},
        "row_orthogonal": lambda: {"m": 4, "n": 6, "generator": seeded()},
    },
    "experiments": {
        "label": lambda: {"configuration": {"depth": 1}},
        "value_of": lambda: {"text": "3"},
    },
}

# What a name's own answers are used for, with arguments of their own.
USED: dict[str, Call] = {
    **{
        f"{name}.forward": (build(**VALID["networks"][name]()), lambda: {"y": normal(3, 4)})
        for name, build in vars(networks).items()
        if name in ("ALISTA", "GradientNet", "HyperLISTA", "LISTA", "LISTACP", "OAMPNet")
        or name in ("ContractiveLISTA", "ConvergentLISTA", "TiLISTA", "UNet")
    },
    **{
        f"{name}.forward": (
            getattr(networks, name)(**VALID["networks"][name]()),
            lambda: {"r": normal(3, 16), "tau": torch.ones(3, 1)},
        )
        for name in ("ProxNet", "SoftThreshold")
    },
    "SensingOperator.forward": (gaussian().forward, lambda: {"x": normal(3, 6)}),
    "SensingOperator.adjoint": (gaussian().adjoint, lambda: {"y": normal(3, 4)}),
    "SensingOperator.lmmse": (gaussian().lmmse, lambda: {"r": normal(3, 4), "lam": 0.1}),
    "Prior.draw": (signals.Gaussian(6).draw, lambda: drawn(count=3)),
    "Prior.mmse": (signals.Gaussian(6).mmse, lambda: {"variance": 0.1}),
    "Prior.denoise": (signals.Gaussian(6).denoise, lambda: {"r": normal(3, 6), "variance": 0.1}),
}

# Names without arguments of a reader's: why no valid call stands above.
ANSWERS = {"Isometry", "History", "CertifiedSparsity", "Schedule", "Row", "Configuration", "Place"}
BASES = {"SensingOperator", "Prior", "UnrolledNet"}
WRITTEN_BY_AUTHORS = {"Experiment"}  # its arguments are code, which its own tests try
BETWEEN_ROOMS = {"is_spare", "threshold_all_but_largest"}  # for what networks have checked


def callables(room: str) -> dict[str, Callable[..., Any]]:
    module = importlib.import_module(f"unrolled.{room}")
    named = {name: getattr(module, name) for name in module.__all__}
    return {name: value for name, value in named.items() if callable(value)}


CALLS: dict[str, Call] = USED | {
    f"{room}.{name}": (callables(room)[name], arguments)
    for room, names in VALID.items()
    for name, arguments in names.items()
}


def numbers() -> dict[str, Callable[[], Any]]:
    return {
        repr(value): lambda value=value: value
        for value in (
            None, "nonsense", b"x", True, -1, 0, 2.5, -0.5, math.nan, math.inf, -math.inf, 10**9,
            10**30, -(10**30), 1e-300, 1e300, 1j, (), (1, 2, 3), (-1, 2), (0, 0), (10**9, 10**9),
            (True, True), int, torch.int64, torch.float16, torch.bfloat16, torch.complex64,
            torch.float64,
        )
    }  # fmt: skip


SHAPES = ((3, 4), (3, 6), (4, 6))


SHAPES = ((3, 4), (3, 6), (4, 6))


def tensors() -> dict[str, Callable[[], Any]]:
    shapes = ((), (0,), (1,), (3,), (0, 6), (3, 4), (3, 6), (4, 6), (2, 3, 4), (1, 1, 1, 1))
    dtypes = (torch.float32, torch.float64, torch.complex64, torch.int64, torch.bool)
    odd = (torch.float16, torch.bfloat16)
    made = {
        f"{shape}, {dtype}": lambda shape=shape, dtype=dtype: torch.ones(shape, dtype=dtype)
        for shape in shapes
        for dtype in dtypes
    }
    for shape in SHAPES:
        made |= {f"{shape}, {t}": lambda shape=shape, t=t: normal(*shape).to(t) for t in odd}
        made |= {
            f"{shape} of {entry}": lambda shape=shape, entry=entry: torch.full(shape, entry)
            for entry in (0.0, -1.0, 1e30, math.nan, math.inf)
        }
        made[f"{shape}, sparse"] = lambda shape=shape: normal(*shape).to_sparse()
        made[f"{shape}, gradient"] = lambda shape=shape: normal(*shape).requires_grad_()
    return made


BAD: dict[str, Callable[[], Any]] = {
    **numbers(),
    **tensors(),
    "list": lambda: [],
    "[None]": lambda: [None, None],
    "[nan]": lambda: [math.nan, math.nan],
    "dict": lambda: {},
    "object": object,
    "function": lambda: lambda *_, **__: None,
    "numpy number": lambda: np.float32(2.0),
    "numpy integer": lambda: np.int64(2),
    "numpy bool": lambda: np.bool_(True),
    "numpy array": lambda: np.ones((3, 6)),
    "tensor () with gradient": lambda: torch.tensor(0.5, requires_grad=True),
    "tensor () of nan": lambda: torch.tensor(math.nan),
    "generator": seeded,
    "module": lambda: nn.Linear(2, 2),
    "operator of another shape": lambda: gaussian(5, 7),
    "complex operator": lambda: gaussian(dtype=torch.complex64),
    "double operator": lambda: gaussian(dtype=torch.float64),
    "operators of a batch": lambda: sensing.BatchOperator(normal(3, 4, 6)),
    "operator without a matrix": lambda: sensing.partial_dct(4, 6, generator=seeded()),
    "prior of another length": lambda: signals.Gaussian(7),
}


def finite(answer: Any) -> bool:
    """Whether all numbers in an answer are; a network's are those of its parameters."""
    if isinstance(answer, Tensor):
        return bool(torch.isfinite(answer).all())
    if isinstance(answer, float | complex):
        return np.isfinite(answer)
    if isinstance(answer, nn.Module):
        return all(finite(parameter.detach()) for parameter in answer.parameters())
    if isinstance(answer, Mapping):
        return all(map(finite, answer.values()))
    if isinstance(answer, list | tuple):
        return all(map(finite, answer))
    return True


def used(answer: Any) -> Any:
    """What an object that was made does with good arguments."""
    if isinstance(answer, networks.UnrolledNet | networks.UNet):
        held = (*answer.parameters(), *answer.buffers())
        dtype = max((value.dtype for value in held), key=lambda one: one.is_complex)
        shape = answer.shape if hasattr(answer, "shape") else answer.operator.shape
        return answer(normal(3, shape[0], dtype=dtype))
    if isinstance(answer, rf.Geometry):
        answer = answer.operator()
    if isinstance(answer, rf.Scenes):
        return answer.draw(2, seeded())
    if isinstance(answer, sensing.SensingOperator):
        x = normal(3, answer.shape[1], dtype=answer.dtype)
        return answer.adjoint(answer.forward(x))
    return answer


# An error in dB of an estimate without error, or of one that has run off.
MAY_BE_INFINITE = {"signals.nmse", "training.mean_squared_error"}
# Inside a network nothing is looked at.
MAY_BE_INFINITE |= {"ProxNet.forward", "SoftThreshold.forward", "prox.soft_threshold"}
OWN_CODE = {"net", "loss", "callback", "denoiser", "R"}
CODE = {"module", "function"}
# From these on, a product is beyond single precision, and is infinite there as everywhere.
HUGE = {repr(10**30), repr(-(10**30)), repr(1e300), *(f"{shape} of 1e+30" for shape in SHAPES)}


def fault(
    call: Callable[..., Any], arguments: dict[str, Any], *, beyond: bool = False
) -> str | None:
    """What is wrong with how a verb takes these arguments, or None."""
    try:
        with redirect_stderr(StringIO()):  # bars of progress
            answer = call(**arguments)
            if not (finite(answer) and finite(used(answer))) and not beyond:
                return "numbers that are not finite"
    except (ValueError, FloatingPointError) as error:  # the latter where training runs off
        if any(re.search(rf"\b{name}\b", str(error)) for name in arguments):
            return None
        return f"a ValueError that names no argument: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize("room", VALID)
def test_no_name_is_left_out(room):
    missing = callables(room).keys() - VALID[room].keys()
    classes = {name for name in missing if name.isupper()}  # theorems, which are no verbs
    assert missing - classes <= ANSWERS | BASES | WRITTEN_BY_AUTHORS | BETWEEN_ROOMS


@pytest.mark.parametrize("name", CALLS)
def test_the_valid_call_is_valid(name):
    call, arguments = CALLS[name]
    assert fault(call, arguments()) is None


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_argument_is_named_or_does_no_harm(name):
    call, arguments = CALLS[name]

    @settings(max_examples=60, derandomize=True)
    @given(argument=st.sampled_from(sorted(arguments())), bad=st.sampled_from(sorted(BAD)))
    def attempt(argument: str, bad: str) -> None:
        # What goes wrong inside a reader's own code is told by that code.
        assume(argument not in OWN_CODE or bad not in CODE)
        beyond = bad in HUGE or name in MAY_BE_INFINITE
        assert fault(call, arguments() | {argument: BAD[bad]()}, beyond=beyond) is None

    attempt()


@pytest.mark.parametrize(
    ("verb", "noticed"),
    [
        (lambda size: math.sqrt(size), "TypeError"),
        (lambda size: 1.0 / size if size else math.inf, "not finite"),
        (lambda size: int("a number"), "names no argument"),
    ],
)
def test_each_kind_of_fault_is_noticed(verb, noticed):
    found = {fault(verb, {"size": value()}) for value in (lambda: None, lambda: 0)}
    assert any(noticed in (said or "") for said in found)
