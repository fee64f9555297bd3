"""What a run is: data, model, objective and training, frozen, checked, read from and written to TOML.

To add a preset, put a .toml file into `mrvae_lib/presets/`.
"""

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mrvae_lib.errors import ConfigError, one_line, suggestion

NonNegative = Annotated[float, Field(ge=0)]
Points = Annotated[tuple[tuple[Annotated[float, Field(ge=0, le=1)], NonNegative], ...], Field(min_length=1)]
Schedule = Annotated[
    NonNegative | Points, Field(description="a number >= 0, or points [[progress 0..1, value >= 0], ...]")
]
"""A number, or points [progress, value] joined by straight lines; progress runs from 0 to 1 over the run."""

Widths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=16384)], ...],
    Field(min_length=1, description="one or more whole numbers from 1 to 16384")
]
Layers = Annotated[
    tuple[str, ...], Field(description='a list of layers, such as ["conv 32 k4 s2 p1, relu", "linear 256, relu"]')
]
"""Written as `model/layers.py` reads them, one or several to a text."""

PRESETS = Path(__file__).parent / "presets"

MIN_SIDE, MAX_SIDE = 8, 256
"""Of an image, in pixels: what the networks take. Images that are squares of one such side stay as they are."""

MAX_TABLE_BITS = 12
"""The widest code whose 2^K table we write down: 4,096 columns per image."""


class Section(BaseModel):
    """One table of a configuration: frozen, closed to keys it does not know and to numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(Section):
    """Which images. `limit` keeps only the first so many training images; the rest is for your own pictures."""

    name: Annotated[str, AfterValidator(os.path.expanduser)] = "digits"
    limit: Annotated[int, Field(ge=1)] | None = None
    size: Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)] | None = None
    """The side of the squares that they become; see `data/pixels.py` for the rule without it."""
    fit: Literal["crop", "pad", "stretch"] = "crop"
    """How a picture that is not square becomes one."""
    channels: Literal["auto", "grey", "colour"] = "auto"
    """`auto` is grey where all pictures are."""
    invert: bool = False
    """Light and dark exchanged."""


class ModelConfig(Section):
    """The shape of the model: D reals, K bits, and the networks between them and the image."""

    n_reals: Annotated[int, Field(ge=0, le=512)] = 10
    n_bits: Annotated[int, Field(ge=0, le=512)] = 4
    network: Literal["mlp", "conv", "layers", "parts"] = "mlp"
    hidden: Widths = (512, 256)
    """Widths of `mlp` and of the encoder of `parts`, channels of `conv`."""
    encoder: Layers = ()
    """Of `layers`: one after another, without the linear layer to the statistics, which is added."""
    decoder: Layers = ()
    """Of `layers`: from the vector of latents to the image's own shape."""
    frame: Literal["image", "upright", "round"] = "image"
    posed: bool = False
    """Of `mlp` and `conv`, see `model/frame.py`: where the bits look, and whether five reals place what is drawn."""
    likelihood: Literal["bernoulli", "gaussian", "mse-tanh"] = "bernoulli"
    spread: Annotated[float, Field(gt=0)] = 1.0
    """Of `gaussian`: the standard deviation of a pixel from which the learned one starts."""

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if self.n_reals + self.n_bits == 0:
            raise ValueError("n_reals + n_bits must be >= 1, got 0: a model without latents has nothing to encode")
        for key in ("encoder", "decoder"):
            if getattr(self, key) and self.network != "layers":
                raise ValueError(f"model.{key} needs model.network = 'layers', got {self.network!r}")
        if self.network in ("layers", "parts") and (self.frame != "image" or self.posed):
            raise ValueError(f"model.frame and model.posed need model.network = 'mlp' or 'conv', got {self.network!r}")
        if self.network == "parts" and (self.n_reals != 5 or self.n_bits < 1 or self.likelihood == "mse-tanh"):
            raise ValueError("model.network 'parts' takes 5 reals, at least one bit, and the likelihood bernoulli or "
                             f"gaussian; got {self.n_reals} reals, {self.n_bits} bits and {self.likelihood}")
        if self.posed and (self.frame != "round" or self.n_reals < 5 or self.n_reals + self.n_bits < 6):
            raise ValueError("model.posed takes model.frame = 'round', 5 reals and a latent more, "
                             f"got {self.frame!r}, {self.n_reals} reals and {self.n_bits} bits")
        return self


