"""The questions of the RIP chapter; every key is computed here, by the library."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.chapters.rip.problems import Problem, problems
from unrolled.guarantees import draw
from unrolled.guarantees.rip import fixed_thresholds as fixed
from unrolled.guarantees.rip import isometry_thresholds as isometric
from unrolled.guarantees.rip.refuted import small_signal
from unrolled.guarantees.rip.schedule import with_thresholds
from unrolled.guarantees.rip.symbols import s
from unrolled.isometry.coherence import coherence
from unrolled.isometry.constants import Isometry, isometry_constant
from unrolled.sensing import equiangular_frame, gaussian
from unrolled.teaching import Misconception, Option, QuickCheck

DELTA = 0.9  # what the conditions of the first question are tried with
TOLERANCE = 1e-6  # of the code question: a constant may come in single precision


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@cache
def _few_columns() -> tuple[tuple[Tensor, float], ...]:
    """Matrices A_S of two to four columns, and by which factor a layer on them changes an error.

    Some columns are orthonormal, some all the same, most are in between; some are rescaled.
    """
    generator, found = _generator(), []
    for _ in range(300):
        size = draw.integer(generator, 2, 4)
        columns = torch.randn(6, size, generator=generator, dtype=torch.float64)
        orthonormal = torch.linalg.qr(columns).Q
        share = min(1.0, draw.uniform(generator, 0, 1.5) * draw.integer(generator, 0, 1))
        A = (1 - share) * orthonormal + share * orthonormal[:, :1]
        A = A / torch.linalg.vector_norm(A, dim=0)
        if draw.integer(generator, 0, 1):
            A = A * draw.uniform(generator, 0.3, 1.3) / torch.linalg.matrix_norm(A, ord=2)
        found.append((A, _factor(A)))
    return tuple(found)


def _factor(A: Tensor, layers: int = 4) -> float:
    """The largest ‖e_K‖/‖e_0‖ after K layers without thresholds, its K-th root."""
    net = with_thresholds(A, A, torch.zeros(layers, dtype=A.dtype))
    signals = torch.eye(A.shape[1], dtype=A.dtype)
    errors = net(signals @ A.T) - signals
    return float(torch.linalg.matrix_norm(errors, ord=2)) ** (1 / layers)


def _shrinks(condition: Callable[[Tensor], bool]) -> bool:
    """Whether a layer shrinks all errors, by δ at least, on every A_S that meets the condition."""
    factors = [factor for A, factor in _few_columns() if condition(A)]
    return max(factors) <= DELTA + 1e-9


def _singular_values(A: Tensor) -> Tensor:
    return torch.linalg.svdvals(A)


CONTRACTION = QuickCheck.choice(
    name="rip.contraction",
    prompt=(
        r"Take only the columns $A_S$ of the support, no noise and no thresholds: a layer is "
        r"$x\leftarrow x+A_S^\top(y-A_Sx)$. Let $0<\delta<1$. Which condition on $A_S$ alone makes "
        "every layer shrink every error by a fixed factor below one?"
    ),
    options=(
        Option(
            r"$\|A_S\|_2\le\sqrt{1+\delta}$",
            lambda: _shrinks(lambda A: _singular_values(A)[0] <= (1 + DELTA) ** 0.5 + 1e-9),
            "That is one side of the isometry. Two equal columns can satisfy it, and their "
            "difference is an error that no measurement sees: the layer leaves it as it is.",
        ),
        Option(
            r"$\|I-A_S^\top A_S\|_2\le\delta$",
            lambda: _shrinks(lambda A: bool(((_singular_values(A) ** 2 - 1).abs() <= DELTA).all())),
            r"Yes. The layer maps the error $e$ to $(I-A_S^\top A_S)e$, and the two sides of the "
            r"isometry inequality together say that this matrix has a norm of at most $\delta$.",
        ),
        Option(
            r"$\|A_S\|_2\le1$",
            lambda: _shrinks(lambda A: _singular_values(A)[0] <= 1 + 1e-9),
            "Then no error grows. But one that lies near the null space of $A_S$ hardly shrinks, "
            "and one inside it does not at all.",
        ),
        Option(
            "all columns have norm one",
            lambda: _shrinks(
                lambda A: bool(((torch.linalg.vector_norm(A, dim=0) - 1).abs() < 1e-9).all())
            ),
            r"Then $I-A_S^\top A_S$ has zeros on its diagonal, which says nothing of the rest: "
            "three equal columns of norm one even double an error.",
        ),
    ),
)


def _largest(condition: Callable[[int], sp.Expr]) -> int:
    """The largest s up to 100 at which the expression is below one."""
    return max(size for size in range(1, 101) if condition(size) < 1)


_MU, _size = sp.Rational(1, 10), sp.Symbol("size", positive=True)

SPARSITY = QuickCheck.numeric(
    name="rip.sparsity",
    prompt=(
        r"Unit columns with $|a_i^\top a_j|\le1/10$, and $s$ entries whose errors sum to $E$. Off "
        r"the support at most $E/10$ is heard, so that is the threshold. On the support each entry "
        r"hears the errors of the $s-1$ others and then loses the threshold. What is the largest "
        r"$s$ for which the sum of the errors is certain to fall? (A whole number.)"
    ),
    answer=lambda: _largest(lambda size: fixed.rate.subs({s: size, fixed.mu: _MU})),
    misconceptions=(
        Misconception(
            lambda: _largest(lambda size: size * _MU),
            r"That asks for $s\mu<1$. The threshold costs each entry of $S$ as much again as what "
            "leaks into it.",
        ),
        Misconception(
            lambda: _largest(lambda size: (size - 1) * _MU),
            r"That asks for $(s-1)\mu<1$, enough for the columns of $S$ to be independent, and for "
            "a contraction on $S$. The thresholds that keep everything else out cost more.",
        ),
        Misconception(
            lambda: _largest(lambda size: fixed.rate.subs({s: size, fixed.mu: _MU})) + 1,
            r"Count once more: what is heard of $s-1$ others, and $s$ thresholds. Are these "
            "together fewer than ten tenths?",
        ),
        Misconception(
            lambda: _largest(lambda size: 2 * size * _MU),
            r"That asks for $2s\mu<1$. An entry does not disturb itself: of the $2s$ terms one is "
            "missing.",
        ),
        Misconception(
            lambda: sp.solve(fixed.rate.subs({fixed.mu: _MU, s: _size}) - 1, _size)[0],
            "There the sum stays exactly what it was. How many nonzero entries can a signal have?",
        ),
        Misconception(
            lambda: 1 + 1 / _MU,
            r"There $(s-1)/10$ is exactly one, and the threshold is not yet paid for.",
        ),
        Misconception(
            1,
            r"One entry is safe: it hears no other, and pays a tenth. How many more are?",
        ),
    ),
    explanation=(
        r"The errors of the others sum to $s-1$ times $E$, and $s$ thresholds are $s$ times "
        r"$E/10$: the sum of the errors is multiplied by at most $(2s-1)\mu$, $\mu=1/10$."
    ),
)


@cache
def _relative_errors() -> tuple[float, float]:
    """Of the network that is certified for amplitude 1: at amplitude 1, and at 10⁻⁶."""
    return small_signal(1.0).last(), small_signal(1e-6).last()


SMALL_SIGNAL = QuickCheck.choice(
    name="rip.small-signal",
    prompt=(
        r"One entry of size $1$ is measured without noise by the $6\times16$ frame, and twelve "
        r"layers with the certified thresholds $3^{-k-1}$, $k=0,\dots,11$, recover it. Now the "
        r"entry is $10^{-6}$. The relative error is"
    ),
    options=(
        Option(
            "the same as before",
            lambda: abs(_relative_errors()[1] / _relative_errors()[0] - 1) < 1e-6,
            "So it would be if a layer were linear, or if its threshold were computed from its "
            "input. Fixed thresholds do not shrink along with the signal.",
        ),
        Option(
            "$1$",
            lambda: abs(_relative_errors()[1] - 1) < 1e-12,
            "Yes: all of $u$ lies below every threshold, and every layer returns zero. Learned "
            "thresholds do the same; after training they are constants.",
        ),
        Option(
            "smaller than before",
            lambda: _relative_errors()[1] < 0.99 * _relative_errors()[0],
            "The *certificate* holds as before, in absolute terms: it allows an error as large as "
            "this whole signal. Relative to the signal it says nothing any more.",
        ),
        Option(
            "larger than any bound: it diverges",
            lambda: _relative_errors()[1] > 2,
            "Large thresholds are the safe side: they let nothing through, and what is zero does "
            "not grow.",
        ),
    ),
)


TIED_LAYERS, STILL = 60, 10  # layers that are run; those at the end in which nothing may move


@dataclass(frozen=True)
class _TiedRuns:
    """What tied networks do to signals (B, n), one network for each threshold.

    Attributes:
        thresholds: (T,).
        errors: (T, K + 1, B), in ℓ₂, after 0, …, K layers.
    """

    thresholds: Tensor
    errors: Tensor

    def settles(self) -> bool:
        """Whether each error has fallen, and in the end stands still above zero."""
        start, last = self.errors[:, 0], self.errors[:, -1]
        still = (self.errors[:, -STILL:] - last[:, None]).abs().amax() < 1e-9
        return bool(still and (last < start).all() and (last > 1e-3 * start).all())

    def in_proportion(self) -> bool:
        """Whether, for each signal, the last errors are to each other as the thresholds are."""
        ratio = self.errors[:, -1] / self.thresholds[:, None]
        return bool((ratio / ratio[0] - 1).abs().max() < 1e-6)


def _run_tied(problem: Problem, x: Tensor, thresholds: Tensor) -> _TiedRuns:
    """Run tied networks with these thresholds (T,) on what is measured of x (B, n), no noise."""
    y = problem.operator.forward(x)
    nets = (with_thresholds(problem.operator, problem.W, t.repeat(TIED_LAYERS)) for t in thresholds)
    runs = [torch.linalg.vector_norm(net.trajectory(y) - x, dim=2) for net in nets]
    return _TiedRuns(thresholds, torch.stack(runs))


def _signals_above(
    generator: torch.Generator, n: int, sparsity: int, least: float, count: int = 20
) -> Tensor:
    """Signals (count, n) with ‖x‖₁ = 1 and s entries above `least`, s·least < 1.

    Their supports, signs and amplitudes are random.
    """
    support = torch.rand(count, n, generator=generator).argsort(1).argsort(1) < sparsity
    shares = torch.rand(count, n, generator=generator, dtype=torch.float64).clamp(min=1e-3) ** 2
    shares = torch.where(support, shares, 0.0)
    sizes = least + (1 - sparsity * least) * shares / shares.sum(1, keepdim=True)
    signs = 2.0 * torch.randint(0, 2, (count, n), generator=generator) - 1
    return torch.where(support, signs * sizes, 0.0)


@cache
def _tied_runs() -> tuple[_TiedRuns, ...]:
    """Twenty signals for every matrix of the chapter and every s that leaves room, four θ each.

    The least θ is the first one that is certified for ‖x‖₁ = 1. All s entries exceed twice the
    largest θ, so that there are such signals for 2sμ < 1, here up to 0.95.
    """
    generator, found = _generator(), []
    for problem in problems().values():
        n, mu = problem.operator.shape[1], problem.coherence
        for sparsity in range(1, int(0.95 / (2 * mu)) + 1):
            first = fixed.coherence_schedule(mu, sparsity, 1.0, depth=1).thresholds[0]
            largest = 0.95 / (2 * sparsity)
            thresholds = torch.linspace(float(first), largest, 4, dtype=torch.float64)
            x = _signals_above(generator, n, sparsity, 2.01 * largest)
            found.append(_run_tied(problem, x, thresholds))
    return tuple(found)


TIED = QuickCheck.choice(
    name="rip.tied",
    prompt=(
        r"All layers share one threshold $\theta$, the first one that is certified or a larger "
        r"one; $(2s-1)\mu<1$, and there is no noise. The $s$ entries of the signal are well above "
        r"the threshold, all of them larger than $2\theta$. As the number of layers grows, the "
        "error"
    ),
    options=(
        Option(
            "falls to zero geometrically, only more slowly",
            lambda: all(bool((run.errors[:, -1] < 1e-6).all()) for run in _tied_runs()),
            r"The certificate falls because its thresholds do. At the signal itself, a layer with "
            r"$\theta>0$ takes $\theta$ off every entry, however many layers came before.",
        ),
        Option(
            r"falls at first and settles at a value in proportion to $\theta$",
            lambda: all(run.settles() and run.in_proportion() for run in _tied_runs()),
            r"Yes. Every entry of the support comes out too small, by a bias of less than "
            r"$2\theta$. Exact recovery needs $\theta_k\to0$.",
        ),
        Option(
            "falls to zero, but like $1/K$",
            lambda: all(
                bool((run.errors[:, 60] / run.errors[:, 30] - 0.5).abs().max() < 0.1)
                for run in _tied_runs()
            ),
            "It stands still after a few layers: the layer is a contraction there, and its fixed "
            "point is not the signal.",
        ),
        Option(
            "grows beyond all bounds",
            lambda: all(
                bool((run.errors.amax(1) > 10 * run.errors[:, 0]).all()) for run in _tied_runs()
            ),
            "With thresholds this large nothing outside the support is ever switched on, and on "
            "the support the layers contract.",
        ),
    ),
    explanation=(
        r"The layers stop at $x^\star_S-\theta\,(W_S^\top A_S)^{-1}\operatorname{sign}(x^\star_S)$ "
        r"if that has the signs of $x^\star_S$. With $(2s-1)\mu<1$ it differs from $x^\star_S$ by "
        r"less than $2\theta$ in each entry; hence the condition. An entry below it may be lost as "
        r"a whole. Then its own size is its error, whatever $\theta$ is, and the error is in "
        "proportion no longer."
    ),
)

CONSTANT = QuickCheck.numeric(
    name="rip.constant",
    prompt=(
        r"Three entries, and an error of norm $E$ on them. A layer without threshold leaves at "
        r"most $\delta_3E$ of it. Off the support at most $\delta_4E$ is heard; that is the "
        r"threshold, and all three entries lose it at once. Below which value of $\delta_4$ is "
        r"the norm of the error certain to fall, whatever $\delta_3\le\delta_4$ is? "
        r"(Write $\sqrt5/2$ as sqrt(5)/2.)"
    ),
    answer=lambda: isometric.largest_constant.subs(s, 3),
    absolute=1e-3,
    misconceptions=(
        Misconception(
            sp.sqrt(2) - 1,
            r"$\sqrt2-1$ was an early bound on $\delta_{2s}$, for basis pursuit, which solves "
            "another problem. By accident it is also the answer for $s=2$.",
        ),
        Misconception(
            1 / sp.sqrt(3),
            r"That asks for $\sqrt3\,\delta_4<1$, for the threshold alone. What the layer leaves "
            r"of the error itself, $\delta_3E$, comes on top.",
        ),
        Misconception(
            lambda: isometric.largest_constant.subs(s, 1),
            r"That is the value for $s=1$. The threshold hits all $s$ entries at once, which costs "
            r"$\sqrt s$ in $\ell_2$.",
        ),
        Misconception(
            lambda: isometric.largest_constant.subs(s, 4),
            r"With four entries it would be so, or with thresholds that add up to $3\theta$ and "
            r"nothing else. Three entries that each lose $\theta$ change the norm by "
            r"$\sqrt3\,\theta$.",
        ),
        Misconception(
            lambda: 1 / (1 + sp.Integer(3)),
            r"Three thresholds of equal size make an error of $\sqrt3\,\theta$ in $\ell_2$, not of "
            r"$3\theta$.",
        ),
        Misconception(
            1,
            r"Below one the layer shrinks errors on the support. The threshold that keeps all else "
            "out costs more.",
        ),
        Misconception(
            1 / sp.sqrt(2),
            r"That is what thresholds computed from the data ask for $r=s$, of a constant of "
            "higher order. Here each of the three entries loses a threshold.",
        ),
    ),
    explanation=(
        r"What is left is at most $\delta_3E+\sqrt3\,\delta_4E\le(1+\sqrt3)\,\delta_4E$; in "
        r"general $\delta_{s+1}<1/(1+\sqrt s)$."
    ),
)


def exact_ric(A: Tensor, s: int) -> float:
    """δ_s: the largest |eigenvalue| of A_SᵀA_S − I over all supports S of s columns."""
    supports = torch.combinations(torch.arange(A.shape[1]), s)
    columns = A.T[supports]  # (number of supports, s, m)
    eigenvalues = torch.linalg.eigvalsh(columns @ columns.mT)
    return float((eigenvalues - 1).abs().max())


def _upper_side_only(A: Tensor, s: int) -> float:
    columns = A.T[torch.combinations(torch.arange(A.shape[1]), s)]
    return float(torch.linalg.eigvalsh(columns @ columns.mT).max() - 1)


def _neighbours_only(A: Tensor, s: int) -> float:
    starts = range(A.shape[1] - s + 1)
    grams = [A[:, i : i + s].T @ A[:, i : i + s] - torch.eye(s, dtype=A.dtype) for i in starts]
    return max(float(torch.linalg.matrix_norm(gram, ord=2)) for gram in grams)


def _from_coherence(A: Tensor, s: int) -> float:
    return (s - 1) * coherence(A)


def _not_squared(A: Tensor, s: int) -> float:
    columns = A.T[torch.combinations(torch.arange(A.shape[1]), s)]
    return float((torch.linalg.svdvals(columns) - 1).abs().max())


@cache
def _matrices() -> tuple[tuple[str, Tensor, Isometry], ...]:
    """What the function is tried on: a name, the matrix, and its constant by the library."""
    frame = equiangular_frame(dtype=torch.float64).dense()
    cases = [("the equiangular 6×16 frame", frame, order) for order in (2, 3, 4)]
    generator = _generator()
    for (m, n, order), scale in itertools.product(((6, 9, 3), (12, 10, 2), (5, 8, 1)), (0.6, 1.1)):
        A = gaussian(m, n, generator=generator, dtype=torch.float64).dense()
        cases.append((f"a random {m}×{n} matrix", scale * A, order))
    return tuple((name, A, isometry_constant(A, order)) for name, A, order in cases)


def _check_ric(function: Callable[[Tensor, int], float]) -> None:
    """The constant must hold for every sparse x, and for one of them with equality."""
    for name, A, exact in _matrices():
        value = float(function(A, exact.s))
        where = f"For {name} and s = {exact.s} your constant is {value:.6g}"
        # The x that attains the constant.
        columns = A[:, exact.support]
        eigenvalues, vectors = torch.linalg.eigh(columns.T @ columns)
        extremal = vectors[:, (eigenvalues - 1).abs().argmax()]
        energy = float((columns @ extremal).square().sum())
        assert abs(energy - 1) <= value + TOLERANCE, (
            f"{where}, but some x with ‖x‖ = 1 and {exact.s} nonzero entries has "
            f"‖Ax‖² = {energy:.6g}: it must be larger."
        )
        assert value <= exact.value + TOLERANCE, (
            f"{where}. It is a bound, but not the smallest one: no x attains it."
        )


EXACT_RIC = QuickCheck.code(
    name="rip.exact-ric",
    prompt=(
        r"Write `exact_ric(A, s)`: the smallest $\delta$ with "
        r"$(1-\delta)\|x\|^2\le\|Ax\|^2\le(1+\delta)\|x\|^2$ for all $x$ with at most $s$ nonzero "
        r"entries, for a float64 tensor `A` of shape $(m,n)$, $n\le16$, and $s\le4$."
    ),
    stub=('def exact_ric(A, s):\n    """Return the isometry constant of order s, a float."""'),
    check=_check_ric,
    solution=exact_ric,
    wrong=(_upper_side_only, _neighbours_only, _from_coherence, _not_squared),
    explanation=(
        "The check looks for an $x$ that your constant does not cover, and for one that attains "
        "it; any correct way to write it passes. The library's `isometry_constant` gives the same "
        "numbers, and leaves out supports that cannot win."
    ),
)

QUICK_CHECKS = (CONTRACTION, SPARSITY, CONSTANT, SMALL_SIGNAL, TIED, EXACT_RIC)
