"""FactorExplorer: sliders over the true factors of a data set, the picture that a perfect code would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np

from mrvae_lib.analysis.pictures import enlarged, png_bytes
from mrvae_lib.data import FactorSet
from mrvae_lib.interactive.display import as_picture, inline_image, widget_or_picture, wrapped

PICTURE_WIDTH = 280


class FactorExplorer:
    """A slider for each factor and the image that has these values.

    Args:
        images: a set that has every combination of its factors.
        factors: one index per factor to start from; the middle of each if None.
    Raises:
        ValueError: an index out of range; names the factor.
    """

    def __init__(self, images: FactorSet, factors: Sequence[int] | None = None) -> None:
        self.images = images
        start = [size // 2 for size in images.factor_sizes] if factors is None else list(factors)
        images.index([start])  # refuses what is out of range, by name
        self.sliders: dict[str, widgets.SelectionSlider] = {}
        for name, values, index in zip(images.factor_names, images.factor_values, start, strict=True):
            texts = [value if isinstance(value, str) else f"{value:.2f}" for value in values]
            self.sliders[name] = widgets.SelectionSlider(
                options=[(text, i) for i, text in enumerate(texts)], value=index, description=name,
                style={"description_width": "90px"}, layout=widgets.Layout(width="360px"))
            self.sliders[name].observe(self._show, names="value")
        self.picture = widgets.HTML(layout=widgets.Layout(width=f"{PICTURE_WIDTH}px", min_height=f"{PICTURE_WIDTH}px"))
        self.caption = widgets.HTML()
        left = widgets.VBox([self.picture, self.caption], layout=widgets.Layout(margin="0 24px 0 0"))
        self.panel = wrapped(left, widgets.VBox(list(self.sliders.values())))
        self._show()

    @property
    def factors(self) -> list[int]:
        """The index of each factor now."""
        return [slider.value for slider in self.sliders.values()]

    @property
    def image(self) -> np.ndarray:
        """The picture that is shown, (H, W) or (H, W, 3) uint8."""
        return as_picture(self.images.at([self.factors])[0] / 255)

    def _show(self, _: Any = None) -> None:
        number = int(self.images.index([self.factors]))
        self.picture.value = inline_image(self.image, alt=f"image {number:,}", width=f"{PICTURE_WIDTH}px")
        self.caption.value = f"image {number:,} of {len(self.images):,}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return widget_or_picture(self.panel, png_bytes(enlarged(self.image, 4)), f"FactorExplorer({self.factors})")
