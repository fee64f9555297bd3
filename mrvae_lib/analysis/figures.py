"""Pictures of a model as matplotlib axes or figures: tensors in, axes out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mrvae_lib.analysis.evaluation import informative_reals
from mrvae_lib.analysis.pictures import grouped, tile
from mrvae_lib.analysis.traversals import bit_flips, code_lattice, real_sweep, sweep_values
from mrvae_lib.model.codes import all_codes, code_name
from mrvae_lib.model.vae import MRVAE

BLUE, ORANGE = "#0072B2", "#D55E00"
"""The project's two colours, distinct to colour-blind readers: reals and bits."""


def show_pictures(pictures: Tensor, columns: int, ax: Axes | None = None, *, title: str = "",
                  row_names: Sequence[str] = ()) -> Axes:
    """Draw (N, C, H, W) pictures in [0, 1] as a grid, with a name before each row if given."""
    rows = math.ceil(len(pictures) / columns)
    if ax is None:
        ax = plt.subplots(figsize=(min(9, 0.75 * columns), 0.75 * rows * min(1, 12 / columns) + 0.3))[1]
    grid = tile(pictures, columns)
    ax.imshow(grid, interpolation="nearest")
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([(row + 0.5) * grid.shape[0] / rows for row in range(len(row_names))], row_names)
    ax.tick_params(length=0)
    if title:
        ax.set_title(title, fontsize=10, loc="left")
    return ax


def plot_information(kl_of_real: Sequence[float], information_of_bit: Sequence[float], ax: Axes | None = None) -> Axes:
    """Bars of what each latent tells about the image, in nats: reals by KL, bits by I(x; b_k), with a bit's bound."""
    ax = ax or plt.subplots(figsize=(7, 2.4))[1]
    n_reals, n_bits = len(kl_of_real), len(information_of_bit)
    ax.bar(range(n_reals), kl_of_real, color=BLUE, label="reals: KL")
    ax.bar(range(n_reals, n_reals + n_bits), information_of_bit, color=ORANGE, label="bits: I(x; b)")
    if n_bits:
        ax.hlines(math.log(2), n_reals - 0.5, n_reals + n_bits - 0.5, color="0.4", linestyle="--", linewidth=1,
                  label="most a bit can tell, ln 2")
    names = [f"z{i}" for i in range(n_reals)] + [f"b{k}" for k in range(n_bits)]
    ax.set_xticks(range(n_reals + n_bits), names)
    ax.set(ylabel="nats per image", ylim=(0, 1.05 * max([math.log(2), *kl_of_real])))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return ax


def plot_reconstructions(model: MRVAE, x: Tensor, ax: Axes | None = None) -> Axes:
    """Images above what the decoder makes of their mean reals and hard bits; x is (N, C, H, W) in [0, 1]."""
    with torch.inference_mode():
        pair = torch.cat([x, model.reconstruct(x)])
    return show_pictures(pair, columns=len(x), ax=ax, title="originals above reconstructions")


def plot_traversals(model: MRVAE, mu: Tensor, bits: Tensor, kl_of_real: Sequence[float],
                    information_of_bit: Sequence[float] = ()) -> Figure:
    """One row per informative real, swept from the first starting point, and one per bit, off | on at several.

    Args:
        mu: (N, D) and bits: (N, K), starting points.
        kl_of_real: (D,) nats, which orders and labels the rows.
        information_of_bit: (K,) nats, labels.
    """
    values, n_pairs = sweep_values(11), min(5, len(mu))
    reals = informative_reals(kl_of_real)
    rows: list[tuple[str, Tensor, int]] = [
        (f"z{i}\n{kl_of_real[i]:.2f} nats", real_sweep(model, mu[0], bits[0], i, values), 1) for i in reals
    ]
    for k in range(model.n_bits):
        told = f"\n{information_of_bit[k]:.2f} nats" if len(information_of_bit) else ""
        rows.append((f"b{k}{told}", bit_flips(model, mu[:n_pairs], bits[:n_pairs], k).flatten(0, 1), 2))
    figure, axes = plt.subplots(max(1, len(rows)), 1, figsize=(7.5, 0.72 * max(1, len(rows)) + 0.5), squeeze=False)
    for ax, (label, pictures, group) in zip(axes[:, 0], rows, strict=False):
        strip = grouped(tile(pictures, len(pictures)), len(pictures), group)
        ax.imshow(strip, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_anchor("W")
        colour = BLUE if group == 1 else ORANGE
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8, color=colour)
    low, high = float(values[0]), float(values[-1])
    axes[0, 0].set_title(f"each real from {low:g} to {high:g}; each bit off | on, from {n_pairs} starting points",
                         fontsize=9, loc="left")
    figure.tight_layout(h_pad=0.3)
    return figure


