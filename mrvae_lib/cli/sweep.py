"""`mrvae sweep`: a grid of settings and seeds, one folder and one process per run, and a table of their scores.

Each run is an ordinary `mrvae train` in a process of its own, which holds the lock of its folder. So several sweeps, on
one machine or on many that share a disk, divide a grid between them: each takes the runs whose folder is free.
"""

import itertools
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from mrvae_lib.cli.app import Quick, Settings, named_argument, out_option
from mrvae_lib.config import RunConfig, load_config
from mrvae_lib.errors import ConfigError

Point = dict[str, Any]
"""One point of the grid: a value per setting, `train.seed` included."""
Row = dict[str, Any]
"""What came of a run: its point as `settings`, and either its scores by name or its `error`."""

POLL = 0.5
"""Seconds between two looks at a running process, or at a run that another sweep has."""


def sweep(
    source: Annotated[str, named_argument("PRESET|FILE", "What each run changes.")],
    over: Annotated[list[str] | None, typer.Option(metavar="KEY=V,V,...", help="A setting and its values, such as "
                                                   "objective.beta_z=1,2,4; several make a grid.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each point of the grid, with seeds 0, 1, ...")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time on this machine.")] = 1,
    out: Annotated[Path | None, out_option("The sweep's folder; runs/NAME-sweep if left out.")] = None,
    settings: Settings = None,
    quick: Quick = False,
) -> None:
    """Train a grid of settings and seeds, one folder per run; started again, it goes on where it stopped.

    Started more than once at a time, also on several machines with one --out, each takes the runs that no other has.
    """
    runner = Runner(source, quick, settings or [], out or Path("runs") / f"{Path(source).stem}-sweep", workers)
    points = grid(over or [], seeds)
    for point in points:  # a value that cannot be used stops the sweep before its first run
        runner.config(point)
    try:
        rows = runner.run_all(points)
    except KeyboardInterrupt:
        print("Stopped; the same command goes on.")
        raise typer.Exit(130) from None
    print("\n" + write_sweep(rows, runner.folder))
    print(f"Written to {runner.folder}: runs.jsonl, table.md, and a folder per run")
    if any("error" in row for row in rows):
        raise typer.Exit(1)


def parse_over(text: str) -> tuple[str, list[Any]]:
    """`objective.beta_z=1,2,4` as a key and its values, each read as TOML or as plain text.

    Raises:
        ConfigError: no key, or no value.
    """
    key, _, values = (part.strip() for part in text.partition("="))
    if not key or not values:
        raise ConfigError(f"--over {text!r} must be KEY=VALUE,VALUE,..., for example objective.beta_z=1,2,4")
    try:
        return key, tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError:
        return key, [value.strip() for value in values.split(",")]


def grid(over: Sequence[str], n_seeds: int) -> list[Point]:
    """Every combination of the values, each with the seeds 0 to n_seeds - 1.

    Raises:
        ConfigError: a key or a value comes twice, or the seed is swept by hand.
    """
    axes = [*map(parse_over, over), ("train.seed", list(range(n_seeds)))]
    keys, values = zip(*axes, strict=True)
    points = [dict(zip(keys, combination, strict=True)) for combination in itertools.product(*values)]
    if len(set(keys)) < len(keys) or len(set(map(run_name, points))) < len(points):
        raise ConfigError(f"--over names each key and value once, and --seeds gives the seeds; got {' '.join(over)}")
    return points


def as_overrides(point: Point) -> list[str]:
    """A point's settings, each as `--set` takes it."""
    return [f"{key}={json.dumps(value)}" for key, value in point.items()]


def run_name(point: Point) -> str:
    """A point's settings as the name of a folder."""
    return re.sub(r"[^\w.,=+-]+", "_", ",".join(as_overrides(point)))


@dataclass(frozen=True)
class Runner:
    """Trains and scores the points of a grid, in as many processes at a time as there are workers.

    Each process gets its share of the processor's cores, unless OMP_NUM_THREADS says otherwise.
    """

    source: str
    quick: bool
    overrides: Sequence[str]
    folder: Path
    workers: int = 1
    stop: threading.Event = field(default_factory=threading.Event)
    """Once it is set, running processes write a checkpoint and end, and no other is started."""

    def config(self, point: Point) -> RunConfig:
        """The configuration of a point's run; of the empty point, the one that all points change."""
        return load_config(self.source, quick=self.quick, overrides=[*self.overrides, *as_overrides(point)])

    def run_all(self, points: Sequence[Point]) -> list[Row]:
        """Train and score every point, those that another sweep trains last: then they are finished, or free again.

        Raises:
            KeyboardInterrupt: after every running process has written its checkpoint.
        """
        rows: dict[str, Row] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while waiting := [point for point in points if run_name(point) not in rows]:
                    rows |= {run_name(row["settings"]): row for row in pool.map(self.run, waiting) if row}
            finally:
                self.stop.set()
        return [rows[run_name(point)] for point in points]

    def run(self, point: Point) -> Row | None:
        """Train and score a point, unless its folder holds the finished run; None if it is another's or was stopped."""
        from mrvae_lib.training.checkpoints import TAKEN, in_use

        place = self.folder / run_name(point)
        if self.stop.is_set() or in_use(place):
            self.stop.wait(POLL)
            return None
        error = "" if self._scores(point, place) else self._train(point, place)
        if self.stop.is_set() or TAKEN in error:  # another sweep may have come between
            return None
        print(f"{place.name}: {error or 'done'}", flush=True)
        return {"settings": point, **({"error": error} if error else self._scores(point, place))}

    def _train(self, point: Point, place: Path) -> str:
        """The last line of a run's log if the run has failed, else an empty text."""
        options = [part for item in (*self.overrides, *as_overrides(point)) for part in ("--set", item)]
        options += ["--quick"] if self.quick else []
        command = [sys.executable, "-m", "mrvae_lib", "train", self.source, "--out", str(place), *options]
        threads = str(max(1, (os.cpu_count() or 1) // self.workers))
        environment = {"OMP_NUM_THREADS": threads, "TQDM_DISABLE": "1", **os.environ}
        path = place / "train.log"
        with path.open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log, env=environment,
                                                      start_new_session=True) as process:
            while process.poll() is None:
                if self.stop.wait(POLL):
                    process.send_signal(signal.SIGINT)  # as Ctrl-C: it writes a checkpoint, for which `with` waits
                    return ""
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        return [f"exit code {process.returncode}", *filter(None, lines)][-1] if process.returncode else ""

    def _scores(self, point: Point, place: Path) -> dict[str, float]:
        """The scores that are one number, if the folder holds this run and it is finished."""
        from mrvae_lib.data import settled

        path = place / "model" / "config.json"
        card = json.loads(path.read_text(encoding="utf-8"))["card"] if path.is_file() else {}
        if card.get("run") != settled(self.config(point)).model_dump(mode="json", exclude_none=True):
            return {}
        return {name: value for name, value in card.get("scores", {}).items() if isinstance(value, float)}


def write_sweep(rows: Sequence[Row], folder: Path) -> str:
    """`runs.jsonl`, one line per run; `table.md`, mean and standard deviation over seeds.

    Args:
        rows: in the order of `grid`.
    Returns:
        The table as Markdown.
    """
    from mrvae_lib.analysis.tables import markdown
    from mrvae_lib.training.checkpoints import atomic_write

    atomic_write(folder / "runs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    names = list(dict.fromkeys(name for row in rows for name in row if name not in ("settings", "error")))
    lines = []
    # The seed comes last, so that the runs of a point lie side by side and their names differ in the end alone.
    for point, group in itertools.groupby(rows, lambda row: run_name(row["settings"]).rpartition(",")[0]):
        runs = list(group)
        n_failed = sum("error" in run for run in runs)
        scores = [_cell([run[name] for run in runs if name in run]) for name in names]
        lines.append([point or "as given", str(len(runs) - n_failed), str(n_failed), *scores])
    table = markdown(["settings", "runs", "failed", *names], lines) + "\n"
    atomic_write(folder / "table.md", table)
    return table


def _cell(values: Sequence[float]) -> str:
    """Mean and standard deviation, as far as there are enough values."""
    deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{deviation}" if values else "-"
