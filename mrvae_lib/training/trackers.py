"""Callbacks that write a run down: a progress bar, JSON lines, TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

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


class TensorBoard(Callback):
    """Every term, schedule and bit as scalars; pictures are added by whoever holds the writer."""

    def __init__(self, folder: Path, *, every: int = 20) -> None:
        self.folder, self.every = folder, every
        self.writer: SummaryWriter | None = None

    def on_start(self, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(self.folder), purge_step=run.step + 1 if run.step else None)

    def on_step(self, run: Run, terms: Terms, weights: Weights) -> None:
        if self.writer is None or run.step % self.every:
            return
        for name, value in terms.named().items():
            self.writer.add_scalar(f"terms/{name}", float(value.detach().mean()), run.step)
        for name, weight in vars(weights).items():
            if weight:
                self.writer.add_scalar(f"weights/{name}", weight, run.step)
        self.writer.add_scalar("lr", run.optimizer.param_groups[0]["lr"], run.step)

    def on_epoch(self, run: Run, metrics: dict[str, float]) -> None:
        assert self.writer is not None
        for name, value in metrics.items():
            if name.startswith(("information", "kl_of_real")):
                self.writer.add_scalar(f"epoch/{name}", value, run.step)

    def on_end(self, run: Run) -> None:
        if self.writer is not None:
            self.writer.close()


def _step_of(line: str) -> float:
    """The step a line was written at; a line cut short by a crash is one to drop."""
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return float("inf")
