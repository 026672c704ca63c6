"""What is true of "LMMSE weights" is Capon's beamformer, the LMMSE filter rescaled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees import (
    AT_LEAST,
    Assumption,
    Definition,
    Derivation,
    Step,
    Theorem,
    draw,
)
from unrolled.guarantees.notation import Norm
from unrolled.sensing import DenseOperator, analytic_weights, gaussian

response = sp.Symbol(r"{a_i^\top R^{-1}a_i}", positive=True)


@dataclass(frozen=True)
class Filter:
    """One column w (m,) of a weight matrix, which is to answer 1 to column `index` of A."""

    operator: DenseOperator
    index: int
    lam: float
    w: Tensor

    @property
    def column(self) -> Tensor:
        """a_i, (m,)."""
        return self.operator.dense()[:, self.index]

    @property
    def covariance(self) -> Tensor:
        """R = AAᴴ + λI, (m, m)."""
        A = self.operator.dense()
        return A @ A.mH + self.lam * torch.eye(len(A), dtype=A.dtype)

    def lmmse_response(self) -> float:
        """aᴴR⁻¹a: what the LMMSE filter answers to the column, at most 1."""
        filtered = torch.linalg.solve(self.covariance, self.column)
        return float((self.column.conj() @ filtered).real)

    @property
    def answer(self) -> Tensor:
        """wᴴa, what it answers to the column."""
        return self.w.conj() @ self.column


def _capon(generator: torch.Generator) -> Filter:
    m = draw.integer(generator, 1, 12)
    n = draw.integer(generator, m, 3 * m)
    dtype = (torch.float64, torch.complex128)[draw.integer(generator, 0, 1)]
    operator = gaussian(m, n, generator=generator, dtype=dtype)
    lam = 10 ** draw.uniform(generator, -4, 2) * draw.integer(generator, 0, 1)
    index = draw.integer(generator, 0, n - 1)
    return Filter(operator, index, lam, analytic_weights(operator, lam)[:, index])


def _draw(generator: torch.Generator) -> Filter:
    instance = _capon(generator)
    kind = draw.integer(generator, 0, 3)  # Capon's, ISTA's, near Capon's, anything with response 1
    if kind == 0:
        return instance
    best, column = instance.w, instance.column
    if kind == 1:
        return replace(instance, w=column / (column.conj() @ column))
    size = 10 ** draw.uniform(generator, -3, 1) * float(best.norm())
    change = size * torch.randn(len(best), generator=generator, dtype=best.dtype)
    other = best * (kind == 2) + change
    missing = 1 - column.conj() @ other  # 1 − aᴴw
    return replace(instance, w=other + missing / (column.conj() @ column) * column)


def _unscaled(generator: torch.Generator) -> Filter:
    # The LMMSE filter itself, whose response is below 1.
    operator = gaussian(6, 24, generator=generator, dtype=torch.float64)
    w = operator.lmmse(torch.eye(6, dtype=torch.float64), 0.1)[:, 0]
    return Filter(operator, 0, 0.1, w)


def _coordinates(m: int) -> tuple[tuple[sp.Symbol, ...], ...]:
    r = sp.symbols(f"r_1:{m + 1}", positive=True)
    return r, sp.symbols(f"w_1:{m + 1}", real=True), sp.symbols(f"a_1:{m + 1}", real=True)


def _lagrange(m: int) -> Step:
    """(Σ r_j w_j²)(Σ a_j²/r_j) − (Σ w_j a_j)² as a sum of squares, for m coordinates."""
    r, w, a = _coordinates(m)
    power = sum(r[j] * w[j] ** 2 for j in range(m))
    answer = sum(a[j] ** 2 / r[j] for j in range(m))
    squares = sum(
        (r[i] * w[i] * a[j] - r[j] * w[j] * a[i]) ** 2 / (r[i] * r[j])
        for i in range(m)
        for j in range(i)
    )
    left = power * answer - sum(w[j] * a[j] for j in range(m)) ** 2
    return Step.equal("case", left, squares)


def _attained(m: int) -> Step:
    """Σ r_j w_j² at w_j = a_j/(r_j q), q = Σ a_j²/r_j, for m coordinates, not all a_j = 0."""
    r, _, a = _coordinates(m)
    answer = sum(a[j] ** 2 / r[j] for j in range(m))
    power = sum(r[j] * (a[j] / (r[j] * answer)) ** 2 for j in range(m))
    return Step.equal("case", power, 1 / answer, domain=(a[0] > 0,))


_m, _n = sp.symbols("m n", integer=True, positive=True)
_A, _identity = sp.MatrixSymbol("A", _m, _n), sp.MatrixSymbol("I", _m, _m)
_column, _w = (sp.MatrixSymbol(name, _m, 1) for name in ("a_i", "w"))
_lambda = sp.Symbol("lambda", nonnegative=True)
_R = sp.MatrixSymbol("R", _m, _m)
_covariance = Definition(
    _A * _A.T + _lambda * _identity,
    values=lambda instance: {
        _A: instance.operator.dense(),
        _identity: torch.eye(len(instance.w)).to(instance.w),
        _lambda: instance.lam,
    },
    code=lambda instance: instance.covariance,
)
_capon_filter = Definition(
    _R.inv() * _column / response,
    values=lambda instance: {
        _R: instance.covariance,
        _column: instance.column[:, None],
        response: instance.lmmse_response(),
    },
    code=lambda instance: analytic_weights(instance.operator, instance.lam)[
        :, instance.index, None
    ],
)

_answer = sp.Symbol(r"{w^\top a_i}", real=True)
_with_one = Definition(sp.Eq(_answer, 1), lambda instance: {_answer: instance.answer})

_rest = sp.Symbol("c", nonnegative=True)  # a's answer without its own column in the covariance

CAPON = Theorem(
    name="rip.capon",
    title="LMMSE weights, rescaled",
    statement=r"""
        Let $R=<<covariance>>$. Among all $w$ that answer $a_i$ with one, the one that lets the
        least power through is

        $$
        w_i=<<filter>>,
        $$

        the LMMSE filter for $a_i$, rescaled: Capon's beamformer. Every $w$ that answers so has

        $$
        <<quantity>> <<relation>> <<bound>>,
        $$

        with equality for $w_i$ and no other. As $\lambda\to0$ its columns are the analytic
        weights of ALISTA.
        """,
    assumptions=(
        Assumption("$<<answer>>$", _unscaled, holds=_with_one.agrees),
        Assumption(
            r"$\lambda$ is positive, or it is zero and $A$ has full row rank; $a_i$ is not zero"
        ),
    ),
    quantity=Norm(_w.T * _A, 2) ** 2 + _lambda * Norm(_w, 2) ** 2,
    relation=AT_LEAST,
    bound=1 / response,
    definitions={
        "covariance": _covariance,
        "filter": _capon_filter,
        "answer": _with_one,
    },
    draw=_draw,
    attained=_capon,
    measure=lambda instance: {
        _w: instance.w[:, None],
        _A: instance.operator.dense(),
        _lambda: instance.lam,
    },
    values=lambda instance: {response: instance.lmmse_response()},
    slack=1e-7,
    source=(
        "Capon (1969), with the diagonal loading of Cox, Zeskind and Owen (1987); that these are "
        "the analytic weights of Liu et al. (2019) is proved in the chapter."
    ),
    derivation=Derivation(
        (
            Step.cases(
                r"In the eigenbasis of $R=AA^\top+\lambda I$, with eigenvalues $r_j>0$, "
                r"$w^\top Rw\cdot a^\top R^{-1}a$ exceeds $(w^\top a)^2=1$ by a sum of squares,",
                _lagrange,
                range(2, 6),
                symbol="m",
            ),
            Step.cases(
                r"which vanishes for $w$ a multiple of $R^{-1}a$ and no other. With response $1$, "
                r"$w=R^{-1}a/(a^\top R^{-1}a)$, the power is, in coordinates of such an order and "
                r"sign that $a_1>0$,",
                _attained,
                range(2, 6),
                symbol="m",
            ),
            Step.less(
                r"Without rescaling the response is below $1$, for $\lambda>0$ or if the other "
                r"columns already span $\mathbb R^m$: with $R=aa^\top+B$ and $c=a^\top B^{-1}a$ it "
                "is, by Sherman and Morrison,",
                _rest - _rest**2 / (1 + _rest),
                1,
                gap=1 / (1 + _rest),
            ),
        )
    ),
)
