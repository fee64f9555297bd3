"""The explorer's parts, each labelled and within reach of a keyboard, and how they look. No model here."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.state import STEP

BLUE, ORANGE = "#0072B2", "#B84E00"
"""Reals and bits: distinct to colour-blind readers, and dark enough to carry white text."""

STYLE = """<style>
.mrvae {{ max-width: 780px; }}
.mrvae.mrvae-wide {{ max-width: none; }}
.mrvae .jupyter-button {{ border-radius: 5px; }}
.mrvae .jupyter-button:focus-visible {{ outline: 2px solid {blue}; outline-offset: 1px; }}
.mrvae .widget-html-content {{ line-height: 1.35; }}
.mrvae .mrvae-bit.mod-active {{ background: {orange}; color: #fff; }}
.mrvae .mrvae-real > .widget-label {{ text-align: left; }}
.mrvae .mrvae-real .widget-readout {{ min-width: 40px; width: 40px; }}
.mrvae .mrvae-small {{ padding: 0; }}
.mrvae .mrvae-plain {{ background: none; box-shadow: none; color: var(--jp-ui-font-color2, #5b6774); }}
.mrvae .mrvae-plain.mrvae-chosen {{ color: {blue}; text-decoration: underline; }}
.mrvae-tiles {{ max-width: 660px; overflow-x: auto; }}
.mrvae-tiles .widget-box {{ overflow: visible; }}
.mrvae-tiles .jupyter-button {{
  position: relative; overflow: visible; margin: 0; padding: 0; height: 20px; line-height: 20px; min-width: 0;
  background: none; box-shadow: none; font-size: 11px; white-space: nowrap; color: var(--jp-ui-font-color1, #333); }}
.mrvae-tiles .jupyter-button::before {{
  content: ""; position: absolute; left: 0; right: 0; bottom: 100%; aspect-ratio: {width} / {height};
  box-sizing: border-box; border: 1px solid var(--jp-layout-color0, #fff); }}
.mrvae-tiles .jupyter-button:hover::before {{ border: 2px solid {blue}; }}
.mrvae-tiles .mrvae-chosen {{ font-weight: 700; }}
.mrvae-tiles .mrvae-chosen::before {{ border: 3px solid {orange}; }}
.mrvae-sweep .mrvae-chosen::before {{ border-color: {blue}; }}
</style>"""


def stylesheet(image_shape: tuple[int, int, int]) -> widgets.HTML:
    """What the panel looks like; takes no room in it."""
    _, height, width = image_shape
    style = STYLE.format(blue=BLUE, orange=ORANGE, width=width, height=height)
    return widgets.HTML(style, layout=widgets.Layout(display="none"))


def heading(text: str) -> widgets.HTML:
    """A line above a group of controls."""
    return widgets.HTML(f'<div style="margin-top:4px;font-weight:600">{escape(text)}</div>')


def soft(text: str) -> str:
    """Text as small print."""
    return f'<span style="font-size:12px;color:var(--jp-ui-font-color2, #5b6774)">{escape(text)}</span>'


def wrapped(*children: widgets.Widget, **layout: str) -> widgets.HBox:
    """Controls in a line that breaks where the cell is narrow."""
    return widgets.HBox(children, layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start", **layout))


def action(label: str, act: Callable[[], None], *, width: str = "auto", tooltip: str = "") -> widgets.Button:
    """A button and what it does."""
    button = widgets.Button(description=label, tooltip=tooltip or label, layout=widgets.Layout(width=width))
    button.on_click(lambda _: act())
    return button


def toggle(label: str, value: bool, act: Callable[[bool], None], *, tooltip: str = "") -> widgets.ToggleButton:
    """A button that stays down; `act` is told where it is."""
    button = widgets.ToggleButton(value=value, description=label, tooltip=tooltip or label,
                                  layout=widgets.Layout(width="auto"))
    button.observe(lambda change: act(change["new"]), names="value")
    return button


def choice(label: str, options: list[tuple[str, Any]], act: Callable[[Any], None], *, width: str) -> widgets.Dropdown:
    """A list to choose from; the first option is chosen."""
    dropdown = widgets.Dropdown(options=options, value=options[0][1], description=label,
                                style={"description_width": "auto"}, layout=widgets.Layout(width=width))
    dropdown.observe(lambda change: act(change["new"]), names="value")
    return dropdown


class BitToggle:
    """A bit: a button that is up for 0 and down for 1, above what the bit tells."""

    def __init__(self, bit: int, label: str, value: int, act: Callable[[int], None]) -> None:
        told = label.split(" · ")[1:]
        self.bit, self.act = bit, act
        self.button = widgets.ToggleButton(value=bool(value), tooltip=label, layout=widgets.Layout(width="84px"))
        self.button.add_class("mrvae-bit")
        self.button.add_class(f"mrvae-bit-{bit}")
        self._on_value({"new": bool(value)}, quiet=True)
        self.button.observe(self._on_value, names="value")
        lines = "<br>".join(soft(line) for line in told)
        below = widgets.HTML(lines, layout=widgets.Layout(width="84px", margin="0 2px"))
        self.panel = widgets.VBox([self.button, below])

    def _on_value(self, change: dict[str, Any], *, quiet: bool = False) -> None:
        self.button.description = f"b{self.bit} = {int(change['new'])}"
        if not quiet:
            self.act(int(change["new"]))


class RealSlider:
    """A real: a slider, a step down, a step up, and a button that shows its sweep."""

    def __init__(self, label: str, value: float, act: Callable[[float], None], choose: Callable[[], None],
                 label_width: int) -> None:
        low, high = SWEEP
        name = label.split(" · ")[0]
        self.slider = widgets.FloatSlider(
            value=min(max(value, low), high), min=low, max=high, step=STEP, description=label, readout_format="+.1f",
            style={"description_width": f"{label_width}px", "handle_color": BLUE},
            layout=widgets.Layout(width="0", flex="1 1 190px"),
        )
        self.slider.add_class("mrvae-real")
        self.slider.observe(lambda change: act(change["new"]), names="value")
        self.choose = action("sweep", choose, width="44px", tooltip=f"show the sweep of {name}")
        self.choose.add_class("mrvae-plain")
        down = action("−", lambda: self._step(-1), width="28px", tooltip=f"{name} down")
        up = action("+", lambda: self._step(+1), width="28px", tooltip=f"{name} up")
        for button in (down, up, self.choose):
            button.add_class("mrvae-small")
        self._marked = False
        self.panel = widgets.HBox([self.slider, down, up, self.choose])

    def mark(self, chosen: bool) -> None:
        """Show whether this real's sweep is the one on show."""
        if chosen != self._marked:
            (self.choose.add_class if chosen else self.choose.remove_class)("mrvae-chosen")
            self._marked = chosen

    def _step(self, direction: int) -> None:
        slider = self.slider
        slider.value = min(max(slider.value + direction * STEP, slider.min), slider.max)
