"""The best worst case is Chebyshev's, and no first-order method beats it."""

from __future__ import annotations

import math
from dataclasses import replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.checks import check_depth, check_measure
from unrolled.guarantees import (
    AT_LEAST,
    AT_MOST,
    Assumption,
    Definition,
    Derivation,
    Step,
    Theorem,
    evaluate,
)
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.definitions import CONDITION, NOISELESS, WIDER
from unrolled.guarantees.convergence.symbols import (
    K,
    above_one,
    accelerated_rate,
    chebyshev_factor,
    chebyshev_in_r,
    chebyshev_root,
    first,
    k,
    kappa,
    lam,
    last,
    r,
    relative_error,
    signal,
    tied_factor,
    tied_rate,
)
from unrolled.guarantees.draw import integer
from unrolled.iterations import chebyshev_steps, heavy_ball
from unrolled.iterations.steps import check_range
from unrolled.sensing import DenseOperator


def _values(instance: instances.Unrolled) -> dict[sp.Symbol, float]:
    return {kappa: instance.kappa, K: instance.depth}


def _interval_and_depth(generator: torch.Generator) -> tuple[float, float, int]:
    # A bound below 1e-6 would measure rounding rather than the theorem.
    while True:
        largest = 1.2 if integer(generator, 0, 4) == 0 else 1000.0  # a condition number
        low, high = instances.interval(generator, largest)
        depth = integer(generator, 1, 16)
        if evaluate(chebyshev_factor, {kappa: high / low, K: depth}) > 1e-6:
            return low, high, depth


def _draw_chebyshev(generator: torch.Generator) -> instances.Unrolled:
    low, high, depth = _interval_and_depth(generator)
    eigenvalues, weights = instances.measure(generator, integer(generator, 1, 12), low, high)
    instance = instances.Unrolled(
        eigenvalues, weights, chebyshev_steps(low, high, depth), low, high
    )
    return _where_largest(instance) if integer(generator, 0, 3) == 0 else instance


def _where_largest(instance: instances.Unrolled) -> instances.Unrolled:
    # The eigenvalues sit where the polynomial is largest.
    eigenvalues = instances.extremal_points(instance.low, instance.high, instance.depth)
    weights = torch.full_like(eigenvalues, 1 / len(eigenvalues))
    return replace(instance, eigenvalues=eigenvalues, weights=weights)


def _attain_chebyshev(generator: torch.Generator) -> instances.Unrolled:
    # Not with a bound so small that 2rᴷ would be the same.
    instance = _draw_chebyshev(generator)
    while evaluate(chebyshev_factor, _values(instance)) < 0.01:
        instance = _draw_chebyshev(generator)
    return _where_largest(instance)


def _outside(generator: torch.Generator) -> instances.Unrolled:
    # All of the error beyond M, where the polynomial is larger than anywhere in [m, M].
    instance = _draw_chebyshev(generator)
    beyond = torch.tensor([2 * instance.high], dtype=torch.float64)
    return replace(instance, eigenvalues=beyond, weights=torch.ones_like(beyond))


def _noisy(generator: torch.Generator) -> instances.Unrolled:
    return instances.silenced(_draw_chebyshev(generator))


_u = sp.Symbol("u", positive=True)
_sigma = sp.Symbol("sigma", real=True)
_j = sp.Symbol("j", integer=True, nonnegative=True)
_m, _phi = sp.symbols("m phi_k", positive=True)
_centre = (kappa + 1) / (kappa - 1)  # σ
_place = sp.Symbol("lambda", real=True)  # anywhere
_map = (kappa + 1 - 2 * lam) / (kappa - 1)  # of [1, κ] onto [−1, 1]
_angle = sp.pi * (2 * k - 1) / (2 * K)


def _angles(depth: int) -> torch.Tensor:
    """Where T_K(cos φ) = cos Kφ vanishes in (0, π), (K,): in the middle of each K-th of it."""
    return torch.pi * (torch.arange(depth, dtype=torch.float64) + 0.5) / depth


def _extremal_sum(depth: int) -> Step:
    """Σ_j (−1)^j ℓ_j(σ) for the Lagrange basis at cos(jπ/K), against T_K(σ), all symbolic in σ."""
    points = [sp.cos(j * sp.pi / depth) for j in range(depth + 1)]
    total = sum(
        (-1) ** j * sp.prod((_sigma - q) / (p - q) for q in points if q != p)
        for j, p in enumerate(points)
    )
    return Step.equal("case", total, sp.chebyshevt(depth, _sigma))


