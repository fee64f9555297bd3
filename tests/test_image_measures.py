"""Measurements of drawn strokes whose slant, thickness, place and size are known."""

import math

import pytest
import torch

from mrvae_lib.analysis.probes import image_measures, levels, targets
from mrvae_lib.data import ImageSet
from tests.conftest import tiny_images


def stroke(*, slant=0.0, thickness=3.0, x=0.0, y=0.0, length=16.0, side=32):
    """A straight stroke of this thickness, sheared to the right by `slant` degrees, with soft edges, (1, 1, H, W)."""
    place = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    down, right = torch.meshgrid(place - y, place - x, indexing="ij")
    shear = math.tan(math.radians(slant))
    across = (right + shear * down).abs() * math.cos(math.radians(slant))
    inside = (thickness / 2 - across + 0.5).clamp(0, 1) * (length / 2 - down.abs() + 0.5).clamp(0, 1)
    return inside[None, None]


@pytest.mark.parametrize("slant", [-40, -15, 0, 15, 40])
def test_slant_is_the_angle_of_a_drawn_stroke_and_positive_to_the_right(slant):
    assert float(image_measures(stroke(slant=slant))["slant"]) == pytest.approx(slant, abs=2)


@pytest.mark.parametrize("slant", [0, 30])
@pytest.mark.parametrize("thickness", [2, 3, 5])
def test_thickness_is_that_of_a_long_stroke_whatever_its_slant(thickness, slant):
    measured = float(image_measures(stroke(thickness=thickness, slant=slant, length=40, side=64))["thickness"])
    assert measured == pytest.approx(thickness, rel=0.2)


def test_place_is_the_centre_and_moves_nothing_else():
    here, there = image_measures(stroke(slant=20)), image_measures(stroke(slant=20, x=3, y=-2))
    assert [float(there[name] - here[name]) for name in ("x", "y")] == pytest.approx([3, -2], abs=0.02)
    for name in ("slant", "thickness", "width", "size"):
        assert float(there[name]) == pytest.approx(float(here[name]), rel=0.03), name


def test_size_grows_with_the_stroke():
    sizes = [float(image_measures(stroke(length=length))["size"]) for length in (8, 12, 16)]
    assert [size / sizes[0] for size in sizes] == pytest.approx([1, 1.5, 2], rel=0.1)


def test_width_grows_with_thickness_and_not_with_slant():
    straight, leaning, thick = (image_measures(stroke(**kind))["width"] for kind in ({}, {"slant": 30}, {"thickness": 6}))
    assert float(leaning) == pytest.approx(float(straight), rel=0.25)
    assert float(thick) > 1.7 * float(straight)


def test_a_black_image_measures_0():
    assert all(float(value) == 0 for value in image_measures(torch.zeros(1, 1, 8, 8)).values())


def test_levels_are_groups_of_equal_size_in_order():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    groups = levels(values, 4)
    assert torch.bincount(groups).tolist() == [250] * 4
    assert values[groups == 0].max() < values[groups == 1].min()
    assert levels(torch.zeros(10)).unique().numel() == 1


def test_what_is_asked_is_the_factors_or_else_the_label_and_what_can_be_measured():
    images = tiny_images(100)
    assert list(targets(images)) == ["label", "slant", "thickness", "x", "y", "width", "size"]
    factors = torch.stack([torch.arange(100) % 4, torch.zeros(100, dtype=torch.int64)], dim=1)
    known = ImageSet("known", images.images, images.labels, factors=factors, factor_names=("turn", "constant"))
    assert list(targets(known)) == ["turn"]
    colour = ImageSet("colour", images.images.expand(-1, 3, -1, -1), images.labels)
    assert list(targets(colour)) == ["label"]
