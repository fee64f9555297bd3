"""What a finished run leaves behind: its scores, the model card, and pictures."""

from __future__ import annotations

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mrvae_lib.analysis.encoding import Evaluation, encoded_examples, evaluate
from mrvae_lib.analysis.figures import plot_reconstructions, plot_traversals, save_figure
from mrvae_lib.analysis.pictures import save_traversal_gif, tile
from mrvae_lib.config import RunConfig
from mrvae_lib.data import ImageSet
from mrvae_lib.data.imageset import as_floats
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import save_model
from mrvae_lib.training.loop import Callback, Run
from mrvae_lib.training.trackers import TensorBoard

N_SHOWN = 12


def model_card(config: RunConfig, scores: Evaluation, test: ImageSet, command: str) -> dict[str, Any]:
    """How a model was made and what it scores, as plain values."""
    return {
        "command": command,
        "seed": config.train.seed,
        "data": test.name,
        "label_names": list(test.label_names),
        "factor_names": list(test.factor_names),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "scores": asdict(scores),
        "run": config.model_dump(mode="json", exclude_none=True),
    }


def write_report(model: MRVAE, config: RunConfig, folder: Path, train: ImageSet, test: ImageSet, *, command: str
                 ) -> None:
    """Score a trained model, draw its pictures, and complete its `model/` folder with card and examples."""
    scores = evaluate(model, test, train)
    model.card = model_card(config, scores, test, command)
    model.examples = encoded_examples(model, test)
    shown = as_floats(test.first(N_SHOWN).take())
    save_figure(plot_reconstructions(model, shown), folder / "reconstructions.png")
    write_traversals(model, folder)
    save_model(model, folder / "model")  # last: a card with scores says that the report is whole


def write_traversals(model: MRVAE, folder: Path) -> list[Path]:
    """`traversals.png` and `traversals.gif` from the model's own examples."""
    mu, bits = model.examples["mu"].float(), model.examples["bits"].float()
    scores = model.card["scores"]
    kl_of_real, of_bits = scores["kl_of_real"], scores["information_of_bit"]
    return [
        save_figure(plot_traversals(model, mu, bits, kl_of_real, of_bits), folder / "traversals.png"),
        save_traversal_gif(model, mu[0], bits[0], kl_of_real, folder / "traversals.gif"),
    ]


class PictureLog(Callback):
    """A few images above their reconstructions, in TensorBoard, after each epoch."""

    def __init__(self, tracker: TensorBoard, images: ImageSet) -> None:
        self.tracker, self.x = tracker, as_floats(images.first(N_SHOWN).take())

    def on_epoch(self, run: Run, metrics: dict[str, float]) -> None:
        assert self.tracker.writer is not None
        with torch.inference_mode():
            pair = torch.cat([self.x, run.model.reconstruct(self.x.to(run.device)).cpu()])
        self.tracker.writer.add_image("reconstructions", tile(pair, N_SHOWN), run.step, dataformats="HWC")
