"""Scores of codes against known factors, with disentanglement_lib's definitions and without its loops.

Every score takes the codes (N, D) of a set of images and its integer factors (N, F >= 2), both as `scoring.checked`
gives them. If `joint`, the last column is the number of the whole binary code, a category (`code_columns`). Scores that
are fitted take `n_train` votes or images for that and are read from `n_test` others, drawn with seed 0. The constants
and estimators are those of `unsupervised_study_v1` of Locatello et al., Challenging Common Assumptions (2019); training
and test images are disjoint. A score of an untrained network is not 0: compare with one.
"""

import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import entropy
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, recall_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mrvae_lib.analysis.scoring import Array, MetricResult, checked, information_matrix, train_and_test

GROUP = 64
"""Images per vote, or pairs of images per difference."""
VOTES_AT_ONCE = 128
"""Groups of images looked up together, so that they fit in cache."""
N_VARIANCE, THRESHOLD = 10_000, 0.05
"""Of the FactorVAE score: images for the variance of a column, and the least standard deviation of one that votes."""
N_SHUFFLED = 2_500
"""Of DCI: training images whose columns are shuffled."""
ROUNDS = 20
"""Of boosting for DCI; each adds a tree per value of the factor."""


def factor_scores(reals: Array, bits: Array | None, factors: Array, *, only: Collection[str] = (),
                  n_train: int = 10_000, n_test: int = 5_000) -> dict[str, MetricResult]:
    """Scores of a code by name, the bits together as one column of categories.

    Where there are several bits, FactorVAE and MIG are also given with a column per bit.

    Args:
        reals: (N, D) posterior means, or any codes.
        bits: (N, K) of 0 and 1; K may be 0. None for codes without bits.
        factors: (N, F >= 2) integers, two values or more each.
        only: the keys of `SCORES` to be computed, in this order; all of them if empty.
        n_train, n_test: votes or images of the scores that are fitted; fewer are faster and less exact.
    Raises:
        ValueError: see `checked`; an unknown name.
    """
    bits = np.empty((len(reals), 0)) if bits is None else np.asarray(bits)
    codes, factors = checked(code_columns(reals, bits), factors)
    results: list[MetricResult] = []
    for name in only or SCORES:
        if name not in SCORES:
            raise ValueError(f"scores are {', '.join(SCORES)}; got {name!r}")
        sizes = {} if name in ("MIG", "modularity") else {"n_train": n_train, "n_test": n_test}
        found = SCORES[name](codes, factors, joint=bits.shape[1] > 0, **sizes)
        results += found if isinstance(found, list) else [found]
        if name in ("MIG", "FactorVAE score") and bits.shape[1] > 1:
            apart = SCORES[name](np.column_stack([codes[:, :-1], bits]), factors, **sizes)
            results.append(replace(apart, name=f"{name}, a column per bit"))
    return {result.name: result for result in results}


def code_columns(reals: Array, bits: Array) -> Array:
    """Reals beside the whole binary code as one column of numbers from 0, per image.

    Args:
        reals: (N, D), usually posterior means.
        bits: (N, K) of 0 and 1.
    Returns:
        (N, D + 1); without bits (N, D).
    Raises:
        ValueError: the numbers of images differ.
    """
    if not bits.shape[1]:
        return reals
    category = np.unique(bits, axis=0, return_inverse=True)[1].reshape(-1)
    return np.column_stack([reals, category])


def groups(factors: Array, n: int, n_anchors: int, rng: np.random.Generator) -> Iterator[tuple[int, Array, Array]]:
    """n groups of `GROUP` images that share a factor, each factor as likely as any other, in pieces that fit in cache.

    Every image with an anchor's value is as likely as any other, the anchor among them. On a set with every combination
    of factors this is the draw of disentanglement_lib. Elsewhere give dozens of images per value.

    Args:
        factors: (N, F), numbers from 0.
        n_anchors: 1 for all images of a group, or `GROUP`, one for each.
    Returns:
        The number of the factor, and indices in 0..N - 1 of anchors (n_anchors, V) and of images (GROUP, V).
    """
    for factor, count in enumerate(np.bincount(rng.integers(factors.shape[1], size=n), minlength=factors.shape[1])):
        values = factors[:, factor]
        order, sizes = np.argsort(values, kind="stable"), np.bincount(values)
        starts = np.cumsum(sizes) - sizes
        for done in range(0, count, VOTES_AT_ONCE):
            anchors = rng.integers(len(values), size=(n_anchors, min(VOTES_AT_ONCE, count - done)))
            value = values[anchors]
            place = rng.random((GROUP, value.shape[1])) * sizes[value]
            yield factor, anchors, order[starts[value] + place.astype(np.int64)]


