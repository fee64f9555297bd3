"""The drawn faces: the same at every call, independent factors, and parts that stay where they belong."""

import pytest
import torch

from benchmarks import faces as drawn
from benchmarks.faces import PARTS, SIDE, WAYS, draw_faces, faces, random_factors

PIXELS = {"hat": 86, "ears": 43, "beard": 97, "tie": 31, "mouth": 24, "glasses": 52, "moustache": 16, "earrings": 16}
"""How many pixels each part changes by more than 8 of 255 on a plain face of middle size: its size."""


def face(*worn, hue=None):
    """One upright face in the middle of the image, in full light, that wears these parts; coloured if it has a hue."""
    middle = [8, 8, 8, 8, 15] + ([] if hue is None else [hue])
    return draw_faces(torch.tensor([[int(part in worn) for part in PARTS] + middle]))[0].int()


@pytest.fixture
def few(monkeypatch):
    """Splits of 200 and 100 images."""
    monkeypatch.setattr(drawn, "N_IMAGES", {"train": 200, "test": 100})


@pytest.mark.parametrize("colour", [False, True])
def test_a_split_is_the_same_at_every_call_and_not_the_other_split(few, colour):
    train, test = faces("train", colour), faces("test", colour)
    assert (len(train), len(test)) == (200, 100)
    assert test.image_shape == (3 if colour else 1, SIDE, SIDE)
    assert test.factor_names == (*PARTS, *WAYS)[:14 if colour else 13]
    assert torch.equal(faces("test", colour).images, test.images)
    assert torch.equal(draw_faces(test.factors[:9]), test.take(slice(9)))
    assert not torch.equal(train.factors[:100], test.factors)


def test_the_factors_are_independent_and_uniform():
    factors = random_factors(40_000, colour=False, seed=0)
    assert (torch.corrcoef(factors.T.float()) - torch.eye(13)).abs().max() < 0.03  # six standard errors
    for column, size in zip(factors.T, [2] * len(PARTS) + [16] * 5, strict=True):
        counts = torch.bincount(column, minlength=size)
        assert len(counts) == size
        assert (counts / len(factors) * size - 1).abs().max() < 0.15


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_its_size_and_can_always_be_seen(part):
    assert int(((face(part) - face()).abs() > 8).sum()) == pytest.approx(PIXELS[part], abs=3)
    others = [other for other in PARTS if other != part]
    assert int(((face(*PARTS) - face(*others)).abs() > 8).sum()) >= 8


def test_a_part_changes_only_pixels_around_it():
    changed = {part: (face(part) - face()).abs()[0] > 0 for part in PARTS}
    rows, columns = torch.arange(SIDE)[:, None].expand(SIDE, SIDE), torch.arange(SIDE).expand(SIDE, SIDE)
    assert rows[changed["hat"]].max() < rows[changed["moustache"]].min()
    assert rows[changed["tie"]].min() >= rows[changed["mouth"]].max()
    assert rows[changed["glasses"]].max() < rows[changed["mouth"]].min()
    for part in ("mouth", "moustache"):
        assert (columns[changed[part]] - 16).abs().max() <= 5
    for part in ("ears", "earrings"):
        assert (columns[changed[part]] + 0.5 - 16.2).abs().min() >= 4


def test_the_hue_of_cloth_colours_the_hat_and_the_tie_alone():
    changed = (face("hat", "tie", hue=0) - face("hat", "tie", hue=6)).abs().amax(0) > 0
    worn = (face("hat", "tie", hue=0) - face(hue=0)).abs().amax(0) > 0
    assert changed.any()
    assert not (changed & ~worn).any()


def test_no_hue_is_too_bright_for_a_pixel():
    """A tone above 255 would wrap around to nearly black."""
    brightest = torch.stack([face("hat", hue=hue)[:, 8, 16].max() for hue in range(12)])
    assert brightest.min() > 200
