"""One self-contained page: the decoder in plain JavaScript, sliders, bits, picture and codes. No kernel, no network."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.card import card_rows
from mrvae_lib.interactive.state import (
    STEP,
    ExplorerContent,
    ExplorerState,
    decode_state,
    explorer_content,
    png_bytes,
)
from mrvae_lib.model.frame import (
    POSE_HALF_WIDTH,
    POSE_REALS,
    POSE_SHIFT,
    POSE_SIZE,
    POSE_STRETCH,
    PosedDecoder,
)
from mrvae_lib.model.networks import ConvDecoder
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import atomic_write

N_STARTS = 12
"""Starting points with a picture of their own; the others are there for a view that names them."""
MAX_LATTICE_BITS = 6
"""Up to this many bits, all codes are shown."""


class ExportError(ValueError):
    """A decoder that the page cannot hold; the message is one line naming the part."""


def export_html(model: MRVAE, path: str | os.PathLike[str], *, title: str = "MR-VAE",
                content: ExplorerContent | None = None, state: ExplorerState | None = None) -> Path:
    """Write a page that decodes in the browser; it opens from a file, without a network.

    The weights travel as fp16, so the page's picture equals the model's to about 2/255.

    Args:
        model: its card tells the page's last section, its examples are the starting points.
        content: the controls and starting points; the model's own if None.
        state: the view to open; the first starting point if None.
    Returns:
        The path.
    Raises:
        ExportError: the decoder has a layer, or a weight, that the page cannot hold.
    """
    path = Path(path)
    atomic_write(path, page_html(model, title=title, content=content, state=state))
    return path


def page_html(model: MRVAE, *, title: str = "MR-VAE", content: ExplorerContent | None = None,
              state: ExplorerState | None = None) -> str:
    """The page that `export_html` writes, as text."""
    content = content or explorer_content(model)
    layers, weights = decoder_layers(model)
    page = {
        "imageShape": model.image_shape,
        "likelihood": model.config.likelihood,
        "layers": layers,
        "weights": base64.b64encode(_half(weights).tobytes()).decode(),
        "sliders": [{"index": i, "label": label} for i, label in content.reals.items()],
        "range": [*SWEEP, STEP],
        "bits": [label.partition(" · ")[2] for label in content.bits],
        "lattice": 0 < model.n_bits <= MAX_LATTICE_BITS,
        "starts": [_shortened(start) for start in content.starts],
        "labels": content.labels,
        "shown": N_STARTS,
        "state": asdict(state) if state else _shortened(content.starts[0]),
        "card": card_rows(model),
    }
    # "<" is the one character that could end the script element early.
    return fill("page.html", title=html.escape(title), page=json.dumps(page).replace("<", "\\u003c"))


@dataclass(frozen=True)
class PageFrame:
    """The page inside a notebook's output: alive where frames are shown, a picture of its view elsewhere."""

    page: str
    picture: bytes
    height: int

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        frame = (f'<iframe srcdoc="{html.escape(self.page)}" title="MR-VAE" width="100%" height="{self.height}" '
                 f'style="border:0"></iframe>')
        return {"text/html": frame, "image/png": base64.b64encode(self.picture).decode(), "text/plain": "PageFrame"}


def page_frame(model: MRVAE, *, title: str = "MR-VAE", content: ExplorerContent | None = None,
               state: ExplorerState | None = None, height: int = 680) -> PageFrame:
    """The page of `export_html` as a notebook's output: sliders that need no kernel and no widgets.

    Args:
        height: of the frame, in pixels.
    """
    content = content or explorer_content(model)
    state = state or content.starts[0]
    picture = png_bytes(decode_state(model, state).repeat(8, axis=0).repeat(8, axis=1))
    return PageFrame(page_html(model, title=title, content=content, state=state), picture, height)


