"""Scores of a code: pure functions of codes and labels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.analysis.scores import (
    GROUPS,
    Array,
    MetricResult,
    binned,
    entropy,
    information,
    jackknife_error,
    jackknifed_counts,
    random_groups,
)
from mrvae_lib.model.codes import CodeTable


def majority_accuracy(train_codes: Tensor, train_labels: Tensor, test_codes: Tensor, test_labels: Tensor) -> float:
    """Share of test images whose label is the most frequent training label of their code.

    A code never seen in training counts as wrong. More codes score higher by themselves: compare at equal number.

    Args:
        train_codes, test_codes: (N,) int64 >= 0, one code or cluster per image.
        train_labels, test_labels: (N,) int64 >= 0.
    Returns:
        Between 0 and 1.
    """
    n_codes = int(max(train_codes.max(), test_codes.max())) + 1
    n_labels = int(max(train_labels.max(), test_labels.max())) + 1
    pairs = train_codes * n_labels + train_labels
    counts = torch.bincount(pairs, minlength=n_codes * n_labels).reshape(n_codes, n_labels)
    majority = counts.argmax(dim=1)
    majority[counts.sum(dim=1) == 0] = -1
    return float((majority[test_codes] == test_labels).double().mean())


def nmi(codes: Array | Tensor, labels: Array | Tensor, *, seed: int = 0) -> MetricResult:
    """Normalised mutual information of codes and labels, over the mean of their entropies, exact over all images.

    1 where codes and labels name the same groups, 0 where either is constant. Grows by chance with the number of codes:
    compare at equal number.

    Args:
        codes, labels: (N,) integers, one code or cluster and one label per image.
        seed: of the groups behind the standard error; the score does not depend on it.
    Returns:
        `settings` holds the mutual information and both entropies in nats.
    Raises:
        ValueError: a shape, a length or a type is not as above.

    Source: Strehl and Ghosh, Cluster Ensembles (2002), with the arithmetic mean as scikit-learn has it.
    """
    codes, labels = np.asarray(codes), np.asarray(labels)
    if codes.ndim != 1 or codes.shape != labels.shape or not codes.size:
        raise ValueError(f"codes and labels must be (N,) of equal length, got {codes.shape} and {labels.shape}")
    if codes.dtype.kind not in "biu" or labels.dtype.kind not in "biu":
        raise ValueError(f"codes and labels must be integers, got {codes.dtype} and {labels.dtype}")
    groups = random_groups(len(codes), np.random.default_rng(seed))
    counts = jackknifed_counts(binned(codes, None), binned(labels, None), groups)
    counts = counts[counts.sum(axis=(1, 2)) > 0]
    told, code_entropy = information(counts), entropy(counts.sum(axis=2), 1)
    label_entropy = entropy(counts.sum(axis=1), 1)
    score = np.minimum(told / np.maximum((code_entropy + label_entropy) / 2, 1e-12), 1)
    return MetricResult("NMI", float(score[0]), float(jackknife_error(score[1:])),
                        {"information": float(told[0]), "code_entropy": float(code_entropy[0]),
                         "label_entropy": float(label_entropy[0]), "n": len(codes)})


def code_information(bit_logits: Tensor, *, seed: int = 0) -> MetricResult:
    """What the whole code tells about the image, I(x; b), and per bit, I(x; b_k), over all images.

    Args:
        bit_logits: (N >= 20, K >= 1) log-odds; K <= MAX_TABLE_BITS.
        seed: of the groups behind the standard error; the score does not depend on it.
    Returns:
        `score` is joint, at most min(K ln 2, ln N) nats, and `per_latent` per bit, at most ln 2 each; they sum to
        `score` plus the total correlation in `settings`.
    Raises:
        ValueError: the logits are not as above or not finite.

    Source: Hoffman and Johnson, ELBO surgery (2016), see `CodeTable`.
    """
    if bit_logits.ndim != 2 or len(bit_logits) < GROUPS or not bit_logits.shape[1]:
        raise ValueError(f"bit_logits must be (N, K) with N at least {GROUPS} and K at least 1, "
                         f"got {tuple(bit_logits.shape)}")
    if not bool(torch.isfinite(bit_logits).all()):
        raise ValueError("bit_logits must be finite")
    table = CodeTable.from_logits(bit_logits)
    groups = torch.from_numpy(random_groups(len(bit_logits), np.random.default_rng(seed)))
    tables = [CodeTable.from_logits(bit_logits[groups == g]) for g in range(GROUPS)]
    share = torch.bincount(groups, minlength=GROUPS).double() / len(groups)
    probs = torch.stack([part.probs for part in tables])
    noise = torch.special.entr(probs).sum(dim=1) - torch.stack([part.information for part in tables])
    rest = ((table.probs - share[:, None] * probs) / (1 - share[:, None])).clamp(min=0)
    rest_noise = (share @ noise - share * noise) / (1 - share)
    without = torch.special.entr(rest).sum(dim=1) - rest_noise
    return MetricResult("I(x; b)", float(table.information), float(jackknife_error(without.numpy())),
                        {"total_correlation": float(table.total_correlation), "n": len(bit_logits)},
                        per_latent=tuple(table.bit_information.tolist()))


def kmeans_codes(train: Tensor, test: Tensor, *, n_clusters: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Clusters of raw pixels, the floor that a learned code has to beat.

    Mini-batch k-means on the first 50 principal components of the training images, three starts.

    Args:
        train, test: (N, ...) uint8 images.
    Returns:
        The cluster of each training and of each test image, (N,) int64 each.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import PCA

    flat_train, flat_test = (images.flatten(1).float().div(255).numpy() for images in (train, test))
    pca = PCA(n_components=min(50, *flat_train.shape), svd_solver="randomized", random_state=seed).fit(flat_train)
    kmeans = MiniBatchKMeans(min(n_clusters, len(train)), n_init=3, batch_size=1024, random_state=seed)
    kmeans.fit(pca.transform(flat_train))
    train_codes, test_codes = (kmeans.predict(pca.transform(flat)) for flat in (flat_train, flat_test))
    return torch.from_numpy(train_codes).long(), torch.from_numpy(test_codes).long()
