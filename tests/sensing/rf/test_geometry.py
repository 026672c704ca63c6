"""What antennas measure: against closed forms, and as it must be by symmetry."""

import math
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hankel1, j0

from unrolled.sensing import check_operator
from unrolled.sensing.rf import Geometry, line, planar, ring

FINE = torch.complex128
places = st.lists(st.tuples(*2 * [st.floats(5, 20)]), min_size=1, max_size=4)


def small(**more):
    return ring(4, 8, radius=9.0, side=4.0, pixels=(6, 6), frequencies=(0.8, 1.1), **more)


def drawn(transmitters, receivers, space=False, **more):
    parts = [torch.tensor(part, dtype=torch.float64) for part in (transmitters, receivers)]
    if space:
        parts = [torch.nn.functional.pad(part, (0, 1), value=3.0) for part in parts]
    return Geometry(*parts, side=4.0, pixels=(3, 5), frequencies=(0.7, 1.3), **more)


@settings(deadline=None, max_examples=20)
@given(places, places, st.booleans())
def test_a_single_scatterer_is_two_green_functions(transmitters, receivers, space):
    geometry = drawn(transmitters, receivers, space)
    point = torch.tensor([[0.4, -1.1, 0.0][: 3 if space else 2]], dtype=torch.float64)
    y = geometry.response(point)[:, 0]
    assert len(y) == geometry.shape[0] == 2 * len(transmitters) * len(receivers)
    row = 0
    for frequency in (0.7, 1.3):
        k = 2 * math.pi * frequency
        for sender in geometry.transmitters:
            for hearer in geometry.receivers:
                out, back = (float((antenna - point[0]).norm()) for antenna in (sender, hearer))
                if space:
                    amplitude = 1 / (16 * math.pi**2 * out * back)
                    expected = amplitude * complex(
                        math.cos(k * (out + back)), math.sin(k * (out + back))
                    )
                else:
                    expected = -hankel1(0, k * out) * hankel1(0, k * back) / 16
                assert y[row].item() == pytest.approx(complex(expected), rel=1e-9)
                row += 1


@settings(deadline=None, max_examples=20)
@given(places, places, st.booleans())
def test_reciprocity(transmitters, receivers, space):
    """Who sends and who hears may change places."""
    there, back = drawn(transmitters, receivers, space), drawn(receivers, transmitters, space)
    t, r = len(transmitters), len(receivers)
    swapped = back.operator(FINE).A.reshape(2, r, t, -1).transpose(1, 2).flatten(0, 2)
    torch.testing.assert_close(there.operator(FINE).A, swapped)


