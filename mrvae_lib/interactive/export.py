"""One self-contained page: the decoder in plain JavaScript, sliders, bits and the picture. No kernel, no network."""

from __future__ import annotations

import base64
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from mrvae_lib.analysis.traversals import SWEEP
from mrvae_lib.interactive.state import STEP, explorer_content
from mrvae_lib.model.networks import ConvDecoder
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.training.checkpoints import atomic_write

N_STARTS = 12


def export_html(model: MRVAE, path: str | os.PathLike[str], *, title: str = "MR-VAE") -> Path:
    """Write a page that decodes in the browser; it opens from a file, without a network.

    The weights travel as fp16, so the page's picture equals the model's to about 2/255.
    """
    layers, weights = decoder_layers(model)
    content = explorer_content(model)
    labels = content.labels or ("",) * len(content.starts)
    page = {
        "imageShape": model.image_shape,
        "likelihood": model.config.likelihood,
        "layers": layers,
        "weights": base64.b64encode(np.concatenate(weights).astype("<f2").tobytes()).decode(),
        "sliders": [{"index": i, "label": label, "min": SWEEP[0], "max": SWEEP[1], "step": STEP}
                    for i, label in content.reals.items()],
        "starts": [{"z": start.z, "b": start.b, "label": label}
                   for start, label in zip(content.starts[:N_STARTS], labels, strict=False)],
        "title": title,
    }
    template = (resources.files("mrvae_lib") / "interactive" / "page.html").read_text(encoding="utf-8")
    # "<" is the one character that could end the script element early.
    text = template.replace("__PAGE__", json.dumps(page).replace("<", "\\u003c"))
    path = Path(path)
    atomic_write(path, text)
    return path


def decoder_layers(model: MRVAE) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """The decoder as a list of plain operations, and their numbers in the order the operations use them."""
    layers: list[dict[str, Any]] = []
    weights: list[np.ndarray] = []

    def keep(*tensors: Tensor) -> None:
        weights.extend(tensor.detach().cpu().float().numpy().ravel() for tensor in tensors)

    for module in _in_order(model.decoder):
        if isinstance(module, nn.Linear):
            layers.append({"op": "linear", "in": module.in_features, "out": module.out_features})
            keep(module.weight, module.bias)
        elif isinstance(module, nn.ReLU):
            layers.append({"op": "relu"})
        elif isinstance(module, nn.Unflatten):
            layers.append({"op": "shape", "shape": list(module.unflattened_size)})
        elif isinstance(module, nn.ConvTranspose2d):
            layers.append({"op": "deconv", "in": module.in_channels, "out": module.out_channels,
                           "kernel": module.kernel_size[0], "stride": module.stride[0], "padding": module.padding[0]})
            assert module.bias is not None
            keep(module.weight, module.bias)
        else:
            raise TypeError(f"export_html cannot write a {type(module).__name__}; it knows Linear, ReLU, Unflatten "
                            f"and ConvTranspose2d")
    if isinstance(model.decoder, ConvDecoder):
        left, right, top, bottom = model.decoder.padding
        layers.append({"op": "crop", "left": left, "right": right, "top": top, "bottom": bottom})
    return layers, weights


def _in_order(module: nn.Module) -> list[nn.Module]:
    children = list(module.children())
    return [leaf for child in children for leaf in _in_order(child)] if children else [module]
