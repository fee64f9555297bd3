"""`mrvae sweep`: the command line of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mrvae_lib.config import dump_config


def sweep(
    source: Annotated[str, typer.Argument(metavar="PRESET|FILE", help="What each run changes.")],
    over: Annotated[list[str] | None, typer.Option(metavar="KEY=V,V,...", help="A setting and its values, for example "
                                                   "objective.beta_z=1,2,4; several make a grid.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each point of the grid, with seeds 0, 1, ...")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time on this machine.")] = 1,
    storage: Annotated[str | None, typer.Option(metavar="URL|FILE", help="An Optuna storage, a database's URL or a "
                                                "journal file, from which several machines take their runs.")] = None,
    patience: Annotated[float, typer.Option(min=1, help="With --storage: seconds of silence after which a machine "
                                            "counts as dead and its run goes to another.")] = 60,
    out: Annotated[Path | None, typer.Option(help="The sweep's folder; runs/NAME-sweep if left out.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of every "
                                                       "run; may be repeated.")] = None,
    quick: Annotated[bool, typer.Option(help="Use the preset's quick table.")] = False,
) -> None:
    """Train a grid of settings and seeds, one folder per run; started again, it goes on where it stopped."""
    from mrvae_lib.sweep.study import Study
    from mrvae_lib.sweep.table import write_sweep
    from mrvae_lib.sweep.trials import Grid, Queue, Recipe, grid
    from mrvae_lib.sweep.workers import run_sweep

    recipe, trials = Recipe(source, quick, tuple(settings or ())), grid(over or [], seeds)
    for trial in trials:  # a value that cannot be used stops the sweep before its first run
        recipe.config(trial.settings)
    name = f"{Path(source).stem}-sweep"
    folder = out or Path("runs") / name
    queue: Queue = Grid(trials)
    if storage:
        queue = Study(storage, name, dump_config(recipe.config()), trials, patience=patience)
    try:
        rows = run_sweep(queue, recipe, folder, workers=workers, tell=lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        print("Stopped; the same command goes on.")
        raise typer.Exit(130) from None
    print("\n" + write_sweep(rows, folder))
    print(f"Written to {folder}: runs.jsonl, table.md, sweep.png, and a folder per run")
    if any("error" in row for row in rows):
        raise typer.Exit(1)
