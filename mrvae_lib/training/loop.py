"""The training loop: draw a batch, price it, step; hand what happened to the callbacks."""

import math
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrvae_lib.config import MAX_TABLE_BITS, RunConfig, value_at
from mrvae_lib.data import ImageSet
from mrvae_lib.data.image_set import shuffled_batches
from mrvae_lib.errors import TrainingError
from mrvae_lib.model.codes import CodeTable
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.objective import Terms, loss_terms, total_loss, weights_at
from mrvae_lib.parallel import add_gradients, any_process, is_first, own_part, process_group
from mrvae_lib.training.checkpoints import latest_checkpoint, own_folder, save_model
from mrvae_lib.training.device import choose_device, keep_freed_memory
from mrvae_lib.training.run import Run, save, start

N_RECENT_IMAGES = 2048
"""`information_of_code` is measured on at least so many of an epoch's last images, and on 4 * 2^K if that is more."""
UNCHECKED_STEPS = 100
"""So many steps may pass on a GPU until their losses are read: to read a number is to wait for all work before it."""


class Callback:
    """Something that watches a run. Every method may be left out."""

    def on_start(self, run: Run) -> None:
        """Called before the first step, or after resuming."""

    def on_step(self, run: Run, terms: Terms, weights: Mapping[str, float]) -> None:
        """Called after each optimiser step."""

    def on_epoch(self, run: Run, metrics: dict[str, Any]) -> None:
        """Called after each pass over the images, with `epoch_metrics`; what is added here reaches later callbacks."""

    def on_end(self, run: Run) -> None:
        """Called when the run is finished, stopped or failed."""


def train(config: RunConfig, folder: str | Path | None = None, *, callbacks: Sequence[Callback] = (),
          images: ImageSet | None = None) -> MRVAE:
    """Train a model; with a folder, leave checkpoints there and go on from the newest one.

    Ctrl-C, a notebook's interrupt, or a callback that calls `run.stop.set()` ends the run after the current step with a
    checkpoint.

    Args:
        folder: gets `config.toml`, `checkpoints/` and, at the end, `model/`; None keeps everything in memory.
        images: train on these instead of the set the configuration names.
    Returns:
        The model in evaluation mode, on the CPU.
    Raises:
        TrainingError: the loss stopped being finite; the last good checkpoint stays.
        ConfigError: the folder holds a run of another configuration, or the device is not there.
        DataError: the images cannot be had.
        CheckpointError: the folder cannot be written to, or another process trains there.
    """
    keep_freed_memory()
    path = None if folder is None else Path(folder)
    to_ourselves = own_folder(path) if path and is_first() else nullcontext()
    with process_group(choose_device(config.train.device)), to_ourselves:
        return _train(start(config, path, images), callbacks if is_first() else ())


def _train(run: Run, callbacks: Sequence[Callback]) -> MRVAE:
    for callback in callbacks:
        callback.on_start(run)
    try:
        with interrupt_sets(run.stop):
            stopping = any_process(run.stop.is_set())
            while not run.finished and not stopping:
                for indices in batches_left(run):
                    weights = weights_at(run.config.objective, run.progress)
                    terms = train_step(run, indices, weights)
                    for callback in callbacks:
                        callback.on_step(run, terms, weights)
                    if stopping := any_process(run.stop.is_set()):
                        break
                if run.step % run.steps_per_epoch == 0:
                    end_epoch(run, callbacks)
            if not run.finished:
                check_finite(run)
                save(run)
    finally:
        for callback in callbacks:
            callback.on_end(run)
    run.model.to("cpu").eval()
    if run.folder and run.finished:
        save_model(run.model, run.folder / "model")
    return run.model


def train_step(run: Run, indices: Tensor, weights: Mapping[str, float]) -> Terms:
    """One step of the optimiser on the images at `indices`, (B,) on the run's device."""
    run.model.train()
    run.optimizer.param_groups[0]["lr"] = value_at(run.config.train.lr, run.progress) * run.plateau.factor
    x = run.images.floats(own_part(indices))
    with torch.autocast(run.device.type, dtype=torch.bfloat16, enabled=run.bf16):
        terms = loss_terms(
            run.model, x, run.config.objective, weights, generator=run.noise, pool=run.pool, n_images=len(run.images),
            discriminator=run.adversary.network if run.adversary else None,
        )
        loss = total_loss(terms, weights)
    means = {name: value.detach().mean() for name, value in terms.values.items()} | {"loss": loss.detach()}
    run.unchecked[run.step + 1] = means
    if run.device.type == "cpu" or len(run.unchecked) == UNCHECKED_STEPS:
        check_finite(run)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    add_gradients(run.model)
    run.optimizer.step()
    run.model.eval()  # callbacks may look at the model, and batch norm must not learn from what they show it
    run.step += 1
    if run.adversary and "tc" in terms.values:
        means = means | {"discriminator_loss": run.adversary.step(terms.z, run.noise)}
    _remember(run, terms, means)
    return terms


