"""What a run shows of itself: pictures after chosen epochs, in its folder and wherever it is tracked.

    pictures/real.png                    the test images that are shown, once
    pictures/reconstructions/0001.png    originals on the left, reconstructions on the right
    pictures/sweep/0001.png              each real over the data's own range, each bit off and on
    pictures/samples/0001.png            draws from the prior, the same draws every epoch
    pictures/classes/0001.png            one original and its reconstruction per label, where there are labels
    pictures/history/0001.png            one row of reconstructions; 0000.png holds the originals
    pictures/history.png                 these rows below each other
    pictures/scatter.png                 the means of all test images, after the last epoch
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mrvae_lib.analysis.evaluation import encode_set
from mrvae_lib.analysis.figures import save_figure
from mrvae_lib.analysis.scatter import plot_scatter
from mrvae_lib.analysis.sheets import Sheet, png_bytes, side_by_side, stacked
from mrvae_lib.analysis.traversals import bit_flips, data_sweep, real_sweep
from mrvae_lib.config import TrainConfig
from mrvae_lib.data import ImageSet
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.callbacks import TensorBoard
from mrvae_lib.training.checkpoints import atomic_write
from mrvae_lib.training.loop import Callback, Run

N_PAIRS, PAIRS_ACROSS = 36, 6
N_SAMPLES, SAMPLES_ACROSS = 100, 10
N_HISTORY = 10
HISTORY_NAMES = 68
"""Pixels before each row, the same for all: they are drawn at different times."""
N_MEASURED = 1000
"""Test images on which the sweep's range is measured."""
MAX_SCATTERED = 10_000
MAX_SWEPT, BITS_ACROSS = 16, 4
"""The reals that tell most, and the first bits."""
MAX_CLASSES = 20


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


@contextmanager
def evaluating(model: MRVAE) -> Iterator[None]:
    """The model in evaluation mode for a while, without gradients."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


@dataclass(frozen=True)
class Probe:
    """The images and draws that the pictures of every epoch are made from, so that epochs can be compared."""

    measured: ImageSet
    x: Tensor
    """(n, C, H, W), the images shown."""
    z: Tensor
    b: Tensor
    """Draws from the prior, (N_SAMPLES, D) and (N_SAMPLES, K)."""
    class_names: tuple[str, ...]
    class_x: Tensor
    """The first image of each label, in the order of the names."""

    @classmethod
    def of(cls, model: MRVAE, images: ImageSet, device: torch.device | str = "cpu") -> Probe:
        """The probe for a model, from a set of test images."""
        generator = torch.Generator().manual_seed(0)
        z = torch.randn(N_SAMPLES, model.n_reals, generator=generator)
        b = torch.randint(0, 2, (N_SAMPLES, model.n_bits), generator=generator).float()
        labels = images.labels.unique().tolist()[:MAX_CLASSES] if images.labels is not None else []
        places = torch.tensor([int((images.labels == label).nonzero()[0]) for label in labels], dtype=torch.int64)
        names = tuple(images.label_names[label] if images.label_names else str(label) for label in labels)
        shown = images.first(N_PAIRS).floats()
        class_x = images.floats(places) if labels else shown[:0]
        return cls(images.first(N_MEASURED).to(device), shown.to(device), z.to(device), b.to(device), names,
                   class_x.to(device))


def draw_pictures(model: MRVAE, probe: Probe, when: str) -> dict[str, np.ndarray]:
    """The pictures of one moment, by the name of their folder; (H', W', 3) uint8 each."""
    with evaluating(model):
        made = model.reconstruct(probe.x)
        pictures = {
            "reconstructions": draw_reconstructions(probe.x, made, when),
            "sweep": sweep_sheet(model, probe, when).draw(),
            "samples": Sheet(model.decode(probe.z, probe.b).split(SAMPLES_ACROSS), f"samples from the prior, {when}"
                             ).draw(),
            "history": Sheet([made[:N_HISTORY]], row_names=[when], name_width=HISTORY_NAMES).draw(),
        }
        if probe.class_names:
            pictures["classes"] = class_sheet(model, probe, when).draw()
    return pictures


def draw_reconstructions(x: Tensor, made: Tensor, when: str) -> np.ndarray:
    """Originals on the left, reconstructions on the right, and how far apart they are; both (n, C, H, W)."""
    error = float((x - made).square().mean())
    return side_by_side(Sheet(x.split(PAIRS_ACROSS), "original").draw(),
                        Sheet(made.split(PAIRS_ACROSS), f"reconstruction, {when}, squared error per pixel {error:.4f}"
                              ).draw())


def class_sheet(model: MRVAE, probe: Probe, when: str) -> Sheet:
    """One image of each class above its reconstruction."""
    return Sheet([probe.class_x, model.reconstruct(probe.class_x)], f"one of each class, {when}",
                 row_names=["original", "reconstr."],
                 captions=[[], [name.replace(" ", "\n") for name in probe.class_names]])


def sweep_sheet(model: MRVAE, probe: Probe, when: str) -> Sheet:
    """From the first image shown, each real over the data's own range with its values, and each bit off and on."""
    posterior = encode_set(model, probe.measured)
    start = model.encode(probe.x[:1])
    z, b = start.mu, start.bits
    kl, values = posterior.kl_reals().mean(dim=0), data_sweep(posterior.mu)
    shown = sorted(kl.topk(min(model.n_reals, MAX_SWEPT)).indices.tolist())
    rows = [real_sweep(model, z[0], b[0], i, values[i]) for i in shown]
    names = [f"z{i}\n{float(kl[i]):.2f} nats" for i in shown]
    captions = [[f"{value:+.2f}" for value in values[i].tolist()] for i in shown]
    bits = range(min(model.n_bits, MAX_SWEPT))
    for group in (bits[first : first + BITS_ACROSS] for first in bits[::BITS_ACROSS]):
        rows.append(torch.cat([bit_flips(model, z, b, k)[0] for k in group]))
        names.append("bits")
        captions.append([f"b{k} {value}" for k in group for value in ("off", "on")])
    return Sheet(rows, f"sweep, {when}: reals over the middle 95 % of the test images' means", names, captions)


