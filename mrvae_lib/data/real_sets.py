"""Images that were collected, not drawn: scikit-learn's digits, and the sets that torchvision downloads and checks."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from mrvae_lib.data.image_set import ImageSet
from mrvae_lib.errors import DataError, shortened

N_DIGITS_TO_TRAIN = 1437
DIGIT_NAMES = tuple("0123456789")
SETS = {
    "mnist": ("MNIST", "MNIST", DIGIT_NAMES),
    "fashion-mnist": ("FashionMNIST", "FashionMNIST", (
        "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")),
    "cifar10": ("CIFAR10", "cifar-10-*", (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")),
}
"""For each data set: torchvision's class, the files that it keeps in the data folder, and the names of the labels."""


def data_folder() -> Path:
    """Where data sets are kept: the folder named by MRVAE_DATA, else `mrvae` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MRVAE_DATA") or Path(cache) / "mrvae").expanduser()


def load_digits(name: str, split: str) -> ImageSet:
    """1,797 real handwritten digits of 8x8 pixels, shown at 32x32: the first 1,437 to train on, the last 360 to test.

    The file is in the order it was collected, so most writers of the test digits were never seen in training.
    Source: Alpaydin and Kaynak, UCI Optical Recognition of Handwritten Digits (1998); bundled with scikit-learn.
    """
    from sklearn.datasets import load_digits as bundled_digits

    pixels, labels = bundled_digits(return_X_y=True)
    part = slice(None, N_DIGITS_TO_TRAIN) if split == "train" else slice(N_DIGITS_TO_TRAIN, None)
    small = torch.from_numpy(pixels[part]).float().reshape(-1, 1, 8, 8) / 16
    large = torch.nn.functional.interpolate(small, size=32, mode="bicubic", align_corners=False).clamp(0, 1)
    return ImageSet(name, large.mul(255).round().byte(), torch.from_numpy(labels[part]).long(), DIGIT_NAMES)


def load_torchvision(name: str, split: str) -> ImageSet:
    """One of torchvision's data sets, downloaded if it is not in the data folder yet.

    Args:
        name: `mnist`, 60,000 and 10,000 handwritten digits of 28x28 (LeCun, Cortes and Burges); `fashion-mnist`, as
            many pictures of clothes of 28x28 (Xiao, Rasul and Vollgraf, 2017); `cifar10`, 50,000 and 10,000 small
            photographs of 32x32 in colour (Krizhevsky, 2009), which torchvision unpickles once their md5 is right.
    Raises:
        DataError: files that are damaged, or that are not there and cannot be downloaded.
    """
    class_name, files, label_names = SETS[name]
    loaded = _read(name, class_name, files, train=split == "train")
    images = torch.as_tensor(loaded.data)
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
    return ImageSet(name, images, torch.as_tensor(loaded.targets), label_names)


def _read(name: str, class_name: str, files: str, *, train: bool) -> Any:
    from torchvision import datasets  # takes as long to import as torch, and training on other images needs none of it

    source, root = getattr(datasets, class_name), data_folder()
    with suppress(Exception):  # files that are missing, half written or damaged: each is an error of another kind
        return source(root, train=train)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".download.lock"):  # another process may be downloading the same files
            return source(root, train=train, download=True)
    except Exception as error:
        raise DataError(f"{name}: {root / files} cannot be read or downloaded ({shortened(str(error))}); if files "
                        f"there are damaged, delete them and try again; MRVAE_DATA names the data folder; the data set "
                        f"'digits' works without a network") from None
