"""What every score shares: its result, checks of what comes in, mutual information, and a standard error."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

GROUPS = 20
"""Groups of images that the jackknife leaves out in turn."""


@dataclass(frozen=True)
class MetricResult:
    """A score with what it was read off and how; two scores compare only at equal `name` and `settings`."""

    name: str
    score: float
    standard_error: float
    """Of `score`, over images or votes. NaN where the settings ask for no estimate."""
    settings: dict[str, Any]
    per_factor: tuple[float, ...] = ()
    """(F,) what each factor scores alone; empty where the score has no such part."""
    per_latent: tuple[float, ...] = ()
    """(D,) what each column of the codes scores alone; empty where the score has no such part."""
    matrix: tuple[tuple[float, ...], ...] = ()
    """(D, F) what the score is computed from: mutual information, votes, accuracies or importances."""


def rows(matrix: Array) -> tuple[tuple[float, ...], ...]:
    """A (D, F) array as `MetricResult.matrix`."""
    return tuple(tuple(row) for row in matrix.tolist())


def code_columns(reals: Array, bits: Array, *, joint: bool) -> tuple[Array, tuple[int, ...]]:
    """Reals and bits side by side, in one of the two forms in which bits enter a score, per image.

    Args:
        reals: (N, D), usually posterior means.
        bits: (N, K) of 0 and 1.
        joint: False gives each bit a column; True gives the whole code one column of category numbers.
    Returns:
        (N, D + K) and no categories, or (N, D + 1) and the position of the categorical column.
    Raises:
        ValueError: the numbers of images differ.
    """
    if len(reals) != len(bits):
        raise ValueError(f"reals and bits must describe the same images, got {len(reals)} and {len(bits)}")
    if not joint or not bits.shape[1]:
        return np.column_stack([reals, bits]), ()
    _, category = np.unique(bits, axis=0, return_inverse=True)
    return np.column_stack([reals, category.reshape(-1)]), (reals.shape[1],)


def checked(codes: Array, factors: Array, categorical: Collection[int] = (), *,
            min_factors: int = 1) -> tuple[Array, Array]:
    """Codes and factors as arrays that a score can be computed from.

    Args:
        codes: (N, D), finite numbers.
        factors: (N, F), integers; at least two values each.
        categorical: columns of `codes` that hold category numbers.
    Raises:
        ValueError: a shape, a length, a type or a value is not as above.
    """
    codes, factors = np.asarray(codes), np.asarray(factors)
    codes = codes if codes.dtype in (np.float32, np.float64) else codes.astype(np.float64)
    if codes.ndim != 2 or not codes.size:
        raise ValueError(f"codes must be (N, D) with N and D at least 1, got {codes.shape}")
    if factors.ndim != 2 or factors.shape[1] < min_factors:
        raise ValueError(f"factors must be (N, F) with F at least {min_factors}, got {factors.shape}")
    if len(codes) != len(factors):
        raise ValueError(f"codes and factors must describe the same images, got {len(codes)} and {len(factors)}")
    if factors.dtype.kind not in "biu":
        raise ValueError(f"factors must be integers, got {factors.dtype}")
    if not np.isfinite(codes).all():
        raise ValueError(f"codes must be finite; column {int(np.argmin(np.isfinite(codes).all(axis=0)))} is not")
    constant = np.flatnonzero(factors.min(axis=0) == factors.max(axis=0))
    if constant.size:
        raise ValueError(f"each factor needs two values or more; factor {constant[0]} has one: leave that column out")
    for column in categorical:
        if not 0 <= column < codes.shape[1]:
            raise ValueError(f"categorical columns must be in 0..{codes.shape[1] - 1}, got {column}")
    return codes, factors


def some_images(n_images: int, n: int | None, rng: np.random.Generator) -> Array:
    """Indices of n images, none twice; of all images, in order, where there are no more than n or n is None."""
    return np.arange(n_images) if n is None or n_images <= n else rng.choice(n_images, n, replace=False)


def train_and_test(n_images: int, n_train: int, n_test: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Indices of training and of test images, disjoint; in the same proportion where there are fewer images.

    Raises:
        ValueError: a number is below 2, or one of the two sets would have fewer.
    """
    if n_train < 2 or n_test < 2:
        raise ValueError(f"n_train and n_test must be at least 2, got {n_train} and {n_test}")
    if n_images < n_train + n_test:
        share = n_train / (n_train + n_test)
        n_train = round(n_images * share)
        n_test = n_images - n_train
        if n_train < 2 or n_test < 2:
            raise ValueError(f"{n_images} images are too few for a training and a test set")
    order = rng.permutation(n_images)
    return order[:n_train], order[n_train : n_train + n_test]


