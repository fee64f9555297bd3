"""What a run leaves in its folder: pictures after chosen epochs; at the end scores and traversals; a page of it all.

    pictures/real.png                    the test images that are shown, once
    pictures/reconstructions/0001.png    originals, each with its reconstruction on its right
    pictures/sweep/0001.png              each real over the data's own range, each bit off and on
    pictures/samples/0001.png            draws from the prior, the same draws every epoch
    pictures/history/0001.png            one row of reconstructions, pixel by pixel; 0000.png holds the originals
    pictures/history.png                 these rows below each other
    pictures/scatter.png                 the means of all test images, after the last epoch
    traversals.png, traversals.gif       each latent of the finished model
    model/                               the finished model with its card and examples
    report.html                          all of this in one file
"""

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jinja2 import Template
from matplotlib.axes import Axes
from PIL import Image

from mrvae_lib.analysis import evaluation, figures
from mrvae_lib.analysis.pictures import data_uri, png_bytes, save_gif, tile
from mrvae_lib.analysis.traversals import MAX_SWEPT, sweep_values, traverse
from mrvae_lib.config import RunConfig, TrainConfig, load_config
from mrvae_lib.data import ImageSet
from mrvae_lib.model.parts import PartsDecoder, PartsEncoder, exchange_on_and_off
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.callbacks import TensorBoard, read_metrics
from mrvae_lib.training.checkpoints import atomic_write, save_model
from mrvae_lib.training.loop import Callback
from mrvae_lib.training.run import Run

N_PAIRS, PAIRS_ACROSS = 36, 6
N_SAMPLES, SAMPLES_ACROSS = 100, 10
N_HISTORY = 10
N_MEASURED = 1000
"""Test images on which the sweep's range is measured."""
MAX_SCATTERED = 10_000
MAX_EPOCHS = 12
"""Epochs whose pictures travel with the page, the first and the last among them."""
KINDS = ("reconstructions", "sweep", "samples")
"""The pictures under the page's slider; the page says what they are."""
ENDS = ("pictures/history.png", "pictures/scatter.png", "traversals.png")
"""The pictures below it."""


def picture_epochs(train: TrainConfig) -> frozenset[int]:
    """The epochs after which pictures are drawn."""
    every = range(1, train.epochs + 1)
    few = [epoch for epoch in every if epoch == train.epochs or str(epoch).rstrip("0") in ("1", "2", "5")]
    named: dict[Any, Any] = {"none": (), "all": every, "few": few}
    return frozenset(named.get(train.pictures, train.pictures))


class EpochPictures(Callback):
    """Draws the pictures of the chosen epochs into `folder`, and hands them to TensorBoard, which must come before."""

    def __init__(self, folder: Path, images: ImageSet, tensorboard: TensorBoard | None = None) -> None:
        self.folder, self.images, self.tensorboard = folder, images, tensorboard

    def on_start(self, run: Run) -> None:
        self.epochs = picture_epochs(run.config.train)
        if not self.epochs:
            return
        self.x = self.images.first(N_PAIRS).floats().to(run.device)
        self._write("real", figures.show_pictures(self.x, PAIRS_ACROSS, title="test images"), run.step)
        self._write_row(0, self.x)

    @torch.inference_mode()
    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        if run.epoch not in self.epochs:
            return
        when, name, made = f"epoch {run.epoch}", f"{run.epoch:04}", run.model.reconstruct(self.x)
        self._write(f"reconstructions/{name}", plot_pairs(self.x, made, when), run.step)
        self._write(f"samples/{name}", plot_samples(run.model, when), run.step)
        self._write(f"sweep/{name}", plot_sweep(run.model, self.images.first(N_MEASURED), when), run.step)
        self._write_row(run.epoch, made)
        self._write("history", self._history(run.epoch), run.step)
        if run.finished and run.model.n_reals:
            images = self.images.first(MAX_SCATTERED)
            mu = evaluation.encode_set(run.model, images).mu
            self._write("scatter", figures.plot_scatter(mu, images.labels, images.label_names), run.step)

    def _history(self, last: int) -> Axes:
        """A row for the originals and for each epoch drawn so far, those before a resumed run's start among them."""
        paths = sorted(path for path in (self.folder / "history").glob("*.png") if int(path.stem) <= last)
        strips = torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path in paths]) / 255).float()
        n = min(N_HISTORY, len(self.x))
        pictures = strips.unflatten(2, (n, -1)).permute(0, 2, 4, 1, 3).flatten(0, 1)
        names = [f"epoch {int(path.stem)}" if int(path.stem) else "original" for path in paths]
        return figures.show_pictures(pictures, n, title="reconstructions as the run went on", row_names=names)

    def _write_row(self, epoch: int, pictures: torch.Tensor) -> None:
        row = tile(pictures[:N_HISTORY], N_HISTORY, gap=0)
        atomic_write(self.folder / "history" / f"{epoch:04}.png", png_bytes(row))

    def _write(self, name: str, figure: Axes, step: int) -> None:
        path = self.folder / f"{name}.png"
        atomic_write(path, figures.figure_png(figure))
        if self.tensorboard:
            picture = np.asarray(Image.open(path).convert("RGB"))
            self.tensorboard.writer.add_image(name.split("/")[0], picture, step, dataformats="HWC")


