"""One self-contained page: decoder in plain JavaScript, sliders, bits, picture, codes, card. No kernel, no network."""

import base64
import html
import json
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from torch import Tensor, nn

from mrvae_lib.analysis.evaluation import score_rows
from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.data import DATASETS
from mrvae_lib.errors import ExportError
from mrvae_lib.interactive import explorer_state as views
from mrvae_lib.model import frame, parts
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import atomic_write

N_STARTS = 12
"""Starting points with a picture of their own; the others are there for a view that names them."""
MAX_HALF = np.finfo(np.float16).max
POSE = {"halfWidth": frame.POSE_HALF_WIDTH, "reach": frame.POSE_SHIFT, "size": frame.POSE_SIZE,
        "stretch": frame.POSE_STRETCH}
FIT = {"mnist": (20 / 28, "mass"), "digits": (1.0, "box"), "fashion-mnist": (1.0, "box"), "dsprites": (0.33, "free")}
"""For data whose images are fitted, and a visitor's own drawing alike: the longest side of what is shown, as a share of
the image, and what lies in the middle: its centre of mass, its box, or nothing, and then the side is at most that."""
UNITS = {"rotation": "°", "shear": ""}
"""Of the amounts in T; the others are shares, shown in per cent."""
FRAMES = {"upright": "the bits do not see place, size and slant",
          "round": "the bits do not see place, size and stretch"}
PARTS = {"perReal": parts.PER_REAL, "dim": parts.DIM, "margin": parts.MARGIN, "beyond": parts.BEYOND}
POSED = "z0 to z4 place what the other latents draw: across, down, size and two ways to stretch"


def export_html(model: MRVAE, path: str | Path, *, title: str = "MR-VAE",
                state: views.ExplorerState | None = None) -> Path:
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


def page_html(model: MRVAE, *, title: str = "MR-VAE", content: views.ExplorerContent | None = None,
              state: views.ExplorerState | None = None) -> str:
    """The page that `export_html` writes, as text."""
    content, data = content or views.explorer_content(model), model.card.get("data", "")
    page = {
        "imageShape": model.image_shape,
        "likelihood": model.config.likelihood,
        "decoder": written([plain_layers(model.decoder)], "decoder"),
        "encoder": encoder_part(model),
        "own": None if data.startswith(("xys", "faces")) else "picture" if model.image_shape[0] == 3 else "drawing",
        "fit": FIT.get(data),
        "sliders": [{"index": i, "label": label, "title": fit} for i, (label, fit) in content.reals.items()],
        "range": [*SWEEP, views.STEP],
        "bits": [{"index": k, "name": name, "facts": " · ".join(facts)} for k, (name, *facts) in content.bits.items()],
        "lattice": bool(views.code_views(content.starts[0])),
        "starts": [asdict(start) for start in content.starts],
        "labels": content.classes,
        "shown": N_STARTS,
        "state": asdict(state or content.starts[0]),
        "card": card_rows(model),
    }
    web = Path(__file__).with_name("web")  # page.html takes each script and style sheet by its name
    files = {file.stem: file.read_text(encoding="utf-8") for file in web.iterdir() if file.suffix in (".js", ".css")}
    # "<" is the one character that could end the script element early.
    return Template((web / "page.html").read_text(encoding="utf-8")).substitute(
        files, title=html.escape(title), content=json.dumps(page).replace("<", "\\u003c"))


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


def pose_text(pose: dict[str, Any]) -> str:
    """T in words: every amount that is not 0."""
    amounts = [f"{name} {value:g}{UNITS[name]}" if name in UNITS else f"{name} {100 * value:g} %"
               for name, value in pose.items() if value and name != "mirror"]
    return ", ".join(amounts + (["mirror images"] if pose.get("mirror") else [])) or "nothing"


def encoder_part(model: MRVAE) -> dict[str, Any]:
    """The encoder for the page, as `written`; the networks' outputs side by side are the posterior's statistics.

    Where the page cannot hold it, `problem` says why; the page then has no drawing part.
    """
    try:
        match model.encoder:
            case parts.PartsEncoder() as encoder:  # the bits see the image where the reals have found the canvas
                networks = [[*plain_layers(encoder.reals), _layer("note")],
                            [_layer("takeUp", **PARTS), *plain_layers(encoder.bits)]]
            case frame.FramedEncoder() as encoder:
                side = frame.frame_side(*model.image_shape[1:])
                seen = _layer("frame", frame=encoder.frame, side=side, spread=frame.SPREAD, thinnest=frame.THINNEST)
                networks = [[seen, *plain_layers(part)] if part is encoder.bits or isinstance(part, frame.PosedReals)
                            else plain_layers(part) for part in (encoder.reals, encoder.bits) if part]
            case _:
                networks = [plain_layers(model.encoder)]
        return written(networks, "encoder")
    except ExportError as error:
        return {"problem": str(error)}


