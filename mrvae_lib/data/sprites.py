"""dSprites, drawn here instead of downloaded: all 737,280 images, a few of them one pixel from the original.

Source: Matthey, Higgins, Hassabis and Lerchner, dSprites (2017), whose images these are; the parameters of their
outlines were measured on the published pixels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

from mrvae_lib.data.image_set import FactorSet, checked_factors, unpacked

SIDE = 64
SHAPE_NAMES = ("square", "ellipse", "heart")
FACTORS: dict[str, tuple[float | str, ...]] = {
    "shape": SHAPE_NAMES,
    "scale": tuple(np.linspace(0.5, 1, 6).tolist()),
    "orientation": tuple(np.linspace(0, 2 * np.pi, 40).tolist()),
    "posX": tuple(np.linspace(0, 1, 32).tolist()),
    "posY": tuple(np.linspace(0, 1, 32).tolist()),
}
"""What each index of each factor stands for. The last orientation is the first one again, a full turn later."""
SIZES = tuple(len(values) for values in FACTORS.values())

SUB = 256
"""Corners lie on a grid of this many points a pixel, so that everything after them is exact in whole numbers."""
FROM_COLUMN = np.array([2 ** (SIDE - column) - 1 for column in range(SIDE + 1)], dtype=np.uint64).astype(">u8")
"""For c = 0..64, a row of 64 bits that is white from column c on; its bytes run from left to right."""


def render(factors: Tensor | np.ndarray | Sequence[Sequence[int]]) -> Tensor:
    """Draw images by their factors.

    Args:
        factors: (N, 5) whole numbers: shape 0..2, scale 0..5, orientation 0..39, posX 0..31, posY 0..31.
    Returns:
        (N, 1, 64, 64) uint8, each pixel 0 or 255.
    Raises:
        ValueError: an index out of range; the message names the factor.
    """
    wanted = checked_factors(factors, tuple(FACTORS), SIZES).numpy()
    rows = np.zeros((len(wanted), SIDE), dtype=np.uint64)
    outlines, which = np.unique(wanted[:, :3], axis=0, return_inverse=True)
    for i, outline in enumerate(outlines):
        places = np.flatnonzero(which.reshape(-1) == i)
        (xs, at_x), (ys, at_y) = (np.unique(wanted[places, factor], return_inverse=True) for factor in (3, 4))
        rows[places] = _draw(tuple(outline.tolist()), xs, ys)[at_x, at_y]
    return unpacked(_packed(rows))


def load_dsprites(name: str, split: str) -> FactorSet:
    """Every combination of factors once. One set: `train` and `test` are the same images, in the same memory.

    The first call draws the set and takes seconds; its 378 MB stay until the program ends.
    """
    return _whole_set()


@cache
def _whole_set() -> FactorSet:
    everywhere = np.arange(SIZES[3])
    rows = np.empty((*SIZES, SIDE), dtype=np.uint64)

    def draw(outline: tuple[int, ...]) -> None:
        rows[outline] = _draw(outline, everywhere, everywhere)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(draw, product(*(range(size) for size in SIZES[:3]))))
    factors = torch.cartesian_prod(*map(torch.arange, SIZES))
    return FactorSet("dsprites", _packed(rows), factors[:, 0].clone(), SHAPE_NAMES, factors, tuple(FACTORS),
                     packed=True, factor_values=tuple(FACTORS.values()))


def _packed(rows: np.ndarray) -> Tensor:
    """(..., 64) rows of 64 bits as packed images, (N, 1, 64, 8) uint8."""
    return torch.from_numpy(rows.view(np.uint8).reshape(-1, 1, SIDE, SIDE // 8))


def _draw(outline: tuple[int, ...], pos_x: np.ndarray, pos_y: np.ndarray) -> np.ndarray:
    """A shape, scale and orientation at every pair of the given positions: (len(pos_x), len(pos_y), 64 rows) uint64.

    A pixel is white if its centre is inside by the even-odd rule, left and bottom edges included: each edge that
    crosses the centre line of a row flips that row from the crossing to its right end. Which edges cross which rows
    depends on posY only, so that is found once for all of posX.
    """
    x, y = _corners(*outline)
    y = _on_grid(y[None, :] + _centre(pos_y)[:, None])  # (Y, E), E corners or edges
    x = _on_grid(x[:, None] + _centre(pos_x)[None, :])  # (E, X)
    y_next, x_next = np.roll(y, -1, axis=1), np.roll(x, -1, axis=0)

    # An edge crosses row r if top < centre of r <= bottom, the centre lying at SUB r + SUB / 2.
    first = (np.minimum(y, y_next) - SUB // 2) // SUB + 1
    n_rows = (np.maximum(y, y_next) - SUB // 2) // SUB + 1 - first
    place = np.repeat(np.arange(y.size), n_rows.reshape(-1))  # one entry per crossing: which posY, which edge
    row = np.arange(len(place)) - np.repeat(np.cumsum(n_rows) - n_rows.reshape(-1) - first.reshape(-1),
                                            n_rows.reshape(-1))
    target, edge = place // y.shape[1] * SIDE + row, place % y.shape[1]
    order = np.argsort(target, kind="stable")
    target, edge, place, row = target[order], edge[order], place[order], row[order]

    rise = (y_next - y).reshape(-1)[place]
    down = (SUB * row + SUB // 2 - y.reshape(-1)[place]) * np.sign(rise)
    rise = np.abs(rise)[:, None]
    start, run = x[edge], (x_next - x)[edge]  # (crossings, X)
    column = -(-((start - SUB // 2) * rise + down.astype(np.int32)[:, None] * run) // (SUB * rise))  # rounded up

    begins = np.flatnonzero(np.diff(target, prepend=-1))
    rows = np.zeros((len(pos_x), len(pos_y) * SIDE), dtype=np.uint64)
    rows[:, target[begins]] = np.bitwise_xor.reduceat(FROM_COLUMN.view(np.uint64)[column], begins, axis=0).T
    return rows.reshape(len(pos_x), len(pos_y), SIDE)


def _corners(shape: int, scale: int, orientation: int) -> tuple[np.ndarray, np.ndarray]:
    """The outline around its centre, x to the right and y down, (E,) each, where the canvas is 1 wide."""
    if SHAPE_NAMES[shape] == "square":
        u, v = 0.15 * np.array([-1, 1, 1, -1]), 0.15 * np.array([-1, -1, 1, 1])
    elif SHAPE_NAMES[shape] == "ellipse":
        angle = 2 * np.pi * np.arange(100) / 100
        u, v = 0.15 * 1.33 * np.cos(angle), 0.15 / 1.33 * np.sin(angle)
    else:
        angle = 2 * np.pi * np.arange(150) / 150
        u = 0.15 * np.sin(angle) ** 3
        waves = 13 * np.cos(angle) - 5 * np.cos(2 * angle) - 2 * np.cos(3 * angle) - np.cos(4 * angle)
        v = -0.3 / 29 * waves - 0.0225
    size, turn = FACTORS["scale"][scale], FACTORS["orientation"][orientation % (SIZES[2] - 1)]
    return size * (np.cos(turn) * u + np.sin(turn) * v), size * (-np.sin(turn) * u + np.cos(turn) * v)


def _centre(position: np.ndarray) -> np.ndarray:
    return 0.25 + 0.5 * np.array(FACTORS["posX"], dtype=np.float64)[position]


def _on_grid(positions: np.ndarray) -> np.ndarray:
    return np.rint(SUB * SIDE * positions).astype(np.int32)
