"""Write a gallery of all shipped models, an index and a page each, that any web server can serve: `make site`.

    python tools/gallery.py FOLDER
"""

from __future__ import annotations

import html
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from urllib.parse import quote

from mrvae_lib.analysis.pictures import data_uri, png_bytes, tile
from mrvae_lib.interactive import explorer_state as views
from mrvae_lib.interactive import html_export
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import load_model, pretrained_names

STYLE = Path(html_export.__file__).with_name("web") / "style.css"


def export_gallery(models: Mapping[str, MRVAE], folder: Path) -> Path:
    """Write `index.html` and, for each model, `NAME.html`; gives the path of `index.html`."""
    entries = []
    for name, model in models.items():
        html_export.export_html(model, folder / f"{name}.html", title=f"MR-VAE · {name}")
        starts = views.explorer_content(model).starts[:html_export.N_STARTS]
        drawn = tile(views.decode_states(model, starts), columns=4, gap=0)  # no image of the data
        entries.append(f'<a href="{html.escape(quote(name))}.html"><img alt="" src="{data_uri(png_bytes(drawn))}">'
                       f"<h2>{html.escape(name)}</h2><p>{html.escape(one_line_summary(model))}</p></a>")
    template, style = (path.read_text(encoding="utf-8") for path in (Path(__file__).with_suffix(".html"), STYLE))
    index = folder / "index.html"
    index.write_text(Template(template).substitute(style=style, entries="\n".join(entries)), encoding="utf-8")
    return index


def one_line_summary(model: MRVAE) -> str:
    """What the gallery says of a model: its size, its data and its best-known score."""
    scores, data = model.card.get("scores", {}), model.card.get("data")
    facts = [f"{model.n_bits} bits and {model.n_reals} reals", data and f"trained on {data} without labels"]
    if scores.get("code_accuracy") is not None:
        facts.append(f"the code is right about {100 * scores['code_accuracy']:.1f} % of {scores['n_images']:,} images")
    elif scores:
        facts.append(f"−ELBO {scores['neg_elbo']:.1f} nats per image")
    return "; ".join(filter(None, facts)) + "."


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(export_gallery({name: load_model(name) for name in pretrained_names()}, Path(sys.argv[1])))
