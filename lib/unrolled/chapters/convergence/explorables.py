"""The charts of the convergence chapter that move without a kernel."""

from __future__ import annotations

import itertools
import math
from functools import cache

import sympy as sp
import torch
from torch import Tensor

from unrolled.chapters.convergence.problems import EIGENVALUES, spectrum
from unrolled.guarantees import evaluate
from unrolled.guarantees.convergence import closed_form_net
from unrolled.guarantees.convergence import symbols as ex
from unrolled.guarantees.convergence.instances import polynomial
from unrolled.iterations import amp, gauss_steps, lanczos_steps
from unrolled.sensing import gaussian
from unrolled.teaching import (
    POINTER,
    Bars,
    Curves,
    Explorable,
    Handle,
    Panel,
    Points,
    Sequence,
    Slider,
)

FIRST, SECOND = sp.symbols("theta_1 theta_2", positive=True)  # the roots 1/η of two layers
PAIR = (1, 9)  # the eigenvalues in the drawing of two layers
ROOTS = tuple(i / 4 for i in range(2, 45))


def roots() -> Explorable:
    """Two layers on two eigenvalues: the roots can be moved, and the error follows."""
    layers = (1 - ex.lam / FIRST, 1 - ex.lam / SECOND)
    both = layers[0] * layers[1]
    place = sp.Symbol("i", integer=True, nonnegative=True)
    eigenvalue = PAIR[0] + (PAIR[1] - PAIR[0]) * place

    def left(factor: sp.Expr) -> dict[str, sp.Expr]:
        return {f"at eigenvalue {at}": sp.Abs(factor.subs(ex.lam, at)) for at in PAIR}

    return Explorable(
        name="convergence.roots",
        title="Two layers, two eigenvalues: drag the roots",
        alt=(
            "Two straight lines that begin at 1 and cross zero at the roots of the two layers, and "
            "their product, a parabola, with its values at the eigenvalues 1 and 9 marked. Below, "
            "for each eigenvalue, bars of the size of the error before the layers, after the "
            "first, and after both. A root on an eigenvalue makes the last bar there vanish."
        ),
        caption=(
            r"Each layer multiplies the error at the eigenvalue $\lambda$ by $1-\eta\lambda$: a "
            r"straight line from $1$ at $\lambda=0$ through its root $1/\eta$. Together they "
            "multiply it by the product of the two. The bars are the error itself, which is one "
            "at both eigenvalues before the first layer; beyond two, its number says how large."
        ),
        sliders=tuple(
            Slider(symbol=root, label=f"root of layer {number}", values=ROOTS, start=start)
            for number, root, start in ((1, FIRST, 4.0), (2, SECOND, 6.0))
        ),
        readings={"η₁": 1 / FIRST, "η₂": 1 / SECOND},
        panels=(
            Panel(
                layers=(
                    Curves(
                        x=ex.lam,
                        domain=(0, 11),
                        points=89,
                        series={"layer 1": layers[0], "layer 2": layers[1], "both layers": both},
                    ),
                    Sequence(
                        index=place,
                        range=(0, 1),
                        x=eigenvalue,
                        series={"at the eigenvalues": both.subs(ex.lam, eigenvalue)},
                        mark="stem",
                    ),
                    *(Handle(x=root, y=0, sets={root: POINTER[0]}) for root in (FIRST, SECOND)),
                ),
                x_label="eigenvalue λ of AᵀA",
                y_label="factor on the error",
                y_domain=(-2, sp.Rational(6, 5)),
                height=220,
            ),
            Panel(
                layers=(
                    Bars(
                        series={
                            "before": left(sp.Integer(1)),
                            "after layer 1": left(layers[0]),
                            "after layer 2": left(both),
                        }
                    ),
                ),
                x_label="size of the error",
                y_domain=(0, 2),
            ),
        ),
    )


DEEPEST = 8
KAPPAS = (2, 5, 10, 20, 50, 100)
DEPTHS = tuple(range(1, DEEPEST + 1))
TILTS = (-6, -3, 0, 3, 6)
SIGNALS = 20  # in the training set of the trained steps
SAMPLES = 240  # of a curve; a multiple of 2K for all K but 7, so that roots are hit

tilt = sp.Symbol("tilt", real=True)
_gauss = sp.symbols(f"gauss_1:{DEEPEST + 1}", real=True)
_trained = sp.symbols(f"trained_1:{DEEPEST + 1}", real=True)
_i = sp.Symbol("i", integer=True, nonnegative=True)
# Where a curve is computed: closest together at the ends of the spectrum, where roots are.
_sampled = (ex.kappa + 1 - (ex.kappa - 1) * sp.cos(sp.pi * _i / SAMPLES)) / 2


def _padded(steps: Tensor) -> Tensor:
    # A step of 0 is a layer that does nothing: every depth fits one expression.
    return torch.cat((steps, torch.zeros(DEEPEST - len(steps), dtype=torch.float64)))


