"""The runs of a sweep: each is an ordinary `mrvae train` in a process and a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mrvae_lib.cli.sweep import Point, Row, as_overrides, run_name
from mrvae_lib.config import RunConfig, load_config
from mrvae_lib.errors import ConfigError
from mrvae_lib.training.checkpoints import in_use

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, Trial

POLL = 0.5
"""Seconds between two looks at a running process or at the storage."""
HEARTBEAT, GRACE = 15, 60
"""Seconds between two signs of life of a run in a database, and without any until the run goes to another machine."""


@dataclass(frozen=True)
class Runner:
    """Trains and scores the points of a grid, in as many processes at a time as there are workers.

    Each process gets its share of the processor's cores, unless OMP_NUM_THREADS says otherwise.
    """

    source: str
    quick: bool
    overrides: tuple[str, ...]
    folder: Path
    workers: int = 1
    stop: threading.Event = field(default_factory=threading.Event)
    """Once it is set, running processes write a checkpoint and end, and no other is started."""

    def config(self, point: Point) -> RunConfig:
        """The configuration of a point's run."""
        return load_config(self.source, quick=self.quick, overrides=[*self.overrides, *as_overrides(point)])

    def run(self, point: Point) -> Row | None:
        """Train and score a point, unless its folder holds the finished run already; None if it was stopped."""
        place = self.folder / run_name(point)
        place.mkdir(parents=True, exist_ok=True)
        code = 0
        while in_use(place):  # a sweep that was killed may have left this run's process behind
            if self.stop.wait(POLL):
                return None
        if not self._scores(point) and (code := self._train(point)) is None:
            return None
        row = {"settings": point, **self._scores(point)}
        if code:
            lines = (place / "train.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            row = {"settings": point, "error": lines[-1] if lines else f"exit code {code}"}
        print(f"{place.name}: {row.get('error', 'done')}", flush=True)
        return row

    def _train(self, point: Point) -> int | None:
        """The exit code of `mrvae train`; None if it was stopped."""
        if self.stop.is_set():
            return None
        place = self.folder / run_name(point)
        sets = [part for item in (*self.overrides, *as_overrides(point)) for part in ("--set", item)]
        command = [sys.executable, "-m", "mrvae_lib", "train", self.source, *(["--quick"] if self.quick else []), *sets,
                   "--out", str(place)]
        threads = str(max(1, (os.cpu_count() or 1) // self.workers))
        environment = {"OMP_NUM_THREADS": threads, "TQDM_DISABLE": "1", **os.environ}
        with (place / "train.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        while (code := process.poll()) is None:
            if self.stop.wait(POLL):
                process.send_signal(signal.SIGINT)  # as Ctrl-C: it writes a checkpoint
                process.wait()
                return None
        return code

    def _scores(self, point: Point) -> dict[str, float]:
        """The scores that are one number, if the folder holds this run and it is finished."""
        try:
            text = (self.folder / run_name(point) / "model" / "config.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        card = json.loads(text)["card"]
        if card["run"] != self.config(point).model_dump(mode="json", exclude_none=True):
            return {}
        return {name: value for name, value in card.get("scores", {}).items() if isinstance(value, float)}


def run_here(runner: Runner, points: Sequence[Point]) -> list[Row]:
    """Run every point on this machine.

    Returns:
        One row per point, in their order.
    Raises:
        KeyboardInterrupt: after every running process has written its checkpoint.
    """
    with ThreadPoolExecutor(runner.workers) as pool:
        try:
            return [row for row in pool.map(runner.run, points) if row]
        finally:
            runner.stop.set()


def run_from_storage(runner: Runner, points: Sequence[Point], storage: str, name: str, base: str) -> list[Row]:
    """Run the points that no other process has, until none is left; all processes share an Optuna study.

    Over a database each run gives signs of life, and the run of a machine that has died is taken over by another. A
    journal file knows no signs of life: the run of a machine that has died stays where it is.

    Args:
        storage: the URL of a database (`postgresql://...`, `sqlite:///sweep.db`), or the path of a journal file.
        name: of the study; all who join under one name must mean the same sweep.
        base: the configuration that every point changes, as text.
    Returns:
        One row per point that has ended anywhere, in their order.
    Raises:
        ConfigError: Optuna or the storage is not there, or the study is about other settings.
        KeyboardInterrupt: as `run_here`; the runs that were stopped are free for other machines.
    """
    study = _join(storage, name, base)
    from optuna import TrialPruned
    from optuna.storages import RetryHeartbeatStaleTrialCallback, fail_stale_trials
    from optuna.trial import TrialState

    alive = (TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE)
    known = [trial.user_attrs.get("point") for trial in study.get_trials(deepcopy=False, states=alive)]
    for point in points:
        if point not in known:
            study.enqueue_trial({}, user_attrs={"point": point})

    def objective(trial: Trial) -> float:
        point = trial.user_attrs.get("point")
        if point is None or any(other.number < trial.number and other.user_attrs.get("point") == point
                                for other in study.get_trials(deepcopy=False, states=alive)):
            raise TrialPruned  # nothing was left in the queue, or two machines have entered the same point
        row = runner.run(point)
        if row is None:
            raise _RunStopped
        trial.set_user_attr("row", row)
        if "error" in row:
            raise _RunFailed
        return float(row["neg_elbo"])

    def give_back(study: Study, trial: FrozenTrial) -> None:
        if trial.state == TrialState.FAIL and "row" not in trial.user_attrs:
            RetryHeartbeatStaleTrialCallback()(study, trial)

    def work() -> None:
        while not runner.stop.is_set():
            fail_stale_trials(study)
            states = {trial.state for trial in study.get_trials(deepcopy=False)}
            if TrialState.WAITING in states:
                try:
                    study.optimize(objective, n_trials=1, catch=(_RunStopped, _RunFailed), callbacks=[give_back])
                except ValueError as error:
                    # Optuna ends no trial twice: this machine was silent for so long that its run went to another.
                    if "Cannot tell" not in str(error):
                        raise
            elif TrialState.RUNNING in states and _is_database(storage):
                runner.stop.wait(POLL)
            else:
                return

    with ThreadPoolExecutor(runner.workers) as pool:
        try:
            for future in [pool.submit(work) for _ in range(runner.workers)]:
                future.result()
        finally:
            runner.stop.set()
    rows = [trial.user_attrs["row"] for trial in study.get_trials(deepcopy=False) if "row" in trial.user_attrs]
    found = {run_name(row["settings"]): row for row in rows}  # of a point that was tried again, the last row
    return [found[name] for name in map(run_name, points) if name in found]


class _RunFailed(Exception):
    """Tells Optuna that a run has ended with an error."""


class _RunStopped(Exception):
    """Tells Optuna that a run was stopped before its end."""


def _is_database(storage: str) -> bool:
    return "://" in storage


def _join(storage: str, name: str, base: str) -> Study:
    """The study of that name, made if it is not there."""
    try:
        import optuna
        from optuna.storages import JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise ConfigError('--storage needs Optuna 4.9 or newer: pip install "mrvae_lib[sweep]"') from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of the signs of life
    try:
        opened: BaseStorage
        if _is_database(storage):
            opened = RDBStorage(storage, heartbeat_interval=HEARTBEAT, grace_period=GRACE,
                                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback())
        else:
            opened = JournalStorage(JournalFileBackend(storage))
        study = optuna.create_study(storage=opened, study_name=name, load_if_exists=True)
    except Exception as error:  # each database's driver has errors of its own
        raise ConfigError(f"--storage {storage}: cannot be opened ({str(error).splitlines()[0]})") from None
    if study.user_attrs.get("base", base) != base:
        raise ConfigError(f"{storage} holds a sweep {name!r} of other settings; choose another storage")
    study.set_user_attr("base", base)
    return study