def plot_code_lattice(model: MRVAE, z: Tensor, probs: Tensor | None = None) -> Figure:
    """Every code at the same reals, named; with the probabilities q(b), their share of the images.

    Args:
        z: (D,). probs: (2^K,).
    """
    pictures, codes = code_lattice(model, z), all_codes(model.n_bits)
    columns = 2 ** math.ceil(model.n_bits / 2)
    rows = len(codes) // columns
    figure, axes = plt.subplots(rows, columns, figsize=(1.15 * columns, 1.35 * rows), squeeze=False)
    for i, (ax, code) in enumerate(zip(axes.flat, codes, strict=True)):
        ax.imshow(tile(pictures[i : i + 1], 1, gap=0), interpolation="nearest")
        ax.set_axis_off()
        share = f"  {100 * float(probs[i]):.0f} %" if probs is not None else ""
        ax.set_title(code_name(code) + share, fontsize=8, pad=3)
    figure.tight_layout(pad=0.4)
    return figure


def plot_code_samples(model: MRVAE, n: int = 10, *, generator: torch.Generator | None = None, ax: Axes | None = None
                      ) -> Axes:
    """n draws of z from the prior for each code, a row per code, the same draws in every row."""
    z, codes = torch.randn(n, model.n_reals, generator=generator), all_codes(model.n_bits)
    with torch.inference_mode():
        pictures = model.decode(z.repeat(len(codes), 1), codes.repeat_interleave(n, dim=0))
    return show_pictures(pictures, n, ax, row_names=[code_name(code) for code in codes])


def plot_code_usage(probs: Tensor, ax: Axes | None = None) -> Axes:
    """Bars of q(b), the share of images that have each code, beside even use; probs is (2^K,)."""
    n_codes, n_bits = len(probs), round(math.log2(len(probs)))
    ax = ax or plt.subplots(figsize=(max(3, min(9, 0.45 * n_codes)), 2.4))[1]
    ax.bar(range(n_codes), (100 * probs).tolist(), color=ORANGE)
    ax.axhline(100 / n_codes, color="0.4", linestyle="--", linewidth=1, label="even use")
    if n_codes <= 32:
        ax.set_xticks(range(n_codes), [code_name(code) for code in all_codes(n_bits)], rotation=90 if n_bits > 3 else 0)
    ax.set(xlabel="code", ylabel="% of images")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_capacity(steps: Sequence[float], kl: Sequence[float], capacity: Sequence[float], ax: Axes | None = None
                  ) -> Axes:
    """The KL of a run beside the capacity C(t) that it was asked to have, both in nats per image."""
    ax = ax or plt.subplots(figsize=(6, 2.6))[1]
    ax.plot(steps, kl, color=BLUE, label="KL")
    ax.plot(steps, capacity, color="0.4", linestyle="--", label="capacity C(t)")
    ax.set(xlabel="step", ylabel="nats per image")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_factor_information(matrix: Sequence[Sequence[float]], factor_names: Sequence[str], *, n_bits: int = 0,
                            ax: Axes | None = None) -> Axes:
    """A map of what every latent tells of every factor, in nats: a latent per row, dark where it tells much.

    Args:
        matrix: (D + K, F), as `MetricResult.matrix` of `mig` has it for reals and then a column per bit.
        n_bits: K, how many of the last rows are bits.
    """
    values = np.asarray(matrix, dtype=float)
    if values.shape[1] != len(factor_names):
        raise ValueError(f"matrix must have a column per factor, got {values.shape} and {len(factor_names)} names")
    n_reals = len(values) - n_bits
    ax = ax or plt.subplots(figsize=(1 + 0.95 * len(factor_names), 0.8 + 0.36 * len(values)))[1]
    image = ax.imshow(values, cmap="Blues", vmin=0, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                color="white" if value > 0.6 * values.max() else "0.2")
    names = [f"z{i}" for i in range(n_reals)] + [f"b{k}" for k in range(n_bits)]
    ax.set_yticks(range(len(names)), names)
    ax.set_xticks(range(len(factor_names)), factor_names)
    ax.tick_params(length=0)
    plt.colorbar(image, ax=ax, label="nats told")
    return ax