def plot_pairs(x: torch.Tensor, made: torch.Tensor, when: str) -> Axes:
    """Each original with its reconstruction on its right, and how far apart they are; both (n, C, H, W)."""
    error = float((x - made).square().mean())
    return figures.show_pictures(torch.stack([x, made], dim=1).flatten(0, 1), 2 * PAIRS_ACROSS,
                                 title=f"original, reconstruction; {when}, squared error per pixel {error:.4f}")


def plot_samples(model: MRVAE, when: str) -> Axes:
    """Draws from the prior, the same whenever they are drawn."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(N_SAMPLES, model.n_reals, generator=generator)
    b = torch.randint(0, 2, (N_SAMPLES, model.n_bits), generator=generator).float()
    return figures.show_pictures(model.decode(z, b), SAMPLES_ACROSS, title=f"samples from the prior, {when}")


def plot_sweep(model: MRVAE, images: ImageSet, when: str) -> Axes:
    """Each real over the middle 95 % of the images' means, with its values, and each bit off and on."""
    posterior = evaluation.encode_set(model, images)
    kl, mu = posterior.kl_reals().mean(dim=0), posterior.mu
    ends = mu.quantile(mu.new_tensor([0.025, 0.975]), dim=0).T if model.n_reals else mu.new_zeros(0, 2)
    values = torch.stack([sweep_values(ends=pair) for pair in ends.tolist()] or [sweep_values()])
    return figures.plot_traversals(model, mu, posterior.bits, kl.tolist(),
                                   reals=sorted(kl.topk(min(model.n_reals, MAX_SWEPT)).indices.tolist()),
                                   values=values, title=f"{when}: reals over the middle 95 % of the test images' means")


def write_report(model: MRVAE, config: RunConfig, folder: Path, train: ImageSet, test: ImageSet, *, command: str
                 ) -> None:
    """Score a trained model, draw its pictures, complete its `model/` folder with card and examples, write the page."""
    # scikit-learn is loaded once training is over.
    from mrvae_lib.analysis.latent_report import names_of_bits, names_of_reals
    from mrvae_lib.analysis.probes import targets

    few = evaluation.scored_part(test)
    codes, asked = evaluation.encode_set(model, few), targets(few)
    if isinstance(model.encoder, PartsEncoder) and isinstance(model.decoder, PartsDecoder):
        absent = [int(k) for k, (name, _) in names_of_bits(codes, asked).items() if name.startswith("no ")]
        exchange_on_and_off(model.encoder, model.decoder, absent)  # so that pressing "hat" puts one on
        codes = evaluation.encode_set(model, few)
    model.card = {
        "command": command,
        "seed": config.train.seed,
        "data": test.name,
        "label_names": list(test.label_names),
        "factor_names": list(test.factor_names),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "scores": evaluation.evaluate(model, test, train, test_codes=codes),
        "run": config.model_dump(mode="json", exclude_none=True),
        "names_of_reals": names_of_reals(codes, asked),
        "names_of_bits": names_of_bits(codes, asked),
    }
    model.examples = evaluation.encoded_examples(model, test)
    write_traversals(model, folder)
    save_model(model, folder / "model")
    write_page(folder)


