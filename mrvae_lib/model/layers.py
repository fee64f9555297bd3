"""Encoder and decoder from a list of layers, each written as text (see `notation`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from mrvae_lib.messages import ConfigError
from mrvae_lib.notation import Layer, Shape, as_text, read_layers, trace


def layered_encoder(lines: Sequence[str], image_shape: Shape, n_stats: int) -> nn.Sequential:
    """The layers, then one linear layer to the posterior's statistics.

    Raises:
        ConfigError: one line naming the layer and the size it reached.
    """
    modules, shape = _modules(lines, image_shape, "model.encoder")
    return nn.Sequential(*modules, nn.Flatten(), nn.Linear(math.prod(shape), n_stats))


def layered_decoder(lines: Sequence[str], image_shape: Shape, n_latents: int) -> nn.Sequential:
    """The layers, from a vector of latents to exactly the image's shape.

    Raises:
        ConfigError: one line naming the layer and the size it reached.
    """
    modules, shape = _modules(lines, (n_latents,), "model.decoder")
    if shape != image_shape:
        raise ConfigError(f"model.decoder ends at {as_text(shape)}, but the images are {as_text(image_shape)}; "
                          f"fit HxW or resize HxW bring a map to their size, view CxHxW a vector")
    return nn.Sequential(*modules)


class Resize(nn.Module):
    """Maps interpolated to a size, smoothly also when they shrink."""

    def __init__(self, size: Shape) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        # In fp32: torch has no smooth shrinking in bf16.
        return F.interpolate(x.float(), size=self.size, mode="bilinear", antialias=True)

    def extra_repr(self) -> str:
        return as_text(self.size)


def _modules(lines: Sequence[str], shape: Shape, where: str) -> tuple[list[nn.Module], Shape]:
    layers = read_layers(lines, where)
    shapes = trace(layers, shape, where)
    modules = [module for layer, (before, after) in zip(layers, pairwise(shapes), strict=True)
               for module in _module(layer, before, after)]
    return modules, shapes[-1]


def _module(layer: Layer, before: Shape, after: Shape) -> list[nn.Module]:
    """The layer itself, after what brings its input into form."""
    match layer.kind:
        case "conv" | "deconv":
            form: list[nn.Module] = [nn.Unflatten(1, (*before, 1, 1))] if len(before) == 1 else []
            if layer.kind == "conv":
                return [*form, nn.Conv2d(before[0], after[0], layer.kernel, layer.stride, layer.padding)]
            return [*form, nn.ConvTranspose2d(before[0], after[0], layer.kernel, layer.stride, layer.padding,
                                              layer.output_padding)]
        case "linear":
            flat = nn.Linear(math.prod(before), after[0])
            return [flat] if len(before) == 1 else [nn.Flatten(), flat]
        case "view":
            return [nn.Unflatten(1, after)] if len(before) == 1 else [nn.Flatten(), nn.Unflatten(1, after)]
        case "fit":
            top, left = ((new - old) // 2 for new, old in zip(after[1:], before[1:], strict=True))
            right, bottom = after[2] - before[2] - left, after[1] - before[1] - top
            return [nn.ZeroPad2d((left, right, top, bottom))]
        case "resize":
            return [Resize(after[1:])]
        case "meanpool":
            return [nn.AdaptiveAvgPool2d(1)]
        case "batchnorm":
            return [nn.BatchNorm2d(before[0]) if len(before) == 3 else nn.BatchNorm1d(before[0])]
        case "leaky":
            return [nn.LeakyReLU(layer.slope)]
        case "relu":
            return [nn.ReLU()]
        case "selu":
            return [nn.SELU()]
        case _:
            return [nn.Tanh()]
