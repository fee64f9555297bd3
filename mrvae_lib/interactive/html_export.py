"""One self-contained page: decoder in plain JavaScript, sliders, bits, picture, codes, card. No kernel, no network."""

import base64
import html
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np
from torch import Tensor, nn

from mrvae_lib.analysis.pictures import data_uri, png_bytes, tile
from mrvae_lib.analysis.tables import score_rows
from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.data import DATASETS
from mrvae_lib.errors import ExportError
from mrvae_lib.interactive import explorer_state as views
from mrvae_lib.interactive.explorer_state import ExplorerContent, ExplorerState
from mrvae_lib.model import frame as frames
from mrvae_lib.model import parts
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import atomic_write

N_STARTS = 12
"""Starting points with a picture of their own; the others are there for a view that names them."""
THUMBNAIL_COLUMNS = 4
MAX_HALF = np.finfo(np.float16).max
POSE = {"halfWidth": frames.POSE_HALF_WIDTH, "reach": frames.POSE_SHIFT, "size": frames.POSE_SIZE,
        "stretch": frames.POSE_STRETCH}
FIT = {"mnist": (20 / 28, "mass"), "digits": (1.0, "box"), "fashion-mnist": (1.0, "box"), "dsprites": (0.33, "free")}
"""For data whose images are fitted, and a visitor's own drawing alike: the longest side of what is shown, as a share of
the image, and what lies in the middle: its centre of mass, its box, or nothing, and then the side is at most that."""
UNITS = {"rotation": "°", "shear": ""}
"""Of the amounts in T; the others are shares, shown in per cent."""
FRAMES = {"upright": "the bits do not see place, size and slant",
          "round": "the bits do not see place, size and stretch"}
PARTS = {"perReal": parts.PER_REAL, "dim": parts.DIM, "margin": parts.MARGIN}
POSED = "z0 to z4 place what the other latents draw: across, down, size and two ways to stretch"


def export_html(model: MRVAE, path: str | Path, *, title: str = "MR-VAE",
                state: ExplorerState | None = None) -> Path:
    """Write a page that decodes in the browser; it opens from a file, without a network.

    The weights travel as fp16, so the page's picture equals the model's to about 2/255.

    Args:
        model: its card tells the page's last section, its examples are the starting points.
        state: the view to open; the first starting point if None.
    Returns:
        The path.
    Raises:
        ExportError: the decoder has a layer, or a weight, that the page cannot hold.
    """
    atomic_write(Path(path), page_html(model, title=title, state=state))
    return Path(path)


def export_gallery(models: Mapping[str, MRVAE], folder: str | Path) -> Path:
    """Write `index.html` and, for each model, `NAME.html` into a folder that any web server can serve.

    Returns:
        The path of `index.html`.
    Raises:
        ExportError: as `export_html`.
    """
    folder, entries = Path(folder), []
    for name, model in models.items():
        export_html(model, folder / f"{name}.html", title=f"MR-VAE · {name}")
        drawn = views.decode_states(model, views.explorer_content(model).starts[:N_STARTS])  # no image of the data
        picture = data_uri(png_bytes(tile(drawn, THUMBNAIL_COLUMNS, gap=0)))
        entries.append(f'<a href="{html.escape(quote(name))}.html"><img alt="" src="{picture}">'
                       f"<h2>{html.escape(name)}</h2><p>{html.escape(one_line_summary(model))}</p></a>")
    index = folder / "index.html"
    atomic_write(index, _filled("gallery.html", entries="\n".join(entries)))
    return index


def page_html(model: MRVAE, *, title: str = "MR-VAE", content: ExplorerContent | None = None,
              state: ExplorerState | None = None) -> str:
    """The page that `export_html` writes, as text."""
    content, data = content or views.explorer_content(model), model.card.get("data", "")
    layers, weights = plain_layers(model.decoder)
    page = {
        "imageShape": model.image_shape,
        "likelihood": model.config.likelihood,
        "layers": layers,
        "weights": _as_half(weights, "decoder"),
        "encoder": encoder_part(model),
        "own": None if data.startswith(("xys", "faces")) else "picture" if model.image_shape[0] == 3 else "drawing",
        "fit": FIT.get(data),
        "sliders": [{"index": i, "label": " · ".join(label), "title": views.explained(content, i)}
                    for i, label in content.reals.items()],
        "range": [*SWEEP, views.STEP],
        "bits": [" · ".join(facts) for _, *facts in content.bits],
        "names": [name for name, *_ in content.bits],
        "lattice": bool(views.code_views(content.starts[0])),
        "starts": [asdict(start) for start in content.starts],
        "labels": content.classes,
        "shown": N_STARTS,
        "state": asdict(state or content.starts[0]),
        "card": card_rows(model),
    }
    # "<" is the one character that could end the script element early.
    return _filled("page.html", title=html.escape(title), content=json.dumps(page).replace("<", "\\u003c"))


