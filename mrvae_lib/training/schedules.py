"""Numbers that change during a run: functions of progress, 0 at the first step and 1 at the last; and the plateau."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mrvae_lib.config import ObjectiveConfig, Schedule
from mrvae_lib.objective import Weights


def value_at(schedule: Schedule, progress: float) -> float:
    """The schedule's value: itself if a number, else on the straight line between its two nearest points."""
    if isinstance(schedule, (int, float)):
        return float(schedule)
    places, values = zip(*schedule, strict=True)
    return float(np.interp(progress, places, values))


def weights_at(config: ObjectiveConfig, progress: float) -> Weights:
    """Every weight of the objective at one moment."""
    return Weights(**{name: value_at(getattr(config, name), progress) for name in Weights.__dataclass_fields__})


@dataclass
class Plateau:
    """What the learning rate is multiplied with: a tenth more each time the mean loss has not fallen for too long.

    As torch's ReduceLROnPlateau at its defaults: a fall counts from one part in 10,000.
    """

    best: float = math.inf
    n_bad: int = 0
    """Epochs since the last fall, or since the last cut."""
    factor: float = 1.0

    def watch(self, loss: float, patience: int) -> None:
        """Take in an epoch's mean loss."""
        if loss < self.best - 1e-4 * abs(self.best) or self.best == math.inf:
            self.best, self.n_bad = loss, 0
        else:
            self.n_bad += 1
        if self.n_bad > patience:
            self.factor, self.n_bad = self.factor / 10, 0
