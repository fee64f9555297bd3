"""Pictures of a model, as matplotlib axes or figures, and as an animation."""

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
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from mrvae_lib.analysis.encoding import informative_reals
from mrvae_lib.analysis.traversals import bit_flips, code_lattice, real_sweep, sweep_values
from mrvae_lib.model.codes import all_codes, code_name
from mrvae_lib.model.vae import MRVAE

BLUE, ORANGE = "#0072B2", "#D55E00"
"""The project's two colours, distinct to colour-blind readers: reals and bits."""


def tile(pictures: Tensor, columns: int, *, gap: int = 1) -> np.ndarray:
    """Pictures laid out in rows, white between them.

    Args:
        pictures: (N, C, H, W) in [0, 1].
    Returns:
        (H', W', 3) uint8.
    """
    grid = make_grid(pictures, nrow=columns, padding=gap, pad_value=1.0)
    return grid.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()


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
    ax.set(ylabel="nats per image", ylim=(0, 1.15 * max([math.log(2), *kl_of_real])))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
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
        strip = _grouped(tile(pictures, len(pictures)), len(pictures), group)
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


def save_figure(figure_or_axes: Figure | Axes, path: Path) -> Path:
    """Write a figure as PNG and let it go."""
    figure: Any = figure_or_axes if isinstance(figure_or_axes, Figure) else figure_or_axes.get_figure()
    figure.savefig(path, dpi=144, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return path


def save_traversal_gif(model: MRVAE, mu: Tensor, bits: Tensor, kl_of_real: Sequence[float], path: Path) -> Path:
    """An animation: all informative reals swing side by side through their sweep, then every bit flips.

    Args:
        mu: (D,) and bits: (K,), the starting point.
    """
    values = torch.cat([there := sweep_values(15), there.flip(0)[1:-1]])
    columns = [real_sweep(model, mu, bits, i, values) for i in informative_reals(kl_of_real)]
    start = mu[None], bits[None]
    for k in range(model.n_bits):
        off_on = bit_flips(model, *start, k)[0]
        columns.append(off_on.repeat_interleave(len(values) // 2, dim=0)[: len(values)])
    frames = torch.stack(columns or [model.decode(*start).detach().expand(len(values), -1, -1, -1)], dim=1)
    images = [Image.fromarray(tile(frame, frames.shape[1], gap=1)) for frame in frames]
    size = (images[0].width * 3, images[0].height * 3)
    images = [image.resize(size, Image.Resampling.NEAREST) for image in images]
    images[0].save(path, save_all=True, append_images=images[1:], duration=90, loop=0)
    return path


def _grouped(strip: np.ndarray, n: int, group: int, *, gap: int = 6) -> np.ndarray:
    """A strip of n pictures with a wider white gap after every `group` of them."""
    if group == 1:
        return strip
    width = (strip.shape[1] - 1) // n
    white: np.ndarray = np.full((strip.shape[0], gap, 3), 255, dtype=np.uint8)
    parts = [strip[:, start * width : (start + group) * width + 1] for start in range(0, n, group)]
    return np.concatenate([piece for part in parts for piece in (part, white)], axis=1)
