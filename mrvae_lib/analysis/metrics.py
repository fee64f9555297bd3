"""Scores of a code: pure functions of codes and labels."""

from __future__ import annotations

import torch
from torch import Tensor


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
