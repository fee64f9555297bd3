"""Pictures of any kind as bytes of one size: one rule each for size, range, transparency, colour and polarity."""

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
DONE = {"crop": "cropped", "pad": "padded", "stretch": "stretched"}
ORDERS = ((0, 1, 2, 3), (0, 2, 3, 1), (3, 0, 1, 2))
"""Where N, H, W and C are in an array of images: Keras', torch's and MATLAB's order."""


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
    n_wrong: int
    """How many of them were not finite."""


def side_of(sizes: Sequence[tuple[int, int]], asked: int | None) -> int:
    """The side of the squares that images of these sizes become: asked for, their own, or the median shorter side."""
    width, height = sizes[0]
    if asked or (width == height and MIN_SIDE <= width <= MAX_SIDE and len(set(sizes)) == 1):
        return asked or width
    return min(RESIZED_SIDE, max(MIN_SIDE, int(statistics.median(min(size) for size in sizes))))


def fitted(raw: np.ndarray, fit: str, side: int) -> Picture:
    """A picture (H, W, C) of any numbers, scaled to (side, side, C); what is not finite takes its lowest value."""
    height, width, _ = raw.shape
    deep, n_wrong = raw.dtype != np.uint8, 0
    if deep:
        raw = raw.astype(np.float32)
        finite = np.isfinite(raw)
        n_wrong = int((~finite).sum())
        raw[~finite] = raw[finite].min() if finite.any() else 0
    low, high = float(raw.min()), float(raw.max())
    if high <= 1:
        raw = raw.astype(np.float32)  # bytes of 0 and 1 have no shades to scale with
    return Picture(_scaled(raw, fit, side), (width, height), low, high, deep, n_wrong)


def as_images(name: str, pictures: Sequence[Picture], look: DataConfig) -> tuple[Tensor, list[str]]:
    """Pictures as (N, C, side, side) uint8, and what was done to them.

    Raises:
        DataError: every pixel of every image is the same.
    """
    side = pictures[0].pixels.shape[0]
    sizes, notes = {picture.size for picture in pictures}, []
    if sizes != {(side, side)}:
        done = f"{DONE[look.fit]} and scaled" if any(width != height for width, height in sizes) else "scaled"
        before = " to ".join(dict.fromkeys(f"{width}x{height}" for width, height in (min(sizes), max(sizes))))
        notes.append(f"{done} from {before} to {side}x{side}")
    arrays = _bytes(pictures, notes)
    clear = [array for array in arrays if array.shape[2] in (2, 4) and array[..., -1].min() < 255]
    shown = sum(float(((array[..., :-1].mean(axis=2) - 128) * array[..., -1]).sum()) for array in clear)
    ground = "white" if shown < 0 else "black"
    if clear:
        notes.append(f"{len(clear)} with transparency laid on {ground}")
    n_grey = sum(array.shape[2] < 3 for array in arrays)
    grey = look.channels == "grey" or (look.channels == "auto" and n_grey == len(arrays))
    if n_changed := (len(arrays) - n_grey) if grey else n_grey:
        notes.append(f"{n_changed} made {'grey' if grey else 'colour'}")
    flat = np.stack([_opaque(array, ground, "L" if grey else "RGB") for array in arrays])
    images = torch.from_numpy(flat.reshape(len(arrays), side, side, -1)).permute(0, 3, 1, 2).contiguous()
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


def _bytes(pictures: Sequence[Picture], notes: list[str]) -> list[np.ndarray]:
    """The pixels as uint8: those that came as bytes and those of other numbers each in the range of all their kind."""
    arrays = [picture.pixels for picture in pictures]
    for deep in {picture.deep for picture in pictures}:
        places = [place for place, picture in enumerate(pictures) if picture.deep is deep]
        black, white = white_range(min(pictures[place].low for place in places),
                                   max(pictures[place].high for place in places))
        if (black, white) != (0, 255) and not (deep and (black, white) == (0, 1)):
            notes.append(f"{len(places)} stretched from {black:g}..{white:g} to 0..255")
        for place in places:
            if arrays[place].dtype != np.uint8:
                scaled = (arrays[place] - black) * (255 / ((white - black) or 1))
                arrays[place] = np.rint(scaled).clip(0, 255).astype(np.uint8)
    if n_wrong := sum(picture.n_wrong for picture in pictures):
        notes.append(f"{n_wrong} pixels that were no number made black")
    return arrays


def white_range(low: float, high: float) -> tuple[float, float]:
    """What is black and what is white where numbers lie in low..high: 0..1, -1..1, 0..255, a little over included; else
    the numbers' own range."""
    for black, white in ((0, 1), (-1, 1), (0, 255)):
        over = 0.05 * (white - black) if white == 1 else 0.5
        if black - over <= low and high <= white + over:
            return black, white
    return low, high


def _scaled(pixels: np.ndarray, fit: str, side: int) -> np.ndarray:
    height, width, channels = pixels.shape
    if (height, width) == (side, side):
        return pixels
    if pixels.dtype != np.uint8 and channels > 1:
        return np.concatenate([_scaled(pixels[..., [channel]], fit, side) for channel in range(channels)], axis=2)
    image = _image(pixels)
    if fit == "crop":
        image = ImageOps.fit(image, (side, side), method=Image.Resampling.LANCZOS)
    else:
        ratio = side / max(height, width)
        inner = (side, side) if fit == "stretch" else (max(1, round(width * ratio)), max(1, round(height * ratio)))
        small = image.resize(inner, Image.Resampling.LANCZOS)
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        image = Image.new(image.mode, (side, side), tuple(np.median(edge, axis=0).astype(pixels.dtype).tolist()))
        image.paste(small, ((side - inner[0]) // 2, (side - inner[1]) // 2))
    return np.atleast_3d(np.asarray(image))


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _opaque(pixels: np.ndarray, ground: str, mode: str) -> np.ndarray:
    image = _image(pixels)
    if image.mode in ("LA", "RGBA"):
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image.convert("RGBA"))
    return np.asarray(image.convert(mode))


def each_picture(name: str, array: np.ndarray) -> np.ndarray:
    """An array of images in any of the forms that `own_images.load_own` takes, as (N, H, W, C) of its own numbers."""
    given = array.shape
    if array.dtype.kind not in "buif":
        raise DataError(f"{name}: images must be numbers, got {array.dtype}; images = images.astype(float) mends it")
    if array.ndim == 2 and array.shape[1] >= 64 and math.isqrt(array.shape[1]) ** 2 == array.shape[1]:
        array = array.reshape(len(array), math.isqrt(array.shape[1]), -1)  # a row of pixels each
    if array.ndim == 3:
        array = array[None] if array.shape[2] in (3, 4) else array[..., None]
    order = next((order for order in ORDERS if array.ndim == 4 and array.shape[order[3]] in (1, 3, 4)), None)
    if order is None or 0 in array.shape:
        raise DataError(f"{name}: images must be (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 or 4 and none of "
                        f"them 0, got {given}; images = images[..., :1] keeps the first of other channels")
    return array.transpose(order)
