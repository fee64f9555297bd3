"""Images: where they come from, and how they reach the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from mrvae_lib.data.factors import FactorSet
from mrvae_lib.data.gaze import load_xys, load_xys_256, load_xys_full
from mrvae_lib.data.imageset import ImageSet
from mrvae_lib.data.own import is_own, load_own
from mrvae_lib.data.sprites import load_dsprites
from mrvae_lib.data.vision import load_cifar10, load_digits, load_fashion_mnist, load_mnist
from mrvae_lib.errors import DataError

__all__ = ["FactorSet", "ImageSet", "load_dataset"]

LOADERS: dict[str, Callable[[str], ImageSet]] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "fashion-mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
    "dsprites": load_dsprites,
    "xys": load_xys,
    "xys-full": load_xys_full,
    "xys-256": load_xys_256,
}
LICENCES = {
    "digits": "E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998. CC BY 4.0.",
    "mnist": "Y. LeCun, C. Cortes and C. J. C. Burges, 1998. CC BY-SA 3.0.",
    "fashion-mnist": "H. Xiao, K. Rasul and R. Vollgraf, Zalando SE, 2017. MIT licence.",
    "cifar10": "A. Krizhevsky, V. Nair and G. Hinton, 2009. No licence is stated; the authors ask to be cited.",
    "dsprites": "L. Matthey, I. Higgins, D. Hassabis and A. Lerchner, DeepMind, 2017. zlib/libpng licence.",
}
"""Who made a data set, and its licence, as in NOTICE; the drawn faces are this library's own."""


IMAGE_SHAPES: dict[str, tuple[int, int, int]] = {
    "digits": (1, 32, 32),
    "mnist": (1, 28, 28),
    "fashion-mnist": (1, 28, 28),
    "cifar10": (3, 32, 32),
    "dsprites": (1, 64, 64),
    "xys": (3, 64, 64),
    "xys-full": (1, 64, 64),
    "xys-256": (3, 256, 256),
}
"""(C, H, W) of each, known without loading it."""


def load_dataset(name: str, split: Literal["train", "test"] = "train") -> ImageSet:
    """One split of a data set, whole, in memory.

    Args:
        name: `digits`, `dsprites`, `xys`, `xys-full`, `xys-256` (no network needed); `mnist`, `fashion-mnist`,
            `cifar10`; or your own images: the path of a folder (see `own.load_folder`) or of an `.npz` file (see
            `own.load_npz`).
        split: `train` or `test`.
    Raises:
        DataError: a name or split that does not exist, or files that are missing, damaged or out of reach.
    """
    if name not in LOADERS and not is_own(name):
        raise DataError(f"no data set {name!r}; there are {', '.join(LOADERS)}, or give the path of a folder of images "
                        f"or of an .npz file")
    if split not in ("train", "test"):
        raise DataError(f"{name}: split must be train or test, got {split!r}")
    return LOADERS[name](split) if name in LOADERS else load_own(name, split)