def fill(template: str, **parts: str) -> str:
    """A template of `web/` with each __NAME__ replaced by the part, or by the file, of that name.

    One pass: what a part says is never looked into.
    """
    web = resources.files("mrvae_lib") / "interactive" / "web"
    files = {"style": "style.css", "decoder": "decoder.js", "script": "page.js"}
    parts |= {name: (web / file).read_text(encoding="utf-8") for name, file in files.items()}
    text = (web / template).read_text(encoding="utf-8")
    return re.sub(r"__([A-Z]+)__", lambda match: parts[match[1].lower()], text)


def decoder_layers(model: MRVAE) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """The decoder as a list of plain operations, and their numbers in the order the operations use them."""
    layers: list[dict[str, Any]] = []
    weights: list[np.ndarray] = []

    def add(op: str, *tensors: Tensor, **sizes: Any) -> None:
        layers.append({"op": op, **sizes})
        weights.extend(tensor.detach().cpu().float().numpy().ravel() for tensor in tensors)

    decoder = model.decoder
    drawing = decoder.drawing if isinstance(decoder, PosedDecoder) else decoder
    if isinstance(decoder, PosedDecoder):
        add("skip", n=POSE_REALS)
    for module in _in_order(drawing):
        match module:
            case nn.Linear():
                add("linear", module.weight, module.bias, **{"in": module.in_features}, out=module.out_features)
            case nn.ConvTranspose2d():
                assert module.bias is not None
                sizes = (module.kernel_size, module.stride, module.padding, module.output_padding)
                if any(len(set(size)) > 1 for size in sizes):
                    raise ExportError(f"the page draws square transposed convolutions only, not {module}")
                # The page keeps a pixel's channels together: (kernel, kernel, out, in).
                add("deconv", module.weight.permute(2, 3, 1, 0), module.bias, **{"in": module.in_channels},
                    out=module.out_channels, kernel=module.kernel_size[0], stride=module.stride[0],
                    padding=module.padding[0], extra=module.output_padding[0])
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                assert module.running_mean is not None
                assert module.running_var is not None
                scale = module.weight / (module.running_var + module.eps).sqrt()
                add("scale", scale, module.bias - module.running_mean * scale, channels=module.num_features)
            case nn.ReLU() | nn.SELU() | nn.Tanh():
                add(type(module).__name__.lower())
            case nn.LeakyReLU():
                add("leakyrelu", slope=module.negative_slope)
            case nn.Unflatten():
                add("shape", shape=list(module.unflattened_size))
            case nn.Flatten():
                add("flatten")
            case nn.ZeroPad2d():
                add("pad", amounts=list(module.padding))
            case _:
                raise ExportError(f"the page cannot hold a {type(module).__name__}; it knows Linear, ConvTranspose2d, "
                                  f"BatchNorm, ReLU, LeakyReLU, SELU, Tanh, Flatten, Unflatten and ZeroPad2d")
    if isinstance(drawing, ConvDecoder):
        add("pad", amounts=[-amount for amount in drawing.padding])
    if isinstance(decoder, PosedDecoder):
        channels, *sides = decoder.image_shape
        add("place", decoder.around, channels=channels, shape=sides, halfWidth=POSE_HALF_WIDTH, reach=POSE_SHIFT,
            size=POSE_SIZE, stretch=POSE_STRETCH)
    return layers, weights


def _in_order(module: nn.Module) -> list[nn.Module]:
    children = list(module.children())
    return [leaf for child in children for leaf in _in_order(child)] if children else [module]


def _half(weights: list[np.ndarray]) -> np.ndarray:
    numbers = np.concatenate(weights)
    largest = np.abs(numbers).max()
    if not largest <= np.finfo(np.float16).max:
        raise ExportError(f"the page holds weights of at most 65504 (fp16), the decoder has {largest:g}")
    return numbers.astype("<f2")


def _shortened(state: ExplorerState) -> dict[str, Any]:
    """A starting point without the digits that fp32 adds to a slider's value."""
    return asdict(state) | {"z": [round(value, 4) for value in state.z]}
