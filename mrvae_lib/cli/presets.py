"""`mrvae presets`: the experiments that ship, their settings, and what their betas mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.table import Table

from mrvae_lib.cli.terminal import console, one_line_errors
from mrvae_lib.config import RunConfig, Schedule, load_config, preset_names
from mrvae_lib.conventions import CONVENTIONS, Source, beta_norm
from mrvae_lib.ini import IniFile, example_names, is_ini


def presets(
    name: Annotated[str | None, typer.Argument(metavar="[PRESET|FILE]", help="Show the settings of this one.")] = None,
) -> None:
    """List the experiments that can be trained by name, or show the settings of one and what its beta means."""
    with one_line_errors():
        if name is None:
            console.print(preset_table())
            console.print(f"INI files, for train -c NAME -v VAE|B-VAE: {', '.join(example_names())}", soft_wrap=True)
            return
        config = _ini_config(name) if is_ini(name) else load_config(name)
        console.print("\n".join(setting_lines(config)), highlight=False, markup=False, soft_wrap=True)
        console.print()
        console.print(beta_table(config))


def preset_table() -> Table:
    """Every shipped preset and what it is about."""
    table = Table("preset", "data", "reals", "bits", "about", box=None)
    for name in preset_names():
        config = load_config(name)
        table.add_row(name, config.data.name, str(config.model.n_reals), str(config.model.n_bits), config.about)
    return table


def setting_lines(config: RunConfig) -> list[str]:
    """Every setting as `section.key=value`, the form that --set takes."""
    return [f"{key}={json.dumps(value)}" for key, value in _flat(config.model_dump(exclude_none=True))]


def beta_table(config: RunConfig) -> Table:
    """The weight on the KL of z: as its source stated it, in our loss, and per real and pixel.

    Raises:
        DataError: the image size of the reader's own images is asked for and they cannot be read.
    """
    from mrvae_lib.data import DATASETS, load_dataset

    name, key = config.data.name, "gamma_z" if config.objective.gamma_z != 0 else "beta_z"
    shape = DATASETS[name].shape if name in DATASETS else load_dataset(name).image_shape
    values = _values(getattr(config.objective, key))
    norms = [beta_norm(value, config.model.n_reals, shape) for value in values]
    size = "x".join(map(str, shape))
    table = Table(title="What beta means here", title_justify="left", box=None, show_header=False)
    if source := config.source:
        table.add_row("stated beta", f"{source.beta:g}", source.project)
        table.add_row("", "", CONVENTIONS[source.convention])
        images = f", {source.n_images:,} training images" if source.n_images else ""
        white = f", white pixels of {source.white:.4g}" if source.white != 1 else ""
        table.add_row("", "", f"batch size {source.batch_size:,}{images}{white}")
    table.add_row("beta_eff", _arrows(values), f"objective.{key}: both terms per image, in nats")
    table.add_row("beta_norm", _arrows(norms), f"beta_eff * {config.model.n_reals} reals / {size} pixels")
    return table


def _ini_config(name: str) -> RunConfig:
    """An INI file's run, with its beta as the format's own project states it."""
    config = IniFile.read(name).run()
    stated = Source(project="AndrewSpano/Disentangled-Variational-Autoencoder", convention="per-image",
                    beta=_values(config.objective.beta_z)[0], batch_size=config.train.batch_size)
    return config.model_copy(update={"source": stated})


def _values(schedule: Schedule) -> list[float]:
    """What a schedule passes through, without repetitions."""
    values = [schedule] if isinstance(schedule, (int, float)) else [value for _, value in schedule]
    return [value for value, _ in groupby(values)]


def _arrows(values: list[float]) -> str:
    return " -> ".join(f"{value:.4g}" for value in values)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
