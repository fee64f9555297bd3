"""Images per second in training: our loop, our bare step, and the loop that joint-vae and disentangling-vae have.

    python benchmarks/training.py [--quick] [--compile]

(`benchmarks/gpu.py` times the same loops on a GPU.)

The rival trains the same network on the same loss in fp32: torchvision's MNIST through `Resize(32)` and `ToTensor` (or
dSprites as an array of bytes through `ToTensor`), `DataLoader(batch_size=64, shuffle=True)` without workers, plain
Adam, contiguous memory. Ours is `mrvae train` with its log and its checkpoints, in the precision that this machine
takes by itself. The bare step is ours on one batch that never changes. All are timed in turns, several rounds; figures
are medians. The floor is what the step's multiply-adds would take at the rate of a large matrix product. Full: 8
minutes on 2 cores; --quick: under one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import datasets, transforms

from mrvae_lib.config import RunConfig, load_config
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.data.real_sets import data_folder
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.objective import loss_terms, total_loss, weights_at
from mrvae_lib.training.callbacks import JsonLines, TensorBoard
from mrvae_lib.training.device import multiplies_bf16
from mrvae_lib.training.loop import Callback, train
from mrvae_lib.training.run import Run, start

PRESETS = {"mnist-jointvae": "joint-vae's network, MNIST 32x32", "dsprites-capacity": "four convolutions, dSprites"}
RIVAL_BATCH, OUR_BATCH = 64, 256


def wait_for(device: torch.device | str) -> None:
    """Return when a GPU has done all that it was told to do."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


class Clock(Callback):
    """When each step was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step(self, run, terms, weights) -> None:
        if run.finished:
            wait_for(run.device)
        self.times.append(time.perf_counter())


class Sprites(Dataset):
    """dSprites as disentangling-vae reads them: an array of bytes, one image at a time."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images.take()[:, 0].numpy() // 255

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        return transforms.functional.to_tensor(np.expand_dims(self.images[index] * 255, axis=-1)), 0


def configured(preset: str, batch: int, precision: str = "auto", device: str = "cpu") -> RunConfig:
    return load_config(preset, overrides=[f"train.batch_size={batch}", f'train.precision="{precision}"',
                                          f"train.device={device}"])


def chosen_precision(preset: str, images: ImageSet, batch: int, device: str = "cpu") -> str:
    """What `auto` takes for a run that is long enough for the clock to decide."""
    return "bf16" if start(configured(preset, batch, device=device), images=images).bf16 else "fp32"


def rival_loader(preset: str, images: ImageSet, batch: int = RIVAL_BATCH) -> DataLoader:
    if preset.startswith("mnist"):
        resize = [transforms.Resize(32)] if preset == "mnist-jointvae" else []
        seen = transforms.Compose([*resize, transforms.ToTensor()])
        data: Dataset = datasets.MNIST(str(data_folder()), train=True, download=True, transform=seen)
    else:
        data = Sprites(images)
    return DataLoader(data, batch_size=batch, shuffle=True)


def rival_model(config: RunConfig, shape: tuple[int, int, int]) -> MRVAE:
    """The preset's network for images that are already resized."""
    layers = {part: tuple(line for line in getattr(config.model, part) if "resize" not in str(line))
              for part in ("encoder", "decoder")}
    return MRVAE(shape, config.model.model_copy(update=layers))


def rival_rate(preset: str, images: ImageSet, n_steps: int, batch: int = RIVAL_BATCH, device: str = "cpu"
               ) -> Callable[[], float]:
    config, loader = configured(preset, batch, "fp32"), rival_loader(preset, images, batch)
    shape = tuple(next(iter(loader))[0].shape[1:])
    model = rival_model(config, shape).train().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, fused=False, foreach=False)
    weights = weights_at(config.objective, 0.5)

    def rate() -> float:
        began, done = 0.0, -2
        for x, _ in loader:
            if done == 0:
                began = time.perf_counter()
            loss = total_loss(loss_terms(model, x.to(device), config.objective, weights), weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # both rivals add up the loss of every batch
            done += 1
            if done == n_steps:
                break
        return done * batch / (time.perf_counter() - began)

    return rate


def loop_rate(preset: str, images: ImageSet, batch: int, n_steps: int, precision: str, device: str = "cpu"
              ) -> Callable[[], float]:
    """`mrvae train` itself, over two epochs of n_steps / 2 or more of fewer, checkpoints and log included."""
    config = configured(preset, batch, precision, device)
    few = images.first(batch * max(2, n_steps // 2))
    epochs = max(2, n_steps // max(1, len(few) // batch))
    config = config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs})})

    def rate() -> float:
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            log = [clock, JsonLines(Path(folder) / "metrics.jsonl"), TensorBoard(Path(folder) / "tensorboard")]
            train(config, folder, images=few, callbacks=log)
        steps = clock.times[1:]
        return (len(steps) - 1) * batch / (steps[-1] - steps[0])

    return rate


def step_of(run: Run, x: torch.Tensor) -> Callable[[], None]:
    weights = weights_at(run.config.objective, 0.5)

    def step() -> None:
        with torch.autocast(run.device.type, dtype=torch.bfloat16, enabled=run.bf16):
            terms = loss_terms(run.model, x, run.config.objective, weights, generator=run.noise, pool=run.pool)
            loss = total_loss(terms, weights)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        run.optimizer.step()

    return step


def bare_rate(preset: str, images: ImageSet, batch: int, n_steps: int, **changes) -> Callable[[], float]:
    """Forward, loss, backward and optimiser on one batch."""
    run, x = bare_run(preset, images, batch, **changes)
    step = step_of(run, x)

    def rate() -> float:
        step()
        wait_for(run.device)
        began = time.perf_counter()
        for _ in range(n_steps):
            step()
        wait_for(run.device)
        return n_steps * batch / (time.perf_counter() - began)

    return rate


