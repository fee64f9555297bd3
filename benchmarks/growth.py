"""How the time and the memory of a training step grow: with the image, the number of bits, the batch, the set.

    python benchmarks/growth.py [--quick] [--out docs]

Every point is measured in a process of its own (Linux): the median time of a step, and by how much the process grew at
most beyond the images themselves. Writes `growth.png`, a panel for each. fp32, so that machines compare.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from mrvae_lib.objective import weights_at

from mrvae_lib.config import RunConfig, load_config
from mrvae_lib.data import ImageSet
from mrvae_lib.training.loop import batches_left, train_step
from mrvae_lib.training.run import start


@dataclass(frozen=True)
class Point:
    """What is trained; 28x28 images, 4 bits, exact, batch 128, 4,096 images unless said otherwise."""

    side: int = 28
    n_bits: int = 4
    estimator: str = "exact"
    batch: int = 128
    n_images: int = 4096
    network: str = "mlp"

    def config(self) -> RunConfig:
        hidden = "[512, 256]" if self.network == "mlp" else "[32, 32, 64, 64, 256]"
        return load_config("mnist", overrides=[
            f"model.n_bits={self.n_bits}", f"objective.estimator={self.estimator}", f"train.batch_size={self.batch}",
            f"model.network={self.network}", f"model.hidden={hidden}", "train.precision=fp32", "train.device=cpu",
            "objective.lambda_information=0", "objective.lambda_consistency=0", "train.epochs=100000"])


def status(key: str) -> float:
    """Megabytes of this process, from Linux."""
    return int(re.findall(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024


def measure(task: tuple[Point, int]) -> tuple[float, float]:
    """In a process of its own: median milliseconds of a step, and megabytes by which the process grew at most."""
    point, n_steps = task
    step_times(replace(point, side=16, batch=2), noise(2, 16), 1)  # what the libraries take once is not the step's
    images = noise(point.n_images, point.side)
    before = status("VmRSS")
    times = step_times(point, images, n_steps + 2)
    return statistics.median(times[2:]), status("VmHWM") - before


def noise(n_images: int, side: int) -> ImageSet:
    return ImageSet("noise", torch.randint(0, 256, (n_images, 1, side, side), dtype=torch.uint8))


def step_times(point: Point, images: ImageSet, n_steps: int) -> list[float]:
    """Milliseconds of each of the first steps."""
    run = start(point.config(), images=images)
    times: list[float] = []
    while len(times) < n_steps:
        for indices in batches_left(run):
            began = time.perf_counter()
            train_step(run, indices, weights_at(run.config.objective, run.progress))
            times.append(1000 * (time.perf_counter() - began))
            if len(times) == n_steps:
                break
    return times


def series(quick: bool) -> dict[str, tuple[str, dict[str, list[tuple[float, Point]]]]]:
    """Panels: title, x axis, lines of (x, point)."""
    sides, widths, batches, sizes = (16, 32, 64, 128), (1, 2, 4, 6, 8), (16, 64, 256, 1024), (1024, 8192, 65536, 262144)
    if quick:
        sides, widths, batches, sizes = sides[:2], widths[:2], batches[:2], sizes[:2]
    estimators = ("exact", "bit-flip", "concrete", "straight-through")
    return {
        "image": ("side, pixels", {network: [(side, Point(side=side, network=network, estimator="concrete"))
                                             for side in sides] for network in ("mlp", "conv")}),
        "bits": ("K", {name: [(k, Point(n_bits=k, estimator=name)) for k in widths] for name in estimators}),
        "batch": ("images per batch", {name: [(batch, Point(batch=batch, estimator=name)) for batch in batches]
                                       for name in ("exact", "concrete")}),
        "data set": ("images", {"concrete": [(n, Point(n_images=n, estimator="concrete")) for n in sizes]}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two points of each line, few steps, no figure")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    n_steps = 3 if arguments.quick else 20
    # Forked, not spawned: a child starts in milliseconds, and this process never computes.
    processes = multiprocessing.get_context("fork")
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, fp32, load {os.getloadavg()[0]:.1f}; median of "
          f"{n_steps} steps")
    found: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    panels = series(arguments.quick)
    for title, (axis, lines) in panels.items():
        print(f"\n{title}: {axis}")
        found[title] = {}
        for name, points in lines.items():
            for x, point in points:
                with processes.Pool(1) as pool:
                    milliseconds, megabytes = pool.map(measure, [(point, n_steps)])[0]
                found[title].setdefault(name, []).append((x, milliseconds, megabytes))
                print(f"  {name:18} {x:8,} {milliseconds:10.2f} ms {megabytes:10.0f} MB", flush=True)
    if not arguments.quick:
        draw(found, {title: axis for title, (axis, _) in panels.items()}, arguments.out / "growth.png")


def draw(found: dict[str, dict[str, list[tuple[float, float, float]]]], axes: dict[str, str], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(2, len(found), figsize=(3.2 * len(found), 5.2), layout="constrained", sharex="col",
                                sharey="row")
    for column, (title, lines) in zip(grid.T, found.items(), strict=True):
        for row, ax in enumerate(column):
            for name, points in lines.items():
                ax.plot([point[0] for point in points], [point[row + 1] for point in points], "o-", label=name,
                        markersize=4)
            ax.set_yscale("log")
            ax.set_xscale("linear" if title == "bits" else "log", **({} if title == "bits" else {"base": 2}))
            ax.spines[["top", "right"]].set_visible(False)
        column[0].set_title(title, fontsize=10, loc="left")
        column[1].set_xlabel(axes[title])
        column[0].legend(fontsize=7, frameon=False)
    grid[0, 0].set_ylabel("ms per step")
    grid[1, 0].set_ylabel("MB beyond the images")
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


if __name__ == "__main__":
    main()
