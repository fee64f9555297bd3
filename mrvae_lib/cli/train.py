"""`mrvae train`, which takes a preset, a TOML or INI file, or a run to go on with."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from mrvae_lib.cli.app import Quick, Settings, command_line, named_argument, out_option, print_table
from mrvae_lib.config import RunConfig, load_config
from mrvae_lib.dialects.ini import IniFile
from mrvae_lib.errors import ConfigError


def train(
    source: Annotated[str, named_argument("PRESET|FILE|RUN", "A preset's name, a .toml file, or the folder of a run to "
                                          "go on with.")] = "",
    ini: Annotated[str, typer.Option("--config", "-c", parser=os.path.expanduser, metavar="FILE",
                                     help="Instead: an INI file, or a shipped one's name; with -v.")] = "",
    variation: Annotated[str, typer.Option("--variation", "-v", metavar="VAE|B-VAE",
                                           help="Of an INI file: beta 1, or the file's beta.")] = "",
    out: Annotated[Path | None, out_option("The run's folder; runs/NAME if left out.")] = None,
    settings: Settings = None,
    quick: Quick = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "",
    precision: Annotated[str, typer.Option(help="auto, bf16 or fp32.")] = "",
) -> None:
    """Train a model, or go on with a run that was stopped; then score it and draw its pictures."""
    from mrvae_lib.analysis.evaluation import score_rows
    from mrvae_lib.analysis.run_report import EpochPictures, write_page, write_report
    from mrvae_lib.data import load_dataset, settled
    from mrvae_lib.parallel import is_first
    from mrvae_lib.training import callbacks
    from mrvae_lib.training.loop import train as train_model

    flags = {"train.device": device, "train.precision": precision}
    overrides = [*(settings or []), *(f"{key}={value}" for key, value in flags.items() if value)]
    config, folder = _config_and_folder(source, ini, variation, out, quick, overrides)
    config = settled(config)
    images, test = load_dataset(config.data, "train"), load_dataset(config.data, "test")
    tensorboard = callbacks.TensorBoard(folder / "tensorboard")
    bar = callbacks.ProgressBar()
    model = train_model(config, folder, images=images, callbacks=[
        bar, callbacks.HeldOut(test), callbacks.JsonLines(folder / "metrics.jsonl"),
        tensorboard, EpochPictures(folder / "pictures", test, tensorboard),
    ])
    if not is_first():
        return
    if not bar.run.finished:
        print(f"Stopped; so far: {write_page(folder)}. To go on: {command_line('train', folder)}")
        raise typer.Exit(130)
    command = ["mrvae", "train", *(["-c", ini, "-v", variation] if ini else [source])]
    command += [*(["--quick"] if quick else []), *(part for item in overrides for part in ("--set", item))]
    write_report(model, config, folder, images, test, command=shlex.join(command))
    scores = model.card["scores"]
    print_table(("", "", ""), score_rows(scores), f"{scores['n_images']:,} test images of {scores['data']}")
    written = sorted(path.name for path in folder.glob("[!.]*") if path.name != "checkpoints")
    print(f"\nWritten to {folder}: {', '.join(written)}")
    print(f"Next: look at {folder / 'report.html'}, open sliders with {command_line('explore', folder)}, or the "
          "notebooks with make lab.")


def _config_and_folder(source: str, ini: str, variation: str, out: Path | None, quick: bool, overrides: list[str]
                       ) -> tuple[RunConfig, Path]:
    if bool(source) == bool(ini) or bool(ini) != bool(variation) or (ini and quick):
        raise ConfigError("train takes a preset, a .toml file or a run; or, without --quick, -c with an INI file and "
                          "-v with VAE or B-VAE")
    if ini:
        file = IniFile.read(ini)
        os.environ.setdefault("MRVAE_DATA", file.configuration.path)
        return file.run(variation, overrides), out or Path("runs") / Path(ini).stem
    saved = Path(source) / "config.toml"
    if saved.is_file():
        if quick or out:
            raise ConfigError(f"{source} is a run and keeps its settings and its place: go on with it, with --set "
                              f"train.epochs=N for more epochs, or train a preset into another folder")
        return load_config(saved, overrides=overrides), Path(source)
    return load_config(source, quick=quick, overrides=overrides), out or Path("runs") / Path(source).stem
