"""Pictures of any kind as bytes of one size: one rule each for size, range, transparency, colour and polarity."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from mrvae_lib.config import DataConfig
from mrvae_lib.errors import DataError

MIN_SIDE, MAX_SIDE = 8, 256
"""Images that already are squares of one side in this range stay as they are."""
RESIZED_SIDE = 64
"""The largest side that other images are scaled to where no size is asked for."""
FEW_LEVELS = 25
"""A set that uses fewer of the 256 levels, a tenth, is warned of."""


class Picture(NamedTuple):
    """A picture at its final size, in the numbers it came in."""

    pixels: np.ndarray
    """(side, side, C), C 1 or 3, one more where it may be transparent."""
    size: tuple[int, int]
    """(width, height) before."""
    low: float
    high: float
    """The range of its numbers before."""
    deep: bool
    """Whether its numbers were of another kind than bytes."""


def side_of(sizes: Sequence[tuple[int, int]], asked: int | None) -> int:
    """The side of the squares that images of these sizes become: asked for, their own, or the median shorter side."""
    width, height = sizes[0]
    if asked or (width == height and MIN_SIDE <= width <= MAX_SIDE and len(set(sizes)) == 1):
        return asked or width
    return min(RESIZED_SIDE, max(MIN_SIDE, int(statistics.median(min(size) for size in sizes))))


def fitted(raw: np.ndarray, fit: str, side: int) -> Picture:
    """A picture (H, W, C) of any numbers, scaled to (side, side, C); what is not finite takes its lowest value."""
    height, width, _ = raw.shape
    deep = raw.dtype != np.uint8
    if deep:
        raw = raw.astype(np.float32)
        finite = np.isfinite(raw)
        raw = raw if finite.all() else np.where(finite, raw, raw[finite].min() if finite.any() else 0)
    low, high = float(raw.min()), float(raw.max())
    if high <= 1:
        raw = raw.astype(np.float32)  # bytes of 0 and 1 have no shades to scale with
    return Picture(_scaled(raw, fit, side), (width, height), low, high, deep)


def as_images(name: str, pictures: Sequence[Picture], look: DataConfig) -> tuple[Tensor, list[str]]:
    """Pictures as (N, C, side, side) uint8, and what was done to them.

    Raises:
        DataError: every pixel of every image is the same.
    """
    side = pictures[0].pixels.shape[0]
    notes = _about_size({picture.size for picture in pictures}, look.fit, side)
    arrays = [picture.pixels for picture in pictures]
    for deep in (False, True):
        places = [place for place, picture in enumerate(pictures) if picture.deep is deep]
        if not places:
            continue
        low, high = (pick(getattr(pictures[place], end) for place in places)
                     for pick, end in ((min, "low"), (max, "high")))
        black, white = white_range(low, high)
        if (black, white) != (0, 255) and not (deep and (black, white) == (0, 1)):
            notes.append(f"{len(places)} stretched from {black:g}..{white:g} to 0..255")
        for place in places:
            if arrays[place].dtype != np.uint8:
                scaled = (arrays[place] - black) * (255 / ((white - black) or 1))
                arrays[place] = np.rint(scaled).clip(0, 255).astype(np.uint8)
    arrays = _opaque(arrays, notes)
    n_grey = sum(array.shape[2] == 1 for array in arrays)
    grey = look.channels == "grey" or (look.channels == "auto" and n_grey == len(arrays))
    if n_changed := (len(arrays) - n_grey) if grey else n_grey:
        notes.append(f"{n_changed} made {'grey' if grey else 'colour'}")
    arrays = [_of_kind(array, grey) for array in arrays]
    images = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()
    low, high = int(images.min()), int(images.max())
    if low == high:
        raise DataError(f"{name}: every pixel of all {len(images)} images is {low} of 255 "
                        f"({', '.join(notes) or 'as read'}): nothing to learn; data.fit 'pad' crops nothing")
    if high - low < FEW_LEVELS:
        notes.append(f"only {low}..{high} of 0..255 in use")
    if len(images) > 1 and bool((images == images[:1]).all()):
        notes.append("all of them the same picture")
    if look.invert:
        notes.append("light and dark exchanged")
    return (255 - images if look.invert else images), notes


def white_range(low: float, high: float) -> tuple[float, float]:
    """What is black and what is white where numbers lie in low..high: 0..1, -1..1, 0..255, a little over included; else
    the numbers' own range."""
    for black, white in ((0, 1), (-1, 1), (0, 255)):
        over = 0.05 * (white - black) if white == 1 else 0.5
        if black - over <= low and high <= white + over:
            return black, white
    return low, high


