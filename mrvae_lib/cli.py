"""The command line: train, evaluate, traverse, explore, data, presets."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from mrvae_lib.config import ConfigError, RunConfig, load_config, preset_names
from mrvae_lib.data.imageset import ImageSet
from mrvae_lib.model.vae import MRVAE

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
    source: Annotated[str, typer.Argument(metavar="PRESET|FILE|RUN", help="A preset's name, a .toml file, or the "
                                          "folder of a run to go on with.")],
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
    from mrvae_lib.data import load_dataset
    from mrvae_lib.training.checkpoints import load_run
    from mrvae_lib.training.loop import train as train_model
    from mrvae_lib.training.trackers import JsonLines, ProgressBar, TensorBoard, make_trackers

    with _one_line_errors():
        flags = {"train.device": device, "train.precision": precision}
        overrides = [*(settings or []), *(f'{key}="{value}"' for key, value in flags.items() if value)]
        config, folder = _config_and_folder(source, out, quick, overrides)
        images, test = load_dataset(config.data.name, "train"), load_dataset(config.data.name, "test")
        trackers = [TensorBoard(folder / "tensorboard"), *make_trackers(track or [], folder)]
        model = train_model(
            config, folder, images=images,
            callbacks=[ProgressBar(), HeldOut(test), JsonLines(folder / "metrics.jsonl"), *trackers,
                       EpochPictures(folder / "pictures", test, trackers)],
        )
        if not (folder / "model" / "config.json").is_file():
            console.print(f"Stopped; so far: {write_page(folder)}. To go on: {_program()} train {folder}",
                          soft_wrap=True)
            raise typer.Exit(130)
        card = load_run(folder).card
        if "scores" not in card:
            options = [*(["--quick"] if quick else []), *(part for item in overrides for part in ("--set", item))]
            write_report(model, config, folder, images, test, command=shlex.join(["mrvae", "train", source, *options]))
            card = model.card
        scores = card["scores"]
        console.print(_table(scores))
        if scores["kmeans_accuracy"] is not None:
            console.print(_verdict(scores["code_accuracy"], scores["kmeans_accuracy"], config.data.name))
        written = ", ".join(sorted(path.name for path in folder.iterdir() if path.name != "checkpoints"))
        console.print(f"\nWritten to {folder}: {written}", soft_wrap=True)
        console.print(f"Next: look at {folder / 'report.html'}, open sliders with [bold]{_program()} explore "
                      f"{folder}[/], or the notebooks with [bold]make lab[/].", soft_wrap=True)


@app.command()
def evaluate(run: RunOrName, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Score a model on the test images of the data it was trained on."""
    from mrvae_lib.analysis.encoding import evaluate as score
    from mrvae_lib.data import load_dataset

    with _one_line_errors():
        model = _load(run)
        name = model.card["run"]["data"]["name"]
        scores = asdict(score(model, load_dataset(name, "test"), load_dataset(name, "train")))
        if as_json:
            print(json.dumps(scores))
        else:
            console.print(_table(scores))


@app.command()
def traverse(run: RunOrName, out: Annotated[Path | None, typer.Option(help="Where the pictures go; the run's folder "
                                            "if left out.")] = None) -> None:
    """Draw what each latent does: traversals.png and traversals.gif."""
    from mrvae_lib.analysis.report import write_traversals

    with _one_line_errors():
        folder = out or (Path(run) if Path(run).is_dir() else Path())
        model = _load(run)
        folder.mkdir(parents=True, exist_ok=True)
        for path in write_traversals(model, folder):
            console.print(str(path))


