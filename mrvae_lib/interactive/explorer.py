"""LatentExplorer: a slider for each informative real, a button for each bit, and the pictures they make.

Core ipywidgets only, and only what 7.7.1 (Colab) and 8.1 have in common. The picture is one HTML widget holding an
inline PNG: no Output widget and no matplotlib stand between a slider and its picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from typing import Any

import ipywidgets as widgets
import torch
from torch import Tensor

from mrvae_lib.data import ImageSet
from mrvae_lib.interactive.controls import (
    BLUE,
    ORANGE,
    BitToggle,
    RealSlider,
    action,
    choice,
    heading,
    stylesheet,
    wrapped,
)
from mrvae_lib.interactive.export import PageFrame, page_frame
from mrvae_lib.interactive.picture import PICTURE_WIDTH, DecodedPicture, still, widget_or_picture
from mrvae_lib.interactive.starts import Starts
from mrvae_lib.interactive.state import STEP, ExplorerState, data_uri, explorer_content, on_slider
from mrvae_lib.interactive.strips import MAX_LATTICE_BITS, CodeLattice, SweepStrip
from mrvae_lib.interactive.views import named_views
from mrvae_lib.model.vae import MRVAE

MAX_TILED_PIXELS = 64 * 64
"""Of larger pictures, tiles are shown only when asked for: they would make the sliders lag."""
PLAY_INTERVAL = 100
"""Milliseconds between two pictures."""


class LatentExplorer:
    """An interactive view of a model's latents.

    Args:
        model: in evaluation mode; its card, if any, orders and labels the controls.
        images: starting points, shown beside what the model makes of them, and, where the card does not tell, what the
            latents are measured on. Without images the model's own encoded examples are the starting points.
        state: the view to open; the first starting point if None.
        tiles: whether the sweep of a real and the pictures of all codes are shown; if None, where pictures are small.
    """

    def __init__(self, model: MRVAE, images: ImageSet | None = None, state: ExplorerState | None = None, *,
                 tiles: bool | None = None) -> None:
        self.model = model
        self.content = explorer_content(model, images)
        self._state = self._checked(state) if state is not None else self.content.starts[0]
        self._quiet = False  # while the state sets the controls, they do not set the state
        self._sentence = ""  # what the named view on show proves
        self.message, self.links = widgets.HTML(), widgets.HTML()
        originals = None if images is None else images.first(len(self.content.starts)).take()
        self.decoded = DecodedPicture(model, self.content, originals)
        self.picture, self.caption = self.decoded.picture, self.decoded.caption

        self._bits = [BitToggle(k, label, self._state.b[k], self._guarded(partial(self._on_bit, k)))
                      for k, label in enumerate(self.content.bits)]
        width = 10 + 7 * max(map(len, self.content.reals.values()), default=0)
        self._reals = {i: RealSlider(label, self._state.z[i], self._guarded(partial(self._on_real, i)),
                                     self._guarded(partial(self.select, i)), width)
                       for i, label in self.content.reals.items()}
        self.bits: list[widgets.ToggleButton] = [bit.button for bit in self._bits]
        self.sliders: dict[int, widgets.FloatSlider] = {i: real.slider for i, real in self._reals.items()}
        self.selected: int | None = next(iter(self.sliders), None)
        self.starts = Starts(self.content, self._guarded(self.go_to))
        self.views = choice("show", [("what changes what?", ""), *((name, name) for name in
                            named_views(model, self.content))], self._guarded(self._on_view), width="230px")

        small = model.image_shape[1] * model.image_shape[2] <= MAX_TILED_PIXELS
        show = small if tiles is None else tiles
        self.sweep = SweepStrip(model, self._guarded(self._set_selected), show, self._show) if self.sliders else None
        self.codes = (CodeLattice(model, self.content.classes, self._guarded(self._set_code), show, self._show)
                      if 0 < model.n_bits <= MAX_LATTICE_BITS else None)
        self.latents, self.tiles = self._latents(), self._tiles()
        self.panel = self._panel()
        self._show()

    @property
    def state(self) -> ExplorerState:
        """The view now; assign one to show it."""
        return self._state

    @state.setter
    def state(self, state: ExplorerState) -> None:
        self._change(state)
        self._quiet = True
        try:
            for i, slider in self.sliders.items():
                slider.value = state.z[i]
            for k, button in enumerate(self.bits):
                button.value = bool(state.b[k])
        finally:
            self._quiet = False
        self._show()

    def go_to(self, example: int) -> None:
        """Show a starting point; counts around."""
        self.state = self.content.starts[example % len(self.content.starts)]

    def randomise(self) -> None:
        """Show a draw from the prior, on values that sliders can show."""
        z, b = torch.randn(self.model.n_reals), torch.randint(0, 2, (self.model.n_bits,))
        self.state = ExplorerState.from_latents(on_slider(z), b)

    def select(self, real: int) -> None:
        """Choose the real whose sweep is shown and played."""
        self.selected = real
        self._show()

    def show_view(self, name: str) -> None:
        """Show a named view of the example, see `views.named_views`, and the sentence it proves."""
        start = self.content.starts[self.starts.example]
        view = named_views(self.model, self.content)[name](self.model, self.content, start)
        self._sentence = ""  # so that what follows leaves the list where it is
        self.state = view.state
        self._sentence = view.sentence
        self._show()

    def save(self) -> None:
        """Offer the picture and the view as two files to download."""
        name = f"mrvae-{self.state.code or 'view'}"
        scale = max(1, PICTURE_WIDTH // self.model.image_shape[2])
        files = {"png": data_uri(self.decoded.png(self.state, scale=scale), "image/png"),
                 "json": data_uri(self.state.to_json().encode(), "application/json")}
        self.links.value = " &nbsp; ".join(
            f'<a style="color:{BLUE}" download="{name}.{kind}" href="{file}"><u>{name}.{kind}</u></a>'
            for kind, file in files.items())

    def as_page(self, *, height: int = 680) -> PageFrame:
        """This view as a page in the notebook that decodes in the browser: no kernel between slider and picture."""
        return page_frame(self.model, content=self.content, state=self.state, height=height)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        text = f"LatentExplorer(code {self.state.code or 'none'}, z {list(self.state.z)})"
        return widget_or_picture(self.panel, still(self.model, self.state), text)

    def _show(self) -> None:
        with self._errors_shown():
            self.decoded.draw(self.state, self._sentence)
            for i, real in self._reals.items():
                real.mark(i == self.selected)
            if self.sweep is not None and self.selected is not None:
                self.sweep.draw(self.state, self.selected)
            if self.codes is not None:
                self.codes.draw(self.state)

    def _change(self, state: ExplorerState) -> None:
        self._state = self._checked(state)
        if state.example is not None:
            self.starts.example = state.example
        if self._sentence:  # it was about the view before
            self._sentence, self.views.value = "", ""

    def _on_real(self, i: int, value: float) -> None:
        value = round(value, 6)  # browsers count in steps of 0.1 and send 0.7000000000000002
        if not self._quiet and value != self.state.z[i]:
            self._change(self.state.with_real(i, value))
            self.select(i)

    def _on_bit(self, k: int, value: int) -> None:
        if not self._quiet:
            self._change(self.state.with_bit(k, value))
            self._show()

    def _on_view(self, name: str) -> None:
        if name:
            self.show_view(name)

    def _on_play(self, change: dict[str, Any]) -> None:
        if self.selected is not None and change["new"] > 0:  # there and back again
            slider = self.sliders[self.selected]
            n_steps = round((slider.max - slider.min) / STEP)
            step = change["new"] % (2 * n_steps)
            slider.value = slider.min + STEP * min(step, 2 * n_steps - step)

    def _set_selected(self, value: float) -> None:
        if self.selected is not None:
            self.sliders[self.selected].value = value

    def _set_code(self, code: Tensor) -> None:
        self.state = ExplorerState(self.state.z, tuple(code.tolist()), self.state.example)

    def _checked(self, state: ExplorerState) -> ExplorerState:
        if (len(state.z), len(state.b)) != (self.model.n_reals, self.model.n_bits):
            raise ValueError(f"state: this model has {self.model.n_reals} reals and {self.model.n_bits} bits, "
                             f"got {len(state.z)} and {len(state.b)}")
        n_starts = len(self.content.starts)
        if state.example is not None and not 0 <= state.example < n_starts:
            raise ValueError(f"state: example must be in 0..{n_starts - 1} or None, got {state.example}")
        return state

    def _guarded(self, act: Callable[..., None]) -> Callable[..., None]:
        def guarded(*args: Any) -> None:
            with self._errors_shown():
                act(*args)

        return guarded

    @contextmanager
    def _errors_shown(self) -> Iterator[None]:
        # An exception in a widget's callback would vanish: show it in the panel, and raise it all the same.
        try:
            yield
        except Exception as error:
            self.message.value = f'<span style="color:{ORANGE}">{type(error).__name__}: {escape(str(error))}</span>'
            raise
        else:
            self.message.value = ""

    def _latents(self) -> widgets.VBox:
        rows: list[widgets.Widget] = []
        if self._bits:
            rows += [heading("Bits: what it is"), wrapped(*(bit.panel for bit in self._bits))]
        if self._reals:
            rows += [heading("Reals: how it looks"), *(real.panel for real in self._reals.values())]
        return widgets.VBox(rows)

    def _tiles(self) -> widgets.VBox:
        rows: list[widgets.Widget] = []
        if self.sweep is not None:
            play = widgets.Play(value=0, min=0, max=100_000, interval=PLAY_INTERVAL, show_repeat=False,
                                layout=widgets.Layout(width="90px"))
            play.observe(self._guarded(self._on_play), names="value")
            rows += [wrapped(self.sweep.shown, play), self.sweep.tiles.panel]
        if self.codes is not None:
            rows += [wrapped(self.codes.shown), self.codes.tiles.panel]
        return widgets.VBox(rows)

    def _panel(self) -> widgets.VBox:
        controls = widgets.VBox([
            self.latents,
            heading("Start from"),
            wrapped(*self.starts.controls,
                    action("random", self._guarded(self.randomise), tooltip="a draw from the prior")),
            wrapped(self.views, action("save", self._guarded(self.save), tooltip="download picture and view"),
                    self.links),
        ], layout=widgets.Layout(flex="1 1 330px", width="0", min_width="300px"))
        panel = widgets.VBox([
            stylesheet(self.model.image_shape), wrapped(self.decoded.panel, controls), self.tiles, self.message,
        ])
        panel.add_class("mrvae")
        return panel
