"""Samples before a judge that knows the classes."""

import pytest
import torch

from benchmarks.samples import Judge, class_samples, prior_samples
from mrvae_lib.analysis.evaluation import encode_set
from mrvae_lib.data import ImageSet
from mrvae_lib.training.loop import train
from tests.conftest import tiny_images, tiny_run

IMAGES = tiny_images(256)
X = IMAGES.floats()


@pytest.fixture(scope="module")
def judge():
    return Judge.of(IMAGES, epochs=50)


def test_a_judge_is_sure_of_real_images_right_about_them_and_unsure_of_a_blend(judge):
    unseen = tiny_images(100, seed=1)
    assert torch.equal(judge.classes(unseen.floats()), unseen.labels)
    assert judge.confidence(X) > 0.95
    assert judge.confidence((X[::2] + X[1::2]) / 2) < 0.8


def test_purity_is_the_share_of_the_commonest_class(judge):
    assert judge.purity(X) == 0.5
    assert judge.purity(X[::2]) == 1
    assert judge.purity(torch.cat([X[:40], X[::2][:20]])) == pytest.approx(40 / 60)


def test_draws_asked_for_a_class_are_purer_than_draws_from_the_prior(judge, generator):
    model = train(tiny_run(epochs=20, lr=0.02), images=IMAGES)
    posterior = encode_set(model, IMAGES)
    for label in (0, 1):
        pictures = class_samples(model, posterior, IMAGES.labels, label, 200, generator)
        assert (judge.classes(pictures) == label).float().mean() > 0.95
    assert judge.purity(prior_samples(model, 200, generator)) < 0.9


def test_a_judge_of_images_without_labels_is_refused():
    with pytest.raises(ValueError, match="plain: a judge needs labels"):
        Judge.of(ImageSet("plain", IMAGES.images))
