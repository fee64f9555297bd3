"""What a finished run leaves behind: scores, a model card, pictures, and `report.html`, a page that gathers them."""

from __future__ import annotations

import json
import platform
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch

from mrvae_lib.analysis.evaluation import encoded_examples, evaluate, informative_reals
from mrvae_lib.analysis.figures import (
    figure_png,
    plot_code_lattice,
    plot_metrics,
    plot_reconstructions,
    plot_traversals,
    save_figure,
    show_pictures,
)
from mrvae_lib.analysis.pictures import data_uri, save_gif
from mrvae_lib.analysis.tables import score_rows
from mrvae_lib.analysis.traversals import sweep_values, traverse
from mrvae_lib.config import RunConfig, load_config
from mrvae_lib.data import ImageSet
from mrvae_lib.errors import ConfigError
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import atomic_write, save_model

N_SHOWN = 12
MAX_EPOCHS = 12
"""Epochs whose pictures travel with the page, the first and the last among them."""
KINDS = {"reconstructions": "Test images and their reconstructions", "sweep": "What each latent does",
         "samples": "Draws from the prior, the same in every epoch", "classes": "One image of each class"}
"""The pictures under the slider, and what to write above them."""
ENDS = {"pictures/history.png": "How reconstructions grew", "pictures/scatter.png": "Where the encoder puts the test "
        "images", "traversals.png": "Each latent of the finished model"}


def write_report(model: MRVAE, config: RunConfig, folder: Path, train: ImageSet, test: ImageSet, *, command: str
                 ) -> None:
    """Score a trained model, draw its pictures, complete its `model/` folder with card and examples, write the page."""
    scores = evaluate(model, test, train)
    model.card = model_card(config, scores, test, command)
    model.examples = encoded_examples(model, test)
    write_reconstructions(model, test, folder / "reconstructions.png")
    write_traversals(model, folder)
    save_model(model, folder / "model")
    write_page(folder)


def model_card(config: RunConfig, scores: dict[str, Any], test: ImageSet, command: str) -> dict[str, Any]:
    """How a model was made and what it scores, as plain values."""
    return {
        "command": command,
        "seed": config.train.seed,
        "data": test.name,
        "label_names": list(test.label_names),
        "factor_names": list(test.factor_names),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "scores": scores,
        "run": config.model_dump(mode="json", exclude_none=True),
    }


