"""The decoded picture, what it started from, and a caption that says what both are."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
from torch import Tensor

from mrvae_lib.interactive.controls import soft
from mrvae_lib.interactive.state import (
    ExplorerContent,
    ExplorerState,
    as_picture,
    decode_state,
    inline_image,
    png_bytes,
)
from mrvae_lib.interactive.strips import MAX_LATTICE_BITS
from mrvae_lib.model.codes import all_codes
from mrvae_lib.model.vae import MRVAE

PICTURE_WIDTH, START_WIDTH = 280, 84


class DecodedPicture:
    """A view's picture above the example it started from and its caption.

    Args:
        originals: (N, C, H, W) uint8, the images that were encoded, where they are at hand; else the example is shown
            as the decoder draws it.
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
        self._start_shown: int | None = None

    def draw(self, state: ExplorerState, sentence: str = "") -> None:
        """Show a view, and under it what it proves."""
        alt = "decoded picture" + (f", code {state.code}" if state.b else "")
        self.picture.value = inline_image(decode_state(self.model, state), alt=alt, width=PICTURE_WIDTH)
        self.caption.value = self._caption(state, sentence)
        if state.example != self._start_shown:
            self.start.value = "" if state.example is None else self._start(state.example)
            self._start_shown = state.example

    def png(self, state: ExplorerState, *, scale: int = 1) -> bytes:
        """A view's picture as PNG, each pixel `scale` pixels wide."""
        return png_bytes(_enlarged(decode_state(self.model, state), scale))

    def _start(self, example: int) -> str:
        if self.originals is not None:
            return _thumbnail(as_picture(self.originals[example]), "original")
        return _thumbnail(decode_state(self.model, self.content.starts[example]), "start")

    def _caption(self, state: ExplorerState, sentence: str) -> str:
        lines = [f"code <b>{state.code}</b>" if state.b else "no bits"]
        if state.code in self.content.classes:
            lines[0] += f", mostly {escape(self.content.classes[state.code])}"
        if state.example is None:
            lines.append(soft("drawn from the prior"))
        else:
            label = f", {_with_article(self.content.labels[state.example])}" if self.content.labels else ""
            changed = "" if state == self.content.starts[state.example] else "changed from "
            lines.append(soft(f"{changed}test image {state.example}{label}"))
        return "<br>".join(lines + ([escape(sentence)] if sentence else []))


def still(model: MRVAE, state: ExplorerState) -> bytes:
    """A view as one PNG where there are no widgets: the picture and, where they fit, all codes at the same reals."""
    picture = decode_state(model, state)
    scale = 2 ** int(math.log2(max(1, 256 // len(picture))))
    rows = 2 ** (model.n_bits // 2)
    parts = [_enlarged(picture, scale)]
    if 0 < model.n_bits <= MAX_LATTICE_BITS and rows <= scale:
        codes = all_codes(model.n_bits).int().tolist()
        tiles = [_enlarged(decode_state(model, replace(state, b=code)), scale // rows) for code in codes]
        across = len(tiles) // rows
        lattice = [np.concatenate(tiles[i : i + across], axis=1) for i in range(0, len(tiles), across)]
        parts += [np.full_like(parts[0][:, :8], 255), np.concatenate(lattice)]
    return png_bytes(np.concatenate(parts, axis=1))


def widget_or_picture(panel: widgets.DOMWidget, picture: bytes, text: str) -> dict[str, Any]:
    """What to hand a notebook: front ends with widgets show the panel, others (GitHub, a printed page) the picture."""
    view = {"version_major": 2, "version_minor": 0, "model_id": panel.model_id}
    return {
        "text/plain": text,
        "image/png": base64.b64encode(picture).decode(),
        "application/vnd.jupyter.widget-view+json": view,
    }


def _enlarged(picture: np.ndarray, scale: int) -> np.ndarray:
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def _thumbnail(picture: np.ndarray, name: str) -> str:
    return inline_image(picture, alt=name, width=START_WIDTH) + f"<br>{soft(name)}"


def _with_article(label: str) -> str:
    return f"{'an' if label[:1].lower() in 'aeio8' else 'a'}\N{NO-BREAK SPACE}{label}"
