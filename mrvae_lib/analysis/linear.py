"""Two linear classifiers that the scores fit often: scikit-learn's objectives, brought to their minimum faster."""

from __future__ import annotations

import numpy as np

from mrvae_lib.analysis.scores import Array


def one_column_svm(x: Array, y: Array, *, penalty: float = 0.01, tolerance: float = 1e-6) -> tuple[Array, Array]:
    """The linear support vector machine of one number against classes: one line per class, all solved together.

    What `LinearSVC(C=penalty, class_weight="balanced")` converges to on a single column, by Newton's method on
    1/2 (w^2 + b^2) + sum_i C_i max(0, 1 - s_i (w x_i + b))^2, which has two unknowns per class.

    Args:
        x: (N,) numbers.
        y: (N,) classes 0..C - 1, each of them present, C >= 2.
    Returns:
        Slopes and offsets, (C,) each; the class of x is argmax(w x + b). Of two classes both come from one line.

    Source: the objective of LIBLINEAR (Fan et al. 2008), solver 2, with its weights: one against the rest, a class
    has weight N / (C N_c) and the rest has weight 1; of two classes each has its own.
    """
    order = np.argsort(x)
    x, y = x[order].astype(np.float64), y[order]
    counts, by_class = np.bincount(y), np.argsort(y, kind="stable")
    gain = penalty * len(y) / (len(counts) * counts)
    cost = gain[[1, 0]][:, None] if len(counts) == 2 else np.stack([gain, np.full_like(gain, penalty)])
    classes = np.array([1]) if len(counts) == 2 else np.arange(len(counts))
    # Sums of 1, x and x^2 over the smallest images, of all classes and within each: an active set is a half-line.
    powers = np.stack([np.ones_like(x), x, x * x])
    below = np.pad(np.cumsum(powers, axis=1), ((0, 0), (1, 0)))
    below_own = np.pad(np.cumsum(powers[:, by_class], axis=1), ((0, 0), (1, 0)))
    place = y[by_class] * (len(x) + 1) + by_class
    start = (np.cumsum(counts) - counts)[classes]
    total, own = below[:, -1:], below_own[:, start + counts[classes]] - below_own[:, start]

    def split(threshold: Array) -> tuple[Array, Array]:
        """Sums over members of each class and over the rest, (3, C) each, of images below the class's threshold."""
        rank = np.searchsorted(x, threshold)
        members = below_own[:, np.searchsorted(place, classes * (len(x) + 1) + rank)] - below_own[:, start]
        return members, below[:, rank] - members

    def descent(w: Array, b: Array) -> tuple[Array, Array, Array]:
        """Loss, gradient and Hessian: (C,), (2, C) in w and b, and (3, C) in bb, wb and ww."""
        with np.errstate(divide="ignore", invalid="ignore"):
            members, rest = split((1 - b) / (w + 0.0))[0], split((-1 - b) / (w + 0.0))[1]
        members, rest = np.where(w < 0, own - members, members), np.where(w < 0, rest, total - own - rest)
        loss, slope, curvature = (w * w + b * b) / 2, np.stack([w, b]), np.array([1.0, 0.0, 1.0])[:, None]
        for side, (n, sx, sxx), weight in ((1, members, cost[0]), (-1, rest, cost[1])):
            loss = loss + weight * (n - 2 * side * (w * sx + b * n) + w * w * sxx + 2 * w * b * sx + b * b * n)
            slope = slope + 2 * weight * np.stack([w * sxx + b * sx - side * sx, w * sx + b * n - side * n])
            curvature = curvature + 2 * weight * np.stack([n, sx, sxx])
        return loss, slope, curvature

    w, b = np.zeros(len(classes)), np.zeros(len(classes))
    loss, slope, curvature = descent(w, b)
    length = np.ones_like(w)
    for _ in range(200):
        if np.abs(slope).max() < tolerance * len(y) * penalty:
            break
        bb, wb, ww = curvature
        step_w, step_b = np.stack([bb * slope[0] - wb * slope[1], ww * slope[1] - wb * slope[0]]) / (ww * bb - wb * wb)
        new_w, new_b = w - length * step_w, b - length * step_b
        new_loss, new_slope, new_curvature = descent(new_w, new_b)
        better = new_loss <= loss * (1 + 1e-12)
        w, b, loss = np.where(better, new_w, w), np.where(better, new_b, b), np.where(better, new_loss, loss)
        slope, curvature = np.where(better, new_slope, slope), np.where(better, new_curvature, curvature)
        length = np.where(better, 1.0, length / 2)
    return (np.array([-w[0], w[0]]), np.array([-b[0], b[0]])) if len(counts) == 2 else (w, b)


def softmax_regression(x: Array, y: Array, *, tolerance: float = 1e-4) -> tuple[Array, Array]:
    """Multinomial logistic regression with a penalty of half the squared weights: `LogisticRegression()`.

    The minimum is sought with the columns of x made uncorrelated, which takes half the steps, and in single precision;
    the penalty stays that of the weights of x.

    Args:
        x: (N, D) numbers, standardised.
        y: (N,) classes 0..C - 1, each of them present, C >= 2.
        tolerance: largest slope of the mean loss at the end, unless 100 steps come first.
    Returns:
        Weights (C, D) and offsets (C,); the logits of x are x @ weights.T + offsets.
    """
    from scipy.optimize import minimize

    n, n_columns = x.shape
    n_classes = int(y.max()) + 1
    back = np.linalg.inv(np.linalg.cholesky(x.T @ x / n + 1e-3 * np.eye(n_columns)))
    inputs = np.column_stack([x @ back.T, np.ones(n)]).astype(np.float32)
    penalty = np.zeros((n_columns + 1, n_columns + 1))
    # For two classes scikit-learn fits one line, the difference of ours, and so has half of this penalty.
    penalty[:-1, :-1] = back @ back.T * (2 if n_classes == 2 else 1)
    wanted = np.stack([inputs[y == c].sum(axis=0, dtype=np.float64) for c in range(n_classes)])

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(wanted.shape)
        logits = inputs @ weights.T.astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        own = logits[np.arange(n), y].sum(dtype=np.float64)
        probs = np.exp(logits, out=logits)
        norm = probs.sum(axis=1, keepdims=True)
        probs /= norm
        shrink = weights @ penalty
        total = np.log(norm).sum(dtype=np.float64) - own + (shrink * weights).sum() / 2
        return total / n, ((probs.T @ inputs).astype(np.float64) - wanted + shrink).ravel() / n

    found = minimize(loss, np.zeros(wanted.size), jac=True, method="L-BFGS-B",
                     options={"gtol": tolerance, "ftol": 1e-14, "maxiter": 100}).x.reshape(wanted.shape)
    return found[:, :-1] @ back, found[:, -1]
