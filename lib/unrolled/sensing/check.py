"""Does an operator of one's own keep what it promises?"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import check_kind, check_positive, check_size
from unrolled.sensing.largest import largest_eigenvalue
from unrolled.sensing.operator import SensingOperator, gram_eigenvalues

__all__ = ["check_operator"]

SMALL = 2**20  # entries of a matrix that is formed to compare eigenvalues


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
    check_positive("tolerance", tolerance)
    with torch.no_grad():
        _check_products(_Trial(operator, generator, rows, tolerance))
        _check_eigenvalues(operator, tolerance)


class _Trial:
    # An operator, signals to try it on, and how far off it may be.

    def __init__(
        self, operator: SensingOperator, generator: torch.Generator, rows: int, tolerance: float
    ) -> None:
        self.operator, self.generator = operator, generator
        self.rows, self.tolerance = rows, tolerance

    def draw(self, width: int) -> Tensor:
        drawn = torch.randn(
            self.rows,
            width,
            dtype=self.operator.dtype,
            generator=self.generator,
            device=self.generator.device,
        )
        return drawn.to(self.operator.device)

    def require(self, found: Tensor, wanted: Tensor, says: str) -> None:
        size = max(float(found.abs().max()), float(wanted.abs().max()))
        error = float((found - wanted).abs().max())
        if not error <= self.tolerance * size:
            raise ValueError(f"operator {says}; it is off by {error / size:.2g} of the result")


def _check_products(trial: _Trial) -> None:
    operator, draw, require = trial.operator, trial.draw, trial.require
    m, n = operator.shape
    x, y = draw(n), draw(m)
    image, back = operator.forward(x), operator.adjoint(y)
    for name, found, width in (("forward", image, m), ("adjoint", back, n)):
        if found.shape != (trial.rows, width) or found.dtype != operator.dtype:
            raise ValueError(
                f"operator gives {name} of shape {tuple(found.shape)} and dtype {found.dtype}; "
                f"({trial.rows}, {width}) and {operator.dtype} are needed"
            )
    if trial.rows > 1:
        other = torch.cat((draw(n)[:1], x[1:]))
        require(operator.forward(other)[1:], image[1:], "mixes the signals of a batch in forward")
        other = torch.cat((draw(m)[:1], y[1:]))
        require(operator.adjoint(other)[1:], back[1:], "mixes the signals of a batch in adjoint")
    more = draw(n)
    require(operator.forward(x - 2 * more), image - 2 * operator.forward(more), "is not linear")
    # For each signal, against the size of the vectors: inner products of random ones are small.
    gap = ((image.conj() * y).sum(1) - (x.conj() * back).sum(1)).abs()
    norms = torch.linalg.vector_norm(image, dim=1) * torch.linalg.vector_norm(y, dim=1)
    if not (gap <= trial.tolerance * norms).all():
        raise ValueError(
            "operator has an adjoint that is none; ⟨Ax, y⟩ and ⟨x, Aᴴy⟩ differ by "
            f"{float((gap / norms).max()):.2g} ‖Ax‖‖y‖"
        )
    lam = float(torch.linalg.vector_norm(image) / torch.linalg.vector_norm(x)) ** 2 or 1.0
    estimate = operator.lmmse(y, lam)
    gram = operator.adjoint(operator.forward(estimate)) + lam * estimate
    require(gram, back, "has an lmmse that does not solve its equation")


def _check_eigenvalues(operator: SensingOperator, tolerance: float) -> None:
    m, n = operator.shape
    if not operator.knows_eigenvalues:  # they are those of the matrix
        return
    found = operator.eigenvalues
    if found.shape[-1] != n or found.dtype != operator.dtype.to_real():
        raise ValueError(
            f"operator has eigenvalues of shape {tuple(found.shape)} and dtype {found.dtype}; "
            f"({n},) and {operator.dtype.to_real()} are needed"
        )
    if (found.diff() < 0).any():
        raise ValueError("operator has eigenvalues that are not in increasing order")
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
