"""What a run is: data, model, objective and training, frozen, checked, read from and written to TOML."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mrvae_lib.conventions import Source

NonNegative = Annotated[float, Field(ge=0)]
Points = tuple[tuple[Annotated[float, Field(ge=0, le=1)], NonNegative], ...]
Schedule = Annotated[float, Field(ge=0)] | Points
"""A number, or points [progress, value] joined by straight lines; progress runs from 0 to 1 over the run."""

MAX_TABLE_BITS = 12
"""The widest code whose 2^K table we write down: 4,096 columns per image."""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line naming the key, the value and what is accepted."""


class Section(BaseModel):
    """One table of a configuration: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(Section):
    """Which images. `limit` keeps only the first so many training images."""

    name: str = "digits"
    limit: Annotated[int, Field(ge=1)] | None = None


class ModelConfig(Section):
    """The shape of the model: D reals, K bits, and the networks between them and the image."""

    n_reals: Annotated[int, Field(ge=0, le=512)] = 10
    n_bits: Annotated[int, Field(ge=0, le=512)] = 4
    network: Literal["mlp", "conv"] = "mlp"
    hidden: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (512, 256)
    likelihood: Literal["bernoulli", "gaussian", "mse-tanh"] = "bernoulli"

    @model_validator(mode="after")
    def _some_latent(self) -> ModelConfig:
        if self.n_reals + self.n_bits == 0:
            raise ValueError("n_reals + n_bits must be >= 1, got 0: a model without latents has nothing to encode")
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


class ObjectiveConfig(Section):
    """The weight of every term, in nats per image; the terms are defined in `objective.py`."""

    beta_z: Schedule = 1.0
    beta_b: Schedule = 1.0
    gamma_z: Schedule = 0.0
    capacity_z: Schedule = 0.0
    gamma_b: Schedule = 0.0
    capacity_b: Schedule = 0.0
    lambda_information: Schedule = 0.0
    lambda_aggregate: Schedule = 0.0
    lambda_consistency: Schedule = 0.0
    pose: PoseConfig = PoseConfig()
    estimator: Literal["auto", "exact", "bit-flip", "concrete", "straight-through"] = "auto"
    temperature: Annotated[float, Field(gt=0)] = 2 / 3


class TrainConfig(Section):
    """How long, how fast, on what; `seed` fixes the first weights, the order of the images and every draw."""

    epochs: Annotated[int, Field(ge=1)] = 20
    batch_size: Annotated[int, Field(ge=1)] = 256
    lr: Schedule = 1e-3
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_every: Annotated[int, Field(ge=1)] = 1
    """Epochs between checkpoints."""
    pictures: Literal["few", "all", "none"] | tuple[Annotated[int, Field(ge=1)], ...] = "few"
    """After which epochs to draw: `few` is 1, 2, 5, 10, 20, 50, ... and the last, or a list of epochs."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class RunConfig(Section):
    """Everything a run depends on."""

    about: str = ""
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    train: TrainConfig = TrainConfig()
    source: Source | None = None

    @model_validator(mode="after")
    def _code_table_fits(self) -> RunConfig:
        n_bits, objective = self.model.n_bits, self.objective
        if n_bits > MAX_TABLE_BITS:
            for key in ("lambda_information", "lambda_aggregate"):
                if getattr(objective, key) != 0:
                    raise ValueError(
                        f"objective.{key} needs the table of all 2^K codes, so model.n_bits must be <= "
                        f"{MAX_TABLE_BITS}, got {n_bits}"
                    )
            if objective.estimator == "exact":
                raise ValueError(f"objective.estimator 'exact' needs model.n_bits <= {MAX_TABLE_BITS}, got {n_bits}")
        return self


