"""Contact sheets: rows of pictures with a name before each row and a caption under each picture, in milliseconds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE_SIDE = 56
"""Small pictures are enlarged by a whole number to about this many pixels, pictures over twice as large shrunk."""
GAP, LINE = 4, 14
INK, SOFT = "#1c2530", "#5b6774"
FONT = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", 10)


@dataclass(frozen=True)
class Sheet:
    """What to draw.

    Raises:
        ValueError: no picture at all.
    """

    rows: Sequence[Tensor]
    """Each (n, C, H, W) in [0, 1], all of one shape; n may differ."""
    title: str = ""
    row_names: Sequence[str] = ()
    """One per row, of one or more lines."""
    captions: Sequence[Sequence[str]] = ()
    """For each row, what to write under its pictures; a row without captions has an empty one."""
    name_width: int | None = None
    """Pixels left for the names; as many as they need if None."""

    def __post_init__(self) -> None:
        if not any(len(row) for row in self.rows):
            raise ValueError(f"sheet {self.title!r}: no pictures to draw")

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Where a picture is drawn: left, top, right, bottom in pixels."""
        height, width = self._tile_size
        left = GAP + self._name_width + column * (width + GAP)
        top = GAP + (LINE + GAP if self.title else 0) + row * (height + GAP)
        top += sum(map(self._caption_height, range(row)))
        return left, top, left + width, top + height

    def draw(self) -> np.ndarray:
        """The sheet, (H', W', 3) uint8."""
        boxes = [self.box(r, max(0, len(row) - 1)) for r, row in enumerate(self.rows)]
        width = max(box[2] for box in boxes) + GAP
        width = max(width, 2 * GAP + _text_width(self.title))
        image = Image.new("RGB", (width, boxes[-1][3] + self._caption_height(len(self.rows) - 1) + GAP), "white")
        pen = ImageDraw.Draw(image)
        pen.text((GAP, GAP), self.title, fill=INK, font=FONT)
        for r, row in enumerate(self.rows):
            for c, tile in enumerate(_scaled(row)):
                image.paste(Image.fromarray(tile), self.box(r, c)[:2])
            _, top, _, bottom = self.box(r, 0)
            if self.row_names:
                pen.multiline_text((GAP, (top + bottom) / 2), self.row_names[r], fill=INK, font=FONT, anchor="lm",
                                   spacing=2)
            for c, caption in enumerate(self.captions[r] if self.captions else ()):
                left, _, right, bottom = self.box(r, c)
                pen.multiline_text(((left + right) / 2, bottom + 1), caption, fill=SOFT, font=FONT, anchor="ma",
                                   align="center", spacing=1)
        return np.asarray(image)

    @cached_property
    def _tile_size(self) -> tuple[int, int]:
        height, width = _scaled(next(row for row in self.rows if len(row))[:1]).shape[1:3]
        return height, width

    @cached_property
    def _name_width(self) -> int:
        if self.name_width is not None:
            return self.name_width
        lines = [line for name in self.row_names for line in name.splitlines()]
        return max(map(_text_width, lines)) + 2 * GAP if lines else 0

    def _caption_height(self, row: int) -> int:
        captions = self.captions[row] if self.captions else ()
        return LINE * max((caption.count("\n") + 1 for caption in captions), default=0)


def side_by_side(*sheets: np.ndarray, gap: int = 4 * GAP) -> np.ndarray:
    """Drawn sheets next to each other, tops aligned."""
    height = max(len(sheet) for sheet in sheets)
    padded = [np.pad(sheet, ((0, height - len(sheet)), (0, gap), (0, 0)), constant_values=255) for sheet in sheets]
    return np.concatenate(padded, axis=1)[:, :-gap]


def stacked(*sheets: np.ndarray) -> np.ndarray:
    """Drawn sheets below each other, left edges aligned."""
    width = max(sheet.shape[1] for sheet in sheets)
    return np.concatenate([np.pad(sheet, ((0, 0), (0, width - sheet.shape[1]), (0, 0)), constant_values=255)
                           for sheet in sheets])


def png_bytes(picture: np.ndarray) -> bytes:
    """A uint8 picture as PNG, at its own size."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def figure_png(figure: Figure) -> bytes:
    """A matplotlib figure as PNG; lets the figure go."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=96, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return buffer.getvalue()


def _scaled(pictures: Tensor) -> np.ndarray:
    """(n, C, H, W) in [0, 1] as (n, H', W', 3) uint8, each pixel a square of whole pixels."""
    side = max(pictures.shape[2:])
    if side > 2 * TILE_SIDE:
        pictures = F.avg_pool2d(pictures, kernel_size=-(-side // (2 * TILE_SIDE)))
    zoom = max(1, round(TILE_SIDE / side))
    tiles = pictures.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu()
    tiles = tiles.expand(-1, -1, -1, 3).repeat_interleave(zoom, dim=1).repeat_interleave(zoom, dim=2)
    return tiles.numpy()


def _text_width(text: str) -> int:
    return round(FONT.getlength(text))
