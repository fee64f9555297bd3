"""Scores of codes against known factors, with disentanglement_lib's definitions and without its loops.

Every function takes the codes (N, D) of a set of images and its integer factors (N, F). Columns named in `categorical`
hold category numbers, such as a whole binary code (`scores.code_columns`). The constants and estimators are those of
`unsupervised_study_v1` of Locatello et al., Challenging Common Assumptions (2019); training and test images are
disjoint. A score of an untrained network is not 0: compare with one.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator

import numpy as np

from mrvae_lib.analysis.scores import (
    Array,
    MetricResult,
    binned,
    checked,
    information_matrix,
    jackknife_error,
    random_groups,
    rows,
    some_images,
)

VOTES_AT_ONCE = 128
"""Groups of images looked up together, so that they fit in cache."""


class FixedFactorDraws:
    """Draws images that share the value of one factor, from a set of images with its factors.

    A value is as likely as it is among the images; then each image with that value is as likely as any other. On a set
    with every combination of factors this is the draw of disentanglement_lib. Elsewhere give dozens per value.
    """

    def __init__(self, factors: Array, rng: np.random.Generator) -> None:
        self.n_images, self.n_factors = factors.shape
        self.rng = rng
        self.values, self.order, self.starts, self.counts = [], [], [], []
        for column in factors.T:
            values = binned(column, None)
            values = values.astype(np.uint16 if values.max() < 2**16 else np.int64)  # sorted by radix, so fast
            counts = np.bincount(values)
            self.values.append(values)
            self.order.append(np.argsort(values, kind="stable"))
            self.counts.append(counts)
            self.starts.append(np.cumsum(counts) - counts)

    def sharing(self, factor: int, images: Array) -> Array:
        """For each image another draw, or the same, with its value of the factor."""
        value = self.values[factor][images]
        offset = (self.rng.random(images.shape) * self.counts[factor][value]).astype(np.int64)
        return self.order[factor][self.starts[factor][value] + offset]

    def votes(self, n: int) -> Iterator[tuple[int, int]]:
        """n votes, the fixed factor of each drawn uniformly, as (factor, how many) in pieces that fit in cache."""
        fixed = self.rng.integers(self.n_factors, size=n)
        for factor, count in enumerate(np.bincount(fixed, minlength=self.n_factors)):
            for done in range(0, count, VOTES_AT_ONCE):
                yield factor, min(VOTES_AT_ONCE, count - done)


def beta_vae_score(codes: Array, factors: Array, *, categorical: Collection[int] = (), n_train: int = 10_000,
                   n_test: int = 5_000, group: int = 64, seed: int = 0) -> MetricResult:
    """How well a linear classifier tells which factor pairs of images share, from their mean code difference per group.

    Chance is 1 / F, and constant codes score it. A categorical column differs by 0 or 1. Lenient: two factors
    turned into two columns keep a score of 1 almost until 45 degrees.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
        group: pairs per difference.
    Raises:
        ValueError: see `scores.checked`.

    Source: Higgins et al., beta-VAE (2017); logistic regression as in disentanglement_lib.
    """
    from sklearn.linear_model import LogisticRegression

    codes, factors = checked(codes, factors, categorical, min_factors=2)
    rng = np.random.default_rng(seed)
    draws = FixedFactorDraws(factors, rng)
    nominal = sorted(categorical)

    def features(n: int) -> tuple[Array, Array]:
        parts, labels = [], []
        for factor, count in draws.votes(n):
            first = rng.integers(draws.n_images, size=(group, count))
            difference = codes[first] - codes[draws.sharing(factor, first)]
            if nominal:
                difference[..., nominal] = difference[..., nominal] != 0
            parts.append(np.abs(difference, out=difference).mean(axis=0, dtype=np.float64))
            labels.append(np.full(count, factor))
        return np.concatenate(parts), np.concatenate(labels)

    (train, train_labels), (test, labels) = features(n_train), features(n_test)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 100 iterations are part of the definition
        right = LogisticRegression().fit(train, train_labels).predict(test) == labels
    return MetricResult(
        "beta-VAE score", float(right.mean()), binomial_error(right.mean(), n_test),
        {"classifier": "logistic regression", "n_train": n_train, "n_test": n_test, "group": group, "seed": seed},
        per_factor=tuple(float(right[labels == f].mean()) if (labels == f).any() else float("nan")
                         for f in range(draws.n_factors)),
    )


def binomial_error(share: float, n: int) -> float:
    """Standard error of a share of n independent draws."""
    return float(np.sqrt(share * (1 - share) / n))


def spread(codes: Array, categorical: Collection[int], n_categories: int) -> Array:
    """Variance of each column within each group of images.

    Args:
        codes: (L, V, D), V groups of L images; `categorical` columns hold numbers in 0..n_categories - 1.
    Returns:
        (V, D) with L - 1 in the denominator; for categories, half the chance that two images of a group differ,
        (L^2 - sum_c L_c^2) / (2 L (L - 1)).

    Source: for categories, the evaluation of Jeong and Song, CascadeVAE (2019).
    """
    size, n_groups, _ = codes.shape
    shifted = np.subtract(codes, codes[:1], dtype=np.float64)  # a constant column has a variance of exactly 0
    total = shifted.sum(axis=0)
    variance = np.maximum(np.square(shifted, out=shifted).sum(axis=0) - total * total / size, 0) / (size - 1)
    for column in categorical:
        cells = np.arange(n_groups) * n_categories + codes[:, :, column].astype(np.int64)
        counts = np.bincount(cells.ravel(), minlength=n_groups * n_categories).reshape(n_groups, n_categories)
        variance[:, column] = (size**2 - np.square(counts, dtype=np.float64).sum(axis=1)) / (2 * size * (size - 1))
    return variance


def factor_vae_score(codes: Array, factors: Array, *, categorical: Collection[int] = (), n_train: int = 10_000,
                     n_test: int = 5_000, group: int = 64, n_variance: int = 10_000, threshold: float = 0.05,
                     seed: int = 0) -> MetricResult:
    """How well the column that varies least tells which factor a group of images shares, per group on fresh votes.

    Majorities come from `n_train` votes, the score from `n_test` others. Columns with a standard deviation below
    `threshold` take no part; without any other column the score is 0. Ties, as between bits that a fixed factor holds
    still, are broken at random. Chance is a little above 1 / F. Lenient: two factors turned into two columns
    keep a score of 1 almost until 45 degrees.

    Args:
        codes: (N, D).
        factors: (N, F >= 2) integers.
        group: images per vote.
        n_variance: images for the variance of each column over the set.
    Returns:
        `matrix` is the share of all test votes per column and factor.
    Raises:
        ValueError: see `scores.checked`; group below 2.

    Source: Kim and Mnih, Disentangling by Factorising (2018).
    """
    codes, factors = checked(codes, factors, categorical, min_factors=2)
    if group < 2:
        raise ValueError(f"group must be at least 2 for a variance, got {group}")
    rng = np.random.default_rng(seed)
    n_categories = 1
    if categorical:
        codes = codes.astype(np.float64)
        for column in categorical:
            codes[:, column] = binned(codes[:, column], None)
            n_categories = max(n_categories, int(codes[:, column].max()) + 1)
    settings = {"n_train": n_train, "n_test": n_test, "group": group, "n_variance": n_variance,
                "threshold": threshold, "categorical": tuple(categorical), "seed": seed}
    variance = spread(codes[some_images(len(codes), n_variance, rng), None], categorical, n_categories)[0]
    active = np.flatnonzero((variance > 0) & (np.sqrt(variance) >= threshold))
    draws = FixedFactorDraws(factors, rng)

    def votes(n: int) -> Array:
        table = np.zeros((codes.shape[1], draws.n_factors))
        for factor, count in draws.votes(n):
            anchor = np.broadcast_to(rng.integers(draws.n_images, size=count), (group, count))
            local = spread(codes[draws.sharing(factor, anchor)], categorical, n_categories)
            ratio = local[:, active] / variance[active]
            least = ratio <= ratio.min(axis=1, keepdims=True) + 1e-12
            winner = active[np.argmax(least * (1 - rng.random(least.shape)), axis=1)]
            np.add.at(table, (winner, factor), 1)
        return table

    if not active.size:
        return MetricResult("FactorVAE score", 0.0, 0.0, settings, per_factor=(0.0,) * factors.shape[1])
    majority, test = votes(n_train).argmax(axis=1), votes(n_test)
    right = np.bincount(majority, weights=test[np.arange(len(test)), majority], minlength=draws.n_factors)
    score = float(right.sum() / n_test)
    per_factor = right / np.maximum(test.sum(axis=0), 1)
    return MetricResult("FactorVAE score", score, binomial_error(score, n_test), settings,
                        per_factor=tuple(per_factor.tolist()), matrix=rows(test / n_test))


def mig(codes: Array, factors: Array, *, categorical: Collection[int] = (), bins: int = 20, n: int | None = 10_000,
        seed: int = 0) -> MetricResult:
    """Mutual information gap: by how much the best column tells more of a factor than the next, mean per factor.

    The gap is a share of the factor's entropy. 20 bins cannot hold 32 or 40 values: a perfect code of dSprites stays
    below 1. A factor that is spread over several bits is punished; give the code as one categorical column as well.
    With a single column the next best tells 0; constant codes score 0.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
        bins: equal-width bins per column, exact for bits.
        n: images drawn; all if there are fewer or it is None, and then their order does not matter.
    Returns:
        `matrix` is the mutual information in nats.
    Raises:
        ValueError: see `scores.checked`.

    Source: Chen et al., Isolating Sources of Disentanglement (2018), in disentanglement_lib's discrete form.
    """
    codes, factors = checked(codes, factors, categorical)
    rng = np.random.default_rng(seed)
    images = some_images(len(codes), n, rng)
    told, entropies = information_matrix(codes[images], factors[images], bins=bins, categorical=categorical,
                                         groups=random_groups(len(images), rng))
    ranked = np.sort(np.concatenate([told, np.zeros_like(told[:, :1])], axis=1), axis=1)
    gaps = (ranked[:, -1] - ranked[:, -2]) / np.maximum(entropies, 1e-12)
    return MetricResult("MIG", float(gaps[0].mean()), float(jackknife_error(gaps[1:].mean(axis=1))),
                        {"bins": bins, "n": len(images), "categorical": tuple(categorical), "seed": seed},
                        per_factor=tuple(gaps[0].tolist()), matrix=rows(told[0]))


def modularity(codes: Array, factors: Array, *, categorical: Collection[int] = (), bins: int = 20,
               n: int | None = 10_000, seed: int = 0) -> MetricResult:
    """How far each column tells of one factor only, by squared mutual information, mean per column.

    A column that tells nothing at all scores 0, but noise does not: the bias of mutual information grows with the
    number of values, so noise seems to tell of the factor with most (about 0.6 for the factors of dSprites).

    Args, Raises: as `mig`, with F >= 2.
    Returns:
        `matrix` is the mutual information in nats.

    Source: Ridgeway and Mozer, Learning Deep Disentangled Embeddings With the F-Statistic Loss (2018).
    """
    codes, factors = checked(codes, factors, categorical, min_factors=2)
    rng = np.random.default_rng(seed)
    images = some_images(len(codes), n, rng)
    told, _ = information_matrix(codes[images], factors[images], bins=bins, categorical=categorical,
                                 groups=random_groups(len(images), rng))
    squared = np.where(told > 1e-12, told, 0) ** 2
    best = squared.max(axis=2)
    others = (squared.sum(axis=2) - best) / (factors.shape[1] - 1)
    parts = np.where(best > 0, 1 - others / np.where(best > 0, best, 1), 0)
    return MetricResult("modularity", float(parts[0].mean()), float(jackknife_error(parts[1:].mean(axis=1))),
                        {"bins": bins, "n": len(images), "categorical": tuple(categorical), "seed": seed},
                        per_latent=tuple(parts[0].tolist()), matrix=rows(told[0]))
