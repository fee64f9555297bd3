"""Where the encoder puts a set of images, as a scatter plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from mrvae_lib.analysis.figures import BLUE


def plot_scatter(mu: Tensor, labels: Tensor | None = None, label_names: Sequence[str] = ()) -> Figure:
    """The means of a set of images on their first two principal axes, coloured by label.

    Args:
        mu: (N, D), N > 1, D >= 1; two reals are drawn as they are.
        labels: (N,); with them the title says how often a point's 5 nearest neighbours share its label.
    """
    points, axes = mu.numpy(), ("first principal axis", "second principal axis")
    if mu.shape[1] == 2:
        axes = ("z0", "z1")
    else:
        points = PCA(n_components=min(2, mu.shape[1]), random_state=0).fit_transform(points)
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    figure, ax = plt.subplots(figsize=(7, 5.4))
    style: dict[str, Any] = {"s": max(2, min(16, 20_000 / len(points))), "linewidths": 0, "alpha": 0.6}
    if labels is None:
        ax.scatter(*points.T, color=BLUE, **style)
    else:
        present = labels.unique().tolist()
        colours = plt.get_cmap("tab10" if len(present) <= 10 else "tab20").colors  # type: ignore[attr-defined]
        for i, label in enumerate(present):
            ax.scatter(*points[labels.numpy() == label].T, color=colours[i % len(colours)],
                       label=label_names[label] if label_names else str(label), **style)
        ax.legend(frameon=False, fontsize=8, markerscale=max(1, 5 / style["s"] ** 0.5), loc="center left",
                  bbox_to_anchor=(1, 0.5))
        ax.set_title(f"the 5 nearest neighbours agree with a point's label in {_knn_agreement(points, labels):.0%}",
                     fontsize=9, loc="left")
    ax.set(xlabel=axes[0], ylabel=axes[1])
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def _knn_agreement(points: np.ndarray, labels: Tensor, k: int = 5) -> float:
    """Share of points whose label is the most frequent one of their k nearest other points."""
    k = min(k, len(points) - 1)
    nearest = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)  # without the point itself
    return float((labels[torch.from_numpy(nearest)].mode(dim=1).values == labels).double().mean())
