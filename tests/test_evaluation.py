"""What a model scores on a set of images, where the answers are known."""

import math

import pytest
import torch

from mrvae_lib.analysis.evaluation import (
    encode_set,
    encoded_examples,
    evaluate,
    informative_latents,
    kmeans_codes,
    majority_accuracy,
    swapped,
)
from tests.conftest import tiny_images, tiny_model


def test_a_code_that_is_the_label_scores_1_and_a_constant_code_the_largest_class():
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    assert majority_accuracy(labels, labels, labels, labels) == 1
    assert majority_accuracy(torch.zeros(6).long(), labels, torch.zeros(6).long(), labels) == 0.5


def test_majorities_come_from_training_and_an_unseen_code_is_wrong():
    train_codes, train_labels = torch.tensor([0, 0, 1]), torch.tensor([1, 1, 0])
    assert majority_accuracy(train_codes, train_labels, torch.tensor([0, 1, 5]), torch.tensor([1, 1, 0])) == pytest.approx(1 / 3)


def test_kmeans_finds_two_planted_clusters():
    images = tiny_images(200)
    clusters, again = kmeans_codes(images.images, images.images[:50], n_clusters=2)
    assert majority_accuracy(clusters, images.labels, again, images.labels[:50]) == 1


def test_evaluation_is_the_exact_mean_over_uneven_batches():
    model, images = tiny_model(), tiny_images(2500)
    scores = evaluate(model, images)
    with torch.no_grad():
        posterior = model.encode(images.floats())
        at_mean = model.reconstruction_loss(images.floats(), posterior.mu, posterior.bits[None])[0]
    exact = {"kl_z": posterior.kl_reals().sum(1), "kl_b": posterior.kl_bits().sum(1), "reconstruction_at_mean": at_mean}
    for name, values in exact.items():
        assert scores[name] == pytest.approx(float(values.mean()), rel=1e-5), name
    assert scores["neg_elbo"] == pytest.approx(scores["reconstruction"] + scores["kl_z"] + scores["kl_b"])
    assert scores["information_of_code"] + scores["aggregate_kl"] == pytest.approx(scores["kl_b"], abs=1e-5)


def test_a_model_whose_bit_is_the_label_has_accuracy_1_and_ln_2_of_information():
    images, model = tiny_images(300), tiny_model(n_reals=1, n_bits=1)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.zero_()
        model.encoder[1].weight[0, :32] = 1.0  # brightness of the upper half
        model.encoder[1].weight[1, 32:] = 1.0
        model.encoder[3].weight[2, :2] = torch.tensor([3.0, -3.0])
    scores = evaluate(model, images, images)
    assert scores["code_accuracy"] == 1
    assert scores["information_of_code"] == pytest.approx(math.log(2), abs=1e-3)
    assert scores["codes_used"] == 2


@pytest.mark.parametrize(("n_reals", "n_bits"), [(2, 0), (0, 2)])
def test_evaluation_works_with_either_kind_of_latent_absent(n_reals, n_bits):
    images = tiny_images(50)
    scores = evaluate(tiny_model(n_reals, n_bits), images, images)
    assert (scores["code_accuracy"] is None) == (n_bits == 0)
    assert len(scores["kl_of_real"]) == n_reals
    assert math.isfinite(scores["neg_elbo"])


def test_codes_read_is_the_share_of_pictures_in_which_another_image_s_code_is_seen(monkeypatch):
    images, model = tiny_images(60), tiny_model(n_reals=1, n_bits=2)
    monkeypatch.setattr(model, "decode", lambda z, b: b)
    for sees, share in ((lambda pictures: 2 * pictures - 1, 1), (lambda pictures: 1 - 2 * pictures, 0)):
        monkeypatch.setattr(model, "bit_logits", sees)
        assert evaluate(model, images)["codes_read"] == share
    codes = torch.cat([codes for _, codes in swapped(model, encode_set(model, images))])
    assert torch.equal(codes, encode_set(model, images).bits.roll(1, 0))


def test_informative_reals_come_most_informative_first():
    assert informative_latents([0.05, 1.0, 0.2, 3.0]) == [3, 1, 2]


def test_examples_are_the_codes_of_the_first_images():
    model, images = tiny_model(), tiny_images(30)
    examples = encoded_examples(model, images, n=10)
    posterior = encode_set(model, images)
    torch.testing.assert_close(examples["mu"], posterior.mu[:10])  # another batch size may round otherwise
    assert torch.equal(examples["bits"], posterior.bits[:10])
    assert torch.equal(examples["label"], images.labels[:10])
