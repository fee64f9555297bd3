"""The explorer's controls, each labelled and within reach of a keyboard, and how they look. No model here."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib import resources
from typing import Any

import ipywidgets as widgets

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.display import BLUE, DARK_ORANGE
from mrvae_lib.interactive.explorer_state import STEP, ExplorerContent, Label, on_slider


def styled(image_shape: tuple[int, int, int], *rows: widgets.Widget) -> widgets.VBox:
    """Rows of widgets as a panel that looks as `web/explorer.css` says."""
    _, height, width = image_shape
    values = f"--mrvae-how: {BLUE}; --mrvae-what: {DARK_ORANGE}; --mrvae-shape: {width} / {height};"
    css = (resources.files("mrvae_lib") / "interactive" / "web" / "explorer.css").read_text(encoding="utf-8")
    style = widgets.HTML(f"<style>.mrvae {{ {values} }}\n{css}</style>", layout=widgets.Layout(display="none"))
    return classed(widgets.VBox([style, *rows]), "mrvae")


def classed(widget: widgets.DOMWidget, *names: str) -> Any:
    """The widget, with the classes by which `web/explorer.css` knows it."""
    for name in names:
        widget.add_class(name)
    return widget


def heading(text: str) -> widgets.HTML:
    """A line above a group of controls."""
    return widgets.HTML(f'<div style="margin-top:4px;font-weight:600">{escape(text)}</div>')


def small_print(text: str) -> str:
    """Text as small grey HTML."""
    return f'<span style="font-size:12px;color:var(--jp-ui-font-color2, #5b6774)">{escape(text)}</span>'


def button(label: str, act: Callable[[], None], tooltip: str, **layout: str) -> widgets.Button:
    """A button and what it does."""
    made = widgets.Button(description=label, tooltip=tooltip, layout=widgets.Layout(**{"width": "auto", **layout}))
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


def choice(label: str, options: list[tuple[str, str]], act: Callable[[str], None], width: str) -> widgets.Dropdown:
    """A list to choose from; the first option is chosen."""
    return observed(widgets.Dropdown(options=options, value=options[0][1], description=label,
                                     style={"description_width": "auto"}, layout=widgets.Layout(width=width)), act)


def mark(widget: widgets.DOMWidget, chosen: bool) -> None:
    """Show whether a widget is the chosen one of several."""
    (widget.add_class if chosen else widget.remove_class)("mrvae-chosen")


class BitToggle:
    """A bit: a button that is up for 0 and down for 1, above what the bit tells."""

    def __init__(self, label: Label, act: Callable[[int], None]) -> None:
        self.name, *facts = label
        self.button = toggle(self.name, False, lambda down: act(int(down)), " · ".join(label), width="84px")
        below = widgets.HTML("<br>".join(map(small_print, facts)),
                             layout=widgets.Layout(width="84px", margin="0 2px"))
        self.panel = widgets.VBox([classed(self.button, "mrvae-bit"), below])

    def show(self, value: int) -> None:
        """Stand at a value."""
        self.button.value, self.button.description = bool(value), f"{self.name} = {value}"


class RealSlider:
    """A real: a slider, a step down, a step up, and a button that chooses it."""

    def __init__(self, label: Label, act: Callable[[float], None], choose: Callable[[], None], label_width: int
                 ) -> None:
        name, (low, high) = label[0], SWEEP
        self.slider = observed(widgets.FloatSlider(
            value=0.0, min=low, max=high, step=STEP, description=" · ".join(label), readout_format="+.1f",
            style={"description_width": f"{label_width}px", "handle_color": BLUE},
            layout=widgets.Layout(width="0", flex="1 1 190px"),
        ), act)
        down = button("−", lambda: self.move(-STEP), f"{name} down", width="28px")
        up = button("+", lambda: self.move(+STEP), f"{name} up", width="28px")
        self.choose = button("sweep", choose, f"show the sweep of {name}", width="44px")
        self.panel = widgets.HBox([
            classed(self.slider, "mrvae-real"), classed(down, "mrvae-small"), classed(up, "mrvae-small"),
            classed(self.choose, "mrvae-small", "mrvae-plain"),
        ])

    def show(self, value: float, *, chosen: bool) -> None:
        """Stand at a value; `chosen` tells whether this real's sweep is the one on show."""
        if on_slider(self.slider.value) != value:  # a browser counts in steps and sends 0.7000000000000002
            self.slider.value = value
        mark(self.choose, chosen)

    def move(self, by: float) -> None:
        """Go some way from here, at most to the end."""
        self.slider.value = on_slider(self.slider.value + by)


class ExampleWalk:
    """Buttons that walk through the starting points, and a list of classes that narrows the walk.

    Args:
        content: what there is to start from.
        show: called with the number of the starting point to show.
    """

    def __init__(self, content: ExplorerContent, show: Callable[[int], None]) -> None:
        self.content, self.show, self.example = content, show, 0
        names = sorted(set(content.classes))
        self.classes = choice("class", [("any", ""), *((name, name) for name in names)], self._on_class, width="150px")
        self.controls: list[widgets.Widget] = [
            *([self.classes] if names else []),
            button("previous", lambda: self.step(-1), "the previous example"),
            button("next", lambda: self.step(+1), "the next example"),
            button("reset", lambda: self.show(self.example), "back to the example"),
        ]

    def step(self, direction: int) -> None:
        """Show the next or previous example of the class, counting around."""
        name = self.classes.value
        places = [i for i in range(len(self.content.starts)) if not name or self.content.classes[i] == name]
        place = places.index(self.example) + direction if self.example in places else 0
        self.example = places[place % len(places)]
        self.show(self.example)

    def _on_class(self, name: str) -> None:
        if name and self.content.classes[self.example] != name:
            self.step(+1)
