"""Draw the faces of XYS and write them to `mrvae_lib/data/xys.npz`: python tools/draw_xys.py [FILE]

XYS is a re-creation of the lost XYS-latent set (one rendered head, fixed camera, gaze and distance vary): grey
background 64, head widths of 58 to 91 pixels of 256, and beside the full image the two eye patches, because gaze moves
so few pixels. The portrait is made of fields that are negative inside a shape, painted back to front in grey. Lengths
are head widths, u to the picture's right and v down, from the point between the eyes. The light comes from the upper
left. Drawn by us for this package; nothing is taken from an existing picture.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrvae_lib.data.xys import FACTORS, FILE

Field = NDArray[np.floating]

BACKGROUND = 64
EYE_U, EYE_HALF = 0.205, 0.122
"""How far each eye's middle is from the middle of the face, and half the width of its opening."""
REACH_X, REACH_Y = 0.40, 0.26
"""How far a gaze of 1 moves the iris, in half eye widths."""
EYE_REGION = (1.14, 0.85, 0.75)
"""Nothing but gaze moves here and gaze moves nothing elsewhere: half width, above, below, in half eye widths."""

ANCHOR_V, ANCHOR_ROW = 0.40, 106 / 256
"""The point that stays where it is when the head comes closer: between nose and mouth, this far down the image."""
PATCH_WIDTH, PATCH_V = 0.54, -0.05
"""Side and middle of an eye patch in head widths: the eye takes 45 % of its width, the brow is included."""


@dataclass(frozen=True)
class Canvas:
    """Grey values (H, W) in 0..255 over a window onto the portrait; `u` and `v` are where each pixel's centre lies."""

    u: Field
    v: Field
    grey: Field

    @classmethod
    def window(cls, left: float, top: float, width: float, n_pixels: int) -> Canvas:
        """A square window, background all over."""
        steps = (np.arange(n_pixels, dtype=np.float32) + 0.5) * (width / n_pixels)
        u, v = np.meshgrid(np.float32(left) + steps, np.float32(top) + steps)
        return cls(u, v, np.full_like(u, BACKGROUND))

    def part(self, rows: slice, columns: slice) -> Canvas:
        """A piece that shares its pixels with the whole."""
        return Canvas(self.u[rows, columns], self.v[rows, columns], self.grey[rows, columns])

    def copy(self) -> Canvas:
        """The same window with grey values of its own."""
        return Canvas(self.u, self.v, self.grey.copy())

    def paint(self, field: Field, tone: Field | float, *, opacity: float = 1.0, soft: float = 0.0) -> None:
        """Cover where the field is negative with a tone; the edge is one pixel wide, or fades over `soft` of the field.

        Args:
            field: (H, W), any smooth function that is negative inside the shape.
            tone: 0 to 255, one for all or (H, W).
        """
        if soft:
            t = np.clip(0.5 - field / soft, 0, 1)
            cover = t * t * (3 - 2 * t)
        else:
            down, across = np.gradient(field)
            cover = np.clip(0.5 - field / (np.hypot(down, across) + 1e-6), 0, 1)
        self.grey[...] += (tone - self.grey) * (cover * opacity)