def bare_run(preset: str, images: ImageSet, batch: int, *, precision: str, device: str = "cpu",
             contiguous: bool = False, plain_adam: bool = False, compiled: bool = False) -> tuple[Run, torch.Tensor]:
    run = start(configured(preset, batch, precision, device), images=images.first(batch))
    x = run.images.floats()
    if contiguous:
        run.model.to(memory_format=torch.contiguous_format)
    if plain_adam:
        run = replace(run, optimizer=torch.optim.Adam(run.model.parameters(), lr=5e-4, fused=False, foreach=False))
    if compiled:
        run.model.encoder, run.model.decoder = torch.compile(run.model.encoder), torch.compile(run.model.decoder)
    return run, x


def flops_per_image(preset: str, images: ImageSet, batch: int) -> float:
    """Floating point operations of one training step, 2 per multiply-add."""
    run, x = bare_run(preset, images, batch, precision="fp32")
    with FlopCounterMode(display=False) as counter:
        step_of(run, x)()
    return counter.get_total_flops() / batch


def matrix_rate(dtype: torch.dtype) -> float:
    """Operations per second of a product of two large matrices."""
    a, b = torch.randn(2, 1024, 1024).to(dtype)
    rates = []
    for _ in range(5):
        began = time.perf_counter()
        a @ b
        rates.append(2 * 1024**3 / (time.perf_counter() - began))
    return max(rates)


def rounds_of(rates: dict[str, Callable[[], float]], n_rounds: int) -> dict[str, list[float]]:
    """Each rate, n_rounds times, in turns, so that a slow minute of the machine is shared by all."""
    found: dict[str, list[float]] = {name: [] for name in rates}
    for _ in range(n_rounds):
        for name, rate in rates.items():
            found[name].append(rate())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--compile", action="store_true", help="also try torch.compile, which takes a minute to begin")
    arguments = parser.parse_args()
    # Two epochs of 60 steps: enough that our loop's checkpoint does not weigh much more than it does in a real run.
    n_rounds, n_steps = (1, 6) if arguments.quick else (5, 120)
    bf16 = multiplies_bf16(torch.device("cpu"))
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, "
          f"torch {torch.__version__}, CPU; {n_rounds} rounds of {n_steps} steps", flush=True)
    rate_of = {dtype: matrix_rate(dtype) for dtype in (torch.float32, *([torch.bfloat16] if bf16 else []))}
    print("matrix product: " + ", ".join(f"{str(dtype).removeprefix('torch.')} {rate / 1e9:.0f} GFLOP/s"
                                         for dtype, rate in rate_of.items()))
    for preset, title in PRESETS.items():
        images = load_dataset("mnist" if preset.startswith("mnist") else "dsprites").first(20_000)
        flops = flops_per_image(preset, images, RIVAL_BATCH)
        precision = chosen_precision(preset, images, RIVAL_BATCH)
        print(f"\n{title} ({preset}), ours in {precision}, which auto took; {flops / 1e6:.0f} MFLOP per image, floor "
              + ", ".join(f"{rate / flops:,.0f} img/s {str(dtype).removeprefix('torch.')}"
                          for dtype, rate in rate_of.items()))
        rates = {"rival, batch 64": rival_rate(preset, images, n_steps)}
        for batch in (RIVAL_BATCH, OUR_BATCH):
            few = max(4, n_steps * RIVAL_BATCH // batch)
            rates[f"our bare step, batch {batch}"] = bare_rate(preset, images, batch, few, precision=precision)
            rates[f"our loop, batch {batch}"] = loop_rate(preset, images, batch, few, precision)
        found = rounds_of(rates, n_rounds)
        print(f"  {'':28} {'img/s':>8} {'lowest':>8} {'highest':>8}")
        for name, values in found.items():
            print(f"  {name:28} {statistics.median(values):8,.0f} {min(values):8,.0f} {max(values):8,.0f}")
        for batch in (RIVAL_BATCH, OUR_BATCH):
            loop = found[f"our loop, batch {batch}"]
            for other in ("rival, batch 64", f"our bare step, batch {batch}"):
                ratio = statistics.median(a / b for a, b in zip(loop, found[other], strict=True))
                print(f"  our loop at {batch} / {other}: {ratio:.2f}")
        variants = {"as it is": {}, "fp32": {"precision": "fp32"}, "bf16": {"precision": "bf16"},
                    "contiguous": {"contiguous": True}, "plain Adam": {"plain_adam": True},
                    "fp32, contiguous, plain Adam": {"precision": "fp32", "contiguous": True, "plain_adam": True}}
        if arguments.compile:
            variants["compiled"] = {"compiled": True}
        # Where the processor has no bf16 of its own, two such steps say enough: each lasts seconds.
        tried = rounds_of({name: bare_rate(preset, images, RIVAL_BATCH,
                                           2 if name == "bf16" and not bf16 else max(6, n_steps // 4),
                                           **{"precision": precision, **changes})
                           for name, changes in variants.items()}, n_rounds)
        ratio = statistics.median(a / b for a, b in zip(tried["bf16"], tried["fp32"], strict=True))
        print(f"  precision: auto took {precision}; the bare step at 64 in bf16 / in fp32: {ratio:.2f}")
        base = statistics.median(tried["as it is"])
        print("  bare step at 64, " + "; ".join(f"{name} {statistics.median(values) / base:.2f}"
                                                for name, values in tried.items()))


if __name__ == "__main__":
    main()
