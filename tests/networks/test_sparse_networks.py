"""Untrained, each sparse network is its algorithm, iterate by iterate; trained, it learns all."""

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.networks import (
    ALISTA,
    LISTA,
    LISTACP,
    GradientNet,
    HyperLISTA,
    TiLISTA,
    selection_schedule,
)
from unrolled.prox import largest, soft_threshold
from unrolled.sensing import analytic_weights, gaussian, partial_dct

PENALTY = 0.07
# A constructor that takes only the matrix and the depth, for each network and each of its kinds.
NETWORKS = {
    "LISTA": lambda A, depth, **more: LISTA(A, depth, penalty=PENALTY, **more),
    "LISTA tied": lambda A, depth, **more: LISTA(A, depth, tied=True, penalty=PENALTY, **more),
    "LISTA-CP": lambda A, depth, **more: LISTACP(A, depth, penalty=PENALTY, **more),
    "LISTA-CP tied": lambda A, depth, **more: LISTACP(A, depth, tied=True, penalty=PENALTY, **more),
    "TiLISTA": lambda A, depth, **more: TiLISTA(A, depth, penalty=PENALTY, **more),
    "ALISTA": lambda A, depth, **more: ALISTA(A, depth, penalty=PENALTY, **more),
}
COUPLED = {"LISTA-CP": LISTACP, "TiLISTA": TiLISTA, "ALISTA": ALISTA}
every_network = pytest.mark.parametrize(
    "build", [*NETWORKS.values(), HyperLISTA], ids=[*NETWORKS, "HyperLISTA"]
)


