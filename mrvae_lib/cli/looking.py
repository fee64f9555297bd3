"""The commands that look at a model or at data: evaluate, traverse, explore, export, data."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from mrvae_lib.cli.terminal import console, one_line_errors, print_table
from mrvae_lib.config import ConfigError

N_SAMPLES, SAMPLES_ACROSS = 64, 16

RunOrName = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or the name of a shipped model.")]


def evaluate(
    run: RunOrName,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; its keys are the fields of "
                                          "analysis.measurement.Measurement.")] = False,
    latents: Annotated[bool, typer.Option("--latents", help="Also print a row per latent.")] = False,
    slow_dci: Annotated[bool, typer.Option("--dci", help="DCI as published, which takes minutes, in the place of its "
                                           "fast variant.")] = False,
) -> None:
    """Measure a model on the data it was trained on, beside an untrained network of the same shape."""
    from mrvae_lib.analysis import tables
    from mrvae_lib.analysis.measurement import measure
    from mrvae_lib.data import load_dataset
    from mrvae_lib.training.checkpoints import load_model

    with one_line_errors():
        model = load_model(run)
        name = model.card["run"]["data"]["name"]
        measured = measure(model, load_dataset(name, "test"), load_dataset(name, "train"), slow_dci=slow_dci)
        if as_json:
            print(json.dumps(measured.plain()))
            return
        title = f"{measured.trained.scores.n_images:,} test images of {measured.data}"
        print_table(("", "trained", "untrained", ""), tables.measurement_rows(measured), title)
        if measured.targets:
            measured_there = "" if measured.factor_names else "All but the label are proxies measured from the images."
            print_table(*tables.told_table(measured), measured_there)
        if latents:
            print_table(*tables.real_table(measured.reals))
            print_table(*tables.bit_table(measured.bits, measured.label_names))
        for line in tables.settings_lines(measured.trained):
            console.print(line, style="dim", highlight=False)


def traverse(
    run: RunOrName,
    out: Annotated[Path | None, typer.Option(help="Where the pictures go; the run's folder if left out.")] = None,
    start: Annotated[int, typer.Option(min=0, help="Which of the model's examples to start from.")] = 0,
    prior: Annotated[bool, typer.Option("--prior", help="Start from a draw of the prior instead.")] = False,
    sweep: Annotated[str, typer.Option("--range", help="absolute (-2.5 to 2.5), data or prior (quantiles 0.05 to "
                                       "0.95).")] = "absolute",
) -> None:
    """Draw what each latent does: sweeps, flips, every code, mixtures, an animation per real, reconstructions."""
    from mrvae_lib.analysis.run_report import write_more_traversals, write_reconstructions, write_traversals
    from mrvae_lib.data import load_dataset
    from mrvae_lib.errors import DataError
    from mrvae_lib.training.checkpoints import load_model

    with one_line_errors():
        folder = out or (Path(run) if Path(run).is_dir() else Path())
        model = load_model(run)
        folder.mkdir(parents=True, exist_ok=True)
        paths = write_traversals(model, folder)
        paths += write_more_traversals(model, folder, start=None if prior else start, kind=sweep)
        try:
            images = load_dataset(model.card["run"]["data"]["name"], "test")
            paths.append(write_reconstructions(model, images, folder / "reconstructions.png"))
        except DataError as error:
            console.print(f"no reconstructions.png: {error}")
        for path in paths:
            console.print(str(path), soft_wrap=True)


def explore(run: RunOrName) -> None:
    """Write the page that `export` writes, and open it in the browser."""
    with one_line_errors():
        console.print(str(path := _write_page(run)), soft_wrap=True)
        webbrowser.open(path.resolve().as_uri())


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or the name of a shipped model.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="A gallery of all shipped models instead.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where it goes; RUN/explore.html, NAME.html, or the folder gallery "
                                             "if left out.")] = None,
) -> None:
    """Write a page with sliders and bits that needs no kernel and no network; with --all, a gallery for the web."""
    from mrvae_lib.interactive.gallery import export_gallery
    from mrvae_lib.training.checkpoints import load_model, pretrained_names

    with one_line_errors():
        if bool(run) == everything:
            shipped_names = ", ".join(pretrained_names())
            raise ConfigError(f"export takes a run's folder, a shipped model ({shipped_names}), or --all")
        shipped = {name: load_model(name) for name in pretrained_names()} if everything else {}
        path = export_gallery(shipped, out or Path("gallery")) if everything else _write_page(run, out)
        console.print(str(path), soft_wrap=True)


def data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set, a folder of images, or an .npz file.")],
    out: Annotated[Path | None, typer.Option(help="Where the picture goes; NAME.png here if left out.")] = None,
) -> None:
    """Say what a data set holds, and draw a picture of samples."""
    import torch
    from PIL import Image

    from mrvae_lib.analysis.pictures import tile
    from mrvae_lib.analysis.tables import label_counts
    from mrvae_lib.data import load_dataset
    from mrvae_lib.data.imageset import as_floats

    with one_line_errors():
        splits = {split: load_dataset(name, split) for split in ("train", "test")}
        table = Table("split", "images", "shape", "MB in memory", "labels", box=None)
        for split, images in splits.items():
            shape = "x".join(map(str, images.image_shape))
            table.add_row(split, f"{len(images):,}", shape, f"{images.nbytes / 1e6:.1f}", label_counts(images))
        console.print(table)
        train = splits["train"]
        if train.factors is not None:
            sizes = [len(column.unique()) for column in train.factors.T]
            console.print("factors: " + ", ".join(f"{factor} {size}" for factor, size in
                                                  zip(train.factor_names, sizes, strict=True)))
        samples = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:N_SAMPLES]
        path = out or Path(f"{Path(name).stem}.png")
        picture = Image.fromarray(tile(as_floats(train.take(samples)), SAMPLES_ACROSS))
        picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST).save(path)
        console.print(f"samples: {path}", soft_wrap=True)


def _write_page(run: str, out: Path | None = None) -> Path:
    from mrvae_lib.interactive.export import export_html
    from mrvae_lib.training.checkpoints import load_model

    is_folder, name = Path(run).is_dir(), Path(run).resolve().name
    path = out or (Path(run) / "explore.html" if is_folder else Path(f"{name}.html"))
    return export_html(load_model(run), path, title=f"MR-VAE · {name}")
