"""What arguments must be. Each check raises a ValueError that names the argument and what came.

One grammar for all: an integer may be NumPy's, a number may also be a tensor () without gradient,
and neither may be True or False; a tensor is dense and has entries.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from contextlib import suppress
from numbers import Integral, Real
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = [
    "check_batch",
    "check_callable",
    "check_choice",
    "check_dense",
    "check_depth",
    "check_dtype",
    "check_entries",
    "check_flag",
    "check_floating",
    "check_held",
    "check_image",
    "check_kind",
    "check_matrix",
    "check_measure",
    "check_nonnegative",
    "check_number",
    "check_order",
    "check_penalty",
    "check_positive",
    "check_regularisation",
    "check_size",
    "check_spectrum",
    "check_vector",
    "is_integer",
    "is_traced",
]

# More layers, or more entries along one axis, than any program here ends with.
MOST_LAYERS = 2**16
MOST_ENTRIES = 100_000_000
LARGEST = 2**29  # entries that are made at once, 4 GiB in double precision
# Those in which matrices can be factorised.
FULL_PRECISION = (torch.float32, torch.float64, torch.complex64, torch.complex128)


def is_traced(*values: Tensor) -> bool:
    """Whether PyTorch follows the program instead of running it, so that no value can be looked at.

    So it is under `torch.compile`, `torch.export` and `torch.jit.trace`, in the transforms of
    `torch.func` and in forward-mode differentiation. Which operations there are then depends on
    shapes and dtypes alone, and each must be one of PyTorch's own.
    """
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or any(
            # torch.func has no public question for this.
            torch._C._functorch.is_functorch_wrapped_tensor(value)
            or forward_ad.unpack_dual(value).tangent is not None
            for value in values
        )
    )


def check_kind(name: str, value: object, kind: type | tuple[type, ...]) -> None:
    """Require a value of this class, or of one of these; ValueError naming `name` otherwise."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(k.__name__ for k in kinds)
        raise ValueError(f"{name} is a {type(value).__name__}; a {wanted} is needed")


def check_callable(name: str, value: object) -> None:
    """Require a function, or what can be called like one; ValueError naming `name` otherwise."""
    if not callable(value) or isinstance(value, type):
        raise ValueError(f"{name} is {value!r}; a function is needed")


def check_flag(name: str, value: object) -> None:
    """Require True or False; ValueError naming `name` otherwise."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is {value!r}; True or False is needed")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Require one of these words; ValueError naming `name` otherwise."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}; allowed are {', '.join(map(repr, choices))}")


def is_integer(value: object) -> TypeGuard[int]:
    """Whether it is an integer, Python's or NumPy's, and neither True nor False."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_size(name: str, value: int, *, least: int = 1, most: float = MOST_ENTRIES) -> None:
    """Require an integer, least ≤ value ≤ most; ValueError naming `name` otherwise."""
    if not is_integer(value) or value < least:
        raise ValueError(f"{name} is {value!r}; an integer ≥ {least} is needed")
    if value > most:
        raise ValueError(f"{name} is {value!r}; at most {most:,} is allowed")


def check_entries(name: str, value: object, entries: int) -> None:
    """Require that what `name` asks for has at most LARGEST entries; ValueError otherwise."""
    if entries > LARGEST:
        raise ValueError(
            f"{name} is {value}, which asks for {entries:,} entries; at most {LARGEST:,} are made"
        )


def check_depth(depth: int) -> None:
    """Require at least one layer, and not so many that no program ends; ValueError otherwise."""
    check_size("depth", depth, most=MOST_LAYERS)


def check_image(image: tuple[int, int], name: str = "image") -> None:
    """Require (height, width), both ≥ 1; ValueError otherwise."""
    pair = isinstance(image, Sequence) and len(image) == 2
    if not pair or not all(is_integer(side) and side >= 1 for side in image):
        raise ValueError(f"{name} is {image!r}; (height, width), both at least 1, is needed")
    check_entries(name, image, int(image[0]) * int(image[1]))


def check_order(s: int, n: int) -> None:
    """Require an integer order 1 ≤ s ≤ n; ValueError otherwise."""
    if not is_integer(s) or not 1 <= s <= n:
        raise ValueError(f"s is {s!r}; an integer 1 ≤ s ≤ n = {n} is needed")


