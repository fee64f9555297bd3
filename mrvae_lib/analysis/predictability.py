"""Scores of how well classifiers read known factors off codes, trained on some images and tested on others.

Inputs and conventions are those of `disentanglement`. Standard errors are over test images, for the classifiers as
fitted.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from mrvae_lib.analysis.linear import one_column_svm, softmax_regression
from mrvae_lib.analysis.scores import (
    GROUPS,
    Array,
    MetricResult,
    checked,
    jackknife_error,
    random_groups,
    rows,
    train_and_test,
)


def sap_score(codes: Array, factors: Array, *, categorical: Collection[int] = (), n_train: int = 10_000,
              n_test: int = 5_000, penalty: float = 0.01, seed: int = 0) -> MetricResult:
    """Separated attribute predictability: accuracy from the best column minus that from the next, mean per factor.

    Accuracies are those of a linear support vector machine on one column; one line per value cannot separate many
    values, so a perfect code stays far below 1 (0.5 for two values) and a slightly turned one may score more. A
    categorical column predicts the most frequent value of each category, weighted as the machine weighs values. With a
    single column the next best is a constant.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
    Returns:
        `matrix` is the accuracy per column and factor.
    Raises:
        ValueError: see `scores.checked` and `scores.train_and_test`.

    Source: Kumar et al., Variational Inference of Disentangled Latent Concepts (2018), discrete factors.
    """
    codes, factors = checked(codes, factors, categorical)
    rng = np.random.default_rng(seed)
    train, test = train_and_test(len(codes), n_train, n_test, rng)
    columns = [codes[:, d] for d in range(codes.shape[1])]
    if len(columns) == 1:
        columns.append(np.zeros(len(codes)))
    right = np.empty((len(test), len(columns), factors.shape[1]), dtype=bool)
    for f in range(factors.shape[1]):
        values, y = np.unique(factors[train, f], return_inverse=True)
        for d, column in enumerate(columns):
            if len(values) == 1:
                guess = np.zeros(len(test), dtype=np.int64)
            elif d in categorical:
                guess = _by_category(column[train], y, column[test])
            else:
                w, b = one_column_svm(column[train], y, penalty=penalty)
                guess = np.argmax(column[test][:, None] * w + b, axis=1)
            right[:, d, f] = values[guess] == factors[test, f]
    groups = random_groups(len(test), rng)
    kept = [np.full(len(test), True), *(groups != g for g in range(min(GROUPS, len(test))))]
    accuracy = np.stack([right[keep].mean(axis=0) for keep in kept])
    ranked = np.sort(accuracy, axis=1)
    gaps = ranked[:, -1] - ranked[:, -2]
    return MetricResult("SAP", float(gaps[0].mean()), float(jackknife_error(gaps[1:].mean(axis=1))),
                        {"classifier": "linear SVM", "penalty": penalty, "n_train": len(train), "n_test": len(test),
                         "categorical": tuple(categorical), "seed": seed},
                        per_factor=tuple(gaps[0].tolist()), matrix=rows(accuracy[0, : codes.shape[1]]))


def _by_category(train: Array, y: Array, test: Array) -> Array:
    """The class of each test category that is the most frequent in it relative to its own frequency."""
    categories, train_category = np.unique(train, return_inverse=True)
    counts = np.zeros((len(categories) + 1, int(y.max()) + 1))
    np.add.at(counts, (train_category.reshape(-1), y), 1)
    best = (counts / counts.sum(axis=0)).argmax(axis=1)
    at = np.minimum(np.searchsorted(categories, test), len(categories) - 1)
    return best[np.where(categories[at] == test, at, len(categories))]


def roc_auc(scores: Array, positive: Array) -> tuple[float, Array]:
    """Area under the ROC curve, and what each image adds to its error.

    Args:
        scores: (N,) higher for positives.
        positive: (N,) bool, both kinds present.
    Returns:
        The chance that a positive outscores a negative, ties counting half; and (N,) influences, whose mean is 0 and
        whose variance / N is the squared standard error.

    Source: DeLong et al., Comparing the Areas under Two or More Correlated ROC Curves (1988).
    """
    up, down = np.sort(scores[positive]), np.sort(scores[~positive])
    above = (np.searchsorted(down, scores[positive], "left") + np.searchsorted(down, scores[positive], "right")) / 2
    below = (np.searchsorted(up, scores[~positive], "left") + np.searchsorted(up, scores[~positive], "right")) / 2
    area = above.mean() / len(down)
    influence = np.empty(len(scores))
    influence[positive] = (above / len(down) - area) * len(scores) / len(up)
    influence[~positive] = (1 - below / len(up) - area) * len(scores) / len(down)
    return float(area), influence


def explicitness(codes: Array, factors: Array, *, categorical: Collection[int] = (), n_train: int = 10_000,
                 n_test: int = 5_000, seed: int = 0) -> MetricResult:
    """How well a linear classifier ranks the values of a factor: area under ROC, mean per value, then per factor.

    Noise scores 0.5, a perfect linear reading 1. The classifier is multinomial logistic regression (disentanglement_lib
    got one-against-rest from the scikit-learn of its time). Columns are standardised on training images, constant ones
    are 0, categorical ones become one column per category. A value that training or test images lack is left out.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
    Raises:
        ValueError: see `scores.checked` and `scores.train_and_test`; a factor with one value among the images drawn.

    Source: Ridgeway and Mozer, Learning Deep Disentangled Embeddings With the F-Statistic Loss (2018).
    """
    codes, factors = checked(codes, factors, categorical)
    rng = np.random.default_rng(seed)
    train, test = train_and_test(len(codes), n_train, n_test, rng)
    x_train, x_test = _standardised(codes[train], codes[test], categorical)
    areas, influences = [], []
    for f in range(factors.shape[1]):
        values, y = np.unique(factors[train, f], return_inverse=True)
        present = [c for c, value in enumerate(values) if 0 < np.count_nonzero(factors[test, f] == value) < len(test)]
        if len(values) < 2 or not present:
            raise ValueError(f"factor {f} has a single value among {len(train)} training or {len(test)} test images: "
                             "give more images")
        w, b = softmax_regression(x_train, y)
        logits = x_test @ w.T + b
        probs = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs /= probs.sum(axis=1, keepdims=True)
        curves = [roc_auc(probs[:, c], factors[test, f] == values[c]) for c in present]
        areas.append(float(np.mean([area for area, _ in curves])))
        influences.append(np.mean([influence for _, influence in curves], axis=0))
    return MetricResult("explicitness", float(np.mean(areas)),
                        float(np.mean(influences, axis=0).std() / np.sqrt(len(test))),
                        {"classifier": "multinomial logistic regression", "n_train": len(train), "n_test": len(test),
                         "categorical": tuple(categorical), "seed": seed}, per_factor=tuple(areas))


def _standardised(train: Array, test: Array, categorical: Collection[int]) -> tuple[Array, Array]:
    """Columns with the mean and scale of training images, one per category for categorical ones; constants are 0."""
    sides = [
        np.column_stack([column[:, None] == np.unique(train[:, d]) if d in categorical else column
                         for d, column in enumerate(codes.T)]).astype(np.float64) for codes in (train, test)
    ]
    mean, scale = sides[0].mean(axis=0), sides[0].std(axis=0)
    scale[scale <= 1e-12] = np.inf
    return (sides[0] - mean) / scale, (sides[1] - mean) / scale


def active_units(means: Array, *, threshold: float = 0.01) -> MetricResult:
    """How many latents have a posterior mean that varies over images by more than a threshold.

    Not the count of active reals, which goes by KL.

    Args:
        means: (N >= 2, D) posterior means, finite.
        threshold: smallest variance of an active unit.
    Returns:
        `per_latent` is the variance of each mean. The standard error is that of the count, from those of the variances.
    Raises:
        ValueError: the means are not as above.

    Source: Burda et al., Importance Weighted Autoencoders (2016).
    """
    from scipy.stats import norm

    means = np.asarray(means)
    means = means if means.dtype == np.float32 else means.astype(np.float64)
    if means.ndim != 2 or len(means) < 2:
        raise ValueError(f"means must be (N, D) with N at least 2, got {means.shape}")
    if not np.isfinite(means).all():
        raise ValueError("means must be finite")
    squares = np.square(means - means.mean(axis=0, dtype=np.float64).astype(means.dtype))
    variance = squares.sum(axis=0, dtype=np.float64) / (len(means) - 1)
    error = squares.std(axis=0) / np.sqrt(len(means))
    doubt = norm.sf(np.abs(variance - threshold) / np.maximum(error, 1e-300))
    count_error = float(np.sqrt((doubt * (1 - doubt)).sum()))
    return MetricResult("active units", float((variance > threshold).sum()), count_error,
                        {"threshold": threshold, "n": len(means)}, per_latent=tuple(variance.tolist()))
