"""Time and memory of the whole dSprites set, beside a reader of a compressed file, and how exact the images are.

    python benchmarks/data.py

Each way of getting the set ready runs in a process of its own, which tells its seconds and by how much it grew at most
(Linux: VmHWM). Takes two minutes, most of them to compress the file, and 4 GB.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from mrvae_lib.data import load_dataset
from mrvae_lib.data.real_sets import data_folder

BATCH, N_BATCHES = 64, 300


def ready(path: str | None) -> None:
    """In a process of its own: get the set ready, print seconds and megabytes."""
    before = peak_megabytes()
    began = time.perf_counter()
    if path is None:
        images = load_dataset("dsprites")
    else:
        with np.load(path) as file:
            images = file["imgs"]
    seconds = time.perf_counter() - began
    assert len(images) == 737_280
    print(seconds, peak_megabytes() - before)


def peak_megabytes() -> float:
    """This process's largest memory so far; `ru_maxrss` would count its parent's too."""
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) * 1024 / 1e6


def measured(*arguments: str) -> tuple[float, float]:
    command = [sys.executable, __file__, "--ready", *arguments]
    seconds, megabytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(megabytes)


def main() -> None:
    drawn = measured()
    sprites = load_dataset("dsprites")
    generator = torch.Generator().manual_seed(0)
    times = []
    for _ in range(N_BATCHES):
        places = torch.randint(len(sprites), (BATCH,), generator=generator)
        began = time.perf_counter()
        sprites.take(places)
        times.append(time.perf_counter() - began)

    n_white = 0
    pixels = np.empty((len(sprites), 64, 64), dtype=np.uint8)
    for places in torch.arange(len(sprites)).split(20_000):
        part = sprites.take(places)[:, 0].clamp_(max=1)
        n_white += int(part.sum())
        pixels[places[0] : places[-1] + 1] = part.numpy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dsprites.npz"
        np.savez_compressed(path, imgs=pixels)
        del pixels
        size = path.stat().st_size / 2**20
        loaded = measured(str(path))

    rows = [
        ("whole set drawn by us", f"{drawn[0]:.1f} s", f"{drawn[1]:,.0f} MB"),
        (f"np.load of the same, {size:.0f} MB file", f"{loaded[0]:.1f} s", f"{loaded[1]:,.0f} MB"),
        (f"random batch of {BATCH}, median", f"{1000 * statistics.median(times):.2f} ms", ""),
        ("white pixels in the whole set", f"{n_white:,}", "128,328,862 in the original"),
        ("real images that differ", *against_the_real_sample(sprites)),
    ]
    print(f"dSprites, 737,280 images; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, value, note in rows:
        print(f"  {name:<36} {value:>14}   {note}")


def against_the_real_sample(sprites) -> tuple[str, str]:
    path = data_folder() / "dsprites" / "real_sample_4096.npz"
    if not path.is_file():
        return "not measured", f"{path} is not there"
    with np.load(path) as real:
        ours = sprites.take(torch.from_numpy(real["index"]).long()).flatten(1).numpy() > 0
        n_different = (ours != (np.unpackbits(real["imgs_packed"], axis=1) > 0)).sum(axis=1)
    return f"{(n_different > 0).sum()} of {len(ours):,}", f"{n_different.sum()} pixels in all"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ready"]:
        ready(*sys.argv[2:] or [None])
    else:
        main()
