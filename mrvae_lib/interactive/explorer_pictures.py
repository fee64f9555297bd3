"""The explorer's pictures: the decoded one with its caption, the sweep of a real, and all codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from itertools import product

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from mrvae_lib.analysis.pictures import png_bytes
from mrvae_lib.analysis.traversals import sweep_values, traverse
from mrvae_lib.interactive.display import as_picture, data_uri, enlarged, inline_image, wrapped
from mrvae_lib.interactive.explorer_state import (
    MAX_LATTICE_BITS,
    STEP,
    ExplorerContent,
    ExplorerState,
    decode_state,
    on_slider,
)
from mrvae_lib.interactive.explorer_widgets import button, mark, observed, small_print, toggle
from mrvae_lib.model.vae import MRVAE

PICTURE_WIDTH, START_WIDTH = 280, 84
PLAY_INTERVAL = 100
"""Milliseconds between two pictures of a played sweep."""
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
        self._example_shown: int | None = None

    def draw(self, state: ExplorerState, sentence: str) -> None:
        """Show a view, and under it what it proves."""
        alt = "decoded picture" + (f", code {state.code}" if state.b else "")
        self.picture.value = inline_image(decode_state(self.model, state), alt=alt, width=PICTURE_WIDTH)
        self.caption.value = self._caption(state, sentence)
        if state.example != self._example_shown:
            self.start.value = "" if state.example is None else self._start(state.example)
            self._example_shown = state.example

    def png(self, state: ExplorerState) -> bytes:
        """A view's picture as PNG, each pixel enlarged to about the size on screen."""
        return png_bytes(enlarged(decode_state(self.model, state), max(1, PICTURE_WIDTH // self.model.image_shape[2])))

    def _start(self, example: int) -> str:
        if self.originals is None:
            name, picture = "start", decode_state(self.model, self.content.starts[example])
        else:
            name, picture = "original", as_picture(self.originals[example])
        return f"{inline_image(picture, alt=name, width=START_WIDTH)}<br>{small_print(name)}"

    def _caption(self, state: ExplorerState, sentence: str) -> str:
        code = f"code <b>{state.code}</b>" if state.b else "no bits"
        if state.code in self.content.class_of_code:
            code += f", mostly {escape(self.content.class_of_code[state.code])}"
        if state.example is None:
            origin = "drawn from the prior"
        else:
            origin = "" if state == self.content.starts[state.example] else "changed from "
            origin += f"test image {state.example}"
            if self.content.classes:
                origin += f", {_with_article(self.content.classes[state.example])}"
        return "<br>".join([code, small_print(origin)] + ([escape(sentence)] if sentence else []))


class Tiles:
    """Rows of small pictures, one PNG per row, above buttons that the pictures are part of.

    Args:
        names: what the button of each picture says.
        columns: pictures per row.
        choose: called with a picture's number when its button is pressed.
        tooltips: what each button says when pointed at.
        switch: what the button says that shows and hides them all.
        shown: whether they are shown at first.
        redraw: called when they are switched on or off.
    """

    def __init__(self, names: Sequence[str], columns: int, choose: Callable[[int], None], tooltips: Sequence[str],
                 switch: str, shown: bool, redraw: Callable[[], None]) -> None:
        self.columns = columns
        self.switch = toggle(switch, shown, lambda _: redraw(), tooltip="show or hide these pictures")
        self.controls = wrapped(self.switch)
        self.buttons = [button(name, partial(choose, i), tooltip=tooltip, width="0", flex="1 1 0")
                        for i, (name, tooltip) in enumerate(zip(names, tooltips, strict=True))]
        narrowest = max(31, 2 + 5 * max(map(len, names)))  # px: room for a name; narrower cells scroll
        self.sheets = [widgets.HTML(layout=widgets.Layout(width="100%", margin="0"))
                       for _ in range(0, len(names), columns)]
        self.panel = widgets.VBox([
            widgets.VBox([sheet, widgets.HBox(self.buttons[i * columns : (i + 1) * columns])],
                         layout=widgets.Layout(min_width=f"{columns * narrowest}px"))
            for i, sheet in enumerate(self.sheets)])
        self.panel.add_class("mrvae-tiles")
        self._drawn: object = None

    def draw(self, made_from: object, make: Callable[[], Tensor], alt: str, chosen: int) -> None:
        """Show the pictures and mark one of them, unless they are switched off.

        Args:
            made_from: what the pictures depend on; they are made again only when it changes.
            make: gives the pictures, (N, C, H, W) in [0, 1].
            alt: what they are, in words.
        """
        self.panel.layout.display = "flex" if self.switch.value else "none"
        if not self.switch.value:
            return
        if made_from != self._drawn:
            pictures = make()
            pictures = avg_pool2d(pictures, max(1, min(pictures.shape[2:]) // TILE_SIDE))
            for sheet, row in zip(self.sheets, pictures.split(self.columns), strict=True):
                png = png_bytes(as_picture(torch.cat(tuple(row), dim=2)))
                sheet.value = (f'<img alt="{alt}" style="display:block;width:100%;image-rendering:pixelated" '
                               f'src="{data_uri(png)}">')
            self._drawn = made_from
        for i, tile in enumerate(self.buttons):
            mark(tile, i == chosen)


class SweepTiles(Tiles):
    """One real from one end of its sweep to the other, all else as it is; and a button that plays the sweep.

    Args:
        choose: called with the value of the real under the picture that is chosen, or that is played next.
        shown, redraw: as in `Tiles`.
    """

    def __init__(self, model: MRVAE, choose: Callable[[float], None], shown: bool, redraw: Callable[[], None]) -> None:
        self.model, self.values = model, sweep_values()
        values = self.values.tolist()
        names = [f"{value:+.1f}".replace("-", "−") if value else "0" for value in values]
        super().__init__(names, len(names), lambda i: choose(values[i]), names, "sweep", shown, redraw)
        self.panel.add_class("mrvae-sweep")
        there = [on_slider(values[0] + STEP * i) for i in range(round((values[-1] - values[0]) / STEP))]
        swing = there + [-value for value in there]
        self.play = widgets.Play(value=0, min=0, max=100_000, interval=PLAY_INTERVAL, show_repeat=False,
                                 layout=widgets.Layout(width="90px"))
        observed(self.play, lambda tick: choose(swing[tick % len(swing)]) if tick else None)
        self.controls = wrapped(self.switch, self.play)

    def show(self, state: ExplorerState, real: int) -> None:
        """Show the sweep of one real from a view."""
        self.switch.description = f"sweep of z{real}"
        self.draw((real, state.with_real(real, 0.0).z, state.b),
                  lambda: traverse(self.model, *state.latents(), real=real, values=self.values),
                  f"z{real} from {self.values[0]:+.1f} to {self.values[-1]:+.1f}",
                  chosen=int((self.values - state.z[real]).abs().argmin()))


class CodeTiles(Tiles):
    """Every code at the reals of a view.

    Args:
        class_of_code: the commonest class of each code, where known.
        choose: called with the bits of the code that is chosen.
        shown, redraw: as in `Tiles`.
    """

    def __init__(self, model: MRVAE, class_of_code: Mapping[str, str], choose: Callable[[tuple[int, ...]], None],
                 shown: bool, redraw: Callable[[], None]) -> None:
        self.model, codes = model, list(product((0, 1), repeat=model.n_bits))
        names = ["".join(map(str, code)) for code in codes]
        few = model.n_bits <= FEW_BITS
        short = few and all(len(name) < 3 for name in class_of_code.values())
        labels = [f"{name} · {class_of_code[name]}" if short and name in class_of_code else name for name in names]
        tooltips = [f"{name}, mostly {class_of_code[name]}" if name in class_of_code else name for name in names]
        super().__init__(labels, min(len(codes), 8 if few else 16), lambda i: choose(codes[i]), tooltips,
                         f"all {len(codes)} codes", shown, redraw)

    def show(self, state: ExplorerState) -> None:
        """Show all codes at the reals of a view."""
        self.draw(state.z, lambda: traverse(self.model, *state.latents()),
                  f"all {len(self.buttons)} codes at these reals", chosen=int(state.code, 2))


def still_png(model: MRVAE, state: ExplorerState) -> bytes:
    """A view as PNG where there are no widgets: the picture and, where they fit, all codes at the same reals."""
    picture = decode_state(model, state)
    scale = 2 ** int(math.log2(max(1, 256 // len(picture))))
    rows = 2 ** (model.n_bits // 2)
    parts = [enlarged(picture, scale)]
    if 0 < model.n_bits <= MAX_LATTICE_BITS and rows <= scale:
        pictures = traverse(model, *state.latents())
        lattice = torch.cat([torch.cat(tuple(row), dim=2) for row in pictures.chunk(rows)], dim=1)
        parts += [np.full_like(parts[0][:, :8], 255), enlarged(as_picture(lattice), scale // rows)]
    return png_bytes(np.concatenate(parts, axis=1))


def _with_article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeio8' else 'a'}\N{NO-BREAK SPACE}{name}"