def write_traversals(model: MRVAE, folder: Path, *, start: int = 0) -> list[Path]:
    """`traversals.png`, and `traversals.gif` in which the reals that tell most swing side by side and every bit flips.

    Args:
        start: which of the model's own examples to start from.
    """
    mu, bits = (model.examples[name][start:].float() for name in ("mu", "bits"))
    kl_of_real, of_bits = (model.card["scores"][name] for name in ("kl_of_real", "information_of_bit"))
    values = torch.cat([there := sweep_values(15), there.flip(0)[1:-1]])
    reals = evaluation.informative_latents(kl_of_real)[:MAX_SWEPT]
    columns = [traverse(model, mu[0], bits[0], real=i, values=values) for i in reals]
    for k in range(model.n_bits):
        columns.append(traverse(model, mu[0], bits[0], bit=k).repeat_interleave(len(values) // 2, dim=0))
    frames = torch.stack(columns, dim=1) if columns else model.decode(mu[:1], bits[:1]).detach()[None]
    drawn = figures.plot_traversals(model, mu, bits, kl_of_real, of_bits)
    return [figures.save_figure(drawn, folder / "traversals.png"), save_gif(frames, folder / "traversals.gif")]


def write_more_traversals(model: MRVAE, folder: Path, *, start: int = 0) -> list[Path]:
    """What a run does not draw by itself: `anim_z0.gif` and so on, a real each, and, with up to 8 bits, `lattice.png`.

    Source: the animations are those of miyosuda/disentangled_vae; frame k of 10 shows the value -3 + 6 k / 9.
    """
    mu, bits = (model.examples[name][start:].float() for name in ("mu", "bits"))
    swings = [traverse(model, mu[0], bits[0], real=i, values=sweep_values(10, (-3, 3))) for i in range(model.n_reals)]
    written = [save_gif(swing[:, None], folder / f"anim_z{i}.gif", milliseconds=100) for i, swing in enumerate(swings)]
    if 0 < model.n_bits <= 8:
        written.append(figures.save_figure(figures.plot_code_lattice(model, mu[0]), folder / "lattice.png"))
    return written


def write_page(folder: Path) -> Path:
    """Gather what a run has left in its folder so far into `report.html`; the run may have finished or not.

    The page needs no network and no server.

    Raises:
        ConfigError: the folder holds no run.
    """
    config, rows = load_config(folder / "config.toml"), read_metrics(folder / "metrics.jsonl")
    path, model = folder / "report.html", folder / "model" / "config.json"
    card: dict[str, Any] = json.loads(model.read_text(encoding="utf-8")).get("card", {}) if model.is_file() else {}
    template = Template(Path(__file__).with_suffix(".html").read_text(encoding="utf-8"), autoescape=True)
    atomic_write(path, template.render(
        name=folder.resolve().name, config=config, n_epochs=rows[-1]["epoch"] if rows else 0,
        card=card, scores=evaluation.score_rows(card["scores"]) if "scores" in card else (),
        curves=data_uri(figures.figure_png(figures.plot_metrics(rows), dpi=144)),
        epochs=_epochs(folder / "pictures"),
        ends={name: data_uri(end.read_bytes()) for name in ENDS if (end := folder / name).is_file()},
        settings=(folder / "config.toml").read_text(encoding="utf-8"),
    ))
    return path


def _epochs(pictures: Path) -> dict[int, dict[str, str]]:
    """For each epoch that travels with the page its pictures, by their kind."""
    numbers = sorted(int(path.stem) for path in (pictures / "reconstructions").glob("*.png"))
    places = np.linspace(0, len(numbers) - 1, min(len(numbers), MAX_EPOCHS)).round().astype(int)
    return {number: {kind: data_uri(path.read_bytes()) for kind in KINDS
                     if (path := pictures / kind / f"{number:04}.png").is_file()}
            for number in [numbers[place] for place in places]}
