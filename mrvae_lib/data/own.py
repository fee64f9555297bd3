"""Your own images: a folder of pictures, or an `.npz` file of arrays, made square and of one size."""

from __future__ import annotations

import math
import os
import statistics
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from mrvae_lib.data.imageset import ImageSet
from mrvae_lib.errors import DataError

MIN_SIDE, MAX_SIDE = 8, 256
"""Images that already are squares of one side in this range stay as they are."""
RESIZED_SIDE = 64
"""The largest side that other images are scaled to."""
CHANNELS = {"1": 1, "L": 1, "LA": 1, "I;16": 1, "RGB": 3, "RGBA": 3, "P": 3, "PA": 3, "CMYK": 3, "YCbCr": 3}
"""How many channels an image of each of Pillow's modes gets."""
N_LISTED = 5
MAX_UNPACKED, MAX_RATIO = 2**30, 500
"""More bytes than this may unpack to so many times the archive's size; the published dSprites have a ratio of 115."""


@dataclass(frozen=True)
class _Picture:
    path: Path
    split: str
    """`train`, `test`, or nothing where the folder has no such sub-folders."""
    label: str
    size: tuple[int, int]
    n_channels: int


def is_own(name: str) -> bool:
    """Whether a name is the path of a folder, or of an `.npz` file, there or not."""
    return name.endswith(".npz") or Path(name).is_dir()


def load_own(name: str, split: str) -> ImageSet:
    """One split of the images in a folder or an `.npz` file."""
    return load_npz(name, split) if name.endswith(".npz") else load_folder(name, split)


def load_folder(name: str, split: str) -> ImageSet:
    """The pictures in a folder, in any format that Pillow reads, in a fixed shuffle.

    `train` and `test` sub-folders are the splits; without both, a fifth of the images, drawn with seed 0, is kept for
    testing. Inside, one sub-folder per class, or none. Images that are not squares of one side from 8 to 256 are scaled
    and centre-cropped to a square; its side is the median of their shorter sides, at least 8 and at most 64. What is
    transparent becomes black. Files that cannot be read are left out, with one warning that lists them.

    Raises:
        DataError: no image can be read, some are grey and some in colour, or there are too few to split.
    """
    root, skipped = Path(name), list[str]()
    pictures = _find(root, skipped)
    if not pictures:
        raise DataError(f"{name}: no file here is an image{_listed(skipped)}; give a folder of pictures (PNG, JPEG, "
                        f"...), one sub-folder per class or none")
    _refuse_mixed(name, pictures)
    side = _side([picture.size for picture in pictures])
    read = list[tuple[_Picture, Tensor]]()
    for picture in pictures:
        try:
            with Image.open(picture.path) as image:
                read.append((picture, _square(image, side)))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            skipped.append(f"{picture.path.relative_to(root)} ({error})")
    if skipped:
        warnings.warn(f"{name}: {len(skipped)} files left out, {len(read)} images read{_listed(skipped)}", stacklevel=3)
    has_splits = bool(pictures[0].split)
    if has_splits:
        read = [item for item in read if item[0].split == split]
    if not read:
        raise DataError(f"{name}: no image can be read for {split}{_listed(skipped)}")
    order = _shuffled(len(read)) if has_splits else _part(name, len(read), split)
    names = tuple(sorted({picture.label for picture in pictures} - {""}))
    labels = torch.tensor([names.index(picture.label) for picture, _ in read])[order] if names else None
    return ImageSet(name, torch.stack([image for _, image in read])[order], labels, names)


