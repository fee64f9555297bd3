"""dSprites, drawn here instead of downloaded: all 737,280 images, a few of them one pixel from the original.

Source: Matthey, Higgins, Hassabis and Lerchner, dSprites (2017), whose images these are; the parameters of their
outlines were measured on the published pixels.
"""

from functools import cache

import numpy as np
import torch

from mrvae_lib.data.image_set import FactorSet

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
"""For c = 0..64, a row of 64 bits that is white from column c on. Its first byte (`>u8`) holds the leftmost 8 pixels,
as `np.packbits` has them."""


@cache
def load_dsprites() -> FactorSet:
    """Every combination of factors once.

    The first call draws the set and takes a second; its 378 MB stay until the program ends.
    """
    rows = np.empty((*SIZES, SIDE), dtype=np.uint64)
    for outline in np.ndindex(SIZES[:3]):
        rows[outline] = _draw(*outline)
    packed = torch.from_numpy(rows.view(np.uint8).reshape(-1, 1, SIDE, SIDE // 8))
    factors = torch.cartesian_prod(*map(torch.arange, SIZES))
    return FactorSet("dsprites", packed, factors[:, 0].clone(), SHAPE_NAMES, factors, tuple(FACTORS), packed=True,
                     factor_sizes=SIZES)


def _draw(shape: int, scale: int, orientation: int) -> np.ndarray:
    """An outline at every position: (32 posX, 32 posY, 64) uint64, each number the 64 pixels of a row.

    A pixel is white if its centre is inside by the even-odd rule, left and bottom edges included: each edge that
    crosses the centre line of a row flips that row from the crossing to its right end. Which edges cross which rows
    depends on posY only, so that is found once for all of posX.
    """
    x, y = _corners(shape, scale, orientation)
    centres = 0.25 + 0.5 * np.array(FACTORS["posX"], dtype=np.float64)
    y = _on_grid(y[None, :] + centres[:, None])  # (Y, E), E corners or edges
    x = _on_grid(x[:, None] + centres[None, :])  # (E, X)

    middles = np.arange(SUB // 2, SUB * SIDE, SUB, dtype=np.int32)
    above = y[:, None] < middles[:, None]  # (Y, rows, E): an edge crosses a row if just one of its ends is above it
    target, edge = np.divmod(np.flatnonzero(above != np.roll(above, -1, axis=2)), y.shape[1])
    place, row = np.divmod(target, SIDE)  # one entry per crossing, row by row
    rise = (np.roll(y, -1, axis=1) - y)[place, edge, None]
    run = (np.roll(x, -1, axis=0) - x)[edge]  # (crossings, X)
    down = (middles[row] - y[place, edge])[:, None]
    # The first column whose middle is at the crossing or right of it; -(-a // b) rounds a / b up.
    column = -(-((x[edge] - SUB // 2) * rise + down * run) // (SUB * rise))

    # Where the crossings of each row begin. White from each of them on, exchanged with black at the next, is what XOR
    # makes of rows of bits, in whatever order the view takes their bytes.
    begins = np.flatnonzero(np.diff(target, prepend=-1))
    rows = np.zeros((x.shape[1], y.shape[0] * SIDE), dtype=np.uint64)
    rows[:, target[begins]] = np.bitwise_xor.reduceat(FROM_COLUMN.view(np.uint64)[column], begins, axis=0).T
    return rows.reshape(x.shape[1], y.shape[0], SIDE)


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


def _on_grid(positions: np.ndarray) -> np.ndarray:
    return np.rint(SUB * SIDE * positions).astype(np.int32)
