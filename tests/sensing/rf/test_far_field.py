"""Far away the operator is a Kronecker product: the right one, and the limit of the near field."""

import math

import pytest
import torch

from unrolled.sensing import check_operator
from unrolled.sensing.rf import degrees_of_freedom, far_field, planar, point_spread, singular_values

FINE = torch.complex128


def test_it_is_the_matrix_of_all_virtual_antennas_and_directions():
    first, second = torch.tensor([-0.7, 0.1, 0.9]), torch.tensor([0.0, 0.5])
    operator = far_field(first, second, side=0.8, pixels=(4, 3), dtype=FINE)
    check_operator(operator, generator=torch.Generator().manual_seed(0))
    assert operator.shape == (6, 12)
    directions = [
        (p, q)
        for p in (-0.3, -0.1, 0.1, 0.3)
        for q in (-0.8 / 3, 0.0, 0.8 / 3)
    ]  # fmt: skip
    for row, (a, b) in enumerate((a, b) for a in first.tolist() for b in second.tolist()):
        for column, (p, q) in enumerate(directions):
            phase = -2 * math.pi * (a * p + b * q)
            expected = complex(math.cos(phase), math.sin(phase)) / 6**0.5
            assert operator.dense()[row, column].item() == pytest.approx(expected, abs=1e-6)
    torch.testing.assert_close(
        singular_values(operator), torch.linalg.svdvals(operator.dense()), atol=1e-9, rtol=0
    )


def near_and_far(distance):
    """The worst error of phase between the two, for scatterers in some directions."""
    array = planar((4, 3), lengths=(3.0, 2.0), distance=1e-3, side=1.0, pixels=(2, 2))
    antennas = array.receivers * torch.tensor([1.0, 1.0, 0.0])
    operator = far_field(
        2 * antennas[::3, 0], 2 * antennas[:3, 1], side=0.8, pixels=(4, 3), dtype=FINE
    )
    p, q = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in (4, 3))
    directions = torch.cartesian_prod(p * 0.8 / 4, q * 0.8 / 3)
    height = (1 - directions.square().sum(1)).sqrt()
    points = distance * torch.cat((directions, height[:, None]), 1)
    near = array.response(points + torch.tensor([0.0, 0.0, 1e-3]))
    # What belongs to the scatterer alone is part of its reflectivity.
    there_and_back = 4 * math.pi * distance
    middle = complex(math.cos(there_and_back), math.sin(there_and_back))
    return (near / near.abs() / middle / (operator.dense() * 12**0.5)).angle().abs().max().item()


def test_it_is_the_limit_of_the_near_field():
    """The first term that is left out is k|u|²/R, there and back."""
    for distance in (1e3, 1e4, 1e5):
        largest = 1.5**2 + 1.0**2
        assert near_and_far(distance) <= 1.05 * 2 * math.pi * largest / distance
    assert near_and_far(20.0) > 0.3  # nearby it is another operator


def test_large_images_take_no_large_matrix():
    places = torch.arange(64) / 2
    operator = far_field(places, places, side=1.0, pixels=(128, 128))
    x = torch.randn(2, 128 * 128, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    y = operator.forward(x)
    assert y.shape == (2, 64 * 64)
    residual = y - operator.forward(operator.lmmse(y, 1e-4))
    assert residual.norm() < 0.02 * y.norm()
    assert 1000 < degrees_of_freedom(operator, 30) <= 64 * 64


def test_the_beam_of_a_filled_array():
    """Across directions the image of a point is Dirichlet's kernel of the virtual antennas."""
    count, pixels = 16, 33
    places = torch.arange(count) / 2
    operator = far_field(places, places, side=1.0, pixels=(pixels, 1), dtype=FINE)
    image = point_spread(operator, pixels // 2)
    p = (torch.arange(pixels, dtype=torch.float64) - pixels // 2) / pixels
    angle = math.pi * p / 2
    kernel = torch.where(p == 0, 1.0, (count * angle).sin() / (count * angle.sin())).abs()
    torch.testing.assert_close(image, kernel, atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"first": torch.zeros(2, 2)}, "^first"),
        ({"side": 2.0}, "^side is 2"),
        ({"pixels": (0, 3)}, "^pixels is"),
        ({"dtype": torch.float32}, "^dtype is torch.float32; a complex"),
    ],
)
def test_what_is_no_array_is_refused(change, sentence):
    good = {"first": torch.zeros(2), "second": torch.zeros(3), "side": 1.0, "pixels": (3, 3)}
    with pytest.raises(ValueError, match=sentence):
        far_field(**good | change)
    operator = far_field(**good)
    for call in (
        singular_values,
        lambda o: degrees_of_freedom(o, 30),
        lambda o: point_spread(o, 0),
    ):
        call(operator)
        with pytest.raises(ValueError, match=r"^operator is a"):
            call(torch.eye(3))
