"""BetaPanel: what a project's beta is in ours, live."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from mrvae_lib.config import SourceConfig
from mrvae_lib.dialects.beta import CONVENTIONS, ImageShape, beta_eff, beta_norm, weights
from mrvae_lib.interactive.display import widget_or_picture, wrapped


class BetaPanel:
    """A stated beta, what it multiplied, batch and data set size; beside them `beta_eff` and `beta_norm`.

    Args:
        source: the setting to open; 0.1 as in AxelNathanson's FashionMNIST CNN if None.
        image_shape: (C, H, W) of the images there.
        n_reals: D there, which only `beta_norm` needs.
    """

    def __init__(self, source: SourceConfig | None = None, *, image_shape: ImageShape = (1, 28, 28), n_reals: int = 3
                 ) -> None:
        source = source or SourceConfig(beta=0.1, convention="dataset-size", batch_size=256, n_images=48_000)
        self.image_shape = image_shape
        style = {"description_width": "110px"}
        self.beta = widgets.BoundedFloatText(source.beta, min=0, max=1e9, description="stated beta", style=style)
        self.convention = widgets.Dropdown(options=list(CONVENTIONS), value=source.convention,
                                           description="convention", style=style)
        self.batch_size, self.n_images, self.n_reals = (
            widgets.BoundedIntText(value, min=1, max=10**9, description=name, style=style)
            for name, value in (("batch size", source.batch_size), ("training images", source.n_images or 1),
                                ("reals", n_reals)))
        self.answer = widgets.HTML()
        controls = [self.beta, self.convention, self.batch_size, self.n_images, self.n_reals]
        for control in controls:
            control.observe(self._show, names="value")
        self.panel = wrapped(widgets.VBox(controls), self.answer)
        self._show()

    @property
    def source(self) -> SourceConfig:
        """The setting now."""
        return SourceConfig(beta=self.beta.value, convention=self.convention.value,
                            batch_size=self.batch_size.value, n_images=self.n_images.value)

    @property
    def beta_eff(self) -> float:
        """The beta of our loss that does the same: what to write into `objective.beta_z`."""
        return beta_eff(self.source, self.image_shape)

    def _show(self, _: Any = None) -> None:
        (reconstruction, kl), beta = weights(self.source, self.image_shape), self.beta.value
        norm = beta_norm(self.beta_eff, self.n_reals.value, self.image_shape)
        self.answer.value = (
            f"<div style='margin-left:24px; max-width:340px; line-height:1.5'>"
            f"<b>beta_eff {self.beta_eff:.4g}</b> in our loss<br>beta_norm {norm:.4g} ({self.n_reals.value} reals, "
            f"images {' x '.join(map(str, self.image_shape))})<br><small>{CONVENTIONS[self.convention.value]}<br>"
            f"there: {reconstruction:.4g} reconstruction + {beta:g} &middot; {kl:.4g} KL = ... + "
            f"<b>{beta * kl:.4g}</b> KL, both per image</small></div>")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return widget_or_picture(self.panel, None, f"BetaPanel(beta_eff {self.beta_eff:.4g})")
