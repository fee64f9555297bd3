"""Source 004's configuration files: read, checked, turned into a run, and written from one.

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

`beta` is needed by the variation B-VAE only, and here it reaches the loss.
"""

from __future__ import annotations

import ast
import configparser
import os
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from mrvae_lib.config import (
    DataConfig,
    ModelConfig,
    ObjectiveConfig,
    RunConfig,
    Section,
    TrainConfig,
    dump_config,
    load_config,
)
from mrvae_lib.config_errors import one_line, shortened
from mrvae_lib.errors import ConfigError
from mrvae_lib.notation import Shape, mirrored_layers, read_layers

Variation = Literal["VAE", "B-VAE"]
DATASETS: dict[str, tuple[str, Shape]] = {
    "MNIST": ("mnist", (1, 28, 28)),
    "FashionMNIST": ("fashion-mnist", (1, 28, 28)),
    "CIFAR10": ("cifar10", (3, 32, 32)),
}
"""What the file calls a data set: our name and its images' shape."""


SUFFIXES = (".ini", ".cfg", ".conf")


def _value(text: Any) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_value),
                   Field(description="a list of whole numbers >= 1 such as [16, 32, 64]")]
Pairs = Annotated[tuple[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], ...], BeforeValidator(_value),
                  Field(description="a list of pairs of whole numbers such as [(7, 7), (5, 5)]")]


class Configuration(Section):
    """The data, and the folder they lie in; MRVAE_DATA, where set, wins over the folder."""

    dataset: Literal["MNIST", "FashionMNIST", "CIFAR10"]
    path: Annotated[str, Field(min_length=1, description="a folder")]


class Architecture(Section):
    """One entry per convolution in each list; the decoder is the mirror."""

    conv_layers: Annotated[int, Field(ge=1)]
    conv_channels: Counts
    conv_kernel_sizes: Pairs
    conv_strides: Pairs
    conv_paddings: Pairs
    z_dimension: Annotated[int, Field(ge=1, le=512)]


class Hyperparameters(Section):
    """Adam, with a learning rate that falls to a tenth after every epochs // 2 epochs."""

    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    beta: Annotated[float, Field(ge=0)] | None = None