def beta_vae_score(codes: Array, factors: Array, n_train: int, n_test: int, joint: bool = False) -> MetricResult:
    """How well a linear classifier tells which factor pairs of images share, from their mean code difference per group.

    Chance is 1 / F, and constant codes score it. Joint codes differ by 0 or 1. Lenient: two factors turned into two
    columns keep a score of 1 almost until 45 degrees.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
        n_train, n_test: groups of `GROUP` pairs.

    Source: Higgins et al., beta-VAE (2017); logistic regression as in disentanglement_lib.
    """
    rng = np.random.default_rng(0)
    nominal, n_factors = [-1] if joint else [], factors.shape[1]

    def features(n: int) -> tuple[Array, list[int]]:
        differences, labels = [], []
        for factor, first, second in groups(factors, n, GROUP, rng):
            difference = np.abs(codes[first] - codes[second])
            difference[..., nominal] = difference[..., nominal] > 0
            differences.append(difference.mean(axis=0))
            labels += [factor] * first.shape[1]
        return np.concatenate(differences), labels

    with warnings.catch_warnings(action="ignore"):  # 100 iterations are part of the definition
        model = LogisticRegression().fit(*features(n_train))
    test, labels = features(n_test)
    said = model.predict(test)
    per_factor = recall_score(labels, said, labels=range(n_factors), average=None, zero_division=0)
    return MetricResult.of_mean("beta-VAE score", said == labels, {"n_train": n_train, "n_test": n_test, "seed": 0},
                       per_factor.tolist())


def indicator_columns(codes: Array, joint: bool) -> Array:
    """Codes (N, D) with the joint code replaced by one column per category, (N, D').

    Such a column is sqrt(1/2) where the image has the category and 0 elsewhere: two categories are 1 apart.
    """
    if not joint:
        return codes
    category = codes[:, -1:]
    return np.column_stack([codes[:, :-1], np.sqrt(0.5) * (category == np.unique(category))])


def group_variance(columns: Array, n_columns: int) -> Array:
    """Variance of each column of the codes within each group of images.

    Args:
        columns: (L, V, D'), V groups of L images, of `indicator_columns`.
        n_columns: D, that of the codes.
    Returns:
        (V, D) with L - 1 in the denominator; for categories, half the chance that two images of a group differ,
        (L^2 - sum_c L_c^2) / (2 L (L - 1)).

    Source: for categories, the evaluation of Jeong and Song, CascadeVAE (2019).
    """
    return np.add.reduceat(columns.var(axis=0, ddof=1), range(n_columns), axis=1)


def factor_vae_score(codes: Array, factors: Array, n_train: int, n_test: int, joint: bool = False) -> MetricResult:
    """How well the column that varies least tells which factor a group of images shares, per group on fresh votes.

    Majorities come from `n_train` votes of `GROUP` images each, the score from `n_test` others. Columns with a standard
    deviation below `THRESHOLD` take no part; without any other column the score is 0. Ties, as between bits that a
    fixed factor holds still, are broken at random. Chance is a little above 1 / F. Lenient: two factors turned into two
    columns keep a score of 1 almost until 45 degrees.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
    Returns:
        `matrix` is the share of all test votes per column and factor.

    Source: Kim and Mnih, Disentangling by Factorising (2018).
    """
    rng = np.random.default_rng(0)
    (n_images, n_columns), n_factors = codes.shape, factors.shape[1]
    columns = indicator_columns(codes, joint)
    few = rng.choice(n_images, min(N_VARIANCE, n_images), replace=False)
    variance = group_variance(columns[few, None], n_columns)[0]
    active = np.flatnonzero(np.sqrt(variance) >= THRESHOLD)

    def votes(n: int) -> Array:
        table = np.zeros((n_columns, n_factors))
        for factor, _, images in groups(factors, n if active.size else 0, 1, rng):
            local = group_variance(columns[images], n_columns)
            ratio = local[:, active] / variance[active]
            least = ratio <= ratio.min(axis=1, keepdims=True) + 1e-12
            winner = active[np.argmax(least * (1 - rng.random(least.shape)), axis=1)]
            np.add.at(table, (winner, factor), 1)
        return table

    majority, test = votes(n_train).argmax(axis=1), votes(n_test)
    right = np.bincount(majority, test[np.arange(len(test)), majority], minlength=n_factors)
    score, per_factor = right.sum() / n_test, right / np.maximum(test.sum(axis=0), 1)
    return MetricResult("FactorVAE score", float(score), {"n_train": n_train, "n_test": n_test, "seed": 0},
                        float(np.sqrt(score * (1 - score) / n_test)), per_factor.tolist(), (test / n_test).tolist())