def problem(m=6, n=10, batch=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    operator = gaussian(m, n, generator=generator, dtype=dtype)
    return operator, torch.randn(batch, m, generator=generator, dtype=dtype)


def proximal_gradient(A, y, W, step, penalty, depth, shares=None):
    """x ← S(x + step·Wᵀ(y − Ax)), written out."""
    x, iterates = y.new_zeros(len(y), A.shape[1]), []
    for k in range(depth + 1):
        iterates.append(x)
        u = x + step * (y - x @ A.T) @ W
        selected = None if shares is None or k == depth else largest(u, int(shares[k] * u.shape[1]))
        x = soft_threshold(u, step * penalty, selected=selected)
    return torch.stack(iterates)


@given(seed=st.integers(0, 99), depth=st.integers(1, 6), selection=st.booleans())
@pytest.mark.parametrize("name", NETWORKS)
def test_untrained_it_is_ista(name, seed, depth, selection):
    operator, y = problem(seed=seed)
    A = operator.dense()
    shares, options = None, {}
    if selection and name in COUPLED:
        shares = selection_schedule(depth, rise=0.15, most=0.4)
        options = {"selection": shares}
    net = NETWORKS[name](operator, depth, **options)
    W = analytic_weights(A) if name == "ALISTA" else A
    step = 1 / float(torch.linalg.eigvals(W.T @ A).real.max())
    expected = proximal_gradient(A, y, W, step, PENALTY, depth, shares)
    with torch.no_grad():
        torch.testing.assert_close(net.trajectory(y), expected)
        torch.testing.assert_close(net(y), expected[-1])
        torch.testing.assert_close(net(y, depth=1), expected[1])
    # The comparison can fail: another penalty is another algorithm.
    other = proximal_gradient(A, y, W, step, 3 * PENALTY, depth, shares)
    assert not torch.allclose(expected, other)


@given(
    seed=st.integers(0, 99),
    c=st.tuples(st.floats(0, 0.3), st.floats(0, 0.05), st.floats(0, 0.3)),
    cap=st.none() | st.floats(0.1, 2),
)
def test_hyperlista_is_its_recursion(seed, c, cap):
    operator, y = problem(seed=seed)
    A = operator.dense()
    W, pseudo = analytic_weights(A), torch.linalg.pinv(A)
    iterates = HyperLISTA(operator, 5, start=c, cap=cap).trajectory(y).detach()

    def threshold(residual, ratio):
        size = c[0] * (residual @ pseudo.T).abs().sum(1, keepdim=True)
        bound = math.inf if cap is None else cap * (residual @ W).abs().amax(1, keepdim=True)
        return torch.where(ratio < 10, size.clamp(max=bound), size)

    torch.testing.assert_close(iterates[1], soft_threshold(y @ W, threshold(y, torch.ones(1))))
    for before, x, after in zip(iterates, iterates[1:], iterates[2:], strict=False):
        residual = y - x @ A.T
        size = (residual @ pseudo.T).abs().sum(1, keepdim=True)
        ratio = (y @ pseudo.T).abs().sum(1, keepdim=True) / size
        momentum = c[1] * (x != 0).sum(1, keepdim=True)
        u = x + residual @ W + momentum * (x - before)
        count = 10 * (c[2] * ratio.log()).clamp(0, 1)[:, 0]
        clear = (count - count.round()).abs() > 1e-9  # otherwise rounding decides the count
        expected = soft_threshold(u, threshold(residual, ratio), selected=largest(u, count.long()))
        torch.testing.assert_close(after[clear], expected[clear], rtol=1e-6, atol=1e-6)


def test_without_full_row_rank_the_weights_are_loaded():
    operator, y = problem()
    A = operator.dense().clone()
    A[-1] = A[0] + A[1]
    for network in (ALISTA, HyperLISTA):
        with pytest.raises(ValueError, match=r"full row rank.*lam > 0 helps"):
            network(A, 3)
    lam = 0.2
    weights = analytic_weights(A, lam)
    gram = A @ A.T + lam * torch.eye(6, dtype=A.dtype)
    alista = ALISTA(A, 3, lam=lam, penalty=PENALTY)
    step = 1 / float(torch.linalg.eigvals(weights.T @ A).real.max())
    expected = proximal_gradient(A, y, weights, step, PENALTY, 3)
    torch.testing.assert_close(alista.trajectory(y).detach(), expected)
    hyper = HyperLISTA(A, 3, start=(0.02, 0.0, 0.0), lam=lam)
    size = torch.linalg.solve(gram, y.T).T @ A  # Aᵀ(AAᵀ + lam·I)⁻¹y
    first = soft_threshold(y @ weights, 0.02 * size.abs().sum(1, keepdim=True))
    torch.testing.assert_close(hyper.trajectory(y)[1].detach(), first)


def test_a_cap_keeps_hyperlista_from_standing_still():
    operator, y = problem()
    with torch.no_grad():
        assert not HyperLISTA(operator, 5, start=(9.0, 0.0, 0.0))(y).any()
        freed = HyperLISTA(operator, 5, start=(9.0, 0.0, 0.0), cap=0.7).trajectory(y)
    support = (freed != 0).sum(2)
    assert (support[1] >= 1).all()
    assert (support[-1] > support[1]).all()


def test_hyperlista_starts_as_ista_with_thresholds_from_the_residual():
    operator, y = problem()
    net = HyperLISTA(operator, 6)
    A = operator.dense()
    W, pseudo, x = analytic_weights(A), torch.linalg.pinv(A), torch.zeros(3, 10).double()
    for iterate in net.trajectory(y)[1:]:
        residual = y - x @ A.T
        size = (residual @ pseudo.T).abs().sum(1, keepdim=True)
        x = soft_threshold(x + residual @ W, float(net.c.detach()[0]) * size)
        torch.testing.assert_close(iterate, x)


def test_hyperlista_of_nothing_is_nothing_and_a_runaway_is_not_hidden():
    operator, y = problem()
    with torch.no_grad():
        assert not HyperLISTA(operator, 5, start=(0.01, 0.1, 0.1))(torch.zeros_like(y)).any()
        # A momentum that grows without bound ends in infinity and NaN, not in an error of indices.
        assert not HyperLISTA(operator, 900, start=(0.0, 9.0, 0.1))(y).isfinite().all()


def test_hyperlista_scales_with_the_signal_and_lista_does_not():
    operator, y = problem()
    adaptive, fixed = HyperLISTA(operator, 5, start=(0.05, 0.01, 0.1)), ALISTA(operator, 5)
    with torch.no_grad():
        torch.testing.assert_close(adaptive(1e-3 * y), 1e-3 * adaptive(y))
        assert not torch.allclose(fixed(1e-3 * y), 1e-3 * fixed(y))


def test_selection_lowers_the_error_of_a_network_that_knows_the_support():
    operator, _ = problem(40, 60, batch=1)
    x = torch.zeros(1, 60, dtype=torch.float64)
    x[0, :3] = torch.tensor([3.0, -2.0, 4.0])
    y = operator.forward(x)
    plain = ALISTA(operator, 60, penalty=0.3)
    selecting = ALISTA(operator, 60, penalty=0.3, selection=[0.05] * 60)
    with torch.no_grad():
        # Shrinking biases the entries that are kept; passing them does not.
        assert (selecting(y) - x).norm() < 1e-6 < 1e-2 < (plain(y) - x).norm()


@every_network
def test_gradients_reach_every_parameter_and_are_right(build):
    operator, y = problem(4, 6)
    net = build(operator, 3)
    if isinstance(net, HyperLISTA):
        with torch.no_grad():
            net.c.copy_(torch.tensor([0.05, 0.02, 0.0]))
    net(y).square().sum().backward()
    learned = {name: p for name, p in net.named_parameters() if p.requires_grad}
    for name, parameter in learned.items():
        assert parameter.grad is not None, name
        assert parameter.grad.count_nonzero(), name

    def output(*values):
        return torch.func.functional_call(net, dict(zip(learned, values, strict=True)), (y,))

    assert torch.autograd.gradcheck(output, tuple(learned.values()))


@every_network
@pytest.mark.parametrize("checkpoint", [1, 2, 7, [3, 2, 1], [1, 5], [6]])
def test_checkpointing_changes_no_gradient(build, checkpoint):
    if checkpoint == [1, 5]:
        checkpoint = (1, 5)
    operator, y = problem()
    gradients = []
    for schedule in (None, checkpoint):
        net = build(operator, 6, checkpoint=schedule)
        net(y).square().sum().backward()
        gradients.append({name: p.grad for name, p in net.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("build", "most"), [(LISTA, 1.2), (LISTACP, 1.6), (ALISTA, 2.1)], ids=["LISTA", "CP", "ALISTA"]
)
def test_activations_kept(build, most):
    """At most so many (B, n) tensors a layer, and with checkpoints fewer still."""
    m, n, batch, depth = 50, 100, 64, 16
    operator, y = problem(m, n, batch=batch, dtype=torch.float32)

    def kept(checkpoint):
        net = build(operator, depth, checkpoint=checkpoint)
        own = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers(), y)}
        storages = {}

        def pack(tensor):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            output = net(y)
        del output
        return sum(storages.values()) / (batch * n * 4) / depth

    everything = kept(None)
    assert everything <= most
    assert kept(4) < everything / 2


