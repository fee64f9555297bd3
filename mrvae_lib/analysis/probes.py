"""What a code tells of something else, read by a classifier on images it was not fitted to."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.naive_bayes import CategoricalNB
from sklearn.neighbors import KNeighborsClassifier

from mrvae_lib.analysis.metric_result import Array, MetricResult, mean_result, numbered, train_and_test

NEIGHBOURS, N_TRAIN, N_TEST = 5, 10_000, 5_000
"""Images are taken for training and testing in this proportion where there are fewer."""


def knn_accuracy(train: Array, train_labels: Array, test: Array, test_labels: Array) -> list[MetricResult]:
    """Accuracy of the most frequent label among the 5 training images nearest in z, and the same with shuffled labels.

    The second is chance, with all that the neighbours have in common kept. Of labels equally frequent among the
    neighbours the smallest wins. Of more than 10,000 training images as many are drawn, seed 0.

    Args:
        train, test: (N, D >= 1) means of z, finite; distance is Euclidean.
        train_labels, test_labels: (N,) integers.
    """
    rng = np.random.default_rng(0)
    kept = rng.permutation(len(train))[:N_TRAIN]
    known = np.column_stack([train_labels[kept], rng.permutation(train_labels[kept])])
    model = KNeighborsClassifier(min(NEIGHBOURS, len(kept))).fit(train[kept], known)
    right = model.predict(test) == test_labels[:, None]
    settings = {"n_train": len(kept), "n_test": len(test), "seed": 0}
    names = ("5-NN accuracy, from z", "5-NN accuracy, labels shuffled, from z")
    return [mean_result(name, column, settings) for name, column in zip(names, right.T, strict=True)]


def information_told(codes: Array, target: Array, *, categorical: bool = False) -> MetricResult:
    """What codes tell of a target, nats per image: by how much they sharpen a prediction on held-out images.

    The mean of ln q(y | code) - ln q(y), q fitted on training images: gradient-boosted trees on histograms, or, for
    category numbers, the frequencies in each category. In expectation a lower bound of mutual information, as tight as
    the fit is good; a little below 0 where codes tell nothing.

    Args:
        codes: (N, D), or (N,) integers if categorical.
        target: (N,) integers.
    Returns:
        `settings["entropy"]` is that of the target, the most that can be told.

    Source: predictive V-information of Xu et al., A Theory of Usable Information (2020); the bound of Barber and
    Agakov (2003).
    """
    train, test, settings = train_and_test(len(codes), N_TRAIN, N_TEST, seed=0)
    y = numbered(target)
    share = (np.bincount(y[train], minlength=y.max() + 1) + 1) / (len(train) + y.max() + 1)
    if categorical:
        codes = numbered(codes)[:, None]
        model = CategoricalNB(alpha=1 / len(share), min_categories=int(codes.max()) + 1)
        floor = 0.0
    else:  # the trees stop when a tenth of the images says so, and 1 part in 100 of the shares keeps them from 0
        model = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=8, early_stopping=len(train) > 500,
                                               n_iter_no_change=3, random_state=0)
        floor = 0.01
    model.fit(codes[train], y[train])
    probs = np.zeros((len(test), len(share)))
    probs[:, model.classes_] = model.predict_proba(codes[test]) if len(model.classes_) > 1 else 1  # of few images
    told = (1 - floor) * probs + floor * share
    gain = np.log(np.maximum(told[np.arange(len(test)), y[test]], 1e-9)) - np.log(share[y[test]])
    return mean_result("information told", gain, {**settings, "entropy": float(-(share * np.log(share)).sum())})
