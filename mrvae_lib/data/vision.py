"""Real images: the digits that come with scikit-learn, and torchvision's MNIST, FashionMNIST and CIFAR-10."""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mrvae_lib.data.imageset import ImageSet
from mrvae_lib.errors import DataError

if TYPE_CHECKING:  # torchvision takes as long to import as torch; who trains on other images need not wait for it
    from torchvision.datasets import MNIST

OFFLINE = "the data set 'digits' works without a network"
N_DIGITS_TRAIN = 1437
MAX_IDX_BYTES = 2**30
FASHION_NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DIGIT_NAMES = tuple("0123456789")


def data_folder() -> Path:
    """Where data sets are kept: the folder named by MRVAE_DATA, else `mrvae` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MRVAE_DATA") or Path(cache) / "mrvae").expanduser()


def load_digits(split: str) -> ImageSet:
    """1,797 real handwritten digits of 8x8 pixels, shown at 32x32: the first 1,437 to train on, the last 360 to test.

    The file is in the order it was collected, so most writers of the test digits were never seen in training.
    Source: Alpaydin and Kaynak, UCI Optical Recognition of Handwritten Digits (1998); bundled with scikit-learn.
    """
    from sklearn.datasets import load_digits as bundled_digits

    pixels, labels = bundled_digits(return_X_y=True)
    part = slice(None, N_DIGITS_TRAIN) if split == "train" else slice(N_DIGITS_TRAIN, None)
    small = torch.from_numpy(pixels[part]).float().reshape(-1, 1, 8, 8) / 16
    large = F.interpolate(small, size=32, mode="bicubic", align_corners=False).clamp(0, 1)
    return ImageSet("digits", large.mul(255).round().byte(), torch.from_numpy(labels[part]).long(), DIGIT_NAMES)


def load_mnist(split: str) -> ImageSet:
    """60,000 and 10,000 handwritten digits, 28x28. Source: LeCun, Cortes and Burges."""
    from torchvision.datasets import MNIST

    return _load_idx("mnist", MNIST, split, DIGIT_NAMES)


def load_fashion_mnist(split: str) -> ImageSet:
    """60,000 and 10,000 pictures of clothes, 28x28. Source: Xiao, Rasul and Vollgraf (2017)."""
    from torchvision.datasets import FashionMNIST

    return _load_idx("fashion-mnist", FashionMNIST, split, FASHION_NAMES)


def load_cifar10(split: str) -> ImageSet:
    """50,000 and 10,000 small photographs, 32x32 in colour. Source: Krizhevsky (2009).

    torchvision's reader checks the md5 of every file, then unpickles it.
    """
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    root, source = data_folder(), CIFAR10
    if not all(check_integrity(str(root / source.base_folder / name), md5) for name, md5 in source.train_list):
        _fetch("cifar10", root, source.filename, source.tgz_md5, [source.url])
    try:
        loaded = source(str(root), train=split == "train", download=True)
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(f"cifar10: {root / source.base_folder} cannot be unpacked or read ({error}); delete it and "
                        f"try again; {OFFLINE}") from None
    images = torch.from_numpy(loaded.data).permute(0, 3, 1, 2).contiguous()
    return ImageSet("cifar10", images, torch.tensor(loaded.targets), tuple(loaded.classes))


def _load_idx(name: str, source: type[MNIST], split: str, label_names: tuple[str, ...]) -> ImageSet:
    folder = data_folder() / source.__name__ / "raw"
    prefix = "train" if split == "train" else "t10k"
    resources = [(file, md5) for file, md5 in source.resources if file.startswith(prefix)]
    for file, md5 in resources:
        _fetch(name, folder, file, md5, [mirror + file for mirror in source.mirrors])
    images, labels = (_read_idx(folder / file) for file, _ in sorted(resources))
    return ImageSet(name, images[:, None], labels.long(), label_names)


def _fetch(name: str, folder: Path, file: str, md5: str, urls: list[str]) -> None:
    """Make sure `folder/file` is there and whole. A download lands under its name only after its md5 was checked."""
    from torchvision.datasets.utils import check_integrity, download_url

    path = folder / file
    if path.exists():
        if not check_integrity(str(path), md5):
            raise DataError(f"{name}: {path} is damaged or incomplete (expected md5 {md5}, "
                            f"{path.stat().st_size:,} bytes found); delete it to download it again; {OFFLINE}")
        return
    reasons = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as partial:
            for url in urls:
                try:
                    download_url(url, partial, filename=file, md5=md5)
                    os.replace(Path(partial) / file, path)
                    return
                except (OSError, RuntimeError) as error:
                    reasons.append(f"{url}: {error}")
    except OSError as error:
        reasons.append(str(error))
    raise DataError(f"{name}: {path} is not there and could not be downloaded ({'; '.join(reasons)}); "
                    f"MRVAE_DATA names the data folder; {OFFLINE}")


def _read_idx(path: Path) -> Tensor:
    """An IDX file of bytes: 2 zeros, type 8, number of dimensions, each size as 4 bytes, then the values.

    Raises:
        DataError: anything else; no more is unpacked than the header announces.
    """
    try:
        with gzip.open(path) as file:
            start = file.read(4)
            if len(start) < 4 or start[:3] != b"\0\0\x08" or not 1 <= start[3] <= 4:
                raise ValueError(f"begins with {start!r}, expected bytes 0 0 8 and a number of dimensions")
            shape = np.frombuffer(file.read(4 * start[3]), dtype=">u4").astype(object)
            size = int(shape.prod())
            if len(shape) < start[3] or not 1 <= size <= MAX_IDX_BYTES:
                raise ValueError(f"announces {size:,} values; accepted are 1 to {MAX_IDX_BYTES:,}")
            content = file.read(size + 1)
        if len(content) != size:
            raise ValueError(f"announces {size:,} values and has {'more' if len(content) > size else len(content)}")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"{path}: not an IDX file of bytes ({error})") from None
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(tuple(shape))