def random_groups(n: int, rng: np.random.Generator) -> Array:
    """A group in 0..GROUPS - 1 for each of n images, groups of equal size."""
    return rng.permutation(n) % GROUPS


def jackknife_error(leave_one_out: Array) -> Array:
    """Standard error of an estimate, from its values without each group of images.

    Args:
        leave_one_out: (G, ...) the estimate without group g.
    Returns:
        (...) sqrt((G - 1) / G * sum of squared deviations).

    Source: the delete-a-group jackknife (Kott 2001).
    """
    n_groups = len(leave_one_out)
    return np.sqrt((n_groups - 1) * leave_one_out.var(axis=0))


def jackknifed_counts(left: Array, right: Array, groups: Array) -> Array:
    """How often each pair of categories occurs: in all images, then without each group.

    Args:
        left, right, groups: (N,) integers from 0.
    Returns:
        (1 + GROUPS, A, B).
    """
    shape = (GROUPS, int(left.max()) + 1, int(right.max()) + 1)
    cells = np.ravel_multi_index((groups, left, right), shape)
    counts = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
    total = counts.sum(axis=0)
    return np.concatenate([total[None], total - counts])


def entropy(counts: Array, axis: int | tuple[int, ...]) -> Array:
    """Plug-in entropy of counts along some axes, in nats."""
    probs = counts / counts.sum(axis=axis, keepdims=True)
    return -(probs * np.log(np.where(probs > 0, probs, 1))).sum(axis=axis)


def information(counts: Array) -> Array:
    """Plug-in mutual information of (..., A, B) counts, in nats; never negative."""
    left, right = entropy(counts.sum(axis=-1), -1), entropy(counts.sum(axis=-2), -1)
    return np.maximum(left + right - entropy(counts, (-2, -1)), 0)


def binned(column: Array, bins: int | None) -> Array:
    """The bin of each value of a column: equal-width bins from its smallest to its largest, or one per value if None.

    Returns:
        (N,) integers from 0.
    """
    if bins is None and column.dtype.kind in "iu" and column.min() >= 0 and column.max() < len(column):
        occurs = np.bincount(column) > 0
        return (np.cumsum(occurs) - 1)[column]  # as np.unique, without sorting
    if bins is None:
        return np.unique(column, return_inverse=True)[1].reshape(-1)
    edges = np.histogram_bin_edges(column.astype(np.float64), bins)
    return np.digitize(column, edges[:-1]) - 1


def information_matrix(codes: Array, factors: Array, *, bins: int = 20, categorical: Collection[int] = (),
                       groups: Array | None = None) -> tuple[Array, Array]:
    """Mutual information of every column with every factor, and the entropy of every factor.

    Args:
        codes: (N, D). Columns are cut into `bins` equal-width bins (exact for bits), `categorical` ones per value.
        factors: (N, F) integers.
        groups: (N,) groups to leave out in turn; by default none are.
    Returns:
        (1 + G, D, F) and (1 + G, F) nats: of all images, then without each group.
    """
    left = [binned(codes[:, d], None if d in categorical else bins) for d in range(codes.shape[1])]
    right = [binned(factors[:, f], None) for f in range(factors.shape[1])]
    at = np.zeros(len(codes), dtype=np.int64) if groups is None else groups
    keep = slice(1) if groups is None else slice(None)
    told = np.array([[information(jackknifed_counts(a, b, at)[keep]) for b in right] for a in left])
    entropies = np.array([entropy(jackknifed_counts(b, b, at)[keep], (-2, -1)) for b in right])
    return told.transpose(2, 0, 1), entropies.T
