"""Your own images: a folder of pictures, or an `.npz` file of arrays, made square and of one size."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from mrvae_lib.data.image_set import ImageSet
from mrvae_lib.errors import DataError, shortened

MIN_SIDE, MAX_SIDE = 8, 256
"""Images that already are squares of one side in this range stay as they are."""
RESIZED_SIDE = 64
"""The largest side that other images are scaled to."""
GREY = ("1", "L", "LA", "I;16")
COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")
"""The pixels, by Pillow's names, that become one channel and three."""


class _Picture(NamedTuple):
    """A file that begins like an image."""

    path: Path
    split: str
    """`train`, `test`, or nothing where the folder has no such sub-folders."""
    label: str
    """The name of its class folder, or nothing."""
    size: tuple[int, int]
    """(width, height) in pixels."""
    is_grey: bool


def load_folder(name: str, split: str) -> ImageSet:
    """The pictures in a folder, in any format that Pillow reads, in a fixed shuffle.

    `train` and `test` sub-folders are the splits; without both, a fifth of the images, drawn with seed 0, is kept for
    testing. Inside, one sub-folder per class, or none. Images that are not squares of one side from 8 to 256 are scaled
    and centre-cropped to a square; its side is the median of their shorter sides, at least 8 and at most 64. What is
    transparent becomes black. Files that cannot be read are left out, with one warning that lists them.

    Raises:
        DataError: no image can be read, some are grey and some in colour, or there are too few to split.
    """
    skipped: list[str] = []
    pictures = _find(Path(name), skipped)
    if not pictures:
        raise DataError(f"{name}: no file here is an image{_listed(skipped)}; give a folder of pictures (PNG, JPEG, "
                        f"...), one sub-folder per class or none")
    grey, colour = ([picture.path.name for picture in pictures if picture.is_grey is kind] for kind in (True, False))
    if grey and colour:
        raise DataError(f"{name}: {len(grey)} images are grey (such as {grey[0]}) and {len(colour)} in colour "
                        f"(such as {colour[0]}); a set needs one kind")
    side = _side([picture.size for picture in pictures])
    label_names = tuple(sorted({picture.label for picture in pictures} - {""}))
    images, labels = [], []
    for picture in pictures:
        if picture.split in ("", split):
            with _list_failure(picture.path, skipped):
                images.append(_fit(_decode(picture.path), side))
                labels.append(label_names.index(picture.label) if label_names else 0)
    if skipped:
        warnings.warn(f"{name}: {len(skipped)} files left out, {len(images)} images read{_listed(skipped)}",
                      stacklevel=3)
    if not images:
        raise DataError(f"{name}: no image can be read for {split}{_listed(skipped)}")
    whole = ImageSet(name, _as_tensor(images), torch.tensor(labels) if label_names else None, label_names)
    return _part(whole, "all" if pictures[0].split else split)


def load_npz(name: str, split: str) -> ImageSet:
    """The images in an `.npz` file: `train_images` and `test_images`, or `images`, a seeded fifth of them for testing.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W), C 1 or 3; bytes, booleans, or floats from 0 to 1. Beside them,
    where known: `labels` (N,) and `factors` (N, F), whole numbers, each with the prefix of its images; `label_names`
    and `factor_names`. Sizes are treated as in `load_folder`. Nothing is ever unpickled.

    Raises:
        DataError: a file or array that is missing, damaged, empty or of another kind.
    """
    arrays = _read_npz(name)
    has_splits = {"train_images", "test_images"} <= arrays.keys()
    if has_splits and arrays["train_images"].shape[1:] != arrays["test_images"].shape[1:]:
        raise DataError(f"{name}: train_images and test_images must have one size and kind, got "
                        f"{arrays['train_images'].shape} and {arrays['test_images'].shape}")
    if not has_splits and "images" not in arrays:
        raise DataError(f"{name}: needs an array 'images', or 'train_images' and 'test_images'; "
                        f"it has {', '.join(arrays) or 'none'}")
    prefix = f"{split}_" if has_splits else ""
    pixels = _as_bytes(name, f"{prefix}images", arrays[f"{prefix}images"])
    labels = _whole_numbers(name, f"{prefix}labels", arrays, "(N)")
    factors = _whole_numbers(name, f"{prefix}factors", arrays, "(N, F)")
    label_names, factor_names = (tuple(map(str, np.ravel(arrays.get(key, ()))))
                                 for key in ("label_names", "factor_names"))
    side = _side([(pixels.shape[2], pixels.shape[1])])
    images = _as_tensor([_fit(picture, side) for picture in pixels])
    whole = ImageSet(name, images, labels, label_names, factors, factor_names)
    return whole if has_splits else _part(whole, split)