@every_network
def test_run_on_it_repeats_its_last_layer(build):
    operator, y = problem()
    net = build(operator, 3)
    with torch.no_grad():
        for parameter in net.parameters():
            noise = torch.rand(parameter.shape, generator=torch.Generator().manual_seed(1))
            parameter.add_(0.01 * noise)
        longer = net.trajectory(y, depth=6)
        torch.testing.assert_close(longer[:4], net.trajectory(y))
        torch.testing.assert_close(net.trajectory(y, depth=2), longer[:3])
        if not isinstance(net, HyperLISTA):  # whose layers look back at two iterates
            inputs = net._inputs(y)
            torch.testing.assert_close(longer[5], net._layer(2, longer[4], *inputs))
    assert longer.shape[0] == 7
    with pytest.raises(ValueError, match="depth is 0"):
        net.trajectory(y, depth=0)


@every_network
def test_a_network_owns_its_matrix(build):
    """What is done to the user's A, to the operator or to another network does not reach it."""
    operator, y = problem()
    other, _ = problem(seed=1)
    A = operator.dense().clone()
    net, neighbour = build(operator, 3), build(operator, 3)
    before = neighbour(y).detach()
    net.load_state_dict(build(other, 3).state_dict())
    torch.testing.assert_close(net(y), build(other, 3)(y))
    torch.testing.assert_close(operator.dense(), A)
    torch.testing.assert_close(neighbour(y), before)
    assert not torch.allclose(net(y), before)
    plain = build(A, 3)
    A.zero_()
    torch.testing.assert_close(plain(y), before)


@every_network
def test_copies_and_precisions(build):
    operator, y = problem(dtype=torch.float32)
    net = build(operator, 4)
    copies = (copy.deepcopy(net), pickle.loads(pickle.dumps(net)))
    for other in copies:
        torch.testing.assert_close(other(y), net(y))
    torch.testing.assert_close(copies[0].double()(y.double()).float(), net(y), rtol=1e-4, atol=1e-5)
    assert net(y).dtype == torch.float32  # the copy's precision is its own


@every_network
def test_checkpoints_and_a_shorter_depth_agree_with_the_plain_network(build):
    operator, y = problem()
    plain, stored = build(operator, 6), build(operator, 6, checkpoint=[4, 2])
    for depth in range(1, 7):
        torch.testing.assert_close(stored(y, depth=depth), plain(y, depth=depth))


@every_network
def test_a_matrix_that_measures_nothing_is_refused(build):
    with pytest.raises(ValueError, match=r"A is zero|zero column"):
        build(torch.zeros(3, 5), 2)


def test_a_matrix_whose_squares_are_zero_in_its_precision_is_refused():
    for build in (LISTA, LISTACP, TiLISTA, GradientNet):
        with pytest.raises(ValueError, match="A is zero, or too small for its dtype"):
            build(1e-30 * torch.ones(1, 5), 2)


def test_shares_are_rounded_down_but_not_by_rounding():
    A = problem(50, 100)[0]
    assert ALISTA(A, 3, selection=[0.29, 0.295, 1.0]).counts == (29, 29, 100)


