"""What a code can be asked about, such as slant measured in pixels, and what it tells of that on held-out images."""

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.naive_bayes import CategoricalNB
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from mrvae_lib.analysis.scoring import Array, MetricResult, numbered, train_and_test
from mrvae_lib.data.image_set import ImageSet, batches_in_order

NEIGHBOURS, N_TRAIN, N_TEST = 5, 10_000, 5_000
"""Images are taken for training and testing in this proportion where there are fewer."""
LEVELS = 10
"""Groups of equal size into which a measurement is cut where an integer is needed."""


def image_measures(x: Tensor) -> dict[str, Tensor]:
    """Six measurements of each image, (N,) float64 each, from the moments and the outline of its brightness.

    `slant`, degrees: how far the strokes lean to the right, the shear that moments undo in deskewing. `thickness`,
    pixels: twice the area over the length of the outline. `x` right and `y` down, pixels: the centre of brightness from
    the centre of the image. `width`, pixels: the root mean square distance from the leaning axis, measured across.
    `size`, pixels: that from the centre of brightness. Black images measure 0.

    Args:
        x: (N, C, H, W) in [0, 1]; channels are averaged.

    Source: slant and thickness are the measures of Castro et al., Morpho-MNIST (2019), without its skeletons: outline
    is total variation.
    """
    x = x.double().mean(dim=1)
    rows, columns = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2 for side in x.shape[1:])
    area = x.sum(dim=(1, 2))
    weight = area.clamp(min=1e-9)
    across, down = x.sum(dim=1), x.sum(dim=2)  # brightness per column and per row
    x0, y0 = across @ columns / weight, down @ rows / weight
    var_x, var_y = across @ columns**2 / weight - x0**2, down @ rows**2 / weight - y0**2
    cov = torch.einsum("nhw,h,w->n", x, rows, columns) / weight - x0 * y0
    framed = torch.nn.functional.pad(x, (1, 1, 1, 1))
    step_x, step_y = framed[:, :-1].diff(dim=2), framed[:, :, :-1].diff(dim=1)
    outline = (step_x**2 + step_y**2).sqrt().sum(dim=(1, 2))
    return {
        "slant": torch.rad2deg(torch.atan2(-cov, var_y.clamp(min=1e-9))),
        "thickness": 2 * area / outline.clamp(min=1e-9),
        "x": x0,
        "y": y0,
        "width": (var_x - cov**2 / var_y.clamp(min=1e-9)).clamp(min=0).sqrt(),
        "size": (var_x + var_y).clamp(min=0).sqrt(),
    }


def levels(values: Tensor, n: int = LEVELS) -> Tensor:
    """The group of each value when sorted into n groups of equal size, (N,) int64; equal values share a group."""
    edges = values.double().quantile(torch.linspace(0, 1, n + 1, dtype=torch.float64)[1:-1])
    return torch.bucketize(values.double(), edges, right=True)


def targets(images: ImageSet) -> dict[str, Tensor]:
    """What one may ask of a code, (N,) int64 each, by name.

    The factors where they are known. Else the label, where known, and of images with one channel their
    `image_measures`, in `LEVELS` groups of equal size. Targets with a single value are left out.
    """
    if images.factors is not None:
        asked = dict(zip(images.factor_names, images.factors.T, strict=True))
    else:
        asked = {} if images.labels is None else {"label": images.labels}
        if images.image_shape[0] == 1:
            parts = [image_measures(images.floats(places)) for places in batches_in_order(len(images))]
            asked |= {name: levels(torch.cat([part[name] for part in parts])) for name in parts[0]}
    return {name: values for name, values in asked.items() if len(values.unique()) > 1}


def knn_accuracy(train: Array, train_labels: Array, test: Array, test_labels: Array) -> list[MetricResult]:
    """Accuracy of the most frequent label among the 5 training images nearest in z, and the same with shuffled labels.

    The second is chance, with all that the neighbours have in common kept. Of labels equally frequent among the
    neighbours the smallest wins. Of more than 10,000 training images as many are drawn, seed 0.

    Args:
        train, test: (N, D >= 1) means of z, finite; distance is Euclidean.
        train_labels, test_labels: (N,) integers.
    """
    rng = np.random.default_rng(0)
    kept = rng.permutation(len(train))[:N_TRAIN]
    known = np.column_stack([train_labels[kept], rng.permutation(train_labels[kept])])
    model = KNeighborsClassifier(min(NEIGHBOURS, len(kept))).fit(train[kept], known)
    right = model.predict(test) == test_labels[:, None]
    settings = {"n_train": len(kept), "n_test": len(test), "seed": 0}
    names = ("5-NN accuracy, from z", "5-NN accuracy, labels shuffled, from z")
    return [MetricResult.of_mean(name, column, settings) for name, column in zip(names, right.T, strict=True)]


def information_told(codes: Array, target: Array) -> MetricResult:
    """What codes tell of a target, nats per image: by how much they sharpen a prediction on held-out images.

    The mean of ln q(y | code) - ln q(y), q fitted on training images: gradient-boosted trees on histograms, or, for
    category numbers, the frequencies in each category. In expectation a lower bound of mutual information, as tight as
    the fit is good; a little below 0 where codes tell nothing.

    Args:
        codes: (N, D) numbers, or (N,) category numbers.
        target: (N,) integers.
    Returns:
        `settings["entropy"]` is that of the target, the most that can be told.

    Source: predictive V-information of Xu et al., A Theory of Usable Information (2020); the bound of Barber and
    Agakov (2003).
    """
    train, test, settings = train_and_test(len(codes), N_TRAIN, N_TEST)
    y = numbered(target)
    share = (np.bincount(y[train], minlength=y.max() + 1) + 1) / (len(train) + y.max() + 1)
    floor = 0.0 if codes.ndim == 1 else 0.01  # of the shares, which keeps the trees from 0
    if codes.ndim == 1:
        codes = numbered(codes)[:, None]
        model = CategoricalNB(alpha=1 / len(share), min_categories=int(codes.max()) + 1)
    else:  # the trees stop when a tenth of the images says so
        model = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=8, early_stopping=len(train) > 500,
                                               n_iter_no_change=3, random_state=0)
    model.fit(codes[train], y[train])
    probs = np.zeros((len(test), len(share)))
    probs[:, model.classes_] = model.predict_proba(codes[test]) if len(model.classes_) > 1 else 1  # of few images
    told = (1 - floor) * probs + floor * share
    gain = np.log(np.maximum(told[np.arange(len(test)), y[test]], 1e-9)) - np.log(share[y[test]])
    settings["entropy"] = float(-(share * np.log(share)).sum())
    return MetricResult.of_mean("information told", gain, settings)
