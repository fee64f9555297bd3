"""Your own images: a folder of pictures, or the arrays of an `.npz` or `.npy` file, made square and of one size."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from mrvae_lib.config import DataConfig
from mrvae_lib.data.image_set import MAX_CLASSES, ImageSet, classes_of
from mrvae_lib.data.pixels import Picture, as_images, each_picture, fitted, side_of
from mrvae_lib.errors import DataError, shortened

SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test", "val": "val", "valid": "val",
          "validation": "val"}
"""Names of folders and arrays, in letters of any case, that say which split they are."""
ROLES = {
    "images": ("images", "image", "imgs", "img", "x", "data", "arr_0"), "labels": ("labels", "label", "y", "targets"),
    "factors": ("factors", "latents_classes"), "label_names": ("label_names", "class_names"),
    "factor_names": ("factor_names",),
}
"""What an array is called, by what it is."""
ANIMATED = ("GIF", "WEBP", "PNG", "TIFF")
"""Formats, by Pillow's names, whose frames are pictures; a photograph's further frames are previews of it."""
MEND = "np.savez('own.npz', images=images, labels=labels) writes one, images of (N, H, W) or (N, H, W, 3) numbers"


class _File(NamedTuple):
    """A file that begins like an image."""

    path: Path
    folders: tuple[str, ...]
    """Between the folder that was named and the file."""
    size: tuple[int, int]


class _Whole(NamedTuple):
    """All images of a source, before they are split."""

    images: ImageSet
    splits: list[str]
    """Of each image; empty where the source does not say."""
    about: str


def load_own(look: DataConfig, split: str) -> ImageSet:
    """The pictures in a folder, in any format that Pillow reads, or of an `.npz` or `.npy` file.

    A folder: the folders that hold images are the classes, or, if one is called train and another test or val, the
    splits, each with classes or none; else a fifth, drawn with seed 0, is kept for testing. A file: `images` and, if
    known, `labels` (N,), `factors` (N, F), `label_names`, `factor_names`, each but the names with `train_` or `test_`
    before it or after it if there are splits; (N, H, W), (N, H, W, C) or (N, C, H, W) of any numbers. What cannot be
    read costs its file or its array; nothing is ever unpickled.

    A warning says in one line what was done to the images (`pixels.py` has the rules) and what was left out.

    Raises:
        DataError: no image can be read, or all are of one colour.
    """
    path = Path(look.name)
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    stamp = hash(tuple((str(item), item.stat().st_size, item.stat().st_mtime_ns) for item in files if item.exists()))
    whole, splits, about = _whole(look.model_copy(update={"limit": None}), stamp)
    if about:
        warnings.warn(f"{look.name}: {len(whole)} images: {about}", stacklevel=3)
    if splits:
        held = "test" if "test" in splits else "val"
        places = [place for place, name in enumerate(splits) if name == ("train" if split == "train" else held)]
        if not places:
            raise DataError(f"{look.name}: no image can be read for {split}; {about}")
        return whole.subset(torch.tensor(places)[_shuffled(len(places))] if path.is_dir() else torch.tensor(places))
    n_test, order = max(1, len(whole) // 5), _shuffled(len(whole))
    if len(whole) == 1:  # to be looked at, or to try a training with
        return whole
    return whole.subset(order[:n_test] if split == "test" else order[n_test:])


def _shuffled(n: int) -> torch.Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


@lru_cache(maxsize=1)
def _whole(look: DataConfig, stamp: int) -> _Whole:
    """Read once for both splits, so that both are stretched alike; `stamp` changes when a file does."""
    return _folder(look) if Path(look.name).is_dir() else _arrays(look)


def _folder(look: DataConfig) -> _Whole:
    root = Path(look.name)
    files: list[_File] = []
    left_out: list[str] = []
    for path in sorted(root.rglob("*")):
        folders = path.relative_to(root).parts[:-1]
        if not path.is_file() or any(part.startswith((".", "__")) for part in (*folders, path.name)):
            continue
        with _its_fault_alone(path, left_out), Image.open(path) as image:
            files.append(_File(path, folders, image.size))
    arranged = list(_arranged(files, left_out))
    pictures: list[Picture] = []
    splits, labels, clips = [], [], 0
    for path, split, label in arranged:
        with _its_fault_alone(path, left_out):
            side = side_of([file.size for file in files], look.size)
            frames = [fitted(raw, look.fit, side) for raw in _decoded(path)]
            pictures += frames
            splits += [split] * len(frames)
            labels += [label] * len(frames)
            clips += len(frames) > 1
    listed = f"{len(left_out)} left out: {'; '.join(left_out)}" if left_out else ""
    if not pictures:
        raise DataError(shortened(f"{look.name}: no file here is an image; give a folder of pictures (PNG, JPEG, ...), "
                                  f"one sub-folder per class or none; {listed}"))
    images, notes = as_images(look.name, pictures, look)
    names = tuple(sorted(set(labels) - {""}))
    notes = [*([f"all frames of {clips} files"] if clips else []), *notes, *([listed] if listed else [])]
    classes = torch.tensor([names.index(label) for label in labels]) if names else None
    whole = ImageSet(look.name, images, classes, names)
    return _Whole(whole, splits if any(splits) else [], shortened(", ".join(notes)))


def _arranged(files: Sequence[_File], left_out: list[str]) -> Iterator[tuple[Path, str, str]]:
    """Each file with its split and its class, "" where there are none; files that fit in neither are left out."""
    files = _unwrapped(files)
    split_of = {folder: SPLITS[folder.lower()] for folder in sorted({file.folders[0] for file in files if file.folders})
                if folder.lower() in SPLITS}
    held = "test" if "test" in split_of.values() else "val"
    if not {"train", held} <= set(split_of.values()):
        yield from ((path, "", label) for path, label in _classed(files, left_out))
        return
    inside: dict[str, list[_File]] = {}
    for file in files:
        split = split_of.get(file.folders[0] if file.folders else "", "")
        if split in ("train", held):
            inside.setdefault(split, []).append(_File(file.path, file.folders[1:], file.size))
        else:
            left_out.append(f"{'/'.join((*file.folders, file.path.name))} (in neither split)")
    for split, part in inside.items():
        yield from ((path, split, label) for path, label in _classed(_unwrapped(part), left_out))


def _unwrapped(files: Sequence[_File]) -> Sequence[_File]:
    """Files without the folders that hold nothing but the folder of all the others."""
    while files and all(len(file.folders) > 1 for file in files) and len({file.folders[0] for file in files}) == 1:
        files = [_File(file.path, file.folders[1:], file.size) for file in files]
    return files


def _classed(files: Sequence[_File], left_out: list[str]) -> Iterator[tuple[Path, str]]:
    """Classes are the folders, where most images are in one; the images beside them are left out."""
    beside = [file for file in files if not file.folders]
    if 2 * len(beside) > len(files):
        yield from ((file.path, "") for file in files)
        return
    left_out += [f"{file.path.name} (beside the class folders)" for file in beside]
    yield from ((file.path, file.folders[0]) for file in files if file.folders)


@contextmanager
def _its_fault_alone(path: Path, left_out: list[str]) -> Iterator[None]:
    """Whatever one of Pillow's readers raises leaves out the file it read and no other."""
    try:
        yield
    except Exception as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else shortened(str(error))
        left_out.append(f"{path.parent.name}/{path.name} ({reason})")


