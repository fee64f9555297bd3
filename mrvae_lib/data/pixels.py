"""Pictures of any kind as bytes of one size: one rule each for size, range, transparency, colour and polarity."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps

from mrvae_lib.config import MAX_SIDE, MIN_SIDE, DataConfig
from mrvae_lib.errors import DataError

RESIZED_SIDE = 64
"""The largest side that other images are scaled to where no size is asked for."""
FEW_LEVELS = 25
"""A set that uses fewer of the 256 levels, a tenth, is warned of."""
DONE = {"crop": "cropped", "pad": "padded", "stretch": "stretched"}
BRIGHTNESS = np.array([[0.299], [0.587], [0.114]], dtype=np.float32)
"""Of red, green and blue (ITU-R BT.601), as Pillow has it."""
ORDERS = ((0, 1, 2, 3), (0, 2, 3, 1), (3, 0, 1, 2))
"""Where N, H, W and C are in an array of images: Keras', torch's and MATLAB's order."""


class Pictures(NamedTuple):
    """Pictures at their final size, in the numbers they came in."""

    pixels: np.ndarray
    """(n, side, side, C), C 1 or 3, one more where they may be transparent."""
    size: tuple[int, int]
    """(width, height) before."""
    low: float
    high: float
    """The range of their numbers before."""
    deep: bool
    """Whether their numbers were of another kind than bytes."""
    n_wrong: int
    """How many of them were not finite."""


def side_of(sizes: Sequence[tuple[int, int]], asked: int | None) -> int:
    """The side of the squares that images of these sizes become: asked for, their own, or the median shorter side."""
    width, height = sizes[0]
    if asked or (width == height and MIN_SIDE <= width <= MAX_SIDE and len(set(sizes)) == 1):
        return asked or width
    return min(RESIZED_SIDE, max(MIN_SIDE, int(np.median(np.min(sizes, axis=1)))))


def fitted(raw: np.ndarray, fit: str, side: int) -> Pictures:
    """Pictures (n, H, W, C) of any numbers, scaled to the side; what is not finite takes the lowest value."""
    height, width = raw.shape[1:3]
    deep, n_wrong = raw.dtype != np.uint8, 0
    if deep:
        raw = raw.astype(np.float32)
        finite = np.isfinite(raw)
        n_wrong = int((~finite).sum())
        raw[~finite] = raw[finite].min() if finite.any() else 0
    low, high = float(raw.min()), float(raw.max())
    if high <= 1:
        raw = raw.astype(np.float32)  # bytes of 0 and 1 have no shades to scale with
    scaled = raw if height == width == side else np.stack([_scaled(picture, fit, side) for picture in raw])
    return Pictures(scaled, (width, height), low, high, deep, n_wrong)


def as_images(parts: Sequence[Pictures], look: DataConfig) -> tuple[torch.Tensor, list[str]]:
    """Pictures as (N, C, side, side) uint8, and what was done to them.

    Raises:
        DataError: every pixel of every image is the same.
    """
    side, sizes = parts[0].pixels.shape[1], {part.size for part in parts}
    notes: list[str] = []
    if sizes != {(side, side)}:
        done = f"{DONE[look.fit]} and scaled" if any(width != height for width, height in sizes) else "scaled"
        before = " to ".join(dict.fromkeys(f"{width}x{height}" for width, height in (min(sizes), max(sizes))))
        notes.append(f"{done} from {before} to {side}x{side}")
    arrays = _bytes(parts, notes)
    clear = [array[array[..., -1].min(axis=(1, 2)) < 255] for array in arrays if array.shape[3] in (2, 4)]
    shown = sum(float(((array[..., :-1].mean(axis=3) - 128) * array[..., -1]).sum()) for array in clear)
    ground = "white" if shown < 0 else "black"
    if n_clear := sum(map(len, clear)):
        notes.append(f"{n_clear} with transparency laid on {ground}")
    n, n_grey = sum(map(len, arrays)), sum(len(array) for array in arrays if array.shape[3] < 3)
    grey = look.channels == "grey" or (look.channels == "auto" and n_grey == n)
    if n_changed := (n - n_grey) if grey else n_grey:
        notes.append(f"{n_changed} made {'grey' if grey else 'colour'}")
    opaque = np.concatenate([_opaque(array, 255 * (ground == "white"), grey) for array in arrays])
    images = torch.from_numpy(opaque).permute(0, 3, 1, 2).contiguous()
    low, high = int(images.min()), int(images.max())
    if low == high:
        raise DataError(f"{look.name}: every pixel of all {n} images is {low} of 255 "
                        f"({', '.join(notes) or 'as read'}): nothing to learn; data.fit 'pad' crops nothing")
    if high - low < FEW_LEVELS:
        notes.append(f"only {low}..{high} of 0..255 in use")
    if n > 1 and bool((images == images[:1]).all()):
        notes.append("all of them the same picture")
    if look.invert:
        notes.append("light and dark exchanged")
    return (255 - images if look.invert else images), notes