CHEBYSHEV = Theorem(
    name="convergence.chebyshev",
    title="Chebyshev steps",
    statement=r"""
        With the steps

        $$
        \eta_k=<<step>>
        $$

        for $k=1,\dots,K$, where $\phi_k=<<angle>>$, the network's output satisfies

        $$
        <<quantity>> <<relation>> <<bound>>,\qquad r=<<r>>,
        $$

        and no other choice of $K$ steps has a smaller worst case over all $H$ with eigenvalues in
        $[m,M]$. With two layers or more it is smaller than the best tied network's $<<tied>>$.
        """,
    assumptions=(
        Assumption(
            r"the eigenvalues of $H$ lie in $[m,M]$, where $<<condition>>$",
            _outside,
            lambda instance: instance.inside,
        ),
        Assumption("there is no noise: $<<noiseless>>$", _noisy, NOISELESS.agrees),
        Assumption("$<<wider>>$", holds=WIDER.agrees),
    ),
    quantity=relative_error,
    relation=AT_MOST,
    bound=chebyshev_in_r,
    where={r: accelerated_rate},
    formulas={"tied": tied_factor},
    definitions={
        "step": Definition(
            2 / (_m * (kappa + 1 + (kappa - 1) * sp.cos(_phi))),
            lambda i: {_m: i.low, kappa: i.kappa, _phi: _angles(i.depth)},
            lambda i: chebyshev_steps(i.low, i.high, i.depth).flip(0),
        ),
        "angle": Definition(
            _angle,
            lambda i: {K: i.depth, k: torch.arange(1, i.depth + 1)},
            lambda i: _angles(i.depth),
        ),
        "condition": CONDITION,
        "noiseless": NOISELESS,
        "wider": WIDER,
    },
    draw=_draw_chebyshev,
    attained=_attain_chebyshev,
    nearby=instances.nearby_eigenvalues,
    measure=instances.measure_run,
    values=_values,
    slack=1e-6,
    source="Young (1953), Golub and Varga (1961); in networks: Takabe and Wadayama (2022).",
    derivation=Derivation(
        (
            Step.equal(
                r"Scale $m$ to $1$ and map $[1,\kappa]$ to $[-1,1]$. Then $\lambda=0$ lands at "
                r"$\sigma$, the reciprocal of the tied rate,",
                sp.Subs(_map, lam, 0),
                1 / tied_rate,
                domain=(above_one,),
            ),
            Step.equal(
                r"which is the double angle of the accelerated one: $\sigma=(r+1/r)/2$.",
                2 * accelerated_rate / (1 + accelerated_rate**2),
                tied_factor.subs(K, 1),
            ),
            Step.equal(
                r"$\cosh Ku$ obeys the three-term recursion of $T_K(\cosh u)$,",
                sp.cosh((K + 1) * _u),
                2 * sp.cosh(_u) * sp.cosh(K * _u) - sp.cosh((K - 1) * _u),
            ),
            Step.equal(
                r"so with $r=e^{-u}$ the bound is $1/T_K(\sigma)$.",
                chebyshev_in_r.subs(r, sp.exp(-_u)),
                1 / sp.cosh(K * _u),
            ),
            Step.equal(
                r"$T_K(\cos\phi)=\cos K\phi$ vanishes at $\phi=(2k-1)\pi/2K$,",
                sp.cos(sp.pi * (2 * k - 1) / 2, evaluate=False),
                0,
            ),
            Step.equal(
                r"where the roots $1/\eta_k$ land, in reverse order.",
                sp.Subs(_map.subs(lam, _place), _place, chebyshev_root),
                -sp.cos(_angle),
                domain=(above_one,),
            ),
            Step.equal(
                r"At $\phi=j\pi/K$ it is $\pm1$ with alternating signs.",
                sp.cos(sp.pi * _j, evaluate=False),
                (-1) ** _j,
            ),
            Step.cases(
                r"The Lagrange basis of those $K+1$ points in $[-1,1]$ has "
                r"$\sum_j(-1)^j\ell_j(\sigma)=T_K(\sigma)$.",
                _extremal_sum,
                range(2, 7),
            ),
            Step.less(
                r"Strictness, by induction: if $\cosh Ku\ge\cosh^Ku$, the next one is strictly "
                "larger, since",
                sp.cosh(_u) * sp.cosh(K * _u),
                sp.cosh((K + 1) * _u),
                gap=sp.sinh(_u) * sp.sinh(K * _u),
            ),
        )
    ),
)


