"""The trials of a sweep: what each one changes, and the list they are taken from."""

from __future__ import annotations

import itertools
import json
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mrvae_lib.config import ConfigError, RunConfig, load_config

Settings = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One point of the grid, seed included."""

    settings: Settings
    ticket: int = 0
    """Its number in the storage that it was taken from."""

    @property
    def name(self) -> str:
        """Its settings as the name of a folder."""
        text = ",".join(f"{key}={json.dumps(value)}" for key, value in self.settings.items())
        return re.sub(r"[^\w.,=+-]+", "_", text)


@dataclass(frozen=True)
class Recipe:
    """What every trial starts from: a preset or file, and the options given with it."""

    source: str
    quick: bool = False
    overrides: tuple[str, ...] = ()

    def config(self, settings: Settings | None = None) -> RunConfig:
        """A trial's configuration; without settings, the one that all trials change."""
        overrides = [*self.overrides, *as_overrides(settings or {})]
        return load_config(self.source, quick=self.quick, overrides=overrides)

    def command(self, settings: Settings) -> list[str]:
        """What trains a trial, all but its folder."""
        sets = [part for item in (*self.overrides, *as_overrides(settings)) for part in ("--set", item)]
        return [sys.executable, "-m", "mrvae_lib", "train", self.source, *(["--quick"] if self.quick else []), *sets]


class Queue(Protocol):
    """Where the workers of a sweep get their trials."""

    def take(self) -> Trial | None:
        """The next trial to run, or None when none is left; may wait for what other processes are doing."""

    def beat(self, trial: Trial) -> bool:
        """Say that a trial is being run; False if it was meanwhile given to somebody else."""

    def done(self, trial: Trial, row: Row) -> None:
        """Hand in a trial's scores, or its error."""

    def give_back(self, trial: Trial) -> None:
        """Leave a trial that was begun to whoever comes next."""

    def rows(self) -> list[Row]:
        """What has been handed in."""


@dataclass
class Grid:
    """The trials of one process."""

    trials: list[Trial]
    finished: list[Row] = field(default_factory=list)

    def take(self) -> Trial | None:
        try:
            return self.trials.pop(0)
        except IndexError:
            return None

    def beat(self, trial: Trial) -> bool:
        return True

    def done(self, trial: Trial, row: Row) -> None:
        self.finished.append(row)

    def give_back(self, trial: Trial) -> None:
        self.trials.append(trial)

    def rows(self) -> list[Row]:
        return self.finished


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


def grid(over: Sequence[str], n_seeds: int) -> list[Trial]:
    """Every combination of the values, each with seeds 0 to n_seeds - 1.

    Raises:
        ConfigError: a key or a trial comes twice, or the seed is swept by hand.
    """
    axes = [parse_over(text) for text in over]
    keys = [key for key, _ in axes]
    if len(set(keys)) < len(keys) or "train.seed" in keys:
        raise ConfigError(f"--over names each key once, and seeds are given by --seeds; got {', '.join(keys)}")
    trials = [Trial(dict(zip([*keys, "train.seed"], values, strict=True)))
              for values in itertools.product(*(values for _, values in axes), range(n_seeds))]
    if len({trial.name for trial in trials}) < len(trials):
        raise ConfigError(f"--over {' '.join(over)}: two values are the same")
    return trials


def as_overrides(settings: Settings) -> list[str]:
    """Settings as `--set` takes them."""
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]
