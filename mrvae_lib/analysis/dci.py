"""Disentanglement, completeness and informativeness, read off the trees that predict each factor from a code."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from mrvae_lib.analysis.metric_result import Array, MetricResult, checked, numbered, train_and_test


class DCI(NamedTuple):
    """Three scores of one matrix of importances, (D, F), each column of which sums to 1 or is 0."""

    disentanglement: MetricResult
    """1 where every column of the codes matters for one factor only; parts per latent."""
    completeness: MetricResult
    """1 where every factor needs one column only; parts per factor."""
    informativeness: MetricResult
    """Accuracy of the trees on test images, mean per factor; parts per factor."""


def disentanglement_parts(importance: Array) -> tuple[Array, Array]:
    """1 minus the entropy of each column's importances, and each column's share of all importance.

    Args:
        importance: (D, F >= 2), not negative.
    Returns:
        (D,) in [0, 1], 0 for a column without importance, and (D,) weights that sum to 1.
    """
    shares = (importance + 1e-11) / (importance + 1e-11).sum(axis=1, keepdims=True)
    weights = importance.sum(axis=1)
    weights = weights / weights.sum() if weights.any() else np.full(len(weights), 1 / len(weights))
    return 1 + (shares * np.log(shares)).sum(axis=1) / np.log(importance.shape[1]), weights


def dci_of_importances(name: str, importance: Array, right: Array, settings: dict[str, Any]) -> DCI:
    """The three scores.

    Args:
        name: of the estimator, first word of the names of the scores.
        importance: (D, F >= 2) of each column for each factor, not negative.
        right: (N, F) whether each factor of each test image was predicted correctly.
    """
    parts, weights = disentanglement_parts(importance)
    # A factor cannot be spread over a single column; a second one without importance makes that a score of 1.
    two_or_more = importance if len(importance) > 1 else np.pad(importance, ((0, 1), (0, 0)))
    factor_parts, factor_weights = disentanglement_parts(two_or_more.T)
    matrix = importance.tolist()
    return DCI(
        MetricResult(f"{name} disentanglement", float(parts @ weights), settings, matrix=matrix,
                     per_latent=parts.tolist()),
        MetricResult(f"{name} completeness", float(factor_parts @ factor_weights), settings, matrix=matrix,
                     per_factor=factor_parts.tolist()),
        MetricResult(f"{name} informativeness", float(right.mean()), settings,
                     float(right.mean(axis=1).std() / np.sqrt(len(right))), matrix=matrix,
                     per_factor=right.mean(axis=0).tolist()),
    )


def dci_histogram(codes: Array, factors: Array, *, categorical: Collection[int] = (), n_train: int = 10_000,
                  n_test: int = 5_000, n_shuffled: int = 2_500, rounds: int = 20, seed: int = 0) -> DCI:
    """DCI from histogram boosting, importance = log-likelihood of training images lost by shuffling a column.

    Not comparable with published DCI (`benchmarks/published_dci.py`, minutes long), which has other trees and another
    importance. As there, importances of a factor sum to 1, and a code of noise spreads them evenly and scores near 0.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
        categorical: at most 255 categories each.
        n_shuffled: training images whose columns are shuffled.
        rounds: boosting rounds, one tree per value each.
    Raises:
        ValueError: see `checked` and `train_and_test`.

    Source: Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled Representations (2018);
    permutation importance of Breiman, Random Forests (2001).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import log_loss

    def log_likelihood(model: HistGradientBoostingClassifier, x: Array, y: Array) -> float:
        return -log_loss(y, model.predict_proba(x), labels=model.classes_)

    codes, factors = checked(codes, factors, categorical, min_factors=2)
    codes = np.column_stack([numbered(column) if d in categorical else column for d, column in enumerate(codes.T)])
    train, test = train_and_test(len(codes), n_train, n_test, np.random.default_rng(seed))
    few = train[:n_shuffled]
    lost, right = np.empty((codes.shape[1], factors.shape[1])), np.empty((len(test), factors.shape[1]), dtype=bool)
    for f, y in enumerate(factors.T):
        model = HistGradientBoostingClassifier(max_iter=rounds, max_leaf_nodes=8, early_stopping=False,
                                               categorical_features=sorted(categorical) or None, random_state=seed)
        model.fit(codes[train], y[train])
        right[:, f] = model.predict(codes[test]) == y[test]
        lost[:, f] = permutation_importance(model, codes[few], y[few], scoring=log_likelihood, n_repeats=1,
                                            random_state=seed).importances_mean
    importance = np.maximum(lost, 0)
    settings = {"trees": "HistGradientBoostingClassifier", "importance": "shuffled log-likelihood", "rounds": rounds,
                "n_train": len(train), "n_test": len(test), "n_shuffled": len(few), "categorical": tuple(categorical),
                "seed": seed}
    return dci_of_importances("DCI-histogram", importance / np.maximum(importance.sum(axis=0), 1e-12), right, settings)