def mig(codes: Array, factors: Array, joint: bool = False) -> MetricResult:
    """Mutual information gap: by how much the best column tells more of a factor than the next, mean per factor.

    The gap is a share of the factor's entropy. 20 bins cannot hold 32 or 40 values: a perfect code of dSprites stays
    below 1. A factor that is spread over several bits is punished; give the code as one categorical column as well.
    With a single column the next best tells 0; constant codes score 0. All images are counted, where
    disentanglement_lib draws 10,000.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
    Returns:
        `matrix` is the mutual information in nats.

    Source: Chen et al., Isolating Sources of Disentanglement (2018), in disentanglement_lib's discrete form.
    """
    told, entropies = information_matrix(codes, factors, joint)
    second, best = np.sort(np.pad(told, ((1, 0), (0, 0))), axis=0)[-2:]
    gaps = (best - second) / entropies
    return MetricResult("MIG", float(gaps.mean()), {"n": len(codes)}, None, gaps.tolist(), told.tolist())


def modularity(codes: Array, factors: Array, joint: bool = False) -> MetricResult:
    """How far each column tells of one factor only, by squared mutual information, mean per column.

    A column that tells nothing at all scores 0, but noise does not: the bias of mutual information grows with the
    number of values, so noise seems to tell of the factor with most (about 0.6 for the factors of dSprites).

    Args, Returns: as `mig`.

    Source: Ridgeway and Mozer, Learning Deep Disentangled Embeddings With the F-Statistic Loss (2018).
    """
    told, _ = information_matrix(codes, factors, joint)
    squared = np.where(told > 1e-12, told, 0) ** 2
    best = squared.max(axis=1)
    others = (squared.sum(axis=1) - best) / (factors.shape[1] - 1)
    parts = np.where(best > 0, 1 - others / np.where(best > 0, best, 1), 0)
    return MetricResult("modularity", float(parts.mean()), {"n": len(codes)}, matrix=told.tolist())


def sap_score(codes: Array, factors: Array, n_train: int, n_test: int, joint: bool = False) -> MetricResult:
    """Separated attribute predictability: accuracy from the best column minus that from the next, mean per factor.

    Accuracies are those of a linear support vector machine on one column; one line per value cannot separate many
    values, so a perfect code stays far below 1 (0.5 for two values) and a slightly turned one may score more. Of a
    joint code the machine sees one column per category. With a single column the next best is a constant.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
    Returns:
        `matrix` is the accuracy per column and factor.

    Source: Kumar et al., Variational Inference of Disentangled Latent Concepts (2018), discrete factors.
    """
    train, test, settings = train_and_test(len(codes), n_train, n_test)
    blocks = np.split(indicator_columns(codes, joint), range(1, codes.shape[1]), axis=1)
    if len(blocks) == 1:
        blocks.append(np.zeros((len(codes), 1)))
    machine = LinearSVC(C=0.01, class_weight="balanced", dual=False)
    accuracy = np.array([[machine.fit(x[train], y[train]).score(x[test], y[test]) for y in factors.T] for x in blocks])
    second, best = np.sort(accuracy, axis=0)[-2:]
    gaps = best - second
    return MetricResult("SAP", float(gaps.mean()), settings, None, gaps.tolist(), accuracy[: codes.shape[1]].tolist())


