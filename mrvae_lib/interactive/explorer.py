"""LatentExplorer: a slider for each informative real, a button for each bit, and the pictures they make.

Core ipywidgets only, and only what 7.7.1 (Colab) and 8.1 have in common. The picture is one HTML widget holding an
inline PNG: no Output widget and no matplotlib stand between a slider and its picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets
import torch

from mrvae_lib.data import ImageSet
from mrvae_lib.interactive.display import BLUE, data_uri, error_text, widget_or_picture, wrapped
from mrvae_lib.interactive.explorer_pictures import CodeTiles, DecodedPicture, SweepTiles, still_png
from mrvae_lib.interactive.explorer_state import MAX_LATTICE_BITS, ExplorerState, explorer_content, on_slider
from mrvae_lib.interactive.explorer_widgets import BitToggle, ExampleWalk, RealSlider, button, choice, heading, styled
from mrvae_lib.interactive.guided_views import guided_views
from mrvae_lib.interactive.html_export import PageFrame, page_html
from mrvae_lib.model.vae import MRVAE

MAX_TILED_PIXELS = 64 * 64
"""Of larger pictures, tiles are shown only when asked for: they would make the sliders lag."""


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
        self.model = model
        self.content = explorer_content(model, images)
        self.message, self.links = widgets.HTML(), widgets.HTML()
        originals = None if images is None else images.first(len(self.content.starts)).floats()
        self.decoded = DecodedPicture(model, self.content, originals)
        self.picture, self.caption = self.decoded.picture, self.decoded.caption

        guarded = self._with_errors_shown
        self._bits = [BitToggle(label, guarded(partial(self._on_bit, k))) for k, label in enumerate(self.content.bits)]
        width = 10 + 7 * max((len(str(label)) for label in self.content.reals.values()), default=0)
        self._reals = {i: RealSlider(label, guarded(partial(self._on_real, i)), guarded(partial(self.select, i)), width)
                       for i, label in self.content.reals.items()}
        self.bits: list[widgets.ToggleButton] = [bit.button for bit in self._bits]
        self.sliders: dict[int, widgets.FloatSlider] = {i: real.slider for i, real in self._reals.items()}
        self.selected = next(iter(self.sliders), 0)
        self.walk = ExampleWalk(self.content, guarded(self.go_to))
        self._guided = guided_views(model, self.content)
        self.views = choice("show", [("what changes what?", ""), *((name, name) for name in self._guided)],
                            guarded(self.show_view), width="230px")
        if tiles is None:
            tiles = model.image_shape[1] * model.image_shape[2] <= MAX_TILED_PIXELS
        redraw = guarded(self._draw)
        self.sweep = self.codes = None
        if self.sliders:
            self.sweep = SweepTiles(model, guarded(lambda value: self._on_real(self.selected, value)), tiles, redraw)
        if 0 < model.n_bits <= MAX_LATTICE_BITS:
            self.codes = CodeTiles(model, self.content.class_of_code, guarded(self._on_code), tiles, redraw)
        self.latents, self.tiles = self._latents(), self._tiles()
        self.panel = styled(model.image_shape, wrapped(self.decoded.panel, self._controls()), self.tiles, self.message)
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
        self.state = ExplorerState.from_latents(torch.randn(self.model.n_reals),
                                                torch.randint(0, 2, (self.model.n_bits,)))

    def select(self, real: int) -> None:
        """Choose the real whose sweep is shown and played."""
        self.selected = real
        self._draw()

    def show_view(self, name: str) -> None:
        """Show a guided view of the example, see `guided_views`, and the sentence it proves; nothing happens for ""."""
        if name:
            view = self._guided[name](self.content.starts[self.walk.example])
            self._show(view.state, view.sentence)

    def save(self) -> None:
        """Offer the picture and the view as two files to download."""
        name = f"mrvae-{self.state.code or 'view'}"
        files = {"png": data_uri(self.decoded.png(self.state)),
                 "json": data_uri(self.state.to_json().encode(), "application/json")}
        self.links.value = " &nbsp; ".join(
            f'<a style="color:{BLUE}" download="{name}.{kind}" href="{file}"><u>{name}.{kind}</u></a>'
            for kind, file in files.items())

    def as_page(self, *, height: int = 680) -> PageFrame:
        """This view as a page in the notebook that decodes in the browser: no kernel between slider and picture.

        Args:
            height: of the page, in pixels.
        """
        page = page_html(self.model, content=self.content, state=self.state)
        return PageFrame(page, still_png(self.model, self.state), height)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        text = f"LatentExplorer(code {self.state.code or 'none'}, z {list(self.state.z)})"
        return widget_or_picture(self.panel, still_png(self.model, self.state), text)

    def _show(self, state: ExplorerState, sentence: str = "") -> None:
        """Show a view; without the sentence that a guided view proves, none is chosen."""
        self._check(state)
        self._state, self._sentence = state, sentence
        if state.example is not None:
            self.walk.example = state.example
        if not sentence:
            self.views.value = ""
        self._draw()

    def _draw(self) -> None:
        # A control that is set here calls back; it finds the state it would set, and changes nothing.
        state = self._state
        self.decoded.draw(state, self._sentence)
        for bit, value in zip(self._bits, state.b, strict=True):
            bit.show(value)
        for i, real in self._reals.items():
            real.show(state.z[i], chosen=i == self.selected)
        if self.sweep is not None:
            self.sweep.show(state, self.selected)
        if self.codes is not None:
            self.codes.show(state)

    def _on_real(self, i: int, value: float) -> None:
        if on_slider(value) != on_slider(self._state.z[i]):
            self.selected = i
            self._show(self._state.with_real(i, on_slider(value)))

    def _on_bit(self, k: int, value: int) -> None:
        if value != self._state.b[k]:
            self._show(self._state.with_bit(k, value))

    def _on_code(self, code: tuple[int, ...]) -> None:
        self._show(replace(self._state, b=code))

    def _check(self, state: ExplorerState) -> None:
        if (len(state.z), len(state.b)) != (self.model.n_reals, self.model.n_bits):
            raise ValueError(f"state: this model has {self.model.n_reals} reals and {self.model.n_bits} bits, "
                             f"got {len(state.z)} and {len(state.b)}")
        n_starts = len(self.content.starts)
        if state.example is not None and not 0 <= state.example < n_starts:
            raise ValueError(f"state: example must be in 0..{n_starts - 1} or None, got {state.example}")

    def _with_errors_shown(self, act: Callable[..., None]) -> Callable[..., None]:
        """What a control calls: an exception there would vanish, so the panel shows it, and it is raised as well."""
        def guarded(*args: Any) -> None:
            self.message.value = ""
            try:
                act(*args)
            except Exception as error:
                self.message.value = error_text(f"{type(error).__name__}: {error}")
                raise

        return guarded

    def _latents(self) -> widgets.VBox:
        rows: list[widgets.Widget] = []
        if self._bits:
            rows += [heading("Bits: what it is"), wrapped(*(bit.panel for bit in self._bits))]
        if self._reals:
            rows += [heading("Reals: how it looks"), *(real.panel for real in self._reals.values())]
        return widgets.VBox(rows)

    def _tiles(self) -> widgets.VBox:
        shown = [tiles for tiles in (self.sweep, self.codes) if tiles is not None]
        return widgets.VBox([part for tiles in shown for part in (tiles.controls, tiles.panel)])

    def _controls(self) -> widgets.VBox:
        guarded = self._with_errors_shown
        return widgets.VBox([
            self.latents,
            heading("Start from"),
            wrapped(*self.walk.controls, button("random", guarded(self.randomise), tooltip="a draw from the prior")),
            wrapped(self.views, button("save", guarded(self.save), tooltip="download picture and view"), self.links),
        ], layout=widgets.Layout(flex="1 1 330px", width="0", min_width="300px"))