def check_number(name: str, value: float | Tensor) -> float:
    """The finite real number that came: Python's, NumPy's, or in a tensor () without gradient.

    ValueError naming `name` otherwise.
    """
    number: object = value
    if isinstance(value, Tensor) and value.shape == () and not value.requires_grad:
        number = value.item()
    if isinstance(number, Real) and not isinstance(number, bool):
        with suppress(OverflowError):  # an integer that no float holds
            number = float(number)
            if math.isfinite(number):
                return number
    raise ValueError(f"{name} is {value!r}; a finite number is needed")


def check_positive(
    name: str, value: float | Tensor, *, zero: bool = False, dtype: torch.dtype | None = None
) -> float:
    """The number that came: 0 < value < ∞, or with `zero` 0 ≤ value < ∞; ValueError otherwise.

    With a real dtype, it must neither underflow nor overflow there.
    """
    try:
        number = check_number(name, value)
    except ValueError:
        number = math.nan
    if not (number > 0 or (zero and number == 0)):
        raise ValueError(f"{name} is {value!r}; 0 {'≤' if zero else '<'} {name} < ∞ is needed")
    if dtype is not None and not torch.finfo(dtype).tiny <= number <= torch.finfo(dtype).max:
        raise ValueError(f"{name} is {value!r}, which {dtype} cannot hold")
    return number


def check_held(name: str, value: float, dtype: torch.dtype) -> None:
    """Require a number ≥ 0 that the dtype can hold; ValueError naming `name` otherwise."""
    if value > torch.finfo(dtype).max:
        raise ValueError(f"{name} is {value!r}, which {dtype} cannot hold")


def check_penalty(penalty: float | Tensor, n: int, *, zero: bool = False) -> None:
    """Require a penalty > 0, or with `zero` ≥ 0: a number, or one for each entry in a tensor (n,).

    ValueError otherwise.
    """
    if not isinstance(penalty, Tensor) or penalty.ndim == 0:
        check_positive("penalty", penalty, zero=zero)
        return
    check_dense("penalty", penalty)
    if penalty.shape != (n,) or not penalty.is_floating_point() or penalty.requires_grad:
        raise ValueError(
            f"penalty has shape {tuple(penalty.shape)} and dtype {penalty.dtype}; a number, or a "
            f"real tensor ({n},) without gradient, is needed"
        )
    if not (penalty.isfinite() & (penalty >= 0 if zero else penalty > 0)).all():
        raise ValueError(f"penalty has entries outside 0 {'≤' if zero else '<'} penalty < ∞")


def check_nonnegative(nonnegative: bool, dtype: torch.dtype) -> None:
    """Require True or False, and real signals where they are nonnegative; ValueError otherwise."""
    check_flag("nonnegative", nonnegative)
    if nonnegative and dtype.is_complex:
        raise ValueError(
            f"nonnegative asks for an order, which complex numbers, {dtype}, do not have"
        )


def check_floating(dtype: torch.dtype) -> None:
    """Require single or double precision, real or complex; ValueError otherwise."""
    check_kind("dtype", dtype, torch.dtype)
    if dtype not in FULL_PRECISION:
        allowed = ", ".join(str(one).removeprefix("torch.") for one in FULL_PRECISION)
        raise ValueError(f"dtype is {dtype}; a floating-point dtype among {allowed} is needed")


def check_dense(name: str, value: Tensor) -> None:
    """Require a tensor with all its entries in memory, none left out; ValueError naming `name`."""
    check_kind(name, value, Tensor)
    if value.layout != torch.strided:
        raise ValueError(f"{name} is sparse, {value.layout}; a dense tensor is needed: to_dense()")


def check_dtype(name: str, batch: Tensor, dtype: torch.dtype) -> None:
    """Require that a batch is of the operator's dtype; ValueError naming `name` else."""
    if batch.dtype != dtype:
        raise ValueError(f"{name} has dtype {batch.dtype}; the operator's {dtype} is needed")


def check_batch(name: str, batch: Tensor, width: int) -> None:
    """Require a finite batch (B, width), B ≥ 1; ValueError naming `name` else.

    On a GPU the entries are not looked at, because a look would make the program wait for it, nor
    are they where there is nothing to look at (`is_traced`).
    """
    check_dense(name, batch)
    if batch.ndim != 2 or batch.shape[1] != width or len(batch) == 0:
        raise ValueError(f"{name} has shape {tuple(batch.shape)}; a batch (B, {width}) is needed")
    # A sum is finite only if all its terms are, and is far cheaper than a look at each of them.
    if (
        batch.device.type == "cpu"
        and not is_traced(batch)
        and not cmath.isfinite(batch.detach().sum().item())
        and not torch.isfinite(batch).all()
    ):
        raise ValueError(f"{name} holds NaN or infinite entries; all must be finite")


