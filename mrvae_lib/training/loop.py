"""The training loop: draw a batch, price it, step; hand what happened to the callbacks."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrvae_lib.config import ConfigError, RunConfig, dump_config, load_config
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.data.imageset import as_floats, shuffled_batches
from mrvae_lib.model.networks import memory_format
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.objective import CodePool, Terms, Weights, loss_terms, total_loss
from mrvae_lib.training.checkpoints import (
    atomic_write,
    checkpoints,
    load_model,
    load_state,
    save_checkpoint,
    save_model,
)
from mrvae_lib.training.schedules import value_at, weights_at

N_RECENT_IMAGES = 2048
"""How many of an epoch's last codes the epoch's information is measured on, if the code asks for no more."""


class TrainingError(RuntimeError):
    """A run that cannot go on; the message names the step and the term."""


class Callback:
    """Something that watches a run. Every method may be left out."""

    def on_start(self, run: Run) -> None:
        """Before the first step, or after resuming."""

    def on_step(self, run: Run, terms: Terms, weights: Weights) -> None:
        """After each optimiser step."""

    def on_epoch(self, run: Run, metrics: dict[str, float]) -> None:
        """After each pass over the images, with its means."""

    def on_end(self, run: Run) -> None:
        """When the run is finished, stopped or failed."""


@dataclass
class Run:
    """A run in progress: what the loop changes and the callbacks look at."""

    config: RunConfig
    model: MRVAE
    optimizer: torch.optim.Optimizer
    images: ImageSet
    device: torch.device
    bf16: bool
    noise: torch.Generator
    pool: CodePool
    folder: Path | None = None
    step: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    """This epoch's terms so far, summed over its steps."""
    recent_bits: list[Tensor] = field(default_factory=list)
    """The logits of this epoch's last codes, oldest first."""

    @property
    def batch_size(self) -> int:
        return min(self.config.train.batch_size, len(self.images))

    @property
    def steps_per_epoch(self) -> int:
        return len(self.images) // self.batch_size

    @property
    def n_steps(self) -> int:
        return self.steps_per_epoch * self.config.train.epochs

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.step // self.steps_per_epoch

    @property
    def progress(self) -> float:
        """0 at the first step, 1 at the last."""
        return self.step / max(1, self.n_steps - 1)

    @property
    def finished(self) -> bool:
        return self.step >= self.n_steps


def train(
    config: RunConfig,
    folder: str | Path | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    images: ImageSet | None = None,
) -> MRVAE:
    """Train a model; with a folder, leave checkpoints there and go on from the newest one.

    Ctrl-C, or a notebook's stop button, ends the run after the current step with a checkpoint.

    Args:
        folder: gets `config.toml`, `checkpoints/` and, at the end, `model/`; None keeps everything in memory.
        images: train on these instead of the set the configuration names.
    Returns:
        The model in evaluation mode, on the CPU.
    Raises:
        TrainingError: the loss stopped being finite; the last good checkpoint stays.
        ConfigError: the folder holds a run of another configuration, or the device is not there.
        DataError: the images cannot be had.
    """
    run = start(config, folder, images)
    for callback in callbacks:
        callback.on_start(run)
    try:
        with stop_request() as stop:
            while not run.finished and not stop.is_set():
                for indices in batches_left(run):
                    weights = weights_at(config.objective, run.progress)
                    terms = train_step(run, indices, weights)
                    for callback in callbacks:
                        callback.on_step(run, terms, weights)
                    if stop.is_set():
                        break
                if run.step % run.steps_per_epoch == 0:
                    end_epoch(run, callbacks)
            if not run.finished:
                save(run)
    finally:
        for callback in callbacks:
            callback.on_end(run)
    run.model.to("cpu").eval()
    if run.folder and run.finished:
        save_model(run.model, run.folder / "model")
    return run.model


def start(config: RunConfig, folder: str | Path | None = None, images: ImageSet | None = None) -> Run:
    """A run at its first step, or at its newest checkpoint."""
    device = choose_device(config.train.device)
    if images is None:
        images = load_dataset(config.data.name, "train")
    if config.data.limit:
        images = images.first(config.data.limit)
    if not len(images):
        raise ConfigError(f"data.name {config.data.name!r} has no images to train on")
    folder = Path(folder) if folder is not None else None
    newest = _claim(folder, config) if folder else None

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        model = load_model(newest).train() if newest else MRVAE(images.image_shape, config.model)
    model.to(device)
    model.to(memory_format=memory_format(config.model.network))
    run = Run(
        config=config,
        model=model,
        optimizer=torch.optim.Adam(model.parameters(), lr=value_at(config.train.lr, 0.0), fused=device.type != "mps"),
        images=images.to(device),
        device=device,
        bf16=use_bf16(config.train.precision, device),
        noise=torch.Generator(device).manual_seed(config.train.seed),
        pool=CodePool(config.model.n_bits, min(config.train.batch_size, len(images))),
        folder=folder,
    )
    if newest:
        _restore(run, load_state(newest))
    return run


def train_step(run: Run, indices: Tensor, weights: Weights) -> Terms:
    """One step of the optimiser on the images at `indices`."""
    run.optimizer.param_groups[0]["lr"] = value_at(run.config.train.lr, run.progress)
    x = as_floats(run.images.take(indices.to(run.device)))
    with torch.autocast(run.device.type, dtype=torch.bfloat16, enabled=run.bf16):
        terms = loss_terms(run.model, x, run.config.objective, weights, generator=run.noise, pool=run.pool)
        loss = total_loss(terms, weights)
    if not torch.isfinite(loss):
        raise TrainingError(_not_finite(run, terms))
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    run.optimizer.step()
    run.step += 1
    _remember(run, terms, loss.detach())
    return terms