@cache
def _polynomial_rows() -> dict[str, list[float]]:
    """For every setting: the Gauss and the trained steps, and the worst case of each."""
    rows: dict[str, list[float]] = {}

    def add(**columns: float) -> None:
        for name, value in columns.items():
            rows.setdefault(name, []).append(float(value))

    generator = torch.Generator().manual_seed(1)
    signs = torch.randn(EIGENVALUES, SIGNALS, generator=generator, dtype=torch.float64)
    for kappa, depth, slope in itertools.product(KAPPAS, DEPTHS, TILTS):
        eigenvalues, weights = spectrum(kappa, slope)
        H, X = torch.diag(eigenvalues), weights.sqrt()[:, None] * signs
        steps = {
            "gauss": gauss_steps(eigenvalues, weights, depth),
            "trained": lanczos_steps(H, X, depth),
        }
        columns = {"kappa": kappa, "K": depth, "tilt": slope}
        grid = torch.linspace(1, kappa, 400, dtype=torch.float64)
        for rule, etas in steps.items():
            columns[f"{rule}_worst"] = polynomial(grid, etas).abs().max()
            for j, eta in enumerate(_padded(etas), 1):
                columns[f"{rule}_{j}"] = eta
        add(**columns)
    return rows


def _polynomial(steps: tuple[sp.Symbol, ...]) -> sp.Expr:
    return sp.Abs(sp.prod(1 - eta * ex.lam for eta in steps))


def _rate(step: sp.Expr) -> sp.Expr:
    return sp.Max(sp.Abs(1 - step), sp.Abs(1 - ex.kappa * step))


def _chebyshev_product() -> sp.Expr:
    factors = (
        sp.Piecewise((_rate(1 / ex.chebyshev_root.subs(ex.k, k)), k <= ex.K), (1, True))
        for k in DEPTHS
    )
    return sp.prod(factors)


TIED, CHEBYSHEV, GAUSS, TRAINED = "best constant step", "Chebyshev", "Gauss nodes", "trained"


@cache
def polynomials() -> Explorable:
    """|p(λ)| of four rules, the histogram of the error, and the product of rates with the truth."""
    return Explorable(
        name="convergence.polynomials",
        title="What the layers together do to each eigenvalue",
        alt=(
            "Curves of the error factor |p(λ)| over the eigenvalues from 1 to κ. The best "
            "constant step leaves most at both ends of the spectrum; Chebyshev steps push "
            "all of it below one level; Gauss-node and trained steps are close to each other and "
            "smallest where the error sits. Bars below show that, with two layers or more and but "
            "for the constant step, the product of the layers' rates is far larger than what the "
            "layers achieve together."
        ),
        caption=(
            r"Above: $|p(\lambda)|$, the factor by which $K$ layers multiply the error at "
            r"eigenvalue $\lambda$; a root is a dip to the bottom. Middle: how much of the error "
            "sits at each eigenvalue; tilt it. Below: the product of the layers' rates and the "
            "truth, the worst case over all eigenvalues. The trained steps minimise the training "
            f"loss on {SIGNALS} random signals exactly."
        ),
        sliders=(
            Slider(symbol=ex.kappa, label="condition number κ", values=KAPPAS, start=20),
            Slider(symbol=ex.K, label="layers K", values=DEPTHS, start=4),
            Slider(
                symbol=tilt,
                label="tilt of the histogram towards large λ",
                values=TILTS,
                start=0,
            ),
        ),
        rows=_polynomial_rows(),
        digits=4,
        panels=(
            Panel(
                layers=(
                    Sequence(
                        index=_i,
                        range=(0, SAMPLES),
                        x=_sampled,
                        series={
                            label: factor.subs(ex.lam, _sampled)
                            for label, factor in {
                                TIED: sp.Abs(ex.tied_polynomial),
                                CHEBYSHEV: sp.Abs(ex.chebyshev_polynomial),
                                GAUSS: _polynomial(_gauss),
                                TRAINED: _polynomial(_trained),
                            }.items()
                        },
                    ),
                ),
                x_label="eigenvalue λ of AᵀA",
                y_label="error factor |p(λ)|",
                y_scale="log",
                y_domain=(
                    ex.chebyshev_factor / 20,
                    sp.Max(1, sp.Symbol("gauss_worst"), sp.Symbol("trained_worst")),
                ),
                height=240,
            ),
            Panel(
                layers=(
                    Sequence(
                        index=_i,
                        range=(0, EIGENVALUES - 1),
                        x=1 + (ex.kappa - 1) * _i / (EIGENVALUES - 1),
                        series={
                            "share of the error": sp.exp(tilt * _i / (EIGENVALUES - 1))
                            / sum(
                                sp.exp(tilt * sp.Rational(j, EIGENVALUES - 1))
                                for j in range(EIGENVALUES)
                            )
                        },
                        mark="stem",
                    ),
                ),
                x_label="eigenvalue λ of AᵀA",
                y_label="share of E‖e₀‖²",
                height=90,
            ),
            Panel(
                layers=(
                    Bars(
                        series={
                            "product of rates": {
                                TIED: ex.tied_factor,
                                CHEBYSHEV: _chebyshev_product(),
                                GAUSS: sp.prod(map(_rate, _gauss)),
                                TRAINED: sp.prod(map(_rate, _trained)),
                            },
                            "truth": {
                                TIED: ex.tied_factor,
                                CHEBYSHEV: ex.chebyshev_factor,
                                GAUSS: sp.Symbol("gauss_worst"),
                                TRAINED: sp.Symbol("trained_worst"),
                            },
                        }
                    ),
                ),
                x_label="factor on the error after K layers",
                y_scale="log",
                y_domain=(sp.Rational(1, 10**6), 10**6),
            ),
        ),
    )


