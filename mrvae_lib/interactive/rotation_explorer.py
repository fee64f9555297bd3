"""RotationExplorer: a slider that turns a code of two reals, with what scores say of it at that angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from mrvae_lib.analysis.figures import BLUE, figure_png
from mrvae_lib.analysis.pictures import data_uri
from mrvae_lib.interactive.display import widget_or_picture

REACH, N_DRAWN = 2.6, 400
"""The largest value on an axis, and how many points are drawn."""


class RotationExplorer:
    """Two reals as points, turned by a slider; colour is one factor, size the other.

    Args:
        codes: (N, 2) before they are turned.
        factors: (N, 2) integers.
        scores: by name, one value in [0, 1] per angle.
        angles: degrees, in ascending order.
    Raises:
        ValueError: codes and factors are not pairs, or a score lacks an angle.
    """

    def __init__(self, codes: NDArray[Any], factors: NDArray[Any], scores: Mapping[str, Sequence[float]],
                 angles: Sequence[int]) -> None:
        if codes.shape != factors.shape or codes.shape[1:] != (2,):
            raise ValueError(f"codes and factors must be (N, 2), got {codes.shape} and {factors.shape}")
        for name, values in scores.items():
            if len(values) != len(angles):
                raise ValueError(f"{name} needs a value for each of {len(angles)} angles, got {len(values)}")
        some = np.random.default_rng(0).permutation(len(codes))[:N_DRAWN]
        self.codes, self.factors, self.scores, self.angles = codes[some], factors[some], scores, list(angles)
        self.slider = widgets.SelectionSlider(options=[(f"{angle} degrees", angle) for angle in self.angles],
                                              description="turn by", layout=widgets.Layout(width="340px"))
        self.picture = widgets.HTML()
        self.panel = widgets.VBox([self.slider, self.picture])
        self.slider.observe(self._show, names="value")
        self._show()

    def values(self) -> dict[str, float]:
        """Each score at the slider's angle."""
        at = self.angles.index(self.slider.value)
        return {name: float(values[at]) + 0.0 for name, values in self.scores.items()}  # no -0

    def png(self) -> bytes:
        """The points at the slider's angle beside a bar per score."""
        angle = np.radians(self.slider.value)
        x, y = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ self.codes.T
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
        sizes = 2 * (2 + 4 * self.factors[:, 1] / self.factors[:, 1].max()) ** 2
        left.scatter(x, y, s=sizes, c=self.factors[:, 0], vmin=0, alpha=0.6, linewidths=0)
        left.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="z0", ylabel="z1", aspect="equal",
                 title=f"turned by {self.slider.value} degrees")
        values = self.values()
        bars = right.barh(list(values), list(values.values()), color=BLUE)
        right.bar_label(bars, fmt="%.2f", padding=3)
        right.set(xlim=(0, 1.15))
        right.invert_yaxis()
        for ax in (left, right):
            ax.spines[["top", "right"]].set_visible(False)
        return figure_png(figure)

    def _show(self, _: Any = None) -> None:
        self.picture.value = (f'<img alt="the code turned by {self.slider.value} degrees: {self._told()}" '
                              f'src="{data_uri(self.png())}">')

    def _told(self) -> str:
        return ", ".join(f"{name} {value:.2f}" for name, value in self.values().items())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        text = f"RotationExplorer({self.slider.value} degrees: {self._told()})"
        return widget_or_picture(self.panel, self.png(), text)