def end_epoch(run: Run, callbacks: Sequence[Callback] = ()) -> None:
    """Tell the callbacks the epoch's means, and write a checkpoint when one is due."""
    metrics = epoch_metrics(run)
    run.sums, run.recent_bits = {}, []
    for callback in callbacks:
        callback.on_epoch(run, metrics)
    if run.finished or run.epoch % run.config.train.checkpoint_every == 0:
        save(run)


def epoch_metrics(run: Run) -> dict[str, float]:
    """The epoch's mean of every term, the information of each bit over its last codes, and the schedules' values."""
    from mrvae_lib.model.codes import MAX_TABLE_BITS, CodeTable

    n_steps = max(1, (run.step - 1) % run.steps_per_epoch + 1)
    metrics: dict[str, float] = {"epoch": run.epoch, "step": run.step}
    for name, total in run.sums.items():
        if total.ndim == 0:
            metrics[name] = float(total) / n_steps
        else:
            metrics |= {f"{name}/{i}": float(value) / n_steps for i, value in enumerate(total)}
    if 0 < run.config.model.n_bits <= MAX_TABLE_BITS and run.recent_bits:
        table = CodeTable.from_logits(torch.cat(run.recent_bits).cpu())
        metrics["information_of_code"] = float(table.information)
        metrics |= {f"information_of_bit/{k}": float(value) for k, value in enumerate(table.bit_information)}
    weights = weights_at(run.config.objective, run.progress)
    metrics |= {f"weight/{name}": value for name, value in vars(weights).items() if value}
    metrics["lr"] = run.optimizer.param_groups[0]["lr"]
    return metrics


def batches_left(run: Run) -> Iterator[Tensor]:
    """The batches of the current epoch that have not been used. An epoch's order depends on seed and epoch only."""
    generator = torch.Generator().manual_seed(run.config.train.seed * 1_000_003 + run.epoch)
    done = run.step % run.steps_per_epoch
    for i, indices in enumerate(shuffled_batches(len(run.images), run.batch_size, generator)):
        if i >= done:
            yield indices


def save(run: Run) -> None:
    """Write a checkpoint, if the run has a folder.

    Raises:
        TrainingError: a weight is not finite; the last good checkpoint stays.
    """
    if run.folder is None:
        return
    for name, parameter in run.model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise TrainingError(f"step {run.step}: {name} is not finite; the checkpoint before it stays")
    state = {
        "step": run.step,
        "optimizer": run.optimizer.state_dict(),
        "noise": run.noise.get_state(),
        "pool": run.pool.past,
        "sums": run.sums,
        "recent_bits": run.recent_bits,
    }
    save_checkpoint(run.folder / "checkpoints", run.model, state, run.step)


@contextmanager
def stop_request() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a request that the loop answers between two steps; a second one interrupts at once."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    previous = signal.getsignal(signal.SIGINT)

    def on_interrupt(*_: Any) -> None:
        requested.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield requested
    finally:
        signal.signal(signal.SIGINT, previous)


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU if there is one; a named device that is not there is a ConfigError."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if not available[name]:
        raise ConfigError(f"train.device {name!r} is not available here; available: "
                          f"{', '.join(kind for kind, there in available.items() if there)}")
    return torch.device(name)


def use_bf16(precision: str, device: torch.device) -> bool:
    """`auto` takes bf16 where the processor multiplies it natively, since elsewhere it is slower than fp32."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


def _claim(folder: Path, config: RunConfig) -> Path | None:
    """Make the folder this run's own, or find that it is; its newest checkpoint, if any."""
    path = folder / "config.toml"
    if path.is_file():
        if load_config(path) != config:
            raise ConfigError(f"{folder} holds a run with other settings (see {path}); choose another folder with "
                              f"--out, or delete this one")
    else:
        atomic_write(path, dump_config(config))
    found = checkpoints(folder / "checkpoints")
    return found[-1] if found else None


def _restore(run: Run, state: dict[str, Any]) -> None:
    run.optimizer.load_state_dict(state["optimizer"])
    run.noise.set_state(state["noise"])
    run.step, run.pool.past = state["step"], state["pool"]
    run.sums, run.recent_bits = state["sums"], state["recent_bits"]


def _remember(run: Run, terms: Terms, loss: Tensor) -> None:
    means = {name: value.detach().mean() for name, value in terms.named().items()}
    means |= {"loss": loss, "kl_of_real": terms.posterior.kl_reals().detach().mean(dim=0)}
    for name, value in means.items():
        run.sums[name] = run.sums[name] + value if name in run.sums else value
    n_kept = max(N_RECENT_IMAGES, 4 * 2 ** min(run.config.model.n_bits, 12))
    run.recent_bits.append(terms.posterior.bit_logits.detach())
    del run.recent_bits[: -math.ceil(n_kept / run.batch_size)]


def _not_finite(run: Run, terms: Terms) -> str:
    values = {name: float(value.detach().mean()) for name, value in terms.named().items()}
    bad = [name for name, value in values.items() if value != value or abs(value) == float("inf")]
    listed = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    kept = f"; the last checkpoint in {run.folder / 'checkpoints'} stays" if run.folder else ""
    return f"step {run.step + 1}: {' and '.join(bad) or 'the loss'} is not finite ({listed}){kept}"
