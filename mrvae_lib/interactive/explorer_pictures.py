"""The explorer's pictures: the decoded one with its caption, the sweep of a real, and all codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from itertools import product

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from mrvae_lib.analysis.sheets import png_bytes
from mrvae_lib.analysis.traversals import code_lattice, real_sweep, sweep_values
from mrvae_lib.interactive.display import as_picture, enlarged, inline_image
from mrvae_lib.interactive.explorer_state import MAX_LATTICE_BITS, ExplorerContent, ExplorerState, decode_state
from mrvae_lib.interactive.explorer_widgets import button, classed, mark, small_print, toggle
from mrvae_lib.model.vae import MRVAE

PICTURE_WIDTH, START_WIDTH = 280, 84
TILE_SIDE = 64
"""Pixels: larger pictures are averaged down to about this before they become tiles."""
FEW_BITS = 4
"""Up to this many bits, a tile has room for the code's class beside its name."""


class DecodedPicture:
    """A view's picture above the example it started from and its caption.

    Args:
        originals: (N, C, H, W) in [0, 1], the images that were encoded, where they are at hand; else the example is
            shown as the decoder draws it.
    """

    def __init__(self, model: MRVAE, content: ExplorerContent, originals: Tensor | None) -> None:
        self.model, self.content, self.originals = model, content, originals
        _, height, width = model.image_shape
        self.picture = widgets.HTML(layout=widgets.Layout(
            width=f"{PICTURE_WIDTH}px", min_height=f"{round(PICTURE_WIDTH * height / width)}px"))
        self.start = widgets.HTML(layout=widgets.Layout(width=f"{START_WIDTH}px", margin="2px 10px 2px 2px"))
        self.caption = widgets.HTML(layout=widgets.Layout(width="0", flex="1 1 0"))
        self.panel = widgets.VBox([self.picture, widgets.HBox([self.start, self.caption])],
                                  layout=widgets.Layout(width=f"{PICTURE_WIDTH + 8}px", margin="0 20px 0 0"))
        self.example: int | None = None

    def draw(self, state: ExplorerState, sentence: str) -> None:
        """Show a view, and under it what it proves."""
        alt = "decoded picture" + (f", code {state.code}" if state.b else "")
        self.picture.value = inline_image(decode_state(self.model, state), alt=alt, width=f"{PICTURE_WIDTH}px")
        lines = self._code(state), small_print(self._origin(state)), escape(sentence)
        self.caption.value = "<br>".join(filter(None, lines))
        if state.example != self.example:
            self.example = state.example
            self.start.value = "" if self.example is None else self._start(self.example)

    def _start(self, example: int) -> str:
        if self.originals is None:
            name, picture = "start", decode_state(self.model, self.content.starts[example])
        else:
            name, picture = "original", as_picture(self.originals[example])
        return inline_image(picture, alt=name, width=f"{START_WIDTH}px") + small_print(name)

    def _code(self, state: ExplorerState) -> str:
        mostly = self.content.class_of_code.get(state.code)
        return (f"code <b>{state.code}</b>" if state.b else "no bits") + (f", mostly {escape(mostly)}" if mostly else "")

    def _origin(self, state: ExplorerState) -> str:
        if state.example is None:
            return "drawn from the prior"
        name = self.content.classes[state.example] if self.content.classes else ""
        article = "an" if name[:1].lower() in "aeio8" else "a"
        changed = "" if state == self.content.starts[state.example] else "changed from "
        return f"{changed}test image {state.example}" + (f", {article}\N{NO-BREAK SPACE}{name}" if name else "")


