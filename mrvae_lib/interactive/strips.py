"""The sweep of a real and the lattice of all codes: small pictures in rows, each with a button that chooses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import ipywidgets as widgets
import numpy as np
from torch import Tensor
from torch.nn.functional import avg_pool2d

from mrvae_lib.analysis.traversals import code_lattice, real_sweep, sweep_values
from mrvae_lib.interactive.controls import toggle
from mrvae_lib.interactive.state import ExplorerState, data_uri, png_bytes
from mrvae_lib.model.codes import all_codes, code_index, code_name
from mrvae_lib.model.vae import MRVAE

MAX_LATTICE_BITS, FEW_BITS = 6, 4
TILE_SIDE = 64
"""Pixels: larger pictures are averaged down to about this before they become tiles."""


class Tiles:
    """Rows of pictures, one PNG per row, above buttons that the pictures are part of.

    Args:
        names: what the button of each picture says.
        columns: pictures per row.
        on_choose: called with a picture's number when its button is pressed.
        tooltips: what each button says when pointed at; its name if left out.
    """

    def __init__(self, names: Sequence[str], columns: int, on_choose: Callable[[int], None],
                 tooltips: Sequence[str] = ()) -> None:
        self.buttons = [self._button(name, tooltip, partial(on_choose, i))
                        for i, (name, tooltip) in enumerate(zip(names, tooltips or names, strict=True))]
        self.columns = columns
        self.sheets = [widgets.HTML(layout=widgets.Layout(width="100%", margin="0"))
                       for _ in range(0, len(names), columns)]
        self._chosen: int | None = None
        narrowest = max(31, 2 + 5 * max(map(len, names)))  # px: room for a name; narrower cells scroll
        rows = [widgets.VBox([sheet, widgets.HBox(self.buttons[i * columns : (i + 1) * columns])],
                             layout=widgets.Layout(min_width=f"{columns * narrowest}px"))
                for i, sheet in enumerate(self.sheets)]
        self.panel = widgets.VBox(rows)
        self.panel.add_class("mrvae-tiles")

    def show(self, pictures: np.ndarray, alt: str) -> None:
        """Show one picture per button, (N, H, W) or (N, H, W, 3) uint8; `alt` says what they are."""
        for i, sheet in enumerate(self.sheets):
            row = np.concatenate(pictures[i * self.columns : (i + 1) * self.columns], axis=1)
            sheet.value = (f'<img alt="{alt}" style="display:block;width:100%;image-rendering:pixelated" '
                           f'src="{data_uri(png_bytes(row), "image/png")}">')

    def choose(self, number: int | None) -> None:
        """Mark one picture, or none."""
        if number != self._chosen:
            if self._chosen is not None:
                self.buttons[self._chosen].remove_class("mrvae-chosen")
            if number is not None:
                self.buttons[number].add_class("mrvae-chosen")
            self._chosen = number

    def _button(self, name: str, tooltip: str, act: Callable[[], None]) -> widgets.Button:
        button = widgets.Button(description=name, tooltip=tooltip, layout=widgets.Layout(width="0", flex="1 1 0"))
        button.on_click(lambda _: act())
        return button


def as_tiles(pictures: Tensor) -> np.ndarray:
    """Pictures (N, C, H, W) in [0, 1] as small uint8 pictures (N, h, w) or (N, h, w, 3)."""
    factor = max(1, min(pictures.shape[2:]) // TILE_SIDE)
    small = avg_pool2d(pictures, factor) if factor > 1 else pictures
    tiles = small.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    return tiles[..., 0] if tiles.shape[-1] == 1 else tiles


class SweepStrip:
    """One real from one end of its sweep to the other, all else as it is; drawn again only when all else changes.

    Args:
        choose: called with the value of the real under the picture that is chosen.
        shown: whether the strip is shown at first.
        redraw: called when the strip is switched on or off.
    """

    def __init__(self, model: MRVAE, choose: Callable[[float], None], shown: bool, redraw: Callable[[], None]) -> None:
        self.model, self.values = model, sweep_values()
        values = [round(value, 1) for value in self.values.tolist()]
        names = [f"{value:+.1f}".replace("-", "−") if value else "0" for value in values]
        self.tiles = Tiles(names, len(values), lambda i: choose(values[i]))
        self.tiles.panel.add_class("mrvae-sweep")
        self.shown = toggle("sweep", shown, lambda _: redraw(), tooltip="show the sweep of one real")
        self._drawn: object = None

    def draw(self, state: ExplorerState, real: int) -> None:
        """Show the sweep of one real from a view, unless the strip is switched off."""
        self.shown.description = f"sweep of z{real}"
        self.tiles.panel.layout.display = "flex" if self.shown.value else "none"
        if not self.shown.value:
            return
        drawn = (real, state.with_real(real, 0.0).z, state.b)
        if drawn != self._drawn:
            z, b = state.latents()
            pictures = as_tiles(real_sweep(self.model, z, b, real, self.values))
            self.tiles.show(pictures, f"z{real} from {self.values[0]:+.1f} to {self.values[-1]:+.1f}")
            self._drawn = drawn
        self.tiles.choose(int((self.values - state.z[real]).abs().argmin()))


class CodeLattice:
    """Every code at the reals of a view; drawn again only when a real changes.

    Args:
        classes: the commonest class of each code, where known.
        choose: called with the code that is chosen, (K,) of 0 and 1.
        shown: whether the lattice is shown at first.
        redraw: called when the lattice is switched on or off.
    """

    def __init__(self, model: MRVAE, classes: Mapping[str, str], choose: Callable[[Tensor], None], shown: bool,
                 redraw: Callable[[], None]) -> None:
        self.model, codes = model, all_codes(model.n_bits)
        names = [code_name(code) for code in codes]
        told = [f"{name}, mostly {classes[name]}" if name in classes else name for name in names]
        short = all(len(label) < 3 for label in classes.values()) and model.n_bits <= FEW_BITS
        labels = [f"{name} · {classes[name]}" if short and name in classes else name for name in names]
        columns = min(len(codes), 8 if model.n_bits <= FEW_BITS else 16)
        self.tiles = Tiles(labels, columns, lambda i: choose(codes[i]), told)
        self.shown = toggle(f"all {len(codes)} codes", shown, lambda _: redraw(), tooltip="show every code's picture")
        self._drawn: object = None

    def draw(self, state: ExplorerState) -> None:
        """Show all codes at the reals of a view, unless the lattice is switched off."""
        self.tiles.panel.layout.display = "flex" if self.shown.value else "none"
        if not self.shown.value:
            return
        z, b = state.latents()
        if state.z != self._drawn:
            self.tiles.show(as_tiles(code_lattice(self.model, z)), f"all {2 ** self.model.n_bits} codes at these reals")
            self._drawn = state.z
        self.tiles.choose(int(code_index(b)))