def check_matrix(name: str, A: Tensor, *, batch: bool = False) -> None:
    """Require a finite floating-point matrix (m, n) without gradient; ValueError naming `name`.

    With `batch`, many of them, (B, m, n).
    """
    check_dense(name, A)
    if A.ndim != 2 + batch or 0 in A.shape:
        wanted = "matrices (B, m, n) are" if batch else "a matrix (m, n) is"
        raise ValueError(f"{name} has shape {tuple(A.shape)}; {wanted} needed")
    if not (A.is_floating_point() or A.is_complex()):
        raise ValueError(f"{name} has dtype {A.dtype}; a floating-point matrix is needed")
    if A.requires_grad:
        raise ValueError(f"{name} requires a gradient; an operator is fixed: {name}.detach()")
    if A.is_meta:
        raise ValueError(f"{name} is on the device meta, where tensors have no entries")
    if not torch.isfinite(A).all():
        raise ValueError(f"{name} holds NaN or infinite entries; all must be finite")


def check_spectrum(name: str, values: Tensor) -> None:
    """Require real, finite entries ≥ 0 in a vector (n,), n ≥ 1; ValueError naming `name` else."""
    check_dense(name, values)
    if values.ndim != 1 or len(values) == 0 or values.is_complex():
        raise ValueError(
            f"{name} has shape {tuple(values.shape)} and dtype {values.dtype}; a real vector (n,) "
            "is needed"
        )
    if not torch.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{name} holds negative or non-finite entries; all must be finite and ≥ 0")


def check_vector(name: str, values: Tensor, dtype: torch.dtype | None = None) -> None:
    """Require real, finite entries in a vector (K,), K ≥ 1; ValueError naming `name` otherwise."""
    check_dense(name, values)
    if values.ndim != 1 or len(values) == 0 or not values.is_floating_point():
        raise ValueError(
            f"{name} has shape {tuple(values.shape)} and dtype {values.dtype}; a real "
            "floating-point vector (K,) is needed"
        )
    if dtype is not None and values.dtype != dtype:
        raise ValueError(f"{name} has dtype {values.dtype}; {dtype} is needed")
    if not torch.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinite entries; all must be finite")


def check_measure(eigenvalues: Tensor, weights: Tensor) -> None:
    """Require a measure: eigenvalues and their weights, both (n,), finite, ≥ 0, of some mass."""
    check_spectrum("eigenvalues", eigenvalues)
    check_spectrum("weights", weights)
    if len(eigenvalues) != len(weights) or eigenvalues.dtype != weights.dtype:
        raise ValueError(
            f"eigenvalues, weights have shapes {tuple(eigenvalues.shape)}, {tuple(weights.shape)} "
            f"and dtypes {eigenvalues.dtype}, {weights.dtype}; both must be (n,), of one dtype"
        )
    if not ((eigenvalues > 0) & (weights > 0)).any():
        raise ValueError("weights have no mass at a positive eigenvalue")


def check_regularisation(lam: float | Tensor, r: Tensor) -> float | Tensor:
    """The λ that came: one number > 0, or a tensor with one or one for each row of r, real like r.

    ValueError otherwise. As with a batch, the entries of a tensor are looked at where that is free.
    """
    dtype = r.dtype.to_real()
    if not isinstance(lam, Tensor):
        # One that underflows to 0 would meet a singular value 0 in 0/0.
        return check_positive("lam", lam, dtype=dtype)
    if lam.dtype != dtype or lam.shape not in ((), (1,), (1, 1), (len(r), 1)):
        raise ValueError(
            f"lam has shape {tuple(lam.shape)} and dtype {lam.dtype}; one λ, (), or one for each "
            f"row, ({len(r)}, 1), of dtype {dtype} is needed"
        )
    if lam.device.type == "cpu" and not is_traced(lam) and not (lam >= 0).all():
        raise ValueError("lam holds NaN or negative entries; all must be ≥ 0")
    return lam
