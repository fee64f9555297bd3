"""LatentExplorer: a slider for each informative real, a button for each bit, and the pictures they make.

Core ipywidgets only, and only what 7.7.1 (Colab) and 8.1 have in common. The picture is one HTML widget holding an
inline PNG: no Output widget and no matplotlib stand between a slider and its picture.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets
import torch
from IPython.display import HTML

from mrvae_lib.analysis.sheets import png_bytes
from mrvae_lib.analysis.traversals import SWEEP, sweep_values
from mrvae_lib.data import ImageSet
from mrvae_lib.interactive.display import BLUE, data_uri, enlarged, error_text, widget_or_picture, wrapped
from mrvae_lib.interactive.explorer_pictures import PICTURE_WIDTH, DecodedPicture, code_tiles, still_png, sweep_tiles
from mrvae_lib.interactive.explorer_state import MAX_LATTICE_BITS, STEP, ExplorerState, decode_state, explorer_content
from mrvae_lib.interactive.explorer_widgets import (
    BitToggle,
    ExampleWalk,
    RealSlider,
    button,
    choice,
    heading,
    observed,
    styled,
)
from mrvae_lib.interactive.guided_views import guided_views
from mrvae_lib.interactive.html_export import page_frame
from mrvae_lib.model.vae import MRVAE

MAX_TILED_PIXELS = 64 * 64
"""Of larger pictures, tiles are shown only when asked for: they would make the sliders lag."""
PLAY_INTERVAL = 100
"""Milliseconds between two pictures of a played sweep."""


class LatentExplorer:
    """An interactive view of a model's latents.

    Args:
        model: in evaluation mode; its card, if any, orders and labels the controls.
        images: starting points, shown beside what the model makes of them, and, where the card does not tell, what the
            latents are measured on. Without images the model's own encoded examples are the starting points.
        state: the view to open; the first starting point if None.
        tiles: whether the sweep of a real and the pictures of all codes are shown; if None, where pictures are small.
    Raises:
        ValueError: the state is not one of this model.
    """

    def __init__(self, model: MRVAE, images: ImageSet | None = None, state: ExplorerState | None = None, *,
                 tiles: bool | None = None) -> None:
        self.model, self.content = model, explorer_content(model, images)
        originals = None if images is None else images.first(len(self.content.starts)).floats()
        self.decoded = DecodedPicture(model, self.content, originals)
        self.picture, self.caption = self.decoded.picture, self.decoded.caption
        self.message, self.links = widgets.HTML(), widgets.HTML()

        self._bits = [BitToggle(label, partial(self._on_bit, k)) for k, label in enumerate(self.content.bits)]
        width = 10 + 7 * max((len(" · ".join(label)) for label in self.content.reals.values()), default=0)
        self._reals = {i: RealSlider(label, partial(self._on_real, i), partial(self.select, i), width)
                       for i, label in self.content.reals.items()}
        self.bits: list[widgets.ToggleButton] = [bit.button for bit in self._bits]
        self.sliders: dict[int, widgets.FloatSlider] = {i: real.slider for i, real in self._reals.items()}
        self.selected = next(iter(self.sliders), 0)
        self.walk = ExampleWalk(self.content, self.go_to)
        self._guided = guided_views(model, self.content)
        self.views = choice("show", [("what changes what?", ""), *((name, name) for name in self._guided)],
                            self.show_view, width="230px")

        rows: list[widgets.Widget] = []
        if self._bits:
            rows += [heading("Bits: what it is"), wrapped(*(bit.panel for bit in self._bits))]
        if self._reals:
            rows += [heading("Reals: how it looks"), *(real.panel for real in self._reals.values())]
        self.latents = widgets.VBox(rows)

        if tiles is None:
            tiles = math.prod(model.image_shape[1:]) <= MAX_TILED_PIXELS
        self.sweep = self.codes = None
        rows = []
        if self.sliders:
            self.sweep = sweep_tiles(model, lambda value: self._on_real(self.selected, value), tiles, self._draw)
            play = widgets.Play(value=0, min=0, max=100_000, interval=PLAY_INTERVAL, show_repeat=False,
                                layout=widgets.Layout(width="90px"))
            rows += [wrapped(self.sweep.switch, observed(play, self._on_tick)), self.sweep.panel]
        if 0 < model.n_bits <= MAX_LATTICE_BITS:
            self.codes = code_tiles(model, self.content.class_of_code, self._on_code, tiles, self._draw)
            rows += [wrapped(self.codes.switch), self.codes.panel]
        self.tiles = widgets.VBox(rows)

        controls = widgets.VBox([
            self.latents,
            heading("Start from"),
            wrapped(*self.walk.controls, button("random", self.randomise, "a draw from the prior")),
            wrapped(self.views, button("save", self.save, "download picture and view"), self.links),
        ], layout=widgets.Layout(flex="1 1 330px", width="0", min_width="300px"))
        self.panel = styled(model.image_shape, wrapped(self.decoded.panel, controls), self.tiles, self.message)
        self.state = self.content.starts[0] if state is None else state

    @property
    def state(self) -> ExplorerState:
        """The view now; assign one to show it."""
        return self._state

    @state.setter
    def state(self, state: ExplorerState) -> None:
        self._show(state)

    def go_to(self, example: int) -> None:
        """Show a starting point; counts around."""
        self.state = self.content.starts[example % len(self.content.starts)]

    def randomise(self) -> None:
        """Show a draw from the prior, at values that sliders can show."""
        z, b = torch.randn(self.model.n_reals), torch.randint(2, (self.model.n_bits,))
        self.state = ExplorerState(tuple(z.tolist()), tuple(b.tolist()))

    def select(self, real: int) -> None:
        """Choose the real whose sweep is shown and played."""
        self.selected = real
        self._draw()

    def show_view(self, name: str) -> None:
        """Show a guided view of the example, see `guided_views`, and the sentence it proves; nothing happens for ""."""
        if name:
            self._show(*self._guided[name](self.content.starts[self.walk.example]))

    def save(self) -> None:
        """Offer the picture and the view as two files to download."""
        name, scale = f"mrvae-{self.state.code or 'view'}", max(1, PICTURE_WIDTH // self.model.image_shape[2])
        files = {"png": data_uri(png_bytes(enlarged(decode_state(self.model, self.state), scale))),
                 "json": data_uri(self.state.to_json().encode(), "application/json")}
        self.links.value = " &nbsp; ".join(
            f'<a style="color:{BLUE}" download="{name}.{kind}" href="{file}"><u>{name}.{kind}</u></a>'
            for kind, file in files.items())

    def as_page(self, *, height: int = 680) -> HTML:
        """This view as a page in the notebook that decodes in the browser: no kernel between slider and picture.

        Args:
            height: of the page, in pixels.
        """
        return page_frame(self.model, self.content, self.state, height)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        text = f"LatentExplorer(code {self.state.code or 'none'}, z {list(self.state.z)})"
        return widget_or_picture(self.panel, still_png(self.model, self.state), text)

    def _show(self, state: ExplorerState, sentence: str = "") -> None:
        """Show a view; without the sentence that a guided view proves, none is chosen."""
        n_reals, n_bits, n_starts = self.model.n_reals, self.model.n_bits, len(self.content.starts)
        if (len(state.z), len(state.b)) != (n_reals, n_bits) or not 0 <= (state.example or 0) < n_starts:
            raise ValueError(f"state: expected {n_reals} reals, {n_bits} bits and an example below {n_starts} or None, "
                             f"got {state}")
        self._state, self._sentence = state, sentence
        if state.example is not None:
            self.walk.example = state.example
        if not sentence:
            self.views.value = ""
        self._draw()

    def _draw(self) -> None:
        """Set every control and picture to the view; an exception would vanish in a widget, so the panel tells it too.

        A control that is set here calls back; it finds the state it would set, and changes nothing.
        """
        state, real, self.message.value = self._state, self.selected, ""
        try:
            self.decoded.draw(state, self._sentence)
            for bit, value in zip(self._bits, state.b, strict=True):
                bit.show(value)
            for i, slider in self._reals.items():
                slider.show(state.z[i], chosen=i == real)
            if self.sweep is not None:
                self.sweep.switch.description = f"sweep of z{real}"
                nearest = int((sweep_values() - state.z[real]).abs().argmin())
                self.sweep.draw(nearest, state.with_real(real, 0.0), real)
            if self.codes is not None:
                self.codes.draw(int(state.code, 2), state.z)
        except Exception as error:
            self.message.value = error_text(f"{type(error).__name__}: {error}")
            raise

    def _on_real(self, i: int, value: float) -> None:
        state = self.state.with_real(i, value)
        if state != self.state:
            self.selected, self.state = i, state

    def _on_bit(self, k: int, value: int) -> None:
        if value != self.state.b[k]:
            self.state = self.state.with_bit(k, value)

    def _on_code(self, code: tuple[int, ...]) -> None:
        self.state = replace(self.state, b=code)

    def _on_tick(self, tick: int) -> None:
        """Swing the chosen real from one end of its sweep to the other and back, a step at each tick."""
        low, high = SWEEP
        n_steps = round((high - low) / STEP)
        if tick:
            self._on_real(self.selected, high - STEP * abs(n_steps - tick % (2 * n_steps)))
