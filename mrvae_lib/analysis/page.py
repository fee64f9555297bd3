"""`report.html`: a run on one page, with its settings, curves, scores and pictures; no network, no server."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from mrvae_lib.analysis.curves import line_chart
from mrvae_lib.config import load_config
from mrvae_lib.training.checkpoints import atomic_write

MAX_EPOCHS = 12
"""Epochs whose pictures travel with the page, the first and the last among them."""
KINDS = {"reconstructions": "Test images and their reconstructions", "sweep": "What each latent does",
         "samples": "Draws from the prior, the same in every epoch", "classes": "One image of each class"}
"""The pictures under the slider, and what to write above them."""
ENDS = {"history.png": "How reconstructions grew", "scatter.png": "Where the encoder puts the test images",
        "traversals.png": "Each latent of the finished model"}
SCORES = {
    "neg_elbo": ("−ELBO", "nats per image, on hard bits"),
    "reconstruction": ("reconstruction", "nats per image"),
    "kl_z": ("KL of z", "nats per image"),
    "kl_b": ("KL of b", "nats per image"),
    "information_of_code": ("information of the code", "nats per image"),
    "code_accuracy": ("label accuracy of the code", "majority label of each hard code, set on training images"),
    "kmeans_accuracy": ("label accuracy of k-means", "as many clusters as codes"),
}


def write_page(folder: Path) -> Path:
    """Gather what a run has left in its folder so far into `report.html`; finished or not.

    Raises:
        ConfigError: the folder holds no run.
    """
    config = load_config(folder / "config.toml")
    rows = read_metrics(folder / "metrics.jsonl")
    model, train = config.model, config.train
    done = int(rows[-1]["epoch"]) if rows else 0
    facts = {
        "images": config.data.name,
        "latents": f"{model.n_reals} reals, {model.n_bits} bits",
        "network": f"{model.network}, {model.likelihood}",
        "epochs": f"{done} of {train.epochs}, batches of {train.batch_size}, seed {train.seed}",
    }
    template = (resources.files("mrvae_lib") / "analysis" / "report.html").read_text(encoding="utf-8")
    text = Template(template).substitute(
        title=escape(folder.resolve().name),
        about=escape(config.about),
        facts="".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()),
        scores=_scores(folder),
        curves="".join(_curves(rows)),
        epochs=_epochs(folder / "pictures"),
        ends="".join(_picture(path, title) for name, title in ENDS.items()
                     if (path := _found(folder, name)) is not None),
        settings=escape((folder / "config.toml").read_text(encoding="utf-8")),
    )
    path = folder / "report.html"
    atomic_write(path, text)
    return path


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The epochs in a `metrics.jsonl`, oldest first; none where there is no such file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def metric_curves(rows: Sequence[dict[str, float]], names: dict[str, str]) -> dict[str, list[tuple[float, float]]]:
    """Points (epoch, value) of the metrics that were measured, under the names to show; `test/` twins come along."""
    shown = {prefix + key: prefix + name for key, name in names.items() for prefix in ("", "test/")}
    return {name: [(row["epoch"], row[key]) for row in rows if key in row] for key, name in shown.items()
            if any(key in row for row in rows)}


def _curves(rows: Sequence[dict[str, float]]) -> list[str]:
    rows = [{**row, "neg_elbo": row["reconstruction"] + row["kl_z"] + row["kl_b"]} for row in rows]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    charts = {
        "Loss, nats per image": {"neg_elbo": "−ELBO", "reconstruction": "reconstruction"},
        "What latents carry, nats per image": {"kl_z": "KL of z", "kl_b": "KL of b",
                                               "information_of_code": "I(x; b)"},
        "KL of each real, nats": {key: f"z{key.split('/')[1]}" for key in keys if key.startswith("kl_of_real/")},
        "Information of each bit, nats": {key: f"b{key.split('/')[1]}" for key in keys
                                          if key.startswith("information_of_bit/")},
        "Weights": {key: key.removeprefix("weight/") for key in keys if key.startswith("weight/")},
    }
    curves = {title: metric_curves(rows, names) for title, names in charts.items()}
    return [line_chart(series, title=title) for title, series in curves.items() if series]


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
        found = [_picture(path, title, kind) for kind, title in KINDS.items()
                 if (path := pictures / kind / f"{number:04}.png").is_file()]
        sections.append(f'<section class="epoch" data-epoch="{number}">{"".join(found)}</section>')
    return "".join(sections)


def _found(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / "pictures" / name, folder / name) if path.is_file()), None)


def _picture(path: Path, title: str, kind: str = "") -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return (f'<figure class="{kind}"><figcaption>{title}</figcaption><img alt="{title}" '
            f'src="data:image/png;base64,{data}"></figure>')