@app.command()
def explore(
    run: RunOrName,
    out: Annotated[Path | None, typer.Option(help="Where the page goes; explore.html in the run's folder if left "
                                             "out.")] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Write a page with sliders and bits that needs no kernel and no network, and open it."""
    from mrvae_lib.interactive.export import export_html

    with _one_line_errors():
        path = out or (Path(run) if Path(run).is_dir() else Path()) / "explore.html"
        export_html(_load(run), path, title=f"MR-VAE · {Path(run).name}")
        console.print(str(path))
        if show:
            webbrowser.open(path.resolve().as_uri())


@app.command()
def data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set, a folder of images, or an .npz file.")],
    out: Annotated[Path | None, typer.Option(help="Where the picture goes; NAME.png here if left out.")] = None,
) -> None:
    """Say what a data set holds, and draw a picture of samples."""
    from PIL import Image

    from mrvae_lib.analysis.figures import tile
    from mrvae_lib.data import load_dataset
    from mrvae_lib.data.imageset import as_floats

    with _one_line_errors():
        splits = {split: load_dataset(name, split) for split in ("train", "test")}
        table = Table("split", "images", "shape", "MB in memory", "labels", box=None)
        for split, images in splits.items():
            shape = "x".join(map(str, images.image_shape))
            table.add_row(split, f"{len(images):,}", shape, f"{images.nbytes / 1e6:.1f}", _label_counts(images))
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
def presets() -> None:
    """List the experiments that can be trained by name."""
    table = Table("preset", "data", "reals", "bits", "about", box=None)
    for name in preset_names():
        config = load_config(name)
        table.add_row(name, config.data.name, str(config.model.n_reals), str(config.model.n_bits), config.about)
    console.print(table)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Errors a user can mend become one line and exit code 2; anything else keeps its traceback."""
    from mrvae_lib.data import DataError
    from mrvae_lib.training.checkpoints import CheckpointError
    from mrvae_lib.training.run import TrainingError

    try:
        yield
    except (ConfigError, DataError, CheckpointError, TrainingError) as error:
        print(f"mrvae: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _config_and_folder(source: str, out: Path | None, quick: bool, overrides: list[str]) -> tuple[RunConfig, Path]:
    saved = Path(source) / "config.toml"
    if saved.is_file():
        if quick or out or overrides:
            raise ConfigError(f"{source} is a run and keeps its settings and its place: go on with it without further "
                              f"options, or train a preset into another folder")
        return load_config(saved), Path(source)
    config = load_config(source, quick=quick, overrides=overrides)
    return config, out or Path("runs") / Path(source).stem


def _load(run: str) -> MRVAE:
    from mrvae_lib.pretrained import load_pretrained, pretrained_names
    from mrvae_lib.training.checkpoints import CheckpointError, load_run

    if Path(run).is_dir():
        model = load_run(run)
    elif run in pretrained_names():
        model = load_pretrained(run)
    else:
        raise CheckpointError(f"{run}: no such run folder or shipped model; shipped: {', '.join(pretrained_names())}")
    if "scores" not in model.card:
        raise CheckpointError(f"{run}: this run is not finished; go on with it: mrvae train {run}")
    return model


def _table(scores: dict[str, Any]) -> Table:
    from mrvae_lib.analysis.encoding import informative_reals

    kl_of_real = scores["kl_of_real"]
    table = Table(title=f"{scores['n_images']:,} test images of {scores['data']}", title_justify="left", box=None,
                  show_header=False)
    rows = [
        ("-ELBO on hard bits", scores["neg_elbo"], "nats per image"),
        ("reconstruction", scores["reconstruction"], "nats"),
        ("KL of z", scores["kl_z"], "nats: " + _listed("z", kl_of_real, informative_reals(kl_of_real))),
        ("KL of b", scores["kl_b"], "nats"),
    ]
    if scores["information_of_code"] is not None:
        told = _listed("b", scores["information_of_bit"], range(len(scores["information_of_bit"])))
        rows.append(("information of the code", scores["information_of_code"], f"nats: {told}"))
    for name, value, note in rows:
        table.add_row(name, f"{value:.2f}", note)
    if scores["code_accuracy"] is not None:
        used = f"majority label of each hard code, {scores['codes_used']} codes in use"
        table.add_row("label accuracy of the code", f"{scores['code_accuracy']:.3f}", used)
        if scores["kmeans_accuracy"] is not None:
            table.add_row("label accuracy of k-means", f"{scores['kmeans_accuracy']:.3f}", "as many clusters as codes")
    return table


def _verdict(code: float, kmeans: float, data: str) -> str:
    if code > kmeans:
        return f"The code beats k-means by {100 * (code - kmeans):.1f} points."
    verdict = f"k-means beats the code by {100 * (kmeans - code):.1f} points."
    if data == "digits":
        verdict += " These are few images: with MNIST's 60,000 the code wins (make run DATA=mnist)."
    return verdict


def _listed(letter: str, values: Sequence[float], shown: Iterable[int]) -> str:
    return "  ".join(f"{letter}{i} {values[i]:.2f}" for i in shown) or "none in use"


def _label_counts(images: ImageSet) -> str:
    if images.labels is None:
        return "none"
    names = images.label_names or tuple(str(i) for i in range(int(images.labels.max()) + 1))
    counts = torch.bincount(images.labels, minlength=len(names)).tolist()
    return ", ".join(f"{name} {count:,}" for name, count in zip(names, counts, strict=True))


def _program() -> str:
    """How to call this program again: by name, or by its place where no environment is active (after `make run`)."""
    here = Path(sys.argv[0])
    if shutil.which("mrvae") or here.stem != "mrvae":
        return "mrvae"
    return os.path.relpath(here)
