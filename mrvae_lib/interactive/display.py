"""What a notebook is handed: pictures that carry their own data, colours, and a picture where widgets are not shown."""

import base64
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from mrvae_lib.analysis.pictures import data_uri, png_bytes

BLUE = "#0072B2"
"""Reals."""
DARK_ORANGE = "#B84E00"
"""Bits, and what went wrong. Both are dark enough to carry white text, and distinct to colour-blind readers."""


def inline_image(picture: np.ndarray, *, alt: str, width: str) -> str:
    """A uint8 picture as an <img> that carries its own data; the browser scales it without smoothing."""
    return (f'<img alt="{escape(alt)}" style="display:block;width:{width};image-rendering:pixelated" '
            f'src="{data_uri(png_bytes(picture))}">')


def error_text(message: str) -> str:
    """What went wrong, as coloured HTML."""
    return f'<span style="color:{DARK_ORANGE}">{escape(message)}</span>'


def wrapped(*children: widgets.Widget) -> widgets.HBox:
    """Widgets in a line that breaks where the cell is narrow."""
    return widgets.HBox(children, layout=widgets.Layout(flex_flow="row wrap", align_items="flex-start"))


def widget_or_picture(panel: widgets.DOMWidget, picture: bytes | None, text: str) -> dict[str, Any]:
    """What `_repr_mimebundle_` returns: the live panel; on GitHub or a printed page a PNG; in a terminal text."""
    view = {"version_major": 2, "version_minor": 0, "model_id": panel.model_id}
    still = {"image/png": base64.b64encode(picture).decode()} if picture else {}
    return {"text/plain": text, **still, "application/vnd.jupyter.widget-view+json": view}
