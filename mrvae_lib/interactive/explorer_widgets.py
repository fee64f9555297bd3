"""What the explorer is put together from: labelled controls within reach of a keyboard, and pictures of views."""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from mrvae_lib.analysis.pictures import as_picture, enlarged, png_bytes, tile
from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive import explorer_state as views
from mrvae_lib.interactive.display import BLUE, DARK_ORANGE, inline_image, wrapped
from mrvae_lib.model.vae import MRVAE

PICTURE_WIDTH, START_WIDTH = 280, 84
TILE_SIDE = 64
"""Pixels: of larger pictures, tiles are shown only when asked for, as they would make the sliders lag, and are averaged
    down to about this."""


def styled(image_shape: tuple[int, int, int], *rows: widgets.Widget) -> widgets.VBox:
    """Rows of widgets as a panel that looks as `web/explorer.css` says; its class tells its pictures' shape."""
    _, height, width = image_shape
    values = f"--mrvae-how: {BLUE}; --mrvae-what: {DARK_ORANGE}; --mrvae-shape: {width} / {height};"
    css = Path(__file__).with_name("web").joinpath("explorer.css").read_text(encoding="utf-8")
    style = f"<style>.mrvae-{width}x{height} {{ {values} }}\n{css}</style>"
    panel = widgets.VBox([widgets.HTML(style, layout=widgets.Layout(display="none")), *rows])
    return classed(classed(panel, "mrvae"), f"mrvae-{width}x{height}")


def classed(widget: widgets.DOMWidget, name: str) -> Any:
    """The widget, with the class by which `web/explorer.css` knows it."""
    widget.add_class(name)
    return widget


def group(title: str, *controls: widgets.Widget) -> widgets.VBox:
    """Controls in lines below a heading; nothing where there are none."""
    return widgets.VBox([widgets.HTML(f"<b>{escape(title)}</b>"), wrapped(*controls)] if controls else [])


def small_print(text: str) -> str:
    """Text as small grey HTML."""
    return f'<span style="font-size:12px;color:var(--jp-ui-font-color2, #5b6774)">{escape(text)}</span>'


def button(label: str, act: Callable[[], None], tooltip: str, *, width: str = "auto") -> widgets.Button:
    """A button and what it does."""
    made = widgets.Button(description=label, tooltip=tooltip, layout=widgets.Layout(width=width))
    made.on_click(lambda _: act())
    return made


def observed(widget: widgets.Widget, act: Callable[[Any], None]) -> Any:
    """The widget; `act` is called with each new value."""
    widget.observe(lambda change: act(change["new"]), names="value")
    return widget


def toggle(label: str, down: bool, act: Callable[[bool], None], tooltip: str, width: str) -> widgets.ToggleButton:
    """A button that stays down; `act` is called with True where it is down, False where it is up."""
    return observed(widgets.ToggleButton(value=down, description=label, tooltip=tooltip,
                                         layout=widgets.Layout(width=width)), act)


def choice(label: str, none: str, names: Sequence[str], act: Callable[[str], None], width: str) -> widgets.Dropdown:
    """A list of names to choose from; at first `none`, whose value is "", is chosen."""
    return observed(widgets.Dropdown(options=[(none, ""), *((name, name) for name in names)], value="",
                                     description=label, style={"description_width": "auto"},
                                     layout=widgets.Layout(width=width)), act)


def bit_toggle(label: tuple[str, ...], act: Callable[[bool], None]) -> widgets.ToggleButton:
    """A bit: a button that is up for 0 and down for 1."""
    return classed(toggle(label[0], False, act, " · ".join(label), width="84px"), "mrvae-bit")


def facts(label: tuple[str, ...]) -> widgets.HTML:
    """What a bit tells, for below its button."""
    return widgets.HTML("<br>".join(map(small_print, label[1:])), layout=widgets.Layout(width="84px", margin="0 2px"))