def _decoded(path: Path) -> list[np.ndarray]:
    """The frames of a file upright, (H, W, C) in their own numbers, with a channel more where one is transparent."""
    with Image.open(path) as opened:
        frames = ImageSequence.Iterator(opened) if opened.format in ANIMATED else [opened]
        has_palette = opened.mode == "P"
        return [_raw(ImageOps.exif_transpose(frame), has_palette) for frame in frames]


def _raw(image: Image.Image, has_palette: bool) -> np.ndarray:
    if image.mode[0] not in "IF":
        clear = image.mode in ("LA", "RGBA", "PA", "La", "RGBa") or "transparency" in image.info
        grey = image.mode in ("1", "L", "LA")
        image = image.convert(("LA" if clear else "L") if grey else "RGBA" if clear else "RGB")
    raw = np.asarray(image)
    raw = raw.reshape(*raw.shape[:2], -1)
    if has_palette and raw.shape[2] >= 3 and (raw[..., :1] == raw[..., 1:3]).all():
        raw = np.concatenate([raw[..., :1], raw[..., 3:]], axis=2)  # of all its colours, none is one
    return raw


def _arrays(look: DataConfig) -> _Whole:
    arrays, left_out = _read_arrays(look.name)
    named = {(role, split): array for key, array in arrays.items() for role, split in [_role(key)] if role}
    splits = [split for split in ("train", "test", "val") if ("images", split) in named]
    held = splits[1] if splits[:1] == ["train"] and len(splits) > 1 else ""
    if not held and ("images", "") not in named:
        pictures = [array for array in arrays.values() if array.ndim in (3, 4) and array.dtype.kind in "buif"]
        if len(pictures) != 1:
            problems = f" ({'; '.join(left_out)})" if left_out else ""
            raise DataError(shortened(f"{look.name}: needs an array 'images', or 'train_images' and 'test_images'; it "
                                      f"has {', '.join(arrays) or 'none'}{problems}; {MEND}"))
        named["images", ""] = pictures[0]
    taken = ["train", held] if held else [""]
    raws = [each_picture(look.name, named["images", split]) for split in taken]
    if "val" in splits and held == "test":
        left_out.append(f"{len(named['images', 'val'])} of val")
    side = side_of([(raw.shape[2], raw.shape[1]) for raw in raws], look.size)
    images, notes = as_images(look.name, [fitted(picture, look.fit, side) for raw in raws for picture in raw], look)
    n_wrong = sum(int((~np.isfinite(raw)).sum()) for raw in raws if raw.dtype.kind == "f")
    notes += [f"{n_wrong} pixels that were no number made black"] if n_wrong else []
    found: dict[str, tuple[torch.Tensor | None, tuple[str, ...]]] = {}
    for role in ("labels", "factors"):
        names = tuple(map(str, np.ravel(named.get((role[:-1] + "_names", ""), ()))))
        found[role] = None, ()
        parts = [named[role, split] for split in taken if (role, split) in named]
        try:
            if len(parts) == len(taken):
                values = np.concatenate(parts)
                if len(values) != len(images) or values.ndim > 2:
                    raise ValueError(f"{values.dtype} of shape {values.shape} for {len(images)} images")
                found[role] = classes_of(values, names) if role == "labels" else (
                    torch.stack([classes_of(column)[0] for column in np.atleast_2d(values.T)], dim=1), names)
        except (ValueError, TypeError) as error:
            left_out.append(f"{role} ({error})")
    whole = ImageSet(look.name, images, *found["labels"], *found["factors"])
    notes += [f"left out: {', '.join(left_out)}"] if left_out else []
    which = [name for name, raw in zip(("train", "test"), raws, strict=False) for _ in raw] if held else []
    return _Whole(whole, which, shortened(", ".join(notes)))


