"""What a code tells of something else, read by a classifier on images it was not fitted to."""

from __future__ import annotations

import numpy as np

from mrvae_lib.analysis.metric_result import Array, MetricResult, binomial_error, numbered, train_and_test


def knn_accuracy(train: Array, train_labels: Array, test: Array, test_labels: Array, *, k: int = 5,
                 n_train: int = 10_000, seed: int = 0) -> tuple[MetricResult, MetricResult]:
    """Accuracy of the most frequent label among the k nearest training images, and the same with shuffled labels.

    The second is chance, with all that the neighbours have in common kept.

    Args:
        train, test: (N, D >= 1), finite; distance is Euclidean.
        train_labels, test_labels: (N,) integers.
        k: neighbours; of labels equally frequent among them the smallest wins.
        n_train: training images kept, drawn without replacement.
    """
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(train))[:n_train]
    known = np.column_stack([train_labels[kept], rng.permutation(train_labels[kept])])
    model = KNeighborsClassifier(min(k, len(kept))).fit(train[kept], known)
    shares = (model.predict(test) == test_labels[:, None]).mean(axis=0).tolist()
    settings = {"k": model.n_neighbors, "n_train": len(kept), "n_test": len(test), "seed": seed}
    right, chance = (MetricResult(f"{k}-NN accuracy{of}", share, settings, binomial_error(share, len(test)))
                     for of, share in zip(("", ", labels shuffled"), shares, strict=True))
    return right, chance


def information_told(codes: Array, target: Array, *, categorical: bool = False, n_train: int = 10_000,
                     n_test: int = 5_000, rounds: int = 100, seed: int = 0) -> MetricResult:
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
    train, test = train_and_test(len(codes), n_train, n_test, np.random.default_rng(seed))
    y = numbered(target)
    share = (np.bincount(y[train], minlength=y.max() + 1) + 1) / (len(train) + y.max() + 1)
    if categorical:
        group = numbered(codes)
        counts = np.zeros((group.max() + 1, len(share)))
        np.add.at(counts, (group[train], y[train]), 1)
        probs = ((counts + share) / (counts.sum(axis=1, keepdims=True) + 1))[group[test]]
        reader: dict[str, object] = {"read_by": "frequencies"}
    else:
        probs = _tree_probs(codes[train], y[train], codes[test], share, rounds, seed)
        reader = {"read_by": "HistGradientBoostingClassifier", "rounds": f"at most {rounds}"}
    gain = np.log(np.maximum(probs[np.arange(len(test)), y[test]], 1e-9)) - np.log(share[y[test]])
    return MetricResult("information told", float(gain.mean()),
                        {**reader, "entropy": float(-(share * np.log(share)).sum()),
                         "n_train": len(train), "n_test": len(test), "seed": seed},
                        float(gain.std() / np.sqrt(len(gain))))


def _tree_probs(train: Array, y: Array, test: Array, share: Array, rounds: int, seed: int) -> Array:
    """(N, classes): trees until a tenth of the images says stop, and 1 part in 100 of the shares, so none is 0."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(max_iter=rounds, max_leaf_nodes=8, early_stopping=len(train) > 500,
                                           n_iter_no_change=3, random_state=seed)
    trees.fit(train, y)
    probs = np.zeros((len(test), len(share)))
    probs[:, trees.classes_] = trees.predict_proba(test)
    return 0.99 * probs + 0.01 * share
