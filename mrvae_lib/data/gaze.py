"""XYS: one drawn face that looks around (X, Y) and comes closer (S); 900 images, every combination of factors once.

A re-creation of the lost XYS-latent set (one rendered head, fixed camera, gaze and distance vary): grey background 64,
head widths of 58 to 91 pixels of 256, and beside the full image the two eye patches, because gaze moves so few pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mrvae_lib.data.factors import checked_factors
from mrvae_lib.data.imageset import ImageSet
from mrvae_lib.data.portrait import EYE_U, Canvas, Field, draw_eye, draw_portrait, eye_region

FACTOR_NAMES = ("x", "y", "scale")
FACTOR_VALUES: dict[str, tuple[float, ...]] = {
    "x": tuple(np.linspace(-1, 1, 15).tolist()),
    "y": tuple(np.linspace(-1, 1, 10).tolist()),
    "scale": tuple(np.linspace(58, 91, 6).tolist()),
}
"""x from the picture's left to its right and y from up to down, 1 the farthest this face looks; scale is the width of
the head in pixels of 256."""
FACTOR_SIZES = tuple(len(FACTOR_VALUES[name]) for name in FACTOR_NAMES)
SIDES = (64, 128, 256)
TRAIN_SHARE = 0.8

ANCHOR_V, ANCHOR_ROW = 0.40, 106 / 256
"""The point that stays where it is when the head comes closer: between nose and mouth, this far down the image."""
PATCH_WIDTH, PATCH_V = 0.54, -0.05
"""Side and middle of an eye patch in head widths: the eye takes 45 % of its width, the brow is included."""


def load_xys(split: str) -> ImageSet:
    """720 or 180 images of 3 channels, 64x64: full image, right-eye patch, left-eye patch; factors x, y, scale."""
    return gaze_images(split)


def load_xys_full(split: str) -> ImageSet:
    """The same 720 or 180 faces as one channel, 64x64: the full image without its eye patches."""
    return gaze_images(split, stacked=False)


def load_xys_256(split: str) -> ImageSet:
    """The same 720 or 180 stacks of 3 channels at the size of the lost set, 256x256; drawing them takes seconds."""
    return gaze_images(split, side=256)


def gaze_images(split: str = "train", *, side: int = 64, stacked: bool = True, seed: int = 0) -> ImageSet:
    """Draw one split of XYS.

    Args:
        split: `train`, four fifths of all combinations of factors, or `test`, the others.
        side: 64, 128 or 256 pixels.
        stacked: with the eye patches as second and third channel.
        seed: of the split; the images do not depend on it.
    Raises:
        ValueError: a side or a split that does not exist.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be train or test, got {split!r}")
    everything = all_factors()
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(seed))
    n_train = round(TRAIN_SHARE * len(everything))
    factors = everything[(order[:n_train] if split == "train" else order[n_train:]).sort().values]
    name = ("xys" if stacked else "xys-full") + ("" if side == 64 else f"-{side}")
    return ImageSet(name, render(factors, side=side, stacked=stacked),
                    factors=factors, factor_names=FACTOR_NAMES)


def all_factors() -> Tensor:
    """Every combination once, (900, 3) int64: places in `FACTOR_VALUES`, the last factor running fastest."""
    return torch.cartesian_prod(*[torch.arange(size) for size in FACTOR_SIZES])


def factor_values(factors: Tensor) -> Tensor:
    """What the indices stand for, (N, 3) float32: x and y in [-1, 1], scale in pixels of 256.

    Raises:
        ValueError: as `render`.
    """
    factors = checked_factors(factors, FACTOR_NAMES, FACTOR_SIZES)
    return torch.stack([torch.tensor(FACTOR_VALUES[name])[column]
                        for name, column in zip(FACTOR_NAMES, factors.T, strict=True)], dim=1)


def render(factors: Tensor, *, side: int = 64, stacked: bool = False) -> Tensor:
    """Draw faces; the same factors are the same bytes.

    Args:
        factors: (N, 3) integers, places in `FACTOR_VALUES`.
        side: 64, 128 or 256 pixels.
        stacked: add the right-eye and the left-eye patch (the person's own right and left), each drawn at full size as
            a lens would show it, so a patch holds x and y but not scale.
    Returns:
        (N, 1, side, side) uint8, or (N, 3, side, side) if stacked.
    Raises:
        ValueError: a side or a factor index that does not exist, with the value and the range.
    """
    factors = checked_factors(factors, FACTOR_NAMES, FACTOR_SIZES)
    _check_side(side)
    images = torch.empty(len(factors), 3 if stacked else 1, side, side, dtype=torch.uint8)
    for scale in factors[:, 2].unique().tolist():
        view = _View.of_everything(FACTOR_VALUES["scale"][scale], side)
        for i in torch.nonzero(factors[:, 2] == scale).flatten().tolist():
            images[i, 0] = view.looking(*_gaze(factors[i]))
    if stacked:
        gazes, which = factors[:, :2].unique(dim=0, return_inverse=True)
        for channel, eye in enumerate((-1, 1), start=1):
            view = _View.of_eye(eye, side)
            patches = [view.looking(*_gaze(gaze)) for gaze in gazes]
            if patches:
                images[:, channel] = torch.stack(patches)[which]
    return images


