"""RotationExplorer: a slider that turns a code of two reals, with what scores say of it at that angle."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from mrvae_lib.interactive.display import widget_or_picture

SIDE, REACH, N_DRAWN = 300, 2.6, 400
"""Of the picture: its side in pixels, the largest value on an axis, and how many points are drawn."""


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
        shades = factors.max(axis=0)
        self._colours = [to_hex(plt.get_cmap("viridis")(value / shades[0])) for value in self.factors[:, 0]]
        self._sizes = 2 + 4 * self.factors[:, 1] / shades[1]
        self.slider = widgets.SelectionSlider(options=[(f"{angle} degrees", angle) for angle in self.angles],
                                              description="turn by", layout=widgets.Layout(width="340px"))
        self.picture, self.bars = widgets.HTML(), widgets.HTML()
        self.panel = widgets.HBox([self.picture, widgets.VBox([self.slider, self.bars])],
                                  layout=widgets.Layout(flex_flow="row wrap"))
        self.slider.observe(self._show, names="value")
        self._show()

    def _show(self, _: Any = None) -> None:
        unit, middle = SIDE / 2 / REACH, SIDE / 2
        points = "".join(
            f'<circle cx="{middle + unit * x:.1f}" cy="{middle - unit * y:.1f}" r="{size:.1f}" fill="{colour}"/>'
            for (x, y), size, colour in zip(self.codes, self._sizes, self._colours, strict=True)
        )
        axes = f'<path d="M0 {middle}H{SIDE}M{middle} 0V{SIDE}" stroke="#999"/>'
        names = f'<text x="{SIDE - 18}" y="{middle - 6}">z0</text><text x="{middle + 6}" y="14">z1</text>'
        turn = f"rotate({-self.slider.value} {middle} {middle})"
        self.picture.value = (f'<svg width="{SIDE}" height="{SIDE}" role="img" font-size="13">{axes}{names}'
                              f'<g transform="{turn}" fill-opacity="0.6">{points}</g></svg>')
        self.bars.value = "<table>" + "".join(
            f'<tr><td style="padding-right:8px">{name}</td><td style="width:180px"><div style="background:#0072B2;'
            f'height:12px;width:{180 * max(0.0, value):.0f}px"></div></td><td>{value:.2f}</td></tr>'
            for name, value in self._values().items()
        ) + "</table>"

    def _values(self) -> dict[str, float]:
        at = self.angles.index(self.slider.value)
        return {name: float(values[at]) + 0.0 for name, values in self.scores.items()}

    def _png(self) -> bytes:
        angle = np.radians(self.slider.value)
        x, y = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ self.codes.T
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3))
        left.scatter(x, y, s=self._sizes**2 * 2, c=self._colours, alpha=0.6, linewidths=0)
        left.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="z0", ylabel="z1", aspect="equal",
                 title=f"turned by {self.slider.value} degrees")
        values = self._values()
        right.barh(list(values)[::-1], list(values.values())[::-1], color="#0072B2")
        right.set(xlim=(0, 1))
        for axis in (left, right):
            axis.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=100)
        plt.close(figure)
        return buffer.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        values = ", ".join(f"{name} {value:.2f}" for name, value in self._values().items())
        return widget_or_picture(self.panel, self._png(), f"RotationExplorer({self.slider.value} degrees: {values})")