def load_npz(name: str, split: str) -> ImageSet:
    """The images in an `.npz` file: `train_images` and `test_images`, or `images`, a seeded fifth of them for testing.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W), C 1 or 3; bytes, booleans, or floats from 0 to 1. Beside them,
    where known: `labels` (N,) and `factors` (N, F), whole numbers, each with the prefix of its images; `label_names`
    and `factor_names`. Sizes are treated as in `load_folder`. Nothing is ever unpickled.

    Raises:
        DataError: a file or array that is missing, damaged, empty or of another kind.
    """
    arrays = _read_npz(name)
    split_arrays = [part for part in ("train", "test") if f"{part}_images" in arrays]
    if not split_arrays and "images" not in arrays:
        raise DataError(f"{name}: needs an array 'images', or 'train_images' and 'test_images'; "
                        f"it has {', '.join(arrays) or 'none'}")
    source = split_arrays[0] if len(split_arrays) == 1 else split if split_arrays else ""
    prefix = source and f"{source}_"
    pixels = _as_pixels(name, f"{prefix}images", arrays[f"{prefix}images"])
    if len(split_arrays) == 2:
        shapes = {_as_pixels(name, f"{part}_images", arrays[f"{part}_images"][:1]).shape[1:] for part in split_arrays}
        if len(shapes) > 1:
            raise DataError(f"{name}: train_images and test_images must have one size and kind, got "
                            f"{' and '.join(map(str, sorted(shapes)))} (H, W, C)")
        order = torch.arange(len(pixels))
    else:
        order = _part(name, len(pixels), split)
    values = {what: _whole_numbers(name, f"{prefix}{what}", arrays.get(f"{prefix}{what}"), len(pixels), n_dims)
              for what, n_dims in (("labels", 1), ("factors", 2))}
    names = {what: tuple(map(str, np.ravel(arrays.get(what, ())))) for what in ("label_names", "factor_names")}
    labels, factors = (None if found is None else found[order] for found in values.values())
    return ImageSet(name, _squares(pixels[order.numpy()]), labels, names["label_names"], factors, names["factor_names"])


def _find(root: Path, skipped: list[str]) -> list[_Picture]:
    """Every file that begins like an image, by name."""
    splits = ("train", "test") if all((root / part).is_dir() for part in ("train", "test")) else ("",)
    pictures = []
    for split in splits:
        folder = root / split
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()
                 and not any(part.startswith(".") for part in path.relative_to(root).parts)]
        classes = any(path.parent != folder for path in files)
        for path in files:
            parts = path.relative_to(folder).parts
            if classes and len(parts) == 1:
                skipped.append(f"{path.relative_to(root)} (beside the class folders)")
                continue
            try:
                with Image.open(path) as image:
                    label = parts[0] if classes else ""
                    pictures.append(_Picture(path, split, label, image.size, CHANNELS[image.mode]))
            except KeyError as error:
                skipped.append(f"{path.relative_to(root)} (pixels of kind {error})")
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                skipped.append(f"{path.relative_to(root)} (not an image)")
    return pictures


def _refuse_mixed(name: str, pictures: Sequence[_Picture]) -> None:
    grey = [picture.path for picture in pictures if picture.n_channels == 1]
    colour = [picture.path for picture in pictures if picture.n_channels == 3]
    if grey and colour:
        raise DataError(f"{name}: {len(grey)} images are grey (such as {grey[0].name}) and {len(colour)} in colour "
                        f"(such as {colour[0].name}); a set needs one kind")
    if len({bool(picture.label) for picture in pictures}) > 1:
        raise DataError(f"{name}: train and test must both have class folders, or neither")


def _side(sizes: Sequence[tuple[int, int]]) -> int:
    """The side of the squares that images of these sizes become."""
    width, height = sizes[0]
    if width == height and MIN_SIDE <= width <= MAX_SIDE and len(set(sizes)) == 1:
        return width
    return min(RESIZED_SIDE, max(MIN_SIDE, int(statistics.median(min(size) for size in sizes))))


def _square(image: Image.Image, side: int) -> Tensor:
    """Scaled and centre-cropped, (C, side, side) uint8."""
    image = ImageOps.exif_transpose(image)
    n_channels = CHANNELS[image.mode]
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    image = image.convert("L" if n_channels == 1 else "RGB")
    if image.size != (side, side):
        image = ImageOps.fit(image, (side, side), method=Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).reshape(side, side, n_channels).permute(2, 0, 1).contiguous()


