"""Numbers that change during a run: pure functions of progress, 0 at the first step and 1 at the last."""

from __future__ import annotations

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
