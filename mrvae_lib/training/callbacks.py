"""Callbacks that write a run down: a progress bar, held-out losses, JSON lines, TensorBoard, Weights & Biases."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from mrvae_lib.config import RunConfig
from mrvae_lib.data import ImageSet
from mrvae_lib.errors import ConfigError
from mrvae_lib.objective import Terms
from mrvae_lib.training.checkpoints import atomic_write
from mrvae_lib.training.loop import Callback
from mrvae_lib.training.run import Run

N_HELD_OUT = 1000
"""The test images on which a run's held-out losses are measured after each epoch, at most."""


class ProgressBar(Callback):
    """Steps done, time left, and the last epoch's main terms."""

    def on_start(self, run: Run) -> None:
        where = f"training on {run.device.type} in {'bf16' if run.bf16 else 'fp32'}"
        self.bar: tqdm[Any] = tqdm(total=run.n_steps, initial=run.step, unit="step", desc=where, mininterval=0.5)

    def on_step(self, run: Run, terms: Terms, weights: Mapping[str, float]) -> None:
        self.bar.update()

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        shown = {"epoch": f"{run.epoch}/{run.config.train.epochs}", "rec": f"{metrics['reconstruction']:.1f}",
                 "KL_z": f"{metrics['kl_z']:.2f}"}
        if "information_of_code" in metrics:
            shown["I(x;b)"] = f"{metrics['information_of_code']:.2f}"
        self.bar.set_postfix(shown, refresh=False)

    def on_end(self, run: Run) -> None:
        self.bar.close()


class HeldOut(Callback):
    """Adds `test` to the metrics of each epoch: the terms of the ELBO on test images, nats per image, on hard bits.

    Callbacks after this one see it too.
    """

    def __init__(self, images: ImageSet) -> None:
        self.images = images.first(N_HELD_OUT)

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        generator = torch.Generator(run.device).manual_seed(0)
        with torch.inference_mode():
            x = self.images.floats().to(run.device)
            posterior = run.model.encode(x)
            z, b = posterior.sample(generator)
            terms = {"reconstruction": run.model.reconstruction_loss(x, z, b[None]).mean(),
                     "kl_z": posterior.kl_reals().sum(dim=1).mean(), "kl_b": posterior.kl_bits().sum(dim=1).mean()}
        metrics["test"] = {name: float(value) for name, value in terms.items()}
        metrics["test"]["neg_elbo"] = sum(metrics["test"].values())


class JsonLines(Callback):
    """One line of JSON per epoch in `metrics.jsonl`; a resumed run drops the lines it is going to write again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_start(self, run: Run) -> None:
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines() if self.path.exists() else []
        kept = [line for line in lines if _step_of(line) <= run.step]
        atomic_write(self.path, "".join(line + "\n" for line in kept))

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")


class TensorBoard(Callback):
    """Terms and weights of each `every`-th step, the epoch's metrics, and pictures, for TensorBoard."""

    def __init__(self, folder: Path, *, every: int = 20) -> None:
        self.folder, self.every = folder, every

    def on_start(self, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(self.folder), purge_step=run.step + 1 if run.step else None)

    def on_step(self, run: Run, terms: Terms, weights: Mapping[str, float]) -> None:
        if run.step % self.every:
            return
        used = {name: weight for name, weight in weights.items() if getattr(run.config.objective, name) != 0}
        self._write({"terms": {name: float(value.detach().mean()) for name, value in terms.values.items()},
                     "weights": used, "lr": run.optimizer.param_groups[0]["lr"]}, run.step)

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        seen = {"epoch", "step", "lr", "weights"}
        self._write({"epoch": {name: value for name, value in metrics.items() if name not in seen}}, run.step)

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        """Keep one picture, (H, W, 3) uint8."""
        self.writer.add_image(name, picture, step, dataformats="HWC")

    def on_end(self, run: Run) -> None:
        self.writer.close()

    def _write(self, values: Mapping[str, Any], step: int) -> None:
        for name, value in _flat(values):
            self.writer.add_scalar(name, value, step)


def track(name: str, folder: Path, config: RunConfig) -> None:
    """Copy what TensorBoard is told from now on to another service; call it before training.

    Weights & Biases keeps a run offline unless WANDB_MODE says otherwise; `wandb sync` uploads it later.

    Raises:
        ConfigError: an unknown name, or its package is not installed.
    """
    if name != "wandb":
        raise ConfigError(f"--track {name}: no such tracker; there is wandb (TensorBoard is always on; neptune ended "
                          f"on 2026-03-05)")
    try:
        wandb = importlib.import_module("wandb")
    except ImportError:
        raise ConfigError("tracking with wandb needs its package: pip install wandb; without it, a run is in "
                          "metrics.jsonl and TensorBoard all the same") from None
    folder.mkdir(parents=True, exist_ok=True)
    wandb.init(project="mrvae", name=folder.name, dir=str(folder), mode=os.environ.get("WANDB_MODE", "offline"),
               config=config.model_dump(mode="json", exclude_none=True), sync_tensorboard=True)


def _flat(values: Mapping[str, Any] | Sequence[float], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number of nested tables and lists, with its path as TensorBoard groups them: `epoch/kl_of_real/0`."""
    for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
        if isinstance(value, (Mapping, Sequence)):
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def _step_of(line: str) -> float:
    """The step a line was written at; a line cut short by a crash is one to drop."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return float("inf")
