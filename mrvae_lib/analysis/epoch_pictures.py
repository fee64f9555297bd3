"""What a run shows of itself: pictures after chosen epochs, in its folder and in TensorBoard.

    pictures/real.png                    the test images that are shown, once
    pictures/reconstructions/0001.png    originals, each with its reconstruction on its right
    pictures/sweep/0001.png              each real over the data's own range, each bit off and on
    pictures/samples/0001.png            draws from the prior, the same draws every epoch
    pictures/history/0001.png            one row of reconstructions, pixel by pixel; 0000.png holds the originals
    pictures/history.png                 these rows below each other
    pictures/scatter.png                 the means of all test images, after the last epoch
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image

from mrvae_lib.analysis.evaluation import encode_set
from mrvae_lib.analysis.figures import figure_png, plot_scatter, plot_traversals, show_pictures
from mrvae_lib.analysis.pictures import png_bytes, tile
from mrvae_lib.analysis.traversals import MAX_SWEPT, sweep_values
from mrvae_lib.config import TrainConfig
from mrvae_lib.data import ImageSet
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.callbacks import TensorBoard
from mrvae_lib.training.checkpoints import atomic_write
from mrvae_lib.training.loop import Callback
from mrvae_lib.training.run import Run

N_PAIRS, PAIRS_ACROSS = 36, 6
N_SAMPLES, SAMPLES_ACROSS = 100, 10
N_HISTORY = 10
N_MEASURED = 1000
"""Test images on which the sweep's range is measured."""
MAX_SCATTERED = 10_000


def picture_epochs(train: TrainConfig) -> frozenset[int]:
    """The epochs after which pictures are drawn."""
    if train.pictures == "none":
        return frozenset()
    if train.pictures == "all":
        return frozenset(range(1, train.epochs + 1))
    if train.pictures == "few":
        steps = (digit * 10**power for power in range(len(str(train.epochs))) for digit in (1, 2, 5))
        return frozenset({train.epochs, *(epoch for epoch in steps if epoch <= train.epochs)})
    return frozenset(train.pictures)


class EpochPictures(Callback):
    """Draws the pictures of the chosen epochs into `folder`, and hands them to `trackers`, which must come before."""

    def __init__(self, folder: Path, images: ImageSet, trackers: Sequence[TensorBoard] = ()) -> None:
        self.folder, self.images, self.trackers = folder, images, trackers

    def on_start(self, run: Run) -> None:
        self.epochs = picture_epochs(run.config.train)
        if not self.epochs:
            return
        self.x = self.images.first(N_PAIRS).floats().to(run.device)
        self._write("real", show_pictures(self.x, PAIRS_ACROSS, title="test images"), run.step)
        self._write_row(0, self.x)

    @torch.inference_mode()
    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        if run.epoch not in self.epochs:
            return
        when, made = f"epoch {run.epoch}", run.model.reconstruct(self.x)
        drawn = {
            "reconstructions": plot_pairs(self.x, made, when),
            "samples": plot_samples(run.model, when),
            "sweep": plot_sweep(run.model, self.images.first(N_MEASURED), when),
        }
        for name, figure in drawn.items():
            self._write(f"{name}/{run.epoch:04}", figure, run.step)
        self._write_row(run.epoch, made)
        self._write("history", self._history(run.epoch), run.step)
        if run.finished and run.model.n_reals:
            images = self.images.first(MAX_SCATTERED)
            mu = encode_set(run.model, images).mu
            self._write("scatter", plot_scatter(mu, images.labels, images.label_names), run.step)

    def _history(self, last: int) -> Axes:
        """A row for the originals and for each epoch drawn so far, those before a resumed run's start among them."""
        paths = sorted(path for path in (self.folder / "history").glob("*.png") if int(path.stem) <= last)
        strips = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        n = min(N_HISTORY, len(self.x))
        rows = [torch.from_numpy(strip / 255).unflatten(1, (n, -1)).permute(1, 3, 0, 2) for strip in strips]
        return show_pictures(torch.cat(rows).float(), n, title="reconstructions as the run went on",
                             row_names=[f"epoch {int(path.stem)}" if int(path.stem) else "original" for path in paths])

    def _write_row(self, epoch: int, pictures: torch.Tensor) -> None:
        row = tile(pictures[:N_HISTORY], N_HISTORY, gap=0)
        atomic_write(self.folder / "history" / f"{epoch:04}.png", png_bytes(row))

    def _write(self, name: str, figure: Axes, step: int) -> None:
        path = self.folder / f"{name}.png"
        atomic_write(path, figure_png(figure))
        for tracker in self.trackers:
            tracker.image(name.split("/")[0], np.asarray(Image.open(path).convert("RGB")), step)


def plot_pairs(x: torch.Tensor, made: torch.Tensor, when: str) -> Axes:
    """Each original with its reconstruction on its right, and how far apart they are; both (n, C, H, W)."""
    error = float((x - made).square().mean())
    return show_pictures(torch.stack([x, made], dim=1).flatten(0, 1), 2 * PAIRS_ACROSS,
                         title=f"original, reconstruction; {when}, squared error per pixel {error:.4f}")


def plot_samples(model: MRVAE, when: str) -> Axes:
    """Draws from the prior, the same whenever they are drawn."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(N_SAMPLES, model.n_reals, generator=generator)
    b = torch.randint(0, 2, (N_SAMPLES, model.n_bits), generator=generator).float()
    return show_pictures(model.decode(z, b), SAMPLES_ACROSS, title=f"samples from the prior, {when}")


def plot_sweep(model: MRVAE, images: ImageSet, when: str) -> Axes:
    """Each real over the middle 95 % of the images' means, with its values, and each bit off and on."""
    posterior = encode_set(model, images)
    kl, mu = posterior.kl_reals().mean(dim=0), posterior.mu
    ends = mu.quantile(mu.new_tensor([0.025, 0.975]), dim=0).T if model.n_reals else mu.new_zeros(0, 2)
    values = torch.stack([sweep_values(ends=pair) for pair in ends.tolist()] or [sweep_values()])
    return plot_traversals(model, mu, posterior.bits, kl.tolist(),
                           reals=sorted(kl.topk(min(model.n_reals, MAX_SWEPT)).indices.tolist()),
                           values=values, title=f"{when}: reals over the middle 95 % of the test images' means")