def real_slider(label: str, act: Callable[[float], None], label_width: int, tooltip: str) -> widgets.FloatSlider:
    """A real's slider."""
    slider = widgets.FloatSlider(
        value=0.0, min=SWEEP[0], max=SWEEP[1], step=views.STEP, description=label, readout_format="+.1f",
        style={"description_width": f"{label_width}px", "handle_color": BLUE},
        layout=widgets.Layout(width="0", flex="1 1 190px"),
    )
    setattr(slider, "tooltip" if slider.has_trait("tooltip") else "description_tooltip", tooltip)  # ipywidgets 8, 7
    return observed(slider, act)


def with_steps(slider: widgets.FloatSlider) -> widgets.HBox:
    """A slider beside buttons that move it a step down and a step up, at most to its end."""
    name = slider.description.split(" ")[0]
    down = button("−", lambda: slider.set_trait("value", slider.value - views.STEP), f"{name} down", width="28px")
    up = button("+", lambda: slider.set_trait("value", slider.value + views.STEP), f"{name} up", width="28px")
    return widgets.HBox([slider, down, up], layout=widgets.Layout(width="100%"))


def player(act: Callable[[float], None]) -> widgets.Play:
    """A button that plays a sweep: `act` is called with each value from one end to the other and back."""
    low, high = SWEEP
    n_steps = round((high - low) / views.STEP)

    def on_tick(tick: int) -> None:
        if tick:
            act(high - views.STEP * abs(n_steps - tick % (2 * n_steps)))

    return observed(widgets.Play(value=0, min=0, max=100_000, interval=100, show_repeat=False,
                                 layout=widgets.Layout(width="90px")), on_tick)


class ExampleWalk:
    """Buttons that walk through the starting points, and a list of classes that narrows the walk.

    Args:
        content: what there is to start from.
        show: called with the number of the starting point to show.
    """

    def __init__(self, content: views.ExplorerContent, show: Callable[[int], None]) -> None:
        self.content, self.show, self.example = content, show, 0
        self.classes = choice("class", "any", sorted(set(content.classes)), self._on_class, width="150px")
        self.controls: list[widgets.Widget] = [
            *([self.classes] if content.classes else []),
            button("previous", lambda: self.step(-1), "the previous example"),
            button("next", lambda: self.step(+1), "the next example"),
            button("reset", lambda: self.show(self.example), "back to the example"),
        ]

    def step(self, direction: int) -> None:
        """Show the example that many places on in the class, counting around; from another class, the first in it."""
        name = self.classes.value
        places = [i for i in range(len(self.content.starts)) if not name or self.content.classes[i] == name]
        place = places.index(self.example) + direction if self.example in places else 0
        self.example = places[place % len(places)]
        self.show(self.example)

    def _on_class(self, name: str) -> None:
        if name and self.content.classes[self.example] != name:
            self.step(0)


class DecodedPicture:
    """A view's picture above the example it started from and its caption.

    Args:
        originals: (N, C, H, W) in [0, 1], the images that were encoded, where they are at hand; else the example is
            shown as the decoder draws it.
    """

    def __init__(self, model: MRVAE, content: views.ExplorerContent, originals: torch.Tensor | None) -> None:
        self.model, self.content, self.originals = model, content, originals
        self.picture = widgets.HTML(layout=widgets.Layout(width=f"{PICTURE_WIDTH}px"))
        self.start = widgets.HTML(layout=widgets.Layout(width=f"{START_WIDTH}px", margin="2px 10px 2px 2px"))
        self.caption = widgets.HTML(layout=widgets.Layout(width="0", flex="1 1 0"))
        self.panel = widgets.VBox([self.picture, widgets.HBox([self.start, self.caption])],
                                  layout=widgets.Layout(width=f"{PICTURE_WIDTH + 8}px", margin="0 20px 0 0"))
        self.example: int | None = None

    def draw(self, state: views.ExplorerState, sentence: str) -> None:
        """Show a view, and under it what it proves."""
        alt = "decoded picture" + (f", code {state.code}" if state.b else "")
        self.picture.value = inline_image(views.decode_state(self.model, state), alt=alt, width=f"{PICTURE_WIDTH}px")
        code = f"code <b>{state.code}</b>" if state.b else "no bits"
        if mostly := self.content.class_of_code.get(state.code):
            code += f", mostly {escape(mostly)}"
        self.caption.value = "<br>".join(filter(None, (code, small_print(self._origin(state)), escape(sentence))))
        if state.example != self.example:
            self.example = state.example
            self.start.value = "" if self.example is None else self._start(self.example)

    def _start(self, example: int) -> str:
        if self.originals is None:
            name, picture = "start", views.decode_state(self.model, self.content.starts[example])
        else:
            name, picture = "original", as_picture(self.originals[example])
        return inline_image(picture, alt=name, width=f"{START_WIDTH}px") + small_print(name)

    def _origin(self, state: views.ExplorerState) -> str:
        if state.example is None:
            return "drawn from the prior"
        changed = "" if state == self.content.starts[state.example] else "changed from "
        name = f", class {self.content.classes[state.example]}" if self.content.classes else ""
        return f"{changed}test image {state.example}{name}"


