"""The theorems of the RIP chapter hold for complex matrices, and are swept on them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from unrolled.guarantees.rip import (
    ADAPTIVE_THRESHOLDS,
    CAPON,
    FIXED_THRESHOLDS,
    FIXED_THRESHOLDS_SUPPORT,
    ISOMETRY_THRESHOLDS,
    ISOMETRY_THRESHOLDS_SUPPORT,
)

THEOREMS = (
    FIXED_THRESHOLDS,
    FIXED_THRESHOLDS_SUPPORT,
    ISOMETRY_THRESHOLDS,
    ISOMETRY_THRESHOLDS_SUPPORT,
    ADAPTIVE_THRESHOLDS,
    CAPON,
)
theorems = pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.name)


def complex_instances(theorem, count):
    generator = torch.Generator().manual_seed(5)
    drawn = (theorem.draw(generator) for _ in range(10 * count))
    return [instance for instance in drawn if instance.operator.dtype.is_complex][:count]


@theorems
def test_complex_instances_are_drawn_and_hold(theorem):
    found = complex_instances(theorem, 50)
    assert len(found) == 50
    assert theorem._sweep(found).passed
    for instance in found:
        assert all(
            assumption.holds(instance) for assumption in theorem.assumptions if assumption.holds
        )
        assert all(definition.agrees(instance) for definition in theorem.definitions.values())


@pytest.mark.parametrize("theorem", [FIXED_THRESHOLDS, ISOMETRY_THRESHOLDS], ids=lambda t: t.name)
def test_a_transpose_in_place_of_the_conjugate_breaks_the_bound(theorem):
    found = complex_instances(theorem, 50)
    transposed = [replace(instance, W=instance.W.conj()) for instance in found]
    assert theorem._sweep(transposed).broken


def test_a_conjugated_filter_lets_more_through():
    found = complex_instances(CAPON, 50)
    changed = [replace(instance, w=instance.w.conj()) for instance in found]
    answers = next(a for a in CAPON.assumptions if a.holds)
    assert not all(answers.holds(instance) for instance in changed)