def test_hyperlista_selects_no_more_than_all():
    operator, y = problem()
    with torch.no_grad():
        many = HyperLISTA(operator, 6, start=(0.01, 0.01, 1e6))(y)
        all_ = HyperLISTA(operator, 6, start=(0.01, 0.01, 1e3))(y)
    torch.testing.assert_close(many, all_)


@every_network
def test_it_computes_in_the_dtype_of_its_matrix(build):
    for dtype in (torch.float32, torch.float64):
        operator, y = problem(dtype=dtype)
        assert build(operator, 3)(y).dtype == dtype
        assert {p.dtype for p in build(operator.dense(), 3).parameters()} == {dtype}


@every_network
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_runs_on_a_gpu_unchanged_and_never_waits(build):
    operator, y = problem()
    net = build(operator, 5)
    expected = net(y)
    net, y = net.to("cuda"), y.to("cuda")
    net(y)  # compiles the kernels
    torch.cuda.set_sync_debug_mode("error")
    try:
        output = net(y)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(output.cpu(), expected)


@every_network
def test_bad_measurements_are_refused(build):
    operator, y = problem()
    net = build(operator, 3)
    for bad, sentence in (
        (None, "y is a NoneType"),
        (y.numpy(), "y is a ndarray"),
        (y[:, :-1], r"y has shape \(3, 5\); a batch \(B, 6\)"),
        (y.float(), "y has dtype torch.float32; the network's torch.float64"),
        (torch.full_like(y, math.nan), "y holds NaN"),
        (y.to(torch.complex128), "y has dtype torch.complex128"),
    ):
        with pytest.raises(ValueError, match=sentence):
            net(bad)
        with pytest.raises(ValueError, match=sentence):
            net.trajectory(bad)
    with pytest.raises(ValueError, match="depth is 4; 1 ≤ depth ≤ 3"):
        net(y, depth=4)


@every_network
def test_bad_arguments_are_refused(build):
    A = problem()[0].dense()
    for matrix, depth, more, sentence in (
        (A, 0, {}, "depth is 0"),
        (A + math.inf, 3, {}, "A holds NaN or infinite"),
        (A[0], 3, {}, r"A has shape \(10,\)"),
        (A, 3, {"real_signals": True}, "A has dtype torch.float64; real signals"),
        (A + 0j, 3, {"nonnegative": True}, "nonnegative asks for an order"),
        (A, 3, {"checkpoint": 0}, "checkpoint is 0"),
        (A, 3, {"checkpoint": [2, 2]}, r"checkpoint is \[2, 2\], which sums to 4.* depth 3"),
        (A, 3, {"checkpoint": [3, 0]}, "checkpoint is 0"),
        (A, 3, {"checkpoint": 2.5}, "checkpoint is 2.5"),
        (A, 3, {"checkpoint": "2"}, "checkpoint is '2'"),
        (None, 3, {}, "A is a NoneType"),
        (A.numpy(), 3, {}, "A is a ndarray"),
        (A, 2.5, {}, "depth is 2.5"),
        (A, "2", {}, "depth is '2'"),
        (partial_dct(4, 8, generator=torch.Generator()), 3, {}, "its matrix is needed"),
    ):
        with pytest.raises(ValueError, match=sentence):
            build(matrix, depth, **more)


@pytest.mark.parametrize("build", [LISTA, LISTACP, TiLISTA, ALISTA])
def test_a_penalty_must_be_positive(build):
    for penalty in (0.0, -1.0, math.nan, math.inf, "a"):
        with pytest.raises(ValueError, match=f"penalty is {penalty!r}"):
            build(problem()[0], 3, penalty=penalty)


@pytest.mark.parametrize("build", COUPLED.values(), ids=list(COUPLED))
def test_bad_selections_are_refused(build):
    for selection in ([0.1], [0.1, 0.2, 1.1], [0.1, -0.1, 0], 0.1, ["a", "b", "c"]):
        with pytest.raises(ValueError, match="3 shares in"):
            build(problem()[0], 3, selection=selection)
    with pytest.raises(ValueError, match="most is 2"):
        selection_schedule(3, most=2)


def test_bad_numbers_are_refused():
    for start in ((0.1, 0.1), (0.1, -0.1, 0), (math.nan, 0, 0), None, "abc"):
        with pytest.raises(ValueError, match="start is"):
            HyperLISTA(problem()[0], 3, start=start)
    for cap in (0, -1.0, math.nan, "abc"):
        with pytest.raises(ValueError, match="cap is"):
            HyperLISTA(problem()[0], 3, cap=cap)
