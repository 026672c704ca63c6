"""The claim that layer-wise rates multiply to something faster, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
import torch

from unrolled.checks import check_dense, check_number, check_positive, check_size
from unrolled.guarantees import (
    AT_LEAST,
    Assumption,
    Definition,
    Derivation,
    Refutation,
    Step,
    Theorem,
)
from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.definitions import CONDITION
from unrolled.guarantees.convergence.symbols import K, kappa, lam, tied_factor, tied_rate
from unrolled.guarantees.draw import integer
from unrolled.guarantees.notation import Norm, over
from unrolled.iterations import chebyshev_steps, leja_order, tied_step
from unrolled.networks import GradientNet
from unrolled.sensing import with_spectrum

SOURCE_CLAIM = "Common in tutorials on unrolled networks; see the notes of the chapter."


def rate(step: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Worst-case factor of one gradient layer, ρ(η) = max over [low, high] of |1 − ηλ|.

    ValueError unless `step` is a finite tensor, of any shape, and low and high are finite.
    """
    check_dense("step", step)
    if not torch.isfinite(step).all():
        raise ValueError("step holds NaN or infinite entries; all must be finite")
    low, high = check_number("low", low), check_number("high", high)
    return torch.maximum((1 - step * low).abs(), (1 - step * high).abs())


def _span(instance: instances.Unrolled) -> tuple[float, float]:
    return float(instance.eigenvalues.min()), float(instance.eigenvalues.max())


def _worst_eigenvalue(instance: instances.Unrolled) -> torch.Tensor:
    """For each layer the λ on a grid of [m, M] at which its factor is largest, (K,)."""
    grid = torch.linspace(instance.low, instance.high, 101, dtype=torch.float64)
    return grid[(1 - instance.steps[:, None] * grid).abs().argmax(1)]


def _constant_step(generator: torch.Generator) -> instances.Unrolled:
    low, high = instances.interval(generator)
    depth = integer(generator, 1, 12)
    return instances.Unrolled(
        torch.tensor([low, high], dtype=torch.float64),
        torch.full((2,), 0.5, dtype=torch.float64),
        torch.full((depth,), tied_step(low, high), dtype=torch.float64),
        low,
        high,
    )


def _draw_steps(generator: torch.Generator) -> instances.Unrolled:
    instance = _constant_step(generator)
    if integer(generator, 0, 9) == 0:
        return instance
    return instance.with_steps(instances.random_steps(generator, instance))


def _narrower(generator: torch.Generator) -> instances.Unrolled:
    instance = _draw_steps(generator)
    middle = (instance.low + instance.high) / 2
    return replace(
        instance,
        eigenvalues=torch.tensor([instance.low, middle], dtype=torch.float64),
        steps=torch.full_like(instance.steps, tied_step(instance.low, middle)),
    )


_step = sp.Symbol("eta_k", real=True)
_rate = sp.Symbol(r"{\rho(\eta_k)}")
_low, _high = sp.symbols("m M", positive=True)
_best = 2 / (_low + _high)

PRODUCT = Theorem(
    name="convergence.product",
    title="Multiplying worst cases never helps",
    statement=r"""
        Let every layer have its own step $\eta_k$, and let its rate $\rho(\eta_k)$ be the largest
        value of $<<factor>>$ for $\lambda$ in $[m,M]$. Whatever the steps are,

        $$
        <<quantity>> <<relation>> <<bound>>,
        $$

        the $K$-th power of the best constant step's rate. If $m$ and $M$ differ, there is equality
        only if all steps are $<<best>>$.
        """,
    assumptions=(
        Assumption(
            "each rate is the worst case over the whole interval $[m,M]$, where $<<condition>>$",
            _narrower,
            lambda instance: _span(instance) == (instance.low, instance.high),
        ),
    ),
    quantity=over(r"\prod_{k=1}^{K}", "product", _rate),
    relation=AT_LEAST,
    bound=tied_factor,
    definitions={
        "factor": Definition(
            sp.Abs(1 - _step * lam, evaluate=False),
            lambda i: {_step: i.steps, lam: _worst_eigenvalue(i)},
            lambda i: rate(i.steps, i.low, i.high),
        ),
        "best": Definition(
            _best, lambda i: {_low: i.low, _high: i.high}, lambda i: tied_step(i.low, i.high)
        ),
        "condition": CONDITION,
    },
    draw=_draw_steps,
    attained=_constant_step,
    nearby=instances.nearby_steps,
    measure=lambda instance: {_rate: rate(instance.steps, *_span(instance))},
    values=lambda i: {kappa: i.kappa, K: i.depth},
    source="Elementary.",
    derivation=Derivation(
        (
            Step.equal(
                r"A convex combination of $1-\eta m$ and $\eta M-1$, with weights $M/(m+M)$ and "
                "$m/(m+M)$, does not depend on the step; the larger of the two, "
                r"hence $\rho(\eta)$, is at least that.",
                (_high * (1 - _step * _low) + _low * (_step * _high - 1)) / (_low + _high),
                (_high - _low) / (_low + _high),
            ),
            Step.equal(
                r"That number is the rate in terms of $\kappa = M/m$.",
                (kappa * _low - _low) / (kappa * _low + _low),
                tied_rate,
            ),
            Step.equal(
                r"The step $2/(m+M)$ attains it at $\lambda=m$,",
                1 - _best * _low,
                (_high - _low) / (_low + _high),
            ),
            Step.equal(
                r"and, with the other sign, at $\lambda=M$.",
                1 - _best * _high,
                -(_high - _low) / (_low + _high),
            ),
            Step.less(
                "A smaller step has a larger factor at $m$,",
                1 - _best * _low,
                1 - _step * _low,
                gap=_low * (_best - _step),
                domain=(_step < _best,),
            ),
            Step.less(
                "a larger one at $M$.",
                _best * _high - 1,
                _step * _high - 1,
                gap=_high * (_step - _best),
                domain=(_step > _best,),
            ),
        )
    ),
)