class PoseConfig(Section):
    """T, the change of pose that the code should survive; amounts are half widths of uniform draws."""

    rotation: Annotated[float, Field(ge=0, le=180)] = 25.0
    """Degrees."""
    shear: Annotated[float, Field(ge=0, le=1)] = 0.3
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.2
    shift: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Of half the image's width."""
    elastic: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Standard deviation of a smooth warp, of half the image's width; 0 leaves straight lines straight."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of the image's own brightness; a contrast of 0.4 draws a factor from 0.6 to 1.4."""
    mirror: bool = False
    """Left and right exchanged in half of the draws."""
    specks: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the pixels that take a random brightness: no code may hang on a pixel."""


class DiscriminatorConfig(Section):
    """The network that estimates TC(z) where `objective.tc` is "discriminator"; it has an Adam of its own."""

    hidden: Widths = (1000,) * 6
    lr: Annotated[float, Field(gt=0)] = 1e-4


class ObjectiveConfig(Section):
    """The weight of every term, in nats per image; the terms are defined in `objective.py`."""

    beta_z: Schedule = 1.0
    beta_b: Schedule = 1.0
    gamma_z: Schedule = 0.0
    capacity_z: Schedule = 0.0
    gamma_b: Schedule = 0.0
    capacity_b: Schedule = 0.0
    lambda_tc: Schedule = 0.0
    tc: Literal["stratified", "discriminator"] = "stratified"
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    lambda_information: Schedule = 0.0
    lambda_aggregate: Schedule = 0.0
    lambda_consistency: Schedule = 0.0
    lambda_reading: Schedule = 0.0
    pose: PoseConfig = PoseConfig()
    estimator: Literal["auto", "exact", "bit-flip", "concrete", "straight-through"] = "auto"
    temperature: Annotated[float, Field(gt=0)] = 2 / 3


class TrainConfig(Section):
    """How long, how fast, on what; `seed` fixes the first weights, the order of the images and every draw."""

    epochs: Annotated[int, Field(ge=1, le=10**6)] = 20
    batch_size: Annotated[int, Field(ge=1)] = 256
    lr: Schedule = 1e-3
    weight_decay: NonNegative = 0.0
    """Of Adam: so much of each weight is added to its gradient."""
    plateau: Annotated[int, Field(ge=0)] | None = None
    """Epochs that the mean loss may go without falling; one more, and `lr` is a tenth from there on."""
    seed: Annotated[int, Field(ge=0, le=10**12)] = 0
    checkpoint_every: Annotated[int, Field(ge=1)] = 1
    """Epochs between checkpoints."""
    pictures: Annotated[Literal["few", "all", "none"] | tuple[Annotated[int, Field(ge=1)], ...],
                        Field(description="few, all, none, or a list of epochs >= 1")] = "few"
    """After which epochs to draw: `few` is 1, 2, 5, 10, 20, 50, ... and the last, or a list of epochs."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class SourceConfig(Section):
    """What a preset was taken from and what its beta meant there; `dialects/beta.py` says how to convert it."""

    project: str = ""
    beta: Annotated[float, Field(ge=0)]
    """As stated there; the gamma of a capacity form counts as one."""
    convention: Literal["per-image", "batch-sum", "kl-batch-mean", "dataset-size", "joint-vae"]
    batch_size: Annotated[int, Field(ge=1)]
    n_images: Annotated[int, Field(ge=1)] | None = None
    """Training images there, where known; needed to convert a beta of the convention `dataset-size`."""
    white: Annotated[float, Field(gt=0, le=1)] = 1
    """The value of a white pixel there: cross entropy gains about in proportion, so our beta is as much larger."""


class RunConfig(Section):
    """Everything a run depends on."""

    about: str = ""
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    train: TrainConfig = TrainConfig()
    source: SourceConfig | None = None

    @model_validator(mode="after")
    def _objective_fits_the_model(self) -> Self:
        n_bits, objective = self.model.n_bits, self.objective
        if objective.lambda_tc != 0 and self.model.n_reals < 2:
            raise ValueError(f"objective.lambda_tc prices what reals share, so model.n_reals must be >= 2, "
                             f"got {self.model.n_reals}")
        needy = [key for key in ("lambda_information", "lambda_aggregate") if getattr(objective, key) != 0]
        needy += ["estimator 'exact'"] if objective.estimator == "exact" else []
        if needy and n_bits > MAX_TABLE_BITS:
            raise ValueError(f"objective.{needy[0]} needs the table of all 2^K codes, so model.n_bits must be <= "
                             f"{MAX_TABLE_BITS}, got {n_bits}")
        return self


def value_at(schedule: Schedule, progress: float) -> float:
    """A schedule's value: itself if a number, else on the straight line between its two nearest points.

    Args:
        progress: 0 at the first step of the run, 1 at the last.
    """
    from numpy import interp  # on first use, so that the command line answers before numpy is there

    if isinstance(schedule, (int, float)):
        return float(schedule)
    places, values = zip(*schedule, strict=True)
    return float(interp(progress, places, values))


def preset_names(suffix: str = ".toml") -> list[str]:
    """The shipped presets, one experiment each, in alphabetical order; `.ini` asks for source 004's instead."""
    return sorted(path.stem for path in PRESETS.glob(f"*{suffix}"))


