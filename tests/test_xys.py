"""XYS: the drawn face. Every factor shows, in the pixels where it should and in no others."""

import hashlib

import numpy as np
import pytest
import torch

from benchmarks.gaze import eye_crops, r_squared
from mrvae_lib.config import load_config
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.data.xys import FACTORS, FILE
from mrvae_lib.training.loop import train
from tests.conftest import History
from tools.draw_xys import View, eye_boxes

SIZES = (15, 10, 6)
DIGESTS = {
    ("xys", "train"): "7cf168a9f3c1a6accda90da437a2db99f09f09adc563646e73ed26a922bbccfb",
    ("xys", "test"): "d1e0f32980c01fc0a133be677a624d79f15deca58e7a616f9262ea0eb1540855",
    ("xys-full", "train"): "230393ef3c3d30fe90fa3fd2e51ea9fab54b874455b4b9e8b077ea18dd34e36d",
    ("xys-full", "test"): "51f726890f1c18c9fd55a09dd23e2c549b3a65815bc6ddbae6a1243972a4b16a",
    ("xys-256", "train"): "cdbf2e2041eb6026978fd3aad1ad9736a8cd8e2f249993bea701057887909d32",
    ("xys-256", "test"): "8e93b5822d01690d45072a7b16d677c7c4c796b60cf42770711617ba53d94241",
}
"""Of the images' bytes, as they were when the shipped results were made."""


@pytest.fixture(scope="module")
def splits():
    return load_dataset("xys", "train"), load_dataset("xys", "test")


@pytest.fixture(scope="module")
def drawn(splits):
    """All 900 stacks, (x and y, scale, 3, 64, 64)."""
    return in_order(*splits)


def in_order(*splits):
    images, factors = (torch.cat([getattr(each, name) for each in splits]) for name in ("images", "factors"))
    numbers = (factors[:, 0] * SIZES[1] + factors[:, 1]) * SIZES[2] + factors[:, 2]
    return images[numbers.argsort()].reshape(-1, SIZES[2], *images.shape[1:])


@pytest.mark.parametrize(("name", "split"), DIGESTS)
def test_the_images_have_a_known_digest(name, split):
    assert hashlib.sha256(load_dataset(name, split).take().numpy().tobytes()).hexdigest() == DIGESTS[name, split]


def test_every_combination_of_factors_is_in_exactly_one_split_and_looks_like_no_other(splits, drawn):
    assert (len(splits[0]), len(splits[1])) == (720, 180)
    together = torch.cat([each.factors for each in splits])
    assert len(together.unique(dim=0)) == len(together) == 15 * 10 * 6
    assert tuple(map(len, FACTORS.values())) == SIZES
    assert len(drawn[:, :, 0].reshape(-1, 64 * 64).unique(dim=0)) == 900


def test_a_stack_is_the_full_image_then_the_two_eyes(splits):
    stacked, full = splits[1], load_dataset("xys-full", "test")
    assert stacked.image_shape == (3, 64, 64)
    assert torch.equal(stacked.images[:, :1], full.images)
    assert torch.equal(stacked.factors, full.factors)
    assert stacked.factor_names == full.factor_names == tuple(FACTORS) == ("x", "y", "scale")


@pytest.mark.parametrize("side", [64, 256])
def test_the_tool_draws_what_the_file_holds(side):
    """Give or take a grey level, since another processor may round otherwise."""
    x, y, scale = 4, 7, 5
    face = View.of_everything(FACTORS["scale"][scale], side).looking(FACTORS["x"][x], FACTORS["y"][y])
    eye = View.of_eye(-1, side).looking(FACTORS["x"][x], FACTORS["y"][y])
    with np.load(FILE) as kept:
        for drawn, held in ((face, kept[f"faces_{side}"][..., (x * 10 + y) * 6 + scale]),
                            (eye, kept[f"eyes_{side}"][0, ..., x * 10 + y])):
            assert np.abs(drawn.astype(int) - held).max() <= 1


