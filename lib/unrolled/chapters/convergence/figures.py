"""The pictures of the convergence chapter."""

from __future__ import annotations

import math

import torch

from unrolled.guarantees import evaluate
from unrolled.guarantees.convergence import best_tied, closed_form_net
from unrolled.guarantees.convergence import symbols as ex
from unrolled.guarantees.convergence.instances import extremal_points, polynomial
from unrolled.iterations import (
    chebyshev_steps,
    gauss_steps,
    heavy_ball,
    semicircle_steps,
    tied_step,
)
from unrolled.networks import GradientNet
from unrolled.sensing import gaussian, with_spectrum
from unrolled.teaching import figure
from unrolled.teaching.figures import BORDER, MARKERS, Figure

KAPPA, N = 100.0, 200
DEPTHS = range(1, 25, 2)


def ripples(low: float = 1.0, high: float = 9.0) -> Figure:
    """p(λ) of two layers: equal roots, roots at the ends of the interval, and Chebyshev's."""
    rules = {
        "best constant step": torch.full((2,), tied_step(low, high), dtype=torch.float64),
        "a root at each end": torch.tensor([1 / low, 1 / high], dtype=torch.float64),
        "Chebyshev": chebyshev_steps(low, high, 2),
    }
    grid = torch.linspace(low, high, 81, dtype=torch.float64)
    curves = {name: polynomial(grid, steps).tolist() for name, steps in rules.items()}
    worst = {name: max(map(abs, values)) for name, values in curves.items()}
    points = extremal_points(low, high, 2)
    heights = polynomial(points, rules["Chebyshev"])
    first, second = sorted((1 / rules["Chebyshev"]).tolist())
    alt = (
        f"Three parabolas over the eigenvalues from {low:g} to {high:g}. With the best constant "
        f"step twice the largest value is {worst['best constant step']:.3g}, at both ends; with a "
        f"root at each end it is {worst['a root at each end']:.3g}, in the middle, with a minus "
        f"sign. With Chebyshev's roots at {first:.3g} and {second:.3g} it is "
        f"{worst['Chebyshev']:.3g}, reached with alternating signs at three points, both ends and "
        "the middle."
    )
    with figure(
        alt=alt,
        caption=(
            "Two layers on all eigenvalues between the ends. Chebyshev's curve touches the dotted "
            "levels at three points, the circles, with alternating signs: its *extremal points*."
        ),
        height=3.6,
    ) as picture:
        axes = picture.subplots()
        for name, values in curves.items():
            axes.plot(grid, values, label=name)
        for level in (worst["Chebyshev"], -worst["Chebyshev"]):
            axes.axhline(level, color="C2", linewidth=1, linestyle=(0, (1, 1)))
        axes.plot(points, heights, "C2", linestyle="none", marker="o", label="extremal points")
        axes.set(xlabel="eigenvalue λ", ylabel="p(λ) of both layers")
        picture.matplotlib.legend(loc="outside upper center", ncols=2)
    return picture


def worst_over_signals(kappa: float = KAPPA, *, generator: torch.Generator) -> dict[str, list]:
    """Largest ‖x_K − x*‖/‖x*‖ over all signals, for each depth K: one matrix, four methods.

    The worst signal is an eigenvector, so running the network on all of them finds it.
    """
    spectrum = torch.linspace(1.0, kappa, N, dtype=torch.float64)
    operator = with_spectrum(spectrum, generator=generator, dtype=torch.float64)
    signals = torch.linalg.svd(operator.dense())[2]
    y = operator.forward(signals)
    curves: dict[str, list] = {"best constant step": [], "Chebyshev": [], "Gauss nodes": []}
    for depth in DEPTHS:
        for name, rule in zip(curves, ("fixed", "chebyshev", "gauss"), strict=True):
            net = GradientNet(operator, depth, steps=rule, learned=False)
            curves[name].append(float((net(y) - signals).norm(dim=1).max()))
    momentum = heavy_ball(operator, y, low=1.0, high=kappa, depth=DEPTHS[-1])
    curves["heavy ball"] = (momentum - signals).norm(dim=2).amax(1)[list(DEPTHS)].tolist()
    return curves


def rates() -> Figure:
    """Measured worst errors against depth, with the two bounds as lines."""
    curves = worst_over_signals(generator=torch.Generator().manual_seed(0))
    last = {name: values[-1] for name, values in curves.items()}
    alt = (
        f"Worst error against the number of layers at condition number {KAPPA:g}, on a logarithmic "
        f"scale. After {DEPTHS[-1]} layers the best constant step is at "
        f"{last['best constant step']:.2g} and Chebyshev steps at {last['Chebyshev']:.2g}, both on "
        f"their bounds; heavy ball is at {last['heavy ball']:.2g}, Gauss-node steps at "
        f"{last['Gauss nodes']:.2g}."
    )
    with figure(
        alt=alt,
        caption="Dots: the worst signal, run through the network. Lines: the bounds.",
        height=3.4,
    ) as picture:
        axes = picture.subplots()
        for place, (name, values) in enumerate(curves.items()):
            axes.semilogy(
                DEPTHS, values, f"C{place}", linestyle="none", marker=MARKERS[place], label=name
            )
        for place, bound in enumerate((ex.tied_factor, ex.chebyshev_factor)):
            values = [evaluate(bound, {ex.kappa: KAPPA, ex.K: depth}) for depth in DEPTHS]
            axes.semilogy(DEPTHS, values, f"C{place}", linestyle="-", linewidth=1)
        axes.set(xlabel="layers K", ylabel="worst error, relative")
        axes.minorticks_off()  # many bytes, and nobody reads them
        axes.legend(loc="lower left")
    return picture