class IniFile(Section):
    """A configuration file as it stands; its sections and keys are the file's own."""

    configuration: Configuration
    architecture: Architecture
    hyperparameters: Hyperparameters

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        n = self.architecture.conv_layers
        for key in ("conv_channels", "conv_kernel_sizes", "conv_strides", "conv_paddings"):
            length = len(getattr(self.architecture, key))
            if length != n:
                raise ValueError(f"architecture.{key} must have {n} entries, as conv_layers says, got {length}")
        for key in ("conv_kernel_sizes", "conv_strides"):
            if any(0 in pair for pair in getattr(self.architecture, key)):
                raise ValueError(f"architecture.{key} must be >= 1 everywhere, got 0")
        try:
            self._layers()
        except ConfigError as error:
            raise ValueError(f"architecture: {error}") from None
        return self

    @classmethod
    def read(cls, source: str | os.PathLike[str]) -> IniFile:
        """Read a file, or a shipped example by name.

        Raises:
            ConfigError: one line naming the file and section.key, the value received and what is accepted.
        """
        path = Path(source) if Path(source).is_file() else _examples() / f"{source}.ini"
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
            return cls.model_validate({name: dict(parser[name]) for name in parser.sections()})
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"{source}: cannot be read; give an INI file or one of the examples "
                              f"{', '.join(example_names())}") from None
        except configparser.Error as error:
            raise ConfigError(f"{source}: not a valid INI file: {shortened(' '.join(str(error).split()))}") from None
        except ValidationError as error:
            raise ConfigError(f"{source}: {one_line(error, cls)}") from None

    def run(self, variation: str | None = None) -> RunConfig:
        """The run that the file describes.

        Args:
            variation: `VAE` leaves beta at 1 whatever the file says; `B-VAE` takes the file's; None is B-VAE where the
                file has a beta.
        Raises:
            ConfigError: another variation, or B-VAE without a beta.
        """
        hyper = self.hyperparameters
        if variation not in ("VAE", "B-VAE", None):
            raise ConfigError(f"variation must be VAE or B-VAE, got {variation!r}")
        if variation == "B-VAE" and hyper.beta is None:
            raise ConfigError("hyperparameters.beta is missing: the variation B-VAE needs it")
        beta = 1.0 if variation == "VAE" or hyper.beta is None else hyper.beta
        encoder, decoder = self._layers()
        return RunConfig(
            data=DataConfig(name=DATASETS[self.configuration.dataset][0]),
            model=ModelConfig(n_reals=self.architecture.z_dimension, n_bits=0, network="layers", encoder=encoder,
                              decoder=decoder),
            objective=ObjectiveConfig(beta_z=beta),
            train=TrainConfig(epochs=hyper.epochs, batch_size=hyper.batch_size,
                              lr=_falling(hyper.learning_rate, hyper.epochs)),
        )

    @classmethod
    def of_run(cls, run: RunConfig, path: str = "data") -> IniFile:
        """The file that describes a run.

        Raises:
            ConfigError: the run has something that such a file cannot say; names it.
        """
        convolutions = [layer for layer in read_layers(run.model.encoder, "model.encoder") if layer.kind == "conv"]
        names = {ours: theirs for theirs, (ours, _) in DATASETS.items()}
        if run.data.name not in names or not convolutions:
            raise ConfigError(f"an INI file holds convolutions on {', '.join(DATASETS)}, "
                              f"not {run.model.network} on {run.data.name}")
        lr = run.train.lr if isinstance(run.train.lr, float) else run.train.lr[0][1]
        beta = run.objective.beta_z
        file = cls(
            configuration=Configuration(dataset=names[run.data.name], path=path),  # type: ignore[arg-type]
            architecture=Architecture(
                conv_layers=len(convolutions), z_dimension=max(1, run.model.n_reals),
                conv_channels=tuple(layer.size[0] for layer in convolutions),
                conv_kernel_sizes=tuple(layer.kernel for layer in convolutions),
                conv_strides=tuple(layer.stride for layer in convolutions),
                conv_paddings=tuple(layer.padding for layer in convolutions)),
            hyperparameters=Hyperparameters(epochs=run.train.epochs, batch_size=run.train.batch_size, learning_rate=lr,
                                            beta=None if beta == 1 or not isinstance(beta, float) else beta))
        told = file.run().model_dump()
        for section, settings in run.model_dump(exclude={"about", "source"}).items():
            for key, value in (settings or {}).items():
                if told[section][key] != value:
                    raise ConfigError(f"an INI file cannot say {section}.{key} = {value!r}")
        return file

    def text(self) -> str:
        """The file's text; `read` gives it back equal."""
        sections = self.model_dump(exclude_none=True)
        return "\n".join("\n".join([f"[{name}]", *(f"{key} = {_written(value)}" for key, value in keys.items()), ""])
                         for name, keys in sections.items())

    def _layers(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        shape, net = DATASETS[self.configuration.dataset][1], self.architecture
        return mirrored_layers(shape, net.conv_channels, net.conv_kernel_sizes, net.conv_strides, net.conv_paddings)


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str], variation: str | None = None) -> Path:
    """Write a configuration in the other format: an INI file from a TOML file or preset, or TOML from an INI file.

    Raises:
        ConfigError: the source cannot be read, or its run cannot be said in an INI file; names it.
    """
    path = Path(target)
    from_ini = is_ini(source)
    if path.suffix not in (*SUFFIXES, ".toml") or (path.suffix in SUFFIXES) == from_ini:
        raise ConfigError(f"{target}: must be {'a .toml file' if from_ini else 'an .ini or .cfg file'}, as {source} is "
                          f"{'INI' if from_ini else 'TOML'}")
    text = dump_config(IniFile.read(source).run(variation)) if from_ini else IniFile.of_run(load_config(source)).text()
    path.write_text(text, encoding="utf-8")
    return path


def is_ini(source: str | os.PathLike[str]) -> bool:
    """Whether a name is that of an INI file or a shipped example."""
    return Path(source).suffix in SUFFIXES or str(source) in example_names()


def example_names() -> list[str]:
    """The shipped example files, in alphabetical order."""
    return sorted(path.stem for path in _examples().glob("*.ini"))


def _examples() -> Path:
    return Path(str(resources.files("mrvae_lib") / "presets"))


def _falling(lr: float, epochs: int) -> float | tuple[tuple[float, float], ...]:
    """A learning rate that falls to a tenth after every epochs // 2 epochs; constant for a single epoch."""
    every = epochs // 2
    if not every:
        return lr
    starts = range(0, epochs, every)
    return tuple((place / epochs, lr * 0.1**i) for i, start in enumerate(starts)
                 for place in (start, min(start + every, epochs)))


def _written(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)
