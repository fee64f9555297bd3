"""Figures of a model and of its run, drawn with matplotlib: tensors and numbers in, axes or a figure out."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from torch import Tensor

from mrvae_lib.analysis.evaluation import informative_latents
from mrvae_lib.analysis.pictures import tile
from mrvae_lib.analysis.traversals import MAX_SWEPT, sweep_values, traverse
from mrvae_lib.model.vae import MRVAE

BLUE, ORANGE = "#0072B2", "#D55E00"
"""The project's two colours, distinct to colour-blind readers: reals and bits."""
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5b6774", "#000000")
"""Okabe and Ito's, for curves."""
PANELS = {
    "loss": {"neg_elbo": "−ELBO", "reconstruction": "reconstruction"},
    "what latents carry": {"kl_z": "KL of z", "kl_b": "KL of b", "information_of_code": "I(x; b)"},
    "KL of each real": {"kl_of_real": "z"},
    "information of each bit": {"information_of_bit": "b"},
    "weights": {"weights": ""},
}
"""The charts of `plot_metrics`: the metrics in each by key, with the name of the curve; where a metric has several
numbers, the name begins with this and goes on with the number's own."""


def show_pictures(pictures: Tensor, columns: int, ax: Axes | None = None, *, title: str = "",
                  row_names: Sequence[str] = (), captions: Sequence[str] = ()) -> Axes:
    """Draw (N, C, H, W) pictures in [0, 1] as a grid, with a name before each row and a caption under each picture."""
    n, _, height, width = pictures.shape
    columns, rows = min(columns, n), math.ceil(n / columns)
    margin = round(0.2 * height * max((1 + caption.count("\n") for caption in captions), default=0))
    grid = tile(torch.nn.functional.pad(pictures, (0, 0, 0, margin), value=1.0), columns)
    if ax is None:
        across = min(9, 0.75 * columns)
        figure = plt.figure(figsize=(across, max(0.5, across * grid.shape[0] / grid.shape[1])))
        ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(grid, interpolation="nearest" if max(height, width) < 72 else "auto")
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([(row + 0.5) * grid.shape[0] / rows - margin / 2 for row in range(len(row_names))], row_names)
    ax.tick_params(length=0, labelsize=8)
    for i, caption in enumerate(captions):
        row, column = divmod(i, columns)
        ax.text((column + 0.5) * (width + 1), (row + 1) * (height + margin + 1) - margin, caption, fontsize=7,
                color="0.3", ha="center", va="top", linespacing=1)
    ax.set_title(title, fontsize=9, loc="left")
    return ax


def plot_information(kl_of_real: Sequence[float], information_of_bit: Sequence[float], ax: Axes | None = None) -> Axes:
    """Bars of what each latent tells about the image, in nats: reals by KL, bits by I(x; b_k), with a bit's bound."""
    ax = ax or plt.subplots(figsize=(7, 2.4))[1]
    n_reals, n_bits = len(kl_of_real), len(information_of_bit)
    ax.bar(range(n_reals), kl_of_real, color=BLUE)
    ax.bar(range(n_reals, n_reals + n_bits), information_of_bit, color=ORANGE)
    if n_bits:
        ax.hlines(math.log(2), n_reals - 0.5, n_reals + n_bits - 0.5, color="0.4", linestyle="--", linewidth=1)
        ax.text(n_reals + n_bits - 0.5, math.log(2), "ln 2", color="0.4", fontsize=8, ha="right", va="bottom")
    names = [f"z{i}" for i in range(n_reals)] + [f"b{k}" for k in range(n_bits)]
    ax.set_xticks(range(len(names)), names, rotation=90 if len(names) > 10 else 0)
    ax.set_ylim(0, 1.15 * max([math.log(2), *kl_of_real]))
    _finish(ax, "", "nats per image")
    ax.set_title("KL of each real z, I(x; b) of each bit b", fontsize=10, loc="left")
    return ax


def plot_reconstructions(model: MRVAE, x: Tensor, ax: Axes | None = None) -> Axes:
    """Images above what the decoder makes of their mean reals and hard bits; x is (N, C, H, W) in [0, 1]."""
    with torch.inference_mode():
        pair = torch.cat([x, model.reconstruct(x).to(x.device)])
    return show_pictures(pair, columns=len(x), ax=ax, title="originals above reconstructions")


