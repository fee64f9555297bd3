"""Networks written as text, "conv 32 k4 s2 p1, batchnorm, leaky 0.05", as torch modules.

A shape is a map (C, H, W) or a vector (N,). `linear` takes a map as its numbers in a row, `conv` and `deconv` take a
vector as a map of 1x1. Where a size has two numbers it is height x width; one number stands for both.
"""

import math
import re
from collections.abc import Sequence

from torch import Tensor, nn

from mrvae_lib.errors import ConfigError

Shape = tuple[int, ...]

_COUNT, _SIZE, _FROM_0 = r"([1-9]\d*)", r"([1-9]\d*(?:x[1-9]\d*)?)", r"(\d+(?:x\d+)?)"
_CONV = rf"{_COUNT} k{_SIZE}(?: s{_SIZE})?(?: p{_FROM_0})?"
MAX_NUMBER = 2**20
"""A larger one is a slip, and asks for more memory than there is."""
LAYERS = {
    "conv": (_CONV, "conv CHANNELS kKERNEL [sSTRIDE] [pPADDING], as in conv 32 k4 s2 p1 or conv 16 k7x5 s3x2"),
    "deconv": (rf"{_CONV}(?: op{_FROM_0})?", "deconv CHANNELS kKERNEL [sSTRIDE] [pPADDING] [opOUTPUT_PADDING], as in "
                                             "deconv 32 k3 s2 p1 op1"),
    "linear": (_COUNT, "linear WIDTH, as in linear 256"),
    "view": (r"([1-9]\d*x[1-9]\d*x[1-9]\d*)", "view CxHxW, as in view 32x4x4"),
    "fit": (_SIZE, "fit SIDE or fit HxW, which pads with zeros or crops, as in fit 32"),
    "resize": (_SIZE, "resize SIDE or resize HxW, which interpolates, as in resize 64"),
    "leaky": (r"(\d+(?:\.\d+)?)", "leaky SLOPE, as in leaky 0.05"),
    **{name: ("", f"{name}, and nothing more") for name in ("meanpool", "batchnorm", "relu", "selu", "tanh")},
}
"""Every kind of layer: the pattern of what follows its name, and how it is written; `meanpool` is the mean of a map."""


def layered_encoder(lines: Sequence[str], image_shape: Shape, n_stats: int) -> nn.Sequential:
    """The layers, then one linear layer to the posterior's statistics.

    Raises:
        ConfigError: one line naming the layer and how it is written, or the size it reached.
    """
    modules, shape = read_layers(lines, image_shape, "model.encoder")
    return nn.Sequential(*modules, nn.Flatten(), nn.Linear(math.prod(shape), n_stats))


def layered_decoder(lines: Sequence[str], image_shape: Shape, n_latents: int) -> nn.Sequential:
    """The layers, from a vector of latents to exactly the image's shape.

    Raises:
        ConfigError: one line naming the layer and how it is written, or the size it reached.
    """
    modules, shape = read_layers(lines, (n_latents,), "model.decoder")
    if shape != image_shape:
        raise ConfigError(f"model.decoder ends at {as_text(shape)}, but the images are {as_text(image_shape)}; "
                          f"fit HxW or resize HxW bring a map to their size, view CxHxW a vector")
    return nn.Sequential(*modules)


def read_layers(lines: Sequence[str], shape: Shape, where: str) -> tuple[list[nn.Module], Shape]:
    """The modules of all lines, in order, and the shape that they make of `shape`.

    Args:
        lines: each holds one layer or several, with commas between them.
        where: names the list in an error, for example `model.encoder`.
    Raises:
        ConfigError: one line naming the layer and how it is written, or the size it reached.
    """
    modules: list[nn.Module] = []
    texts = [" ".join(text.split()) for line in lines for text in line.split(",")]
    for i, text in enumerate(texts, start=1):
        try:
            added, shape = _layer(text, shape)
        except ValueError as error:
            raise ConfigError(f"{where}: layer {i}, {text!r}, {error}") from None
        modules += added
    return modules, shape


class Resize(nn.Upsample):
    """Maps interpolated to a size: torch's `Upsample`, but smooth also when they shrink."""

    def forward(self, x: Tensor) -> Tensor:
        # In fp32: torch has no smooth shrinking in bf16.
        return nn.functional.interpolate(x.float(), size=self.size, mode=self.mode, antialias=True)


