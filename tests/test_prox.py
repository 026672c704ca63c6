"""The soft threshold solves its problem, has the right derivatives and keeps only its output."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.prox import largest, soft_threshold


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _batch(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=_generator(seed), dtype=dtype)


@given(u=st.floats(-5, 5), v=st.floats(-5, 5), theta=st.floats(0, 3))
def test_it_solves_its_problem_and_is_firmly_nonexpansive(u, v, theta):
    x, z = soft_threshold(torch.tensor([u, v], dtype=torch.float64), theta)
    candidates = torch.linspace(-6, 6, 4001, dtype=torch.float64)

    def objective(x):
        return 0.5 * (x - u) ** 2 + theta * abs(x)

    assert objective(x) <= objective(candidates).min() + 1e-12
    assert (x - z) ** 2 <= (u - v) * (x - z) + 1e-12


@given(theta=st.floats(0, 2), seed=st.integers(0, 99))
def test_complex_entries_keep_their_phase(theta, seed):
    u = torch.randn(3, 5, generator=_generator(seed), dtype=torch.complex128)
    x = soft_threshold(u, theta)
    torch.testing.assert_close(x.abs(), (u.abs() - theta).clamp(min=0))
    torch.testing.assert_close(x.abs() * u, x * u.abs())
    # On real numbers the two agree.
    torch.testing.assert_close(
        soft_threshold(u.real + 0j, theta).real, soft_threshold(u.real, theta)
    )


@pytest.mark.parametrize("shape", [(), (1,), (4, 1), (5,), (4, 5)])
@pytest.mark.parametrize("select", [False, True])
def test_gradients(shape, select):
    u = _batch(4, 5).requires_grad_()
    threshold = (0.3 + 0.1 * _batch(*shape, seed=1).abs()).requires_grad_()
    selected = largest(u, 2) if select else None

    def map_(u, threshold):
        return soft_threshold(u, threshold, selected=selected)

    assert torch.autograd.gradcheck(map_, (u, threshold))
    assert torch.autograd.gradgradcheck(map_, (u, threshold))


def test_a_negative_threshold_pushes_away_from_zero():
    u = torch.tensor([[-1.0, 2.0, 0.0]])
    torch.testing.assert_close(
        soft_threshold(u, torch.tensor(-0.5)), torch.tensor([[-1.5, 2.5, 0.0]])
    )


def test_selected_entries_pass_unshrunk_if_they_exceed_the_threshold():
    u = torch.tensor([[3.0, -2.0, 1.0, 0.1]])
    x = soft_threshold(u, 0.5, selected=largest(u, 2))
    torch.testing.assert_close(x, torch.tensor([[3.0, -2.0, 0.5, 0.0]]))
    # Selection alone does not let an entry pass.
    x = soft_threshold(u, 2.5, selected=largest(u, 3))
    torch.testing.assert_close(x, torch.tensor([[3.0, 0.0, 0.0, 0.0]]))


@given(seed=st.integers(0, 99), n=st.integers(1, 9), data=st.data())
def test_largest_marks_as_many_as_it_is_told(seed, n, data):
    u = _batch(4, n, seed=seed)
    count = data.draw(st.integers(0, n))
    marked = largest(u, count)
    assert (marked.sum(1) == count).all()
    if 0 < count < n:
        inside = u.abs().masked_fill(~marked, math.inf).amin(1)
        assert (inside > u.abs().masked_fill(marked, 0).amax(1)).all()
    assert torch.equal(marked, largest(u, torch.full((4,), count)))
    counts = torch.tensor([0, n, count, 1])
    assert torch.equal(largest(u, counts).sum(1), counts)


def test_nan_stays_nan():
    u = torch.tensor([[math.nan, 1.0]])
    assert soft_threshold(u, 0.1).isnan().tolist() == [[True, False]]
    assert soft_threshold(u, torch.tensor(math.nan)).isnan().all()


def test_complex_selection_needs_the_threshold_too():
    u = torch.tensor([[3j, 2.0, 0.1j]])
    x = soft_threshold(u, 0.5, selected=largest(u, 3))
    torch.testing.assert_close(x, torch.tensor([[3j, 2.0, 0]]))


def test_largest_in_half_precision():
    u = torch.tensor([[3.0, -2.0, 1.0]])
    for dtype in (torch.bfloat16, torch.float16):
        assert torch.equal(largest(u.to(dtype), 2), largest(u, 2))
        assert torch.equal(largest(u.to(dtype), torch.tensor([1])), largest(u, 1))


def test_only_the_output_is_kept_for_the_backward_pass():
    kept = []

    def pack(tensor):
        kept.append(tensor)
        return tensor

    u, threshold = _batch(4, 5).requires_grad_(), torch.tensor(0.1, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        x = soft_threshold(2 * u, threshold.double())
    sizes = [tensor.numel() for tensor in kept if tensor.numel() > 1]
    assert sizes == [x.numel()]
    # The textbook formula keeps more.
    kept.clear()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        torch.sign(2 * u) * torch.relu((2 * u).abs() - threshold)
    assert sum(tensor.numel() > 1 for tensor in kept) > 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("shape", [(), (4, 1), (5,)])
def test_the_fused_kernel_agrees(shape):
    u, threshold = _batch(4, 5), _batch(*shape, seed=1).abs()
    u[0, :4] = torch.tensor([math.nan, math.inf, -math.inf, 0])
    for dtype in (torch.float32, torch.float64):
        for sign in (1, -1):
            here = [u.to(dtype).requires_grad_(), (sign * threshold).to(dtype).requires_grad_()]
            there = [value.detach().to("cuda").requires_grad_() for value in here]
            outputs = soft_threshold(*here), soft_threshold(*there)
            torch.testing.assert_close(outputs[1].cpu(), outputs[0], equal_nan=True)
            torch.testing.assert_close(
                soft_threshold(there[0].T, 0.1).cpu(),
                soft_threshold(here[0].T, 0.1),
                equal_nan=True,
            )
            for output in outputs:
                output[1:].square().sum().backward()
            for a, b in zip(here, there, strict=True):
                torch.testing.assert_close(b.grad.cpu(), a.grad, equal_nan=True)


def test_bad_input_is_refused():
    u = torch.ones(2, 3)
    with pytest.raises(ValueError, match=r"threshold is -0\.1"):
        soft_threshold(u, -0.1)
    with pytest.raises(ValueError, match="threshold is nan"):
        soft_threshold(u, math.nan)
    for count in (4, -1, 1.5, "2"):
        with pytest.raises(ValueError, match=f"count is {count!r}; 0 ≤ count ≤ 3"):
            largest(u, count)
    for more in ({"threshold": torch.ones(2, 2, 3)}, {"selected": torch.ones(4, 2, 3).bool()}):
        with pytest.raises(ValueError, match=r"has shape .*, u \(2, 3\)"):
            soft_threshold(u, **{"threshold": 0.1, **more})