def eye_boxes(factors: Tensor, *, side: int = 64) -> Tensor:
    """Where the eyes are in the full image: all that x and y change lies inside.

    Returns:
        (N, 2, 4) int64: right eye, then left; left, top, right, bottom in pixels, right and bottom excluded.
    Raises:
        ValueError: as `render`.
    """
    factors = checked_factors(factors, FACTOR_NAMES, FACTOR_SIZES)
    _check_side(side)
    width = factor_values(factors)[:, 2].double() * (side / 256)  # of the head, in pixels of this image
    boxes = []
    for eye in (-1, 1):
        middle_u = side / 2 + eye * EYE_U * width
        middle_v = ANCHOR_ROW * side + (PATCH_V - ANCHOR_V) * width
        half = PATCH_WIDTH / 2 * width
        boxes.append(torch.stack([(middle_u - half).floor(), (middle_v - half).floor(),
                                  (middle_u + half).ceil(), (middle_v + half).ceil()], dim=1))
    return torch.stack(boxes, dim=1).long()


def eye_crops(images: Tensor, factors: Tensor, *, n_pixels: int = 16) -> Tensor:
    """Both eyes cut out of full images by their boxes and brought to one size.

    Args:
        images: (N, 1, side, side). factors: (N, 3), theirs.
    Returns:
        (N, 2, n_pixels, n_pixels) float32 in [0, 255]: right eye, then left.
    """
    boxes = eye_boxes(factors, side=images.shape[-1])
    crops = [[image[None, :, top:bottom, left:right].float() for left, top, right, bottom in pair]
             for image, pair in zip(images, boxes.tolist(), strict=True)]
    return torch.cat([torch.cat([F.interpolate(crop, size=n_pixels, mode="bilinear") for crop in pair], dim=1)
                      for pair in crops])


@dataclass(frozen=True)
class _View:
    """A square window onto the portrait, drawn finer than it is shown; only the eyes are drawn again for each gaze."""

    canvas: Canvas
    shown: Field
    fine: int
    """Canvas pixels per shown pixel, each way."""

    @classmethod
    def of_everything(cls, head_width: float, side: int) -> _View:
        width = 256 / head_width
        return cls._drawn(-width / 2, ANCHOR_V - ANCHOR_ROW * width, width, side)

    @classmethod
    def of_eye(cls, eye: int, side: int) -> _View:
        return cls._drawn(eye * EYE_U - PATCH_WIDTH / 2, PATCH_V - PATCH_WIDTH / 2, PATCH_WIDTH, side)

    @classmethod
    def _drawn(cls, left: float, top: float, width: float, side: int) -> _View:
        fine = 4 if side == 64 else 2
        canvas = Canvas.window(left, top, width, side * fine)
        draw_portrait(canvas)
        return cls(canvas, _averaged(canvas.grey, fine), fine)

    def looking(self, x: float, y: float) -> Tensor:
        """(side, side) uint8."""
        shown = self.shown.copy()
        for eye in (-1, 1):
            rows, columns = eye_region(self.canvas, eye, self.fine)
            part = self.canvas.part(rows, columns).copy()
            if part.grey.size:
                draw_eye(part, eye, x, y)
                shown[_coarse(rows, self.fine), _coarse(columns, self.fine)] = _averaged(part.grey, self.fine)
        return torch.from_numpy(np.rint(np.clip(shown, 0, 255)).astype(np.uint8))


def _averaged(grey: Field, fine: int) -> Field:
    height, width = grey.shape
    return grey.reshape(height // fine, fine, width // fine, fine).mean(axis=(1, 3))


def _coarse(span: slice, fine: int) -> slice:
    return slice(span.start // fine, span.stop // fine)


def _gaze(factors: Tensor) -> tuple[float, float]:
    return FACTOR_VALUES["x"][int(factors[0])], FACTOR_VALUES["y"][int(factors[1])]


def _check_side(side: int) -> None:
    if side not in SIDES:
        raise ValueError(f"side must be {', '.join(map(str, SIDES[:-1]))} or {SIDES[-1]}, got {side}")