RATIOS = (0.25, 0.5, 0.9, 1.5)
NOISES = (0, 0.01, 0.1, 1)
UNKNOWNS = 500
RECORDED = 40  # signals over which the measured errors are averaged


@cache
def _measured_rows() -> tuple[dict[str, list], dict[str, list]]:
    """Errors of AMP's iterates and of networks, measured on random matrices.

    The first table has a row for each iterate of AMP and for the output of a network of that depth;
    the second one for each layer inside each network.
    """
    ends: dict[str, list] = {"c": [], "sigma^2": [], "k": [], "error": [], "method": []}
    layers: dict[str, list] = {**{name: [] for name in ends}, "K": []}

    def add(table: dict[str, list], **row: float | str) -> None:
        for name, value in row.items():
            table[name].append(value)

    generator = torch.Generator().manual_seed(2)
    for ratio, variance in itertools.product(RATIOS, NOISES):
        m = round(UNKNOWNS / ratio)
        operator = gaussian(m, UNKNOWNS, generator=generator, dtype=torch.float64)
        x = torch.randn(RECORDED, UNKNOWNS, generator=generator, dtype=torch.float64)
        w = torch.randn(RECORDED, m, generator=generator, dtype=torch.float64)
        y = operator.forward(x) + variance**0.5 * w
        setting = {"c": ratio, "sigma^2": variance}
        iterates = amp(operator, y, noise=variance, depth=DEEPEST, predicted=True)
        for k, error in enumerate((iterates - x).square().mean((1, 2)).tolist()):
            add(ends, **setting, k=k, error=error, method="AMP, its iterates")
        for depth in DEPTHS:
            trajectory = closed_form_net(operator.dense(), variance, depth).trajectory(y)
            errors = (trajectory - x).square().mean((1, 2)).tolist()
            add(
                ends, **setting, k=depth, error=errors[-1], method="network of k layers, its output"
            )
            for k, error in enumerate(errors):
                add(
                    layers,
                    **setting,
                    K=depth,
                    k=k,
                    error=error,
                    method="K-layer network, inside",
                )
    return ends, layers


def _farthest(ends: dict[str, list]) -> float:
    """The largest factor between a measured error and the closed form, rounded up."""
    settings = zip(ends["c"], ends["sigma^2"], ends["k"], ends["error"], strict=True)
    off = 0.0
    for ratio, variance, k, error in settings:
        if k > 0:
            form = evaluate(ex.gaussian_error, {ex.c: ratio, ex.noise: variance, ex.K: k})
            off = max(off, abs(math.log(error / form)))
    return math.ceil(100 * math.exp(off)) / 100


@cache
def closed_form() -> Explorable:
    """The closed form v_k with the measured errors of networks and of AMP on top."""
    ends, layers = _measured_rows()
    position = sp.Symbol("k", integer=True, nonnegative=True)
    return Explorable(
        name="convergence.closed-form",
        title="The network and AMP, layer by layer",
        alt=(
            "Mean squared error against the number of layers on a logarithmic scale. The curve of "
            "the closed form falls, and the measured marks of the network's output and of AMP's "
            "iterates lie on each other and near the curve. The layers inside one network leave "
            "the curve after the start and rejoin it at the last layer."
        ),
        caption=(
            "The line is the closed form $v_k$, the limit of large systems. Circles: AMP after $k$ "
            "iterations. Diamonds in them: the output of the best network with $k$ layers. Both "
            f"are measured on one random matrix with {UNKNOWNS} unknowns; at no setting are they "
            f"off the line by more than a factor of {_farthest(ends):.2f}. Squares look inside the "
            "network of $K$ layers: it is not AMP on the way, and it arrives at the same place."
        ),
        sliders=(
            Slider(symbol=ex.c, label="unknowns per measurement c = n/m", values=RATIOS, start=0.5),
            Slider(symbol=ex.noise, label="noise variance σ²", values=NOISES, start=0.01),
            Slider(symbol=ex.K, label="layers K", values=DEPTHS, start=6),
        ),
        panels=(
            Panel(
                layers=(
                    Sequence(
                        index=position,
                        range=(0, ex.K),
                        series={"closed form": ex.gaussian_error_summed.subs(ex.K, position)},
                    ),
                    Points(
                        rows=ends,
                        x="k",
                        y="error",
                        series="method",
                        where=sp.Le(sp.Symbol("k"), ex.K),
                        digits=4,
                    ),
                    Points(rows=layers, x="k", y="error", series="method", digits=4),
                ),
                x_label="layer or iteration k",
                y_label="mean squared error per coordinate",
                y_scale="log",
                y_domain=(sp.Rational(1, 10**6), 10**5),
                height=280,
            ),
        ),
    )
