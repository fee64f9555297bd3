"""Kernel time from a slider's or a bit's event to the new picture.

    python benchmarks/explorer.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from mrvae_lib import MRVAE, load_pretrained
from mrvae_lib.config import ModelConfig
from mrvae_lib.interactive import LatentExplorer

N_EVENTS = 300


def milliseconds(act: Callable[[int], None]) -> tuple[float, float]:
    """Median and 95th percentile over many calls."""
    times = []
    for i in range(N_EVENTS):
        began = time.perf_counter()
        act(i)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def main() -> None:
    conv = ModelConfig(n_reals=6, n_bits=2, network="conv", hidden=(32, 32, 64, 64, 256))
    models = {
        "mnist-mrvae, 28x28, MLP": load_pretrained("mnist-mrvae"),
        "64x64, four convolutions": MRVAE((1, 64, 64), conv).eval(),
        "64x64 colour, four convolutions": MRVAE((3, 64, 64), conv).eval(),
    }
    print(f"kernel time per event, ms, {N_EVENTS} events, {torch.get_num_threads()} threads, fp32")
    print(f"{'model':34} {'slider median':>14} {'95 %':>6} {'bit median':>12} {'95 %':>6}")
    for name, model in models.items():
        explorer = LatentExplorer(model)
        slider, bit = next(iter(explorer.sliders.values())), explorer.bits[0]

        def drag(i: int, slider=slider) -> None:
            slider.value = -2.5 + 0.1 * (1 + i % 49)

        def press(_: int, bit=bit) -> None:
            bit.value = not bit.value

        figures = (*milliseconds(drag), *milliseconds(press))
        print(f"{name:34} {figures[0]:14.2f} {figures[1]:6.2f} {figures[2]:12.2f} {figures[3]:6.2f}")


if __name__ == "__main__":
    main()