def test_gaze_changes_pixels_inside_the_eye_boxes_and_nowhere_else(drawn):
    at_256 = in_order(load_dataset("xys-256"), load_dataset("xys-256", "test"))
    for images, side in ((drawn[:, :, 0], 64), (at_256[:, :, 0], 256)):
        for scale, width in enumerate(FACTORS["scale"]):
            changes = (images[:, scale] != images[0, scale]).any(dim=0)
            in_boxes = torch.zeros(side, side, dtype=torch.bool)
            for left, top, right, bottom in eye_boxes(width, side):
                assert changes[top:bottom, left:right].any()
                in_boxes[top:bottom, left:right] = True
            assert not (changes & ~in_boxes).any()


def test_an_eye_patch_shows_gaze_and_not_distance(drawn):
    patches = drawn[:, :, 1:]
    assert torch.equal(patches, patches[:, :1].expand_as(patches))
    assert len(patches[:, 0, 0].flatten(1).unique(dim=0)) == len(patches[:, 0, 1].flatten(1).unique(dim=0)) == 150


def test_the_head_is_as_wide_as_its_scale_says_on_a_background_of_grey_64():
    test = load_dataset("xys-256", "test")
    assert (FACTORS["scale"][0], FACTORS["scale"][-1]) == (58, 91)
    for scale, width in ((0, 58), (5, 91)):
        image = test.images[test.factors[:, 2] == scale][0, 0]
        row = round(106 - 0.25 * width)  # below the eyes, above the earlobes' end
        skin = torch.nonzero(image[row] != 64).flatten()
        assert 1.0 * width <= int(skin[-1] - skin[0]) + 1 <= 1.25 * width  # ears stand out by up to a quarter
        assert abs(float(skin[0] + skin[-1]) / 2 - 127.5) <= 1
        assert (image[:20, :20] == 64).all()
        assert len(image.unique()) > 150


def test_gaze_can_be_read_off_true_eye_crops_and_scale_off_full_images_of_combinations_never_seen(splits):
    crops, full = [eye_crops(each) for each in splits], [each.floats()[:, :1] for each in splits]
    for factor, pixels in ((0, crops), (1, crops), (2, full)):  # measured: 0.996, 0.997 and 1.000
        assert r_squared(pixels, splits, factor) > 0.99


def test_gaze_can_be_read_off_eye_patches_of_gazes_never_seen(drawn):
    gazes = torch.cartesian_prod(torch.arange(SIZES[0]), torch.arange(SIZES[1]))
    patches = ImageSet("patches", drawn[:, 0, 1:], factors=gazes)  # at one scale: at the others they are the same
    order = torch.randperm(len(gazes), generator=torch.Generator().manual_seed(0))
    sets = patches.subset(order[:120]), patches.subset(order[120:])
    assert min(r_squared([each.floats() for each in sets], sets, factor) for factor in (0, 1)) > 0.99  # measured: 0.9996


def test_gaze_makes_less_than_a_thirtieth_of_what_varies_in_the_full_image(drawn):
    pixels = drawn[:, :, 0].double()
    share = pixels.var(dim=0, unbiased=False).mean(dim=0).sum() / pixels.flatten(0, 1).var(dim=0, unbiased=False).sum()
    assert 0.005 < share < 0.03  # measured: 0.015 of the variance


def test_training_on_xys_lowers_the_reconstruction_by_500_nats(splits):
    settings = ["model.hidden=[8,8,8,8,32]", "train.epochs=4", "train.batch_size=32", "train.lr=3e-3",
                "train.device=cpu", "model.likelihood=bernoulli"]
    history = History()
    train(load_config("xys", overrides=settings), images=splits[0], callbacks=[history])
    assert history.rows[-1]["reconstruction"] < history.rows[0]["reconstruction"] - 500  # measured: 8,190 to 7,493