def hardest_measure(low: float, high: float, depth: int) -> tuple[Tensor, Tensor]:
    """The K + 1 eigenvalues and weights on which no K-step first-order method beats Chebyshev.

    weights ν_j = |ℓ_j(0)|/T_K(σ) on the extremal points λ_j of the Chebyshev polynomial.

    ValueError unless 0 < low < high < ∞ and depth ≥ 1.
    """
    check_depth(depth)
    check_range(low, high)
    if low == high:
        raise ValueError(f"low, high are both {low}; low < high is needed")
    points = instances.extremal_points(low, high, depth)
    differences = points[:, None] - points[None, :]
    ratio = torch.where(differences == 0, 1.0, points[None, :] / differences)
    basis = ratio.prod(1).abs()
    return points, basis / basis.sum()


def conjugate_gradient_error(eigenvalues: Tensor, weights: Tensor, depth: int) -> float:
    """Smallest ‖p(H)e_0‖² over all polynomials p of degree ≤ depth with p(0) = 1.

    No method whose iterates lie in the Krylov space does better, adaptive or trained. ValueError
    unless eigenvalues and weights are (n,), nonnegative and finite, and depth ≥ 1.
    """
    check_depth(depth)
    check_measure(eigenvalues, weights)
    return float(_least_in_krylov_space(eigenvalues, weights, depth).square().sum())


def _least_in_krylov_space(eigenvalues: Tensor, weights: Tensor, depth: int) -> Tensor:
    """The smallest p(H)e_0, (n,), where e_0 has the component √weights in each eigenvector."""
    centre, radius = eigenvalues.mean(), eigenvalues.max() - eigenvalues.min()
    scaled = (eigenvalues - centre) / radius.clamp(min=1e-30)
    powers = scaled[:, None] ** torch.arange(depth, dtype=torch.float64)
    columns = weights.sqrt()[:, None] * eigenvalues[:, None] * powers
    target = weights.sqrt()
    orthonormal = torch.linalg.qr(columns).Q
    return target - orthonormal @ (orthonormal.T @ target)


METHODS = ("random steps", "Chebyshev", "heavy ball", "best of the Krylov space")


def _draw_hardest(generator: torch.Generator) -> tuple[instances.Unrolled, str]:
    low, high, depth = _interval_and_depth(generator)
    eigenvalues, weights = hardest_measure(low, high, depth)
    instance = instances.Unrolled(
        eigenvalues, weights, chebyshev_steps(low, high, depth), low, high
    )
    method = METHODS[integer(generator, 0, len(METHODS) - 1)]
    if method == "random steps":
        instance = instance.with_steps(instances.random_steps(generator, instance))
    return instance, method


def _method_run(pair: tuple[instances.Unrolled, str]) -> dict[sp.Symbol, Tensor]:
    instance, method = pair
    if method in ("random steps", "Chebyshev"):
        return instances.measure_run(instance)
    target = instance.weights.sqrt()[None, :]
    if method == "heavy ball":
        A = torch.diag(instance.eigenvalues.sqrt())
        iterates = heavy_ball(
            DenseOperator(A),
            target @ A,
            low=instance.low,
            high=instance.high,
            depth=instance.depth,
        )
        end = iterates[-1]
    else:
        least = _least_in_krylov_space(instance.eigenvalues, instance.weights, instance.depth)
        end = target + least
    return {first: torch.zeros_like(target), last: end, signal: target}


def _one_gradient_more(generator: torch.Generator) -> tuple[instances.Unrolled, str]:
    # K + 1 eigenvalues are annihilated by K + 1 steps.
    instance, _ = _draw_hardest(generator)
    return replace(instance, steps=1 / instance.eigenvalues, extra=1), "random steps"


def _one_gradient_solves(generator: torch.Generator) -> tuple[instances.Unrolled, str]:
    instance, _ = _draw_hardest(generator)
    return instances.solved_by_noise(instance), "random steps"


def _lagrange_at_zero(instance: instances.Unrolled) -> Tensor:
    """ℓ_j(0) for the Lagrange basis of the extremal points, (K + 1,), by barycentric weights."""
    signs = (-1.0) ** torch.arange(instance.depth + 1, dtype=torch.float64)
    signs[[0, -1]] /= 2  # the weights of cos(jπ/K), but for a common factor
    terms = signs / instance.eigenvalues
    return terms / terms.sum()


def _chebyshev_value(instance: instances.Unrolled) -> float:
    """T_K(σ)."""
    return math.cosh(instance.depth * math.acosh(evaluate(_centre, {kappa: instance.kappa})))


