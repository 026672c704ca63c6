"""Theorem 1.2: what training converges to. Gauss nodes, splitting, benign landscape, the trap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp
import torch
from torch import Tensor

from unrolled.guarantees.convergence import instances
from unrolled.guarantees.convergence.worst_case import conjugate_gradient_error
from unrolled.guarantees.derivation import Derivation, Step
from unrolled.guarantees.draw import integer, uniform
from unrolled.guarantees.theorem import Assumption, Refutation, Theorem
from unrolled.iterations import gauss_steps, lanczos_steps
from unrolled.networks import GradientNet
from unrolled.training import fit, mean_squared_error

# Symbols that theorem and derivation share. S = Σ q_j(0)² over polynomials orthonormal for ν;
# a = ∫λ²(1−hλ)²g² dν and b = ∫λ⁴g² dν describe a pair of equal steps.
S, a, b = sp.symbols("S a b", positive=True)
J_tied = sp.Symbol(r"J_{\text{tied}}", positive=True)
J_best = sp.Symbol(r"J_{\min}", positive=True)

_h, _s, _t, _lam, _g, _eta = sp.symbols("h s t lambda g eta", real=True)
_c1, _c2, _c3, _q1, _q2, _q3 = sp.symbols("c_0 c_1 c_2 q_0 q_1 q_2", real=True)
_n = sp.Symbol("K", integer=True, positive=True)

_eta1, _eta2 = sp.symbols("eta_1 eta_2", real=True)
_PAIR = (1 - _eta1 * _lam) * (1 - _eta2 * _lam)
_SPLIT = (1 - (_h + _s) * _lam) * (1 - (_h - _s) * _lam)


def christoffel_sum(eigenvalues: Tensor, weights: Tensor, depth: int) -> float:
    """S = Σ_{j=0}^{K} q_j(0)² over the orthonormal polynomials q_j of the measure, by Stieltjes.

    1/S is the smallest ∫p² dν over polynomials with p(0) = 1 and degree ≤ K.
    """
    previous, previous_at_zero = torch.zeros_like(eigenvalues), 0.0
    current = torch.ones_like(eigenvalues) / weights.sum().sqrt()
    current_at_zero = float(1 / weights.sum().sqrt())
    total, beta = current_at_zero**2, 0.0
    for _ in range(depth):
        alpha = float((weights * eigenvalues * current**2).sum())
        following = (eigenvalues - alpha) * current - beta * previous
        at_zero = -alpha * current_at_zero - beta * previous_at_zero
        beta = float((weights * following**2).sum().sqrt())
        previous, previous_at_zero = current, current_at_zero
        current, current_at_zero = following / beta, at_zero / beta
        total += current_at_zero**2
    return total


def _christoffel(instance: instances.Unrolled) -> dict[sp.Symbol, float]:
    return {S: christoffel_sum(instance.eigenvalues, instance.weights, instance.depth)}


def _perturbed(generator: torch.Generator) -> instances.Unrolled:
    instance = instances.best_average(generator)
    return instance.with_steps(instances.random_steps(generator, instance))


def _wrong_weights(generator: torch.Generator) -> instances.Unrolled:
    instance = instances.best_average(generator)
    while instance.depth < 2:
        instance = instances.best_average(generator)
    return replace(instance, weights=instance.weights.flip(0))


def _too_deep(generator: torch.Generator) -> instances.Unrolled:
    # One root for each eigenvalue and one more layer: p vanishes on the support, J = 0 < 1/S.
    instance = instances.best_average(generator)
    return instance.with_steps(1 / instance.eigenvalues)


_LAGRANGE = (
    (_c1 * _q2 - _c2 * _q1) ** 2 + (_c1 * _q3 - _c3 * _q1) ** 2 + (_c2 * _q3 - _c3 * _q2) ** 2
)

GAUSS = Theorem(
    name="convergence.gauss",
    title="The best steps on average are reciprocal Gauss nodes",
    statement=r"""
        Let $\nu=\sum_i\mathbb{E}\langle u_i,e_0\rangle^2\,\delta_{\lambda_i}$ weigh each
        eigenvalue by the error it carries, and let $q_0,q_1,\dots$ be the orthonormal
        polynomials of $\nu$. Take $\eta_k=1/\theta_k$ with $\theta_1,\dots,\theta_K$ the nodes
        of the $K$-point Gauss rule of the measure $\lambda\,d\nu(\lambda)$. Then

        $$
        {quantity} {relation} {bound},\qquad S=\sum_{j=0}^{K}q_j(0)^2,
        $$

        no steps do better, and the minimisers are the permutations of these.
        """,
    assumptions=(
        Assumption(r"the steps are fitted to the measure $\nu$ they are used on", _wrong_weights),
        Assumption(r"$\nu$ has more than $K$ points of support, at least $K$ of them positive"),
    ),
    quantity=r"\mathbb{E}\|x_K-x^\star\|^2=\int p^2\,d\nu",
    relation="=",
    bound=1 / S,
    draw=instances.best_average,
    measure=instances.Unrolled.squared_error,
    values=_christoffel,
    slack=1e-6,
    source="Gauss rules: Golub and Welsch (1969). Average-case view: Pedregosa and Scieur (2020).",
    derivation=Derivation(
        (
            Step.equal(
                r"Moving one step, with $p=(1-\eta\lambda)g$, changes $p$ by $-\lambda g$: the "
                r"gradient of $J$ is $-2\int p\,\lambda g_k\,d\nu$.",
                sp.Derivative((1 - _eta * _lam) * _g, _eta),
                -_lam * _g,
            ),
            Step.equal(
                r"Among $p=\sum c_jq_j$, Lagrange's identity compares $\sum c_j^2$ with "
                r"$p(0)^2=(\sum c_jq_j(0))^2$; three terms shown.",
                (_c1**2 + _c2**2 + _c3**2) * (_q1**2 + _q2**2 + _q3**2)
                - (_c1 * _q1 + _c2 * _q2 + _c3 * _q3) ** 2,
                _LAGRANGE,
            ),
            Step.at_most(
                r"Hence $\int p^2d\nu=\sum c_j^2\ge1/S$ when $p(0)=1$,",
                (_c1 * _q1 + _c2 * _q2 + _c3 * _q3) ** 2,
                (_c1**2 + _c2**2 + _c3**2) * (_q1**2 + _q2**2 + _q3**2),
                gap=_LAGRANGE,
            ),
            Step.equal(
                "with equality for $c_j=q_j(0)/S$; three terms, the last scaled to one.",
                sum((q / (_q1**2 + _q2**2 + 1)) ** 2 for q in (_q1, _q2, sp.Integer(1))),
                1 / (_q1**2 + _q2**2 + 1),
            ),
        )
    ),
)

GAUSS_OPTIMAL = Theorem(
    name="convergence.gauss-optimal",
    title="No other steps do better on average",
    statement=r"""
        With $S$ as before, every choice of $K$ steps has

        $$
        {quantity} {relation} {bound}.
        $$
        """,
    assumptions=(
        Assumption("the network has no more than $K$ layers", _too_deep),
        Assumption(r"$\nu$ has more than $K$ points of support"),
    ),
    quantity=r"\int p^2\,d\nu",
    relation=">=",
    bound=1 / S,
    draw=_perturbed,
    measure=instances.Unrolled.squared_error,
    values=lambda i: {
        S: christoffel_sum(i.eigenvalues, i.weights, min(i.depth, len(i.eigenvalues) - 1))
    },
    slack=1e-6,
    source="Christoffel's minimum property, classical.",
)


@dataclass(frozen=True)
class Pair:
    """A network whose first two steps are equal to h, and the others are given."""

    eigenvalues: Tensor
    weights: Tensor
    h: float
    others: Tensor
    offset: float = 0.0  # how far the second step is from h

    def error(self, shift: float | Tensor) -> Tensor:
        """J(h + shift, h − shift, others): the two steps moved apart."""
        first = 1 - (self.h + shift) * self.eigenvalues
        second = 1 - (self.h + self.offset - shift) * self.eigenvalues
        return (self.weights * (first * second * self._rest()) ** 2).sum()

    def integrals(self) -> tuple[float, float]:
        """a = ∫λ²(1−hλ)²g² dν and b = ∫λ⁴g² dν."""
        squares = self.weights * self._rest() ** 2
        common = 1 - self.h * self.eigenvalues
        first = (squares * self.eigenvalues**2 * common**2).sum()
        second = (squares * self.eigenvalues**4).sum()
        return float(first), float(second)

    def _rest(self) -> Tensor:
        return (1 - self.others[:, None] * self.eigenvalues).prod(0)


def _draw_pair(generator: torch.Generator) -> Pair:
    while True:
        instance = instances.best_average(generator)
        h = float(instance.steps.mean()) * uniform(generator, 0.2, 1.5)
        others = instances.random_steps(generator, instance)[2:]
        pair = Pair(instance.eigenvalues, instance.weights, h, others)
        # A gain below 1e-8 of the loss would measure rounding rather than the theorem.
        if instance.depth > 1 and _gain(pair) > 1e-8 * float(pair.error(0.0)):
            return pair


def _unequal_pair(generator: torch.Generator) -> Pair:
    pair = _draw_pair(generator)
    return replace(pair, offset=0.7 * pair.h)


def _pair_values(pair: Pair) -> dict[sp.Symbol, float]:
    first, second = pair.integrals()
    return {a: first, b: second}


def _gain(pair: Pair) -> float:
    first, second = pair.integrals()
    return float(pair.error(0.0) - pair.error((first / second) ** 0.5))


def _curvature(pair: Pair) -> float:
    # The unit vector is (1, −1)/√2.
    def along(t: Tensor) -> Tensor:
        return pair.error(t / 2**0.5)

    zero = torch.zeros((), dtype=torch.float64)
    return float(torch.autograd.functional.hessian(along, zero))


SPLITTING = Theorem(
    name="convergence.splitting",
    title="Splitting lemma",
    statement=r"""
        Let two steps be equal to $h$ and let $g=\prod(1-\eta_k\lambda)$ run over the others.
        If $g$ does not vanish on all positive points of support of $\nu$, replace the pair $(h,h)$
        by $(h+s,h-s)$ with $s^2=a/b$, where

        $$
        a=\int\lambda^2(1-h\lambda)^2g^2\,d\nu,\qquad b=\int\lambda^4g^2\,d\nu.
        $$

        Then $J$ falls by exactly

        $$
        {quantity} {relation} {bound}.
        $$

        It is positive whenever $(1-h\lambda)g$ does not vanish on all positive points of
        support; so for $K\ge2$ and two or more such points, the best tied network is not the
        best network.
        """,
    assumptions=(Assumption("the two steps are equal before", _unequal_pair),),
    quantity=r"J(h,h)-J(h+s,h-s)",
    relation="=",
    bound=a**2 / b,
    draw=_draw_pair,
    measure=_gain,
    values=_pair_values,
    slack=1e-6,
    source="Proved in the chapter.",
    derivation=Derivation(
        (
            Step.equal(
                "Splitting changes the product of the pair by a square,",
                _SPLIT,
                (1 - _h * _lam) ** 2 - _s**2 * _lam**2,
            ),
            Step.equal(
                "so the integrand changes by",
                (_SPLIT * _g) ** 2 - ((1 - _h * _lam) ** 2 * _g) ** 2,
                -2 * _s**2 * _lam**2 * (1 - _h * _lam) ** 2 * _g**2 + _s**4 * _lam**4 * _g**2,
            ),
            Step.equal(
                "and the integral by $-2as^2+bs^4$, which at $s^2=a/b$ is",
                sp.Subs(-2 * a * _t + b * _t**2, _t, a / b),
                -(a**2) / b,
            ),
            Step.at_most(
                "the least it can be.",
                -(a**2) / b,
                -2 * a * _s**2 + b * _s**4,
                gap=b * (_s**2 - a / b) ** 2,
            ),
        )
    ),
)

CURVATURE = Theorem(
    name="convergence.curvature",
    title="Equal steps are strict saddles",
    statement=r"""
        Where two steps are equal, the curvature of $J$ along the direction that moves them
        apart is

        $$
        {quantity} {relation} {bound},
        $$

        with $a$ as in the splitting lemma. So a critical point with equal steps is a strict
        saddle; a critical point with distinct steps satisfies the normal equations of the
        least-squares problem for $p$ and is a global minimum.
        """,
    assumptions=(
        Assumption("the two steps are equal", _unequal_pair),
        Assumption(r"$\nu$ has at least $K$ positive points of support"),
    ),
    quantity=r"v^\top\nabla^2J\,v,\quad v=(1,-1)/\sqrt2",
    relation="=",
    bound=-2 * a,
    draw=_draw_pair,
    measure=_curvature,
    values=_pair_values,
    slack=1e-6,
    source="Proved in the chapter; compare Trager, Kohn and Bruna (2020) on linear networks.",
    derivation=Derivation(
        (
            Step.equal(
                r"Along $v$ the pair is split by $s=t/\sqrt2$, and the second derivative at $t=0$ "
                "of $-2as^2+bs^4$ is",
                sp.Subs(
                    sp.Derivative((-2 * a * _s**2 + b * _s**4).subs(_s, _t / sp.sqrt(2)), _t, _t),
                    _t,
                    0,
                ),
                -2 * a,
            ),
        )
    ),
)


def best_tied(eigenvalues: Tensor, weights: Tensor, depth: int) -> tuple[float, float]:
    """The best single step h for all layers, and its J: bisection on a convex function's slope."""

    def slope(h: float) -> float:
        factor = 1 - h * eigenvalues
        return float(-(weights * eigenvalues * factor ** (2 * depth - 1)).sum())

    low, high = 1 / float(eigenvalues.max()), 1 / float(eigenvalues.min())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    h = (low + high) / 2
    return h, float((weights * (1 - h * eigenvalues) ** (2 * depth)).sum())


