"""Running the trials of a sweep: each an ordinary `mrvae train` in a process and a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mrvae_lib.config import RunConfig
from mrvae_lib.sweep.trials import Queue, Recipe, Row, Trial
from mrvae_lib.training.checkpoints import in_use

POLL = 0.5
"""Seconds between two looks at a running trial."""


def run_sweep(queue: Queue, recipe: Recipe, folder: Path, *, workers: int = 1, tell: Callable[[str], None] = print
              ) -> list[Row]:
    """Run trials until none is left; finished ones are skipped, a killed one goes on from its checkpoint.

    Args:
        folder: gets a run's folder per trial.
        workers: processes at a time; each gets its share of the cores unless OMP_NUM_THREADS says otherwise.
        tell: hears one line per finished trial.
    Returns:
        One row per trial, in the order of their names.
    Raises:
        KeyboardInterrupt: after every running trial has written its checkpoint.
    """
    stop = threading.Event()
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    environment = {"OMP_NUM_THREADS": threads, "TQDM_DISABLE": "1", **os.environ}

    def work() -> None:
        while not stop.is_set() and (trial := queue.take()) is not None:
            row = run_trial(trial, queue, recipe, folder, environment, stop)
            if row is not None:
                queue.done(trial, row)
                tell(f"{trial.name}: {row.get('error') or 'done'}")

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work) for _ in range(workers)]
        try:
            for future in futures:
                future.result()
        finally:
            stop.set()
    return sorted(queue.rows(), key=lambda row: Trial(row["settings"]).name)


def run_trial(trial: Trial, queue: Queue, recipe: Recipe, folder: Path, environment: dict[str, str],
              stop: threading.Event) -> Row | None:
    """Train and score one trial in a process of its own; None if it was stopped or given to somebody else."""
    place = folder / trial.name
    place.mkdir(parents=True, exist_ok=True)
    config = recipe.config(trial.settings)
    process: subprocess.Popen[bytes] | None = None
    while not stop.is_set() and queue.beat(trial):
        if process is None and not in_use(place):  # a killed sweep may have left a trial that still runs
            if scores := finished_scores(place, config):
                return {"settings": trial.settings, **scores}
            with (place / "train.log").open("wb") as log:
                process = subprocess.Popen([*recipe.command(trial.settings), "--out", str(place)], stdout=log,
                                           stderr=log, env=environment, start_new_session=True)
        time.sleep(POLL)
        code = process.poll() if process else None
        if code and not in_use(place):
            lines = (place / "train.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return {"settings": trial.settings, "error": lines[-1] if lines else f"exit code {code}"}
        process = process if code is None else None
    if process is not None:
        process.send_signal(signal.SIGINT)  # as Ctrl-C: it writes a checkpoint
        process.wait()
    queue.give_back(trial)
    return None


def finished_scores(place: Path, config: RunConfig) -> dict[str, float] | None:
    """The scores that are one number, if the folder holds this run and it is finished."""
    try:
        card = json.loads((place / "model" / "config.json").read_text(encoding="utf-8"))["card"]
    except FileNotFoundError:
        return None
    if "scores" not in card or card["run"] != config.model_dump(mode="json", exclude_none=True):
        return None
    return {name: value for name, value in card["scores"].items() if isinstance(value, float)}
