"""What a finished run leaves behind: its scores, the model card, pictures, and the page that gathers them."""

from __future__ import annotations

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mrvae_lib.analysis.encoding import Evaluation, encoded_examples, evaluate
from mrvae_lib.analysis.figures import plot_reconstructions, plot_traversals, save_figure, save_traversal_gif
from mrvae_lib.analysis.page import write_page
from mrvae_lib.config import RunConfig
from mrvae_lib.data import ImageSet
from mrvae_lib.data.imageset import as_floats
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import save_model

N_SHOWN = 12


def model_card(config: RunConfig, scores: Evaluation, test: ImageSet, command: str) -> dict[str, Any]:
    """How a model was made and what it scores, as plain values."""
    return {
        "command": command,
        "seed": config.train.seed,
        "data": test.name,
        "label_names": list(test.label_names),
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
    save_model(model, folder / "model")
    write_page(folder)


def write_traversals(model: MRVAE, folder: Path) -> list[Path]:
    """`traversals.png` and `traversals.gif` from the model's own examples."""
    mu, bits = model.examples["mu"].float(), model.examples["bits"].float()
    scores = model.card["scores"]
    kl_of_real, of_bits = scores["kl_of_real"], scores["information_of_bit"]
    return [
        save_figure(plot_traversals(model, mu, bits, kl_of_real, of_bits), folder / "traversals.png"),
        save_traversal_gif(model, mu[0], bits[0], kl_of_real, folder / "traversals.gif"),
    ]