class Tiles:
    """Small pictures of views in rows, one PNG per row, above buttons that the pictures are part of, and their switch.

    Args:
        title: what the button says that shows and hides them all.
        labels: what the button below each picture says, and what it says when pointed at.
        columns: pictures per row.
        show: called with the view whose button is pressed.
        shown: whether they are shown at first.
        beside: what stands beside the switch.
    """

    def __init__(self, model: MRVAE, title: str, labels: Sequence[tuple[str, str]], columns: int,
                 show: Callable[[views.ExplorerState], None], shown: bool, *beside: widgets.Widget) -> None:
        self.model, self.columns = model, columns
        self.states = self.drawn = list[views.ExplorerState]()
        self.switch = toggle(title, shown, lambda _: self._draw(), "show or hide these pictures", width="auto")
        self.buttons = [button(label, partial(lambda i: show(self.states[i]), i), tooltip, width="100%")
                        for i, (label, tooltip) in enumerate(labels)]
        narrowest = max(31, *(2 + 5 * len(label) for label, _ in labels))  # px: room for it; narrower cells scroll
        self.sheets = [widgets.HTML(layout=widgets.Layout(width="100%", margin="0"))
                       for _ in range(0, len(labels), columns)]
        self.rows = classed(widgets.VBox([
            widgets.VBox([sheet, widgets.HBox(self.buttons[i * columns : (i + 1) * columns])],
                         layout=widgets.Layout(min_width=f"{columns * narrowest}px"))
            for i, sheet in enumerate(self.sheets)]), "mrvae-tiles")
        self.panel = widgets.VBox([wrapped(self.switch, *beside), self.rows])

    def draw(self, states: list[views.ExplorerState], chosen: int) -> None:
        """Show views, one for each button, and mark one of them."""
        self.states = states
        for i, below in enumerate(self.buttons):
            (below.add_class if i == chosen else below.remove_class)("mrvae-chosen")
        self._draw()

    def _draw(self) -> None:
        self.rows.layout.display = "flex" if self.switch.value else "none"
        if self.switch.value and self.states != self.drawn:
            pictures = views.decode_states(self.model, self.states)
            pictures = avg_pool2d(pictures, max(1, min(pictures.shape[2:]) // TILE_SIDE))
            for sheet, row in zip(self.sheets, pictures.split(self.columns), strict=True):
                strip = as_picture(torch.cat(tuple(row), dim=2))
                sheet.value = inline_image(strip, alt=self.switch.description, width="100%")
            self.drawn = self.states


def still_png(model: MRVAE, state: views.ExplorerState) -> bytes:
    """A view as PNG where there are no widgets: the picture and, where they fit, all codes at the same reals."""
    pictures, codes = views.decode_states(model, [state]), views.code_views(state)
    scale = 2 ** max(0, (256 // pictures.shape[2]).bit_length() - 1)
    parts, rows = [enlarged(tile(pictures, 1, gap=0), scale)], 2 ** (model.n_bits // 2)
    if codes and rows <= scale:
        lattice = tile(views.decode_states(model, codes), len(codes) // rows, gap=0)
        parts += [np.full_like(parts[0][:, :8], 255), enlarged(lattice, scale // rows)]
    return png_bytes(np.concatenate(parts, axis=1))
