"""LatentExplorer: a slider for each informative real, a button for each bit, and the pictures they make.

Core ipywidgets only, and only what 7.7.1 (Colab) and 8.1 have in common. The picture is one HTML widget holding an
inline PNG: no Output widget and no matplotlib stand between a slider and its picture. CompareExplorer shows several.
"""

import html
from functools import partial
from typing import Any

import ipywidgets as widgets
import torch
from IPython.display import HTML

from mrvae_lib.analysis.pictures import data_uri, enlarged, png_bytes
from mrvae_lib.analysis.traversals import sweep_values
from mrvae_lib.data import ImageSet
from mrvae_lib.interactive import explorer_state as views
from mrvae_lib.interactive import explorer_widgets as parts
from mrvae_lib.interactive.display import BLUE, error_text, widget_or_picture, wrapped
from mrvae_lib.interactive.html_export import page_html
from mrvae_lib.model.vae import MRVAE


class LatentExplorer:
    """An interactive view of a model's latents.

    Args:
        model: in evaluation mode; its card, if any, orders and labels the controls.
        images: starting points, shown beside what the model makes of them, and, where the card does not tell, what the
            latents are measured on. An `ImageSet`, or whatever `load_dataset` takes, also the path of one picture; that
            is fitted to the model. Without images the model's own encoded examples are the starting points.
        state: the view to open; the first starting point if None.
        tiles: whether the sweep of a real and the pictures of all codes are shown; if None, where pictures are small.
    Raises:
        ValueError: the state is not one of this model.
    """

    def __init__(self, model: MRVAE, images: Any = None, state: views.ExplorerState | None = None, *,
                 tiles: bool | None = None) -> None:
        if images is not None and not isinstance(images, ImageSet):
            images = views.fitted_images(model, images)
        self.model, self.content = model, views.explorer_content(model, images)
        originals = None if images is None else images.first(len(self.content.starts)).floats()
        self.decoded = parts.DecodedPicture(model, self.content, originals)
        self.message, self.links = widgets.HTML(), widgets.HTML()
        self.walk = parts.ExampleWalk(self.content, self.go_to)
        self._guided = views.guided_views(model)
        self.views = parts.choice("show", "what changes what?", list(self._guided), self.show_view, width="230px")

        bits, reals = self.content.bits, self.content.reals
        self.bits = {k: parts.bit_toggle(label, partial(self._on_bit, k)) for k, label in bits.items()}
        width = 10 + 7 * max((len(label) for label, _ in reals.values()), default=0)
        self.sliders = {i: parts.real_slider(label, partial(self._on_real, i), width, title)
                        for i, (label, title) in reals.items()}
        self.selected = next(iter(reals), 0)
        buttons = [widgets.VBox([self.bits[k], parts.facts(label)]) for k, label in bits.items()]
        self.latents = widgets.VBox([parts.group("Bits: what it is", *buttons),
                                     parts.group("Reals: how it looks", *map(parts.with_steps, self.sliders.values()))])

        shown = max(model.image_shape[1:]) <= parts.TILE_SIDE if tiles is None else tiles
        self.sweep = self._sweep_tiles(shown) if reals else None
        self.codes = self._code_tiles(shown) if views.code_views(self.content.starts[0]) else None
        self.tiles = widgets.VBox([tiles.panel for tiles in (self.sweep, self.codes) if tiles])

        random = parts.button("random", self.randomise, "a draw from the prior")
        save = parts.button("save", self.save, "download picture and view")
        start = parts.group("Start from", *self.walk.controls, random, self.views, save, self.links)
        layout = widgets.Layout(flex="1 1 330px", width="0", min_width="300px", max_width="472px")
        controls = widgets.VBox([self.latents, start], layout=layout)
        self.panel = parts.styled(model.image_shape, wrapped(self.decoded.panel, controls), self.tiles, self.message)
        self.state = self.content.starts[0] if state is None else state

    @property
    def state(self) -> views.ExplorerState:
        """The view now; assign one to show it."""
        return self._state

    @state.setter
    def state(self, state: views.ExplorerState) -> None:
        self._show(state)

    def go_to(self, example: int) -> None:
        """Show a starting point; counts around."""
        self.state = self.content.starts[example % len(self.content.starts)]

    def randomise(self) -> None:
        """Show a draw from the prior, at values that sliders can show."""
        z, b = torch.randn(self.model.n_reals), torch.randint(2, (self.model.n_bits,))
        self.state = views.ExplorerState(tuple(z.tolist()), tuple(b.tolist()))

    def show_view(self, name: str) -> None:
        """Show a guided view of the example, see `guided_views`, and the sentence it proves; nothing happens for ""."""
        if name:
            self._show(*self._guided[name](self.model, self.content, self.content.starts[self.walk.example]))

    def save(self) -> None:
        """Offer the picture and the view as two files to download."""
        name, scale = f"mrvae-{self.state.code or 'view'}", max(1, parts.PICTURE_WIDTH // self.model.image_shape[2])
        files = {"png": data_uri(png_bytes(enlarged(views.decode_state(self.model, self.state), scale))),
                 "json": data_uri(self.state.to_json().encode(), "application/json")}
        self.links.value = " &nbsp; ".join(
            f'<a style="color:{BLUE}" download="{name}.{kind}" href="{file}"><u>{name}.{kind}</u></a>'
            for kind, file in files.items())

    def as_page(self, *, height: int = 680) -> HTML:
        """This view as a page in the notebook that decodes in the browser: no kernel between slider and picture.

        Args:
            height: of the page, in pixels.
        """
        page = html.escape(page_html(self.model, content=self.content, state=self.state))
        return HTML(f'<div><iframe srcdoc="{page}" title="MR-VAE" width="100%" height="{height}" style="border:0">'
                    f"</iframe></div>")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        text = f"LatentExplorer(code {self.state.code or 'none'}, z {list(self.state.z)})"
        return widget_or_picture(self.panel, parts.still_png(self.model, self.state), text)

    def _show(self, state: views.ExplorerState, sentence: str = "") -> None:
        """Show a view; without the sentence that a guided view proves, none is chosen.

        An exception would vanish in a widget's callback, so the panel tells it too. A control that is set here calls
        back; it finds the state it would set, and changes nothing.
        """
        n_reals, n_bits, n_starts = self.model.n_reals, self.model.n_bits, len(self.content.starts)
        if (len(state.z), len(state.b)) != (n_reals, n_bits) or (state.example or 0) >= n_starts:
            raise ValueError(f"state: expected {n_reals} reals, {n_bits} bits and an example below {n_starts} or None, "
                             f"got {state}")
        self._state, self.message.value = state, ""
        if state.example is not None:
            self.walk.example = state.example
        if not sentence:
            self.views.value = ""
        try:
            self.decoded.draw(state, sentence)
            for k, bit in self.bits.items():
                name = self.content.bits[k][0]
                bit.value, bit.description = bool(state.b[k]), f"b{k} = {state.b[k]}" if name == f"b{k}" else name
            for i, slider in self.sliders.items():
                if views.on_slider(slider.value) != state.z[i]:  # a browser adds up steps and sends 0.7000000000000002
                    slider.value = state.z[i]
            if self.sweep:
                self.sweep.switch.description = f"sweep of z{self.selected}"
                values = sweep_values()
                moved = [state.with_real(self.selected, value) for value in values.tolist()]
                self.sweep.draw(moved, int((values - state.z[self.selected]).abs().argmin()))
            if self.codes:
                self.codes.draw(views.code_views(state), int(state.code, 2))
        except Exception as error:
            self.message.value = error_text(f"{type(error).__name__}: {error}")
            raise

    def _sweep_tiles(self, shown: bool) -> parts.Tiles:
        names = [f"{value:+.1f}".replace("-", "−") if value else "0" for value in sweep_values().tolist()]
        play = parts.player(lambda value: self._on_real(self.selected, value))
        tiles = parts.Tiles(self.model, "sweep", [(name, name) for name in names], len(names), self._show, shown, play)
        tiles.rows.add_class("mrvae-sweep")
        return tiles

    def _code_tiles(self, shown: bool) -> parts.Tiles:
        codes, classes = [view.code for view in views.code_views(self.content.starts[0])], self.content.class_of_code
        few = self.model.n_bits <= 4  # a tile has room for the code's class beside its name
        short = few and all(len(name) < 3 for name in classes.values())
        labels = [(f"{code} · {classes[code]}" if short and code in classes else code,
                   f"{code}, mostly {classes[code]}" if code in classes else code) for code in codes]
        columns = min(len(codes), 8 if few else 16)
        return parts.Tiles(self.model, f"all {len(codes)} codes", labels, columns, self._show, shown)

    def _on_real(self, i: int, value: float) -> None:
        state = self.state.with_real(i, value)
        if state != self.state:
            self.selected, self.state = i, state

    def _on_bit(self, k: int, down: bool) -> None:
        if down != self.state.b[k]:
            self.state = self.state.with_bit(k, int(down))


class CompareExplorer:
    """An explorer per model; previous, next and class move all of them to the same image.

    Args:
        models: by the name to write above each, all of one image shape.
        images: where to start from. Without them the models' own examples are used, which must be of the same data.

    Raises:
        ValueError: the models cannot start from the same image.
    """

    def __init__(self, models: dict[str, MRVAE], images: ImageSet | None = None) -> None:
        shapes = {name: model.image_shape for name, model in models.items()}
        if len(models) < 2 or len(set(shapes.values())) > 1:
            raise ValueError(f"models: two or more that draw pictures of one shape are compared, got {shapes}")
        data = {name: model.card.get("data") if model.examples else None for name, model in models.items()}
        if images is None and (len(set(data.values())) > 1 or None in data.values()):
            raise ValueError(f"models: their examples must be of the same data, got {data}; pass images to start from")
        self.explorers = {name: LatentExplorer(model, images, tiles=False) for name, model in models.items()}
        first = next(iter(self.explorers.values()))
        self.walk = parts.ExampleWalk(first.content, self.go_to)
        layout = widgets.Layout(width="440px", margin="0 20px 0 0")
        columns = [widgets.VBox([parts.group(name, explorer.decoded.panel), explorer.latents, explorer.tiles,
                                 explorer.message], layout=layout) for name, explorer in self.explorers.items()]
        self.panel = parts.styled(first.model.image_shape, wrapped(*self.walk.controls), wrapped(*columns))

    def go_to(self, example: int) -> None:
        """Show a starting point in every explorer; counts around."""
        for explorer in self.explorers.values():
            explorer.go_to(example)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from mrvae_lib.analysis.figures import figure_png, show_pictures  # a still picture alone needs matplotlib

        pictures = [views.decode_states(explorer.model, [explorer.state]) for explorer in self.explorers.values()]
        labels = [f"{name}\n{explorer.state.code or 'no bits'}" for name, explorer in self.explorers.items()]
        still = figure_png(show_pictures(torch.cat(pictures), len(pictures), captions=labels), dpi=192)
        return widget_or_picture(self.panel, still, f"CompareExplorer({', '.join(labels)})".replace("\n", " "))