def draw(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Every face and every pair of eyes, uint8, with the images last: one pixel of all images compresses best.

    Args:
        side: of the images, in pixels.
    Returns:
        faces: (side, side, 900), the last factor running fastest.
        eyes: (2, side, side, 150), the person's right eye, then the left, drawn at full size as a lens would show them,
            so they hold x and y but not the scale.
    """
    gazes = [(x, y) for x in FACTORS["x"] for y in FACTORS["y"]]
    views = [View.of_everything(width, side) for width in FACTORS["scale"]]
    faces = [view.looking(*gaze) for gaze in gazes for view in views]
    eyes = [[view.looking(*gaze) for gaze in gazes] for view in (View.of_eye(-1, side), View.of_eye(1, side))]
    return np.stack(faces, axis=-1), np.stack([np.stack(patches, axis=-1) for patches in eyes])


def eye_boxes(width: float, side: int = 64) -> list[tuple[int, int, int, int]]:
    """Where the eyes are in the full image: all that x and y change lies inside.

    Args:
        width: of the head, a value of the factor scale.
        side: of the image, in pixels.
    Returns:
        The right eye, then the left; each is left, top, right, bottom in pixels, right and bottom excluded.
    """
    width *= side / 256
    half, middle_v = PATCH_WIDTH / 2 * width, ANCHOR_ROW * side + (PATCH_V - ANCHOR_V) * width
    return [(math.floor(middle_u - half), math.floor(middle_v - half), math.ceil(middle_u + half),
             math.ceil(middle_v + half)) for middle_u in (side / 2 + eye * EYE_U * width for eye in (-1, 1))]


@dataclass(frozen=True)
class View:
    """A square window onto the portrait, drawn finer than it is shown; only the eyes are drawn again for each gaze."""

    canvas: Canvas
    shown: Field
    """The portrait without eyes, as fine as it is shown, (side, side)."""
    fine: int
    """Canvas pixels per shown pixel, each way."""

    @classmethod
    def of_everything(cls, head_width: float, side: int) -> View:
        width = 256 / head_width
        return cls._drawn(-width / 2, ANCHOR_V - ANCHOR_ROW * width, width, side)

    @classmethod
    def of_eye(cls, eye: int, side: int) -> View:
        return cls._drawn(eye * EYE_U - PATCH_WIDTH / 2, PATCH_V - PATCH_WIDTH / 2, PATCH_WIDTH, side)

    @classmethod
    def _drawn(cls, left: float, top: float, width: float, side: int) -> View:
        fine = 4 if side == 64 else 2
        canvas = Canvas.window(left, top, width, side * fine)
        draw_portrait(canvas)
        return cls(canvas, _averaged(canvas.grey, fine), fine)

    def looking(self, x: float, y: float) -> np.ndarray:
        """The portrait with this gaze, (side, side) uint8."""
        shown = self.shown.copy()
        for eye in (-1, 1):
            rows, columns = eye_region(self.canvas, eye, self.fine)
            part = self.canvas.part(rows, columns).copy()
            if part.grey.size:
                draw_eye(part, eye, x, y)
                shown[_coarse(rows, self.fine), _coarse(columns, self.fine)] = _averaged(part.grey, self.fine)
        return np.rint(np.clip(shown, 0, 255)).astype(np.uint8)


def _averaged(grey: Field, fine: int) -> Field:
    height, width = grey.shape
    return grey.reshape(height // fine, fine, width // fine, fine).mean(axis=(1, 3))


def _coarse(span: slice, fine: int) -> slice:
    return slice(span.start // fine, span.stop // fine)


def draw_portrait(canvas: Canvas) -> None:
    """Everything but what lies between the eyelids."""
    _shoulders(canvas)
    _hair_behind(canvas)
    _ears_and_neck(canvas)
    _face(canvas)
    _nose_and_mouth(canvas)
    _hair(canvas)
    _brows(canvas)


def eye_region(canvas: Canvas, side: int, block: int = 1) -> tuple[slice, slice]:
    """Rows and columns that gaze can change, in whole blocks of pixels; side -1 is the eye at the picture's left."""
    across, above, below = (EYE_HALF * length for length in EYE_REGION)
    return (_span(canvas.v[:, 0], -above, below, block),
            _span(canvas.u[0], side * EYE_U - across, side * EYE_U + across, block))


def _span(places: Field, low: float, high: float, block: int) -> slice:
    start, stop = np.searchsorted(places, [low, high])
    return slice(int(start) // block * block, min(-(-int(stop) // block) * block, len(places)))


def _ellipse(canvas: Canvas, u: float, v: float, half_width: float, half_height: float) -> Field:
    return np.hypot((canvas.u - u) / half_width, (canvas.v - v) / half_height) - 1


def _stroke(canvas: Canvas, height: Field, thickness: Field | float, left: float, right: float) -> Field:
    """A brush stroke along v = height(u), thickest in its middle."""
    t = 2 * (canvas.u - left) / (right - left) - 1
    return np.abs(canvas.v - height) - thickness * (1 - t * t)


def _blob(canvas: Canvas, u: float, v: float, width: float, height: float) -> Field:
    """A soft spot, 1 in its middle."""
    return np.exp(-(((canvas.u - u) / width) ** 2) - ((canvas.v - v) / height) ** 2)


def _rise(t: Field) -> Field:
    """From 0 to 1 about t = 0."""
    return 0.5 + 0.5 * np.tanh(t / 2)


def _head(canvas: Canvas) -> Field:
    """The outline of the head: round above, a jaw that turns in to the chin."""
    up = np.clip((0.05 - canvas.v) / 0.74, 0, None)
    down = np.clip((canvas.v - 0.05) / 0.73, 0, None)
    return (np.abs(canvas.u) / 0.5) ** 2.3 * (1 + 0.45 * down**2) + up**2.3 + down**2.6 - 1


def _shoulders(canvas: Canvas) -> None:
    u, v = canvas.u, canvas.v
    wide = np.abs(u)
    top = 0.90 + 0.12 * wide + 0.16 * wide**3 + 40 * np.clip(wide - 1.12, 0, None) ** 2.5
    check = 6 * ((np.cos(u * 36) > 0.93) | (np.cos(v * 36) > 0.93))
    jacket = np.maximum(top - v, wide - 1.28 - 0.06 * (v - 1.4))
    canvas.paint(jacket, 38 - 9 * u + 8 * _blob(canvas, -0.75, 1.35, 0.5, 0.35) + check)
    for side in (-1, 1):  # between arm and body
        fold = np.abs(side * u - 0.98 + 0.05 * (v - 1.6)) + 0.2 * np.clip(2.0 - v, 0, None)
        canvas.paint(fold - 0.01, 18, opacity=0.7, soft=0.05)
    opening = 0.36 * (2.05 - v)
    shirt = np.maximum(wide - np.minimum(opening, 0.37), top - v - 0.1)
    canvas.paint(shirt, 196 - 60 * u - 30 * _blob(canvas, 0, 1.0, 0.4, 0.12))
    canvas.paint(np.maximum(np.maximum(wide - 0.065 - 0.05 * (v - 1.1), 1.06 - v), wide - opening), 84 - 90 * u)
    canvas.paint(np.maximum(wide - 0.09 + 0.28 * (v - 1.05), np.abs(v - 1.10) - 0.065), 96 - 110 * u)
    for side in (-1, 1):
        across = side * u
        collar = np.maximum(across - 0.37 + 0.25 * (v - 0.85), 0.05 + 0.75 * (v - 1.02) - across)
        collar = np.maximum(collar, np.maximum(v - 1.20 + 0.10 * across, top - 0.06 - v))
        canvas.paint(collar, 224 - 50 * u)
        lapel = np.maximum(opening - across, across - opening - 0.27 * np.clip((2.05 - v) / 0.75, 0, 1) ** 0.7)
        lapel = np.maximum(np.maximum(lapel, top - 0.015 - v), v - 2.04)
        canvas.paint(lapel - 0.014, 22)
        canvas.paint(lapel, 47 - 14 * u + check)
        notch = np.maximum(np.abs(v - 1.30 + 0.35 * (across - 0.45)) - 0.008, np.abs(across - 0.475) - 0.075)
        canvas.paint(notch, 20)
    canvas.paint(np.maximum(np.abs(u - 0.02) - 0.008, 2.03 - v), 20)
    for height in (2.2, 2.6):
        canvas.paint(_ellipse(canvas, -0.035, height, 0.03, 0.03), 72)


def _hair_behind(canvas: Canvas) -> None:
    canvas.paint(_ellipse(canvas, 0, -0.16, 0.545, 0.58), 34)


def _ears_and_neck(canvas: Canvas) -> None:
    u, v = canvas.u, canvas.v
    neck = np.maximum(np.abs(u) - 0.295 - 0.6 * np.clip(v - 0.78, 0, None) ** 2, v - 1.07 + 0.30 * np.abs(u))
    under_chin = _rise((0.80 + 0.10 * u - v) / 0.035)
    shade = 150 - 110 * u - 500 * np.abs(u) ** 3.5 - 78 * under_chin + 8 * _blob(canvas, 0, 0.98, 0.05, 0.1)
    canvas.paint(np.maximum(neck, 0.3 - v), np.clip(shade, 30, 190))
    for side in (-1, 1):
        canvas.paint(_ellipse(canvas, side * 0.515, 0.09, 0.075, 0.155), 150 - 30 * side)
        canvas.paint(_ellipse(canvas, side * 0.522, 0.08, 0.04, 0.10), 105 - 22 * side, soft=0.8)


def _face(canvas: Canvas) -> None:
    u, v, head = canvas.u, canvas.v, _head(canvas)
    depth = np.sqrt(np.clip(1 - np.clip(head + 1, 0, 1) ** 1.3, 0.0, 1))
    light = 0.50 + 0.48 * depth - 0.62 * u - 0.08 * v
    skin = 60 + 128 * np.clip(light, 0, 1.1)
    for side in (-1, 1):
        skin += 15 * _blob(canvas, side * 0.26, 0.20, 0.12, 0.08)  # cheekbones
        skin -= 26 * _blob(canvas, side * 0.17, -0.035, 0.16, 0.075)  # eye sockets
        skin -= 7 * _blob(canvas, side * 0.19, 0.115, 0.11, 0.03)  # below the eyes
        skin -= 16 * _blob(canvas, side * 0.34, 0.42, 0.09, 0.16)  # hollow of the cheeks
        skin -= 12 * _blob(canvas, side * 0.46, -0.12, 0.07, 0.20)  # temples
    skin += 14 * _blob(canvas, -0.05, -0.27, 0.22, 0.10) + 12 * _blob(canvas, -0.02, 0.665, 0.09, 0.05)
    skin -= 24 * _blob(canvas, 0, 0.585, 0.11, 0.03) + 9 * _blob(canvas, 0, 0.395, 0.022, 0.05)
    skin -= 34 * np.exp(-(np.clip(v - _hairline(u) + 0.02, 0, 1) / 0.055))  # shadow of the hair
    canvas.paint(head, skin)
    for side in (-1, 1):
        fold = np.abs(side * u - 0.125 - 0.45 * (v - 0.27)) / 0.035 + (np.abs(v - 0.355) / 0.085) ** 3
        canvas.paint(fold - 0.5, 85, opacity=0.20 + 0.05 * side, soft=1.6)


def _nose_and_mouth(canvas: Canvas) -> None:
    u, v, grey = canvas.u, canvas.v, canvas.grey
    bridge = _rise((v + 0.02) / 0.04) * _rise((0.255 - v) / 0.014)
    grey += 30 * bridge * np.exp(-(((u + 0.014) / (0.026 + 0.03 * np.clip(v, 0, 1))) ** 2))
    grey -= 34 * bridge * np.exp(-(((u - 0.062 - 0.09 * np.clip(v, 0, 1)) / 0.036) ** 2))
    grey += 20 * _blob(canvas, -0.02, 0.235, 0.04, 0.035) - 40 * _blob(canvas, 0.012, 0.318, 0.10, 0.020)
    grey -= 10 * _blob(canvas, -0.115, 0.25, 0.03, 0.05)
    for side in (-1, 1):
        canvas.paint(_ellipse(canvas, side * 0.046, 0.293, 0.028, 0.014), 38, opacity=0.9, soft=1.0)
        wing = np.abs(_ellipse(canvas, side * 0.070, 0.262, 0.042, 0.044)) / 0.16
        canvas.paint(wing - 0.5 + 2.5 * _rise((0.088 - side * u) / 0.006), 80, opacity=0.5, soft=1.2)
    parting = 0.455 - 0.30 * u**2 + 0.010 * np.exp(-((u / 0.04) ** 2))
    lip = 1 - (u / 0.175) ** 2
    upper = np.maximum(parting - 0.042 * lip + 0.012 * np.exp(-((u / 0.028) ** 2)) - v, v - parting)
    lower = np.maximum(parting - v, v - 0.455 + 0.30 * u**2 - 0.066 * lip)
    canvas.paint(upper, 96 - 60 * u)
    canvas.paint(lower, 124 - 70 * u + 34 * _blob(canvas, -0.025, 0.485, 0.06, 0.012))
    canvas.paint(_stroke(canvas, parting, 0.0085, -0.195, 0.195), 40, opacity=0.9)
    for side in (-1, 1):
        canvas.paint(_ellipse(canvas, side * 0.192, 0.445, 0.03, 0.025), 80, opacity=0.4, soft=1.6)


def _hairline(u: Field) -> Field:
    """How far down the hair comes: parted at the picture's left, swept across, down to the ears at the sides."""
    from_part = np.clip(u + 0.20, 0, 1)
    swept = -0.42 + 0.24 * from_part**1.4 + 0.35 * np.clip(-0.2 - u, 0, 1)
    return swept + 12 * np.clip(np.abs(u) - 0.40, 0, 1) ** 1.5


def _hair(canvas: Canvas) -> None:
    u, v = canvas.u, canvas.v
    right_of_part = _rise((u + 0.2 + 0.12 * (v + 0.4)) / 0.004)
    sweep = np.hypot((u + 0.25) * 0.85, (v + 0.05) * 1.35)
    flow = right_of_part * sweep + (1 - right_of_part) * np.hypot((u - 0.02) * 1.15, v * 0.8)
    strands = np.sin(flow * 92 + 2 * np.sin(u * 13)) + 0.7 * np.sin(flow * 171 + 4 * u)
    strands += 0.5 * np.sin(flow * 263 - 6 * v)
    outline = _ellipse(canvas, 0.0, -0.12, 0.55, 0.63)
    cap = np.maximum(outline + 0.004 * strands, np.maximum(v - _hairline(u) + 0.009 * strands, v - 0.13))
    depth = np.sqrt(np.clip(1 - (outline + 1) ** 2, 0, 1))
    shine = np.exp(-(((np.hypot(u + 0.16, v + 0.02) - 0.46) / 0.085) ** 2)) * _rise((-0.22 - v) / 0.05)
    canvas.paint(cap, 20 + 16 * depth - 14 * u + 4 * strands + (38 + 9 * strands) * shine)
    parting = np.abs(u + 0.2 + 0.12 * (v + 0.4)) - 0.004 - 0.02 * np.clip(v + 0.6, 0, 1)
    canvas.paint(np.maximum(parting, np.maximum(v + 0.42, -0.66 - v)), 100, opacity=0.55)


def _brows(canvas: Canvas) -> None:
    for side in (-1, 1):
        t = (side * canvas.u - EYE_U) / 0.16
        height = -0.148 - 0.026 * (1 - t**2) + 0.012 * t
        hairs = 0.0012 * np.sin(canvas.u * 210 * side + canvas.v * 330)
        ends = sorted((side * 0.075, side * 0.372))
        canvas.paint(_stroke(canvas, height, 0.026 - 0.007 * np.clip(t, -1, 1), *ends) + hairs, 38, opacity=0.88)


def draw_eye(canvas: Canvas, side: int, x: float, y: float) -> None:
    """One eye, looking at x (-1 the picture's left, 1 its right) and y (-1 up, 1 down); the upper lid follows y.

    Args:
        canvas: the portrait, or the part of it that `eye_region` gives.
        side: -1 for the eye at the picture's left, 1 for the one at its right.
    """
    eye = Canvas((canvas.u - side * EYE_U) / EYE_HALF, canvas.v / EYE_HALF, canvas.grey)
    p, q = -side * eye.u, eye.v  # p runs from the outer corner (-1) to the one at the nose (1)
    q = q - 0.05 * p  # the outer corner is a little higher
    bow = np.clip(1 - np.abs(p) ** 2.2, 0, 1)
    upper, lower = -(0.50 - 0.15 * y) * bow, (0.36 + 0.05 * y) * bow**0.9
    opening = np.maximum(upper - q, q - lower)
    u, v = x * REACH_X, y * REACH_Y - 0.04
    radius = np.hypot(eye.u - u, eye.v - v)

    skin = Canvas(eye.u, q, eye.grey)
    crease = _stroke(skin, -0.26 - 0.46 * np.clip(1 - (p / 1.2) ** 2, 0, 1), 0.095, -1.1, 1.1)
    skin.paint(crease + 0.045, 72, opacity=0.7, soft=0.09)
    ball = Canvas(eye.u, eye.v, 226 - 60 * np.abs(p) ** 3 - 14 * eye.u)
    ball.paint(radius - 0.47, 44)
    ball.paint(radius - 0.42, 92 + 46 * np.clip((eye.v - v + 0.25 * (eye.u - u)) / 0.42, -0.6, 1), soft=0.1)
    ball.paint(radius - 0.19, 12)
    ball.grey[...] *= 1 - 0.5 * np.exp(-((np.clip(q - upper, 0, 2) / 0.14) ** 2))
    ball.paint(np.hypot(eye.u - 0.6 * u + 0.15, eye.v - 0.6 * v + 0.13) - 0.09, 250)
    eye.paint(opening, ball.grey)
    eye.paint(np.abs(q - upper) - (0.075 - 0.02 * np.clip(p, -1, 1)) * (1 - (p / 1.1) ** 4), 26)
    rim = np.abs(q - lower - 0.02) - 0.022
    eye.paint(np.maximum(rim, np.abs(p) - 0.95), 88, opacity=0.6)


def main() -> None:
    arrays = {}
    for side in (64, 256):
        arrays[f"faces_{side}"], arrays[f"eyes_{side}"] = draw(side)
    np.savez_compressed(sys.argv[1] if sys.argv[1:] else FILE, **arrays)


if __name__ == "__main__":
    main()
