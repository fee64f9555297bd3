"""The drawn faces: the same at every call, independent factors, and parts that stay where they belong."""

import pytest
import torch

from mrvae_lib import load_dataset
from mrvae_lib.data import faces as drawn
from mrvae_lib.data.faces import PARTS, SIDE, WAYS, draw_faces, random_factors

PIXELS = {"hat": 86, "ears": 43, "beard": 97, "tie": 31, "mouth": 24, "glasses": 52, "moustache": 16, "earrings": 16}
"""How many pixels each part changes by more than 8 of 255 on a plain face of middle size: its size."""


def face(*worn, hue=None):
    """One upright face in the middle of the image, in full light, that wears these parts; coloured if it has a hue."""
    middle = [8, 8, 8, 8, 15] + ([] if hue is None else [hue])
    return draw_faces(torch.tensor([[int(part in worn) for part in PARTS] + middle]))[0].int()


@pytest.mark.parametrize(("name", "colour"), [("faces", False), ("faces-colour", True)])
def test_a_split_is_the_same_at_every_call_and_not_the_other_split(monkeypatch, name, colour):
    monkeypatch.setitem(drawn.N_IMAGES, "train", 200)
    monkeypatch.setitem(drawn.N_IMAGES, "test", 100)
    train, test = load_dataset(name, "train"), load_dataset(name, "test")
    assert test.images.shape == (100, 3 if colour else 1, SIDE, SIDE)
    assert test.factor_names == (*PARTS, *WAYS)[:14 if colour else 13]
    assert torch.equal(load_dataset(name, "test").images, test.images)
    assert torch.equal(draw_faces(test.factors[:9]), test.take(slice(9)))
    assert not torch.equal(train.factors[:100], test.factors)


def test_the_factors_are_independent_and_uniform():
    factors = random_factors(40_000, colour=False, seed=0)
    assert (torch.corrcoef(factors.T.float()) - torch.eye(13)).abs().max() < 0.03  # six standard errors
    for column, size in zip(factors.T, [2] * len(PARTS) + [16] * 5, strict=True):
        assert (torch.bincount(column) / len(factors) - 1 / size).abs().max() < 0.01


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_its_size_and_can_always_be_seen(part):
    assert int(((face(part) - face()).abs() > 8).sum()) == pytest.approx(PIXELS[part], abs=3)
    assert int(((face(*PARTS) - face(*set(PARTS) - {part})).abs() > 8).sum()) >= 8


def test_a_part_changes_only_pixels_around_it():
    changed = {part: (face(part) - face()).abs()[0] > 0 for part in PARTS}
    rows = {part: pixels.any(dim=1).nonzero() for part, pixels in changed.items()}
    columns = {part: (pixels.any(dim=0).nonzero() + 0.5 - 16.2).abs() for part, pixels in changed.items()}
    assert rows["hat"].max() < rows["moustache"].min()
    assert rows["glasses"].max() < rows["mouth"].min() <= rows["mouth"].max() <= rows["tie"].min()
    assert max(columns["mouth"].max(), columns["moustache"].max()) < 6
    assert min(columns["ears"].min(), columns["earrings"].min()) > 4


def test_the_hue_of_cloth_colours_the_hat_and_the_tie_alone():
    changed = (face("hat", "tie", hue=0) - face("hat", "tie", hue=6)).abs().amax(0) > 0
    worn = (face("hat", "tie", hue=0) - face(hue=0)).abs().amax(0) > 0
    assert changed.any()
    assert not (changed & ~worn).any()


def test_no_hue_is_too_bright_for_a_pixel():
    """A tone above 255 would wrap around to nearly black."""
    assert min(face("hat", hue=hue)[:, 8, 16].max() for hue in range(12)) > 200
