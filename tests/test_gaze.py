"""XYS: the drawn face. Every factor shows, in the pixels where it should and in no others."""

import hashlib

import pytest
import torch
from sklearn.linear_model import LinearRegression

from mrvae_lib.config import load_config
from mrvae_lib.data import load_dataset
from mrvae_lib.data.gaze import (
    FACTOR_NAMES,
    FACTOR_SIZES,
    FACTOR_VALUES,
    all_factors,
    eye_boxes,
    eye_crops,
    factor_values,
    gaze_images,
    render,
)
from mrvae_lib.training.loop import Callback, train

SCALES = torch.arange(FACTOR_SIZES[2])


@pytest.fixture(scope="module")
def splits():
    return load_dataset("xys", "train"), load_dataset("xys", "test")


@pytest.fixture(scope="module")
def drawn(splits):
    """All 900 stacks, (scale, x and y, 3, 64, 64)."""
    images, factors = (torch.cat([getattr(each, name) for each in splits]) for name in ("images", "factors"))
    numbers = (factors[:, 2] * FACTOR_SIZES[0] + factors[:, 0]) * FACTOR_SIZES[1] + factors[:, 1]
    return images[numbers.argsort()].reshape(FACTOR_SIZES[2], -1, 3, 64, 64)


def r2(train_pixels, train_values, test_pixels, test_values):
    """R^2 on held-out images of a linear regression from pixels."""
    fitted = LinearRegression().fit(train_pixels.flatten(1).float() / 255, train_values)
    return fitted.score(test_pixels.flatten(1).float() / 255, test_values)


def test_every_combination_of_factors_is_in_exactly_one_split(splits):
    train_images, test_images = splits
    assert (len(train_images), len(test_images)) == (720, 180)
    together = torch.cat([train_images.factors, test_images.factors])
    assert torch.equal(together.unique(dim=0), all_factors())
    assert len(together) == len(all_factors()) == 15 * 10 * 6


def test_a_stack_is_the_full_image_then_the_two_eyes(splits):
    stacked, full = splits[1], load_dataset("xys-full", "test")
    assert stacked.image_shape == (3, 64, 64)
    assert full.image_shape == (1, 64, 64)
    assert torch.equal(stacked.images[:, :1], full.images)
    assert torch.equal(stacked.factors, full.factors)
    assert stacked.factor_names == full.factor_names == FACTOR_NAMES == ("x", "y", "scale")


@pytest.mark.parametrize("side", [64, 128, 256])
def test_the_same_factors_are_the_same_bytes_whatever_is_drawn_beside_them(side):
    pair = all_factors()[[3, 417]]
    images = render(pair, side=side, stacked=True)
    again = render(pair.flip(0), side=side, stacked=True).flip(0)
    assert images.shape == (2, 3, side, side)
    assert hashlib.sha256(images.numpy().tobytes()).digest() == hashlib.sha256(again.numpy().tobytes()).digest()


def test_one_seed_is_one_split_and_another_seed_another(splits):
    other, again = (gaze_images("test", stacked=False, seed=seed) for seed in (4, 0))
    assert len(other) == 180
    assert torch.equal(again.factors, splits[1].factors)
    assert not torch.equal(other.factors, again.factors)


def test_gaze_changes_pixels_inside_the_eye_boxes_and_nowhere_else(drawn):
    for scale, images in zip(SCALES, drawn[:, :, 0], strict=True):
        changes = (images != images[0]).any(dim=0)
        in_boxes = torch.zeros(64, 64, dtype=torch.bool)
        for left, top, right, bottom in eye_boxes(torch.tensor([[0, 0, scale]]))[0].tolist():
            assert changes[top:bottom, left:right].any()
            in_boxes[top:bottom, left:right] = True
        assert not (changes & ~in_boxes).any()


def test_at_full_size_too_gaze_stays_inside_the_eye_boxes():
    corners = torch.tensor([[x, y, 5] for x in (0, 14) for y in (0, 9)])
    images = render(corners, side=256)[:, 0]
    changes = torch.nonzero((images != images[0]).any(dim=0))
    right_eye, left_eye = eye_boxes(corners[:1], side=256)[0].tolist()
    assert len(changes) > 400
    for row, column in changes.tolist():
        assert any(left <= column < right and top <= row < bottom for left, top, right, bottom in (right_eye, left_eye))


def test_no_two_of_the_900_images_are_equal(drawn):
    assert len(drawn[:, :, 0].reshape(-1, 64 * 64).unique(dim=0)) == 900


def test_an_eye_patch_shows_gaze_and_not_distance():
    near_and_far = render(torch.tensor([[4, 7, 0], [4, 7, 5], [5, 7, 5], [4, 6, 5]]), stacked=True)
    assert torch.equal(near_and_far[0, 1:], near_and_far[1, 1:])
    for other in (2, 3):
        assert (near_and_far[1, 1:] != near_and_far[other, 1:]).flatten(1).any(dim=1).all()