def plot_traversals(model: MRVAE, mu: Tensor, bits: Tensor, kl_of_real: Sequence[float],
                    information_of_bit: Sequence[float] = (), *, reals: Sequence[int] | None = None,
                    values: Tensor | None = None, title: str = "") -> Axes:
    """One row per real, swept from the first starting point, and one per bit, off and on at several.

    Args:
        mu: (N, D) and bits: (N, K), starting points.
        kl_of_real: (D,) nats, which labels the rows.
        information_of_bit: (K,) nats, labels.
        reals: which ones; the `MAX_SWEPT` that carry most information, if None.
        values: (D, V) of each real; `sweep_values()` for all if None.
    """
    values = sweep_values().repeat(model.n_reals, 1) if values is None else values
    if reals is None:
        reals = (informative_latents(kl_of_real) or range(model.n_reals))[:MAX_SWEPT]
    columns = values.shape[1]
    n_pairs = min(columns // 2, len(mu))
    rows, names, captions = [], [], []
    for i in reals:
        rows.append(traverse(model, mu[0], bits[0], real=i, values=values[i]))
        names.append(f"z{i}\n{kl_of_real[i]:.2f} nats")
        captions += [f"{value:+.2f}" for value in values[i].tolist()]
    for k in range(model.n_bits):
        flips = traverse(model, mu[:n_pairs], bits[:n_pairs], bit=k).flatten(0, 1)
        rows += [flips, flips.new_ones(columns - len(flips), *flips.shape[1:])]
        names.append(f"b{k}\n{information_of_bit[k]:.2f} nats" if len(information_of_bit) else f"b{k}")
        captions += ["off", "on"] * n_pairs + [""] * (columns - len(flips))
    ax = show_pictures(torch.cat(rows), columns, row_names=names, captions=captions, title=title)
    for label in ax.get_yticklabels():
        label.set_color(ORANGE if label.get_text().startswith("b") else BLUE)
    return ax


def plot_code_lattice(model: MRVAE, z: Tensor) -> Axes:
    """Every code at the same reals (D,), named."""
    pictures = traverse(model, z, torch.zeros(model.n_bits))
    names = [format(code, f"0{model.n_bits}b") for code in range(len(pictures))]  # in binary, such as 0110
    return show_pictures(pictures, 2 ** math.ceil(model.n_bits / 2), captions=names)


def plot_scatter(mu: Tensor, labels: Tensor | None = None, label_names: Sequence[str] = ()) -> Axes:
    """The means of a set of images on their first two principal axes, coloured by label.

    Args:
        mu: (N, D), N > 1, D >= 1; two reals are drawn as they are.
        labels: (N,), for the colours.
    """
    from sklearn.decomposition import PCA

    points, axes = mu.numpy(), ("z0", "z1")
    if mu.shape[1] != 2:
        points = PCA(n_components=min(2, *mu.shape), random_state=0).fit_transform(points)
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
        axes = ("first principal axis", "second principal axis")
    ax = plt.subplots(figsize=(7, 5.4))[1]
    style: dict[str, Any] = {"s": max(2, min(16, 20_000 / len(points))), "linewidths": 0, "alpha": 0.6}
    if labels is None:
        ax.scatter(*points.T, color=BLUE, **style)
    else:
        present = labels.unique().tolist()
        colours = plt.get_cmap("tab10" if len(present) <= 10 else "tab20")
        for i, label in enumerate(present):
            ax.scatter(*points[labels.numpy() == label].T, color=colours(i % colours.N),
                       label=label_names[label] if label_names else str(label), **style)
        ax.legend(frameon=False, fontsize=8, markerscale=max(1, 5 / style["s"] ** 0.5), loc="center left",
                  bbox_to_anchor=(1, 0.5))
    _finish(ax, *axes)
    return ax


def plot_metrics(rows: Sequence[Mapping[str, Any]], panels: Sequence[str] = tuple(PANELS),
                 figure: FigureBase | None = None) -> FigureBase:
    """The curves of a run: a chart per panel that has something to show, dashed for test images.

    Args:
        rows: what `metrics.jsonl` holds, oldest first; what a row lacks is left out of the curve.
        panels: which charts, of `PANELS`.
        figure: where to draw; a new one if None.
    """
    curves = {panel: found for panel in panels if (found := _curves(rows, PANELS[panel]))}
    columns, n_rows = min(3, max(1, len(curves))), max(1, math.ceil(len(curves) / 3))
    figure = figure or plt.figure(figsize=(3.6 * columns, 2.6 * n_rows), layout="constrained")
    for place, (panel, lines) in enumerate(curves.items(), start=1):
        ax = figure.add_subplot(n_rows, columns, place)
        twins = list(dict.fromkeys(name.removeprefix("test ") for name in lines))
        for name, points in lines.items():
            ax.plot(*zip(*points, strict=True), color=COLOURS[twins.index(name.removeprefix("test ")) % len(COLOURS)],
                    label=name, linestyle="--" if name.startswith("test ") else "-",
                    marker="o" if len(points) == 1 else None, markersize=4)
        _finish(ax, "epoch", "" if panel == "weights" else "nats per image")
        ax.set_title(panel, fontsize=10, loc="left")
        if panel not in ("loss", "weights"):
            ax.set_ylim(0, max(0.5, ax.get_ylim()[1]))  # the curves of a collapsed run should lie on the ground
        ax.legend(frameon=False, fontsize=7, ncols=math.ceil(len(lines) / 8))
    return figure


def save_figure(figure_or_axes: FigureBase | Axes, path: Path) -> Path:
    """Write a figure as PNG and close it."""
    path.write_bytes(figure_png(figure_or_axes, dpi=144))
    return path


def figure_png(figure_or_axes: FigureBase | Axes, *, dpi: int = 96) -> bytes:
    """A figure as the bytes of a PNG file; the figure is closed."""
    figure: Any = figure_or_axes.get_figure() if isinstance(figure_or_axes, Axes) else figure_or_axes
    buffer = io.BytesIO()
    bounds = None if figure.get_layout_engine() else "tight"  # a layout engine has already made everything fit
    plt.close(figure)  # first, so that none stays open if it cannot be drawn; it can still be saved
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches=bounds, facecolor="white")
    return buffer.getvalue()


def _curves(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
    """Points (epoch, value) by the name of the curve; a table or a list of numbers gives a curve for each of them.

    A curve that is 0 everywhere belongs to a part that the model does not have, and is left out.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for prefix, values in (("", row), ("test ", row.get("test", {}))):
            for key, name in names.items():
                value = values.get(key, {})
                if isinstance(value, Sequence):
                    value = dict(enumerate(value))
                elif not isinstance(value, Mapping):
                    value = {"": value}
                for part, each in value.items():
                    found.setdefault(f"{prefix}{name}{part}", []).append((row["epoch"], each))
    return {curve: points for curve, points in found.items() if any(value for _, value in points)}


def _finish(ax: Axes, x_name: str, y_name: str) -> None:
    """Name the axes, and draw only the two that carry a scale."""
    ax.set(xlabel=x_name, ylabel=y_name)
    ax.spines[["top", "right"]].set_visible(False)