def explicitness(codes: Array, factors: Array, n_train: int, n_test: int, joint: bool = False) -> MetricResult:
    """How well a linear classifier ranks the values of a factor: area under ROC, mean per value, then per factor.

    Noise scores 0.5, a perfect linear reading 1. The classifier is multinomial logistic regression (disentanglement_lib
    got one-against-rest from the scikit-learn of its time) on standardised columns; a joint code becomes one column per
    category. A value that training or test images lack is left out.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
    Raises:
        ValueError: a factor has one value among the training or test images.

    Source: Ridgeway and Mozer, Learning Deep Disentangled Embeddings With the F-Statistic Loss (2018).
    """
    train, test, settings = train_and_test(len(codes), n_train, n_test)
    columns = indicator_columns(codes, joint)
    areas = []
    for f, y in enumerate(factors.T):
        if len(np.unique(y[test])) < 2:  # newer versions of scikit-learn would give a NaN
            raise ValueError(f"explicitness needs two values of each factor among the test images, factor {f} has one")
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(columns[train], y[train])
        probs = model.predict_proba(columns[test])
        areas.append(float(np.mean([roc_auc_score(y[test] == value, probs[:, c])
                                    for c, value in enumerate(model.classes_) if (y[test] == value).any()])))
    return MetricResult("explicitness", float(np.mean(areas)), settings, per_factor=areas)


def dci_of_importances(name: str, importance: Array, right: Array, settings: dict[str, Any]) -> list[MetricResult]:
    """The three scores of one matrix of importances.

    Disentanglement is 1 where every column of the codes matters for one factor only, completeness where every factor
    needs one column only; both are means by importance. What has no importance at all counts as spread evenly.
    Informativeness is the accuracy, mean per factor.

    Args:
        name: of the estimator, first word of the names of the scores.
        importance: (D, F >= 2) of each column for each factor, not negative; each column sums to 1 or is 0.
        right: (N, F) whether each factor of each test image was predicted correctly.
    """
    # A factor cannot be spread over a single column; a second one without importance makes that a score of 1.
    columns = importance if len(importance) > 1 else np.pad(importance, ((0, 1), (0, 0)))
    disentangled = 1 - entropy(importance + 1e-11, base=importance.shape[1], axis=1)
    complete = 1 - entropy(columns + 1e-11, base=len(columns), axis=0)
    disentanglement = np.average(disentangled, weights=importance.sum(axis=1) + 1e-11)
    completeness = np.average(complete, weights=importance.sum(axis=0) + 1e-11)
    matrix = importance.tolist()
    return [
        MetricResult(f"{name} disentanglement", float(disentanglement), settings, matrix=matrix),
        MetricResult(f"{name} completeness", float(completeness), settings, None, complete.tolist(), matrix),
        MetricResult.of_mean(f"{name} informativeness", right.mean(axis=1), settings, right.mean(axis=0).tolist(),
                             matrix),
    ]


def dci_histogram(codes: Array, factors: Array, n_train: int, n_test: int, joint: bool = False) -> list[MetricResult]:
    """DCI from histogram boosting, importance = log-likelihood of training images lost by shuffling a column.

    Not comparable with published DCI (`benchmarks/published_dci.py`, minutes long), which has other trees and another
    importance. As there, importances of a factor sum to 1, and a code of noise spreads them evenly and scores near 0.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
        joint: at most 255 categories.
    Returns:
        Disentanglement, completeness and informativeness, see `dci_of_importances`.

    Source: Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled Representations (2018);
    permutation importance of Breiman, Random Forests (2001).
    """
    def log_likelihood(model: HistGradientBoostingClassifier, x: Array, y: Array) -> float:
        return -log_loss(y, model.predict_proba(x), labels=model.classes_)

    train, test, settings = train_and_test(len(codes), n_train, n_test)
    few = train[:N_SHUFFLED]
    lost, right = [], []
    for y in factors.T:
        model = HistGradientBoostingClassifier(max_iter=ROUNDS, max_leaf_nodes=8, early_stopping=False, random_state=0,
                                               categorical_features=[codes.shape[1] - 1] if joint else None)
        model.fit(codes[train], y[train])
        right.append(model.predict(codes[test]) == y[test])
        lost.append(permutation_importance(model, codes[few], y[few], scoring=log_likelihood, n_repeats=1,
                                           random_state=0).importances_mean)
    importance = np.maximum(lost, 0).T
    shares = importance / np.maximum(importance.sum(axis=0), 1e-12)
    return dci_of_importances("DCI-histogram", shares, np.stack(right, axis=1), settings)


SCORES: dict[str, Callable[..., Any]] = {
    "beta-VAE score": beta_vae_score, "FactorVAE score": factor_vae_score, "MIG": mig, "SAP": sap_score,
    "modularity": modularity, "explicitness": explicitness, "DCI-histogram": dci_histogram,
}
"""What `factor_scores` computes, by name; DCI-histogram are three scores."""