def test_the_head_is_as_wide_as_its_scale_says():
    far, near = FACTOR_VALUES["scale"][0], FACTOR_VALUES["scale"][-1]
    assert (far, near) == (58, 91)
    images = render(torch.tensor([[7, 5, 0], [7, 5, 5]]), side=256)[:, 0]
    for image, width in zip(images, (far, near), strict=True):
        row = round(106 - 0.25 * width)  # below the eyes, above the earlobes' end
        skin = torch.nonzero(image[row] != 64).flatten()
        assert 1.0 * width <= int(skin[-1] - skin[0]) + 1 <= 1.25 * width  # ears stand out by up to a quarter
        assert abs(float(skin[0] + skin[-1]) / 2 - 127.5) <= 1


def test_the_background_is_grey_64_and_the_face_has_many_shades():
    image = render(torch.tensor([[7, 5, 5]]), side=256)[0, 0]
    assert (image[:20, :20] == 64).all()
    assert len(image.unique()) > 150


def test_gaze_can_be_read_off_true_eye_crops_of_combinations_never_seen(splits):
    train_images, test_images = splits
    crops = [eye_crops(each.images[:, :1], each.factors) for each in splits]
    for factor in (0, 1):  # measured: 0.996 and 0.997
        assert r2(crops[0], train_images.factors[:, factor], crops[1], test_images.factors[:, factor]) > 0.99


def test_gaze_can_be_read_off_eye_patches_of_gazes_never_seen(drawn):
    patches = drawn[0, :, 1:]  # at one scale: at the others they are the same
    gazes = torch.cartesian_prod(torch.arange(FACTOR_SIZES[0]), torch.arange(FACTOR_SIZES[1]))
    order = torch.randperm(len(gazes), generator=torch.Generator().manual_seed(0))
    seen, unseen = order[:120], order[120:]
    scores = [r2(patches[seen], gazes[seen, factor], patches[unseen], gazes[unseen, factor]) for factor in (0, 1)]
    assert min(scores) > 0.99  # measured: 0.9996 for both


def test_scale_can_be_read_off_full_images_of_combinations_never_seen(splits):
    train_images, test_images = splits
    assert r2(train_images.images[:, :1], train_images.factors[:, 2],  # measured: 1.000
              test_images.images[:, :1], test_images.factors[:, 2]) > 0.99


def test_gaze_makes_less_than_a_thirtieth_of_what_varies_in_the_full_image(drawn):
    pixels = drawn[:, :, 0].double()
    share = pixels.var(dim=1, unbiased=False).mean(dim=0).sum() / pixels.flatten(0, 1).var(dim=0, unbiased=False).sum()
    assert 0.005 < share < 0.03  # measured: 0.015 of the variance


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([[15, 0, 0]], r"^factor x must be 0\.\.14, got 15$"),
        ([[0, 0, 0], [0, -1, 0]], r"^factor y must be 0\.\.9, got -1$"),
        ([[0, 0, 6]], r"^factor scale must be 0\.\.5, got 6$"),
        ([[0, 0]], r"factors must be whole numbers \(N, 3\): x, y, scale; got torch.int64 \(1, 2\)"),
        ([[0.5, 0, 0]], r"factors must be whole numbers \(N, 3\).* got torch.float32"),
    ],
)
@pytest.mark.parametrize("function", [render, eye_boxes, factor_values])
def test_a_factor_that_does_not_exist_is_named_with_its_value_and_range(function, factors, message):
    with pytest.raises(ValueError, match=message):
        function(torch.tensor(factors))


@pytest.mark.parametrize("function", [render, eye_boxes])
def test_a_side_that_does_not_exist_is_named(function):
    with pytest.raises(ValueError, match=r"^side must be 64, 128 or 256, got 100$"):
        function(all_factors()[:1], side=100)


def test_factor_values_are_ordered_and_centred():
    values = factor_values(all_factors())
    assert values.min(dim=0).values.tolist() == [-1, -1, 58]
    assert values.max(dim=0).values.tolist() == [1, 1, 91]
    assert all(list(each) == sorted(each) for each in FACTOR_VALUES.values())


class Losses(Callback):
    def __init__(self):
        self.reconstruction = []

    def on_epoch(self, run, metrics):
        self.reconstruction.append(metrics["reconstruction"])


def test_training_on_xys_lowers_the_reconstruction_by_500_nats(splits):
    settings = ["model.hidden=[8,8,8,8,32]", "train.epochs=4", "train.batch_size=32", "train.lr=3e-3",
                "train.device=cpu", "model.likelihood=bernoulli"]
    losses = Losses()
    train(load_config("xys", overrides=settings), images=splits[0], callbacks=[losses])
    assert losses.reconstruction[-1] < losses.reconstruction[0] - 500  # measured: 8,190 to 7,493
