"""What every score shares: its result, the check of its input, and the images it is fitted to and read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score

Array = NDArray[Any]

BINS = 20
"""Of equal width, into which a column is cut before mutual information is counted."""


@dataclass(frozen=True)
class MetricResult:
    """A score and how it was computed; two scores can be compared only if `name` and `settings` are equal."""

    name: str
    score: float
    settings: dict[str, Any]
    standard_error: float | None = None
    """Of `score`, where it is a mean over independent images or votes; None elsewhere."""
    per_factor: Sequence[float] = ()
    """(F,) what each factor scores alone; empty where the score has no such part."""
    matrix: Sequence[Sequence[float]] = ()
    """(D, F) what the score is computed from: mutual information, votes, accuracies or importances."""

    @classmethod
    def of_mean(cls, name: str, values: Array, settings: dict[str, Any], *parts: Sequence[Any]) -> Self:
        """The mean of a number per independent image or vote, (N,), with its standard error; then the other fields."""
        return cls(name, float(values.mean()), settings, float(values.std() / np.sqrt(len(values))), *parts)


def checked(codes: Array, factors: Array) -> tuple[Array, Array]:
    """Codes (N, D) as float64 and factors (N, F), their values numbered from 0, after a check that they can be scored.

    Args:
        codes: (N, D), finite numbers.
        factors: (N, F >= 2), integers; at least two values each.
    Raises:
        ValueError: a shape, a length, a type or a value is not as above.
    """
    codes, factors = np.asarray(codes, dtype=np.float64), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or factors.shape[1] < 2 or not codes.size:
        raise ValueError(f"codes must be (N, D), factors (N, F), F at least 2, got {codes.shape} and {factors.shape}")
    if factors.dtype.kind not in "biu":
        raise ValueError(f"factors must be integers, got {factors.dtype}")
    if not np.isfinite(codes).all():
        raise ValueError(f"codes must be finite; column {int(np.argmin(np.isfinite(codes).all(axis=0)))} is not")
    factors = np.column_stack([numbered(column) for column in factors.T])
    if not factors.any(axis=0).all():
        constant = int(np.argmin(factors.any(axis=0)))
        raise ValueError(f"each factor needs two values or more; factor {constant} has one: leave that column out")
    return codes, factors


def train_and_test(n_images: int, n_train: int, n_test: int) -> tuple[Array, Array, dict[str, Any]]:
    """Indices of training and of test images, disjoint, seed 0; in the same proportion where there are fewer.

    Returns:
        Both, and what a `MetricResult` says of them in its settings.
    """
    train = round(n_train * min(1, n_images / (n_train + n_test)))
    test = min(n_test, n_images - train)
    order = np.random.default_rng(0).permutation(n_images)
    return order[:train], order[train : train + test], {"n_train": train, "n_test": test, "seed": 0}


def numbered(column: Array) -> Array:
    """Category numbers (N,) as 0, 1, 2 ..., in the order of the values."""
    return np.unique(column, return_inverse=True)[1]


def equal_width_bins(column: Array) -> Array:
    """The bin of each value of a column, (N,) integers from 0, of `BINS` from its smallest value to its largest."""
    return np.digitize(column, np.histogram_bin_edges(column, BINS)[:-1]) - 1


def information_matrix(codes: Array, factors: Array, joint: bool = False) -> tuple[Array, Array]:
    """Plug-in mutual information of every column with every factor, and the entropy of every factor.

    Args:
        codes: (N, D). Columns are cut into `equal_width_bins` (exact for bits).
        joint: whether the last column holds category numbers, which are not cut.
        factors: (N, F) integers.
    Returns:
        (D, F) and (F,), nats.
    """
    columns = [equal_width_bins(column) for column in codes.T]
    if joint:
        columns[-1] = numbered(codes[:, -1])

    def shared(x: Array, y: Array) -> float:  # counted here, because scikit-learn would sort both for every pair
        return mutual_info_score(None, None, contingency=np.histogram2d(x, y, (np.ptp(x) + 1, np.ptp(y) + 1))[0])

    told = np.array([[shared(column, factor) for factor in factors.T] for column in columns])
    return told, np.array([shared(factor, factor) for factor in factors.T])
