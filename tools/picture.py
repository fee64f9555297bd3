"""Draw the README's picture, docs/mrvae.png, from the shipped model."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch

from mrvae_lib import load_model
from mrvae_lib.analysis.evaluation import informative_latents
from mrvae_lib.analysis.figures import BLUE, ORANGE, save_figure
from mrvae_lib.analysis.pictures import tile
from mrvae_lib.analysis.traversals import sweep_values, traverse

EXAMPLE = 0


def main() -> None:
    model = load_model("mnist-mrvae")
    z, b = model.examples["mu"][EXAMPLE], model.examples["bits"][EXAMPLE]
    reals = informative_latents(model.card["scores"]["kl_of_real"])[:5]
    figure = plt.figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[4.4, 5.6], wspace=0.05)

    left.suptitle("bits: what it is", color=ORANGE, fontsize=12)
    pictures = traverse(model, z, torch.zeros(model.n_bits))
    for code, (ax, picture) in enumerate(zip(left.subplots(4, 4).flat, pictures, strict=True)):
        ax.imshow(tile(picture[None], 1, gap=0), interpolation="nearest")
        ax.set_title(format(code, f"0{model.n_bits}b"), fontsize=8, pad=2)
        ax.set_axis_off()

    right.suptitle("reals: how it looks", color=BLUE, fontsize=12)
    for ax, i in zip(right.subplots(len(reals), 1), reals, strict=True):
        ax.imshow(tile(traverse(model, z, b, real=i, values=sweep_values(7)), 7), interpolation="nearest")
        ax.set_ylabel(f"z{i}", rotation=0, ha="right", va="center", color=BLUE)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    save_figure(figure, Path(__file__).parent.parent / "docs" / "mrvae.png")


if __name__ == "__main__":
    main()
