"""Your own images: a folder of pictures, or the arrays of an `.npz` or `.npy` file, made square and of one size."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from mrvae_lib.config import DataConfig
from mrvae_lib.data.image_set import MAX_CLASSES, ImageSet, classes_of
from mrvae_lib.data.pixels import Pictures, as_images, each_picture, fitted, side_of
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
ARRAYS = (".npz", ".npy")
"""How files of arrays end; any other file is a picture."""
AT_ONCE = 1000
"""Images of an array that are made floats together."""
MEND = "np.savez('own.npz', images=images, labels=labels) writes one, images of (N, H, W) or (N, H, W, 3) numbers"

Files = Sequence[tuple[Path, tuple[str, ...]]]
"""Files that begin like images, each with the folders to it, from the one that was named, and its name."""
Whole = tuple[ImageSet, Sequence[str], str]
"""All images of a source; `train` or `test` for each, none where the source does not say; and what is said of them."""


def load_own(look: DataConfig, split: str) -> ImageSet:
    """A picture or those in a folder, in any format that Pillow reads, or those of an `.npz` or `.npy` file.

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
    stamp = hash(tuple((str(item), item.stat().st_size, item.stat().st_mtime_ns) for item in files))
    whole, splits, about = _whole(look.model_copy(update={"limit": None}), stamp)
    if about:
        warnings.warn(f"{look.name}: {len(whole)} images: {about}", stacklevel=3)
    if splits:
        places = torch.tensor([place for place, name in enumerate(splits) if name == split], dtype=torch.long)
        if not len(places):
            raise DataError(f"{look.name}: no image can be read for {split}; {about}")
        return whole.subset(places[_shuffled(len(places))] if path.is_dir() else places)
    if len(whole) == 1:  # to be looked at, or to try a training with
        return whole
    n_test, order = max(1, len(whole) // 5), _shuffled(len(whole))
    return whole.subset(order[:n_test] if split == "test" else order[n_test:])


def _shuffled(n: int) -> torch.Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


@lru_cache(maxsize=1)
def _whole(look: DataConfig, stamp: int) -> Whole:
    """Read once for both splits, so that both are stretched alike; `stamp` changes when a file does."""
    return _arrays(look) if look.name.lower().endswith(ARRAYS) else _folder(look)


def load_given(given: Any, look: DataConfig) -> ImageSet:
    """The images of a torch `Dataset` or of a list: arrays, tensors or Pillow's pictures, or (picture, label) pairs.

    Also a pair of two arrays, the images and their labels. A uint8 tensor (N, C, H, W) without settings is taken as it
    is and where it is: one that `torch.from_file` has mapped from a file may be larger than memory.

    Raises:
        DataError: what is no picture, or all are of one colour. What a `Dataset` itself raises passes through.
    """
    is_ready = isinstance(given, torch.Tensor) and given.dtype == torch.uint8 and given.shape[1:2] in ((1,), (3,))
    if is_ready and look == DataConfig(name=look.name):
        return ImageSet(look.name, given)
    if isinstance(given, tuple) and len(given) == 2 and getattr(given[0], "ndim", 0) > 2:
        if len(given[0]) != len(given[1]):
            raise DataError(f"images: {len(given[0])} pictures but {len(given[1])} labels")
        given = list(zip(*given, strict=True))
    has_items = hasattr(given, "__getitem__") and hasattr(given, "__len__") and not isinstance(given, Mapping)
    if not has_items or not len(given):
        raise DataError(f"images: expected a name, a path, a DataConfig, or a list or Dataset of pictures or of "
                        f"(picture, label) pairs, at least one; got {shortened(repr(given))}")
    items = (given[i] for i in range(len(given)))
    pairs = [item if isinstance(item, (tuple, list)) and item else (item,) for item in items]
    raws = [_picture(f"{look.name}: item {place}", pair[0]) for place, pair in enumerate(pairs)]
    labels = [pair[1] for pair in pairs if len(pair) > 1]
    whole, _, about = _finished(look, _squares(raws, look), {"labels": [labels] if labels else []}, [])
    if about:
        warnings.warn(f"{look.name}: {len(whole)} images: {about}", stacklevel=3)
    return whole


def _picture(name: str, given: Any) -> np.ndarray:
    """One picture as (1, H, W, C) in its own numbers."""
    if isinstance(given, Image.Image):
        return _raw(given, has_palette=given.mode == "P")[None]
    if isinstance(given, torch.Tensor):
        given = (given.float() if given.is_floating_point() else given).detach().cpu()  # numpy knows no bfloat16
    return each_picture(name, np.asarray(given)[None])


def _squares(raws: Sequence[np.ndarray], look: DataConfig) -> list[Pictures]:
    """Arrays (n, H, W, C) of images as squares of one side, a part after the other."""
    side = side_of([(raw.shape[2], raw.shape[1]) for raw in raws], look.size)
    return [fitted(part, look.fit, side) for raw in raws for part in np.array_split(raw, -(-len(raw) // AT_ONCE))]


def _finished(look: DataConfig, pictures: Sequence[Pictures], columns: Mapping[str, Sequence[Any]],
              left_out: list[str], splits: Sequence[str] = (), notes: Sequence[str] = ()) -> Whole:
    """The set of these pictures; `columns` are `labels` and `factors`, in parts to be joined, and their names."""
    images, done = as_images(pictures, look)
    known: list[tuple[torch.Tensor | None, tuple[str, ...]]] = []
    for role in ("labels", "factors"):
        known.append((None, ()))
        with _its_fault_alone(role, left_out):
            if parts := columns.get(role):
                names = tuple(map(str, np.ravel(columns.get(role[:-1] + "_names", ()))))
                values = np.concatenate(parts)
                if len(values) != len(images) or values.ndim > 2:
                    raise ValueError(f"{values.dtype} of shape {values.shape} for {len(images)} images")
                each = np.atleast_2d(values.T)
                known[-1] = classes_of(values, names) if role == "labels" else (
                    torch.stack([classes_of(factor)[0] for factor in each], dim=1), names[:len(each)])
    omitted = [f"{len(left_out)} left out: {'; '.join(left_out)}"] if left_out else []
    said = shortened(", ".join([*notes, *done, *omitted]))
    return ImageSet(look.name, images, *known[0], *known[1]), splits, said


def _folder(look: DataConfig) -> Whole:
    """The pictures in a folder, or of one file."""
    root = Path(look.name)
    sizes: dict[Path, tuple[int, int]] = {}
    left_out: list[str] = []
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if path.is_file() and not any(part.startswith((".", "__")) for part in path.relative_to(root).parts):
            with _its_fault_alone(f"{path.parent.name}/{path.name}", left_out), Image.open(path) as image:
                sizes[path] = image.size
    files = [(path, path.relative_to(root).parts or (path.name,)) for path in sizes]
    rows: list[tuple[Pictures, str, str]] = []
    side, clips = side_of(list(sizes.values()), look.size) if sizes else 0, 0
    for path, split, label in list(_arranged(files, left_out)):
        with _its_fault_alone(f"{path.parent.name}/{path.name}", left_out), Image.open(path) as opened:
            frames = ImageSequence.Iterator(opened) if opened.format in ANIMATED else [opened]
            has_palette = opened.mode == "P"
            raws = [_raw(frame, has_palette=has_palette) for frame in frames]
            rows += [(fitted(raw[None], look.fit, side), split, label) for raw in raws]
            clips += len(raws) > 1
    if not rows:
        raise DataError(shortened(f"{look.name}: no file here is an image; give a folder of pictures (PNG, JPEG, ...), "
                                  f"sorted by class or not; {len(left_out)} left out: {'; '.join(left_out) or 'none'}"))
    pictures, splits, labels = zip(*rows, strict=True)
    columns = {"labels": [labels] if any(labels) else []}
    notes = [f"all frames of {clips} files"] if clips else []
    return _finished(look, pictures, columns, left_out, splits if any(splits) else [], notes)


def _arranged(files: Files, left_out: list[str], split: str = "") -> Iterator[tuple[Path, str, str]]:
    """Each file with its split and its class, "" where there are none; files that fit in neither are left out."""
    while files and all(len(parts) > 2 for _, parts in files) and len({parts[0] for _, parts in files}) == 1:
        files = [(path, parts[1:]) for path, parts in files]  # out of a folder that holds nothing but another one
    within = [SPLITS.get(parts[0].lower(), "") if len(parts) > 1 else "" for _, parts in files]
    held = "test" if "test" in within else "val"
    if not split and {"train", held} <= set(within):
        for name, which in (("train", "train"), (held, "test")):
            part = [(path, parts[1:]) for (path, parts), inside in zip(files, within, strict=True) if inside == name]
            yield from _arranged(part, left_out, which)
        left_out += [f"{'/'.join(parts)} (in neither split)" for (_, parts), inside in zip(files, within, strict=True)
                     if inside not in ("train", held)]
        return
    beside = [path for path, parts in files if len(parts) == 1]
    if 2 * len(beside) > len(files):  # classes are the folders, where most images are in one
        yield from ((path, split, "") for path, _ in files)
        return
    left_out += [f"{path.name} (beside the class folders)" for path in beside]
    yield from ((path, split, parts[0]) for path, parts in files if len(parts) > 1)


@contextmanager
def _its_fault_alone(name: str, left_out: list[str]) -> Iterator[None]:
    """Whatever is raised inside, by one of Pillow's readers for example, leaves out what has this name and no more."""
    try:
        yield
    except Exception as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else shortened(str(error))
        left_out.append(f"{name} ({reason})")


def _raw(image: Image.Image, *, has_palette: bool) -> np.ndarray:
    """A picture upright, (H, W, C) in its own numbers, with a channel more where one is transparent."""
    image = ImageOps.exif_transpose(image)
    if image.mode[0] not in "IF":
        base = "L" if image.mode in ("1", "L", "LA") else "RGB"
        image = image.convert(base + "A" * image.has_transparency_data)
    raw = np.atleast_3d(np.asarray(image))
    of_no_colour = has_palette and raw.shape[2] >= 3 and (raw[..., :1] == raw[..., 1:3]).all()
    return raw[..., 2:] if of_no_colour else raw


def _arrays(look: DataConfig) -> Whole:
    arrays, left_out = _read_arrays(look.name)
    named = {(role, split): array for key, array in arrays.items() for role, split in [_role(key)] if role}
    within = [split for split in ("train", "test", "val") if ("images", split) in named]
    taken = within[:2] if within[:1] == ["train"] and len(within) > 1 else [""]
    if taken == [""] and ("images", "") not in named:
        pictures = [array for array in arrays.values() if array.ndim in (3, 4) and array.dtype.kind in "buif"]
        if len(pictures) != 1:
            raise DataError(shortened(f"{look.name}: needs an array 'images', or 'train_images' and 'test_images'; it "
                                      f"has {', '.join([*arrays, *left_out]) or 'none'}; {MEND}"))
        named["images", ""] = pictures[0]
    raws = [each_picture(look.name, named["images", split]) for split in taken]
    if len(within) > 2:
        left_out.append(f"{len(named['images', 'val'])} images of val")
    columns = {role: [named[role, split] for split in ([""] if role.endswith("_names") else taken)
                      if (role, split) in named] for role in ROLES}
    splits = [name for name, raw in zip(("train", "test"), raws, strict=False) for _ in raw] if len(raws) > 1 else []
    return _finished(look, _squares(raws, look), columns, left_out, splits)


def _role(key: str) -> tuple[str, str]:
    """What an array's name says it is, and of which split: `x_train` as well as `train_images`."""
    words = re.split(r"[^a-z0-9]+", key.lower())
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    rest = "_".join(word for word in words if word not in SPLITS)
    return next((role for role, names in ROLES.items() if rest in names), ""), split


def _read_arrays(name: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """Every array in the file by its name, and the names of those that cannot be read."""
    arrays: dict[str, np.ndarray] = {}
    left_out: list[str] = []
    try:
        if name.lower().endswith(".npy"):
            return {"images": np.load(name, allow_pickle=False, mmap_mode="r")}, []
        with open(name, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            for key in file:
                with _its_fault_alone(key, left_out):
                    array = np.asarray(file[key])  # what is no array in it comes as bytes
                    if not array.itemsize and array.size > MAX_CLASSES:
                        raise ValueError(f"{array.size} empty texts")
                    arrays[key] = array
    except Exception as error:  # a damaged archive can fail in any of its layers, with any error
        raise DataError(f"{name}: not an .npz or .npy file of plain arrays, or damaged ({shortened(str(error))}); "
                        f"{MEND}; Python objects are never unpickled") from None
    return arrays, left_out
