"""CompareExplorer: several models side by side, each with its own controls, all started from the same image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np

from mrvae_lib.analysis.sheets import png_bytes
from mrvae_lib.data import ImageSet
from mrvae_lib.interactive.display import enlarged, widget_or_picture, wrapped
from mrvae_lib.interactive.explorer import LatentExplorer
from mrvae_lib.interactive.explorer_state import decode_state
from mrvae_lib.interactive.explorer_widgets import ExampleWalk, classed, heading, styled
from mrvae_lib.model.vae import MRVAE

COLUMN_WIDTH = 350


class CompareExplorer:
    """An explorer per model; previous, next and class move all of them to the same image.

    Args:
        models: by the name to write above each, all of one image shape.
        images: where to start from. Without them the models' own examples are used, which must be of the same data.

    Raises:
        ValueError: the models cannot start from the same image.
    """

    def __init__(self, models: Mapping[str, MRVAE], images: ImageSet | None = None) -> None:
        data = {name: model.card.get("data") if model.examples else None for name, model in models.items()}
        if images is None and (len(set(data.values())) > 1 or None in data.values()):
            raise ValueError(f"models: their examples must be of the same data, got {data}; pass images to start from")
        self.explorers = {name: LatentExplorer(model, images, tiles=False) for name, model in models.items()}
        first = next(iter(self.explorers.values()))
        self.walk = ExampleWalk(first.content, self.go_to)
        columns = [
            widgets.VBox([heading(name), explorer.decoded.panel, explorer.latents, explorer.tiles, explorer.message],
                         layout=widgets.Layout(width=f"{COLUMN_WIDTH}px", margin="0 20px 0 0"))
            for name, explorer in self.explorers.items()
        ]
        panel = styled(first.model.image_shape, wrapped(*self.walk.controls), wrapped(*columns))
        self.panel = classed(panel, "mrvae-wide")

    def go_to(self, example: int) -> None:
        """Show a starting point in every explorer; counts around."""
        for explorer in self.explorers.values():
            explorer.go_to(example)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        pictures = [decode_state(explorer.model, explorer.state) for explorer in self.explorers.values()]
        gap = np.full_like(pictures[0][:, :2], 255)
        row = np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)
        codes = ", ".join(f"{name} {explorer.state.code or '-'}" for name, explorer in self.explorers.items())
        return widget_or_picture(self.panel, png_bytes(enlarged(row, 4)), f"CompareExplorer({codes})")
