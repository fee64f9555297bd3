"""What a finished run leaves behind: its scores, the model card, pictures, and the page that gathers them."""

from __future__ import annotations

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mrvae_lib.analysis.evaluation import Evaluation, encoded_examples, evaluate, informative_reals
from mrvae_lib.analysis.figures import (
    plot_code_lattice,
    plot_reconstructions,
    plot_traversals,
    save_figure,
    show_pictures,
)
from mrvae_lib.analysis.page import write_page
from mrvae_lib.analysis.pictures import save_real_gifs, save_strip, save_traversal_gif
from mrvae_lib.analysis.traversals import RANGES, bit_by_real, interpolate, prior_start, real_sweep, sweep_values
from mrvae_lib.config import ConfigError, RunConfig
from mrvae_lib.data import ImageSet
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
    shown = test.first(N_SHOWN).floats()
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


def write_more_traversals(model: MRVAE, folder: Path, *, start: int | None = 0, kind: str = "absolute") -> list[Path]:
    """What a run does not draw by itself: an animation per real, every code, and latents crossed and mixed.

    Writes `anim_z0.gif` and so on; `sweeps.png`, a row per informative real; with bits, `lattice.png` (K up to 8);
    with both, `bit_by_real.png`, the most informative real swept with the most informative bit off, then on; and
    `interpolation.png`, from the start to each of five examples.

    Args:
        start: which of the model's examples to start from; None draws from the prior, seed 0.
        kind: the range of the sweeps; `data` takes the quantiles 0.05 and 0.95 of the examples.
    Raises:
        ConfigError: there is no such example or range.
    """
    mu, bits, scores = model.examples["mu"].float(), model.examples["bits"].float(), model.card["scores"]
    if kind not in RANGES:
        raise ConfigError(f"a range is {', '.join(RANGES)}, got {kind!r}")
    if start is not None and not 0 <= start < len(mu):
        raise ConfigError(f"start must be 0..{len(mu) - 1}, the model's examples, got {start}")
    z, b = prior_start(model, torch.Generator().manual_seed(0)) if start is None else (mu[start], bits[start])
    values = [sweep_values(11, kind, means=mu[:, i]) for i in range(model.n_reals)]
    reals = informative_reals(scores["kl_of_real"])
    written = save_real_gifs(model, z, b, folder)
    if reals:
        sweeps = torch.cat([real_sweep(model, z, b, i, values[i]) for i in reals])
        names = [f"z{i}\n{values[i][0]:.1f} to {values[i][-1]:.1f}" for i in reals]
        written.append(save_figure(show_pictures(sweeps, 11, row_names=names), folder / "sweeps.png"))
    if 0 < model.n_bits <= 8:
        written.append(save_figure(plot_code_lattice(model, z), folder / "lattice.png"))
    if reals and model.n_bits:
        bit = int(np.argmax(scores["information_of_bit"] or [0]))
        crossed = bit_by_real(model, z, b, bit, reals[0], values[reals[0]]).flatten(0, 1)
        axes = show_pictures(crossed, 11, row_names=[f"b{bit} off", f"b{bit} on"], title=f"z{reals[0]} sweeps")
        written.append(save_figure(axes, folder / "bit_by_real.png"))
    ways = torch.cat([interpolate(model, (z, b), end) for end in zip(mu[-5:], bits[-5:], strict=True)])
    axes = show_pictures(ways, 11, title="from the start to five examples: reals by steps, bits halfway")
    return [*written, save_figure(axes, folder / "interpolation.png")]


def write_reconstructions(model: MRVAE, images: ImageSet, path: Path) -> Path:
    """Pairs side by side, an image and what the decoder makes of it, for the first `N_SHOWN` images."""
    x = images.first(N_SHOWN).floats()
    with torch.inference_mode():
        pairs = torch.stack([x, model.reconstruct(x)], dim=1).flatten(0, 1)
    return save_strip(pairs, path, columns=6)