def _role(key: str) -> tuple[str, str]:
    """What an array's name says it is, and of which split: `x_train` as well as `train_images`."""
    words = re.split(r"[^a-z0-9]+", key.lower())
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    rest = "_".join(word for word in words if word not in SPLITS)
    return next((role for role, names in ROLES.items() if rest in names), ""), split


def _read_arrays(name: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """Every array in the file by its name, and the names of those that cannot be read."""
    arrays, left_out = {}, []
    try:
        with open(name, "rb") as stream:
            file = np.load(stream, allow_pickle=False) if name.lower().endswith(".npz") else None
            if file is None or isinstance(file, np.ndarray):
                return {"images": np.load(name, allow_pickle=False, mmap_mode="r") if file is None else file}, []
            for key in file:
                try:
                    array = np.asarray(file[key])  # what is no array in it comes as bytes
                    if not array.itemsize and array.size > MAX_CLASSES:
                        raise ValueError(f"{array.size} empty texts")
                    arrays[key] = array
                except Exception as error:
                    left_out.append(f"{key} ({shortened(str(error))})")
            if not file.files:
                raise ValueError("no array in it")
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except Exception as error:  # a damaged archive can fail in any of its layers, with any error
        raise DataError(f"{name}: not an .npz or .npy file of plain arrays, or damaged ({shortened(str(error))}); "
                        f"{MEND}; Python objects are never unpickled") from None
    return arrays, left_out