_nu1, _nu2, _nu3 = sp.symbols("nu_1 nu_2 nu_3", positive=True)
_q1, _q2, _q3 = sp.symbols("q_1 q_2 q_3", real=True)
_M = sp.Symbol("M", positive=True)
_ell = sp.Symbol(r"{\ell_{j}(0)}", real=True)
_T = sp.Symbol(r"{T_{K}(\sigma)}", positive=True)


def _of_network(definition: Definition) -> Definition:
    # An instance is a network and a method to run beside it.
    return replace(definition, values=lambda pair: definition.values(pair[0]))


_noiseless, _wider = _of_network(NOISELESS), _of_network(WIDER)

HARDEST = Theorem(
    name="convergence.hardest",
    title="The hardest instance",
    statement=r"""
        Let the eigenvalues of $H$ be the extremal points of the Chebyshev polynomial of $[m,M]$,

        $$
        \lambda_j=<<point>>
        $$

        for $j=0,\dots,K$, and let the initial error have squared component $\nu_j=<<weight>>$ in
        the eigenvector of $\lambda_j$, with $\ell_j$ the Lagrange basis of these points, $T_K$ the
        Chebyshev polynomial and $\sigma=<<centre>>$. Then every method that evaluates $K$ gradients
        and combines them linearly, with whatever coefficients, so that it moves from $x_0$ to $x_K$
        within the $K$-dimensional Krylov space of $H$ and the first gradient, satisfies

        $$
        <<quantity>> <<relation>> <<bound>>,\qquad r=<<r>>.
        $$
        """,
    assumptions=(
        Assumption(
            "the method evaluates no more than $K$ gradients",
            _one_gradient_more,
            lambda pair: pair[0].extra == 0,
        ),
        Assumption(
            "there is no noise: $<<noiseless>>$",
            _one_gradient_solves,
            _noiseless.agrees,
        ),
        Assumption("$<<wider>>$", holds=_wider.agrees),
    ),
    quantity=relative_error,
    relation=AT_LEAST,
    bound=chebyshev_in_r,
    where={r: accelerated_rate},
    formulas={"centre": _centre},
    definitions={
        "point": Definition(
            sp.Mul(sp.Rational(1, 2), _M + _m + (_M - _m) * sp.cos(sp.pi * _j / K), evaluate=False),
            lambda pair: {
                _m: pair[0].low,
                _M: pair[0].high,
                K: pair[0].depth,
                _j: torch.arange(pair[0].depth + 1),
            },
            lambda pair: pair[0].eigenvalues,
        ),
        "weight": Definition(
            sp.Abs(_ell) / _T,
            lambda pair: {_ell: _lagrange_at_zero(pair[0]), _T: _chebyshev_value(pair[0])},
            lambda pair: pair[0].weights,
        ),
        "noiseless": _noiseless,
        "wider": _wider,
    },
    draw=_draw_hardest,
    attained=lambda generator: (_draw_hardest(generator)[0], "best of the Krylov space"),
    nearby=lambda pair, generator: (instances.nearby_steps(pair[0], generator), pair[1]),
    measure=_method_run,
    values=lambda pair: _values(pair[0]),
    slack=1e-6,
    source=(
        "Nemirovski for the kind of bound; an instance of a known equality for normal matrices, "
        "see Liesen and Tichý (2014). This form is proved in the chapter."
    ),
    derivation=Derivation(
        (
            Step.equal(
                "The mean square exceeds the squared mean by a sum of squares, for weights that "
                "sum to one,",
                (_nu1 * _q1**2 + _nu2 * _q2**2 + _nu3 * _q3**2) * (_nu1 + _nu2 + _nu3)
                - (_nu1 * _q1 + _nu2 * _q2 + _nu3 * _q3) ** 2,
                _nu1 * _nu2 * (_q1 - _q2) ** 2
                + _nu1 * _nu3 * (_q1 - _q3) ** 2
                + _nu2 * _nu3 * (_q2 - _q3) ** 2,
                scope="three atoms",
            ),
            Step.at_most(
                r"so that $\sum\nu_jq_j^2\ge\bigl(\sum\nu_j|q_j|\bigr)^2$.",
                (_nu1 * sp.Abs(_q1) + _nu2 * sp.Abs(_q2)) ** 2,
                (_nu1 * _q1**2 + _nu2 * _q2**2) * (_nu1 + _nu2),
                gap=_nu1 * _nu2 * (sp.Abs(_q1) - sp.Abs(_q2)) ** 2,
                scope="two atoms",
            ),
        )
    ),
)