def _find(root: Path, skipped: list[str]) -> list[_Picture]:
    """Every file that begins like an image, by name; the others are added to `skipped`."""
    pictures = []
    for split in ("train", "test") if (root / "train").is_dir() and (root / "test").is_dir() else ("",):
        for path in sorted((root / split).rglob("*")):
            *class_folders, file_name = path.relative_to(root / split).parts
            if not path.is_file() or any(part.startswith(".") for part in (*class_folders, file_name)):
                continue
            with _list_failure(path, skipped), Image.open(path) as image:
                if image.mode not in GREY + COLOUR:
                    raise ValueError(f"pixels of kind {image.mode!r}")
                label = class_folders[0] if class_folders else ""
                pictures.append(_Picture(path, split, label, image.size, image.mode in GREY))
    if any(picture.label for picture in pictures):
        skipped += [f"{picture.path.name} (beside the class folders)" for picture in pictures if not picture.label]
        pictures = [picture for picture in pictures if picture.label]
    return pictures


@contextmanager
def _list_failure(path: Path, skipped: list[str]) -> Iterator[None]:
    """Whatever one of Pillow's readers raises leaves out the file it read and no other."""
    try:
        yield
    except Exception as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else shortened(str(error))
        skipped.append(f"{path.parent.name}/{path.name} ({reason})")


def _decode(path: Path) -> np.ndarray:
    """A picture upright, as (H, W, C) uint8, where what is transparent is black."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
    kind = "L" if image.mode in GREY else "RGB"
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return np.asarray(image.convert(kind)).reshape(image.height, image.width, -1)


def _fit(pixels: np.ndarray, side: int) -> np.ndarray:
    """A picture (H, W, C) uint8 scaled and centre-cropped to (side, side, C)."""
    if pixels.shape[:2] == (side, side):
        return pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return np.asarray(ImageOps.fit(image, (side, side), method=Image.Resampling.LANCZOS)).reshape(side, side, -1)


def _as_tensor(pictures: Sequence[np.ndarray]) -> Tensor:
    """Pictures (side, side, C) as (N, C, side, side) uint8."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def _side(sizes: Sequence[tuple[int, int]]) -> int:
    """The side of the squares that images of these sizes become."""
    width, height = sizes[0]
    if width == height and MIN_SIDE <= width <= MAX_SIDE and len(set(sizes)) == 1:
        return width
    return min(RESIZED_SIDE, max(MIN_SIDE, int(statistics.median(min(size) for size in sizes))))


def _read_npz(name: str) -> dict[str, np.ndarray]:
    """Every array in the file, by its name."""
    try:
        with open(name, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {key: np.asarray(file[key]) for key in file}  # what is no array in it comes as bytes
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except Exception as error:  # a damaged archive can fail in any of its layers, with any error
        raise DataError(f"{name}: not an .npz file of plain arrays, or damaged ({shortened(str(error))}); save arrays "
                        f"of numbers with np.savez; Python objects are never unpickled") from None


def _as_bytes(name: str, key: str, array: np.ndarray) -> np.ndarray:
    """An array of images in any of the forms that `load_npz` takes, as (N, H, W, C) uint8."""
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[3] not in (1, 3) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape:
        raise DataError(f"{name}: {key} must be (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3 and none of them "
                        f"0, got {array.shape}")
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "buif":
        raise DataError(f"{name}: {key} must be numbers, got {array.dtype}")
    white = 255 if array.dtype.kind in "ui" else 1
    if not (array.min() >= 0 and array.max() <= white):  # NaN is refused here as well
        raise DataError(f"{name}: {key} must lie in 0..{white} if {array.dtype}, got {array.min()}..{array.max()}")
    return np.rint(array * (255.0 / white)).astype(np.uint8)


def _whole_numbers(name: str, key: str, arrays: dict[str, np.ndarray], shape: str) -> Tensor | None:
    """The array of this name, if there is one, as int64; the shape is written as "(N)" or "(N, F)"."""
    if key not in arrays:
        return None
    array = arrays[key]
    if array.ndim != len(shape.split(",")) or array.dtype.kind not in "iu" or (array < 0).any():
        raise DataError(f"{name}: {key} must be whole numbers >= 0 of shape {shape}, got {array.dtype} {array.shape}")
    return torch.from_numpy(array.astype(np.int64))


def _part(whole: ImageSet, split: str) -> ImageSet:
    """The images of a split, a fifth of them for testing, or "all", in an order that is always the same."""
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))
    if split == "all":
        return whole.subset(order)
    if len(whole) < 2:
        raise DataError(f"{whole.name}: needs at least 2 images, to split into train and test; got {len(whole)}")
    n_test = max(1, len(whole) // 5)
    return whole.subset(order[:n_test] if split == "test" else order[n_test:])


def _listed(skipped: Sequence[str]) -> str:
    """The files that were left out, or as many as a message holds, in brackets; nothing if there are none."""
    return shortened(f" (left out: {'; '.join(skipped)}") + ")" if skipped else ""
