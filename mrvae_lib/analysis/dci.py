"""Disentanglement, completeness and informativeness, read off the trees that predict each factor from a code."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss

from mrvae_lib.analysis.metric_result import Array, MetricResult, checked, numbered, train_and_test

N_SHUFFLED = 2_500
"""Training images whose columns are shuffled."""
ROUNDS = 20
"""Of boosting; each adds a tree per value of the factor."""


def evenness(importance: Array) -> Array:
    """The entropy of each row's importances, to the base of their number: 0 for one important column, 1 for all alike.

    Args:
        importance: (D, F >= 2), not negative. A row without importance counts as one where all are alike.
    Returns:
        (D,) in [0, 1].
    """
    shares = (importance + 1e-11) / (importance + 1e-11).sum(axis=1, keepdims=True)
    return -(shares * np.log(shares)).sum(axis=1) / np.log(importance.shape[1])


def dci_of_importances(name: str, importance: Array, right: Array, settings: dict[str, Any]) -> list[MetricResult]:
    """The three scores of one matrix of importances.

    Disentanglement is 1 where every column of the codes matters for one factor only, completeness where every factor
    needs one column only; both are means by importance. Informativeness is the accuracy, mean per factor.

    Args:
        name: of the estimator, first word of the names of the scores.
        importance: (D, F >= 2) of each column for each factor, not negative; each column sums to 1 or is 0.
        right: (N, F) whether each factor of each test image was predicted correctly.
    """
    # A factor cannot be spread over a single column; a second one without importance makes that a score of 1.
    of_factors = importance.T if len(importance) > 1 else np.pad(importance.T, ((0, 0), (0, 1)))
    disentangled, complete = 1 - evenness(importance), 1 - evenness(of_factors)
    scores = [np.average(parts, weights=rows.sum(axis=1) + 1e-11)
              for parts, rows in ((disentangled, importance), (complete, of_factors))]
    matrix = importance.tolist()
    return [
        MetricResult(f"{name} disentanglement", float(scores[0]), settings, matrix=matrix),
        MetricResult(f"{name} completeness", float(scores[1]), settings, None, complete.tolist(), matrix),
        MetricResult(f"{name} informativeness", float(right.mean()), settings,
                     float(right.mean(axis=1).std() / np.sqrt(len(right))), right.mean(axis=0).tolist(), matrix),
    ]


def dci_histogram(codes: Array, factors: Array, *, categorical: Collection[int] = (), n_train: int = 10_000,
                  n_test: int = 5_000, seed: int = 0) -> list[MetricResult]:
    """DCI from histogram boosting, importance = log-likelihood of training images lost by shuffling a column.

    Not comparable with published DCI (`benchmarks/published_dci.py`, minutes long), which has other trees and another
    importance. As there, importances of a factor sum to 1, and a code of noise spreads them evenly and scores near 0.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
        categorical: at most 255 categories each.
    Returns:
        Disentanglement, completeness and informativeness, see `dci_of_importances`.
    Raises:
        ValueError: see `checked` and `train_and_test`.

    Source: Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled Representations (2018);
    permutation importance of Breiman, Random Forests (2001).
    """
    def log_likelihood(model: HistGradientBoostingClassifier, x: Array, y: Array) -> float:
        return -log_loss(y, model.predict_proba(x), labels=model.classes_)

    codes, factors = checked(codes, factors)
    codes = np.column_stack([numbered(column) if d in categorical else column for d, column in enumerate(codes.T)])
    train, test, settings = train_and_test(len(codes), n_train, n_test, seed)
    few = train[:N_SHUFFLED]
    lost, right = [], []
    for y in factors.T:
        model = HistGradientBoostingClassifier(max_iter=ROUNDS, max_leaf_nodes=8, early_stopping=False,
                                               categorical_features=sorted(categorical) or None, random_state=seed)
        model.fit(codes[train], y[train])
        right.append(model.predict(codes[test]) == y[test])
        lost.append(permutation_importance(model, codes[few], y[few], scoring=log_likelihood, n_repeats=1,
                                           random_state=seed).importances_mean)
    importance = np.maximum(lost, 0).T
    shares = importance / np.maximum(importance.sum(axis=0), 1e-12)
    return dci_of_importances("DCI-histogram", shares, np.stack(right, axis=1), settings)
