"""LatentExplorer: a slider for each informative real, a button for each bit, and the picture they make.

Core ipywidgets only, and only what 7.7.1 (Colab) and 8.1 have in common. The picture is one HTML widget holding an
inline PNG: no Output widget and no matplotlib stand between a slider and its picture.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import ipywidgets as widgets
import torch

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.data.imageset import ImageSet
from mrvae_lib.interactive.export import PageFrame, page_frame
from mrvae_lib.interactive.state import (
    STEP,
    ExplorerState,
    decode_state,
    explorer_content,
    inline_image,
    png_bytes,
)
from mrvae_lib.model.vae import MRVAE

PICTURE_WIDTH = 280


class LatentExplorer:
    """An interactive view of a model's latents.

    Args:
        model: in evaluation mode; its card, if any, orders and labels the controls.
        images: starting points and, where the card does not tell, what the latents are measured on.
            Without images the model's own encoded examples are the starting points.
        state: the view to open; the first starting point if None.
    """

    def __init__(self, model: MRVAE, images: ImageSet | None = None, state: ExplorerState | None = None) -> None:
        self.model = model
        self.content = explorer_content(model, images)
        self._state = self._checked(state) if state is not None else self.content.starts[0]
        self._quiet = False  # while the state sets the controls, they do not set the state

        self.sliders: dict[int, widgets.FloatSlider] = {
            i: self._slider(i, label) for i, label in self.content.reals.items()
        }
        self.bits: list[widgets.ToggleButton] = [
            self._bit_button(k, label) for k, label in enumerate(self.content.bits)
        ]
        self.picture = widgets.HTML(layout=widgets.Layout(width=f"{PICTURE_WIDTH}px", min_height=f"{PICTURE_WIDTH}px"))
        self.caption = widgets.HTML()
        self.message = widgets.HTML()
        self.panel = self._panel()
        self._show()

    @property
    def state(self) -> ExplorerState:
        """The view now; assign one to show it."""
        return self._state

    @state.setter
    def state(self, state: ExplorerState) -> None:
        self._state = self._checked(state)
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
        """Show a draw from the prior."""
        z, b = torch.randn(self.model.n_reals), torch.randint(0, 2, (self.model.n_bits,))
        self.state = ExplorerState.from_latents(z.clamp(*SWEEP), b)

    def png(self, *, scale: int = 1) -> bytes:
        """The picture now, as PNG, each pixel `scale` pixels wide."""
        return png_bytes(decode_state(self.model, self.state).repeat(scale, axis=0).repeat(scale, axis=1))

    def as_page(self, *, height: int = 680) -> PageFrame:
        """This view as a page in the notebook that decodes in the browser: no kernel between slider and picture."""
        return page_frame(self.model, content=self.content, state=self.state, height=height)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        text = f"LatentExplorer(code {self.state.code or 'none'}, z {list(self.state.z)})"
        return widget_or_picture(self.panel, self.png(scale=8), text)

    def _show(self) -> None:
        with self._errors_shown():
            alt = f"decoded picture, code {self.state.code or 'none'}"
            self.picture.value = inline_image(decode_state(self.model, self.state), alt=alt, width=PICTURE_WIDTH)
            self.caption.value = self._caption()

    def _caption(self) -> str:
        code = f"code <b>{self.state.code}</b>" if self.model.n_bits else "no bits"
        example = self.state.example
        if example is None:
            return f"{code}, drawn from the prior" if not self._touched() else code
        label = f", a {self.content.labels[example]}" if self.content.labels else ""
        return f"{code}{' · changed from' if self._touched() else ' ·'} test image {example}{label}"

    def _touched(self) -> bool:
        return self.state.example is not None and self.state != self.content.starts[self.state.example]

    def _on_slider(self, i: int, change: dict[str, Any]) -> None:
        if not self._quiet:
            self._state = self._state.with_real(i, change["new"])
            self._show()

    def _on_bit(self, k: int, change: dict[str, Any]) -> None:
        self._dress(self.bits[k])
        if not self._quiet:
            self._state = self._state.with_bit(k, change["new"])
            self._show()

    def _checked(self, state: ExplorerState) -> ExplorerState:
        if (len(state.z), len(state.b)) != (self.model.n_reals, self.model.n_bits):
            raise ValueError(f"state: this model has {self.model.n_reals} reals and {self.model.n_bits} bits, "
                             f"got {len(state.z)} and {len(state.b)}")
        n_starts = len(self.content.starts)
        if state.example is not None and not 0 <= state.example < n_starts:
            raise ValueError(f"state: example must be in 0..{n_starts - 1} or None, got {state.example}")
        return state

    @contextmanager
    def _errors_shown(self) -> Iterator[None]:
        # An exception in a widget's callback would vanish: show it in the panel, and raise it all the same.
        try:
            yield
        except Exception as error:
            self.message.value = f'<span style="color:#D55E00">{type(error).__name__}: {error}</span>'
            raise
        else:
            self.message.value = ""

    def _slider(self, i: int, label: str) -> widgets.FloatSlider:
        low, high = SWEEP
        slider = widgets.FloatSlider(
            value=min(max(self._state.z[i], low), high), min=low, max=high, step=STEP, description=label,
            readout_format="+.1f", style={"description_width": "110px"}, layout=widgets.Layout(width="340px"),
        )
        slider.observe(partial(self._on_slider, i), names="value")
        return slider

    def _bit_button(self, k: int, label: str) -> widgets.ToggleButton:
        button = widgets.ToggleButton(
            value=bool(self._state.b[k]), tooltip=label, layout=widgets.Layout(width="76px"),
        )
        button.add_class(f"mrvae-bit-{k}")
        button.observe(partial(self._on_bit, k), names="value")
        self._dress(button, k)
        return button

    def _dress(self, button: widgets.ToggleButton, k: int | None = None) -> None:
        k = self.bits.index(button) if k is None else k
        button.description = f"b{k} = {int(button.value)}"
        button.button_style = "info" if button.value else ""

    def _panel(self) -> widgets.VBox:
        rows: list[Any] = []
        if self.bits:
            rows += [_heading("Bits: what it is"), widgets.HBox(self.bits, layout=widgets.Layout(flex_flow="row wrap"))]
        if self.sliders:
            rows.append(_heading("Reals: how it looks"))
            rows += [self._slider_row(slider) for slider in self.sliders.values()]
        rows.append(widgets.HBox([
            self._action("previous", lambda: self.go_to((self.state.example or 0) - 1)),
            self._action("next", lambda: self.go_to((self.state.example or 0) + 1)),
            self._action("reset", lambda: self.go_to(self.state.example or 0)),
            self._action("random", self.randomise),
        ]))
        left = widgets.VBox([self.picture, self.caption], layout=widgets.Layout(margin="0 24px 0 0"))
        return widgets.VBox([
            widgets.HBox([left, widgets.VBox(rows)], layout=widgets.Layout(flex_flow="row wrap")), self.message,
        ])

    def _slider_row(self, slider: widgets.FloatSlider) -> widgets.HBox:
        def move(direction: int) -> None:
            slider.value = min(max(slider.value + direction * STEP, slider.min), slider.max)

        name = slider.description.split(" ")[0]
        return widgets.HBox([
            self._action("−", lambda: move(-1), width="32px", tooltip=f"{name} down"),
            self._action("+", lambda: move(+1), width="32px", tooltip=f"{name} up"),
            slider,
        ])

    def _action(self, label: str, act: Callable[[], None], *, width: str = "82px", tooltip: str = "") -> widgets.Button:
        button = widgets.Button(description=label, tooltip=tooltip or label, layout=widgets.Layout(width=width))

        def on_click(_: widgets.Button) -> None:
            with self._errors_shown():
                act()

        button.on_click(on_click)
        return button


def widget_or_picture(panel: widgets.DOMWidget, picture: bytes, text: str) -> dict[str, Any]:
    """What to hand a notebook: front ends with widgets show the panel, others (GitHub, a printed page) the picture."""
    view = {"version_major": 2, "version_minor": 0, "model_id": panel.model_id}
    return {
        "text/plain": text,
        "image/png": base64.b64encode(picture).decode(),
        "application/vnd.jupyter.widget-view+json": view,
    }


def _heading(text: str) -> widgets.HTML:
    return widgets.HTML(f'<div style="margin-top:6px;font-weight:600">{text}</div>')
