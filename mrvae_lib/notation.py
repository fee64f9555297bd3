"""Networks as text: "conv 32 k4 s2 p1, batchnorm, leaky 0.05"; each layer reads, and says what it makes of a shape.

A shape is a map (C, H, W) or a vector (N,). `linear` takes a map as its numbers in a row, `conv` and `deconv` take a
vector as a map of 1x1. Where a size has two numbers it is height x width; one number stands for both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mrvae_lib.errors import ConfigError

Shape = tuple[int, ...]
Pair = tuple[int, int]

FORMS = {
    "conv": "conv CHANNELS kKERNEL [sSTRIDE] [pPADDING], as in conv 32 k4 s2 p1 or conv 16 k7x5 s3x2",
    "deconv": "deconv CHANNELS kKERNEL [sSTRIDE] [pPADDING] [opOUTPUT_PADDING], as in deconv 32 k3 s2 p1 op1",
    "linear": "linear WIDTH, as in linear 256",
    "view": "view CxHxW, as in view 32x4x4",
    "fit": "fit SIDE or fit HxW, which pads with zeros or crops, as in fit 32",
    "resize": "resize SIDE or resize HxW, which interpolates, as in resize 64",
    "meanpool": "meanpool, which averages each channel",
    "batchnorm": "batchnorm",
    "relu": "relu",
    "leaky": "leaky SLOPE, as in leaky 0.05",
    "selu": "selu",
    "tanh": "tanh",
}
"""Every kind of layer, and how to write it."""

_COUNT, _SIZE, _FROM_0 = r"([1-9]\d*)", r"([1-9]\d*(?:x[1-9]\d*)?)", r"(\d+(?:x\d+)?)"
_CONV = rf"{_COUNT} k{_SIZE}(?: s{_SIZE})?(?: p{_FROM_0})?"
_PATTERNS = {"conv": _CONV, "deconv": rf"{_CONV}(?: op{_FROM_0})?", "linear": _COUNT, "fit": _SIZE, "resize": _SIZE,
             "view": r"([1-9]\d*x[1-9]\d*x[1-9]\d*)", "leaky": r"(\d+(?:\.\d+)?)"}


@dataclass(frozen=True)
class Layer:
    """One layer as read; of the numbers, only those of its kind mean something."""

    text: str
    kind: str
    size: Shape = ()
    """Channels of a convolution, width of a linear layer, or the shape to view, fit or resize to."""
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    output_padding: Pair = (0, 0)
    slope: float = 0.0

    def output(self, shape: Shape) -> Shape:
        """What the layer makes of a shape.

        Raises:
            ValueError: it cannot take this shape, or nothing would be left of it; says which.
        """
        if self.kind in ("conv", "deconv"):
            sides = tuple(map(self._side, shape[1:] or (1, 1), (0, 1)))
            if min(sides) < 1:
                raise ValueError(f"reaches {as_text((*self.size, *sides))} from {as_text(shape)}")
            return (*self.size, *sides)
        if self.kind == "linear":
            return self.size
        if self.kind == "view":
            if math.prod(shape) != math.prod(self.size):
                raise ValueError(f"needs {math.prod(self.size)} numbers, got {math.prod(shape)} ({as_text(shape)})")
            return self.size
        if self.kind in ("fit", "resize", "meanpool"):
            if len(shape) != 3:
                raise ValueError(f"needs a map, got a vector of {shape[0]}; put a view before it")
            return (shape[0], *self.size)
        return shape

    def _side(self, side: int, axis: int) -> int:
        k, s, p = self.kernel[axis], self.stride[axis], self.padding[axis]
        if self.kind == "conv":
            return (side + 2 * p - k) // s + 1
        return (side - 1) * s - 2 * p + k + self.output_padding[axis]


def read_layers(lines: Sequence[str], where: str) -> list[Layer]:
    """The layers of all lines, in order; a line holds one layer or several, with commas between them.

    Args:
        where: names the list in an error, for example `model.encoder`.
    Raises:
        ConfigError: one line naming the layer and how it is written.
    """
    texts = [" ".join(text.split()) for line in lines for text in line.split(",")]
    return [_read(text, f"{where}: layer {i}, {text!r},") for i, text in enumerate(texts, start=1)]


def trace(layers: Sequence[Layer], shape: Shape, where: str) -> list[Shape]:
    """The shapes between the layers, from the first one's input to the last one's output.

    Raises:
        ConfigError: one line naming the layer and the size it reached.
    """
    shapes = [shape]
    for i, layer in enumerate(layers, start=1):
        try:
            shapes.append(layer.output(shapes[-1]))
        except ValueError as error:
            raise ConfigError(f"{where}: layer {i}, {layer.text!r}, {error}") from None
    return shapes


def mirrored_layers(image_shape: Shape, channels: tuple[int, ...], kernels: tuple[Pair, ...], strides: tuple[Pair, ...],
                    paddings: tuple[Pair, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Source 004's networks as text: convolutions, their mirror, and an output layer that goes up once and back.

    Each transposed convolution gets the output padding that brings it to the size its convolution had come from.

    Args:
        image_shape: (C, H, W). The lists have one entry per convolution.
    Returns:
        The encoder's and the decoder's lines.
    Raises:
        ConfigError: a size falls below 1; names the layer and the size it reached.
    """
    tail = ", leaky 0.15, batchnorm"
    forms = [f"k{as_text(k)} s{as_text(s)} p{as_text(p)}" for k, s, p in zip(kernels, strides, paddings, strict=True)]
    encoder = tuple(f"conv {c} {form}{tail}" for c, form in zip(channels, forms, strict=True))
    maps = trace(read_layers(encoder, "encoder"), image_shape, "encoder")[::3]
    last = maps[-1]
    decoder = [f"linear {last[0] * last[1] * last[2]}, view {as_text(last)}"]
    for i in reversed(range(len(channels))):
        extra = tuple((side + 2 * p - k) % s for side, k, s, p in zip(maps[i][1:], kernels[i], strides[i], paddings[i],
                                                                      strict=True))
        decoder.append(f"deconv {channels[i]} {forms[i]} op{as_text(extra)}{tail}")
    decoder += [f"deconv {channels[0]} {forms[0]}, selu, batchnorm", f"conv {image_shape[0]} {forms[0]}"]
    trace(read_layers(decoder, "decoder"), (1,), "decoder")
    return encoder, tuple(decoder)