def preset_names() -> list[str]:
    """The shipped presets, one experiment each, in alphabetical order."""
    folder = resources.files("mrvae_lib") / "presets"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def load_config(
    source: str | os.PathLike[str], *, quick: bool = False, overrides: Iterable[str] = ()
) -> RunConfig:
    """Read a preset by name, or a TOML file by path.

    Args:
        source: a name from `preset_names()`, or the path of a `.toml` file.
        quick: apply the file's [quick] table, which shrinks the run for a first look.
        overrides: `section.key=value` settings, applied last; the value is read as TOML, or as plain text.
    Raises:
        ConfigError: one line naming the file or key, the value received and what is accepted.
    """
    origin, text = _read(source)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: not valid TOML: {error}") from None
    shrink = table.pop("quick", {})
    if not isinstance(shrink, dict):
        raise ConfigError(f"{origin}: quick must be a table of sections, got {shrink!r}")
    if quick:
        table = _merged(table, shrink)
    for override in overrides:
        table = _merged(table, _parse_override(override))
    return parse_config(table, origin=origin)


def parse_config(table: Mapping[str, Any], *, origin: str = "configuration") -> RunConfig:
    """Check a nested table of settings; what it leaves out takes its default.

    Raises:
        ConfigError: as in `load_config`; `origin` names the source in the message.
    """
    try:
        return RunConfig.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_one_line(error)}") from None


def dump_config(config: RunConfig) -> str:
    """The configuration as TOML text, every key written out; `load_config` reads it back to an equal one."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def _read(source: str | os.PathLike[str]) -> tuple[str, str]:
    path = Path(source)
    if path.suffix == ".toml" or path.is_file():
        try:
            return str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(f"{path}: cannot be read ({reason}); give a TOML file or one of the presets "
                              f"{', '.join(preset_names())}") from None
    names = preset_names()
    if str(source) not in names:
        raise ConfigError(f"{source}: no such preset or .toml file{_suggestion(str(source), names)}; "
                          f"presets: {', '.join(names)}")
    preset = resources.files("mrvae_lib") / "presets" / f"{source}.toml"
    return f"presets/{source}.toml", preset.read_text(encoding="utf-8")


def _parse_override(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override}: must be section.key=value, for example train.epochs=3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table: dict[str, Any] = {}
    inner = table
    *parents, last = key.strip().split(".")
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return table


def _merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(table)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _one_line(error: ValidationError) -> str:
    """The first complaint, with the key's dotted name, the value and what would be accepted."""
    first = error.errors()[0]
    parts = [part for part in first["loc"] if not (isinstance(part, str) and _is_type_tag(part))]
    key, received = ".".join(map(str, parts)), first["input"]
    if first["type"] == "extra_forbidden":
        accepted = _accepted_keys(parts[:-1])
        return f"unknown key {key}{_suggestion(str(parts[-1]), accepted)}; accepted here: {', '.join(accepted)}"
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    message = first["msg"].removeprefix("Input ").replace("greater than or equal to", ">=")
    message = message.replace("less than or equal to", "<=").replace("greater than", ">").replace("less than", "<")
    if _is_schedule(parts[:2]):
        message = "should be a number >= 0, or points [[progress 0..1, value >= 0], ...]"
    return f"{key} {message.replace('should be', 'must be', 1)}, got {received!r}"


def _is_type_tag(part: str) -> bool:
    # pydantic adds the branch of a union to the location of an error, e.g. "constrained-float" or "tuple[...]"
    return "[" in part or "constrained" in part or part in {"float", "int"}


def _annotation(keys: list[Any]) -> Any:
    """What a key is declared to be; `[]` is the whole configuration."""
    annotation: Any = RunConfig
    for key in keys:
        annotation = annotation.model_fields[key].annotation
        annotation = next((part for part in get_args(annotation) if hasattr(part, "model_fields")), annotation)
    return annotation


def _is_schedule(keys: list[Any]) -> bool:
    return len(keys) == 2 and keys[1] in _accepted_keys(keys[:1]) and _annotation(keys) == Schedule


def _accepted_keys(keys: list[Any]) -> list[str]:
    return list(getattr(_annotation(keys), "model_fields", ()))


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
