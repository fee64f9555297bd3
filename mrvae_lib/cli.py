"""The command line: train, sweep, evaluate, traverse, explore, export, data, presets, convert."""

from __future__ import annotations

import json
import os
import shlex
import sys
import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from mrvae_lib.config import ConfigError, RunConfig, changed, load_config
from mrvae_lib.ini import IniFile, convert, example_names
from mrvae_lib.sweep.command import sweep
from mrvae_lib.wording import program

app = typer.Typer(
    help="Train, measure and explore variational autoencoders with bits beside reals.",
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
)
console = Console()
N_SAMPLES, SAMPLES_ACROSS = 64, 16

Setting = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, for example "
                                                   "train.epochs=3; may be repeated.")]
RunOrName = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or the name of a shipped model.")]


@app.command()
def train(
    source: Annotated[str | None, typer.Argument(metavar="PRESET|FILE|RUN", help="A preset's name, a .toml file, or "
                                                 "the folder of a run to go on with.")] = None,
    ini: Annotated[str | None, typer.Option("--config", "-c", help="Instead: an INI file, or a shipped one's name; "
                                            "with -v.")] = None,
    variation: Annotated[str | None, typer.Option("--variation", "-v", help="Of an INI file: VAE, or B-VAE with the "
                                                  "file's beta.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/NAME if left out.")] = None,
    settings: Setting = None,
    quick: Annotated[bool, typer.Option(help="Use the preset's [quick] table: a small run for a first look.")] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, bf16 or fp32.")] = None,
    track: Annotated[list[str] | None, typer.Option(metavar="SERVICE", help="Track the run elsewhere too: wandb, "
                                                    "offline unless WANDB_MODE says otherwise.")] = None,
) -> None:
    """Train a model, or go on with a run that was stopped; then score it and draw its pictures."""
    from mrvae_lib.analysis.epochs import EpochPictures, HeldOut
    from mrvae_lib.analysis.page import write_page
    from mrvae_lib.analysis.report import write_report
    from mrvae_lib.analysis.tables import score_rows, verdict
    from mrvae_lib.data import load_dataset
    from mrvae_lib.training.checkpoints import load_run
    from mrvae_lib.training.loop import train as train_model
    from mrvae_lib.training.parallel import is_first
    from mrvae_lib.training.trackers import JsonLines, ProgressBar, TensorBoard, make_trackers

    with _one_line_errors():
        flags = {"train.device": device, "train.precision": precision}
        overrides = [*(settings or []), *(f'{key}="{value}"' for key, value in flags.items() if value)]
        if source and not (ini or variation):
            named, (config, folder) = [source], _config_and_folder(source, out, quick, overrides)
        else:
            named, config, folder = _from_ini(source, ini, variation, out, quick, overrides)
        images, test = load_dataset(config.data.name, "train"), load_dataset(config.data.name, "test")
        trackers = [TensorBoard(folder / "tensorboard"), *make_trackers(track or [], folder)]
        model = train_model(
            config, folder, images=images,
            callbacks=[ProgressBar(), HeldOut(test), JsonLines(folder / "metrics.jsonl"), *trackers,
                       EpochPictures(folder / "pictures", test, trackers)],
        )
        if not is_first():
            return
        if not (folder / "model" / "config.json").is_file():
            console.print(f"Stopped; so far: {write_page(folder)}. To go on: {program()} train {folder}",
                          soft_wrap=True)
            raise typer.Exit(130)
        card = load_run(folder).card
        if "scores" not in card:
            options = [*(["--quick"] if quick else []), *(part for item in overrides for part in ("--set", item))]
            write_report(model, config, folder, images, test, command=shlex.join(["mrvae", "train", *named, *options]))
            card = model.card
        scores = card["scores"]
        title = f"{scores['n_images']:,} test images of {scores['data']}"
        _print_table(("", "", ""), score_rows(scores), title)
        if scores["kmeans_accuracy"] is not None:
            console.print(verdict(scores["code_accuracy"], scores["kmeans_accuracy"], config.data.name))
        written = ", ".join(sorted(path.name for path in folder.iterdir()
                                   if path.name != "checkpoints" and not path.name.startswith(".")))
        console.print(f"\nWritten to {folder}: {written}", soft_wrap=True)
        console.print(f"Next: look at {folder / 'report.html'}, open sliders with [bold]{program()} explore "
                      f"{folder}[/], or the notebooks with [bold]make lab[/].", soft_wrap=True)


@app.command()
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
    from mrvae_lib.pretrained import open_model

    with _one_line_errors():
        model = open_model(run)
        name = model.card["run"]["data"]["name"]
        measured = measure(model, load_dataset(name, "test"), load_dataset(name, "train"), slow_dci=slow_dci)
        if as_json:
            print(json.dumps(measured.plain()))
            return
        title = f"{measured.trained.scores.n_images:,} test images of {measured.data}"
        _print_table(("", "trained", "untrained", ""), tables.measurement_rows(measured), title)
        if measured.targets:
            measured_there = "" if measured.factor_names else "All but the label are proxies measured from the images."
            _print_table(*tables.told_table(measured), measured_there)
        if latents:
            _print_table(*tables.real_table(measured.reals))
            _print_table(*tables.bit_table(measured.bits, measured.label_names))
        for line in tables.settings_lines(measured.trained):
            console.print(line, style="dim", highlight=False)


