"""Trials of a sweep in an Optuna storage, from which any number of processes and machines take them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mrvae_lib.config import ConfigError
from mrvae_lib.sweep.trials import Row, Trial
from mrvae_lib.sweep.workers import POLL

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class Study:
    """A sweep's queue in a storage; a process that dies is noticed by its silence, and its trial is begun again.

    A point of the grid is done when one trial of it is complete. Two processes may enter the same point at the same
    moment; whoever takes the later trial of a point then lets it go.

    Args:
        storage: the URL of a database (`postgresql://...`, `sqlite:///sweep.db`), or the path of a journal file.
        name: of the study. All who join under one name must mean the same sweep.
        base: the configuration that every trial changes, as text.
        patience: a trial whose process has said nothing for so many seconds is given to another.
    Raises:
        ConfigError: Optuna or the storage is not there, or the study is about other settings.
    """

    def __init__(self, storage: str, name: str, base: str, trials: Sequence[Trial], *, patience: float = 60) -> None:
        self.storage, self.patience = _open(storage), patience
        self.id = self._join(storage, name, base)
        self.beats: dict[int, tuple[Any, float]] = {}
        """What each trial's process last said, and when we first heard it."""
        self.said: dict[int, float] = {}
        for trial in trials:
            if not self._open_or_done(trial.name):
                self._enter(trial)

    def take(self) -> Trial | None:
        from optuna.trial import TrialState

        while True:
            for found in self._all(TrialState.WAITING):
                if self._set_state(found.number, TrialState.RUNNING):
                    trial = Trial(found.user_attrs["settings"], ticket=found.number)
                    if not self._is_second(trial):
                        return trial
                    self._set_state(found.number, TrialState.PRUNED)
            running = self._all(TrialState.RUNNING)
            if not running and not self._reopen():
                return None
            for found in running:
                if self._silent(found.number, found.user_attrs.get("beat")):
                    self._set_state(found.number, TrialState.FAIL)
            self._reopen()
            time.sleep(POLL)

    def beat(self, trial: Trial) -> bool:
        from optuna.exceptions import UpdateFinishedTrialError

        if time.monotonic() - self.said.get(trial.ticket, -self.patience) < self.patience / 4:
            return True
        self.said[trial.ticket] = time.monotonic()
        try:
            self.storage.set_trial_user_attr(self._trial_id(trial.ticket), "beat", time.time())
        except UpdateFinishedTrialError:
            return False
        return True

    def done(self, trial: Trial, row: Row) -> None:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            self.storage.set_trial_user_attr(self._trial_id(trial.ticket), "row", row)
        except UpdateFinishedTrialError:
            return  # we were taken for dead, and another process has the trial
        complete = "error" not in row
        self._set_state(trial.ticket, TrialState.COMPLETE if complete else TrialState.FAIL,
                        [row["neg_elbo"]] if complete else None)

    def give_back(self, trial: Trial) -> None:
        from optuna.trial import TrialState

        self._set_state(trial.ticket, TrialState.FAIL)
        self._reopen()

    def rows(self) -> list[Row]:
        from optuna.trial import TrialState

        rows = {Trial(found.user_attrs["settings"]).name: found.user_attrs["row"]
                for state in (TrialState.FAIL, TrialState.COMPLETE) for found in self._all(state)
                if "row" in found.user_attrs}
        return list(rows.values())

    def _join(self, storage: str, name: str, base: str) -> int:
        from optuna import create_study

        create_study(storage=self.storage, study_name=name, load_if_exists=True)
        study_id = self.storage.get_study_id_from_name(name)
        if self.storage.get_study_user_attrs(study_id).setdefault("base", base) != base:
            raise ConfigError(f"{storage} holds a sweep {name!r} of other settings; choose another storage")
        self.storage.set_study_user_attr(study_id, "base", base)
        return study_id

    def _enter(self, trial: Trial) -> None:
        from optuna.trial import TrialState, create_trial

        self.storage.create_new_trial(self.id, create_trial(state=TrialState.WAITING,
                                                            user_attrs={"settings": trial.settings}))

    def _all(self, *states: Any) -> list[Any]:
        return self.storage.get_all_trials(self.id, deepcopy=False, states=states or None)

    def _trial_id(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.id, number)

    def _set_state(self, number: int, state: Any, values: Sequence[float] | None = None) -> bool:
        """Whether it was we who brought the trial into this state."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            return self.storage.set_trial_state_values(self._trial_id(number), state, values)
        except UpdateFinishedTrialError:
            return False

    def _of_point(self, name: str) -> list[Any]:
        return [found for found in self._all() if Trial(found.user_attrs["settings"]).name == name]

    def _open_or_done(self, name: str) -> bool:
        from optuna.trial import TrialState

        return any(found.state not in (TrialState.FAIL, TrialState.PRUNED) for found in self._of_point(name))

    def _is_second(self, trial: Trial) -> bool:
        """Whether another trial of the same point is complete, or stands before this one."""
        from optuna.trial import TrialState

        return any(found.state == TrialState.COMPLETE or found.number < trial.ticket
                   for found in self._of_point(trial.name)
                   if found.number != trial.ticket and found.state not in (TrialState.FAIL, TrialState.PRUNED))

    def _reopen(self) -> bool:
        """Enter again every point that was begun and not ended, neither with scores nor with an error."""
        points: dict[str, list[Any]] = {}
        for found in self._all():
            points.setdefault(json.dumps(found.user_attrs["settings"]), []).append(found)
        lost = [json.loads(point) for point, found in points.items()
                if all(trial.state.is_finished() and "row" not in trial.user_attrs for trial in found)]
        for settings in lost:
            self._enter(Trial(settings))
        return bool(lost)

    def _silent(self, number: int, beat: Any) -> bool:
        """Whether a trial's process has said nothing new since `patience` seconds of our own clock."""
        now = time.monotonic()
        last, since = self.beats.get(number, (object(), now))
        if beat != last:
            self.beats[number] = (beat, now)
            return False
        return now - since > self.patience


def _open(storage: str) -> BaseStorage:
    try:
        import optuna
        from optuna.storages import JournalStorage, get_storage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise ConfigError("--storage needs Optuna: pip install optuna") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return get_storage(storage) if "://" in storage else JournalStorage(JournalFileBackend(storage))
    except Exception as error:  # a database can refuse in its driver's own ways
        raise ConfigError(f"--storage {storage}: cannot be opened ({str(error).splitlines()[0]})") from None