def _squares(pixels: np.ndarray) -> Tensor:
    """(N, H, W, C) uint8 as (N, C, side, side)."""
    _, height, width, n_channels = pixels.shape
    side = _side([(width, height)])
    if (height, width) == (side, side):
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    flat = pixels[..., 0] if n_channels == 1 else pixels
    return torch.stack([_square(Image.fromarray(image), side) for image in flat])


def _read_npz(name: str) -> dict[str, np.ndarray]:
    try:
        with open(name, "rb") as stream:
            _refuse_false_sizes(stream)
            with np.load(stream, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except Exception as error:  # a damaged archive can fail in any of its layers, with any error
        if "allow_pickle" in str(error):
            raise DataError(f"{name}: not an .npz file of plain arrays (it holds Python objects, which are never "
                            f"unpickled); save arrays of numbers with np.savez") from None
        raise DataError(f"{name}: damaged or not an .npz file ({' '.join(str(error).split())[:300]})") from None


def _refuse_false_sizes(stream: BinaryIO) -> None:
    """Look at what an archive announces, before any memory is set aside for it."""
    packed = stream.seek(0, os.SEEK_END)
    with zipfile.ZipFile(stream) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > max(MAX_UNPACKED, MAX_RATIO * packed):
            raise ValueError(f"{packed:,} bytes that would unpack to {unpacked:,}")
        for member in archive.infolist():
            with archive.open(member) as file:
                header = np.lib.format.read_magic(file)[0]
                read = np.lib.format.read_array_header_1_0 if header == 1 else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
            if math.prod(shape) * dtype.itemsize > member.file_size:
                raise ValueError(f"{member.filename} announces {shape} {dtype} in {member.file_size:,} bytes")
    stream.seek(0)


def _as_pixels(name: str, key: str, array: np.ndarray) -> np.ndarray:
    """(N, H, W, C) uint8."""
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[3] not in (1, 3) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape:
        raise DataError(f"{name}: {key} must be (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3 and none of them "
                        f"0, got {array.shape}")
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    fractions = np.issubdtype(array.dtype, np.floating)
    if not fractions and not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{name}: {key} must be numbers, got {array.dtype}")
    if array.dtype != np.uint8:
        low, high = array.min(), array.max()
        if not (low >= 0 and high <= (1 if fractions else 255)):  # which also catches NaN
            accepted = "0..1 (floats)" if fractions else "0..255"
            raise DataError(f"{name}: {key} must lie in {accepted}, got {low}..{high}")
        array = (np.rint(array * 255.0) if fractions else array).astype(np.uint8)
    return array


def _whole_numbers(name: str, key: str, array: np.ndarray | None, n: int, n_dims: int) -> Tensor | None:
    if array is None:
        return None
    if array.ndim != n_dims or len(array) != n or not np.issubdtype(array.dtype, np.integer) or (array < 0).any():
        raise DataError(f"{name}: {key} must be whole numbers >= 0, {'(N,)' if n_dims == 1 else '(N, F)'} for the {n} "
                        f"images, got {array.dtype} {array.shape}")
    return torch.from_numpy(array.astype(np.int64))


def _shuffled(n: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


def _part(name: str, n: int, split: str) -> Tensor:
    """Which of n images belong to a split, a fifth of them to test."""
    if n < 2:
        raise DataError(f"{name}: needs at least 2 images, to split into train and test; got {n}")
    n_test = max(1, n // 5)
    return _shuffled(n)[:n_test] if split == "test" else _shuffled(n)[n_test:]


def _listed(skipped: Sequence[str]) -> str:
    more = f" and {len(skipped) - N_LISTED} more" if len(skipped) > N_LISTED else ""
    return f" (left out: {'; '.join(skipped[:N_LISTED])}{more})" if skipped else ""
