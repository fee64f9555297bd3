"""Disentanglement, completeness and informativeness, read off the trees that predict each factor from a code.

Two estimators under two names, never to be mixed in a table: `dci` is disentanglement_lib's, minutes long;
`dci_histogram` takes seconds and means something slightly different by importance.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrvae_lib.analysis.scores import (
    GROUPS,
    Array,
    MetricResult,
    binned,
    checked,
    jackknife_error,
    random_groups,
    rows,
    train_and_test,
)


@dataclass(frozen=True)
class DCI:
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


def _scores(importance: Array) -> tuple[float, float]:
    """Disentanglement and completeness; a single column is complete, as far as it has importance."""
    parts, weights = disentanglement_parts(importance)
    factor_parts, factor_weights = _completeness_parts(importance)
    return float(parts @ weights), float(factor_parts @ factor_weights)


def _completeness_parts(importance: Array) -> tuple[Array, Array]:
    return disentanglement_parts(np.concatenate([importance, np.zeros_like(importance)])[: max(2, len(importance))].T)


def _result(name: str, importance: Array, right: Array, errors: tuple[float, float], settings: dict[str, Any]) -> DCI:
    """The three results, from the importances (D, F) and the correct answers (N, F)."""
    disentanglement, completeness = _scores(importance)
    matrix = rows(importance)
    return DCI(
        MetricResult(f"{name} disentanglement", disentanglement, errors[0], settings, matrix=matrix,
                     per_latent=tuple(disentanglement_parts(importance)[0].tolist())),
        MetricResult(f"{name} completeness", completeness, errors[1], settings, matrix=matrix,
                     per_factor=tuple(_completeness_parts(importance)[0].tolist())),
        MetricResult(f"{name} informativeness", float(right.mean()),
                     float(right.mean(axis=1).std() / np.sqrt(len(right))), settings, matrix=matrix,
                     per_factor=tuple(right.mean(axis=0).tolist())),
    )


def dci(codes: Array, factors: Array, *, n_train: int = 10_000, n_test: int = 5_000, n_bootstraps: int = 0,
        seed: int = 0) -> DCI:
    """DCI as published with disentanglement_lib: gradient-boosted trees, importance = the impurity they remove.

    A category number is a number to these trees. Constant codes have disentanglement and completeness 0.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
        n_bootstraps: fits on resampled training images, for the standard error of disentanglement and completeness,
            each as long as the first; below 2 that error is NaN.
    Raises:
        ValueError: see `scores.checked` and `scores.train_and_test`; a factor with a single value among the images
            drawn.

    Source: Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled Representations (2018).
    """
    from sklearn.ensemble import GradientBoostingClassifier

    codes, factors = checked(codes, factors, min_factors=2)
    rng = np.random.default_rng(seed)
    train, test = train_and_test(len(codes), n_train, n_test, rng)
    _check_values(factors[train])

    def fitted(images: Array) -> list[GradientBoostingClassifier]:
        return [GradientBoostingClassifier(random_state=seed).fit(codes[images], factors[images, f])
                for f in range(factors.shape[1])]

    def importances(models: list[GradientBoostingClassifier]) -> Array:
        return np.stack([model.feature_importances_ for model in models], axis=1)

    models = fitted(train)
    right = np.stack([model.predict(codes[test]) == factors[test, f] for f, model in enumerate(models)], axis=1)
    again = [_scores(importances(fitted(rng.choice(train, len(train))))) for _ in range(n_bootstraps)]
    errors = np.std(again, axis=0, ddof=1) if n_bootstraps > 1 else (float("nan"), float("nan"))
    settings = {"trees": "GradientBoostingClassifier", "importance": "impurity", "n_train": len(train),
                "n_test": len(test), "n_bootstraps": n_bootstraps, "seed": seed}
    return _result("DCI", importances(models), right, (float(errors[0]), float(errors[1])), settings)


def dci_histogram(codes: Array, factors: Array, *, categorical: Collection[int] = (), n_train: int = 10_000,
                  n_test: int = 5_000, n_shuffled: int = 2_500, rounds: int = 20, seed: int = 0) -> DCI:
    """DCI from histogram boosting, importance = log-likelihood of training images lost by shuffling a column.

    Not comparable with `dci`: other trees, another importance. As there, importances of a factor sum to 1, and a code
    of noise spreads them evenly, so that noise scores near 0. Standard errors are over images, for the trees as fitted.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
        categorical: at most 255 categories each.
        n_shuffled: training images whose columns are shuffled.
        rounds: boosting rounds, one tree per value each.
    Raises:
        ValueError: see `scores.checked` and `scores.train_and_test`; a factor with a single value among the images
            drawn.

    Source: as `dci`; permutation importance of Breiman, Random Forests (2001).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    codes, factors = checked(codes, factors, categorical, min_factors=2)
    rng = np.random.default_rng(seed)
    train, test = train_and_test(len(codes), n_train, n_test, rng)
    _check_values(factors[train])
    codes = codes.astype(np.float64)
    for column in categorical:
        codes[:, column] = binned(codes[:, column], None)
    x = codes[train]
    few = x[:n_shuffled]
    lost = np.empty((len(few), x.shape[1], factors.shape[1]))
    right = np.empty((len(test), factors.shape[1]), dtype=bool)
    for f in range(factors.shape[1]):
        values, y = np.unique(factors[train, f], return_inverse=True)
        model = HistGradientBoostingClassifier(max_iter=rounds, max_leaf_nodes=8, early_stopping=False,
                                               categorical_features=sorted(categorical) or None, random_state=seed)
        model.fit(x, y)
        right[:, f] = values[model.predict(codes[test])] == factors[test, f]
        at = np.arange(len(few)), y[: len(few)]
        before = np.log(model.predict_proba(few)[at] + 1e-12)
        for d in range(x.shape[1]):
            shuffled = few.copy()
            shuffled[:, d] = rng.permutation(few[:, d])
            lost[:, d, f] = before - np.log(model.predict_proba(shuffled)[at] + 1e-12)
    groups = random_groups(len(few), rng)
    left_out = [_scores(_shares(lost[groups != g])) for g in range(min(GROUPS, len(few)))]
    errors = jackknife_error(np.array(left_out))
    settings = {"trees": "HistGradientBoostingClassifier", "importance": "shuffled log-likelihood", "rounds": rounds,
                "n_train": len(train), "n_test": len(test), "n_shuffled": len(few), "categorical": tuple(categorical),
                "seed": seed}
    return _result("DCI-histogram", _shares(lost), right, (float(errors[0]), float(errors[1])), settings)


def _shares(lost: Array) -> Array:
    """(D, F) importances that sum to 1 per factor, or are 0 where nothing is lost."""
    importance = np.maximum(lost.mean(axis=0), 0)
    return importance / np.maximum(importance.sum(axis=0), 1e-12)


def _check_values(factors: Array) -> None:
    for f, column in enumerate(factors.T):
        if len(np.unique(column)) < 2:
            raise ValueError(f"factor {f} has a single value among {len(factors)} training images: give more images")