def end_epoch(run: Run, callbacks: Sequence[Callback]) -> None:
    """Tell the callbacks the epoch's means, and write a checkpoint when one is due."""
    check_finite(run)
    metrics = epoch_metrics(run)
    run.sums, run.recent_bits = {}, []
    if run.config.train.plateau is not None:
        run.plateau.watch(metrics["loss"], run.config.train.plateau)
    for callback in callbacks:
        callback.on_epoch(run, metrics)
    if run.finished or run.epoch % run.config.train.checkpoint_every == 0:
        save(run)


def epoch_metrics(run: Run) -> dict[str, Any]:
    """The epoch's means, in nats per image.

    Returns:
        `epoch`, `step`, `loss`, `neg_elbo`, a mean for each term by its name, `kl_of_real` (a list of D),
        `information_of_code` and `information_of_bit` (a list of K) over the epoch's last codes, `weights` by key where
        they are not 0 after the last step, and the `lr` of that step. With a discriminator, its `discriminator_loss`.
    """
    metrics: dict[str, Any] = {"epoch": run.epoch, "step": run.step}
    metrics |= {name: (total.cpu().double() / run.steps_per_epoch).tolist() for name, total in run.sums.items()}
    metrics["neg_elbo"] = metrics["reconstruction"] + metrics["kl_z"] + metrics["kl_b"]
    if 0 < run.config.model.n_bits <= MAX_TABLE_BITS:
        table = CodeTable.from_logits(torch.cat(run.recent_bits).cpu())
        metrics["information_of_code"] = float(table.information)
        metrics["information_of_bit"] = table.bit_information.tolist()
    metrics["weights"] = {key: value for key, value in weights_at(run.config.objective, run.progress).items() if value}
    metrics["lr"] = run.optimizer.param_groups[0]["lr"]
    return metrics


def batches_left(run: Run) -> Iterator[Tensor]:
    """The batches of the current epoch that have not been used. An epoch's order depends on seed and epoch only."""
    generator = torch.Generator().manual_seed(run.config.train.seed * 1_000_003 + run.epoch)
    batches = shuffled_batches(len(run.images), run.batch_size, generator, run.device)
    return iter(batches[run.step % run.steps_per_epoch :])


@contextmanager
def interrupt_sets(stop: threading.Event) -> Iterator[None]:
    """Turn the first Ctrl-C into a request that the loop answers between two steps; a second one interrupts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_interrupt(*_: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _remember(run: Run, terms: Terms, means: Mapping[str, Tensor]) -> None:
    for name, value in {**means, "kl_of_real": terms.posterior.kl_reals().detach().mean(dim=0)}.items():
        run.sums[name] = run.sums.get(name, 0) + value
    n_kept = max(N_RECENT_IMAGES, 4 * 2 ** min(run.config.model.n_bits, MAX_TABLE_BITS))
    run.recent_bits.append(terms.posterior.bit_logits.detach())
    del run.recent_bits[: -math.ceil(n_kept / run.batch_size)]


def check_finite(run: Run) -> None:
    """Read the losses of the steps since the last check.

    Raises:
        TrainingError: one is not finite; names the first such step and its terms.
    """
    losses = torch.stack([means["loss"] for means in run.unchecked.values()]).tolist() if run.unchecked else []
    for (step, means), loss in zip(run.unchecked.items(), losses, strict=True):
        if not math.isfinite(loss):
            values = {name: float(mean) for name, mean in means.items() if name != "loss"}
            bad = [name for name, value in values.items() if not math.isfinite(value)]
            listed = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            newest = latest_checkpoint(run.folder) if run.folder else None
            raise TrainingError(f"step {step}: {' and '.join(bad) or 'the loss'} is not finite ({listed}); a lower "
                                f"train.lr may mend it{f'; the last checkpoint, {newest}, stays' if newest else ''}")
    run.unchecked = {}