class Tiles:
    """Rows of small pictures, one PNG per row, above buttons that the pictures are part of.

    Args:
        title: what the button says that shows and hides them all.
        names: what the button of each picture says.
        tooltips: what each button says when pointed at.
        columns: pictures per row.
        make: gives the pictures of a view, (N, C, H, W) in [0, 1].
        choose: called with a picture's number when its button is pressed.
        shown: whether they are shown at first.
        redraw: called when they are switched on or off.
    """

    def __init__(self, title: str, names: Sequence[str], tooltips: Sequence[str], columns: int,
                 make: Callable[..., Tensor], choose: Callable[[int], None], shown: bool, redraw: Callable[[], None]
                 ) -> None:
        self.columns, self.make = columns, make
        self.switch = toggle(title, shown, lambda _: redraw(), "show or hide these pictures", width="auto")
        self.buttons = [button(name, partial(choose, i), tooltip, width="0", flex="1 1 0")
                        for i, (name, tooltip) in enumerate(zip(names, tooltips, strict=True))]
        narrowest = max(31, 2 + 5 * max(map(len, names)))  # px: room for a name; narrower cells scroll
        self.sheets = [widgets.HTML(layout=widgets.Layout(width="100%", margin="0"))
                       for _ in range(0, len(names), columns)]
        self.panel = classed(widgets.VBox([
            widgets.VBox([sheet, widgets.HBox(self.buttons[i * columns : (i + 1) * columns])],
                         layout=widgets.Layout(min_width=f"{columns * narrowest}px"))
            for i, sheet in enumerate(self.sheets)]), "mrvae-tiles")
        self._drawn: tuple[object, ...] | None = None

    def draw(self, chosen: int, *made_from: object) -> None:
        """Show the pictures and mark one of them, unless they are switched off.

        Args:
            made_from: what `make` is called with, and only when it has changed.
        """
        self.panel.layout.display = "flex" if self.switch.value else "none"
        if not self.switch.value:
            return
        if made_from != self._drawn:
            pictures = self.make(*made_from)
            pictures = avg_pool2d(pictures, max(1, min(pictures.shape[2:]) // TILE_SIDE))
            for sheet, row in zip(self.sheets, pictures.split(self.columns), strict=True):
                sheet.value = inline_image(as_picture(_side_by_side(row)), alt=self.switch.description, width="100%")
            self._drawn = made_from
        for i, tile in enumerate(self.buttons):
            mark(tile, i == chosen)


def sweep_tiles(model: MRVAE, choose: Callable[[float], None], shown: bool, redraw: Callable[[], None]) -> Tiles:
    """One real from one end of its sweep to the other, made from a view and the number of the real.

    Args:
        choose: called with the value of the real under the picture that is chosen.
        shown, redraw: as in `Tiles`.
    """
    values = sweep_values()
    names = [f"{value:+.1f}".replace("-", "−") if value else "0" for value in values.tolist()]

    def make(state: ExplorerState, real: int) -> Tensor:
        return real_sweep(model, *state.latents(), real, values)

    tiles = Tiles("sweep", names, names, len(names), make, lambda i: choose(float(values[i])), shown, redraw)
    tiles.panel.add_class("mrvae-sweep")
    return tiles


def code_tiles(model: MRVAE, class_of_code: Mapping[str, str], choose: Callable[[tuple[int, ...]], None], shown: bool,
               redraw: Callable[[], None]) -> Tiles:
    """Every code at the same reals, made from a view.

    Args:
        class_of_code: the commonest class of each code, where known.
        choose: called with the bits of the code that is chosen.
        shown, redraw: as in `Tiles`.
    """
    codes = list(product((0, 1), repeat=model.n_bits))
    names = ["".join(map(str, code)) for code in codes]
    few = model.n_bits <= FEW_BITS
    short = few and all(len(name) < 3 for name in class_of_code.values())
    labels = [f"{name} · {class_of_code[name]}" if short and name in class_of_code else name for name in names]
    tooltips = [f"{name}, mostly {class_of_code[name]}" if name in class_of_code else name for name in names]
    return Tiles(f"all {len(codes)} codes", labels, tooltips, min(len(codes), 8 if few else 16),
                 lambda z: code_lattice(model, torch.tensor(z)), lambda i: choose(codes[i]), shown, redraw)


def still_png(model: MRVAE, state: ExplorerState) -> bytes:
    """A view as PNG where there are no widgets: the picture and, where they fit, all codes at the same reals."""
    picture, rows = decode_state(model, state), 2 ** (model.n_bits // 2)
    scale = 2 ** max(0, (256 // len(picture)).bit_length() - 1)
    parts = [enlarged(picture, scale)]
    if 0 < model.n_bits <= MAX_LATTICE_BITS and rows <= scale:
        lattice = torch.cat([_side_by_side(row) for row in code_lattice(model, state.latents()[0]).chunk(rows)], dim=1)
        parts += [np.full_like(parts[0][:, :8], 255), enlarged(as_picture(lattice), scale // rows)]
    return png_bytes(np.concatenate(parts, axis=1))


def _side_by_side(pictures: Tensor) -> Tensor:
    """(N, C, H, W) as one picture (C, H, N * W)."""
    return torch.cat(tuple(pictures), dim=2)