def card_rows(model: MRVAE) -> list[tuple[str, str]]:
    """What the card tells, as (term, text), in the order a reader asks; a model without a card tells its size."""
    config, card, scores = model.config, model.card, model.card.get("scores", {})
    data, objective = card.get("data"), card.get("run", {}).get("objective", {})
    hidden = f", hidden {', '.join(map(str, config.hidden))}" if config.network in ("mlp", "conv") else ""
    licence = f"; {DATASETS[data].licence}" if data in DATASETS and DATASETS[data].licence else ""
    rows = {
        "Model": f"{config.n_reals} reals and {config.n_bits} bits; {config.network} network{hidden}; "
                 f"{config.likelihood} likelihood",
        "Data": data and f"{data}, used without labels{licence}",
        "Frame": "; ".join(filter(None, (FRAMES.get(config.frame), POSED if config.posed else ""))),
        "T, what the code should survive":
            objective.get("lambda_consistency") and pose_text(objective.get("pose", {})),
        "Trained with": card.get("command"),
        "Scored on": scores and f"{scores['n_images']:,} test images",
    }
    rows |= {name: f"{value} {note}" for name, value, note in (score_rows(scores) if scores else ())}
    return [(term, text) for term, text in rows.items() if text]


def one_line_summary(model: MRVAE) -> str:
    """What a gallery says of a model: its size, its data and its best-known score."""
    scores, data = model.card.get("scores", {}), model.card.get("data")
    facts = [f"{model.n_bits} bits and {model.n_reals} reals", data and f"trained on {data} without labels"]
    if scores.get("code_accuracy") is not None:
        facts.append(f"the code is right about {100 * scores['code_accuracy']:.1f} % of {scores['n_images']:,} images")
    elif scores:
        facts.append(f"−ELBO {scores['neg_elbo']:.1f} nats per image")
    return "; ".join(filter(None, facts)) + "."


def pose_text(pose: dict[str, Any]) -> str:
    """T in words: every amount that is not 0."""
    amounts = [f"{name} {value:g}{UNITS[name]}" if name in UNITS else f"{name} {100 * value:g} %"
               for name, value in pose.items() if value and name != "mirror"]
    return ", ".join(amounts + (["mirror images"] if pose.get("mirror") else [])) or "nothing"


def encoder_part(model: MRVAE) -> dict[str, Any]:
    """The encoder for the page: `networks`, whose outputs side by side are the posterior's statistics, and `weights`.

    Where the page cannot hold it, `problem` says why; the page then has no drawing part.
    """
    encoder, networks, weights = model.encoder, [], []
    framed, of_parts = isinstance(encoder, frames.FramedEncoder), isinstance(encoder, parts.PartsEncoder)
    apart: list[Any] = [encoder.reals, encoder.bits] if framed or of_parts else [encoder]
    try:
        for part in filter(None, apart):
            layers, numbers = plain_layers(part)
            if of_parts and part is encoder.reals:
                layers.append({"op": "note"})
            elif of_parts:  # the bits see the image where the reals have found the canvas
                layers.insert(0, {"op": "takeUp", **PARTS})
            if framed and (part is encoder.bits or isinstance(part, frames.PosedReals)):
                side = frames.frame_side(*model.image_shape[1:])
                layers.insert(0, {"op": "frame", "frame": encoder.frame, "side": side, "spread": frames.SPREAD,
                                  "thinnest": frames.THINNEST})
            networks.append(layers)
            weights += numbers
        return {"networks": networks, "weights": _as_half(weights, "encoder")}
    except ExportError as error:
        return {"problem": str(error)}