def load_config(source: str | os.PathLike[str], *, quick: bool = False, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a preset by name, or a TOML file by path.

    Args:
        source: a name from `preset_names()`, or the path of a `.toml` file.
        quick: apply the file's [quick] table, which shrinks the run for a first look.
        overrides: `section.key=value` settings, applied last; the value is read as TOML, or as plain text.
    Raises:
        ConfigError: one line naming the file or key, the value received and what is accepted.
    """
    names = preset_names()
    path = PRESETS / f"{source}.toml" if str(source) in names else Path(source)
    if not path.is_file():
        raise ConfigError(f"{source}: no such preset or .toml file{suggestion(str(source), names)}; "
                          f"presets: {', '.join(names)}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # also a number of 5,000 digits, or brackets a thousand deep
        raise ConfigError(f"{source}: not valid TOML: {error}") from None
    shrink = table.pop("quick", {})
    if not isinstance(shrink, dict):
        raise ConfigError(f"{source}: quick must be a table of sections, got {shrink!r}")
    return parse_config(_merged(table, shrink) if quick else table, overrides, origin=str(source))


def parse_config(table: Mapping[str, Any], overrides: Iterable[str] = (), *, origin: str = "configuration"
                 ) -> RunConfig:
    """Check a nested table of settings; what it leaves out takes its default.

    Args:
        overrides: as in `load_config`.
        origin: names the source of the table in an error.
    Raises:
        ConfigError: as in `load_config`.
    """
    for override in overrides:
        table = _merged(table, _parse_override(override))
        origin += f" --set {override}"
    try:
        return RunConfig.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {one_line(error, RunConfig)}") from None


def dump_config(config: RunConfig) -> str:
    """The configuration as TOML text, every key written out; `load_config` reads it back to an equal one."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def _parse_override(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    for value in (text, json.dumps(text.strip())) if equals else ():  # as TOML, or as plain text
        with suppress(ValueError, RecursionError):
            return tomllib.loads(f"{key} = {value}")
    raise ConfigError(f"--set {override}: must be section.key=value, for example train.epochs=3")


def _merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(table)
    for key, value in changes.items():
        nested = isinstance(result.get(key), Mapping) and isinstance(value, Mapping)
        result[key] = _merged(result[key], value) if nested else value
    return result