def test_one_antenna_at_a_time_is_the_diagonal_of_all_pairs():
    all_pairs, own = (
        ring(5, 5, radius=9.0, side=4.0, pixels=(6, 6), layout=layout)
        for layout in ("multistatic", "monostatic")
    )
    points = torch.randn(7, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    diagonal = all_pairs.response(points).reshape(5, 5, -1).diagonal().T
    torch.testing.assert_close(own.response(points), diagonal)
    assert own.shape == (5, 36)


def test_the_operator_is_sound_and_scaled():
    operator = small().operator(FINE)
    check_operator(operator, generator=torch.Generator().manual_seed(0))
    assert operator.shape == small().shape == (64, 36)
    assert operator.A.abs().square().sum(0).mean().item() == pytest.approx(1)
    assert small().operator().dtype == torch.complex64
    y = torch.randn(2, 64, dtype=FINE, generator=torch.Generator().manual_seed(0))
    A = operator.A
    inverse = torch.linalg.inv(A @ A.mH + 0.1 * torch.eye(64))
    torch.testing.assert_close(operator.lmmse(y, 0.1), (A.mH @ inverse @ y.T).T)


def test_turns_and_mirror_images_leave_the_operator_as_it_is():
    A = small().operator(FINE).A
    symmetries = small().symmetries()
    assert len(symmetries) == 8
    for rows, pixels in symmetries:
        torch.testing.assert_close(A[rows][:, pixels], A)
        assert sorted(rows.tolist()) == list(range(64))
    first_rows, first_pixels = symmetries[0]
    assert first_rows.tolist() == list(range(64))
    assert first_pixels.tolist() == list(range(36))
    # Measurements of a turned scene are those of the scene, in another order.
    x = torch.randn(3, 36, dtype=FINE, generator=torch.Generator().manual_seed(0))
    rows, pixels = symmetries[3]
    operator = small().operator(FINE)
    torch.testing.assert_close(operator.forward(x[:, pixels]), operator.forward(x)[:, rows])
    # A wrong pairing does not.
    assert (A[symmetries[1][0]][:, symmetries[2][1]] - A).norm() > 0.1 * A.norm()


@pytest.mark.parametrize(
    ("geometry", "count"),
    [
        (ring(3, 8, radius=9.0, side=4.0, pixels=(6, 6)), 2),  # three antennas have no quarter turn
        (ring(4, 4, radius=9.0, side=4.0, pixels=(6, 4)), 4),
        (line(3, 5, length=6.0, distance=5.0, side=4.0, pixels=(6, 6)), 2),
        (planar((3, 3), lengths=(2.0, 2.0), distance=5.0, side=4.0, pixels=(6, 6)), 8),
        (ring(4, 4, radius=9.0, side=4.0, pixels=(6, 6), layout="monostatic"), 8),
    ],
)
def test_symmetries_that_are_there(geometry, count):
    A = geometry.operator(FINE).A
    assert len(geometry.symmetries()) == count
    for rows, pixels in geometry.symmetries():
        torch.testing.assert_close(A[rows][:, pixels], A)


def test_an_antenna_out_of_place_has_no_symmetry():
    moved = small().receivers.clone()
    moved[0, 0] += 0.01
    assert len(replace(small(), receivers=moved).symmetries()) == 1 + 1  # it stays on the x axis
    moved[0, 1] += 0.01
    assert len(replace(small(), receivers=moved).symmetries()) == 1


def test_a_full_ring_sees_as_sharply_as_the_bessel_function_says():
    """Far away, neighbours have the cosine J₀²(kr): half of its power where J₀⁴ = ½."""
    full = ring(96, 96, radius=300.0, side=2.0, pixels=(5, 5))
    r = torch.linspace(0, 1, 40, dtype=torch.float64)
    answers = full.response(torch.stack((r, 0 * r), 1))
    answers = answers / torch.linalg.vector_norm(answers, dim=0)
    cosines = (answers[:, 0].conj() @ answers).abs()
    expected = torch.from_numpy(j0(2 * math.pi * r.numpy())) ** 2
    torch.testing.assert_close(cosines, expected, atol=2e-3, rtol=0)
    width = full.resolution()
    assert width[0] == pytest.approx(width[1], rel=1e-6)
    assert j0(math.pi * width[0]) ** 4 == pytest.approx(0.5, abs=1e-3)
    # Eight antennas are not a ring; and a narrow band tells nothing about the distance.
    few = ring(2, 2, radius=300.0, side=2.0, pixels=(5, 5)).resolution()
    assert few[0] != pytest.approx(width[0], rel=0.1)
    narrow = line(1, 1, length=1.0, distance=50.0, side=2.0, pixels=(5, 5)).resolution()
    assert narrow[1] == math.inf


def test_bandwidth_resolves_distance():
    """With one antenna and a band of width b, half of the power lies 0.443/b apart, back and forth
    taken together."""
    frequencies = torch.linspace(0.8, 1.2, 65).tolist()
    radar = line(
        1, 1, length=1.0, distance=500.0, side=4.0, pixels=(5, 5), frequencies=frequencies,
        layout="monostatic",
    )  # fmt: skip
    # A sum of n waves over the band is a sinc, whose square is ½ at 0.443/band each way.
    assert radar.resolution()[1] == pytest.approx(0.443 / 0.4, rel=0.02)


def test_degrees_of_freedom_are_singular_values_above_the_noise():
    geometry = small()
    s = geometry.singular_values()
    torch.testing.assert_close(s, torch.linalg.svdvals(geometry.operator(FINE).A))
    for snr in (-10.0, 0.0, 20.0, 40.0):
        noise = 36 / 64 * 10 ** (-snr / 10)
        assert geometry.degrees_of_freedom(snr) == int((s.square() > noise).sum())
    counts = [geometry.degrees_of_freedom(snr) for snr in (-10, 0, 20, 40, 200)]
    assert counts == sorted(counts)
    assert counts[-1] == 36
    assert counts[0] < 10


def test_the_image_of_a_point_is_a_column_of_the_gram_matrix():
    geometry = small()
    A = geometry.operator(FINE).A
    column = (A.mH @ A)[:, 8].abs()
    torch.testing.assert_close(geometry.point_spread(8), (column / column[8]).reshape(6, 6))
    middle = geometry.point_spread()
    assert middle[3, 3] == middle.max() == 1


def test_a_drawing_shows_where_everything_is():
    figure, (left, right) = plt.subplots(1, 2)
    small().draw(left)
    assert left.get_legend_handles_labels()[1] == ["scene", "transmitters", "receivers"]
    assert left.get_xlabel() == "x, wavelengths"
    transmitters, receivers = left.lines
    assert len(transmitters.get_xdata()) == 4
    assert max(receivers.get_xdata()) == pytest.approx(9)
    assert left.patches[0].get_width() == 4
    planar((3, 3), lengths=(2.0, 2.0), distance=5.0, side=4.0, pixels=(6, 6)).draw(right)
    assert right.get_legend_handles_labels()[1] == ["scene", "antennas"]
    plt.close(figure)
    assert small().draw().get_ylabel() == "y, wavelengths"


TWO = torch.tensor([[9.0, 0.0], [0.0, 9.0]])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"transmitters": torch.zeros(2, 4)}, r"^transmitters has shape \(2, 4\)"),
        ({"receivers": torch.full((2, 2), math.nan)}, "^receivers has shape"),
        ({"receivers": torch.ones(2, 3)}, r"^receivers has shape \(2, 3\), transmitters"),
        ({"receivers": torch.ones(2, 2, dtype=torch.int64)}, "^receivers has shape"),
        ({"side": 0.0}, "^side is 0"),
        ({"pixels": (3,)}, r"^pixels is \(3,\)"),
        ({"pixels": (3, True)}, "^pixels is"),
        ({"pixels": (10**6, 10**6)}, "^pixels is"),
        ({"frequencies": ()}, r"^frequencies is \(\)"),
        ({"frequencies": (1.0, -1.0)}, "^frequencies is -1"),
        ({"layout": "bistatic"}, "^layout is 'bistatic'"),
        ({"layout": "monostatic"}, "^receivers are not the transmitters"),
        ({"transmitters": torch.zeros(1, 2)}, "^transmitters has an antenna in the middle"),
    ],
)
def test_what_is_no_geometry_is_refused(change, sentence):
    good = {"transmitters": TWO, "receivers": TWO[:1], "side": 4.0, "pixels": (3, 3)}
    Geometry(**good)
    with pytest.raises(ValueError, match=sentence):
        Geometry(**good | change)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ring(0, 4, radius=9.0, side=4.0, pixels=(3, 3)), "^transmitters is 0"),
        (lambda: ring(4, 4, radius=-9.0, side=4.0, pixels=(3, 3)), "^radius is -9"),
        (
            lambda: line(2, 2, length=1.0, distance=1.0, side=4.0, pixels=(3, 3)),
            r"^distance is 1\.0; more than side/2 = 2\.0",
        ),
        (
            lambda: planar((2,), lengths=(1.0, 1.0), distance=5.0, side=4.0, pixels=(3, 3)),
            "^antennas is",
        ),
        (lambda: small().operator(torch.float32), "^dtype is torch.float32; a complex"),
        (lambda: small().response(torch.zeros(2, 3)), r"^points has shape \(2, 3\)"),
        (lambda: small().point_spread(36), "^pixel is 36"),
        (lambda: small().degrees_of_freedom(math.nan), "^snr is nan"),
    ],
)
def test_bad_calls_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