def descend(
    eigenvalues: Tensor, weights: Tensor, start: Tensor, *, iterations: int = 500
) -> Tensor:
    """Minimise J(η) from `start` by damped Gauss–Newton: the steps (K,) at the end.

    A descent method that sees only J's residuals √ν_i p(λ_i) and knows nothing of Gauss nodes.
    """
    steps, damping = start.clone(), 1e-2
    # Exact arithmetic keeps equal steps equal; rounding would not.
    tied = bool((start == start[0]).all())
    root = weights.sqrt()

    def residual(eta: Tensor) -> Tensor:
        return root * (1 - eta[:, None] * eigenvalues).prod(0)

    current = residual(steps)
    identity = torch.eye(len(steps), dtype=torch.float64)
    for _ in range(iterations):
        factors = 1 - steps[:, None] * eigenvalues
        others = torch.stack([_leave_one_out(factors, k) for k in range(len(steps))])
        jacobian = -(root * eigenvalues * others).T  # (n, K)
        normal = jacobian.T @ jacobian
        scale = normal.diagonal().max()
        proposal = steps - torch.linalg.solve(
            normal + damping * scale * identity, jacobian.T @ current
        )
        if tied:
            proposal = proposal.mean().expand(len(steps)).clone()
        new = residual(proposal)
        if new.square().sum() < current.square().sum():
            steps, current, damping = proposal, new, max(damping / 4, 1e-14)
        else:
            damping = damping * 4
            if damping > 1e8:
                break
    return steps


