"""What can be measured in a picture of bright strokes on black: proxies of factors where no file names them."""

from __future__ import annotations

import torch
from torch import Tensor

from mrvae_lib.data import ImageSet
from mrvae_lib.data.image_set import batches_in_order

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
