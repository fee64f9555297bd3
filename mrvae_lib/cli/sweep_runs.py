"""The runs of a sweep: each is an ordinary `mrvae train` in a process and a folder of its own."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrvae_lib.cli.sweep import Point, Row, as_overrides, run_name
from mrvae_lib.config import RunConfig, dump_config, load_config
from mrvae_lib.errors import ConfigError
from mrvae_lib.training.checkpoints import in_use

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

POLL = 0.5
"""Seconds between two looks at a running process or at the storage."""
HEARTBEAT, GRACE = 15, 60
"""Seconds between two heartbeats of a run in a database, and without any until the run goes to another machine."""


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

    def in_threads(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """The function's values, computed by as many threads as there are workers.

        Raises:
            KeyboardInterrupt: after every running process has written its checkpoint.
        """
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                return list(pool.map(function, items))
            finally:
                self.stop.set()

    def run(self, point: Point) -> Row | None:
        """Train and score a point, unless its folder holds the finished run already; None if it was stopped."""
        place = self.folder / run_name(point)
        place.mkdir(parents=True, exist_ok=True)
        while in_use(place) and not self.stop.wait(POLL):
            pass  # a sweep that was killed may have left this run's process behind
        error = "" if self._scores(point, place) else self._train(point, place)
        if error is None:
            return None
        print(f"{place.name}: {error or 'done'}", flush=True)
        return {"settings": point, **({"error": error} if error else self._scores(point, place))}

    def _train(self, point: Point, place: Path) -> str | None:
        """The last line of a run's log if the run has failed, else an empty text; None if it was stopped."""
        if self.stop.is_set():
            return None
        sets = [part for item in (*self.overrides, *as_overrides(point)) for part in ("--set", item)]
        command = [sys.executable, "-m", "mrvae_lib", "train", self.source, "--out", str(place), *sets,
                   *(["--quick"] if self.quick else [])]
        threads = str(max(1, (os.cpu_count() or 1) // self.workers))
        environment = {"OMP_NUM_THREADS": threads, "TQDM_DISABLE": "1", **os.environ}
        path = place / "train.log"
        with path.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, env=environment,
                                                      start_new_session=True) as process:
            while process.poll() is None:
                if self.stop.wait(POLL):
                    process.send_signal(signal.SIGINT)  # as Ctrl-C: it writes a checkpoint, for which `with` waits
                    return None
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        return [f"exit code {process.returncode}", *filter(None, lines)][-1] if process.returncode else ""

    def _scores(self, point: Point, place: Path) -> dict[str, float]:
        """The scores that are one number, if the folder holds this run and it is finished."""
        path = place / "model" / "config.json"
        card = json.loads(path.read_text(encoding="utf-8"))["card"] if path.is_file() else {}
        if card.get("run") != self.config(point).model_dump(mode="json", exclude_none=True):
            return {}
        return {name: value for name, value in card.get("scores", {}).items() if isinstance(value, float)}


def run_from_storage(runner: Runner, points: Sequence[Point], storage: str, name: str) -> list[Row]:
    """Run the points that no other process has, until none is left; all processes share an Optuna study.

    In a database each run leaves heartbeats, and the run of a machine that has died goes to another one. A journal
    file holds no heartbeats: the run of a machine that has died stays undone.

    Args:
        storage: the URL of a database (`postgresql://...`, `sqlite:///sweep.db`), or the path of a journal file.
        name: of the study, to which a hash of the configuration that all points change is added: machines share a
            sweep if they mean the same one.
    Returns:
        One row per point that has ended anywhere, in their order.
    Raises:
        ConfigError: Optuna or the storage is not there.
        KeyboardInterrupt: as `Runner.in_threads`; the runs that were stopped are free for other machines.
    """
    base = sha256(dump_config(runner.config({})).encode()).hexdigest()
    study = _study(storage, f"{name}-{base[:8]}")
    from optuna import TrialPruned
    from optuna.storages import RetryHeartbeatStaleTrialCallback, fail_stale_trials
    from optuna.trial import TrialState

    def alive() -> list[FrozenTrial]:
        return study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE))

    for point in points:
        study.enqueue_trial({}, user_attrs={"point": point})

    def objective(trial: Trial) -> float:
        point = trial.user_attrs.get("point")  # none if another process was quicker and the queue is empty
        earlier = [other.user_attrs.get("point") for other in alive() if other.number < trial.number]
        if not point or point in earlier:
            raise TrialPruned  # every process enters the whole grid: a point belongs to its first trial that lives
        if row := runner.run(point):
            trial.set_user_attr("row", row)
        return (row or {}).get("neg_elbo", math.nan)  # a trial that ends without a number has failed

    def give_back(study: Study, trial: FrozenTrial) -> None:
        """Enter a run again that was stopped, for other machines."""
        if trial.state == TrialState.FAIL and "row" not in trial.user_attrs:
            RetryHeartbeatStaleTrialCallback()(study, trial)

    def work(_: int) -> None:
        while not runner.stop.is_set():
            fail_stale_trials(study)
            states = {trial.state for trial in alive()}
            if TrialState.WAITING in states:
                try:
                    study.optimize(objective, n_trials=1, callbacks=[give_back])
                except ValueError as error:
                    # Optuna ends no trial twice: this machine was silent for so long that its run went to another.
                    if "Cannot tell" not in str(error):
                        raise
            elif TrialState.RUNNING in states and "://" in storage:
                runner.stop.wait(POLL)
            else:
                return

    runner.in_threads(work, range(runner.workers))
    ended = {run_name(row["settings"]): row for trial in study.get_trials() if (row := trial.user_attrs.get("row"))}
    return [ended[name] for name in map(run_name, points) if name in ended]


def _study(storage: str, name: str) -> Study:
    """The study of that name, made if it is not there."""
    try:
        import optuna
        from optuna.storages import JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise ConfigError('--storage needs Optuna, 4.9 or newer: pip install "mrvae_lib[sweep]"') from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats count as an experiment
    try:
        return optuna.create_study(study_name=name, load_if_exists=True, storage=RDBStorage(
            storage, heartbeat_interval=HEARTBEAT, grace_period=GRACE,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
        ) if "://" in storage else JournalStorage(JournalFileBackend(storage)))
    except Exception as error:  # each database's driver has errors of its own
        raise ConfigError(f"--storage {storage}: cannot be opened ({str(error).splitlines()[0]})") from None