Layer = tuple[dict[str, Any], tuple[Tensor, ...]]
"""A plain operation with its sizes and the shapes of its numbers; and these, in the order in which it uses them."""


def plain_layers(network: nn.Module) -> list[Layer]:
    """An encoder or decoder as plain layers, one after another.

    Raises:
        ExportError: a layer that the page does not know.
    """
    match network:
        case nn.Sequential():
            return [layer for part in network for layer in plain_layers(part)]
        case frame.PosedReals():
            seen = plain_layers(nn.Sequential(network.body, nn.ReLU()))
            return [*seen, _layer("seePose", **POSE), *plain_layers(network.head), _layer("addPose", **POSE)]
        case frame.PosedDecoder():
            placed = _layer("place", network.around, shape=network.image_shape[1:], **POSE)
            return [_layer("skip", n=frame.POSE_REALS), *plain_layers(network.drawing), placed]
        case parts.PartsDecoder():
            return [_layer("skip", n=parts.PARTS_REALS),
                    _layer("linear", parts.GAIN * network.canvas.weight, parts.GAIN * network.canvas.bias),
                    _layer("shape", shape=[network.image_shape[0], parts.CANVAS_SIDE, parts.CANVAS_SIDE]),
                    _layer("layDown", shape=network.image_shape[1:], **PARTS)]
        case nn.Linear():
            return [_layer("linear", network.weight, network.bias)]
        case nn.Conv2d() | nn.ConvTranspose2d() if all(len(set(size)) == 1 for size in (
                network.kernel_size, network.stride, network.padding, network.output_padding)):
            # The page keeps a pixel's channels together: (out, kernel, kernel, in), or (kernel, kernel, out, in).
            forward = isinstance(network, nn.Conv2d)
            weight = network.weight.permute(0, 2, 3, 1) if forward else network.weight.permute(2, 3, 1, 0)
            return [_layer("conv" if forward else "deconv", weight, network.get_parameter("bias"),
                           stride=network.stride[0], padding=network.padding[0], extra=network.output_padding[0])]
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            scale = network.weight / (network.get_buffer("running_var") + network.eps).sqrt()
            shift = network.bias - network.get_buffer("running_mean") * scale
            return [_layer("scale", scale, shift)]
        case nn.ReLU() | nn.SELU() | nn.Tanh() | nn.Flatten() | nn.AdaptiveAvgPool2d(output_size=1):
            return [_layer(type(network).__name__.lower())]
        case nn.LeakyReLU():
            return [_layer("leakyrelu", slope=network.negative_slope)]
        case nn.Unflatten():
            return [_layer("shape", shape=list(network.unflattened_size))]
        case nn.ZeroPad2d():
            return [_layer("pad", amounts=list(network.padding))]
    raise ExportError(f"the page cannot hold a {type(network).__name__}; it knows Linear, square Conv2d and "
                      "ConvTranspose2d, BatchNorm, ReLU, LeakyReLU, SELU, Tanh, Flatten, Unflatten, ZeroPad2d and the "
                      "mean of a map")


def _layer(op: str, *numbers: Tensor, **sizes: Any) -> Layer:
    return {"op": op, "shapes": [tensor.shape for tensor in numbers], **sizes}, numbers


def written(networks: list[list[Layer]], what: str) -> dict[str, Any]:
    """Networks for the page: their operations, and in `weights` the numbers of all of them as fp16, in base64."""
    tensors = [tensor.detach().cpu().float().numpy().ravel() for _, numbers in chain(*networks) for tensor in numbers]
    weights = np.concatenate(tensors)
    largest = np.abs(weights).max()
    if not largest <= MAX_HALF:  # also a NaN
        raise ExportError(f"the page holds weights of at most {MAX_HALF:.0f} (fp16), the {what} has {largest:g}")
    return {"networks": [[operation for operation, _ in layers] for layers in networks],
            "weights": base64.b64encode(weights.astype("<f2").tobytes()).decode()}
