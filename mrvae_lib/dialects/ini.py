"""Source 004's configuration files, read and turned into a run.

    [configuration]                         [hyperparameters]
    dataset = MNIST                         epochs = 15
    path = ../datasets/                     batch_size = 32
    [architecture]                          learning_rate = 3e-6
    conv_layers = 2                         beta = 4
    conv_channels = [16, 32]
    conv_kernel_sizes = [(7, 7), (5, 5)]
    conv_strides = [(1, 1), (1, 1)]
    conv_paddings = [(1, 1), (1, 1)]
    z_dimension = 2

Only the variation B-VAE needs `beta`. MRVAE_DATA, where it is set, wins over `path`. The learning rate falls to a tenth
after every epochs // 2 epochs.
"""

import configparser
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, Json, ValidationError, model_validator

from mrvae_lib.config import PRESETS, RunConfig, Section, parse_config, preset_names
from mrvae_lib.errors import ConfigError, one_line, shortened

OUR_NAMES = {"MNIST": "mnist", "FashionMNIST": "fashion-mnist", "CIFAR10": "cifar10"}
"""Of the data sets that a file may name."""


def _as_json(text: str) -> str:
    """A Python list or tuple as a JSON list."""
    return re.sub(r",\s*\]", "]", text.replace("(", "[").replace(")", "]"))


Count = Annotated[int, Field(ge=1)]
FromZero = Annotated[int, Field(ge=0)]
Counts = Annotated[Json[tuple[Count, ...]], BeforeValidator(_as_json),
                   Field(description="a list of whole numbers >= 1 such as [16, 32, 64]")]
Sizes = Annotated[Json[tuple[tuple[Count, Count], ...]], BeforeValidator(_as_json),
                  Field(description="a list of pairs of whole numbers >= 1 such as [(7, 7), (5, 5)]")]
Paddings = Annotated[Json[tuple[tuple[FromZero, FromZero], ...]], BeforeValidator(_as_json),
                     Field(description="a list of pairs of whole numbers >= 0 such as [(1, 1), (0, 0)]")]


class Configuration(Section):
    """The data set, and the folder that it lies in."""

    dataset: Literal["MNIST", "FashionMNIST", "CIFAR10"]
    path: Annotated[str, Field(min_length=1, description="a folder")]


class Architecture(Section):
    """Each list has one entry per convolution of the encoder; the decoder is its mirror."""

    conv_layers: Count
    conv_channels: Counts
    conv_kernel_sizes: Sizes
    conv_strides: Sizes
    conv_paddings: Paddings
    z_dimension: Annotated[int, Field(ge=1, le=512)]

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        for key in ("conv_channels", "conv_kernel_sizes", "conv_strides", "conv_paddings"):
            if (length := len(getattr(self, key))) != self.conv_layers:
                raise ValueError(f"architecture.{key} must have {self.conv_layers} entries, got {length}")
        return self


class Hyperparameters(Section):
    """How the model is trained, with Adam."""

    epochs: Count
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0)]
    beta: Annotated[float, Field(ge=0)] | None = None


class IniFile(Section):
    """A configuration file as it stands: its sections and keys are the file's own."""

    configuration: Configuration
    architecture: Architecture
    hyperparameters: Hyperparameters

    @classmethod
    def read(cls, source: str | os.PathLike[str]) -> Self:
        """Read a file by its path, or a shipped example by its name.

        Raises:
            ConfigError: one line naming the file and section.key, the value received and what is accepted.
        """
        path = PRESETS / f"{source}.ini" if str(source) in preset_names(".ini") else Path(source)
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
            return cls.model_validate({section: dict(parser.items(section)) for section in parser.sections()})
        except ValidationError as error:
            raise ConfigError(f"{source}: {one_line(error, cls)}") from None
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            raise ConfigError(f"{source}: cannot be read as an INI file ({shortened(str(error))}); the examples are "
                              f"{', '.join(preset_names('.ini'))}") from None

    def run(self, variation: str | None = None, overrides: Iterable[str] = ()) -> RunConfig:
        """The run that the file describes.

        Args:
            variation: `VAE` keeps beta at 1 whatever the file says. `B-VAE` takes the file's beta. None means B-VAE if
                the file has a beta, else VAE.
            overrides: as in `load_config`.
        Raises:
            ConfigError: another variation, B-VAE without a beta, or as in `load_config`.
        """
        from mrvae_lib.data import DATASETS  # on first use, so that the command line answers before torch is there

        hyper = self.hyperparameters
        betas = {"VAE": 1.0, "B-VAE": hyper.beta, None: 1.0 if hyper.beta is None else hyper.beta}
        if variation not in betas:
            raise ConfigError(f"variation must be VAE or B-VAE, got {variation!r}")
        if (beta := betas[variation]) is None:
            raise ConfigError("hyperparameters.beta is missing: the variation B-VAE needs it")
        data = OUR_NAMES[self.configuration.dataset]
        encoder, decoder = mirrored_layers(self.architecture, DATASETS[data].shape)
        return parse_config({
            "data": {"name": data},
            "model": {"n_reals": self.architecture.z_dimension, "n_bits": 0, "network": "layers",
                      "encoder": encoder, "decoder": decoder},
            "objective": {"beta_z": beta},
            "train": {"epochs": hyper.epochs, "batch_size": hyper.batch_size,
                      "lr": _falling(hyper.learning_rate, hyper.epochs)},
            "source": {"project": "AndrewSpano/Disentangled-Variational-Autoencoder", "beta": beta,
                       "convention": "per-image", "batch_size": hyper.batch_size},
        }, overrides)


def mirrored_layers(net: Architecture, image_shape: tuple[int, int, int]) -> tuple[list[str], list[str]]:
    """Source 004's networks: convolutions, their mirror image, and an output that goes one size up and back.

    Each transposed convolution gets the output padding that restores the size its convolution started from. A network
    that some image is too small for is refused where it is built, with the layer and the size it reached.

    Args:
        image_shape: (C, H, W).
    Returns:
        The layers of the encoder and of the decoder.
    """
    sizes = list(zip(net.conv_kernel_sizes, net.conv_strides, net.conv_paddings, strict=True))
    forms = [f"k{_size(k)} s{_size(s)} p{_size(p)}" for k, s, p in sizes]
    decoder = [f"deconv {net.conv_channels[0]} {forms[0]}, selu, batchnorm", f"conv {image_shape[0]} {forms[0]}"]
    encoder: list[str] = []
    shape: tuple[int, ...] = image_shape
    for channels, form, size in zip(net.conv_channels, forms, sizes, strict=True):
        # Per axis: how often the kernel moves on, and the pixels that are left over at the end.
        moves = [divmod(side + 2 * p - k, s) for side, k, s, p in zip(shape[1:], *size, strict=True)]
        encoder.append(f"conv {channels} {form}, leaky 0.15, batchnorm")
        left_over = _size(rest for _, rest in moves)
        decoder.insert(0, f"deconv {channels} {form} op{left_over}, leaky 0.15, batchnorm")
        shape = (channels, *(times + 1 for times, _ in moves))
    return encoder, [f"linear {math.prod(shape)}, view {_size(shape)}", *decoder]


def _size(numbers: Iterable[int]) -> str:
    return "x".join(map(str, numbers))


def _falling(lr: float, epochs: int) -> tuple[tuple[float, float], ...]:
    """The learning rate as a schedule that falls to a tenth after every epochs // 2 epochs; constant for one epoch."""
    every = max(1, epochs // 2)
    return tuple((place / epochs, lr * 0.1**i) for i, start in enumerate(range(0, epochs, every))
                 for place in (start, min(start + every, epochs)))