def as_text(shape: Shape) -> str:
    """A shape as in the notation: 32x4x4."""
    return "x".join(map(str, shape))


def _read(text: str, who: str) -> Layer:
    kind, _, rest = text.partition(" ")
    if kind not in FORMS:
        raise ConfigError(f"{who} is not a layer; there are {', '.join(FORMS)}")
    found = re.fullmatch(_PATTERNS.get(kind, ""), rest)
    if not found:
        raise ConfigError(f"{who} must be written {FORMS[kind]}")
    if kind == "leaky":
        return Layer(text, kind, slope=float(found[1]))
    if kind in ("conv", "deconv"):
        channels, kernel, *options = found.groups()
        stride, padding, *more = (_pair(option) for option in options)
        stride, output_padding = stride or (1, 1), more[0] if more and more[0] else (0, 0)
        if any(extra >= step for extra, step in zip(output_padding, stride, strict=True) if extra):
            raise ConfigError(f"{who} has an output padding that is not smaller than its stride")
        return Layer(text, kind, (int(channels),), _pair(kernel) or (1, 1), stride, padding or (0, 0), output_padding)
    if kind in ("linear", "view"):
        return Layer(text, kind, tuple(int(number) for number in found[1].split("x")))
    return Layer(text, kind, (1, 1) if kind == "meanpool" else _pair(found[1]) if found.groups() else ())


def _pair(text: str | None) -> Pair | tuple[()]:
    if not text:
        return ()
    height, _, width = text.partition("x")
    return int(height), int(width or height)
