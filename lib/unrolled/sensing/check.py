"""Does an operator of one's own keep what it promises?"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_floating, check_kind, check_positive, check_size
from unrolled.sensing.dense import BatchOperator, DenseOperator
from unrolled.sensing.largest import largest_eigenvalue
from unrolled.sensing.operator import SensingOperator, gram_eigenvalues

__all__ = ["check_once", "check_operator", "sound_eigenvalues"]

SMALL = 2**20  # entries of a matrix that is formed to compare eigenvalues
UNLIKELY = 14  # minus the logarithm of a probability, 10⁻⁶


def check_operator(
    operator: SensingOperator,
    *,
    generator: torch.Generator,
    rows: int = 3,
    tolerance: float | None = None,
) -> None:
    """Try on random signals whether an operator is linear, its adjoint is one, and all else fits.

    In this order: shapes and dtypes of both products; each signal by itself; linearity; the adjoint
    test ⟨Ax, y⟩ = ⟨x, Aᴴy⟩; x = `lmmse(r, λ)` solves (AᴴA + λI)x = Aᴴr; `eigenvalues` are in order,
    and those of the matrix. Of a matrix with more than a million entries only the largest is
    compared. What passes may still be wrong on signals that no draw of Gaussian ones resembles.

    Args:
        operator: your own, for instance.
        generator: draws the signals.
        rows: how many; a `BatchOperator` needs as many as it has matrices.
        tolerance: > 0, the largest relative error that counts as rounding; 10⁴ times the precision
            by default.

    Raises:
        ValueError: the first of these that fails, and by how much.
    """
    check_kind("operator", operator, SensingOperator)
    check_kind("generator", generator, torch.Generator)
    check_size("rows", rows)
    if tolerance is None:
        tolerance = 1e4 * torch.finfo(operator.dtype).eps
    tolerance = check_positive("tolerance", tolerance)
    with torch.no_grad():
        trial = _Trial(operator, generator, rows, tolerance)
        _check_rows(trial)
        _check_adjoint(trial)
        _check_estimates(trial, tolerance)
        _check_eigenvalues(operator, tolerance)


def check_once(operator: SensingOperator, *, rows: int = 3, estimates: bool = False) -> None:
    """Require what networks rely on: `shape`, `dtype`, two products and that they are adjoint.

    It costs two products with a few random signals, once for each operator: what has passed is not
    tried again, nor are operators that hold their matrix, nor is anything where nothing can be
    looked at: under `torch.compile` and in the transforms of `torch.func`.

    Args:
        rows: how many signals; more than 1 unless the operator is made for one.
        estimates: require of an `unchecked_lmmse` of one's own, too, that its estimates come nearer
            to the solution of their equation than 0 is. It need not be exact.

    Raises:
        ValueError: what is wrong, and by how much.
    """
    check_kind("operator", operator, SensingOperator)
    passed: set[bool] = operator.__dict__.setdefault("_passed", set())
    if type(operator) in (DenseOperator, BatchOperator) or estimates in passed:
        return
    if _is_followed() or operator.device.type == "meta":
        return
    with torch.inference_mode(False), torch.no_grad():
        _check_attributes(operator)
        tolerance = 1e4 * torch.finfo(operator.dtype).eps
        trial = _Trial(operator, torch.Generator().manual_seed(0), rows, tolerance)
        _check_adjoint(trial)
        if estimates and type(operator).unchecked_lmmse is not SensingOperator.unchecked_lmmse:
            _check_estimates(trial, 1.0)
    passed.update((False, estimates))


def sound_eigenvalues(operator: SensingOperator) -> Tensor:
    """The eigenvalues of AᴴA, (…, n), if they are such: real, finite, ≥ 0 and in increasing order.

    They must also be of the size of A: of eight random signals, Σ‖Ax‖² is, but for draws of
    probability 2·10⁻⁶, as near to its mean 8·tr(AᴴA) as Gaussian signals make it (Laurent and
    Massart, Ann. Statist. 28, 2000, Lemma 1).

    Raises:
        ValueError: what is wrong.
    """
    values = operator.eigenvalues
    if _is_followed() or operator.device.type == "meta" or not operator.knows_eigenvalues:
        return values
    _check_order(operator, values)
    if type(operator) in (DenseOperator, BatchOperator):
        return values
    with torch.inference_mode(False), torch.no_grad():
        trial = _Trial(operator, torch.Generator().manual_seed(0), 8, 0)
        found = float(trial.image.abs().square().sum())
        total, size = trial.rows * values.sum(), torch.linalg.vector_norm(values)
        spread = 2 * size * (trial.rows * UNLIKELY) ** 0.5
        least, most = float(total - spread), float(total + spread + 2 * UNLIKELY * values[-1])
    if not least * (1 - 1e-3) <= found <= most * (1 + 1e-3):
        raise ValueError(
            "operator has eigenvalues that are not those of its matrix; eight random signals x "
            f"have Σ‖Ax‖² = {found:.3g}, by the eigenvalues about {float(total):.3g}"
        )
    return values


def _is_followed() -> bool:
    # Whether values cannot be looked at, nor random numbers drawn.
    # torch.func has no public question for this.
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


def _check_attributes(operator: SensingOperator) -> None:
    shape = getattr(operator, "shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise ValueError(f"operator has shape {shape!r}; (m, n) is needed")
    for name, size in zip(("m", "n"), shape, strict=True):
        check_size(f"operator has a shape whose {name}", size)
    check_floating(operator.dtype)


class _Trial:
    # An operator, signals that it is tried on, what it makes of them, and how far off it may be.

    def __init__(
        self, operator: SensingOperator, generator: torch.Generator, rows: int, tolerance: float
    ) -> None:
        self.operator, self.generator = operator, generator
        self.rows, self.tolerance = rows, tolerance
        m, n = operator.shape
        self.x, self.y = self.draw(n), self.draw(m)
        self.image = self.fits("forward", operator.unchecked_forward(self.x), m)
        self.back = self.fits("adjoint", operator.unchecked_adjoint(self.y), n)

    def draw(self, width: int) -> Tensor:
        drawn = torch.randn(
            self.rows,
            width,
            dtype=self.operator.dtype,
            generator=self.generator,
            device=self.generator.device,
        )
        return drawn.to(self.operator.device)

    def fits(self, name: str, found: Tensor, width: int) -> Tensor:
        check_kind(f"what operator gives for {name}", found, Tensor)
        if found.shape != (self.rows, width) or found.dtype != self.operator.dtype:
            raise ValueError(
                f"operator gives {name} of shape {tuple(found.shape)} and dtype {found.dtype}; "
                f"({self.rows}, {width}) and {self.operator.dtype} are needed"
            )
        return found

    def require(self, found: Tensor, wanted: Tensor, says: str) -> None:
        size = max(float(found.abs().max()), float(wanted.abs().max()))
        error = float((found - wanted).abs().max())
        if not error <= self.tolerance * size:
            raise ValueError(f"operator {says}; it is off by {error / size:.2g} of the result")


def _check_rows(trial: _Trial) -> None:
    # Each signal by itself, and linear.
    operator, draw, require = trial.operator, trial.draw, trial.require
    m, n = operator.shape
    if trial.rows > 1:
        other = torch.cat((draw(n)[:1], trial.x[1:]))
        found = operator.unchecked_forward(other)
        require(found[1:], trial.image[1:], "mixes the signals of a batch in forward")
        other = torch.cat((draw(m)[:1], trial.y[1:]))
        found = operator.unchecked_adjoint(other)
        require(found[1:], trial.back[1:], "mixes the signals of a batch in adjoint")
    more = draw(n)
    found = operator.unchecked_forward(trial.x - 2 * more)
    require(found, trial.image - 2 * operator.unchecked_forward(more), "is not linear")


def _check_adjoint(trial: _Trial) -> None:
    # For each signal, against the size of the vectors: inner products of random ones are small.
    gap = ((trial.image.conj() * trial.y).sum(1) - (trial.x.conj() * trial.back).sum(1)).abs()
    norms = torch.linalg.vector_norm(trial.image, dim=1) * torch.linalg.vector_norm(trial.y, dim=1)
    if not (gap <= trial.tolerance * norms).all():
        raise ValueError(
            "operator has an adjoint that is none; ⟨Ax, y⟩ and ⟨x, Aᴴy⟩ differ by "
            f"{float((gap / norms).max()):.2g} ‖Ax‖‖y‖"
        )


def _check_estimates(trial: _Trial, tolerance: float) -> None:
    operator, norm = trial.operator, torch.linalg.vector_norm
    lam = float(norm(trial.image) / norm(trial.x)) ** 2 or 1.0
    estimate = operator.unchecked_lmmse(trial.y, lam)
    trial.fits("lmmse", estimate, operator.shape[1])
    gram = operator.unchecked_adjoint(operator.unchecked_forward(estimate)) + lam * estimate
    error = float(norm(gram - trial.back))
    if not error <= tolerance * float(norm(trial.back)):
        raise ValueError(
            "operator has an lmmse that does not solve its equation; it is off by "
            f"{error / float(norm(trial.back)):.2g} of the result"
        )


def _check_eigenvalues(operator: SensingOperator, tolerance: float) -> None:
    m, n = operator.shape
    if not operator.knows_eigenvalues:  # they are those of the matrix
        return
    found = operator.eigenvalues
    _check_order(operator, found)
    if m * n > SMALL:
        # The bound is above the largest, by a few per cent at most.
        ratio = float(found.max()) / largest_eigenvalue(operator)
        if not 0.9 <= ratio <= 1 + tolerance:
            raise ValueError(f"operator has a largest eigenvalue {ratio:.3g} times what it should")
        return
    wanted = gram_eigenvalues(torch.linalg.svdvals(operator.dense()), n)
    error = float((found - wanted).abs().max() / wanted.max())
    if not error <= tolerance:
        raise ValueError(
            "operator has eigenvalues that are not those of its matrix; they are off by "
            f"{error:.2g} of the largest"
        )


def _check_order(operator: SensingOperator, found: Tensor) -> None:
    n, real = operator.shape[1], operator.dtype.to_real()
    check_kind("what operator gives for eigenvalues", found, Tensor)
    if found.shape[-1:] != (n,) or found.dtype != real:
        raise ValueError(
            f"operator has eigenvalues of shape {tuple(found.shape)} and dtype {found.dtype}; "
            f"({n},) and {real} are needed"
        )
    if not found.isfinite().all():
        raise ValueError("the operator A has eigenvalues that are not finite")
    if (found.diff() < 0).any():
        raise ValueError("operator has eigenvalues that are not in increasing order")
    if (found[..., 0] < -1e4 * torch.finfo(real).eps * found[..., -1].abs()).any():
        raise ValueError("operator has negative eigenvalues; those of AᴴA are ≥ 0")
