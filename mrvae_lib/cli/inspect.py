"""The commands that look at a model, at data or at a preset: evaluate, traverse, explore, export, data, presets."""

import json
import math
import webbrowser
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

import mrvae_lib
from mrvae_lib.cli.app import Run, command_line, named_argument, out_option, print_table
from mrvae_lib.config import RunConfig, Schedule, dump_config, load_config, parse_config, preset_names
from mrvae_lib.dialects.beta import CONVENTIONS
from mrvae_lib.dialects.ini import IniFile
from mrvae_lib.errors import CheckpointError, ConfigError


def evaluate(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="Print all as JSON instead.")] = False,
    latents: Annotated[bool, typer.Option("--latents", help="Also print a row per latent.")] = False,
) -> None:
    """Measure a model on the data it was trained on, beside an untrained network of the same shape."""
    from mrvae_lib.analysis import tables

    model = _finished_model(run)
    look = parse_config({"data": model.card["run"]["data"]}, origin="model card").data
    test, train = mrvae_lib.load_dataset(look, "test"), mrvae_lib.load_dataset(look, "train")
    measured = mrvae_lib.measure(model, test, train)
    if as_json:
        print(json.dumps(asdict(measured)))
        return
    title = f"{measured.trained.scores['n_images']:,} test images of {measured.data}"
    print_table(("", "trained", "untrained", ""), tables.measurement_rows(measured), title)
    if measured.targets:
        measured_there = "" if measured.factor_names else "All but the label are proxies measured from the images."
        print_table(*tables.told_table(measured), measured_there)
    if latents:
        print_table(*tables.real_table(measured.reals))
        print_table(*tables.bit_table(measured.bits, measured.label_names))


def traverse(
    run: Run,
    out: Annotated[Path | None, out_option("Where the pictures go; the run's folder if left out.")] = None,
    start: Annotated[int, typer.Option(min=0, help="Which of the model's examples to start from.")] = 0,
) -> None:
    """Draw what each latent does: sweeps, flips, every code, an animation per real."""
    from mrvae_lib.analysis.run_report import write_more_traversals, write_traversals

    model = _finished_model(run)
    if start >= len(model.examples["mu"]):
        raise ConfigError(f"start must be 0..{len(model.examples['mu']) - 1}, the model's examples, got {start}")
    folder = out or (Path(run) if Path(run).is_dir() else Path())
    folder.mkdir(parents=True, exist_ok=True)
    for path in write_traversals(model, folder, start=start) + write_more_traversals(model, folder, start=start):
        print(path)


def explore(run: Run) -> None:
    """Write the page that `export` writes, and open it in the browser."""
    webbrowser.open(export(run).resolve().as_uri())


def export(
    run: Run,
    out: Annotated[Path | None, out_option("RUN/explore.html or NAME.html if left out.")] = None,
) -> Path:
    """Write a page with sliders and bits that needs no kernel and no network."""
    from mrvae_lib.interactive.html_export import export_html

    is_folder, name = Path(run).is_dir(), Path(run).resolve().name
    path = out or (Path(run) / "explore.html" if is_folder else Path(f"{name}.html"))
    print(export_html(_finished_model(run), path, title=f"MR-VAE · {name}"))
    return path


def data(
    name: Annotated[str, named_argument("NAME", "A data set, a folder of images, or an .npz file.")],
    out: Annotated[Path | None, out_option("Where the picture goes; NAME.png here if left out.")] = None,
) -> None:
    """Say what a data set holds, and draw a picture of samples."""
    import torch

    from mrvae_lib.analysis.pictures import enlarged, png_bytes, tile
    from mrvae_lib.data.image_set import label_counts

    train, test = mrvae_lib.load_dataset(name, "train"), mrvae_lib.load_dataset(name, "test")
    print_table(("split", "images", "shape", "MB in memory", "labels"), [
        (split, f"{len(images):,}", "x".join(map(str, images.image_shape)), f"{images.images.nbytes / 1e6:.1f}",
         label_counts(images)) for split, images in (("train", train), ("test", test))])
    if train.factors is not None:
        factors = zip(train.factor_names, train.factors.T, strict=True)
        print("factors: " + ", ".join(f"{factor} {len(values.unique())}" for factor, values in factors))
    samples = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:64]
    path = out or Path(f"{Path(name).stem}.png")
    path.write_bytes(png_bytes(enlarged(tile(train.floats(samples), 16), 2)))
    print(f"samples: {path}")


def presets(name: Annotated[str, named_argument("[PRESET|FILE]", "Show the settings of this one.")] = "") -> None:
    """List the experiments that can be trained by name, or show the settings of one and what its beta means."""
    if not name:
        shipped = {name: load_config(name) for name in preset_names()}
        print_table(("preset", "data", "reals", "bits", "about"), [
            (name, config.data.name, str(config.model.n_reals), str(config.model.n_bits), config.about)
            for name, config in shipped.items()])
        print(f"INI files, for train -c NAME -v VAE|B-VAE: {', '.join(preset_names('.ini'))}")
        return
    ini = Path(name).suffix in (".ini", ".cfg", ".conf") or name in preset_names(".ini")
    config = IniFile.read(name).run() if ini else load_config(name)
    print(dump_config(config))
    print_table(("", "", ""), _beta_rows(config), "What beta means here")


def _finished_model(run: str) -> "mrvae_lib.MRVAE":
    model = mrvae_lib.load_model(run)
    if "scores" not in model.card:
        raise CheckpointError(f"{run}: this run is not finished; go on with it: {command_line('train', run)}")
    return model


def _beta_rows(config: RunConfig) -> Iterator[tuple[str, str, str]]:
    """The weight on the KL of z: as its source stated it, in our loss, and per real and pixel.

    Raises:
        DataError: the image size of the reader's own images is asked for and they cannot be read.
    """
    from mrvae_lib.data import DATASETS

    if source := config.source:
        yield "stated beta", f"{source.beta:g}", source.project
        yield "", "", CONVENTIONS[source.convention]
        images = f"{source.n_images:,} training images, " if source.n_images else ""
        yield "", "", f"batch size {source.batch_size:,}, {images}white pixels of {source.white:.4g}"
    name, n_reals = config.data.name, config.model.n_reals
    shape = DATASETS[name].shape if name in DATASETS else mrvae_lib.load_dataset(config.data).image_shape
    key = "gamma_z" if config.objective.gamma_z != 0 else "beta_z"
    schedule: Schedule = getattr(config.objective, key)
    values = [schedule] if isinstance(schedule, (int, float)) else [value for _, value in schedule]
    norms = [value * n_reals / math.prod(shape) for value in values]  # Higgins et al., beta-VAE (2017), section 4.2
    yield "beta_eff", _arrows(values), f"objective.{key}: both terms per image, in nats"
    yield "beta_norm", _arrows(norms), f"beta_eff * {n_reals} reals / {'x'.join(map(str, shape))} pixels"


def _arrows(values: list[float]) -> str:
    """The values that a schedule passes through, without repetitions."""
    return " -> ".join(f"{value:.4g}" for value, _ in groupby(values))