def _leave_one_out(factors: Tensor, k: int) -> Tensor:
    return torch.cat((factors[:k], factors[k + 1 :])).prod(0)


def _descent(instance: instances.Unrolled) -> float:
    """Loss after descending from the instance's steps."""
    end = descend(instance.eigenvalues, instance.weights, instance.steps)
    return instance.with_steps(end).squared_error()


def _best_values(instance: instances.Unrolled) -> dict[sp.Symbol, float]:
    best = gauss_steps(instance.eigenvalues, instance.weights, instance.depth)
    return {J_best: instance.with_steps(best).squared_error()}


def _random_start(generator: torch.Generator) -> instances.Unrolled:
    low, high = instances.interval(generator, 20.0)
    depth = integer(generator, 1, 4)
    eigenvalues, weights = instances.measure(generator, depth + integer(generator, 1, 6), low, high)
    start = 2 * torch.rand(depth, generator=generator, dtype=torch.float64) / low
    return instances.Unrolled(eigenvalues, weights, start, low, high)


def _equal_start(generator: torch.Generator) -> instances.Unrolled:
    instance = _random_start(generator)
    while instance.depth < 2:
        instance = _random_start(generator)
    return instance.with_steps(instance.steps.mean().expand(instance.depth).clone())


def _leave_one_out_determinant(depth: int) -> Step:
    etas = sp.symbols(f"eta_1:{depth + 1}", real=True)
    polynomials = [sp.prod(1 - e * _lam for e in etas if e != eta) for eta in reversed(etas)]
    matrix = sp.Matrix(
        [[sp.Poly(p, _lam).coeff_monomial(_lam**j) for j in range(depth)] for p in polynomials]
    )
    differences = sp.prod(etas[i] - etas[j] for i in range(depth) for j in range(i + 1, depth))
    ring = matrix.to_DM()  # computes in the polynomial ring, far faster than on expressions
    return Step.equal("case", ring.domain.to_sympy(ring.det()), differences)