def plain_layers(network: nn.Module) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """An encoder or decoder as a list of plain operations, and their numbers in the order the operations use them.

    Raises:
        ExportError: a layer that the page does not know.
    """
    layers: list[dict[str, Any]] = []
    weights: list[np.ndarray] = []

    def add(op: str, *tensors: Tensor, **sizes: Any) -> None:
        layers.append({"op": op, **sizes})
        weights.extend(tensor.detach().cpu().float().numpy().ravel() for tensor in tensors)

    def write(*modules: nn.Module) -> None:
        for module in modules:
            write_one(module)

    def write_one(module: nn.Module) -> None:
        match module:
            case nn.Sequential():
                write(*module)
            case frames.PosedReals():
                write(module.body, nn.ReLU())
                add("seePose", **POSE)
                write(module.head)
                add("addPose", **POSE)
            case frames.PosedDecoder():
                channels, *sides = module.image_shape
                add("skip", n=frames.POSE_REALS)
                write(module.drawing)
                add("place", module.around, channels=channels, shape=sides, **POSE)
            case parts.PartsDecoder():
                channels, *sides = module.image_shape
                add("skip", n=parts.PARTS_REALS)
                add("linear", parts.GAIN * module.canvas.weight, parts.GAIN * module.canvas.bias,
                    **{"in": module.canvas.in_features}, out=module.canvas.out_features)
                add("shape", shape=[channels, parts.CANVAS_SIDE, parts.CANVAS_SIDE])
                add("layDown", shape=sides, **PARTS)
            case nn.Linear():
                add("linear", module.weight, module.bias, **{"in": module.in_features}, out=module.out_features)
            case nn.Conv2d() | nn.ConvTranspose2d() if all(len(set(size)) == 1 for size in (
                    module.kernel_size, module.stride, module.padding, module.output_padding)):
                # The page keeps a pixel's channels together: (out, kernel, kernel, in), or (kernel, kernel, out, in).
                forward = isinstance(module, nn.Conv2d)
                weight = module.weight.permute(0, 2, 3, 1) if forward else module.weight.permute(2, 3, 1, 0)
                add("conv" if forward else "deconv", weight, module.get_parameter("bias"),
                    **{"in": module.in_channels}, out=module.out_channels, kernel=module.kernel_size[0],
                    stride=module.stride[0], padding=module.padding[0], extra=module.output_padding[0])
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                scale = module.weight / (module.get_buffer("running_var") + module.eps).sqrt()
                shift = module.bias - module.get_buffer("running_mean") * scale
                add("scale", scale, shift, channels=module.num_features)
            case nn.ReLU() | nn.SELU() | nn.Tanh() | nn.Flatten():
                add(type(module).__name__.lower())
            case nn.LeakyReLU():
                add("leakyrelu", slope=module.negative_slope)
            case nn.Unflatten():
                add("shape", shape=list(module.unflattened_size))
            case nn.ZeroPad2d():
                add("pad", amounts=list(module.padding))
            case nn.AdaptiveAvgPool2d(output_size=1):
                add("meanpool")
            case _:
                raise ExportError(f"the page cannot hold a {type(module).__name__}; it knows Linear, square Conv2d and "
                                  "ConvTranspose2d, BatchNorm, ReLU, LeakyReLU, SELU, Tanh, Flatten, Unflatten, "
                                  "ZeroPad2d and the mean of a map")

    write(network)
    return layers, weights


def _as_half(weights: list[np.ndarray], what: str) -> str:
    """The numbers as fp16, in base64."""
    numbers = np.concatenate(weights)
    largest = np.abs(numbers).max()
    if not largest <= MAX_HALF:  # also a NaN
        raise ExportError(f"the page holds weights of at most {MAX_HALF:.0f} (fp16), the {what} has {largest:g}")
    return base64.b64encode(numbers.astype("<f2").tobytes()).decode()


def _filled(template: str, **parts: str) -> str:
    """A template of `web/` with each $name replaced by the part, or by the script or style sheet, of that name."""
    web = resources.files("mrvae_lib") / "interactive" / "web"
    scripts = {Path(file.name).stem: file.read_text(encoding="utf-8") for file in web.iterdir()
               if file.name.endswith((".js", ".css"))}
    return Template((web / template).read_text(encoding="utf-8")).substitute(scripts, **parts)
