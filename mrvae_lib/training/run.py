"""A run in progress: how it starts, what it remembers, how it is saved and found again."""

import copy
import math
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrvae_lib import parallel
from mrvae_lib.config import RunConfig, dump_config, load_config, value_at
from mrvae_lib.data import ImageSet, load_dataset, settled
from mrvae_lib.errors import CheckpointError, ConfigError, TrainingError, shortened
from mrvae_lib.model.total_correlation import Discriminator
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.objective import CodePool, loss_terms, total_loss, weights_at
from mrvae_lib.training import checkpoints
from mrvae_lib.training.device import CLEARLY_FASTER, choose_device, multiplies_bf16, seconds_per_step

MIN_TIMED_STEPS = 200
"""With the precision `auto`, fp32 and bf16 are timed only in runs of so many steps or more, which win the time back,
and only on one process, because several might choose differently. Other runs compute in fp32."""

ANOTHER_VERSION = "another version of mrvae_lib wrote it; go on with that version, or train anew with another --out"

MAY_CHANGE = ("train.epochs", "train.checkpoint_every", "train.pictures", "train.device")
"""Settings that a run may go on with changed; more epochs stretch its schedules."""


@dataclass
class Plateau:
    """The factor on the learning rate: divided by 10 each time the mean loss has not fallen for too many epochs.

    As torch's ReduceLROnPlateau with factor 0.1 and threshold 1e-4, but on top of a schedule.
    """

    best: float = math.inf
    n_bad: int = 0
    """Epochs since the last fall, or since the last cut."""
    factor: float = 1.0

    def watch(self, loss: float, patience: int) -> None:
        """Take in an epoch's mean loss."""
        if loss < self.best - 1e-4 * abs(self.best) or self.best == math.inf:  # inf - 1e-4 inf is not a number
            self.best, self.n_bad = loss, 0
        else:
            self.n_bad += 1
        if self.n_bad > patience:
            self.factor, self.n_bad = self.factor / 10, 0