BENIGN = Theorem(
    name="convergence.benign",
    title="No bad local minima",
    statement=r"""
        Every critical point of $J$ is a global minimum or a strict saddle with two equal steps, and
        $J$ grows without bound as the steps do. Gradient flow from any start whose steps all differ
        converges to a global minimum:

        $$
        {quantity} {relation} {bound}.
        $$
        """,
    assumptions=(
        Assumption("no two steps are equal at the start", _equal_start),
        Assumption(r"$\nu$ has at least $K$ positive points of support"),
    ),
    quantity=r"J(\eta^{\text{end}})",
    relation="<=",
    bound=J_best,
    draw=_random_start,
    measure=_descent,
    values=_best_values,
    slack=1e-4,
    source="Proved in the chapter.",
    derivation=Derivation(
        (
            Step.cases(
                r"The polynomials $g_k=\prod_{j\ne k}(1-\eta_j\lambda)$ have this determinant in "
                r"the basis $1,\lambda,\dots,\lambda^{K-1}$: when the steps are distinct they span "
                "all polynomials of degree below $K$, and a zero gradient says that $p$ is "
                r"orthogonal to $\lambda$ times each of those.",
                _leave_one_out_determinant,
                range(2, 6),
            ),
        )
    ),
)


def _trained_error(instance: instances.Unrolled, *, steps: int = 25) -> float:
    net, data = instance.problem()
    fit(net, data, steps=steps, lr=0.05 * float(instance.steps.mean()), progress=False)
    return instance.with_steps(net.steps.detach()).squared_error()