@app.command()
def traverse(
    run: RunOrName,
    out: Annotated[Path | None, typer.Option(help="Where the pictures go; the run's folder if left out.")] = None,
    start: Annotated[int, typer.Option(min=0, help="Which of the model's examples to start from.")] = 0,
    prior: Annotated[bool, typer.Option("--prior", help="Start from a draw of the prior instead.")] = False,
    sweep: Annotated[str, typer.Option("--range", help="absolute (-2.5 to 2.5), data or prior (quantiles 0.05 to "
                                       "0.95).")] = "absolute",
) -> None:
    """Draw what each latent does: sweeps, flips, every code, mixtures, an animation per real, reconstructions."""
    from mrvae_lib.analysis.report import write_more_traversals, write_reconstructions, write_traversals
    from mrvae_lib.data import DataError, load_dataset
    from mrvae_lib.pretrained import open_model

    with _one_line_errors():
        folder = out or (Path(run) if Path(run).is_dir() else Path())
        model = open_model(run)
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


@app.command()
def explore(run: RunOrName) -> None:
    """Write the page that `export` writes, and open it in the browser."""
    with _one_line_errors():
        console.print(str(path := _write_page(run)), soft_wrap=True)
        webbrowser.open(path.resolve().as_uri())


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or the name of a shipped model.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="A gallery of all shipped models instead.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where it goes; RUN/explore.html, NAME.html, or the folder gallery "
                                             "if left out.")] = None,
) -> None:
    """Write a page with sliders and bits that needs no kernel and no network; with --all, a gallery for the web."""
    from mrvae_lib.interactive.gallery import export_gallery
    from mrvae_lib.pretrained import load_pretrained, pretrained_names

    with _one_line_errors():
        if bool(run) == everything:
            shipped_names = ", ".join(pretrained_names())
            raise ConfigError(f"export takes a run's folder, a shipped model ({shipped_names}), or --all")
        shipped = {name: load_pretrained(name) for name in pretrained_names()} if everything else {}
        path = export_gallery(shipped, out or Path("gallery")) if everything else _write_page(run, out)
        console.print(str(path), soft_wrap=True)


@app.command()
def data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set, a folder of images, or an .npz file.")],
    out: Annotated[Path | None, typer.Option(help="Where the picture goes; NAME.png here if left out.")] = None,
) -> None:
    """Say what a data set holds, and draw a picture of samples."""
    from PIL import Image

    from mrvae_lib.analysis.pictures import tile
    from mrvae_lib.analysis.tables import label_counts
    from mrvae_lib.data import load_dataset
    from mrvae_lib.data.imageset import as_floats

    with _one_line_errors():
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


@app.command()
def presets(
    name: Annotated[str | None, typer.Argument(metavar="[PRESET|FILE]", help="Show this one's settings.")] = None,
) -> None:
    """List the experiments that can be trained by name, or show the settings of one and what its beta means."""
    from mrvae_lib.tables import beta_table, preset_table, setting_lines

    with _one_line_errors():
        if name is None:
            console.print(preset_table())
            console.print(f"INI files, for train -c NAME -v VAE|B-VAE: {', '.join(example_names())}")
            return
        config = load_config(name)
        console.print("\n".join(setting_lines(config)), highlight=False, markup=False, soft_wrap=True)
        console.print()
        console.print(beta_table(config))


@app.command("convert")
def convert_file(source: str, target: Path, variation: Annotated[str | None, typer.Option("--variation", "-v")] = None
                 ) -> None:
    """Write a preset or a TOML file as an INI file, or an INI file as TOML."""
    with _one_line_errors():
        console.print(str(convert(source, target, variation)), soft_wrap=True)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Errors a user can mend become one line and exit code 2; anything else keeps its traceback."""
    from mrvae_lib.data import DataError
    from mrvae_lib.interactive.export import ExportError
    from mrvae_lib.training.checkpoints import CheckpointError
    from mrvae_lib.training.run import TrainingError

    try:
        yield
    except (ConfigError, DataError, CheckpointError, ExportError, TrainingError, OSError) as error:
        print(f"mrvae: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


app.command()(_one_line_errors()(sweep))


def _config_and_folder(source: str, out: Path | None, quick: bool, overrides: list[str]) -> tuple[RunConfig, Path]:
    saved = Path(source) / "config.toml"
    if saved.is_file():
        if quick or out or overrides:
            raise ConfigError(f"{source} is a run and keeps its settings and its place: go on with it without further "
                              f"options, or train a preset into another folder")
        return load_config(saved), Path(source)
    config = load_config(source, quick=quick, overrides=overrides)
    return config, out or Path("runs") / Path(source).stem


def _from_ini(source: str | None, ini: str | None, variation: str | None, out: Path | None, quick: bool,
              overrides: list[str]) -> tuple[list[str], RunConfig, Path]:
    """What names the run on the command line, its configuration and its folder."""
    if source or not ini or not variation or quick:
        raise ConfigError("train takes a preset, a .toml file or a run; or, without --quick, -c with an INI file and "
                          "-v with VAE or B-VAE")
    file = IniFile.read(ini)
    os.environ.setdefault("MRVAE_DATA", file.configuration.path)
    return ["-c", ini, "-v", variation], changed(file.run(variation), overrides), out or Path("runs") / Path(ini).stem


def _write_page(run: str, out: Path | None = None) -> Path:
    from mrvae_lib.interactive.export import export_html
    from mrvae_lib.pretrained import open_model

    is_folder, name = Path(run).is_dir(), Path(run).resolve().name
    path = out or (Path(run) / "explore.html" if is_folder else Path(f"{name}.html"))
    return export_html(open_model(run), path, title=f"MR-VAE · {name}")


def _print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    table = Table(*heads, title=title, title_justify="left", box=None, show_header=any(heads))
    for row in rows:
        table.add_row(*row)
    console.print(table)
