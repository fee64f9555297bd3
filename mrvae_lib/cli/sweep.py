"""`mrvae sweep`: a grid of settings and seeds, one folder and one process per run, and a table of their scores."""

from __future__ import annotations

import itertools
import json
import math
import re
import statistics
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mrvae_lib.cli.app import Quick, Settings, named_argument, out_option, print_line
from mrvae_lib.errors import ConfigError

Point = dict[str, Any]
"""One point of the grid: a value per setting, `train.seed` included."""
Row = dict[str, Any]
"""What came of a run: its point as `settings`, and either its scores by name or its `error`."""


def sweep(
    source: Annotated[str, named_argument("PRESET|FILE", "What each run changes.")],
    over: Annotated[list[str] | None, typer.Option(metavar="KEY=V,V,...", help="A setting and its values, such as "
                                                   "objective.beta_z=1,2,4; several make a grid.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each point of the grid, with seeds 0, 1, ...")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time on this machine.")] = 1,
    storage: Annotated[str, typer.Option(metavar="URL|FILE", help="A database or a journal file of Optuna's, from "
                                         "which several machines take their runs.")] = "",
    out: Annotated[Path | None, out_option("The sweep's folder; runs/NAME-sweep if left out.")] = None,
    settings: Settings = None,
    quick: Quick = False,
) -> None:
    """Train a grid of settings and seeds, one folder per run; started again, it goes on where it stopped."""
    from mrvae_lib.cli.sweep_runs import Runner, run_from_storage

    name = f"{Path(source).stem}-sweep"
    runner = Runner(source, quick, settings or [], out or Path("runs") / name, workers)
    points = grid(over or [], seeds)
    for point in points:  # a value that cannot be used stops the sweep before its first run
        runner.config(point)
    try:
        if storage:
            rows = run_from_storage(runner, points, storage, name)
        else:
            rows = [row for row in runner.in_threads(runner.run, points) if row]
    except KeyboardInterrupt:
        print_line("Stopped; the same command goes on.")
        raise typer.Exit(130) from None
    print_line("\n" + write_sweep(rows, runner.folder))
    print_line(f"Written to {runner.folder}: runs.jsonl, table.md, sweep.png, and a folder per run")
    if any("error" in row for row in rows):
        raise typer.Exit(1)


def parse_over(text: str) -> tuple[str, list[Any]]:
    """`objective.beta_z=1,2,4` as a key and its values, each read as TOML or as plain text.

    Raises:
        ConfigError: no key, or no value.
    """
    key, _, values = text.partition("=")
    if not key.strip() or not values.strip():
        raise ConfigError(f"--over {text!r} must be KEY=VALUE,VALUE,..., for example objective.beta_z=1,2,4")
    try:
        return key.strip(), tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError:
        return key.strip(), [value.strip() for value in values.split(",")]


def grid(over: Sequence[str], n_seeds: int) -> list[Point]:
    """Every combination of the values, each with the seeds 0 to n_seeds - 1.

    Raises:
        ConfigError: a key or a value comes twice, or the seed is swept by hand.
    """
    axes = [parse_over(text) for text in over]
    keys = [key for key, _ in axes]
    if len(set(keys)) < len(keys) or "train.seed" in keys:
        raise ConfigError(f"--over names each key once, and seeds are given by --seeds; got {', '.join(keys)}")
    points = [dict(zip([*keys, "train.seed"], values, strict=True))
              for values in itertools.product(*(values for _, values in axes), range(n_seeds))]
    if len({run_name(point) for point in points}) < len(points):
        raise ConfigError(f"--over {' '.join(over)}: two values are the same")
    return points


def as_overrides(point: Point) -> list[str]:
    """A point's settings, each as `--set` takes it."""
    return [f"{key}={json.dumps(value)}" for key, value in point.items()]


def run_name(point: Point) -> str:
    """A point's settings as the name of a folder."""
    return re.sub(r"[^\w.,=+-]+", "_", ",".join(as_overrides(point)))


def write_sweep(rows: Sequence[Row], folder: Path) -> str:
    """`runs.jsonl`, one line per run; `table.md`, mean and standard deviation over seeds; `sweep.png`, the same drawn.

    Returns:
        The table as Markdown.
    """
    from mrvae_lib.training.checkpoints import atomic_write

    atomic_write(folder / "runs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    names = list(dict.fromkeys(name for row in rows for name in row if name not in ("settings", "error")))
    groups: dict[str, list[Row]] = {}  # the runs that differ by their seed alone
    for row in rows:
        label = ", ".join(f"{key.split('.')[-1]} {json.dumps(value)}" for key, value in row["settings"].items()
                          if key != "train.seed")
        groups.setdefault(label or "as given", []).append(row)
    means: dict[str, list[tuple[float, float]]] = {}
    lines = [["settings", "runs", "failed", *names], ["---"] * (len(names) + 3)]
    for label, runs in groups.items():
        means[label] = [_mean_and_deviation([run[name] for run in runs if name in run]) for name in names]
        n_failed = sum("error" in run for run in runs)
        lines.append([label, str(len(runs) - n_failed), str(n_failed), *map(_cell, means[label])])
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    atomic_write(folder / "table.md", table)
    _draw(means, names, folder / "sweep.png")
    return table


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """NaN where there are too few values."""
    return (statistics.mean(values) if values else math.nan, statistics.stdev(values) if len(values) > 1 else math.nan)


def _cell(pair: tuple[float, float]) -> str:
    return " ± ".join(f"{number:.3f}" for number in pair if not math.isnan(number)) or "-"


def _draw(means: dict[str, list[tuple[float, float]]], names: Sequence[str], path: Path) -> None:
    """A panel per score: its mean at each point of the grid, with a bar of one standard deviation each way."""
    import matplotlib.pyplot as plt

    from mrvae_lib.analysis.figures import BLUE, save_figure

    n_rows = -(-len(names) // 3)
    figure = plt.figure(figsize=(12, 1 + 2.4 * n_rows), layout="constrained")
    for i, name in enumerate(names):
        ax = figure.add_subplot(n_rows, 3, i + 1)
        values, deviations = zip(*(cells[i] for cells in means.values()), strict=True)
        ax.errorbar(list(means), values, deviations, marker="o", color=BLUE, capsize=3)
        ax.set_title(name.replace("_", " "), fontsize=10, loc="left")
        ax.tick_params("x", labelsize=8, labelrotation=20)
    save_figure(figure, path)