class EpochPictures(Callback):
    """Draws the pictures of the chosen epochs into `folder`, and hands them to the trackers, which must come before."""

    def __init__(self, folder: Path, images: ImageSet, trackers: Sequence[TensorBoard] = ()) -> None:
        self.folder, self.images, self.trackers = folder, images, trackers
        self.probe: Probe | None = None
        self.epochs: frozenset[int] = frozenset()

    def on_start(self, run: Run) -> None:
        self.epochs = picture_epochs(run.config.train)
        if not self.epochs:
            return
        self.probe = Probe.of(run.model, self.images, run.device)
        self._write("real", Sheet(self.probe.x.split(PAIRS_ACROSS), "test images").draw(), run.step)
        originals = Sheet([self.probe.x[:N_HISTORY]], row_names=["original"], name_width=HISTORY_NAMES)
        atomic_write(self.folder / "history" / "0000.png", png_bytes(originals.draw()))

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        if self.probe is None or run.epoch not in self.epochs:
            return
        for name, picture in draw_pictures(run.model, self.probe, f"epoch {run.epoch}").items():
            self._write(f"{name}/{run.epoch:04}", picture, run.step)
        rows = sorted(path for path in (self.folder / "history").glob("*.png") if int(path.stem) <= run.epoch)
        self._write("history", stacked(*[np.asarray(Image.open(path).convert("RGB")) for path in rows]), run.step)
        if run.finished and run.model.n_reals:
            self._scatter(run)

    def _scatter(self, run: Run) -> None:
        images = self.images.first(MAX_SCATTERED)
        with evaluating(run.model):
            mu = encode_set(run.model, images.to(run.device)).mu.cpu()
        path = save_figure(plot_scatter(mu, images.labels, images.label_names), self.folder / "scatter.png")
        self._track("scatter", np.asarray(Image.open(path).convert("RGB")), run.step)

    def _write(self, name: str, picture: np.ndarray, step: int) -> None:
        atomic_write(self.folder / f"{name}.png", png_bytes(picture))
        if not name.startswith("history/"):  # the strip below each other says it all
            self._track(name.split("/")[0], picture, step)

    def _track(self, name: str, picture: np.ndarray, step: int) -> None:
        for tracker in self.trackers:
            tracker.image(name, picture, step)