class Adversary:
    """The discriminator that estimates TC(z) and learns beside the model, on the model's draws."""

    def __init__(self, network: Discriminator, lr: float) -> None:
        # Kim and Mnih's moments: short memories suit an opponent that moves.
        self.network, self.optimizer = network, torch.optim.Adam(network.parameters(), lr=lr, betas=(0.5, 0.9))

    def step(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """One step on draws (B, D) of q(z) against the same draws shuffled; its loss before the step, () nats.

        Every process shuffles in its own way and all of them take the mean gradient, so that they stay equal.
        """
        loss = self.network.loss(z, generator)
        self.optimizer.zero_grad(set_to_none=True)
        (loss / parallel.n_processes()).backward()
        parallel.add_gradients(self.network)
        self.optimizer.step()
        return loss.detach()


@dataclass
class Run:
    """A run in progress: what the loop changes and the callbacks look at."""

    config: RunConfig
    model: MRVAE
    optimizer: torch.optim.Optimizer
    images: ImageSet
    device: torch.device
    bf16: bool
    """Whether the networks compute in bf16; `auto` decides it by the clock at the start of a run, once."""
    noise: torch.Generator
    pool: CodePool
    adversary: Adversary | None = None
    folder: Path | None = None
    """None writes nothing: no folder was asked for, or this is not the first process."""
    step: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    """This epoch's terms so far, summed over its steps."""
    recent_bits: list[Tensor] = field(default_factory=list)
    """The logits of this epoch's last codes, oldest first."""
    unchecked: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    """The mean terms and the loss of each step, by its number, that `check_finite` has yet to look at."""
    plateau: Plateau = field(default_factory=Plateau)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set it, from any thread, to end the run after its current step with a checkpoint."""

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
        """0 at the first step, 1 at the last, just above 1 after it."""
        return self.step / max(1, self.n_steps - 1)

    @property
    def finished(self) -> bool:
        return self.step >= self.n_steps


def start(config: RunConfig, folder: Path | None = None, images: ImageSet | None = None) -> Run:
    """A run at its first step, or at its newest checkpoint.

    Raises:
        ConfigError: no images, a batch that the processes cannot share evenly, or a folder with another run.
    """
    config, device = settled(config), choose_device(config.train.device)
    images = load_dataset(config.data, "train") if images is None else images
    if config.data.limit:
        images = images.first(config.data.limit)
    if not len(images):
        raise ConfigError(f"data.name {config.data.name!r} has no images to train on")
    batch_size = min(config.train.batch_size, len(images))
    if batch_size % parallel.n_processes():
        raise ConfigError(f"train.batch_size must be a multiple of the {parallel.n_processes()} processes, got "
                          f"{batch_size}")
    if folder and parallel.is_first():
        _claim(folder, config)
    parallel.any_process(False)  # a barrier: all wait until the first one has claimed the folder
    newest = checkpoints.latest_checkpoint(folder) if folder else None

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        model = checkpoints.read_model(newest).train() if newest else MRVAE(images.image_shape, config.model)
        adversary, objective = None, config.objective
        if objective.tc == "discriminator" and objective.lambda_tc != 0:
            network = Discriminator(config.model.n_reals, objective.discriminator.hidden).to(device)
            adversary = Adversary(network, objective.discriminator.lr)
    dense = config.model.network == "mlp"  # convolutions run fastest with the channels last
    model.to(device).to(memory_format=torch.contiguous_format if dense else torch.channels_last)
    run = Run(
        config=config, model=model, images=images.to(device), device=device, adversary=adversary,
        optimizer=torch.optim.Adam(model.parameters(), lr=value_at(config.train.lr, 0.0),
                                   weight_decay=config.train.weight_decay, fused=device.type != "mps"),
        bf16=config.train.precision == "bf16",
        noise=torch.Generator(device).manual_seed(config.train.seed + parallel.SEEDS_APART * parallel.rank()),
        pool=CodePool(config.model.n_bits, batch_size),
        folder=folder if parallel.is_first() else None,
    )
    if newest:
        _restore(run, newest)
    elif config.train.precision == "auto" and run.n_steps >= MIN_TIMED_STEPS and parallel.n_processes() == 1:
        run.bf16 = multiplies_bf16(device) and _faster_in_bf16(run)
    if run.folder:  # the settings may say more epochs than before
        checkpoints.atomic_write(run.folder / "config.toml", dump_config(config))
    return run


def save(run: Run) -> None:
    """Write a checkpoint, if the run has a folder.

    Raises:
        TrainingError: a weight is not finite; the last good checkpoint stays.
    """
    state = _state(run)  # before any process returns, because the states of their noise are gathered from all
    if run.folder is None:
        return
    for name, weight in {**run.model.state_dict(), **state.get("discriminator", {})}.items():
        if not torch.isfinite(weight).all():
            raise TrainingError(f"step {run.step}: {name} is not finite; the checkpoint before it stays")
    checkpoints.save_checkpoint(run.folder / "checkpoints", run.model, state, run.step)


def _faster_in_bf16(run: Run) -> bool:
    """Whether the two passes of a step take clearly less time in bf16 than in fp32, tried on a copy of the model."""
    model, objective = copy.deepcopy(run.model).train(), run.config.objective
    x = run.images.floats(torch.arange(run.batch_size, device=run.device))
    noise, weights = torch.Generator(run.device).manual_seed(0), weights_at(objective, 0.5)

    def step(bf16: bool) -> None:
        with torch.autocast(run.device.type, dtype=torch.bfloat16, enabled=bf16):
            total_loss(loss_terms(model, x, objective, weights, generator=noise), weights).backward()

    seconds = seconds_per_step(step)
    return seconds["bf16"] < CLEARLY_FASTER * seconds["fp32"]


def _state(run: Run) -> dict[str, Any]:
    """What a checkpoint keeps beside the model."""
    state = {
        "step": run.step,
        "optimizer": run.optimizer.state_dict(),
        "noise": parallel.gather(run.noise.get_state()[None]),
        "pool": run.pool.past,
        "sums": run.sums,
        "recent_bits": run.recent_bits,
        "plateau": asdict(run.plateau),
        "bf16": run.bf16,
        "config": run.config.model_dump(mode="json"),
        "data": run.images.digest,
    }
    if run.adversary:
        state["discriminator"] = run.adversary.network.state_dict()
        state["discriminator_optimizer"] = run.adversary.optimizer.state_dict()
    return state


def _claim(folder: Path, config: RunConfig) -> None:
    """Make the folder this run's own, or find that it is."""
    path = folder / "config.toml"
    if path.is_file():
        saved = settled(load_config(path))
        if _changes(saved.model_dump(mode="json"), config.model_dump(mode="json")):
            raise ConfigError(f"{folder} holds a run with other settings (see {path}); choose another with --out")
    checkpoints.remove_partial(folder)


def _restore(run: Run, checkpoint: Path) -> None:
    """Go back to what a checkpoint remembers.

    Raises:
        CheckpointError: another version wrote it, which kept less or kept it otherwise.
    """
    state, now = checkpoints.load_state(checkpoint, run.device), _state(run)
    differences = _changes(state.get("config", now["config"]), now["config"])
    if state.get("data", now["data"]) != now["data"]:
        differences.append(f"the images ({state['data']} then, {now['data']} now)")
    if differences or run.model.config != run.config.model or run.model.image_shape != run.images.image_shape:
        raise ConfigError(f"{checkpoint}: the run had other {shortened(', '.join(differences) or 'model settings')}; "
                          f"put back what it had, or train anew in another folder with --out")
    if state["step"] > run.n_steps:
        raise ConfigError(f"train.epochs must be >= {state['step'] // run.steps_per_epoch}, which the run already has "
                          f"behind it, got {run.config.train.epochs}")
    if missing := sorted(now.keys() - state.keys()):
        raise CheckpointError(f"{checkpoint / 'state.pt'}: has no {', '.join(missing)}: {ANOTHER_VERSION}")
    try:
        run.optimizer.load_state_dict(state["optimizer"])
        if run.adversary:
            run.adversary.network.load_state_dict(state["discriminator"])
            run.adversary.optimizer.load_state_dict(state["discriminator_optimizer"])
        parallel.restore_noise(run.noise, state["noise"])
        run.step, run.pool.past = state["step"], state["pool"]
        run.sums, run.recent_bits = state["sums"], state["recent_bits"]
        run.plateau = Plateau(**state["plateau"])
        if run.config.train.precision == "auto":
            run.bf16 = bool(state["bf16"]) and multiplies_bf16(run.device)  # the device may be another one now
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{checkpoint / 'state.pt'}: does not fit this run ({shortened(error)}): "
                              f"{ANOTHER_VERSION}") from None


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that differ, except those that a run may change on its way."""
    return [f"{table}.{key} ({old} then, {now[table].get(key)} now)"
            for table in ("data", "model", "objective", "train") for key, old in then[table].items()
            if now[table].get(key) != old and f"{table}.{key}" not in MAY_CHANGE]
