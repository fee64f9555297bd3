"""Callbacks that write a run down: a progress bar, held-out losses, JSON lines, TensorBoard."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from mrvae_lib.data import ImageSet
from mrvae_lib.objective import Terms
from mrvae_lib.training.checkpoints import atomic_write
from mrvae_lib.training.loop import Callback
from mrvae_lib.training.run import Run

N_HELD_OUT = 1000
"""The test images on which a run's held-out losses are measured after each epoch, at most."""
SHOWN = {"rec": "reconstruction", "KL_z": "kl_z", "I(x;b)": "information_of_code"}
"""The terms that the progress bar shows, by what it calls them."""


class ProgressBar(Callback):
    """Steps done, time left, and the last epoch's main terms."""

    def on_start(self, run: Run) -> None:
        self.run = run
        where = f"training on {run.device.type} in {'bf16' if run.bf16 else 'fp32'}"
        self.bar: tqdm[Any] = tqdm(total=run.n_steps, initial=run.step, unit="step", desc=where, mininterval=0.5)

    def on_step(self, run: Run, terms: Terms, weights: Mapping[str, float]) -> None:
        self.bar.update()

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        means = {short: f"{metrics[name]:.2f}" for short, name in SHOWN.items() if name in metrics}
        self.bar.set_postfix({"epoch": f"{run.epoch}/{run.config.train.epochs}", **means}, refresh=False)

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
        kept = [row for row in read_metrics(self.path) if row["step"] <= run.step]
        atomic_write(self.path, "".join(json.dumps(row) + "\n" for row in kept))

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The epochs in a `metrics.jsonl`, oldest first; none where there is no such file.

    A damaged line is left out, as is a number that an older version wrote under a name such as `kl_of_real/0`.
    """
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
        with suppress(ValueError, RecursionError):
            row = json.loads(line)
            if isinstance(row, dict) and all(isinstance(row.get(key), (int, float)) for key in ("epoch", "step")):
                rows.append({key: value for key, value in row.items() if "/" not in key})
    return rows


class TensorBoard(Callback):
    """Terms and weights of each `every`-th step, and the epoch's metrics, for TensorBoard.

    During the run, `writer` takes what others have to show, such as pictures.
    """

    def __init__(self, folder: Path, *, every: int = 20) -> None:
        self.folder, self.every = folder, every

    def on_start(self, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(self.folder), purge_step=run.step + 1 if run.step else None)

    def on_step(self, run: Run, terms: Terms, weights: Mapping[str, float]) -> None:
        if run.step % self.every:
            return
        used = {name: weight for name, weight in weights.items() if getattr(run.config.objective, name) != 0}
        self._write("terms", {name: float(value.detach().mean()) for name, value in terms.values.items()}, run.step)
        self._write("weights", used, run.step)
        self._write("lr", run.optimizer.param_groups[0]["lr"], run.step)

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        seen = {"epoch", "step", "lr", "weights"}
        self._write("epoch", {name: value for name, value in metrics.items() if name not in seen}, run.step)

    def on_end(self, run: Run) -> None:
        self.writer.close()

    def _write(self, name: str, value: Any, step: int) -> None:
        """A number, or every number of nested tables and lists by its path, such as `epoch/kl_of_real/0`."""
        if isinstance(value, (dict, list, tuple)):
            for key, part in value.items() if isinstance(value, dict) else enumerate(value):
                self._write(f"{name}/{key}", part, step)
        else:
            self.writer.add_scalar(name, value, step)