def _bytes(parts: Sequence[Pictures], notes: list[str]) -> list[np.ndarray]:
    """The pixels as uint8: those that came as bytes and those of other numbers each in the range of all their kind."""
    scales = {}
    for deep in {part.deep for part in parts}:
        kind = [part for part in parts if part.deep is deep]
        black, white = white_range(min(part.low for part in kind), max(part.high for part in kind))
        scales[deep] = black, 255 / ((white - black) or 1)
        if (black, white) != (0, 255) and not (deep and (black, white) == (0, 1)):
            n_stretched = sum(len(part.pixels) for part in kind)
            notes.append(f"{n_stretched} stretched from {black:g}..{white:g} to 0..255")
    if n_wrong := sum(part.n_wrong for part in parts):
        notes.append(f"{n_wrong} pixels that were no number made black")
    return [_rounded((part.pixels - scales[part.deep][0]) * scales[part.deep][1]) if part.pixels.dtype != np.uint8
            else part.pixels for part in parts]


def _rounded(pixels: np.ndarray) -> np.ndarray:
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


def white_range(low: float, high: float) -> tuple[float, float]:
    """What is black and what is white where numbers lie in low..high: 0..1, -1..1, 0..255, a little over included; else
    the numbers' own range."""
    for black, white, over in ((0, 1, 0.05), (-1, 1, 0.1), (0, 255, 0.5)):
        if black - over <= low and high <= white + over:
            return black, white
    return low, high


def _scaled(pixels: np.ndarray, fit: str, side: int) -> np.ndarray:
    """A picture (H, W, C) as (side, side, C)."""
    height, width, channels = pixels.shape
    if pixels.dtype != np.uint8 and channels > 1:
        return np.concatenate([_scaled(pixels[..., [channel]], fit, side) for channel in range(channels)], axis=2)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
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


def _opaque(pixels: np.ndarray, ground: int, grey: bool) -> np.ndarray:
    """Pictures without transparency, of one channel or of three."""
    if pixels.shape[3] in (2, 4):
        alpha = pixels[..., -1:] / np.float32(255)
        pixels = _rounded(pixels[..., :-1] * alpha + ground * (1 - alpha))
    if grey and pixels.shape[3] == 3:
        return _rounded(pixels @ BRIGHTNESS)
    return pixels if grey else np.broadcast_to(pixels, (*pixels.shape[:3], 3))


def each_picture(name: str, array: np.ndarray) -> np.ndarray:
    """An array of images in any of the forms that `own_images.load_own` takes, as (N, H, W, C) of its own numbers."""
    given = array.shape
    if array.dtype.kind not in "buif":
        raise DataError(f"{name}: images must be numbers, got {array.dtype}; images = images.astype(float) mends it")
    if array.ndim == 2 and array.shape[0] == array.shape[1]:
        array = array[None]  # one picture
    if array.ndim == 2 and array.shape[1] >= 64 and math.isqrt(array.shape[1]) ** 2 == array.shape[1]:
        array = array.reshape(len(array), math.isqrt(array.shape[1]), -1)  # a row of pixels each
    if array.ndim == 3:
        array = array[None] if array.shape[2] in (3, 4) else array[..., None]
    order = next((order for order in ORDERS if array.ndim == 4 and array.shape[order[3]] in (1, 3, 4)), None)
    if order is None or 0 in array.shape:
        raise DataError(f"{name}: images must be (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 or 4 and none of "
                        f"them 0, got {given}; images = images[..., :1] keeps the first of other channels")
    return array.transpose(order)
