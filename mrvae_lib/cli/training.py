"""`mrvae train`, and what it can be told to train: a preset, a TOML or INI file, a run to go on with."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from mrvae_lib.cli.terminal import console, one_line_errors, print_table, program
from mrvae_lib.config import ConfigError, RunConfig, changed, load_config
from mrvae_lib.ini import IniFile, convert

Setting = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, for example "
                                                   "train.epochs=3; may be repeated.")]


def train(
    source: Annotated[str | None, typer.Argument(metavar="PRESET|FILE|RUN", help="A preset's name, a .toml file, or "
                                                 "the folder of a run to go on with.")] = None,
    ini: Annotated[str | None, typer.Option("--config", "-c", help="Instead: an INI file, or a shipped one's name; "
                                            "with -v.")] = None,
    variation: Annotated[str | None, typer.Option("--variation", "-v", help="Of an INI file: VAE, or B-VAE with the "
                                                  "file's beta.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/NAME if left out.")] = None,
    settings: Setting = None,
    quick: Annotated[bool, typer.Option(help="Use the preset's quick table: a small run for a first look.")] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, bf16 or fp32.")] = None,
    track: Annotated[list[str] | None, typer.Option(metavar="SERVICE", help="Track the run elsewhere too: wandb, "
                                                    "offline unless WANDB_MODE says otherwise.")] = None,
) -> None:
    """Train a model, or go on with a run that was stopped; then score it and draw its pictures."""
    from mrvae_lib.analysis.epoch_pictures import EpochPictures
    from mrvae_lib.analysis.run_report import write_page, write_report
    from mrvae_lib.analysis.tables import score_rows, verdict
    from mrvae_lib.data import load_dataset
    from mrvae_lib.parallel import is_first
    from mrvae_lib.training.callbacks import HeldOut, JsonLines, ProgressBar, TensorBoard, make_trackers
    from mrvae_lib.training.checkpoints import load_model
    from mrvae_lib.training.loop import train as train_model

    with one_line_errors():
        flags = {"train.device": device, "train.precision": precision}
        overrides = [*(settings or []), *(f'{key}="{value}"' for key, value in flags.items() if value)]
        if source and not (ini or variation):
            named, (config, folder) = [source], _config_and_folder(source, out, quick, overrides)
        else:
            named, config, folder = _from_ini(source, ini, variation, out, quick, overrides)
        images, test = load_dataset(config.data.name, "train"), load_dataset(config.data.name, "test")
        tensorboard = TensorBoard(folder / "tensorboard")
        model = train_model(
            config, folder, images=images,
            callbacks=[ProgressBar(), HeldOut(test), JsonLines(folder / "metrics.jsonl"),
                       *make_trackers(track or [], folder), tensorboard,
                       EpochPictures(folder / "pictures", test, [tensorboard])],
        )
        if not is_first():
            return
        if not (folder / "model" / "config.json").is_file():
            console.print(f"Stopped; so far: {write_page(folder)}. To go on: {program()} train {folder}",
                          soft_wrap=True)
            raise typer.Exit(130)
        card = load_model(folder).card
        if "scores" not in card:
            options = [*(["--quick"] if quick else []), *(part for item in overrides for part in ("--set", item))]
            write_report(model, config, folder, images, test, command=shlex.join(["mrvae", "train", *named, *options]))
            card = model.card
        scores = card["scores"]
        title = f"{scores['n_images']:,} test images of {scores['data']}"
        print_table(("", "", ""), score_rows(scores), title)
        if scores["kmeans_accuracy"] is not None:
            console.print(verdict(scores["code_accuracy"], scores["kmeans_accuracy"], config.data.name))
        written = ", ".join(sorted(path.name for path in folder.iterdir()
                                   if path.name != "checkpoints" and not path.name.startswith(".")))
        console.print(f"\nWritten to {folder}: {written}", soft_wrap=True)
        console.print(f"Next: look at {folder / 'report.html'}, open sliders with [bold]{program()} explore "
                      f"{folder}[/], or the notebooks with [bold]make lab[/].", soft_wrap=True)


def convert_file(source: str, target: Path, variation: Annotated[str | None, typer.Option("--variation", "-v")] = None
                 ) -> None:
    """Write a preset or a TOML file as an INI file, or an INI file as TOML."""
    with one_line_errors():
        console.print(str(convert(source, target, variation)), soft_wrap=True)


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
