"""Probes of codes that tell a known amount."""

import math

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from mrvae_lib.analysis.probes import information_told, knn_accuracy


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_neighbours_vote_as_those_of_scikit_learn_and_shuffled_labels_score_at_chance(rng):
    labels = rng.integers(4, size=1500)
    codes = rng.normal(size=(1500, 3)) + labels[:, None]
    train, test = slice(0, 1000), slice(1000, None)
    score, shuffled = knn_accuracy(codes[train], labels[train], codes[test], labels[test])
    reference = KNeighborsClassifier(5).fit(codes[train], labels[train]).score(codes[test], labels[test])
    assert score.score == pytest.approx(reference, abs=0.01)  # ties may fall otherwise
    assert shuffled.score == pytest.approx(0.25, abs=0.07)
    assert score.settings == {"n_train": 1000, "n_test": 500, "seed": 0}


def test_a_code_with_known_errors_tells_the_information_of_that_channel(rng):
    target = rng.integers(2, size=20_000)
    code = np.where(rng.random(20_000) < 0.1, 1 - target, target)
    exact = math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)
    for result in (information_told(code, target), information_told(code[:, None] * 1.0, target)):
        assert result.score == pytest.approx(exact, abs=4 * result.standard_error + 0.005)
        assert result.settings["entropy"] == pytest.approx(math.log(2), abs=1e-3)


def test_trees_read_what_a_real_tells_and_noise_tells_nothing(rng):
    hidden = rng.normal(size=15_000)
    target = np.digitize(hidden, [-1, 0, 1])
    noise = rng.normal(size=(15_000, 2))
    told = information_told(np.column_stack([noise, hidden]), target)
    assert told.score == pytest.approx(told.settings["entropy"], abs=0.05)
    assert -0.05 < information_told(noise, target).score < 0.005
    assert -0.01 < information_told(rng.integers(16, size=15_000), target).score < 0.005


def test_a_value_never_seen_in_training_costs_but_does_not_break():
    target = np.arange(60) // 2
    assert math.isfinite(information_told(target[:, None] * 1.0, target).score)
    assert math.isfinite(information_told(target, target).score)