def save_figure(figure_or_axes: Figure | Axes, path: Path) -> Path:
    """Write a figure as PNG and let it go."""
    figure: Any = figure_or_axes if isinstance(figure_or_axes, Figure) else figure_or_axes.get_figure()
    figure.savefig(path, dpi=144, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return path


def latent_scatter(mu: Tensor, labels: Tensor | None = None, names: Sequence[str] = (), ax: Axes | None = None, *,
                   title: str = "", most: int = 5_000) -> Axes:
    """The means of many images in the plane in which they vary most (PCA), coloured by label or by code.

    Two reals are only turned; a single one is drawn against chance, so that points do not cover each other.

    Args:
        mu: (N >= 2, D >= 1).
        labels: (N,) int64 >= 0, for colours.
        names: what each label is called; its number if left out.
        most: points drawn, the first so many.
    Raises:
        ValueError: no real, or fewer than two images.
    """
    if mu.ndim != 2 or len(mu) < 2 or not mu.shape[1]:
        raise ValueError(f"mu must be (N, D) with N at least 2 and D at least 1, got {tuple(mu.shape)}")
    centred = mu[:most].double() - mu[:most].double().mean(dim=0)
    variances, directions = torch.linalg.eigh(centred.T @ centred / len(centred))  # smallest first
    directions = directions.flip(1)[:, :2]
    flips = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True)).sign()
    points = centred @ (directions * flips)
    shares = (variances.flip(0)[:2] / variances.sum().clamp(min=1e-12)).tolist()
    axis_names = [f"component {i} ({100 * share:.0f} % of the variance)" for i, share in enumerate(shares, 1)]
    if mu.shape[1] == 1:
        chance = torch.rand(len(points), 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        points, axis_names = torch.cat([points, chance], dim=1), ["z0, centred", "drawn at random"]
    ax = ax or plt.subplots(figsize=(6, 5))[1]
    if labels is None:
        ax.scatter(points[:, 0], points[:, 1], s=5, color=BLUE, alpha=0.5, linewidths=0)
    else:
        shown = labels[:most]
        values = shown.unique().tolist()
        colours = plt.get_cmap("tab10" if len(values) <= 10 else "tab20" if len(values) <= 20 else "turbo")
        for i, value in enumerate(values):
            colour = colours(i) if len(values) <= 20 else colours(i / (len(values) - 1))
            own = points[shown == value]
            ax.scatter(own[:, 0], own[:, 1], s=5, color=colour, alpha=0.6, linewidths=0,
                       label=names[value] if len(names) else str(value))
        if len(values) <= 20:
            ax.legend(frameon=False, fontsize=8, markerscale=3, bbox_to_anchor=(1, 1), loc="upper left")
    ax.set(xlabel=axis_names[0], ylabel=axis_names[1])
    ax.spines[["top", "right"]].set_visible(False)
    if title:
        ax.set_title(title, fontsize=10, loc="left")
    return ax
