"""Panel: a few controls, and what a function draws from their values."""

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any

import ipywidgets as widgets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mrvae_lib.analysis.figures import figure_png
from mrvae_lib.analysis.pictures import data_uri
from mrvae_lib.interactive.display import error_text, widget_or_picture, wrapped


class Panel:
    """Controls over the arguments of a function, and the figure or text that it returns for their values.

    What goes wrong in `draw` is shown as one line in place of the picture; the next move draws again.

    Args:
        draw: takes one value per control, by name; returns a matplotlib figure, an Axes, or text that may be HTML.
        controls: by name, as for `ipywidgets.interact`: (low, high, step) or (low, high) a slider, a list or dict a
            choice, True or False a tick, a number or text a field, or a widget.
    Raises:
        ValueError: a control that makes no widget; names it.
    """

    def __init__(self, draw: Callable[..., Figure | Axes | str], **controls: Any) -> None:
        self.draw, self.controls = draw, dict[str, Any]()
        self.shown = widgets.HTML(layout=widgets.Layout(max_width="100%"))
        for name, meant in controls.items():
            control = self.controls[name] = widgets.interactive.widget_from_abbrev(meant)
            if control is None:
                raise ValueError(f"the control {name} must be a range, a choice, a value or a widget, got {meant!r}")
            control.description = control.description or name
            control.style.description_width, control.layout.width = "110px", "360px"
            control.observe(self._show, names="value")
        self.panel = wrapped(widgets.VBox(list(self.controls.values())), self.shown)
        self._show()

    @property
    def values(self) -> dict[str, Any]:
        """What each control says now."""
        return {name: control.value for name, control in self.controls.items()}

    def _show(self, _: Any = None) -> None:
        try:
            drawn = self.draw(**self.values)
            self.png = b"" if isinstance(drawn, str) else figure_png(drawn)
        except Exception as error:  # the function is a reader's own: whatever it raises is said, and the panel goes on
            drawn, self.png = error_text(f"{type(error).__name__}: {error}"), b""
        picture = f'<img alt="{escape(self._text())}" style="max-width:100%" src="{data_uri(self.png)}">'
        self.shown.value = picture if self.png else f'<div style="margin-left:24px;max-width:420px">{drawn}</div>'

    def _text(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.values.items())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        said = "" if self.png else ": " + unescape(re.sub(r"<[^>]+>", " ", self.shown.value)).strip()
        return widget_or_picture(self.panel, self.png or None, f"Panel({self._text()}){said}")
