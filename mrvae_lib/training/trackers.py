"""Callbacks that write a run down: a progress bar, JSON lines, TensorBoard, Weights & Biases."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from mrvae_lib.config import ConfigError
from mrvae_lib.objective import Terms, Weights
from mrvae_lib.training.checkpoints import atomic_write
from mrvae_lib.training.loop import Callback, Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class ProgressBar(Callback):
    """Steps done, time left, and the last epoch's main terms."""

    def __init__(self) -> None:
        self.bar: tqdm[Any] | None = None

    def on_start(self, run: Run) -> None:
        self.bar = tqdm(total=run.n_steps, initial=run.step, unit="step", desc="training", mininterval=0.5)

    def on_step(self, run: Run, terms: Terms, weights: Weights) -> None:
        assert self.bar is not None
        self.bar.update()

    def on_epoch(self, run: Run, metrics: dict[str, float]) -> None:
        assert self.bar is not None
        shown = {"epoch": f"{run.epoch}/{run.config.train.epochs}", "rec": f"{metrics['reconstruction']:.1f}",
                 "KL_z": f"{metrics['kl_z']:.2f}"}
        if "information_of_code" in metrics:
            shown["I(x;b)"] = f"{metrics['information_of_code']:.2f}"
        self.bar.set_postfix(shown, refresh=False)

    def on_end(self, run: Run) -> None:
        if self.bar is not None:
            self.bar.close()


class JsonLines(Callback):
    """One line of JSON per epoch in `metrics.jsonl`; a resumed run drops the lines it is going to write again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_start(self, run: Run) -> None:
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if _step_of(line) <= run.step]
        atomic_write(self.path, "".join(line + "\n" for line in kept))

    def on_epoch(self, run: Run, metrics: dict[str, float]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")


class Tracker(Callback):
    """Hands every term and schedule of each `every`-th step, and the epoch's metrics, to a service that draws them."""

    every = 20

    def scalar(self, name: str, value: float, step: int) -> None:
        """Keep one number."""
        raise NotImplementedError

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        """Keep one picture, (H, W, 3) uint8."""
        raise NotImplementedError

    def on_step(self, run: Run, terms: Terms, weights: Weights) -> None:
        if run.step % self.every:
            return
        for name, value in terms.named().items():
            self.scalar(f"terms/{name}", float(value.detach().mean()), run.step)
        for name, weight in vars(weights).items():
            if getattr(run.config.objective, name) != 0:  # a schedule may start at 0
                self.scalar(f"weights/{name}", weight, run.step)
        self.scalar("lr", run.optimizer.param_groups[0]["lr"], run.step)

    def on_epoch(self, run: Run, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            if name not in ("epoch", "step", "lr") and not name.startswith("weight/"):
                self.scalar(f"epoch/{name}", value, run.step)


class TensorBoard(Tracker):
    """Scalars and pictures for TensorBoard, in a folder."""

    def __init__(self, folder: Path, *, every: int = 20) -> None:
        self.folder, self.every = folder, every
        self.writer: SummaryWriter | None = None

    def on_start(self, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(self.folder), purge_step=run.step + 1 if run.step else None)

    def scalar(self, name: str, value: float, step: int) -> None:
        assert self.writer is not None
        self.writer.add_scalar(name, value, step)

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        assert self.writer is not None
        self.writer.add_image(name, picture, step, dataformats="HWC")

    def on_end(self, run: Run) -> None:
        if self.writer is not None:
            self.writer.close()


class WandB(Tracker):
    """The same for Weights & Biases, offline unless WANDB_MODE says otherwise; `wandb sync` uploads a run later.

    Raises:
        ConfigError: the package is not installed.
    """

    def __init__(self, folder: Path, *, every: int = 20) -> None:
        self.folder, self.every = folder, every
        self.session: Any = None
        try:
            self.wandb: Any = importlib.import_module("wandb")
        except ImportError:
            raise ConfigError("tracking with wandb needs its package: pip install wandb; without it, a run is in "
                              "metrics.jsonl and TensorBoard all the same") from None

    def on_start(self, run: Run) -> None:
        self.session = self.wandb.init(
            project="mrvae", name=self.folder.name, dir=str(self.folder), mode=os.environ.get("WANDB_MODE", "offline"),
            config=run.config.model_dump(mode="json", exclude_none=True),
        )

    def scalar(self, name: str, value: float, step: int) -> None:
        self.session.log({name: value}, step=step)

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        self.session.log({name: self.wandb.Image(picture)}, step=step)

    def on_end(self, run: Run) -> None:
        if self.session is not None:
            self.session.finish()


TRACKERS: dict[str, type[WandB]] = {"wandb": WandB}


def make_trackers(names: Sequence[str], folder: Path) -> list[Tracker]:
    """The trackers of these names, for a run in a folder.

    Raises:
        ConfigError: an unknown name, or its package is not installed.
    """
    for name in names:
        if name not in TRACKERS:
            raise ConfigError(f"--track {name}: no such tracker; there is {', '.join(TRACKERS)} (TensorBoard is always "
                              f"on; neptune ended on 2026-03-05)")
    return [TRACKERS[name](folder) for name in dict.fromkeys(names)]


def _step_of(line: str) -> float:
    """The step a line was written at; a line cut short by a crash is one to drop."""
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return float("inf")
