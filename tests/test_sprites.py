"""dSprites: the same pixels as the original, addressed by number and by factors, and something to train on."""

import hashlib

import numpy as np
import pytest
import torch

from mrvae_lib.analysis.evaluation import encoded_examples, evaluate
from mrvae_lib.analysis.latent_report import untrained
from mrvae_lib.config import load_config
from mrvae_lib.data import load_dataset
from mrvae_lib.data.sprites import FACTORS, SIZES
from mrvae_lib.training.loop import train
from tests.conftest import real_file, tiny_model

N_IMAGES = 737_280
DIGEST = "6b4ddc22a4167093ba0bb7a0f75e332e03a4b63a064196c3eca8edc882cc8ef0"


@pytest.fixture(scope="module")
def sprites():
    return load_dataset("dsprites")


def spread(n):
    """Factors of n images, evenly spread over the set."""
    return torch.stack(torch.unravel_index(torch.arange(n) * (N_IMAGES - 1) // (n - 1), SIZES), dim=1)


def test_fixed_images_are_of_one_shape_and_have_a_known_digest(sprites):
    images = sprites.at(spread(997))
    assert images.shape == (997, 1, 64, 64)
    assert hashlib.sha256(images.numpy().tobytes()).hexdigest() == DIGEST
    assert sprites.at(np.zeros((0, 5), dtype=np.uint8)).shape == (0, 1, 64, 64)


def test_at_most_two_of_4096_real_images_differ_and_by_one_pixel(sprites):
    with np.load(real_file("dsprites", "real_sample_4096.npz")) as real:
        index, factors = torch.from_numpy(real["index"]).long(), real["factors"]
        original = torch.from_numpy(np.unpackbits(real["imgs_packed"], axis=1).reshape(-1, 1, 64, 64))
    assert torch.equal(sprites.index(factors), index)
    n_different = ((sprites.take(index) > 0) != (original > 0)).flatten(1).sum(dim=1)
    assert int((n_different > 0).sum()) <= 2
    assert int(n_different.max()) <= 1


def test_the_whole_set_has_the_originals_white_pixels_give_or_take_ten(sprites):
    n_white = sum(int(np.bitwise_count(part.numpy().view(np.uint64)).sum()) for part in sprites.images.split(50_000))
    assert abs(n_white - 128_328_862) <= 10


def test_the_last_orientation_is_the_first(sprites):
    first, last = (spread(50).index_fill(1, torch.tensor(2), turn) for turn in (0, 39))
    assert torch.equal(sprites.at(first), sprites.at(last))


def test_opposite_ends_of_a_position_are_32_pixels_apart(sprites):
    left, right = sprites.at([[2, 3, 7, 0, 16], [2, 3, 7, 31, 16]])
    assert torch.equal(left.roll(32, dims=2), right)


def test_numbers_and_factors_are_two_names_of_one_image(sprites):
    assert torch.equal(sprites.index(sprites.factors), torch.arange(N_IMAGES))
    assert sprites.factors[-1].tolist() == [2, 5, 39, 31, 31]


def test_names_and_values_of_every_factor_are_given(sprites):
    assert sprites.factor_names == tuple(FACTORS) == ("shape", "scale", "orientation", "posX", "posY")
    assert sprites.factor_sizes == SIZES == (3, 6, 40, 32, 32)
    assert FACTORS["scale"] == pytest.approx((0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
    assert sprites.label_names == ("square", "ellipse", "heart")
    assert torch.equal(sprites.labels, sprites.factors[:, 0])


@pytest.mark.parametrize(("factors", "message"), [
    ([[3, 0, 0, 0, 0]], r"factor shape must be 0\.\.2, got 3"),
    ([[0, 0, 0, 0, 0], [0, 0, -1, 0, 0]], r"factor orientation must be 0\.\.39, got -1"),
    ([[0, 0, 0, 0, 32]], r"factor posY must be 0\.\.31, got 32"),
    ([[0, 0, 0, 0]], r"whole numbers \(N, 5\): shape, scale, .*got int64 \(1, 4\)"),
    ([[0.5, 0, 0, 0, 0]], r"whole numbers \(N, 5\).*got float64"),
])
def test_factors_out_of_range_are_named(sprites, factors, message):
    for draw in (sprites.at, sprites.index):
        with pytest.raises(ValueError, match=message):
            draw(factors)


def test_the_first_images_come_from_all_over_the_set(sprites):
    few = sprites.first(300)
    assert (len(few), few.image_shape) == (300, (1, 64, 64))
    assert torch.bincount(few.labels).min() > 60
    assert torch.equal(few.take(), sprites.at(few.factors))
    assert torch.equal(few.take(), sprites.first(400).first(300).take())


def test_train_and_test_are_one_set_in_the_same_memory(sprites):
    assert load_dataset("dsprites", "test") is sprites
    assert sprites.images.nbytes == N_IMAGES * 512


def test_a_large_set_is_scored_on_a_part_that_the_scores_state(sprites, monkeypatch):
    monkeypatch.setattr("mrvae_lib.analysis.evaluation.MAX_SCORED_PIXELS", 200 * 64 * 64)
    model = tiny_model(2, 2, shape=(1, 64, 64))
    scores = evaluate(model, sprites, sprites)
    assert scores["n_images"] == 200
    assert 1 / 3 <= scores["code_accuracy"] <= 1
    assert len(encoded_examples(model, sprites)["label"].unique()) == 3


def test_a_short_training_run_halves_the_reconstruction_error(sprites):
    config = load_config("dsprites", quick=True, overrides=[
        "data.limit=2000", "model.hidden=[4,8,8,64]", "train.epochs=2", "train.batch_size=25", "train.lr=3e-3",
        "train.precision=fp32", "train.device=cpu", "objective.estimator=concrete", "objective.lambda_consistency=0"])
    images, trained = sprites.first(100), train(config, images=sprites)
    before, after = (evaluate(model, images)["reconstruction_at_mean"] for model in (untrained(trained), trained))
    assert after < 0.5 * before