def write_traversals(model: MRVAE, folder: Path) -> list[Path]:
    """`traversals.png`, and `traversals.gif` in which all informative reals swing, side by side, and every bit flips.

    Both start from the model's own examples.
    """
    mu, bits, scores = model.examples["mu"].float(), model.examples["bits"].float(), model.card["scores"]
    kl_of_real, of_bits = scores["kl_of_real"], scores["information_of_bit"]
    values = torch.cat([there := sweep_values(15), there.flip(0)[1:-1]])
    columns = [traverse(model, mu[0], bits[0], real=i, values=values) for i in informative_reals(kl_of_real)]
    for k in range(model.n_bits):
        columns.append(traverse(model, mu[0], bits[0], bit=k).repeat_interleave(len(values) // 2, dim=0))
    frames = torch.stack(columns, dim=1) if columns else model.decode(mu[:1], bits[:1]).detach()[None]
    return [save_figure(plot_traversals(model, mu, bits, kl_of_real, of_bits), folder / "traversals.png"),
            save_gif(frames, folder / "traversals.gif")]


def write_more_traversals(model: MRVAE, folder: Path, *, start: int = 0) -> list[Path]:
    """What a run does not draw by itself: an animation per real, and every code.

    Writes `anim_z0.gif` and so on, each real alone from -3 to 3 in 10 frames; `sweeps.png`, a row per informative real;
    and, with up to 8 bits, `lattice.png`.

    Args:
        start: which of the model's examples to start from.
    Raises:
        ConfigError: there is no such example.

    Source: the animations are those of miyosuda/disentangled_vae; frame k of 10 shows the value -3 + 6 k / 9.
    """
    mu, bits = model.examples["mu"].float(), model.examples["bits"].float()
    kl_of_real = model.card["scores"]["kl_of_real"]
    if not 0 <= start < len(mu):
        raise ConfigError(f"start must be 0..{len(mu) - 1}, the model's examples, got {start}")
    z, b = mu[start], bits[start]
    swings = [traverse(model, z, b, real=i, values=sweep_values(10, (-3, 3))) for i in range(model.n_reals)]
    written = [save_gif(swing[:, None], folder / f"anim_z{i}.gif", milliseconds=100) for i, swing in enumerate(swings)]
    if reals := informative_reals(kl_of_real):
        sweeps = torch.cat([traverse(model, z, b, real=i) for i in reals])
        names = [f"z{i}\n{kl_of_real[i]:.2f} nats" for i in reals]
        captions = [f"{value:+.1f}" for value in sweep_values().tolist()] * len(reals)
        axes = show_pictures(sweeps, len(sweep_values()), row_names=names, captions=captions)
        written.append(save_figure(axes, folder / "sweeps.png"))
    if 0 < model.n_bits <= 8:
        written.append(save_figure(plot_code_lattice(model, z), folder / "lattice.png"))
    return written


def write_reconstructions(model: MRVAE, images: ImageSet, path: Path) -> Path:
    """The first images of a set above what the decoder makes of them."""
    return save_figure(plot_reconstructions(model, images.first(N_SHOWN).floats()), path)


def write_page(folder: Path) -> Path:
    """Gather what a run has left in its folder so far into `report.html`; the run may have finished or not.

    The page needs no network and no server.

    Raises:
        ConfigError: the folder holds no run.
    """
    config = load_config(folder / "config.toml")
    rows = read_metrics(folder / "metrics.jsonl")
    model, train = config.model, config.train
    facts = {
        "images": config.data.name,
        "latents": f"{model.n_reals} reals, {model.n_bits} bits",
        "network": f"{model.network}, {model.likelihood}",
        "epochs": f"{rows[-1]['epoch'] if rows else 0} of {train.epochs}, batches of {train.batch_size}, "
                  f"seed {train.seed}",
    }
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    text = Template(template).substitute(
        title=escape(folder.resolve().name),
        about=escape(config.about),
        facts="".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()),
        scores=_scores(folder),
        curves=_picture(figure_png(plot_metrics(rows), dpi=144), "Curves of the run; dashed: test images"),
        epochs=_epochs(folder / "pictures"),
        ends="".join(_picture((folder / name).read_bytes(), title) for name, title in ENDS.items()
                     if (folder / name).is_file()),
        settings=escape((folder / "config.toml").read_text(encoding="utf-8")),
    )
    path = folder / "report.html"
    atomic_write(path, text)
    return path


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The epochs in a `metrics.jsonl`, oldest first; none where there is no such file.

    A damaged line is left out, as is a number that an older version wrote under a name such as `kl_of_real/0`.
    """
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and "epoch" in row:
            rows.append({key: value for key, value in row.items() if "/" not in key})
    return rows


def _scores(folder: Path) -> str:
    path = folder / "model" / "config.json"
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("card", {}) if path.is_file() else {}
    if "scores" not in card:
        return "<p>Not scored: the run has not finished.</p>"
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td><td>{note}</td></tr>"
                   for name, value, note in score_rows(card["scores"]))
    return (f"<table>{rows}</table><p>On {card['scores']['n_images']:,} test images of {escape(card['data'])}. "
            f"Made by <code>{escape(card['command'])}</code></p>")


def _epochs(pictures: Path) -> str:
    """A section per epoch; the page's script shows the one the slider is at."""
    numbers = sorted(int(path.stem) for path in (pictures / "reconstructions").glob("*.png"))
    places = np.linspace(0, len(numbers) - 1, min(len(numbers), MAX_EPOCHS)).round().astype(int)
    sections = []
    for number in [numbers[place] for place in places]:
        found = [_picture(path.read_bytes(), title, kind) for kind, title in KINDS.items()
                 if (path := pictures / kind / f"{number:04}.png").is_file()]
        sections.append(f'<section class="epoch" data-epoch="{number}">{"".join(found)}</section>')
    return "".join(sections)


def _picture(png: bytes, title: str, kind: str = "") -> str:
    return (f'<figure class="{kind}"><figcaption>{title}</figcaption><img alt="{title}" '
            f'src="{data_uri(png)}"></figure>')
