"""What a finished run leaves behind: scores, a model card, pictures, and `report.html`, a page that gathers them."""

from __future__ import annotations

import base64
import json
import platform
from dataclasses import asdict
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch

from mrvae_lib.analysis.evaluation import Evaluation, encoded_examples, evaluate, informative_reals
from mrvae_lib.analysis.figures import (
    figure_png,
    plot_code_lattice,
    plot_metrics,
    plot_reconstructions,
    plot_traversals,
    save_figure,
    show_pictures,
)
from mrvae_lib.analysis.pictures import save_gif, save_strip
from mrvae_lib.analysis.traversals import RANGES, bit_flips, interpolate, real_sweep, sweep_values
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
SCORES = {
    "neg_elbo": ("−ELBO", "nats per image, on hard bits"),
    "reconstruction": ("reconstruction", "nats per image"),
    "kl_z": ("KL of z", "nats per image"),
    "kl_b": ("KL of b", "nats per image"),
    "information_of_code": ("information of the code", "nats per image"),
    "code_accuracy": ("label accuracy of the code", "majority label of each hard code, set on training images"),
    "kmeans_accuracy": ("label accuracy of k-means", "as many clusters as codes"),
}


def write_report(model: MRVAE, config: RunConfig, folder: Path, train: ImageSet, test: ImageSet, *, command: str
                 ) -> None:
    """Score a trained model, draw its pictures, complete its `model/` folder with card and examples, write the page."""
    scores = evaluate(model, test, train)
    model.card = model_card(config, scores, test, command)
    model.examples = encoded_examples(model, test)
    save_figure(plot_reconstructions(model, test.first(N_SHOWN).floats()), folder / "reconstructions.png")
    write_traversals(model, folder)
    save_model(model, folder / "model")
    write_page(folder)


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


def write_traversals(model: MRVAE, folder: Path) -> list[Path]:
    """`traversals.png`, and `traversals.gif` in which all informative reals swing, side by side, and every bit flips.

    Both start from the model's own examples.
    """
    mu, bits, scores = model.examples["mu"].float(), model.examples["bits"].float(), model.card["scores"]
    kl_of_real, of_bits = scores["kl_of_real"], scores["information_of_bit"]
    values = torch.cat([there := sweep_values(15), there.flip(0)[1:-1]])
    columns = [real_sweep(model, mu[0], bits[0], i, values) for i in informative_reals(kl_of_real)]
    for k in range(model.n_bits):
        off_on = bit_flips(model, mu[:1], bits[:1], k)[0]
        columns.append(off_on.repeat_interleave(len(values) // 2, dim=0)[: len(values)])
    if not columns:
        columns = [model.decode(mu[:1], bits[:1]).detach().expand(len(values), -1, -1, -1)]
    return [save_figure(plot_traversals(model, mu, bits, kl_of_real, of_bits), folder / "traversals.png"),
            save_gif(torch.stack(columns, dim=1), folder / "traversals.gif")]


def write_more_traversals(model: MRVAE, folder: Path, *, start: int | None = 0, kind: str = "absolute") -> list[Path]:
    """What a run does not draw by itself: an animation per real, every code, and latents crossed and mixed.

    Writes `anim_z0.gif` and so on, each real alone from -3 to 3 in 10 frames; `sweeps.png`, a row per informative
    real; with bits, `lattice.png` (K up to 8); with both, `bit_by_real.png`, the most informative real swept with the
    most informative bit off, then on; and `interpolation.png`, from the start to each of five examples.

    Args:
        start: which of the model's examples to start from; None draws from the prior, seed 0.
        kind: the range of the sweeps; `data` takes the quantiles 0.05 and 0.95 of the examples.
    Raises:
        ConfigError: there is no such example or range.

    Source: the animations are those of miyosuda/disentangled_vae; frame k of 10 shows the value -3 + 6 k / 9.
    """
    mu, bits, scores = model.examples["mu"].float(), model.examples["bits"].float(), model.card["scores"]
    if kind not in RANGES:
        raise ConfigError(f"a range is {', '.join(RANGES)}, got {kind!r}")
    if start is not None and not 0 <= start < len(mu):
        raise ConfigError(f"start must be 0..{len(mu) - 1}, the model's examples, got {start}")
    if start is None:
        generator = torch.Generator().manual_seed(0)
        b = torch.randint(2, (model.n_bits,), generator=generator).float()
        z = torch.randn(model.n_reals, generator=generator)
    else:
        z, b = mu[start], bits[start]
    swings = [real_sweep(model, z, b, i, sweep_values(10, ends=(-3, 3))) for i in range(model.n_reals)]
    written = [save_gif(swing[:, None], folder / f"anim_z{i}.gif", milliseconds=100) for i, swing in enumerate(swings)]
    values = [sweep_values(11, kind, means=mu[:, i]) for i in range(model.n_reals)]
    reals = informative_reals(scores["kl_of_real"])
    if reals:
        sweeps = torch.cat([real_sweep(model, z, b, i, values[i]) for i in reals])
        names = [f"z{i}\n{values[i][0]:.1f} to {values[i][-1]:.1f}" for i in reals]
        written.append(save_figure(show_pictures(sweeps, 11, row_names=names), folder / "sweeps.png"))
    if 0 < model.n_bits <= 8:
        written.append(save_figure(plot_code_lattice(model, z), folder / "lattice.png"))
    if reals and model.n_bits:
        real, bit = reals[0], int(np.argmax(scores["information_of_bit"] or [0]))
        off, on = b.clone(), b.clone()
        off[bit], on[bit] = 0, 1
        crossed = torch.cat([real_sweep(model, z, code, real, values[real]) for code in (off, on)])
        axes = show_pictures(crossed, 11, row_names=[f"b{bit} off", f"b{bit} on"], title=f"z{real} sweeps")
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
    scores = card["scores"]
    shown = [(name, scores[key], note) for key, (name, note) in SCORES.items() if scores.get(key) is not None]
    rows = "".join(f"<tr><th>{name}</th><td>{value:.3f}</td><td>{note}</td></tr>" for name, value, note in shown)
    return (f"<table>{rows}</table><p>On {scores['n_images']:,} test images of {escape(card['data'])}. "
            f"Made by <code>{escape(card['command'])}</code></p>")


def _epochs(pictures: Path) -> str:
    """A section per epoch; the page's script shows the one the slider is at."""
    numbers = sorted(int(path.stem) for path in (pictures / "reconstructions").glob("*.png"))
    if len(numbers) > MAX_EPOCHS:
        last = len(numbers) - 1
        numbers = [numbers[round(i * last / (MAX_EPOCHS - 1))] for i in range(MAX_EPOCHS)]
    sections = []
    for number in numbers:
        found = [_picture(path.read_bytes(), title, kind) for kind, title in KINDS.items()
                 if (path := pictures / kind / f"{number:04}.png").is_file()]
        sections.append(f'<section class="epoch" data-epoch="{number}">{"".join(found)}</section>')
    return "".join(sections)


def _picture(png: bytes, title: str, kind: str = "") -> str:
    return (f'<figure class="{kind}"><figcaption>{title}</figcaption><img alt="{title}" '
            f'src="data:image/png;base64,{base64.b64encode(png).decode()}"></figure>')