def _tied_values(instance: instances.Unrolled) -> dict[sp.Symbol, float]:
    return {J_tied: best_tied(instance.eigenvalues, instance.weights, instance.depth)[1]}


def _near_the_best_constant(generator: torch.Generator) -> instances.Unrolled:
    # Where escaping would show at once: within a few per cent of the saddle.
    instance = _equal_start(generator)
    h, _ = best_tied(instance.eigenvalues, instance.weights, instance.depth)
    start = h * (1 + uniform(generator, -0.05, 0.05))
    return instance.with_steps(torch.full_like(instance.steps, start))


def _a_little_apart(generator: torch.Generator) -> instances.Unrolled:
    instance = _near_the_best_constant(generator)
    spread = torch.linspace(-0.05, 0.05, instance.depth, dtype=torch.float64)
    return instance.with_steps(instance.steps * (1 + spread))


TRAP = Theorem(
    name="convergence.trap",
    title="The equal-initialisation trap",
    statement=r"""
        Start all steps at the same value. Gradient flow, gradient descent, stochastic gradients
        and Adam keep them equal in exact arithmetic, for ever: the loss never goes below the
        best tied network's,

        $$
        {quantity} {relation} {bound}.
        $$
        """,
    assumptions=(Assumption("all steps start equal", _a_little_apart),),
    quantity=r"J(\eta^{(t)})",
    relation=">=",
    bound=J_tied,
    draw=_near_the_best_constant,
    measure=_trained_error,
    values=_tied_values,
    slack=1e-9,
    source="Proved in the chapter.",
    derivation=Derivation(
        (
            Step.equal(
                "The product of two factors is symmetric in their steps, so where these are equal "
                "both partial derivatives are the same.",
                *(
                    sp.Subs(sp.Derivative(_PAIR, eta), (_eta1, _eta2), (_h, _h))
                    for eta in (_eta1, _eta2)
                ),
            ),
            Step.at_most(
                "Restricted to tied steps the loss is convex in $h$, so that symmetric descent "
                "ends at the best tied step.",
                0,
                sp.Derivative((1 - _h * _lam) ** (2 * _n), _h, _h),
                gap=2 * _n * (2 * _n - 1) * _lam**2 * ((1 - _h * _lam) ** 2) ** (_n - 1),
            ),
        )
    ),
)