def centred_padding(shape: Shape, height: int, width: int) -> tuple[int, int, int, int]:
    """What brings a map (C, H, W) to a size: zeros on its left, right, top and bottom, or, below 0, pixels cropped."""
    top, left = (height - shape[1]) // 2, (width - shape[2]) // 2
    return left, width - shape[2] - left, top, height - shape[1] - top


def as_text(shape: Shape) -> str:
    """A shape as in the notation: 32x4x4."""
    return "x".join(map(str, shape))


def _layer(text: str, shape: Shape) -> tuple[list[nn.Module], Shape]:
    """The modules of one layer for an input of this shape, and the shape of its output."""
    kind, _, rest = text.partition(" ")
    if kind not in LAYERS:
        raise ValueError(f"is not a layer; there are {', '.join(LAYERS)}")
    pattern, form = LAYERS[kind]
    if not re.fullmatch(pattern, rest) or any(int(number) > MAX_NUMBER for number in re.findall(r"\d+", rest)):
        raise ValueError(f"must be written {form}, with numbers of at most {MAX_NUMBER}")
    if kind in ("fit", "resize", "meanpool") and len(shape) != 3:
        raise ValueError(f"needs a map, got a vector of {shape[0]}; put a view before it")
    flatten = [nn.Flatten()] if len(shape) == 3 else []
    match kind:
        case "conv" | "deconv":
            return _convolution(kind, rest, shape)
        case "linear":
            return [*flatten, nn.Linear(math.prod(shape), int(rest))], (int(rest),)
        case "view":
            new = tuple(int(number) for number in rest.split("x"))
            if math.prod(shape) != math.prod(new):
                raise ValueError(f"needs {math.prod(new)} numbers, got {math.prod(shape)} ({as_text(shape)})")
            return [*flatten, nn.Unflatten(1, new)], new
        case "fit":
            return [nn.ZeroPad2d(centred_padding(shape, *_pair(rest)))], (shape[0], *_pair(rest))
        case "resize":
            return [Resize(_pair(rest), mode="bilinear")], (shape[0], *_pair(rest))
        case "meanpool":
            return [nn.AdaptiveAvgPool2d(1)], (shape[0], 1, 1)
        case "batchnorm":
            return [nn.BatchNorm2d(shape[0]) if len(shape) == 3 else nn.BatchNorm1d(shape[0])], shape
        case "leaky":
            return [nn.LeakyReLU(float(rest))], shape
        case _:
            return [{"relu": nn.ReLU, "selu": nn.SELU, "tanh": nn.Tanh}[kind]()], shape


def _convolution(kind: str, text: str, shape: Shape) -> tuple[list[nn.Module], Shape]:
    """A convolution or a transposed one, from its channels, kernel, stride, padding and output padding."""
    channels = int(text.split()[0])
    sizes = {"s": "1", "p": "0", "op": "0", **dict(re.findall(r"([a-z]+)(\d\S*)", text))}
    kernel, stride, padding, extra = (_pair(sizes[key]) for key in ("k", "s", "p", "op"))
    if any(e >= s for e, s in zip(extra, stride, strict=True) if e):
        raise ValueError("has an output padding that is not smaller than its stride")
    unflatten: list[nn.Module] = [nn.Unflatten(1, (*shape, 1, 1))] if len(shape) == 1 else []
    sides = zip(shape[1:] or (1, 1), kernel, stride, padding, extra, strict=True)
    if kind == "conv":
        new = tuple((n + 2 * p - k) // s + 1 for n, k, s, p, _ in sides)
        layer: nn.Module = nn.Conv2d(shape[0], channels, kernel, stride, padding)
    else:
        new = tuple((n - 1) * s - 2 * p + k + e for n, k, s, p, e in sides)
        layer = nn.ConvTranspose2d(shape[0], channels, kernel, stride, padding, extra)
    if min(new) < 1:
        raise ValueError(f"reaches {as_text((channels, *new))} from {as_text(shape)}")
    return [*unflatten, layer], (channels, *new)


def _pair(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width or height)