def landscape() -> Figure:
    """J over the steps of a two-layer network: two minima, and a saddle on the diagonal."""
    eigenvalues = torch.linspace(1.0, 6.0, 30, dtype=torch.float64)
    weights = torch.full_like(eigenvalues, 1 / len(eigenvalues))
    best = gauss_steps(eigenvalues, weights, 2)
    h, tied = best_tied(eigenvalues, weights, 2)
    axis = torch.linspace(0.05, 0.85, 45, dtype=torch.float64)
    first, second = torch.meshgrid(axis, axis, indexing="xy")
    factors = (1 - first[..., None] * eigenvalues) * (1 - second[..., None] * eigenvalues)
    loss = (weights * factors**2).sum(-1)
    least = float((weights * polynomial(eigenvalues, best) ** 2).sum())
    alt = (
        f"Contour lines of the loss J over the two step sizes. Two minima with J = {least:.3g} "
        f"lie mirrored at the diagonal, at steps {float(best[0]):.3g} and {float(best[1]):.3g}. "
        f"Between them, on the diagonal, is a saddle at {h:.3g} with J = {tied:.3g}, where "
        "training from equal steps ends."
    )
    with figure(
        alt=alt,
        caption=(
            "The loss of two layers. The dashed diagonal is where equal starts live: along it the "
            "square is the minimum, across it a maximum. The circles are the reciprocal Gauss "
            "nodes."
        ),
        height=4.8,
    ) as picture:
        axes = picture.subplots()
        levels = [least * 10 ** (0.02 + 0.33 * i) for i in range(7)]
        axes.contour(axis, axis, loss, levels=levels, colors="C0", linewidths=0.8)
        axes.plot([0.05, 0.85], [0.05, 0.85], "C1", linestyle=(0, (5, 2)), linewidth=1)
        axes.plot(best, best.flip(0), "C2", linestyle="none", marker="o", label="best steps")
        axes.plot(
            [h], [h], "C1", linestyle="none", marker="s", label="best constant step, a saddle"
        )
        axes.set(xlabel="step of layer 1", ylabel="step of layer 2", aspect="equal")
        picture.matplotlib.legend(loc="outside upper center")
    return picture


def semicircle(ratio: float = 0.5, unknowns: int = 400, depth: int = 6) -> Figure:
    """The eigenvalues of one random matrix, weighed by their size, and the roots of the network."""
    generator = torch.Generator().manual_seed(3)
    m = round(unknowns / ratio)
    spectrum = gaussian(m, unknowns, generator=generator, dtype=torch.float64).eigenvalues
    centre, radius = 1 + ratio, 2 * math.sqrt(ratio)

    def density(at: torch.Tensor) -> torch.Tensor:
        return (radius**2 - (at - centre) ** 2).clamp(min=0).sqrt() / (2 * math.pi * ratio)

    angles = torch.linspace(0, math.pi, 101, dtype=torch.float64)
    circle = centre + radius * angles.cos()
    roots = 1 / semicircle_steps(ratio, 0.0, depth)
    alt = (
        f"Histogram of the eigenvalues of one random matrix with {unknowns} unknowns and {m} "
        "measurements, each counted as often as it is large. It fills a half circle from "
        f"{centre - radius:.3g} to {centre + radius:.3g}. {depth} points divide the half circle "
        "into arcs of equal angle; the roots of the network lie below them, from "
        f"{float(roots.min()):.3g} to {float(roots.max()):.3g}."
    )
    with figure(
        alt=alt,
        caption=(
            rf"$c={ratio:g}$, no noise. Grey: one random matrix with $n={unknowns}$. Line: its "
            rf"limit, a half circle. The {depth} roots $1/\eta_k$ of the best network lie below "
            "points at equal angles."
        ),
        height=3.2,
    ) as picture:
        axes = picture.subplots()
        weights = (spectrum / unknowns).numpy()
        axes.hist(spectrum.numpy(), bins=30, weights=weights, density=True, color=BORDER, alpha=0.5)
        axes.plot(circle, density(circle), "C0", linestyle="-", label="half circle, the limit")
        axes.vlines(roots, 0, density(roots), "C1", linewidth=1, linestyle=[(0, (1, 1))])
        axes.plot(roots, density(roots), "C1", linestyle="none", marker="o")
        axes.plot(
            roots,
            0 * roots,
            "C1",
            linestyle="none",
            marker="^",
            clip_on=False,
            label="roots 1/ηₖ",
        )
        axes.set(xlabel="eigenvalue λ", ylabel="λ × density", ylim=(0, None))
        picture.matplotlib.legend(loc="outside upper center", ncols=2)
    return picture


def finite_matrices(
    ratio: float, variance: float, depth: int, *, generator: torch.Generator
) -> dict[int, float]:
    """Measured error of one random matrix over the closed form v_K, by the number of unknowns."""
    limit = evaluate(ex.gaussian_error, {ex.c: ratio, ex.noise: variance, ex.K: depth})
    result = {}
    for n in (10, 30, 100, 300, 1000):
        m = round(n / ratio)
        operator = gaussian(m, n, generator=generator, dtype=torch.float64)
        x = torch.randn(200, n, generator=generator, dtype=torch.float64)
        w = math.sqrt(variance) * torch.randn(200, m, generator=generator, dtype=torch.float64)
        output = closed_form_net(operator.dense(), variance, depth)(operator.forward(x) + w)
        result[n] = float((output - x).square().mean()) / limit
    return result
