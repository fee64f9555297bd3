"""Draw the pictures in `examples/`: boats, faces, houses and trees, white lines on black, each with parts of its own.

`python tools/draw_examples.py` writes the same 96 files every time. They are this project's own, under its licence.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

SIDE, FINE = 32, 8
"""The side of a picture in pixels, and how many times finer it is drawn before it is shrunk."""
N_EACH = 24

Point = tuple[float, float]


class Pencil:
    """Lines with a slightly unsteady hand, on a sheet whose corners are (-1, -1) and (1, 1), y down."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.sheet = Image.new("L", (SIDE * FINE, SIDE * FINE))
        self.ink = ImageDraw.Draw(self.sheet)
        self.width = rng.choice((12, 14, 16))
        self.size, self.tilt = rng.uniform(0.85, 1.05), rng.uniform(-0.08, 0.08)
        self.x, self.y = rng.uniform(-0.07, 0.07), rng.uniform(-0.07, 0.07)

    def line(self, *points: Point) -> None:
        placed = [self._placed(self._shaken(point)) for point in points]
        self.ink.line(placed, fill=255, width=self.width, joint="curve")
        for x, y in (placed[0], placed[-1]):
            half = self.width / 2
            self.ink.ellipse((x - half, y - half, x + half, y + half), fill=255)

    def oval(self, centre: Point, radii: Point, *, fill: bool = False) -> None:
        (x, y), (width, height) = self._placed(self._shaken(centre)), (self._length(radius) for radius in radii)
        box = (x - width, y - height, x + width, y + height)
        self.ink.ellipse(box, fill=255 if fill else None, outline=255, width=self.width)

    def arc(self, centre: Point, radii: Point, start: float, end: float) -> None:
        (x, y), (width, height) = self._placed(centre), (self._length(radius) for radius in radii)
        self.ink.arc((x - width, y - height, x + width, y + height), start, end, fill=255, width=self.width)

    def picture(self) -> Image.Image:
        return self.sheet.resize((SIDE, SIDE), Image.Resampling.BOX)

    def _shaken(self, point: Point) -> Point:
        return point[0] + self.rng.gauss(0, 0.015), point[1] + self.rng.gauss(0, 0.015)

    def _placed(self, point: Point) -> Point:
        x, y = point[0] - self.tilt * point[1], point[1] + self.tilt * point[0]
        return tuple((1 + 0.92 * self.size * along + shift) * SIDE * FINE / 2
                     for along, shift in ((x, self.x), (y, self.y)))

    def _length(self, share: float) -> float:
        return 0.92 * self.size * share * SIDE * FINE / 2


def house(pencil: Pencil, rng: random.Random) -> None:
    wide, eaves, ridge = rng.uniform(0.5, 0.75), rng.uniform(-0.2, 0.1), rng.uniform(-0.85, -0.6)
    pencil.line((-wide, eaves), (-wide, 0.8), (wide, 0.8), (wide, eaves), (-wide, eaves))
    pencil.line((-wide - 0.12, eaves), (0, ridge), (wide + 0.12, eaves))
    if rng.random() < 0.5:
        pencil.line((0.35, ridge + 0.25), (0.35, ridge - 0.1))
    door = rng.choice((-0.25, 0.25))
    pencil.line((door - 0.13, 0.8), (door - 0.13, 0.35), (door + 0.13, 0.35), (door + 0.13, 0.8))


def boat(pencil: Pencil, rng: random.Random) -> None:
    deck, keel, top = rng.uniform(0.25, 0.4), rng.uniform(0.65, 0.8), rng.uniform(-0.9, -0.7)
    pencil.line((-0.85, deck), (0.85, deck), (0.5, keel), (-0.5, keel), (-0.85, deck))
    pencil.line((0, deck), (0, top))
    reach = rng.uniform(0.45, 0.7)
    pencil.line((0, top), (reach, deck - 0.15), (0, deck - 0.15))
    if rng.random() < 0.5:
        pencil.line((0, top + 0.15), (-reach * 0.8, deck - 0.15), (0, deck - 0.15))


def tree(pencil: Pencil, rng: random.Random) -> None:
    crown = rng.uniform(-0.45, -0.3)
    wide, high = rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.52)
    pencil.oval((0, crown), (wide, high))
    pencil.line((0, crown + high), (0, 0.85))
    for side in (-1, 1):
        if rng.random() < 0.6:
            pencil.line((0, 0.55), (side * 0.3, 0.3))
    if rng.random() < 0.5:
        pencil.line((-0.4, 0.85), (0.4, 0.85))


def face(pencil: Pencil, rng: random.Random) -> None:
    wide, high, eyes = rng.uniform(0.65, 0.85), rng.uniform(0.75, 0.9), rng.uniform(0.2, 0.32)
    pencil.oval((0, 0), (wide, high))
    for side in (-1, 1):
        pencil.oval((side * eyes, -0.22), (0.07, 0.07), fill=True)
    if rng.random() < 0.5:
        pencil.line((0, -0.1), (0, 0.15))
    if rng.random() < 0.5:
        pencil.arc((0, 0.25), (0.35, 0.25), 15, 165)
    else:
        pencil.arc((0, 0.6), (0.35, 0.25), 195, 345)


KINDS = {"boat": boat, "face": face, "house": house, "tree": tree}


def draw_all(folder: Path) -> list[Path]:
    """The files, one sub-folder per kind."""
    written = []
    for place, (kind, draw) in enumerate(KINDS.items()):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(N_EACH):
            rng = random.Random(1000 * place + number)  # noqa: S311, drawing is no secret
            pencil = Pencil(rng)
            draw(pencil, rng)
            written.append(folder / kind / f"{kind}-{number:02}.png")
            pencil.picture().save(written[-1], optimize=True)
    return written


if __name__ == "__main__":
    arguments: Sequence[str] = sys.argv[1:] or [str(Path(__file__).parent.parent / "examples")]
    files = draw_all(Path(arguments[0]))
    print(f"{len(files)} pictures, {sum(file.stat().st_size for file in files):,} bytes, in {arguments[0]}")
