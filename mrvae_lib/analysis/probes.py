"""What a code tells of something else, read by a classifier on images it was not fitted to."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.naive_bayes import CategoricalNB
from sklearn.neighbors import KNeighborsClassifier

from mrvae_lib.analysis.metric_result import Array, MetricResult, binomial_error, numbered, train_and_test

NEIGHBOURS = 5


def knn_accuracy(train: Array, train_labels: Array, test: Array, test_labels: Array, *, n_train: int = 10_000,
                 seed: int = 0) -> list[MetricResult]:
    """Accuracy of the most frequent label among the 5 training images nearest in z, and the same with shuffled labels.

    The second is chance, with all that the neighbours have in common kept. Of labels equally frequent among the
    neighbours the smallest wins.

    Args:
        train, test: (N, D >= 1) means of z, finite; distance is Euclidean.
        train_labels, test_labels: (N,) integers.
        n_train: training images kept, drawn without replacement.
    """
    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(train))[:n_train]
    known = np.column_stack([train_labels[kept], rng.permutation(train_labels[kept])])
    model = KNeighborsClassifier(min(NEIGHBOURS, len(kept))).fit(train[kept], known)
    shares = (model.predict(test) == test_labels[:, None]).mean(axis=0).tolist()
    settings = {"n_train": len(kept), "n_test": len(test), "seed": seed}
    names = ("5-NN accuracy, from z", "5-NN accuracy, labels shuffled, from z")
    return [MetricResult(name, share, settings, binomial_error(share, len(test)))
            for name, share in zip(names, shares, strict=True)]


def information_told(codes: Array, target: Array, *, categorical: bool = False, n_train: int = 10_000,
                     n_test: int = 5_000, seed: int = 0) -> MetricResult:
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
    train, test, settings = train_and_test(len(codes), n_train, n_test, seed)
    y = numbered(target)
    share = (np.bincount(y[train], minlength=y.max() + 1) + 1) / (len(train) + y.max() + 1)
    if categorical:
        codes = numbered(codes)[:, None]
        model = CategoricalNB(alpha=1 / len(share), min_categories=int(codes.max()) + 1)
        floor = 0.0
    else:  # the trees stop when a tenth of the images says so, and 1 part in 100 of the shares keeps them from 0
        model = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=8, early_stopping=len(train) > 500,
                                               n_iter_no_change=3, random_state=seed)
        floor = 0.01
    model.fit(codes[train], y[train])
    probs = np.zeros((len(test), len(share)))
    probs[:, model.classes_] = model.predict_proba(codes[test])
    told = (1 - floor) * probs + floor * share
    gain = np.log(np.maximum(told[np.arange(len(test)), y[test]], 1e-9)) - np.log(share[y[test]])
    return MetricResult("information told", float(gain.mean()),
                        {**settings, "entropy": float(-(share * np.log(share)).sum())},
                        float(gain.std() / np.sqrt(len(gain))))