def two_layers() -> instances.Unrolled:
    """H = diag(1, 9) and the steps 1, 1/9: each factor is bad, and the map is zero."""
    return instances.Unrolled(
        torch.tensor([1.0, 9.0], dtype=torch.float64),
        torch.tensor([0.5, 0.5], dtype=torch.float64),
        torch.tensor([1.0, 1 / 9], dtype=torch.float64),
        1.0,
        9.0,
    )


_first_error, _last_error = sp.symbols("e_0 e_K")


def _from_each_eigenvector(instance: instances.Unrolled) -> dict[sp.Symbol, torch.Tensor]:
    # One of them has the largest ratio, since the network multiplies each by a number.
    A = torch.diag(instance.eigenvalues.sqrt())
    errors = torch.eye(len(A), dtype=A.dtype)
    net = GradientNet(A, steps=instance.steps, learned=False)
    return {_first_error: errors, _last_error: errors + net(-errors @ A)}


PRODUCT_IS_TRUTH = Refutation(
    name="convergence.product-is-truth",
    title="the product of rates says how the layered network does",
    claim=(
        r"Each layer contracts by its rate at best $\rho^\star$, so $K$ layers cannot shrink "
        r"the worst error by more than $(\rho^\star)^K$; the product of the layers' own rates "
        "tells how good a choice of steps is."
    ),
    quantity=over(r"\max_{e_0}", "largest", Norm(_last_error) / Norm(_first_error)),
    relation=AT_LEAST,
    bound=tied_factor,
    instance=lambda _: two_layers(),
    measure=_from_each_eigenvector,
    values=lambda i: {kappa: i.kappa, K: i.depth},
    truth=(
        r"With $H=\mathrm{diag}(1,9)$ the steps $1$ and $1/9$ annihilate every error in two "
        r"layers, although both have rates worse than $\rho^\star$. The worst cases of "
        "different layers sit at different eigenvalues."
    ),
    source=SOURCE_CLAIM,
)


_large_first, _small_first = (
    sp.Symbol(rf"x_K^{{\text{{{size} first}}}}") for size in ("large", "small")
)


def _both_orders(instance: instances.Unrolled) -> dict[sp.Symbol, torch.Tensor]:
    decreasing = torch.sort(instance.steps, descending=True).values
    A = torch.diag(instance.eigenvalues.sqrt())
    signal = instance.weights.sqrt()[None, :]
    large, small = (
        GradientNet(A, steps=steps, learned=False)(signal @ A)
        for steps in (decreasing, decreasing.flip(0))
    )
    return {_large_first: large, _small_first: small, _last_error: large - signal}


EARLY_LATE = Refutation(
    name="convergence.early-late",
    title="large steps belong in early layers, small ones in late layers",
    claim=(
        "A trained network takes aggressive steps in its first layers and conservative ones in "
        "its last; the order is part of what makes it better."
    ),
    quantity=Norm(_large_first - _small_first) / Norm(_last_error),
    relation=AT_LEAST,
    bound=sp.Rational(1, 100),
    instance=instances.best_average,
    measure=_both_orders,
    values=lambda _: {},
    truth=(
        r"The factors $1-\eta_k H$ commute, so in exact arithmetic the order of the steps "
        "changes no output. It changes the iterates on the way, and the rounding."
    ),
    source=SOURCE_CLAIM,
)


def rounding_by_order(
    kappa: float, depth: int, *, generator: torch.Generator, n: int = 100
) -> dict[str, float]:
    """Error ‖x_K − x*‖/‖x*‖ that float64 reaches with Chebyshev steps, by the order of the steps.

    Keys: "largest first", "smallest first", "Leja". In exact arithmetic all three are equal and at
    most `chebyshev_factor`. The eigenvectors are random, since rounding harms by mixing them.

    Raises:
        ValueError: kappa < 1, depth < 1 or n < 1.
    """
    check_size("n", n)
    kappa = check_positive("kappa", kappa)
    if kappa < 1:
        raise ValueError(f"kappa is {kappa!r}; the ratio M/m ≥ 1 is needed")
    steps = chebyshev_steps(1.0, kappa, depth)
    orders = {
        "largest first": steps,
        "smallest first": steps.flip(0),
        "Leja": leja_order(steps),
    }
    spectrum = torch.linspace(1.0, kappa, n, dtype=torch.float64)
    operator = with_spectrum(spectrum, generator=generator, dtype=torch.float64)
    signal = torch.randn(1, n, generator=generator, dtype=torch.float64)
    error = {}
    for name, ordered in orders.items():
        net = GradientNet(operator, steps=ordered, learned=False)
        output = net(operator.forward(signal))
        error[name] = float((output - signal).norm() / signal.norm())
    return error
