"""A page of several models: each opens in a page of its own, decoded in the browser."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import torch

from mrvae_lib.analysis.pictures import tile
from mrvae_lib.interactive.card import accuracy_text
from mrvae_lib.interactive.export import N_STARTS, export_html, fill
from mrvae_lib.interactive.state import explorer_content, png_bytes
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import atomic_write

COLUMNS = 4


def export_gallery(models: Mapping[str, MRVAE], folder: str | os.PathLike[str]) -> Path:
    """Write `index.html` and, for each model, `NAME.html` into a folder that any web server can serve.

    Returns:
        The path of `index.html`.
    Raises:
        ExportError: as `export_html`.
    """
    folder = Path(folder)
    for name, model in models.items():
        export_html(model, folder / f"{name}.html", title=f"MR-VAE · {name}")
    index = folder / "index.html"
    atomic_write(index, fill("gallery.html", entries="\n".join(_entry(*item) for item in models.items())))
    return index


def _entry(name: str, model: MRVAE) -> str:
    scores = model.card.get("scores", {})
    facts = [f"{model.n_bits} bits and {model.n_reals} reals"]
    if "data" in model.card:
        facts.append(f"trained on {model.card['data']} without labels")
    if accuracy_text(scores):
        facts.append(f"the code is right about {accuracy_text(scores)}")
    elif scores:
        facts.append(f"−ELBO {scores['neg_elbo']:.1f} nats per image")
    picture = base64.b64encode(_thumbnail(model)).decode()
    text = html.escape("; ".join(facts) + ".")
    return (f'<a href="{html.escape(quote(name))}.html"><img alt="" src="data:image/png;base64,{picture}">'
            f"<h2>{html.escape(name)}</h2><p>{text}</p></a>")


@torch.inference_mode()
def _thumbnail(model: MRVAE) -> bytes:
    """What the decoder makes of the first starting points, as one PNG; no image of the data."""
    starts = explorer_content(model).starts[:N_STARTS]
    z = torch.tensor([start.z for start in starts], dtype=torch.float32).reshape(len(starts), model.n_reals)
    b = torch.tensor([start.b for start in starts], dtype=torch.float32).reshape(len(starts), model.n_bits)
    return png_bytes(tile(model.decode(z, b), COLUMNS, gap=0))
