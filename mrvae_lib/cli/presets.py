"""`mrvae presets`: the experiments that ship, their settings, and what their betas mean."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Annotated

from mrvae_lib.cli.app import named_argument, print_line, print_table
from mrvae_lib.config import RunConfig, Schedule, dump_config, load_config, preset_names
from mrvae_lib.dialects.beta import CONVENTIONS, beta_norm
from mrvae_lib.dialects.ini import IniFile, example_names, is_ini


def presets(name: Annotated[str, named_argument("[PRESET|FILE]", "Show the settings of this one.")] = "") -> None:
    """List the experiments that can be trained by name, or show the settings of one and what its beta means."""
    if not name:
        shipped = {name: load_config(name) for name in preset_names()}
        print_table(("preset", "data", "reals", "bits", "about"), [
            (name, config.data.name, str(config.model.n_reals), str(config.model.n_bits), config.about)
            for name, config in shipped.items()])
        print_line(f"INI files, for train -c NAME -v VAE|B-VAE: {', '.join(example_names())}")
        return
    config = IniFile.read(name).run() if is_ini(name) else load_config(name)
    print_line(dump_config(config))
    print_table(("", "", ""), beta_rows(config), "What beta means here")


def beta_rows(config: RunConfig) -> Iterator[tuple[str, str, str]]:
    """The weight on the KL of z: as its source stated it, in our loss, and per real and pixel.

    Raises:
        DataError: the image size of the reader's own images is asked for and they cannot be read.
    """
    from mrvae_lib.data import DATASETS, load_dataset

    if source := config.source:
        yield "stated beta", f"{source.beta:g}", source.project
        yield "", "", CONVENTIONS[source.convention]
        images = f"{source.n_images:,} training images, " if source.n_images else ""
        yield "", "", f"batch size {source.batch_size:,}, {images}white pixels of {source.white:.4g}"
    name, n_reals = config.data.name, config.model.n_reals
    shape = DATASETS[name].shape if name in DATASETS else load_dataset(name).image_shape
    key = "gamma_z" if config.objective.gamma_z != 0 else "beta_z"
    schedule: Schedule = getattr(config.objective, key)
    values = [schedule] if isinstance(schedule, (int, float)) else [value for _, value in schedule]
    norms = [beta_norm(value, n_reals, shape) for value in values]
    yield "beta_eff", _arrows(values), f"objective.{key}: both terms per image, in nats"
    yield "beta_norm", _arrows(norms), f"beta_eff * {n_reals} reals / {'x'.join(map(str, shape))} pixels"


def _arrows(values: list[float]) -> str:
    """The values that a schedule passes through, without repetitions."""
    return " -> ".join(f"{value:.4g}" for value, _ in groupby(values))