def _about_size(sizes: set[tuple[int, int]], fit: str, side: int) -> list[str]:
    if sizes == {(side, side)}:
        return []
    first, *_, last = [*sorted(sizes), max(sizes)]
    before = "x".join(map(str, first)) + ("" if first == last else f" to {last[0]}x{last[1]}")
    done = {"crop": "cropped", "pad": "padded", "stretch": "stretched"}[fit]
    odd = any(width != height for width, height in sizes)
    return [f"{f'{done} and scaled' if odd else 'scaled'} from {before} to {side}x{side}"]


def _scaled(pixels: np.ndarray, fit: str, side: int) -> np.ndarray:
    height, width, channels = pixels.shape
    if (height, width) == (side, side):
        return pixels
    if pixels.dtype != np.uint8 and channels > 1:
        return np.concatenate([_scaled(pixels[..., [channel]], fit, side) for channel in range(channels)], axis=2)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    if fit == "crop":
        small = np.asarray(ImageOps.fit(image, (side, side), method=Image.Resampling.LANCZOS))
        return small.reshape(side, side, channels)
    ratio = side / max(height, width)
    size = (side, side) if fit == "stretch" else (max(1, round(width * ratio)), max(1, round(height * ratio)))
    small = np.asarray(image.resize(size, Image.Resampling.LANCZOS)).reshape(size[1], size[0], channels)
    edge = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    canvas = np.broadcast_to(np.median(edge, axis=0).astype(small.dtype), (side, side, channels)).copy()
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def _opaque(arrays: Sequence[np.ndarray], notes: list[str]) -> list[np.ndarray]:
    """Pictures without their last channel where that is alpha: laid on black, or on white if what they show is dark."""
    layers = [array for array in arrays if array.shape[2] in (2, 4) and array[..., -1].min() < 255]
    shown = sum(float((array[..., :-1].mean(axis=2) * array[..., -1]).sum()) for array in layers)
    alpha = sum(float(array[..., -1].sum(dtype=np.int64)) for array in layers)
    ground = 255 if alpha and shown / alpha < 128 else 0
    if layers:
        notes.append(f"{len(layers)} with transparency laid on {'white' if ground else 'black'}")
    opaque = []
    for array in arrays:
        if array.shape[2] in (2, 4):
            share = array[..., -1:].astype(np.float32) / 255
            array = np.rint(array[..., :-1] * share + ground * (1 - share)).astype(np.uint8)
        opaque.append(array)
    return opaque


def _of_kind(array: np.ndarray, grey: bool) -> np.ndarray:
    if grey and array.shape[2] == 3:
        return np.asarray(Image.fromarray(array).convert("L"))[..., None]
    return array.repeat(3, axis=2) if not grey and array.shape[2] == 1 else array


def each_picture(name: str, array: np.ndarray) -> np.ndarray:
    """An array of images in any of the forms that `own_images.load_own` takes, as (N, H, W, C) of its own numbers."""
    given = array.shape
    if array.dtype.kind not in "buif":
        raise DataError(f"{name}: images must be numbers, got {array.dtype}; images = images.astype(float) mends it")
    if array.ndim == 2 and array.shape[1] >= 64 and math.isqrt(array.shape[1]) ** 2 == array.shape[1]:
        array = array.reshape(len(array), math.isqrt(array.shape[1]), -1)  # a row of pixels each
    if array.ndim == 3:
        array = array[None] if array.shape[2] in (3, 4) else array[..., None]
    if array.ndim == 4 and array.shape[3] not in (1, 3, 4):
        if array.shape[1] in (1, 3, 4):
            array = array.transpose(0, 2, 3, 1)
        elif array.shape[2] in (1, 3, 4):
            array = array.transpose(3, 0, 1, 2)  # MATLAB's order
    if array.ndim != 4 or array.shape[3] not in (1, 3, 4) or 0 in array.shape:
        raise DataError(f"{name}: images must be (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 or 4 and none of "
                        f"them 0, got {given}; images = images[..., :1] keeps the first of other channels")
    return array
