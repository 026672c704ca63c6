"""Scenes have the shapes, sizes and reflectivities that they say."""

import math

import pytest
import torch

from unrolled.sensing.rf import Scenes


def generator():
    return torch.Generator().manual_seed(0)


def test_a_seed_is_a_batch_of_scenes():
    scenes = Scenes((12, 16))
    x = scenes.draw(5, generator())
    assert x.shape == (5, 192)
    assert x.dtype == torch.float32
    assert torch.equal(x, scenes.draw(5, generator()))
    assert len({tuple(row.tolist()) for row in x}) == 5
    assert scenes.draw(2, generator(), torch.float64).dtype == torch.float64


def test_reflectivity_lies_between_what_is_said():
    """Up to the variation, which the rim adds and takes; outside there is nothing."""
    x = Scenes((32, 32), reflectivity=(0.5, 0.8), variation=0.2).draw(200, generator())
    filled = x[x != 0]
    assert filled.min() >= 0.5 * 0.8 - 1e-6
    assert filled.max() <= 0.8 * 1.2 + 1e-6
    assert filled.max() > 0.8  # it does vary
    flat = Scenes((32, 32), shapes=1, variation=0.0).draw(50, generator())
    assert all(len(row[row != 0].unique()) <= 1 for row in flat)
    assert 0.02 < (flat != 0).float().mean() < 0.2


def test_areas_are_those_of_the_shapes():
    """π·a·b for ellipses and 4ab for rectangles, where nothing is cut off or covered."""
    for kind, area in (("ellipse", math.pi), ("rectangle", 4.0)):
        scenes = Scenes((64, 64), shapes=1, kinds=(kind,), sizes=(0.1, 0.1))
        x = scenes.draw(400, generator()).reshape(-1, 64, 64)
        whole = x[:, [0, -1]].abs().sum((1, 2)) + x[:, :, [0, -1]].abs().sum((1, 2)) == 0
        assert whole.sum() > 100
        filled = (x[whole] != 0).sum((1, 2)).float() / 64**2
        torch.testing.assert_close(filled.mean().item(), area * 0.01, rtol=0.02, atol=0)
        assert filled.std() < 0.05 * area * 0.01


def test_points_fill_one_pixel():
    x = Scenes((16, 16), shapes=3, kinds=("point",), variation=0.0).draw(100, generator())
    counts = (x != 0).sum(1)
    assert counts.max() == 3
    assert (counts >= 1).all()


def test_complex_scenes_have_a_phase_for_each_shape():
    x = Scenes((16, 16), shapes=1, complex=True).draw(200, generator())
    assert x.dtype == torch.complex64
    spread = [row[row != 0].angle() for row in x if (row != 0).any()]
    assert all((angle - angle[0]).sin().abs().max() < 1e-5 for angle in spread)
    firsts = torch.stack([angle[0] for angle in spread])
    assert firsts.exp().mean().isfinite()
    assert torch.polar(torch.ones_like(firsts), firsts).mean().abs() < 0.2  # uniform


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"pixels": (0, 4)}, "^pixels is"),
        ({"shapes": 0}, "^shapes is 0"),
        ({"kinds": ("star",)}, "^kinds is 'star'"),
        ({"kinds": "ellipse"}, "^kinds is 'ellipse'"),
        ({"sizes": (0.2, 0.1)}, r"^sizes is \(0\.2, 0\.1\); least ≤ greatest"),
        ({"reflectivity": (0.0, 0.1)}, "^reflectivity is 0"),
        ({"variation": 1.0}, r"^variation is 1\.0; less than 1"),
        ({"complex": 1}, "^complex is 1"),
    ],
)
def test_what_is_no_scene_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        Scenes(**{"pixels": (4, 4)} | change)


def test_bad_draws_are_refused():
    for arguments, sentence in (
        ((0, generator()), "^count is 0"),
        ((10**8, generator()), "^count is"),
        ((3, 0), "^generator is a int"),
        ((3, generator(), torch.int64), "^dtype is torch.int64"),
    ):
        with pytest.raises(ValueError, match=sentence):
            Scenes((4, 4)).draw(*arguments)
    with pytest.raises(ValueError, match="scenes are complex"):
        Scenes((4, 4), complex=True).draw(3, generator(), torch.float32)