def _draw_training_set(generator: torch.Generator) -> tuple[Tensor, Tensor, int]:
    n, signals = integer(generator, 4, 20), integer(generator, 1, 30)
    low, high = instances.interval(generator, 100.0)
    eigenvalues, _ = instances.measure(generator, n, low, high)
    basis, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    H = (basis * eigenvalues) @ basis.T
    X = torch.randn(n, signals, generator=generator, dtype=torch.float64)
    return H, X, integer(generator, 1, min(n - 1, 6))


def _training_loss(training_set: tuple[Tensor, Tensor, int]) -> float:
    H, X, depth = training_set
    steps = lanczos_steps(H, X, depth)
    A = torch.linalg.cholesky(H).T
    net = GradientNet(A, steps=steps, learned=False)
    return float(mean_squared_error(net, X.T @ A.T, X.T))


def _least_training_loss(training_set: tuple[Tensor, Tensor, int]) -> dict[sp.Symbol, float]:
    # Independently of Lanczos: least squares over all polynomials on the empirical measure.
    H, X, depth = training_set
    eigenvalues, basis = torch.linalg.eigh(H)
    weights = (basis.T @ X).square().mean(1)
    return {J_best: conjugate_gradient_error(eigenvalues, weights, depth)}


LANCZOS = Theorem(
    name="convergence.lanczos",
    title="Training is one Lanczos run",
    statement=r"""
        On noiseless training pairs $(Ax_i,x_i)$ the steps that minimise the training loss of a
        $K$-layer gradient network are the reciprocal eigenvalues of the $K\times K$ Jacobi matrix
        of one Lanczos run with $H$ in the inner product
        $\langle U,V\rangle=\operatorname{tr}(U^\top HV)$, started at the matrix of all training
        signals:

        $$
        {quantity} {relation} {bound},
        $$

        the least over all $K$-layer gradient networks.
        """,
    assumptions=(Assumption("the signals excite at least $K$ distinct positive eigenvalues"),),
    quantity=r"\frac1N\sum_i\|x_K(Ax_i)-x_i\|^2",
    relation="=",
    bound=J_best,
    draw=_draw_training_set,
    measure=_training_loss,
    values=_least_training_loss,
    slack=1e-5,
    source="The theorem on Gauss nodes, for the empirical measure; Golub and Welsch (1969).",
)


def eight_atoms(depth: int = 6) -> instances.Unrolled:
    """A fixed measure with eight eigenvalues, and equal steps that start at 0.3."""
    eigenvalues = torch.linspace(0.3, 3.0, 8, dtype=torch.float64)
    weights = torch.full((8,), 1 / 8, dtype=torch.float64)
    start = torch.full((depth,), 0.3, dtype=torch.float64)
    return instances.Unrolled(eigenvalues, weights, start, 0.3, 3.0)


TRAINING_FINDS_THEM = Refutation(
    name="convergence.training-finds-them",
    title="give every layer its own step, and training will use the freedom",
    claim=(
        "An untied network has the tied one as a special case, so after training from the "
        "usual constant start it comes close to the best layer-wise steps."
    ),
    quantity=r"J(\eta^{\text{trained}})",
    relation="<=",
    bound=2 * J_best,
    instance=lambda _: eight_atoms(),
    measure=lambda i: _trained_error(i, steps=400),
    values=_best_values,
    truth=(
        "Equal steps have equal gradients, so a symmetric start stays symmetric, and the loss "
        "stops at the best tied network's. Break the tie at initialisation."
    ),
    source="Common practice in code that initialises all layers from one constant.",
)
